use std::thread;

use gstreamer_video::VideoFormat;

use super::*;
use crate::{
    board::Profile,
    capture::{CameraSource, Request, decode::decoders::software, tests::Fifo},
};

fn opener() -> SourceOpener {
    gst::init().expect("GStreamer");
    SourceOpener {
        plan: SourcePlan::Fixed(SourceSpec::CameraLaunch("any".to_owned())),
        video: VideoSettings { width: 320, height: 180, ..VideoSettings::of_720p() },
        scales: true,
        frames: WantedFrames::OneOf(vec![VideoFormat::I420]),
        audio: AudioSettings { sample_rate_hz: 48_000, channels: 2, bitrate_kbps: 128 },
        clock: MediaClock::start(),
        counters: Arc::default(),
        elements: Elements {
            decoders: JpegDecoders::untried(&[software()]),
            converters: Converters::of(&[]),
            framing: SharedFraming::default(),
        },
        asked: Asked::default(),
    }
}

#[test]
fn a_camera_whose_driver_hangs_does_not_keep_the_next_one_from_being_used() {
    let (opener, device) = (opener(), Fifo::new());
    let hangs = format!("filesrc location={}", device.path.display());
    let candidate =
        |name: &str, launch: &str| (name.to_owned(), SourceSpec::CameraLaunch(launch.to_owned()));
    let open = || {
        let usable = vec![candidate("a", &hangs), candidate("b", "videotestsrc is-live=true")];
        let found = SourceCandidates { usable, ..SourceCandidates::default() };
        opener.open_first(found, Deadline::after(CAPTURE_OPEN_TIMEOUT), &|| false)
    };
    assert!(open().expect("the next one").frames().is_some());
    // While it hangs it is not asked again.
    assert_eq!(*opener.asked.lock(), ["a"]);
    assert!(open().expect("the next one").frames().is_some());
    assert_eq!(*opener.asked.lock(), ["a"]);
    drop(device);
    let deadline = Deadline::after(CAPTURE_OPEN_TIMEOUT);
    while !opener.asked.lock().is_empty() {
        assert!(!deadline.left().is_zero(), "it has answered");
        thread::yield_now();
    }
}

#[test]
fn of_live_frames_that_nobody_takes_the_newest_are_kept_and_the_camera_does_not_wait() {
    gst::init().expect("GStreamer");
    let mut request = Request::from(&Profile::named("sim").expect("embedded"));
    (request.video.width, request.video.height) = (320, 180);
    let launch = "videotestsrc is-live=true ! video/x-raw, framerate=(fraction)60/1".to_owned();
    request.camera = CameraSource::Launch { launch, passthrough: false };
    let plan = SourcePlan::of(&request).into_iter().find(SourcePlan::has_video);
    let opener = SourceOpener {
        plan: plan.expect("a camera"),
        elements: Elements {
            decoders: JpegDecoders::of(&[], &request.video, false),
            converters: Converters::of(&[]),
            framing: SharedFraming::default(),
        },
        video: request.video,
        scales: true,
        frames: WantedFrames::OneOf(vec![VideoFormat::I420]),
        audio: request.audio,
        clock: MediaClock::start(),
        counters: Arc::default(),
        asked: Asked::default(),
    };
    let mut opened = opener.open(|| false).expect("opens");
    let reader = opened.video.as_mut().expect("video");
    let mut time = || reader.next().map(|frame| frame.time.expect("a time"));
    let first = time().expect("the first frame");
    thread::sleep(Duration::from_secs(1));
    let kept: Vec<Duration> = std::iter::from_fn(time).collect();
    assert!((1..=3).contains(&kept.len()), "{kept:?}: one may arrive meanwhile");
    assert!(kept[0] > first + Duration::from_millis(500), "{kept:?} after {first:?}");
}
