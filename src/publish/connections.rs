//! The connections of one destination run here; [`Handover`] decides which there are.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use super::chatter::Chatter;
use super::error::PublishError;
use super::{Target, publish};
use crate::clock::Clock;
use crate::stream::{
    self, Action, Close, ConnectionId, ConnectionStats, Ended, Handover, Happened, Progress, Queue,
    Source,
};

/// What happened to an attempt.
pub type What = stream::What<PublishError>;

/// Where the connections of one destination get their media from.
pub(super) trait Feed {
    /// The media of one connection.
    type Source: Source + 'static;

    /// The media of a connection that is to begin, at this bitrate in kbit/s.
    ///
    /// # Errors
    /// When there is none, with the message for the owner.
    fn open(
        &mut self,
        id: ConnectionId,
        queue: Queue,
        start_kbps: Option<u32>,
    ) -> Result<Self::Source, String>;

    /// This connection has the stream.
    fn show(&mut self, id: ConnectionId);

    /// This connection is over.
    fn ended(&mut self, id: ConnectionId);
}

/// What connections have carried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Carried {
    /// RTMP bytes handed to sockets.
    pub sent_bytes: u64,
    /// RTMP bytes that servers have acknowledged; `None` while none ever has.
    pub acknowledged_bytes: Option<u64>,
    /// Messages of media.
    pub messages: u64,
}

impl Carried {
    /// With what another connection has carried.
    #[must_use]
    pub fn and(self, stats: &ConnectionStats) -> Carried {
        let acknowledged = self.acknowledged_bytes.into_iter().chain(stats.acknowledged_bytes);
        Carried {
            sent_bytes: self.sent_bytes + stats.sent_bytes,
            acknowledged_bytes: acknowledged.reduce(|a, b| a + b),
            messages: self.messages + stats.messages,
        }
    }
}

/// The connections of one destination.
pub(super) struct Connections<F: Feed> {
    clock: Clock,
    /// Which destination, for the log.
    name: String,
    pub feed: F,
    pub handover: Handover<Arc<Target>, PublishError>,
    /// Of the connection that has the stream.
    stats: Arc<watch::Sender<ConnectionStats>>,
    /// Of those that are over.
    carried: Carried,
    /// The connections that run, two at most.
    lines: Vec<Line>,
}

/// One running connection.
struct Line {
    id: ConnectionId,
    publishing: Pin<Box<dyn Future<Output = Result<(), PublishError>> + Send>>,
    /// How it ended; what it reported before goes first.
    ended: Option<Result<(), PublishError>>,
    mailbox: Arc<Mutex<Mailbox>>,
    close: Option<oneshot::Sender<Close>>,
    target: Arc<Target>,
    /// Its counters are those of the destination, for it has the stream.
    is_shown: Arc<AtomicBool>,
}

impl Line {
    /// Sums up what was left out of the log.
    fn note_left_out(&self, destination: &str) {
        let mut mailbox = self.mailbox.lock().unwrap_or_else(PoisonError::into_inner);
        let left_out = mailbox.chatter.left_out();
        if left_out > 0 {
            tracing::info!(destination, left_out, "the server asked or complained more often");
        }
    }

    fn stats(&self) -> ConnectionStats {
        self.mailbox.lock().unwrap_or_else(PoisonError::into_inner).stats
    }
}

/// What a connection has reported and nobody has fetched yet: of each kind the latest, so that nothing
/// that matters is lost.
#[derive(Default)]
struct Mailbox {
    target_kbps: Option<u32>,
    accepted: bool,
    move_wanted: Option<Option<Arc<Target>>>,
    stats: ConnectionStats,
    chatter: Chatter,
}

impl Mailbox {
    fn next(&mut self) -> Option<Happened<Arc<Target>>> {
        if let Some(kbps) = self.target_kbps.take() {
            return Some(Happened::TargetBitrate(kbps));
        }
        if std::mem::take(&mut self.accepted) {
            return Some(Happened::Accepted);
        }
        self.move_wanted.take().map(Happened::MoveWanted)
    }

    fn take_up(&mut self, now: Duration, name: &str, target: &Arc<Target>, progress: Progress) {
        let destination = name;
        match progress {
            Progress::TargetBitrate(kbps) => self.target_kbps = Some(kbps),
            Progress::Accepted => self.accepted = true,
            Progress::MoveWanted(None) => self.move_wanted = Some(Some(target.clone())),
            Progress::MoveWanted(Some(place)) => match target.moved(&place) {
                Ok(moved) => self.move_wanted = Some(Some(Arc::new(moved))),
                Err(error) => {
                    if let Some(left_out) = self.chatter.admit(now) {
                        let from = target.server();
                        tracing::warn!(destination, from, %error, left_out, "the stream stays");
                    }
                }
            },
            Progress::Warning(warning) => {
                if let Some(left_out) = self.chatter.admit(now) {
                    tracing::warn!(destination, left_out, "{warning}");
                }
            }
            Progress::Stats(stats) => self.stats = stats,
        }
    }
}

/// What a connection did next.
enum Step {
    Happened(Happened<Arc<Target>>),
    Ended(Ended<PublishError>),
}

/// The next step of a connection, the one that has the stream first; never while there is none. All that
/// a connection reports is reported while it is polled, so its mailbox needs no waker of its own.
async fn next_step(lines: &mut [Line]) -> (ConnectionId, Step) {
    poll_fn(|cx| {
        for line in &mut *lines {
            if line.ended.is_none()
                && let Poll::Ready(result) = line.publishing.as_mut().poll(cx)
            {
                line.ended = Some(result);
            }
            let mut mailbox = line.mailbox.lock().unwrap_or_else(PoisonError::into_inner);
            let step = if let Some(happened) = mailbox.next() {
                Step::Happened(happened)
            } else if let Some(result) = line.ended.take() {
                let refusal = result.as_ref().err().and_then(PublishError::refusal);
                Step::Ended(Ended { result, refusal, resume_kbps: mailbox.stats.resume_kbps })
            } else {
                continue;
            };
            return Poll::Ready((line.id, step));
        }
        Poll::Pending
    })
    .await
}

impl<F: Feed> Connections<F> {
    pub fn new(
        clock: Clock,
        name: &str,
        feed: F,
        stats: Arc<watch::Sender<ConnectionStats>>,
    ) -> Connections<F> {
        Connections {
            clock,
            name: name.to_owned(),
            feed,
            handover: Handover::new(),
            stats,
            carried: Carried::default(),
            lines: Vec::new(),
        }
    }

    /// What all connections have carried so far.
    pub fn carried(&self) -> Carried {
        self.lines.iter().fold(self.carried, |carried, line| carried.and(&line.stats()))
    }

    /// Waits for the next step of a connection, or for the time of one. May be dropped at any time.
    pub async fn step(&mut self) {
        let deadline = self.handover.poll_timeout();
        let (id, step) = tokio::select! {
            biased;
            next = next_step(&mut self.lines) => next,
            () = self.clock.reach(deadline) => {
                return self.handover.handle_timeout(self.clock.now());
            }
        };
        match step {
            Step::Happened(happened) => {
                self.handover.handle(self.clock.now(), id, happened);
            }
            Step::Ended(ended) => {
                for line in self.lines.extract_if(.., |line| line.id == id) {
                    self.carried = self.carried.and(&line.stats());
                    line.note_left_out(called(&self.name, &line.target));
                }
                self.feed.ended(id);
                self.handover.handle_ended(self.clock.now(), id, ended);
            }
        }
    }

    /// Does what is to be done, until something is to be reported of an attempt.
    pub fn poll_report(&mut self) -> Option<(u64, What)> {
        loop {
            match self.handover.poll_action()? {
                Action::Connect { id, target, queue, start_kbps } => {
                    let line = self.connect(id, target, queue, start_kbps);
                    self.lines.push(line);
                }
                Action::Close { id, how } => {
                    let close = self.line(id).and_then(|line| line.close.take());
                    close.map(|close| close.send(how));
                }
                Action::Show { id } => self.show(id),
                Action::Report { attempt, what } => return Some((attempt, what)),
                Action::Moved { target } => {
                    let (destination, to) = (called(&self.name, &target), target.server());
                    tracing::info!(destination, to, "the stream has moved");
                }
                Action::MoveFailed { error } => {
                    let line = self.lines.first();
                    let destination =
                        line.map_or(self.name.as_str(), |line| called(&self.name, &line.target));
                    tracing::warn!(destination, %error, "the move failed; the stream stays");
                }
            }
        }
    }

    fn show(&mut self, id: ConnectionId) {
        if let Some(line) = self.lines.iter().find(|line| line.id == id) {
            line.is_shown.store(true, Ordering::Relaxed);
        }
        self.feed.show(id);
    }

    fn line(&mut self, id: ConnectionId) -> Option<&mut Line> {
        self.lines.iter_mut().find(|line| line.id == id)
    }

    fn connect(
        &mut self,
        id: ConnectionId,
        target: Arc<Target>,
        queue: Queue,
        start_kbps: Option<u32>,
    ) -> Line {
        let of = target.clone();
        let name = called(&self.name, &target).to_owned();
        if queue == Queue::Fresh {
            let (destination, to) = (&name, target.server());
            let from = self.lines.first().map(|line| line.target.server());
            tracing::info!(destination, from, to, "the stream is to move; connecting");
        }
        let (close, closing) = oneshot::channel();
        let mailbox = Arc::new(Mutex::new(Mailbox::default()));
        let is_shown = Arc::new(AtomicBool::new(false));
        let (kept, shown, stats) = (mailbox.clone(), is_shown.clone(), self.stats.clone());
        let (attempt, clock) = (self.handover.attempt(), self.clock);
        let media = self.feed.open(id, queue, start_kbps);
        let publishing = async move {
            let mut media = media.map_err(stream::Error::Media)?;
            let mut report = |progress| {
                if let Progress::Stats(now) = progress
                    && shown.load(Ordering::Relaxed)
                {
                    stats.send_replace(ConnectionStats { attempt, ..now });
                }
                let mut mailbox = kept.lock().unwrap_or_else(PoisonError::into_inner);
                mailbox.take_up(clock.now(), &name, &target, progress);
            };
            let close = async { closing.await.unwrap_or(Close::Abort) };
            publish(clock, &target, &mut media, &mut report, close).await.map(|_| ())
        };
        let (publishing, close) = (Box::pin(publishing), Some(close));
        Line { id, publishing, ended: None, mailbox, close, target: of, is_shown }
    }
}

/// What the log calls a destination: by its own name, where it has one.
fn called<'a>(name: &'a str, target: &'a Target) -> &'a str {
    match target.name() {
        "" => name,
        own => own,
    }
}
