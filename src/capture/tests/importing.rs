//! Encoders that read frames where the camera has put them, and take no others: what must be drawn by the
//! box goes through one that copies, and the broadcast goes on.

use super::{importer::Log, *};
use crate::{capture::encode::encoders::Import, video::Rotation};

/// An encoder that stands for one of a device, which reads memory of GStreamer's own kind where it lies;
/// frames that are drawn here lie in memory of another kind.
const fn reader(properties: &'static [(&'static str, &'static str)]) -> VideoEncoderSpec {
    VideoEncoderSpec {
        element: importer::ELEMENT,
        imports: Some(Import { memory: importer::MEMORY, properties }),
        properties: &[],
        takes: &[VideoFormat::I420],
        ..device("identity")
    }
}

static WORKS: VideoEncoderSpec = reader(&[("imports", "true")]);
static REFUSES: VideoEncoderSpec = reader(&[("imports", "true"), ("fails", "1")]);
static FAILS: VideoEncoderSpec = reader(&[("imports", "true"), ("fails", "40")]);
static FAILS_SILENTLY: VideoEncoderSpec = reader(&[("imports", "true"), ("falls-silent", "40")]);
static HANGS: VideoEncoderSpec = reader(&[("imports", "true"), ("hangs", "1")]);

/// A camera whose frames are of the form of those that are drawn.
const CAMERA: &str = "videotestsrc is-live=true ! video/x-raw, format=I420, width=320, height=180, \
                      framerate=30/1, colorimetry=bt709, interlace-mode=progressive";

struct Importing {
    ran: Ran,
    log: Log,
}

/// Starts a stream of that camera with that encoder, and with what is drawn over it.
fn start(camera: &str, encoder: &'static VideoEncoderSpec, look: Look) -> Importing {
    start_framed(camera, encoder, look, Framing::default())
}

/// The same with the camera's video turned.
fn start_framed(
    camera: &str,
    encoder: &'static VideoEncoderSpec,
    look: Look,
    framing: Framing,
) -> Importing {
    gstreamer::init().expect("GStreamer");
    let mut request = Request::from(&Profile::named("sim").expect("embedded"));
    (request.video.width, request.video.height) = (320, 180);
    request.encoders.video = ["openh264enc"].map(str::to_owned).to_vec();
    request.camera = CameraSource::Launch { launch: camera.to_owned(), passthrough: false };
    (request.look, request.framing) = (look, framing);
    let log = Log::start();
    let ran = start_request(request, encoder);
    Importing { ran, log }
}

impl Importing {
    /// Video frames until so many have come.
    fn video(&self, count: usize) -> Vec<Frame> {
        let mut frames = Vec::new();
        while frames.len() < count {
            let frame = self.ran.frames.recv_timeout(LONG).expect("a frame");
            if frame.track() == Track::Video {
                frames.push(frame);
            }
        }
        frames
    }

    /// All video frames until the encoder copies and has given a second of them.
    fn until_it_copies(&self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while self.log.copied() == 0 {
            frames.extend(self.video(1));
        }
        frames.extend(self.video(30));
        frames
    }

    /// What a viewer must not notice: the codec parameters are those of the beginning, and behind the gap
    /// is a key frame.
    fn assert_one_session(self, frames: &[Frame]) {
        let kinds: Vec<Kind> = frames.iter().map(|frame| frame.kind).collect();
        let configurations = kinds.iter().filter(|kind| **kind == Kind::VideoConfig).count();
        assert_eq!(configurations, 1, "codec parameters stay");
        let times: Vec<u64> = frames.iter().map(|frame| frame.dts_ns).collect();
        assert!(times.windows(2).all(|pair| pair[0] <= pair[1]), "time goes on");
        let gaps = times.windows(2).map(|pair| pair[1] - pair[0]);
        let (at, gap_ns) = gaps.enumerate().max_by_key(|(_, gap)| *gap).expect("frames");
        println!("changed over in {} ms", gap_ns / 1_000_000);
        assert_eq!(kinds[at + 1], Kind::VideoKey, "behind the gap");
        assert_eq!(self.ran.capture.stats().encoder_restarts, 0, "it is no failure");
        assert_eq!(self.ran.capture.stats().video_encoder, importer::ELEMENT);
        assert!(self.ran.capture.stop());
    }
}

#[test]
fn the_cameras_frames_are_read_where_they_lie() {
    let importing = start(CAMERA, &WORKS, Look::default());
    importing.video(60);
    assert!(importing.ran.capture.pipeline.is_importing());
    assert!(importing.ran.capture.stop());
    assert!(importing.log.imported() >= 50, "{}", importing.log.imported());
    assert_eq!(importing.log.copied(), 0);
}

#[test]
fn a_camera_that_is_lost_is_replaced_by_a_slate_that_is_copied_and_comes_back() {
    let camera = CAMERA.replacen("is-live=true", "is-live=true num-buffers=60", 1);
    let importing = start(&camera, &WORKS, Look::default());
    let mut frames = importing.until_it_copies();
    assert!(importing.ran.capture.stats().slate_frames > 0);
    let back = CaptureEvent::SourceBack(Source::Camera);
    while importing.ran.events.recv_timeout(LONG).expect("an event") != back {}
    let before = importing.log.copied();
    frames.extend(importing.video(30));
    assert!(importing.log.copied() > before, "it stays so for the broadcast");
    importing.assert_one_session(&frames);
}

#[test]
fn what_is_drawn_over_frames_is_drawn_over_copies() {
    let text = Look { text: Some("rehearsal".to_owned()), ..Look::default() };
    let clock = Look { clock: true, ..Look::default() };
    for look in [text, clock] {
        let importing = start(CAMERA, &WORKS, look);
        importing.video(30);
        assert!(importing.ran.capture.stop());
        assert_eq!(importing.log.imported(), 0);
    }
}

#[test]
fn what_is_turned_before_it_is_encoded_is_not_read_where_the_camera_put_it() {
    let turned = Framing { rotate: Rotation::Half, ..Framing::default() };
    let importing = start_framed(CAMERA, &WORKS, Look::default(), turned);
    importing.video(30);
    assert!(!importing.ran.capture.pipeline.is_importing());
    assert!(importing.ran.capture.stop());
    assert_eq!(importing.log.imported(), 0);
}

#[test]
fn an_encoder_that_cannot_read_the_cameras_memory_copies_from_the_start() {
    let importing = start(CAMERA, &REFUSES, Look::default());
    importing.video(30);
    assert!(!importing.ran.capture.pipeline.is_importing());
    let stats = importing.ran.capture.stats();
    assert_eq!((stats.encoder_restarts, stats.video_encoder.as_str()), (0, importer::ELEMENT));
    assert!(importing.ran.capture.stop());
    assert!(importing.log.copied() >= 25, "{}", importing.log.copied());
}

// Shows F62.
#[test]
fn an_encoder_that_fails_while_it_reads_the_cameras_memory_goes_on_with_copies() {
    for encoder in [&FAILS, &FAILS_SILENTLY] {
        let importing = start(CAMERA, encoder, Look::default());
        let frames = importing.until_it_copies();
        importing.assert_one_session(&frames);
    }
}

#[test]
fn an_encoder_that_hangs_with_the_cameras_memory_is_passed_over() {
    let importing = start(CAMERA, &HANGS, Look::default());
    importing.video(30);
    let stats = importing.ran.capture.stats();
    assert_eq!((stats.encoder_restarts, stats.video_encoder.as_str()), (0, "openh264enc"));
    importing.ran.capture.stop();
}
