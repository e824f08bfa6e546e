//! Figures of a running stream.

use serde::Serialize;

/// Figures of the encoder.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EncoderStats {
    /// The video encoder, by the name of its element.
    pub name: String,
    /// What the encoder is asked for, in kb/s.
    pub target_kbps: u32,
    /// What it delivered lately, in kb/s.
    pub actual_kbps: u32,
    /// Frames a second, lately.
    pub frames_per_s: f32,
    /// Video access units since the start.
    pub frames: u64,
    /// Times that it was restarted or replaced, because it failed or was silent.
    pub restarts: u64,
    /// Corrupt frames from the camera; the one before was shown again.
    pub frames_broken: u64,
    /// Frames that were skipped because the encoder was overloaded.
    pub frames_skipped: u64,
}

/// How loud the audio is, and whether the video is black.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LevelStats {
    /// The level of each channel as it is sent, over the last 400 ms; empty before they have passed.
    pub channels: Vec<ChannelStats>,
    /// The loudness over the last three seconds (EBU R 128, short-term), in LUFS; -96 is silence.
    /// `None` before they have passed.
    pub loudness_lufs: Option<f32>,
    /// By how much the limiter turned the audio down at most, over the last 400 ms, in decibels.
    pub limited_db: f32,
    /// How often audio came clipped from the source, left and right.
    pub clips: Vec<u64>,
    /// For how long no sample was above -60 dBFS, in milliseconds; `None` while there is audio.
    pub silent_for_ms: Option<u64>,
    /// For how long the video has been black, in milliseconds; `None` while it is not.
    pub black_for_ms: Option<u64>,
    /// How fast the microphone's clock is against the box's, in parts per million; below zero it is
    /// slow. `None` until it has run for a minute, and where it has no clock of its own. The
    /// audio is stretched by as much, so that it stays with the video.
    pub microphone_drift_ppm: Option<i32>,
}

/// The level of one channel.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ChannelStats {
    /// The loudest sample, in dBFS; -96 is digital silence.
    pub peak_dbfs: f32,
    /// The root mean square, in dBFS.
    pub rms_dbfs: f32,
    /// The highest point, between samples too (ITU-R BS.1770), in dBTP.
    pub true_peak_dbtp: f32,
}

/// Figures of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SendStats {
    /// The target bitrate of the video, in kb/s.
    pub target_kbps: u32,
    /// What was sent lately, in kb/s.
    pub sent_kbps: u32,
    /// Access units sent.
    pub frames_sent: u64,
    /// What the server has acknowledged lately, in kb/s; by TCP where it says nothing itself.
    pub acknowledged_kbps: u32,
    /// Access units dropped before they were sent.
    pub frames_dropped: u64,
    /// The same, by kind.
    pub dropped: DropStats,
    /// Age of the oldest access unit that waits, in milliseconds.
    pub queue_ms: u64,
    /// Payload that waits, in bytes.
    pub queue_bytes: u64,
    /// Bytes that the server has acknowledged; by TCP where it says nothing itself.
    pub acknowledged_bytes: u64,
    /// Bytes sent and not acknowledged yet.
    pub unacknowledged_bytes: u64,
    /// Round-trip time, in milliseconds.
    pub rtt_ms: Option<u32>,
}

/// Access units dropped before they were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct DropStats {
    /// Frames that no other refers to.
    pub video_disposable: u64,
    /// Frames that others refer to.
    pub video_delta: u64,
    /// Key frames.
    pub video_key: u64,
    /// Audio frames.
    pub audio: u64,
}
