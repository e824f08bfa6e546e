//! The pipelines of the encoders as data: raw frames or samples in, access units out.

use super::{
    encoders::{self, AudioEncoderSpec, Memory, VideoEncoderSpec, fill_in},
    import::Import,
};
use gstreamer_video::VideoFormat;

use crate::capture::{
    frame_format::FrameFormat,
    gst::{
        caps,
        description::{Chain, PipelineDescription},
    },
    request::{AudioSettings, Request, VideoSettings},
};

/// Name of the appsrc that frames go into.
pub const VIDEO_IN: &str = "video_in";
/// Name of the appsrc that samples go into.
pub const AUDIO_IN: &str = "audio_in";
/// Name of the appsink that video access units come out of.
pub const VIDEO_OUT: &str = "video_out";
/// Name of the appsink that audio access units come out of.
pub const AUDIO_OUT: &str = "audio_out";
/// Name of the H.264 encoder.
pub const VIDEO_ENCODER: &str = "video_encoder";

/// The pipelines of both encoders: raw frames and samples in, access units out. `None` when an
/// encoder is not one of [`video_encoder_names`](super::video_encoder_names) and
/// [`audio_encoder_names`](super::audio_encoder_names).
pub fn encoder_pipelines(
    request: &Request,
    frames: FrameFormat,
    video_encoder: &str,
    audio_encoder: &str,
) -> Option<PipelineDescription> {
    let video = encoders::video(video_encoder)?;
    let audio = encoders::audio(audio_encoder)?;
    let description = PipelineDescription::default();
    let video_chain = video_chain(video, video.takes, &request.video, frames, None);
    let description = description.chain(video_chain);
    Some(description.chain(audio_chain(audio, &request.audio)))
}

/// The pipeline of a video encoder while it reads frames where the camera has put them. `None` when it is
/// not one of [`video_encoder_names`](super::video_encoder_names), or needs no other pipeline for that.
pub fn importing_pipeline(
    request: &Request,
    frames: FrameFormat,
    video_encoder: &str,
) -> Option<PipelineDescription> {
    let video = encoders::video(video_encoder)?;
    let import = video.imports.as_ref()?;
    Some(video_pipeline(video, video.takes, &request.video, frames, Some(import)))
}

/// The pipeline of a video encoder that takes these layouts: raw frames in, access units out. With
/// `import` it takes frames of that memory and no others.
pub fn video_pipeline(
    spec: &VideoEncoderSpec,
    takes: &[VideoFormat],
    video: &VideoSettings,
    frames: FrameFormat,
    import: Option<&Import>,
) -> PipelineDescription {
    PipelineDescription::default().chain(video_chain(spec, takes, video, frames, import))
}

/// The pipeline of an audio encoder: raw samples in, access units out.
pub fn audio_pipeline(spec: &AudioEncoderSpec, audio: &AudioSettings) -> PipelineDescription {
    PipelineDescription::default().chain(audio_chain(spec, audio))
}

fn video_chain(
    spec: &VideoEncoderSpec,
    takes: &[VideoFormat],
    video: &VideoSettings,
    frames: FrameFormat,
    import: Option<&Import>,
) -> Chain {
    let kbps = spec.bitrate.nearest_kbps(video.bitrate_kbps);
    let fill = |template: &str| fill_in(template, kbps, Some(video));
    let mut properties = vec![("name".to_owned(), VIDEO_ENCODER.to_owned())];
    let importing = import.map(|import| import.properties).unwrap_or_default();
    let others = spec.properties.iter().chain(importing);
    properties.extend(others.map(|(name, value)| ((*name).to_owned(), fill(value))));
    let chain = Chain::default()
        .element_with("appsrc", source_properties(VIDEO_IN, &caps::raw_video(video, frames)));
    // Where it replaces another one that took them: the frames stay as they are for the broadcast.
    let chain = match takes.first() {
        Some(first) if !takes.contains(&frames.layout) => {
            let taken = FrameFormat { layout: *first, ..frames };
            chain.element("videoconvert", &[]).text(caps::raw_video(video, taken))
        }
        _ => chain,
    };
    let chain = match spec.memory {
        Memory::System => chain,
        Memory::Device { element, caps } => chain.element(element, &[]).text(caps),
    };
    chain
        .element_with(spec.element, properties)
        .text(fill(spec.caps))
        .element("h264parse", &[])
        .text("video/x-h264, stream-format=(string)avc, alignment=(string)au")
        .element("appsink", SINK_VIDEO)
}

fn audio_chain(spec: &AudioEncoderSpec, audio: &AudioSettings) -> Chain {
    let properties = spec
        .properties
        .iter()
        .map(|(name, value)| ((*name).to_owned(), fill_in(value, audio.bitrate_kbps, None)));
    Chain::default()
        .element_with(
            "appsrc",
            source_properties(AUDIO_IN, &caps::raw_audio(audio.sample_rate_hz, audio.channels)),
        )
        .element("audioconvert", &[])
        .element_with(spec.element, properties.collect())
        .element("aacparse", &[])
        .text("audio/mpeg, mpegversion=(int)4, stream-format=(string)raw")
        .element("appsink", SINK_AUDIO)
}

/// How much is waiting is checked before each push, so appsrc has no bound of its own.
fn source_properties(name: &str, caps: &str) -> Vec<(String, String)> {
    [("name", name), ("format", "time"), ("is-live", "true"), ("max-bytes", "0"), ("caps", caps)]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
}

/// Access units leave at once; the callback never waits, so nothing queues.
const SINK_VIDEO: &[(&str, &str)] =
    &[("name", VIDEO_OUT), ("sync", "false"), ("async", "false"), ("enable-last-sample", "false")];
const SINK_AUDIO: &[(&str, &str)] =
    &[("name", AUDIO_OUT), ("sync", "false"), ("async", "false"), ("enable-last-sample", "false")];
