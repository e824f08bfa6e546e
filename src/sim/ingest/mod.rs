//! A small RTMP ingest server.
//!
//! [`session`] is its protocol half, without sockets and clocks like the client's.

pub mod session;
