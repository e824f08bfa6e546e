//! What can be asked for at a console, and the words that it is asked with.

use std::fmt;
use std::ops::RangeInclusive;

use zeroize::Zeroizing;

use crate::device_controls::ControlsOf;
use crate::status::StickImport;

/// What somebody at a console asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// The commands, or what one command does.
    Help {
        /// What is asked about.
        about: Topic,
    },
    /// What the box is doing.
    Status,
    /// Go live.
    Live,
    /// End the broadcast.
    Stop,
    /// Begin or end to tell every change.
    Watch,
    /// The destinations and what each is doing.
    DestinationList,
    /// Product, version and board.
    About,
    /// What belongs to the box's hands: settings, network, the system.
    Serve(Service),
}

impl Command {
    /// Whether the import of a USB stick asks this.
    pub fn is_of_import(&self) -> bool {
        matches!(self, Command::Serve(Service::Reload | Service::Stick { .. }))
    }
}

/// A command that the appliance does not answer itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Service {
    /// Change a setting.
    Set {
        /// Its name, such as `video.fps`.
        name: String,
        /// The value as it was typed.
        value: Typed,
    },
    /// Take a setting back.
    Unset {
        /// Its name.
        name: String,
    },
    /// The settings that hold.
    Show(Shown),
    /// Add a destination.
    DestinationAdd {
        /// Its name.
        name: String,
        /// The server's address.
        url: Typed,
    },
    /// Give a destination another address.
    DestinationSet {
        /// Its name.
        name: String,
        /// The server's address.
        url: Typed,
    },
    /// Forget a destination and its key.
    DestinationRemove {
        /// Its name.
        name: String,
    },
    /// Set the stream key of a destination.
    Key {
        /// Its name; the only one where none is given.
        name: Option<String>,
    },
    /// Set another setting that is never typed where everybody can read it.
    SetSecret {
        /// Its name in the table of settings.
        name: &'static str,
    },
    /// Try a destination without going live.
    Check {
        /// Its name; the only one where none is given.
        name: Option<String>,
    },
    /// Cameras, microphones and encoders.
    Devices,
    /// The hardware controls of a device.
    Controls(ControlsOf),
    /// Set a hardware control.
    SetControl {
        /// Of which sort of device.
        of: ControlsOf,
        /// The control.
        control: String,
        /// The value as it was typed.
        value: Typed,
    },
    /// Give a hardware control its default.
    ResetControl {
        /// Of which sort of device.
        of: ControlsOf,
        /// The control.
        control: String,
    },
    /// How loud the audio is.
    Levels,
    /// Begin or end to show how loud the audio is.
    LevelsWatch,
    /// A frame of the video, as a JPEG.
    Still {
        /// The longest side, in pixels.
        longest_side: u32,
        /// As libjpeg counts.
        quality: u8,
    },
    /// The settings as a file, without the keys.
    Export,
    /// Read the settings again.
    Reload,
    /// Interfaces, addresses, time.
    Network,
    /// Wireless networks in range.
    NetworkScan,
    /// The last lines of the log.
    Log,
    /// Show the last minutes.
    BlackBox,
    /// Forget all settings and keys.
    FactoryReset {
        /// It was confirmed.
        sure: bool,
    },
    /// Restart the machine.
    Reboot {
        /// It was confirmed.
        sure: bool,
    },
    /// How replies are written here.
    Mode {
        /// For a program.
        machine: bool,
    },
    /// What the import of a USB stick has come to.
    Stick {
        /// For the lights.
        stick: StickImport,
        /// For consoles and the log.
        words: Option<String>,
    },
}

/// What help is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// Which commands there are.
    Commands,
    /// What each command does.
    All,
    /// What one command does; one of [`COMMANDS`](super::COMMANDS), by its name.
    Command(&'static str),
}

/// Which settings are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// People are shown those that somebody has set; programs get all.
    Set,
    /// All.
    All,
    /// Those whose name begins so.
    Begins(String),
}

/// Something typed that may hold a secret, such as an address with a password: never part of a
/// debug text, and wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Typed(pub Zeroizing<String>);

impl From<&str> for Typed {
    fn from(text: &str) -> Typed {
        Typed(Zeroizing::new(text.to_owned()))
    }
}

impl fmt::Debug for Typed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Typed(••••)")
    }
}

/// One command.
pub struct Entry {
    /// The words that name it.
    pub name: &'static str,
    /// Where the help lists it.
    pub group: Group,
    /// Its arguments as the help shows them; empty without any.
    pub arguments: &'static str,
    /// One line: what it does.
    pub short: &'static str,
    /// What else there is to know.
    pub long: &'static str,
    /// A line that asks for it.
    pub example: &'static str,
    /// What its first argument names, for completion.
    pub argument: Argument,
    /// Its arguments, typed.
    pub parse: fn(Words<'_>) -> Result<Command, ParseError>,
}

/// What a command is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// The broadcast.
    Live,
    /// Where it goes.
    Destinations,
    /// All settings.
    Settings,
    /// Camera and microphone.
    Sources,
    /// What is connected to the box.
    Devices,
    /// The box itself.
    System,
}

impl Group {
    /// All of them, in the order of the help.
    pub const ALL: [Group; 6] = [
        Group::Live,
        Group::Destinations,
        Group::Settings,
        Group::Sources,
        Group::Devices,
        Group::System,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Group::Live => "broadcast",
            Group::Destinations => "destinations",
            Group::Settings => "settings",
            Group::Sources => "sources",
            Group::Devices => "devices",
            Group::System => "system",
        }
    }
}

/// What an argument names, as far as a console can complete it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument {
    /// Nothing that is known beforehand.
    None,
    /// A setting.
    Setting,
    /// A destination.
    Destination,
    /// A hardware control.
    Control(ControlsOf),
}

/// Why a line is not a command. It never repeats what was typed: that might be a stream key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// Where, in characters from 1.
    pub column: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// No command has this name; perhaps one that is nearly spelled so was meant.
    Unknown {
        /// The nearest name.
        nearest: Option<&'static str>,
    },
    /// The command has a further word, one of these.
    Incomplete {
        /// The words that may follow.
        words: Vec<&'static str>,
    },
    /// An argument is missing.
    Missing {
        /// What it is called.
        what: &'static str,
    },
    /// A stream key does not belong on a line that everybody can read.
    KeyShown,
    /// Nor does another secret.
    SecretShown {
        /// The setting.
        name: &'static str,
    },
    /// An argument is no number of this range.
    NoNumber {
        /// What it is called.
        what: &'static str,
        /// The least one.
        min: u32,
        /// The greatest one.
        max: u32,
    },
    /// The command takes no further argument.
    TooMany,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: ", self.column)?;
        match &self.problem {
            Problem::Unknown { nearest: Some(name) } => {
                write!(f, "there is no such command; did you mean `{name}`?")
            }
            Problem::Unknown { nearest: None } => {
                f.write_str("there is no such command; `help` lists them")
            }
            Problem::Incomplete { words } => {
                write!(f, "`{}` must follow here", words.join("` or `"))
            }
            Problem::Missing { what } => write!(f, "{what} must follow here"),
            Problem::NoNumber { what, min, max } => {
                write!(f, "{what} must be a whole number from {min} to {max}")
            }
            Problem::KeyShown => f.write_str(
                "a stream key is not typed here, where it can be seen; `key NAME` asks for it",
            ),
            Problem::SecretShown { name } => write!(
                f,
                "it is not typed here, where it can be seen; `set {name}` alone asks for it"
            ),
            Problem::TooMany => f.write_str("this command takes no further argument"),
        }
    }
}

impl std::error::Error for ParseError {}

/// The words of a line that are still to be parsed, each with its column.
#[derive(Debug, Clone)]
pub struct Words<'a> {
    pub(super) words: &'a [(usize, &'a str)],
    line: &'a str,
    /// The column after the last character of the line.
    line_end: usize,
}

impl<'a> Words<'a> {
    /// All words of `line`, which [`split`] has found.
    pub(super) fn new(words: &'a [(usize, &'a str)], line: &'a str) -> Words<'a> {
        Words { words, line, line_end: line.chars().count() + 1 }
    }

    /// Takes the next word and its column.
    pub fn next_word(&mut self) -> Option<(usize, &'a str)> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(*first)
    }

    /// Takes the next word, which must be there.
    ///
    /// # Errors
    /// [`Problem::Missing`].
    pub fn required(&mut self, what: &'static str) -> Result<&'a str, ParseError> {
        let column = self.column();
        let missing = ParseError { column, problem: Problem::Missing { what } };
        self.next_word().map(|(_, word)| word).ok_or(missing)
    }

    /// Takes all that is left of the line, with the blanks inside.
    ///
    /// # Errors
    /// [`Problem::Missing`].
    pub fn rest(self, what: &'static str) -> Result<&'a str, ParseError> {
        let column = self.column();
        let missing = ParseError { column, problem: Problem::Missing { what } };
        let begin = self.line.char_indices().nth(column - 1).map(|(byte, _)| byte);
        begin.map(|byte| self.line[byte..].trim_end()).ok_or(missing)
    }

    /// Takes one of these words and says which.
    ///
    /// # Errors
    /// [`Problem::Incomplete`] with the words.
    pub fn choice(&mut self, words: &[&'static str]) -> Result<usize, ParseError> {
        let column = self.column();
        let given = self.next_word().map(|(_, word)| word);
        let is_given = |word: &&str| given.is_some_and(|given| word.eq_ignore_ascii_case(given));
        let found = words.iter().position(is_given);
        found.ok_or(ParseError { column, problem: Problem::Incomplete { words: words.to_vec() } })
    }

    /// Takes the next word, if there is one, which must be a number of this range.
    ///
    /// # Errors
    /// [`Problem::NoNumber`].
    pub fn number(
        &mut self,
        what: &'static str,
        range: RangeInclusive<u32>,
    ) -> Result<Option<u32>, ParseError> {
        let Some((column, word)) = self.next_word() else { return Ok(None) };
        let (min, max) = (*range.start(), *range.end());
        let number = word.parse().ok().filter(|number| range.contains(number));
        let problem = Problem::NoNumber { what, min, max };
        number.map(Some).ok_or(ParseError { column, problem })
    }

    /// The column where the next word stands or would stand.
    pub fn column(&self) -> usize {
        self.words.first().map_or(self.line_end, |(column, _)| *column)
    }

    /// `command`, if nothing is left.
    ///
    /// # Errors
    /// [`Problem::TooMany`] at the first word that is left.
    pub fn end(self, command: Command) -> Result<Command, ParseError> {
        match self.words.first() {
            None => Ok(command),
            Some((column, _)) => Err(ParseError { column: *column, problem: Problem::TooMany }),
        }
    }
}

/// The words of a line, each with its column in characters from 1.
pub(super) fn split(line: &str) -> Vec<(usize, &str)> {
    let mut words = Vec::new();
    let mut begin: Option<(usize, usize)> = None; // byte, column
    for (column, (byte, c)) in line.char_indices().enumerate() {
        match (begin, c.is_whitespace() || c.is_control()) {
            (None, false) => begin = Some((byte, column + 1)),
            (Some((from, at)), true) => {
                words.push((at, &line[from..byte]));
                begin = None;
            }
            _ => {}
        }
    }
    if let Some((from, at)) = begin {
        words.push((at, &line[from..]));
    }
    words
}
