//! Whether the video is black.
//!
//! Pure: what is measured are the frames as they go to the encoder.

use crate::capture::gst::clock::SECOND_NS;

/// How often a frame is measured.
const INTERVAL_NS: u64 = SECOND_NS / 4;
/// Every so many pixels in a row, and every so many rows, are measured.
const PIXEL_STEP: usize = 8;
/// A frame is black when this share of its pixels is as dark as this (the defaults of ffmpeg's
/// `blackdetect`, in the narrow range of ITU-R BT.709).
const BLACK_SHARE_PERCENT: usize = 98;
const BLACK_LUMA_MAX: u8 = 16 + 219 / 10;

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

    /// Measures the luma plane of a frame, whose rows are `stride` bytes apart.
    pub fn measure(&mut self, media_ns: u64, luma: &[u8], width: usize, stride: usize) {
        self.measured_ns = Some(media_ns);
        let rows = luma.chunks(stride.max(1)).step_by(PIXEL_STEP);
        let pixels = rows.flat_map(|row| row.iter().take(width).step_by(PIXEL_STEP));
        let (dark, all) = pixels.fold((0_usize, 0_usize), |(dark, all), luma| {
            (dark + usize::from(*luma <= BLACK_LUMA_MAX), all + 1)
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
            detector.measure(at_ns, frame, width, stride);
            assert!(!detector.is_due(at_ns + INTERVAL_NS / 2));
            assert_eq!(detector.black_for_ms(), expected);
            at_ns += INTERVAL_NS;
        }
    }
}
