//! Clips, and cameras and microphones that die and come back.

use std::{
    net::UdpSocket,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use crate::common::{Clip, Taken, assert_unbroken, last_frame, small};
use firstmile::{
    board::{CameraDevice, CameraMode, MicrophoneDevice, VideoFormat},
    capture::{
        CameraSource, Capture, CaptureError, CaptureEvent, MicrophoneSource, Request, Source,
    },
    media::{Kind, Track},
};

const LOST_CAMERA: CaptureEvent = CaptureEvent::SourceLost(Source::Camera);
const BACK_CAMERA: CaptureEvent = CaptureEvent::SourceBack(Source::Camera);
const LOST_MICROPHONE: CaptureEvent = CaptureEvent::SourceLost(Source::Microphone);
const BACK_MICROPHONE: CaptureEvent = CaptureEvent::SourceBack(Source::Microphone);

#[test]
fn a_clip_is_repeated_without_a_gap() {
    let clip = Clip::new("loop", 1, Some(30), true);
    let taken = Taken::default();
    let request = Request {
        camera: CameraSource::File { path: clip.path.clone() },
        microphone: MicrophoneSource::CameraFile,
        ..small()
    };
    let capture = Capture::start(request, taken.sink(), taken.events()).expect("starts");
    taken.wait_for("three rounds", |t| t.of(Track::Video).len() > 95);
    let stats = capture.stats();
    capture.stop();
    assert_unbroken(&taken, &capture);
    assert_eq!((stats.slate_frames, stats.sources_lost), (0, 0));
    // A loaded machine may be late once; a gap at each round would be more than this.
    assert!(stats.silent_samples < 48_000 / 4, "{} samples of silence", stats.silent_samples);
    assert!(stats.frames_repeated < 15, "{} frames repeated", stats.frames_repeated);
}

#[test]
fn a_clip_of_another_size_and_rate_is_converted() {
    let clip = Clip::new("slow", 2, Some(10), false);
    let taken = Taken::default();
    let request = Request { camera: CameraSource::File { path: clip.path.clone() }, ..small() };
    let capture = Capture::start(request, taken.sink(), taken.events()).expect("starts");
    taken.wait_for("a second", |t| t.of(Track::Video).len() > 32);
    capture.stop();
    assert_unbroken(&taken, &capture);
    assert!(capture.stats().frames_repeated > 10, "ten frames a second become thirty");
}

#[test]
fn the_audio_of_a_file_goes_with_the_test_pattern() {
    let clip = Clip::new("audio", 1, None, true);
    let taken = Taken::default();
    let request =
        Request { microphone: MicrophoneSource::File { path: clip.path.clone() }, ..small() };
    let capture = Capture::start(request, taken.sink(), taken.events()).expect("starts");
    taken.wait_for("two rounds", |t| t.count(Kind::Audio) > 94);
    capture.stop();
    assert_unbroken(&taken, &capture);
}

#[test]
fn a_clip_is_turned_as_its_metadata_say() {
    let clip = Clip::on_its_side("turned");
    let taken = Taken::default();
    let request = Request { camera: CameraSource::File { path: clip.path.clone() }, ..small() };
    let capture = Capture::start(request, taken.sink(), taken.events()).expect("starts");
    taken.wait_for("some frames", |t| t.of(Track::Video).len() > 10);
    capture.stop();
    let frame = last_frame(&taken.of(Track::Video));
    let luma = |x: usize, y: usize| frame[y * 320 + x];
    for x in [100, 220] {
        let (above, below) = (luma(x, 45), luma(x, 135));
        assert!(above > 200 && below < 50, "at {x}: {above} above, {below} below");
    }
}

#[test]
fn a_clip_that_cannot_be_played_is_named_with_the_reason() {
    let silent = Clip::new("silent", 1, Some(30), false);
    let blind = Clip::new("blind", 1, None, true);
    let text = std::env::temp_dir().join(format!("firstmile-{}-text.mp4", std::process::id()));
    std::fs::write(&text, "this is not a clip\n".repeat(1_000)).expect("writes");
    let directory = std::env::temp_dir();
    let camera =
        |path: &PathBuf| Request { camera: CameraSource::File { path: path.clone() }, ..small() };
    let with_audio = |path| Request { microphone: MicrophoneSource::CameraFile, ..camera(path) };
    for (request, path, reason) in [
        (camera(&PathBuf::from("/nowhere/clip.mp4")), "/nowhere/clip.mp4", "No such file"),
        (camera(&directory), directory.to_str().unwrap_or_default(), "not a plain file"),
        (camera(&text), text.to_str().unwrap_or_default(), ""),
        (
            with_audio(&silent.path),
            silent.path.to_str().unwrap_or_default(),
            "no sound (no audio track)",
        ),
        (with_audio(&silent.path), silent.path.to_str().unwrap_or_default(), "--mic tone"),
        (camera(&blind.path), blind.path.to_str().unwrap_or_default(), "no video track"),
    ] {
        let taken = Taken::default();
        let error = Capture::start(request, taken.sink(), taken.events()).expect_err(path);
        use CaptureError::{FileUnreadable, NoTrack};
        assert!(matches!(error, FileUnreadable { .. } | NoTrack { .. }), "{error:?}");
        let message = error.to_string();
        assert!(
            message.contains(path) && message.contains(reason) && !message.contains('\n'),
            "{message}"
        );
        assert!(taken.seen_events().is_empty());
    }
    std::fs::remove_file(text).expect("removes");
}

#[test]
fn devices_that_are_not_connected_are_named() {
    let taken = Taken::default();
    let device = CameraDevice::Path("/dev/video-of-nobody".into());
    let formats = VideoFormat::USUAL.to_vec();
    let mode = CameraMode::default();
    let request = Request { camera: CameraSource::V4l2 { device, formats, mode }, ..small() };
    let error = Capture::start(request, taken.sink(), taken.events()).expect_err("no camera");
    assert!(matches!(&error, CaptureError::NoCamera { device, .. } if device.ends_with("nobody")));

    let device = MicrophoneDevice::Alsa("hw:CARD=Nobody".to_owned());
    let request = Request { microphone: MicrophoneSource::Alsa { device }, ..small() };
    let error = Capture::start(request, taken.sink(), taken.events()).expect_err("no microphone");
    assert!(
        matches!(&error, CaptureError::NoMicrophone { device, .. } if device.ends_with("Nobody")),
        "{error:?}"
    );

    let request = Request {
        camera: CameraSource::Launch { launch: "noelement ! x".to_owned(), passthrough: false },
        ..small()
    };
    let error = Capture::start(request, taken.sink(), taken.events()).expect_err("no element");
    assert!(matches!(&error, CaptureError::NoCamera { why, .. } if why.contains("noelement")));
}

// Shows F24.
#[test]
fn a_camera_that_is_unplugged_becomes_a_slate_and_comes_back() {
    let taken = Taken::default();
    let camera = CameraSource::Launch {
        launch: "videotestsrc is-live=true num-buffers=20".to_owned(),
        passthrough: false,
    };
    let request = Request { camera, ..small() };
    let capture = Capture::start(request, taken.sink(), taken.events()).expect("starts");
    taken.wait_for("the loss", |t| t.has(&LOST_CAMERA));
    let lost_at = taken.of(Track::Video).len();
    taken.wait_for("the slate", |t| t.of(Track::Video).len() > lost_at + 10);
    assert!(capture.stats().slate_frames > 0);
    taken.wait_for("the return", |t| t.has(&BACK_CAMERA));
    let back_at = taken.of(Track::Video).len();
    taken.wait_for("the video", |t| t.of(Track::Video).len() > back_at + 5);
    capture.stop();
    assert_unbroken(&taken, &capture);
    let events = taken.seen_events();
    assert!(!events.contains(&LOST_MICROPHONE), "the audio is not affected");
    assert_eq!(events.last(), Some(&CaptureEvent::Ended));
}

// Shows F26.
#[test]
fn a_microphone_that_fails_becomes_silence_and_comes_back() {
    let taken = Taken::default();
    let text = "audiotestsrc is-live=true ! identity error-after=40".to_owned();
    let request = Request { microphone: MicrophoneSource::Launch { launch: text }, ..small() };
    let capture = Capture::start(request, taken.sink(), taken.events()).expect("starts");
    taken.wait_for("the loss", |t| t.has(&LOST_MICROPHONE));
    taken.wait_for("the return", |t| t.has(&BACK_MICROPHONE));
    let back_at = taken.count(Kind::Audio);
    taken.wait_for("the audio", |t| t.count(Kind::Audio) > back_at + 10);
    capture.stop();
    assert_unbroken(&taken, &capture);
    assert!(capture.stats().silent_samples > 24_000);
    assert!(!taken.seen_events().contains(&LOST_CAMERA));
}

// Shows F25.
#[test]
fn a_camera_that_freezes_is_noticed_within_two_seconds() {
    let camera = FakeCamera::start();
    let taken = Taken::default();
    let request = Request {
        camera: CameraSource::Launch { launch: camera.launch(), passthrough: false },
        ..small()
    };
    let capture = Capture::start(request, taken.sink(), taken.events()).expect("starts");
    taken.wait_for("frames", |t| t.of(Track::Video).len() > 15);
    camera.freeze(true);
    let frozen_at = taken.of(Track::Video).len();
    taken.wait_for("the loss", |t| t.has(&LOST_CAMERA));
    let seen_after = taken.of(Track::Video).len() - frozen_at;
    assert!(seen_after <= 60 + 15, "seen after {seen_after} frames of 30 a second");
    camera.freeze(false);
    taken.wait_for("the return", |t| t.has(&BACK_CAMERA));
    capture.stop();
    assert_unbroken(&taken, &capture);
}

#[test]
fn a_clip_that_vanishes_while_it_plays_is_lost_when_it_ends() {
    let clip = Clip::new("vanishing", 1, Some(30), true);
    let taken = Taken::default();
    let request = Request {
        camera: CameraSource::File { path: clip.path.clone() },
        microphone: MicrophoneSource::CameraFile,
        ..small()
    };
    let capture = Capture::start(request, taken.sink(), taken.events()).expect("starts");
    std::fs::remove_file(&clip.path).expect("removes");
    taken.wait_for("the loss", |t| t.has(&LOST_CAMERA) && t.has(&LOST_MICROPHONE));
    let lost_at = taken.of(Track::Video).len();
    taken.wait_for("the slate", |t| t.of(Track::Video).len() > lost_at + 10);
    capture.stop();
    assert_unbroken(&taken, &capture);
}

#[test]
fn stop_is_prompt_while_a_lost_camera_is_being_reopened() {
    let taken = Taken::default();
    let camera = CameraSource::Launch {
        launch: "videotestsrc is-live=true num-buffers=5".to_owned(),
        passthrough: false,
    };
    let request = Request { camera, ..small() };
    let capture = Capture::start(request, taken.sink(), taken.events()).expect("starts");
    taken.wait_for("the loss", |t| t.has(&LOST_CAMERA));
    assert!(capture.stop());
}

/// A camera that sends JPEGs, most of them broken in one way or another, as datagrams.
struct BadWebcam {
    port: u16,
    sent_corrupt: Arc<AtomicUsize>,
    _alive: Arc<()>,
}

impl BadWebcam {
    fn start() -> BadWebcam {
        let probe = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let port = probe.local_addr().expect("an address").port();
        drop(probe);
        let (sent_corrupt, alive) = (Arc::new(AtomicUsize::new(0)), Arc::new(()));
        let (count, watched) = (Arc::clone(&sent_corrupt), Arc::downgrade(&alive));
        let frames = [jpeg(), cut(), overwritten(), without_tables(), jpeg(), noise()];
        thread::spawn(move || {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
            for number in 0.. {
                if watched.upgrade().is_none() {
                    return;
                }
                let kind = number % frames.len();
                // Nobody listens while the camera is not open.
                let sent = socket.send_to(&frames[kind], ("127.0.0.1", port));
                count.fetch_add(
                    usize::from(sent.is_ok() && ![0, 4].contains(&kind)),
                    Ordering::Relaxed,
                );
                thread::sleep(Duration::from_millis(33));
            }
        });
        BadWebcam { port, sent_corrupt, _alive: alive }
    }

    fn launch(&self) -> String {
        format!(
            "udpsrc address=127.0.0.1 port={} caps=\"image/jpeg, width=(int)64, height=(int)48, \
             framerate=(fraction)30/1\"",
            self.port
        )
    }
}

/// A real JPEG of 64x48.
fn jpeg() -> Vec<u8> {
    use gstreamer::{self as gst, prelude::*};

    gst::init().expect("GStreamer");
    let text = "videotestsrc num-buffers=1 ! video/x-raw,width=64,height=48,framerate=30/1 \
                ! jpegenc ! appsink name=out sync=false";
    let pipeline = gst::parse::launch(text).expect("a pipeline");
    let sink = pipeline.downcast_ref::<gst::Bin>().and_then(|bin| bin.by_name("out"));
    let sink = sink.and_then(|sink| sink.downcast::<gstreamer_app::AppSink>().ok());
    pipeline.set_state(gst::State::Playing).expect("plays");
    let sample = sink.expect("the sink").pull_sample().expect("a frame");
    let jpeg = sample.buffer().expect("a buffer").map_readable().expect("readable").to_vec();
    pipeline.set_state(gst::State::Null).expect("stops");
    jpeg
}

fn cut() -> Vec<u8> {
    let whole = jpeg();
    whole[..whole.len() / 2].to_vec()
}

/// A piece in the middle is that of the start.
fn overwritten() -> Vec<u8> {
    let mut broken = jpeg();
    let at = broken.len() * 3 / 4;
    let piece = broken[..40].to_vec();
    broken[at..at + piece.len()].copy_from_slice(&piece);
    broken
}

/// All parts are there, but its Huffman tables say nothing that a decoder could follow.
fn without_tables() -> Vec<u8> {
    let mut broken = jpeg();
    let table = broken.windows(2).position(|pair| pair == [0xFF, 0xC4]).expect("a table");
    broken[table + 5..table + 21].fill(0xF0);
    broken
}

fn noise() -> Vec<u8> {
    (0..3_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

#[test]
fn corrupt_jpegs_are_skipped_and_counted_and_never_end_the_stream() {
    for as_jpegs in [false, true] {
        corrupt_jpegs_are_skipped_and_counted(as_jpegs);
    }
}

/// Whether the JPEGs go to the decoder of the board, or to one that is found by what comes.
fn corrupt_jpegs_are_skipped_and_counted(as_jpegs: bool) {
    let webcam = BadWebcam::start();
    let taken = Taken::default();
    let camera = match as_jpegs {
        true => CameraSource::LaunchJpeg { launch: webcam.launch() },
        false => CameraSource::Launch { launch: webcam.launch(), passthrough: false },
    };
    let request = Request { camera, ..small() };
    let capture = Capture::start(request, taken.sink(), taken.events()).expect("starts");
    let before = (webcam.sent_corrupt.load(Ordering::Relaxed), capture.stats().frames_corrupt);
    taken.wait_for("four seconds", |t| t.of(Track::Video).len() > 120);
    let stats = capture.stats();
    let sent = webcam.sent_corrupt.load(Ordering::Relaxed) - before.0;
    let counted = (stats.frames_corrupt - before.1) as usize;
    capture.stop();
    assert!(sent > 20, "{sent} corrupt frames were sent");
    // A few are on their way when either number is read.
    assert!(counted.abs_diff(sent) <= 8, "{counted} of {sent} corrupt frames were counted");
    assert_unbroken(&taken, &capture);
    assert!(!taken.seen_events().contains(&LOST_CAMERA), "two of six are good enough to go on");
    assert_eq!(stats.slate_frames, 0);
}

/// The codec parameters of each part of the video, and whether a key frame follows.
fn parts_of(taken: &Taken) -> Vec<(Vec<u8>, bool)> {
    let video = taken.of(Track::Video);
    let configs = (0..video.len()).filter(|i| video[*i].kind == Kind::VideoConfig);
    configs
        .map(|i| {
            let key = video.get(i + 1).is_some_and(|frame| frame.kind == Kind::VideoKey);
            (video[i].payload.to_vec(), key)
        })
        .collect()
}

#[test]
fn a_camera_of_h264_is_passed_through_and_its_slate_has_parameters_of_its_own() {
    let taken = Taken::default();
    let text = "videotestsrc is-live=true num-buffers=60 pattern=ball \
                ! video/x-raw,width=160,height=120,framerate=30/1 \
                ! openh264enc gop-size=15 rate-control=bitrate bitrate=200000";
    let request = Request {
        camera: CameraSource::Launch { launch: text.to_owned(), passthrough: true },
        ..small()
    };
    let capture = Capture::start(request, taken.sink(), taken.events()).expect("starts");
    taken.wait_for("the camera", |t| t.count(Kind::VideoKey) >= 1);
    assert_eq!(capture.stats().video_encoder, "camera");
    taken.wait_for("the loss", |t| t.has(&LOST_CAMERA));
    let lost_at = taken.of(Track::Video).len();
    taken.wait_for("the slate", |t| t.of(Track::Video).len() > lost_at + 10);
    assert_eq!(capture.stats().video_encoder, "x264enc");
    taken.wait_for("the return", |t| t.has(&BACK_CAMERA));
    let back_at = taken.of(Track::Video).len();
    taken.wait_for("the camera again", |t| t.of(Track::Video).len() > back_at + 30);
    let encoder = capture.stats().video_encoder;
    capture.stop();

    let parts = parts_of(&taken);
    assert!(parts.len() >= 3, "camera, slate, camera: {} parts", parts.len());
    assert!(parts.iter().all(|(_, key)| *key), "each begins with a key frame");
    assert_eq!(parts[0].0, parts[2].0, "the camera's own parameters");
    assert_ne!(parts[0].0, parts[1].0, "the slate has others");
    assert!(["camera", "x264enc"].contains(&&*encoder));
    let times: Vec<u64> = taken.of(Track::Video).iter().map(|frame| frame.dts_ns).collect();
    assert!(times.windows(2).all(|pair| pair[0] <= pair[1]), "times never go back");
    let longest_ns = times.windows(2).map(|pair| pair[1] - pair[0]).max();
    assert!(longest_ns < Some(500_000_000), "{longest_ns:?} ns without a frame");
    assert_eq!(capture.stats().encoder_restarts, 0, "the idle encoder is not taken for silent");
}

#[test]
fn a_camera_whose_h264_has_no_key_frame_is_refused_with_the_reason() {
    let taken = Taken::default();
    // What comes after the first key frame, without end.
    let text = "videotestsrc is-live=true ! video/x-raw,width=160,height=120,framerate=30/1 \
                ! x264enc tune=zerolatency key-int-max=100000 option-string=scenecut=0 \
                ! h264parse ! identity drop-buffer-flags=header";
    let request = Request {
        camera: CameraSource::Launch { launch: text.to_owned(), passthrough: true },
        ..small()
    };
    let error = Capture::start(request, taken.sink(), taken.events()).expect_err("no key frame");
    let message = error.to_string();
    assert!(message.contains("no key frame for") || message.contains("no data for"), "{message}");
}

/// A camera whose frames come as datagrams, so that it can freeze.
struct FakeCamera {
    port: u16,
    frozen: Arc<AtomicBool>,
    _alive: Arc<()>,
}

impl FakeCamera {
    fn start() -> FakeCamera {
        let probe = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let port = probe.local_addr().expect("an address").port();
        drop(probe);
        let (frozen, alive) = (Arc::new(AtomicBool::new(false)), Arc::new(()));
        let (is_frozen, watched) = (Arc::clone(&frozen), Arc::downgrade(&alive));
        thread::spawn(move || {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
            while watched.upgrade().is_some() {
                if !is_frozen.load(Ordering::Relaxed) {
                    // Nobody listens while the camera is not open.
                    let _ = socket.send_to(&[128; 64 * 48 * 3 / 2], ("127.0.0.1", port));
                }
                thread::sleep(Duration::from_millis(33));
            }
        });
        FakeCamera { port, frozen, _alive: alive }
    }

    fn launch(&self) -> String {
        format!(
            "udpsrc address=127.0.0.1 port={} caps=\"video/x-raw, format=(string)I420, \
             width=(int)64, height=(int)48, framerate=(fraction)30/1\"",
            self.port
        )
    }

    fn freeze(&self, frozen: bool) {
        self.frozen.store(frozen, Ordering::Relaxed);
    }
}
