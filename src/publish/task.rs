//! The task of one destination: orders in, reports out. [`Handover`] decides; here its connections
//! run.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::error::PublishError;
use super::{Target, publish};
use crate::clock::Clock;
use crate::flv::metadata::Metadata;
use crate::limits::ORDERS_MAX;
use crate::media::{FanOut, QueueStats, Subscriber};
use crate::pace::PathSample;
use crate::stream::{
    self, Action, Advice, Close, ConnectionId, ConnectionStats, Demands, Ended, Handover, Happened,
    Media, Next, Progress, Queue, Source,
};

/// What happened to an attempt.
pub type What = stream::What<PublishError>;

/// An order to the task of a destination. Orders are carried out in the order given.
#[derive(Debug)]
pub enum Order {
    /// Begin this attempt.
    Open {
        /// Its number; it comes back in every report.
        attempt: u64,
        /// Where to.
        target: Arc<Target>,
        /// What the server learns of the stream.
        metadata: Arc<Metadata>,
    },
    /// Let a connection to this server take over from the running one of this attempt; without effect
    /// when another attempt runs, or another connection is taking over already.
    Return {
        /// The attempt's number.
        attempt: u64,
        /// Where to.
        target: Arc<Target>,
    },
    /// End this attempt; without effect when another one runs.
    Close {
        /// Its number.
        attempt: u64,
        /// How.
        how: Close,
    },
    /// The settings of the destination have changed: what its path carried says nothing any more.
    ForgetPath,
}

/// What the task of a destination reports.
#[derive(Debug)]
pub struct Report {
    /// Which destination.
    pub destination: u32,
    /// Which attempt.
    pub attempt: u64,
    /// What happened.
    pub what: What,
}

/// The other end of a destination's task. Dropping it ends the task at once.
#[derive(Debug)]
pub struct PublishHandle {
    /// Orders; a full channel means that the task is stuck.
    pub orders: mpsc::Sender<Order>,
    /// The latest counters of the running attempt.
    pub stats: watch::Receiver<ConnectionStats>,
    /// The highest video bitrate, in kbit/s, for connections that run and that will; 0 for the one
    /// that the server learns from the metadata.
    pub ceiling_kbps: watch::Sender<u32>,
}

/// Starts the task of `destination`, which publishes what comes through `fan_out`.
pub fn spawn(
    clock: Clock,
    destination: u32,
    fan_out: FanOut,
    reports: mpsc::Sender<Report>,
) -> PublishHandle {
    let (orders_tx, orders) = mpsc::channel(ORDERS_MAX);
    let (stats_tx, stats) = watch::channel(ConnectionStats::default());
    let (ceiling_kbps, ceiling) = watch::channel(0);
    let queue = Arc::new(fan_out.subscribe());
    queue.set_connected(false);
    let task = Task {
        clock,
        destination,
        fan_out,
        queue,
        reports,
        orders,
        stats: Arc::new(stats_tx),
        ceiling,
        metadata: Arc::default(),
        handover: Handover::new(),
        lines: Vec::new(),
    };
    tokio::spawn(task.run());
    PublishHandle { orders: orders_tx, stats, ceiling_kbps }
}

struct Task {
    clock: Clock,
    destination: u32,
    fan_out: FanOut,
    /// Fills while no attempt runs too, so that the next one begins with a key frame at hand.
    queue: Arc<Subscriber>,
    reports: mpsc::Sender<Report>,
    orders: mpsc::Receiver<Order>,
    stats: Arc<watch::Sender<ConnectionStats>>,
    ceiling: watch::Receiver<u32>,
    /// Of the attempt that runs.
    metadata: Arc<Metadata>,
    handover: Handover<Arc<Target>, PublishError>,
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
    queue: Arc<Subscriber>,
    /// Its counters are those of the destination, for it has the stream.
    is_shown: Arc<AtomicBool>,
}

/// What a connection has reported and the task has not fetched yet: of each kind the latest, so that
/// nothing that matters is lost.
#[derive(Default)]
struct Mailbox {
    target_kbps: Option<u32>,
    accepted: bool,
    move_wanted: Option<Option<Arc<Target>>>,
    resume_kbps: Option<u32>,
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
                Step::Ended(Ended { result, refusal, resume_kbps: mailbox.resume_kbps })
            } else {
                continue;
            };
            return Poll::Ready((line.id, step));
        }
        Poll::Pending
    })
    .await
}

impl Task {
    async fn run(mut self) {
        loop {
            while let Some(action) = self.handover.poll_action() {
                self.perform(action).await;
            }
            tokio::select! {
                biased;
                (id, step) = next_step(&mut self.lines) => match step {
                    Step::Happened(happened) => {
                        self.handover.handle(self.clock.now(), id, happened);
                    }
                    Step::Ended(ended) => {
                        self.lines.retain(|line| line.id != id);
                        self.handover.handle_ended(self.clock.now(), id, ended);
                    }
                },
                order = self.orders.recv() => match order {
                    Some(order) => self.order(order),
                    None => return,
                },
            }
        }
    }

    fn order(&mut self, order: Order) {
        let now = self.clock.now();
        match order {
            Order::Open { attempt, target, metadata } => {
                if !self.handover.is_running() {
                    self.metadata = metadata;
                    self.handover.handle_open(now, attempt, target);
                }
            }
            Order::Return { attempt, target } => self.handover.handle_return(now, attempt, target),
            Order::Close { attempt, how } => self.handover.handle_close(attempt, how),
            Order::ForgetPath => self.handover.forget_path(),
        }
    }

    async fn perform(&mut self, action: Action<Arc<Target>, PublishError>) {
        match action {
            Action::Connect { id, target, queue, start_kbps } => {
                let queue = match queue {
                    Queue::Standing => self.queue.clone(),
                    Queue::Fresh => Arc::new(self.fan_out.subscribe()),
                };
                let line = self.connect(id, target, queue, start_kbps);
                self.lines.push(line);
            }
            Action::Close { id, how } => {
                let close = self.line(id).and_then(|line| line.close.take());
                close.map(|close| close.send(how));
            }
            Action::Show { id } => {
                if let Some(line) = self.line(id) {
                    line.is_shown.store(true, Ordering::Relaxed);
                    self.queue = line.queue.clone();
                }
            }
            Action::Report { attempt, what } => {
                if matches!(what, What::Ended(_)) {
                    self.stats.send_replace(ConnectionStats::default());
                }
                let destination = self.destination;
                let _ = self.reports.send(Report { destination, attempt, what }).await;
            }
            Action::MoveFailed { error } => {
                let name = self.destination;
                tracing::warn!(destination = name, %error, "the move failed; the stream stays");
            }
        }
    }
}

impl Task {
    fn line(&mut self, id: ConnectionId) -> Option<&mut Line> {
        self.lines.iter_mut().find(|line| line.id == id)
    }

    fn connect(
        &self,
        id: ConnectionId,
        target: Arc<Target>,
        queue: Arc<Subscriber>,
        start_kbps: Option<u32>,
    ) -> Line {
        let (close, closing) = oneshot::channel();
        let mailbox = Arc::new(Mutex::new(Mailbox::default()));
        let is_shown = Arc::new(AtomicBool::new(false));
        let (kept, shown, stats) = (mailbox.clone(), is_shown.clone(), self.stats.clone());
        let attempt = self.handover.attempt();
        let mut media =
            Steered::new(queue.clone(), self.metadata.clone(), self.ceiling.clone(), start_kbps);
        let clock = self.clock;
        let publishing = async move {
            let mut report = |progress| {
                if let Progress::Stats(now) = progress
                    && shown.load(Ordering::Relaxed)
                {
                    stats.send_replace(ConnectionStats { attempt, ..now });
                }
                take_up(
                    &mut kept.lock().unwrap_or_else(PoisonError::into_inner),
                    &target,
                    progress,
                );
            };
            let close = async { closing.await.unwrap_or(Close::Abort) };
            publish(clock, &target, &mut media, &mut report, close).await.map(|_| ())
        };
        let (publishing, close) = (Box::pin(publishing), Some(close));
        Line { id, publishing, ended: None, mailbox, close, queue, is_shown }
    }
}

fn take_up(mailbox: &mut Mailbox, target: &Arc<Target>, progress: Progress) {
    match progress {
        Progress::TargetBitrate(kbps) => mailbox.target_kbps = Some(kbps),
        Progress::Accepted => mailbox.accepted = true,
        Progress::MoveWanted(None) => mailbox.move_wanted = Some(Some(target.clone())),
        Progress::MoveWanted(Some(place)) => match target.moved(&place) {
            Ok(moved) => mailbox.move_wanted = Some(Some(Arc::new(moved))),
            Err(error) => tracing::warn!(%error, "the stream stays"),
        },
        Progress::Warning(warning) => tracing::warn!("{warning}"),
        Progress::Stats(stats) => mailbox.resume_kbps = stats.resume_kbps,
    }
}

/// Media that follows the set bitrate while it changes.
struct Steered {
    media: Media,
    ceiling: watch::Receiver<u32>,
    /// The one that the server learns of.
    metadata_kbps: u32,
}

impl Steered {
    fn new(
        queue: Arc<Subscriber>,
        metadata: Arc<Metadata>,
        mut ceiling: watch::Receiver<u32>,
        start_kbps: Option<u32>,
    ) -> Steered {
        let metadata_kbps = metadata.video_kbps;
        let ceiling_kbps = ceiling_kbps(&mut ceiling, metadata_kbps);
        let media = Media::new(queue, metadata, ceiling_kbps, start_kbps);
        Steered { media, ceiling, metadata_kbps }
    }
}

fn ceiling_kbps(ceiling: &mut watch::Receiver<u32>, metadata_kbps: u32) -> u32 {
    match *ceiling.borrow_and_update() {
        0 => metadata_kbps,
        kbps => kbps,
    }
}

impl Source for Steered {
    fn demands(&self) -> Demands {
        self.media.demands()
    }

    fn metadata(&self) -> Option<&Metadata> {
        self.media.metadata()
    }

    fn connected(&mut self, now: Duration) {
        self.media.connected(now);
    }

    fn begin(&mut self, now: Duration) {
        self.media.begin(now);
    }

    fn restart(&mut self) {
        self.media.restart();
    }

    fn next(&mut self, now: Duration) -> Result<Next, String> {
        self.media.next(now)
    }

    fn queue(&self) -> QueueStats {
        self.media.queue()
    }

    fn observe(&mut self, now: Duration, sample: &PathSample) -> Advice {
        if self.ceiling.has_changed().unwrap_or(false) {
            let kbps = ceiling_kbps(&mut self.ceiling, self.metadata_kbps);
            self.media.set_ceiling(now, kbps);
        }
        self.media.observe(now, sample)
    }

    fn start_kbps(&self) -> Option<u32> {
        self.media.start_kbps()
    }

    fn resume_kbps(&self) -> Option<u32> {
        self.media.resume_kbps()
    }

    async fn ready(&mut self) {
        self.media.ready().await;
    }
}
