mod bitrates;
mod converters;
mod decoders;
mod importer;
mod importing;

use std::{
    env::temp_dir,
    fs::{File, OpenOptions, remove_file},
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use gstreamer::prelude::*;
use gstreamer_video::VideoFormat;
use nix::{sys::stat::Mode, unistd::mkfifo};

use super::{
    encode::encoders::{AudioEncoderSpec, Bitrate, ForceKey, Memory, VideoEncoderSpec},
    *,
};
use crate::{
    board::Profile,
    media::{Frame, Kind, Track},
};

static AUDIO: AudioEncoderSpec =
    AudioEncoderSpec { element: "avenc_aac", properties: &[], delay_samples: 0, known_bugs: &[] };

/// An encoder that stands for one of a device, with what comes behind it.
const fn device(caps: &'static str) -> VideoEncoderSpec {
    VideoEncoderSpec {
        element: "x264enc",
        software: false,
        memory: Memory::System,
        imports: None,
        takes: &[VideoFormat::I420, VideoFormat::Nv12],
        properties: &[("tune", "zerolatency"), ("speed-preset", "ultrafast")],
        caps,
        bitrate: Bitrate::any("bitrate", "{kbps}"),
        force_key: ForceKey::Event,
        size_max: (1_920, 1_200),
        known_bugs: &[],
    }
}

static WORKS: VideoEncoderSpec = device("identity");
static FAILS: VideoEncoderSpec = device("identity error-after=10");
static SILENT: VideoEncoderSpec = device("valve drop=true");
/// Its driver is busy for so long, in µs, with the first frame, and cannot be closed before.
static HANGS: VideoEncoderSpec = device("identity sleep-time=12000000");

struct Ran {
    capture: Capture,
    frames: mpsc::Receiver<Frame>,
    events: mpsc::Receiver<CaptureEvent>,
}

const LONG: Duration = Duration::from_secs(60);

/// A file that stands for a device: to open it hangs until this is dropped.
pub(in crate::capture) struct Fifo {
    pub(in crate::capture) path: PathBuf,
}

impl Fifo {
    pub(in crate::capture) fn new() -> Fifo {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = temp_dir().join(format!("firstmile-fifo-{}-{number}", std::process::id()));
        mkfifo(&path, Mode::from_bits_truncate(0o600)).expect("a FIFO");
        Fifo { path }
    }

    /// Both ends of it.
    pub(in crate::capture) fn open(&self) -> File {
        OpenOptions::new().read(true).write(true).open(&self.path).expect("its ends")
    }
}

impl Drop for Fifo {
    fn drop(&mut self) {
        // Whoever hangs gets to the end of the file.
        self.open();
        let _ = remove_file(&self.path);
    }
}

/// Starts a stream with that encoder; the board names `order` as well.
fn start(encoder: &'static VideoEncoderSpec, order: &[&str]) -> Ran {
    gstreamer::init().expect("GStreamer");
    let mut request = Request::from(&Profile::named("sim").expect("embedded"));
    (request.video.width, request.video.height) = (320, 180);
    request.encoders.video = order.iter().map(|element| (*element).to_owned()).collect();
    start_request(request, encoder)
}

fn start_request(request: Request, encoder: &'static VideoEncoderSpec) -> Ran {
    let (to_events, events) = mpsc::channel();
    let (to_frames, frames) = mpsc::channel();
    let report = move |event| {
        let _ = to_events.send(event);
    };
    let sink: FrameSink = Arc::new(move |frame| {
        let _ = to_frames.send(frame);
    });
    let layouts = encoder.takes.to_vec();
    let chosen = Chosen { video: encoder, layouts, imports: false, audio: &AUDIO };
    let decoders = JpegDecoders::of(&[], &request.video, false);
    let elements =
        Elements { decoders, converters: Converters::of(&[]), framing: SharedFraming::default() };
    let threads = Threads::default();
    let capture = Capture::start_with(
        request,
        chosen,
        elements,
        &threads,
        OnAir::from_the_start(),
        (sink, Arc::new(report)),
        Deadline::after(CAPTURE_START_TIMEOUT),
    );
    Ran { capture: capture.expect("starts"), frames, events }
}

impl Ran {
    fn wait_until(&self, what: &str, is_so: impl Fn() -> bool) {
        let deadline = Instant::now() + LONG;
        while !is_so() {
            assert!(Instant::now() < deadline, "{what}: never");
            let _ = self.frames.recv_timeout(LONG).expect("a frame");
        }
    }

    /// What comes until the other encoder has given a second of frames.
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

/// What a server must not notice: audio without a gap, times that never go back, and each
/// change of codec parameters followed by a key frame.
fn assert_one_session(ran: &Ran, frames: &[Frame], configurations: usize) {
    for track in [Track::Video, Track::Audio] {
        let times: Vec<u64> =
            frames.iter().filter(|f| f.track() == track).map(|f| f.dts_ns).collect();
        assert!(times.windows(2).all(|pair| pair[0] <= pair[1]), "{track:?} goes back");
    }
    let audio: Vec<u64> =
        frames.iter().filter(|f| f.kind == Kind::Audio).map(|f| f.dts_ns).collect();
    let longest_ns = audio.windows(2).map(|pair| pair[1] - pair[0]).max();
    assert!(longest_ns.is_some_and(|ns| ns < 100_000_000), "{longest_ns:?} without audio");
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
fn an_encoder_that_fails_is_restarted_and_then_replaced_while_the_session_goes_on() {
    let ran = start(&FAILS, &["x264enc", "openh264enc"]);
    let frames = ran.until_another_works();
    assert_one_session(&ran, &frames, 2);
    ran.capture.set_bitrate_kbps(777);
    ran.wait_until("the bitrate is in use", || ran.capture.stats().bitrate_kbps == 777);
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
    assert!(gap_ns < 2_500_000_000, "{gap_ns} ns without a frame");
    assert_eq!(ran.capture.stats().encoder_restarts, 2, "one try, then another one");
    ran.capture.stop();
}

// Shows F63.
#[test]
fn a_driver_that_takes_its_time_with_an_order_stops_neither_video_nor_audio() {
    let ran = start(&WORKS, &["x264enc"]);
    let ((begun, is_begun), (go, may_go)) = (mpsc::channel(), mpsc::channel::<()>());
    let may_go = Mutex::new(may_go);
    ran.capture.pipeline.video_element().connect_notify(Some("bitrate"), move |element, _| {
        let _ = begun.send(element.property::<u32>("bitrate"));
        let _ = may_go.lock().expect("one thread").recv_timeout(LONG);
    });
    ran.capture.set_bitrate_kbps(700);
    assert_eq!(is_begun.recv_timeout(LONG), Ok(700), "it is asked");
    for kbps in [800, 900] {
        ran.capture.set_bitrate_kbps(kbps);
        ran.capture.force_key_frame();
    }
    // What was delivered before does not count.
    while ran.frames.try_recv().is_ok() {}
    let mut delivered = [0, 0];
    while delivered.iter().any(|frames| *frames < 60) {
        let frame = ran.frames.recv_timeout(LONG).expect("a frame");
        delivered[usize::from(frame.track() == Track::Audio)] += 1;
    }
    assert_ne!(ran.capture.stats().bitrate_kbps, 700, "it has not answered");
    assert!(is_begun.try_recv().is_err(), "nor been asked again");
    go.send(()).expect("it is held");
    assert_eq!(is_begun.recv_timeout(LONG), Ok(900), "the newest is wanted, and no other");
    go.send(()).expect("it is held");
    ran.wait_until("the bitrate is in use", || ran.capture.stats().bitrate_kbps == 900);
    assert!(ran.capture.stop());
}

#[test]
fn an_encoder_that_replaces_another_has_the_newest_bitrate() {
    let ran = start(&FAILS, &["x264enc", "openh264enc"]);
    ran.capture.set_bitrate_kbps(777);
    ran.until_another_works();
    ran.wait_until("the bitrate is in use", || ran.capture.stats().bitrate_kbps == 777);
    let bit_s: u32 = ran.capture.pipeline.video_element().property("bitrate");
    assert_eq!(bit_s, 777_000);
    assert!(ran.capture.stop());
}

// Shows F63.
#[test]
fn an_encoder_that_hangs_when_it_is_started_is_passed_over() {
    let device_of_it = Fifo::new();
    let caps = format!(
        "identity name=behind  filesrc location={} ! fakesink  behind.",
        device_of_it.path.display()
    );
    let encoder: &'static VideoEncoderSpec = Box::leak(Box::new(device(caps.leak())));
    let ran = start(encoder, &["x264enc", "openh264enc"]);
    ran.wait_until("a key frame", || ran.capture.stats().key_frames > 0);
    assert_eq!(ran.capture.stats().video_encoder, "openh264enc");
    assert!(ran.capture.stop());
}

#[test]
fn when_no_encoder_is_left_the_capture_ends_with_the_reason() {
    let ran = start(&FAILS, &["x264enc"]);
    let mut events = vec![ran.events.recv_timeout(LONG).expect("an event")];
    while events.last() != Some(&CaptureEvent::Ended) {
        events.push(ran.events.recv_timeout(LONG).expect("an event"));
    }
    match &events[events.len() - 2] {
        CaptureEvent::Error { fault: Fault::Encoder, message } => assert!(!message.is_empty()),
        other => panic!("{other:?}"),
    }
    assert!(ran.capture.stop());
    assert!(ran.events.try_recv().is_err(), "nothing comes after the end");
}

/// A capture of a live camera whose mixer stands still from the loss of the microphone until what is
/// returned is used or dropped.
fn start_with_a_mixer_that_stands_still(camera: &str) -> (Ran, mpsc::Sender<()>) {
    gstreamer::init().expect("GStreamer");
    let mut request = Request::from(&Profile::named("sim").expect("embedded"));
    (request.video.width, request.video.height) = (320, 180);
    request.camera = CameraSource::Launch { launch: camera.to_owned(), passthrough: false };
    let launch = "audiotestsrc is-live=true num-buffers=100 ! audio/x-raw, rate=(int)48000";
    request.microphone = MicrophoneSource::Launch { launch: launch.to_owned() };
    let (to_events, events) = mpsc::channel();
    let (to_frames, frames) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel();
    let may_go_on = std::sync::Mutex::new(may_go_on);
    let report = move |event| {
        let is_loss = event == CaptureEvent::SourceLost(Source::Microphone);
        let _ = to_events.send(event);
        if is_loss {
            let _ = may_go_on.lock().expect("once").recv_timeout(LONG);
        }
    };
    let sink: FrameSink = Arc::new(move |frame| {
        let _ = to_frames.send(frame);
    });
    let capture = Capture::start(request, sink, report).expect("starts");
    let ran = Ran { capture, frames, events };
    let lost = CaptureEvent::SourceLost(Source::Microphone);
    while ran.events.recv_timeout(LONG).expect("an event") != lost {}
    while ran.frames.try_recv().is_ok() {}
    (ran, go_on)
}

#[test]
fn a_live_cameras_frames_reach_the_encoder_without_the_mixer() {
    let camera = "videotestsrc is-live=true ! video/x-raw, framerate=(fraction)30/1";
    let (ran, go_on) = start_with_a_mixer_that_stands_still(camera);
    let before = ran.capture.stats();
    let mut frames = 0;
    while frames < 30 {
        let frame = ran.frames.recv_timeout(LONG).expect("a frame");
        frames += usize::from(matches!(frame.kind, Kind::VideoKey | Kind::VideoDelta));
    }
    let stats = ran.capture.stats();
    assert!(stats.audio_frames < before.audio_frames + 20, "the mixer stands still");
    drop(go_on);
    assert!(ran.capture.stop());
}

/// One that claims a layout which it does not take, or hangs with it.
fn confirmed(caps: &'static str) -> (&'static str, Vec<VideoFormat>) {
    gstreamer::init().expect("GStreamer");
    let mut request = Request::from(&Profile::named("sim").expect("embedded"));
    (request.video.width, request.video.height) = (320, 180);
    request.encoders.video = ["x264enc", "openh264enc"].map(str::to_owned).to_vec();
    let video: &'static VideoEncoderSpec = Box::leak(Box::new(device(caps)));
    let layouts = video.takes.to_vec();
    let mut chosen = Chosen { video, layouts, imports: false, audio: &AUDIO };
    let frames = FrameFormat::drawn(VideoFormat::Nv12);
    encode::probe::confirm(&mut chosen, &request, frames, Deadline::after(CAPTURE_START_TIMEOUT))
        .expect("another encoder");
    (chosen.video.element, chosen.layouts)
}

#[test]
fn an_encoder_is_not_given_a_layout_that_it_claims_and_does_not_take() {
    let (element, layouts) = confirmed("identity error-after=1");
    assert_eq!((element, layouts), ("x264enc", vec![VideoFormat::I420]));
}

#[test]
fn an_encoder_that_hangs_with_the_cameras_layout_is_passed_over() {
    let (element, layouts) = confirmed("identity sleep-time=12000000");
    assert_eq!((element, layouts), ("openh264enc", vec![VideoFormat::I420]));
}

#[test]
fn a_camera_whose_frames_change_their_form_is_opened_again() {
    gstreamer::init().expect("GStreamer");
    let mut request = Request::from(&Profile::named("sim").expect("embedded"));
    (request.video.width, request.video.height) = (320, 180);
    let part = |frames: &str, layout: &str| {
        format!(
            "videotestsrc is-live=true {frames} ! video/x-raw, format=(string){layout}, width=(int)320, \
             height=(int)180, framerate=(fraction)30/1, colorimetry=(string)bt601 ! c."
        )
    };
    let launch =
        format!("concat name=c {} {} c.", part("num-buffers=30", "NV12"), part("", "I420"));
    request.camera = CameraSource::Launch { launch, passthrough: false };
    let (to_events, events) = mpsc::channel();
    let report = move |event| {
        let _ = to_events.send(event);
    };
    let capture = Capture::start(request, Arc::new(|_| ()), report).expect("starts");
    assert_eq!(capture.pipeline.video_setup().frames.layout, VideoFormat::Nv12);
    let lost = loop {
        if let CaptureEvent::Error { message, .. } = events.recv_timeout(LONG).expect("an event") {
            break message;
        }
    };
    assert!(lost.contains("changed from NV12 bt601 to I420 bt601"), "{lost}");
    while events.recv_timeout(LONG).expect("an event") != CaptureEvent::SourceBack(Source::Camera) {
    }
    assert!(capture.stop());
}
