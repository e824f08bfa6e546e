//! The forms in which raw frames and samples travel between pipelines, as caps.

use crate::capture::request::{AudioSettings, VideoSettings};

/// Frames as the encoder takes them, whatever the camera delivers.
pub fn raw_video(video: &VideoSettings) -> String {
    format!(
        "video/x-raw, format=(string)I420, width=(int){}, height=(int){}, \
         framerate=(fraction){}/1, pixel-aspect-ratio=(fraction)1/1, \
         interlace-mode=(string)progressive, colorimetry=(string)bt709",
        video.width, video.height, video.fps
    )
}

/// The same at any frame rate, for sources and still images.
pub fn raw_frame(video: &VideoSettings) -> String {
    format!(
        "video/x-raw, format=(string)I420, width=(int){}, height=(int){}, \
         pixel-aspect-ratio=(fraction)1/1, colorimetry=(string)bt709",
        video.width, video.height
    )
}

/// Samples as the encoder takes them, whatever the microphone delivers.
pub fn raw_audio(audio: &AudioSettings) -> String {
    format!(
        "audio/x-raw, format=(string)S16LE, layout=(string)interleaved, rate=(int){}, \
         channels=(int){}",
        audio.sample_rate_hz, audio.channels
    )
}
