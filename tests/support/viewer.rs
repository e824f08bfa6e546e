//! What arrives at the server, as a viewer would judge it.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use firstmile::media::{Frame, Track};
use firstmile::rtmp::message::Kind;

use super::encoder::Mark;

/// A frame that is older than this when it arrives is of no use any more: the viewer's buffer.
pub const USEFUL: Duration = Duration::from_secs(2);
/// Video that stands still for longer than this is frozen.
const FROZEN: Duration = Duration::from_millis(250);
const VIDEO_HEAD: usize = 5;
const AUDIO_HEAD: usize = 2;

/// Delays, in buckets of 5 ms.
#[derive(Debug, Default)]
pub struct Delays {
    buckets: Vec<u32>,
    count: u64,
}

impl Delays {
    fn add(&mut self, delay: Duration) {
        let bucket = (delay.as_millis() / 5).min(20_000) as usize;
        self.buckets.resize(self.buckets.len().max(bucket + 1), 0);
        self.buckets[bucket] += 1;
        self.count += 1;
    }

    /// The delay that `percent` of all do not exceed.
    pub fn percentile(&self, percent: u64) -> Duration {
        let wanted = (self.count * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let bucket = self.buckets.iter().position(|n| {
            seen += u64::from(*n);
            seen >= wanted
        });
        Duration::from_millis(5 * bucket.unwrap_or(0) as u64)
    }

    pub fn max(&self) -> Duration {
        self.percentile(100)
    }
}

#[derive(Debug, Default)]
pub struct Viewer {
    /// From the encoder to the server, video and audio.
    pub video: Delays,
    pub audio: Delays,
    /// From the encoder to the network: time in our own buffers.
    pub held_video: Delays,
    pub held_audio: Delays,
    pub pushed: u64,
    /// Video frames that arrived and could be decoded.
    pub decodable: u64,
    /// Video frames that arrived and could not.
    pub broken: u64,
    pub audio_pushed: u64,
    pub audio_received: u64,
    /// Audio that is missing between two frames of one connection.
    pub audio_gaps: u64,
    pub useful_bytes: u64,
    /// Useful bytes in each half second of arrival.
    pub useful_by_time: BTreeMap<u64, u64>,
    /// Time in which the video stood still.
    pub frozen: Duration,
    /// Arrival of the newest useful frame.
    pub last_useful: Duration,
    reference: Option<u64>,
    last_audio: Option<u64>,
    last_shown: Option<Duration>,
    last_capture: Duration,
}

impl Viewer {
    /// Counts again from here; what can be decoded goes on.
    pub fn begin(&mut self) {
        *self = Viewer {
            reference: self.reference,
            last_audio: self.last_audio,
            last_shown: self.last_shown,
            last_capture: self.last_capture,
            ..Viewer::default()
        };
    }

    pub fn pushed(&mut self, frame: &Frame) {
        match frame.track() {
            Track::Video => self.pushed += 1,
            Track::Audio => self.audio_pushed += 1,
        }
    }

    /// The last byte of a frame went to the network.
    pub fn sent(&mut self, track: Track, held: Duration) {
        match track {
            Track::Video => self.held_video.add(held),
            Track::Audio => self.held_audio.add(held),
        }
    }

    pub fn disconnected(&mut self) {
        self.reference = None;
        self.last_audio = None;
    }

    pub fn received(&mut self, now: Duration, kind: Kind, body: &Bytes) {
        let is_config = body[1] == 0;
        if is_config {
            return;
        }
        let head = if kind == Kind::Video { VIDEO_HEAD } else { AUDIO_HEAD };
        let mark = Mark::read(&body[head..]);
        let delay = now.saturating_sub(mark.pushed);
        if kind == Kind::Audio {
            self.audio.add(delay);
            self.audio_received += 1;
            self.audio_gaps += u64::from(self.last_audio.is_some_and(|n| n + 1 != mark.number));
            self.last_audio = Some(mark.number);
        } else {
            self.video.add(delay);
            if !self.decode(mark) {
                return;
            }
            if delay <= USEFUL {
                self.show(now, mark.pushed);
            }
        }
        if delay <= USEFUL {
            self.useful_bytes += body.len() as u64;
            *self.useful_by_time.entry((now.as_millis() / 500) as u64).or_default() +=
                body.len() as u64;
        }
    }

    fn decode(&mut self, mark: Mark) -> bool {
        let can = mark.is_key || self.reference == Some(mark.refers_to);
        if can {
            self.decodable += 1;
            if !mark.is_disposable {
                self.reference = Some(mark.number);
            }
        } else {
            self.broken += 1;
        }
        can
    }

    /// A player that stays [`USEFUL`] behind shows each frame at its time.
    fn show(&mut self, now: Duration, captured: Duration) {
        let shown = (captured + USEFUL).max(now);
        if let Some(last) = self.last_shown {
            self.frozen += shown.saturating_sub(last).saturating_sub(FROZEN);
        }
        self.last_shown = Some(shown);
        self.last_useful = now;
        self.last_capture = captured;
    }

    /// Useful bytes from `from` to `to`, in kbit/s.
    pub fn useful_kbps(&self, from: Duration, to: Duration) -> u64 {
        let slots = (from.as_millis() / 500) as u64..(to.as_millis() / 500) as u64;
        let bytes: u64 = self.useful_by_time.range(slots).map(|(_, bytes)| bytes).sum();
        bytes * 8 / (to - from).as_millis().max(1) as u64
    }
}
