//! The destinations' tasks, as the loop drives them.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::input::Input;
use super::{outcome, plan};
use crate::appliance::{DestinationId, PublishOrder};
use crate::clock::Clock;
use crate::config;
use crate::control::{Connected, ConnectionCounters, Event, JobResult, PublishReport};
use crate::flv::metadata::Metadata;
use crate::media::FanOut;
use crate::publish::{self, Close, Memory, Order, PublishError, PublishHandle, Report, Target};
use crate::status::{Checked, CheckedServer, Phase, Server};

/// A destination that no setting names.
#[derive(Clone)]
pub struct Destination {
    /// Its name, for lights, console and log.
    pub name: String,
    /// Where and how.
    pub target: Arc<Target>,
}

pub(crate) struct Publishing {
    clock: Clock,
    fan_out: FanOut,
    /// Those that no setting names.
    fixed: Vec<Destination>,
    inputs: mpsc::Sender<Input>,
    reports: mpsc::Sender<Report>,
    metadata: Arc<Metadata>,
    ceiling_kbps: u32,
    tasks: BTreeMap<DestinationId, Task>,
    memory: Memory,
}

struct Task {
    handle: PublishHandle,
    /// Its servers, the first and the backup one.
    first: Option<Prepared>,
    backup: Option<Prepared>,
}

/// A target, or why there is none: settings that are well written can still name a file that is not
/// there.
type Prepared = Result<Arc<Target>, Arc<PublishError>>;

impl Publishing {
    pub(crate) fn new(
        clock: Clock,
        fan_out: FanOut,
        fixed: Vec<Destination>,
        inputs: mpsc::Sender<Input>,
    ) -> Publishing {
        let (reports, _) = mpsc::channel(1);
        Publishing {
            clock,
            fan_out,
            fixed,
            inputs,
            reports,
            metadata: Arc::default(),
            ceiling_kbps: 0,
            tasks: BTreeMap::new(),
            memory: Memory::default(),
        }
    }

    /// Where the tasks report to.
    pub(crate) fn report_to(&mut self, reports: mpsc::Sender<Report>) {
        self.reports = reports;
    }

    pub(crate) fn add(&mut self, dest: DestinationId, name: &str) {
        let (clock, fan_out) = (self.clock, self.fan_out.clone());
        let handle = publish::spawn(clock, dest.0, name, fan_out, self.reports.clone());
        handle.ceiling_kbps.send_replace(self.ceiling_kbps);
        let fixed = self.fixed.iter().find(|fixed| fixed.name == name);
        let first = fixed.map(|fixed| Ok(fixed.target.clone()));
        self.tasks.insert(dest, Task { handle, first, backup: None });
    }

    pub(crate) fn retarget(&mut self, dest: DestinationId, to: &config::Destination) {
        if let Some(task) = self.tasks.get_mut(&dest) {
            let before = [task.first.take(), task.backup.take()];
            let remembered = self.memory.all(self.clock.now());
            (task.first, task.backup) = plan::targets(to, &before, remembered);
            // A task that does not take it is stuck, which the next order finds.
            let _ = task.handle.orders.try_send(Order::ForgetPath);
        }
    }

    pub(crate) fn remove(&mut self, dest: DestinationId) {
        let Some(Task { first, backup, .. }) = self.tasks.remove(&dest) else { return };
        for target in [first, backup].into_iter().flatten().flatten() {
            self.memory.keep(self.clock.now(), (&*target).into());
        }
    }

    pub(crate) fn set_ceiling_kbps(&mut self, kbps: u32) {
        self.ceiling_kbps = kbps;
        for task in self.tasks.values() {
            task.handle.ceiling_kbps.send_replace(kbps);
        }
    }

    /// The metadata that servers get from now on.
    pub(crate) fn describe(&mut self, metadata: Metadata) {
        self.metadata = Arc::new(metadata);
    }

    pub(crate) fn order(&mut self, order: PublishOrder) {
        let (PublishOrder::Open { dest, attempt, .. }
        | PublishOrder::Return { dest, attempt }
        | PublishOrder::Close { dest, attempt, .. }) = order;
        let Some(task) = self.tasks.get(&dest) else { return };
        let metadata = self.metadata.clone();
        let target = |prepared: &Option<Prepared>| prepared.clone().transpose();
        let order = match order {
            PublishOrder::Open { server: Server::First, .. } => target(&task.first)
                .map(|target| target.map(|target| Order::Open { attempt, target, metadata })),
            PublishOrder::Open { server: Server::Backup, .. } => target(&task.backup)
                .map(|target| target.map(|target| Order::Open { attempt, target, metadata })),
            PublishOrder::Return { .. } => target(&task.first)
                .map(|target| target.map(|target| Order::Return { attempt, target })),
            PublishOrder::Close { polite, .. } => {
                let how = if polite { Close::Polite } else { Close::Abort };
                Ok(Some(Order::Close { attempt, how }))
            }
        };
        match order {
            Ok(Some(order)) => {
                if task.handle.orders.try_send(order).is_err() {
                    self.later(Event::Stuck { dest });
                }
            }
            Ok(None) => {}
            Err(error) => {
                let what = PublishReport::Ended(Err(outcome::failure(&error)));
                self.later(Event::Publish { dest, attempt, what });
            }
        }
    }

    /// Tells the machine in its next turn.
    fn later(&self, event: Event) {
        let inputs = self.inputs.clone();
        tokio::spawn(async move { inputs.send(Input::Done(event)).await });
    }

    /// The connections that there are.
    pub(crate) fn connected(&self) -> Vec<Connected> {
        let connected = self.tasks.iter().filter_map(|(dest, task)| {
            let stats = task.handle.stats.borrow();
            let (dest, attempt) = (*dest, stats.attempt);
            stats.local_address.map(|local_address| Connected { dest, attempt, local_address })
        });
        connected.collect()
    }

    pub(crate) fn counters(&self) -> Vec<(DestinationId, ConnectionCounters)> {
        let connected = self.tasks.iter().filter_map(|(dest, task)| {
            let stats = *task.handle.stats.borrow();
            (stats.attempt != 0).then(|| (*dest, outcome::counters(&stats)))
        });
        connected.collect()
    }

    /// Tries a destination's servers on a task of its own.
    pub(crate) fn check(&self, request: u64, dest: DestinationId, name: String) {
        let task = self.tasks.get(&dest);
        let servers = task.map(|task| [task.first.clone(), task.backup.clone()]);
        let (clock, inputs) = (self.clock, self.inputs.clone());
        tokio::spawn(async move {
            let mut checked = Vec::new();
            for server in servers.into_iter().flatten().flatten() {
                checked.push(check(clock, server).await);
            }
            let result = JobResult::Checked(Checked { name, servers: checked });
            let _ = inputs.send(Input::Done(Event::JobDone { request, result })).await;
        });
    }
}

async fn check(clock: Clock, server: Prepared) -> CheckedServer {
    let target = match server {
        Ok(target) => target,
        Err(error) => {
            let (server, failure) = (String::new(), Some(error.sentence()));
            return CheckedServer { server, phases: Vec::new(), failure };
        }
    };
    let publish::Preflight { phases, failure, .. } =
        publish::preflight(clock, &target, publish::Depth::Connect).await;
    CheckedServer {
        server: target.server(),
        phases: phases.iter().map(|p| Phase { name: p.name, took_ms: p.took_ms }).collect(),
        failure: failure.map(|error| error.sentence()),
    }
}
