//! Simulated counterparts that ship with the product: for `demo`, dry runs and tests.
//!
//! Shell room. The simulated board is a board like any other to the appliance: its lights are drawn
//! in a terminal, its button is a key, and its server is a small RTMPS ingest on loopback that
//! measures and records what arrives.

pub mod ingest;
pub mod terminal;
