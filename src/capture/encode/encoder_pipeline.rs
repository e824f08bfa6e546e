//! The encoders of a capture: raw frames and samples in, access units out, from start to stop. Each
//! track is a GStreamer pipeline of its own on the common clock, so that an encoder that fails takes
//! only its own track with it.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, TryLockError,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use gstreamer as gst;
use gstreamer_app as gst_app;

use super::{
    access_units::{FrameSink, TrackOutput},
    description,
    encoders::{AudioEncoderSpec, Chosen, VideoEncoderSpec},
    video_delay::VideoDelay,
    video_encoder::{VideoEncoder, VideoEncoderSetup},
};
use crate::{
    audio::CHAIN_DELAY_SAMPLES,
    capture::{
        error::CaptureError,
        frame_format::FrameFormat,
        gst::{
            buffer::TimedBuffer,
            build::Running,
            bus::{self, BusEvent},
            clock::MediaClock,
        },
        request::Request,
        stats::Counters,
    },
    flv::avc::{ColourTags, Demand, Tags},
    limits::CAPTURE_AUDIO_WAITING_MAX,
    media::Track,
};

/// The encoder that a broadcast begins with: one that reads frames where they lie, if it can.
fn first_encoder(
    spec: &'static VideoEncoderSpec,
    setup: &VideoEncoderSetup,
    imports: bool,
) -> Result<VideoEncoder, CaptureError> {
    if imports {
        match VideoEncoder::start(spec, &VideoEncoderSetup { imports, ..setup.clone() }) {
            Ok(encoder) => return Ok(encoder),
            Err(why) => tracing::warn!("{} copies frames: {why}", spec.element),
        }
    }
    VideoEncoder::start(spec, setup)
}

/// The running encoders of both tracks.
#[derive(Debug)]
pub struct EncoderPipeline {
    /// The H.264 encoder; `None` while it is being restarted.
    video: Mutex<Option<VideoEncoder>>,
    setup: VideoEncoderSetup,
    /// The bitrate to set on every H.264 encoder, in kbit/s.
    wanted_kbps: AtomicU32,
    audio: Running,
    samples: gst_app::AppSrc,
    audio_encoder: &'static AudioEncoderSpec,
    /// The H.264 encoder in use.
    video_encoder: Mutex<&'static VideoEncoderSpec>,
    /// A camera's own H.264 is on air.
    passing: AtomicBool,
    /// The video that waits, so that the audio is early.
    delayed: Arc<VideoDelay>,
    counters: Arc<Counters>,
}

impl EncoderPipeline {
    /// Builds and starts both encoders. `on_audio_bus` is called on GStreamer's threads and must not
    /// block.
    pub fn start(
        request: &Request,
        chosen: Chosen,
        frames: FrameFormat,
        clock: &MediaClock,
        counters: Arc<Counters>,
        sink: FrameSink,
        on_audio_bus: impl Fn(BusEvent) + Send + Sync + 'static,
    ) -> Result<EncoderPipeline, CaptureError> {
        let output = |track, advance_ns, sink| {
            TrackOutput::new(track, advance_ns, Arc::clone(&counters), sink)
        };
        let delay_samples = u64::from(chosen.audio.delay_samples) + CHAIN_DELAY_SAMPLES as u64;
        let delay_ns = delay_samples * 1_000_000_000 / u64::from(request.audio.sample_rate_hz);
        let audio = Running::build(&description::audio_pipeline(chosen.audio, &request.audio))?;
        let (audio_out, audio_output) =
            (audio.element(description::AUDIO_OUT)?, output(Track::Audio, delay_ns, sink.clone()));
        let audio_clock = clock.clone();
        audio_output.select(audio_output.connect(&audio_out, move || audio_clock.now_ns()));
        bus::listen_in_real_time(audio.pipeline(), on_audio_bus);
        clock.drive(audio.pipeline());
        let (video, clock) = (request.video.clone(), clock.clone());
        let tried = (chosen.video.element, chosen.layouts);
        let demand = Some(Demand { fps: video.fps, kbps_max: video.kbps_max() });
        let tags = Tags { colours: ColourTags::from(&frames.colorimetry), demand };
        let delayed = Arc::new(VideoDelay::new(request.adjustments.video_delay_ms(), sink));
        let output = output(Track::Video, 0, delayed.sink(clock.clone())).with_tags(tags);
        let setup = VideoEncoderSetup { video, frames, tried, imports: false, clock, output };
        let encoder = first_encoder(chosen.video, &setup, chosen.imports)?;
        encoder.go_on_air();
        let kbps = chosen.video.bitrate.nearest_kbps(request.video.bitrate_kbps);
        counters.set_bitrate_kbps(kbps);
        let pipeline = EncoderPipeline {
            video: Mutex::new(Some(encoder)),
            setup,
            wanted_kbps: AtomicU32::new(request.video.bitrate_kbps),
            samples: audio.element(description::AUDIO_IN)?,
            audio,
            audio_encoder: chosen.audio,
            video_encoder: Mutex::new(chosen.video),
            passing: AtomicBool::new(false),
            delayed,
            counters,
        };
        pipeline.audio.play()?;
        Ok(pipeline)
    }

    /// Gives the encoder a frame; `false` when the frame was skipped, because the encoder is
    /// overloaded or being restarted.
    pub fn push_frame(&self, frame: gst::Buffer) -> bool {
        self.video().as_ref().is_some_and(|encoder| encoder.push(frame))
    }

    /// Whether the encoder has room for a block of so many bytes. A block must not be skipped: the
    /// encoder counts samples, so everything after it would be early.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.samples.current_level_bytes() < CAPTURE_AUDIO_WAITING_MAX * bytes as u64
    }

    /// Gives the encoder a block of samples.
    pub fn push_samples(&self, block: gst::Buffer) {
        // Refused only during the shutdown.
        let _ = self.samples.push_buffer(block);
    }

    /// Sets the video bitrate, in kbit/s, to the nearest value that the encoder supports.
    pub fn set_bitrate_kbps(&self, kbps: u32) {
        self.wanted_kbps.store(kbps, Ordering::Relaxed);
        if let Some(encoder) = self.video().as_ref() {
            self.counters.set_bitrate_kbps(encoder.set_bitrate_kbps(kbps));
        }
    }

    /// Sets the bitrate that is wanted once more.
    pub fn set_bitrate_again(&self) {
        if let Some(encoder) = self.video().as_ref() {
            encoder.set_bitrate_kbps(self.wanted_kbps.load(Ordering::Relaxed));
        }
    }

    /// Asks the encoder to make its next frame a key frame.
    pub fn force_key_frame(&self) {
        if let Some(encoder) = self.video().as_ref() {
            encoder.force_key_frame();
        }
    }

    /// Asks the encoder to make the frame that is pushed next a key frame, because it has nothing in
    /// common with those before.
    pub fn force_key_on_next_frame(&self) {
        if let Some(encoder) = self.video().as_ref() {
            encoder.force_key_on_next_frame();
        }
    }

    /// Why the H.264 encoder failed, if it did; reported once. Of one that is being given something
    /// nothing is known yet: audio must not wait for the thread that does.
    pub fn take_video_failure(&self) -> Option<String> {
        self.video_if_free()?.as_ref().and_then(VideoEncoder::take_failure)
    }

    /// Whether the H.264 encoder reads frames where they lie.
    pub fn is_importing(&self) -> bool {
        self.video().as_ref().is_some_and(VideoEncoder::is_importing)
    }

    /// Whether the H.264 encoder has got a frame that must be copied for it, as far as that is known
    /// without waiting.
    pub fn has_to_copy(&self) -> bool {
        let encoder = self.video_if_free();
        encoder.is_some_and(|encoder| encoder.as_ref().is_some_and(VideoEncoder::has_to_copy))
    }

    /// What a restarted encoder is set up with. It is given any frame, so that a broadcast changes over
    /// once at most.
    pub fn video_setup(&self) -> VideoEncoderSetup {
        let mut setup = self.setup.clone();
        setup.video.bitrate_kbps = self.wanted_kbps.load(Ordering::Relaxed);
        setup
    }

    /// Takes the H.264 encoder out, so that it can be closed on another thread; what it still
    /// delivers is dropped.
    pub fn take_video_encoder(&self) -> Option<VideoEncoder> {
        // First, so that nothing of it is sent while it is being closed.
        self.setup.output.select_none();
        self.video().take()
    }

    /// Puts another H.264 encoder in. It goes on air unless a camera's own H.264 is passed through.
    pub fn install_video_encoder(&self, encoder: VideoEncoder) {
        *self.video_encoder.lock().unwrap_or_else(PoisonError::into_inner) = encoder.spec();
        let wanted_kbps = self.wanted_kbps.load(Ordering::Relaxed);
        self.counters.set_bitrate_kbps(encoder.set_bitrate_kbps(wanted_kbps));
        if !self.passing.load(Ordering::Relaxed) {
            encoder.go_on_air();
        }
        *self.video() = Some(encoder);
    }

    /// Sends an access unit of a camera that delivers H.264.
    pub fn pass_through(&self, unit: &TimedBuffer, now_ns: u64) {
        self.passing.store(true, Ordering::Relaxed);
        self.setup.output.pass_through(unit.caps.as_deref(), &unit.buffer, unit.media_ns, now_ns);
    }

    /// Puts the encoder on air again, from a key frame on.
    pub fn return_to_encoder(&self) {
        self.passing.store(false, Ordering::Relaxed);
        if let Some(encoder) = self.video().as_ref() {
            encoder.return_to_air();
        }
    }

    /// Delays the video by so much from its next key frame on, for which the encoder is asked.
    pub fn set_video_delay_ms(&self, ms: u32) {
        if self.delayed.set_ms(ms) {
            self.force_key_frame();
        }
    }

    /// Sends the video that has waited for long enough.
    pub fn send_delayed(&self, now_ns: u64) {
        self.delayed.send_due(now_ns);
    }

    /// Time between key frames, in milliseconds.
    pub fn keyframe_interval_ms(&self) -> u32 {
        self.setup.video.keyframe_interval_ms
    }

    /// Frames a second.
    pub fn fps(&self) -> u32 {
        self.setup.video.fps
    }

    /// Whether a camera's own H.264 is on air.
    pub fn is_passing(&self) -> bool {
        self.passing.load(Ordering::Relaxed)
    }

    /// Stops both encoders; their devices are free afterwards.
    pub fn shut_down(&self) {
        let encoder = self.video().take();
        if let Some(encoder) = encoder {
            encoder.shut_down();
        }
        self.audio.shut_down();
    }

    /// The H.264 encoder in use.
    pub fn video_encoder(&self) -> &'static VideoEncoderSpec {
        *self.video_encoder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The elements in use: H.264 encoder, or the camera where that delivers H.264, and AAC encoder.
    pub fn encoders(&self) -> (&'static str, &'static str) {
        let video = if self.is_passing() { "camera" } else { self.video_encoder().element };
        (video, self.audio_encoder.element)
    }

    fn video_if_free(&self) -> Option<MutexGuard<'_, Option<VideoEncoder>>> {
        match self.video.try_lock() {
            Ok(encoder) => Some(encoder),
            Err(TryLockError::Poisoned(encoder)) => Some(encoder.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn video(&self) -> MutexGuard<'_, Option<VideoEncoder>> {
        self.video.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
