//! A small RTMPS server on loopback that measures and records what it receives.

mod pki;
mod programme;
mod server;
pub mod session;

pub use programme::{Programme, Summary};
pub use server::{Report, Server};
