//! The pipelines of the sources as data.

use std::{path::Path, time::Duration};

use crate::{
    audio::SOURCE_CHANNELS,
    capture::{
        convert::{ConverterSpec, Task, converter, converter_chain},
        decode::{self, JpegDecoderSpec, jpeg_chain},
        discovery::{Mode, SourceSpec},
        frame_format::WantedFrames,
        gst::{
            caps,
            description::{Chain, PipelineDescription},
        },
        request::{AudioSettings, VideoSettings},
    },
    limits::{CAPTURE_AUDIO_AHEAD_MAX, CAPTURE_CARD_BUFFER, CAPTURE_VIDEO_HELD_MAX},
};

/// Name of the appsink that a source's frames come out of.
pub const VIDEO: &str = "video";
/// Name of the appsink that a source's samples come out of.
pub const AUDIO: &str = "audio";
/// Name of a source's decoder.
pub const DECODER: &str = decode::DECODER;
/// Name of the first element behind the decoder in the video branch.
pub const VIDEO_HEAD: &str = "video_head";
/// Name of the first element behind the decoder in the audio branch.
pub const AUDIO_HEAD: &str = "audio_head";

/// The elements of the board that a source's frames go through.
#[derive(Debug, Clone, Copy)]
pub struct SourceElements {
    /// JPEGs go through this one.
    pub decoder: &'static JpegDecoderSpec,
    /// The converter of a device, and what it does; without one software converts what has to be.
    pub(super) converter: Option<(&'static ConverterSpec, Task)>,
    /// The frames are made as large as those of the broadcast.
    pub(super) scales: bool,
}

impl SourceElements {
    /// Those of a source whose frames no device converts.
    pub fn in_software(decoder: &'static JpegDecoderSpec) -> SourceElements {
        SourceElements { decoder, converter: None, scales: true }
    }

    /// The same for frames that come as large as they are.
    #[must_use]
    pub fn without_scaling(self) -> SourceElements {
        SourceElements { scales: false, ..self }
    }

    /// The same with the converter of a device; `None` when there is nothing for it to do, or it cannot.
    pub fn with_converter(
        self,
        element: &str,
        spec: &SourceSpec,
        video: &VideoSettings,
        frames: &WantedFrames,
    ) -> Option<SourceElements> {
        let converter = converter(element).filter(|converter| !converter.software)?;
        let task = converter.task(&spec.work(video, frames.layouts(), self.scales)?).ok()?;
        Some(SourceElements { converter: Some((converter, task)), ..self })
    }
}

/// The pipeline of a source. It delivers the form of frames that is wanted; the elements that convert
/// and scale in software pass frames on untouched where there is nothing to do, and a converter of a
/// device is only there where there is something.
pub fn source_pipeline(
    spec: &SourceSpec,
    elements: &SourceElements,
    video: &VideoSettings,
    frames: &WantedFrames,
    audio: &AudioSettings,
) -> PipelineDescription {
    let live = spec.is_live();
    let description = PipelineDescription::default();
    let head = match spec {
        SourceSpec::V4l2 { node, mode } if spec.is_h264() => {
            return description.chain(h264_tail(camera(node, mode)));
        }
        SourceSpec::H264Launch(text) => {
            return description.chain(h264_tail(Chain::default().text(text.clone())));
        }
        SourceSpec::V4l2 { node, mode } if spec.is_jpeg() => {
            jpeg_chain(camera(node, mode), elements.decoder)
        }
        SourceSpec::JpegLaunch(text) => {
            let head = Chain::default().text(text.clone());
            jpeg_chain(head.element("capsfilter", &[("caps", "image/jpeg")]), elements.decoder)
        }
        SourceSpec::V4l2 { node, mode } => camera(node, mode),
        SourceSpec::Libcamera(name) => libcamera(name.as_deref(), video),
        SourceSpec::Argus(sensor) => argus(*sensor, video),
        SourceSpec::Alsa(device) => {
            return description.chain(audio_tail(alsa(device), live, audio));
        }
        SourceSpec::CameraLaunch(text) | SourceSpec::MicrophoneLaunch(text) => {
            let head = Chain::default().text(text.clone());
            return decoded(head, spec, elements, video, frames, audio);
        }
        SourceSpec::Clip { path, .. } => {
            let location = path.to_string_lossy();
            let head = Chain::default().element("filesrc", &[("location", &location)]);
            return decoded(head, spec, elements, video, frames, audio);
        }
    };
    description.chain(video_tail(head, spec, elements, video, frames))
}

/// A source whose format is only known once it is open.
fn decoded(
    head: Chain,
    spec: &SourceSpec,
    elements: &SourceElements,
    video: &VideoSettings,
    frames: &WantedFrames,
    audio: &AudioSettings,
) -> PipelineDescription {
    let live = spec.is_live();
    let from = || Chain::default().text(format!("{DECODER}."));
    let mut description =
        PipelineDescription::default().chain(head.element("decodebin", &[("name", DECODER)]));
    if spec.has_video() {
        description = description.chain(video_tail(from(), spec, elements, video, frames));
    }
    if spec.has_audio() {
        description = description.chain(audio_tail(from(), live, audio));
    }
    description
}

/// A camera in the mode that was chosen; without the caps it could negotiate another one.
fn camera(node: &Path, mode: &Mode) -> Chain {
    Chain::default()
        .element("v4l2src", &[("device", &node.to_string_lossy())])
        .element("capsfilter", &[("caps", &mode.caps())])
}

/// libcamera does not negotiate what the caps leave open. Without the queue it stalls on some boards.
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
        .element_with("queue", held_video(true))
}

/// A sensor of a Jetson board; its frames are copied from the memory of the graphics unit.
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

/// The card must not be the clock: one that stops would stop the video. Each buffer has the time at
/// which it was captured, from the driver or else from when it is read; the audio track corrects the
/// drift that these times show. While this process is not scheduled, samples wait in the card's buffer,
/// which may be long: they are read as soon as `latency-time` of them has come.
fn alsa(device: &str) -> Chain {
    let buffer_us = CAPTURE_CARD_BUFFER.as_micros().to_string();
    Chain::default().element(
        "alsasrc",
        &[
            ("device", device),
            ("provide-clock", "false"),
            ("slave-method", "re-timestamp"),
            ("buffer-time", &buffer_us),
        ],
    )
}

fn video_tail(
    chain: Chain,
    spec: &SourceSpec,
    elements: &SourceElements,
    video: &VideoSettings,
    frames: &WantedFrames,
) -> Chain {
    let chain = match elements.converter {
        Some((converter, task)) => converter_chain(chain, VIDEO_HEAD, converter, task.to, None),
        None => software_chain(chain, spec, elements, video, frames),
    };
    // Live frames go on to the encoder on the thread that brings them, which a queue would end here.
    if spec.is_live() {
        let drops_the_oldest = [("drop".to_owned(), "true".to_owned())];
        let properties = sink_properties(VIDEO).into_iter().chain(drops_the_oldest).collect();
        return chain.element_with("appsink", properties);
    }
    chain.element_with("queue", held_video(false)).element_with("appsink", sink_properties(VIDEO))
}

fn software_chain(
    chain: Chain,
    spec: &SourceSpec,
    elements: &SourceElements,
    video: &VideoSettings,
    frames: &WantedFrames,
) -> Chain {
    let chain = chain.element("videoconvert", &[("name", VIDEO_HEAD)]);
    let chain = match spec {
        // Telephones write portrait video lying on its side, with how to turn it beside it.
        SourceSpec::Clip { .. } => chain.element("videoflip", &[("video-direction", "auto")]),
        _ => chain,
    };
    if elements.scales {
        let chain = chain.element("videoscale", &[("add-borders", "true")]);
        return chain.text(caps::wanted_frames(video, frames));
    }
    chain.element("capsfilter", &[("caps", &caps::frames_as_large_as_they_are(video, frames))])
}

/// H.264 that is passed through, in the format in which access units leave. Whatever the full queue
/// drops is repaired by the next key frame.
fn h264_tail(chain: Chain) -> Chain {
    chain
        .element("h264parse", &[("name", VIDEO_HEAD)])
        .text("video/x-h264, stream-format=(string)avc, alignment=(string)au")
        .element_with("queue", held_video(true))
        .element_with("appsink", sink_properties(VIDEO))
}

fn audio_tail(chain: Chain, live: bool, audio: &AudioSettings) -> Chain {
    chain
        .element("audioconvert", &[("name", AUDIO_HEAD)])
        .element("audioresample", &[])
        .text(caps::raw_audio(audio.sample_rate_hz, SOURCE_CHANNELS as u32))
        .element_with("queue", held_audio(live))
        .element_with("appsink", sink_properties(AUDIO))
}

/// A device must never wait, so a full queue drops the oldest; a clip is read ahead a little and
/// waits.
fn queue(live: bool, holds: Duration) -> Vec<(String, String)> {
    let holds_ns = holds.as_nanos().to_string();
    let bounds = [("max-size-time", holds_ns.as_str())];
    let no_other_bounds = [("max-size-bytes", "0"), ("max-size-buffers", "0")];
    let leaky = live.then_some(("leaky", "downstream"));
    let properties = leaky.into_iter().chain(bounds).chain(no_other_bounds);
    properties.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn held_audio(live: bool) -> Vec<(String, String)> {
    queue(live, if live { CAPTURE_AUDIO_AHEAD_MAX } else { CAPTURE_VIDEO_HELD_MAX })
}

fn held_video(live: bool) -> Vec<(String, String)> {
    queue(live, CAPTURE_VIDEO_HELD_MAX)
}

fn sink_properties(name: &'static str) -> Vec<(String, String)> {
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
