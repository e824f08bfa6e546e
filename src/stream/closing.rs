//! How far the graceful close of a connection has come.

use std::time::Duration;

use crate::limits::{ACCEPT_LOOK, HANG_UP_TIMEOUT};

/// How the connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It has not: what was to be waited for is there, or time is up.
    Open,
    /// The server closed it.
    Closed,
    /// The server closed it without having read everything.
    Reset,
    /// The path broke.
    Broken,
}

/// How far the graceful close has come.
#[derive(Debug)]
pub(super) struct Closing {
    pub step: Step,
    pub next_look: Duration,
    /// Set as soon as it is known.
    pub ending: Option<Ending>,
    /// Whether the server acknowledged before the write side was closed. Who has never acknowledged, and
    /// does so while the connection is being closed, will not get around to all of it.
    pub acknowledges: Option<bool>,
}

#[derive(Debug)]
pub(super) enum Step {
    /// Until what was sent has been acknowledged, as long as there is progress.
    Arriving {
        /// What was acknowledged, and what was in flight, at `moved_at`.
        progress: (u64, u32),
        moved_at: Duration,
        ask_after: Duration,
    },
    /// The server's side has ended: a TLS server says so before it closes its socket, which may still be
    /// a reset.
    HungUp { by: Duration },
    /// Until the server has closed its side too.
    ShuttingDown { by: Duration, is_shut: bool },
}

impl Closing {
    pub fn begin(now: Duration, hung_up: bool) -> Closing {
        let step = match hung_up {
            true => Step::HungUp { by: now + HANG_UP_TIMEOUT },
            false => Step::Arriving { progress: (0, 0), moved_at: now, ask_after: ACCEPT_LOOK },
        };
        Closing { step, next_look: now, ending: None, acknowledges: None }
    }

    pub fn wants_shutdown(&self) -> bool {
        self.ending.is_none() && matches!(self.step, Step::ShuttingDown { is_shut: false, .. })
    }

    pub fn may_write(&self) -> bool {
        self.ending.is_none() && matches!(self.step, Step::Arriving { .. })
    }

    pub fn poll_timeout(&self) -> Duration {
        match &self.step {
            _ if self.ending.is_some() => Duration::ZERO,
            Step::Arriving { .. } | Step::HungUp { .. } => self.next_look,
            Step::ShuttingDown { by, .. } => *by,
        }
    }

    pub fn handle_eof(&mut self, now: Duration) {
        match self.step {
            Step::Arriving { .. } => {
                self.step = Step::HungUp { by: now + HANG_UP_TIMEOUT };
                self.next_look = now;
            }
            Step::HungUp { .. } => {}
            Step::ShuttingDown { .. } => self.end(Ending::Closed),
        }
    }

    pub fn handle_broken(&mut self, how: Ending) {
        if !matches!(self.step, Step::HungUp { .. }) {
            self.end(how);
        }
    }

    pub fn handle_shutdown(&mut self) {
        if let Step::ShuttingDown { is_shut, .. } = &mut self.step {
            *is_shut = true;
        }
    }

    pub fn end(&mut self, how: Ending) {
        self.ending.get_or_insert(how);
    }

    pub fn is_hung_up(&self) -> bool {
        matches!(self.step, Step::HungUp { .. })
    }
}
