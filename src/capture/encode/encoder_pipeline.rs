//! The encoders of a capture: raw frames and samples in, access units out, from start to stop. Each
//! track is a GStreamer pipeline of its own on the common clock, so that an encoder that fails takes
//! only its own track with it.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use gstreamer as gst;
use gstreamer_app as gst_app;

use super::{
    access_units::{FrameSink, TrackOutput},
    description,
    encoders::{AudioEncoderSpec, Chosen, VideoEncoderSpec},
    probe,
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
            bus::{self, BusEvent, Failure},
            clock::MediaClock,
        },
        request::Request,
        stats::{CAMERA_AS_ENCODER, Counters},
        threads::{Bounded, Deadline},
    },
    flv::avc::{ColourTags, Demand, Tags},
    limits::{CAPTURE_AUDIO_WAITING_MAX, CAPTURE_DRIVER_TIMEOUT},
    media::Track,
};

/// The running encoders of both tracks.
#[derive(Debug)]
pub struct EncoderPipeline {
    /// The H.264 encoder; `None` while it is being restarted.
    video: Mutex<Option<VideoEncoder>>,
    setup: VideoEncoderSetup,
    /// The bitrate to set on every H.264 encoder, in kbit/s.
    wanted_kbps: AtomicU32,
    audio: Running,
    audio_failure: Failure,
    samples: gst_app::AppSrc,
    audio_encoder: &'static AudioEncoderSpec,
    /// The H.264 encoder in use.
    video_encoder: Mutex<&'static VideoEncoderSpec>,
    /// A camera's own H.264 is on air.
    passing: AtomicBool,
    /// The video that waits, so that the audio is early.
    delayed: Arc<VideoDelay>,
}

impl EncoderPipeline {
    /// Builds and starts both encoders, until `deadline` whatever a driver does.
    pub fn start(
        request: &Request,
        chosen: Chosen,
        frames: FrameFormat,
        clock: &MediaClock,
        counters: Arc<Counters>,
        sink: FrameSink,
        deadline: Deadline,
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
        let audio_failure = Failure::default();
        let noted = audio_failure.clone();
        bus::listen_in_real_time(audio.pipeline(), move |event| match event {
            BusEvent::Error { message } => noted.note(message),
            BusEvent::Ended => noted.note("the audio encoder ended".to_owned()),
        });
        clock.drive(audio.pipeline());
        let (video, clock) = (request.video.clone(), clock.clone());
        let tried = (chosen.video.element, chosen.layouts);
        let demand = Some(Demand { fps: video.fps, kbps_max: video.kbps_max() });
        let tags = Tags { colours: ColourTags::from(&frames.colorimetry), demand };
        let delayed = Arc::new(VideoDelay::new(request.adjustments.video_delay_ms(), sink));
        let output = output(Track::Video, 0, delayed.sink(clock.clone())).with_tags(tags);
        let counters = Arc::clone(&counters);
        let imports = false;
        let mut setup =
            VideoEncoderSetup { video, frames, tried, imports, clock, output, counters };
        let (spec, imports) = (chosen.video, chosen.imports);
        let encoder = start_video(spec, imports, &mut setup, request, deadline)?;
        encoder.go_on_air();
        let spec = encoder.spec();
        let kbps = spec.bitrate.nearest_kbps(request.video.bitrate_kbps);
        setup.counters.set_bitrate_kbps(kbps);
        let pipeline = EncoderPipeline {
            video: Mutex::new(Some(encoder)),
            setup,
            wanted_kbps: AtomicU32::new(request.video.bitrate_kbps),
            samples: audio.element(description::AUDIO_IN)?,
            audio,
            audio_encoder: chosen.audio,
            audio_failure,
            video_encoder: Mutex::new(spec),
            passing: AtomicBool::new(false),
            delayed,
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

    /// Sets the video bitrate, in kbit/s, to the nearest value that the encoder supports. Waits for no
    /// driver, as nothing here does but [`EncoderPipeline::start`] and [`EncoderPipeline::shut_down`].
    pub fn set_bitrate_kbps(&self, kbps: u32) {
        self.wanted_kbps.store(kbps, Ordering::Relaxed);
        if let Some(encoder) = self.video().as_ref() {
            encoder.set_bitrate_kbps(kbps);
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

    /// The element of the H.264 encoder.
    #[cfg(test)]
    pub fn video_element(&self) -> gst::Element {
        self.video().as_ref().and_then(VideoEncoder::element).expect("it runs")
    }

    /// Why the AAC encoder failed, if it did; reported once.
    pub fn take_audio_failure(&self) -> Option<String> {
        self.audio_failure.take()
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
        let encoder = self.video().take();
        encoder.inspect(VideoEncoder::replaced)
    }

    /// Puts another H.264 encoder in. It goes on air unless a camera's own H.264 is passed through.
    pub fn install_video_encoder(&self, encoder: VideoEncoder) {
        *self.video_encoder.lock().unwrap_or_else(PoisonError::into_inner) = encoder.spec();
        if !self.passing.load(Ordering::Relaxed) {
            encoder.go_on_air();
        }
        // Whatever is wanted from now on is asked of this one.
        let mut video = self.video();
        encoder.set_bitrate_kbps(self.wanted_kbps.load(Ordering::Relaxed));
        *video = Some(encoder);
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
        // Not under the lock.
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
        let passing = self.is_passing();
        let video = if passing { CAMERA_AS_ENCODER } else { self.video_encoder().element };
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

/// The encoder that a broadcast begins with: one that reads frames where they lie, if it can, and another
/// one when it does not start or its driver hangs.
fn start_video(
    first: &'static VideoEncoderSpec,
    imports: bool,
    setup: &mut VideoEncoderSetup,
    request: &Request,
    deadline: Deadline,
) -> Result<VideoEncoder, CaptureError> {
    for imports in [true, false].into_iter().filter(|try_it| imports || !try_it) {
        let with = VideoEncoderSetup { imports, ..setup.clone() };
        match start_within(first, with, deadline.at_most(CAPTURE_DRIVER_TIMEOUT)) {
            Ok(encoder) => return Ok(encoder),
            Err(StartError::Fails(why)) if imports => {
                tracing::warn!("{} copies frames: {why}", first.element);
            }
            Err(why) => {
                tracing::warn!("{} does not start: {why}", first.element);
                // After a hang its device is not to be had back.
                break;
            }
        }
    }
    let next = probe::another_video(first, request, deadline)?;
    setup.tried = (next.element, next.layouts());
    start_within(next, setup.clone(), deadline.at_most(CAPTURE_DRIVER_TIMEOUT))
        .map_err(|why| CaptureError::Gstreamer(why.to_string()))
}

/// Why an encoder does not start.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error("{0}")]
    Fails(String),
    #[error("its driver does not respond")]
    Hangs,
}

fn start_within(
    spec: &'static VideoEncoderSpec,
    setup: VideoEncoderSetup,
    at_most: Duration,
) -> Result<VideoEncoder, StartError> {
    let start = move || VideoEncoder::start(spec, &setup).map_err(|error| error.to_string());
    let started = Bounded::start("capture-encoder", at_most, start)
        .map_err(|error| StartError::Fails(error.to_string()))?;
    started.wait().ok_or(StartError::Hangs)?.map_err(StartError::Fails)
}
