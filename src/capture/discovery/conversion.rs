//! What is done to a camera's frames on their way to the encoder, why, and what it costs on this machine.

use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer_video::{
    VideoConverter, VideoConverterConfig, VideoFormat as Layout, VideoFrameRef, VideoInfo,
};
use serde::Serialize;

use super::modes::{Format, Mode};
use crate::{
    capture::{
        convert::{ConverterSpec, Framer},
        encode::encoders::VideoEncoderSpec,
        request::VideoSettings,
    },
    video::Framing,
};

/// What is done to each frame of a camera because the encoder cannot take it as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Conversion {
    /// What is done, and why.
    pub what: String,
    /// The converter of a device that does it; without one the processor does.
    pub device: Option<&'static str>,
    /// Time that it took for a frame just now, in microseconds; `None` when that could not be measured.
    pub us_per_frame: Option<u64>,
}

impl Conversion {
    /// What has to be done to the raw frames of a mode; `None` when they go to the encoder as they are.
    /// They are made as large as those of the broadcast where it `scales`. Of what a decoder makes of
    /// JPEGs nothing is known here.
    pub fn of(
        mode: &Mode,
        encoder: &VideoEncoderSpec,
        layouts: &[Layout],
        video: &VideoSettings,
        scales: bool,
    ) -> Option<Conversion> {
        let Format::Raw(layout) = &mode.format else { return None };
        let mut steps = Vec::new();
        let is_taken = layouts.iter().any(|taken| taken.to_str() == layout);
        if !is_taken {
            let taken: Vec<&str> = layouts.iter().map(|taken| taken.to_str().as_str()).collect();
            let taken = taken.join(", ");
            steps.push(format!(
                "converted from {layout}, because {} takes {taken}",
                encoder.element
            ));
        }
        let size = (mode.width, mode.height);
        let wanted = if scales { (video.width, video.height) } else { size };
        if size != wanted {
            let (from, to) =
                (format!("{}x{}", size.0, size.1), format!("{}x{}", video.width, video.height));
            steps
                .push(format!("scaled from {from}, because video.width and video.height say {to}"));
        }
        if steps.is_empty() {
            return None;
        }
        let from = Layout::from_string(layout);
        let to = if is_taken { Some(&from) } else { layouts.first() };
        let to = to.map(|to| (*to, wanted));
        let us_per_frame = to.and_then(|to| measured_us((from, size), to));
        Some(Conversion { what: steps.join("; "), device: None, us_per_frame })
    }

    /// What the owner wants to be done to the frames of a mode; `None` when that is nothing, or nothing
    /// can be done to them.
    pub fn of_framing(
        mode: &Mode,
        layouts: &[Layout],
        video: &VideoSettings,
        framing: &Framing,
    ) -> Option<Conversion> {
        if framing.is_none() || mode.format == Format::H264 {
            return None;
        }
        let own = match &mode.format {
            Format::Raw(layout) => Layout::from_string(layout),
            _ => Layout::I420,
        };
        let layout = if layouts.contains(&own) { Some(own) } else { layouts.first().copied() };
        let us_per_frame = layout.and_then(|layout| {
            framing_us((layout, (mode.width, mode.height)), (video.width, video.height), framing)
        });
        Some(Conversion { what: framing.in_words().join(", "), device: None, us_per_frame })
    }

    /// The converter of a device does it, and takes this time for a frame.
    pub fn is_done_by(&mut self, converter: &ConverterSpec, time: Option<Duration>) {
        self.device = Some(converter.element);
        self.us_per_frame = time.and_then(|time| u64::try_from(time.as_micros()).ok());
    }
}

/// Frames that are converted for a measurement. The first, which sets tables up, does not count.
const MEASURED_FRAMES: u32 = 4;

type Shape = (Layout, (u32, u32));

fn measured_us(from: Shape, to: Shape) -> Option<u64> {
    let info = |(layout, (width, height)): Shape| {
        (layout != Layout::Unknown)
            .then(|| VideoInfo::builder(layout, width, height).build().ok())?
    };
    let (from, to) = (info(from)?, info(to)?);
    let converter = VideoConverter::new(&from, &to, Some(VideoConverterConfig::new())).ok()?;
    let source = gst::Buffer::from_slice(vec![128_u8; from.size()]);
    let mut target = gst::Buffer::with_size(to.size()).ok()?;
    let source = VideoFrameRef::from_buffer_ref_readable(&source, &from).ok()?;
    let mut target = VideoFrameRef::from_buffer_ref_writable(target.get_mut()?, &to).ok()?;
    least_us(|| converter.frame_ref(&source, &mut target))
}

fn framing_us(from: Shape, size: (u32, u32), framing: &Framing) -> Option<u64> {
    let info = |(width, height)| VideoInfo::builder(from.0, width, height).build().ok();
    let (to, from) = (info(size)?, info(from.1)?);
    let mut framer = Framer::new(&from, &to, framing).ok()??;
    let source = gst::Buffer::from_slice(vec![128_u8; from.size()]);
    let mut target = gst::Buffer::with_size(to.size()).ok()?;
    let target = target.get_mut()?;
    framer.frame(&source, target).ok()?;
    least_us(|| drop(framer.frame(&source, target)))
}

/// The time that it takes to do this to a frame, in microseconds.
fn least_us(mut convert: impl FnMut()) -> Option<u64> {
    convert();
    let mut least = Duration::MAX;
    for _ in 0..MEASURED_FRAMES {
        let begun = Instant::now();
        convert();
        // The least is what it takes while nothing else wants the processor.
        least = least.min(begun.elapsed());
    }
    u64::try_from(least.as_micros()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        capture::{discovery::modes::Rate, encode::encoders},
        video::Rotation,
    };

    fn conversion(layout: &str, width: u32, height: u32, encoder: &str) -> Option<Conversion> {
        gst::init().expect("GStreamer");
        let encoder = encoders::video(encoder).expect("in the table");
        let rate = Rate { frames: 30, seconds: 1 };
        let mode = Mode { format: Format::Raw(layout.to_owned()), width, height, rate };
        Conversion::of(&mode, encoder, encoder.takes, &VideoSettings::of_720p(), true)
    }

    #[test]
    fn frames_that_the_encoder_takes_are_left_as_they_are() {
        assert_eq!(conversion("NV12", 1280, 720, "x264enc"), None);
        assert_eq!(conversion("YUY2", 1280, 720, "v4l2h264enc"), None);
    }

    #[test]
    fn what_is_converted_is_reported_with_its_reason_and_its_cost() {
        let yuy2 = conversion("YUY2", 1280, 720, "x264enc").expect("x264 takes none");
        assert_eq!(yuy2.what, "converted from YUY2, because x264enc takes I420, NV12, YV12");
        assert!(yuy2.us_per_frame.is_some());
        let large = conversion("NV12", 1920, 1080, "x264enc").expect("it is larger");
        assert_eq!(
            large.what,
            "scaled from 1920x1080, because video.width and video.height say 1280x720"
        );
        let both = conversion("BGR", 640, 480, "openh264enc").expect("both");
        assert!(both.what.contains("takes I420; scaled from 640x480"), "{both:?}");
        let odd = conversion("XYZ9", 1280, 720, "x264enc").expect("unknown");
        assert_eq!(odd.us_per_frame, None);
    }
    #[test]
    fn what_the_owner_wants_done_to_frames_is_reported_with_its_cost() {
        gst::init().expect("GStreamer");
        let video = VideoSettings::of_720p();
        let rate = Rate { frames: 30, seconds: 1 };
        let of = |format, framing: &Framing| {
            let mode = Mode { format, width: 1280, height: 720, rate };
            Conversion::of_framing(&mode, &[Layout::I420], &video, framing)
        };
        let framing = Framing { rotate: Rotation::Quarter, ..Framing::default() };
        for format in [Format::Raw("YUY2".to_owned()), Format::Mjpeg] {
            let turned = of(format.clone(), &framing).expect("it is turned");
            assert_eq!(turned.what, "turned by 90 degrees (video.rotate)");
            assert!(turned.us_per_frame.is_some() && turned.device.is_none());
            assert_eq!(of(format, &Framing::default()), None);
        }
        assert_eq!(of(Format::H264, &framing), None, "it is passed through");
    }
}
