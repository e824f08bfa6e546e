//! The test pattern and the tone, through real encoders.

use std::{thread, time::Duration};

use crate::common::{Taken, small};
use firstmile::{
    audio::CHAIN_DELAY_SAMPLES,
    capture::{CameraSource, Capture, CaptureError, CaptureEvent, MicrophoneSource},
    media::{Frame, Kind, Track},
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
    // Both begin at one media time: the audio with what limiter and encoder warm up with, the video
    // with the next frame that the encoder had room for.
    let early = 1_024 + CHAIN_DELAY_SAMPLES as u64;
    let (frame_ns, access_unit_ns) = (1_000_000_000 / 30 + 1, early * 1_000_000_000 / 48_000 + 1);
    let skipped = capture.stats().frames_skipped;
    let apart_ns = video[0].pts_ns as i64 - audio[0].pts_ns as i64;
    let most_ns = (access_unit_ns + (1 + skipped) * frame_ns) as i64;
    assert!(
        (0..=most_ns).contains(&apart_ns),
        "tracks start {apart_ns} ns apart, {skipped} skipped"
    );
    for pair in audio.windows(2) {
        let step = pair[1].pts_ns - pair[0].pts_ns;
        assert!(step.abs_diff(1_024 * 1_000_000_000 / 48_000) < 100_000, "block of {step} ns");
    }
    for pair in video.windows(2).filter(|_| skipped == 0) {
        let step = pair[1].pts_ns - pair[0].pts_ns;
        assert!(step.abs_diff(1_000_000_000 / 30) < 1_000_000, "frame of {step} ns");
    }
}

#[test]
fn key_frames_come_at_their_interval_and_when_asked_for() {
    let taken = Taken::default();
    let mut request = small();
    request.video.keyframe_interval_ms = 10_000;
    let capture = Capture::start(request, taken.sink(), taken.events()).expect("starts");
    taken.wait_for("ten frames", |t| t.of(Track::Video).len() > 10);
    assert_eq!(taken.count(Kind::VideoKey), 1);
    capture.force_key_frame();
    taken.wait_for("the key frame asked for", |t| t.count(Kind::VideoKey) == 2);

    let taken = Taken::default();
    let capture = Capture::start(small(), taken.sink(), taken.events()).expect("starts");
    taken.wait_for("three key frames", |t| t.count(Kind::VideoKey) >= 3);
    capture.stop();
    let video = taken.of(Track::Video);
    let keys: Vec<usize> = (1..video.len()).filter(|i| video[*i].kind == Kind::VideoKey).collect();
    assert_eq!(keys[..3], [1, 16, 31], "every 15 frames, after the configuration");
}

/// Video full of moving detail, whose size is what the bitrate allows.
fn full_of_detail() -> CameraSource {
    CameraSource::Launch {
        launch: "videotestsrc is-live=true pattern=zone-plate kx2=40 ky2=40 kt=9 \
         ! video/x-raw,width=320,height=180,framerate=30/1"
            .to_owned(),
        passthrough: false,
    }
}

/// Bitrate of the video in a second of media time, in kbit/s. Frames that a loaded machine had
/// no time to encode are counted as if they had been as large as the others.
fn kbps_of_a_second(frames: &[Frame], from_ns: u64) -> usize {
    const SECOND_NS: u64 = 1_000_000_000;
    let within = |frame: &&Frame| {
        !frame.kind.is_config() && (from_ns..from_ns + SECOND_NS).contains(&frame.dts_ns)
    };
    let sizes: Vec<usize> = frames.iter().filter(within).map(|f| f.payload.len()).collect();
    assert!(sizes.len() > 10, "{} frames in a second are too few to tell", sizes.len());
    sizes.iter().sum::<usize>() * 8 / 1_000 * 30 / sizes.len()
}

#[test]
fn the_output_of_each_encoder_follows_a_new_bitrate_within_two_seconds() {
    // Side by side, because most of it is waiting.
    thread::scope(|scope| {
        for encoder in ["x264enc", "openh264enc"] {
            scope.spawn(move || follows_a_new_bitrate(encoder));
        }
    });
}

fn follows_a_new_bitrate(encoder: &str) {
    let taken = Taken::default();
    let mut request = small();
    request.camera = full_of_detail();
    request.encoders.video = vec![encoder.to_owned()];
    request.video.bitrate_kbps = 2_000;
    request.video.keyframe_interval_ms = 2_000;
    let capture = Capture::start(request, taken.sink(), taken.events()).expect("starts");
    taken.wait_for("a frame", |kept| kept.newest_ns(Track::Video) > 0);
    let last_ns = || taken.of(Track::Video).last().map_or(0, |frame| frame.dts_ns);
    let mut changes = Vec::new();
    for kbps in [2_000, 800, 1_600] {
        capture.set_bitrate_kbps(kbps);
        let asked_at_ns = last_ns();
        let over_ns = asked_at_ns + 4_100_000_000;
        taken.wait_for("four seconds of it", |kept| kept.newest_ns(Track::Video) > over_ns);
        changes.push((kbps as usize, asked_at_ns));
    }
    capture.stop();
    let frames = taken.of(Track::Video);
    for (kbps, asked_at_ns) in changes {
        for seconds in [2, 3] {
            let measured = kbps_of_a_second(&frames, asked_at_ns + seconds * 1_000_000_000);
            println!("{encoder}: {measured} kbit/s {seconds} s after {kbps} were asked for");
            let off = measured.abs_diff(kbps) * 100 / kbps;
            assert!(off <= 30, "{encoder}: {measured} kbit/s, {seconds} s after {kbps}");
        }
    }
    let keys: Vec<u64> =
        frames.iter().filter(|f| f.kind == Kind::VideoKey).map(|f| f.dts_ns).collect();
    let longest_ns = keys.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(u64::MAX);
    assert!(longest_ns < 2_600_000_000, "{encoder}: {longest_ns} ns without a key frame");
    assert_eq!(capture.stats().video_encoder, encoder);
    assert_eq!((capture.stats().bitrate_kbps, capture.stats().encoder_restarts), (1_600, 0));
}

#[test]
fn a_bitrate_beyond_the_bounds_is_clamped() {
    let taken = Taken::default();
    let capture = Capture::start(small(), taken.sink(), taken.events()).expect("starts");
    for (asked, in_use) in [(u32::MAX, 20_000), (0, 50)] {
        capture.set_bitrate_kbps(asked);
        taken.wait_for("it is in use", |_| capture.stats().bitrate_kbps == in_use);
    }
}

#[test]
fn an_encoder_that_does_not_work_is_skipped() {
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
fn without_a_working_encoder_each_reason_is_reported() {
    let taken = Taken::default();
    let mut request = small();
    request.encoders.video = ["v4l2h264enc", "abacusenc"].map(str::to_owned).to_vec();
    let error = Capture::start(request, taken.sink(), taken.events()).expect_err("no encoder");
    let CaptureError::NoEncoder { what: "H.264", tried } = &error else { panic!("{error:?}") };
    assert_eq!(tried.len(), 2);
    let message = error.to_string();
    assert!(message.contains("v4l2h264enc: ") && message.contains("abacusenc: "), "{message}");
    assert!(!message.contains('\n'));
}

#[test]
fn a_setting_out_of_range_is_refused_with_what_is_allowed() {
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
    taken.wait_for("audio", |t| t.count(Kind::Audio) >= 10);
}
