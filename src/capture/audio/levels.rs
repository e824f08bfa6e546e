//! Audio levels, so that the owner can check the audio without listening to it.
//!
//! Pure: what is measured are the samples as they go to the encoder.

use crate::capture::{gst::clock::scale, stats::ChannelLevel};

/// Audio is silent when every sample is below this: a quiet room with an open microphone is some 10 dB
/// louder, an open input without a microphone 20 dB quieter.
const SILENT_DBFS: f32 = -60.0;
/// The least step of 16 bits; digital silence is reported as this.
const FLOOR_DBFS: f32 = -96.0;
/// Window of peak and RMS, in milliseconds: the momentary one of EBU Tech 3341.
const WINDOW_MS: u64 = 400;

fn dbfs(amplitude: f64) -> f32 {
    let full_scale = f64::from(i16::MAX);
    ((20.0 * (amplitude / full_scale).log10()) as f32).max(FLOOR_DBFS)
}

/// Measures levels and silence.
#[derive(Debug)]
pub struct LevelMeter {
    rate_hz: u64,
    sums: Vec<Sum>,
    frames: u64,
    channels: Vec<ChannelLevel>,
    /// Samples per channel since the last one that was not silent.
    silent: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    peak: u16,
    squares: u64,
}

impl LevelMeter {
    pub fn new(rate_hz: u32, channels: u32) -> LevelMeter {
        LevelMeter {
            rate_hz: u64::from(rate_hz.max(1)),
            sums: vec![Sum::default(); channels.max(1) as usize],
            frames: 0,
            channels: Vec::new(),
            silent: 0,
        }
    }

    /// Measures a block of interleaved samples; `true` when the levels are new.
    pub fn measure(&mut self, block: &[i16]) -> bool {
        let loud = f64::from(i16::MAX) * 10_f64.powf(f64::from(SILENT_DBFS) / 20.0);
        let mut block_peak = 0;
        for samples in block.chunks_exact(self.sums.len()) {
            for (sum, sample) in self.sums.iter_mut().zip(samples) {
                let amplitude = sample.unsigned_abs();
                sum.peak = sum.peak.max(amplitude);
                sum.squares += u64::from(amplitude).pow(2);
                block_peak = block_peak.max(amplitude);
            }
        }
        let frames = (block.len() / self.sums.len()) as u64;
        self.silent = if f64::from(block_peak) > loud { 0 } else { self.silent + frames };
        self.frames += frames;
        if self.frames * 1_000 < self.rate_hz * WINDOW_MS {
            return false;
        }
        let mean = |sum: &Sum| (sum.squares as f64 / self.frames as f64).sqrt();
        let level = |sum: &Sum| ChannelLevel {
            peak_dbfs: dbfs(f64::from(sum.peak)),
            rms_dbfs: dbfs(mean(sum)),
        };
        self.channels = self.sums.iter().map(level).collect();
        self.sums.fill(Sum::default());
        self.frames = 0;
        true
    }

    pub fn channels(&self) -> &[ChannelLevel] {
        &self.channels
    }

    pub fn silent_for_ms(&self) -> Option<u64> {
        (self.silent > 0).then(|| scale(self.silent, 1_000, self.rate_hz))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter() -> LevelMeter {
        LevelMeter::new(48_000, 2)
    }

    /// Half a second of a left and a right channel.
    fn half_second(left: impl Fn(usize) -> i16, right: impl Fn(usize) -> i16) -> Vec<i16> {
        (0..24_000).flat_map(|i| [left(i), right(i)]).collect()
    }

    #[test]
    fn each_channel_has_its_own_peak_and_rms() {
        let sine = |i: usize| {
            ((i as f64 / 48.0 * std::f64::consts::TAU).sin() * f64::from(i16::MAX)) as i16
        };
        let mut meter = meter();
        assert!(meter.measure(&half_second(sine, |_| 3_277)));
        let [left, right] = meter.channels() else { panic!("two channels") };
        assert!(left.peak_dbfs.abs() < 0.1 && (left.rms_dbfs + 3.0).abs() < 0.1, "{left:?}");
        assert!((right.peak_dbfs + 20.0).abs() < 0.1 && right.rms_dbfs == right.peak_dbfs);
        assert_eq!(meter.silent_for_ms(), None);
    }

    #[test]
    fn silence_is_counted_from_the_last_audible_sample_on_and_is_never_minus_infinity() {
        let mut meter = meter();
        meter.measure(&half_second(|_| 9_000, |_| 0));
        assert_eq!(meter.silent_for_ms(), None, "one channel is enough");
        for _ in 0..4 {
            // -70 dBFS, the noise of an open input.
            meter.measure(&half_second(|i| [10, -10][i % 2], |_| 0));
        }
        assert_eq!(meter.silent_for_ms(), Some(2_000));
        assert_eq!(meter.channels()[1].peak_dbfs, FLOOR_DBFS);
        meter.measure(&half_second(|_| 0, |_| -200));
        assert_eq!(meter.silent_for_ms(), None);
    }

    #[test]
    fn the_quietest_and_the_loudest_sample_are_measured_without_an_overflow() {
        let mut meter = meter();
        meter.measure(&half_second(|_| i16::MIN, |_| 1));
        let [left, right] = meter.channels() else { panic!("two channels") };
        assert!(left.peak_dbfs.abs() < 0.01 && (right.peak_dbfs + 90.3).abs() < 0.1);
    }
}
