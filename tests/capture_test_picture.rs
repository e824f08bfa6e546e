//! The test picture and the tone, through real encoders.

mod common;

use std::time::Duration;

use common::{Taken, small};
use firstmile::{
    capture::{CameraSource, Capture, CaptureError, CaptureEvent, MicrophoneSource},
    media::{Kind, Track},
};

#[test]
fn access_units_come_in_order_and_after_their_configuration() {
    let taken = Taken::default();
    let capture = Capture::start(small(), taken.sink(), taken.events()).expect("starts");
    taken.wait_for("two key frames", |t| t.count(Kind::VideoKey) >= 2);
    assert!(capture.stop());

    for (track, config) in [(Track::Video, Kind::VideoConfig), (Track::Audio, Kind::AudioConfig)] {
        let frames = taken.of(track);
        assert_eq!(frames[0].kind, config);
        assert_eq!(frames.iter().filter(|f| f.kind.is_config()).count(), 1, "{track:?}");
        assert!(frames.windows(2).all(|w| w[0].dts_ns <= w[1].dts_ns), "{track:?} goes back");
        assert!(frames.iter().all(|f| f.dts_ns <= f.pts_ns && !f.payload.is_empty()));
    }
    assert_eq!(taken.of(Track::Video)[1].kind, Kind::VideoKey);
    assert_eq!(
        taken.seen_events(),
        [CaptureEvent::Playing, CaptureEvent::FirstKey, CaptureEvent::Ended]
    );
}

#[test]
fn both_tracks_start_together_and_keep_their_rate() {
    let taken = Taken::default();
    let capture = Capture::start(small(), taken.sink(), taken.events()).expect("starts");
    taken.wait_for("a second of both", |t| {
        t.count(Kind::Audio) >= 47 && t.of(Track::Video).len() > 30
    });
    capture.stop();

    let audio: Vec<_> =
        taken.of(Track::Audio).into_iter().filter(|f| !f.kind.is_config()).collect();
    let video: Vec<_> =
        taken.of(Track::Video).into_iter().filter(|f| !f.kind.is_config()).collect();
    let apart_ns = audio[0].pts_ns.abs_diff(video[0].pts_ns);
    assert!(apart_ns < 50_000_000, "tracks start {apart_ns} ns apart");
    for pair in audio.windows(2) {
        let step = pair[1].pts_ns - pair[0].pts_ns;
        assert!(step.abs_diff(1_024 * 1_000_000_000 / 48_000) < 100_000, "block of {step} ns");
    }
    let skipped = capture.stats().pictures_skipped;
    for pair in video.windows(2).filter(|_| skipped == 0) {
        let step = pair[1].pts_ns - pair[0].pts_ns;
        assert!(step.abs_diff(1_000_000_000 / 30) < 1_000_000, "picture of {step} ns");
    }
}

#[test]
fn key_frames_come_at_their_interval_and_when_asked_for() {
    let taken = Taken::default();
    let mut request = small();
    request.video.keyframe_interval_ms = 10_000;
    let capture = Capture::start(request, taken.sink(), taken.events()).expect("starts");
    taken.wait_for("ten pictures", |t| t.of(Track::Video).len() > 10);
    assert_eq!(taken.count(Kind::VideoKey), 1);
    capture.force_key_frame();
    taken.wait_for("the key frame asked for", |t| t.count(Kind::VideoKey) == 2);

    let taken = Taken::default();
    let capture = Capture::start(small(), taken.sink(), taken.events()).expect("starts");
    taken.wait_for("three key frames", |t| t.count(Kind::VideoKey) >= 3);
    capture.stop();
    let video = taken.of(Track::Video);
    let keys: Vec<usize> = (1..video.len()).filter(|i| video[*i].kind == Kind::VideoKey).collect();
    assert_eq!(keys[..3], [1, 16, 31], "every 15 pictures, after the configuration");
}

#[test]
fn each_encoder_takes_a_new_bitrate_while_it_runs() {
    for encoder in ["x264enc", "openh264enc"] {
        let taken = Taken::default();
        let mut request = small();
        request.encoders.video = vec![encoder.to_owned()];
        request.video.bitrate_kbps = 1_500;
        let capture = Capture::start(request, taken.sink(), taken.events()).expect("starts");
        let bytes_of_a_second = |from: usize| {
            taken.wait_for("a second", |t| t.of(Track::Video).len() >= from + 30);
            taken.of(Track::Video)[from..from + 30].iter().map(|f| f.payload.len()).sum::<usize>()
        };
        let before = bytes_of_a_second(1);
        capture.set_bitrate_kbps(100);
        let after = bytes_of_a_second(taken.of(Track::Video).len() + 15);
        assert_eq!(capture.stats().video_encoder, encoder);
        assert_eq!(capture.stats().bitrate_kbps, 100);
        assert!(after * 2 < before, "{encoder}: {before} bytes before, {after} after");
    }
}

#[test]
fn a_bitrate_beyond_the_bounds_is_kept_within_them() {
    let taken = Taken::default();
    let capture = Capture::start(small(), taken.sink(), taken.events()).expect("starts");
    capture.set_bitrate_kbps(u32::MAX);
    assert_eq!(capture.stats().bitrate_kbps, 20_000);
    capture.set_bitrate_kbps(0);
    assert_eq!(capture.stats().bitrate_kbps, 50);
}

#[test]
fn an_encoder_that_does_not_work_is_passed_over() {
    let taken = Taken::default();
    let mut request = small();
    request.encoders.video = ["v4l2h264enc", "openh264enc"].map(str::to_owned).to_vec();
    request.encoders.audio = ["fdkaacenc", "voaacenc"].map(str::to_owned).to_vec();
    let capture = Capture::start(request, taken.sink(), taken.events()).expect("starts");
    taken.wait_for("both tracks", |t| t.count(Kind::Audio) >= 1 && t.count(Kind::VideoKey) >= 1);
    let stats = capture.stats();
    assert_eq!((&*stats.video_encoder, &*stats.audio_encoder), ("openh264enc", "voaacenc"));
}

#[test]
fn no_working_encoder_is_said_with_each_reason() {
    let taken = Taken::default();
    let mut request = small();
    request.encoders.video = ["v4l2h264enc", "abacusenc"].map(str::to_owned).to_vec();
    let error = Capture::start(request, taken.sink(), taken.events()).expect_err("no encoder");
    let CaptureError::NoEncoder { what: "H.264", tried } = &error else { panic!("{error:?}") };
    assert_eq!(tried.len(), 2);
    let said = error.to_string();
    assert!(said.contains("v4l2h264enc: ") && said.contains("abacusenc: "), "{said}");
    assert!(!said.contains('\n'));
}

#[test]
fn what_no_capture_can_have_is_refused_with_what_is_allowed() {
    let taken = Taken::default();
    for (change, what) in [
        ((|r| r.video.width = 321) as fn(&mut firstmile::capture::Request), "width"),
        (|r| r.video.fps = 0, "fps"),
        (|r| r.audio.channels = 0, "number of channels"),
        (|r| r.audio.sample_rate_hz = 44_100, "sample rate"),
    ] {
        let mut request = small();
        change(&mut request);
        let error = Capture::start(request, taken.sink(), taken.events()).expect_err(what);
        assert!(error.to_string().starts_with(what), "{error}");
    }
}

#[test]
fn stop_is_prompt_and_may_be_repeated() {
    let taken = Taken::default();
    let capture = Capture::start(small(), taken.sink(), taken.events()).expect("starts");
    taken.wait_for("a key frame", |t| t.count(Kind::VideoKey) >= 1);
    assert!(capture.stop());
    let frames = taken.of(Track::Video).len();
    assert!(capture.stop());
    drop(capture);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(taken.of(Track::Video).len(), frames, "nothing comes after the stop");
}

#[test]
fn silence_is_an_audio_track_too() {
    let taken = Taken::default();
    let mut request = small();
    request.camera = CameraSource::TestPattern;
    request.microphone = MicrophoneSource::Silence;
    let _capture = Capture::start(request, taken.sink(), taken.events()).expect("starts");
    taken.wait_for("sound", |t| t.count(Kind::Audio) >= 10);
}
