//! Converters that stand for those of devices and fail as these do: the camera goes on with the next one.

use std::{ptr, time::Instant};

use gstreamer_video::VideoFormat::{I420, Nv12, Yuy2};

use super::{
    decoders::{BACK, Decoded, LOST, start_with},
    *,
};
use crate::capture::{
    convert::{ConverterSpec, Shape, Task, Work, converters::software, probe},
    decode::decoders,
};

/// A converter that stands for one of a device, with what comes behind it.
const fn device(caps: Option<&'static str>) -> ConverterSpec {
    ConverterSpec {
        element: "videoconvertscale",
        software: false,
        properties: &[],
        takes: &[Yuy2, Nv12, I420],
        gives: &[Yuy2, Nv12, I420],
        scales: true,
        caps,
        download: None,
        size_max: (1_920, 1_200),
        known_bugs: &[],
    }
}

static WORKS: ConverterSpec = device(Some("video/x-raw"));
static FAILS: ConverterSpec = device(Some("identity error-after=20"));
static ENDS: ConverterSpec = device(Some("identity eos-after=20"));
static SILENT: ConverterSpec = device(Some("valve drop=true"));
/// One frame, and then none for long.
static GOES_SILENT: ConverterSpec =
    device(Some("videorate drop-only=true ! video/x-raw, framerate=(fraction)1/60"));
static WRONG_CAPS: ConverterSpec =
    device(Some("capssetter caps=\"video/x-bayer, format=(string)rggb\" join=false replace=true"));
/// It cannot even be linked.
static NO_CAPS: ConverterSpec = device(Some("video/x-raw(memory:NVMM)"));
/// Its driver is busy for so long, in µs, with the first frame, and cannot be closed before.
static HANGS: ConverterSpec = device(Some("identity sleep-time=30000000"));
/// It gives what its driver likes best, and says so.
static OTHER_COLOURS: ConverterSpec = device(Some("video/x-raw, colorimetry=(string)bt709"));

/// A camera whose frames the encoder does not take as they are.
const CAMERA: &str = "videotestsrc is-live=true ! video/x-raw, format=(string)YUY2, width=(int)320, \
                      height=(int)180, framerate=(fraction)30/1, colorimetry=(string)bt601";

/// Starts a stream with that camera and that converter, behind which is the software one.
fn start(camera: &str, converter: &'static ConverterSpec) -> (Decoded, Converters) {
    let converters = Converters::untried(&[converter, software()]);
    (start_among(camera, converters.clone()), converters)
}

fn start_among(camera: &str, converters: Converters) -> Decoded {
    gstreamer::init().expect("GStreamer");
    let decoders = JpegDecoders::untried(&[decoders::software()]);
    let camera = CameraSource::Launch { launch: camera.to_owned(), passthrough: false };
    start_with(camera, Elements { decoders, converters, framing: SharedFraming::default() })
}

fn uses(converters: &Converters, converter: &'static ConverterSpec) -> bool {
    converters.used().is_some_and(|used| ptr::eq(used, converter))
}

// Shows F65.
#[test]
fn a_camera_whose_converter_fails_on_air_comes_back_with_the_next_one() {
    for converter in [&FAILS, &ENDS, &GOES_SILENT] {
        let (ran, converters) = start(CAMERA, converter);
        assert!(uses(&converters, converter), "it delivered a first frame");
        ran.wait_for(&LOST);
        ran.wait_for(&BACK);
        assert!(uses(&converters, software()), "{:?}", converter.caps);
        ran.a_second_of_the_camera();
        ran.assert_one_session();
    }
}

#[test]
fn a_camera_whose_converter_delivers_nothing_at_the_start_is_opened_with_the_next_one() {
    for converter in [&SILENT, &WRONG_CAPS, &NO_CAPS, &HANGS, &OTHER_COLOURS] {
        let (ran, converters) = start(CAMERA, converter);
        assert!(uses(&converters, software()), "{:?}", converter.caps);
        ran.a_second_of_the_camera();
        assert!(ran.events.try_iter().all(|event| event != LOST), "{:?}", converter.caps);
        let asked = Instant::now();
        assert!(ran.capture.stop(), "{:?}", converter.caps);
        assert!(asked.elapsed() < Duration::from_secs(10), "the one that hangs holds nothing up");
    }
}

#[test]
fn a_camera_that_fails_ends_or_freezes_keeps_its_converter() {
    let ends = CAMERA.replace("is-live=true", "is-live=true num-buffers=20");
    let fails = CAMERA.replace(" ! video", " ! identity error-after=20 ! video");
    let freezes = CAMERA.replace("framerate=(fraction)30/1", "framerate=(fraction)1/60").replace(
        " ! video",
        " ! video/x-raw, framerate=(fraction)30/1 ! videorate drop-only=true ! video",
    );
    for camera in [ends, fails, freezes] {
        let (ran, converters) = start(&camera, &WORKS);
        ran.wait_for(&LOST);
        ran.wait_for(&BACK);
        assert!(uses(&converters, &WORKS), "{camera}");
        ran.capture.stop();
    }
}

#[test]
fn frames_that_the_encoder_takes_go_through_no_converter() {
    // The layout is one that x264 takes, in the size of the stream.
    let (ran, converters) = start(&CAMERA.replace("YUY2", "NV12"), &HANGS);
    ran.a_second_of_the_camera();
    assert!(converters.used().is_none());
    assert!(ran.capture.stop());
}

#[test]
fn a_converter_leaves_the_colours_of_the_camera_as_they_are() {
    // Each is what the other size would have by default.
    for (colours, size) in [
        ("bt709", "width=(int)320, height=(int)180"),
        ("bt601", "width=(int)1280, height=(int)720"),
    ] {
        let camera =
            CAMERA.replace("bt601", colours).replace("width=(int)320, height=(int)180", size);
        let (ran, converters) = start(&camera, &WORKS);
        let frames = ran.capture.pipeline.video_setup().frames;
        assert_eq!(frames.layout, I420);
        assert_eq!(frames.colorimetry.to_string(), colours);
        assert!(uses(&converters, &WORKS));
        assert!(ran.capture.stop());
    }
}

#[test]
fn a_converter_is_given_no_colours_that_it_was_not_tried_with() {
    let (ran, converters) = start(&CAMERA.replace("bt601", "1:4:7:1"), &WORKS);
    assert_eq!(ran.capture.pipeline.video_setup().frames.colorimetry.to_string(), "1:4:7:1");
    assert!(uses(&converters, software()));
    assert!(ran.capture.stop());
}

#[test]
fn a_converter_that_works_is_used_after_its_trial_and_others_never_see_the_camera() {
    static TURNED: ConverterSpec = device(Some("videoflip video-direction=horiz"));
    let converters = Converters::tried(&[&TURNED, &WORKS, software()]);
    let ran = start_among(
        &CAMERA.replace("width=(int)320, height=(int)180", "width=(int)640, height=(int)360"),
        converters.clone(),
    );
    assert!(uses(&converters, &WORKS));
    ran.a_second_of_the_camera();
    ran.assert_one_session();
}

#[test]
fn a_converter_is_tried_with_a_chart_and_says_what_is_wrong_with_it() {
    static TURNED: ConverterSpec = device(Some("videoflip video-direction=horiz"));
    static PALE: ConverterSpec = device(Some("videobalance saturation=0.8"));
    /// It computes BT.601 of whatever comes, and passes it off for what was asked.
    static LIES: ConverterSpec = device(Some(
        "video/x-raw, colorimetry=(string)bt601 ! \
         capssetter caps=\"video/x-raw, colorimetry=(string)bt709\"",
    ));
    static ABSENT: ConverterSpec = ConverterSpec { element: "abacusconvert", ..device(None) };
    gstreamer::init().expect("GStreamer");
    let from = Shape { layout: Yuy2, size: (640, 360) };
    let to = Shape { layout: I420, size: (320, 180) };
    let work = Work::between(from, &[I420], to.size).expect("something to do");
    assert_eq!(WORKS.task(&work), Ok(Task { from, to }));
    for (converter, why) in [
        (&WORKS, Ok(())),
        (&FAILS, Ok(())),
        (&SILENT, Err("nothing came out within 3 s")),
        (&WRONG_CAPS, Err("")),
        (&NO_CAPS, Err("could not link")),
        (&TURNED, Err("changes the colours of bt601")),
        (&PALE, Err("changes the colours of bt601")),
        (&OTHER_COLOURS, Err("")),
        (&LIES, Err("")),
        (&ABSENT, Err("abacusconvert is missing")),
    ] {
        match (probe::probe(converter, Task { from, to }), why) {
            (Ok(()), Ok(())) => {}
            (Err(found), Err(why)) => assert!(found.contains(why), "{found}"),
            (found, _) => panic!("{:?}: {found:?}", converter.caps),
        }
    }
    let time = probe::time_a_frame(&WORKS, Task { from, to }).expect("measured");
    assert!(time > Duration::ZERO && time < Duration::from_secs(3), "{time:?}");
}
