//! The RTMP client without sockets and clocks: bytes in, bytes out.
//!
//! Pure room.

pub mod url;
