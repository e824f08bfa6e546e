//! How long to wait before the next attempt, and after which ends there is none.

use std::time::Duration;

use super::event::EndKind;
use crate::limits::{
    BACKOFF_FIRST, BACKOFF_JITTER_PERCENT, BACKOFF_MAX, CERTIFICATE_WAIT_MAX, FAULT_WAIT_MAX,
    KEY_REFUSED_WAIT, REJECTED_WAIT_MAX, REPROBE_INTERVAL, UNREACHABLE_WAIT_MAX,
};
use crate::status::Clock;

/// What follows the end of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Another attempt after this long.
    Wait(Duration),
    /// None, until the owner or the settings say otherwise.
    Never,
}

/// What follows an end of this kind, when it was failure number `failures` in a row (from 1).
pub(super) fn after(kind: EndKind, failures: u32, clock: Clock, rng: &mut fastrand::Rng) -> Next {
    let wait = match kind {
        EndKind::Lost
        | EndKind::Timeout
        | EndKind::ClosedByServer
        | EndKind::Busy
        | EndKind::Stopped => doubled(BACKOFF_FIRST, failures, BACKOFF_MAX),
        EndKind::Unreachable => doubled(BACKOFF_FIRST, failures, UNREACHABLE_WAIT_MAX),
        EndKind::Rejected => doubled(BACKOFF_FIRST, failures, REJECTED_WAIT_MAX),
        EndKind::KeyRefused => KEY_REFUSED_WAIT,
        // The clock cuts this wait; the cap is for a box that never learns the time.
        EndKind::Certificate { not_yet_valid: true } if clock == Clock::Untrusted => {
            CERTIFICATE_WAIT_MAX
        }
        EndKind::Certificate { .. } => doubled(BACKOFF_FIRST, failures, CERTIFICATE_WAIT_MAX),
        EndKind::Kicked | EndKind::BadDestination => return Next::Never,
    };
    Next::Wait(jittered(wait, rng))
}

/// Whether a change of the network may help, so that the wait is cut short.
pub(super) fn network_may_help(kind: EndKind) -> bool {
    matches!(
        kind,
        EndKind::Lost
            | EndKind::Timeout
            | EndKind::ClosedByServer
            | EndKind::Unreachable
            | EndKind::Stopped
    )
}

/// How long camera, microphone and encoder rest after fault number `faults` in a row (from 1).
pub(super) fn after_fault(faults: u32) -> Duration {
    doubled(REPROBE_INTERVAL, faults, FAULT_WAIT_MAX)
}

fn doubled(first: Duration, failures: u32, cap: Duration) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    (first * (1 << doublings)).min(cap)
}

fn jittered(wait: Duration, rng: &mut fastrand::Rng) -> Duration {
    let permille = 10 * BACKOFF_JITTER_PERCENT;
    wait * rng.u32(1_000 - permille..=1_000 + permille) / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shortest and longest wait over many draws.
    fn range_ms(kind: EndKind, failures: u32, clock: Clock) -> (u128, u128) {
        let mut rng = fastrand::Rng::with_seed(7);
        let waits: Vec<u128> = (0..2_000)
            .map(|_| match after(kind, failures, clock, &mut rng) {
                Next::Wait(wait) => wait.as_millis(),
                Next::Never => panic!("{kind:?} waits"),
            })
            .collect();
        (*waits.iter().min().unwrap(), *waits.iter().max().unwrap())
    }

    #[track_caller]
    fn check(kind: EndKind, failures: u32, clock: Clock, middle_ms: u128) {
        let (shortest, longest) = range_ms(kind, failures, clock);
        let near = |a: u128, b: u128| a.abs_diff(b) <= middle_ms / 50 + 1;
        assert!(near(shortest, middle_ms * 80 / 100), "{kind:?} {failures}: {shortest} ms");
        assert!(near(longest, middle_ms * 120 / 100), "{kind:?} {failures}: {longest} ms");
    }

    #[test]
    fn a_lost_connection_waits_half_a_second_doubled_up_to_ten() {
        let expected = [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000];
        for (failures, middle_ms) in (1..).zip(expected) {
            for kind in [EndKind::Lost, EndKind::Timeout, EndKind::Busy] {
                check(kind, failures, Clock::Trusted, middle_ms);
            }
        }
    }

    #[test]
    fn while_nobody_is_reached_it_is_tried_every_five_seconds() {
        let expected = [500, 1_000, 2_000, 4_000, 5_000, 5_000];
        for (failures, middle_ms) in (1..).zip(expected) {
            check(EndKind::Unreachable, failures, Clock::Trusted, middle_ms);
        }
        check(EndKind::Unreachable, u32::MAX, Clock::Trusted, 5_000);
    }

    #[test]
    fn the_wait_stays_at_its_cap_for_ever() {
        for failures in [17, 32, 33, 1_000, u32::MAX] {
            check(EndKind::Timeout, failures, Clock::Trusted, 10_000);
            check(EndKind::Rejected, failures, Clock::Trusted, 30_000);
            check(EndKind::Certificate { not_yet_valid: false }, failures, Clock::Trusted, 60_000);
        }
    }

    #[test]
    fn a_refused_key_waits_half_a_minute_from_the_first_time() {
        check(EndKind::KeyRefused, 1, Clock::Trusted, 30_000);
        check(EndKind::KeyRefused, 9, Clock::Trusted, 30_000);
    }

    #[test]
    fn a_certificate_of_the_future_waits_for_the_time() {
        let kind = EndKind::Certificate { not_yet_valid: true };
        check(kind, 1, Clock::Untrusted, 60_000);
        check(kind, 1, Clock::Trusted, 500);
    }

    #[test]
    fn a_fault_waits_five_seconds_doubled_up_to_a_minute() {
        let waits = [1, 2, 3, 4, 5, 6, u32::MAX].map(|faults| after_fault(faults).as_secs());
        assert_eq!(waits, [5, 10, 20, 40, 60, 60, 60]);
    }

    #[test]
    fn two_boxes_never_fight_over_one_key() {
        let mut rng = fastrand::Rng::with_seed(7);
        for kind in [EndKind::Kicked, EndKind::BadDestination] {
            assert_eq!(after(kind, 1, Clock::Trusted, &mut rng), Next::Never);
        }
    }
}
