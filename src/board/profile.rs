//! What a profile says, as types.

use std::path::PathBuf;

use serde::Serialize;

use super::display::Display;
use super::sensor::Sensor;
use super::source::{CameraSource, MicrophoneSource};

/// One board: which devices it has and what they do unless the owner says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Profile {
    /// Name of the profile: its file name without `.toml`.
    pub name: String,
    /// Device-tree `compatible` strings of the machines it fits; at least one.
    pub compatible: Vec<String>,
    /// One line for people.
    pub description: String,
    /// Where the video comes from.
    pub camera: CameraSource,
    /// Where the audio comes from.
    pub microphone: MicrophoneSource,
    /// Defaults of the video track.
    pub video: Video,
    /// Defaults of the audio track.
    pub audio: Audio,
    /// Encoders in the order in which they are tried.
    pub encoders: EncoderOrder,
    /// Decoders in the order in which they are tried.
    pub decoders: DecoderOrder,
    /// Converters in the order in which they are tried.
    pub converters: ConverterOrder,
    /// Who shows the lights.
    pub lights: Lights,
    /// Who reads the button.
    pub button: Button,
    /// The display at the front, where the board has one.
    pub display: Option<Display>,
    /// Where the console is.
    pub console: Console,
    /// The header that lines are wired to, where the board has one.
    pub wiring: Option<Wiring>,
    /// Where the board shows how it fares.
    pub health: Health,
    /// What the board needs once, before the box can use it.
    pub setup: Setup,
}

/// Defaults of the video track.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Video {
    /// Width, in pixels; even.
    pub width: u32,
    /// Height, in pixels; even.
    pub height: u32,
    /// Frames a second.
    pub fps: u32,
    /// Bitrate at start, in kbit/s.
    pub bitrate_kbps: u32,
    /// Highest bitrate that this board's encoder is asked for, in kbit/s.
    pub bitrate_max_kbps: u32,
    /// Time between keyframes, in milliseconds.
    pub keyframe_interval_ms: u32,
}

/// Defaults of the audio track.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Audio {
    /// Bitrate, in kbit/s.
    pub bitrate_kbps: u32,
    /// Channels, one or two.
    pub channels: u32,
}

/// Encoders by their element names, in the order in which they are tried; never empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EncoderOrder {
    /// H.264 encoders.
    pub video: Vec<String>,
    /// AAC encoders.
    pub audio: Vec<String>,
}

/// Decoders of what a camera has compressed, by their element names, in the order in which they are
/// tried; never empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DecoderOrder {
    /// JPEG decoders; the software one when a profile names none.
    pub jpeg: Vec<String>,
}

impl DecoderOrder {
    /// The one that every machine has.
    pub const SOFTWARE: &str = "jpegdec";
}

/// Converters of what the encoder cannot take as it is, by their element names, in the order in which
/// they are tried; never empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConverterOrder {
    /// Those of raw frames; the software one when a profile names none.
    pub raw: Vec<String>,
}

impl ConverterOrder {
    /// The one that every machine has.
    pub const SOFTWARE: &str = "videoconvert";
}

/// Who shows the lights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "backend", rename_all = "kebab-case")]
pub enum Lights {
    /// Drawn in the terminal.
    Terminal,
    /// GPIO lines of this process.
    Cdev(Fitted<Line>),
    /// Lights that the kernel drives (`/sys/class/leds`).
    Sysfs(Fitted<Led>),
    /// The board has no light.
    None,
}

/// The lights that a board has: two, or one that shows all states by its rhythm alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Fitted<T> {
    /// Two lights.
    Two {
        /// The light that says *on air*.
        live: T,
        /// The light that says everything else.
        status: T,
    },
    /// One light.
    One {
        /// The light that says everything.
        single: T,
    },
}

/// A light of the kernel, by its name below `/sys/class/leds`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Led {
    /// The name.
    pub led: String,
}

/// Who reads the button.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "backend", rename_all = "kebab-case")]
pub enum Button {
    /// A key of the terminal.
    Keys,
    /// GPIO lines.
    Cdev {
        /// The line of the go-live button.
        #[serde(flatten)]
        line: Line,
        /// Bouncing shorter than this is not a press, in milliseconds.
        debounce_ms: u32,
        /// What the chip pulls the lines to; `None` leaves them as they are.
        pull: Option<Pull>,
        /// The line of a recessed reset button next to it.
        reset: Option<Line>,
    },
    /// Keys of Linux input devices, such as `gpio-keys`; the kernel debounces them.
    Input {
        /// The go-live button.
        #[serde(flatten)]
        key: Key,
        /// A recessed reset button next to it.
        reset: Option<Key>,
    },
    /// The board has no button.
    None,
}

/// What a chip pulls an input to while the contact is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pull {
    /// To the supply.
    Up,
    /// To ground.
    Down,
}

/// A key of a Linux input device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Key {
    /// The device's node, best by a name that stays (`/dev/input/by-path/…`).
    pub device: PathBuf,
    /// The key's code (linux/input-event-codes.h).
    pub code: u16,
}

/// A GPIO line: looked up by its name if it has one, else by its place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Line {
    /// Name of the line in the device tree.
    pub line_name: Option<String>,
    /// Where it is; at least one of the two is known.
    #[serde(flatten)]
    pub place: Option<Place>,
    /// The line is low when the light is on or the button pressed.
    pub active_low: bool,
    /// The pin of the board's header that it is wired to.
    pub pin: Option<u32>,
}

/// A line's place on its chip.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// Label of the chip; never `gpiochipN`, whose number changes between kernels.
    pub chip: String,
    /// Offset on the chip.
    pub line: u32,
}

/// Where the console is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "port", rename_all = "kebab-case")]
pub enum Console {
    /// The terminal that started the program.
    Stdio,
    /// A pseudo-terminal made for it.
    Pty,
    /// A serial port.
    Serial {
        /// Device nodes; all that are there are served at once.
        paths: Vec<PathBuf>,
        /// Its speed, in baud.
        baud: u32,
    },
}

impl Console {
    /// The speed of a serial port, in baud.
    pub fn baud(&self) -> Option<u32> {
        match self {
            Console::Serial { baud, .. } => Some(*baud),
            Console::Stdio | Console::Pty => None,
        }
    }
}

/// A header with two rows of pins; the odd ones are on the left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wiring {
    /// What is printed on the board, or what the maker calls it.
    pub header: String,
    /// How many pins it has.
    pub pins: u32,
    /// The pins that are ground; at least one.
    pub ground: Vec<u32>,
    /// A pin with the supply of the lines (3.3 V).
    pub supply: u32,
    /// Its lines are too weak to feed a light and need a transistor each.
    pub weak: bool,
    /// The pin at which the console sends, when the console is on the header.
    pub console_tx: Option<u32>,
    /// The pin at which the console receives.
    pub console_rx: Option<u32>,
    /// The pin with the data line of the bus that a display is to be on.
    pub i2c_sda: Option<u32>,
    /// The pin with the clock line of that bus.
    pub i2c_scl: Option<u32>,
}

/// What a board needs once, before the box can use it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Setup {
    /// In words and lines of configuration, in order.
    pub steps: Vec<String>,
    /// The same for a display, where the board has one.
    pub display: Vec<String>,
    /// An addition to the service's unit, by its file name in `systemd/boards/`.
    pub service: Option<String>,
}

/// Where the board shows how it fares; what is not there is not measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "source", rename_all = "kebab-case")]
pub enum Health {
    /// The kernel of the machine.
    Machine(Sensors),
    /// Nowhere: the board is simulated.
    None,
}

/// See [`Health`]. Of each kind all that are there are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sensors {
    /// Thermometers; the one that is nearest to its limit counts.
    pub temperature: Vec<Sensor>,
    /// The limit of all of them, in degrees Celsius; `None` where their own trip points say it.
    pub temperature_limit_celsius: Option<u32>,
    /// Alarms of the supply.
    pub undervoltage: Vec<Sensor>,
    /// Signs that the processor is slowed down.
    pub throttled: Vec<Sensor>,
}

impl Sensors {
    /// Any Linux: its thermal zones, or the thermometers of a PC's processor.
    pub const TEMPERATURE: [&str; 3] =
        ["zone:*", "hwmon:coretemp/temp1_input", "hwmon:k10temp/temp1_input"];
    /// Any Linux: what its kernel does against heat. Both names of a clock that is lowered, and that of
    /// ACPI.
    pub const THROTTLED: [&str; 3] =
        ["cooler:thermal-cpufreq-*", "cooler:cpufreq-*", "cooler:Processor"];
}

impl Profile {
    /// The GPIO lines that the profile uses, with the table that names each.
    pub fn lines(&self) -> Vec<(&'static str, &Line)> {
        let mut lines = Vec::new();
        match &self.lights {
            Lights::Cdev(Fitted::Two { live, status }) => {
                lines.extend([("lights.live", live), ("lights.status", status)]);
            }
            Lights::Cdev(Fitted::One { single }) => lines.push(("lights.single", single)),
            Lights::Terminal | Lights::Sysfs(_) | Lights::None => {}
        }
        if let Button::Cdev { line, reset, .. } = &self.button {
            lines.push(("button", line));
            lines.extend(reset.as_ref().map(|reset| ("button.reset", reset)));
        }
        lines
    }
}
