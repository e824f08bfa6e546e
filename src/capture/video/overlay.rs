//! The overlay that the owner may want in the video: a clock, a line of text, a logo.
//!
//! Pure: the time of day is an input.

use super::{
    bitmap_text::{Bitmap, LETTER_HEIGHT},
    canvas::{BLACK, Canvas, Colour, FULL_BLACK, FULL_WHITE, Layout, Stamp, WHITE},
};

/// Height of a line, and distance from the edge, as fractions of the frame's height: one over this.
const LINES: usize = 18;
const MARGINS: usize = 30;
/// Greatest size of a logo, as a fraction of the frame's width and height: one over this.
pub const LOGO_PART: u32 = 4;

/// The overlay.
#[derive(Debug)]
pub struct Overlay {
    layout: Layout,
    shades: Shades,
    text: Option<Stamp>,
    logo: Option<Stamp>,
    /// The clock as it was last drawn, when one is wanted.
    clock: Option<(String, Stamp)>,
}

impl Overlay {
    /// `None` when nothing is wanted. The logo is in the colours of the frames.
    pub fn new(
        layout: Layout,
        full_range: bool,
        clock: bool,
        text: Option<&str>,
        logo: Option<Stamp>,
    ) -> Option<Overlay> {
        if !clock && text.is_none() && logo.is_none() {
            return None;
        }
        let shades = Shades::of(full_range);
        let text = text.map(|words| line(layout, shades, words));
        let clock = clock.then(|| (String::new(), Stamp::default()));
        Some(Overlay { layout, shades, text, logo, clock })
    }

    /// Whether the time of day is shown.
    pub fn has_clock(&self) -> bool {
        self.clock.is_some()
    }

    /// Draws into a frame: the clock at its top right, the logo at its top left, the text at its
    /// bottom left.
    pub fn draw(&mut self, time_of_day: &str, frame: &mut [u8]) {
        let layout = self.layout;
        let margin = layout.height / MARGINS;
        let mut canvas = Canvas { layout, data: frame };
        if let Some((drawn, stamp)) = &mut self.clock {
            if drawn != time_of_day {
                let shades = self.shades;
                (*drawn, *stamp) = (time_of_day.to_owned(), line(layout, shades, time_of_day));
            }
            canvas.stamp(stamp, layout.width.saturating_sub(stamp.width + margin), margin);
        }
        if let Some(logo) = &self.logo {
            canvas.stamp(logo, margin, margin);
        }
        if let Some(text) = &self.text {
            canvas.stamp(text, margin, layout.height.saturating_sub(text.height + margin));
        }
    }
}

/// What text is drawn with.
#[derive(Debug, Clone, Copy)]
struct Shades {
    text: Colour,
    under: Colour,
}

impl Shades {
    fn of(full_range: bool) -> Shades {
        let (text, under) = if full_range { (FULL_WHITE, FULL_BLACK) } else { (WHITE, BLACK) };
        Shades { text, under }
    }
}

/// White text on a dark translucent box, no wider than the frame.
fn line(layout: Layout, shades: Shades, words: &str) -> Stamp {
    let bitmap = Bitmap::text(&format!(" {words} "));
    let room = layout.width - 2 * (layout.height / MARGINS);
    let width = (bitmap.width * (layout.height / LINES) / LETTER_HEIGHT).min(room);
    let height = LETTER_HEIGHT * width / bitmap.width.max(1);
    let (text, under) = (shades.text, u32::from(shades.under[0]));
    let mut stamp = bitmap.stamp(width, height, text);
    for [opacity, luma, ..] in &mut stamp.pixels {
        let inside = u32::from(*opacity);
        *luma = ((under * (255 - inside) + u32::from(text[0]) * inside) / 255) as u8;
        *opacity = (*opacity).max(BOX_OPACITY);
    }
    stamp
}

const BOX_OPACITY: u8 = 150;

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: (u32, u32) = (640, 360);

    /// Which of nine parts of a grey frame are drawn into.
    fn parts(overlay: &mut Overlay, time_of_day: &str) -> Vec<usize> {
        let layout = Layout::planar(LAYOUT.0, LAYOUT.1);
        let mut frame = vec![100; layout.bytes()];
        overlay.draw(time_of_day, &mut frame);
        let drawn = |part: &usize| {
            let (left, top) = (part % 3 * layout.width / 3, part / 3 * layout.height / 3);
            (top..top + layout.height / 3).any(|y| {
                let row = &frame[y * layout.luma().stride + left..][..layout.width / 3];
                row.iter().any(|luma| *luma != 100)
            })
        };
        (0..9).filter(drawn).collect()
    }

    fn overlay(clock: bool, text: Option<&str>, logo: Option<Stamp>) -> Option<Overlay> {
        Overlay::new(Layout::planar(LAYOUT.0, LAYOUT.1), false, clock, text, logo)
    }

    #[test]
    fn clock_logo_and_text_each_have_a_corner() {
        let logo = Stamp { width: 40, height: 30, pixels: vec![[200, 235, 128, 128]; 1_200] };
        assert!(overlay(false, None, None).is_none(), "nothing is wanted");
        let mut all = overlay(true, Some("rehearsal"), Some(logo.clone())).expect("wanted");
        assert_eq!(parts(&mut all, "12:34:56"), [0, 2, 6]);
        let mut clock = overlay(true, None, None).expect("wanted");
        assert_eq!(parts(&mut clock, "12:34:56"), [2]);
        let mut text = overlay(false, Some("rehearsal"), None).expect("wanted");
        assert_eq!(parts(&mut text, ""), [6]);
        let mut logo = overlay(false, None, Some(logo)).expect("wanted");
        assert_eq!(parts(&mut logo, ""), [0]);
    }

    #[test]
    fn the_clock_goes_on() {
        let layout = Layout::planar(LAYOUT.0, LAYOUT.1);
        let mut clock = overlay(true, None, None).expect("wanted");
        let frames = ["12:34:56", "12:34:57", "12:34:56"].map(|time_of_day| {
            let mut frame = vec![100; layout.bytes()];
            clock.draw(time_of_day, &mut frame);
            frame
        });
        assert_ne!(frames[0], frames[1]);
        assert_eq!(frames[0], frames[2]);
    }

    #[test]
    fn a_text_is_never_wider_than_the_frame() {
        for (width, height) in [(128, 1_200), (640, 360), (1920, 128)] {
            let layout = Layout::planar(width, height);
            let stamp = line(layout, Shades::of(false), &"W".repeat(crate::limits::NAME_BYTES_MAX));
            assert!(stamp.width <= layout.width && stamp.height <= layout.height);
        }
    }
}
