//! The limiter: audio that would be too high is turned down before it comes, so that it is not cut off.

use std::collections::VecDeque;

use super::FULL_SCALE;
use super::true_peak::{HALF, Interpolator, TAPS, TOGETHER};

/// The highest true peak that comes out, in dBTP. EBU R 128 allows -1; AAC at 128 kbit/s adds up to 1.5 dB
/// to loud audio, and what is above full scale then is cut off by players.
pub const CEILING_DBTP: f64 = -2.0;
/// The gain goes down within so many samples, 2 ms at 48 kHz: faster is heard as a click.
const ATTACK: usize = 96;
/// It goes up by so many decibels a second: faster follows the waves of low tones, and distorts them.
const RELEASE_DB_PER_S: f64 = 40.0;
/// By so many samples what comes out is later than what came in.
pub const DELAY_SAMPLES: usize = HALF + ATTACK - 1;

/// A limiter for all channels together, so that left and right keep their balance.
#[derive(Debug)]
pub(super) struct Limiter {
    interpolator: Interpolator,
    ceiling: f32,
    /// For each channel, the samples that are delayed, and behind them those of a block.
    lines: Vec<Vec<f32>>,
    /// The gain that each position of a block needs.
    needed: Vec<f32>,
    gains: Gains,
}

impl Limiter {
    /// A limiter for blocks of at most so many samples per channel.
    pub fn new(rate_hz: u32, channels: usize, block: usize) -> Limiter {
        Limiter {
            interpolator: Interpolator::new(),
            ceiling: FULL_SCALE * 10_f64.powf(CEILING_DBTP / 20.0) as f32,
            lines: vec![vec![0.0; DELAY_SAMPLES + block]; channels],
            needed: vec![1.0; block],
            gains: Gains::new(rate_hz),
        }
    }

    /// Forgets the samples that it holds; the gain goes on from where it is.
    pub fn forget(&mut self) {
        self.lines.iter_mut().for_each(|line| line.fill(0.0));
    }

    /// Limits a block in place: `planes` are the samples of each channel.
    pub fn process(&mut self, planes: &mut [&mut [f32]]) {
        let frames = planes.first().map_or(0, |plane| plane.len()).min(self.needed.len());
        for (line, plane) in self.lines.iter_mut().zip(planes.iter()) {
            line[DELAY_SAMPLES..DELAY_SAMPLES + frames].copy_from_slice(&plane[..frames]);
        }
        if self.needs_less(frames) || !self.gains.is_one() {
            for needed in &mut self.needed[..frames] {
                *needed = self.gains.next(*needed);
            }
        }
        for (line, plane) in self.lines.iter_mut().zip(planes.iter_mut()) {
            for ((out, delayed), gain) in plane.iter_mut().zip(line.iter()).zip(&self.needed) {
                *out = delayed * gain;
            }
            line.copy_within(frames..frames + DELAY_SAMPLES, 0);
        }
    }

    /// Finds the gain that each position needs, those at the end of the delayed samples first; whether
    /// some need less than all of it.
    fn needs_less(&mut self, frames: usize) -> bool {
        let mut needs_less = false;
        self.needed[..frames].fill(1.0);
        for (part, needed) in self.needed[..frames].chunks_mut(TOGETHER).enumerate() {
            // Half of what a point is computed from lies behind its position.
            let from = DELAY_SAMPLES + part * TOGETHER + 1 - TAPS;
            for line in &self.lines {
                let line = &line[from..from + TAPS - 1 + needed.len()];
                if !self.interpolator.may_exceed(line, self.ceiling) {
                    continue;
                }
                for (around, needed) in line.windows(TAPS).zip(needed.iter_mut()) {
                    let sample = around[HALF - 1].abs();
                    let peak = self.interpolator.between(around).max(sample);
                    if peak > self.ceiling {
                        *needed = needed.min(self.ceiling / peak);
                        needs_less = true;
                    }
                }
            }
        }
        needs_less
    }

    /// By how much the audio was turned down at most since the last call, in decibels.
    pub fn take_reduction_db(&mut self) -> f32 {
        let least = std::mem::replace(&mut self.gains.least, 1.0);
        if least < 1.0 { -20.0 * least.log10() } else { 0.0 }
    }
}

/// From the gain that each position needs to a smooth one. It is the mean over the attack of minima
/// over the attack and a sample more, so it reaches what a position needs when that position comes
/// out, and is never above it: each of the minima includes that position, and the one before it,
/// whose points lie between the two.
#[derive(Debug)]
struct Gains {
    release: f32,
    /// Number of the next position.
    position: u64,
    /// Those of the window that are less than all after them, with their positions.
    minima: VecDeque<(u64, f32)>,
    released: f32,
    /// The last values of `released`, and their sum: exact, because they have few digits.
    recent: Vec<f32>,
    sum: f64,
    /// Positions in a row with a gain of one.
    ones: usize,
    /// The least gain since it was asked for.
    least: f32,
}

impl Gains {
    fn new(rate_hz: u32) -> Gains {
        Gains {
            release: 10_f64.powf(RELEASE_DB_PER_S / 20.0 / f64::from(rate_hz.max(1))) as f32,
            position: 0,
            minima: VecDeque::with_capacity(ATTACK + 2),
            released: 1.0,
            recent: vec![1.0; ATTACK],
            sum: ATTACK as f64,
            ones: ATTACK,
            least: 1.0,
        }
    }

    /// Nothing is turned down, and nothing that was is in a window any more.
    fn is_one(&self) -> bool {
        self.ones >= ATTACK
    }

    fn next(&mut self, needed: f32) -> f32 {
        while self.minima.back().is_some_and(|(_, gain)| *gain >= needed) {
            self.minima.pop_back();
        }
        self.minima.push_back((self.position, needed));
        while self.minima.front().is_some_and(|(at, _)| at + (ATTACK as u64) < self.position) {
            self.minima.pop_front();
        }
        let minimum = self.minima.front().map_or(1.0, |(_, gain)| *gain);
        self.released = (self.released * self.release).min(minimum);
        let oldest = &mut self.recent[(self.position % ATTACK as u64) as usize];
        self.sum += f64::from(self.released) - f64::from(*oldest);
        *oldest = self.released;
        self.position += 1;
        let is_one = self.released >= 1.0 && minimum >= 1.0;
        self.ones = if is_one { self.ones + 1 } else { 0 };
        let gain = (self.sum / ATTACK as f64) as f32;
        self.least = self.least.min(gain);
        gain
    }
}
