//! The numbers of a stream, now and in the last minutes.

use serde::Serialize;

/// Numbers of the encoder. The appliance does not know them; the shell fills them in.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EncoderNumbers {
    /// The encoder of the picture, by the name of its element.
    pub name: String,
    /// What the encoder is asked for, in kb/s.
    pub target_kbps: u32,
    /// What it delivered lately, in kb/s.
    pub actual_kbps: u32,
    /// Pictures a second, lately.
    pub frames_per_s: f32,
    /// Video access units since the start.
    pub frames: u64,
    /// Times that it was set up anew or replaced, because it failed or was silent.
    pub restarts: u64,
    /// Pictures that the camera delivered broken; the one before was shown again.
    pub pictures_broken: u64,
    /// Pictures that were left out because the encoder was too slow.
    pub pictures_skipped: u64,
}

/// What picture and sound are like. The appliance does not know it; the shell fills it in.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LevelNumbers {
    /// The sound of each channel, over the last 400 ms; empty before they have passed.
    pub channels: Vec<ChannelNumbers>,
    /// For how long no sample was above -60 dBFS, in milliseconds; `None` while there is sound.
    pub silent_for_ms: Option<u64>,
    /// For how long the picture has been black, in milliseconds; `None` while it is not.
    pub black_for_ms: Option<u64>,
    /// How fast the microphone's clock is against the box's, in parts per million; below zero it is
    /// slow. `None` until it was heard for a minute, and where it has no clock of its own. The
    /// sound is stretched by as much, so that it stays with the picture.
    pub microphone_drift_ppm: Option<i32>,
}

/// The sound of one channel.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ChannelNumbers {
    /// The loudest sample, in dBFS; -96 is digital silence.
    pub peak_dbfs: f32,
    /// The root mean square, in dBFS.
    pub rms_dbfs: f32,
}

/// Numbers of one connection. The appliance does not know them; the shell fills them in.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SendNumbers {
    /// The video bitrate that the path can bear, in kb/s.
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
    pub dropped: DropNumbers,
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
pub struct DropNumbers {
    /// Pictures that no other refers to.
    pub video_disposable: u64,
    /// Pictures that others refer to.
    pub video_delta: u64,
    /// Key frames.
    pub video_key: u64,
    /// Sound.
    pub audio: u64,
}

/// The last minutes: what changed, and the numbers of each second on air.
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
    /// What was said.
    pub said: String,
}

/// The numbers of a second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PastSample {
    /// How long ago, in milliseconds.
    pub ago_ms: u64,
    /// What the encoder was asked for, in kb/s.
    pub encoder_target_kbps: u32,
    /// What it delivered, in kb/s.
    pub encoder_kbps: u32,
    /// The destinations that were connected.
    pub destinations: Vec<PastNumbers>,
}

/// The numbers of one destination in a second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PastNumbers {
    /// Its name.
    pub name: String,
    /// The video bitrate that the path could bear, in kb/s.
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
