//! Video that is later than it was captured, because the audio is to be early against it: encoded frames
//! wait, so that what is sent stays in the order of time. Raw frames would be the camera's own, of which
//! it has few.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::access_units::FrameSink;
use crate::{
    capture::gst::clock::MediaClock,
    limits::{CAPTURE_VIDEO_DELAYED_BYTES_MAX, CAPTURE_VIDEO_DELAYED_FRAMES_MAX},
    media::{Frame, Kind},
};

/// The frames that wait, and where they go.
pub struct VideoDelay {
    waiting: Mutex<Waiting>,
    sink: FrameSink,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Each with when it is sent, in media time.
    frames: VecDeque<(u64, Frame)>,
    bytes: usize,
    delay_ns: u64,
    /// The delay from the next key frame on: a frame refers to others up to its key frame, and these keep
    /// their order and distances.
    wanted_ns: u64,
    /// Decoding time of the last frame that was sent.
    sent_ns: u64,
}

impl VideoDelay {
    pub fn new(ms: u32, sink: FrameSink) -> VideoDelay {
        let (delay_ns, wanted_ns) = (ns(ms), ns(ms));
        let waiting = Waiting { delay_ns, wanted_ns, ..Waiting::default() };
        VideoDelay { waiting: Mutex::new(waiting), sink }
    }

    /// Where an encoder's frames go.
    pub fn sink(self: &Arc<VideoDelay>, clock: MediaClock) -> FrameSink {
        let delay = Arc::clone(self);
        Arc::new(move |frame| delay.take(frame, clock.now_ns()))
    }

    /// Sets the delay from the next key frame on; whether it is another one.
    pub fn set_ms(&self, ms: u32) -> bool {
        let mut waiting = self.lock();
        waiting.wanted_ns = ns(ms);
        waiting.wanted_ns != waiting.delay_ns
    }

    fn take(&self, frame: Frame, now_ns: u64) {
        let mut waiting = self.lock();
        waiting.push(frame, now_ns);
        self.send(&mut waiting, now_ns);
    }

    /// Sends what has waited for long enough.
    pub fn send_due(&self, now_ns: u64) {
        self.send(&mut self.lock(), now_ns);
    }

    /// With the lock held, so that frames of both callers stay in order.
    fn send(&self, waiting: &mut Waiting, now_ns: u64) {
        while let Some(frame) = waiting.pop_due(now_ns) {
            (self.sink)(frame);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for VideoDelay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VideoDelay").field("waiting", &self.waiting).finish_non_exhaustive()
    }
}

impl Waiting {
    fn push(&mut self, mut frame: Frame, now_ns: u64) {
        if frame.kind == Kind::VideoKey && self.wanted_ns != self.delay_ns {
            self.delay_ns = self.wanted_ns;
            self.drop_from(frame.dts_ns + self.delay_ns, now_ns + self.delay_ns);
        }
        let last_ns = self.frames.back().map_or(self.sent_ns, |(_, last)| last.dts_ns);
        frame.dts_ns = (frame.dts_ns + self.delay_ns).max(last_ns);
        frame.pts_ns = (frame.pts_ns + self.delay_ns).max(frame.dts_ns);
        self.bytes += frame.payload.len();
        self.frames.push_back((now_ns + self.delay_ns, frame));
    }

    /// With a shorter delay than before, a key frame takes the place of the frames from its own time on.
    fn drop_from(&mut self, dts_ns: u64, due_ns: u64) {
        let mut config = None;
        while self.frames.back().is_some_and(|(_, last)| last.dts_ns >= dts_ns) {
            let Some((_, frame)) = self.frames.pop_back() else { break };
            self.bytes -= frame.payload.len();
            if frame.kind == Kind::VideoConfig && config.is_none() {
                config = Some(frame);
            }
        }
        if let Some(config) = config {
            self.bytes += config.payload.len();
            self.frames.push_back((due_ns, Frame { dts_ns, pts_ns: dts_ns, ..config }));
        }
    }

    fn pop_due(&mut self, now_ns: u64) -> Option<Frame> {
        let is_full = self.bytes > CAPTURE_VIDEO_DELAYED_BYTES_MAX
            || self.frames.len() > CAPTURE_VIDEO_DELAYED_FRAMES_MAX;
        let (due_ns, _) = self.frames.front()?;
        if *due_ns > now_ns && !is_full {
            return None;
        }
        let (_, frame) = self.frames.pop_front()?;
        self.bytes -= frame.payload.len();
        self.sent_ns = frame.dts_ns;
        Some(frame)
    }
}

fn ns(ms: u32) -> u64 {
    u64::from(ms) * 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Codec, GopQueue};

    const MS: u64 = 1_000_000;

    /// A camera of 25 frames a second whose encoder takes 50 ms, with a key frame every second and when it
    /// is asked for one.
    struct Encoder {
        delay: VideoDelay,
        sent: Arc<Mutex<Vec<Frame>>>,
        number: u64,
        wants_key: bool,
    }

    impl Encoder {
        fn new(ms: u32) -> Encoder {
            let sent: Arc<Mutex<Vec<Frame>>> = Arc::default();
            let to_sent = Arc::clone(&sent);
            let sink: FrameSink = Arc::new(move |frame| to_sent.lock().expect("one").push(frame));
            Encoder { delay: VideoDelay::new(ms, sink), sent, number: 0, wants_key: false }
        }

        fn set_ms(&mut self, ms: u32) {
            self.wants_key |= self.delay.set_ms(ms);
        }

        fn run(&mut self, frames: u64) {
            for _ in 0..frames {
                let (at_ns, now_ns) = (self.number * 40 * MS, self.number * 40 * MS + 50 * MS);
                let is_key = self.number.is_multiple_of(25) || std::mem::take(&mut self.wants_key);
                let kind = if is_key { Kind::VideoKey } else { Kind::VideoDelta };
                if self.number == 0 {
                    self.give(Kind::VideoConfig, at_ns, now_ns);
                }
                self.give(kind, at_ns, now_ns);
                self.number += 1;
                self.delay.send_due(now_ns + 20 * MS);
            }
        }

        /// The payload says when a frame was captured.
        fn give(&self, kind: Kind, at_ns: u64, now_ns: u64) {
            let payload = at_ns.to_be_bytes().to_vec().into();
            let frame = Frame { kind, codec: Codec::Avc, pts_ns: at_ns, dts_ns: at_ns, payload };
            self.delay.take(frame, now_ns);
        }

        /// Kind, when it was captured, and when it is shown, in milliseconds.
        fn sent(&self) -> Vec<(Kind, u64, u64)> {
            let at_ns = |frame: &Frame| {
                u64::from_be_bytes(frame.payload.as_ref().try_into().expect("eight bytes"))
            };
            let sent = self.sent.lock().expect("one");
            sent.iter().map(|it| (it.kind, at_ns(it) / MS, it.pts_ns / MS)).collect()
        }

        /// What holds whatever was set: times never go back, and all of it can be decoded.
        fn assert_decodable(&self) {
            let sent = self.sent();
            assert!(sent.windows(2).all(|pair| pair[0].2 <= pair[1].2), "{sent:?}");
            let units: Vec<_> = sent.iter().filter(|it| !it.0.is_config()).collect();
            for pair in units.windows(2) {
                let follows = pair[1].1 == pair[0].1 + 40;
                assert!(follows || pair[1].0 == Kind::VideoKey, "{pair:?}");
            }
            let mut queue = GopQueue::default();
            for frame in self.sent.lock().expect("one").iter().take(100) {
                assert_eq!(queue.push(frame.clone()).dropped.total(), 0);
                queue.pop();
            }
        }
    }

    #[test]
    fn without_a_delay_every_frame_passes_at_once_as_it_is() {
        let mut encoder = Encoder::new(0);
        encoder.run(50);
        let sent = encoder.sent();
        assert_eq!(sent.len(), 51);
        assert!(sent.iter().all(|(_, captured_ms, shown_ms)| captured_ms == shown_ms));
    }

    #[test]
    fn delayed_frames_are_sent_as_much_later_as_their_times_are() {
        let mut encoder = Encoder::new(200);
        encoder.run(50);
        let sent = encoder.sent();
        assert!(sent.iter().all(|(_, captured_ms, shown_ms)| captured_ms + 200 == *shown_ms));
        // The last came out of the encoder 50 ms after it was captured, and waits for 200 ms more.
        assert_eq!(sent.last().map(|it| it.1), Some(49 * 40 - 200 + 20 - 20));
        encoder.assert_decodable();
    }

    #[test]
    fn a_change_begins_with_a_key_frame_and_times_never_go_back() {
        for turns in [&[0, 200][..], &[200, 0], &[1_000, 300, 0, 700], &[0, 1_000, 1, 999, 2]] {
            let mut encoder = Encoder::new(turns[0]);
            for ms in turns {
                encoder.set_ms(*ms);
                encoder.run(60);
                encoder.assert_decodable();
                let sent = encoder.sent();
                let last = sent.last().expect("frames");
                assert_eq!(last.2 - last.1, u64::from(*ms), "{turns:?}");
            }
        }
    }

    #[test]
    fn an_encoder_that_makes_no_key_frame_when_asked_changes_at_its_next_one() {
        let mut encoder = Encoder::new(0);
        encoder.run(30);
        encoder.delay.set_ms(400);
        encoder.run(60);
        let sent = encoder.sent();
        let first = sent.iter().find(|(_, captured_ms, shown_ms)| captured_ms != shown_ms);
        assert_eq!(first, Some(&(Kind::VideoKey, 2_000, 2_400)));
        encoder.assert_decodable();
    }

    #[test]
    fn a_configuration_among_frames_that_are_left_out_is_not_lost() {
        let mut encoder = Encoder::new(500);
        encoder.run(30);
        encoder.give(Kind::VideoConfig, 1_200 * MS, 1_250 * MS);
        encoder.set_ms(0);
        encoder.run(1);
        encoder.run(20);
        let sent = encoder.sent();
        let at = sent.iter().rposition(|it| it.0 == Kind::VideoConfig).expect("is there");
        assert_eq!((sent[at].1, sent[at + 1].0, sent[at + 1].1), (1_200, Kind::VideoKey, 1_200));
        encoder.assert_decodable();
    }

    #[test]
    fn video_that_takes_too_much_memory_is_sent_early_and_in_order() {
        let mut encoder = Encoder::new(1_000);
        for number in 0..8 {
            let kind = if number == 0 { Kind::VideoKey } else { Kind::VideoDelta };
            let at_ns = number * 40 * MS;
            let payload = vec![0; 1024 * 1024].into();
            let frame = Frame { kind, codec: Codec::Avc, pts_ns: at_ns, dts_ns: at_ns, payload };
            encoder.delay.take(frame, at_ns);
        }
        let sent = std::mem::take(&mut *encoder.sent.lock().expect("one"));
        let sent: Vec<u64> = sent.iter().map(|frame| frame.pts_ns / MS).collect();
        assert_eq!(sent, [1_000, 1_040]);
        encoder.number = 8;
        encoder.run(90);
        let waiting = encoder.delay.lock();
        assert_eq!(
            waiting.bytes,
            waiting.frames.iter().map(|(_, it)| it.payload.len()).sum::<usize>()
        );
    }
}
