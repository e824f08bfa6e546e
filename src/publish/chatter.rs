//! Lines of the log that a server causes, bounded: it may ask and complain as often as it likes.
//!
//! The log's own bound (`device::log`, for every place in the source) is another one, and neither does the
//! work of both. That one keeps the log readable while anything at all floods it for seconds: it knows no
//! servers, adds up what all destinations log at one place, and lets four lines a second pass, which is a
//! hundred megabytes in a week. Here is one connection, for as long as it lasts: two lines a minute, none of
//! which another destination's server can use up.

use std::time::Duration;

use crate::limits::{SERVER_LINE_INTERVAL, SERVER_LINES_MAX};

/// Counts the lines about one connection.
#[derive(Debug)]
pub(super) struct Chatter {
    /// Lines that may be written at once.
    left: u32,
    /// When the next one may be, after those.
    next_at: Duration,
    /// Lines since the last one that was written.
    left_out: u64,
}

impl Default for Chatter {
    fn default() -> Chatter {
        Chatter { left: SERVER_LINES_MAX, next_at: Duration::ZERO, left_out: 0 }
    }
}

impl Chatter {
    /// Whether a line may be written now, and how many were left out before it.
    pub(super) fn admit(&mut self, now: Duration) -> Option<u64> {
        if self.left == 0 && now < self.next_at {
            self.left_out += 1;
            return None;
        }
        self.left = self.left.saturating_sub(1);
        self.next_at = now + SERVER_LINE_INTERVAL;
        Some(std::mem::take(&mut self.left_out))
    }

    /// How many were left out at the end.
    pub(super) fn left_out(&mut self) -> u64 {
        std::mem::take(&mut self.left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_lines_is_summed_and_a_few_are_written_as_they_come() {
        let (mut chatter, mut written, mut left_out) = (Chatter::default(), 0, 0);
        for ms in 0..600_000 {
            if let Some(before) = chatter.admit(Duration::from_millis(ms)) {
                written += 1;
                left_out += before;
            }
        }
        assert!(written <= SERVER_LINES_MAX + 600 / SERVER_LINE_INTERVAL.as_secs() as u32);
        assert_eq!(
            u64::from(written) + left_out + chatter.left_out(),
            600_000,
            "none is forgotten"
        );
        // Another connection has a bound of its own.
        let mut calm = Chatter::default();
        for number in 0..100 {
            assert_eq!(calm.admit(SERVER_LINE_INTERVAL * number), Some(0));
        }
    }
}
