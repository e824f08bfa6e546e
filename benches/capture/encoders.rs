//! What both sides encode, and how.

use firstmile::board::Profile;
use firstmile::capture::{CameraSource, FrameFormat, MicrophoneSource, Request, encoder_pipelines};
use gstreamer_video::VideoFormat;

use super::camera::{self, FPS, Format, Mode};

pub const TITLE: &str = "720p30 of a camera of NV12 in BT.601 with x264enc, 2.5 Mbit/s, and avenc_aac, \
    beside the straight line: source, queue, encoder, parser, sink, no colour matrix, no scaling";
/// What the camera delivers: a format that the encoder takes.
pub const MODE: Mode = Mode { format: Format::Nv12, width: 1_280, height: 720, fps: FPS };

const VIDEO_ENCODER: &str = "x264enc";
const AUDIO_ENCODER: &str = "avenc_aac";
const MICROPHONE: &str = "audiotestsrc is-live=true volume=0.1 ! \
    audio/x-raw,format=S16LE,layout=interleaved,rate=48000,channels=2";

/// What the product is asked for.
pub fn request() -> Request {
    let mut request = Request::from(&Profile::named("sim").expect("embedded"));
    request.camera =
        CameraSource::Launch { launch: camera::ELEMENT.to_owned(), passthrough: false };
    request.microphone = MicrophoneSource::Launch { launch: MICROPHONE.to_owned() };
    request.encoders.video = vec![VIDEO_ENCODER.to_owned()];
    request.encoders.audio = vec![AUDIO_ENCODER.to_owned()];
    let video = &request.video;
    let mode = (MODE.width, MODE.height, MODE.fps);
    assert_eq!((video.width, video.height, video.fps), mode, "the title says so");
    assert_eq!(video.bitrate_kbps, 2_500, "the title says so");
    request
}

/// The same without the product: its own encoders with their settings, straight behind a source.
pub fn straight() -> String {
    // The source says in which form its frames are.
    let frames = FrameFormat::drawn(VideoFormat::Nv12);
    let description = encoder_pipelines(&request(), frames, VIDEO_ENCODER, AUDIO_ENCODER)
        .expect("known encoders");
    let described = description.to_string();
    let mut sources = 0;
    let lines = described.lines().map(|line| {
        let source = match line {
            line if line.starts_with("appsrc name=video_in") => camera::ELEMENT,
            line if line.starts_with("appsrc name=audio_in") => MICROPHONE,
            line => return format!("{line}\n"),
        };
        sources += 1;
        format!("{source} ! queue\n")
    });
    let text = lines.collect();
    assert_eq!(sources, 2, "both sources were replaced");
    text
}
