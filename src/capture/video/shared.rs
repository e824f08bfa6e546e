//! The video track where two threads have to do with it: a live camera's own, which gives the encoder
//! each frame as it arrives, and the mixer's, which sees to everything that is due without one. So a
//! frame wakes no thread but the encoder's.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use super::track::{Camera, VideoTrack};
use crate::capture::{
    encode::EncoderPipeline,
    gst::{buffer::TimedBuffer, clock::MediaClock},
    on_air::OnAir,
    source::OnFrame,
    stats::Counters,
};

/// The video track, shared.
#[derive(Clone)]
pub struct SharedTrack(Arc<Shared>);

struct Shared {
    held: Mutex<HeldTrack>,
    clock: MediaClock,
    pipeline: Arc<EncoderPipeline>,
    on_air: OnAir,
    counters: Arc<Counters>,
}

/// The track, while a thread has it for itself.
pub struct HeldTrack {
    pub track: VideoTrack,
    /// Which opening of the camera gives its frames to the track by itself. Another one's are what a
    /// camera still had that was replaced, or wait until the mixer has taken those before them.
    pub own_thread: Option<u64>,
}

impl HeldTrack {
    /// Takes nothing from a camera any more, and keeps nothing of it.
    pub fn end(&mut self) {
        self.own_thread = None;
        self.track.forget_camera();
    }
}

impl SharedTrack {
    pub fn new(
        track: VideoTrack,
        clock: MediaClock,
        pipeline: Arc<EncoderPipeline>,
        on_air: OnAir,
        counters: Arc<Counters>,
    ) -> SharedTrack {
        let held = Mutex::new(HeldTrack { track, own_thread: None });
        SharedTrack(Arc::new(Shared { held, clock, pipeline, on_air, counters }))
    }

    /// Waits until no other thread has it.
    pub fn hold(&self) -> MutexGuard<'_, HeldTrack> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None` while another thread has it. The audio must not wait for that one: on a busy machine it
    /// may not be scheduled for long.
    pub fn try_hold(&self) -> Option<MutexGuard<'_, HeldTrack>> {
        match self.0.held.try_lock() {
            Ok(held) => Some(held),
            Err(TryLockError::Poisoned(held)) => Some(held.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// What a live camera's thread does with each frame.
    pub fn on_frame(&self) -> OnFrame {
        let shared = self.clone();
        Arc::new(move |opening, next| shared.take(opening, next))
    }

    fn take(&self, opening: u64, next: &mut dyn FnMut() -> Option<TimedBuffer>) -> bool {
        let mut held = self.hold();
        let is_its = held.own_thread == Some(opening);
        if is_its {
            let Shared { clock, pipeline, on_air, counters, .. } = &*self.0;
            let camera = Camera { is_live: true, is_lost: false, next };
            held.track.push_due(clock.now_ns(), Some(camera), pipeline, on_air, counters);
        }
        is_its
    }
}

#[cfg(test)]
mod tests {
    use gstreamer_video::VideoFormat;

    use super::*;
    use crate::{
        board::Profile,
        capture::{FrameFormat, Request, encode::probe, framing::SharedFraming, threads::Deadline},
        limits::CAPTURE_START_TIMEOUT,
    };

    fn shared() -> SharedTrack {
        gstreamer::init().expect("GStreamer");
        let mut request = Request::from(&Profile::named("sim").expect("embedded"));
        (request.video.width, request.video.height) = (320, 180);
        let frames = FrameFormat::drawn(VideoFormat::I420);
        let (clock, counters) = (MediaClock::start(), Arc::new(Counters::default()));
        let (mut track, _) =
            VideoTrack::new(&request.video, frames, &request.look, SharedFraming::default())
                .expect("a track");
        track.start_at(clock.now_ns());
        let deadline = Deadline::after(CAPTURE_START_TIMEOUT);
        let chosen = probe::choose(&request, deadline).expect("encoders");
        let (sink, counted) = (Arc::new(|_| ()), Arc::clone(&counters));
        let pipeline =
            EncoderPipeline::start(&request, chosen, frames, &clock, counted, sink, deadline);
        let (pipeline, on_air) = (Arc::new(pipeline.expect("starts")), OnAir::from_the_start());
        SharedTrack::new(track, clock, pipeline, on_air, counters)
    }

    fn frame(shared: &SharedTrack) -> TimedBuffer {
        let media_ns = shared.0.clock.now_ns();
        let buffer = gstreamer::Buffer::with_size(320 * 180 * 3 / 2).expect("memory");
        TimedBuffer { media_ns, buffer, caps: None }
    }

    #[test]
    fn a_camera_gives_its_frames_by_itself_once_the_mixer_has_taken_those_before() {
        let shared = shared();
        let mut taken = 0;
        let mut next = || {
            taken += 1;
            (taken == 1).then(|| frame(&shared))
        };
        assert!(!shared.take(2, &mut next), "the mixer has not been there yet");
        shared.hold().own_thread = Some(1);
        assert!(!shared.take(2, &mut next), "the one before is still in use");
        shared.hold().own_thread = Some(2);
        let number = shared.hold().track.number();
        assert!(shared.take(2, &mut next));
        assert!(!shared.take(1, &mut next), "what an old one still had");
        assert!(taken > 0);
        assert!(shared.hold().track.number() > number, "it has gone to the encoder");
    }

    #[test]
    fn who_must_not_wait_does_without_the_track_while_another_thread_has_it() {
        let shared = shared();
        let held = shared.hold();
        let other = shared.clone();
        let tried = std::thread::spawn(move || other.try_hold().is_some());
        assert!(!tried.join().expect("it does not wait"));
        drop(held);
        assert!(shared.try_hold().is_some());
    }
}
