//! The sub-machine of one destination.

#[cfg(test)]
mod tests;
mod view;

use std::collections::VecDeque;
use std::time::Duration;

use super::action::{Action, PublishOrder};
use super::backoff;
use super::event::{PublishEvent, Target, bounded};
use crate::ending::{Evidence, Meaning, Series};
use crate::limits::{
    ATTEMPT_TIMEOUT, BACKOFF_RESET_AFTER, NETWORK_CHANGE_GRACE, RETURN_FIRST, RETURN_MAX,
    STOPPING_TIMEOUT, WAIT_CUT_MIN,
};
use crate::status::{Change, Clock, Server};

/// What all destinations share while one of them handles something.
pub(super) struct Context<'a> {
    pub now: Duration,
    pub clock: Clock,
    pub rng: &'a mut fastrand::Rng,
    /// The last attempt number given out; one counter for all destinations, so that a number is
    /// never used twice, not even by a destination that was removed and set again.
    pub attempts: &'a mut u64,
    pub actions: &'a mut VecDeque<Action>,
}

/// One destination: its target, the state, and what is remembered of earlier attempts.
#[derive(Debug)]
pub(super) struct Destination {
    target: Target,
    /// Dropped from the settings; forgotten as soon as its connection is closed.
    removed: bool,
    state: State,
    /// The current or last attempt; 0 before the first.
    attempt: u64,
    /// The server of that attempt.
    server: Server,
    /// Failures in a row, for the back-off.
    failures: u32,
    /// Looks at the first server since it last held for a while.
    returns: u32,
    /// Times accepted in this broadcast.
    accepted: u64,
    /// Whether an attempt has ended in this broadcast.
    ended: bool,
    last_end: Option<LastEnd>,
    /// What the ends so far show together.
    series: Series,
}

/// What the destination does.
///
/// ```text
///              Open{attempt}                  accepted
///  ┌──────┐                   ┌────────────┐            ┌──────────┐
///  │ Idle ├──────────────────►│ Connecting ├───────────►│ Accepted │
///  │ why  │                   └┬────▲────┬─┘            └──┬─────┬─┘
///  └▲────▲┘             ended, │    │    │                 │     │
///   │    │              retry  │    │    │    ended, retry │     │
///   │    │                     │    │until                 │     │
///   │    │  Stop    ┌──────────▼────┴──┐ │                 │     │
///   │    └──────────┤ Waiting{until}   │◄┼─────────────────┘     │
///   │               └──────────────────┘ │                       │
///   │ ended, or                     Stop, removed, or changed    │
///   │ deadline      ┌────────────────────▼───────────────────────▼──┐
///   └───────────────┤ Closing{deadline, then: Idle or Connecting}   │
///                   └───────────────────────────────────────────────┘
///   (ended for good — kicked, bad settings — from Connecting or Accepted: → Idle with its reason)
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle(Why),
    /// `restart_at`: when an attempt that a change of the network may have left hanging is made again.
    Connecting {
        since: Duration,
        restart_at: Option<Duration>,
    },
    Waiting {
        since: Duration,
        until: Duration,
        after: Meaning,
    },
    /// `here_since`: by this server; `look_back`: at the backup server, when to try the first one.
    Accepted {
        since: Duration,
        here_since: Duration,
        look_back: Option<Duration>,
    },
    Closing {
        deadline: Duration,
        then: Then,
    },
}

/// Why a destination is idle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// Not tried yet in this broadcast, or not since it goes on; the only reason that going on air overcomes.
    NotTried,
    Stopped,
    NoKey,
    Kicked,
    BadDestination,
    Removed,
}

/// What follows a closed connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Idle(Why),
    Connect,
}

#[derive(Debug)]
struct LastEnd {
    meaning: Meaning,
    message: String,
    at: Duration,
}

impl Why {
    fn sentence(self) -> &'static str {
        match self {
            Why::NotTried => "not live",
            Why::Stopped => "stopped",
            Why::NoKey => "no stream key is set",
            Why::Kicked => {
                "another encoder took over with the same stream key, or somebody ended the stream there"
            }
            Why::BadDestination => "its settings cannot work",
            Why::Removed => "removed from the settings",
        }
    }
}

impl Destination {
    pub fn new(target: Target) -> Destination {
        Destination {
            target,
            removed: false,
            state: State::Idle(Why::NotTried),
            attempt: 0,
            server: Server::First,
            failures: 0,
            returns: 0,
            accepted: 0,
            ended: false,
            last_end: None,
            series: Series::default(),
        }
    }

    /// A stream may have been live there until now, before this program started.
    pub fn was_live(&mut self, now: Duration) {
        self.series = Series::after_power_cut(now);
    }

    // ── what happens to it ────────────────────────────────────────────────────────────────────

    /// A new broadcast begins: what was remembered of the last one no longer counts.
    pub fn begin_broadcast(&mut self) {
        debug_assert!(self.is_idle(), "a broadcast begins after the last one was closed");
        self.start_over();
        self.series.begin();
        self.accepted = 0;
        self.ended = false;
        self.last_end = None;
        self.state = State::Idle(self.rest());
    }

    /// The broadcast that a fault ended goes on: what a server has ended for good stays so, and what
    /// was learnt of servers still counts.
    pub fn go_on(&mut self) {
        debug_assert!(self.is_idle(), "a broadcast goes on after it was closed");
        self.ended = false;
        if self.state == State::Idle(Why::Stopped) {
            self.state = State::Idle(self.rest());
        }
    }

    /// What was learnt of servers that are no longer meant does not count.
    fn start_over(&mut self) {
        self.failures = 0;
        self.returns = 0;
        self.server = Server::First;
    }

    /// There is something to send: the first attempt of a destination that was not tried yet.
    pub fn go_live(&mut self, context: &mut Context<'_>) {
        if self.state == State::Idle(Why::NotTried) && self.is_usable() {
            self.connect(context);
        }
    }

    /// The broadcast ends.
    pub fn stop(&mut self, context: &mut Context<'_>) {
        match self.state {
            State::Idle(_) => {}
            State::Waiting { .. } => self.enter(context, State::Idle(Why::Stopped), "stopped"),
            State::Connecting { .. } | State::Accepted { .. } => {
                self.close(context, Then::Idle(Why::Stopped), "stopped");
            }
            State::Closing { deadline, .. } => {
                let why = if self.removed { Why::Removed } else { Why::Stopped };
                self.state = State::Closing { deadline, then: Then::Idle(why) };
            }
        }
    }

    /// The settings describe it so from now on; `sending` while the box is on air.
    pub fn retarget(&mut self, context: &mut Context<'_>, target: Target, sending: bool) {
        let changed = target.revision != self.target.revision
            || target.has_key != self.target.has_key
            || target.has_backup != self.target.has_backup
            || self.removed;
        self.target = target;
        self.removed = false;
        if !changed {
            return;
        }
        self.start_over();
        self.series = Series::default();
        let has_key = self.target.has_key;
        let then = if has_key { Then::Connect } else { Then::Idle(Why::NoKey) };
        match self.state {
            State::Idle(_) => {
                self.state = State::Idle(self.rest());
                if sending {
                    self.go_live(context);
                }
            }
            State::Waiting { .. } => self.follow(context, then, "the settings changed"),
            State::Connecting { .. } | State::Accepted { .. } => {
                self.close(context, then, "the settings changed");
            }
            State::Closing { deadline, .. } if sending => {
                self.state = State::Closing { deadline, then };
            }
            State::Closing { deadline, .. } => {
                self.state = State::Closing { deadline, then: Then::Idle(Why::Stopped) };
            }
        }
    }

    /// The settings no longer know it.
    pub fn remove(&mut self, context: &mut Context<'_>) {
        self.removed = true;
        match self.state {
            State::Idle(_) => {}
            State::Waiting { .. } => {
                self.enter(context, State::Idle(Why::Removed), Why::Removed.sentence());
            }
            State::Connecting { .. } | State::Accepted { .. } => {
                self.close(context, Then::Idle(Why::Removed), Why::Removed.sentence());
            }
            State::Closing { deadline, .. } => {
                self.state = State::Closing { deadline, then: Then::Idle(Why::Removed) };
            }
        }
    }

    /// Its publish task reports. Whatever belongs to another attempt than the current one, or to
    /// one that is already given up, changes nothing.
    pub fn handle(&mut self, context: &mut Context<'_>, attempt: u64, what: PublishEvent) {
        if attempt != self.attempt {
            return;
        }
        match (self.state, what) {
            (State::Connecting { .. }, PublishEvent::Accepted) => self.be_accepted(context),
            (State::Connecting { since, .. }, PublishEvent::Ended { evidence, message }) => {
                let meaning = self.series.judge(context.now, evidence, None);
                self.ended(context, since, meaning, &message);
                self.server = self.server_after(meaning);
            }
            (State::Accepted { here_since, .. }, PublishEvent::Ended { evidence, message }) => {
                let live_for = context.now.saturating_sub(here_since);
                if live_for >= BACKOFF_RESET_AFTER {
                    self.failures = 0;
                    self.returns = if self.server == Server::First { 0 } else { self.returns };
                }
                let meaning = self.series.judge(context.now, evidence, Some(live_for));
                self.ended(context, context.now, meaning, &message);
            }
            (State::Accepted { since, .. }, PublishEvent::Returned)
                if self.server == Server::Backup =>
            {
                self.server = Server::First;
                let state = State::Accepted { since, here_since: context.now, look_back: None };
                self.enter(context, state, "back at the first server");
            }
            (State::Closing { then, .. }, PublishEvent::Ended { .. }) => {
                self.follow(context, then, "closed");
            }
            (
                State::Idle(_)
                | State::Waiting { .. }
                | State::Accepted { .. }
                | State::Closing { .. },
                PublishEvent::Accepted,
            )
            | (State::Idle(_) | State::Waiting { .. }, PublishEvent::Ended { .. })
            | (_, PublishEvent::Returned) => {}
        }
    }

    /// Somebody asks to try again now.
    pub fn hurry(&mut self, context: &mut Context<'_>) {
        if let State::Waiting { since, until, after } = self.state {
            let until = until.min(context.now.max(since + WAIT_CUT_MIN));
            self.state = State::Waiting { since, until, after };
            self.handle_timeout(context);
        }
    }

    /// The network changed: what waits for it waits no longer, and an attempt under way that is not
    /// through soon is made again.
    pub fn network_changed(&mut self, context: &mut Context<'_>) {
        match self.state {
            State::Waiting { after, .. } if after.row().network_may_help => self.hurry(context),
            State::Connecting { since, .. } => {
                let restart_at = Some(context.now.max(since + NETWORK_CHANGE_GRACE));
                self.state = State::Connecting { since, restart_at };
                self.handle_timeout(context);
            }
            _ => {}
        }
    }

    /// The address from which this attempt is connected is gone: it will never deliver again.
    pub fn stranded(&mut self, context: &mut Context<'_>, attempt: u64) {
        let is_connected = matches!(self.state, State::Connecting { .. } | State::Accepted { .. });
        if attempt == self.attempt && is_connected {
            self.cut(context);
            let message = "the network card that it came from is lost, or the address there";
            let live_for = match self.state {
                State::Accepted { here_since, .. } => Some(context.now.saturating_sub(here_since)),
                _ => None,
            };
            let meaning = self.series.judge(context.now, Evidence::Lost, live_for);
            self.ended(context, context.now, meaning, message);
            self.hurry(context);
        }
    }

    /// The time of day can be trusted now.
    pub fn clock_trusted(&mut self, context: &mut Context<'_>) {
        if let State::Waiting {
            after: Meaning::Certificate | Meaning::CertificateNotYetValid,
            ..
        } = self.state
        {
            self.hurry(context);
        }
    }

    /// When [`Destination::handle_timeout`] should be called.
    pub fn poll_timeout(&self) -> Option<Duration> {
        match self.state {
            State::Idle(_) => None,
            State::Accepted { look_back, .. } => look_back,
            State::Connecting { since, restart_at } => {
                let deadline = since + ATTEMPT_TIMEOUT;
                Some(restart_at.map_or(deadline, |restart_at| restart_at.min(deadline)))
            }
            State::Closing { deadline, .. } => Some(deadline),
            State::Waiting { until, .. } => Some(until),
        }
    }

    /// Time has come to `context.now`; harmless when nothing is due.
    pub fn handle_timeout(&mut self, context: &mut Context<'_>) {
        if self.poll_timeout().is_none_or(|due| context.now < due) {
            return;
        }
        match self.state {
            State::Idle(_) => {}
            State::Waiting { .. } => self.connect(context),
            State::Connecting { restart_at: Some(_), .. } => {
                self.cut(context);
                self.ended = true;
                self.connect_because(context, "the network changed: ");
            }
            State::Connecting { since, restart_at: None } => {
                self.cut(context);
                let meaning = self.series.judge(context.now, Evidence::Timeout, None);
                self.ended(context, since, meaning, "no answer from the publish task");
                self.server = self.server_after(meaning);
            }
            State::Accepted { since, here_since, .. } => {
                let look_back = self.look_back(context.now);
                self.state = State::Accepted { since, here_since, look_back };
                let order = PublishOrder::Return { dest: self.target.id, attempt: self.attempt };
                context.actions.push_back(Action::Publish(order));
            }
            State::Closing { .. } => self.force_close(context),
        }
    }

    /// The connection has not closed in time: cut it.
    pub fn force_close(&mut self, context: &mut Context<'_>) {
        if let State::Closing { then, .. } = self.state {
            self.cut(context);
            self.follow(context, then, "closed by force");
        }
    }

    // ── transitions ───────────────────────────────────────────────────────────────────────────

    fn connect(&mut self, context: &mut Context<'_>) {
        self.connect_because(context, "");
    }

    fn connect_because(&mut self, context: &mut Context<'_>, why: &str) {
        *context.attempts += 1;
        self.attempt = *context.attempts;
        let (attempt, server) = (self.attempt, self.server);
        let because = match server {
            Server::First => format!("{why}attempt {attempt}"),
            Server::Backup => format!("{why}attempt {attempt}, at the backup server"),
        };
        self.enter(context, State::Connecting { since: context.now, restart_at: None }, &because);
        let order = PublishOrder::Open { dest: self.target.id, attempt, server };
        context.actions.push_back(Action::Publish(order));
    }

    fn be_accepted(&mut self, context: &mut Context<'_>) {
        self.accepted += 1;
        let look_back = match self.server {
            Server::First => None,
            Server::Backup => self.look_back(context.now),
        };
        let because = format!("attempt {}", self.attempt);
        let state = State::Accepted { since: context.now, here_since: context.now, look_back };
        self.enter(context, state, &because);
    }

    /// When to look at the first server next.
    fn look_back(&mut self, now: Duration) -> Option<Duration> {
        let wait = (RETURN_FIRST * (1 << self.returns.min(16))).min(RETURN_MAX);
        self.returns = self.returns.saturating_add(1);
        Some(now + wait)
    }

    /// The server of the next attempt, when one failed so before it was accepted.
    fn server_after(&self, meaning: Meaning) -> Server {
        match (self.server, meaning) {
            _ if !self.target.has_backup => Server::First,
            // The key is the same there, and the clock too.
            (_, Meaning::KeyRefused | Meaning::CertificateNotYetValid) => Server::First,
            (Server::First, _) => Server::Backup,
            (Server::Backup, _) => Server::First,
        }
    }

    fn close(&mut self, context: &mut Context<'_>, then: Then, because: &str) {
        self.ended = true;
        self.enter(
            context,
            State::Closing { deadline: context.now + STOPPING_TIMEOUT, then },
            because,
        );
        self.order_close(context, true);
    }

    fn cut(&mut self, context: &mut Context<'_>) {
        self.order_close(context, false);
    }

    fn order_close(&mut self, context: &mut Context<'_>, polite: bool) {
        let order = PublishOrder::Close { dest: self.target.id, attempt: self.attempt, polite };
        context.actions.push_back(Action::Publish(order));
    }

    fn follow(&mut self, context: &mut Context<'_>, then: Then, because: &str) {
        match then {
            Then::Idle(why) => self.enter(context, State::Idle(why), because),
            Then::Connect => self.connect(context),
        }
    }

    /// The current attempt has ended against our will. The wait counts from `since`, the begin of an
    /// attempt that was in vain: otherwise one that takes long to fail adds its time to the wait.
    fn ended(
        &mut self,
        context: &mut Context<'_>,
        since: Duration,
        meaning: Meaning,
        message: &str,
    ) {
        self.ended = true;
        self.failures = self.failures.saturating_add(1);
        let end = LastEnd { meaning, message: bounded(message), at: context.now };
        let because = end.sentence();
        self.last_end = Some(end);
        let state = match backoff::after(meaning, self.failures, context.clock, context.rng) {
            Some(wait) => {
                let until = (since + wait).max(context.now + WAIT_CUT_MIN);
                State::Waiting { since: context.now, until, after: meaning }
            }
            None if meaning == Meaning::Kicked => State::Idle(Why::Kicked),
            None => State::Idle(Why::BadDestination),
        };
        self.enter(context, state, &because);
    }

    /// The state of a destination that nobody has tried yet.
    fn rest(&self) -> Why {
        if self.target.has_key { Why::NotTried } else { Why::NoKey }
    }

    fn enter(&mut self, context: &mut Context<'_>, state: State, because: &str) {
        let from = self.shown();
        self.state = state;
        let change = Change::Destination {
            name: self.target.name.clone(),
            from,
            to: self.shown(),
            because: because.to_owned(),
        };
        context.actions.push_back(Action::Report(change));
    }
}

impl LastEnd {
    fn sentence(&self) -> String {
        let name = self.meaning.name();
        let sentence = match self.message.as_str() {
            "" => name.to_owned(),
            message => format!("{name}: {message}"),
        };
        self.meaning.with_advice(&sentence)
    }
}
