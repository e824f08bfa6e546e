//! The last minutes.

use serde::Serialize;

/// The last minutes: what changed, and the figures of each second on air.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BlackBox {
    /// Oldest first.
    pub events: Vec<PastEvent>,
    /// Oldest first.
    pub samples: Vec<PastSample>,
}

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PastEvent {
    /// How long ago, in milliseconds.
    pub ago_ms: u64,
    /// What was reported.
    pub message: String,
}

/// The figures of a second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PastSample {
    /// How long ago, in milliseconds.
    pub ago_ms: u64,
    /// What the encoder was asked for, in kb/s.
    pub encoder_target_kbps: u32,
    /// What it delivered, in kb/s.
    pub encoder_kbps: u32,
    /// Frames that were skipped lately because the encoder was overloaded, in percent.
    pub frames_skipped_percent: u32,
    /// How hot it was, in degrees Celsius.
    pub celsius: Option<i32>,
    /// How busy the processor was, in percent.
    pub cpu_percent: Option<u32>,
    /// The destinations that were connected.
    pub destinations: Vec<PastStats>,
}

/// The figures of one destination in a second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PastStats {
    /// Its name.
    pub name: String,
    /// The target bitrate of the video, in kb/s.
    pub target_kbps: u32,
    /// What was sent, in kb/s.
    pub sent_kbps: u32,
    /// What was acknowledged, in kb/s.
    pub acknowledged_kbps: u32,
    /// Age of the oldest access unit that waited, in milliseconds.
    pub queue_ms: u32,
    /// Bytes sent and not acknowledged.
    pub unacknowledged_bytes: u32,
    /// Access units dropped since the queue was made.
    pub frames_dropped: u32,
    /// Round-trip time, in milliseconds.
    pub rtt_ms: Option<u32>,
}
