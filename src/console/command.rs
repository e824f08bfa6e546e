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
    /// Its arguments, typed.
    pub parse: fn(Words<'_>) -> Result<Command, ParseError>,
}

/// Every command, in the order of the help.
pub static COMMANDS: &[Entry] = &[
    Entry {
        name: "help",
        arguments: "[COMMAND]",
        short: "say what can be said here, or what one command does",
        long: "`?` is the same. Tab completes command names; the arrow keys bring back earlier lines.",
        parse: parse_help,
    },
    Entry {
        name: "status",
        arguments: "",
        short: "say what the box is doing",
        long: "Shows the state of the box, of camera, microphone, network and clock, and of every \
               destination with the reason of its last end. Answers in every state.",
        parse: |words| words.end(Command::Status),
    },
    Entry {
        name: "live",
        arguments: "",
        short: "go live, as a short press of the button does",
        long: "While live it changes nothing. While the box waits to try again it tries at once.",
        parse: |words| words.end(Command::Live),
    },
    Entry {
        name: "stop",
        arguments: "",
        short: "end the broadcast, as holding the button does",
        long: "The broadcast has ended two seconds later at most, whatever the servers do.",
        parse: |words| words.end(Command::Stop),
    },
    Entry {
        name: "watch",
        arguments: "",
        short: "begin or end to show every change as it happens",
        long: "One line for each change of the box, of a destination, of camera and microphone.",
        parse: |words| words.end(Command::Watch),
    },
    Entry {
        name: "destination list",
        arguments: "",
        short: "list the destinations and what each is doing",
        long: "Stream keys are never shown; only whether one is set.",
        parse: |words| words.end(Command::DestinationList),
    },
    Entry {
        name: "about",
        arguments: "",
        short: "say product, version and board",
        long: "Have this ready when asking for help.",
        parse: |words| words.end(Command::About),
    },
];

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
            Problem::TooMany => f.write_str("this command takes no further argument"),
        }
    }
}

impl std::error::Error for ParseError {}

/// The words of a line that are still to be parsed, each with its column.
#[derive(Debug, Clone)]
pub struct Words<'a> {
    words: &'a [(usize, &'a str)],
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
    let mut words = Words { words: &split, line_end: line.chars().count() + 1 };
    let entry = take_entry(&mut words)?;
    (entry.parse)(words).map(Some)
}

/// The lines that answer `help`, or `help COMMAND`.
pub fn help(about: Option<&str>) -> Vec<String> {
    match about.and_then(|name| COMMANDS.iter().find(|entry| entry.name == name)) {
        Some(entry) => {
            vec![synopsis(entry), format!("  {}.", entry.short), format!("  {}", entry.long)]
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
            assert!(parse(entry.name).unwrap().is_some(), "{}", entry.name);
            let asked = format!("help {}", entry.name);
            assert_eq!(parse(&asked), Ok(Some(Command::Help { about: Some(entry.name) })));
            let lines = help(Some(entry.name));
            assert!(lines[0].starts_with(entry.name) && lines.len() == 3, "{lines:?}");
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
            ("destination", "column 12: `list` must follow here"),
            ("destination lst", "column 13: `list` must follow here"),
            ("help lvie", "column 6: there is no such command; did you mean `live`?"),
            ("help live now", "column 11: this command takes no further argument"),
            ("äöü live", "column 1: there is no such command; `help` lists them"),
        ];
        for (line, expected) in cases {
            assert_eq!(error(line), expected, "{line:?}");
        }
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
