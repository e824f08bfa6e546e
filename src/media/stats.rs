//! What a queue holds, held and lost, as numbers.

use std::ops::AddAssign;
use std::time::Duration;

use super::Kind;

/// Access units that were taken out of a queue unsent, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Drops {
    /// Video that no other frame refers to.
    pub video_disposable: u64,
    /// Video that others refer to.
    pub video_delta: u64,
    /// Key frames.
    pub video_key: u64,
    /// Audio.
    pub audio: u64,
}

impl Drops {
    /// One access unit of `kind`; configuration counts as none, it is never lost.
    pub(super) fn one(kind: Kind) -> Drops {
        let mut drops = Drops::default();
        match kind {
            Kind::VideoDisposable => drops.video_disposable = 1,
            Kind::VideoDelta => drops.video_delta = 1,
            Kind::VideoKey => drops.video_key = 1,
            Kind::Audio => drops.audio = 1,
            Kind::VideoConfig | Kind::AudioConfig => {}
        }
        drops
    }

    /// Access units of all kinds.
    pub fn total(&self) -> u64 {
        self.video_disposable + self.video_delta + self.video_key + self.audio
    }
}

impl AddAssign for Drops {
    fn add_assign(&mut self, other: Drops) {
        self.video_disposable += other.video_disposable;
        self.video_delta += other.video_delta;
        self.video_key += other.video_key;
        self.audio += other.audio;
    }
}

/// The most that has ever waited in a queue at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HighWater {
    /// Frames.
    pub frames: usize,
    /// Payload bytes.
    pub bytes: usize,
    /// Media time.
    pub span: Duration,
}

/// One queue at a glance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueStats {
    /// Frames that wait.
    pub frames: usize,
    /// Payload bytes that wait.
    pub bytes: usize,
    /// Media time that waits: from the oldest to the newest access unit of a track, the longer of
    /// both tracks.
    pub span: Duration,
    /// Access units lost by a running connection since the queue was made.
    pub dropped: Drops,
    /// Access units that went by while there was no connection, or before the key frame that a new
    /// one started with. Nothing is wrong with the link when this grows.
    pub skipped: u64,
    /// Whether video is discarded until the encoder's next key frame.
    pub awaiting_key: bool,
    /// The most that has ever waited.
    pub high_water: HighWater,
}
