//! Cameras and microphones that are exchanged while a capture runs: what comes out never shows it but for
//! slate and silence.

use firstmile::{
    capture::{CameraSource, Capture, CaptureEvent, MicrophoneSource, Request, Source},
    media::{Kind, Track},
    selection::{CameraDevice, CameraMode, Exchanged, MicrophoneDevice},
};

use crate::common::{Clip, Kept, Taken, assert_unbroken, last_frame, small};

/// A live camera of that pattern, whose frames have another size and layout than the broadcast's.
fn camera(pattern: &str, shape: &str) -> CameraSource {
    let launch = format!("videotestsrc is-live=true pattern={pattern} ! video/x-raw,{shape}");
    CameraSource::Launch { launch, passthrough: false }
}

const WIDE: &str = "format=NV12,width=320,height=180,framerate=30/1";
const NARROW: &str = "format=YUY2,width=160,height=120,framerate=15/1";

fn with(camera: CameraSource) -> Request {
    Request { camera, ..small() }
}

fn nobody() -> CameraSource {
    let device = CameraDevice::of_owner("a camera that nobody has").expect("a name");
    small().camera.chosen(Some(&device), CameraMode::default())
}

/// What has come of an exchange.
fn outcomes(kept: &Kept, wanted: u64, of: Source) -> Vec<Exchanged> {
    let outcome = |event: &CaptureEvent| match event {
        CaptureEvent::Exchange { number, source, outcome }
            if (*number, *source) == (wanted, of) =>
        {
            Some(outcome.clone())
        }
        _ => None,
    };
    kept.events().iter().filter_map(outcome).collect()
}

fn delivers(kept: &Kept, number: u64, source: Source) -> bool {
    let is_it = |outcome: &Exchanged| matches!(outcome, Exchanged::Delivers(_));
    outcomes(kept, number, source).iter().any(is_it)
}

fn more_video(taken: &Taken, frames: usize) {
    let before = taken.of(Track::Video).len();
    taken.wait_for("video", |kept| kept.of(Track::Video).len() > before + frames);
}

fn luma(taken: &Taken) -> u8 {
    last_frame(&taken.of(Track::Video))[90 * 320 + 160]
}

// Shows F66.
#[test]
fn a_camera_is_exchanged_behind_the_slate_and_the_encoder_notices_nothing() {
    let taken = Taken::default();
    let request = with(camera("white", WIDE));
    let capture = Capture::start(request, taken.sink(), taken.events()).expect("starts");
    more_video(&taken, 10);
    assert!(luma(&taken) > 200);
    capture.exchange(1, &with(camera("black", NARROW)));
    taken.wait_for("the exchange", |kept| delivers(kept, 1, Source::Camera));
    more_video(&taken, 15);
    assert!(luma(&taken) < 50);
    // And back, at once after another order that is overtaken by this one.
    capture.exchange(2, &with(camera("red", WIDE)));
    capture.exchange(3, &with(camera("white", WIDE)));
    taken.wait_for("the way back", |kept| delivers(kept, 3, Source::Camera));
    more_video(&taken, 15);
    assert!(luma(&taken) > 200);
    let stats = capture.stats();
    capture.stop();
    assert_unbroken(&taken, &capture);
    assert_eq!((stats.sources_lost, stats.encoder_restarts), (0, 0), "{stats:?}");
    let events = taken.seen_events();
    let of_camera = |event: &&CaptureEvent| {
        !matches!(
            event,
            CaptureEvent::Exchange { source: Source::Microphone, .. }
                | CaptureEvent::SourceBack(Source::Microphone)
        )
    };
    let first: Vec<_> = events.iter().filter(of_camera).skip(2).take(4).cloned().collect();
    let exchange = |outcome| CaptureEvent::Exchange { number: 1, source: Source::Camera, outcome };
    assert_eq!(
        first,
        [
            exchange(Exchanged::Begins),
            CaptureEvent::SourceLost(Source::Camera),
            CaptureEvent::SourceBack(Source::Camera),
            exchange(Exchanged::Delivers(String::new())),
        ],
        "{events:?}"
    );
    let is_error = |event: &&CaptureEvent| matches!(event, CaptureEvent::Error { .. });
    assert_eq!(events.iter().find(is_error), None);
}

// Shows F66.
#[test]
fn the_camera_on_air_stays_until_the_one_that_is_set_is_plugged_in() {
    let taken = Taken::default();
    let request = with(camera("white", WIDE));
    let capture = Capture::start(request, taken.sink(), taken.events()).expect("starts");
    more_video(&taken, 5);
    capture.exchange(1, &with(nobody()));
    let waits = |kept: &Kept| match outcomes(kept, 1, Source::Camera).as_slice() {
        [Exchanged::Waits(why)] => {
            why.starts_with("no camera matches \"a camera that nobody has\": there ")
        }
        _ => false,
    };
    taken.wait_for("the reason", waits);
    more_video(&taken, 40);
    assert!(luma(&taken) > 200, "it stays on air");
    capture.exchange(2, &with(camera("white", WIDE)));
    taken.wait_for("what is there already", |kept| delivers(kept, 2, Source::Camera));
    more_video(&taken, 10);
    let stats = capture.stats();
    capture.stop();
    assert_unbroken(&taken, &capture);
    assert_eq!((stats.slate_frames, stats.sources_lost), (0, 0), "it was never closed");
    assert!(!taken.seen_events().contains(&CaptureEvent::SourceLost(Source::Camera)));
}

#[test]
fn a_camera_that_is_lost_comes_back_while_the_one_that_is_set_is_not_there() {
    let taken = Taken::default();
    // It ends, as one does that is unplugged, and can be opened again.
    let launch = format!("videotestsrc is-live=true num-buffers=40 ! video/x-raw,{WIDE}");
    let request = with(CameraSource::Launch { launch, passthrough: false });
    let capture = Capture::start(request, taken.sink(), taken.events()).expect("starts");
    capture.exchange(1, &with(nobody()));
    let is_back = |kept: &Kept| kept.events().contains(&CaptureEvent::SourceBack(Source::Camera));
    taken.wait_for("the one on air to be back", is_back);
    let events = taken.seen_events();
    assert!(events.contains(&CaptureEvent::SourceLost(Source::Camera)), "{events:?}");
    let waits = |outcome: &Exchanged| matches!(outcome, Exchanged::Waits(why) if why.contains("no camera matches"));
    assert!(taken.look(|kept| outcomes(kept, 1, Source::Camera).iter().all(waits)), "{events:?}");
    capture.exchange(2, &with(camera("black", NARROW)));
    taken.wait_for("one that is there", |kept| delivers(kept, 2, Source::Camera));
    capture.stop();
    assert_unbroken(&taken, &capture);
}

#[test]
fn a_clip_stays_on_air_as_a_whole_until_all_that_it_delivers_has_a_successor() {
    let taken = Taken::default();
    let clip = Clip::new("both", 1, Some(30), true);
    let both = Request {
        camera: CameraSource::File { path: clip.path.clone() },
        microphone: MicrophoneSource::CameraFile,
        ..small()
    };
    let capture = Capture::start(both.clone(), taken.sink(), taken.events()).expect("starts");
    let absent = MicrophoneSource::Alsa { device: MicrophoneDevice::of_card("Nobody") };
    capture.exchange(1, &Request { microphone: absent, ..both });
    more_video(&taken, 40);
    let events = taken.seen_events();
    assert!(!events.iter().any(|event| matches!(event, CaptureEvent::SourceLost(_))), "{events:?}");
    let begins = |outcome: &Exchanged| *outcome == Exchanged::Begins;
    for source in [Source::Camera, Source::Microphone] {
        assert!(!taken.look(|kept| outcomes(kept, 1, source).iter().any(begins)), "{events:?}");
    }
    capture.stop();
}

// Shows F66.
#[test]
fn a_camera_that_cannot_be_opened_is_reported_once_and_another_one_takes_its_place() {
    let taken = Taken::default();
    let request = with(camera("white", WIDE));
    let capture = Capture::start(request, taken.sink(), taken.events()).expect("starts");
    let broken = CameraSource::Launch { launch: "noelement ! x".to_owned(), passthrough: false };
    capture.exchange(1, &with(broken));
    let fails = |kept: &Kept| {
        let is_it = |outcome: &Exchanged| matches!(outcome, Exchanged::Fails(why) if why.contains("noelement"));
        outcomes(kept, 1, Source::Camera).iter().filter(|outcome| is_it(outcome)).count() == 1
    };
    taken.wait_for("the reason", fails);
    more_video(&taken, 60);
    assert!(taken.look(fails), "it is tried again, and reported once");
    capture.exchange(2, &with(camera("black", NARROW)));
    taken.wait_for("another one", |kept| delivers(kept, 2, Source::Camera));
    more_video(&taken, 15);
    assert!(luma(&taken) < 50);
    capture.stop();
    assert_unbroken(&taken, &capture);
}

#[test]
fn what_is_generated_gives_way_to_devices_and_takes_their_place_again() {
    let taken = Taken::default();
    let capture = Capture::start(small(), taken.sink(), taken.events()).expect("starts");
    more_video(&taken, 5);
    let launch = "audiotestsrc is-live=true volume=0.5 samplesperbuffer=480".to_owned();
    let devices = Request {
        camera: camera("white", NARROW),
        microphone: MicrophoneSource::Launch { launch },
        ..small()
    };
    let both = |number| {
        move |kept: &Kept| {
            delivers(kept, number, Source::Camera) && delivers(kept, number, Source::Microphone)
        }
    };
    capture.exchange(1, &devices);
    taken.wait_for("both", both(1));
    more_video(&taken, 15);
    assert!(luma(&taken) > 200);
    let rms =
        |capture: &Capture| capture.stats().levels.channels.first().map(|level| level.rms_dbfs);
    assert!(rms(&capture).is_some_and(|dbfs| dbfs > -12.0), "{:?}", rms(&capture));
    let silence = Request { microphone: MicrophoneSource::Silence, ..small() };
    capture.exchange(2, &silence);
    taken.wait_for("what is generated", both(2));
    let slate_frames = capture.stats().slate_frames;
    more_video(&taken, 40);
    assert_eq!(capture.stats().slate_frames, slate_frames, "the test pattern is no slate");
    // Nothing of the microphone is repeated.
    assert!(rms(&capture).is_some_and(|dbfs| dbfs < -80.0), "{:?}", rms(&capture));
    capture.exchange(3, &devices);
    taken.wait_for("both again", both(3));
    let blocks = taken.count(Kind::Audio);
    taken.wait_for("audio", |kept| kept.count(Kind::Audio) > blocks + 40);
    assert!(rms(&capture).is_some_and(|dbfs| dbfs > -12.0), "{:?}", rms(&capture));
    capture.stop();
    assert_unbroken(&taken, &capture);
}

#[test]
fn a_microphone_is_exchanged_alone_and_one_that_is_not_there_waits() {
    let taken = Taken::default();
    let launch = |volume: f32| {
        let launch = format!("audiotestsrc is-live=true volume={volume} samplesperbuffer=480");
        Request { microphone: MicrophoneSource::Launch { launch }, ..small() }
    };
    let capture = Capture::start(launch(0.5), taken.sink(), taken.events()).expect("starts");
    let device = MicrophoneDevice::of_owner("nobody's").expect("a name");
    let absent = MicrophoneSource::Alsa { device };
    capture.exchange(1, &Request { microphone: absent, ..small() });
    let waits = |kept: &Kept| {
        let is_it = |outcome: &Exchanged| matches!(outcome, Exchanged::Waits(why) if why.contains("no sound card matches \"nobody's\""));
        outcomes(kept, 1, Source::Microphone).iter().any(is_it)
    };
    taken.wait_for("the reason", waits);
    capture.exchange(2, &launch(0.05));
    taken.wait_for("the quiet one", |kept| delivers(kept, 2, Source::Microphone));
    let blocks = taken.count(Kind::Audio);
    taken.wait_for("audio", |kept| kept.count(Kind::Audio) > blocks + 60);
    let rms = capture.stats().levels.channels[0].rms_dbfs;
    assert!((-34.0..-24.0).contains(&rms), "{rms}");
    capture.stop();
    assert_unbroken(&taken, &capture);
    let events = taken.seen_events();
    assert!(!events.contains(&CaptureEvent::SourceLost(Source::Camera)), "{events:?}");
}

#[test]
fn a_stop_is_prompt_while_a_camera_is_waited_for() {
    let taken = Taken::default();
    let request = with(camera("white", WIDE));
    let capture = Capture::start(request, taken.sink(), taken.events()).expect("starts");
    capture.exchange(1, &with(nobody()));
    taken.wait_for("it to wait", |kept| !outcomes(kept, 1, Source::Camera).is_empty());
    assert!(capture.stop());
}

#[test]
fn a_camera_whose_driver_does_not_let_go_keeps_no_other_one_from_taking_its_place() {
    let taken = Taken::default();
    // Whoever closes it waits for the element that sleeps.
    let launch = format!(
        "videotestsrc is-live=true pattern=white ! video/x-raw,{WIDE} ! tee name=both \
         both. ! queue leaky=upstream ! identity sleep-time=20000000 ! fakesink async=false \
         both. ! queue"
    );
    let request = with(CameraSource::Launch { launch, passthrough: false });
    let capture = Capture::start(request, taken.sink(), taken.events()).expect("starts");
    more_video(&taken, 5);
    capture.exchange(1, &with(camera("black", NARROW)));
    taken.wait_for("the other one", |kept| delivers(kept, 1, Source::Camera));
    more_video(&taken, 15);
    assert!(luma(&taken) < 50);
    assert!(!capture.stop(), "the first one is still held");
    assert_unbroken(&taken, &capture);
}
