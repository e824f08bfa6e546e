//! How high audio is between its samples (ITU-R BS.1770-5 annex 2): three points between every two.

use super::filter::{kaiser, sinc};

/// Samples that a point is computed from, half of them before it: flat up to 20 kHz at 48 kHz.
pub(super) const TAPS: usize = 24;
pub(super) const HALF: usize = TAPS / 2;
/// With the samples themselves four times as many points; a wave of 20 kHz is at most 0.47 dB higher.
const POINTS: usize = 3;
/// Shape of the window: side lobes 53 dB down.
const KAISER_BETA: f64 = 5.0;
/// So many samples are looked at together, whether anything in them can be high.
pub(super) const TOGETHER: usize = 32;

/// Computes points between samples.
#[derive(Debug)]
pub(super) struct Interpolator {
    filter: [[f32; TAPS]; POINTS],
    /// By how much a point can be higher than the highest sample around it.
    gain_max: f32,
}

impl Interpolator {
    pub fn new() -> Interpolator {
        let row = |point: usize| {
            let offset = (point + 1) as f64 / (POINTS + 1) as f64;
            let mut taps = [0.0_f64; TAPS];
            for (i, tap) in taps.iter_mut().enumerate() {
                let x = i as f64 - (HALF - 1) as f64 - offset;
                *tap = sinc(x) * kaiser(KAISER_BETA, x / HALF as f64);
            }
            let sum: f64 = taps.iter().sum();
            taps.map(|tap| (tap / sum) as f32)
        };
        let filter = std::array::from_fn(row);
        let gains = filter.iter().map(|row| row.iter().map(|tap| tap.abs()).sum::<f32>());
        Interpolator { filter, gain_max: gains.fold(1.0, f32::max) }
    }

    /// Whether a point among these samples, or between them, can be higher than `level`.
    pub fn may_exceed(&self, samples: &[f32], level: f32) -> bool {
        highest(samples) * self.gain_max > level
    }

    /// The highest point between the two samples in the middle of [`TAPS`] samples.
    pub fn between(&self, around: &[f32]) -> f32 {
        let Some(around) = around.first_chunk::<TAPS>() else { return 0.0 };
        let mut peak = 0.0_f32;
        for row in &self.filter {
            let (mut sum, mut tap) = (0.0, 0);
            // Plain indices: fast in an unoptimized build too.
            while tap < TAPS {
                sum += row[tap] * around[tap];
                tap += 1;
            }
            peak = peak.max(sum.abs());
        }
        peak
    }
}

fn highest(samples: &[f32]) -> f32 {
    samples.iter().fold(0.0, |highest, sample| highest.max(sample.abs()))
}

/// Measures the true peak of one channel.
#[derive(Debug)]
pub struct TruePeak {
    interpolator: Interpolator,
    /// The samples before, and a few that are being measured.
    line: [f32; TAPS - 1 + TOGETHER],
    peak: f32,
}

impl TruePeak {
    /// Silence so far.
    pub fn of_silence() -> TruePeak {
        let (interpolator, line) = (Interpolator::new(), [0.0; TAPS - 1 + TOGETHER]);
        TruePeak { interpolator, line, peak: 0.0 }
    }

    /// Measures samples. What is between the last of them counts with those that follow.
    pub fn measure(&mut self, samples: impl Iterator<Item = i16>) {
        let mut filled = TAPS - 1;
        for sample in samples {
            self.line[filled] = f32::from(sample);
            filled += 1;
            if filled == self.line.len() {
                self.measure_line(filled);
                filled = TAPS - 1;
            }
        }
        self.measure_line(filled);
    }

    fn measure_line(&mut self, filled: usize) {
        let line = &self.line[..filled];
        if self.interpolator.may_exceed(line, self.peak) {
            self.peak = self.peak.max(highest(&line[TAPS - 1..]));
            for around in line.windows(TAPS) {
                self.peak = self.peak.max(self.interpolator.between(around));
            }
        }
        self.line.copy_within(filled + 1 - TAPS..filled, 0);
    }

    /// The highest since the last call, relative to the full scale of 16 bits.
    pub fn take(&mut self) -> f64 {
        f64::from(std::mem::take(&mut self.peak) / super::FULL_SCALE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn db(of: impl Iterator<Item = i16>) -> f64 {
        let mut meter = TruePeak::of_silence();
        let all: Vec<i16> = of.collect();
        // However it is cut.
        all.chunks(77).for_each(|piece| meter.measure(piece.iter().copied()));
        20.0 * meter.take().log10()
    }

    fn sine(hz: f64, phase: f64, amplitude: f64) -> impl Iterator<Item = i16> {
        let angle = move |i: usize| (i as f64 * hz / 48_000.0 + phase) * std::f64::consts::TAU;
        // It comes and goes slowly, so that nothing but the sine itself is high.
        let envelope = |i: usize| (i.min(4_800 - i) as f64 / 1_000.0).min(1.0);
        (0..4_800).map(move |i| (angle(i).sin() * envelope(i) * amplitude * 32_768.0) as i16)
    }

    #[test]
    fn a_sine_is_as_high_as_it_is_however_its_samples_lie() {
        for hz in [100.0, 997.0, 6_000.0, 12_000.0, 16_000.0, 19_997.0] {
            for eighth in 0..8 {
                let db = db(sine(hz, f64::from(eighth) / 16.0, 0.5));
                // By BS.1770 four points miss at most as much.
                let missed = 20.0 * (std::f64::consts::PI * hz / 48_000.0 / 4.0).cos().log10();
                assert!((missed - 6.12..-5.92).contains(&db), "{hz} Hz: {db} dB");
            }
        }
    }

    #[test]
    fn what_lies_between_samples_is_higher_than_they_are() {
        // A quarter of the rate, an eighth of a turn off: each sample 3 dB below the wave.
        let samples: Vec<i16> = sine(12_000.0, 0.125, 0.9).collect();
        let highest = samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0);
        assert!(f64::from(highest) < 0.9 * 32_768.0 * 0.72);
        assert!((db(samples.into_iter()) + 0.92).abs() < 0.1);
    }

    #[test]
    fn silence_and_the_loudest_samples_are_measured() {
        assert_eq!(TruePeak::of_silence().take(), 0.0);
        let mut meter = TruePeak::of_silence();
        meter.measure([i16::MIN; 4_000].into_iter());
        assert!(meter.take() >= 1.0);
        meter.measure([].into_iter());
        assert_eq!(meter.take(), 0.0, "each time from there on");
    }
}
