//! What the kernel shows of the machine: heat, supply, processor, memory, storage.
//!
//! It is looked for once and again from time to time, and read often: small files, each within a bound.
//! What is missing, cannot be read or makes no sense is not measured.

mod files;
mod places;
mod storage;

use std::path::{Path, PathBuf};

use crate::board::{Health as Sources, Sensors};
use crate::health::{Alarm, CpuTimes, Readings};
use crate::limits::HEALTH_READS_BEFORE_SEARCH;
use crate::status::{Space, Temperature};
use files::{celsius, flags, head, number};
use places::{Found, Sign, Thermometer};

/// Reads what the machine shows.
#[derive(Debug)]
pub struct HealthReader {
    /// `/`, or where a copy of it is.
    root: PathBuf,
    sensors: Sensors,
    /// The folder of the settings.
    state: Option<PathBuf>,
    found: Found,
    /// Readings since it was looked for.
    reads: u32,
}

impl HealthReader {
    /// Of the machine whose file system is at `root`, as far as the board has anything to show; `state`
    /// is the folder where settings are stored.
    pub fn of(root: &Path, sources: &Sources, state: Option<&Path>) -> Option<HealthReader> {
        let Sources::Machine(sensors) = sources else { return None };
        Some(HealthReader {
            root: root.to_owned(),
            sensors: sensors.clone(),
            state: state.map(Path::to_owned),
            found: Found::default(),
            reads: 0,
        })
    }

    /// What it shows now.
    pub fn read(&mut self) -> Readings {
        if self.reads.is_multiple_of(HEALTH_READS_BEFORE_SEARCH) {
            self.found = Found::search(&self.root, &self.sensors, self.state.as_deref());
        }
        self.reads = self.reads.wrapping_add(1);
        Readings {
            temperature: nearest_to_its_limit(&self.found.thermometers),
            undervoltage: alarm(&self.found.undervoltage),
            throttled: alarm(&self.found.throttled),
            cpu: cpu_times(&head(&self.root.join("proc/stat"))),
            memory: memory(&head(&self.root.join("proc/meminfo"))),
            storage: self.state.as_deref().and_then(storage::space),
            wear: self.found.storage.as_deref().and_then(storage::wear),
        }
    }
}

/// The thermometer that is nearest to its limit, or the hottest where none has one.
fn nearest_to_its_limit(thermometers: &[Thermometer]) -> Option<Temperature> {
    let shown = thermometers.iter().filter_map(|thermometer| {
        let celsius = celsius(&thermometer.file)?;
        let (sensor, limit_celsius) = (thermometer.name.clone(), thermometer.limit_celsius);
        Some(Temperature { sensor, celsius, limit_celsius })
    });
    shown
        .max_by_key(|shown| (shown.limit_celsius.map(|limit| shown.celsius - limit), shown.celsius))
}

fn alarm(signs: &[Sign]) -> Alarm {
    let mut alarm = Alarm::default();
    for sign in signs {
        match *sign {
            Sign::Level { ref file, mask } => {
                let raised = match mask {
                    Some(mask) => flags(file).map(|flags| flags & mask != 0),
                    None => number(file).map(|value| value > 0),
                };
                if let Some(raised) = raised {
                    alarm.raised = Some(raised || alarm.raised == Some(true));
                }
            }
            Sign::Counter { ref file } => {
                let events = number(file).and_then(|events| u64::try_from(events).ok());
                if let Some(events) = events {
                    alarm.events = Some(alarm.events.unwrap_or(0).saturating_add(events));
                }
            }
        }
    }
    alarm
}

/// The first line of `/proc/stat`: user, nice, system, idle, waiting for disks, interrupts, and what
/// another machine on the same processor takes.
fn cpu_times(stat: &str) -> Option<CpuTimes> {
    let times = stat.lines().next()?.strip_prefix("cpu ")?;
    let times: Vec<u64> = times.split_whitespace().take(8).map_while(|t| t.parse().ok()).collect();
    let [_, _, _, idle, waiting, ..] = times[..] else { return None };
    let total = times.iter().fold(0_u64, |sum, time| sum.saturating_add(*time));
    Some(CpuTimes { busy: total.saturating_sub(idle.saturating_add(waiting)), total })
}

fn memory(meminfo: &str) -> Option<Space> {
    let kib = |name: &str| -> Option<u64> {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim_start_matches(':').split_whitespace().next()?.parse().ok()
    };
    Some(Space { available_kib: kib("MemAvailable")?, total_kib: kib("MemTotal")? })
}
