//! An encoder that follows a bitrate, and frames that know where they belong.
//!
//! 30 frames a second, a key frame every two seconds or when asked for, six times as large as a
//! usual frame. Sizes vary from frame to frame and with the scene, and a rate control of one
//! second's budget brings them back to the target; a new target holds from the next frame on. Audio
//! is one access unit per 1,024 samples at 48 kHz.

use std::time::Duration;

use bytes::Bytes;
use firstmile::media::{Codec, Frame, Kind};

/// What comes first in the payload of each access unit.
pub const MARK_BYTES: usize = 32;
const KEY_WEIGHT: f64 = 6.0;

/// What a frame says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    pub pushed: Duration,
    pub is_key: bool,
    pub is_disposable: bool,
    /// Counts access units of its track.
    pub number: u64,
    /// The one it refers to; itself for a key frame.
    pub refers_to: u64,
}

impl Mark {
    pub fn write(self) -> [u8; MARK_BYTES] {
        let mut bytes = [0; MARK_BYTES];
        let pushed_ns = self.pushed.as_nanos() as u64;
        for (field, value) in bytes.chunks_mut(8).zip([pushed_ns, self.number, self.refers_to]) {
            field.copy_from_slice(&value.to_be_bytes());
        }
        (bytes[24], bytes[25]) = (self.is_key.into(), self.is_disposable.into());
        bytes
    }

    pub fn read(payload: &[u8]) -> Mark {
        let field = |at: usize| u64::from_be_bytes(payload[at..at + 8].try_into().unwrap());
        Mark {
            pushed: Duration::from_nanos(field(0)),
            number: field(8),
            refers_to: field(16),
            is_key: payload[24] == 1,
            is_disposable: payload[25] == 1,
        }
    }
}

#[derive(Debug)]
pub struct Encoder {
    rng: fastrand::Rng,
    pub fps: u32,
    pub gop: u32,
    pub audio_kbps: u32,
    pub audio_hz: u32,
    /// Every second frame between key frames is referred to by no other.
    pub has_disposable: bool,
    started: Duration,
    video: u64,
    audio: u64,
    last_reference: u64,
    since_key: u32,
    scene: f64,
    /// Bytes made beyond what the target allows.
    debt: f64,
    force_key: bool,
}

impl Encoder {
    pub fn new(now: Duration, seed: u64) -> Encoder {
        Encoder {
            rng: fastrand::Rng::with_seed(seed),
            fps: 30,
            gop: 60,
            audio_kbps: 128,
            audio_hz: 48_000,
            has_disposable: false,
            started: now,
            video: 0,
            audio: 0,
            last_reference: 0,
            since_key: 0,
            scene: 1.0,
            debt: 0.0,
            force_key: true,
        }
    }

    pub fn configs() -> [Frame; 2] {
        [(Kind::VideoConfig, Codec::Avc), (Kind::AudioConfig, Codec::Aac)].map(|(kind, codec)| {
            let payload = Bytes::from_static(b"configuration");
            Frame { kind, codec, pts_ns: 0, dts_ns: 0, payload }
        })
    }

    /// When the next frame of either track is due.
    pub fn due(&self) -> Duration {
        self.video_due().min(self.audio_due())
    }

    pub fn force_key(&mut self) {
        self.force_key = true;
    }

    /// The next frame that is due by `now`.
    pub fn next(&mut self, now: Duration, target_kbps: u32) -> Option<Frame> {
        if self.audio_due() <= now.min(self.video_due()) {
            return Some(self.next_audio());
        }
        (self.video_due() <= now).then(|| self.next_video(target_kbps))
    }

    fn video_due(&self) -> Duration {
        self.started + Duration::from_secs(1) * self.video as u32 / self.fps
    }

    fn audio_due(&self) -> Duration {
        self.started
            + Duration::from_nanos(self.audio * 1_024 * 1_000_000_000 / u64::from(self.audio_hz))
    }

    fn next_audio(&mut self) -> Frame {
        let due = self.audio_due();
        let number = self.audio;
        self.audio += 1;
        let mark =
            Mark { pushed: due, is_key: true, is_disposable: false, number, refers_to: number };
        let bytes = u64::from(self.audio_kbps * 1_000) * 1_024 / u64::from(self.audio_hz) / 8;
        frame(Kind::Audio, Codec::Aac, mark, bytes as usize)
    }

    fn next_video(&mut self, target_kbps: u32) -> Frame {
        let due = self.video_due();
        let is_its_turn = self.since_key >= self.gop;
        let (number, is_key) = (self.video, self.force_key || is_its_turn);
        let is_disposable = self.has_disposable && !is_key && self.since_key % 2 == 1;
        self.since_key = if is_key { 1 } else { self.since_key + 1 };
        self.force_key = false;
        self.video += 1;
        let second = f64::from(target_kbps) * 125.0;
        let budget = second / f64::from(self.fps);
        let usual = budget * f64::from(self.gop) / (f64::from(self.gop) - 1.0 + KEY_WEIGHT);
        self.scene = 1.0 + (self.scene - 1.0) * 0.98 + (self.rng.f64() - 0.5) * 0.06;
        let chance = 0.75 + self.rng.f64() * 0.5;
        let correction = (1.0 - self.debt / second).clamp(0.5, 1.4);
        let weight = if is_key { KEY_WEIGHT } else { 1.0 };
        let bytes = usual * weight * self.scene * chance * correction;
        // Key frames in their turn are in the budget, those out of turn have to be paid for.
        let planned = if is_its_turn { usual * weight } else { usual };
        self.debt = (self.debt + bytes - planned).clamp(-second, second);
        let refers_to = if is_key { number } else { self.last_reference };
        if !is_disposable {
            self.last_reference = number;
        }
        let mark = Mark { pushed: due, is_key, is_disposable, number, refers_to };
        let kind = match (is_key, is_disposable) {
            (true, _) => Kind::VideoKey,
            (_, true) => Kind::VideoDisposable,
            _ => Kind::VideoDelta,
        };
        frame(kind, Codec::Avc, mark, bytes as usize)
    }
}

fn frame(kind: Kind, codec: Codec, mark: Mark, bytes: usize) -> Frame {
    let mut payload = vec![0; bytes.max(MARK_BYTES)];
    payload[..MARK_BYTES].copy_from_slice(&mark.write());
    let time_ns = mark.pushed.as_nanos() as u64;
    Frame { kind, codec, pts_ns: time_ns, dts_ns: time_ns, payload: payload.into() }
}
