//! How a destination stands.

use std::time::Duration;

use super::{Destination, State, Then, Why};
use crate::appliance::event::{DestinationId, ms};
use crate::limits::BACKOFF_RESET_AFTER;
use crate::panel::Because;
use crate::status::{self, DestinationState as Shown, DestinationStatus};

impl Destination {
    pub fn id(&self) -> DestinationId {
        self.target.id
    }

    pub fn name(&self) -> &str {
        &self.target.name
    }

    /// Part of the settings.
    pub fn is_set(&self) -> bool {
        !self.removed
    }

    /// Set, and there is a key to publish with.
    pub fn is_usable(&self) -> bool {
        !self.removed && self.target.has_key
    }

    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle(_))
    }

    pub fn is_accepted(&self) -> bool {
        matches!(self.state, State::Accepted { .. })
    }

    /// Whether it may still be accepted in this broadcast without anybody's help.
    pub fn has_hope(&self) -> bool {
        match self.state {
            State::Idle(why) => self.is_usable() && why == Why::NotTried,
            State::Closing { then, .. } => !self.removed && then == Then::Connect,
            State::Connecting { .. } | State::Waiting { .. } | State::Accepted { .. } => true,
        }
    }

    /// Whether an attempt of this broadcast has ended.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Removed and closed: to be forgotten.
    pub fn is_gone(&self) -> bool {
        self.removed && self.is_idle()
    }

    pub fn is_removed_and_closing(&self) -> bool {
        self.removed && !self.is_idle()
    }

    /// What stands in its way, as the lights show it.
    pub fn trouble(&self) -> Because {
        self.last_end.as_ref().map_or(Because::Network, |end| end.meaning.row().light)
    }

    /// Why it is idle or waits, in words.
    pub fn sentence(&self) -> String {
        match (&self.state, &self.last_end) {
            (State::Idle(why), _) => format!("{}: {}", self.name(), why.sentence()),
            (_, Some(end)) => format!("{}: {}", self.name(), end.sentence()),
            (_, None) => format!("{}: {}", self.name(), self.shown().name()),
        }
    }

    pub fn shown(&self) -> Shown {
        match self.state {
            State::Idle(_) => Shown::Idle,
            State::Connecting { .. } => Shown::Connecting,
            State::Waiting { .. } => Shown::Waiting,
            State::Accepted { .. } => Shown::Accepted,
            State::Closing { .. } => Shown::Closing,
        }
    }

    pub fn status(&self, now: Duration) -> DestinationStatus {
        let live_for = match self.state {
            State::Accepted { since, .. } => Some(now.saturating_sub(since)),
            _ => None,
        };
        let proven = live_for.is_some_and(|live| live >= BACKOFF_RESET_AFTER);
        DestinationStatus {
            id: self.target.id.0,
            name: self.target.name.clone(),
            has_key: self.target.has_key,
            state: self.shown(),
            server: self.target.has_backup.then_some(self.server),
            idle_because: match self.state {
                State::Idle(why) => Some(why.sentence().to_owned()),
                _ => None,
            },
            attempt: self.attempt,
            failures: if proven { 0 } else { self.failures },
            next_attempt_in_ms: match self.state {
                State::Waiting { until, .. } => Some(ms(until.saturating_sub(now))),
                _ => None,
            },
            live_for_ms: live_for.map(ms),
            reconnects: self.accepted.saturating_sub(1),
            last_end: self.last_end.as_ref().map(|end| status::LastEnd {
                kind: end.meaning.name(),
                message: end.message.clone(),
                advice: end.meaning.row().advice,
                ago_ms: ms(now.saturating_sub(end.at)),
            }),
            stats: None,
        }
    }
}
