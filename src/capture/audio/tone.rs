//! The test tone: a quiet hum, and a beep at each full second of media time.
//!
//! Pure: a sample is a function of its position, so that tone and test pattern cannot drift apart.

use crate::capture::gst::clock::MARK_NS;

const HUM_HZ: f64 = 220.0;
const HUM_LEVEL: f64 = 0.02;
const BEEP_HZ: f64 = 1_000.0;
const BEEP_LEVEL: f64 = 0.25;
/// The beep rises and falls within this time, so that it does not click.
const RAMP_S: f64 = 0.002;

/// Writes the tone into `block` (interleaved 16-bit samples), whose first sample is number
/// `position` since media time zero.
pub fn write(position: u64, rate_hz: u32, channels: u32, block: &mut [i16]) {
    let rate = u64::from(rate_hz.max(1));
    for (i, samples) in block.chunks_mut(channels.max(1) as usize).enumerate() {
        // Whole periods fit one second, so the phase may restart at each.
        let within = (position + i as u64) % rate;
        samples.fill(value(within as f64 / rate as f64));
    }
}

fn value(second: f64) -> i16 {
    let wave = |hz: f64| (second * hz * std::f64::consts::TAU).sin();
    let beep_s = MARK_NS as f64 / 1e9;
    let envelope = (second.min(beep_s - second) / RAMP_S).clamp(0.0, 1.0);
    let sum = HUM_LEVEL * wave(HUM_HZ) + BEEP_LEVEL * envelope * wave(BEEP_HZ);
    (sum * f64::from(i16::MAX)) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loudest(position: u64, samples: usize) -> u16 {
        let mut block = vec![0; samples * 2];
        write(position, 48_000, 2, &mut block);
        block.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0)
    }

    #[test]
    fn it_beeps_in_the_first_tenth_of_each_second_only() {
        for second in [0, 1, 3_599] {
            assert!(loudest(second * 48_000, 4_800) > 8_000);
            assert!(loudest(second * 48_000 + 4_800, 43_200) < 1_000);
        }
    }

    #[test]
    fn a_block_does_not_depend_on_how_the_tone_is_cut() {
        let mut whole = vec![0; 4_000];
        write(47_000, 48_000, 2, &mut whole);
        let mut halves = vec![0; 4_000];
        let (first, second) = halves.split_at_mut(1_234);
        write(47_000, 48_000, 2, first);
        write(47_000 + 617, 48_000, 2, second);
        assert_eq!(whole, halves);
    }
}
