//! A small RTMPS server on loopback that measures and records what it receives.

mod measurement;
mod pki;
mod server;
pub mod session;

pub use measurement::{Measurement, Summary};
pub use server::{Report, Server};
