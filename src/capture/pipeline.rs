//! Pipelines as data: what is built, in which order, with which properties.
//!
//! Everything here is a pure function; starting a pipeline parses the text that
//! [`PipelineDescription`] renders to, and that text is what `tests/pipelines/` reviews.

use std::{fmt, path::Path, time::Duration};

use super::{
    encoders::{self, AudioEncoder, Memory, VideoEncoder, fill_in},
    modes::{Form, Mode},
    plan::Recipe,
    request::{AudioSettings, Request, VideoSettings},
    trial::Chosen,
};
use crate::limits::{CAPTURE_PICTURES_HELD_MAX, CAPTURE_SOUND_AHEAD_MAX};

/// A pipeline: chains of elements that run beside each other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PipelineDescription {
    chains: Vec<Vec<Link>>,
}

/// An element with its properties, or text that stands for itself: the caps between two elements,
/// a reference to a named element, or what a board profile gives.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Link {
    Element { factory: String, properties: Vec<(String, String)> },
    Text(String),
}

impl PipelineDescription {
    /// The elements by their factory names, in order.
    pub fn elements(&self) -> impl Iterator<Item = &str> {
        self.chains.iter().flatten().filter_map(|link| match link {
            Link::Element { factory, .. } => Some(factory.as_str()),
            Link::Text(_) => None,
        })
    }

    /// The properties that are set: element, property, value.
    pub fn properties(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.chains.iter().flatten().flat_map(|link| {
            let (factory, properties) = match link {
                Link::Element { factory, properties } => (factory.as_str(), properties.as_slice()),
                Link::Text(_) => ("", &[][..]),
            };
            properties.iter().map(move |(name, value)| (factory, name.as_str(), value.as_str()))
        })
    }

    fn chain(mut self, chain: Chain) -> PipelineDescription {
        self.chains.push(chain.0);
        self
    }
}

impl fmt::Display for PipelineDescription {
    /// `gst-launch` notation, one element a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, chain) in self.chains.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            for (j, link) in chain.iter().enumerate() {
                f.write_str(if j == 0 { "" } else { "  ! " })?;
                match link {
                    Link::Element { factory, properties } => {
                        f.write_str(factory)?;
                        for (name, value) in properties {
                            write!(f, " {name}={}", quoted(value))?;
                        }
                    }
                    Link::Text(text) => f.write_str(text)?,
                }
                writeln!(f)?;
            }
        }
        Ok(())
    }
}

/// Quotes a value unless it is plain (gst-launch-1.0(1), "properties").
fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

#[derive(Default)]
struct Chain(Vec<Link>);

impl Chain {
    fn element(self, factory: &str, properties: &[(&str, &str)]) -> Chain {
        let owned = properties.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        self.element_with(factory, owned.collect())
    }

    fn element_with(mut self, factory: &str, properties: Vec<(String, String)>) -> Chain {
        self.0.push(Link::Element { factory: factory.to_owned(), properties });
        self
    }

    fn text(mut self, text: impl Into<String>) -> Chain {
        self.0.push(Link::Text(text.into()));
        self
    }
}

/// Name of the appsrc that pictures go into.
pub(super) const VIDEO_IN: &str = "video_in";
/// Name of the appsrc that a still picture goes into.
pub(super) const PICTURE_IN: &str = "picture_in";
/// Name of the appsrc that samples go into.
pub(super) const AUDIO_IN: &str = "audio_in";
/// Name of the appsink that video access units come out of.
pub(super) const VIDEO_OUT: &str = "video_out";
/// Name of the appsink that audio access units come out of.
pub(super) const AUDIO_OUT: &str = "audio_out";
/// Name of the H.264 encoder.
pub(super) const VIDEO_ENCODER: &str = "video_encoder";

/// Name of the appsink that a source's pictures come out of.
pub(super) const PICTURE: &str = "picture";
/// Name of the appsink that a source's samples come out of.
pub(super) const SOUND: &str = "sound";
/// Name of a source's decoder.
pub(super) const DECODER: &str = "decoder";
/// Name of the first element behind the decoder on the way of the pictures.
pub(super) const PICTURE_HEAD: &str = "picture_head";
/// Name of the first element behind the decoder on the way of the samples.
pub(super) const SOUND_HEAD: &str = "sound_head";

/// The one form in which pictures reach the encoder, whatever the camera gives.
pub(super) fn raw_video_caps(video: &VideoSettings) -> String {
    format!(
        "video/x-raw, format=(string)I420, width=(int){}, height=(int){}, \
         framerate=(fraction){}/1, pixel-aspect-ratio=(fraction)1/1, \
         interlace-mode=(string)progressive, colorimetry=(string)bt709",
        video.width, video.height, video.fps
    )
}

/// The same at any rate, for sources and stills.
pub(super) fn picture_caps(video: &VideoSettings) -> String {
    format!(
        "video/x-raw, format=(string)I420, width=(int){}, height=(int){}, \
         pixel-aspect-ratio=(fraction)1/1, colorimetry=(string)bt709",
        video.width, video.height
    )
}

/// The one form in which sound reaches the encoder, whatever the microphone gives.
pub(super) fn raw_audio_caps(audio: &AudioSettings) -> String {
    format!(
        "audio/x-raw, format=(string)S16LE, layout=(string)interleaved, rate=(int){}, \
         channels=(int){}",
        audio.sample_rate_hz, audio.channels
    )
}

/// The programme: raw pictures and samples in, access units out. `None` when an encoder is not
/// one that this room knows.
pub fn programme(
    request: &Request,
    video_encoder: &str,
    audio_encoder: &str,
) -> Option<PipelineDescription> {
    let video = encoders::video(video_encoder)?;
    let audio = encoders::audio(audio_encoder)?;
    Some(programme_of(&Chosen { video, audio }, request))
}

/// The same for encoders that were chosen.
pub(super) fn programme_of(chosen: &Chosen, request: &Request) -> PipelineDescription {
    PipelineDescription::default()
        .chain(video_chain(chosen.video, &request.video))
        .chain(audio_chain(chosen.audio, &request.audio))
}

/// The video half of the programme alone, to see whether an encoder works.
pub(super) fn video_trial(encoder: &VideoEncoder, video: &VideoSettings) -> PipelineDescription {
    PipelineDescription::default().chain(video_chain(encoder, video))
}

/// The audio half of the programme alone, to see whether an encoder works.
pub(super) fn audio_trial(encoder: &AudioEncoder, audio: &AudioSettings) -> PipelineDescription {
    PipelineDescription::default().chain(audio_chain(encoder, audio))
}

/// A PNG picture in one buffer in, one raw picture with these caps out.
pub(super) fn still(caps: &str) -> PipelineDescription {
    PipelineDescription::default().chain(
        Chain::default()
            .element("appsrc", &[("name", PICTURE_IN), ("caps", "image/png"), ("max-bytes", "0")])
            .element("pngdec", &[])
            .element("videoconvert", &[])
            .element("videoscale", &[("add-borders", "true")])
            .text(caps)
            .element("appsink", &[("name", PICTURE), ("sync", "false")]),
    )
}

/// The pipeline of a source. Whatever it gives is brought to one form, so that the encoder never
/// sees a change.
pub fn source(
    recipe: &Recipe,
    video: &VideoSettings,
    audio: &AudioSettings,
) -> PipelineDescription {
    let live = recipe.is_live();
    let description = PipelineDescription::default();
    let head = match recipe {
        Recipe::V4l2 { node, mode } if recipe.is_coded() => {
            return description.chain(coded_tail(camera(node, mode)));
        }
        Recipe::CodedLaunch(text) => {
            return description.chain(coded_tail(Chain::default().text(text.clone())));
        }
        Recipe::V4l2 { node, mode } => camera(node, mode),
        Recipe::Libcamera(name) => libcamera(name.as_deref(), video),
        Recipe::Argus(sensor) => argus(*sensor, video),
        Recipe::Alsa(device) => {
            return description.chain(sound_tail(sound_card(device), live, audio));
        }
        Recipe::CameraLaunch(text) | Recipe::MicrophoneLaunch(text) => {
            let head = Chain::default().text(text.clone());
            return decoded(head, recipe, video, audio);
        }
        Recipe::Clip { path, .. } => {
            let location = path.to_string_lossy();
            let head = Chain::default().element("filesrc", &[("location", &location)]);
            return decoded(head, recipe, video, audio);
        }
    };
    description.chain(picture_tail(head, live, video))
}

/// What has to be looked into before it is known what it is made of.
fn decoded(
    head: Chain,
    recipe: &Recipe,
    video: &VideoSettings,
    audio: &AudioSettings,
) -> PipelineDescription {
    let live = recipe.is_live();
    let from = || Chain::default().text(format!("{DECODER}."));
    let mut description =
        PipelineDescription::default().chain(head.element("decodebin", &[("name", DECODER)]));
    if recipe.has_picture() {
        description = description.chain(picture_tail(from(), live, video));
    }
    if recipe.has_sound() {
        description = description.chain(sound_tail(from(), live, audio));
    }
    description
}

/// A camera in the mode that was chosen for it; it could take another one by itself.
fn camera(node: &Path, mode: &Mode) -> Chain {
    let chain = Chain::default()
        .element("v4l2src", &[("device", &node.to_string_lossy())])
        .element("capsfilter", &[("caps", &mode.caps())]);
    match mode.form {
        // A broken picture is left out; however many there are, the stream goes on.
        Form::Mjpeg => chain.element("jpegdec", &[("name", DECODER), ("max-errors", "-1")]),
        _ => chain,
    }
}

/// libcamera leaves open what is not pinned, and then does not find a form in common. Without the
/// queue it stalls on some boards.
fn libcamera(name: Option<&str>, video: &VideoSettings) -> Chain {
    let name: Vec<(&str, &str)> = name.map(|name| ("camera-name", name)).into_iter().collect();
    let VideoSettings { width, height, fps, .. } = video;
    Chain::default()
        .element("libcamerasrc", &name)
        .text(format!(
            "video/x-raw, format=(string)NV12, width=(int){width}, height=(int){height}, \
             framerate=(fraction){fps}/1, colorimetry=(string)bt709, \
             interlace-mode=(string)progressive"
        ))
        .element_with("queue", held_pictures(true))
}

/// A sensor of a Jetson board; its pictures lie in memory of the graphics unit and are fetched.
fn argus(sensor: u32, video: &VideoSettings) -> Chain {
    let VideoSettings { width, height, fps, .. } = video;
    Chain::default()
        .element("nvarguscamerasrc", &[("sensor-id", &sensor.to_string())])
        .text(format!(
            "video/x-raw(memory:NVMM), format=(string)NV12, width=(int){width}, \
             height=(int){height}, framerate=(fraction){fps}/1"
        ))
        .element("nvvidconv", &[])
        .text(format!("video/x-raw, format=(string)I420, width=(int){width}, height=(int){height}"))
}

/// The card must not be the clock: one that stops would stop the picture. Each piece has the time
/// at which it was captured, from the driver or else from when it is read, and the drift that they
/// show is ours to take out.
fn sound_card(device: &str) -> Chain {
    Chain::default().element(
        "alsasrc",
        &[("device", device), ("provide-clock", "false"), ("slave-method", "re-timestamp")],
    )
}

fn picture_tail(chain: Chain, live: bool, video: &VideoSettings) -> Chain {
    chain
        .element("videoconvert", &[("name", PICTURE_HEAD)])
        .element("videoscale", &[("add-borders", "true")])
        .text(picture_caps(video))
        .element_with("queue", held_pictures(live))
        .element_with("appsink", outlet(PICTURE))
}

/// H.264 that is passed through, in the form in which access units leave. What is dropped because
/// nobody takes it yet is made good at the next key frame.
fn coded_tail(chain: Chain) -> Chain {
    chain
        .element("h264parse", &[("name", PICTURE_HEAD)])
        .text("video/x-h264, stream-format=(string)avc, alignment=(string)au")
        .element_with("queue", held_pictures(true))
        .element_with("appsink", outlet(PICTURE))
}

fn sound_tail(chain: Chain, live: bool, audio: &AudioSettings) -> Chain {
    chain
        .element("audioconvert", &[("name", SOUND_HEAD)])
        .element("audioresample", &[])
        .text(raw_audio_caps(audio))
        .element_with("queue", held_sound(live))
        .element_with("appsink", outlet(SOUND))
}

/// A device must never wait for us, so the oldest of what it gave goes; a clip is read ahead a
/// little and waits. The element behind the queue holds back what is not yet due.
fn queue(live: bool, holds: Duration) -> Vec<(String, String)> {
    let holds_ns = holds.as_nanos().to_string();
    let bounds = [("max-size-time", holds_ns.as_str())];
    let no_other_bounds = [("max-size-bytes", "0"), ("max-size-buffers", "0")];
    let leaky = live.then_some(("leaky", "downstream"));
    let properties = leaky.into_iter().chain(bounds).chain(no_other_bounds);
    properties.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn held_sound(live: bool) -> Vec<(String, String)> {
    queue(live, if live { CAPTURE_SOUND_AHEAD_MAX } else { CAPTURE_PICTURES_HELD_MAX })
}

fn held_pictures(live: bool) -> Vec<(String, String)> {
    queue(live, CAPTURE_PICTURES_HELD_MAX)
}

fn outlet(name: &'static str) -> Vec<(String, String)> {
    [
        ("name", name),
        ("sync", "false"),
        ("async", "false"),
        ("enable-last-sample", "false"),
        ("wait-on-eos", "false"),
        ("max-buffers", "2"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

fn video_chain(encoder: &VideoEncoder, video: &VideoSettings) -> Chain {
    let kbps = encoder.bitrate.nearest_kbps(video.bitrate_kbps);
    let fill = |template: &str| fill_in(template, kbps, Some(video));
    let mut properties = vec![("name".to_owned(), VIDEO_ENCODER.to_owned())];
    properties
        .extend(encoder.properties.iter().map(|(name, value)| ((*name).to_owned(), fill(value))));
    let chain = Chain::default()
        .element_with("appsrc", source_properties(VIDEO_IN, &raw_video_caps(video)));
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
        .element_with("appsrc", source_properties(AUDIO_IN, &raw_audio_caps(audio)))
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
