//! One destination and its connections: which of them has the stream, and when another one takes over.
//!
//! An attempt is one connection, except while a new one takes over from a running one, because the
//! server asked to move, the media time of the old one has come too far, or the stream is to return
//! from a backup server: then the new one is accepted, from a key frame, before the old one is closed.
//! Where a server refuses a second publisher, the old one is closed first.
//!
//! What the path carried is remembered over connections and attempts, for [`RESUME_BELIEVED_FOR`]: the
//! uplink is mostly what is slow, and it is the same one at the next connection.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use super::source::Close;
use crate::limits::{MOVE_WAIT_FIRST, MOVE_WAIT_MAX, MOVES_FORGOTTEN_AFTER, RESUME_BELIEVED_FOR};
use crate::pace::PathTarget;
use crate::rtmp::Refusal;

/// A connection of this destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// Where the frames of a connection come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queue {
    /// The destination's own queue, which fills while no attempt runs too, so that the next one begins
    /// with a key frame at hand.
    Standing,
    /// One of its own, next to that of the running connection.
    Fresh,
}

/// What to do. `T` is where a connection goes, `E` why one ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Action<T, E> {
    /// Connect and publish.
    Connect {
        /// The new connection.
        id: ConnectionId,
        /// Where to.
        target: T,
        /// Where its frames come from.
        queue: Queue,
        /// The video bitrate to begin with, in kbit/s; `None` for the ceiling.
        start_kbps: Option<u32>,
    },
    /// Close it.
    Close {
        /// Which one.
        id: ConnectionId,
        /// How.
        how: Close,
    },
    /// It has the stream: its counters are those of the destination, and its queue the standing one.
    Show {
        /// Which one.
        id: ConnectionId,
    },
    /// Report what happened to an attempt.
    Report {
        /// Its number.
        attempt: u64,
        /// What happened.
        what: What<E>,
    },
    /// The connection that was to take over has the stream, and its server has accepted it.
    Moved {
        /// Where the stream is now.
        target: T,
    },
    /// A connection that was to take over has failed; the stream stays where it is.
    MoveFailed {
        /// Why.
        error: E,
    },
}

/// What happened to an attempt.
#[derive(Debug, PartialEq, Eq)]
pub enum What<E> {
    /// The server accepted the stream and media has been acknowledged.
    Accepted,
    /// The server that the stream was to return to has it.
    Returned,
    /// The target bitrate of the video, in kbit/s: more than the set one where nothing is known against
    /// it. The last one before the end of an attempt is what the next attempt begins with.
    TargetBitrate(u32),
    /// The attempt is over: `Ok` after an ordered close.
    Ended(Result<(), E>),
}

impl<E> What<E> {
    /// What it means for the encoder's bitrate.
    pub fn steer(&self, path: &mut PathTarget, ceiling_kbps: u32) {
        match self {
            What::TargetBitrate(kbps) => path.handle_target((*kbps).min(ceiling_kbps)),
            What::Accepted => path.handle_accepted(ceiling_kbps),
            What::Ended(Ok(())) => path.forget(),
            What::Ended(Err(_)) => path.handle_lost(),
            What::Returned => {}
        }
    }
}

/// What a connection reports to its destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened<T> {
    /// See [`What::TargetBitrate`].
    TargetBitrate(u32),
    /// See [`What::Accepted`].
    Accepted,
    /// Another connection should take over: at this place, or at the same.
    MoveWanted(Option<T>),
}

/// How a connection ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended<E> {
    /// `Ok` after an ordered close.
    pub result: Result<(), E>,
    /// What the server refused, where that is why.
    pub refusal: Option<Refusal>,
    /// What the next connection should begin with, in kbit/s; `None` unless media was delivered.
    pub resume_kbps: Option<u32>,
}

/// The connections of one destination.
#[derive(Debug)]
pub struct Handover<T, E> {
    /// The attempt that runs.
    running: Option<Running<T, E>>,
    next_id: u64,
    /// What the path carried when a connection ended, and when that was.
    resume: Option<(u32, Duration)>,
    moves: Moves<T>,
    actions: VecDeque<Action<T, E>>,
}

/// How often a stream moves: a server may ask as often as it likes, and each move costs a connection.
#[derive(Debug)]
struct Moves<T> {
    /// When the stream moved last.
    last_at: Option<Duration>,
    /// From then to the next move.
    wait: Duration,
    /// A move that waits for its time, and where it goes.
    waiting: Option<Option<T>>,
}

impl<T> Moves<T> {
    fn new() -> Moves<T> {
        Moves { last_at: None, wait: MOVE_WAIT_FIRST, waiting: None }
    }

    fn next_at(&self) -> Duration {
        self.last_at.map_or(Duration::ZERO, |at| at + self.wait)
    }

    fn handle_move(&mut self, now: Duration) {
        self.waiting = None;
        self.wait = match self.last_at {
            Some(at) if now < at + MOVES_FORGOTTEN_AFTER => (self.wait * 2).min(MOVE_WAIT_MAX),
            _ => MOVE_WAIT_FIRST,
        };
        self.last_at = Some(now);
    }
}

#[derive(Debug)]
struct Running<T, E> {
    attempt: u64,
    current: Line<T>,
    successor: Option<Line<T>>,
    /// Where to go once the running connection is closed, at a server that allows only one.
    afterwards: Option<T>,
    /// The current connection answers an order to return, and that was not reported yet.
    has_returned: bool,
    /// What was reported last of the path; another connection knows better.
    reported_kbps: Option<u32>,
    /// The attempt is being closed: no further connection begins.
    is_closing: bool,
    /// The owner has ended the stream.
    is_stopped: bool,
    /// Why the connection that had taken over was lost, while the one before it is still closing.
    lost: Option<E>,
}

impl<T, E> Running<T, E> {
    /// Whether another connection may begin and take over: the attempt goes on, none does so yet, and
    /// the current one is not leaving, for whatever comes after it.
    fn may_begin_another(&self) -> bool {
        !self.is_closing
            && self.successor.is_none()
            && self.afterwards.is_none()
            && !self.current.is_closing
    }
}

/// A connection that runs.
#[derive(Debug)]
struct Line<T> {
    id: ConnectionId,
    target: T,
    target_kbps: Option<u32>,
    /// It answers an order to return.
    returns: bool,
    /// It is to take over from another one, and that was not reported yet.
    takes_over: bool,
    is_accepted: bool,
    is_closing: bool,
}

impl<T: Clone, E> Default for Handover<T, E> {
    fn default() -> Handover<T, E> {
        Handover::new()
    }
}

impl<T: Clone, E> Handover<T, E> {
    /// A destination without connections.
    pub fn new() -> Handover<T, E> {
        Handover {
            running: None,
            next_id: 0,
            resume: None,
            moves: Moves::new(),
            actions: VecDeque::new(),
        }
    }

    /// Whether an attempt runs.
    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// The number of the attempt that runs; 0 while none does.
    pub fn attempt(&self) -> u64 {
        self.running.as_ref().map_or(0, |running| running.attempt)
    }

    // ── orders ────────────────────────────────────────────────────────────────────────────────

    /// Begin this attempt; without effect while another one runs.
    pub fn handle_open(&mut self, now: Duration, attempt: u64, target: T) {
        if self.running.is_some() {
            return;
        }
        let current = self.connect(now, target, Queue::Standing, None);
        self.running = Some(Running {
            attempt,
            current,
            successor: None,
            afterwards: None,
            has_returned: false,
            reported_kbps: None,
            is_closing: false,
            is_stopped: false,
            lost: None,
        });
    }

    /// Let a connection to this server take over from the running one of this attempt; without effect
    /// when another attempt runs, or another connection is taking over already or is about to.
    pub fn handle_return(&mut self, now: Duration, attempt: u64, target: T) {
        let Some(running) = self.running_as(attempt) else { return };
        if !running.may_begin_another() {
            return;
        }
        self.succeed(now, target, true);
    }

    /// End this attempt; without effect when another one runs.
    pub fn handle_close(&mut self, attempt: u64, how: Close) {
        let Some(running) = self.running_as(attempt) else { return };
        running.afterwards = None;
        running.is_closing = true;
        running.is_stopped |= how == Close::Polite;
        self.moves.waiting = None;
        self.close_current(how);
        self.close_successor(how);
    }

    /// What is known of the path is of another one: the settings have changed.
    pub fn forget_path(&mut self) {
        self.resume = None;
    }

    // ── what connections report ───────────────────────────────────────────────────────────────

    /// Something happened to a connection.
    pub fn handle(&mut self, now: Duration, id: ConnectionId, happened: Happened<T>) {
        let Some(running) = &mut self.running else { return };
        if running.current.id == id {
            self.handle_current(now, happened);
        } else if let Some(successor) = &mut running.successor
            && successor.id == id
        {
            match happened {
                Happened::TargetBitrate(kbps) => successor.target_kbps = Some(kbps),
                Happened::Accepted => {
                    successor.is_accepted = true;
                    self.close_current(Close::HandOver);
                }
                Happened::MoveWanted(_) => {}
            }
        }
    }

    fn handle_current(&mut self, now: Duration, happened: Happened<T>) {
        let Some(running) = &mut self.running else { return };
        match happened {
            Happened::TargetBitrate(kbps) => {
                running.current.target_kbps = Some(kbps);
                self.report_target(kbps);
            }
            Happened::Accepted => {
                running.current.is_accepted = true;
                self.note_moved();
                let Some(running) = &mut self.running else { return };
                if std::mem::take(&mut running.has_returned) {
                    self.report(What::Returned);
                }
                self.report(What::Accepted);
            }
            Happened::MoveWanted(_) if !running.may_begin_another() => {}
            Happened::MoveWanted(place) => {
                self.moves.waiting = Some(place);
                self.handle_timeout(now);
            }
        }
    }

    /// A move may have waited for its time.
    pub fn handle_timeout(&mut self, now: Duration) {
        if self.poll_timeout().is_none_or(|at| now < at) {
            return;
        }
        let Some(running) = &self.running else { return };
        let place = self.moves.waiting.take().flatten();
        let target = place.unwrap_or_else(|| running.current.target.clone());
        self.moves.handle_move(now);
        self.succeed(now, target, false);
    }

    /// A connection is over.
    pub fn handle_ended(&mut self, now: Duration, id: ConnectionId, ended: Ended<E>) {
        let Some(running) = &mut self.running else { return };
        if let Some(kbps) = ended.resume_kbps {
            self.resume = Some((kbps, now));
        }
        if running.current.id == id {
            self.end_current(now, ended);
        } else if running.successor.as_ref().is_some_and(|successor| successor.id == id) {
            self.end_successor(ended);
        }
    }

    fn end_current(&mut self, now: Duration, ended: Ended<E>) {
        let Some(running) = &mut self.running else { return };
        if let Some(next) = running.successor.take() {
            let (returns, is_accepted) = (next.returns, next.is_accepted);
            let (id, target_kbps) = (next.id, next.target_kbps);
            // What the one before it was asked for is done.
            self.moves.waiting = None;
            running.afterwards = None;
            running.has_returned = returns && !is_accepted;
            running.current = next;
            let was_reported = std::mem::take(&mut running.reported_kbps).is_some();
            self.actions.push_back(Action::Show { id });
            if was_reported || target_kbps.is_some() {
                self.report_target(target_kbps.unwrap_or(u32::MAX));
            }
            self.note_moved();
            if returns && is_accepted {
                self.report(What::Returned);
            }
        } else if let Some(target) = running.afterwards.take() {
            // The one that asked is gone, and this is where the stream goes instead.
            self.moves.waiting = None;
            let next = self.connect(now, target, Queue::Standing, None);
            if let Some(running) = &mut self.running {
                running.current = Line { takes_over: true, ..next };
            }
        } else {
            let lost = running.lost.take().filter(|_| !running.is_closing);
            self.end(now, ended.result.and(lost.map_or(Ok(()), Err)));
        }
    }

    fn end_successor(&mut self, ended: Ended<E>) {
        let Some(running) = &mut self.running else { return };
        let Some(failed) = running.successor.take() else { return };
        let Err(error) = ended.result else { return };
        if running.is_closing {
            return;
        }
        if failed.is_accepted {
            // The one before it is closing for its sake: with that the attempt is over, and this is why.
            running.lost = Some(error);
        } else if is_taken(ended.refusal, failed.returns) {
            running.has_returned = failed.returns;
            running.afterwards = Some(failed.target);
            self.close_current(Close::Polite);
        } else {
            self.actions.push_back(Action::MoveFailed { error });
        }
    }

    fn end(&mut self, now: Duration, result: Result<(), E>) {
        let Some(running) = &self.running else { return };
        if running.is_stopped {
            // The next one is another broadcast.
            self.resume = None;
        } else if let Some(kbps) = self.believed_kbps(now)
            && running.reported_kbps != Some(kbps)
        {
            self.report_target(kbps);
        }
        self.report(What::Ended(result));
        self.moves.waiting = None;
        self.running = None;
    }

    // ── outputs ───────────────────────────────────────────────────────────────────────────────

    /// When [`Handover::handle_timeout`] is to be called.
    pub fn poll_timeout(&self) -> Option<Duration> {
        let may_move = self.running.as_ref()?.may_begin_another();
        (may_move && self.moves.waiting.is_some()).then(|| self.moves.next_at())
    }

    /// The next thing to do; call until `None` after each input.
    pub fn poll_action(&mut self) -> Option<Action<T, E>> {
        self.actions.pop_front()
    }

    // ── inside ────────────────────────────────────────────────────────────────────────────────

    fn running_as(&mut self, attempt: u64) -> Option<&mut Running<T, E>> {
        self.running.as_mut().filter(|running| running.attempt == attempt)
    }

    fn connect(
        &mut self,
        now: Duration,
        target: T,
        queue: Queue,
        running_kbps: Option<u32>,
    ) -> Line<T> {
        let id = ConnectionId(self.next_id);
        self.next_id += 1;
        let start_kbps = running_kbps.or(self.believed_kbps(now));
        self.actions.push_back(Action::Connect { id, target: target.clone(), queue, start_kbps });
        if queue == Queue::Standing {
            self.actions.push_back(Action::Show { id });
        }
        Line {
            id,
            target,
            target_kbps: None,
            returns: false,
            takes_over: false,
            is_accepted: false,
            is_closing: false,
        }
    }

    /// A connection that is to take over from the running one begins with what that one has come to.
    fn succeed(&mut self, now: Duration, target: T, returns: bool) {
        let running_kbps = self.running.as_ref().and_then(|running| running.current.target_kbps);
        let next = self.connect(now, target, Queue::Fresh, running_kbps);
        if let Some(running) = &mut self.running {
            running.successor = Some(Line { returns, takes_over: true, ..next });
        }
    }

    /// Reports a move once it is true: the new connection has the stream, and is accepted.
    fn note_moved(&mut self) {
        let Some(Running { current, .. }) = &mut self.running else { return };
        if current.is_accepted && std::mem::take(&mut current.takes_over) {
            let target = current.target.clone();
            self.actions.push_back(Action::Moved { target });
        }
    }

    fn believed_kbps(&self, now: Duration) -> Option<u32> {
        let (kbps, at) = self.resume?;
        (now < at + RESUME_BELIEVED_FOR).then_some(kbps)
    }

    fn close_current(&mut self, how: Close) {
        if let Some(running) = &mut self.running {
            close(&mut self.actions, &mut running.current, how);
        }
    }

    fn close_successor(&mut self, how: Close) {
        if let Some(successor) = self.running.as_mut().and_then(|r| r.successor.as_mut()) {
            close(&mut self.actions, successor, how);
        }
    }

    fn report_target(&mut self, kbps: u32) {
        if let Some(running) = &mut self.running {
            running.reported_kbps = Some(kbps);
        }
        self.report(What::TargetBitrate(kbps));
    }

    fn report(&mut self, what: What<E>) {
        if let Some(running) = &self.running {
            self.actions.push_back(Action::Report { attempt: running.attempt, what });
        }
    }
}

fn close<T, E>(actions: &mut VecDeque<Action<T, E>>, line: &mut Line<T>, how: Close) {
    if !std::mem::replace(&mut line.is_closing, true) {
        actions.push_back(Action::Close { id: line.id, how });
    }
}

/// Whether the server refused because the running connection holds the key. A first server that the
/// stream is to `return` to must say so plainly: the running one is not closed on a guess.
fn is_taken(refusal: Option<Refusal>, returns: bool) -> bool {
    match refusal {
        Some(Refusal::KeyBusy) => true,
        Some(Refusal::KeyRejected | Refusal::Other) => !returns,
        _ => false,
    }
}
