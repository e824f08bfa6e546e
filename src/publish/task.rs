//! The task of one destination: orders in, reports out.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::Target;
use super::connections::{Connections, Feed, What};
use crate::clock::Clock;
use crate::flv::metadata::Metadata;
use crate::limits::ORDERS_MAX;
use crate::media::{FanOut, QueueStats, Subscriber};
use crate::pace::PathSample;
use crate::stream::{
    Advice, Close, ConnectionId, ConnectionStats, Demands, Media, Next, Queue, Source,
};

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

/// Starts the task of `destination`, which publishes what comes through `fan_out`; `name` is for the log.
pub fn spawn(
    clock: Clock,
    destination: u32,
    name: &str,
    fan_out: FanOut,
    reports: mpsc::Sender<Report>,
) -> PublishHandle {
    let (orders_tx, orders) = mpsc::channel(ORDERS_MAX);
    let (stats_tx, stats) = watch::channel(ConnectionStats::default());
    let (ceiling_kbps, ceiling) = watch::channel(0);
    let queue = Arc::new(fan_out.subscribe());
    queue.set_connected(false);
    let feed = LiveFeed { fan_out, queue, queues: Vec::new(), ceiling, metadata: Arc::default() };
    let stats_tx = Arc::new(stats_tx);
    let connections = Connections::new(clock, name, feed, stats_tx.clone());
    let task = Task { clock, destination, reports, orders, stats: stats_tx, connections };
    tokio::spawn(task.run());
    PublishHandle { orders: orders_tx, stats, ceiling_kbps }
}

struct Task {
    clock: Clock,
    destination: u32,
    reports: mpsc::Sender<Report>,
    orders: mpsc::Receiver<Order>,
    stats: Arc<watch::Sender<ConnectionStats>>,
    connections: Connections<LiveFeed>,
}

impl Task {
    async fn run(mut self) {
        loop {
            while let Some((attempt, what)) = self.connections.poll_report() {
                if matches!(what, What::Ended(_)) {
                    self.stats.send_replace(ConnectionStats::default());
                }
                let destination = self.destination;
                let _ = self.reports.send(Report { destination, attempt, what }).await;
            }
            tokio::select! {
                biased;
                () = self.connections.step() => {}
                order = self.orders.recv() => match order {
                    Some(order) => self.order(order),
                    None => return,
                },
            }
        }
    }

    fn order(&mut self, order: Order) {
        let now = self.clock.now();
        let handover = &mut self.connections.handover;
        match order {
            Order::Open { attempt, target, metadata } => {
                if !handover.is_running() {
                    handover.handle_open(now, attempt, target);
                    self.connections.feed.metadata = metadata;
                }
            }
            Order::Return { attempt, target } => handover.handle_return(now, attempt, target),
            Order::Close { attempt, how } => handover.handle_close(attempt, how),
            Order::ForgetPath => handover.forget_path(),
        }
    }
}

/// The media of the running broadcast.
struct LiveFeed {
    fan_out: FanOut,
    /// Fills while no attempt runs too, so that the next one begins with a key frame at hand.
    queue: Arc<Subscriber>,
    /// Those of the connections that run.
    queues: Vec<(ConnectionId, Arc<Subscriber>)>,
    ceiling: watch::Receiver<u32>,
    /// Of the attempt that runs.
    metadata: Arc<Metadata>,
}

impl Feed for LiveFeed {
    type Source = Steered;

    fn open(
        &mut self,
        id: ConnectionId,
        queue: Queue,
        start_kbps: Option<u32>,
    ) -> Result<Steered, String> {
        let queue = match queue {
            Queue::Standing => self.queue.clone(),
            Queue::Fresh => Arc::new(self.fan_out.subscribe()),
        };
        self.queues.push((id, queue.clone()));
        Ok(Steered::new(queue, self.metadata.clone(), self.ceiling.clone(), start_kbps))
    }

    fn show(&mut self, id: ConnectionId) {
        if let Some((_, queue)) = self.queues.iter().find(|(of, _)| *of == id) {
            self.queue = queue.clone();
        }
    }

    fn ended(&mut self, id: ConnectionId) {
        self.queues.retain(|(of, _)| *of != id);
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
