//! Where the capture is. Opening and closing devices takes as long as their drivers like, and a
//! device is opened by one at a time: the next run is opened when the one before is closed.
//!
//! It takes what was ordered and what the drivers answered, and says what to do.

use std::time::Duration;

use crate::limits::CAPTURE_STOP_TIMEOUT;

/// What to do with the devices.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Open them for this run.
    Open { run: u64 },
    /// Close them.
    Close { run: u64 },
    /// This run holds none any more.
    Ended { run: u64 },
}

/// The run that has the devices or is to have them.
#[derive(Debug)]
pub(super) struct Slot {
    state: State,
    /// The run that closes its devices, and until when that is waited for.
    closing: Option<(u64, Duration)>,
}

#[derive(Debug)]
enum State {
    Off,
    /// To be opened for this run when the one before is closed; `wanted` turns false when the box
    /// thinks better of it meanwhile.
    Waiting {
        run: u64,
        wanted: bool,
    },
    /// Being opened. `newest` is the run that is wanted by now, if `wanted`.
    Opening {
        newest: u64,
        wanted: bool,
    },
    On {
        run: u64,
    },
}

impl Slot {
    pub(super) fn new() -> Slot {
        Slot { state: State::Off, closing: None }
    }

    pub(super) fn is_off(&self) -> bool {
        matches!(self.state, State::Off)
    }

    /// A run has them.
    pub(super) fn is_on(&self) -> bool {
        matches!(self.state, State::On { .. })
    }

    /// The run that has the devices or is to have them.
    pub(super) fn current(&self) -> Option<u64> {
        match self.state {
            State::On { run }
            | State::Waiting { run, wanted: true }
            | State::Opening { newest: run, wanted: true } => Some(run),
            State::Off | State::Waiting { .. } | State::Opening { .. } => None,
        }
    }

    /// This run is to have the devices.
    #[must_use]
    pub(super) fn start(&mut self, now: Duration, run: u64) -> Option<Act> {
        match &mut self.state {
            // What is being opened now is closed again as soon as it is open.
            State::Opening { newest, wanted } => (*newest, *wanted) = (run, true),
            state => *state = State::Waiting { run, wanted: true },
        }
        self.go_on(now)
    }

    /// Nobody is to have them any more.
    #[must_use]
    pub(super) fn stop(&mut self, now: Duration) -> Option<Act> {
        match std::mem::replace(&mut self.state, State::Off) {
            State::Off => None,
            State::Waiting { run, .. } => {
                self.state = State::Waiting { run, wanted: false };
                None
            }
            State::Opening { newest, .. } => {
                self.state = State::Opening { newest, wanted: false };
                None
            }
            State::On { run } => Some(self.close(now, run)),
        }
    }

    /// They were opened for this run, or could not be.
    #[must_use]
    pub(super) fn opened(&mut self, now: Duration, run: u64, is_open: bool) -> [Option<Act>; 2] {
        let State::Opening { newest, wanted } = self.state else { return [None, None] };
        self.state = State::Off;
        if is_open && run == newest && wanted {
            self.state = State::On { run };
            return [None, None];
        }
        let first = if is_open { self.close(now, run) } else { Act::Ended { run } };
        let next = if wanted && run != newest { self.start(now, newest) } else { None };
        [Some(first), next]
    }

    /// This run has closed its devices.
    #[must_use]
    pub(super) fn closed(&mut self, now: Duration, run: u64) -> [Option<Act>; 2] {
        self.closing = self.closing.filter(|(closing, _)| *closing != run);
        [Some(Act::Ended { run }), self.go_on(now)]
    }

    /// When a driver has had its time to let go.
    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        let waits = matches!(self.state, State::Waiting { .. });
        self.closing.filter(|_| waits).map(|(_, until)| until)
    }

    /// Goes on when nothing is in the way, or has been for too long.
    #[must_use]
    pub(super) fn go_on(&mut self, now: Duration) -> Option<Act> {
        let State::Waiting { run, wanted } = self.state else { return None };
        if self.closing.is_some_and(|(_, until)| now < until) {
            return None;
        }
        self.closing = None;
        if wanted {
            self.state = State::Opening { newest: run, wanted };
            return Some(Act::Open { run });
        }
        self.state = State::Off;
        Some(Act::Ended { run })
    }

    fn close(&mut self, now: Duration, run: u64) -> Act {
        self.closing = Some((run, now + CAPTURE_STOP_TIMEOUT));
        Act::Close { run }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(100);
    const LATER: Duration = NOW.saturating_add(CAPTURE_STOP_TIMEOUT);

    /// A slot whose run 1 captures.
    fn on_air() -> Slot {
        let mut slot = Slot::new();
        assert_eq!(slot.start(NOW, 1), Some(Act::Open { run: 1 }));
        assert_eq!(slot.opened(NOW, 1, true), [None, None]);
        assert!(slot.is_on());
        slot
    }

    /// The same in the middle of a restart.
    fn restarting() -> Slot {
        let mut slot = on_air();
        assert_eq!(slot.stop(NOW), Some(Act::Close { run: 1 }));
        assert_eq!(slot.start(NOW, 2), None, "the devices are still held");
        slot
    }

    #[test]
    fn a_restart_opens_the_devices_when_the_run_before_has_closed_them() {
        let mut slot = restarting();
        assert!(!slot.is_off() && !slot.is_on());
        let [ended, open] = slot.closed(NOW, 1);
        assert_eq!((ended, open), (Some(Act::Ended { run: 1 }), Some(Act::Open { run: 2 })));
        assert_eq!(slot.opened(NOW, 2, true), [None, None]);
        assert_eq!((slot.is_on(), slot.poll_timeout()), (true, None));
    }

    #[test]
    fn a_driver_that_does_not_let_go_holds_up_a_restart_for_its_time_alone() {
        let mut slot = restarting();
        assert_eq!(slot.poll_timeout(), Some(LATER));
        assert_eq!(slot.go_on(LATER - Duration::from_millis(1)), None);
        assert_eq!(slot.go_on(LATER), Some(Act::Open { run: 2 }));
        assert_eq!(slot.poll_timeout(), None);
        assert_eq!(slot.closed(LATER, 1), [Some(Act::Ended { run: 1 }), None], "it let go at last");
        assert_eq!(slot.opened(LATER, 2, true), [None, None]);
    }

    #[test]
    fn a_stop_that_comes_while_the_run_before_closes_opens_nothing() {
        let mut slot = restarting();
        assert_eq!(slot.stop(NOW), None);
        let [first, second] = slot.closed(NOW, 1);
        assert_eq!((first, second), (Some(Act::Ended { run: 1 }), Some(Act::Ended { run: 2 })));
        assert!(slot.is_off());
    }

    #[test]
    fn what_was_opened_in_vain_is_closed_before_the_next_is_opened() {
        let mut slot = Slot::new();
        assert_eq!(slot.start(NOW, 1), Some(Act::Open { run: 1 }));
        assert_eq!((slot.stop(NOW), slot.start(NOW, 2)), (None, None));
        let close = Act::Close { run: 1 };
        assert_eq!(slot.opened(NOW, 1, true), [Some(close), None]);
        let [_, open] = slot.closed(NOW, 1);
        assert_eq!(open, Some(Act::Open { run: 2 }));
        assert_eq!(slot.stop(NOW), None);
        let close = Act::Close { run: 2 };
        assert_eq!(slot.opened(NOW, 2, true), [Some(close), None]);
        assert_eq!(slot.closed(NOW, 2), [Some(Act::Ended { run: 2 }), None]);
    }

    #[test]
    fn a_run_that_could_not_be_opened_has_ended_and_the_next_begins_at_once() {
        let mut slot = Slot::new();
        assert_eq!(slot.start(NOW, 1), Some(Act::Open { run: 1 }));
        assert_eq!(slot.start(NOW, 2), None);
        let acts = [Some(Act::Ended { run: 1 }), Some(Act::Open { run: 2 })];
        assert_eq!(slot.opened(NOW, 1, false), acts);
        assert_eq!(slot.opened(NOW, 2, false), [Some(Act::Ended { run: 2 }), None]);
        assert!(slot.is_off());
    }
}
