//! Counters become rates, for `status` and the black box.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::appliance::DestinationId;
use crate::status::{DropStats, EncoderStats, LevelStats, SendStats};

/// All counters at one time.
#[derive(Debug, Clone, Default)]
pub struct Counters {
    /// Of the running capture.
    pub capture: Option<CaptureCounters>,
    /// Of each connection that there is.
    pub connections: Vec<(DestinationId, ConnectionCounters)>,
}

/// Counters of a capture, since its start.
#[derive(Debug, Clone, PartialEq)]
pub struct CaptureCounters {
    /// Bytes of video.
    pub video_bytes: u64,
    /// Video access units.
    pub video_frames: u64,
    /// The video encoder.
    pub encoder: String,
    /// The camera's own H.264 is sent as it is.
    pub is_passed_through: bool,
    /// What it was asked for last, in kbit/s.
    pub target_kbps: u32,
    /// Times that it was restarted or replaced.
    pub restarts: u64,
    /// Corrupt frames from the camera.
    pub frames_broken: u64,
    /// Frames skipped because the encoder was overloaded.
    pub frames_skipped: u64,
    /// How loud the audio is, and whether the video is black.
    pub levels: LevelStats,
}

/// Counters of a connection, since it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConnectionCounters {
    /// Bytes handed to the socket.
    pub sent_bytes: u64,
    /// Bytes that the server has acknowledged; `None` where it acknowledges nothing.
    pub acknowledged_bytes: Option<u64>,
    /// Bytes that TCP has not seen acknowledged.
    pub in_flight_bytes: Option<u64>,
    /// Access units sent.
    pub frames_sent: u64,
    /// Access units dropped before they were sent.
    pub dropped: DropStats,
    /// Age of the oldest access unit that waits, in milliseconds.
    pub queue_ms: u64,
    /// Payload that waits, in bytes.
    pub queue_bytes: u64,
    /// Round-trip time, in milliseconds.
    pub rtt_ms: Option<u32>,
}

impl ConnectionCounters {
    /// What has arrived, as the server says or, where it says nothing, as TCP does.
    fn arrived_bytes(&self) -> u64 {
        let by_tcp = || self.sent_bytes.saturating_sub(self.in_flight_bytes.unwrap_or(0));
        self.acknowledged_bytes.unwrap_or_else(by_tcp)
    }
}

/// The rates that came of the last counters.
#[derive(Debug, Default)]
pub(super) struct Rates {
    at: Duration,
    capture: Option<CaptureCounters>,
    pub encoder: Option<EncoderStats>,
    pub levels: Option<LevelStats>,
    destinations: BTreeMap<DestinationId, Rate>,
}

/// The same of one destination.
#[derive(Debug, Clone, Copy, Default)]
struct Rate {
    counters: ConnectionCounters,
    sent_kbps: u32,
    acknowledged_kbps: u32,
}

impl Rates {
    /// A capture has begun at nothing.
    pub fn begin(&mut self, now: Duration) {
        self.at = now;
        (self.capture, self.encoder, self.levels) = (None, None, None);
    }

    /// Whether the camera's own H.264 is sent as it is.
    pub fn is_passed_through(&self) -> bool {
        self.capture.as_ref().is_some_and(|capture| capture.is_passed_through)
    }

    pub fn remove(&mut self, dest: DestinationId) {
        self.destinations.remove(&dest);
    }

    /// The figures of a destination, whose target bitrate is this.
    pub fn of(&self, dest: DestinationId, target_kbps: u32) -> Option<SendStats> {
        let Rate { counters, sent_kbps, acknowledged_kbps } = self.destinations.get(&dest)?;
        let dropped = counters.dropped;
        let acknowledged_bytes = counters.arrived_bytes();
        Some(SendStats {
            target_kbps,
            sent_kbps: *sent_kbps,
            acknowledged_kbps: *acknowledged_kbps,
            frames_sent: counters.frames_sent,
            frames_dropped: dropped.video_disposable
                + dropped.video_delta
                + dropped.video_key
                + dropped.audio,
            dropped,
            queue_ms: counters.queue_ms,
            queue_bytes: counters.queue_bytes,
            acknowledged_bytes,
            unacknowledged_bytes: counters.sent_bytes.saturating_sub(acknowledged_bytes),
            rtt_ms: counters.rtt_ms,
        })
    }

    pub fn count(&mut self, now: Duration, counters: &Counters) {
        let seconds = now.saturating_sub(self.at).as_secs_f64();
        self.levels = counters.capture.as_ref().map(|capture| capture.levels.clone());
        if seconds <= 0.0 {
            return;
        }
        self.at = now;
        self.encoder = counters.capture.as_ref().map(|capture| {
            let before = |of: fn(&CaptureCounters) -> u64| self.capture.as_ref().map_or(0, of);
            let bytes = since(capture.video_bytes, before(|c| c.video_bytes));
            let frames = since(capture.video_frames, before(|c| c.video_frames));
            EncoderStats {
                name: capture.encoder.clone(),
                target_kbps: capture.target_kbps,
                actual_kbps: kbps(bytes, seconds),
                frames_per_s: (frames as f64 / seconds) as f32,
                frames: capture.video_frames,
                restarts: capture.restarts,
                frames_broken: capture.frames_broken,
                frames_skipped: capture.frames_skipped,
            }
        });
        self.capture.clone_from(&counters.capture);
        let mut destinations = BTreeMap::new();
        for (dest, counters) in &counters.connections {
            let before = self.destinations.get(dest).map(|rate| rate.counters).unwrap_or_default();
            let sent = since(counters.sent_bytes, before.sent_bytes);
            let arrived = since(counters.arrived_bytes(), before.arrived_bytes());
            let (sent_kbps, acknowledged_kbps) = (kbps(sent, seconds), kbps(arrived, seconds));
            destinations.insert(*dest, Rate { counters: *counters, sent_kbps, acknowledged_kbps });
        }
        self.destinations = destinations;
    }
}

/// What was counted since; a new connection or capture begins at nothing.
fn since(now: u64, before: u64) -> u64 {
    if now < before { now } else { now - before }
}

fn kbps(bytes: u64, seconds: f64) -> u32 {
    (bytes as f64 * 8.0 / 1_000.0 / seconds) as u32
}
