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
mod cameras;
mod device_text;
mod devices;
mod drift;
mod encoders;
mod error;
mod event;
mod feed;
mod hdmi;
mod inventory;
mod levels;
mod lip_sync;
mod modes;
mod picture;
mod pictures;
mod pipeline;
mod plan;
mod programme;
mod pulse;
mod request;
mod sink;
mod sound_line;
mod sounds;
mod source;
mod stats;
mod stop;
mod stretch;
mod tone;
mod trial;

use std::{fmt, sync::Arc};

use gstreamer as gst;

pub use cameras::offers;
pub use devices::{CameraReport, DeviceReport, EncoderReport, MicrophoneReport, devices};
pub use encoders::{audio_encoder_names, video_encoder_names};
pub use error::{CaptureError, Rejected};
pub use event::{CaptureEvent, Fault, Source};
pub use levels::{ChannelLevel, Levels};
pub use lip_sync::{clip_offset_ms, marker_offset_ms};
pub use modes::{Form, Mode, ModeChoice, Offer, Rate, RejectedMode, choose_mode};
pub use pipeline::{PipelineDescription, programme, source};
pub use plan::{Recipe, SourcePlan};
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
use stop::{Bounded, Stop};
use trial::Chosen;

use crate::limits::{CAPTURE_DRIVER_TIMEOUT, CAPTURE_STOP_TIMEOUT};

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

/// Opens the sources of a request beside each other. When one cannot be opened, the others are
/// closed as their feeds are dropped.
fn open_sources(
    request: &Request,
    clock: &MediaClock,
    stop: &Stop,
) -> Result<Vec<Feed>, CaptureError> {
    let refused = |error: std::io::Error| CaptureError::Gstreamer(error.to_string());
    let mut opening = Vec::new();
    for plan in SourcePlan::of(request) {
        let (video, audio) = (request.video.clone(), request.audio.clone());
        let opener = Opener { plan, video, audio, clock: clock.clone() };
        let first = opener.clone();
        let opened =
            Bounded::start("capture-open", CAPTURE_DRIVER_TIMEOUT, move || first.open(|| false))
                .map_err(refused)?;
        opening.push((opener, opened));
    }
    let mut feeds = Vec::new();
    for (opener, opened) in opening {
        let hung = || opener.plan.blame("its driver does not answer".to_owned());
        let opened = opened.wait().ok_or_else(hung)??;
        feeds.push(Feed::start(opener, opened, stop).map_err(refused)?);
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::{
        encoders::{AudioEncoder, VideoEncoder},
        *,
    };
    use crate::board::Profile;

    const NO_CHANGE: (&str, &str) = ("bitrate", "{kbps}");
    static AUDIO: AudioEncoder =
        AudioEncoder { element: "avenc_aac", properties: &[], delay_samples: 0 };

    /// Runs a programme with that encoder until its end; what it reported.
    fn events_with(encoder: &'static VideoEncoder) -> Vec<CaptureEvent> {
        gst::init().expect("GStreamer");
        let mut request = Request::from(&Profile::named("sim").expect("embedded"));
        (request.video.width, request.video.height) = (320, 180);
        let (sender, events) = mpsc::channel();
        let report = move |event| {
            let _ = sender.send(event);
        };
        let chosen = Chosen { video: encoder, audio: &AUDIO };
        let stop = Stop::default();
        let capture =
            Capture::start_with(request, chosen, &stop, Arc::new(|_| {}), Arc::new(report))
                .expect("starts");
        let mut seen = Vec::new();
        while seen.last() != Some(&CaptureEvent::Ended) {
            seen.push(events.recv_timeout(std::time::Duration::from_secs(30)).expect("an event"));
        }
        assert!(capture.stop());
        assert!(events.try_recv().is_err(), "nothing comes after the end");
        seen
    }

    fn encoder_fault(events: &[CaptureEvent]) -> &str {
        match events {
            [.., CaptureEvent::Error { fault: Fault::Encoder, said }, CaptureEvent::Ended] => said,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_encoder_that_fails_ends_the_capture_with_its_reason() {
        static FAILS: VideoEncoder = VideoEncoder {
            element: "x264enc",
            properties: &[("tune", "zerolatency")],
            caps: "identity error-after=10",
            live_bitrate: NO_CHANGE,
        };
        let events = events_with(&FAILS);
        assert_eq!(events[..2], [CaptureEvent::Playing, CaptureEvent::FirstKey]);
        assert!(!encoder_fault(&events).is_empty());
    }

    #[test]
    fn an_encoder_that_goes_silent_is_noticed() {
        static SILENT: VideoEncoder = VideoEncoder {
            element: "x264enc",
            properties: &[("tune", "zerolatency")],
            caps: "valve drop=true",
            live_bitrate: NO_CHANGE,
        };
        let events = events_with(&SILENT);
        assert_eq!(encoder_fault(&events), "x264enc gave nothing for 3 s");
    }
}
