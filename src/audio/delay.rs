//! The delay line.

use super::RAMP_MS;
use crate::limits::AUDIO_DELAY_MS_MAX;

/// What has come in lately, and how long ago what comes out did.
#[derive(Debug)]
pub(super) struct Delay {
    rate_hz: u32,
    ring: Vec<[i16; 2]>,
    /// Where the next sample goes.
    at: usize,
    wanted: usize,
    now: usize,
    /// The delay that is being gone over to, and how far that is, in samples of [`RAMP_MS`].
    next: Option<(usize, u32)>,
}

impl Delay {
    pub fn new(rate_hz: u32, ms: u32) -> Delay {
        let samples = samples(rate_hz, ms);
        let length = samples_max(rate_hz) + 1;
        let ring = vec![[0; 2]; length];
        Delay { rate_hz, ring, at: 0, wanted: samples, now: samples, next: None }
    }

    pub fn forget(&mut self) {
        self.ring.fill([0; 2]);
    }

    pub fn adjust(&mut self, ms: u32) {
        self.wanted = samples(self.rate_hz, ms);
    }

    /// Takes interleaved samples of two channels, and gives as many of each.
    pub fn process(&mut self, block: &[i16], left: &mut [f32], right: &mut [f32]) {
        if self.next.is_none() && self.wanted != self.now {
            self.next = Some((self.wanted, 0));
        }
        let length = self.rate_hz * RAMP_MS / 1_000;
        for ((frame, left), right) in block.chunks_exact(2).zip(left).zip(right) {
            self.ring[self.at] = [frame[0], frame[1]];
            let mut out = self.ago(self.now);
            if let Some((samples, at)) = self.next {
                let part = at as f32 / length.max(1) as f32;
                let new = self.ago(samples);
                out = std::array::from_fn(|i| out[i] + part * (new[i] - out[i]));
                self.next = (at + 1 < length).then_some((samples, at + 1));
                if self.next.is_none() {
                    self.now = samples;
                }
            }
            [*left, *right] = out;
            self.at = (self.at + 1) % self.ring.len();
        }
    }

    fn ago(&self, samples: usize) -> [f32; 2] {
        let length = self.ring.len();
        self.ring[(self.at + length - samples.min(length - 1)) % length].map(f32::from)
    }
}

fn samples(rate_hz: u32, ms: u32) -> usize {
    (u64::from(rate_hz) * u64::from(ms.min(AUDIO_DELAY_MS_MAX)) / 1_000) as usize
}

fn samples_max(rate_hz: u32) -> usize {
    samples(rate_hz, AUDIO_DELAY_MS_MAX)
}
