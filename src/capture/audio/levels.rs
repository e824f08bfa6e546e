//! Audio levels, so that the owner can check the audio without listening to it.
//!
//! Pure: what is measured are the samples as they go to the encoder; clipping is looked for where it
//! happens, in the samples of the source.

use ebur128::{EbuR128, Mode};

use crate::{
    audio::{SOURCE_CHANNELS, TruePeak},
    capture::{
        gst::clock::scale,
        stats::{ChannelLevel, Levels},
    },
};

/// Audio is silent when every sample is below this: a quiet room with an open microphone is some 10 dB
/// louder, an open input without a microphone 20 dB quieter.
const SILENT_DBFS: f32 = -60.0;
/// The least step of 16 bits; digital silence is reported as this.
const FLOOR_DBFS: f32 = -96.0;
/// Window of peak and RMS, in milliseconds: the momentary one of EBU Tech 3341.
const WINDOW_MS: u64 = 400;

fn dbfs(amplitude: f64) -> f32 {
    decibels(amplitude / f64::from(i16::MAX))
}

fn decibels(ratio: f64) -> f32 {
    ((20.0 * ratio.log10()) as f32).max(FLOOR_DBFS)
}

/// Samples in a row at full scale that count as clipped; a single one may be a peak that just fits.
const CLIPPED_SAMPLES: u32 = 3;
/// A converter's full scale may be a few steps below that of 16 bits.
const CLIPPED_FROM: u16 = 32_700;
/// Window of the short-term loudness, in milliseconds (EBU Tech 3341).
const SHORT_TERM_MS: u64 = 3_000;

/// Measures levels, loudness, silence and clipping.
#[derive(Debug)]
pub struct LevelMeter {
    rate_hz: u64,
    sums: Vec<Sum>,
    true_peaks: Vec<TruePeak>,
    frames: u64,
    /// Of the short-term loudness; `None` where there is no memory for it.
    loudness: Option<EbuR128>,
    /// Samples per channel so far.
    measured: u64,
    /// Samples per channel since the last one that was not silent.
    silent: u64,
    /// For each channel of the source, samples in a row at full scale.
    clipped: [u32; SOURCE_CHANNELS],
    levels: Levels,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    peak: u16,
    squares: u64,
}

impl LevelMeter {
    pub fn new(rate_hz: u32, channels: u32) -> LevelMeter {
        let channels = channels.max(1);
        let each = || 0..channels;
        LevelMeter {
            rate_hz: u64::from(rate_hz.max(1)),
            sums: each().map(|_| Sum::default()).collect(),
            true_peaks: each().map(|_| TruePeak::of_silence()).collect(),
            frames: 0,
            loudness: EbuR128::new(channels, rate_hz, Mode::S).ok(),
            measured: 0,
            silent: 0,
            clipped: [0; SOURCE_CHANNELS],
            levels: Levels { clips: vec![0; SOURCE_CHANNELS], ..Levels::default() },
        }
    }

    /// Looks for clipping in interleaved samples as they come from the source: behind the limiter
    /// there is none.
    pub fn count_clips(&mut self, source: &[i16]) {
        for frame in source.chunks_exact(SOURCE_CHANNELS) {
            let counts = self.clipped.iter_mut().zip(&mut self.levels.clips);
            for ((run, clips), sample) in counts.zip(frame) {
                *run = if sample.unsigned_abs() < CLIPPED_FROM { 0 } else { *run + 1 };
                *clips += u64::from(*run == CLIPPED_SAMPLES);
            }
        }
    }

    /// Measures a block of interleaved samples; `true` when the levels are new.
    pub fn measure(&mut self, block: &[i16]) -> bool {
        let loud = f64::from(i16::MAX) * 10_f64.powf(f64::from(SILENT_DBFS) / 20.0);
        let mut block_peak = 0;
        let channels = self.sums.len();
        for samples in block.chunks_exact(channels) {
            for (sum, sample) in self.sums.iter_mut().zip(samples) {
                let amplitude = sample.unsigned_abs();
                sum.peak = sum.peak.max(amplitude);
                sum.squares += u64::from(amplitude).pow(2);
                block_peak = block_peak.max(amplitude);
            }
        }
        for (channel, peak) in self.true_peaks.iter_mut().enumerate() {
            peak.measure(block.iter().skip(channel).step_by(channels).copied());
        }
        // Refused where the number of samples does not fit the channels, which it does.
        let _ = self.loudness.as_mut().map(|loudness| loudness.add_frames_i16(block));
        let frames = (block.len() / channels) as u64;
        self.silent = if f64::from(block_peak) > loud { 0 } else { self.silent + frames };
        self.measured += frames;
        self.frames += frames;
        if self.frames * 1_000 < self.rate_hz * WINDOW_MS {
            return false;
        }
        let mean = |sum: &Sum| (sum.squares as f64 / self.frames as f64).sqrt();
        let level = |(sum, true_peak): (&Sum, &mut TruePeak)| ChannelLevel {
            peak_dbfs: dbfs(f64::from(sum.peak)),
            rms_dbfs: dbfs(mean(sum)),
            true_peak_dbtp: decibels(true_peak.take()),
        };
        let levels = self.sums.iter().zip(&mut self.true_peaks).map(level);
        self.levels.channels = levels.collect();
        self.sums.fill(Sum::default());
        self.frames = 0;
        self.levels.silent_for_ms =
            (self.silent > 0).then(|| scale(self.silent, 1_000, self.rate_hz));
        self.levels.loudness_lufs = self.loudness_lufs();
        true
    }

    fn loudness_lufs(&self) -> Option<f32> {
        let is_known = self.measured * 1_000 >= self.rate_hz * SHORT_TERM_MS;
        let loudness = self.loudness.as_ref().filter(|_| is_known)?;
        Some((loudness.loudness_shortterm().ok()? as f32).max(FLOOR_DBFS))
    }

    /// Notes by how much the audio was turned down, in decibels.
    pub fn note_limited(&mut self, db: f32) {
        self.levels.limited_db = db;
    }

    /// What was measured last; nothing is known of the video.
    pub fn levels(&self) -> &Levels {
        &self.levels
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
        let [left, right] = meter.levels().channels[..] else { panic!("two channels") };
        assert!(left.peak_dbfs.abs() < 0.1 && (left.rms_dbfs + 3.0).abs() < 0.1, "{left:?}");
        assert!((right.peak_dbfs + 20.0).abs() < 0.1 && right.rms_dbfs == right.peak_dbfs);
        assert_eq!(meter.levels().silent_for_ms, None);
    }

    #[test]
    fn silence_is_counted_from_the_last_audible_sample_on_and_is_never_minus_infinity() {
        let mut meter = meter();
        meter.measure(&half_second(|_| 9_000, |_| 0));
        assert_eq!(meter.levels().silent_for_ms, None, "one channel is enough");
        for _ in 0..4 {
            // -70 dBFS, the noise of an open input.
            meter.measure(&half_second(|i| [10, -10][i % 2], |_| 0));
        }
        assert_eq!(meter.levels().silent_for_ms, Some(2_000));
        assert_eq!(meter.levels().channels[1].peak_dbfs, FLOOR_DBFS);
        meter.measure(&half_second(|_| 0, |_| -200));
        assert_eq!(meter.levels().silent_for_ms, None);
    }

    #[test]
    fn the_quietest_and_the_loudest_sample_are_measured_without_an_overflow() {
        let mut meter = meter();
        meter.measure(&half_second(|_| i16::MIN, |_| 1));
        let [left, right] = meter.levels().channels[..] else { panic!("two channels") };
        assert!(left.peak_dbfs.abs() < 0.01 && (right.peak_dbfs + 90.3).abs() < 0.1);
    }

    #[test]
    fn the_short_term_loudness_is_that_of_the_standard() {
        // EBU Tech 3341, test signals 1 and 2: 1 kHz in both channels at -23 and -33 dBFS.
        for dbfs in [-23.0, -33.0] {
            let amplitude = 10_f64.powf(dbfs / 20.0) * 32_767.0;
            let sine =
                |i: usize| ((i as f64 / 48.0 * std::f64::consts::TAU).sin() * amplitude) as i16;
            let mut meter = meter();
            for half in 0..7 {
                assert_eq!(meter.levels().loudness_lufs.is_some(), half == 6, "three seconds");
                meter.measure(&half_second(sine, sine));
            }
            let lufs = meter.levels().loudness_lufs.expect("measured");
            assert!((f64::from(lufs) - dbfs).abs() < 0.1, "{lufs} LUFS");
        }
        let mut meter = meter();
        for _ in 0..6 {
            meter.measure(&half_second(|_| 0, |_| 0));
        }
        assert_eq!(meter.levels().loudness_lufs, Some(FLOOR_DBFS));
    }

    #[test]
    fn the_true_peak_is_above_the_samples_where_the_wave_is() {
        let between = |i: usize| {
            let angle = (i as f64 / 4.0 + 0.125) * std::f64::consts::TAU;
            (angle.sin() * 16_384.0) as i16
        };
        let mut meter = meter();
        meter.measure(&half_second(between, |_| 0));
        let [left, right] = meter.levels().channels[..] else { panic!("two channels") };
        assert!((left.peak_dbfs + 9.03).abs() < 0.1 && (left.true_peak_dbtp + 6.0).abs() < 0.2);
        assert_eq!(right.true_peak_dbtp, FLOOR_DBFS);
    }

    #[test]
    fn three_samples_in_a_row_at_full_scale_are_clipped_once_and_fewer_are_a_peak() {
        let mut meter = meter();
        let flat = |length: usize| move |i: usize| if i % 100 < length { i16::MAX } else { 0 };
        meter.count_clips(&half_second(flat(2), |_| i16::MIN));
        meter.measure(&half_second(|_| 0, |_| 0));
        assert_eq!(meter.levels().clips, [0, 1]);
        meter.count_clips(&half_second(flat(30), flat(3)));
        assert_eq!(meter.levels().clips, [240, 240], "the first of the right one went on");
    }
}
