//! Whether the H.264 encoder works, and what to do when it does not: restart it a few times, then
//! replace it.
//!
//! Pure: its input is the media time, when the last access unit came out, and the encoder's errors.

use crate::limits::{ENCODER_PROVEN, ENCODER_TRIES_MAX, NO_OUTPUT_TIMEOUT};

const SILENT_NS: u64 = NO_OUTPUT_TIMEOUT.as_nanos() as u64;
const PROVEN_NS: u64 = ENCODER_PROVEN.as_nanos() as u64;

/// What to do with an encoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Restart it.
    Restart {
        /// Why.
        why: String,
    },
    /// Use another one.
    Replace {
        /// Why.
        why: String,
    },
}

/// What is known to have gone wrong with an encoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Its own error, or that of its start.
    Message(String),
    /// Closing or opening it took longer than a driver may. The device is not to be had back, and
    /// another try would wait as long.
    DriverHangs,
}

/// The watchdog of one encoder after the other.
#[derive(Debug, Default)]
pub struct EncoderWatchdog {
    /// How often the encoder was restarted.
    tries: u32,
    /// When it was last started, in media time.
    since_ns: u64,
    /// When a missing key frame was last asked for.
    key_asked_ns: u64,
}

impl EncoderWatchdog {
    /// An encoder was started; the time that it has to deliver begins.
    pub fn started(&mut self, now_ns: u64) {
        (self.since_ns, self.key_asked_ns) = (now_ns, now_ns);
    }

    /// What to do, if anything.
    pub fn check(
        &mut self,
        now_ns: u64,
        last_output_ns: u64,
        failure: Option<Failure>,
        element: &str,
    ) -> Option<Action> {
        let hangs = failure == Some(Failure::DriverHangs);
        let silent = now_ns.saturating_sub(last_output_ns.max(self.since_ns)) > SILENT_NS;
        let why = match failure {
            Some(Failure::Message(message)) => Some(message),
            Some(Failure::DriverHangs) => Some(format!("the driver of {element} does not respond")),
            None => silent.then(|| {
                format!("{element} delivered nothing for {} s", NO_OUTPUT_TIMEOUT.as_secs())
            }),
        };
        let Some(why) = why else {
            if now_ns.saturating_sub(self.since_ns) > PROVEN_NS {
                self.tries = 0;
            }
            return None;
        };
        // The next restart has its own time to deliver.
        self.started(now_ns);
        if self.tries < ENCODER_TRIES_MAX && !hangs {
            self.tries += 1;
            return Some(Action::Restart { why });
        }
        self.tries = 0;
        Some(Action::Replace { why })
    }

    /// Whether to ask for a key frame because the one that was due did not come; at most once an
    /// interval.
    pub fn key_frame_overdue(&mut self, now_ns: u64, last_key_ns: u64, interval_ns: u64) -> bool {
        let since_ns = last_key_ns.max(self.key_asked_ns);
        // A quarter more, for the delay of the encoder.
        let overdue = now_ns.saturating_sub(since_ns) > interval_ns + interval_ns / 4;
        if overdue {
            self.key_asked_ns = now_ns;
        }
        overdue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn name(action: Option<Action>) -> &'static str {
        match action {
            None => "fine",
            Some(Action::Restart { .. }) => "restart",
            Some(Action::Replace { .. }) => "replace",
        }
    }

    #[test]
    fn a_silent_encoder_is_set_up_three_times_and_then_replaced() {
        let mut watchdog = EncoderWatchdog::default();
        let mut actions = Vec::new();
        for second in 0..20 {
            match watchdog.check(second * SECOND, 0, None, "enc") {
                None => {}
                Some(Action::Restart { why } | Action::Replace { why }) if actions.is_empty() => {
                    assert_eq!(why, "enc delivered nothing for 3 s");
                    actions.push((second, "restart"));
                }
                action => actions.push((second, name(action))),
            }
        }
        assert_eq!(
            actions,
            [(4, "restart"), (8, "restart"), (12, "restart"), (16, "replace")],
            "more than three seconds each"
        );
    }

    #[test]
    fn what_an_encoder_says_counts_at_once() {
        let mut watchdog = EncoderWatchdog::default();
        let message = || Some(Failure::Message("STREAMON failed".to_owned()));
        let mut actions = Vec::new();
        for at_ns in 1..=5 {
            actions.push(name(watchdog.check(at_ns, at_ns, message(), "enc")));
        }
        assert_eq!(actions, ["restart", "restart", "restart", "replace", "restart"]);
    }

    #[test]
    fn an_encoder_whose_driver_does_not_respond_is_not_waited_for_again() {
        let mut watchdog = EncoderWatchdog::default();
        assert_eq!(name(watchdog.check(4 * SECOND, 0, None, "enc")), "restart");
        let action = watchdog.check(11 * SECOND, 0, Some(Failure::DriverHangs), "enc");
        let why = "the driver of enc does not respond".to_owned();
        assert_eq!(action, Some(Action::Replace { why }));
        let lost = Some(Failure::Message("lost".to_owned()));
        assert_eq!(name(watchdog.check(12 * SECOND, 0, lost, "next")), "restart");
    }

    #[test]
    fn an_encoder_that_worked_for_a_while_has_all_its_tries_again() {
        let mut watchdog = EncoderWatchdog::default();
        let message = || Some(Failure::Message("lost".to_owned()));
        for round in 0..10 {
            let now_ns = round * 2 * PROVEN_NS + SECOND;
            assert_eq!(name(watchdog.check(now_ns, now_ns, message(), "enc")), "restart");
            let later_ns = now_ns + PROVEN_NS + 1;
            assert_eq!(name(watchdog.check(later_ns, later_ns, None, "enc")), "fine");
        }
    }

    #[test]
    fn a_overdue_key_frame_is_asked_for_once_an_interval() {
        let mut watchdog = EncoderWatchdog::default();
        let asked: Vec<u64> = (0..100)
            .filter(|tenth| watchdog.key_frame_overdue(tenth * SECOND / 10, 0, 2 * SECOND))
            .collect();
        assert_eq!(asked, [26, 52, 78]);
        let mut watchdog = EncoderWatchdog::default();
        for tenth in 0..100 {
            let now_ns = tenth * SECOND / 10;
            assert!(!watchdog.key_frame_overdue(
                now_ns,
                now_ns / (2 * SECOND) * 2 * SECOND,
                2 * SECOND
            ));
        }
    }
}
