//! An image as the chips have it in their memory.

use std::convert::Infallible;
use std::fmt;

use embedded_graphics::{
    Pixel,
    geometry::{OriginDimensions, Size},
    pixelcolor::BinaryColor,
    prelude::DrawTarget,
};

/// Width of the display, in pixels.
pub const WIDTH: usize = 128;
/// Height of the display, in pixels.
pub const HEIGHT: usize = 64;
/// Strips of eight rows; data sheets call them pages.
pub const STRIPS: usize = HEIGHT / ROWS;
/// Rows of a strip: one byte holds a column of it, the uppermost pixel in its lowest bit.
const ROWS: usize = 8;
/// Columns that have not changed and are sent all the same: addressing what follows them takes seven bytes.
const GAP_MAX: usize = 7;

/// An image, lit pixels on a dark ground.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    strips: [[u8; WIDTH]; STRIPS],
}

/// Columns of a strip that lie side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span<'a> {
    /// Which strip, from 0 at the top.
    pub strip: u8,
    /// The first column, from 0 at the left.
    pub column: u8,
    /// The columns.
    pub bytes: &'a [u8],
}

impl Frame {
    /// An image without a lit pixel.
    pub const DARK: Frame = Frame { strips: [[0; WIDTH]; STRIPS] };

    /// The image whose strips these are.
    pub fn of_strips(strips: [[u8; WIDTH]; STRIPS]) -> Frame {
        Frame { strips }
    }

    /// Whether a pixel is lit; what lies outside is not.
    pub fn is_lit(&self, x: usize, y: usize) -> bool {
        let byte = self.strips.get(y / ROWS).and_then(|strip| strip.get(x));
        byte.is_some_and(|byte| byte >> (y % ROWS) & 1 == 1)
    }

    /// All of it.
    pub fn spans(&self) -> impl Iterator<Item = Span<'_>> {
        (0..).zip(&self.strips).map(|(strip, bytes)| Span { strip, column: 0, bytes })
    }

    /// What is to be sent to a display that shows `before`.
    pub fn changes<'a>(&'a self, before: &Frame) -> Vec<Span<'a>> {
        let mut spans = Vec::new();
        for ((strip, bytes), old) in (0..).zip(&self.strips).zip(&before.strips) {
            // First and last column of the span that may still grow.
            let mut open: Option<(usize, usize)> = None;
            let mut close = |(first, last): (usize, usize)| {
                if let (Ok(column), Some(bytes)) = (u8::try_from(first), bytes.get(first..=last)) {
                    spans.push(Span { strip, column, bytes });
                }
            };
            let changed = bytes.iter().zip(old).enumerate().filter(|(_, (new, old))| new != old);
            for (column, _) in changed {
                open = Some(match open {
                    Some((first, last)) if column - last <= GAP_MAX + 1 => (first, column),
                    Some(ended) => {
                        close(ended);
                        (column, column)
                    }
                    None => (column, column),
                });
            }
            open.into_iter().for_each(close);
        }
        spans
    }
}

impl fmt::Debug for Frame {
    /// A character for each pixel.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for y in 0..HEIGHT {
            let row = (0..WIDTH).map(|x| if self.is_lit(x, y) { '#' } else { '.' });
            writeln!(f, "{}", row.collect::<String>())?;
        }
        Ok(())
    }
}

impl OriginDimensions for Frame {
    fn size(&self) -> Size {
        Size::new(WIDTH as u32, HEIGHT as u32)
    }
}

impl DrawTarget for Frame {
    type Color = BinaryColor;
    type Error = Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Infallible>
    where
        I: IntoIterator<Item = Pixel<BinaryColor>>,
    {
        for Pixel(point, colour) in pixels {
            let (Ok(x), Ok(y)) = (usize::try_from(point.x), usize::try_from(point.y)) else {
                continue;
            };
            let Some(byte) = self.strips.get_mut(y / ROWS).and_then(|strip| strip.get_mut(x))
            else {
                continue;
            };
            let bit = 1 << (y % ROWS);
            *byte = if colour.is_on() { *byte | bit } else { *byte & !bit };
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use embedded_graphics::geometry::Point;

    use super::*;

    fn lit(pixels: &[(i32, i32)]) -> Frame {
        let mut frame = Frame::DARK;
        let pixels = pixels.iter().map(|(x, y)| Pixel(Point::new(*x, *y), BinaryColor::On));
        let Ok(()) = frame.draw_iter(pixels);
        frame
    }

    fn places(spans: &[Span<'_>]) -> Vec<(u8, u8, usize)> {
        spans.iter().map(|span| (span.strip, span.column, span.bytes.len())).collect()
    }

    #[test]
    fn a_pixel_is_where_the_chips_look_for_it_and_one_outside_is_left_out() {
        let frame = lit(&[(0, 0), (127, 63), (5, 9), (-1, 0), (128, 0), (0, 64)]);
        let count = (0..WIDTH).flat_map(|x| (0..HEIGHT).map(move |y| (x, y)));
        assert_eq!(count.filter(|(x, y)| frame.is_lit(*x, *y)).count(), 3);
        let strips: Vec<&[u8]> = frame.spans().map(|span| span.bytes).collect();
        assert_eq!((strips[0][0], strips[7][127], strips[1][5]), (1, 0x80, 2));
    }

    #[test]
    fn only_columns_that_differ_are_sent_and_near_ones_together() {
        let before = Frame::DARK;
        assert_eq!(before.changes(&before), []);
        let near = lit(&[(10, 0), (18, 7)]);
        assert_eq!(places(&near.changes(&before)), [(0, 10, 9)]);
        let apart = lit(&[(10, 0), (19, 7), (19, 8), (127, 63)]);
        let expected = [(0, 10, 1), (0, 19, 1), (1, 19, 1), (7, 127, 1)];
        assert_eq!(places(&apart.changes(&before)), expected);
        assert_eq!(places(&before.changes(&apart)), expected, "what goes out is a change as well");
    }
}
