//! What can be asked for at a console, and how a line is understood.

use std::fmt;

use zeroize::Zeroizing;

use super::table::COMMANDS;
use crate::spelling::changes;
use crate::status::StickImport;

/// What somebody at a console asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// The commands, or what one command does.
    Help {
        /// The name of the command that is asked about; one of [`COMMANDS`].
        about: Option<&'static str>,
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
    Show {
        /// Only those whose name begins so.
        name: Option<String>,
    },
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
        /// Its name: one of [`SECRETS`](super::SECRETS).
        name: &'static str,
    },
    /// Try a destination without going live.
    Check {
        /// Its name; the only one where none is given.
        name: Option<String>,
    },
    /// Cameras, microphones and encoders.
    Devices,
    /// How loud the audio is.
    Levels,
    /// The settings as a file, without the keys.
    Export,
    /// Read the settings again.
    Reload,
    /// Interfaces, addresses, time.
    Network,
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
    Stick(StickImport),
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

/// What an argument names, as far as a console can complete it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument {
    /// Nothing that is known beforehand.
    None,
    /// A setting.
    Setting,
    /// A destination.
    Destination,
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
            Problem::KeyShown => f.write_str(
                "a stream key is not typed here, where everybody can read it; `key NAME` asks for it",
            ),
            Problem::SecretShown { name } => write!(
                f,
                "it is not typed here, where everybody can read it; `set {name}` alone asks for it"
            ),
            Problem::TooMany => f.write_str("this command takes no further argument"),
        }
    }
}

impl std::error::Error for ParseError {}

impl ParseError {
    /// Whether the line holds a secret and is not to be shown again.
    pub fn shows_secret(&self) -> bool {
        matches!(self.problem, Problem::KeyShown | Problem::SecretShown { .. })
    }

    /// Whether the line resembles no command, so that it may be a key that was typed in the wrong
    /// place and does not belong into the history.
    pub fn may_be_secret(&self) -> bool {
        matches!(self.problem, Problem::Unknown { nearest: None })
    }
}

/// The words of a line that are still to be parsed, each with its column.
#[derive(Debug, Clone)]
pub struct Words<'a> {
    pub(super) words: &'a [(usize, &'a str)],
    line: &'a str,
    /// The column after the last character of the line.
    line_end: usize,
}

impl<'a> Words<'a> {
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
        let found = words.iter().position(|word| Some(*word) == given);
        found.ok_or(ParseError { column, problem: Problem::Incomplete { words: words.to_vec() } })
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

/// What `line` asks for; `None` for an empty line.
///
/// # Errors
/// [`ParseError`] with the column and, where one comes close, the command that was meant.
pub fn parse(line: &str) -> Result<Option<Command>, ParseError> {
    let split = split(line);
    if split.is_empty() {
        return Ok(None);
    }
    let mut words = Words { words: &split, line, line_end: line.chars().count() + 1 };
    let entry = take_entry(&mut words)?;
    (entry.parse)(words).map(Some)
}

/// The lines that answer `help`, or `help COMMAND`.
pub fn help(about: Option<&str>) -> Vec<String> {
    match about.and_then(|name| COMMANDS.iter().find(|entry| entry.name == name)) {
        Some(entry) => {
            let mut lines =
                vec![synopsis(entry), format!("  {}.", entry.short), format!("  {}", entry.long)];
            if entry.example != entry.name {
                lines.push(format!("  For example: {}", entry.example));
            }
            lines
        }
        None => {
            let width = COMMANDS.iter().map(|entry| synopsis(entry).len()).max().unwrap_or(0);
            COMMANDS
                .iter()
                .map(|entry| format!("{:width$}  {}", synopsis(entry), entry.short))
                .collect()
        }
    }
}

fn synopsis(entry: &Entry) -> String {
    [entry.name, entry.arguments].join(" ").trim_end().to_owned()
}

/// Takes the words that name a command: the longest name that fits.
pub(super) fn take_entry(words: &mut Words<'_>) -> Result<&'static Entry, ParseError> {
    let given = words.words;
    let fits = |name: &str| {
        let mut parts = name.split(' ');
        let fitting = parts.by_ref().zip(given).take_while(|(a, (_, b))| a == b).count();
        (fitting == name.split(' ').count()).then_some(fitting)
    };
    if let Some((_, "?")) = given.first() {
        words.next_word();
        return Ok(&COMMANDS[0]);
    }
    let best = COMMANDS
        .iter()
        .filter_map(|entry| Some((fits(entry.name)?, entry)))
        .max_by_key(|(n, _)| *n);
    if let Some((count, entry)) = best {
        words.words = &given[count..];
        return Ok(entry);
    }
    Err(unknown(words))
}

/// Why the words name no command: a name that is only begun, or none at all.
fn unknown(words: &mut Words<'_>) -> ParseError {
    let column = words.column();
    let Some((_, first)) = words.next_word() else {
        return ParseError { column, problem: Problem::Unknown { nearest: None } };
    };
    let further: Vec<&'static str> = COMMANDS
        .iter()
        .filter_map(|entry| entry.name.split_once(' '))
        .filter(|(group, _)| *group == first)
        .map(|(_, word)| word)
        .collect();
    if !further.is_empty() {
        return ParseError {
            column: words.column(),
            problem: Problem::Incomplete { words: further },
        };
    }
    ParseError { column, problem: Problem::Unknown { nearest: nearest(first) } }
}

/// The command whose first word needs at most two changes to become `word`.
fn nearest(word: &str) -> Option<&'static str> {
    const CHANGES_MAX: usize = 2;
    const CHARS_MAX: usize = 24;
    if word.chars().count() > CHARS_MAX {
        return None;
    }
    COMMANDS
        .iter()
        .map(|entry| {
            let first = entry.name.split(' ').next().unwrap_or(entry.name);
            let begun = word.len() >= 2 && first.starts_with(word);
            (if begun { 0 } else { changes(word, first) }, entry.name)
        })
        .filter(|(changes, name)| *changes <= CHANGES_MAX && *changes < name.len() / 2 + 1)
        .min_by_key(|(changes, _)| *changes)
        .map(|(_, name)| name)
}

/// The words of a line, each with its column in characters from 1.
fn split(line: &str) -> Vec<(usize, &str)> {
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

#[cfg(test)]
mod tests {
    use super::super::table::SECRETS;
    use super::*;

    fn error(line: &str) -> String {
        parse(line).unwrap_err().to_string()
    }

    #[test]
    fn every_command_of_the_table_parses_by_its_name_and_has_help() {
        for entry in COMMANDS {
            assert!(parse(entry.example).unwrap().is_some(), "{}", entry.name);
            assert!(entry.example.starts_with(entry.name));
            let asked = format!("help {}", entry.name);
            assert_eq!(parse(&asked), Ok(Some(Command::Help { about: Some(entry.name) })));
            let lines = help(Some(entry.name));
            assert!(lines[0].starts_with(entry.name) && lines.len() >= 3, "{lines:?}");
            assert!(help(None).iter().any(|line| line.starts_with(entry.name)));
            assert!(entry.short.len() <= 60, "one line on a narrow terminal: {}", entry.name);
        }
    }

    #[test]
    fn names_are_unique() {
        for (n, entry) in COMMANDS.iter().enumerate() {
            assert!(COMMANDS[n + 1..].iter().all(|other| other.name != entry.name));
        }
    }

    #[test]
    fn white_space_does_not_matter_and_an_empty_line_is_nothing() {
        for line in ["", "  ", "\t", "\u{1b}"] {
            assert_eq!(parse(line), Ok(None), "{line:?}");
        }
        for line in [" destination  list ", "destination\tlist"] {
            assert_eq!(parse(line), Ok(Some(Command::DestinationList)), "{line:?}");
        }
        assert_eq!(parse("?"), Ok(Some(Command::Help { about: None })));
        assert_eq!(parse("? live"), Ok(Some(Command::Help { about: Some("live") })));
    }

    #[test]
    fn an_error_knows_its_column_and_the_nearest_command() {
        let cases = [
            (
                "set console.pin 4711",
                "column 17: it is not typed here, where everybody can read it; `set console.pin` alone asks for it",
            ),
            ("statsu", "column 1: there is no such command; did you mean `status`?"),
            ("  lvie", "column 3: there is no such command; did you mean `live`?"),
            ("stat", "column 1: there is no such command; did you mean `status`?"),
            ("dest list", "column 1: there is no such command; did you mean `destination list`?"),
            ("frobnicate", "column 1: there is no such command; `help` lists them"),
            ("x", "column 1: there is no such command; `help` lists them"),
            ("live now", "column 6: this command takes no further argument"),
            (
                "destination lst",
                "column 13: `list` or `add` or `set` or `remove` or `test` must follow here",
            ),
            ("set", "column 4: NAME must follow here"),
            ("set video.fps ", "column 15: VALUE must follow here"),
            ("mode", "column 5: `text` or `machine` must follow here"),
            ("factory-reset now", "column 15: `yes` must follow here"),
            ("help lvie", "column 6: there is no such command; did you mean `live`?"),
            ("help live now", "column 11: this command takes no further argument"),
            ("äöü live", "column 1: there is no such command; `help` lists them"),
        ];
        for (line, expected) in cases {
            assert_eq!(error(line), expected, "{line:?}");
        }
    }

    #[test]
    fn a_value_may_have_blanks_and_is_in_no_debug_text() {
        let set = parse("set box.name  St. Mary's,  hall ").unwrap().unwrap();
        let Command::Serve(Service::Set { name, value }) = &set else { panic!("{set:?}") };
        assert_eq!((name.as_str(), value.0.as_str()), ("box.name", "St. Mary's,  hall"));
        let add = parse("destination add a rtmps://u:canary@h/app").unwrap();
        assert!(!format!("{add:?}").contains("canary"));
    }

    #[test]
    fn a_secret_setting_without_a_value_is_asked_for() {
        for name in SECRETS {
            let command = Command::Serve(Service::SetSecret { name });
            assert_eq!(parse(&format!("set {name}")), Ok(Some(command)));
            let message = error(&format!("set {name} canary"));
            assert!(!message.contains("canary") && message.contains("not typed here"), "{message}");
        }
        let key = Command::Serve(Service::Key { name: Some("a".to_owned()) });
        assert_eq!(parse("set destination.a.key"), Ok(Some(key)));
    }

    #[test]
    fn a_key_is_refused_where_it_can_be_seen() {
        let message = error("set destination.a.key canary");
        assert!(message.contains("`key NAME`") && !message.contains("canary"), "{message}");
    }

    #[test]
    fn an_error_never_repeats_what_was_typed() {
        assert!(!error("live_1234-canary").contains("canary"));
        assert!(!error("live live_1234-canary").contains("canary"));
    }

    #[test]
    fn a_line_of_the_longest_kind_is_answered() {
        let long = "x".repeat(crate::limits::CONSOLE_LINE_BYTES_MAX);
        assert_eq!(error(&long), "column 1: there is no such command; `help` lists them");
        let many = "live ".repeat(crate::limits::CONSOLE_LINE_BYTES_MAX / 5);
        assert_eq!(error(&many), "column 6: this command takes no further argument");
    }
}
