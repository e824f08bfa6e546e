//! The flashes of the test pattern and the beeps of the test tone.

use super::decode::{FrameSink, Luma, SAMPLE_RATE_HZ, SampleSink, Span};

/// Luma above which the flash is on; the test pattern's background there is 133, its flash 235.
const FLASH_LUMA: u8 = 190;
/// Amplitude above which the beep is on; the hum lies at 0.02, the beep at 0.25.
const BEEP_LEVEL: f32 = 0.1;
/// A marker begins when there was none for this long.
const PAUSE_NS: u64 = 500_000_000;
/// A flash and a beep further apart than this do not belong together.
const PAIR_NS: u64 = 400_000_000;

/// The times at which markers of one kind begin.
#[derive(Debug, Default)]
struct Onsets {
    begins_ns: Vec<u64>,
    last_on_ns: Option<u64>,
}

impl Onsets {
    fn note(&mut self, at_ns: u64, on: bool) {
        if !on {
            return;
        }
        if self.last_on_ns.is_none_or(|last| at_ns.saturating_sub(last) > PAUSE_NS) {
            self.begins_ns.push(at_ns);
        }
        self.last_on_ns = Some(at_ns);
    }
}

/// Looks for flashes.
#[derive(Debug, Default)]
pub(super) struct Flashes(Onsets);

impl FrameSink for Flashes {
    fn frame(&mut self, span: Span, frame: &Luma<'_>) {
        let on = frame.at(1.0 / 2.0, 1.0 / 8.0).is_some_and(|luma| luma > FLASH_LUMA);
        self.0.note(span.from_ns, on);
    }
}

/// Listens for beeps.
#[derive(Debug, Default)]
pub(super) struct Beeps(Onsets);

impl SampleSink for Beeps {
    fn samples(&mut self, span: Span, samples: impl Iterator<Item = f32>) {
        for (index, sample) in samples.enumerate() {
            let at_ns = span.from_ns + index as u64 * 1_000_000_000 / SAMPLE_RATE_HZ;
            self.0.note(at_ns, sample.abs() > BEEP_LEVEL);
        }
    }
}

/// The median distance from a flash to its beep; `None` without a pair.
pub(super) fn median_distance_ms(flashes: &Flashes, beeps: &Beeps) -> Option<f64> {
    let beeps = &beeps.0.begins_ns;
    let pairs = flashes.0.begins_ns.iter().filter_map(|flash| {
        let beep = beeps.iter().min_by_key(|beep| beep.abs_diff(*flash))?;
        (beep.abs_diff(*flash) < PAIR_NS).then_some(*beep as i64 - *flash as i64)
    });
    let mut distances: Vec<i64> = pairs.collect();
    distances.sort_unstable();
    distances.get(distances.len() / 2).map(|ns| *ns as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_the_pairs_counts_and_strays_do_not() {
        let at = |values: &[u64]| {
            let begins_ns = values.iter().map(|ms| ms * 1_000_000).collect();
            Onsets { begins_ns, last_on_ns: None }
        };
        let (first, second) = ([1_000, 2_000, 3_000, 9_000], [1_020, 2_010, 3_030, 5_500]);
        let distance =
            |flashes, beeps| median_distance_ms(&Flashes(at(flashes)), &Beeps(at(beeps)));
        assert_eq!(distance(&first, &second), Some(20.0));
        assert_eq!(distance(&second, &first), Some(-20.0));
        assert_eq!(distance(&first, &[]), None);
    }

    #[test]
    fn a_marker_begins_once_however_long_it_lasts() {
        let mut onsets = Onsets::default();
        for ms in 0..3_000_u64 {
            onsets.note(ms * 1_000_000, ms % 1_000 < 100);
        }
        assert_eq!(onsets.begins_ns, [0, 1_000_000_000, 2_000_000_000]);
    }
}
