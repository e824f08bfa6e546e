//! Whether a JPEG is complete, and which of those that went into a decoder came out again.
//!
//! Pure. Cheap webcams and capture dongles send frames that are cut short or overwritten when
//! the bus is busy; a decoder would fill the rest with grey or with the frame before.

use std::collections::VecDeque;

use crate::limits::{CAPTURE_DECODER_TIME_OFF_MAX, CAPTURE_JPEGS_IN_DECODER_MAX};

const TIME_OFF_MAX_NS: u64 = CAPTURE_DECODER_TIME_OFF_MAX.as_nanos() as u64;

/// Whether a JPEG has all its parts: a start, tables, a frame header with a size, coded data
/// without a marker that does not belong there, and an end (ITU-T T.81 annex B). What follows the
/// end does not matter, because drivers fill up their buffers.
pub fn is_whole(jpeg: &[u8]) -> bool {
    coded_data(jpeg).is_some_and(ends_well)
}

/// What follows the first scan header.
fn coded_data(jpeg: &[u8]) -> Option<&[u8]> {
    let mut rest = jpeg.strip_prefix(&[0xFF, 0xD8])?;
    let mut has_size = false;
    loop {
        // Any number of fill bytes may come before a marker.
        let start = rest.iter().position(|byte| *byte != 0xFF)?;
        let (fill, after) = rest.split_at(start);
        let (marker, after) = after.split_first()?;
        let length = usize::from(u16::from_be_bytes([*after.first()?, *after.get(1)?]));
        if fill.is_empty() || length < 2 {
            return None;
        }
        let segment = after.get(2..length)?;
        rest = after.get(length..)?;
        match marker {
            // Start of frame; C4, C8 and CC are something else.
            0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                // Precision, then height and width.
                let size = segment.get(1..5)?;
                has_size = size[..2] != [0, 0] && size[2..] != [0, 0];
            }
            0xDA => return has_size.then_some(rest),
            // A second start, or an end before the data.
            0xD8 | 0xD9 | 0x00 | 0x01 => return None,
            _ => {}
        }
    }
}

fn ends_well(mut data: &[u8]) -> bool {
    loop {
        let Some(at) = data.iter().position(|byte| *byte == 0xFF) else { return false };
        data = &data[at + 1..];
        match data.first() {
            // An escaped FF, a restart, or a fill byte.
            Some(0x00 | 0xD0..=0xD7 | 0xFF) => {}
            Some(0xD9) => return true,
            // Tables and headers between the scans of a progressive frame.
            Some(0xC4 | 0xDA..=0xDD | 0xFE) => {}
            _ => return false,
        }
    }
}

/// The times of the frames that are in a decoder.
#[derive(Debug, Default)]
pub struct InDecoder(VecDeque<Option<u64>>);

impl InDecoder {
    /// A frame of that time went in; returns how many before it count as lost.
    pub fn entered(&mut self, time_ns: Option<u64>) -> u64 {
        self.0.push_back(time_ns);
        u64::from(self.0.len() > CAPTURE_JPEGS_IN_DECODER_MAX && self.0.pop_front().is_some())
    }

    /// A frame of that time came out; returns how many before it never will. The time may have been
    /// rounded on the way, or lost.
    pub fn left(&mut self, time_ns: Option<u64>) -> u64 {
        let off_ns = |entered: &Option<u64>| match (entered, time_ns) {
            (Some(entered), Some(left)) => entered.abs_diff(left),
            _ => 0,
        };
        let nearest = (0..self.0.len()).min_by_key(|at| off_ns(&self.0[*at]));
        let Some(at) = nearest.filter(|at| off_ns(&self.0[*at]) <= TIME_OFF_MAX_NS) else {
            return 0;
        };
        self.0.drain(..=at).count().saturating_sub(1) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One grey block: start, quantisation table, frame header of 8x8, scan header, data, end.
    fn jpeg() -> Vec<u8> {
        let mut jpeg = vec![0xFF, 0xD8, 0xFF, 0xDB, 0, 67, 0];
        jpeg.extend([1; 64]);
        jpeg.extend([0xFF, 0xC0, 0, 11, 8, 0, 8, 0, 8, 1, 1, 0x11, 0]);
        jpeg.extend([0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0]);
        jpeg.extend([0x12, 0xFF, 0x00, 0x34, 0xFF, 0xD0, 0x56]);
        jpeg.extend([0xFF, 0xD9]);
        jpeg
    }

    #[test]
    fn a_complete_frame_is_whole_whatever_follows_it() {
        let mut whole = jpeg();
        assert!(is_whole(&whole));
        whole.extend([0; 500]);
        assert!(is_whole(&whole), "padding of the driver");
    }

    #[test]
    fn a_frame_that_is_cut_anywhere_is_not_whole() {
        let whole = jpeg();
        for length in 0..whole.len() {
            assert!(!is_whole(&whole[..length]), "cut to {length} bytes");
        }
    }

    #[test]
    fn a_frame_that_is_overwritten_is_not_whole() {
        let overwritten = |at: usize, with: &[u8]| {
            let mut broken = jpeg();
            broken[at..at + with.len()].copy_from_slice(with);
            broken
        };
        let frame_header = 2 + 69;
        let data = jpeg().len() - 9;
        for (what, broken) in [
            ("the start of another frame", overwritten(data, &[0xFF, 0xD8])),
            ("an unknown marker", overwritten(data + 4, &[0xFF, 0x02])),
            ("no start", overwritten(0, &[0, 0])),
            ("no height", overwritten(frame_header + 5, &[0, 0])),
            ("no width", overwritten(frame_header + 7, &[0, 0])),
            ("a length of nothing", overwritten(4, &[0, 1])),
            ("a length beyond the end", overwritten(4, &[0xFF, 0xFE])),
        ] {
            assert!(!is_whole(&broken), "{what}");
        }
        assert!(!is_whole(&[0xFF; 1_000]) && !is_whole(&[0; 1_000]));
    }

    #[test]
    fn what_does_not_come_out_of_a_decoder_is_counted() {
        let mut inside = InDecoder::default();
        let at = |number: u64| Some(number * 33_366_700);
        for number in 1..=5 {
            assert_eq!(inside.entered(at(number)), 0);
        }
        assert_eq!(inside.left(at(1)), 0);
        assert_eq!(inside.left(at(4)), 2, "2 and 3 never came");
        assert_eq!(inside.left(at(4)), 0, "no longer known");
        assert_eq!(inside.left(at(5)), 0);
        assert_eq!(inside.entered(at(6)) + inside.entered(at(7)), 0);
        assert_eq!(inside.left(Some(200_000_000)), 0, "6, in whole milliseconds");
        assert_eq!(inside.left(None), 0, "7, without its time");
        assert!(inside.0.is_empty());
        let given_up: u64 = (0..200).map(|time| inside.entered(Some(time))).sum();
        assert_eq!(given_up, 200 - CAPTURE_JPEGS_IN_DECODER_MAX as u64);
    }
}
