use std::thread;

use gstreamer_video::VideoFormat as Layout;

use super::*;
use crate::{
    board::Profile,
    capture::{
        CameraSource, Request,
        decode::decoders::software,
        discovery::tests::{Fake, Tree},
        tests::Fifo,
    },
    limits::CAPTURE_SEARCH_TIMEOUT,
    selection::{CameraDevice, CameraMode, VideoFormat},
};

fn opener() -> SourceOpener {
    gst::init().expect("GStreamer");
    SourceOpener {
        plan: SourcePlan::Fixed(SourceSpec::CameraLaunch("any".to_owned())),
        video: VideoSettings { width: 320, height: 180, ..VideoSettings::of_720p() },
        scales: true,
        frames: WantedFrames::OneOf(vec![Layout::I420]),
        audio: AudioSettings { sample_rate_hz: 48_000, channels: 2, bitrate_kbps: 128 },
        clock: MediaClock::start(),
        counters: Arc::default(),
        elements: Elements {
            decoders: JpegDecoders::untried(&[software()]),
            converters: Converters::of(&[]),
            framing: SharedFraming::default(),
        },
        known: Known::default(),
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
    assert_eq!(opener.known.asked.names(), ["a"]);
    assert!(open().expect("the next one").frames().is_some());
    assert_eq!(opener.known.asked.names(), ["a"]);
    drop(device);
    let deadline = Deadline::after(CAPTURE_OPEN_TIMEOUT);
    while !opener.known.asked.names().is_empty() {
        assert!(!deadline.left().is_zero(), "it has answered");
        thread::yield_now();
    }
}

/// A camera that delivers its first frame so late.
fn late(ms: u64) -> SourceSpec {
    let launch = format!("videotestsrc ! identity sleep-time={}", ms * 1_000);
    SourceSpec::CameraLaunch(launch)
}

#[test]
fn what_the_search_takes_is_not_taken_from_the_camera() {
    let opener = opener();
    let find = || {
        // As long as it may take.
        thread::sleep(CAPTURE_SEARCH_TIMEOUT);
        let usable = vec![(String::new(), late(2_500))];
        (opener.clone(), SourceCandidates { usable, ..SourceCandidates::default() })
    };
    let opened = opener.open_what_is_found(find, &|| false);
    assert!(opened.expect("opens").frames().is_some());
}

#[test]
fn a_camera_that_needs_more_than_its_share_is_not_lost_for_ever_to_one_that_is_silent() {
    let opener = opener();
    let silent = "videotestsrc is-live=true ! valve drop=true".to_owned();
    let mut rounds = (0..8).map(|_| {
        let silent = ("silent".to_owned(), SourceSpec::CameraLaunch(silent.clone()));
        let usable = vec![silent, ("late".to_owned(), late(1_400))];
        let found = SourceCandidates { usable, ..SourceCandidates::default() };
        // A share is a second.
        opener.open_first(found, Deadline::after(Duration::from_secs(2)), &|| false)
    });
    let opened = rounds.find_map(Result::ok);
    assert_eq!(opened.expect("the other one").name, "late");
}

/// The cameras of a machine, of which the driver of one hangs.
fn with_a_hanging_driver(root: &Tree) -> Fake {
    root.camera(0, "vivid-000-vid-cap", "vivid", "sys/devices/platform/vivid.0");
    root.camera(2, "HD Camera", "uvcvideo", "sys/devices/usb1/1-1/1-1:1.0");
    root.camera(3, "HD Camera", "uvcvideo", "sys/devices/usb1/1-1/1-1:1.0");
    Fake::new(root, &[0])
}

fn v4l2(device: &str) -> SourcePlan {
    let device = CameraDevice::parse(device).expect("well formed");
    let (formats, mode) = (VideoFormat::USUAL.to_vec(), CameraMode::default());
    SourcePlan::V4l2 { device, formats, mode }
}

#[test]
fn a_camera_is_opened_without_a_question_to_the_drivers_of_others() {
    let root = Tree::new("others");
    let fake = with_a_hanging_driver(&root);
    let known = Known { drivers: fake.drivers.clone(), ..Known::default() };
    let opener = SourceOpener { plan: v4l2("usb:1-1"), known, ..opener() };
    // Files stand in for the nodes, so they are found and cannot be opened.
    let why = opener.open(|| false).expect_err("files are no cameras").to_string();
    for node in ["video2), YUY2 1280x720 at 30: ", "video3), YUY2 1280x720 at 30: "] {
        assert!(why.contains(node), "no {node}: {why}");
    }
    assert_eq!(fake.asked(), [2, 3]);
}

#[test]
fn a_camera_is_tried_although_the_driver_of_another_that_is_meant_as_well_hangs() {
    let root = Tree::new("beside");
    let fake = with_a_hanging_driver(&root);
    let known = Known { drivers: fake.drivers.clone(), ..Known::default() };
    let opener = SourceOpener { plan: v4l2("auto"), known, ..opener() };
    for _ in 0..2 {
        let why = opener.open(|| false).expect_err("files are no cameras").to_string();
        assert!(why.contains("vivid-000-vid-cap"), "{why}");
        assert!(why.contains("video0): its driver does not respond"), "{why}");
        assert!(why.contains("video2), YUY2 1280x720 at 30: "), "{why}");
    }
    assert_eq!(fake.asked(), [0, 2, 2, 3, 3], "the one that hangs is asked once");
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
        frames: WantedFrames::OneOf(vec![Layout::I420]),
        audio: request.audio,
        clock: MediaClock::start(),
        counters: Arc::default(),
        known: Known::default(),
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
