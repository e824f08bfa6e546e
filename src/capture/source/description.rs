//! The pipelines of the sources as data.

use std::{path::Path, time::Duration};

use crate::{
    capture::{
        discovery::{Form, Mode, Recipe},
        gst::{
            caps,
            description::{Chain, PipelineDescription},
        },
        request::{AudioSettings, VideoSettings},
    },
    limits::{CAPTURE_PICTURES_HELD_MAX, CAPTURE_SOUND_AHEAD_MAX},
};

/// Name of the appsink that a source's pictures come out of.
pub const PICTURE: &str = "picture";
/// Name of the appsink that a source's samples come out of.
pub const SOUND: &str = "sound";
/// Name of a source's decoder.
pub const DECODER: &str = "decoder";
/// Name of the first element behind the decoder on the way of the pictures.
pub const PICTURE_HEAD: &str = "picture_head";
/// Name of the first element behind the decoder on the way of the samples.
pub const SOUND_HEAD: &str = "sound_head";

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
        .text(caps::raw_frame(video))
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
        .text(caps::raw_audio(audio))
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
