//! What the box and each destination do.

use serde::Serialize;

/// What the box does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Starting up.
    Booting,
    /// No destination with a stream key is set.
    NeedsSetup,
    /// A destination is set, but the camera, the microphone or the network is missing.
    NotReady,
    /// Waits for somebody to go live.
    Ready,
    /// Going live; no attempt has ended yet.
    Starting,
    /// At least one destination accepts the stream.
    Live,
    /// No destination accepts the stream at the moment.
    Retrying,
    /// Ending the broadcast.
    Stopping,
    /// Cannot go live, or could not stay live.
    Fault,
}

/// What one destination does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DestinationState {
    /// Nothing.
    Idle,
    /// An attempt is under way.
    Connecting,
    /// Between two attempts.
    Waiting,
    /// Accepts the stream.
    Accepted,
    /// Its connection is being closed.
    Closing,
}

/// One of a destination's two servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Server {
    /// The first one.
    #[default]
    First,
    /// The second one, for when the first fails.
    Backup,
}

impl Mode {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Booting => "booting",
            Mode::NeedsSetup => "needs setup",
            Mode::NotReady => "not ready",
            Mode::Ready => "ready",
            Mode::Starting => "starting",
            Mode::Live => "live",
            Mode::Retrying => "retrying",
            Mode::Stopping => "stopping",
            Mode::Fault => "fault",
        }
    }
}

impl Server {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Server::First => "first server",
            Server::Backup => "backup server",
        }
    }
}

impl DestinationState {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            DestinationState::Idle => "idle",
            DestinationState::Connecting => "connecting",
            DestinationState::Waiting => "waiting",
            DestinationState::Accepted => "accepted",
            DestinationState::Closing => "closing",
        }
    }
}
