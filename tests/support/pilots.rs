//! Others who steer a stream through congestion, to compare with.
//!
//! They are made from what is published about them, and keep the socket settings and the
//! queue discipline that belong to them:
//!
//! - *OBS, dynamic bitrate* (OBS Studio 32, `plugins/obs-outputs/rtmp-stream.c`): the socket keeps its
//!   default buffer. When the queue holds 200 ms the bitrate falls to the rate at which writes went
//!   through over the last one to two seconds, less the audio, rounded down to 100 and at least 50
//!   kbit/s, or to what it was before the last raise where that rate shows nothing; it rises by a
//!   tenth of the set rate every 4 s. Nothing is dropped.
//! - *OBS, frame drop* (the same file): the bitrate stays. When queued video spans 700 ms, frames that
//!   no other refers to go; at 900 ms all up to the next key frame go, with at least five waiting. Key
//!   frames and audio stay.
//! - *belacoder* (898d9ce, `belacoder.c`), made for SRT with 2 s of latency: looks every 20 ms at
//!   the round-trip time and at the bytes not yet acknowledged. Raises by 30 kbit/s and a thirtieth at
//!   most every 500 ms while the round-trip time is flat and low; lowers by 100 kbit/s each 200 ms
//!   in light congestion, by 100 kbit/s and a tenth each 250 ms when the round trip exceeds a fifth of
//!   the latency, and goes to its minimum at a third. Its thresholds follow running averages with a
//!   margin of their jitter. It begins at its minimum. SRT drops what is later than its latency; here
//!   our queue does that, with a bound of 2 s, and the socket is set as ours.

use std::collections::VecDeque;
use std::time::Duration;

use firstmile::limits::{RTMP_OUT_LIVE_BYTES, TCP_NOTSENT_LOWAT_BYTES};
use firstmile::media::{Bounds, Frame, GopQueue, Kind, QueueStats, Track};
use firstmile::pace::PathSample;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// What waits in a pilot's queue.
#[derive(Debug, Clone, Copy, Default)]
pub struct Waiting {
    pub age: Duration,
    pub bytes: u64,
}

impl From<QueueStats> for Waiting {
    fn from(stats: QueueStats) -> Waiting {
        Waiting { age: stats.span, bytes: stats.bytes as u64 }
    }
}

/// Queue and control of one destination.
pub trait Pilot: Send {
    /// `TCP_NOTSENT_LOWAT` of the socket.
    fn lowat(&self) -> Option<u64>;
    /// Bytes in the session from which no further frame is taken out of the queue.
    fn ahead_bytes(&self) -> usize;
    /// A connection begins, or has ended.
    fn set_connected(&mut self, now: Duration, connected: bool);
    /// Takes a frame in; whether the encoder should make a key frame now.
    fn push(&mut self, frame: Frame) -> bool;
    fn pop(&mut self) -> Option<Frame>;
    fn waiting(&self) -> Waiting;
    fn target_kbps(&self) -> u32;
    /// How often it looks.
    fn look_every(&self) -> Duration {
        ms(20)
    }
    /// Takes a look; `unacknowledged` counts bytes that were acknowledged selectively too.
    fn look(&mut self, _now: Duration, _sample: &PathSample, _unacknowledged: u64) {}
    /// Frames dropped: disposable, other video, audio.
    fn dropped(&self) -> [u64; 3];
}

// ── a plain queue with OBS's drops ───────────────────────────────────────────────────────────

#[derive(Default)]
struct ObsQueue {
    configs: Vec<Frame>,
    due_configs: VecDeque<Frame>,
    waiting: VecDeque<Frame>,
    connected: bool,
    /// Nothing but audio goes in before a key frame.
    wants_key: bool,
    dropped: [u64; 3],
}

impl ObsQueue {
    fn set_connected(&mut self, connected: bool) {
        self.connected = connected;
        self.waiting.clear();
        self.wants_key = true;
        self.due_configs = self.configs.iter().cloned().collect();
    }

    fn push(&mut self, frame: Frame) {
        if frame.kind.is_config() {
            return self.configs.push(frame);
        }
        if !self.connected {
            return;
        }
        let is_video = frame.track() == Track::Video;
        if is_video && self.wants_key && frame.kind != Kind::VideoKey {
            return self.count(frame.kind);
        }
        self.wants_key &= !is_video;
        self.waiting.push_back(frame);
    }

    fn count(&mut self, kind: Kind) {
        let class = match kind {
            Kind::VideoDisposable => 0,
            Kind::Audio => 2,
            _ => 1,
        };
        self.dropped[class] += 1;
    }

    /// Media time of video that may go.
    fn span(&self) -> Duration {
        let first =
            self.waiting.iter().find(|f| f.track() == Track::Video && f.kind != Kind::VideoKey);
        let span = first.zip(self.waiting.back());
        span.map_or(Duration::ZERO, |(first, last)| {
            Duration::from_nanos(last.dts_ns.saturating_sub(first.dts_ns))
        })
    }

    fn drop_all(&mut self, kinds: &[Kind]) {
        let (gone, kept): (VecDeque<_>, VecDeque<_>) =
            self.waiting.drain(..).partition(|f| kinds.contains(&f.kind));
        self.waiting = kept;
        gone.iter().for_each(|f| self.count(f.kind));
        // What follows refers to what is gone.
        self.wants_key |= kinds.contains(&Kind::VideoDelta) && !gone.is_empty();
    }

    fn pop(&mut self) -> Option<Frame> {
        self.due_configs.pop_front().or_else(|| self.waiting.pop_front())
    }

    fn waiting(&self) -> Waiting {
        let age = self
            .waiting
            .front()
            .zip(self.waiting.back())
            .map_or(0, |(first, last)| last.dts_ns.saturating_sub(first.dts_ns));
        let bytes = self.waiting.iter().map(|f| f.payload.len() as u64).sum();
        Waiting { age: Duration::from_nanos(age), bytes }
    }
}

pub struct ObsDrop {
    queue: ObsQueue,
    kbps: u32,
}

impl ObsDrop {
    pub fn new(kbps: u32) -> ObsDrop {
        ObsDrop { queue: ObsQueue::default(), kbps }
    }
}

impl Pilot for ObsDrop {
    fn lowat(&self) -> Option<u64> {
        None
    }

    fn ahead_bytes(&self) -> usize {
        1
    }

    fn set_connected(&mut self, _now: Duration, connected: bool) {
        self.queue.set_connected(connected);
    }

    fn push(&mut self, frame: Frame) -> bool {
        self.queue.push(frame);
        let (span, many) = (self.queue.span(), self.queue.waiting.len() >= 5);
        if many && span > Duration::from_millis(900) {
            self.queue.drop_all(&[Kind::VideoDisposable, Kind::VideoDelta]);
        } else if many && span > Duration::from_millis(700) {
            self.queue.drop_all(&[Kind::VideoDisposable]);
        }
        false
    }

    fn pop(&mut self) -> Option<Frame> {
        self.queue.pop()
    }

    fn waiting(&self) -> Waiting {
        self.queue.waiting()
    }

    fn target_kbps(&self) -> u32 {
        self.kbps
    }

    fn dropped(&self) -> [u64; 3] {
        self.queue.dropped
    }
}

pub struct ObsBitrate {
    queue: ObsQueue,
    set_kbps: u32,
    audio_kbps: u32,
    kbps: u32,
    /// Bytes written, by time, of the last two seconds.
    writes: VecDeque<(Duration, u64)>,
    raise_at: Option<Duration>,
    before_raise: Option<u32>,
}

impl ObsBitrate {
    pub fn new(set_kbps: u32, audio_kbps: u32) -> ObsBitrate {
        ObsBitrate {
            queue: ObsQueue::default(),
            set_kbps,
            audio_kbps,
            kbps: set_kbps,
            writes: VecDeque::new(),
            raise_at: None,
            before_raise: None,
        }
    }

    fn rate_kbps(&self) -> u32 {
        let Some(((from, first), (to, last))) = self.writes.front().zip(self.writes.back()) else {
            return 0;
        };
        let ms = (*to - *from).as_millis().max(1) as u64;
        ((last - first) * 8 / ms) as u32
    }
}

impl Pilot for ObsBitrate {
    fn lowat(&self) -> Option<u64> {
        None
    }

    fn ahead_bytes(&self) -> usize {
        1
    }

    fn set_connected(&mut self, _now: Duration, connected: bool) {
        self.queue.set_connected(connected);
        self.kbps = self.set_kbps;
        self.raise_at = None;
        self.writes.clear();
    }

    fn push(&mut self, frame: Frame) -> bool {
        self.queue.push(frame);
        false
    }

    fn pop(&mut self) -> Option<Frame> {
        self.queue.pop()
    }

    fn waiting(&self) -> Waiting {
        self.queue.waiting()
    }

    fn target_kbps(&self) -> u32 {
        self.kbps
    }

    /// It looks with every packet; so often that is the same.
    fn look(&mut self, now: Duration, sample: &PathSample, _unacknowledged: u64) {
        self.writes.push_back((now, sample.written_bytes));
        while self.writes.front().is_some_and(|(at, _)| *at + Duration::from_secs(2) < now) {
            self.writes.pop_front();
        }
        let seen_enough =
            self.writes.front().is_some_and(|(at, _)| *at + Duration::from_secs(1) <= now);
        if self.queue.span() >= Duration::from_millis(200) && seen_enough {
            let rate_kbps = self.rate_kbps().saturating_sub(self.audio_kbps);
            let kbps = match self.before_raise.take() {
                _ if rate_kbps < self.kbps => (rate_kbps / 100 * 100).max(50),
                Some(before_raise) => before_raise,
                None => return,
            };
            self.kbps = self.kbps.min(kbps);
            self.writes.clear();
            self.raise_at = Some(now + Duration::from_secs(4));
        } else if self.raise_at.is_some_and(|at| at <= now) && self.kbps < self.set_kbps {
            self.before_raise = Some(self.kbps);
            self.kbps = (self.kbps + self.set_kbps / 10).min(self.set_kbps);
            self.raise_at = Some(now + Duration::from_secs(4));
        }
    }

    fn dropped(&self) -> [u64; 3] {
        self.queue.dropped
    }
}

// ── belacoder ────────────────────────────────────────────────────────────────────────────────

pub struct Belacoder {
    queue: GopQueue,
    max_kbps: f64,
    kbps: f64,
    next_up: Duration,
    next_down: Duration,
    previous_rtt: f64,
    rtt: f64,
    rtt_min: f64,
    rtt_jitter: f64,
    rtt_delta: f64,
    buffer: f64,
    buffer_jitter: f64,
    previous_buffer: f64,
}

const BELACODER_MIN_KBPS: f64 = 300.0;
const BELACODER_LATENCY_MS: f64 = 2_000.0;

impl Belacoder {
    pub fn new(max_kbps: u32) -> Belacoder {
        let mut queue = GopQueue::new(Bounds { time: ms(2_000), ..Bounds::default() });
        queue.set_connected(false);
        Belacoder {
            queue,
            max_kbps: max_kbps.into(),
            kbps: BELACODER_MIN_KBPS,
            next_up: Duration::ZERO,
            next_down: Duration::ZERO,
            previous_rtt: 300.0,
            rtt: 0.0,
            rtt_min: 200.0,
            rtt_jitter: 0.0,
            rtt_delta: 0.0,
            buffer: 0.0,
            buffer_jitter: 0.0,
            previous_buffer: 0.0,
        }
    }
}

impl Pilot for Belacoder {
    fn lowat(&self) -> Option<u64> {
        Some(TCP_NOTSENT_LOWAT_BYTES.into())
    }

    fn ahead_bytes(&self) -> usize {
        RTMP_OUT_LIVE_BYTES
    }

    fn set_connected(&mut self, _now: Duration, connected: bool) {
        if connected {
            self.queue.restart();
            (self.rtt, self.kbps) = (0.0, BELACODER_MIN_KBPS);
        }
        self.queue.set_connected(connected);
    }

    fn push(&mut self, frame: Frame) -> bool {
        self.queue.push(frame).wants_key
    }

    fn pop(&mut self) -> Option<Frame> {
        self.queue.pop()
    }

    fn waiting(&self) -> Waiting {
        self.queue.stats().into()
    }

    fn target_kbps(&self) -> u32 {
        self.kbps as u32
    }

    /// `update_bitrate`, with all that is not acknowledged as its send buffer in packets.
    fn look(&mut self, now: Duration, sample: &PathSample, unacknowledged: u64) {
        let rtt = sample.rtt.unwrap_or_default().as_secs_f64() * 1e3;
        let buffer = (unacknowledged + sample.unsent_bytes + sample.queue_bytes) as f64 / 1_316.0;

        self.buffer = self.buffer * 0.99 + buffer * 0.01;
        self.buffer_jitter = (self.buffer_jitter * 0.99).max(buffer - self.previous_buffer);
        self.previous_buffer = buffer;
        self.rtt = if self.rtt == 0.0 { rtt } else { self.rtt * 0.99 + rtt * 0.01 };
        let rtt_delta = rtt - self.previous_rtt;
        self.previous_rtt = rtt;
        self.rtt_delta = self.rtt_delta * 0.8 + rtt_delta * 0.2;
        self.rtt_min *= 1.001;
        if rtt < self.rtt_min && self.rtt_delta < 1.0 {
            self.rtt_min = rtt;
        }
        self.rtt_jitter = (self.rtt_jitter * 0.99).max(rtt_delta);

        let emergency_buffer = (self.buffer + self.buffer_jitter) * 4.0;
        let heavy_buffer = 50.0_f64.max(self.buffer + (self.buffer_jitter * 3.0).max(self.buffer));
        let light_buffer = 50.0_f64.max(self.buffer + self.buffer_jitter * 2.5);
        let light_rtt = self.rtt + (4.0 * self.rtt_jitter).max(self.rtt * 0.15);
        let raise_rtt = self.rtt_min + self.rtt_jitter * 2.0;
        let is_late = rtt >= BELACODER_LATENCY_MS / 3.0 || buffer > emergency_buffer;
        if self.kbps > BELACODER_MIN_KBPS && is_late {
            self.kbps = BELACODER_MIN_KBPS;
            self.next_down = now + ms(200);
        } else if now > self.next_down
            && (rtt > BELACODER_LATENCY_MS / 5.0 || buffer > heavy_buffer)
        {
            self.kbps -= 100.0 + self.kbps / 10.0;
            self.next_down = now + ms(250);
        } else if now > self.next_down && (rtt > light_rtt || buffer > light_buffer) {
            self.kbps -= 100.0;
            self.next_down = now + ms(200);
        } else if now > self.next_up && rtt < raise_rtt && self.rtt_delta < 0.01 {
            self.kbps += 30.0 + self.kbps / 30.0;
            self.next_up = now + ms(500);
        }
        self.kbps = self.kbps.clamp(BELACODER_MIN_KBPS, self.max_kbps);
    }

    fn dropped(&self) -> [u64; 3] {
        let dropped = self.queue.stats().dropped;
        [dropped.video_disposable, dropped.video_delta + dropped.video_key, dropped.audio]
    }
}
