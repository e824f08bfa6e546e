//! Whether the H.264 encoder works, and what to do when it does not: set it up anew a few times,
//! then replace it.
//!
//! Pure: it is told the media time, when the last access unit came out and what the encoder said.

use crate::limits::{ENCODER_PROVEN, ENCODER_TRIES_MAX, NO_OUTPUT_TIMEOUT};

const SILENT_NS: u64 = NO_OUTPUT_TIMEOUT.as_nanos() as u64;
const PROVEN_NS: u64 = ENCODER_PROVEN.as_nanos() as u64;

/// What to do with an encoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Set it up anew.
    Rebuild {
        /// What is wrong with it.
        why: String,
    },
    /// Take another one.
    Replace {
        /// What is wrong with it.
        why: String,
    },
}

/// The watch over one encoder after the other.
#[derive(Debug, Default)]
pub struct EncoderWatch {
    /// How often the encoder was set up anew.
    tries: u32,
    /// When it was set up last, in media time.
    since_ns: u64,
    /// When a key frame was asked for last, because none had come.
    key_asked_ns: u64,
}

impl EncoderWatch {
    /// An encoder was set up; it has its time to begin.
    pub fn started(&mut self, now_ns: u64) {
        (self.since_ns, self.key_asked_ns) = (now_ns, now_ns);
    }

    /// What to do, if anything. `said` is what the encoder itself or its setting up reported.
    pub fn judge(
        &mut self,
        now_ns: u64,
        last_output_ns: u64,
        said: Option<String>,
        element: &str,
    ) -> Option<Order> {
        let silent = now_ns.saturating_sub(last_output_ns.max(self.since_ns)) > SILENT_NS;
        let why = said.or_else(|| {
            silent.then(|| format!("{element} gave nothing for {} s", NO_OUTPUT_TIMEOUT.as_secs()))
        });
        let Some(why) = why else {
            if now_ns.saturating_sub(self.since_ns) > PROVEN_NS {
                self.tries = 0;
            }
            return None;
        };
        // A failed try is no reason for the next one before its own time.
        self.started(now_ns);
        if self.tries < ENCODER_TRIES_MAX {
            self.tries += 1;
            return Some(Order::Rebuild { why });
        }
        self.tries = 0;
        Some(Order::Replace { why })
    }

    /// Whether to ask for a key frame because the encoder forgot the one that was due; at most
    /// once an interval.
    pub fn key_forgotten(&mut self, now_ns: u64, last_key_ns: u64, interval_ns: u64) -> bool {
        let since_ns = last_key_ns.max(self.key_asked_ns);
        // A quarter more, for what is on its way through the encoder.
        let forgotten = now_ns.saturating_sub(since_ns) > interval_ns + interval_ns / 4;
        if forgotten {
            self.key_asked_ns = now_ns;
        }
        forgotten
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn told(order: Option<Order>) -> &'static str {
        match order {
            None => "fine",
            Some(Order::Rebuild { .. }) => "rebuild",
            Some(Order::Replace { .. }) => "replace",
        }
    }

    #[test]
    fn a_silent_encoder_is_set_up_three_times_and_then_replaced() {
        let mut watch = EncoderWatch::default();
        let mut orders = Vec::new();
        for second in 0..20 {
            match watch.judge(second * SECOND, 0, None, "enc") {
                None => {}
                Some(Order::Rebuild { why } | Order::Replace { why }) if orders.is_empty() => {
                    assert_eq!(why, "enc gave nothing for 3 s");
                    orders.push((second, "rebuild"));
                }
                order => orders.push((second, told(order))),
            }
        }
        assert_eq!(
            orders,
            [(4, "rebuild"), (8, "rebuild"), (12, "rebuild"), (16, "replace")],
            "more than three seconds each"
        );
    }

    #[test]
    fn what_an_encoder_says_counts_at_once() {
        let mut watch = EncoderWatch::default();
        let said = || Some("STREAMON failed".to_owned());
        let mut orders = Vec::new();
        for at_ns in 1..=5 {
            orders.push(told(watch.judge(at_ns, at_ns, said(), "enc")));
        }
        assert_eq!(orders, ["rebuild", "rebuild", "rebuild", "replace", "rebuild"]);
    }

    #[test]
    fn an_encoder_that_worked_for_a_while_has_all_its_tries_again() {
        let mut watch = EncoderWatch::default();
        let said = || Some("lost".to_owned());
        for round in 0..10 {
            let now_ns = round * 2 * PROVEN_NS + SECOND;
            assert_eq!(told(watch.judge(now_ns, now_ns, said(), "enc")), "rebuild");
            let later_ns = now_ns + PROVEN_NS + 1;
            assert_eq!(told(watch.judge(later_ns, later_ns, None, "enc")), "fine");
        }
    }

    #[test]
    fn a_forgotten_key_frame_is_asked_for_once_an_interval() {
        let mut watch = EncoderWatch::default();
        let asked: Vec<u64> = (0..100)
            .filter(|tenth| watch.key_forgotten(tenth * SECOND / 10, 0, 2 * SECOND))
            .collect();
        assert_eq!(asked, [26, 52, 78]);
        let mut watch = EncoderWatch::default();
        for tenth in 0..100 {
            let now_ns = tenth * SECOND / 10;
            assert!(!watch.key_forgotten(now_ns, now_ns / (2 * SECOND) * 2 * SECOND, 2 * SECOND));
        }
    }
}
