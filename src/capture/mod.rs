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
mod canvas;
mod device_text;
mod devices;
mod drift;
mod encoder_watch;
mod encoders;
mod error;
mod event;
mod feed;
mod hdmi;
mod hotplug;
mod inventory;
mod jpeg;
mod lettering;
mod levels;
mod lip_sync;
mod mender;
mod modes;
mod overlay;
mod passthrough;
mod picture;
mod pictures;
mod pipeline;
mod plan;
mod png;
mod programme;
mod pulse;
mod request;
mod sink;
mod slate;
mod sound_line;
mod sounds;
mod source;
mod stats;
mod stop;
mod stretch;
mod tone;
mod trial;
mod uevent;
mod video_branch;

use std::{fmt, sync::Arc};

use gstreamer as gst;

pub use cameras::offers;
pub use devices::{CameraReport, DeviceReport, EncoderReport, MicrophoneReport, devices};
pub use encoders::{KnownBug, audio_encoder_names, known_bugs, video_encoder_names};
pub use error::{CaptureError, Rejected};
pub use event::{CaptureEvent, Fault, Source};
pub use levels::{ChannelLevel, Levels};
pub use lip_sync::{clip_offset_ms, marker_offset_ms};
pub use modes::{Form, Mode, ModeChoice, Offer, Rate, RejectedMode, choose_mode};
pub use pipeline::{PipelineDescription, programme, source};
pub use plan::{Recipe, SourcePlan};
pub use request::{
    AudioSettings, CameraSource, EncoderOrder, Look, MicrophoneSource, Request, SAMPLE_RATE_HZ,
    StartWithout, VideoSettings,
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

/// Lets GStreamer look at its plugins. It does so once, and again when one has changed; on a small board that takes
/// longer than going live may. Blocks until it is done, and so does whatever needs GStreamer meanwhile.
///
/// # Errors
/// When there is no GStreamer to be used.
pub fn get_ready() -> Result<(), CaptureError> {
    gst::init().map_err(|error| CaptureError::Gstreamer(bus::one_line(&error.to_string())))
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
        let (pictures, left_out) = Pictures::new(&request.video, &request.look)?;
        let counters = Arc::new(Counters::default());
        let feeds = open_sources(&request, &clock, &counters, stop)?;
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
            pictures,
            sounds: Sounds::new(&request.audio, &request.microphone),
            encoders: request.encoders.video.clone(),
        };
        for said in left_out {
            (pulse.events)(CaptureEvent::LeftOut { said });
        }
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
    counters: &Arc<Counters>,
    stop: &Stop,
) -> Result<Vec<Feed>, CaptureError> {
    let refused = |error: std::io::Error| CaptureError::Gstreamer(error.to_string());
    let mut opening = Vec::new();
    let plans = SourcePlan::of(request);
    if plans.iter().any(SourcePlan::is_device) {
        hotplug::listen(stop);
    }
    for plan in plans {
        let (video, audio) = (request.video.clone(), request.audio.clone());
        let (clock, counters) = (clock.clone(), Arc::clone(counters));
        let opener = Opener { plan, video, audio, clock, counters };
        let first = opener.clone();
        let opened =
            Bounded::start("capture-open", CAPTURE_DRIVER_TIMEOUT, move || first.open(|| false))
                .map_err(refused)?;
        opening.push((opener, opened));
    }
    let mut feeds = Vec::new();
    for (opener, opened) in opening {
        let hung = || Err(opener.plan.blame("its driver does not answer".to_owned()));
        let opened = match opened.wait().unwrap_or_else(hung) {
            Ok(opened) => Some(opened),
            Err(error) if may_be_absent(&opener.plan, request.start_without) => {
                tracing::warn!(%error, "starting without it");
                None
            }
            Err(error) => return Err(error),
        };
        feeds.push(Feed::start(opener, opened, stop).map_err(refused)?);
    }
    Ok(feeds)
}

/// Whether the owner said that the box goes live without this source. A clip is no device that
/// somebody plugs in later.
fn may_be_absent(plan: &SourcePlan, start_without: StartWithout) -> bool {
    plan.is_live()
        && (!plan.has_picture() || start_without.camera)
        && (!plan.has_sound() || start_without.microphone)
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
    use std::{sync::mpsc, time::Duration};

    use super::{
        encoders::{AudioEncoder, Bitrate, ForceKey, Memory, VideoEncoder},
        *,
    };
    use crate::{
        board::Profile,
        media::{Frame, Kind, Track},
    };

    static AUDIO: AudioEncoder =
        AudioEncoder { element: "avenc_aac", properties: &[], delay_samples: 0 };

    /// An encoder that stands for one of a device, with what comes behind it.
    const fn device(caps: &'static str) -> VideoEncoder {
        VideoEncoder {
            element: "x264enc",
            software: false,
            memory: Memory::System,
            properties: &[("tune", "zerolatency"), ("speed-preset", "ultrafast")],
            caps,
            bitrate: Bitrate::any("bitrate", "{kbps}"),
            force_key: ForceKey::Event,
            size_max: (1_920, 1_200),
            known_bugs: &[],
        }
    }

    static FAILS: VideoEncoder = device("identity error-after=10");
    static SILENT: VideoEncoder = device("valve drop=true");
    /// Its driver is busy for so long, in µs, with the first picture, and cannot be closed before.
    static HANGS: VideoEncoder = device("identity sleep-time=12000000");

    struct Ran {
        capture: Capture,
        frames: mpsc::Receiver<Frame>,
        events: mpsc::Receiver<CaptureEvent>,
    }

    const LONG: Duration = Duration::from_secs(60);

    /// Starts a programme with that encoder; the board names `order` beside it.
    fn start(encoder: &'static VideoEncoder, order: &[&str]) -> Ran {
        gst::init().expect("GStreamer");
        let mut request = Request::from(&Profile::named("sim").expect("embedded"));
        (request.video.width, request.video.height) = (320, 180);
        request.encoders.video = order.iter().map(|element| (*element).to_owned()).collect();
        let (to_events, events) = mpsc::channel();
        let (to_frames, frames) = mpsc::channel();
        let report = move |event| {
            let _ = to_events.send(event);
        };
        let sink: FrameSink = Arc::new(move |frame| {
            let _ = to_frames.send(frame);
        });
        let chosen = Chosen { video: encoder, audio: &AUDIO };
        let capture =
            Capture::start_with(request, chosen, &Stop::default(), sink, Arc::new(report));
        Ran { capture: capture.expect("starts"), frames, events }
    }

    impl Ran {
        /// What comes until the other encoder has given a second of pictures.
        fn until_another_works(&self) -> Vec<Frame> {
            let (mut frames, mut of_another) = (Vec::new(), 0);
            while of_another < 30 {
                let frame = self.frames.recv_timeout(LONG).expect("a frame");
                let another = self.capture.stats().video_encoder == "openh264enc";
                of_another += usize::from(another && frame.track() == Track::Video);
                frames.push(frame);
            }
            frames
        }
    }

    /// What a server must not notice: sound without a gap, times that never go back, and each
    /// change of codec parameters followed by a key frame.
    fn assert_one_session(ran: &Ran, frames: &[Frame], configurations: usize) {
        for track in [Track::Video, Track::Audio] {
            let times: Vec<u64> =
                frames.iter().filter(|f| f.track() == track).map(|f| f.dts_ns).collect();
            assert!(times.windows(2).all(|pair| pair[0] <= pair[1]), "{track:?} goes back");
        }
        let sound: Vec<u64> =
            frames.iter().filter(|f| f.kind == Kind::Audio).map(|f| f.dts_ns).collect();
        let longest_ns = sound.windows(2).map(|pair| pair[1] - pair[0]).max();
        assert!(longest_ns.is_some_and(|ns| ns < 100_000_000), "{longest_ns:?} without sound");
        let video: Vec<Kind> =
            frames.iter().filter(|f| f.track() == Track::Video).map(|f| f.kind).collect();
        let at: Vec<usize> = (0..video.len()).filter(|i| video[*i] == Kind::VideoConfig).collect();
        assert_eq!(at.len(), configurations, "codec parameters change with the encoder alone");
        assert!(at.iter().all(|i| video.get(i + 1) == Some(&Kind::VideoKey)));
        let events: Vec<CaptureEvent> = ran.events.try_iter().collect();
        assert_eq!(events[0], CaptureEvent::Playing);
        assert!(events[1..].iter().all(|event| *event == CaptureEvent::FirstKey), "{events:?}");
        assert_eq!(ran.capture.stats().encoder_restarts, 4, "three tries, then another one");
    }

    #[test]
    fn an_encoder_that_fails_is_set_up_anew_and_then_replaced_while_the_session_goes_on() {
        let ran = start(&FAILS, &["x264enc", "openh264enc"]);
        let frames = ran.until_another_works();
        assert_one_session(&ran, &frames, 2);
        ran.capture.set_bitrate_kbps(777);
        assert_eq!(ran.capture.stats().bitrate_kbps, 777);
        assert!(ran.capture.stop());
    }

    #[test]
    fn an_encoder_that_goes_silent_is_replaced_while_the_session_goes_on() {
        let ran = start(&SILENT, &["x264enc", "openh264enc"]);
        let frames = ran.until_another_works();
        assert_one_session(&ran, &frames, 1);
        assert!(ran.capture.stop());
    }

    #[test]
    fn an_encoder_that_hangs_takes_nothing_from_its_successor_when_it_wakes_up() {
        let ran = start(&HANGS, &["x264enc", "openh264enc"]);
        let frames = ran.until_another_works();
        let since_ns = frames.last().expect("frames").dts_ns;
        // The one that hung last wakes up 3 s later.
        let (mut last_ns, mut gap_ns) = (since_ns, 0);
        while last_ns < since_ns + 9_000_000_000 {
            let frame = ran.frames.recv_timeout(LONG).expect("a frame");
            if frame.track() == Track::Video && frame.kind != Kind::VideoConfig {
                gap_ns = gap_ns.max(frame.dts_ns - last_ns);
                last_ns = frame.dts_ns;
            }
        }
        assert!(gap_ns < 2_500_000_000, "{gap_ns} ns without a picture");
        assert_eq!(ran.capture.stats().encoder_restarts, 4, "three tries, then another one");
        ran.capture.stop();
    }

    #[test]
    fn when_no_encoder_is_left_the_capture_ends_with_the_reason() {
        let ran = start(&FAILS, &["x264enc"]);
        let mut events = vec![ran.events.recv_timeout(LONG).expect("an event")];
        while events.last() != Some(&CaptureEvent::Ended) {
            events.push(ran.events.recv_timeout(LONG).expect("an event"));
        }
        match &events[events.len() - 2] {
            CaptureEvent::Error { fault: Fault::Encoder, said } => assert!(!said.is_empty()),
            other => panic!("{other:?}"),
        }
        assert!(ran.capture.stop());
        assert!(ran.events.try_recv().is_err(), "nothing comes after the end");
    }
}
