//! What the box answers: data first, text and JSON second.

use serde::Serialize;

use super::command::ParseError;
use crate::device_controls::DeviceControls;
use crate::limits::CONSOLE_PORTS_MAX;
use crate::status::{
    About, BlackBox, Change, Checked, DestinationStatus, LevelStats, Mode, Network, SettingLine,
    Status, StillImage, WifiScan,
};

/// Somebody at a console: at one of the box's ports, or one client of the control socket. Those of
/// the ports are the first [`CONSOLE_PORTS_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ClientId(pub u32);

impl ClientId {
    /// Whoever is at this port, from 0.
    pub fn of_port(port: usize) -> ClientId {
        ClientId(u32::try_from(port).unwrap_or(u32::MAX))
    }

    /// The port, if it is one.
    pub fn port(self) -> Option<usize> {
        usize::try_from(self.0).ok().filter(|port| *port < CONSOLE_PORTS_MAX)
    }
}

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
        /// The names of those that are set and disabled.
        disabled: Vec<String>,
    },
    /// Product, version and board.
    About(About),
    /// Settings that hold.
    Settings {
        /// In the order of the file.
        settings: Vec<SettingLine>,
        /// People are shown only those that somebody has set.
        #[serde(skip)]
        brief: bool,
    },
    /// Interfaces, addresses and the clock.
    Network(Network),
    /// Wireless networks in range.
    WifiScan(WifiScan),
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
    /// The hardware controls of a device.
    Controls(DeviceControls),
    /// How loud the audio is, and whether the video is black.
    Levels(LevelStats),
    /// The same, shown to whoever watches it.
    Measured(LevelStats),
    /// A frame of the video.
    #[serde(rename = "picture")]
    Still(StillImage),
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
pub const MACHINE_VERSION: u32 = 3;

impl Reply {
    /// Lines of plain words.
    pub fn text<S: Into<String>>(lines: impl IntoIterator<Item = S>) -> Reply {
        Reply::Text { lines: lines.into_iter().map(Into::into).collect() }
    }

    /// Not done, for this reason.
    pub fn error(message: impl Into<String>) -> Reply {
        Reply::Error { message: message.into(), column: None }
    }

    /// Whether it says that something was not done.
    pub fn is_error(&self) -> bool {
        match self {
            Reply::Error { .. } => true,
            Reply::Checked(checked) => checked.servers.iter().any(|it| it.failure.is_some()),
            _ => false,
        }
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

/// The prompt of a console: it shows the box's name and its state.
///
/// ```
/// use firstmile::console::prompt;
/// use firstmile::status::Mode;
/// assert_eq!(prompt("stage", Mode::Live), "stage (live)> ");
/// ```
pub fn prompt(name: &str, mode: Mode) -> String {
    format!("{name} ({})> ", mode.name())
}
