//! All of it, one behind the other.

use super::delay::Delay;
use super::limiter::Limiter;
use super::low_cut::LowCut;
use super::matrix::Matrix;
use super::{Adjustments, SOURCE_CHANNELS};

/// Samples per channel that are processed together.
const BLOCK: usize = 1_024;

/// From the samples of a source to those for the encoder. The delay comes first, so that the rest acts on
/// what is heard next.
#[derive(Debug)]
pub struct Chain {
    channels: usize,
    delay: Delay,
    matrix: Matrix,
    low_cut: LowCut,
    limiter: Limiter,
    left: Vec<f32>,
    right: Vec<f32>,
}

impl Chain {
    /// A chain that begins with these adjustments, for a stream of one channel or two.
    pub fn new(rate_hz: u32, channels: u32, adjustments: Adjustments) -> Chain {
        let channels = if channels == 1 { 1 } else { 2 };
        Chain {
            channels,
            delay: Delay::new(rate_hz, adjustments.audio_delay_ms()),
            matrix: Matrix::new(rate_hz, channels, &adjustments),
            low_cut: LowCut::new(rate_hz, adjustments.lowcut_hz),
            limiter: Limiter::new(rate_hz, channels, BLOCK),
            left: vec![0.0; BLOCK],
            right: vec![0.0; BLOCK],
        }
    }

    /// Forgets the samples that it holds: what comes next is as if silence had been before.
    pub fn forget(&mut self) {
        self.delay.forget();
        self.low_cut.forget();
        self.limiter.forget();
    }

    /// Adjusts what comes next.
    pub fn adjust(&mut self, adjustments: Adjustments) {
        self.delay.adjust(adjustments.audio_delay_ms());
        self.matrix.adjust(&adjustments);
        self.low_cut.adjust(adjustments.lowcut_hz);
    }

    /// Makes interleaved samples for the encoder of those of a source, which has
    /// [`SOURCE_CHANNELS`]; `out` has room for as many per channel.
    pub fn process(&mut self, source: &[i16], out: &mut [i16]) {
        let sources = source.chunks(BLOCK * SOURCE_CHANNELS);
        for (source, out) in sources.zip(out.chunks_mut(BLOCK * self.channels)) {
            let frames = (source.len() / SOURCE_CHANNELS).min(out.len() / self.channels);
            let (left, right) = (&mut self.left[..frames], &mut self.right[..frames]);
            self.delay.process(source, left, right);
            self.matrix.process(left, right);
            self.low_cut.process(left, right);
            let mut planes = [left, right];
            self.limiter.process(&mut planes[..self.channels]);
            for (channel, plane) in planes[..self.channels].iter().enumerate() {
                let out = out.iter_mut().skip(channel).step_by(self.channels);
                // A conversion of what is too high would not wrap either.
                out.zip(plane.iter()).for_each(|(out, value)| *out = value.round() as i16);
            }
        }
    }

    /// By how much the limiter turned the audio down at most since the last call, in decibels.
    pub fn take_reduction_db(&mut self) -> f32 {
        self.limiter.take_reduction_db()
    }
}
