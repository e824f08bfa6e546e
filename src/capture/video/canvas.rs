//! Drawing into a frame of luma and subsampled chroma, whatever its layout: planes (`I420`), a plane of
//! pairs (`NV12`) or everything in one (`YUY2`).
//!
//! Pure: a few shapes, no element and no font library that may be missing on a small image.

use gstreamer_video::VideoInfo;

use crate::capture::gst::component::Component;

/// Where the values of a frame lie in its memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    pub width: usize,
    pub height: usize,
    /// Luma, Cb, Cr.
    components: [Component; 3],
    bytes: usize,
}

impl Layout {
    /// The layout of frames whose pixels are luma and chroma of eight bits.
    pub fn of(info: &VideoInfo) -> Layout {
        Layout {
            width: info.width() as usize,
            height: info.height() as usize,
            components: Component::of(info, None),
            bytes: info.size(),
        }
    }

    /// The layout `I420` for an even width and height, in pixels, as GStreamer has it.
    pub fn planar(width: u32, height: u32) -> Layout {
        let (width, height) = (width as usize, height as usize);
        let (luma_stride, chroma_stride) =
            (width.next_multiple_of(4), (width / 2).next_multiple_of(4));
        let luma = Component { offset: 0, stride: luma_stride, step: 1, shared: (0, 0) };
        let offset = luma_stride * height;
        let cb = Component { offset, stride: chroma_stride, step: 1, shared: (1, 1) };
        let cr = Component { offset: offset + chroma_stride * height / 2, ..cb };
        let bytes = (luma_stride + chroma_stride) * height;
        Layout { width, height, components: [luma, cb, cr], bytes }
    }

    /// Bytes of one frame.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn luma(&self) -> Component {
        self.components[0]
    }
}

/// A colour: luma, Cb and Cr in the narrow range of ITU-R BT.709.
pub type Colour = [u8; 3];

pub const WHITE: Colour = [235, 128, 128];
pub const BLACK: Colour = [16, 128, 128];

/// White and black where values go from 0 to 255.
pub const FULL_WHITE: Colour = [255, 128, 128];
pub const FULL_BLACK: Colour = [0, 128, 128];

/// Parses a colour such as `#f0b445` (red, green, blue).
pub fn colour(text: &str) -> Option<Colour> {
    let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6)?;
    let value = u32::from_str_radix(digits, 16).ok()?;
    let [_, red, green, blue] = value.to_be_bytes().map(|byte| f64::from(byte) / 255.0);
    // ITU-R BT.709 items 3.2 to 3.4, quantized by item 3.5.
    let luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    let chroma = |part: f64, range: f64| ((part - luma) / range * 224.0 + 128.0).round() as u8;
    let luma_byte = (luma * 219.0 + 16.0).round() as u8;
    Some([luma_byte, chroma(blue, 1.8556), chroma(red, 1.5748)])
}

/// An image to draw over a frame: a colour and an opacity for each pixel.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stamp {
    pub width: usize,
    pub height: usize,
    /// Row by row; `[opacity, luma, Cb, Cr]`.
    pub pixels: Vec<[u8; 4]>,
}

/// A frame to draw into.
pub struct Canvas<'a> {
    pub layout: Layout,
    pub data: &'a mut [u8],
}

impl Canvas<'_> {
    /// Fills a rectangle; parts outside the frame are not drawn.
    pub fn rectangle(
        &mut self,
        left: usize,
        top: usize,
        width: usize,
        height: usize,
        colour: Colour,
    ) {
        let right = (left + width).min(self.layout.width);
        let left = left.min(right);
        let bottom = (top + height).min(self.layout.height);
        let top = top.min(bottom);
        for (component, value) in self.layout.components.into_iter().zip(colour) {
            let (across, down) = component.shared;
            for y in (top >> down)..(bottom >> down) {
                let row = component.offset + y * component.stride;
                let (from, to) =
                    ((left >> across) * component.step, (right >> across) * component.step);
                let Some(pixels) = self.data.get_mut(row + from..(row + to).min(self.layout.bytes))
                else {
                    continue;
                };
                match component.step {
                    1 => pixels.fill(value),
                    step => pixels.iter_mut().step_by(step).for_each(|byte| *byte = value),
                }
            }
        }
    }

    /// Fills the whole frame.
    pub fn fill(&mut self, colour: Colour) {
        self.rectangle(0, 0, self.layout.width, self.layout.height, colour);
    }

    /// Draws a stamp over the frame; parts outside are not drawn.
    pub fn stamp(&mut self, stamp: &Stamp, left: usize, top: usize) {
        let components = self.layout.components;
        let rows = stamp.pixels.chunks_exact(stamp.width.max(1));
        for (row, y) in rows.zip(top..self.layout.height) {
            for (pixel, x) in row.iter().zip(left..self.layout.width) {
                let [opacity, colour @ ..] = *pixel;
                if opacity == 0 {
                    continue;
                }
                for (component, value) in components.iter().zip(colour) {
                    if !component.is_own(x, y) {
                        continue;
                    }
                    if let Some(byte) = self.data.get_mut(component.at(x, y)) {
                        *byte = mixed(*byte, value, opacity);
                    }
                }
            }
        }
    }
}

fn mixed(under: u8, over: u8, opacity: u8) -> u8 {
    let (under, over, opacity) = (u32::from(under), u32::from(over), u32::from(opacity));
    ((under * (255 - opacity) + over * opacity + 127) / 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_read_as_the_standard_has_them() {
        for (text, expected) in [
            ("#ffffff", Some(WHITE)),
            ("#000000", Some(BLACK)),
            ("#ff0000", Some([63, 102, 240])),
            ("#0000FF", Some([32, 240, 118])),
            ("ffffff", None),
            ("#fff", None),
            ("#gggggg", None),
        ] {
            assert_eq!(colour(text), expected, "{text}");
        }
    }

    /// What is drawn into frames of any layout that an encoder takes is what is drawn into planes.
    #[test]
    fn every_layout_that_an_encoder_takes_is_drawn_into_alike() {
        use gstreamer::Buffer;
        use gstreamer_video::{
            VideoChromaMode, VideoConverter, VideoConverterConfig, VideoFormat, VideoFrameRef,
        };

        use crate::capture::encode::encoders;

        gstreamer::init().expect("GStreamer");
        let info = |layout| VideoInfo::builder(layout, 136, 130).build().expect("a size");
        let planar = info(VideoFormat::I420);
        assert_eq!(Layout::of(&planar), Layout::planar(136, 130));
        let drawn = |info: &VideoInfo| {
            let layout = Layout::of(info);
            let mut data = vec![0; layout.bytes()];
            let mut canvas = Canvas { layout, data: &mut data };
            canvas.fill([40, 90, 160]);
            canvas.rectangle(10, 20, 60, 30, [200, 60, 70]);
            canvas.rectangle(120, 120, 60, 60, [180, 110, 20]);
            let stamp = Stamp { width: 8, height: 8, pixels: vec![[255, 120, 30, 220]; 64] };
            canvas.stamp(&stamp, 40, 80);
            data
        };
        let expected = drawn(&planar);
        for layout in encoders::video_encoder_names().flat_map(encoders::video_encoder_layouts) {
            let info = info(*layout);
            let from = Buffer::from_slice(drawn(&info));
            let mut to = Buffer::with_size(planar.size()).expect("memory");
            let source = VideoFrameRef::from_buffer_ref_readable(&from, &info).expect("readable");
            let target = to.get_mut().expect("its own");
            let mut target =
                VideoFrameRef::from_buffer_ref_writable(target, &planar).expect("writable");
            // Chroma is not mixed at edges.
            let mut config = VideoConverterConfig::new();
            config.set_chroma_mode(VideoChromaMode::None);
            let converter = VideoConverter::new(&info, &planar, Some(config)).expect("a converter");
            converter.frame_ref(&source, &mut target);
            drop(target);
            let data = to.map_readable().expect("readable");
            let differ = data.iter().zip(&expected).filter(|(a, b)| a.abs_diff(**b) > 1).count();
            assert_eq!(differ, 0, "{layout}");
        }
    }

    #[test]
    fn a_stamp_covers_as_much_as_it_is_opaque_and_never_leaves_the_frame() {
        let layout = Layout::planar(128, 128);
        let mut data = vec![100; layout.bytes()];
        let mut canvas = Canvas { layout, data: &mut data };
        let pixel = |opacity| [opacity, 200, 60, 70];
        let pixels = [pixel(255), pixel(0), pixel(128), pixel(255)].repeat(16);
        let stamp = Stamp { width: 4, height: 16, pixels };
        canvas.stamp(&stamp, 126, 120);
        assert_eq!(data[120 * 128 + 125..120 * 128 + 128], [100, 200, 100]);
        assert_eq!(data[128 * 128 + 60 * 64 + 63], 60);
        canvas = Canvas { layout, data: &mut data };
        canvas.stamp(&stamp, 0, 0);
        assert_eq!(data[..4], [200, 100, 150, 200]);
        canvas = Canvas { layout, data: &mut data };
        canvas.stamp(&stamp, 1_000, 1_000);
        canvas.stamp(&Stamp::default(), 0, 0);
    }
}
