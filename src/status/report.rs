//! Everything that `status` shows.

use serde::Serialize;

use super::{
    DestinationState, EncoderStats, Facts, Health, LevelStats, Mode, SendStats, Server, Warning,
    Wifi,
};

/// Everything that `status` shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// What the box does.
    pub mode: Mode,
    /// For how long, in milliseconds.
    pub for_ms: u64,
    /// Why.
    pub because: String,
    /// What is not as it should be with the machine, the most urgent first.
    pub warnings: Vec<Warning>,
    /// What else is wrong, if anything.
    pub note: Option<String>,
    /// What is true about the world.
    pub facts: Facts,
    /// How the box stands with a wireless network, where there is one.
    pub wifi: Option<Wifi>,
    /// Sources of settings that were left out when the box started, and why; one line each.
    pub settings_faults: Vec<String>,
    /// How the machine fares.
    pub health: Health,
    /// Figures of the encoder, while it runs.
    pub encoder: Option<EncoderStats>,
    /// How loud the audio is and whether the video is black, while they are captured.
    pub levels: Option<LevelStats>,
    /// The destinations, in the order of the settings.
    pub destinations: Vec<DestinationStatus>,
}

/// One destination.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DestinationStatus {
    /// Its number, stable while it is set.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// Whether a stream key is set.
    pub has_key: bool,
    /// What it does.
    pub state: DestinationState,
    /// Which of its servers the current or last attempt goes to; `None` where there is only one.
    pub server: Option<Server>,
    /// Why it is idle; `None` in any other state.
    pub idle_because: Option<String>,
    /// The number of the current or last attempt; 0 before the first.
    pub attempt: u64,
    /// Attempts that failed one after another.
    pub failures: u32,
    /// Until the next attempt, in milliseconds, while waiting.
    pub next_attempt_in_ms: Option<u64>,
    /// For how long the stream is accepted, in milliseconds.
    pub live_for_ms: Option<u64>,
    /// Times that the stream was accepted again in this broadcast.
    pub reconnects: u64,
    /// How the last attempt ended, if not by our own will.
    pub last_end: Option<LastEnd>,
    /// Figures of the connection, while there is one.
    pub stats: Option<SendStats>,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastEnd {
    /// The kind, in words.
    pub kind: &'static str,
    /// From the server or the system.
    pub message: String,
    /// What the owner can do; empty where the other two are all there is.
    pub advice: &'static str,
    /// How long ago, in milliseconds.
    pub ago_ms: u64,
}
