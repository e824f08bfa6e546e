//! Never dead air: whatever camera and microphone do, the stream goes on in the same session with
//! the same codec parameters, and a decoder finds nothing wrong with it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::common::{Taken, broadcast, small, until_frames};
use crate::support::appliance::Appliance;
use crate::support::fake_device::FakeDevice;
use crate::support::nginx::Nginx;
use crate::support::{Folder, has_or_skip, one_at_a_time, probe, run};
use firstmile::capture::{
    CameraSource, Capture, CaptureEvent, Look, MicrophoneSource, Request, Source, StartWithout,
};
use firstmile::media::{Kind, Track};

/// The frames of a second, at the simulated board of these tests.
const FPS: usize = 15;
const TIMEOUT: Duration = Duration::from_secs(60);

// ── at a real server ────────────────────────────────────────────────────────────────────────────

/// A broadcast from these devices to nginx, while `story` happens; what was recorded.
fn recorded(
    camera: &FakeDevice,
    microphone: &FakeDevice,
    story: impl FnOnce(&Appliance),
) -> Option<(Nginx, PathBuf)> {
    let profile = format!(
        "[camera]\nsource = \"launch\"\nlaunch = \"{}\"\n\
         [microphone]\nsource = \"launch\"\nlaunch = \"{}\"\n",
        camera.launch(),
        microphone.launch()
    );
    broadcast(&profile, |appliance| {
        until_frames(appliance, 2 * FPS);
        story(appliance);
    })
}

fn until_source(appliance: &Appliance, source: &str, state: &str) {
    let wanted = format!("{source:12} {state}");
    appliance.until_status_shows(&wanted, |status| status.contains(&wanted));
}

/// What a decoder makes of a record: nothing to complain about, no gap, one configuration.
#[track_caller]
fn assert_whole(record: &Path) {
    probe::decodes_cleanly(record).expect("decodes");
    let packets = probe::packets(record);
    assert!(packets.first_is_key && packets.in_order, "{packets:?}");
    assert!(packets.largest_video_gap_ms <= 100.0, "{packets:?}");
    assert!(packets.largest_audio_gap_ms <= 100.0, "{packets:?}");
    for (track, configurations) in configurations(record) {
        assert!(configurations.windows(2).all(|pair| pair[0] == pair[1]), "{track} changed");
        assert!(!configurations.is_empty(), "{track} has none");
    }
}

/// The sequence headers of both tracks of an FLV file (Adobe FLV specification 10.1, annex E).
fn configurations(record: &Path) -> [(&'static str, Vec<Vec<u8>>); 2] {
    let file = std::fs::read(record).expect("reads");
    let (mut video, mut audio) = (Vec::new(), Vec::new());
    let mut rest = &file[9 + 4..];
    while let Some((header, tail)) = rest.split_at_checked(11) {
        let length = u32::from_be_bytes([0, header[1], header[2], header[3]]) as usize;
        let Some((body, tail)) = tail.split_at_checked(length) else { break };
        match (header[0], body) {
            (9, [_, 0, _, _, _, config @ ..]) => video.push(config.to_vec()),
            (8, [_, 0, config @ ..]) => audio.push(config.to_vec()),
            _ => {}
        }
        rest = tail.get(4..).unwrap_or_default();
    }
    [("video", video), ("audio", audio)]
}

/// What a frame of the record shows.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Shown {
    /// The camera's grey, and how bright it is.
    Camera(u8),
    Slate,
}

/// The frames of a record, each with whether it is a key frame.
fn frames(record: &Path) -> Vec<(Shown, bool)> {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-i"]).arg(record);
    ffmpeg.args(["-vf", "crop=ih:ih,scale=16:16,format=gray,showinfo=checksum=0"]);
    ffmpeg.args(["-fps_mode", "passthrough", "-f", "rawvideo", "-v", "info", "-"]);
    let output = ffmpeg.output().expect("ffmpeg");
    let message = String::from_utf8_lossy(&output.stderr);
    let keys =
        message.lines().filter(|line| line.contains("Parsed_showinfo") && line.contains(" n:"));
    let keys: Vec<bool> = keys.map(|line| line.contains("iskey:1")).collect();
    let frames: Vec<Shown> = output.stdout.chunks_exact(256).map(shown).collect();
    assert_eq!(frames.len(), keys.len(), "{message}");
    frames.into_iter().zip(keys).collect()
}

fn shown(frame: &[u8]) -> Shown {
    let middle = frame[8 * 16 + 8];
    let is_grey = frame.iter().all(|luma| luma.abs_diff(middle) < 12);
    if is_grey && middle > 120 { Shown::Camera(middle) } else { Shown::Slate }
}

/// Runs of slate between frames of the camera: length, still frames right before it, and whether
/// the camera came back with a key frame.
fn losses(frames: &[(Shown, bool)]) -> Vec<(usize, usize, bool)> {
    let mut losses = Vec::new();
    let mut at = 0;
    for run in frames.chunk_by(|a, b| (a.0 == Shown::Slate) == (b.0 == Shown::Slate)) {
        if run[0].0 == Shown::Slate && at > 0 {
            let still = frames[..at].windows(2).rev().take_while(|pair| is_still(pair)).count();
            let back = frames.get(at + run.len());
            losses.push((run.len(), still, back.is_some_and(|(_, is_key)| *is_key)));
        }
        at += run.len();
    }
    losses
}

fn is_still(pair: &[(Shown, bool)]) -> bool {
    match (pair[0].0, pair[1].0) {
        (Shown::Camera(before), Shown::Camera(after)) => before.abs_diff(after) < 6,
        _ => false,
    }
}

// Shows F24, F25.
#[test]
fn a_camera_that_is_unplugged_and_then_freezes_is_replaced_by_the_slate_at_a_real_server() {
    let _turn = one_at_a_time();
    let (camera, microphone) = (FakeDevice::camera(FPS as u32), FakeDevice::microphone());
    let recorded = recorded(&camera, &microphone, |appliance| {
        camera.plug(false);
        until_source(appliance, "camera", "absent");
        until_frames(appliance, FPS);
        camera.plug(true);
        until_source(appliance, "camera", "present");
        until_frames(appliance, 2 * FPS);
        camera.freeze(true);
        until_source(appliance, "camera", "absent");
        camera.freeze(false);
        until_source(appliance, "camera", "present");
        until_frames(appliance, 2 * FPS);
    });
    let Some((_nginx, record)) = recorded else { return };
    assert_whole(&record);
    let frames = frames(&record);
    let losses = losses(&frames);
    let [unplugged, frozen] = losses.as_slice() else { panic!("two losses: {losses:?}") };
    assert!(unplugged.1 <= FPS, "the slate came {} frames after the loss", unplugged.1);
    assert!(frozen.1 <= 2 * FPS, "the freeze was seen after {} frames", frozen.1);
    assert!(frozen.0 <= 5 * FPS, "the camera was back after {} frames", frozen.0);
    assert!(unplugged.2 && frozen.2, "the camera comes back at a key frame: {losses:?}");
}

#[test]
fn a_camera_that_changes_its_format_goes_on_in_the_same_stream() {
    let _turn = one_at_a_time();
    let (camera, microphone) = (FakeDevice::camera(FPS as u32), FakeDevice::microphone());
    let recorded = recorded(&camera, &microphone, |appliance| {
        for width in [320, 64] {
            camera.set_width(width);
            until_frames(appliance, 3 * FPS);
            until_source(appliance, "camera", "present");
        }
    });
    let Some((_nginx, record)) = recorded else { return };
    assert_whole(&record);
    let frames = frames(&record);
    let still = frames.chunk_by(|a, b| is_still(&[*a, *b])).map(<[_]>::len).max();
    assert!(still.is_some_and(|still| still <= 2 * FPS), "{still:?} frames without a change");
    for loss in losses(&frames) {
        assert!(loss.0 <= 5 * FPS && loss.2, "{loss:?}");
    }
    assert!(matches!(frames.last(), Some((Shown::Camera(_), _))));
}

// Shows F26.
#[test]
fn a_microphone_that_is_unplugged_becomes_silence_at_a_real_server() {
    let _turn = one_at_a_time();
    let (camera, microphone) = (FakeDevice::camera(FPS as u32), FakeDevice::microphone());
    let recorded = recorded(&camera, &microphone, |appliance| {
        microphone.plug(false);
        until_source(appliance, "microphone", "absent");
        until_frames(appliance, FPS);
        microphone.plug(true);
        until_source(appliance, "microphone", "present");
        until_frames(appliance, 2 * FPS);
    });
    let Some((_nginx, record)) = recorded else { return };
    assert_whole(&record);
    let loud = loud_tenths(&record);
    let runs: Vec<(bool, usize)> =
        loud.chunk_by(|a, b| a == b).map(|run| (run[0], run.len())).collect();
    let silences: Vec<usize> = runs
        .iter()
        .filter(|(loud, tenths)| !loud && *tenths >= 5)
        .map(|(_, tenths)| *tenths)
        .collect();
    let [silence] = silences.as_slice() else { panic!("one silence: {runs:?}") };
    // Until the loss is seen and a second more it was unplugged; then it has 3 s.
    assert!(*silence <= 15 + 10 + 30, "the audio came back after {silence} tenths of a second");
    assert!(loud.iter().rev().take(5).any(|loud| *loud), "the audio is back: {runs:?}");
    assert!(losses(&frames(&record)).is_empty(), "the video is not affected");
}

/// Whether there is audio, for each tenth of a second of a record.
fn loud_tenths(record: &Path) -> Vec<bool> {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-i"]).arg(record);
    ffmpeg.args(["-ac", "1", "-ar", "48000", "-f", "s16le", "-"]);
    let samples = ffmpeg.output().expect("ffmpeg").stdout;
    let loud = |tenth: &[u8]| {
        let values = tenth.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
        values.map(i16::unsigned_abs).max().is_some_and(|peak| peak > 1_000)
    };
    samples.chunks_exact(9_600).map(loud).collect()
}

// ── at the start, and as the owner wants it ─────────────────────────────────────────────────────

#[test]
fn without_a_camera_the_box_starts_only_when_its_owner_allows_it() {
    let camera = FakeDevice::camera(30);
    camera.plug(false);
    std::thread::sleep(Duration::from_millis(100));
    let request = Request {
        camera: CameraSource::Launch { launch: camera.launch(), passthrough: false },
        ..small()
    };
    let taken = Taken::default();
    let refused = Capture::start(request.clone(), taken.sink(), taken.events());
    assert!(refused.expect_err("refused").to_string().contains("no video from camera"));

    let start_without = StartWithout { camera: true, microphone: false };
    let request = Request { start_without, ..request };
    let capture = Capture::start(request, taken.sink(), taken.events()).expect("starts");
    taken.wait_for("the slate", |t| t.of(Track::Video).len() > 15);
    assert!(capture.stats().slate_frames > 10);
    assert!(taken.seen_events().contains(&CaptureEvent::SourceLost(Source::Camera)));
    camera.plug(true);
    taken.wait_for("the camera", |t| t.has(&CaptureEvent::SourceBack(Source::Camera)));
    let back_at = taken.of(Track::Video).len();
    taken.wait_for("its video", |t| t.of(Track::Video).len() > back_at + 10);
    capture.stop();
    assert_eq!(taken.count(Kind::VideoConfig), 1);
}

#[test]
fn without_a_microphone_the_box_starts_in_silence_when_its_owner_allows_it() {
    let microphone = FakeDevice::microphone();
    microphone.plug(false);
    std::thread::sleep(Duration::from_millis(100));
    let request = Request {
        microphone: MicrophoneSource::Launch { launch: microphone.launch() },
        start_without: StartWithout { camera: false, microphone: true },
        ..small()
    };
    let taken = Taken::default();
    let capture = Capture::start(request, taken.sink(), taken.events()).expect("starts");
    taken.wait_for("silence", |t| t.count(Kind::Audio) > 60);
    assert!(capture.stats().levels.silent_for_ms.is_some_and(|ms| ms >= 800));
    microphone.plug(true);
    taken.wait_for("the audio", |t| t.has(&CaptureEvent::SourceBack(Source::Microphone)));
    let back_at = taken.count(Kind::Audio);
    taken.wait_for("more of it", |t| t.count(Kind::Audio) > back_at + 60);
    let levels = capture.stats().levels;
    assert_eq!(levels.silent_for_ms, None, "{levels:?}");
    // 8,000 of 32,767 is -12 dBFS, and a sine 3 dB less in RMS.
    assert!((levels.channels[0].peak_dbfs + 12.2).abs() < 1.0, "{levels:?}");
    assert!((levels.channels[0].rms_dbfs + 15.3).abs() < 1.0, "{levels:?}");
    capture.stop();
}

/// A PNG file of one colour.
fn png(folder: &Folder, name: &str, colour: &str, size: &str) -> PathBuf {
    let path = folder.path().join(name);
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-f", "lavfi", "-i"]);
    ffmpeg.arg(format!("color={colour}:s={size}")).args(["-frames:v", "1", "-pix_fmt", "rgba"]);
    run(ffmpeg.arg(&path), TIMEOUT).ok();
    path
}

/// The luma of the last frame that came out, at points given in thousandths.
fn last_luma(taken: &Taken, points: &[(usize, usize)]) -> Vec<u8> {
    let frames = taken.of(Track::Video);
    let (width, height) = (320, 180);
    let frame = crate::common::last_frame(&frames);
    points.iter().map(|(x, y)| frame[y * height / 1_000 * width + x * width / 1_000]).collect()
}

/// What is seen after a second, and what was left out.
fn seen(camera: CameraSource, look: Look, points: &[(usize, usize)]) -> (Vec<u8>, Vec<String>) {
    let taken = Taken::default();
    let start_without = StartWithout { camera: true, microphone: true };
    let request = Request { camera, look, start_without, ..small() };
    let capture = Capture::start(request, taken.sink(), taken.events()).expect("starts");
    taken.wait_for("a second", |t| t.of(Track::Video).len() > 30);
    capture.stop();
    let left_out = taken.seen_events().into_iter().filter_map(|event| match event {
        CaptureEvent::LeftOut { message } => Some(message),
        _ => None,
    });
    (last_luma(&taken, points), left_out.collect())
}

#[test]
fn the_owner_s_image_is_the_slate_and_a_bad_one_is_named_and_not_used() {
    if !has_or_skip(&["ffmpeg"]) {
        return;
    }
    let folder = Folder::new("slate");
    let absent = || CameraSource::Launch {
        launch: "tcpclientsrc host=127.0.0.1 port=1 ! gdpdepay".to_owned(),
        passthrough: false,
    };
    let look = |slate: PathBuf| Look { slate: Some(slate), ..Look::default() };
    let corner_and_middle = [(20, 50), (500, 500)];

    // A square in the middle of a wide frame, with borders at its sides.
    let square = png(&folder, "square.png", "white", "300x300");
    let (luma, left_out) = seen(absent(), look(square), &corner_and_middle);
    assert_eq!(left_out, [""; 0]);
    assert!(luma[0] < 30 && luma[1] > 220, "{luma:?}");

    let text = folder.path().join("text.png");
    std::fs::write(&text, "no image").expect("writes");
    let cut = folder.path().join("cut.png");
    let whole = std::fs::read(png(&folder, "whole.png", "white", "64x64")).expect("reads");
    std::fs::write(&cut, &whole[..whole.len() / 2]).expect("writes");
    // Nobody writes to it: to open it as a file would wait without end.
    let pipe = folder.path().join("pipe.png");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    for bad in [text, cut, pipe, folder.path().join("nowhere.png")] {
        let (luma, left_out) = seen(absent(), look(bad.clone()), &corner_and_middle);
        assert!(luma[0] < 60, "the drawn slate: {luma:?}");
        let [message] = left_out.as_slice() else { panic!("{left_out:?}") };
        assert!(
            message.contains("slate.picture") && message.contains(bad.to_str().unwrap_or_default())
        );
    }
}

#[test]
fn logo_text_and_clock_are_drawn_over_the_video_and_nothing_is_unless_it_is_wanted() {
    if !has_or_skip(&["ffmpeg"]) {
        return;
    }
    let folder = Folder::new("overlay");
    let camera = || CameraSource::Launch {
        launch: "videotestsrc is-live=true pattern=white ! video/x-raw,width=320,height=180"
            .to_owned(),
        passthrough: false,
    };
    // In the logo, in the boxes of the clock and of the text, and beside all of them.
    let points = [(60, 100), (832, 61), (25, 955), (500, 500)];
    let (luma, _) = seen(camera(), Look::default(), &points);
    assert!(luma.iter().all(|luma| *luma > 220), "{luma:?}");

    let logo = png(&folder, "logo.png", "black@1.0", "400x200");
    let look = Look {
        clock: true,
        text: Some("rehearsal".to_owned()),
        logo: Some(logo),
        ..Look::default()
    };
    let (luma, left_out) = seen(camera(), look, &points);
    assert_eq!(left_out, [""; 0]);
    assert!(luma[0] < 40 && luma[1] < 160 && luma[2] < 160 && luma[3] > 220, "{luma:?}");
}
