//! Simulated counterparts of the box, for `demo` and tests; in the program with the feature `demo` alone.
//!
//! Shell room. The simulated board is a board like any other to the appliance: its lights are drawn
//! in a terminal, its button is a key, and its server is a small RTMPS ingest on loopback that
//! measures and records what arrives. Lip-sync is measured in what was recorded.

pub mod ingest;
pub mod lip_sync;
pub mod terminal;
