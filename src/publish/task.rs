//! The task of one destination: orders in, reports out, one attempt at a time.
//!
//! An attempt is one connection, except while a new one takes over from a running one, because the
//! server asked to move or the media time of the old one has come too far: then the new one is
//! accepted, from a key frame, before the old one is closed. Where a server refuses a second
//! publisher, the old one is closed first.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;

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
    /// The video bitrate that the path can bear has changed, in kbit/s.
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
    let queue = Arc::new(fan_out.subscribe());
    queue.set_connected(false);
    let task = Task { clock, destination, fan_out, queue, reports, orders, numbers: numbers_tx };
    tokio::spawn(task.run());
    PublishHandle { orders: orders_tx, numbers }
}

struct Task {
    clock: Clock,
    destination: u32,
    fan_out: FanOut,
    /// Fills while no attempt runs too, so that the next one begins with a key frame at hand.
    queue: Arc<Subscriber>,
    reports: mpsc::Sender<Report>,
    orders: mpsc::Receiver<Order>,
    numbers: watch::Sender<Numbers>,
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
        let mut current = Some(self.connect(target, self.queue.clone(), &metadata));
        let mut successor: Option<Connection> = None;
        // Where to go once the running connection is closed, at a server that allows only one.
        let mut afterwards: Option<Arc<Target>> = None;
        loop {
            tokio::select! {
                biased;
                step = step_of(&mut current) => match step {
                    Step::Ended(ended) => {
                        current = match (successor.take(), afterwards.take()) {
                            (Some(taken_over), _) => {
                                self.queue = taken_over.queue.clone();
                                Some(taken_over)
                            }
                            (None, Some(target)) => {
                                Some(self.connect(target, self.queue.clone(), &metadata))
                            }
                            (None, None) => return ended.map(|_| ()),
                        };
                    }
                    Step::Happened(Happened::Accepted) => {
                        self.report(attempt, What::Accepted).await;
                    }
                    Step::Happened(Happened::Target(kbps)) => {
                        self.report(attempt, What::Target(kbps)).await;
                    }
                    Step::Happened(Happened::MoveWanted(place)) if successor.is_none() => {
                        let from = current.as_ref();
                        successor = from.and_then(|from| self.move_on(from, place, &metadata));
                    }
                    Step::Happened(Happened::MoveWanted(_)) => {}
                },
                step = step_of(&mut successor) => match step {
                    Step::Happened(Happened::Accepted) => close(&mut current, Close::HandOver),
                    Step::Happened(Happened::MoveWanted(_) | Happened::Target(_)) => {}
                    Step::Ended(ended) => {
                        let target = successor.take().map(|failed| failed.target);
                        match ended {
                            Err(error) if is_taken(&error) => {
                                afterwards = target;
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
                    Some(_) => {}
                    None => return Ok(()),
                }
            }
        }
    }

    /// A connection that is to take over from `running`, with a queue of its own.
    fn move_on(
        &self,
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
        Some(self.connect(target, Arc::new(self.fan_out.subscribe()), metadata))
    }

    fn connect(
        &self,
        target: Arc<Target>,
        queue: Arc<Subscriber>,
        metadata: &Arc<Metadata>,
    ) -> Connection {
        let (close_tx, close_rx) = oneshot::channel();
        let (happened_tx, happened) = mpsc::channel(ORDERS_MAX);
        let numbers = self.numbers.clone();
        let (clock, metadata) = (self.clock, metadata.clone());
        let mut frames = Frames::new(queue.clone(), metadata);
        let to = target.clone();
        let publishing = async move {
            let mut report = |progress| {
                let happened = match progress {
                    Progress::Numbers(now) => {
                        numbers.send_replace(now);
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
        Connection { publishing: Box::pin(publishing), happened, close, target, queue }
    }
}

fn close(connection: &mut Option<Connection>, how: Close) {
    if let Some(connection) = connection {
        connection.close(how);
    }
}

/// Whether the server refused because the running connection holds the key.
fn is_taken(error: &PublishError) -> bool {
    match error {
        PublishError::Rtmp(error) => matches!(
            error.refusal(),
            Some(Refusal::KeyBusy | Refusal::KeyRejected | Refusal::Other)
        ),
        _ => false,
    }
}
