//! The running programme: raw pictures and samples in, access units out, from start to stop. The
//! two tracks are pipelines of their own on one clock, so that an encoder that fails takes only
//! its own track with it.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use gstreamer as gst;
use gstreamer_app as gst_app;

use super::{
    access_units::{self, FrameSink, Seam},
    description,
    encoders::{AudioEncoder, Chosen, VideoEncoder},
    video_encoder::{VideoBranch, VideoSetup},
};
use crate::{
    capture::{
        error::CaptureError,
        gst::{
            buffer::TimedBuffer,
            build::Running,
            bus::{self, BusEvent},
            clock::MediaClock,
        },
        request::Request,
        stats::Counters,
    },
    limits::CAPTURE_AUDIO_WAITING_MAX,
    media::Track,
};

/// The running programme.
#[derive(Debug)]
pub struct Programme {
    /// The encoder of the picture; `None` while it is being set up anew.
    video: Mutex<Option<VideoBranch>>,
    setup: VideoSetup,
    /// The bitrate wanted of whichever encoder is in use, in kbit/s.
    wanted_kbps: AtomicU32,
    audio: Running,
    samples: gst_app::AppSrc,
    audio_encoder: &'static AudioEncoder,
    /// The encoder in use, or that is being set up.
    video_encoder: Mutex<&'static VideoEncoder>,
    /// A camera's own H.264 is on air.
    passing: AtomicBool,
    counters: Arc<Counters>,
}

impl Programme {
    /// Builds and starts it. `on_audio_bus` is called on GStreamer's threads and must not block.
    pub fn start(
        request: &Request,
        chosen: Chosen,
        clock: &MediaClock,
        counters: Arc<Counters>,
        sink: FrameSink,
        on_audio_bus: impl Fn(BusEvent) + Send + Sync + 'static,
    ) -> Result<Programme, CaptureError> {
        let seam = |track, advance_ns| {
            Seam::shared(track, advance_ns, Arc::clone(&counters), sink.clone())
        };
        let delay_ns = u64::from(chosen.audio.delay_samples) * 1_000_000_000
            / u64::from(request.audio.sample_rate_hz);
        let audio = Running::build(&description::audio_pipeline(chosen.audio, &request.audio))?;
        let (audio_out, audio_seam) =
            (audio.element(description::AUDIO_OUT)?, seam(Track::Audio, delay_ns));
        let audio_clock = clock.clone();
        audio_seam
            .hear(access_units::connect(&audio_out, &audio_seam, move || audio_clock.now_ns()));
        bus::listen(audio.pipeline(), on_audio_bus);
        clock.drive(audio.pipeline());
        let (video, clock) = (request.video.clone(), clock.clone());
        let setup = VideoSetup { video, clock, seam: seam(Track::Video, 0) };
        let branch = VideoBranch::start(chosen.video, &setup)?;
        branch.take_turn();
        let kbps = chosen.video.bitrate.nearest_kbps(request.video.bitrate_kbps);
        counters.set_bitrate_kbps(kbps);
        let programme = Programme {
            video: Mutex::new(Some(branch)),
            setup,
            wanted_kbps: AtomicU32::new(request.video.bitrate_kbps),
            samples: audio.element(description::AUDIO_IN)?,
            audio,
            audio_encoder: chosen.audio,
            video_encoder: Mutex::new(chosen.video),
            passing: AtomicBool::new(false),
            counters,
        };
        programme.audio.play()?;
        Ok(programme)
    }

    /// Gives the encoder a picture; `false` when it is too slow, or being set up anew, and the
    /// picture was skipped.
    pub fn push_picture(&self, picture: gst::Buffer) -> bool {
        self.video().as_ref().is_some_and(|branch| branch.push(picture))
    }

    /// Whether the encoder has room for a block of so many bytes. A block must not be left out: the
    /// encoder counts samples, and all that follows would come too early.
    pub fn takes_samples(&self, bytes: usize) -> bool {
        self.samples.current_level_bytes() < CAPTURE_AUDIO_WAITING_MAX * bytes as u64
    }

    /// Gives the encoder a block of samples.
    pub fn push_samples(&self, block: gst::Buffer) {
        // Refused only while the programme is being shut down.
        let _ = self.samples.push_buffer(block);
    }

    /// Asks the encoder for another bitrate, or for the nearest one that it takes.
    pub fn set_bitrate_kbps(&self, kbps: u32) {
        self.wanted_kbps.store(kbps, Ordering::Relaxed);
        if let Some(branch) = self.video().as_ref() {
            self.counters.set_bitrate_kbps(branch.set_bitrate_kbps(kbps));
        }
    }

    /// Asks the encoder to make its next picture a key frame.
    pub fn force_key_frame(&self) {
        if let Some(branch) = self.video().as_ref() {
            branch.force_key_frame();
        }
    }

    /// Asks the encoder to make a key frame of the picture that is pushed next: one that has nothing
    /// to do with those before.
    pub fn begin_at_next_picture(&self) {
        if let Some(branch) = self.video().as_ref() {
            branch.begin_at_next_picture();
        }
    }

    /// What made the encoder of the picture fail, if it did; told once.
    pub fn video_failure(&self) -> Option<String> {
        self.video().as_ref().and_then(VideoBranch::failed)
    }

    /// What an encoder is set up with now.
    pub fn video_setup(&self) -> VideoSetup {
        let mut setup = self.setup.clone();
        setup.video.bitrate_kbps = self.wanted_kbps.load(Ordering::Relaxed);
        setup
    }

    /// Takes the encoder of the picture out, so that it can be closed elsewhere; what it still says
    /// is not heard.
    pub fn take_video(&self) -> Option<VideoBranch> {
        self.setup.seam.hear_nobody();
        self.video().take()
    }

    /// Puts another one in. It goes on air, unless a camera's own H.264 is there.
    pub fn install_video(&self, branch: VideoBranch) {
        *self.video_encoder.lock().unwrap_or_else(PoisonError::into_inner) = branch.encoder();
        let wanted_kbps = self.wanted_kbps.load(Ordering::Relaxed);
        self.counters.set_bitrate_kbps(branch.set_bitrate_kbps(wanted_kbps));
        if !self.passing.load(Ordering::Relaxed) {
            branch.take_turn();
        }
        *self.video() = Some(branch);
    }

    /// Hands on an access unit of a camera that delivers H.264.
    pub fn pass(&self, unit: &TimedBuffer, now_ns: u64) {
        self.passing.store(true, Ordering::Relaxed);
        self.setup.seam.pass(unit.caps.as_deref(), &unit.buffer, unit.media_ns, now_ns);
    }

    /// Hears the encoder again, from a key frame on.
    pub fn hear_encoder(&self) {
        self.passing.store(false, Ordering::Relaxed);
        if let Some(branch) = self.video().as_ref() {
            branch.go_on_air();
        }
    }

    /// Time between key frames, in milliseconds.
    pub fn keyframe_interval_ms(&self) -> u32 {
        self.setup.video.keyframe_interval_ms
    }

    /// Ends it; the encoders' devices are free afterwards.
    pub fn shut_down(&self) {
        let branch = self.video().take();
        if let Some(branch) = branch {
            branch.shut_down();
        }
        self.audio.shut_down();
    }

    /// The H.264 encoder in use.
    pub fn video_encoder(&self) -> &'static VideoEncoder {
        *self.video_encoder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The elements in use: H.264 encoder, or the camera where that delivers H.264, and AAC encoder.
    pub fn encoders(&self) -> (&'static str, &'static str) {
        let passing = self.passing.load(Ordering::Relaxed);
        let video = if passing { "camera" } else { self.video_encoder().element };
        (video, self.audio_encoder.element)
    }

    fn video(&self) -> MutexGuard<'_, Option<VideoBranch>> {
        self.video.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
