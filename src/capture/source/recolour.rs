//! What the values of a frame mean, changed: from one matrix and range to another.
//!
//! GStreamer's converter takes frames of the same matrix and another range for equal (1.22), and is up
//! to 6/255 off otherwise. This is exact to rounding, in place, and computes chroma at its own size.

use gstreamer as gst;
use gstreamer_video::{VideoColorMatrix, VideoColorRange, VideoColorimetry, VideoInfo, VideoMeta};

use crate::capture::gst::component::Component;

/// What luma and chroma mean.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Meaning {
    /// The parts of red and blue in luma.
    red: f64,
    blue: f64,
    /// Values go from 0 to 255 rather than from 16 to 235 (chroma: 240).
    full_range: bool,
}

impl Meaning {
    /// Size and offset of luma, and size of chroma.
    fn range(&self) -> [f64; 3] {
        if self.full_range { [255.0, 0.0, 255.0] } else { [219.0, 16.0, 224.0] }
    }

    /// `None` where luma and chroma are something else.
    fn of(colorimetry: &VideoColorimetry) -> Option<Meaning> {
        // The tables of ITU-T H.273; primaries and transfer change nothing here.
        let (red, blue) = match colorimetry.matrix() {
            VideoColorMatrix::Bt601 => (0.299, 0.114),
            VideoColorMatrix::Bt709 => (0.2126, 0.0722),
            VideoColorMatrix::Fcc => (0.30, 0.11),
            VideoColorMatrix::Smpte240m => (0.212, 0.087),
            VideoColorMatrix::Bt2020 => (0.2627, 0.0593),
            _ => return None,
        };
        let full_range = colorimetry.range() == VideoColorRange::Range0_255;
        Some(Meaning { red, blue, full_range })
    }
}

/// Changes what the values of frames mean in which two pixels of a row share chroma.
#[derive(Debug, Clone)]
pub struct Recolour {
    /// Of luma: from luma, Cb and Cr, and a constant; in 16 binary places, like all of these.
    luma: [i32; 4],
    /// Of Cb: from Cb and Cr, and a constant.
    cb: [i32; 3],
    cr: [i32; 3],
    /// What chroma adds to each pair of luma values.
    added: Vec<i32>,
}

const PLACES: u32 = 16;

impl Recolour {
    /// `None` where there is nothing to do, or nothing is known.
    pub fn new(from: &VideoColorimetry, to: &VideoColorimetry) -> Option<Recolour> {
        Recolour::between(Meaning::of(from)?, Meaning::of(to)?)
    }

    /// Changes a frame. One that others have as well is copied before.
    pub fn frame(&mut self, frame: &mut gst::BufferRef, info: &VideoInfo) {
        let format = info.format_info();
        if format.depth().first() != Some(&8) || format.w_sub().get(1) != Some(&1) {
            return;
        }
        let components = Component::of(info, frame.meta::<VideoMeta>().as_deref());
        let rows = 1 << format.h_sub().get(1).copied().unwrap_or(0);
        let (width, height) = (info.width() as usize, info.height() as usize);
        if let Ok(mut map) = frame.map_writable() {
            self.apply(&mut map, [width, height], rows, components);
        }
    }

    fn between(from: Meaning, to: Meaning) -> Option<Recolour> {
        if from == to {
            return None;
        }
        let green = |m: Meaning| 1.0 - m.red - m.blue;
        let wide = |part: f64| 2.0 - 2.0 * part;
        // What Cb and Cr, from -0.5 to 0.5, add to luma: grey stays grey, so luma adds itself.
        let from_cb = wide(from.blue) * (to.blue - green(to) * from.blue / green(from));
        let from_cr = wide(from.red) * (to.red - green(to) * from.red / green(from));
        let [luma_size, offset, chroma_size] = from.range();
        let [to_luma, to_offset, to_chroma] = to.range();
        let fixed = |value: f64| (value * f64::from(1 << PLACES)).round() as i32;
        let (luma, chroma) = (to_luma / luma_size, to_chroma / chroma_size);
        let cross = to_luma / chroma_size;
        let cb = [
            chroma * (wide(from.blue) - from_cb) / wide(to.blue),
            chroma * -from_cr / wide(to.blue),
        ];
        let cr =
            [chroma * -from_cb / wide(to.red), chroma * (wide(from.red) - from_cr) / wide(to.red)];
        let constant = |of: [f64; 2]| fixed(128.0 - 128.0 * (of[0] + of[1]) + 0.5);
        let at_rest = to_offset - offset * luma - 128.0 * cross * (from_cb + from_cr);
        Some(Recolour {
            luma: [
                fixed(luma),
                fixed(cross * from_cb),
                fixed(cross * from_cr),
                fixed(at_rest + 0.5),
            ],
            cb: [fixed(cb[0]), fixed(cb[1]), constant(cb)],
            cr: [fixed(cr[0]), fixed(cr[1]), constant(cr)],
            added: Vec::new(),
        })
    }

    /// Changes a frame whose components lie there, and whose chroma so many rows share; what is cut off
    /// stays as it is.
    fn apply(
        &mut self,
        data: &mut [u8],
        [width, height]: [usize; 2],
        rows: usize,
        components: [Component; 3],
    ) {
        let [luma, cb, cr] = components;
        self.added.resize(width / 2, 0);
        for row in 0..height / rows {
            let places =
                |plane: Component| (plane.offset + row * plane.stride..).step_by(plane.step);
            for ((added, at_cb), at_cr) in self.added.iter_mut().zip(places(cb)).zip(places(cr)) {
                let (Some(&blue), Some(&red)) = (data.get(at_cb), data.get(at_cr)) else { return };
                let mixed = |of: &[i32]| of[0] * i32::from(blue) + of[1] * i32::from(red) + of[2];
                *added = mixed(&self.luma[1..]);
                data[at_cb] = to_byte(mixed(&self.cb));
                data[at_cr] = to_byte(mixed(&self.cr));
            }
            for y in row * rows..(row + 1) * rows {
                let start = luma.offset + y * luma.stride;
                let Some(values) = data.get_mut(start..) else { return };
                for (pair, added) in values.chunks_mut(2 * luma.step).zip(&self.added) {
                    for value in pair.iter_mut().step_by(luma.step) {
                        *value = to_byte(self.luma[0] * i32::from(*value) + added);
                    }
                }
            }
        }
    }
}

fn to_byte(fixed: i32) -> u8 {
    (fixed >> PLACES).clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    const BT601: [f64; 2] = [0.299, 0.114];
    const BT709: [f64; 2] = [0.2126, 0.0722];
    const BT2020: [f64; 2] = [0.2627, 0.0593];

    fn meanings() -> Vec<Meaning> {
        let of = |[red, blue]: [f64; 2]| {
            [false, true].map(|full_range| Meaning { red, blue, full_range })
        };
        [BT601, BT709, BT2020].into_iter().flat_map(of).collect()
    }

    /// Red, green and blue from 0 to 255, as a decoder computes them.
    fn rgb(meaning: Meaning, values: [u8; 3]) -> [f64; 3] {
        let [size, offset, chroma] = meaning.range();
        let [luma, cb, cr] = values.map(f64::from);
        let luma = (luma - offset) / size;
        let red = luma + (2.0 - 2.0 * meaning.red) * (cr - 128.0) / chroma;
        let blue = luma + (2.0 - 2.0 * meaning.blue) * (cb - 128.0) / chroma;
        let green =
            (luma - meaning.red * red - meaning.blue * blue) / (1.0 - meaning.red - meaning.blue);
        [red, green, blue].map(|value| (value * 255.0).clamp(0.0, 255.0))
    }

    /// Y', Cb and Cr of red, green and blue from 0 to 1.
    fn of_rgb(meaning: Meaning, [red, green, blue]: [f64; 3]) -> [u8; 3] {
        let luma =
            meaning.red * red + (1.0 - meaning.red - meaning.blue) * green + meaning.blue * blue;
        let [size, offset, chroma] = meaning.range();
        let cb = (blue - luma) / (2.0 - 2.0 * meaning.blue);
        let cr = (red - luma) / (2.0 - 2.0 * meaning.red);
        // The conversion clamps: full blue is 256 where all values count.
        [size * luma + offset, chroma * cb + 128.0, chroma * cr + 128.0].map(|v| v.round() as u8)
    }

    /// Two pixels by two of one colour, planar; changed.
    fn changed(recolour: &mut Recolour, [luma, cb, cr]: [u8; 3]) -> [u8; 3] {
        let at = |offset, stride| Component { offset, stride, step: 1, shared: (0, 0) };
        let mut data = [luma, luma, luma, luma, cb, cr];
        recolour.apply(&mut data, [2, 2], 2, [at(0, 2), at(4, 1), at(5, 1)]);
        assert!(data[..4].iter().all(|luma| *luma == data[0]));
        [data[0], data[4], data[5]]
    }

    #[test]
    fn colours_stay_what_they_are_whatever_the_values_mean() {
        let levels = [0_u8, 3, 37, 64, 101, 128, 172, 219, 250, 255];
        for from in meanings() {
            for to in meanings() {
                let Some(mut recolour) = Recolour::between(from, to) else {
                    assert_eq!(from, to);
                    continue;
                };
                for r in levels {
                    for (g, b) in levels.iter().flat_map(|g| levels.iter().map(move |b| (*g, *b))) {
                        let colour = [r, g, b].map(|value| f64::from(value) / 255.0);
                        let decoded = rgb(to, changed(&mut recolour, of_rgb(from, colour)));
                        for (decoded, was) in decoded.into_iter().zip([r, g, b]) {
                            let off = (decoded - f64::from(was)).abs();
                            assert!(off <= 3.0, "{from:?} -> {to:?}: {r} {g} {b} is {off} off");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn grey_stays_grey() {
        for from in meanings() {
            for to in meanings() {
                let Some(mut recolour) = Recolour::between(from, to) else { continue };
                for grey in 0..=255_u8 {
                    let colour = [f64::from(grey) / 255.0; 3];
                    let [luma, chroma @ ..] = changed(&mut recolour, of_rgb(from, colour));
                    assert!(luma.abs_diff(of_rgb(to, colour)[0]) <= 1);
                    assert_eq!(chroma, [128, 128], "{from:?} -> {to:?}: {grey}");
                }
            }
        }
    }

    #[test]
    fn every_layout_is_changed_alike_and_what_others_have_stays_as_it_is() {
        use gstreamer_video::VideoFormat;

        gst::init().expect("GStreamer");
        let of = |text: &str| text.parse::<VideoColorimetry>().expect("a colorimetry");
        let mut recolour = Recolour::new(&of("1:4:16:4"), &of("bt601")).expect("they differ");
        let bytes = |format, luma: u8, cb: u8, cr: u8| match format {
            VideoFormat::I420 => [vec![luma; 64], vec![cb; 16], vec![cr; 16]].concat(),
            VideoFormat::Nv12 => [vec![luma; 64], [cb, cr].repeat(16)].concat(),
            _ => [luma, cb, luma, cr].repeat(32),
        };
        for format in [VideoFormat::I420, VideoFormat::Nv12, VideoFormat::Yuy2] {
            let info = VideoInfo::builder(format, 8, 8).build().expect("an info");
            let shared = gst::Buffer::from_slice(bytes(format, 255, 0, 255));
            let mut frame = shared.copy();
            recolour.frame(frame.make_mut(), &info);
            let values = |frame: &gst::Buffer| frame.map_readable().expect("readable").to_vec();
            assert_eq!(values(&frame), bytes(format, 235, 16, 240), "{format}");
            assert_eq!(values(&shared), bytes(format, 255, 0, 255), "{format}");
            // One that is cut short is no fault.
            recolour.frame(gst::Buffer::from_slice(vec![0; 5]).make_mut(), &info);
        }
    }
}
