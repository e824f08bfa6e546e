//! The sub-machine of one destination.

use std::collections::VecDeque;
use std::time::Duration;

use super::action::{Action, PublishOrder, To};
use super::backoff::{self, Next};
use super::event::{DestinationId, EndKind, PublishEvent, Target, bounded, ms};
use crate::console::{self, Change, Clock, DestinationState as Shown, DestinationStatus, Reply};
use crate::limits::{ATTEMPT_TIMEOUT, BACKOFF_RESET_AFTER, STOPPING_TIMEOUT, WAIT_CUT_MIN};
use crate::panel::Because;

/// What all destinations share while one of them handles something.
pub(super) struct Desk<'a> {
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
    /// Failures in a row, for the back-off.
    failures: u32,
    /// Times accepted in this broadcast.
    accepted: u64,
    /// Whether an attempt has ended in this broadcast.
    ended: bool,
    last_end: Option<LastEnd>,
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
    Connecting { deadline: Duration },
    Waiting { since: Duration, until: Duration, after: EndKind },
    Accepted { since: Duration },
    Closing { deadline: Duration, then: Then },
}

/// Why a destination is idle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// Not tried yet in this broadcast; the only reason that going on air overcomes.
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
    kind: EndKind,
    said: String,
    at: Duration,
}

impl Why {
    fn sentence(self) -> &'static str {
        match self {
            Why::NotTried => "not live",
            Why::Stopped => "stopped",
            Why::NoKey => "no stream key is set",
            Why::Kicked => "another encoder took over with the same stream key",
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
            failures: 0,
            accepted: 0,
            ended: false,
            last_end: None,
        }
    }

    // ── getters ───────────────────────────────────────────────────────────────────────────────

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

    /// What stands in its way, as the lights tell it.
    pub fn trouble(&self) -> Because {
        match self.last_end.as_ref().map(|end| end.kind) {
            Some(EndKind::KeyRefused | EndKind::Rejected | EndKind::BadDestination) => {
                Because::Refused
            }
            Some(EndKind::Certificate { .. }) => Because::Certificate,
            Some(EndKind::Busy | EndKind::Kicked) => Because::Busy,
            _ => Because::Network,
        }
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
            State::Accepted { since } => Some(now.saturating_sub(since)),
            _ => None,
        };
        let proven = live_for.is_some_and(|live| live >= BACKOFF_RESET_AFTER);
        DestinationStatus {
            id: self.target.id.0,
            name: self.target.name.clone(),
            has_key: self.target.has_key,
            state: self.shown(),
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
            last_end: self.last_end.as_ref().map(|end| console::LastEnd {
                kind: end.kind.name(),
                said: end.said.clone(),
                ago_ms: ms(now.saturating_sub(end.at)),
            }),
            numbers: None,
        }
    }

    // ── what happens to it ────────────────────────────────────────────────────────────────────

    /// A new broadcast begins: what was remembered of the last one no longer counts.
    pub fn begin_broadcast(&mut self) {
        debug_assert!(self.is_idle(), "a broadcast begins after the last one was closed");
        self.failures = 0;
        self.accepted = 0;
        self.ended = false;
        self.last_end = None;
        self.state = State::Idle(self.rest());
    }

    /// There is something to send: the first attempt of a destination that was not tried yet.
    pub fn go_live(&mut self, desk: &mut Desk<'_>) {
        if self.state == State::Idle(Why::NotTried) && self.is_usable() {
            self.connect(desk);
        }
    }

    /// The broadcast ends.
    pub fn stop(&mut self, desk: &mut Desk<'_>) {
        match self.state {
            State::Idle(_) => {}
            State::Waiting { .. } => self.enter(desk, State::Idle(Why::Stopped), "stopped"),
            State::Connecting { .. } | State::Accepted { .. } => {
                self.close(desk, Then::Idle(Why::Stopped), "stopped");
            }
            State::Closing { deadline, .. } => {
                let why = if self.removed { Why::Removed } else { Why::Stopped };
                self.state = State::Closing { deadline, then: Then::Idle(why) };
            }
        }
    }

    /// The settings describe it so from now on; `sending` while the box is on air.
    pub fn retarget(&mut self, desk: &mut Desk<'_>, target: Target, sending: bool) {
        let changed = target.revision != self.target.revision
            || target.has_key != self.target.has_key
            || self.removed;
        self.target = target;
        self.removed = false;
        if !changed {
            return;
        }
        let has_key = self.target.has_key;
        let then = if has_key { Then::Connect } else { Then::Idle(Why::NoKey) };
        match self.state {
            State::Idle(_) => {
                self.failures = 0;
                self.state = State::Idle(self.rest());
                if sending {
                    self.go_live(desk);
                }
            }
            State::Waiting { .. } => {
                self.failures = 0;
                self.follow(desk, then, "the settings changed");
            }
            State::Connecting { .. } | State::Accepted { .. } => {
                self.failures = 0;
                self.close(desk, then, "the settings changed");
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
    pub fn remove(&mut self, desk: &mut Desk<'_>) {
        self.removed = true;
        match self.state {
            State::Idle(_) => {}
            State::Waiting { .. } => {
                self.enter(desk, State::Idle(Why::Removed), Why::Removed.sentence());
            }
            State::Connecting { .. } | State::Accepted { .. } => {
                self.close(desk, Then::Idle(Why::Removed), Why::Removed.sentence());
            }
            State::Closing { deadline, .. } => {
                self.state = State::Closing { deadline, then: Then::Idle(Why::Removed) };
            }
        }
    }

    /// Its publish task reports. Whatever belongs to another attempt than the current one, or to
    /// one that is already given up, changes nothing.
    pub fn hear(&mut self, desk: &mut Desk<'_>, attempt: u64, what: PublishEvent) {
        if attempt != self.attempt {
            return;
        }
        match (self.state, what) {
            (State::Connecting { .. }, PublishEvent::Accepted) => {
                self.accepted += 1;
                self.enter(desk, State::Accepted { since: desk.now }, &said(attempt));
            }
            (State::Connecting { .. }, PublishEvent::Ended { kind, said }) => {
                self.ended(desk, kind, &said);
            }
            (State::Accepted { since }, PublishEvent::Ended { kind, said }) => {
                if desk.now.saturating_sub(since) >= BACKOFF_RESET_AFTER {
                    self.failures = 0;
                }
                self.ended(desk, kind, &said);
            }
            (State::Closing { then, .. }, PublishEvent::Ended { .. }) => {
                self.follow(desk, then, "closed");
            }
            (
                State::Idle(_)
                | State::Waiting { .. }
                | State::Accepted { .. }
                | State::Closing { .. },
                PublishEvent::Accepted,
            )
            | (State::Idle(_) | State::Waiting { .. }, PublishEvent::Ended { .. }) => {}
        }
    }

    /// Somebody asks to try again now.
    pub fn hurry(&mut self, desk: &mut Desk<'_>) {
        if let State::Waiting { since, until, after } = self.state {
            let until = until.min(desk.now.max(since + WAIT_CUT_MIN));
            self.state = State::Waiting { since, until, after };
            self.handle_timeout(desk);
        }
    }

    /// The network changed.
    pub fn network_changed(&mut self, desk: &mut Desk<'_>) {
        if matches!(self.state, State::Waiting { after, .. } if backoff::network_may_help(after)) {
            self.hurry(desk);
        }
    }

    /// The time of day can be trusted now.
    pub fn clock_trusted(&mut self, desk: &mut Desk<'_>) {
        if matches!(self.state, State::Waiting { after: EndKind::Certificate { .. }, .. }) {
            self.hurry(desk);
        }
    }

    /// When [`Destination::handle_timeout`] should be called.
    pub fn poll_timeout(&self) -> Option<Duration> {
        match self.state {
            State::Idle(_) | State::Accepted { .. } => None,
            State::Connecting { deadline } | State::Closing { deadline, .. } => Some(deadline),
            State::Waiting { until, .. } => Some(until),
        }
    }

    /// Time has come to `desk.now`; harmless when nothing is due.
    pub fn handle_timeout(&mut self, desk: &mut Desk<'_>) {
        if self.poll_timeout().is_none_or(|due| desk.now < due) {
            return;
        }
        match self.state {
            State::Idle(_) | State::Accepted { .. } => {}
            State::Waiting { .. } => self.connect(desk),
            State::Connecting { .. } => {
                self.cut(desk);
                self.ended(desk, EndKind::Timeout, "no answer from the publish task");
            }
            State::Closing { .. } => self.force_close(desk),
        }
    }

    /// The connection has not closed in time: cut it.
    pub fn force_close(&mut self, desk: &mut Desk<'_>) {
        if let State::Closing { then, .. } = self.state {
            self.cut(desk);
            self.follow(desk, then, "closed by force");
        }
    }

    // ── transitions ───────────────────────────────────────────────────────────────────────────

    fn connect(&mut self, desk: &mut Desk<'_>) {
        *desk.attempts += 1;
        self.attempt = *desk.attempts;
        self.enter(
            desk,
            State::Connecting { deadline: desk.now + ATTEMPT_TIMEOUT },
            &said(self.attempt),
        );
        let order = PublishOrder::Open { dest: self.target.id, attempt: self.attempt };
        desk.actions.push_back(Action::Publish(order));
    }

    fn close(&mut self, desk: &mut Desk<'_>, then: Then, because: &str) {
        self.ended = true;
        self.enter(desk, State::Closing { deadline: desk.now + STOPPING_TIMEOUT, then }, because);
        self.order_close(desk, true);
    }

    fn cut(&mut self, desk: &mut Desk<'_>) {
        self.order_close(desk, false);
    }

    fn order_close(&mut self, desk: &mut Desk<'_>, polite: bool) {
        let order = PublishOrder::Close { dest: self.target.id, attempt: self.attempt, polite };
        desk.actions.push_back(Action::Publish(order));
    }

    fn follow(&mut self, desk: &mut Desk<'_>, then: Then, because: &str) {
        match then {
            Then::Idle(why) => self.enter(desk, State::Idle(why), because),
            Then::Connect => self.connect(desk),
        }
    }

    /// The current attempt has ended against our will.
    fn ended(&mut self, desk: &mut Desk<'_>, kind: EndKind, said: &str) {
        self.ended = true;
        self.failures = self.failures.saturating_add(1);
        let end = LastEnd { kind, said: bounded(said), at: desk.now };
        let because = end.sentence();
        self.last_end = Some(end);
        let state = match backoff::after(kind, self.failures, desk.clock, desk.rng) {
            Next::Wait(wait) => {
                State::Waiting { since: desk.now, until: desk.now + wait, after: kind }
            }
            Next::Never if kind == EndKind::Kicked => State::Idle(Why::Kicked),
            Next::Never => State::Idle(Why::BadDestination),
        };
        self.enter(desk, state, &because);
    }

    /// The state of a destination that nobody has tried yet.
    fn rest(&self) -> Why {
        if self.target.has_key { Why::NotTried } else { Why::NoKey }
    }

    fn enter(&mut self, desk: &mut Desk<'_>, state: State, because: &str) {
        let from = self.shown();
        self.state = state;
        let change = Change::Destination {
            name: self.target.name.clone(),
            from,
            to: self.shown(),
            because: because.to_owned(),
        };
        desk.actions.push_back(Action::Say { to: To::Everyone, reply: Reply::Changed(change) });
    }
}

impl LastEnd {
    fn sentence(&self) -> String {
        if self.said.is_empty() {
            self.kind.name().to_owned()
        } else {
            format!("{}: {}", self.kind.name(), self.said)
        }
    }
}

fn said(attempt: u64) -> String {
    format!("attempt {attempt}")
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Rig {
        destination: Destination,
        now: Duration,
        rng: fastrand::Rng,
        attempts: u64,
        opened: usize,
    }

    impl Rig {
        fn connecting() -> Rig {
            let target =
                Target { id: DestinationId(0), name: "a".to_owned(), revision: 1, has_key: true };
            let mut rig = Rig {
                destination: Destination::new(target),
                now: Duration::ZERO,
                rng: fastrand::Rng::with_seed(1),
                attempts: 0,
                opened: 0,
            };
            rig.with(|destination, desk| destination.go_live(desk));
            rig
        }

        fn with(&mut self, what: impl FnOnce(&mut Destination, &mut Desk<'_>)) {
            let mut actions = VecDeque::new();
            let mut desk = Desk {
                now: self.now,
                clock: Clock::Trusted,
                rng: &mut self.rng,
                attempts: &mut self.attempts,
                actions: &mut actions,
            };
            what(&mut self.destination, &mut desk);
            let open =
                |action: &&Action| matches!(action, Action::Publish(PublishOrder::Open { .. }));
            self.opened += actions.iter().filter(open).count();
        }

        fn hear(&mut self, what: PublishEvent) {
            let attempt = self.attempts;
            self.with(|destination, desk| destination.hear(desk, attempt, what));
        }

        fn end(&mut self, kind: EndKind) {
            self.hear(PublishEvent::Ended { kind, said: String::new() });
        }

        fn wait_out(&mut self) -> Duration {
            let due = self.destination.poll_timeout().expect("it waits");
            let wait = due - self.now;
            self.now = due;
            self.with(|destination, desk| destination.handle_timeout(desk));
            wait
        }
    }

    #[test]
    fn a_network_that_flaps_cannot_make_the_box_hammer_a_server() {
        let mut rig = Rig::connecting();
        while rig.now < Duration::from_secs(10) {
            if rig.destination.shown() == Shown::Connecting {
                rig.end(EndKind::Unreachable);
            }
            rig.with(|destination, desk| destination.network_changed(desk));
            rig.now += Duration::from_millis(1);
            rig.with(|destination, desk| destination.handle_timeout(desk));
        }
        assert!((2..=42).contains(&rig.opened), "{} attempts in 10 s", rig.opened);
    }

    #[test]
    fn a_silent_attempt_is_cut_and_counts_as_a_failure() {
        let mut rig = Rig::connecting();
        assert_eq!(rig.wait_out(), ATTEMPT_TIMEOUT);
        assert_eq!(rig.destination.shown(), Shown::Waiting);
        assert_eq!(rig.destination.status(rig.now).failures, 1);
    }

    #[test]
    fn a_minute_live_lets_the_waits_start_small_again() {
        for (live_s, expected_failures) in [(59, 6), (60, 1)] {
            let mut rig = Rig::connecting();
            for _ in 0..5 {
                rig.end(EndKind::Lost);
                rig.wait_out();
            }
            rig.hear(PublishEvent::Accepted);
            rig.now += Duration::from_secs(live_s);
            rig.end(EndKind::Lost);
            assert_eq!(rig.destination.status(rig.now).failures, expected_failures);
        }
    }

    #[test]
    fn a_changed_network_does_not_press_a_server_that_refused() {
        for kind in [EndKind::KeyRefused, EndKind::Rejected, EndKind::Busy] {
            let mut rig = Rig::connecting();
            rig.end(kind);
            rig.now += Duration::from_millis(300);
            rig.with(|destination, desk| destination.network_changed(desk));
            assert_eq!(rig.destination.shown(), Shown::Waiting, "{kind:?}");
            rig.with(|destination, desk| destination.hurry(desk));
            assert_eq!(rig.destination.shown(), Shown::Connecting, "the owner may: {kind:?}");
        }
    }

    #[test]
    fn words_of_a_server_are_kept_short_and_on_one_line() {
        let mut rig = Rig::connecting();
        rig.hear(PublishEvent::Ended { kind: EndKind::Rejected, said: "no\n".repeat(10_000) });
        let said = rig.destination.status(rig.now).last_end.expect("an end").said;
        assert_eq!(said.chars().count(), crate::limits::SERVER_TEXT_CHARS_MAX);
        assert!(!said.contains('\n'));
    }
}
