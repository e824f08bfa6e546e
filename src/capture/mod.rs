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
//! The rooms in it, each of which sees only those below it:
//!
//! | | |
//! |---|---|
//! | `mixer` | the clock thread: gives the encoders each frame and each block of samples when it is due |
//! | `video`, `audio` | the two tracks: what goes to the encoder at each instant |
//! | `source` | cameras, microphones and clips: opened, lost, opened again |
//! | `discovery` | which devices and encoders this machine has, and what a request means by them |
//! | `encode` | encoders: tried, watched, restarted or replaced; how access units leave |
//! | `gst` | pipelines as data, pipelines that run, the media clock |
//! | `request`, `event`, `error`, `stats`, `threads` | what is asked, reported and counted, and the threads of it |
//!
//! In a room, `pub` is what its files may use of each other; the room's own file names what the rest
//! of the capture may use.
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
mod discovery;
mod encode;
mod error;
mod event;
mod gst;
mod mixer;
mod request;
mod source;
mod stats;
mod threads;
mod video;

use std::{fmt, sync::Arc};

pub use discovery::{
    CameraReport, DeviceReport, EncoderReport, Form, MicrophoneReport, Mode, ModeChoice, Offer,
    Rate, Recipe, RejectedMode, SourcePlan, choose_mode, devices, offers,
};
pub use encode::{
    FrameSink, KnownBug, audio_encoder_names, known_bugs, programme, video_encoder_names,
};
pub use error::{CaptureError, Rejected};
pub use event::{CaptureEvent, Fault, Source};
pub use gst::description::PipelineDescription;
pub use request::{
    AudioSettings, CameraSource, EncoderOrder, Look, MicrophoneSource, Request, SAMPLE_RATE_HZ,
    StartWithout, VideoSettings,
};
pub use source::source;
pub use stats::{CaptureStats, ChannelLevel, Levels};

use audio::Sounds;
use encode::{Programme, encoders::Chosen, probe};
use gst::{
    bus::{self, BusEvent, Failure},
    clock::MediaClock,
};
use mixer::Pulse;
use stats::Counters;
use threads::Threads;
use video::Pictures;

use crate::limits::CAPTURE_STOP_TIMEOUT;

/// A running capture. It stops when dropped.
pub struct Capture {
    programme: Arc<Programme>,
    counters: Arc<Counters>,
    threads: Threads,
}

/// Lets GStreamer look at its plugins. It does so once, and again when one has changed; on a small board that takes
/// longer than going live may. Blocks until it is done, and so does whatever needs GStreamer meanwhile.
///
/// # Errors
/// When there is no GStreamer to be used.
pub fn get_ready() -> Result<(), CaptureError> {
    gstreamer::init().map_err(|error| CaptureError::Gstreamer(bus::one_line(&error.to_string())))
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
        gstreamer::init().map_err(|error| CaptureError::Gstreamer(error.to_string()))?;
        let chosen = probe::choose(&request)?;
        let threads = Threads::default();
        Capture::start_with(request, chosen, &threads, sink, Arc::new(events))
            // What was opened before the failure is closed by its keeper.
            .inspect_err(|_| threads.stop())
    }

    fn start_with(
        request: Request,
        chosen: Chosen,
        threads: &Threads,
        sink: FrameSink,
        events: Arc<dyn Fn(CaptureEvent) + Send + Sync>,
    ) -> Result<Capture, CaptureError> {
        let clock = MediaClock::start();
        let (pictures, left_out) = Pictures::new(&request.video, &request.look)?;
        let counters = Arc::new(Counters::default());
        let wake = threads.notifier();
        let feeds = source::start_all(&request, &clock, &counters, threads, &wake)?;
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
            threads: threads.clone(),
            wake,
            feeds,
            pictures,
            sounds: Sounds::new(&request.audio, &request.microphone),
            encoders: request.encoders.video.clone(),
        };
        for said in left_out {
            (pulse.events)(CaptureEvent::LeftOut { said });
        }
        threads
            .spawn("capture-pulse", move |_| pulse.run())
            .map_err(|error| CaptureError::Gstreamer(error.to_string()))?;
        Ok(Capture { programme, counters, threads: threads.clone() })
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
