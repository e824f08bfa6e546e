//! One warning: it begins when its cause has lasted, and ends when that has been gone for a while.

use std::time::Duration;

use super::judge::{Level, begins_after, ends_after};
use crate::status::{Change, Warning, WarningKind};

/// See the module.
#[derive(Debug)]
pub struct Gate {
    kind: WarningKind,
    state: State,
}

#[derive(Debug)]
enum State {
    /// No warning.
    Quiet {
        /// The cause has been there since then.
        bad_since: Option<Duration>,
    },
    Warning {
        since: Duration,
        /// What is wrong, as of the last reading that was bad.
        message: String,
        /// The cause has been gone since then.
        good_since: Option<Duration>,
    },
}

impl Gate {
    pub fn new(kind: WarningKind) -> Gate {
        Gate { kind, state: State::Quiet { bad_since: None } }
    }

    pub fn kind(&self) -> WarningKind {
        self.kind
    }

    /// There is no warning, and none is about to begin.
    pub fn is_quiet(&self) -> bool {
        matches!(self.state, State::Quiet { bad_since: None })
    }

    pub fn is_warning(&self) -> bool {
        matches!(self.state, State::Warning { .. })
    }

    pub fn warning(&self, now: Duration) -> Option<Warning> {
        let State::Warning { since, message, .. } = &self.state else { return None };
        let for_ms = u64::try_from(now.saturating_sub(*since).as_millis()).unwrap_or(u64::MAX);
        Some(Warning { kind: self.kind, message: message.clone(), for_ms })
    }

    /// There is a new reading; `words` says what is wrong where it is bad.
    pub fn judge(&mut self, now: Duration, level: Level, words: String) -> Option<Change> {
        match (&mut self.state, level) {
            (State::Quiet { bad_since }, Level::Bad) => {
                let since = *bad_since.get_or_insert(now);
                if now < since + begins_after(self.kind) {
                    return None;
                }
                self.state =
                    State::Warning { since: now, message: words.clone(), good_since: None };
                Some(self.change(true, words))
            }
            (State::Quiet { bad_since }, _) => {
                *bad_since = None;
                None
            }
            (State::Warning { message, good_since, .. }, Level::Bad) => {
                (*message, *good_since) = (words, None);
                None
            }
            (State::Warning { good_since, .. }, Level::Between) => {
                *good_since = None;
                None
            }
            (State::Warning { good_since, .. }, Level::Good) => {
                let since = *good_since.get_or_insert(now);
                if now < since + ends_after(self.kind) { None } else { self.give_up() }
            }
        }
    }

    /// The warning is over at once, because there is nothing left to warn of.
    pub fn give_up(&mut self) -> Option<Change> {
        let was = std::mem::replace(&mut self.state, State::Quiet { bad_since: None });
        match was {
            State::Warning { message, .. } => Some(self.change(false, message)),
            State::Quiet { .. } => None,
        }
    }

    fn change(&self, begun: bool, message: String) -> Change {
        Change::Warning { kind: self.kind, begun, message }
    }
}
