//! Text as stamps, in a bitmap font that is part of the binary.
//!
//! Pure.

use std::convert::Infallible;

use embedded_graphics::{
    Drawable,
    geometry::{OriginDimensions, Point, Size},
    mono_font::{MonoTextStyle, iso_8859_1::FONT_10X20},
    pixelcolor::BinaryColor,
    prelude::DrawTarget,
    text::{Baseline, Text},
};

use super::canvas::{Colour, Stamp};

/// Size of a letter, in pixels of the font.
const LETTER_WIDTH: usize = 10;
pub const LETTER_HEIGHT: usize = 20;

/// Pixels that are set or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bitmap {
    pub width: usize,
    pub height: usize,
    set: Vec<bool>,
}

impl Bitmap {
    /// One line of text. A character that the font does not have is drawn as a question mark.
    pub fn text(line: &str) -> Bitmap {
        let width = line.chars().count() * LETTER_WIDTH;
        let mut bitmap = Bitmap::blank(width, LETTER_HEIGHT);
        let style = MonoTextStyle::new(&FONT_10X20, BinaryColor::On);
        let text = Text::with_baseline(line, Point::zero(), style, Baseline::Top);
        match text.draw(&mut bitmap) {
            Ok(_) => bitmap,
            Err(never) => match never {},
        }
    }

    /// A sign from rows of text, in which `#` is set.
    pub fn sign<S: AsRef<str>>(rows: &[S]) -> Bitmap {
        let width = rows.iter().map(|row| row.as_ref().chars().count()).max().unwrap_or(0);
        let mut bitmap = Bitmap::blank(width, rows.len());
        for (line, row) in bitmap.set.chunks_exact_mut(width.max(1)).zip(rows) {
            for (dot, letter) in line.iter_mut().zip(row.as_ref().chars()) {
                *dot = letter == '#';
            }
        }
        bitmap
    }

    fn blank(width: usize, height: usize) -> Bitmap {
        Bitmap { width, height, set: vec![false; width * height] }
    }

    fn is_set(&self, x: usize, y: usize) -> bool {
        x < self.width && self.set.get(y * self.width + x).copied().unwrap_or(false)
    }

    /// Runs of set pixels: row, first column and length.
    pub fn runs(&self) -> impl Iterator<Item = (usize, usize, usize)> {
        let rows = self.set.chunks_exact(self.width.max(1)).enumerate();
        rows.flat_map(|(y, row)| {
            let mut x = 0;
            row.chunk_by(|a, b| a == b).filter_map(move |run| {
                let first = x;
                x += run.len();
                run.first().copied().unwrap_or(false).then_some((y, first, run.len()))
            })
        })
    }

    /// The bitmap scaled to that size, with smooth edges.
    pub fn stamp(&self, width: usize, height: usize, colour: Colour) -> Stamp {
        let [luma, cb, cr] = colour;
        let (across, down) =
            (self.width as f32 / width.max(1) as f32, self.height as f32 / height.max(1) as f32);
        // An edge is one pixel of the stamp wide.
        let sharpness = 1.0 / across.max(down).max(0.05);
        let mut pixels = Vec::with_capacity(width * height);
        for y in 0..height {
            for x in 0..width {
                let inside =
                    self.at((x as f32 + 0.5) * across - 0.5, (y as f32 + 0.5) * down - 0.5);
                let opacity = ((inside - 0.5) * sharpness + 0.5).clamp(0.0, 1.0);
                pixels.push([(opacity * 255.0) as u8, luma, cb, cr]);
            }
        }
        Stamp { width, height, pixels }
    }

    /// How much of a point is set, interpolated from the four pixels around it.
    fn at(&self, x: f32, y: f32) -> f32 {
        let (column, row) = (x.floor(), y.floor());
        let (right, lower) = (x - column, y - row);
        let dot = |dx: f32, dy: f32| {
            let (column, row) = (column + dx, row + dy);
            let is_set = column >= 0.0 && row >= 0.0 && self.is_set(column as usize, row as usize);
            f32::from(u8::from(is_set))
        };
        let upper_row = dot(0.0, 0.0) * (1.0 - right) + dot(1.0, 0.0) * right;
        let lower_row = dot(0.0, 1.0) * (1.0 - right) + dot(1.0, 1.0) * right;
        upper_row * (1.0 - lower) + lower_row * lower
    }
}

impl OriginDimensions for Bitmap {
    fn size(&self) -> Size {
        Size::new(self.width as u32, self.height as u32)
    }
}

impl DrawTarget for Bitmap {
    type Color = BinaryColor;
    type Error = Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Infallible>
    where
        I: IntoIterator<Item = embedded_graphics::Pixel<BinaryColor>>,
    {
        for embedded_graphics::Pixel(point, colour) in pixels {
            let (Ok(x), Ok(y)) = (usize::try_from(point.x), usize::try_from(point.y)) else {
                continue;
            };
            if x < self.width
                && let Some(dot) = self.set.get_mut(y * self.width + x)
            {
                *dot = colour.is_on();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_that_a_name_may_have_is_drawn_and_differs() {
        let letters = "abcABC0123456789:.,-_'!?äöüßéèñçÅØ";
        let drawn: Vec<Bitmap> = letters.chars().map(|c| Bitmap::text(&c.to_string())).collect();
        for (i, bitmap) in drawn.iter().enumerate() {
            assert!(bitmap.runs().count() > 0, "{:?}", letters.chars().nth(i));
            assert!(drawn[..i].iter().all(|other| other != bitmap));
        }
        assert_eq!(Bitmap::text("\u{4e2d}"), Bitmap::text("?"), "others are a question mark");
        assert_eq!(Bitmap::text("").stamp(0, 0, [0; 3]).pixels.len(), 0);
    }

    #[test]
    fn a_sign_is_as_its_rows_say_and_keeps_its_shape_when_it_grows() {
        let sign = Bitmap::sign(&["##..", "##..", "....", "...."]);
        assert_eq!(sign.runs().collect::<Vec<_>>(), [(0, 0, 2), (1, 0, 2)]);
        let stamp = sign.stamp(40, 40, [1, 2, 3]);
        let opacity = |x: usize, y: usize| stamp.pixels[y * 40 + x][0];
        assert_eq!((opacity(10, 10), opacity(30, 10), opacity(30, 30)), (255, 0, 0));
        assert!(stamp.pixels.iter().all(|pixel| pixel[1..] == [1, 2, 3]));
    }
}
