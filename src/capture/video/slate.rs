//! The frame that replaces a lost camera, drawn from `board/graphics/slate.toml`.
//!
//! Pure.

use serde::Deserialize;

use super::{
    bitmap_text::Bitmap,
    canvas::{Canvas, Layout, colour},
};

/// The design of the slate.
const EMBEDDED: &str = include_str!("../../../board/graphics/slate.toml");
/// Free space next to text and signs, left and right together, in thousandths of the width.
const MARGIN: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Design {
    background: String,
    #[serde(default)]
    band: Vec<Band>,
    #[serde(default)]
    sign: Vec<Sign>,
    #[serde(default)]
    words: Vec<Words>,
}

/// A stripe from side to side.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Band {
    middle: usize,
    height: usize,
    colour: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sign {
    middle: usize,
    height: usize,
    colour: String,
    bitmap: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    text: String,
    middle: usize,
    height: usize,
    colour: String,
}

/// The slate of a box with that name.
///
/// # Errors
/// What is wrong with the design.
pub fn slate(layout: Layout, name: &str) -> Result<Vec<u8>, String> {
    draw(EMBEDDED, layout, name)
}

fn draw(design: &str, layout: Layout, name: &str) -> Result<Vec<u8>, String> {
    let design: Design = toml::from_str(design).map_err(|error| error.message().to_owned())?;
    let known = |text: &str| colour(text).ok_or_else(|| format!("{text} is not a colour"));
    let mut data = vec![0; layout.bytes()];
    let mut canvas = Canvas { layout, data: &mut data };
    canvas.fill(known(&design.background)?);
    let part = |thousandths: usize| layout.height * thousandths / 1_000;
    for band in &design.band {
        let top = part(band.middle.saturating_sub(band.height / 2)) / 2 * 2;
        let height = part(band.height).max(2).next_multiple_of(2);
        canvas.rectangle(0, top, layout.width, height, known(&band.colour)?);
    }
    for sign in &design.sign {
        let bitmap = Bitmap::sign(&sign.bitmap);
        place(&mut canvas, &bitmap, part(sign.middle), part(sign.height), &known(&sign.colour)?);
    }
    for words in &design.words {
        let bitmap = Bitmap::text(&words.text.replace("{name}", name));
        place(&mut canvas, &bitmap, part(words.middle), part(words.height), &known(&words.colour)?);
    }
    Ok(data)
}

/// Draws a bitmap centred in the frame, with the given height or, if there is no room, smaller.
fn place(canvas: &mut Canvas<'_>, bitmap: &Bitmap, middle: usize, height: usize, colour: &[u8; 3]) {
    let room = canvas.layout.width * (1_000 - MARGIN) / 1_000;
    let width = (bitmap.width * height / bitmap.height.max(1)).min(room);
    let height = bitmap.height * width / bitmap.width.max(1);
    let stamp = bitmap.stamp(width, height, *colour);
    let left = (canvas.layout.width - width) / 2;
    canvas.stamp(&stamp, left, middle.saturating_sub(height / 2));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Columns of the luma plane that differ from the background somewhere between two rows.
    fn drawn(frame: &[u8], layout: Layout, from: usize, to: usize) -> usize {
        let row = |y: usize| &frame[y * layout.luma().stride..][..layout.width];
        (0..layout.width).filter(|x| (from..to).any(|y| row(y)[*x] != frame[0])).count()
    }

    #[test]
    fn the_name_and_what_happened_are_on_it_in_every_size() {
        for (width, height) in [(128, 128), (320, 180), (1280, 720), (1366, 768), (1920, 1080)] {
            let layout = Layout::planar(width, height);
            let frame = slate(layout, "stage left").expect("draws");
            assert_eq!(frame.len(), layout.bytes());
            let height = layout.height;
            assert!(drawn(&frame, layout, height * 45 / 100, height * 60 / 100) > 20);
            assert!(drawn(&frame, layout, height * 66 / 100, height * 78 / 100) > 20);
            assert_ne!(frame, slate(layout, "stage right").expect("draws"));
        }
    }

    #[test]
    fn the_longest_name_stays_inside() {
        let layout = Layout::planar(640, 360);
        let frame = slate(layout, &"W".repeat(crate::limits::NAME_BYTES_MAX)).expect("draws");
        let wide = drawn(&frame, layout, 150, 230);
        assert!((400..=layout.width * 9 / 10).contains(&wide), "{wide} columns");
    }

    #[test]
    fn a_design_with_a_mistake_says_which() {
        for (design, message) in [
            ("background = \"blue\"", "blue is not a colour"),
            ("background = \"#000000\"\nforeground = 1", "foreground"),
        ] {
            let error = draw(design, Layout::planar(128, 128), "x").expect_err("refused");
            assert!(error.contains(message), "{error}");
        }
    }
}
