//! How the machine itself fares.

use std::fmt;

use serde::Serialize;

/// What is measured of the machine; what is not is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Health {
    /// The thermometer that is nearest to its limit.
    pub temperature: Option<Temperature>,
    /// The supply's voltage is too low.
    pub undervoltage: Option<bool>,
    /// The processor is slowed down to protect it.
    pub throttled: Option<bool>,
    /// How busy the processor is, all cores together, in percent.
    pub cpu_percent: Option<u32>,
    /// The memory.
    pub memory: Option<Space>,
    /// The storage where settings are.
    pub storage: Option<Space>,
    /// How worn that storage is.
    pub wear: Option<Wear>,
    /// How many frames were skipped lately because the encoder was overloaded, in percent.
    pub frames_skipped_percent: Option<u32>,
}

/// A thermometer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Temperature {
    /// The kernel's name of it.
    pub sensor: String,
    /// What it shows, in degrees Celsius.
    pub celsius: i32,
    /// From here on the processor is slowed down; `None` where nobody knows.
    pub limit_celsius: Option<i32>,
}

impl fmt::Display for Temperature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Temperature { sensor, celsius, limit_celsius } = self;
        write!(f, "{celsius} °C ({sensor}")?;
        limit_celsius.map_or(Ok(()), |limit| write!(f, ", limit {limit} °C"))?;
        f.write_str(")")
    }
}

/// How much of something is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Space {
    /// What is left, in KiB.
    pub available_kib: u64,
    /// All of it, in KiB.
    pub total_kib: u64,
}

/// How worn a storage is, by its own account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Wear {
    /// How much of its life is used, in percent; above 100 where it has outlived itself.
    pub used_percent: Option<u32>,
    /// It has used up most of the blocks that replace bad ones.
    pub reserve_low: bool,
}

/// Something that is not as it should be with the machine, although it does its work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// What.
    pub kind: WarningKind,
    /// What, with its figures, and what to do about it.
    pub message: String,
    /// For how long, in milliseconds.
    pub for_ms: u64,
}

/// What may be wrong with the machine. The first is the most urgent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WarningKind {
    /// The encoder is slower than the frames come.
    EncodingOverloaded,
    /// The supply's voltage is too low.
    Undervoltage,
    /// It is too hot.
    TooHot,
    /// The processor is slowed down to protect it.
    Throttled,
    /// There is hardly any memory left.
    MemoryLow,
    /// There is hardly any room left where settings are stored.
    StorageFull,
    /// The processor has nothing left to give.
    ProcessorBusy,
    /// The storage is near the end of its life.
    StorageWorn,
}

impl WarningKind {
    /// All of them, the most urgent first.
    pub const ALL: [WarningKind; 8] = [
        WarningKind::EncodingOverloaded,
        WarningKind::Undervoltage,
        WarningKind::TooHot,
        WarningKind::Throttled,
        WarningKind::MemoryLow,
        WarningKind::StorageFull,
        WarningKind::ProcessorBusy,
        WarningKind::StorageWorn,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            WarningKind::EncodingOverloaded => "encoding overloaded",
            WarningKind::Undervoltage => "undervoltage",
            WarningKind::TooHot => "too hot",
            WarningKind::Throttled => "processor throttled",
            WarningKind::MemoryLow => "memory low",
            WarningKind::StorageFull => "storage full",
            WarningKind::ProcessorBusy => "processor busy",
            WarningKind::StorageWorn => "storage worn",
        }
    }
}
