//! What a connection has done so far, for whoever shows it.

use core::net::IpAddr;

use crate::media::QueueStats;

/// The counters of a connection, at its last look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ConnectionStats {
    /// The attempt that they belong to; 0 outside of a destination's task.
    pub attempt: u64,
    /// The address of this box that the connection comes from.
    pub local_address: Option<IpAddr>,
    /// RTMP bytes handed to the socket.
    pub sent_bytes: u64,
    /// RTMP bytes that the server has acknowledged; `None` while it never has.
    pub acknowledged_bytes: Option<u64>,
    /// TCP bytes on their way.
    pub in_flight_bytes: Option<u32>,
    /// TCP's smoothed round-trip time, in microseconds.
    pub rtt_us: Option<u64>,
    /// Messages handed to the session.
    pub messages: u64,
    /// What waits for this connection, and what was dropped.
    pub queue: QueueStats,
    /// The target bitrate of the video, in kbit/s; `None` where nothing asks for less than the set one.
    pub target_kbps: Option<u32>,
    /// What a connection after this one should begin with, in kbit/s; `None` unless media was
    /// delivered.
    pub resume_kbps: Option<u32>,
}
