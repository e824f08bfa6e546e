//! The queue of one destination, which knows what may be dropped.

use std::time::Duration;

use super::track_queue::TrackQueue;
use super::{Drops, Frame, HighWater, Kind, QueueStats, Track};
use crate::limits::{FORCE_KEY_AGAIN, QUEUE_BYTES_MAX, QUEUE_FRAMES_MAX, QUEUE_TIME_MAX};

/// How much may wait in one queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Frames of both tracks together.
    pub frames: usize,
    /// Payload bytes of both tracks together.
    pub bytes: usize,
    /// Media time, for each track by itself.
    pub time: Duration,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds { frames: QUEUE_FRAMES_MAX, bytes: QUEUE_BYTES_MAX, time: QUEUE_TIME_MAX }
    }
}

/// What a push led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PushOutcome {
    /// Lost because the queue is full, or because what they refer to was lost before.
    pub dropped: Drops,
    /// Nothing can be shown before the next key frame: the encoder should make one now. Asked once,
    /// and again for each [`FORCE_KEY_AGAIN`] of media time without one.
    pub wants_key: bool,
}

/// Frames that wait for one destination, in the order they were pushed.
///
/// What is popped can always be decoded:
/// - The first video of a connection is configuration, then a key frame. A changed configuration
///   comes before the first frame coded with it, whatever was dropped in between.
/// - After any loss video goes on with a key frame; only frames that no other refers to go alone.
/// - Audio is lost last: video goes first, a whole GOP at a time, the oldest first. Audio is
///   dropped only when it breaks a bound by itself.
/// - Per track, order is the order of pushes.
///
/// A connection starts with the newest key frame that waits, or else with the next one; audio that
/// is older than that key frame is skipped, and audio that was pushed earlier but is not older
/// follows it. A stream is taken as audio only until its first video configuration: then audio
/// flows at once, and a new connection starts with the next access unit. Access units pushed
/// before the configuration of their track are skipped, since nobody could decode them.
///
/// The queue begins connected, and as after [`restart`](GopQueue::restart).
#[derive(Debug)]
pub struct GopQueue {
    bounds: Bounds,
    video: TrackQueue,
    audio: TrackQueue,
    /// Frames taken in, which numbers them across both tracks.
    pushed: u64,
    connected: bool,
    /// The connection has popped an access unit.
    started: bool,
    /// Video is discarded at the entrance until a key frame comes.
    awaiting_key: bool,
    /// So are key frames.
    video_paused: bool,
    /// Media time of the last request for a key frame since the last key frame.
    asked_ns: Option<u64>,
    /// Audio older than this is older than the key frame the connection started with.
    audio_from_ns: Option<u64>,
    dropped: Drops,
    skipped: u64,
    high_water: HighWater,
}

impl Default for GopQueue {
    fn default() -> GopQueue {
        GopQueue::new(Bounds::default())
    }
}

impl GopQueue {
    /// An empty queue.
    pub fn new(bounds: Bounds) -> GopQueue {
        GopQueue {
            bounds,
            video: TrackQueue::default(),
            audio: TrackQueue::default(),
            pushed: 0,
            connected: true,
            started: false,
            awaiting_key: true,
            video_paused: false,
            asked_ns: None,
            audio_from_ns: None,
            dropped: Drops::default(),
            skipped: 0,
            high_water: HighWater::default(),
        }
    }

    // ── the encoder's side ────────────────────────────────────────────────────────────────────

    /// Takes a frame in. Never waits; when the queue is full something older goes, see the type.
    pub fn push(&mut self, frame: Frame) -> PushOutcome {
        self.pushed += 1;
        match frame.kind {
            Kind::VideoConfig => {
                self.video.push_config(self.pushed, frame);
                PushOutcome::default()
            }
            Kind::AudioConfig => {
                self.audio.push_config(self.pushed, frame);
                PushOutcome::default()
            }
            Kind::VideoKey | Kind::VideoDelta | Kind::VideoDisposable => self.push_video(frame),
            Kind::Audio => self.push_audio(frame),
        }
    }

    fn push_video(&mut self, frame: Frame) -> PushOutcome {
        let (kind, dts_ns) = (frame.kind, frame.dts_ns);
        let is_key = kind == Kind::VideoKey;
        if !self.video.is_configured() {
            self.skipped += 1;
            return PushOutcome::default();
        }
        if self.awaiting_key && (!is_key || self.video_paused) {
            let dropped = self.lose(Drops::one(kind));
            return PushOutcome { dropped, wants_key: self.wants_key(dts_ns) };
        }
        self.video.push(self.pushed, frame);
        if is_key {
            self.awaiting_key = false;
            self.asked_ns = None;
            if !self.connected {
                self.keep_newest_gop();
            }
            self.align_audio();
        }
        let dropped = self.hold_bounds();
        PushOutcome { dropped, wants_key: self.wants_key(dts_ns) }
    }

    fn push_audio(&mut self, frame: Frame) -> PushOutcome {
        let is_too_old = self.audio_from_ns.is_some_and(|from_ns| frame.dts_ns < from_ns);
        let has_no_start = !self.connected && !self.video.is_configured();
        if !self.audio.is_configured() || is_too_old || has_no_start {
            self.skipped += 1;
            return PushOutcome::default();
        }
        self.audio_from_ns = None;
        self.audio.push(self.pushed, frame);
        PushOutcome { dropped: self.hold_bounds(), wants_key: false }
    }

    // ── the destination's side ────────────────────────────────────────────────────────────────

    /// The next frame to send. `None` while nothing waits, while a new connection waits for its
    /// first key frame, and while there is no connection.
    pub fn pop(&mut self) -> Option<Frame> {
        let track = self.next_track()?;
        if let Some(config) = self.take_due_config(track) {
            return Some(config);
        }
        self.started = true;
        match track {
            Track::Video => self.video.pop(),
            Track::Audio => self.audio.pop(),
        }
    }

    /// Whether [`pop`](GopQueue::pop) has a frame.
    pub fn is_ready(&self) -> bool {
        self.next_track().is_some()
    }

    /// A new connection begins: what is popped next are the configurations, then the newest key
    /// frame that waits and all after it; if there is none, then the encoder's next key frame.
    pub fn restart(&mut self) {
        self.started = false;
        self.video_paused = false;
        self.asked_ns = None;
        self.video.forget_wire();
        self.audio.forget_wire();
        self.keep_newest_gop();
        if !self.video.is_configured() {
            self.skipped += self.audio.drop_all().total();
        }
    }

    /// What waits is of a broadcast that is over, and so is the configuration: nobody is to see it in
    /// the next one.
    pub fn forget(&mut self) {
        self.skipped += self.video.drop_all().total() + self.audio.drop_all().total();
        (self.video, self.audio) = (TrackQueue::default(), TrackQueue::default());
        (self.awaiting_key, self.started) = (true, false);
        (self.video_paused, self.asked_ns, self.audio_from_ns) = (false, None, None);
    }

    /// Whether there is a connection that frames can be sent on. Without one the queue keeps the
    /// newest GOP only and pops nothing; the next connection begins as by
    /// [`restart`](GopQueue::restart).
    pub fn set_connected(&mut self, connected: bool) {
        if self.connected && !connected {
            self.restart();
        }
        self.connected = connected;
    }

    /// Drops the waiting frames that no other refers to; what follows them is not hurt.
    pub fn drop_disposable(&mut self) -> Drops {
        let drops = self.video.drop_disposable();
        self.lose(drops);
        drops
    }

    /// Drops waiting video up to the newest key frame that waits. If there is none, all video is
    /// dropped and goes on with the encoder's next key frame, which the next push of video asks for.
    pub fn drop_to_next_key(&mut self) -> Drops {
        let drops = self.video.drop_before_newest_key();
        self.after_video_loss();
        self.lose(drops);
        drops
    }

    /// Takes no video in until it is called with `false`, and drops what waits of it: the path carries
    /// the audio and no more. Video goes on with a key frame, which the next push of video asks for.
    pub fn pause_video(&mut self, paused: bool) -> Drops {
        self.video_paused = paused;
        if !paused {
            return Drops::default();
        }
        let drops = self.video.drop_all();
        self.awaiting_key = true;
        self.asked_ns = None;
        self.align_audio();
        self.lose(drops)
    }

    /// What waits, what was lost.
    pub fn stats(&self) -> QueueStats {
        QueueStats {
            frames: self.frames(),
            bytes: self.bytes(),
            span: self.span(),
            dropped: self.dropped,
            skipped: self.skipped,
            awaiting_key: self.awaiting_key,
            high_water: self.high_water,
        }
    }

    // ── inside ────────────────────────────────────────────────────────────────────────────────

    fn next_track(&self) -> Option<Track> {
        if !self.connected {
            return None;
        }
        if !self.started && self.video.is_configured() {
            // The front of a queue that has not started is a key frame.
            return self.video.front().map(|_| Track::Video);
        }
        match (self.video.front_order(), self.audio.front_order()) {
            (Some(video), Some(audio)) if audio < video => Some(Track::Audio),
            (Some(_), _) => Some(Track::Video),
            (None, audio) => audio.map(|_| Track::Audio),
        }
    }

    /// The configuration to send before the next frame, which is of `track`. A connection starts
    /// with both, so that the server knows early what it gets; later on each comes right before
    /// the frame that needs it, since a player may restart its decoder at once.
    fn take_due_config(&mut self, track: Track) -> Option<Frame> {
        match track {
            _ if !self.started => {
                self.video.take_due_config().or_else(|| self.audio.take_due_config())
            }
            Track::Video => self.video.take_due_config(),
            Track::Audio => self.audio.take_due_config(),
        }
    }

    /// Drops until every bound holds: video by GOPs, the oldest first, then audio.
    fn hold_bounds(&mut self) -> Drops {
        let mut drops = Drops::default();
        loop {
            let is_full = self.frames() > self.bounds.frames || self.bytes() > self.bounds.bytes;
            if !self.video.is_empty() && (is_full || self.video.span() > self.bounds.time) {
                drops += self.video.drop_front_gop();
                self.after_video_loss();
            } else if !self.audio.is_empty() && (is_full || self.audio.span() > self.bounds.time) {
                drops += self.audio.drop_front();
            } else {
                break;
            }
        }
        self.high_water = HighWater {
            frames: self.high_water.frames.max(self.frames()),
            bytes: self.high_water.bytes.max(self.bytes()),
            span: self.high_water.span.max(self.span()),
        };
        self.lose(drops)
    }

    fn keep_newest_gop(&mut self) {
        self.skipped += self.video.drop_before_newest_key().total();
        self.after_video_loss();
    }

    /// Call whenever video was taken from the front: it goes on with the key frame that is there
    /// now, or with the next one that comes.
    fn after_video_loss(&mut self) {
        if self.video.is_empty() {
            self.awaiting_key = true;
        }
        self.align_audio();
    }

    /// Before the start, skips audio that is older than the key frame to start with.
    fn align_audio(&mut self) {
        if self.started {
            return;
        }
        self.audio_from_ns = self.video.front().map(|key| key.dts_ns);
        if let Some(from_ns) = self.audio_from_ns {
            self.skipped += self.audio.drop_older_than(from_ns).total();
        }
        if !self.audio.is_empty() {
            self.audio_from_ns = None;
        }
    }

    /// Books a loss; only a running connection can lose something. Returns what it lost.
    fn lose(&mut self, drops: Drops) -> Drops {
        if !self.connected || !self.started {
            self.skipped += drops.total();
            return Drops::default();
        }
        self.dropped += drops;
        drops
    }

    fn wants_key(&mut self, now_ns: u64) -> bool {
        if !self.awaiting_key || !self.connected || self.video_paused {
            return false;
        }
        let again_ns = FORCE_KEY_AGAIN.as_nanos() as u64; // a second or so: it fits
        let wants =
            self.asked_ns.is_none_or(|asked_ns| now_ns.saturating_sub(asked_ns) >= again_ns);
        if wants {
            self.asked_ns = Some(now_ns);
        }
        wants
    }

    fn frames(&self) -> usize {
        self.video.len() + self.audio.len()
    }

    fn bytes(&self) -> usize {
        self.video.bytes() + self.audio.bytes()
    }

    fn span(&self) -> Duration {
        self.video.span().max(self.audio.span())
    }
}
