//! The pipelines of the encoders as data: raw frames or samples in, access units out.

use super::encoders::{self, AudioEncoder, Memory, VideoEncoder, fill_in};
use crate::capture::{
    gst::{
        caps,
        description::{Chain, PipelineDescription},
    },
    request::{AudioSettings, Request, VideoSettings},
};

/// Name of the appsrc that pictures go into.
pub const VIDEO_IN: &str = "video_in";
/// Name of the appsrc that samples go into.
pub const AUDIO_IN: &str = "audio_in";
/// Name of the appsink that video access units come out of.
pub const VIDEO_OUT: &str = "video_out";
/// Name of the appsink that audio access units come out of.
pub const AUDIO_OUT: &str = "audio_out";
/// Name of the H.264 encoder.
pub const VIDEO_ENCODER: &str = "video_encoder";

/// The programme: raw pictures and samples in, access units out. `None` when an encoder is not
/// one that this room knows.
pub fn programme(
    request: &Request,
    video_encoder: &str,
    audio_encoder: &str,
) -> Option<PipelineDescription> {
    let video = encoders::video(video_encoder)?;
    let audio = encoders::audio(audio_encoder)?;
    let description = PipelineDescription::default();
    let description = description.chain(video_chain(video, &request.video));
    Some(description.chain(audio_chain(audio, &request.audio)))
}

/// The pipeline of a video encoder: raw frames in, access units out.
pub fn video_pipeline(encoder: &VideoEncoder, video: &VideoSettings) -> PipelineDescription {
    PipelineDescription::default().chain(video_chain(encoder, video))
}

/// The pipeline of an audio encoder: raw samples in, access units out.
pub fn audio_pipeline(encoder: &AudioEncoder, audio: &AudioSettings) -> PipelineDescription {
    PipelineDescription::default().chain(audio_chain(encoder, audio))
}

fn video_chain(encoder: &VideoEncoder, video: &VideoSettings) -> Chain {
    let kbps = encoder.bitrate.nearest_kbps(video.bitrate_kbps);
    let fill = |template: &str| fill_in(template, kbps, Some(video));
    let mut properties = vec![("name".to_owned(), VIDEO_ENCODER.to_owned())];
    properties
        .extend(encoder.properties.iter().map(|(name, value)| ((*name).to_owned(), fill(value))));
    let chain = Chain::default()
        .element_with("appsrc", source_properties(VIDEO_IN, &caps::raw_video(video)));
    let chain = match encoder.memory {
        Memory::System => chain,
        Memory::Device { element, caps } => chain.element(element, &[]).text(caps),
    };
    chain
        .element_with(encoder.element, properties)
        .text(fill(encoder.caps))
        .element("h264parse", &[])
        .text("video/x-h264, stream-format=(string)avc, alignment=(string)au")
        .element("appsink", SINK_VIDEO)
}

fn audio_chain(encoder: &AudioEncoder, audio: &AudioSettings) -> Chain {
    let properties = encoder
        .properties
        .iter()
        .map(|(name, value)| ((*name).to_owned(), fill_in(value, audio.bitrate_kbps, None)));
    Chain::default()
        .element_with("appsrc", source_properties(AUDIO_IN, &caps::raw_audio(audio)))
        .element("audioconvert", &[])
        .element_with(encoder.element, properties.collect())
        .element("aacparse", &[])
        .text("audio/mpeg, mpegversion=(int)4, stream-format=(string)raw")
        .element("appsink", SINK_AUDIO)
}

/// What may wait is looked at before each push, so appsrc need not say when it has enough.
fn source_properties(name: &str, caps: &str) -> Vec<(String, String)> {
    [("name", name), ("format", "time"), ("is-live", "true"), ("max-bytes", "0"), ("caps", caps)]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
}

/// Access units leave as soon as they are there; their callback never waits, so nothing queues.
const SINK_VIDEO: &[(&str, &str)] =
    &[("name", VIDEO_OUT), ("sync", "false"), ("async", "false"), ("enable-last-sample", "false")];
const SINK_AUDIO: &[(&str, &str)] =
    &[("name", AUDIO_OUT), ("sync", "false"), ("async", "false"), ("enable-last-sample", "false")];
