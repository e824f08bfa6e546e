//! How the machine fares, and when that is worth a warning.
//!
//! Pure room. It is given what the machine shows ([`Readings`]) and what the encoder has counted, and
//! says which warnings begin and end. It promises that none begins before its cause has lasted, or ends
//! before it has been gone for a while, so that nothing flickers at a bound; that what is not measured
//! warns of nothing; and that each names what to do.
//!
//! Drive it so: read the machine at [`Monitor::poll_timeout`] ([`Monitor::handle_timeout`] says whether
//! it is to be read), hand over what it shows ([`Monitor::read`]), and take [`Monitor::poll_change`]
//! until `None`.

mod gate;
mod judge;
mod overload;
mod readings;

pub use readings::{Alarm, CpuTimes, Readings};

use std::collections::VecDeque;
use std::time::Duration;

use gate::Gate;
use overload::Overload;

use crate::limits::{HEALTH_ANSWER_TIMEOUT, HEALTH_IDLE_INTERVAL, HEALTH_INTERVAL};
use crate::status::{Change, Health, Warning, WarningKind};

/// Watches the machine.
#[derive(Debug)]
pub struct Monitor {
    gates: [Gate; WarningKind::ALL.len()],
    overload: Overload,
    /// When what the machine shows is read next; `None` where nobody reads it.
    next_reading: Option<Duration>,
    /// It is being read since then.
    asked: Option<Duration>,
    /// What it showed last.
    last: Readings,
    shown: Health,
    changes: VecDeque<Change>,
}

impl Monitor {
    /// Nothing is known yet; `is_readable` says whether there is a machine to be read.
    pub fn new(now: Duration, is_readable: bool) -> Monitor {
        Monitor {
            gates: WarningKind::ALL.map(Gate::new),
            overload: Overload::default(),
            next_reading: is_readable.then_some(now),
            asked: None,
            last: Readings::default(),
            shown: Health::default(),
            changes: VecDeque::new(),
        }
    }

    /// When [`Monitor::handle_timeout`] should be called.
    pub fn poll_timeout(&self) -> Option<Duration> {
        match self.asked {
            Some(asked) => Some(asked + HEALTH_ANSWER_TIMEOUT).filter(|_| self.is_known()),
            None => self.next_reading,
        }
    }

    /// Time has come to `now`; whether the machine is to be read. One that does not answer is not asked
    /// again, and what it showed before counts no longer.
    pub fn handle_timeout(&mut self, now: Duration) -> bool {
        match self.asked {
            Some(asked) if now >= asked + HEALTH_ANSWER_TIMEOUT && self.is_known() => {
                self.take(now, Readings::default());
                // Nobody judges it a second time, so nothing would end a warning.
                let counted = WarningKind::EncodingOverloaded;
                let read = self.gates.iter_mut().filter(|gate| gate.kind() != counted);
                self.changes.extend(read.filter_map(Gate::give_up));
                false
            }
            Some(_) => false,
            None if self.next_reading.is_some_and(|at| now >= at) => {
                self.asked = Some(now);
                true
            }
            None => false,
        }
    }

    /// Whether anything is known from the last reading.
    fn is_known(&self) -> bool {
        self.last != Readings::default()
    }

    /// The machine was read. While on air it is read again sooner than while the box rests, where each
    /// reading wakes it.
    pub fn read(&mut self, now: Duration, readings: Readings, on_air: bool) {
        self.asked = None;
        self.take(now, readings);
        let is_quiet = self.gates.iter().all(Gate::is_quiet);
        let wait = if on_air || !is_quiet { HEALTH_INTERVAL } else { HEALTH_IDLE_INTERVAL };
        self.next_reading = self.next_reading.map(|_| now + wait);
    }

    fn take(&mut self, now: Duration, readings: Readings) {
        let skipped = self.shown.frames_skipped_percent;
        self.shown = readings.against(&self.last);
        self.shown.frames_skipped_percent = skipped;
        self.last = readings;
        for gate in &mut self.gates {
            // That one is counted, not read.
            if gate.kind() != WarningKind::EncodingOverloaded {
                let (level, words) = judge::judge(gate.kind(), &self.shown);
                self.changes.extend(gate.judge(now, level, words));
            }
        }
    }

    /// The box goes on air: what follows is to be known soon.
    pub fn encoder_started(&mut self, now: Duration) {
        self.overload = Overload::default();
        self.next_reading = self.next_reading.map(|at| at.min(now + HEALTH_INTERVAL));
    }

    /// The encoder has counted so many frames, skipped ones and restarts since it was started.
    pub fn counted(&mut self, now: Duration, frames: u64, skipped: u64, restarts: u64) {
        self.overload.count(now, frames, skipped, restarts);
        self.shown.frames_skipped_percent = self.overload.percent();
        let kind = WarningKind::EncodingOverloaded;
        let (level, words) = judge::judge(kind, &self.shown);
        let gate = self.gates.iter_mut().find(|gate| gate.kind() == kind);
        self.changes.extend(gate.and_then(|gate| gate.judge(now, level, words)));
    }

    /// Nothing is encoded any more; harmless when nothing was.
    pub fn encoder_stopped(&mut self) {
        if self.overload.is_empty() && self.shown.frames_skipped_percent.is_none() {
            return;
        }
        self.overload = Overload::default();
        self.shown.frames_skipped_percent = None;
        let kind = WarningKind::EncodingOverloaded;
        let gate = self.gates.iter_mut().find(|gate| gate.kind() == kind);
        self.changes.extend(gate.and_then(Gate::give_up));
    }

    /// The next warning that has begun or ended.
    pub fn poll_change(&mut self) -> Option<Change> {
        self.changes.pop_front()
    }

    /// The warnings at `now`, the most urgent first.
    pub fn warnings(&self, now: Duration) -> Vec<Warning> {
        self.gates.iter().filter_map(|gate| gate.warning(now)).collect()
    }

    /// Whether one of them is worth a sign at the light. Of a processor that has nothing left, and of a
    /// storage that grows old, viewers notice nothing, and the owner can do nothing at once.
    pub fn concerns_the_broadcast(&self) -> bool {
        let concerns = |gate: &&Gate| {
            !matches!(gate.kind(), WarningKind::ProcessorBusy | WarningKind::StorageWorn)
        };
        self.gates.iter().filter(concerns).any(Gate::is_warning)
    }

    /// What is measured.
    pub fn health(&self) -> &Health {
        &self.shown
    }
}

#[cfg(test)]
mod tests;
