//! Makes audio a little longer or shorter, without a click.
//!
//! Pure. A polyphase filter (a sinc under a Kaiser window) interpolates the audio at points slightly
//! closer or further apart than its samples. A point on a sample reproduces it exactly.

use crate::audio::filter::{kaiser, sinc};

/// Samples that one point is computed from: half of them are before it.
const TAPS: usize = 16;
const HALF: usize = TAPS / 2;
/// Positions between two samples with filter coefficients of their own; others are interpolated.
const PHASES: usize = 256;
/// A stream has one channel or two.
const CHANNELS_MAX: usize = 2;
/// Shape of the window: side lobes 80 dB down.
const KAISER_BETA: f64 = 8.0;

/// The filter, and the samples that it still needs.
#[derive(Debug)]
pub struct Resampler {
    channels: usize,
    /// One row of taps for each phase, and the first row again, a sample later.
    filter: Vec<[f32; TAPS]>,
    /// Interleaved samples that are still needed.
    input: Vec<i16>,
    /// The next point, in samples per channel from the beginning of `input`.
    at: f64,
}

impl Resampler {
    pub fn new(channels: usize) -> Resampler {
        let mut resampler = Resampler {
            channels: channels.clamp(1, CHANNELS_MAX),
            filter: filter(),
            input: Vec::new(),
            at: 0.0,
        };
        resampler.restart();
        resampler
    }

    /// Forgets the samples before.
    pub fn restart(&mut self) {
        self.input.clear();
        self.input.resize((HALF - 1) * self.channels, 0);
        self.at = (HALF - 1) as f64;
    }

    /// Takes samples (16-bit little-endian interleaved) and adds them to `out`, lengthened by
    /// `longer`, relative. The last few wait for what follows.
    pub fn write(&mut self, piece: &[u8], longer: f64, out: &mut impl Extend<i16>) {
        let whole_frames = piece.chunks_exact(2 * self.channels).flatten();
        let (low, high) = (whole_frames.clone().step_by(2), whole_frames.skip(1).step_by(2));
        self.input.extend(low.zip(high).map(|(low, high)| i16::from_le_bytes([*low, *high])));
        let frames = self.input.len() / self.channels;
        let step = 1.0 / (1.0 + longer);
        while self.at as usize + HALF < frames {
            self.point(out);
            self.at += step;
        }
        let done = (self.at as usize).saturating_sub(HALF - 1);
        self.input.drain(..done * self.channels);
        self.at -= done as f64;
    }

    fn point(&self, out: &mut impl Extend<i16>) {
        let whole = self.at as usize;
        let phase = (self.at - whole as f64) * PHASES as f64;
        let row = phase as usize;
        let between = (phase - row as f64) as f32;
        let first = (whole + 1).saturating_sub(HALF) * self.channels;
        let (Some(row), Some(next), Some(around)) = (
            self.filter.get(row),
            self.filter.get(row + 1),
            self.input.get(first..first + TAPS * self.channels),
        ) else {
            return;
        };
        let mut sums = [0.0_f32; CHANNELS_MAX];
        let mut tap = 0;
        // Plain indices: this is the only loop that runs for each sample and each tap, and it must
        // be fast enough in an unoptimized build too.
        while tap < TAPS {
            let weight = row[tap] + between * (next[tap] - row[tap]);
            sums[0] += f32::from(around[tap * self.channels]) * weight;
            if self.channels == CHANNELS_MAX {
                sums[1] += f32::from(around[tap * CHANNELS_MAX + 1]) * weight;
            }
            tap += 1;
        }
        out.extend(sums.iter().take(self.channels).map(|sum| sum.round() as i16));
    }
}

fn filter() -> Vec<[f32; TAPS]> {
    let row = |phase: usize| {
        let offset = phase as f64 / PHASES as f64;
        let mut taps = [0.0_f64; TAPS];
        for (i, tap) in taps.iter_mut().enumerate() {
            let x = i as f64 - (HALF - 1) as f64 - offset;
            *tap = sinc(x) * kaiser(KAISER_BETA, x / HALF as f64);
        }
        let sum: f64 = taps.iter().sum();
        taps.map(|tap| (tap / sum) as f32)
    };
    (0..=PHASES).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(hz: f64, frames: usize) -> Vec<u8> {
        let value =
            |i: usize| ((i as f64 * hz / 48_000.0 * std::f64::consts::TAU).sin() * 2e4) as i16;
        (0..frames).flat_map(|i| value(i).to_le_bytes()).collect()
    }

    #[test]
    fn without_a_correction_every_sample_comes_out_as_it_went_in() {
        let mut resampler = Resampler::new(2);
        let piece: Vec<u8> = (0..960_u16).flat_map(|i| (i * 31).to_le_bytes()).collect();
        let mut out = Vec::new();
        resampler.write(&piece, 0.0, &mut out);
        let wanted: Vec<i16> =
            piece.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect();
        assert_eq!(out, wanted[..out.len()]);
        assert_eq!(out.len(), 960 - HALF * 2, "the last few wait for what follows");
    }

    /// A lengthened sine is a sine of slightly lower pitch; any difference is noise.
    #[test]
    fn a_tone_stays_a_tone_up_to_the_highest_audible_ones() {
        for (hz, noise_max_db) in [(440.0, -75.0), (5_000.0, -75.0), (15_000.0, -60.0)] {
            for longer in [1e-3, -1e-3, 37e-6] {
                let mut resampler = Resampler::new(1);
                let mut out = Vec::new();
                for piece in sine(hz, 48_000).chunks(960) {
                    resampler.write(piece, longer, &mut out);
                }
                let step = hz / (1.0 + longer) / 48_000.0 * std::f64::consts::TAU;
                let wanted = |i: usize| (i as f64 * step).sin() * 2e4;
                let error: f64 = out
                    .iter()
                    .enumerate()
                    .skip(100)
                    .map(|(i, v)| (f64::from(*v) - wanted(i)).powi(2))
                    .sum();
                let noise_db = 20.0 * ((error / out.len() as f64).sqrt() / 2e4).log10();
                assert!(noise_db < noise_max_db, "{hz} Hz by {longer}: {noise_db} dB");
            }
        }
    }

    #[test]
    fn a_thousand_samples_become_a_thousand_and_one() {
        for (longer, expected) in [(1e-3, 48_048), (-1e-3, 47_952)] {
            let mut resampler = Resampler::new(1);
            let mut out = Vec::new();
            for piece in sine(440.0, 48_000).chunks(2 * 441) {
                resampler.write(piece, longer, &mut out);
            }
            assert!((out.len() as i64 - expected + HALF as i64).abs() <= 1, "{}", out.len());
        }
    }

    #[test]
    fn an_odd_number_of_bytes_does_no_harm() {
        let mut resampler = Resampler::new(2);
        let mut out: Vec<i16> = Vec::new();
        for piece in [&[][..], &[1], &[1, 2, 3], &[1, 2, 3, 4]] {
            resampler.write(piece, 1e-3, &mut out);
        }
        assert!(out.is_empty());
    }
}
