//! The low cut: rumble, wind and hum are taken out.

use super::RAMP_MS;

/// The low cut of two channels. A change goes over from one filter to the other.
#[derive(Debug)]
pub(super) struct LowCut {
    rate_hz: u32,
    wanted_hz: Option<u32>,
    now: Cut,
    next: Option<Cut>,
    /// How far the change is, in samples of [`RAMP_MS`].
    at: u32,
}

/// Everything passes, or a filter with the history of each channel.
#[derive(Debug, Clone, Copy, Default)]
struct Cut {
    hz: Option<u32>,
    filter: HighPass,
    history: [[f64; 2]; 2],
}

impl LowCut {
    pub fn new(rate_hz: u32, hz: Option<u32>) -> LowCut {
        LowCut { rate_hz, wanted_hz: hz, now: Cut::new(rate_hz, hz), next: None, at: 0 }
    }

    pub fn forget(&mut self) {
        for cut in std::iter::once(&mut self.now).chain(&mut self.next) {
            cut.history = [[0.0; 2]; 2];
        }
    }

    pub fn adjust(&mut self, hz: Option<u32>) {
        self.wanted_hz = hz;
    }

    pub fn process(&mut self, left: &mut [f32], right: &mut [f32]) {
        if self.next.is_none() && self.wanted_hz != self.now.hz {
            (self.next, self.at) = (Some(Cut::new(self.rate_hz, self.wanted_hz)), 0);
        }
        if self.next.is_none() && self.now.hz.is_none() {
            return;
        }
        let length = self.rate_hz * RAMP_MS / 1_000;
        for (left, right) in left.iter_mut().zip(right) {
            let both = [*left, *right].map(f64::from);
            let mut out = self.now.pass(both);
            if let Some(next) = &mut self.next {
                let part = f64::from(self.at) / f64::from(length.max(1));
                let new = next.pass(both);
                out = std::array::from_fn(|i| out[i] + part * (new[i] - out[i]));
                self.at += 1;
                if self.at >= length {
                    self.now = *next;
                    self.next = None;
                }
            }
            [*left, *right] = out.map(|value| value as f32);
        }
        self.now.settle();
    }
}

impl Cut {
    fn new(rate_hz: u32, hz: Option<u32>) -> Cut {
        let filter = hz.map(|hz| HighPass::new(rate_hz, hz)).unwrap_or_default();
        Cut { hz, filter, history: [[0.0; 2]; 2] }
    }

    fn pass(&mut self, both: [f64; 2]) -> [f64; 2] {
        if self.hz.is_none() {
            return both;
        }
        let filter = self.filter;
        std::array::from_fn(|i| filter.pass(both[i], &mut self.history[i]))
    }

    /// After the audio has ended its trace becomes so small that calculating with it is slow.
    fn settle(&mut self) {
        for value in self.history.iter_mut().flatten().filter(|value| value.abs() < 1e-9) {
            *value = 0.0;
        }
    }
}

/// A Butterworth filter of the second order, 12 dB an octave.
#[derive(Debug, Clone, Copy, Default)]
struct HighPass {
    b: [f64; 3],
    a: [f64; 2],
}

impl HighPass {
    fn new(rate_hz: u32, hz: u32) -> HighPass {
        let angle = std::f64::consts::TAU * f64::from(hz) / f64::from(rate_hz.max(1));
        let alpha = angle.sin() / std::f64::consts::SQRT_2;
        let (cosine, scale) = (angle.cos(), 1.0 / (1.0 + alpha));
        let outer = (1.0 + cosine) / 2.0 * scale;
        HighPass {
            b: [outer, -2.0 * outer, outer],
            a: [-2.0 * cosine * scale, (1.0 - alpha) * scale],
        }
    }

    /// In the transposed direct form II, which loses the least to rounding.
    fn pass(&self, value: f64, history: &mut [f64; 2]) -> f64 {
        let out = self.b[0] * value + history[0];
        history[0] = self.b[1] * value - self.a[0] * out + history[1];
        history[1] = self.b[2] * value - self.a[1] * out;
        out
    }
}
