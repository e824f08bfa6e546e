//! The server program, judged by its acknowledgements.

use std::time::Duration;

use crate::pace::PathSample;

/// Nothing for this long is a rest rather than the time between two frames.
const REST: Duration = Duration::from_secs(1);

/// The server program.
///
/// It owes none before it has received a window more than it last acknowledged, and at a low bitrate
/// a window is seconds. So its silence counts from its last word, but only once it is in debt.
#[derive(Debug)]
pub(super) struct Program {
    acknowledged: u64,
    /// How far its last two acknowledgements went: some servers keep to a window of their own.
    strides: [u64; 2],
    /// What its kernel had taken when it last spoke.
    kernel_then: u64,
    written: u64,
    written_at: Duration,
    silent_since: Duration,
}

impl Program {
    pub(super) fn at(now: Duration) -> Program {
        Program {
            acknowledged: 0,
            strides: [0; 2],
            kernel_then: 0,
            written: 0,
            written_at: now,
            silent_since: now,
        }
    }

    /// For how long it has been silent while in debt; `kernel_stuck` is how long its kernel has been.
    pub(super) fn silent_for(
        &mut self,
        now: Duration,
        sample: &PathSample,
        window_bytes: u32,
        kernel_stuck: Duration,
    ) -> Duration {
        let acknowledged = sample.server_acknowledged_bytes.unwrap_or(0);
        if acknowledged != self.acknowledged {
            self.strides = [self.strides[1], acknowledged - self.acknowledged];
            self.acknowledged = acknowledged;
            self.kernel_then = sample.tcp_acknowledged_bytes;
            self.silent_since = now;
        }
        if sample.written_bytes != self.written {
            // After a rest there was nothing to say anything about.
            if now.saturating_sub(self.written_at) > REST {
                self.silent_since = now;
            }
            self.written = sample.written_bytes;
            self.written_at = now;
        }
        let has_spoken = sample.server_acknowledged_bytes.is_some();
        let is_silent = has_spoken && self.is_in_debt(sample, window_bytes, kernel_stuck);
        if is_silent { now.saturating_sub(self.silent_since) } else { Duration::ZERO }
    }

    fn is_in_debt(&self, sample: &PathSample, window_bytes: u32, kernel_stuck: Duration) -> bool {
        let stride = self.strides[0].max(self.strides[1]).max(window_bytes.into());
        let debt = stride + stride / 2;
        if sample.written_bytes.saturating_sub(self.acknowledged) <= debt {
            return false;
        }
        // What is still on a slow path it cannot acknowledge, as long as the path moves; nor what waits in
        // its kernel behind a lost segment.
        let kernel_tells = sample.tcp_unacknowledged_bytes.is_some();
        let arrived = sample.tcp_acknowledged_bytes.saturating_sub(self.kernel_then);
        !kernel_tells || arrived > debt || kernel_stuck >= REST
    }
}
