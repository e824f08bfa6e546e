//! The task of one destination: orders in, reports out, one attempt at a time.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::clock::Clock;
use crate::flv::metadata::Metadata;
use crate::limits::ORDERS_MAX;
use crate::media::Subscriber;

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

/// Starts the task of `destination`, which publishes what comes through `queue`.
pub fn spawn(
    clock: Clock,
    destination: u32,
    queue: Arc<Subscriber>,
    reports: mpsc::Sender<Report>,
) -> PublishHandle {
    let (orders_tx, orders) = mpsc::channel(ORDERS_MAX);
    let (numbers_tx, numbers) = watch::channel(Numbers::default());
    let task = Task { clock, destination, queue, reports, orders, numbers: numbers_tx };
    tokio::spawn(task.run());
    PublishHandle { orders: orders_tx, numbers }
}

struct Task {
    clock: Clock,
    destination: u32,
    queue: Arc<Subscriber>,
    reports: mpsc::Sender<Report>,
    orders: mpsc::Receiver<Order>,
    numbers: watch::Sender<Numbers>,
}

impl Task {
    async fn run(mut self) {
        while let Some(order) = self.orders.recv().await {
            if let Order::Open { attempt, target, metadata } = order {
                let ended = self.attempt(attempt, &target, metadata).await;
                let _ = self.reports.send(self.report(attempt, What::Ended(ended))).await;
            }
        }
    }

    async fn attempt(
        &mut self,
        attempt: u64,
        target: &Target,
        metadata: Arc<Metadata>,
    ) -> Result<(), PublishError> {
        let (accepted_tx, mut accepted) = watch::channel(false);
        let numbers = &self.numbers;
        let mut report = |progress| match progress {
            Progress::Accepted => {
                let _ = accepted_tx.send(true);
            }
            Progress::Numbers(now) => {
                numbers.send_replace(now);
            }
        };
        let orders = &mut self.orders;
        let close = async {
            loop {
                match orders.recv().await {
                    Some(Order::Close { attempt: which, how }) if which == attempt => break how,
                    Some(_) => {}
                    None => break Close::Abort,
                }
            }
        };
        let mut frames = Frames::new(&self.queue, metadata);
        let publishing = publish(self.clock, target, &mut frames, &mut report, close);
        tokio::pin!(publishing);
        loop {
            tokio::select! {
                ended = &mut publishing => return ended.map(|_| ()),
                Ok(()) = accepted.changed() => {
                    let report = Report { destination: self.destination, attempt, what: What::Accepted };
                    let _ = self.reports.send(report).await;
                }
            }
        }
    }

    fn report(&self, attempt: u64, what: What) -> Report {
        Report { destination: self.destination, attempt, what }
    }
}
