//! What the box answers: data first, text and JSON second.

mod numbers;

use serde::Serialize;

use super::command::ParseError;
use super::text;
pub use numbers::{
    BlackBox, ChannelNumbers, DropNumbers, EncoderNumbers, LevelNumbers, PastEvent, PastNumbers,
    PastSample, SendNumbers,
};

/// Somebody at a console: the serial line, or one client of the control socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ClientId(pub u32);

/// One answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum Reply {
    /// What the box is doing.
    Status(Box<Status>),
    /// The destinations.
    Destinations {
        /// In the order of the settings.
        destinations: Vec<DestinationStatus>,
        /// The names of those that are set and left out. The appliance does not know them; the shell
        /// fills them in.
        disabled: Vec<String>,
    },
    /// Product, version and board.
    About(About),
    /// Settings that hold.
    Settings {
        /// In the order of the file.
        settings: Vec<SettingLine>,
    },
    /// Interfaces, addresses and the clock.
    Network(Network),
    /// What trying a destination has shown.
    Checked(Checked),
    /// Cameras, microphones and encoders.
    Devices {
        /// As data.
        found: serde_json::Value,
        /// For people.
        #[serde(skip)]
        lines: Vec<String>,
    },
    /// How loud the sound is, and whether there is a picture.
    Levels(LevelNumbers),
    /// How replies are written from now on.
    Mode(ReplyMode),
    /// The last minutes.
    BlackBox(BlackBox),
    /// Words without data: help, and confirmations.
    Text {
        /// One entry for each line.
        lines: Vec<String>,
    },
    /// What was asked for is not done, and why.
    Error {
        /// The reason.
        message: String,
        /// Where in the line it lies, in characters from 1; `None` when the line was understood.
        column: Option<usize>,
    },
    /// Something changed.
    Changed(Change),
}

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SettingLine {
    /// Its name.
    pub name: String,
    /// What holds, without secrets.
    pub value: String,
    /// What it may be.
    pub allowed: String,
}

/// The network as the box sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Network {
    /// Every interface but the loopback, by name.
    pub interfaces: Vec<Interface>,
    /// Whether the network is of use.
    pub link: Link,
    /// Whether the time of day can be trusted.
    pub clock: Clock,
    /// What has become of the settings of the network.
    pub managed: String,
}

/// One network interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Whether it has a carrier.
    pub up: bool,
    /// Its addresses.
    pub addresses: Vec<String>,
}

/// What trying a destination has shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// The destination.
    pub name: String,
    /// Its server, and its backup server if it has one.
    pub servers: Vec<CheckedServer>,
}

/// What trying one server has shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckedServer {
    /// Its address, without the key.
    pub server: String,
    /// The phases that went well.
    pub phases: Vec<Phase>,
    /// Why the next one did not.
    pub failure: Option<String>,
}

/// A phase that went well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Phase {
    /// What was done.
    pub name: &'static str,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// How replies are written at the serial line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "mode", rename_all = "snake_case")]
pub enum ReplyMode {
    /// For people.
    Text,
    /// For a program.
    Machine {
        /// The version of the form; a program that knows another one should not go on.
        version: u32,
    },
}

/// The version of the form for programs.
pub const MACHINE_VERSION: u32 = 1;

/// Product, version and board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct About {
    /// The product.
    pub product: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The board profile in use.
    pub board: String,
    /// What the box calls itself. The appliance does not know it, nor what follows; the shell fills
    /// them in.
    pub name: Option<String>,
    /// What the machine says it is.
    pub machine: Option<String>,
    /// Its serial number.
    pub serial_number: Option<String>,
}

/// A change, as `watch` and the journal show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum Change {
    /// The box.
    Box {
        /// What it did before.
        from: Mode,
        /// What it does now.
        to: Mode,
        /// Why.
        because: String,
    },
    /// One destination.
    Destination {
        /// Its name.
        name: String,
        /// What it did before.
        from: DestinationState,
        /// What it does now.
        to: DestinationState,
        /// Why.
        because: String,
    },
    /// The camera or the microphone.
    Source {
        /// `camera` or `microphone`.
        name: &'static str,
        /// Whether it is there now.
        present: bool,
    },
    /// Something that is worth a line and changes no state.
    Note {
        /// What.
        said: String,
    },
}

/// What the box does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Starting up.
    Booting,
    /// No destination with a stream key is set.
    NeedsSetup,
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

/// Everything that `status` tells.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// What the box does.
    pub mode: Mode,
    /// For how long, in milliseconds.
    pub for_ms: u64,
    /// Why.
    pub because: String,
    /// What is wrong beside that, if anything.
    pub note: Option<String>,
    /// What is true about the world.
    pub facts: Facts,
    /// Sources of settings that were left out when the box started, and why; one line each.
    pub settings_faults: Vec<String>,
    /// Numbers of the encoder, while it runs.
    pub encoder: Option<EncoderNumbers>,
    /// What picture and sound are like, while they are captured.
    pub levels: Option<LevelNumbers>,
    /// The destinations, in the order of the settings.
    pub destinations: Vec<DestinationStatus>,
}

/// What is true about the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// Whether the camera is there.
    pub camera: bool,
    /// Whether the microphone is there.
    pub microphone: bool,
    /// Whether a network link is up.
    pub link: Link,
    /// Whether the time of day can be trusted.
    pub clock: Clock,
}

/// The network link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// A carrier and an address.
    Up,
    /// None.
    Down,
}

/// The time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// Set by the network or by a battery-backed clock: good enough to judge a certificate.
    Trusted,
    /// Not yet.
    Untrusted,
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
    /// Numbers of the connection, while there is one.
    pub numbers: Option<SendNumbers>,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastEnd {
    /// The kind, in words.
    pub kind: &'static str,
    /// What the server or the system said.
    pub said: String,
    /// How long ago, in milliseconds.
    pub ago_ms: u64,
}

impl Reply {
    /// Lines of plain words.
    pub fn text<S: Into<String>>(lines: impl IntoIterator<Item = S>) -> Reply {
        Reply::Text { lines: lines.into_iter().map(Into::into).collect() }
    }

    /// Not done, for this reason.
    pub fn error(message: impl Into<String>) -> Reply {
        Reply::Error { message: message.into(), column: None }
    }

    /// For people: one entry for each line, without line ends and control characters.
    pub fn render_text(&self) -> Vec<String> {
        text::render(self)
    }

    /// Whether it says that something was not done.
    pub fn is_error(&self) -> bool {
        match self {
            Reply::Error { .. } => true,
            Reply::Checked(checked) => checked.servers.iter().any(|it| it.failure.is_some()),
            _ => false,
        }
    }

    /// For programs at the serial line: `ACK` or `NACK`, lines of `key: value`, an empty line.
    pub fn render_machine(&self) -> Vec<String> {
        super::machine::render(self)
    }

    /// For programs: one line of JSON.
    pub fn render_json(&self) -> String {
        // Replies are structs, strings and finite numbers; serde_json writes any of them, and a
        // float that is not finite as null.
        serde_json::to_string(self).unwrap_or_else(|error| {
            format!("{{\"reply\":\"error\",\"message\":\"not representable: {}\"}}", error.line())
        })
    }
}

impl From<ParseError> for Reply {
    fn from(error: ParseError) -> Reply {
        Reply::Error { column: Some(error.column), message: error.to_string() }
    }
}

impl Mode {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Booting => "booting",
            Mode::NeedsSetup => "needs setup",
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

/// The prompt of a console: it shows the box's name and its state.
///
/// ```
/// use firstmile::console::{Mode, prompt};
/// assert_eq!(prompt("stage", Mode::Live), "stage (live)> ");
/// ```
pub fn prompt(name: &str, mode: Mode) -> String {
    format!("{name} ({})> ", mode.name())
}
