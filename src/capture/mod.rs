//! Capture: camera and microphone in, access units out.
//!
//! Shell room; the only one that names GStreamer. It promises that from start to stop
//! - access units of both tracks keep coming, on one media clock that never goes back and is common
//!   to both, with codec parameters that never change;
//! - a camera or microphone that is lost is replaced *before* the encoder, by a slate or silence,
//!   and taken back when it returns;
//! - the thread that hands on an access unit never waits.
//!
//! It knows nothing of RTMP, of destinations, or of whether anybody is live.
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

mod build;
mod bus;
mod devices;
mod encoders;
mod error;
mod event;
mod feed;
mod picture;
mod pictures;
mod pipeline;
mod programme;
mod pulse;
mod request;
mod sink;
mod sound_line;
mod sounds;
mod source;
mod stats;
mod stop;
mod tone;
mod trial;

use std::{fmt, sync::Arc};

use gstreamer as gst;

pub use devices::{Device, DeviceReport, EncoderReport, devices};
pub use encoders::{audio_encoder_names, video_encoder_names};
pub use error::{CaptureError, Rejected};
pub use event::{CaptureEvent, Fault, Source};
pub use pipeline::{PipelineDescription, SourcePlan, programme, source};
pub use request::{
    AudioSettings, CameraSource, EncoderOrder, MicrophoneSource, Request, SAMPLE_RATE_HZ,
    VideoSettings,
};
pub use sink::FrameSink;
pub use stats::CaptureStats;

use build::MediaClock;
use bus::BusEvent;
use feed::Feed;
use pictures::Pictures;
use programme::Programme;
use pulse::{Failure, Pulse};
use sounds::Sounds;
use source::Opener;
use stats::Counters;
use stop::Stop;
use trial::Chosen;

use crate::limits::CAPTURE_STOP_TIMEOUT;

/// A running capture. It stops when dropped.
pub struct Capture {
    programme: Arc<Programme>,
    counters: Arc<Counters>,
    stop: Stop,
}

impl Capture {
    /// Chooses encoders, opens the sources and starts the programme.
    ///
    /// Blocks until both sources give picture and sound; call it on a thread that may wait up to
    /// `FIRST_KEY_TIMEOUT`. `sink` and `events` are called on threads of this room and must not
    /// block.
    ///
    /// # Errors
    /// When a source, an encoder or an element is not there, with what to do about it.
    pub fn start(
        request: Request,
        sink: FrameSink,
        events: impl Fn(CaptureEvent) + Send + Sync + 'static,
    ) -> Result<Capture, CaptureError> {
        request.check()?;
        gst::init().map_err(|error| CaptureError::Gstreamer(error.to_string()))?;
        let chosen = trial::choose(&request)?;
        let stop = Stop::default();
        Capture::start_with(request, chosen, &stop, sink, Arc::new(events))
            // What was opened before the failure is closed by its keeper.
            .inspect_err(|_| stop.stop())
    }

    fn start_with(
        request: Request,
        chosen: Chosen,
        stop: &Stop,
        sink: FrameSink,
        events: Arc<dyn Fn(CaptureEvent) + Send + Sync>,
    ) -> Result<Capture, CaptureError> {
        let clock = MediaClock::start();
        let feeds = open_sources(&request, &clock, stop)?;
        let counters = Arc::new(Counters::default());
        let failure = Failure::default();
        let on_bus = {
            let failure = failure.clone();
            move |event| match event {
                BusEvent::Error { said } => failure.note(said),
                BusEvent::Ended => failure.note("the programme ended by itself".to_owned()),
            }
        };
        let programme =
            Programme::start(&request, chosen, &clock, Arc::clone(&counters), sink, on_bus)?;
        let programme = Arc::new(programme);
        let pulse = Pulse {
            clock,
            programme: Arc::clone(&programme),
            counters: Arc::clone(&counters),
            failure,
            events,
            feeds,
            pictures: Pictures::new(&request.video)?,
            sounds: Sounds::new(&request.audio, &request.microphone),
        };
        stop.spawn("capture-pulse", move |stop| pulse.run(stop))
            .map_err(|error| CaptureError::Gstreamer(error.to_string()))?;
        Ok(Capture { programme, counters, stop: stop.clone() })
    }

    /// Asks the encoder for another video bitrate, in kbit/s, kept within `CAPTURE_VIDEO_KBPS_MIN`
    /// and `CAPTURE_VIDEO_KBPS_MAX`. It takes effect with one of the next pictures.
    pub fn set_bitrate_kbps(&self, kbps: u32) {
        self.programme.set_bitrate_kbps(kbps);
    }

    /// Asks the encoder to make its next picture a key frame. Some hardware encoders ignore it;
    /// the next regular key frame comes all the same.
    pub fn force_key_frame(&self) {
        self.programme.force_key_frame();
    }

    /// Figures since the start.
    pub fn stats(&self) -> CaptureStats {
        let (video, audio) = self.programme.encoders();
        self.counters.snapshot(video, audio)
    }

    /// Stops, and waits until the devices are free or `CAPTURE_STOP_TIMEOUT` has passed; `false`
    /// in the latter case, when a driver does not let go. Calling it again does no harm.
    pub fn stop(&self) -> bool {
        self.stop.stop_and_wait(CAPTURE_STOP_TIMEOUT)
    }
}

/// Opens every source of the request. When one cannot be opened, those before it are closed as
/// their feeds are dropped.
fn open_sources(
    request: &Request,
    clock: &MediaClock,
    stop: &Stop,
) -> Result<Vec<Feed>, CaptureError> {
    let mut feeds = Vec::new();
    for plan in SourcePlan::of(request) {
        let (video, audio) = (request.video.clone(), request.audio.clone());
        let opener = Opener { plan, video, audio, clock: clock.clone() };
        let opened = opener.open(|| false)?;
        let feed = Feed::start(opener, opened, stop)
            .map_err(|error| CaptureError::Gstreamer(error.to_string()))?;
        feeds.push(feed);
    }
    Ok(feeds)
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
