//! How much the console may say unasked, so that a serial line has room for answers.

use std::time::Duration;

use crate::limits::{CONSOLE_UNASKED_SHARE, SERIAL_BITS_PER_BYTE};

/// An allowance of bytes that fills up as time goes by, to one second's worth.
///
/// ```
/// use std::time::Duration;
/// use firstmile::console::Allowance;
/// let mut allowance = Allowance::of_baud(115_200);
/// assert!(allowance.take(Duration::ZERO, 5_760));
/// assert!(!allowance.take(Duration::ZERO, 1));
/// assert!(allowance.take(Duration::from_millis(500), 2_880));
/// ```
#[derive(Debug, Clone)]
pub struct Allowance {
    bytes_per_s: u32,
    /// In millionths of a byte, so that no time is lost to rounding.
    left_micro: u64,
    at: Duration,
}

const MICRO: u64 = 1_000_000;

impl Allowance {
    /// The share of a serial line of this speed.
    pub fn of_baud(baud: u32) -> Allowance {
        let bytes_per_s = (baud / SERIAL_BITS_PER_BYTE / CONSOLE_UNASKED_SHARE).max(1);
        let left_micro = u64::from(bytes_per_s) * MICRO;
        Allowance { bytes_per_s, left_micro, at: Duration::ZERO }
    }

    /// Takes so many bytes, all of them or none; says whether there were as many.
    pub fn take(&mut self, now: Duration, bytes: usize) -> bool {
        self.fill(now);
        let wanted = (bytes as u64).saturating_mul(MICRO);
        let fits = wanted <= self.left_micro;
        if fits {
            self.left_micro -= wanted;
        }
        fits
    }

    /// When it will be full again.
    pub fn full_at(&self) -> Duration {
        let missing = u64::from(self.bytes_per_s) * MICRO - self.left_micro;
        self.at + Duration::from_micros(missing.div_ceil(u64::from(self.bytes_per_s)))
    }

    fn fill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.at).as_micros();
        let full = u64::from(self.bytes_per_s) * MICRO;
        let more = passed.saturating_mul(u128::from(self.bytes_per_s)).min(u128::from(full)) as u64;
        self.left_micro = (self.left_micro + more).min(full);
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_of_any_flood_carries_more_than_the_line() {
        for baud in [1_200_u32, 9_600, 115_200, 4_000_000] {
            let line_per_s = u64::from(baud / SERIAL_BITS_PER_BYTE);
            let mut rng = fastrand::Rng::with_seed(u64::from(baud));
            let mut allowance = Allowance::of_baud(baud);
            let mut sent: Vec<(Duration, u64)> = Vec::new();
            let mut now = Duration::ZERO;
            for _ in 0..20_000 {
                now += Duration::from_micros(rng.u64(0..2_000));
                let bytes = rng.usize(1..400);
                if allowance.take(now, bytes) {
                    sent.push((now, bytes as u64));
                }
            }
            for (n, (from, _)) in sent.iter().enumerate() {
                let until = *from + Duration::from_secs(1);
                let within = sent[n..].iter().take_while(|(at, _)| *at < until);
                let bytes: u64 = within.map(|(_, bytes)| bytes).sum();
                assert!(bytes <= line_per_s, "{bytes} bytes in a second at {baud} baud");
            }
            assert!(sent.len() > 10, "it is no gag either");
        }
    }

    #[test]
    fn it_says_when_it_will_be_full() {
        let mut allowance = Allowance::of_baud(115_200);
        assert!(allowance.take(Duration::ZERO, 5_760));
        let full_at = allowance.full_at();
        assert_eq!(full_at, Duration::from_secs(1));
        assert!(allowance.take(full_at, 5_760));
    }
}
