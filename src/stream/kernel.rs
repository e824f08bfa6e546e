//! What the kernel knows of a connection.

use std::time::Duration;

/// What the kernel knows of a TCP connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TcpState {
    /// Bytes written to the socket that the peer's kernel has not acknowledged.
    pub unacknowledged_bytes: u32,
    /// Of these, what the peer's kernel has acknowledged selectively (RFC 2018): it waits there for a
    /// lost segment before it. To the nearest segment.
    pub sacked_bytes: u32,
    /// Bytes that the peer's kernel has acknowledged since the connection began; the SYN counts as one.
    pub acknowledged_bytes: u64,
    /// Bytes beyond the acknowledged ones that the peer's kernel has room for; `None` where ours is too old
    /// to tell (before Linux 5.4).
    pub window_bytes: Option<u32>,
    /// Smoothed round-trip time.
    pub rtt: Duration,
    /// What a segment carries at most.
    pub segment_bytes: u32,
    /// Times in a row that what was sent has been given up for lost and sent again.
    pub timeouts: u8,
    /// Packets that have come ahead of one that was missing, since the connection began.
    pub early_packets: u32,
    /// The peer has closed its side, and everything that it sent is here.
    pub peer_has_closed: bool,
}

/// What the kernel answers when it is asked about a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// It cannot be asked.
    Unknown,
    /// There is no such connection any more.
    Gone,
    /// The present state.
    Here(TcpState),
}

impl Kernel {
    /// The present state, where there is one.
    pub fn state(self) -> Option<TcpState> {
        match self {
            Kernel::Here(state) => Some(state),
            Kernel::Unknown | Kernel::Gone => None,
        }
    }
}
