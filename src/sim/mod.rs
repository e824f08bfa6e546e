//! Simulated counterparts that ship with the product: for `demo`, dry runs and tests.
//!
//! They do what real ones do, by the same protocols, so that the rest of the house cannot tell.

pub mod ingest;
