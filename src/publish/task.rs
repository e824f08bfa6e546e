//! The task of one destination: orders in, reports out, one attempt at a time.
//!
//! An attempt is one connection, except while a new one takes over from a running one, because the
//! server asked to move, the media time of the old one has come too far, or the stream is to return
//! from a backup server: then the new one is accepted, from a key frame, before the old one is closed.
//! Where a server refuses a second publisher, the old one is closed first.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{mpsc, oneshot, watch};

use crate::clock::Clock;
use crate::flv::metadata::Metadata;
use crate::limits::ORDERS_MAX;
use crate::media::{FanOut, Subscriber};
use crate::rtmp::Refusal;

use super::drive::{Close, Numbers, Progress};
use super::error::PublishError;
use super::frames::Frames;
use super::{Target, publish};

/// An order to the task of a destination. Orders are carried out in the order given.
#[derive(Debug)]
pub enum Order {
    /// Begin this attempt.
    Open {
        /// Its number; it comes back in every report.
        attempt: u64,
        /// Where to.
        target: Arc<Target>,
        /// What the server is told of the programme.
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

/// What happened to an attempt.
#[derive(Debug)]
pub enum What {
    /// The server accepted the stream and media has been acknowledged.
    Accepted,
    /// The server of an [`Order::Return`] has the stream.
    Returned,
    /// The video bitrate that the path can bear has changed, in kbit/s; more than the set one where
    /// nothing is known against it.
    Target(u32),
    /// The attempt is over: `Ok` after an ordered close.
    Ended(Result<(), PublishError>),
}

/// The other end of a destination's task. Dropping it ends the task at once.
#[derive(Debug)]
pub struct PublishHandle {
    /// Orders; a full channel means that the task is stuck.
    pub orders: mpsc::Sender<Order>,
    /// The newest numbers of the running attempt.
    pub numbers: watch::Receiver<Numbers>,
    /// The highest video bitrate, in kbit/s, for connections that run and that will; 0 for the one
    /// that the server is told in the metadata.
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
    let (numbers_tx, numbers) = watch::channel(Numbers::default());
    let (ceiling_kbps, ceiling) = watch::channel(0);
    let queue = Arc::new(fan_out.subscribe());
    queue.set_connected(false);
    let numbers_tx = Arc::new(numbers_tx);
    let task =
        Task { clock, destination, fan_out, queue, reports, orders, numbers: numbers_tx, ceiling };
    tokio::spawn(task.run());
    PublishHandle { orders: orders_tx, numbers, ceiling_kbps }
}

struct Task {
    clock: Clock,
    destination: u32,
    fan_out: FanOut,
    /// Fills while no attempt runs too, so that the next one begins with a key frame at hand.
    queue: Arc<Subscriber>,
    reports: mpsc::Sender<Report>,
    orders: mpsc::Receiver<Order>,
    numbers: Arc<watch::Sender<Numbers>>,
    ceiling: watch::Receiver<u32>,
}

/// What the loop of an attempt is told by its connections.
#[derive(Debug)]
enum Happened {
    Accepted,
    Target(u32),
    MoveWanted(Option<String>),
}

type Publishing = Pin<Box<dyn Future<Output = Result<Numbers, PublishError>> + Send>>;

/// One running connection.
struct Connection {
    publishing: Publishing,
    happened: mpsc::Receiver<Happened>,
    close: Option<oneshot::Sender<Close>>,
    target: Arc<Target>,
    queue: Arc<Subscriber>,
    /// Its numbers are those of the destination, for it has the stream.
    is_shown: Arc<AtomicBool>,
    /// What its path can bear, once it has said so.
    target_kbps: Option<u32>,
    /// It answers an [`Order::Return`].
    returns: bool,
    is_accepted: bool,
}

impl Connection {
    fn close(&mut self, how: Close) {
        if let Some(close) = self.close.take() {
            let _ = close.send(how);
        }
    }
}

/// What a connection did next.
enum Step {
    Happened(Happened),
    Ended(Result<Numbers, PublishError>),
}

/// The next step of `connection`; never when there is none.
async fn step_of(connection: &mut Option<Connection>) -> Step {
    let Some(Connection { publishing, happened, .. }) = connection else {
        return pending().await;
    };
    tokio::select! {
        biased;
        Some(happened) = happened.recv() => Step::Happened(happened),
        ended = publishing => Step::Ended(ended),
    }
}

impl Task {
    async fn run(mut self) {
        while let Some(order) = self.orders.recv().await {
            if let Order::Open { attempt, target, metadata } = order {
                let ended = self.attempt(attempt, target, metadata).await;
                self.numbers.send_replace(Numbers::default());
                self.report(attempt, What::Ended(ended)).await;
            }
        }
    }

    async fn report(&self, attempt: u64, what: What) {
        let _ = self.reports.send(Report { destination: self.destination, attempt, what }).await;
    }

    async fn attempt(
        &mut self,
        attempt: u64,
        target: Arc<Target>,
        metadata: Arc<Metadata>,
    ) -> Result<(), PublishError> {
        let open = |task: &Task, target| {
            let connection = task.connect(attempt, target, task.queue.clone(), &metadata);
            connection.is_shown.store(true, Ordering::Relaxed);
            Some(connection)
        };
        let mut current = open(self, target);
        let mut successor: Option<Connection> = None;
        // Where to go once the running connection is closed, at a server that allows only one.
        let mut afterwards: Option<Arc<Target>> = None;
        // The running connection is one that an order to return asked for, and nobody was told yet.
        let mut has_returned = false;
        // What was reported last of the path; another connection knows better.
        let mut told_kbps = None;
        loop {
            tokio::select! {
                biased;
                step = step_of(&mut current) => match step {
                    Step::Ended(ended) => {
                        current = match (successor.take(), afterwards.take()) {
                            (Some(taken_over), _) => {
                                self.queue = taken_over.queue.clone();
                                taken_over.is_shown.store(true, Ordering::Relaxed);
                                if told_kbps.is_some() {
                                    let kbps = taken_over.target_kbps.unwrap_or(u32::MAX);
                                    self.report(attempt, What::Target(kbps)).await;
                                }
                                told_kbps = taken_over.target_kbps;
                                if taken_over.returns && taken_over.is_accepted {
                                    self.report(attempt, What::Returned).await;
                                }
                                has_returned = taken_over.returns && !taken_over.is_accepted;
                                Some(taken_over)
                            }
                            (None, Some(target)) => open(self, target),
                            (None, None) => return ended.map(|_| ()),
                        };
                    }
                    Step::Happened(Happened::Accepted) => {
                        if std::mem::take(&mut has_returned) {
                            self.report(attempt, What::Returned).await;
                        }
                        self.report(attempt, What::Accepted).await;
                    }
                    Step::Happened(Happened::Target(kbps)) => {
                        told_kbps = Some(kbps);
                        self.report(attempt, What::Target(kbps)).await;
                    }
                    Step::Happened(Happened::MoveWanted(place)) if successor.is_none() => {
                        let from = current.as_ref();
                        successor = from.and_then(|from| self.move_on(attempt, from, place, &metadata));
                    }
                    Step::Happened(Happened::MoveWanted(_)) => {}
                },
                step = step_of(&mut successor) => match step {
                    Step::Happened(Happened::Accepted) => {
                        if let Some(successor) = &mut successor {
                            successor.is_accepted = true;
                        }
                        close(&mut current, Close::HandOver);
                    }
                    Step::Happened(Happened::Target(kbps)) => {
                        if let Some(successor) = &mut successor {
                            successor.target_kbps = Some(kbps);
                        }
                    }
                    Step::Happened(Happened::MoveWanted(_)) => {}
                    Step::Ended(ended) => {
                        let Some(failed) = successor.take() else { continue };
                        match ended {
                            Err(error) if is_taken(&error, failed.returns) => {
                                has_returned = failed.returns;
                                afterwards = Some(failed.target);
                                close(&mut current, Close::Polite);
                            }
                            Err(error) => tracing::warn!(%error, "the move failed; the stream stays"),
                            Ok(_) => {}
                        }
                    }
                },
                order = self.orders.recv() => match order {
                    Some(Order::Close { attempt: which, how }) if which == attempt => {
                        afterwards = None;
                        close(&mut current, how);
                        close(&mut successor, how);
                    }
                    Some(Order::Return { attempt: which, target })
                        if which == attempt && successor.is_none() && afterwards.is_none() =>
                    {
                        let queue = Arc::new(self.fan_out.subscribe());
                        let connection = self.connect(attempt, target, queue, &metadata);
                        successor = Some(Connection { returns: true, ..connection });
                    }
                    Some(_) => {}
                    None => return Ok(()),
                }
            }
        }
    }

    /// A connection that is to take over from `running`, with a queue of its own.
    fn move_on(
        &self,
        attempt: u64,
        running: &Connection,
        place: Option<String>,
        metadata: &Arc<Metadata>,
    ) -> Option<Connection> {
        let target = match place.map(|place| running.target.moved(&place)) {
            None => running.target.clone(),
            Some(Ok(moved)) => Arc::new(moved),
            Some(Err(error)) => {
                tracing::warn!(%error, "the stream stays");
                return None;
            }
        };
        Some(self.connect(attempt, target, Arc::new(self.fan_out.subscribe()), metadata))
    }

    fn connect(
        &self,
        attempt: u64,
        target: Arc<Target>,
        queue: Arc<Subscriber>,
        metadata: &Arc<Metadata>,
    ) -> Connection {
        let (close_tx, close_rx) = oneshot::channel();
        let (happened_tx, happened) = mpsc::channel(ORDERS_MAX);
        let numbers = self.numbers.clone();
        let is_shown = Arc::new(AtomicBool::new(false));
        let shows = is_shown.clone();
        let clock = self.clock;
        let mut frames = Frames::new(queue.clone(), metadata.clone(), self.ceiling.clone());
        let to = target.clone();
        let publishing = async move {
            let mut report = |progress| {
                let happened = match progress {
                    Progress::Numbers(now) => {
                        if shows.load(Ordering::Relaxed) {
                            numbers.send_replace(Numbers { attempt, ..now });
                        }
                        return;
                    }
                    Progress::Accepted => Happened::Accepted,
                    Progress::Target(kbps) => Happened::Target(kbps),
                    Progress::MoveWanted(place) => Happened::MoveWanted(place),
                };
                if happened_tx.try_send(happened).is_err() {
                    tracing::debug!("more news than the task takes");
                }
            };
            let close = async { close_rx.await.unwrap_or(Close::Abort) };
            publish(clock, &to, &mut frames, &mut report, close).await
        };
        let close = Some(close_tx);
        Connection {
            publishing: Box::pin(publishing),
            happened,
            close,
            target,
            queue,
            is_shown,
            target_kbps: None,
            returns: false,
            is_accepted: false,
        }
    }
}

fn close(connection: &mut Option<Connection>, how: Close) {
    if let Some(connection) = connection {
        connection.close(how);
    }
}

/// Whether the server refused because the running connection holds the key. A first server that the
/// stream is to `return` to must say so plainly: the running one is not closed on a guess.
fn is_taken(error: &PublishError, returns: bool) -> bool {
    let PublishError::Rtmp(error) = error else { return false };
    match error.refusal() {
        Some(Refusal::KeyBusy) => true,
        Some(Refusal::KeyRejected | Refusal::Other) => !returns,
        _ => false,
    }
}
