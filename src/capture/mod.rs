//! Capture: camera and microphone in, access units out.
//!
//! Shell room; the only one that names GStreamer. It promises that from start to stop
//! - access units of both tracks keep coming, on one media clock that never goes back and is common
//!   to both, with codec parameters that never change;
//! - a camera or microphone that is lost is replaced *before* the encoder, by a slate or silence,
//!   and used again when it is back;
//! - the thread that delivers an access unit never waits.
//!
//! It knows nothing of RTMP, of destinations, or of whether anybody is live.
//!
//! The rooms in it, each of which sees only those below it:
//!
//! | | |
//! |---|---|
//! | `mixer` | the clock thread: gives the encoders each frame and each block of samples in time |
//! | `video`, `audio` | the two tracks: what goes to the encoder at each instant |
//! | `source` | cameras, microphones and clips: opened, lost, opened again |
//! | `discovery` | the devices and encoders of this machine, and which of them a request selects |
//! | `decode` | JPEG decoders: tried, watched, replaced |
//! | `encode` | encoders: tried, watched, restarted or replaced; how access units leave |
//! | `gst` | pipelines as data, pipelines that run, the media clock |
//! | `request`, `event`, `error`, `stats`, `threads`, `frame_format` | what is asked for, reported and counted, the threads, and the form of frames |
//!
//! Inside a room, `pub` is what its files may use of each other; the file of the room's name lists what
//! the rest of the capture may use.
//!
//! ```no_run
//! use std::sync::Arc;
//! use firstmile::{board::Profile, capture::{Capture, Request}};
//!
//! let request = Request::from(&Profile::named("sim")?);
//! let sink = Arc::new(|frame: firstmile::media::Frame| println!("{:?}", frame.kind));
//! let capture = Capture::start(request, sink, |event| println!("{event:?}"))?;
//! capture.force_key_frame();
//! capture.stop();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod audio;
mod decode;
mod discovery;
mod encode;
mod error;
mod event;
mod frame_format;
mod gst;
mod mixer;
mod real_time;
mod request;
mod source;
mod stats;
mod threads;
mod video;

use std::{fmt, sync::Arc};

pub use decode::{JpegDecoderSpec, jpeg_decoder, jpeg_decoder_names};
pub use discovery::{
    CameraReport, Conversion, DecoderReport, DeviceReport, EncoderReport, Format, MicrophoneReport,
    Mode, ModeChoice, Offer, Rate, RejectedMode, SourcePlan, SourceSpec, choose_mode, devices,
    offers,
};
pub use encode::{
    FrameSink, KnownBug, audio_encoder_delay_samples, audio_encoder_names, encoder_pipelines,
    known_bugs, video_encoder_layouts, video_encoder_names,
};
pub use error::{CaptureError, Rejected};
pub use event::{CaptureEvent, Fault, Source};
pub use frame_format::{FrameFormat, WantedFrames};
pub use gst::description::PipelineDescription;
pub use real_time::{refusal as real_time_refusal, withdraw as withdraw_real_time};
pub use request::{
    AudioSettings, CameraSource, DecoderOrder, EncoderOrder, Look, MicrophoneSource, Request,
    SAMPLE_RATE_HZ, StartWithout, VideoSettings,
};
pub use source::source_pipeline;
pub use stats::{CaptureStats, ChannelLevel, Levels};

use audio::AudioTrack;
use decode::JpegDecoders;
use encode::{EncoderPipeline, encoders::Chosen, probe};
use gst::{
    bus::{self, BusEvent, Failure},
    clock::MediaClock,
};
use mixer::Mixer;
use stats::Counters;
use threads::Threads;
use video::VideoTrack;

use crate::limits::CAPTURE_STOP_TIMEOUT;

/// A running capture. It stops when dropped.
pub struct Capture {
    pipeline: Arc<EncoderPipeline>,
    counters: Arc<Counters>,
    threads: Threads,
}

/// Initializes GStreamer. The first time, and whenever a plug-in has changed, it scans all of them,
/// which takes a small board longer than going live may take. Blocks until it is done, and so does
/// everything else that needs GStreamer.
///
/// # Errors
/// When GStreamer cannot be used.
pub fn init() -> Result<(), CaptureError> {
    gstreamer::init().map_err(|error| CaptureError::Gstreamer(bus::one_line(&error.to_string())))
}

impl Capture {
    /// Chooses encoders, opens the sources and starts.
    ///
    /// Blocks until both sources deliver; call it on a thread that may wait up to
    /// `FIRST_KEY_TIMEOUT`. `sink` and `events` are called on threads of this room and must not
    /// block.
    ///
    /// # Errors
    /// When a source, an encoder or an element is missing, with what to do about it.
    pub fn start(
        request: Request,
        sink: FrameSink,
        events: impl Fn(CaptureEvent) + Send + Sync + 'static,
    ) -> Result<Capture, CaptureError> {
        request.check()?;
        gstreamer::init().map_err(|error| CaptureError::Gstreamer(error.to_string()))?;
        // Tried while the encoders are.
        let decoders = JpegDecoders::of(
            &request.decoders.jpeg,
            &request.video,
            request.camera.may_deliver_jpeg(),
        );
        let chosen = probe::choose(&request)?;
        let threads = Threads::default();
        Capture::start_with(request, chosen, decoders, &threads, sink, Arc::new(events))
            // Sources that were opened before the failure are closed by their threads.
            .inspect_err(|_| threads.stop())
    }

    fn start_with(
        request: Request,
        mut chosen: Chosen,
        decoders: JpegDecoders,
        threads: &Threads,
        sink: FrameSink,
        events: Arc<dyn Fn(CaptureEvent) + Send + Sync>,
    ) -> Result<Capture, CaptureError> {
        let clock = MediaClock::start();
        let counters = Arc::new(Counters::default());
        let wake = threads.notifier();
        let (sources, frames) = source::start_all(
            &request,
            &chosen.layouts,
            decoders,
            &clock,
            &counters,
            threads,
            &wake,
        )?;
        probe::confirm(&mut chosen, &request, frames)?;
        tracing::info!("frames: {} {}", frames.layout, frames.colorimetry);
        let (video, left_out) = VideoTrack::new(&request.video, frames, &request.look)?;
        let failure = Failure::default();
        let on_bus = {
            let failure = failure.clone();
            move |event| match event {
                BusEvent::Error { message } => failure.note(message),
                BusEvent::Ended => failure.note("the audio encoder ended".to_owned()),
            }
        };
        let shared = Arc::clone(&counters);
        let pipeline =
            EncoderPipeline::start(&request, chosen, frames, &clock, shared, sink, on_bus)?;
        let pipeline = Arc::new(pipeline);
        let mixer = Mixer {
            clock,
            pipeline: Arc::clone(&pipeline),
            counters: Arc::clone(&counters),
            failure,
            events,
            threads: threads.clone(),
            wake,
            sources,
            video,
            audio: AudioTrack::new(&request.audio, &request.microphone),
            encoders: request.encoders.video.clone(),
        };
        for message in left_out {
            (mixer.events)(CaptureEvent::LeftOut { message });
        }
        threads
            .spawn("capture-mixer", move |_| mixer.run())
            .map_err(|error| CaptureError::Gstreamer(error.to_string()))?;
        Ok(Capture { pipeline, counters, threads: threads.clone() })
    }

    /// Sets the video bitrate, in kbit/s, clamped to `CAPTURE_VIDEO_KBPS_MIN` and
    /// `CAPTURE_VIDEO_KBPS_MAX`. It takes effect within a few frames.
    pub fn set_bitrate_kbps(&self, kbps: u32) {
        self.pipeline.set_bitrate_kbps(kbps);
    }

    /// Asks the encoder to make its next frame a key frame. Some hardware encoders ignore that; the
    /// next regular key frame still comes.
    pub fn force_key_frame(&self) {
        self.pipeline.force_key_frame();
    }

    /// Statistics since the start.
    pub fn stats(&self) -> CaptureStats {
        let (video, audio) = self.pipeline.encoders();
        self.counters.snapshot(video, audio)
    }

    /// Stops, and waits until the devices are free or `CAPTURE_STOP_TIMEOUT` has passed; `false`
    /// in the latter case, when a driver hangs. Calling it again does no harm.
    pub fn stop(&self) -> bool {
        self.threads.stop_and_wait(CAPTURE_STOP_TIMEOUT)
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
