//! The bounds and the words of each warning.

use std::time::Duration;

use crate::limits::{
    CPU_BUSY_FOR, CPU_BUSY_PERCENT, CPU_EASED_PERCENT, MEMORY_EASED_PERCENT, MEMORY_LOW_PERCENT,
    OVERLOAD_BEGINS_AFTER, OVERLOAD_EASED_PERCENT, OVERLOAD_PERCENT, STORAGE_LOW_KIB,
    STORAGE_LOW_PERCENT, TEMPERATURE_EASED_CELSIUS, UNDERVOLTAGE_FORGOTTEN_AFTER,
    WARNING_BEGINS_AFTER, WARNING_ENDS_AFTER, WEAR_PERCENT,
};
use crate::status::{Health, Space, WarningKind};

/// Where a reading stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// As it should be, or not measured.
    Good,
    /// Between the two bounds: nothing begins and nothing ends.
    Between,
    /// Worth a warning.
    Bad,
}

/// How long its cause lasts before a warning begins.
pub fn begins_after(kind: WarningKind) -> Duration {
    match kind {
        WarningKind::EncodingOverloaded => OVERLOAD_BEGINS_AFTER,
        // One reading says all.
        WarningKind::Undervoltage | WarningKind::StorageFull | WarningKind::StorageWorn => {
            Duration::ZERO
        }
        WarningKind::TooHot | WarningKind::Throttled | WarningKind::MemoryLow => {
            WARNING_BEGINS_AFTER
        }
        WarningKind::ProcessorBusy => CPU_BUSY_FOR,
    }
}

/// How long its cause is gone before it ends.
pub fn ends_after(kind: WarningKind) -> Duration {
    match kind {
        WarningKind::Undervoltage => UNDERVOLTAGE_FORGOTTEN_AFTER,
        _ => WARNING_ENDS_AFTER,
    }
}

/// Where what is measured stands, and what is wrong where it is bad.
pub fn judge(kind: WarningKind, health: &Health) -> (Level, String) {
    let judged = match kind {
        WarningKind::EncodingOverloaded => health.frames_skipped_percent.map(overloaded),
        WarningKind::Undervoltage => {
            health.undervoltage.map(|on| (flag(on), "use a stronger power supply".to_owned()))
        }
        WarningKind::TooHot => too_hot(health),
        WarningKind::Throttled => health.throttled.map(|on| {
            let why = "it protects itself from heat or a weak supply; cool it, or use a stronger \
                       power supply";
            (flag(on), why.to_owned())
        }),
        WarningKind::MemoryLow => health.memory.map(memory_low),
        WarningKind::StorageFull => health.storage.map(storage_full),
        WarningKind::ProcessorBusy => health.cpu_percent.map(processor_busy),
        WarningKind::StorageWorn => storage_worn(health),
    };
    match judged {
        Some((level, why)) => (level, format!("{}: {why}", kind.name())),
        None => (Level::Good, String::new()),
    }
}

fn flag(on: bool) -> Level {
    if on { Level::Bad } else { Level::Good }
}

/// Bad from `bad` on, good up to `good`.
fn rising<T: PartialOrd>(value: T, bad: T, good: T) -> Level {
    if value >= bad {
        Level::Bad
    } else if value <= good {
        Level::Good
    } else {
        Level::Between
    }
}

fn overloaded(percent: u32) -> (Level, String) {
    let words =
        format!("{percent} % of frames skipped; lower video.fps, video.width or video.height");
    (rising(percent, OVERLOAD_PERCENT, OVERLOAD_EASED_PERCENT), words)
}

fn too_hot(health: &Health) -> Option<(Level, String)> {
    let measured = health.temperature.as_ref()?;
    let (celsius, limit) = (measured.celsius, measured.limit_celsius?);
    let words = format!(
        "{celsius} °C at {}, and the limit is {limit} °C; give the box air, shade or a heat sink",
        measured.sensor
    );
    Some((rising(celsius, limit, limit - TEMPERATURE_EASED_CELSIUS), words))
}

/// How much of it is left, in percent.
fn percent_left(space: Space) -> u64 {
    space.available_kib.saturating_mul(100).checked_div(space.total_kib).unwrap_or(100)
}

fn memory_low(memory: Space) -> (Level, String) {
    let used = 100 - percent_left(memory).min(100);
    let words = format!(
        "{} of {} MiB available; stop other programs on the box",
        memory.available_kib / 1_024,
        memory.total_kib / 1_024
    );
    (rising(used, 100 - MEMORY_LOW_PERCENT, 100 - MEMORY_EASED_PERCENT), words)
}

fn storage_full(storage: Space) -> (Level, String) {
    // A partition of its own may be small, and a percent of a large one is plenty.
    let least = STORAGE_LOW_KIB.min(storage.total_kib * STORAGE_LOW_PERCENT / 100);
    let level = match storage.available_kib {
        left if left < least => Level::Bad,
        left if left < 2 * least => Level::Between,
        _ => Level::Good,
    };
    let words = format!(
        "{} of {} MiB free where settings are stored; remove files there",
        storage.available_kib / 1_024,
        storage.total_kib / 1_024
    );
    (level, words)
}

fn processor_busy(percent: u32) -> (Level, String) {
    let words = format!(
        "{percent} % of its time; stop other programs on the box, or lower video.fps, video.width \
         or video.height"
    );
    (rising(percent, CPU_BUSY_PERCENT, CPU_EASED_PERCENT), words)
}

fn storage_worn(health: &Health) -> Option<(Level, String)> {
    let wear = health.wear?;
    let used = wear.used_percent.unwrap_or_default();
    let why = match (used, wear.reserve_low) {
        (101.., _) => "all of its life is used".to_owned(),
        (_, true) => "hardly any blocks are left to replace bad ones".to_owned(),
        _ => format!("{used} % of its life is used"),
    };
    let words = format!("{why}; replace it before it fails, and keep a copy of the settings");
    Some((flag(used >= WEAR_PERCENT || wear.reserve_low), words))
}
