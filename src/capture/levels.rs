//! How loud the sound is, and whether there is a picture: so that "is there sound?" has an answer
//! without ears.
//!
//! Pure: what is measured is the programme, as it goes to the encoders.

use super::build::{SECOND_NS, scale};

/// Sound below this in every sample is silence: a quiet room with an open microphone is some 10 dB
/// louder, an open input without a microphone 20 dB quieter.
const SILENT_DBFS: f32 = -60.0;
/// Full scale of 16 bits over its least step; digital silence is shown as this.
const FLOOR_DBFS: f32 = -96.0;
/// Over which peak and RMS are taken, in milliseconds: the momentary window of EBU Tech 3341.
const WINDOW_MS: u64 = 400;
/// How often a picture is looked at.
const LOOK_NS: u64 = SECOND_NS / 4;
/// Every so many pixels in a row, and every so many rows, are looked at.
const PIXEL_STEP: usize = 8;
/// A picture is black when this share of its pixels is as dark as this (the defaults of ffmpeg's
/// `blackdetect`, in the narrow range of ITU-R BT.709).
const BLACK_SHARE_PERCENT: usize = 98;
const BLACK_LUMA_MAX: u8 = 16 + 219 / 10;

/// How loud the sound is, and whether there is a picture.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
pub struct Levels {
    /// The sound of each channel, over the last 400 ms; empty before they have passed.
    pub channels: Vec<ChannelLevel>,
    /// For how long no sample was above -60 dBFS, in milliseconds; `None` while there is sound.
    pub silent_for_ms: Option<u64>,
    /// For how long the picture has been black, in milliseconds; `None` while it is not.
    pub black_for_ms: Option<u64>,
}

/// The sound of one channel.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct ChannelLevel {
    /// The loudest sample, in dBFS; -96 is digital silence.
    pub peak_dbfs: f32,
    /// The root mean square, in dBFS of a full-scale square wave (IEC 61606-3 takes a sine, which
    /// reads 3 dB more).
    pub rms_dbfs: f32,
}

fn dbfs(amplitude: f64) -> f32 {
    let full_scale = f64::from(i16::MAX);
    ((20.0 * (amplitude / full_scale).log10()) as f32).max(FLOOR_DBFS)
}

/// Measures the sound.
#[derive(Debug)]
pub(super) struct SoundMeter {
    rate_hz: u64,
    sums: Vec<Sum>,
    frames: u64,
    channels: Vec<ChannelLevel>,
    /// Samples per channel since the last loud one; `None` before the first.
    silent: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    peak: u16,
    squares: u64,
}

impl SoundMeter {
    pub(super) fn new(rate_hz: u32, channels: u32) -> SoundMeter {
        SoundMeter {
            rate_hz: u64::from(rate_hz.max(1)),
            sums: vec![Sum::default(); channels.max(1) as usize],
            frames: 0,
            channels: Vec::new(),
            silent: 0,
        }
    }

    /// Hears a block of interleaved samples; `true` when there is something new to show.
    pub(super) fn hear(&mut self, block: &[i16]) -> bool {
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

    pub(super) fn channels(&self) -> &[ChannelLevel] {
        &self.channels
    }

    pub(super) fn silent_for_ms(&self) -> Option<u64> {
        (self.silent > 0).then(|| scale(self.silent, 1_000, self.rate_hz))
    }
}

/// Looks at the picture, a few times a second and at few of its pixels.
#[derive(Debug, Default)]
pub(super) struct PictureMeter {
    looked_ns: Option<u64>,
    black_since_ns: Option<u64>,
}

impl PictureMeter {
    /// Whether the picture of that media time is to be looked at.
    pub(super) fn is_due(&self, media_ns: u64) -> bool {
        self.looked_ns.is_none_or(|looked_ns| media_ns >= looked_ns + LOOK_NS)
    }

    /// Looks at the luma plane of a picture, whose rows are `stride` bytes apart.
    pub(super) fn see(&mut self, media_ns: u64, luma: &[u8], width: usize, stride: usize) {
        self.looked_ns = Some(media_ns);
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

    pub(super) fn black_for_ms(&self) -> Option<u64> {
        let (since_ns, looked_ns) = (self.black_since_ns?, self.looked_ns?);
        Some(looked_ns.saturating_sub(since_ns) / 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter() -> SoundMeter {
        SoundMeter::new(48_000, 2)
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
        assert!(meter.hear(&half_second(sine, |_| 3_277)));
        let [left, right] = meter.channels() else { panic!("two channels") };
        assert!(left.peak_dbfs.abs() < 0.1 && (left.rms_dbfs + 3.0).abs() < 0.1, "{left:?}");
        assert!((right.peak_dbfs + 20.0).abs() < 0.1 && right.rms_dbfs == right.peak_dbfs);
        assert_eq!(meter.silent_for_ms(), None);
    }

    #[test]
    fn silence_is_counted_from_the_last_sound_on_and_is_never_minus_infinity() {
        let mut meter = meter();
        meter.hear(&half_second(|_| 9_000, |_| 0));
        assert_eq!(meter.silent_for_ms(), None, "one channel is enough");
        for _ in 0..4 {
            // -70 dBFS, the noise of an open input.
            meter.hear(&half_second(|i| [10, -10][i % 2], |_| 0));
        }
        assert_eq!(meter.silent_for_ms(), Some(2_000));
        assert_eq!(meter.channels()[1].peak_dbfs, FLOOR_DBFS);
        meter.hear(&half_second(|_| 0, |_| -200));
        assert_eq!(meter.silent_for_ms(), None);
    }

    #[test]
    fn the_quietest_and_the_loudest_sample_are_measured_without_an_overflow() {
        let mut meter = meter();
        meter.hear(&half_second(|_| i16::MIN, |_| 1));
        let [left, right] = meter.channels() else { panic!("two channels") };
        assert!(left.peak_dbfs.abs() < 0.01 && (right.peak_dbfs + 90.3).abs() < 0.1);
    }

    #[test]
    fn a_picture_is_black_until_something_is_to_be_seen_in_it() {
        let (width, height, stride) = (320, 180, 384);
        let black = vec![20; stride * height];
        let mut title = black.clone();
        for row in title.chunks_mut(stride).skip(80).take(24) {
            row[60..200].fill(200);
        }
        let mut meter = PictureMeter::default();
        let mut at_ns = 0;
        for (picture, expected) in
            [(&black, Some(0)), (&black, Some(250)), (&title, None), (&black, Some(0))]
        {
            assert!(meter.is_due(at_ns));
            meter.see(at_ns, picture, width, stride);
            assert!(!meter.is_due(at_ns + LOOK_NS / 2));
            assert_eq!(meter.black_for_ms(), expected);
            at_ns += LOOK_NS;
        }
    }
}
