//! Whether the video is black.
//!
//! Pure: what is measured are the frames as they go to the encoder.

use crate::capture::gst::clock::SECOND_NS;

/// How often a frame is measured.
const INTERVAL_NS: u64 = SECOND_NS / 4;
/// Every so many pixels in a row, and every so many rows, are measured.
const PIXEL_STEP: usize = 8;
/// A frame is black when this share of its pixels is as dark as this (the defaults of ffmpeg's
/// `blackdetect`), in the narrow range of values and in the full one.
const BLACK_SHARE_PERCENT: usize = 98;
const BLACK_LUMA_MAX: u8 = 16 + 219 / 10;
const FULL_BLACK_LUMA_MAX: u8 = 255 / 10;

/// The luma of a frame, from its first value on.
#[derive(Debug, Clone, Copy)]
pub struct Luma<'a> {
    pub data: &'a [u8],
    pub width: usize,
    /// From one row to the next.
    pub stride: usize,
    /// From one value of a row to the next.
    pub step: usize,
    /// Values go from 0 to 255 rather than from 16 to 235.
    pub full_range: bool,
}

/// Detects black video from a few pixels of a few frames a second.
#[derive(Debug, Default)]
pub struct BlackDetector {
    measured_ns: Option<u64>,
    black_since_ns: Option<u64>,
}

impl BlackDetector {
    /// Whether the frame of that media time is to be measured.
    pub fn is_due(&self, media_ns: u64) -> bool {
        self.measured_ns.is_none_or(|measured_ns| media_ns >= measured_ns + INTERVAL_NS)
    }

    /// Measures the luma of a frame.
    pub fn measure(&mut self, media_ns: u64, luma: Luma<'_>) {
        self.measured_ns = Some(media_ns);
        let black_max = if luma.full_range { FULL_BLACK_LUMA_MAX } else { BLACK_LUMA_MAX };
        let rows = luma.data.chunks(luma.stride.max(1)).step_by(PIXEL_STEP);
        let step = PIXEL_STEP * luma.step.max(1);
        let across = luma.width.div_ceil(PIXEL_STEP);
        let pixels = rows.flat_map(|row| row.iter().step_by(step).take(across));
        let (dark, all) = pixels.fold((0_usize, 0_usize), |(dark, all), value| {
            (dark + usize::from(*value <= black_max), all + 1)
        });
        if dark * 100 < all * BLACK_SHARE_PERCENT {
            self.black_since_ns = None;
        } else {
            self.black_since_ns.get_or_insert(media_ns);
        }
    }

    pub fn black_for_ms(&self) -> Option<u64> {
        let (since_ns, measured_ns) = (self.black_since_ns?, self.measured_ns?);
        Some(measured_ns.saturating_sub(since_ns) / 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_black_until_something_is_visible_in_it() {
        let (width, height, stride) = (320, 180, 384);
        let black = vec![20; stride * height];
        let mut title = black.clone();
        for row in title.chunks_mut(stride).skip(80).take(24) {
            row[60..200].fill(200);
        }
        let mut detector = BlackDetector::default();
        let mut at_ns = 0;
        for (frame, expected) in
            [(&black, Some(0)), (&black, Some(250)), (&title, None), (&black, Some(0))]
        {
            assert!(detector.is_due(at_ns));
            let luma = Luma { data: frame, width, stride, step: 1, full_range: false };
            detector.measure(at_ns, luma);
            assert!(!detector.is_due(at_ns + INTERVAL_NS / 2));
            assert_eq!(detector.black_for_ms(), expected);
            at_ns += INTERVAL_NS;
        }
    }
}
