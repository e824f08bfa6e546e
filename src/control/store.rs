//! Requests to the store: one at a time, in their order; whether the box is to be live goes first.

use std::collections::VecDeque;
use std::time::Duration;

use crate::config::schema::SettingPath;
use crate::config::{Partial, Recipient};
use crate::console::Typed;
use crate::limits::{LIVE_STATE_RETRY_INTERVAL, STORE_REQUESTS_MAX};

/// Something for the store.
#[derive(Debug)]
pub enum StoreRequest {
    /// Change the settings, all of it or nothing.
    Change(Change),
    /// Read the settings again.
    Read,
    /// Erase settings, keys and everything else.
    Reset,
    /// Whether the box is to be live after a power cut.
    PersistLive(bool),
    /// How many wrong PINs were typed in a row, so that a restart takes none of them back.
    WrongPins(u32),
    /// The last minutes, without secrets, as JSON.
    BlackBox(String),
}

/// A change of the stored settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A setting is to have this value.
    Set {
        /// Which.
        path: SettingPath,
        /// The value as it was typed.
        value: Typed,
        /// For a secret: whom it was given for.
        given_for: Vec<Recipient>,
        /// Under which condition.
        only: Only,
    },
    /// Whom a secret is for of which that was not known.
    Bind {
        /// Which.
        path: SettingPath,
        /// Whom it is for.
        given_for: Vec<Recipient>,
    },
    /// A setting is to be removed.
    Unset {
        /// Which.
        path: SettingPath,
    },
    /// Those of these settings that are stored are to be removed.
    UnsetAll {
        /// Which.
        paths: Vec<SettingPath>,
    },
    /// All of a destination is to be removed.
    RemoveDestination {
        /// Its name.
        name: String,
    },
}

/// What must be stored of a setting's destination when a change reaches the store: others may have
/// changed it since the request was understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Only {
    /// It does not matter.
    Always,
    /// Nothing: it is added.
    IfNew,
    /// Something: it is changed.
    IfThere,
}

/// Why a change is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreFailure {
    /// The setting was not stored.
    NotSet,
    /// There is such a destination already.
    Exists,
    /// There is no such destination any more.
    Gone,
    /// In words.
    Other(String),
}

/// What became of a request.
#[derive(Debug)]
pub struct StoreOutcome {
    /// What is stored from now on, when that is known.
    pub stored: Option<Partial>,
    /// Why the request failed, if it did. After a reset that has left something behind both are set.
    pub failure: Option<StoreFailure>,
}

impl Change {
    /// Carries the change out.
    ///
    /// # Errors
    /// Why it is refused; nothing is changed then.
    pub fn apply(&self, partial: &mut Partial) -> Result<(), StoreFailure> {
        let refused = |error: &dyn std::fmt::Display| StoreFailure::Other(error.to_string());
        let was_set = match self {
            Change::Set { path, value, given_for, only } => {
                let is_there = path.destination().is_some_and(|name| partial.names(name));
                match only {
                    Only::IfNew if is_there => return Err(StoreFailure::Exists),
                    Only::IfThere if !is_there => return Err(StoreFailure::Gone),
                    Only::Always | Only::IfNew | Only::IfThere => {}
                }
                partial.set_at(path.clone(), &value.0).map_err(|error| refused(&error))?;
                partial.remember_given_for(path, given_for.clone());
                return Ok(());
            }
            Change::Bind { path, given_for } => {
                let is_unbound = partial.unbound().contains(path);
                if is_unbound {
                    partial.remember_given_for(path, given_for.clone());
                }
                is_unbound
            }
            Change::Unset { path } => partial.unset_at(path),
            Change::UnsetAll { paths } => {
                paths.iter().filter(|path| partial.unset_at(path)).count() > 0
            }
            Change::RemoveDestination { name } => partial.remove_destination(name),
        };
        if was_set { Ok(()) } else { Err(StoreFailure::NotSet) }
    }
}

impl std::fmt::Display for StoreFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StoreFailure::NotSet => f.write_str("it was not set here"),
            StoreFailure::Exists => f.write_str("there is such a destination already"),
            StoreFailure::Gone => f.write_str("there is no such destination any more"),
            StoreFailure::Other(why) => f.write_str(why),
        }
    }
}

/// What waits for the store, each with who waits for it (`P`), and whether the box is to be live.
#[derive(Debug)]
pub(super) struct StoreQueue<P> {
    under_way: Option<UnderWay<P>>,
    waiting: VecDeque<(StoreRequest, P)>,
    can_store: bool,
    live: LiveState,
}

#[derive(Debug)]
enum UnderWay<P> {
    Request(P),
    Live(bool),
}

/// Whether the box is to be live, until that is written: the latest value counts.
#[derive(Debug, Default)]
struct LiveState {
    unwritten: Option<bool>,
    /// The value that was given last, if any.
    latest: Option<bool>,
    /// The last try to write it failed; when it is tried again.
    retry_at: Option<Duration>,
}

/// What an outcome was of.
#[derive(Debug)]
pub(super) enum Done<P> {
    /// A request.
    Request(P, StoreOutcome),
    /// The live state could not be written, for the first time in a row.
    LiveUnwritten(String),
    /// It is written after all.
    LiveWritten,
    /// Nothing to report.
    Nothing,
}

impl<P> StoreQueue<P> {
    pub fn new(can_store: bool) -> StoreQueue<P> {
        StoreQueue {
            under_way: None,
            waiting: VecDeque::new(),
            can_store,
            live: LiveState::default(),
        }
    }

    /// Queues a request.
    pub fn push(&mut self, request: StoreRequest, pending: P) -> Result<(), &'static str> {
        if !self.can_store {
            return Err("this box has no place to store settings");
        }
        if self.waiting.len() >= STORE_REQUESTS_MAX {
            return Err("the disk does not keep up; try again");
        }
        self.waiting.push_back((request, pending));
        Ok(())
    }

    /// The box is to be live after a power cut, or not.
    pub fn persist_live(&mut self, live: bool) {
        if self.can_store {
            self.live.unwritten = Some(live);
            self.live.latest = Some(live);
        }
    }

    /// A factory reset has erased the live state; one that was written while the reset waited is
    /// written again.
    pub fn live_erased(&mut self) {
        self.live.unwritten = self.live.latest.filter(|live| *live).or(self.live.unwritten);
    }

    /// The next request for the store, when it has none.
    pub fn poll(&mut self, now: Duration) -> Option<StoreRequest> {
        if self.under_way.is_some() {
            return None;
        }
        if let Some(live) = self.live.unwritten
            && self.live.retry_at.is_none_or(|at| now >= at)
        {
            self.under_way = Some(UnderWay::Live(live));
            return Some(StoreRequest::PersistLive(live));
        }
        let (request, pending) = self.waiting.pop_front()?;
        self.under_way = Some(UnderWay::Request(pending));
        Some(request)
    }

    /// The store has answered.
    pub fn answered(&mut self, now: Duration, outcome: StoreOutcome) -> Done<P> {
        match (self.under_way.take(), &outcome.failure) {
            (None, _) => Done::Nothing,
            (Some(UnderWay::Request(pending)), _) => Done::Request(pending, outcome),
            (Some(UnderWay::Live(live)), None) => {
                self.live.unwritten = self.live.unwritten.filter(|latest| *latest != live);
                match self.live.retry_at.take() {
                    Some(_) => Done::LiveWritten,
                    None => Done::Nothing,
                }
            }
            (Some(UnderWay::Live(_)), Some(why)) => {
                let is_first = self.live.retry_at.is_none();
                self.live.retry_at = Some(now + LIVE_STATE_RETRY_INTERVAL);
                if is_first { Done::LiveUnwritten(why.to_string()) } else { Done::Nothing }
            }
        }
    }

    /// When [`StoreQueue::poll`] may give something that it did not give before.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.live.retry_at.filter(|_| self.under_way.is_none() && self.live.unwritten.is_some())
    }
}
