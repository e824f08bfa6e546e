//! Drawing into a 4:2:0 frame.
//!
//! Pure: a few shapes, no element and no font library that may be missing on a small image.

/// Where the planes of a 4:2:0 frame lie in its memory, as GStreamer lays out `I420`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    pub width: usize,
    pub height: usize,
    pub luma_stride: usize,
    chroma_stride: usize,
}

impl Layout {
    /// The layout for an even width and height, in pixels.
    pub fn new(width: u32, height: u32) -> Layout {
        let (width, height) = (width as usize, height as usize);
        Layout {
            width,
            height,
            luma_stride: width.next_multiple_of(4),
            chroma_stride: (width / 2).next_multiple_of(4),
        }
    }

    /// Bytes of one frame.
    pub fn bytes(&self) -> usize {
        self.luma_stride * self.height + self.chroma_stride * self.height
    }

    /// Offset, stride and scale of each plane.
    fn planes(&self) -> [(usize, usize, usize); 3] {
        let luma = self.luma_stride * self.height;
        let chroma = self.chroma_stride * self.height / 2;
        [
            (0, self.luma_stride, 1),
            (luma, self.chroma_stride, 2),
            (luma + chroma, self.chroma_stride, 2),
        ]
    }
}

/// A colour: luma, Cb and Cr in the narrow range of ITU-R BT.709.
pub type Colour = [u8; 3];

pub const WHITE: Colour = [235, 128, 128];
pub const BLACK: Colour = [16, 128, 128];

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
        for ((offset, stride, scale), value) in self.layout.planes().into_iter().zip(colour) {
            for y in top / scale..bottom / scale {
                let row = offset + y * stride;
                if let Some(pixels) = self.data.get_mut(row + left / scale..row + right / scale) {
                    pixels.fill(value);
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
        let planes = self.layout.planes();
        let rows = stamp.pixels.chunks_exact(stamp.width.max(1));
        for (row, y) in rows.zip(top..self.layout.height) {
            for (pixel, x) in row.iter().zip(left..self.layout.width) {
                let [opacity, colour @ ..] = *pixel;
                if opacity == 0 {
                    continue;
                }
                for ((offset, stride, scale), value) in planes.into_iter().zip(colour) {
                    // Chroma is subsampled: one pixel of four gives the colour of all four.
                    if (x | y) % scale != 0 {
                        continue;
                    }
                    if let Some(byte) = self.data.get_mut(offset + y / scale * stride + x / scale) {
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

    #[test]
    fn a_stamp_covers_as_much_as_it_is_opaque_and_never_leaves_the_frame() {
        let layout = Layout::new(128, 128);
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
