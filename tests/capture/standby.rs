//! A capture in standby: it measures, sends nothing, and goes on air with what is captured from then on.

use std::time::Duration;

use crate::common::{Clip, Taken, small};
use crate::support::fake_device::FakeDevice;
use firstmile::capture::{
    CameraSource, Capture, CaptureEvent, MicrophoneSource, Request, Source, StartWithout,
};
use firstmile::media::{Kind, Track};

/// What a capture that was in standby has sent begins with a key frame, both tracks at about the
/// same time, and without a gap in the audio after that.
fn check_begin(taken: &Taken) {
    taken.wait_for("a second of it", |kept| {
        kept.count(Kind::VideoDelta) > 30 && kept.count(Kind::Audio) > 47
    });
    let (video, audio) = (taken.of(Track::Video), taken.of(Track::Audio));
    assert_eq!((video[0].kind, audio[0].kind), (Kind::VideoConfig, Kind::AudioConfig));
    assert_eq!(video[1].kind, Kind::VideoKey);
    let apart_ns = video[1].pts_ns.abs_diff(audio[1].pts_ns);
    assert!(apart_ns < 100_000_000, "the tracks begin {apart_ns} ns apart");
    // An encoder that a busy machine holds up skips frames, and never samples.
    assert!(video[1..].is_sorted_by(|a, b| a.dts_ns < b.dts_ns));
    let steps = audio[1..].windows(2).map(|pair| pair[1].dts_ns - pair[0].dts_ns);
    assert!(steps.max().is_some_and(|step_ns| step_ns < 100_000_000), "there is a gap");
}

#[test]
fn a_capture_in_standby_measures_and_sends_nothing_and_goes_on_air_with_a_key_frame() {
    let taken = Taken::default();
    let capture = Capture::start_in_standby(small(), taken.sink(), taken.events()).expect("starts");
    std::thread::sleep(Duration::from_secs(5)); // longer than an encoder may be silent on air
    let stats = capture.stats();
    assert!(!stats.levels.channels.is_empty(), "{stats:?}");
    assert_eq!((stats.video_frames, stats.audio_frames, stats.encoder_restarts), (0, 0, 0));
    assert!(taken.of(Track::Video).is_empty() && taken.of(Track::Audio).is_empty());
    assert_eq!(taken.seen_events(), [CaptureEvent::Playing]);
    capture.go_on_air();
    capture.go_on_air();
    taken.wait_for("the first key frame", |kept| kept.has(&CaptureEvent::FirstKey));
    check_begin(&taken);
    // Its times go on from the start of the capture: it was on the same clock all the time.
    assert!(taken.of(Track::Video)[1].pts_ns > 5_000_000_000);
    assert!(capture.stop());
    let first_keys = taken.seen_events().iter().filter(|e| **e == CaptureEvent::FirstKey).count();
    assert_eq!(first_keys, 1);
}

#[test]
fn devices_that_were_in_standby_go_on_air_without_being_opened_again() {
    let (camera, microphone) = (FakeDevice::camera(30), FakeDevice::microphone());
    let request = Request {
        camera: CameraSource::Launch { launch: camera.launch(), passthrough: false },
        microphone: MicrophoneSource::Launch { launch: microphone.launch() },
        ..small()
    };
    let taken = Taken::default();
    let capture = Capture::start_in_standby(request, taken.sink(), taken.events()).expect("starts");
    std::thread::sleep(Duration::from_secs(1));
    assert!(taken.of(Track::Video).is_empty());
    capture.go_on_air();
    check_begin(&taken);
    let events = taken.seen_events();
    assert_eq!(events, [CaptureEvent::Playing, CaptureEvent::FirstKey], "nothing was lost");
    assert_eq!(capture.stats().sources_lost, 0);
}

#[test]
fn a_camera_that_is_lost_in_standby_goes_on_air_as_the_slate_and_is_used_when_it_is_back() {
    let camera = FakeDevice::camera(30);
    camera.plug(false);
    std::thread::sleep(Duration::from_millis(100));
    let request = Request {
        camera: CameraSource::Launch { launch: camera.launch(), passthrough: false },
        start_without: StartWithout { camera: true, microphone: false },
        ..small()
    };
    let taken = Taken::default();
    let capture = Capture::start_in_standby(request, taken.sink(), taken.events()).expect("starts");
    taken.wait_for("the loss", |kept| kept.has(&CaptureEvent::SourceLost(Source::Camera)));
    capture.go_on_air();
    check_begin(&taken);
    assert!(capture.stats().slate_frames > 0);
    camera.plug(true);
    taken.wait_for("the camera", |kept| kept.has(&CaptureEvent::SourceBack(Source::Camera)));
}

#[test]
fn a_clip_that_was_in_standby_goes_on_air_where_it_is() {
    let clip = Clip::new("standby", 3, Some(30), true);
    let request = Request {
        camera: CameraSource::File { path: clip.path.clone() },
        microphone: MicrophoneSource::CameraFile,
        ..small()
    };
    let taken = Taken::default();
    let capture = Capture::start_in_standby(request, taken.sink(), taken.events()).expect("starts");
    std::thread::sleep(Duration::from_secs(1));
    capture.go_on_air();
    check_begin(&taken);
}
