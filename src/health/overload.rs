//! How many frames the encoder had no room for, over the last seconds.

use std::collections::VecDeque;
use std::time::Duration;

use crate::limits::{HEALTH_OVERLOAD_JUDGED_AFTER, HEALTH_OVERLOAD_WINDOW, HEALTH_SAMPLES_MAX};

/// The counters of the last seconds.
#[derive(Debug, Default)]
pub struct Overload {
    samples: VecDeque<Sample>,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Duration,
    frames: u64,
    skipped: u64,
    restarts: u64,
}

impl Overload {
    /// Counters since the encoder's start. Frames are skipped as well while an encoder that failed is
    /// replaced: what was counted before and meanwhile does not count.
    pub fn count(&mut self, at: Duration, frames: u64, skipped: u64, restarts: u64) {
        let goes_on = self.samples.back().is_none_or(|last| {
            restarts == last.restarts && frames >= last.frames && skipped >= last.skipped
        });
        if !goes_on {
            self.samples.clear();
        }
        self.samples.push_back(Sample { at, frames, skipped, restarts });
        let is_old = |sample: &Sample| at.saturating_sub(sample.at) > HEALTH_OVERLOAD_WINDOW;
        while self.samples.front().is_some_and(is_old) || self.samples.len() > HEALTH_SAMPLES_MAX {
            self.samples.pop_front();
        }
    }

    /// How many of the frames were skipped; `None` before enough of them were counted.
    pub fn percent(&self) -> Option<u32> {
        let (first, last) = (self.samples.front()?, self.samples.back()?);
        let skipped = last.skipped - first.skipped;
        let all = last.frames - first.frames + skipped;
        if last.at.saturating_sub(first.at) < HEALTH_OVERLOAD_JUDGED_AFTER || all == 0 {
            return None;
        }
        u32::try_from((100 * skipped + all / 2) / all).ok()
    }

    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }
}
