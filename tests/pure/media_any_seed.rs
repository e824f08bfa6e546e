//! Whatever an encoder, a link and a policy do to a queue, what comes out can be decoded, and every
//! frame is accounted for. Failures print their seed.

use std::time::Duration;

use firstmile::media::{Bounds, Codec, Frame, GopQueue, Kind, Timeline, Track};

const SEEDS: u64 = 400;
const STEPS: usize = 1_500;

/// The number of a frame in encoding order, and for video the configuration and key frame that it
/// needs: enough for a decoder to judge what it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Label {
    number: u32,
    config: u32,
    /// The reference frame that must come before this one without a gap.
    refers_to: u32,
}

impl Label {
    fn to_payload(self, padding: usize) -> bytes::Bytes {
        let mut payload = Vec::with_capacity(12 + padding);
        for field in [self.number, self.config, self.refers_to] {
            payload.extend_from_slice(&field.to_be_bytes());
        }
        payload.resize(12 + padding, 0);
        payload.into()
    }

    fn of(frame: &Frame) -> Label {
        let field = |at: usize| {
            let bytes = frame.payload.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
            u32::from_be_bytes(bytes.expect("a payload made by to_payload"))
        };
        Label { number: field(0), config: field(4), refers_to: field(8) }
    }
}

/// Makes video and audio like a real encoder: each delta frame refers to the reference frame
/// before it, configuration changes only at a key frame, audio may run ahead of the video.
#[derive(Default)]
struct Encoder {
    number: u32,
    video_config: u32,
    audio_config: u32,
    last_reference: u32,
    video_ns: u64,
    audio_ns: u64,
}

impl Encoder {
    fn video(&mut self, rng: &mut fastrand::Rng, must_be_key: bool) -> Vec<Frame> {
        let mut frames = Vec::new();
        self.number += 1;
        self.video_ns += 33_366_667;
        let is_first = self.video_config == 0;
        let kind = match rng.u8(0..100) {
            _ if is_first || must_be_key => Kind::VideoKey,
            0..4 => Kind::VideoKey,
            4..30 => Kind::VideoDisposable,
            _ => Kind::VideoDelta,
        };
        if kind == Kind::VideoKey && (is_first || rng.u8(0..3) == 0) {
            // Now and then back to an earlier one, or the same again.
            self.video_config = if is_first { 1 } else { rng.u32(1..4) };
            frames.push(self.frame(Kind::VideoConfig, self.video_config, 0));
        }
        let refers_to = if kind == Kind::VideoKey { 0 } else { self.last_reference };
        let label = Label { number: self.number, config: self.video_config, refers_to };
        if kind != Kind::VideoDisposable {
            self.last_reference = self.number;
        }
        frames.push(Frame {
            payload: label.to_payload(rng.usize(0..300)),
            ..self.frame(kind, 0, self.video_ns)
        });
        frames
    }

    fn audio(&mut self, rng: &mut fastrand::Rng) -> Vec<Frame> {
        let mut frames = Vec::new();
        self.number += 1;
        self.audio_ns += 21_333_333;
        if self.audio_config == 0 || rng.u16(0..300) == 0 {
            self.audio_config = rng.u32(1..3);
            frames.push(self.frame(Kind::AudioConfig, self.audio_config, 0));
        }
        let label = Label { number: self.number, config: self.audio_config, refers_to: 0 };
        frames.push(Frame {
            payload: label.to_payload(20),
            ..self.frame(Kind::Audio, 0, self.audio_ns)
        });
        frames
    }

    fn frame(&self, kind: Kind, config: u32, time_ns: u64) -> Frame {
        let codec = if kind.track() == Track::Video { Codec::Avc } else { Codec::Aac };
        let payload = Label { number: 0, config, refers_to: 0 }.to_payload(0);
        Frame { kind, codec, pts_ns: time_ns, dts_ns: time_ns, payload }
    }
}

/// The far end of one connection, which holds every promise against what it receives.
#[derive(Default)]
struct Decoder {
    timeline: Timeline,
    video_config: Option<u32>,
    audio_config: Option<u32>,
    last_reference: Option<u32>,
    last_video: u32,
    last_audio: u32,
    start_ns: Option<u64>,
    last_ms: [u64; 2],
}

impl Decoder {
    fn receive(&mut self, frame: &Frame) {
        let stamp = self.timeline.stamp(frame);
        let last_ms = &mut self.last_ms[usize::from(frame.track() == Track::Audio)];
        assert!(stamp.dts_ms >= *last_ms, "time went back");
        *last_ms = stamp.dts_ms;
        let label = Label::of(frame);
        match frame.kind {
            Kind::VideoConfig => {
                assert_ne!(self.video_config, Some(label.config), "configuration sent twice");
                self.video_config = Some(label.config);
            }
            Kind::AudioConfig => {
                assert_ne!(self.audio_config, Some(label.config), "configuration sent twice");
                self.audio_config = Some(label.config);
            }
            Kind::Audio => self.hear(frame, label),
            _ => self.see(frame, label),
        }
    }

    fn see(&mut self, frame: &Frame, label: Label) {
        assert_eq!(self.video_config, Some(label.config), "video without its configuration");
        assert!(label.number > self.last_video, "video out of order");
        self.last_video = label.number;
        if frame.kind == Kind::VideoKey {
            self.start_ns.get_or_insert(frame.dts_ns);
        } else {
            assert_eq!(self.last_reference, Some(label.refers_to), "a broken GOP on the wire");
        }
        if frame.kind != Kind::VideoDisposable {
            self.last_reference = Some(label.number);
        }
    }

    fn hear(&mut self, frame: &Frame, label: Label) {
        assert_eq!(self.audio_config, Some(label.config), "audio without its configuration");
        assert!(label.number > self.last_audio, "audio out of order");
        let is_first = self.last_audio == 0;
        self.last_audio = label.number;
        if is_first && self.start_ns.is_some_and(|start_ns| frame.dts_ns < start_ns) {
            panic!("audio older than the key frame the connection started with");
        }
    }
}

struct World {
    rng: fastrand::Rng,
    bounds: Bounds,
    queue: GopQueue,
    encoder: Encoder,
    decoder: Decoder,
    pushed: u64,
    popped: u64,
    wants_key: bool,
}

impl World {
    fn new(seed: u64) -> World {
        let mut rng = fastrand::Rng::with_seed(seed);
        let bounds = Bounds {
            frames: rng.usize(3..200),
            bytes: rng.usize(500..20_000),
            time: Duration::from_millis(rng.u64(50..3_000)),
        };
        let queue = GopQueue::new(bounds);
        let (encoder, decoder) = Default::default();
        World { rng, bounds, queue, encoder, decoder, pushed: 0, popped: 0, wants_key: false }
    }

    fn step(&mut self, link_percent: u8) {
        match self.rng.u16(0..1_000) {
            0..6 => {
                self.queue.restart();
                self.decoder = Decoder::default();
            }
            6..12 => {
                self.queue.set_connected(false);
                self.decoder = Decoder::default();
            }
            12..30 => self.queue.set_connected(true),
            30..45 => drop(self.queue.drop_disposable()),
            45..55 => drop(self.queue.drop_to_next_key()),
            55..60 => drop(self.queue.pause_video(self.rng.bool())),
            60..400 => self.push_video(),
            _ => self.push_audio(),
        }
        if self.rng.u8(0..100) < link_percent {
            self.pop();
        }
        self.check();
    }

    fn push_video(&mut self) {
        // An encoder receives a request late, or not at all.
        let must_be_key = self.wants_key && self.rng.u8(0..4) == 0;
        for frame in self.encoder.video(&mut self.rng, must_be_key) {
            self.push(frame);
        }
        self.wants_key &= !must_be_key;
    }

    fn push_audio(&mut self) {
        for frame in self.encoder.audio(&mut self.rng) {
            self.push(frame);
        }
    }

    fn push(&mut self, frame: Frame) {
        self.pushed += u64::from(!frame.kind.is_config());
        self.wants_key |= self.queue.push(frame).wants_key;
    }

    fn pop(&mut self) {
        for _ in 0..self.rng.u8(1..6) {
            let was_ready = self.queue.is_ready();
            let frame = self.queue.pop();
            assert_eq!(frame.is_some(), was_ready, "ready is a promise");
            let Some(frame) = frame else { return };
            self.decoder.receive(&frame);
            self.popped += u64::from(!frame.kind.is_config());
        }
    }

    fn check(&self) {
        let stats = self.queue.stats();
        assert!(stats.frames <= self.bounds.frames);
        assert!(stats.bytes <= self.bounds.bytes);
        assert!(stats.span <= self.bounds.time);
        assert!(stats.high_water.frames <= self.bounds.frames);
        assert!(stats.high_water.bytes <= self.bounds.bytes);
        let known = self.popped + stats.dropped.total() + stats.skipped;
        let configs_at_most = stats.frames as u64;
        assert!(known <= self.pushed, "a frame was counted twice");
        assert!(known + configs_at_most >= self.pushed, "a frame vanished");
    }
}

#[test]
fn whatever_happens_what_comes_out_can_be_decoded_and_every_frame_is_accounted_for() {
    let mut totals = (0, 0, 0);
    for seed in 0..SEEDS {
        let run = std::panic::catch_unwind(|| {
            let mut world = World::new(seed);
            let link_percent = world.rng.u8(5..100);
            (0..STEPS).for_each(|_| world.step(link_percent));
            (world.popped, world.queue.stats().dropped.total(), world.queue.stats().skipped)
        });
        let Ok((popped, dropped, skipped)) = run else { panic!("seed {seed} breaks a promise") };
        totals = (totals.0 + popped, totals.1 + dropped, totals.2 + skipped);
    }
    let (popped, dropped, skipped) = totals;
    assert!(popped > 100_000 && dropped > 10_000 && skipped > 10_000, "all paths ran: {totals:?}");
}
