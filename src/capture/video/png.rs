//! The owner's PNG files: a slate, a logo.
//!
//! A file is read into memory within a bound, checked, and only then given to the decoder.

use std::{path::Path, sync::Arc};

use gstreamer as gst;
use gstreamer_app as gst_app;
use gstreamer_video::{self as gst_video, VideoColorimetry, prelude::*};

use super::canvas::Stamp;
use crate::{
    capture::{
        error::CaptureError,
        gst::{
            build::Running,
            bus::{self, BusEvent, Failure, one_line},
            clock::MediaClock,
            description::{Chain, PipelineDescription},
        },
    },
    file,
    limits::{CAPTURE_OPEN_TIMEOUT, PNG_BYTES_MAX, PNG_PIXELS_MAX, PNG_SIDE_MAX},
};

/// The signature, and the length and name of the first chunk (W3C PNG, sections 5.2 and 11.2.1).
const BEGINNING: [u8; 16] = *b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR";

/// A PNG file whose size is within the bounds.
#[derive(Debug)]
pub struct Png {
    bytes: Vec<u8>,
    /// In pixels.
    width: u32,
    height: u32,
}

impl Png {
    /// Reads a file.
    ///
    /// # Errors
    /// Why it is rejected.
    pub fn read(path: &Path) -> Result<Png, String> {
        let bytes = file::read(path, PNG_BYTES_MAX).map_err(|error| error.to_string())?;
        Png::parse(bytes.to_vec())
    }

    fn parse(bytes: Vec<u8>) -> Result<Png, String> {
        if bytes.len() > PNG_BYTES_MAX {
            return Err(format!("it has more than {PNG_BYTES_MAX} bytes"));
        }
        let number = |at: usize| {
            let four = bytes.get(at..at + 4)?.try_into().ok()?;
            Some(u32::from_be_bytes(four))
        };
        let (Some(width), Some(height), true) =
            (number(16), number(20), bytes.starts_with(&BEGINNING))
        else {
            return Err("it is not a PNG image".to_owned());
        };
        let taken = 1..=PNG_SIDE_MAX;
        if !taken.contains(&width) || !taken.contains(&height) {
            return Err(format!(
                "it is {width}x{height} pixels, and a side must have 1 to {PNG_SIDE_MAX}"
            ));
        }
        if width * height > PNG_PIXELS_MAX {
            return Err(format!(
                "it is {width}x{height} pixels; 3840x2160 are enough, and it is not decoded above \
                 {PNG_PIXELS_MAX} pixels"
            ));
        }
        Ok(Png { bytes, width, height })
    }

    /// The image as the encoder takes it, with borders where its aspect ratio differs.
    ///
    /// # Errors
    /// Why it cannot be decoded.
    pub fn frame(self, caps: &str) -> Result<gst::Buffer, String> {
        let sample = decoded(self.bytes, caps)?;
        sample.buffer_owned().ok_or_else(|| NOTHING.to_owned())
    }

    /// The image as a stamp in the colours of frames with that colorimetry, scaled down when it is
    /// larger than that.
    ///
    /// # Errors
    /// Why it cannot be decoded.
    pub fn stamp(
        self,
        width_max: u32,
        height_max: u32,
        colorimetry: &VideoColorimetry,
    ) -> Result<Stamp, String> {
        let (width, height) = fitted(self.width, self.height, width_max, height_max);
        let caps = format!(
            "video/x-raw, format=(string)AYUV, width=(int){width}, height=(int){height}, \
             pixel-aspect-ratio=(fraction)1/1, colorimetry=(string){colorimetry}"
        );
        let sample = decoded(self.bytes, &caps)?;
        let (Some(buffer), Some(caps)) = (sample.buffer(), sample.caps()) else {
            return Err(NOTHING.to_owned());
        };
        let message = |error: gst::glib::BoolError| error.to_string();
        let info = gst_video::VideoInfo::from_caps(caps).map_err(message)?;
        let frame =
            gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, &info).map_err(message)?;
        let stride = usize::try_from(frame.plane_stride()[0]).unwrap_or(1).max(1);
        let width = width as usize;
        let rows = frame.plane_data(0).map_err(message)?.chunks(stride).take(height as usize);
        let pixels = rows.flat_map(|row| row.chunks_exact(4).take(width));
        let pixels = pixels.map(|pixel| [pixel[0], pixel[1], pixel[2], pixel[3]]).collect();
        Ok(Stamp { width, height: height as usize, pixels })
    }
}

const NOTHING: &str = "the decoder delivers nothing";

/// The size that fits, with the same aspect ratio.
fn fitted(width: u32, height: u32, width_max: u32, height_max: u32) -> (u32, u32) {
    let scaled = |side: u32, by: u32, of: u32| {
        (u64::from(side) * u64::from(by) / u64::from(of)).clamp(1, u64::from(by)) as u32
    };
    let (mut width, mut height) = (width.max(1), height.max(1));
    if width > width_max {
        (width, height) = (width_max, scaled(height, width_max, width).min(height));
    }
    if height > height_max {
        (width, height) = (scaled(width, height_max, height).min(width), height_max);
    }
    (width, height)
}

/// Name of the appsrc that the file goes into.
const PNG_IN: &str = "png_in";
/// Name of the appsink that the frame comes out of.
const FRAME_OUT: &str = "frame_out";

/// A PNG image in one buffer in, one raw frame with these caps out.
fn still(caps: &str) -> PipelineDescription {
    PipelineDescription::default().chain(
        Chain::default()
            .element("appsrc", &[("name", PNG_IN), ("caps", "image/png"), ("max-bytes", "0")])
            .element("pngdec", &[])
            // Scaled first, so that the full size is in memory once.
            .element("videoscale", &[("add-borders", "true")])
            // With 8 bits in between it would be up to 5/255 off, and the same matrix is not computed.
            .element("videoconvert", &[])
            .text("video/x-raw, format=(string)AYUV64, colorimetry=(string)smpte240m")
            .element("videoconvert", &[])
            .text(caps)
            .element("appsink", &[("name", FRAME_OUT), ("sync", "false")]),
    )
}

fn decoded(bytes: Vec<u8>, caps: &str) -> Result<gst::Sample, String> {
    let message = |error: CaptureError| error.to_string();
    let running = Running::build(&still(caps)).map_err(message)?;
    let source: gst_app::AppSrc = running.element(PNG_IN).map_err(message)?;
    let sink: gst_app::AppSink = running.element(FRAME_OUT).map_err(message)?;
    let failure = Failure::default();
    let noted = failure.clone();
    bus::listen(running.pipeline(), move |event| {
        if let BusEvent::Error { message } = event {
            noted.note(message);
        }
    });
    MediaClock::start().drive(running.pipeline());
    running.play().map_err(message)?;
    let refused = |error: gst::FlowError| one_line(&error.to_string());
    source.push_buffer(gst::Buffer::from_slice(Arc::<[u8]>::from(bytes))).map_err(refused)?;
    source.end_of_stream().map_err(refused)?;
    let timeout = gst::ClockTime::from_nseconds(CAPTURE_OPEN_TIMEOUT.as_nanos() as u64);
    sink.try_pull_sample(timeout)
        .ok_or_else(|| failure.take().unwrap_or_else(|| "it cannot be decoded".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::frame_format::FrameFormat;

    #[test]
    fn a_file_is_checked_before_it_is_decoded() {
        let beginning = |width: u32, height: u32| {
            [&BEGINNING[..], &width.to_be_bytes(), &height.to_be_bytes()].concat()
        };
        for (bytes, message) in [
            (Vec::new(), "not a PNG"),
            (b"\xff\xd8\xff\xe0 a photograph".to_vec(), "not a PNG"),
            (BEGINNING.to_vec(), "not a PNG"),
            (beginning(0, 10), "0x10 pixels"),
            (beginning(100_000, 100_000), "100000x100000 pixels"),
            (beginning(4_096, 4_096), "4096x4096 pixels"),
            (vec![0; PNG_BYTES_MAX + 1], "more than"),
        ] {
            let error = Png::parse(bytes).expect_err(message);
            assert!(error.contains(message), "{error}");
        }
        let cut = Png::parse(beginning(64, 64)).expect("looks like one");
        let colorimetry = FrameFormat::drawn(gst_video::VideoFormat::I420).colorimetry;
        assert!(cut.stamp(64, 64, &colorimetry).is_err());
        assert_eq!(Png::read(Path::new("/")).expect_err("a folder"), "it is not a plain file");
    }

    #[test]
    fn an_image_is_scaled_down_never_up_and_keeps_its_aspect_ratio() {
        for (size, fits) in [
            ((100, 50), (100, 50)),
            ((640, 320), (320, 160)),
            ((200, 800), (45, 180)),
            ((4_096, 1), (320, 1)),
        ] {
            assert_eq!(fitted(size.0, size.1, 320, 180), fits, "{size:?}");
        }
    }
}
