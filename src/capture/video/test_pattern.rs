//! The test pattern.
//!
//! Pure: it is a function of its size and of the media time.

use super::{
    bitmap_text::{Bitmap, LETTER_HEIGHT},
    canvas::{BLACK, Canvas, Colour, Layout, WHITE},
};
use crate::capture::gst::clock::{MARK_NS, SECOND_NS};

const GREY: Colour = [52, 128, 128];
/// Bars at 75 %, left to right: white, yellow, cyan, green, magenta, red, blue.
const BARS: [Colour; 7] = [
    [180, 128, 128],
    [168, 44, 136],
    [145, 147, 44],
    [133, 63, 52],
    [63, 193, 204],
    [51, 109, 212],
    [28, 212, 120],
];

/// The moving test pattern: colour bars, a block that crosses once in four seconds, a running
/// clock, a flash at each full second, and a band of noise that makes the encoder work for its
/// bitrate as a camera does.
#[derive(Debug)]
pub struct TestPattern {
    layout: Layout,
    background: Vec<u8>,
    noise: Vec<u8>,
}

impl TestPattern {
    /// A test pattern of that size.
    pub fn new(layout: Layout) -> TestPattern {
        let mut background = vec![0; layout.bytes()];
        let mut canvas = Canvas { layout, data: &mut background };
        let (width, height) = (layout.width, layout.height);
        canvas.rectangle(0, 0, width, height, GREY);
        for (i, colour) in BARS.into_iter().enumerate() {
            let left = width * i / BARS.len();
            canvas.rectangle(left, 0, width * (i + 1) / BARS.len() - left, height * 2 / 3, colour);
        }
        canvas.ramp(height * 2 / 3, height / 12);
        let mut state = 1;
        let noise = (0..NOISE_BYTES + width).map(|_| luma_noise(&mut state)).collect();
        TestPattern { layout, background, noise }
    }

    /// Draws the frame of a media time into `data`, which is [`Layout::bytes`] long; a shorter
    /// buffer is left unchanged.
    pub fn draw(&self, media_ns: u64, data: &mut [u8]) {
        let Some(data) = data.get_mut(..self.background.len()) else { return };
        data.copy_from_slice(&self.background);
        let mut canvas = Canvas { layout: self.layout, data };
        let (width, height) = (self.layout.width, self.layout.height);

        let side = (height / 8).min(width / 4);
        let phase = media_ns % (4 * SECOND_NS);
        let left = (width - side) as u64 * phase / (4 * SECOND_NS);
        canvas.rectangle(left as usize, height - side - side / 4, side, side, WHITE);
        self.draw_noise(media_ns, &mut canvas);

        canvas.label(&clock_text(media_ns), height / 3);
        if media_ns % SECOND_NS < MARK_NS {
            canvas.rectangle(width / 2 - side / 2, height / 16, side, side, WHITE);
        }
    }
}

impl TestPattern {
    fn draw_noise(&self, media_ns: u64, canvas: &mut Canvas<'_>) {
        let Layout { width, height, .. } = self.layout;
        let luma = self.layout.luma();
        let mut state = (media_ns as u32) | 1;
        for y in height * 5 / 8..height * 2 / 3 {
            let from = next_random(&mut state) as usize % NOISE_BYTES;
            let (row, noise) = (luma.offset + y * luma.stride, self.noise.get(from..from + width));
            let pixels = canvas.data.get_mut(row..).zip(noise);
            let Some((pixels, noise)) = pixels else { continue };
            match luma.step {
                1 => pixels.iter_mut().zip(noise).for_each(|(pixel, noise)| *pixel = *noise),
                step => {
                    pixels.iter_mut().step_by(step).zip(noise).for_each(|(p, noise)| *p = *noise);
                }
            }
        }
    }
}

/// Noise that rows are copied from, because random numbers for each frame would cost too much.
const NOISE_BYTES: usize = 4_096;

/// George Marsaglia's xorshift; the state must not be zero.
fn next_random(state: &mut u32) -> u32 {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    *state
}

fn luma_noise(state: &mut u32) -> u8 {
    96 + (next_random(state) >> 26) as u8
}

fn clock_text(media_ns: u64) -> String {
    let ms = media_ns / 1_000_000;
    let (hours, minutes) = (ms / 3_600_000, ms / 60_000 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{:03}", ms / 1_000 % 60, ms % 1_000)
}

impl Canvas<'_> {
    /// A ramp from black to white, left to right.
    fn ramp(&mut self, top: usize, height: usize) {
        let steps = 32;
        for i in 0..steps {
            let left = self.layout.width * i / steps;
            let right = self.layout.width * (i + 1) / steps;
            let luma = 16 + (219 * i / (steps - 1)) as u8;
            self.rectangle(left, top, right - left, height, [luma, 128, 128]);
        }
    }

    /// White text on black, centred, three quarters of the width.
    fn label(&mut self, words: &str, middle: usize) {
        let bitmap = Bitmap::text(words);
        let dot = (self.layout.width * 3 / 4 / bitmap.width.max(1)).clamp(2, 32) / 2 * 2;
        let (width, height) = (bitmap.width * dot, LETTER_HEIGHT * dot);
        let left = self.layout.width.saturating_sub(width) / 4 * 2;
        let top = middle.saturating_sub(height / 2) / 2 * 2;
        self.rectangle(left, top, width, height, BLACK);
        for (row, first, number) in bitmap.runs() {
            self.rectangle(left + first * dot, top + row * dot, number * dot, dot, WHITE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(width: u32, height: u32, media_ns: u64) -> Vec<u8> {
        let layout = Layout::planar(width, height);
        let mut data = vec![0; layout.bytes()];
        TestPattern::new(layout).draw(media_ns, &mut data);
        data
    }

    #[test]
    fn the_pattern_changes_from_each_frame_to_the_next() {
        let frame = |n: u64| frame(320, 180, n * SECOND_NS / 30);
        assert!((0..30).all(|n| frame(n) != frame(n + 1)));
    }

    #[test]
    fn the_flash_is_there_at_the_full_second_and_gone_after_a_tenth() {
        let luma_of_flash = |media_ns| frame(320, 180, media_ns)[14 * 320 + 160];
        assert_eq!(luma_of_flash(7 * SECOND_NS), WHITE[0]);
        assert_eq!(luma_of_flash(7 * SECOND_NS + MARK_NS - 1), WHITE[0]);
        assert_ne!(luma_of_flash(7 * SECOND_NS + MARK_NS), WHITE[0]);
        assert_ne!(luma_of_flash(8 * SECOND_NS - 1), WHITE[0]);
    }

    #[test]
    fn every_even_size_is_drawn_without_leaving_the_frame() {
        for (width, height) in [(128, 128), (426, 240), (1366, 768), (130, 1200), (1920, 128)] {
            let layout = Layout::planar(width, height);
            assert_eq!(frame(width, height, SECOND_NS).len(), layout.bytes());
        }
    }

    #[test]
    fn a_short_buffer_is_left_alone() {
        let mut short = vec![7; 100];
        TestPattern::new(Layout::planar(320, 180)).draw(0, &mut short);
        assert!(short.iter().all(|byte| *byte == 7));
    }

    #[test]
    fn the_clock_reads_hours_to_milliseconds() {
        assert_eq!(clock_text(3_723_004 * 1_000_000), "01:02:03.004");
        assert_eq!(clock_text(u64::MAX), "5124095:34:33.709");
    }
}
