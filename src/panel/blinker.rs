//! Which light is lit now, and when that changes.

use std::time::Duration;

use super::indication::Indication;
use super::pattern::{Lights, Rhythm, lights};

/// The levels of all lights at one moment; a board wires up `live` and `status`, or `single`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Levels {
    /// The LIVE light of a board with two lights.
    pub live: bool,
    /// The STATUS light of a board with two lights.
    pub status: bool,
    /// The light of a board with one.
    pub single: bool,
}

/// Turns indications into levels.
///
/// Call [`Blinker::show`] for each new indication, then [`Blinker::poll`] and set the lights, then
/// wait until [`Blinker::poll_timeout`] and poll again. Extra polls do no harm.
#[derive(Debug)]
pub struct Blinker {
    lasting: Indication,
    since: Duration,
    moment: Option<Moment>,
    polled: Duration,
}

/// A momentary indication that is being played over the lasting one.
#[derive(Debug)]
struct Moment {
    of: Indication,
    rhythm: Rhythm,
    since: Duration,
    /// The levels that are inverted: those at its beginning, so that a rhythm that goes on below cannot
    /// cancel it out.
    status_was: bool,
    single_was: bool,
}

impl Default for Blinker {
    fn default() -> Blinker {
        Blinker::new()
    }
}

impl Blinker {
    /// Lights that show [`Indication::Starting`].
    pub fn new() -> Blinker {
        Blinker {
            lasting: Indication::Starting,
            since: Duration::ZERO,
            moment: None,
            polled: Duration::ZERO,
        }
    }

    /// Shows `indication` from `now` on. A momentary one is played once over the lasting one; a
    /// lasting one that is shown already keeps its rhythm.
    pub fn show(&mut self, now: Duration, indication: Indication) {
        if indication.is_momentary() {
            let levels = self.poll(now);
            self.moment = Some(Moment {
                of: indication,
                rhythm: lights(indication).single,
                since: now,
                status_was: levels.status,
                single_was: levels.single,
            });
        } else if indication != self.lasting {
            self.lasting = indication;
            self.since = now;
        }
        self.polled = now;
    }

    /// The lasting indication, and the momentary one that is played over it after the last poll.
    pub fn indications(&self) -> (Indication, Option<Indication>) {
        (self.lasting, self.moment.as_ref().map(|moment| moment.of))
    }

    /// The levels at `now`.
    pub fn poll(&mut self, now: Duration) -> Levels {
        self.polled = now;
        let over = |moment: &Moment| now.saturating_sub(moment.since) >= moment.rhythm.period();
        if self.moment.as_ref().is_some_and(over) {
            self.moment = None;
        }
        let Lights { live, status, single } = lights(self.lasting);
        let elapsed = now.saturating_sub(self.since);
        let mut levels = Levels {
            live: live.is_lit(elapsed),
            status: status.is_lit(elapsed),
            single: single.is_lit(elapsed),
        };
        if let Some(moment) = &self.moment {
            let turned = moment.rhythm.is_lit(now.saturating_sub(moment.since));
            levels.status = moment.status_was != turned;
            levels.single = moment.single_was != turned;
        }
        levels
    }

    /// When the levels may change next after the last call; `None` while all are steady.
    pub fn poll_timeout(&self) -> Option<Duration> {
        let Lights { live, status, single } = lights(self.lasting);
        let elapsed = self.polled.saturating_sub(self.since);
        let lasting = [live, status, single].into_iter().filter_map(|r| r.next_change(elapsed));
        let moment = self
            .moment
            .as_ref()
            .and_then(|moment| moment.rhythm.next_change(self.polled.saturating_sub(moment.since)));
        lasting.chain(moment).min().map(|wait| self.polled + wait)
    }
}

#[cfg(test)]
mod tests {
    use super::super::indication::Attention;
    use super::*;

    const LIVE: Indication = Indication::Live { attention: Attention::None };

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_press_is_visible_within_100_ms_whatever_the_lights_show() {
        for lasting in Indication::ALL.into_iter().filter(|i| !i.is_momentary()) {
            for at in (0..6_000).step_by(70).map(ms) {
                let mut blinker = Blinker::new();
                blinker.show(Duration::ZERO, lasting);
                let before = blinker.poll(at);
                blinker.show(at, Indication::Pressed);
                let after = blinker.poll(at);
                assert_ne!(before.status, after.status, "{}", lasting.name());
                assert_ne!(before.single, after.single, "{}", lasting.name());
                assert_eq!(before.live, after.live, "{}", lasting.name());
            }
        }
    }

    #[test]
    fn a_moment_ends_by_itself_and_the_lasting_rhythm_goes_on() {
        let mut blinker = Blinker::new();
        blinker.show(ms(0), LIVE);
        blinker.show(ms(100), Indication::Pressed);
        assert!(!blinker.poll(ms(100)).single);
        assert_eq!(blinker.indications(), (LIVE, Some(Indication::Pressed)));
        let mut polls = 0;
        while let Some(next) = blinker.poll_timeout() {
            blinker.poll(next);
            polls += 1;
            assert!(polls < 10, "a steady light comes to rest");
        }
        assert_eq!(blinker.poll(ms(400)), Levels { live: true, status: true, single: true });
        assert_eq!(blinker.indications(), (LIVE, None));
    }

    #[test]
    fn showing_the_same_again_does_not_restart_the_rhythm() {
        let mut blinker = Blinker::new();
        blinker.show(ms(0), Indication::Ready);
        assert!(blinker.poll(ms(0)).single);
        blinker.show(ms(150), Indication::Ready);
        assert!(!blinker.poll(ms(150)).single, "the beat lasts 100 ms");
    }

    #[test]
    fn a_new_indication_begins_lit_and_is_visible_during_a_moment() {
        let mut blinker = Blinker::new();
        blinker.show(ms(0), Indication::Ready);
        blinker.show(ms(1_000), Indication::Pressed);
        blinker.show(ms(1_050), LIVE);
        assert!(blinker.poll(ms(1_050)).live);
        assert!(blinker.poll(ms(1_400)).single);
    }

    #[test]
    fn the_next_change_lies_always_ahead() {
        for indication in Indication::ALL {
            let mut blinker = Blinker::new();
            blinker.show(ms(3), indication);
            let mut at = ms(3);
            for _ in 0..50 {
                blinker.poll(at);
                let Some(next) = blinker.poll_timeout() else { break };
                assert!(next > at, "{}", indication.name());
                at = next;
            }
        }
    }
}
