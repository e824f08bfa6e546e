//! JPEG decoders that stand for those of devices and fail as these do: the camera goes on with the
//! next one.

use std::ptr;

use super::*;
use crate::capture::decode::{JpegDecoderSpec, decoders::software};

/// A decoder that stands for one of a device, with what comes behind it.
const fn device(caps: Option<&'static str>) -> JpegDecoderSpec {
    JpegDecoderSpec {
        element: "jpegdec",
        software: false,
        parser: Some("jpegparse"),
        properties: &[("max-errors", "-1")],
        caps,
        download: None,
        size_max: (1_920, 1_920),
        known_bugs: &[],
    }
}

static WORKS: JpegDecoderSpec = device(Some("video/x-raw"));
static FAILS: JpegDecoderSpec = device(Some("identity error-after=20"));
static ENDS: JpegDecoderSpec = device(Some("identity eos-after=20"));
static SILENT: JpegDecoderSpec = device(Some("valve drop=true"));
/// One frame, and then none for long.
static GOES_SILENT: JpegDecoderSpec =
    device(Some("videorate drop-only=true ! video/x-raw, framerate=(fraction)1/60"));
static WRONG_CAPS: JpegDecoderSpec =
    device(Some("capssetter caps=\"video/x-bayer, format=(string)rggb\" join=false replace=true"));
/// It cannot even be linked.
static NO_CAPS: JpegDecoderSpec = device(Some("video/x-raw(memory:NVMM)"));
/// Its driver is busy for so long, in µs, with the first frame, and cannot be closed before.
static HANGS: JpegDecoderSpec = device(Some("identity sleep-time=30000000"));
/// The same, when the first frame has come out.
static HANGS_THEN: JpegDecoderSpec = device(Some(
    "tee name=hang  hang. ! identity name=main  hang. ! videorate drop-only=true ! \
     video/x-raw, framerate=1/60 ! identity sleep-time=30000000 ! fakesink async=false  main.",
));

const CAMERA: &str = "videotestsrc is-live=true ! \
                      video/x-raw, format=Y42B, width=320, height=180, framerate=30/1 ! jpegenc";

pub(super) struct Decoded {
    pub(super) capture: Capture,
    decoders: JpegDecoders,
    pub(super) frames: mpsc::Receiver<Frame>,
    pub(super) events: mpsc::Receiver<CaptureEvent>,
}

/// Starts a stream with that camera and that decoder, behind which is the software one.
fn start(camera: &str, decoder: &'static JpegDecoderSpec) -> Decoded {
    start_in_order(camera, &[decoder, software()])
}

fn start_in_order(camera: &str, order: &[&'static JpegDecoderSpec]) -> Decoded {
    let camera = CameraSource::LaunchJpeg { launch: camera.to_owned() };
    let decoders = JpegDecoders::untried(order);
    start_with(
        camera,
        Elements { decoders, converters: Converters::of(&[]), framing: SharedFraming::default() },
    )
}

/// Starts a stream with a camera whose frames go through these.
pub(super) fn start_with(camera: CameraSource, elements: Elements) -> Decoded {
    gstreamer::init().expect("GStreamer");
    let mut request = Request::from(&Profile::named("sim").expect("embedded"));
    (request.video.width, request.video.height) = (320, 180);
    request.camera = camera;
    let (to_events, events) = mpsc::channel();
    let (to_frames, frames) = mpsc::channel();
    let report = move |event| {
        let _ = to_events.send(event);
    };
    let sink: FrameSink = Arc::new(move |frame| {
        let _ = to_frames.send(frame);
    });
    let video = encode::encoders::video("x264enc").expect("known");
    let chosen = Chosen { video, layouts: video.layouts(), imports: false, audio: &AUDIO };
    let decoders = elements.decoders.clone();
    let capture = Capture::start_with(
        request,
        chosen,
        elements,
        &Threads::default(),
        OnAir::from_the_start(),
        (sink, Arc::new(report)),
        Deadline::after(CAPTURE_START_TIMEOUT),
    );
    Decoded { capture: capture.expect("starts"), decoders, frames, events }
}

impl Decoded {
    fn uses(&self, decoder: &'static JpegDecoderSpec) -> bool {
        ptr::eq(self.decoders.current(), decoder)
    }

    pub(super) fn wait_for(&self, wanted: &CaptureEvent) {
        while self.events.recv_timeout(LONG).expect("an event") != *wanted {}
    }

    /// A second of video in which no slate is shown.
    pub(super) fn a_second_of_the_camera(&self) {
        let before = self.capture.stats();
        let deadline = Instant::now() + LONG;
        while self.capture.stats().video_frames < before.video_frames + 30 {
            assert!(Instant::now() < deadline, "no video");
            let _ = self.frames.recv_timeout(LONG).expect("a frame");
        }
        assert_eq!(self.capture.stats().slate_frames, before.slate_frames, "the slate goes on");
    }

    /// Codec parameters come once a track.
    pub(super) fn assert_one_session(&self) {
        self.capture.stop();
        let configurations = self.frames.try_iter().filter(|frame| frame.kind.is_config()).count();
        assert!(configurations <= 2, "{configurations} sets of codec parameters");
    }
}

pub(super) const LOST: CaptureEvent = CaptureEvent::SourceLost(Source::Camera);
pub(super) const BACK: CaptureEvent = CaptureEvent::SourceBack(Source::Camera);

// Shows F56.
#[test]
fn a_camera_whose_decoder_fails_on_air_comes_back_with_the_next_one() {
    for decoder in [&FAILS, &ENDS, &GOES_SILENT] {
        let ran = start(CAMERA, decoder);
        assert!(ran.uses(decoder), "it delivered a first frame");
        ran.wait_for(&LOST);
        ran.wait_for(&BACK);
        assert!(ran.uses(software()), "{:?}", decoder.caps);
        ran.a_second_of_the_camera();
        ran.assert_one_session();
    }
}

#[test]
fn a_camera_whose_decoder_delivers_nothing_at_the_start_is_opened_with_the_next_one() {
    for decoder in [&SILENT, &WRONG_CAPS, &NO_CAPS, &HANGS] {
        let ran = start(CAMERA, decoder);
        assert!(ran.uses(software()), "{:?}", decoder.caps);
        ran.a_second_of_the_camera();
        assert!(ran.events.try_iter().all(|event| event != LOST), "{:?}", decoder.caps);
        let asked = Instant::now();
        assert!(ran.capture.stop(), "{:?}", decoder.caps);
        assert!(asked.elapsed() < Duration::from_secs(10), "the one that hangs holds nothing up");
    }
}

#[test]
fn a_decoder_that_hangs_holds_up_no_stop_though_nobody_knows_of_it_yet() {
    for is_followed in [true, false] {
        let order = [&HANGS_THEN, software()];
        let ran = start_in_order(CAMERA, if is_followed { &order } else { &order[..1] });
        assert!(ran.uses(&HANGS_THEN), "it delivered a first frame");
        // A busy machine may need more than one look.
        assert!((0..5).any(|_| ran.capture.stop()), "{is_followed}");
    }
}

#[test]
fn a_camera_that_fails_ends_or_freezes_keeps_its_decoder() {
    let ends = CAMERA.replace("is-live=true", "is-live=true num-buffers=20");
    let fails = format!("{CAMERA} ! identity error-after=20");
    let freezes = CAMERA
        .replace("! jpegenc", "! videorate drop-only=true ! video/x-raw, framerate=1/60 ! jpegenc");
    for camera in [ends, fails, freezes] {
        let ran = start(&camera, &WORKS);
        ran.wait_for(&LOST);
        ran.wait_for(&BACK);
        assert!(ran.uses(&WORKS), "{camera}");
        ran.capture.stop();
    }
}

#[test]
fn corrupt_jpegs_never_reach_the_decoder_of_a_device() {
    // One byte in some thousands becomes a marker, after the headers.
    let camera = format!("{CAMERA} ! breakmydata set-to=255 skip=700 probability=0.0003 seed=1");
    let ran = start(&camera, &WORKS);
    let deadline = Instant::now() + LONG;
    while ran.capture.stats().frames_corrupt < 20 {
        assert!(Instant::now() < deadline, "{:?}", ran.capture.stats());
        let _ = ran.frames.recv_timeout(LONG).expect("a frame");
    }
    assert!(ran.uses(&WORKS));
    assert!(ran.events.try_iter().all(|event| event != LOST), "enough are whole");
    ran.capture.stop();
}

#[test]
fn a_decoder_is_tried_with_a_known_frame_and_says_what_is_wrong_with_it() {
    static TURNED: JpegDecoderSpec = device(Some("videoflip video-direction=horiz"));
    static SMALLER: JpegDecoderSpec =
        device(Some("videoscale ! video/x-raw, width=(int)160, height=(int)90"));
    static ABSENT: JpegDecoderSpec = JpegDecoderSpec { element: "abacusdec", ..device(None) };
    gstreamer::init().expect("GStreamer");
    let video = VideoSettings { width: 320, height: 180, ..VideoSettings::of_720p() };
    let probe = |decoder| decode::probe::probe_jpeg(decoder, &video);
    assert_eq!(probe(&WORKS), Ok(()));
    assert_eq!(probe(software()), Ok(()));
    for (decoder, why) in [
        (&FAILS, Ok(())),
        (&SILENT, Err("nothing came out within 3 s")),
        (&WRONG_CAPS, Err("of 320x180")),
        (&NO_CAPS, Err("could not link")),
        (&HANGS, Err("its driver does not respond")),
        (&TURNED, Err("not the frame that went in")),
        (&SMALLER, Err("makes 160x90 of 320x180")),
        (&ABSENT, Err("abacusdec is missing")),
    ] {
        match (probe(decoder), why) {
            (Ok(()), Ok(())) => {}
            (Err(found), Err(why)) => assert!(found.contains(why), "{found}"),
            (found, _) => panic!("{:?}: {found:?}", decoder.caps),
        }
    }
    let large = VideoSettings { width: 2_000, ..video };
    let why = decode::probe::probe_jpeg(&WORKS, &large).expect_err("too large");
    assert_eq!(why, "takes no frame larger than 1920x1920");
}
