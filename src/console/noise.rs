//! Whether what comes in at a serial line is somebody who types, or something that answers whatever it
//! is sent: shorted wires, a modem, another machine's login. Those send line after line that means
//! nothing, and to answer each would never end.

use std::time::Duration;

use crate::limits::{CONSOLE_NOISE_LINES, CONSOLE_NOISE_QUIET, CONSOLE_NOISE_WITHIN};

/// ^C.
pub(super) const INTERRUPT: u8 = 0x03;

/// Counts lines in a row that mean nothing.
#[derive(Debug, Default)]
pub(super) struct Noise {
    refused: u32,
    began_at: Duration,
    /// Nothing is listened to until the line has been quiet up to this time.
    deaf_until: Option<Duration>,
}

impl Noise {
    /// A line that means nothing; whether it was one too many.
    pub fn refused(&mut self, now: Duration) -> bool {
        if self.refused == 0 || now > self.began_at + CONSOLE_NOISE_WITHIN {
            (self.refused, self.began_at) = (0, now);
        }
        self.refused += 1;
        let is_noise = self.refused >= CONSOLE_NOISE_LINES;
        if is_noise {
            self.refused = 0;
            self.deaf_until = Some(now + CONSOLE_NOISE_QUIET);
        }
        is_noise
    }

    /// A line that means something.
    pub fn understood(&mut self) {
        self.refused = 0;
    }

    /// A byte came in; whether it is not listened to. ^C, which nothing sends that only sends back what
    /// it is sent, ends that.
    pub fn ignores(&mut self, now: Duration, byte: u8) -> bool {
        if byte == INTERRUPT {
            self.deaf_until = None;
        }
        let Some(until) = self.deaf_until else { return false };
        self.deaf_until = (now < until).then_some(now + CONSOLE_NOISE_QUIET);
        self.deaf_until.is_some()
    }
}
