//! Capture: camera and microphone in, access units out.
//!
//! Shell room; the only one that names GStreamer. It promises that from start to stop
//! - access units of both tracks keep coming, on one media clock that never goes back and is common
//!   to both, with codec parameters that never change;
//! - a camera or microphone that is lost is replaced *before* the encoder, by a slate or silence,
//!   and used again when it is back; so is one that is exchanged for another while it runs;
//! - the thread that delivers an access unit never waits;
//! - what was captured in standby is never sent.
//!
//! It knows nothing of RTMP, of destinations, or of whether anybody is live.
//!
//! The rooms in it, each of which sees only those below it:
//!
//! | | |
//! |---|---|
//! | `mixer` | the clock thread: gives the encoders each block of samples in time, and each frame that a live camera's own thread does not |
//! | `video`, `audio` | the two tracks: what goes to the encoder at each instant |
//! | `source` | cameras, microphones and clips: opened, lost, opened again |
//! | `discovery` | the devices and encoders of this machine, and which of them a request selects |
//! | `controls` | hardware controls of cameras and sound cards: listed, set, restored |
//! | `convert` | converters of raw frames: tried, watched, replaced |
//! | `decode` | JPEG decoders: tried, watched, replaced |
//! | `encode` | encoders: tried, watched, restarted or replaced; how access units leave |
//! | `choice` | which of several elements of devices is used, for both |
//! | `gst` | pipelines as data, pipelines that run, the media clock |
//! | `request`, `event`, `error`, `stats`, `threads`, `frame_format`, `framing`, `on_air` | what is asked for, reported and counted, the threads, the form of frames, how they are turned, and from when on they are sent |
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
mod choice;
mod controls;
mod convert;
mod decode;
mod discovery;
mod encode;
mod error;
mod event;
mod frame_format;
mod framing;
mod gst;
mod mixer;
mod on_air;
mod real_time;
mod request;
mod source;
mod stats;
mod threads;
mod video;

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

pub use controls::{
    ControlledSources, ControlsError, WasReset, WasSet, WhichDevice, device_controls,
    reset_device_control, restore_device_controls, set_device_control, tables_of_absent_device,
};
pub use convert::converter_names;
pub use decode::{JpegDecoderSpec, jpeg_decoder, jpeg_decoder_names};
pub use discovery::{
    CameraReport, Conversion, DeviceReport, DevicesToChoose, ElementReport, EncoderReport, Format,
    MicrophoneReport, Mode, ModeChoice, Offer, Rate, RejectedMode, SourcePlan, SourceSpec,
    choose_mode, choose_mode_as_set, devices, devices_to_choose, offers,
};
pub use encode::{
    FrameSink, KnownBug, audio_encoder_delay_samples, audio_encoder_names, encoder_pipelines,
    importing_pipeline, known_bugs, video_encoder_layouts, video_encoder_names,
};
pub use error::{CaptureError, Rejected};
pub use event::{CaptureEvent, Fault, Source};
pub use frame_format::{FrameFormat, WantedFrames};
pub use gst::description::PipelineDescription;
pub use real_time::{refusal as real_time_refusal, withdraw as withdraw_real_time};
pub use request::{
    AudioSettings, CameraSource, ConverterOrder, DecoderOrder, EncoderOrder, Look,
    MicrophoneSource, Request, SAMPLE_RATE_HZ, StartWithout, VideoSettings,
};
pub use source::{SourceElements, source_pipeline};
pub use stats::{CAMERA_AS_ENCODER, CaptureStats, ChannelLevel, Levels};
pub use video::{Still, Stills};

use audio::AudioTrack;
use convert::Converters;
use decode::JpegDecoders;
use encode::{EncoderPipeline, encoders::Chosen, probe};
use framing::SharedFraming;
use gst::{bus, clock::MediaClock};
use mixer::Mixer;
use on_air::OnAir;
use source::{Elements, Order, Orders, Sources};
use stats::Counters;
use threads::{Deadline, Notifier, Threads};
use video::{SharedTrack, VideoTrack};

use crate::{
    audio::Adjustments,
    limits::{CAPTURE_START_TIMEOUT, CAPTURE_STOP_TIMEOUT},
    media::Kind,
    video::Framing,
};

/// A running capture. It stops when dropped.
pub struct Capture {
    pipeline: Arc<EncoderPipeline>,
    counters: Arc<Counters>,
    adjustments: Arc<Mutex<Adjustments>>,
    framing: SharedFraming,
    threads: Threads,
    on_air: OnAir,
    stills: Stills,
    clock: MediaClock,
    orders: Orders,
    /// Wakes the mixer.
    wake: Notifier,
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
    /// `CAPTURE_START_TIMEOUT`. `sink` and `events` are called on threads of this room and must not
    /// block.
    ///
    /// # Errors
    /// When a source, an encoder or an element is missing, with what to do about it.
    pub fn start(
        request: Request,
        sink: FrameSink,
        events: impl Fn(CaptureEvent) + Send + Sync + 'static,
    ) -> Result<Capture, CaptureError> {
        Capture::start_as(request, OnAir::from_the_start(), sink, Arc::new(events))
    }

    /// The same in standby: what the sources deliver is measured, and nothing is encoded or sent before
    /// [`Capture::go_on_air`].
    ///
    /// # Errors
    /// As [`Capture::start`].
    pub fn start_in_standby(
        request: Request,
        sink: FrameSink,
        events: impl Fn(CaptureEvent) + Send + Sync + 'static,
    ) -> Result<Capture, CaptureError> {
        Capture::start_as(request, OnAir::in_standby(), sink, Arc::new(events))
    }

    fn start_as(
        request: Request,
        on_air: OnAir,
        sink: FrameSink,
        events: Arc<dyn Fn(CaptureEvent) + Send + Sync>,
    ) -> Result<Capture, CaptureError> {
        request.check()?;
        gstreamer::init().map_err(|error| CaptureError::Gstreamer(error.to_string()))?;
        let deadline = Deadline::after(CAPTURE_START_TIMEOUT);
        // Tried while the encoders are.
        let decoders = JpegDecoders::of(
            &request.decoders.jpeg,
            &request.video,
            request.camera.may_deliver_jpeg(),
        );
        let chosen = probe::choose(&request, deadline)?;
        let threads = Threads::default();
        let deliver_to = (sink, events);
        let converters = Converters::of(&request.converters.raw);
        let framing = SharedFraming::new(request.framing);
        let elements = Elements { decoders, converters, framing };
        Capture::start_with(request, chosen, elements, &threads, on_air, deliver_to, deadline)
            // Sources that were opened before the failure are closed by their threads.
            .inspect_err(|_| threads.stop())
    }

    fn start_with(
        request: Request,
        mut chosen: Chosen,
        elements: Elements,
        threads: &Threads,
        on_air: OnAir,
        (sink, events): (FrameSink, Arc<dyn Fn(CaptureEvent) + Send + Sync>),
        deadline: Deadline,
    ) -> Result<Capture, CaptureError> {
        let sink = reporting_the_first_key(sink, Arc::clone(&events));
        let clock = MediaClock::start();
        let counters = Arc::new(Counters::default());
        let framing = elements.framing.clone();
        let Sources { all: sources, frames, first_frame, wake, notes } = source::start_all(
            &request,
            &chosen.layouts,
            elements,
            &clock,
            &counters,
            threads,
            deadline,
        )?;
        probe::confirm(&mut chosen, &request, frames, deadline)?;
        // What is drawn over a frame is drawn over a copy, and what is turned is another frame.
        let goes_as_it_is = !request.look.is_drawn_over_frames() && request.framing.is_none();
        if let Some(frame) = first_frame.filter(|_| goes_as_it_is) {
            probe::try_import(&mut chosen, &request, frames, frame, deadline)?;
        }
        tracing::info!("frames: {} {}", frames.layout, frames.colorimetry);
        let (video, mut left_out) =
            VideoTrack::new(&request.video, frames, &request.look, framing.clone())?;
        left_out.extend(notes);
        let stills = video.stills();
        let orders = sources.orders();
        let shared = Arc::clone(&counters);
        let pipeline =
            EncoderPipeline::start(&request, chosen, frames, &clock, shared, sink, deadline)?;
        let pipeline = Arc::new(pipeline);
        let video = SharedTrack::new(
            video,
            clock.clone(),
            Arc::clone(&pipeline),
            on_air.clone(),
            Arc::clone(&counters),
        );
        let adjustments = Arc::new(Mutex::new(request.adjustments));
        let mixer = Mixer {
            clock: clock.clone(),
            on_air: on_air.clone(),
            pipeline: Arc::clone(&pipeline),
            counters: Arc::clone(&counters),
            events,
            threads: threads.clone(),
            wake: wake.clone(),
            sources,
            video,
            audio: AudioTrack::new(&request.audio, &request.microphone, Arc::clone(&adjustments)),
            encoders: request.encoders.video.clone(),
        };
        for message in left_out {
            (mixer.events)(CaptureEvent::LeftOut { message });
        }
        threads
            .spawn("capture-mixer", move |_| mixer.run())
            .map_err(|error| CaptureError::Gstreamer(error.to_string()))?;
        let threads = threads.clone();
        Ok(Capture {
            pipeline,
            counters,
            adjustments,
            framing,
            threads,
            on_air,
            stills,
            clock,
            orders,
            wake,
        })
    }

    /// Ends the standby: what is captured from now on is encoded and sent, from a key frame on. Nothing
    /// changes when it is on air already.
    pub fn go_on_air(&self) {
        self.on_air.begin(self.clock.now_ns());
        self.wake.notify();
    }

    /// Exchanges camera and microphone for those of a request; nothing else of it counts. One that stays
    /// the same goes on. In place of another one, slate or silence are sent until the new one delivers, and
    /// neither encoder notices. [`CaptureEvent::Exchange`] reports with this number what has come of it, for
    /// each of both.
    pub fn exchange(&self, number: u64, request: &Request) {
        self.orders.put(Order::of(number, request));
        self.wake.notify();
    }

    /// Frames as JPEGs, for as long as the capture runs.
    pub fn stills(&self) -> Stills {
        self.stills.clone()
    }

    /// Sets the video bitrate, in kbit/s, clamped to `CAPTURE_VIDEO_KBPS_MIN` and
    /// `CAPTURE_VIDEO_KBPS_MAX`. It takes effect within a few frames.
    pub fn set_bitrate_kbps(&self, kbps: u32) {
        self.pipeline.set_bitrate_kbps(kbps);
    }

    /// Adjusts the audio, from the next block of samples on; a delay of the video begins with its next
    /// key frame, for which the encoder is asked. Neither encoder is restarted.
    pub fn adjust_audio(&self, adjustments: Adjustments) {
        *self.adjustments.lock().unwrap_or_else(PoisonError::into_inner) = adjustments;
        self.pipeline.set_video_delay_ms(adjustments.video_delay_ms());
    }

    /// Turns, mirrors and enlarges the camera's video, from its next frame on. Neither camera nor encoder
    /// is opened again. H.264 that is passed through stays as it is, which is reported.
    pub fn set_framing(&self, framing: Framing) {
        self.framing.set(framing);
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

/// The same sink, which also reports the first key frame once it has it.
fn reporting_the_first_key(
    sink: FrameSink,
    events: Arc<dyn Fn(CaptureEvent) + Send + Sync>,
) -> FrameSink {
    let is_reported = AtomicBool::new(false);
    Arc::new(move |frame| {
        let is_key = frame.kind == Kind::VideoKey;
        sink(frame);
        if is_key && !is_reported.swap(true, Ordering::Relaxed) {
            events(CaptureEvent::FirstKey);
        }
    })
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
