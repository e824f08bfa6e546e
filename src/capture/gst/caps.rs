//! The forms in which raw frames and samples travel between pipelines, as caps.

use crate::capture::{
    frame_format::{FrameFormat, WantedFrames},
    request::VideoSettings,
};

/// Frames as they go to the encoder.
pub fn raw_video(video: &VideoSettings, frames: FrameFormat) -> String {
    let VideoSettings { width, height, fps, .. } = video;
    let FrameFormat { layout, colorimetry } = frames;
    format!(
        "video/x-raw, format=(string){layout}, width=(int){width}, height=(int){height}, \
         framerate=(fraction){fps}/1, pixel-aspect-ratio=(fraction)1/1, \
         interlace-mode=(string)progressive, colorimetry=(string){colorimetry}"
    )
}

/// Frames as a source is to deliver them, at any rate.
pub fn wanted_frames(video: &VideoSettings, frames: &WantedFrames) -> String {
    any_rate(video, &layouts(frames))
}

fn layouts(frames: &WantedFrames) -> String {
    match frames {
        // What its values mean is changed behind the pipeline, where it can be done well.
        WantedFrames::Exactly(format) => format.layout.to_str().to_string(),
        WantedFrames::OneOf(layouts) => {
            let names: Vec<&str> = layouts.iter().map(|layout| layout.to_str().as_str()).collect();
            format!("{{ {} }}", names.join(", "))
        }
    }
}

/// Frames as a source is to deliver them, at any rate and in any size; in that of these settings where
/// it has none of its own.
pub fn frames_as_large_as_they_are(video: &VideoSettings, frames: &WantedFrames) -> String {
    let layouts = layouts(frames);
    format!("{}; video/x-raw, format=(string){layouts}", any_rate(video, &layouts))
}

/// Frames of one form at any rate, for still images as well.
pub fn raw_frame(video: &VideoSettings, frames: FrameFormat) -> String {
    let FrameFormat { layout, colorimetry } = frames;
    format!("{}, colorimetry=(string){colorimetry}", any_rate(video, layout.to_str()))
}

fn any_rate(video: &VideoSettings, layouts: &str) -> String {
    let VideoSettings { width, height, .. } = video;
    format!(
        "video/x-raw, format=(string){layouts}, width=(int){width}, height=(int){height}, \
         pixel-aspect-ratio=(fraction)1/1"
    )
}

/// Samples as a source delivers them, or as the encoder takes them.
pub fn raw_audio(rate_hz: u32, channels: u32) -> String {
    format!(
        "audio/x-raw, format=(string)S16LE, layout=(string)interleaved, rate=(int){rate_hz}, \
         channels=(int){channels}"
    )
}
