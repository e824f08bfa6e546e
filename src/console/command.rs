//! The table of commands: one entry owns a command's name, arguments, help and parser.

use std::fmt;

/// What somebody at a console asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// What can be said here, or what one command does.
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
        /// Its name.
        name: String,
    },
    /// Try a destination without going live.
    Check {
        /// Its name.
        name: String,
    },
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
        /// It was said twice.
        sure: bool,
    },
    /// Start the machine anew.
    Reboot {
        /// It was said twice.
        sure: bool,
    },
    /// How replies are written here.
    Mode {
        /// For a program.
        machine: bool,
    },
    /// What the import of a USB stick has come to.
    Stick(Stick),
}

/// How far the import of a USB stick is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stick {
    /// It is being read.
    Working,
    /// Its settings hold, and it may be pulled out.
    Accepted,
    /// Nothing was changed, and it may be pulled out.
    Refused,
}

/// Something typed that may hold a secret, such as an address with a password: never part of a
/// debug text.
#[derive(Clone, PartialEq, Eq)]
pub struct Typed(pub String);

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

/// Every command, in the order of the help.
pub static COMMANDS: &[Entry] = &[
    Entry {
        name: "help",
        arguments: "[COMMAND]",
        short: "say what can be said here, or what one command does",
        long: "`?` is the same. Tab completes command names; the arrow keys bring back earlier lines.",
        example: "help",
        argument: Argument::None,
        parse: parse_help,
    },
    Entry {
        name: "status",
        arguments: "",
        short: "say what the box is doing",
        long: "Shows the state of the box, of camera, microphone, network and clock, and of every \
               destination with the reason of its last end. Answers in every state.",
        example: "status",
        argument: Argument::None,
        parse: |words| words.end(Command::Status),
    },
    Entry {
        name: "live",
        arguments: "",
        short: "go live, as a short press of the button does",
        long: "While live it changes nothing. While the box waits to try again it tries at once.",
        example: "live",
        argument: Argument::None,
        parse: |words| words.end(Command::Live),
    },
    Entry {
        name: "stop",
        arguments: "",
        short: "end the broadcast, as holding the button does",
        long: "The broadcast has ended two seconds later at most, whatever the servers do.",
        example: "stop",
        argument: Argument::None,
        parse: |words| words.end(Command::Stop),
    },
    Entry {
        name: "watch",
        arguments: "",
        short: "begin or end to show every change as it happens",
        long: "One line for each change of the box, of a destination, of camera and microphone.",
        example: "watch",
        argument: Argument::None,
        parse: |words| words.end(Command::Watch),
    },
    Entry {
        name: "destination list",
        arguments: "",
        short: "list the destinations and what each is doing",
        long: "Stream keys are never shown; only whether one is set.",
        example: "destination list",
        argument: Argument::None,
        parse: |words| words.end(Command::DestinationList),
    },
    Entry {
        name: "about",
        arguments: "",
        short: "say product, version and board",
        long: "Have this ready when asking for help.",
        example: "about",
        argument: Argument::None,
        parse: |words| words.end(Command::About),
    },
    Entry {
        name: "destination add",
        arguments: "NAME ADDRESS",
        short: "add a destination; `key NAME` sets its key",
        long: "The address is the one that the platform hands out, without the key.",
        example: "destination add youtube rtmps://a.rtmps.youtube.com/live2",
        argument: Argument::None,
        parse: |words| with_address(words, |name, url| Service::DestinationAdd { name, url }),
    },
    Entry {
        name: "destination set",
        arguments: "NAME ADDRESS",
        short: "give a destination another address",
        long: "Another server's address drops the key: it was not meant for that server.",
        example: "destination set youtube rtmps://b.rtmps.youtube.com/live2?backup=1",
        argument: Argument::Destination,
        parse: |words| with_address(words, |name, url| Service::DestinationSet { name, url }),
    },
    Entry {
        name: "destination remove",
        arguments: "NAME",
        short: "forget a destination and its key",
        long: "If the box is live there, it ends there and goes on everywhere else.",
        example: "destination remove youtube",
        argument: Argument::Destination,
        parse: |words| named(words, |name| Service::DestinationRemove { name }),
    },
    Entry {
        name: "destination test",
        arguments: "NAME",
        short: "the same as `check NAME`",
        long: "Finds the server, connects and verifies its certificate. Nothing goes on air.",
        example: "destination test youtube",
        argument: Argument::Destination,
        parse: |words| named(words, |name| Service::Check { name }),
    },
    Entry {
        name: "key",
        arguments: "NAME",
        short: "set the stream key of a destination, without showing it",
        long: "The key is asked for and not echoed. It is confirmed by its length and a short tag \
               and never shown again.",
        example: "key youtube",
        argument: Argument::Destination,
        parse: |words| named(words, |name| Service::Key { name }),
    },
    Entry {
        name: "check",
        arguments: "NAME",
        short: "try a destination without going live",
        long: "Finds the server, connects and verifies its certificate. The key is tried only when \
               going live.",
        example: "check youtube",
        argument: Argument::Destination,
        parse: |words| named(words, |name| Service::Check { name }),
    },
    Entry {
        name: "set",
        arguments: "NAME VALUE",
        short: "change a setting",
        long: "`show` lists the settings. What is on air goes on; the picture's size and rate change \
               with the next broadcast.",
        example: "set video.fps 25",
        argument: Argument::Setting,
        parse: parse_set,
    },
    Entry {
        name: "show",
        arguments: "[NAME]",
        short: "show the settings, or those whose name begins so",
        long: "Keys and the secret parts of addresses are shown as dots.",
        example: "show video",
        argument: Argument::Setting,
        parse: parse_show,
    },
    Entry {
        name: "unset",
        arguments: "NAME",
        short: "take a setting back, so that its default holds",
        long: "The integrator's file and the board's profile hold the defaults.",
        example: "unset video.fps",
        argument: Argument::Setting,
        parse: |words| named(words, |name| Service::Unset { name }),
    },
    Entry {
        name: "export",
        arguments: "",
        short: "show the settings as a file, without the keys",
        long: "Save it as firstmile.toml to carry the settings to another box by USB stick.",
        example: "export",
        argument: Argument::None,
        parse: |words| words.end(Command::Serve(Service::Export)),
    },
    Entry {
        name: "reload",
        arguments: "",
        short: "read the stored settings again",
        long: "The import of a USB stick does this by itself.",
        example: "reload",
        argument: Argument::None,
        parse: |words| words.end(Command::Serve(Service::Reload)),
    },
    Entry {
        name: "network",
        arguments: "",
        short: "show interfaces, addresses and the clock",
        long: "`up` means a carrier. The clock must be right before certificates can be judged.",
        example: "network",
        argument: Argument::None,
        parse: |words| words.end(Command::Serve(Service::Network)),
    },
    Entry {
        name: "log",
        arguments: "",
        short: "show the last lines of the log",
        long: "The journal of the system has all of them.",
        example: "log",
        argument: Argument::None,
        parse: |words| words.end(Command::Serve(Service::Log)),
    },
    Entry {
        name: "blackbox",
        arguments: "",
        short: "show what happened in the last 10 minutes",
        long: "Every change, and what was sent and acknowledged on air. After a fault or a break of the \
               stream the same is kept in the box's state folder.",
        example: "blackbox",
        argument: Argument::None,
        parse: |words| words.end(Command::Serve(Service::BlackBox)),
    },
    Entry {
        name: "mode",
        arguments: "text|machine",
        short: "write replies for people, or for a program",
        long: "For a program: no echo and no prompt; ACK or NACK, lines of `key: value`, and an empty \
               line. `mode text` ends it.",
        example: "mode text",
        argument: Argument::None,
        parse: parse_mode,
    },
    Entry {
        name: "stick",
        arguments: "working|accepted|refused",
        short: "show on the lights what a USB stick has come to",
        long: "The import of a USB stick says this.",
        example: "stick accepted",
        argument: Argument::None,
        parse: parse_stick,
    },
    Entry {
        name: "factory-reset",
        arguments: "[yes]",
        short: "forget all settings and stream keys",
        long: "`factory-reset yes` does it; a broadcast ends. The integrator's file stays.",
        example: "factory-reset",
        argument: Argument::None,
        parse: |words| sure(words, |sure| Service::FactoryReset { sure }),
    },
    Entry {
        name: "reboot",
        arguments: "[yes]",
        short: "start the machine anew",
        long: "`reboot yes` does it. A box that was live goes live again by itself.",
        example: "reboot",
        argument: Argument::None,
        parse: |words| sure(words, |sure| Service::Reboot { sure }),
    },
];

/// The name of the only setting that is never typed where it can be seen.
const KEY_SETTING: &str = ".key";

fn serve(words: Words<'_>, service: Service) -> Result<Command, ParseError> {
    words.end(Command::Serve(service))
}

fn named(mut words: Words<'_>, service: fn(String) -> Service) -> Result<Command, ParseError> {
    let name = words.required("NAME")?.to_owned();
    serve(words, service(name))
}

fn with_address(
    mut words: Words<'_>,
    service: fn(String, Typed) -> Service,
) -> Result<Command, ParseError> {
    let name = words.required("NAME")?.to_owned();
    let url = Typed(words.required("ADDRESS")?.to_owned());
    serve(words, service(name, url))
}

fn parse_set(mut words: Words<'_>) -> Result<Command, ParseError> {
    let name = words.required("NAME")?.to_owned();
    let column = words.column();
    if name.starts_with("destination.") && name.ends_with(KEY_SETTING) {
        return Err(ParseError { column, problem: Problem::KeyShown });
    }
    let value = Typed(words.rest("VALUE")?.to_owned());
    Ok(Command::Serve(Service::Set { name, value }))
}

fn parse_show(mut words: Words<'_>) -> Result<Command, ParseError> {
    let name = words.next_word().map(|(_, name)| name.to_owned());
    serve(words, Service::Show { name })
}

fn parse_mode(mut words: Words<'_>) -> Result<Command, ParseError> {
    let machine = words.choice(&["text", "machine"])? == 1;
    serve(words, Service::Mode { machine })
}

fn parse_stick(mut words: Words<'_>) -> Result<Command, ParseError> {
    let stick = match words.choice(&["working", "accepted", "refused"])? {
        0 => Stick::Working,
        1 => Stick::Accepted,
        _ => Stick::Refused,
    };
    serve(words, Service::Stick(stick))
}

fn sure(mut words: Words<'_>, service: fn(bool) -> Service) -> Result<Command, ParseError> {
    let sure = !words.words.is_empty() && words.choice(&["yes"]).map(|_| true)?;
    serve(words, service(sure))
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
                "a stream key is not typed here, where it can be seen; `key NAME` asks for it",
            ),
            Problem::TooMany => f.write_str("this command takes no further argument"),
        }
    }
}

impl std::error::Error for ParseError {}

/// The words of a line that are still to be parsed, each with its column.
#[derive(Debug, Clone)]
pub struct Words<'a> {
    words: &'a [(usize, &'a str)],
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

fn parse_help(mut words: Words<'_>) -> Result<Command, ParseError> {
    if words.words.is_empty() {
        return Ok(Command::Help { about: None });
    }
    let entry = take_entry(&mut words)?;
    words.end(Command::Help { about: Some(entry.name) })
}

/// Takes the words that name a command: the longest name that fits.
fn take_entry(words: &mut Words<'_>) -> Result<&'static Entry, ParseError> {
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
            (if begun { 0 } else { distance(first, word) }, entry.name)
        })
        .filter(|(changes, name)| *changes <= CHANGES_MAX && *changes < name.len() / 2 + 1)
        .min_by_key(|(changes, _)| *changes)
        .map(|(_, name)| name)
}

/// Edit distance, with a swap of neighbours as one change (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        rows[i][0] = i;
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            let mut best =
                (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + change);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
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
    fn a_key_is_refused_where_it_can_be_seen() {
        let told = error("set destination.a.key canary");
        assert!(told.contains("`key NAME`") && !told.contains("canary"), "{told}");
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

    #[test]
    fn a_swap_of_neighbours_is_one_change() {
        for (a, b, changes) in
            [("live", "live", 0), ("live", "lvie", 1), ("stop", "sto", 1), ("", "ab", 2)]
        {
            assert_eq!(distance(a, b), changes, "{a} {b}");
        }
    }
}
