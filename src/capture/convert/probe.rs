//! Trying a converter: it is opened and given a chart of colours in the shape of the camera's frames,
//! until that chart comes out in the shape that is wanted, in the same colours.

use std::time::Duration;

use gstreamer as gst;
use gstreamer_video::{
    self as gst_video, VideoColorMatrix, VideoColorRange, VideoColorimetry, VideoMeta,
};

use super::{
    converters::ConverterSpec,
    description::converter_chain,
    work::{Shape, Task},
};
use crate::{
    capture::gst::{
        component::Component,
        description::{Chain, PipelineDescription},
        trial::Trial,
    },
    limits::{CAPTURE_COLOUR_OFF_MAX, CAPTURE_DRIVER_TIMEOUT},
};

const IN: &str = "probe_in";
const OUT: &str = "probe_out";
/// The matrix and range of cameras, and of the chart. One that computes its output for colours of its own
/// choice, whatever the caps say, fails at one of them.
const COLOURS: [&str; 2] = ["bt601", "bt709"];
/// Luma, Cb and Cr of the chart's columns. Both matrices make colours of them that RGB can hold.
const CHART: [[u8; 3]; 6] = [
    [60, 128, 128],
    [120, 100, 168],
    [180, 128, 128],
    [120, 156, 100],
    [90, 160, 128],
    [150, 110, 150],
];
/// Frames whose time is measured.
const MEASURED_FRAMES: u32 = 8;

/// Whether converters are tried with frames whose values mean that.
pub fn is_tried_with(colours: &VideoColorimetry) -> bool {
    colours.range() != VideoColorRange::Range0_255
        && matches!(colours.matrix(), VideoColorMatrix::Bt601 | VideoColorMatrix::Bt709)
}

/// Whether a converter does what is to be done; if not, why.
pub fn probe(converter: &'static ConverterSpec, task: Task) -> Result<(), String> {
    COLOURS.into_iter().try_for_each(|colours| {
        let check = move |sample: &gst::Sample| is_the_chart(sample, task.to, colours);
        trial(converter, task, colours)?
            .run(CAPTURE_DRIVER_TIMEOUT, check)
            .map_err(|error| error.to_string())
    })
}

/// The time from one frame to the next, when it has as many as it takes.
pub fn time_a_frame(converter: &'static ConverterSpec, task: Task) -> Option<Duration> {
    trial(converter, task, COLOURS[0]).ok()?.time_an_output(CAPTURE_DRIVER_TIMEOUT, MEASURED_FRAMES)
}

fn trial(converter: &ConverterSpec, task: Task, colours: &str) -> Result<Trial, String> {
    let Shape { layout, size: (width, height) } = task.from;
    let caps = format!(
        "video/x-raw, format=(string){layout}, width=(int){width}, height=(int){height}, \
         framerate=(fraction)30/1, pixel-aspect-ratio=(fraction)1/1, \
         interlace-mode=(string)progressive, colorimetry=(string){colours}"
    );
    let chain = Chain::default().element(
        "appsrc",
        &[("name", IN), ("format", "time"), ("max-bytes", "0"), ("caps", &caps)],
    );
    let chain = converter_chain(chain, "probe_queue", converter, task.to, Some(colours));
    let sink = [("name", OUT), ("sync", "false"), ("async", "false")];
    Ok(Trial {
        description: PipelineDescription::default().chain(chain.element("appsink", &sink)),
        input: IN,
        output: OUT,
        content: chart(task.from)?,
        interval: gst::ClockTime::from_mseconds(33),
    })
}

/// The chart as a frame of that shape.
fn chart(shape: Shape) -> Result<gst::Buffer, String> {
    let Shape { layout, size: (width, height) } = shape;
    let info = gst_video::VideoInfo::builder(layout, width, height).build();
    let info = info.map_err(|error| error.to_string())?;
    let mut bytes = vec![0_u8; info.size()];
    let components = Component::of(&info, None);
    let (width, height) = (width as usize, height as usize);
    for y in 0..height {
        for x in 0..width {
            let patch = CHART[x * CHART.len() / width];
            for (component, value) in components.iter().zip(patch) {
                if let Some(byte) = bytes.get_mut(component.at(x, y)) {
                    *byte = value;
                }
            }
        }
    }
    Ok(gst::Buffer::from_slice(bytes))
}

/// Whether a converter has delivered the chart in that shape, and says and means the same colours.
fn is_the_chart(sample: &gst::Sample, wanted: Shape, colours: &str) -> Result<(), String> {
    let info = sample.caps().and_then(|caps| gst_video::VideoInfo::from_caps(caps).ok());
    let (Some(info), Some(buffer)) = (info, sample.buffer()) else {
        return Err("what comes out is not video".to_owned());
    };
    let is = Shape { layout: info.format(), size: (info.width(), info.height()) };
    if is != wanted {
        return Err(format!("makes {is} instead of {wanted}"));
    }
    let asked: VideoColorimetry = colours.parse().map_err(|_| "unknown colours".to_owned())?;
    let meaning = |of: &VideoColorimetry| (of.matrix(), of.range());
    if meaning(&info.colorimetry()) != meaning(&asked) {
        return Err(format!("makes {} of {colours}", info.colorimetry()));
    }
    let map = buffer.map_readable().map_err(|_| "its frames cannot be read".to_owned())?;
    let components = Component::of(&info, buffer.meta::<VideoMeta>().as_deref());
    let (width, middle) = (wanted.size.0 as usize, wanted.size.1 as usize / 2);
    for (column, patch) in CHART.into_iter().enumerate() {
        let x = (2 * column + 1) * width / (2 * CHART.len());
        for (component, value) in components.iter().zip(patch) {
            let is = map.get(component.at(x, middle)).copied();
            if is.is_none_or(|is| is.abs_diff(value) > CAPTURE_COLOUR_OFF_MAX) {
                return Err(format!("changes the colours of {colours}"));
            }
        }
    }
    Ok(())
}
