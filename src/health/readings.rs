//! What the machine shows, and what follows from two looks at it.

use crate::status::{Health, Space, Temperature, Wear};

/// What the machine shows at one time; what it does not show is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Readings {
    /// The thermometer that is nearest to its limit.
    pub temperature: Option<Temperature>,
    /// The supply's voltage is too low.
    pub undervoltage: Alarm,
    /// The processor is slowed down.
    pub throttled: Alarm,
    /// What the processor has done since it was started.
    pub cpu: Option<CpuTimes>,
    /// The memory.
    pub memory: Option<Space>,
    /// The storage of the settings.
    pub storage: Option<Space>,
    /// How worn that is.
    pub wear: Option<Wear>,
}

/// An alarm: a level, a counter of events, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Alarm {
    /// It is raised now.
    pub raised: Option<bool>,
    /// How often it was, since the machine was started.
    pub events: Option<u64>,
}

/// Times of the processor since it was started, all cores together, in any unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuTimes {
    /// It worked.
    pub busy: u64,
    /// All of it.
    pub total: u64,
}

impl Alarm {
    /// Whether it is raised, or was since the look before.
    fn against(self, before: Alarm) -> Option<bool> {
        let counted = match (self.events, before.events) {
            (Some(now), Some(before)) => Some(now > before),
            // Of what came before the first look nobody knows when it was.
            (Some(_), None) => Some(false),
            (None, _) => None,
        };
        match (self.raised, counted) {
            (None, None) => None,
            (raised, counted) => Some(raised == Some(true) || counted == Some(true)),
        }
    }
}

impl Readings {
    /// What they say, with those of the look before.
    pub(super) fn against(&self, before: &Readings) -> Health {
        Health {
            temperature: self.temperature.clone(),
            undervoltage: self.undervoltage.against(before.undervoltage),
            throttled: self.throttled.against(before.throttled),
            cpu_percent: match (self.cpu, before.cpu) {
                (Some(now), Some(before)) => now.percent_since(before),
                _ => None,
            },
            memory: self.memory,
            storage: self.storage,
            wear: self.wear,
            frames_skipped_percent: None,
        }
    }
}

impl CpuTimes {
    fn percent_since(self, before: CpuTimes) -> Option<u32> {
        let busy = self.busy.checked_sub(before.busy)?;
        let total = self.total.checked_sub(before.total)?;
        let percent = busy.saturating_mul(100).checked_div(total)?;
        u32::try_from(percent).ok().map(|percent| percent.min(100))
    }
}
