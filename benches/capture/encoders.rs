//! What both sides encode, and how.

use firstmile::board::Profile;
use firstmile::capture::{CameraSource, FrameFormat, MicrophoneSource, Request, encoder_pipelines};

use super::camera;

pub const TITLE: &str = "720p30 with x264enc, 2.5 Mbit/s, and avenc_aac";

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
    assert_eq!((video.width, video.height, video.fps), camera::MODE, "the title says so");
    assert_eq!(video.bitrate_kbps, 2_500, "the title says so");
    request
}

/// The same without the product: its own encoders with their settings, between a source and a sink.
pub fn bare() -> String {
    let frames = FrameFormat::drawn(gstreamer_video::VideoFormat::I420);
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
