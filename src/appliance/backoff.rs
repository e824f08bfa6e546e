//! How long to wait before the next attempt, and after which ends there is none.

use std::time::Duration;

use crate::ending::{Meaning, doubled};
use crate::limits::{BACKOFF_JITTER_PERCENT, FAULT_WAIT_MAX, REPROBE_INTERVAL};
use crate::status::Clock;

/// How long to wait after an end that means this, when it was failure number `failures` in a row (from
/// 1); `None` until the owner or the settings say otherwise.
pub(super) fn after(
    meaning: Meaning,
    failures: u32,
    clock: Clock,
    rng: &mut fastrand::Rng,
) -> Option<Duration> {
    let wait = meaning.row().retry.wait(failures, clock == Clock::Trusted)?;
    Some(jittered(wait, rng))
}

/// How long camera, microphone and encoder rest after fault number `faults` in a row (from 1).
pub(super) fn after_fault(faults: u32) -> Duration {
    doubled(REPROBE_INTERVAL, faults, FAULT_WAIT_MAX)
}

fn jittered(wait: Duration, rng: &mut fastrand::Rng) -> Duration {
    let permille = 10 * BACKOFF_JITTER_PERCENT;
    wait * rng.u32(1_000 - permille..=1_000 + permille) / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shortest and longest wait over many draws.
    fn range_ms(meaning: Meaning, failures: u32, clock: Clock) -> (u128, u128) {
        let mut rng = fastrand::Rng::with_seed(7);
        let mut draw = || after(meaning, failures, clock, &mut rng).expect("it waits");
        let waits: Vec<u128> = (0..2_000).map(|_| draw().as_millis()).collect();
        (*waits.iter().min().unwrap(), *waits.iter().max().unwrap())
    }

    #[track_caller]
    fn check(meaning: Meaning, failures: u32, clock: Clock, middle_ms: u128) {
        let (shortest, longest) = range_ms(meaning, failures, clock);
        let near = |a: u128, b: u128| a.abs_diff(b) <= middle_ms / 50 + 1;
        assert!(near(shortest, middle_ms * 80 / 100), "{meaning:?} {failures}: {shortest} ms");
        assert!(near(longest, middle_ms * 120 / 100), "{meaning:?} {failures}: {longest} ms");
    }

    #[test]
    fn a_lost_connection_waits_half_a_second_doubled_up_to_ten() {
        let expected = [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000];
        for (failures, middle_ms) in (1..).zip(expected) {
            for meaning in [Meaning::Lost, Meaning::Timeout, Meaning::Busy, Meaning::EndedByServer]
            {
                check(meaning, failures, Clock::Trusted, middle_ms);
            }
        }
    }

    #[test]
    fn while_nobody_is_reached_it_is_tried_every_five_seconds() {
        let expected = [500, 1_000, 2_000, 4_000, 5_000, 5_000];
        for (failures, middle_ms) in (1..).zip(expected) {
            check(Meaning::Unreachable, failures, Clock::Trusted, middle_ms);
        }
        check(Meaning::Unreachable, u32::MAX, Clock::Trusted, 5_000);
    }

    #[test]
    fn the_wait_stays_at_its_cap_for_ten_thousand_failures_and_more() {
        for failures in [17, 32, 33, 10_000, u32::MAX] {
            check(Meaning::Timeout, failures, Clock::Trusted, 10_000);
            check(Meaning::Rejected, failures, Clock::Trusted, 30_000);
            check(Meaning::KeyDoubted, failures, Clock::Trusted, 30_000);
            check(Meaning::Certificate, failures, Clock::Trusted, 60_000);
        }
    }

    #[test]
    fn a_refused_key_waits_half_a_minute_from_the_first_time() {
        check(Meaning::KeyRefused, 1, Clock::Trusted, 30_000);
        check(Meaning::KeyRefused, 9, Clock::Trusted, 30_000);
    }

    #[test]
    fn a_certificate_of_the_future_waits_for_the_time() {
        check(Meaning::CertificateNotYetValid, 1, Clock::Untrusted, 60_000);
        check(Meaning::CertificateNotYetValid, 1, Clock::Trusted, 500);
    }

    #[test]
    fn a_fault_waits_five_seconds_doubled_up_to_a_minute() {
        let waits = [1, 2, 3, 4, 5, 6, u32::MAX].map(|faults| after_fault(faults).as_secs());
        assert_eq!(waits, [5, 10, 20, 40, 60, 60, 60]);
    }

    #[test]
    fn two_boxes_never_fight_over_one_key() {
        let mut rng = fastrand::Rng::with_seed(7);
        assert_eq!(after(Meaning::Kicked, 1, Clock::Trusted, &mut rng), None);
        check(Meaning::Contended, 1, Clock::Trusted, 60_000);
        check(Meaning::Contended, 30, Clock::Trusted, 60_000);
    }
}
