//! Which channel goes where, and how loud.

use super::{Adjustments, ChannelsFrom, RAMP_MS};

/// How much of left and right is in each channel that comes out.
type Parts = [[f32; 2]; 2];

/// Channels and gain: both are parts of the channels that come in, and both change in a ramp.
#[derive(Debug)]
pub(super) struct Matrix {
    channels: usize,
    ramp: f32,
    now: Parts,
    to: Parts,
    /// Samples until that is so.
    left: f32,
}

impl Matrix {
    pub fn new(rate_hz: u32, channels: usize, adjustments: &Adjustments) -> Matrix {
        let to = parts(channels, adjustments);
        Matrix { channels, ramp: (rate_hz * RAMP_MS / 1_000) as f32, now: to, to, left: 0.0 }
    }

    pub fn adjust(&mut self, adjustments: &Adjustments) {
        let to = parts(self.channels, adjustments);
        if to != self.to {
            (self.to, self.left) = (to, self.ramp);
        }
    }

    /// Makes the channels that come out of those in the same place.
    pub fn process(&mut self, left: &mut [f32], right: &mut [f32]) {
        for (left, right) in left.iter_mut().zip(right) {
            if self.left > 0.0 {
                self.step();
            }
            let [[a, b], [c, d]] = self.now;
            (*left, *right) = (a * *left + b * *right, c * *left + d * *right);
        }
    }

    fn step(&mut self) {
        for (now, to) in self.now.iter_mut().flatten().zip(self.to.iter().flatten()) {
            *now += (to - *now) / self.left;
        }
        self.left -= 1.0;
        if self.left <= 0.0 {
            self.now = self.to;
        }
    }
}

fn parts(channels: usize, adjustments: &Adjustments) -> Parts {
    let gain = match adjustments.is_muted {
        true => 0.0,
        false => 10_f64.powf(f64::from(adjustments.gain_tenths_db) / 200.0) as f32,
    };
    let both = |row: [f32; 2]| [row, row];
    let parts = match adjustments.channels_from {
        ChannelsFrom::Left => both([1.0, 0.0]),
        ChannelsFrom::Right => both([0.0, 1.0]),
        ChannelsFrom::Stereo if channels == 2 => [[1.0, 0.0], [0.0, 1.0]],
        ChannelsFrom::Swap if channels == 2 => [[0.0, 1.0], [1.0, 0.0]],
        ChannelsFrom::Stereo | ChannelsFrom::Swap | ChannelsFrom::Sum => both([0.5, 0.5]),
    };
    parts.map(|row| row.map(|part| part * gain))
}
