//! Trying a JPEG decoder: it is opened and given JPEGs of a known frame, until that frame comes out.
//!
//! They have the size of the stream and 4:2:2 chroma, as USB cameras send them.

use gstreamer as gst;
use gstreamer_video as gst_video;

use super::{decoders::JpegDecoderSpec, description::jpeg_chain};
use crate::{
    capture::{
        gst::{
            description::{Chain, PipelineDescription},
            trial::Trial,
        },
        request::VideoSettings,
    },
    limits::CAPTURE_DRIVER_TIMEOUT,
};

const IN: &str = "probe_in";
const OUT: &str = "probe_out";
/// Luma of the left and of the right half of the frame.
const HALVES: [u8; 2] = [64, 192];
/// By how much luma may differ: decoders round, and some squeeze full range into limited.
const LUMA_OFF_MAX: u8 = 24;

/// Whether a JPEG decoder works at the size of the stream; if not, why.
pub fn probe_jpeg(decoder: &'static JpegDecoderSpec, video: &VideoSettings) -> Result<(), String> {
    let (width_max, height_max) = decoder.size_max;
    if video.width > width_max || video.height > height_max {
        return Err(format!("takes no frame larger than {width_max}x{height_max}"));
    }
    let video = video.clone();
    let trial = Trial {
        description: pipeline(decoder, &video),
        input: IN,
        output: OUT,
        content: two_halves(&video)?,
        interval: gst::ClockTime::from_nseconds(1_000_000_000 / u64::from(video.fps.max(1))),
    };
    let check = move |sample: &gst::Sample| is_the_frame(sample, &video);
    trial.run(CAPTURE_DRIVER_TIMEOUT, check).map_err(|error| error.to_string())
}

/// JPEGs are made by the software encoder, and decoded as a camera's are.
fn pipeline(decoder: &JpegDecoderSpec, video: &VideoSettings) -> PipelineDescription {
    let VideoSettings { width, height, fps, .. } = video;
    let caps = format!(
        "video/x-raw, format=(string)Y42B, width=(int){width}, height=(int){height}, \
         framerate=(fraction){fps}/1"
    );
    let chain = Chain::default()
        .element("appsrc", &[("name", IN), ("format", "time"), ("max-bytes", "0"), ("caps", &caps)])
        .element("jpegenc", &[]);
    let chain = jpeg_chain(chain, decoder);
    let sink = [("name", OUT), ("sync", "false"), ("async", "false")];
    PipelineDescription::default().chain(chain.element("appsink", &sink))
}

/// A frame with a dark left and a bright right half, without colour.
fn two_halves(video: &VideoSettings) -> Result<gst::Buffer, String> {
    let format = gst_video::VideoFormat::Y42b;
    let info = gst_video::VideoInfo::builder(format, video.width, video.height);
    let info = info.build().map_err(|error| error.to_string())?;
    let mut bytes = vec![128_u8; info.size()];
    let (stride, rows) = (info.stride()[0].unsigned_abs() as usize, video.height as usize);
    let (width, left) = (video.width as usize, video.width as usize / 2);
    for row in bytes.chunks_mut(stride).take(rows) {
        row[..left].fill(HALVES[0]);
        row[left..width].fill(HALVES[1]);
    }
    Ok(gst::Buffer::from_slice(bytes))
}

/// Whether a decoder has delivered [`two_halves`], in its size.
fn is_the_frame(sample: &gst::Sample, video: &VideoSettings) -> Result<(), String> {
    let info = sample.caps().and_then(|caps| gst_video::VideoInfo::from_caps(caps).ok());
    let (Some(info), Some(buffer)) = (info, sample.buffer()) else {
        return Err("what comes out is not video".to_owned());
    };
    if (info.width(), info.height()) != (video.width, video.height) {
        let (is, asked) = ((info.width(), info.height()), (video.width, video.height));
        return Err(format!("makes {}x{} of {}x{}", is.0, is.1, asked.0, asked.1));
    }
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, &info)
        .map_err(|_| "its frames cannot be read".to_owned())?;
    if !info.is_yuv() {
        return Ok(());
    }
    let luma = frame.comp_data(0).map_err(|_| "its frames cannot be read".to_owned())?;
    let stride = info.comp_stride(0).unsigned_abs() as usize;
    let step = info.comp_pstride(0).unsigned_abs() as usize;
    let (width, middle) = (video.width as usize, video.height as usize / 2);
    for (half, x) in HALVES.into_iter().zip([width / 4, width * 3 / 4]) {
        let value = luma.get(middle * stride + x * step).copied();
        if value.is_none_or(|value| value.abs_diff(half) > LUMA_OFF_MAX) {
            return Err("what comes out is not the frame that went in".to_owned());
        }
    }
    Ok(())
}
