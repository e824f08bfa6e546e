//! The line editor: bytes of a terminal in, echo and completed lines out.
//!
//! It speaks what every terminal understands: backspace, carriage return and `ESC [` sequences.
//! Each character is taken to be one column wide.

use std::collections::VecDeque;
use std::fmt;

use zeroize::{Zeroize, Zeroizing};

use super::command::{Argument, Typed};
use super::table::COMMANDS;
use crate::limits::{
    CONSOLE_ESCAPE_BYTES_MAX, CONSOLE_HISTORY_MAX, CONSOLE_LINE_BYTES_MAX, KEY_BYTES_MAX,
};

/// What a byte completed.
#[derive(Debug, PartialEq, Eq)]
pub enum Input {
    /// A line, without its end.
    Line(String),
    /// A secret that was asked for with [`LineEditor::ask_secret`].
    Secret(Typed),
    /// The line is longer than [`CONSOLE_LINE_BYTES_MAX`], or the secret than any may be; told once,
    /// the rest of it is swallowed.
    TooLong,
    /// ^C: the line, or the question for a secret, was given up.
    Interrupted,
}

/// Edits one line at a time.
///
/// Memory is bounded whatever arrives: one line, [`CONSOLE_HISTORY_MAX`] earlier ones, and an
/// incomplete character or escape sequence. The echo goes into a buffer of the caller, which
/// writes it out and empties it.
pub struct LineEditor {
    prompt: String,
    /// Characters of the line; their UTF-8 length is kept beside them.
    line: Vec<char>,
    line_bytes: usize,
    cursor: usize,
    history: VecDeque<String>,
    /// Which earlier line is shown, counted from the newest, and what was being typed before.
    recalled: Option<usize>,
    draft: Vec<char>,
    /// Set while a secret is typed.
    secret: Option<Secret>,
    /// What arguments may name, for completion.
    settings: Vec<String>,
    destinations: Vec<String>,
    decoder: Decoder,
    /// The rest of an overlong line is being swallowed.
    swallowing: bool,
    /// The last byte was CR: an LF after it belongs to it.
    after_cr: bool,
}

struct Secret {
    question: String,
    /// Never reallocated, so that no copy stays behind.
    bytes: Zeroizing<Vec<u8>>,
}

/// Where the byte stream stands between two keys.
#[derive(Debug, Default)]
enum Decoder {
    #[default]
    Ground,
    /// Bytes of a character in UTF-8, and how many it will have.
    Utf8 {
        bytes: [u8; 4],
        have: usize,
        want: usize,
    },
    Escape,
    /// `ESC [`, with its parameter bytes.
    Csi {
        parameters: Vec<u8>,
    },
    /// `ESC O`: some terminals send arrow keys so.
    Ss3,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Char(char),
    Enter,
    Tab,
    Backspace,
    Delete,
    Left,
    Right,
    Up,
    Down,
    Home,
    End,
    KillLine,
    KillWord,
    Redraw,
    Interrupt,
}

/// What is being typed may be a secret: it is never part of a debug text.
impl fmt::Debug for LineEditor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LineEditor").field("characters", &self.line.len()).finish_non_exhaustive()
    }
}

impl Default for LineEditor {
    fn default() -> LineEditor {
        LineEditor::new()
    }
}

impl LineEditor {
    /// An empty line without a prompt.
    pub fn new() -> LineEditor {
        LineEditor {
            prompt: String::new(),
            line: Vec::new(),
            line_bytes: 0,
            cursor: 0,
            history: VecDeque::new(),
            recalled: None,
            draft: Vec::new(),
            secret: None,
            settings: Vec::new(),
            destinations: Vec::new(),
            decoder: Decoder::Ground,
            swallowing: false,
            after_cr: false,
        }
    }

    /// The prompt from now on; [`LineEditor::redraw`] shows it.
    pub fn set_prompt(&mut self, prompt: &str) {
        prompt.clone_into(&mut self.prompt);
    }

    /// The names that arguments are completed to from now on.
    pub fn set_names(&mut self, settings: Vec<String>, destinations: Vec<String>) {
        (self.settings, self.destinations) = (settings, destinations);
    }

    /// Forgets the newest line, because it held something that is not to be shown again.
    pub fn forget_line(&mut self) {
        if let Some(mut line) = self.history.pop_front() {
            line.zeroize();
        }
    }

    /// Whether a secret is being asked for.
    pub fn asks_secret(&self) -> bool {
        self.secret.is_some()
    }

    /// Asks for a secret: until it is complete or given up nothing is echoed, remembered or
    /// completed. The question stands in for the prompt and is shown.
    pub fn ask_secret(&mut self, question: &str, echo: &mut Vec<u8>) {
        self.clear();
        let bytes = Zeroizing::new(Vec::with_capacity(KEY_BYTES_MAX + 1));
        self.secret = Some(Secret { question: question.to_owned(), bytes });
        self.redraw(echo);
    }

    /// Asks for a secret no longer.
    pub fn ask_nothing(&mut self) {
        self.secret = None;
    }

    /// Forgets what is being typed and what was typed before.
    pub fn forget_all(&mut self) {
        self.clear();
        self.secret = None;
        self.swallowing = false;
        self.decoder = Decoder::Ground;
        self.history.iter_mut().for_each(Zeroize::zeroize);
        self.history.clear();
    }

    /// Takes one byte. What the terminal should show is appended to `echo`.
    pub fn feed(&mut self, byte: u8, echo: &mut Vec<u8>) -> Option<Input> {
        let after_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
        if after_cr && byte == b'\n' {
            return None;
        }
        let key = self.decode(byte)?;
        if self.swallowing {
            if matches!(key, Key::Enter | Key::Interrupt) {
                self.swallowing = false;
                echo.extend_from_slice(b"\r\n");
                self.redraw(echo);
            }
            return None;
        }
        if self.secret.is_some() { self.secret_key(key, echo) } else { self.key(key, echo) }
    }

    /// Removes prompt and line from the terminal, so that something else can be printed.
    pub fn erase(&self, echo: &mut Vec<u8>) {
        echo.extend_from_slice(b"\r\x1b[K");
    }

    /// Shows prompt and line afresh.
    pub fn redraw(&self, echo: &mut Vec<u8>) {
        self.erase(echo);
        if let Some(secret) = &self.secret {
            echo.extend_from_slice(secret.question.as_bytes());
        } else {
            echo.extend_from_slice(self.prompt.as_bytes());
            show(&self.line, echo);
            back(self.line.len() - self.cursor, echo);
        }
    }

    fn key(&mut self, key: Key, echo: &mut Vec<u8>) -> Option<Input> {
        match key {
            Key::Char(c) => return self.insert(c, echo),
            Key::Enter => return Some(self.enter(echo)),
            Key::Interrupt => {
                echo.extend_from_slice(b"^C\r\n");
                self.clear();
                return Some(Input::Interrupted);
            }
            Key::Tab => self.complete(echo),
            Key::Backspace if self.cursor > 0 => self.remove(self.cursor - 1, self.cursor, echo),
            Key::Delete if self.cursor < self.line.len() => {
                self.remove(self.cursor, self.cursor + 1, echo);
            }
            Key::Left => self.move_to(self.cursor.saturating_sub(1), echo),
            Key::Right => self.move_to(self.cursor + 1, echo),
            Key::Home => self.move_to(0, echo),
            Key::End => self.move_to(self.line.len(), echo),
            Key::KillLine => self.remove(0, self.cursor, echo),
            Key::KillWord => self.remove(self.word_start(), self.cursor, echo),
            Key::Up => self.recall(self.recalled.map_or(0, |n| n + 1), echo),
            Key::Down => match self.recalled {
                Some(0) => self.back_to_draft(echo),
                Some(n) => self.recall(n - 1, echo),
                None => {}
            },
            Key::Redraw => self.redraw(echo),
            Key::Backspace | Key::Delete => {}
        }
        None
    }

    fn secret_key(&mut self, key: Key, echo: &mut Vec<u8>) -> Option<Input> {
        let secret = &mut self.secret.as_mut()?.bytes;
        match key {
            // One byte more than a key may have is kept, so that the parser sees it is too long.
            Key::Char(c) if secret.len() + c.len_utf8() <= KEY_BYTES_MAX + 1 => {
                let mut utf8 = [0; 4];
                secret.extend_from_slice(c.encode_utf8(&mut utf8).as_bytes());
                utf8.zeroize();
            }
            Key::Char(_) => {
                secret.zeroize();
                self.secret = None;
                self.swallowing = true;
                return Some(Input::TooLong);
            }
            Key::Backspace => while secret.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {},
            Key::KillLine | Key::KillWord => secret.zeroize(),
            Key::Redraw => self.redraw(echo),
            Key::Enter => {
                echo.extend_from_slice(b"\r\n");
                let secret = self.secret.take()?;
                // Whole characters were put in and taken out, so that it is always UTF-8.
                let text = std::str::from_utf8(&secret.bytes).unwrap_or_default();
                return Some(Input::Secret(Typed::from(text)));
            }
            Key::Interrupt => {
                echo.extend_from_slice(b"^C\r\n");
                self.secret = None;
                return Some(Input::Interrupted);
            }
            _ => {}
        }
        None
    }

    fn insert(&mut self, c: char, echo: &mut Vec<u8>) -> Option<Input> {
        if self.line_bytes + c.len_utf8() > CONSOLE_LINE_BYTES_MAX {
            self.clear();
            self.swallowing = true;
            echo.extend_from_slice(b"\r\n");
            return Some(Input::TooLong);
        }
        self.insert_fitting(&[c], echo);
        None
    }

    /// Inserts characters for which there is room. What follows them is shown once, not for each.
    fn insert_fitting(&mut self, chars: &[char], echo: &mut Vec<u8>) {
        let from = self.cursor;
        self.line.splice(from..from, chars.iter().copied());
        self.line_bytes += chars.iter().map(|c| c.len_utf8()).sum::<usize>();
        self.cursor += chars.len();
        show(&self.line[from..], echo);
        back(self.line.len() - self.cursor, echo);
    }

    fn enter(&mut self, echo: &mut Vec<u8>) -> Input {
        echo.extend_from_slice(b"\r\n");
        let line: String = self.line.iter().collect();
        self.clear();
        if !line.trim().is_empty() && self.history.front() != Some(&line) {
            self.history.truncate(CONSOLE_HISTORY_MAX - 1);
            self.history.push_front(line.clone());
        }
        Input::Line(line)
    }

    fn clear(&mut self) {
        self.line.clear();
        self.line_bytes = 0;
        self.cursor = 0;
        self.recalled = None;
        self.draft.clear();
    }

    fn move_to(&mut self, column: usize, echo: &mut Vec<u8>) {
        let column = column.min(self.line.len());
        if column < self.cursor {
            back(self.cursor - column, echo);
        } else {
            show(&self.line[self.cursor..column], echo);
        }
        self.cursor = column;
    }

    /// Removes the characters from `from` to before `to`; the cursor stands where they were.
    fn remove(&mut self, from: usize, to: usize, echo: &mut Vec<u8>) {
        self.move_to(from, echo);
        let removed: usize = self.line.drain(from..to).map(char::len_utf8).sum();
        self.line_bytes -= removed;
        show(&self.line[from..], echo);
        echo.resize(echo.len() + (to - from), b' ');
        back(self.line.len() - from + (to - from), echo);
    }

    fn word_start(&self) -> usize {
        let blank = |n: &usize| self.line[*n].is_whitespace();
        let end = (0..self.cursor).rev().find(|n| !blank(n)).map_or(0, |n| n + 1);
        (0..end).rev().find(blank).map_or(0, |n| n + 1)
    }

    fn recall(&mut self, index: usize, echo: &mut Vec<u8>) {
        let Some(earlier) = self.history.get(index) else { return };
        let earlier: Vec<char> = earlier.chars().collect();
        if self.recalled.is_none() {
            self.draft.clone_from(&self.line);
        }
        self.recalled = Some(index);
        self.replace(earlier, echo);
    }

    fn back_to_draft(&mut self, echo: &mut Vec<u8>) {
        self.recalled = None;
        let draft = std::mem::take(&mut self.draft);
        self.replace(draft, echo);
    }

    fn replace(&mut self, line: Vec<char>, echo: &mut Vec<u8>) {
        let end = self.line.len();
        self.remove(0, end, echo);
        self.line_bytes = line.iter().map(|c| c.len_utf8()).sum();
        self.cursor = line.len();
        self.line = line;
        show(&self.line, echo);
    }

    /// Completes the command or the argument before the cursor as far as it is certain; shows the
    /// choices when it is not.
    fn complete(&mut self, echo: &mut Vec<u8>) {
        let typed: String = self.line[..self.cursor].iter().collect();
        let typed = typed.trim_start();
        let (before, word, choices) = self.choices(typed);
        let Some(first) = choices.first() else { return };
        let mut common = first.len();
        for choice in &choices {
            common =
                first.bytes().zip(choice.bytes()).take(common).take_while(|(a, b)| a == b).count();
        }
        let mut rest = first[word.len()..common].to_owned();
        if choices.len() == 1 && self.cursor == self.line.len() && common > word.len() {
            rest.push(' ');
        }
        if rest.is_empty() && choices.len() > 1 {
            echo.extend_from_slice(b"\r\n");
            let shown: Vec<String> = choices.iter().map(|c| format!("{before}{c}")).collect();
            echo.extend_from_slice(shown.join("  ").as_bytes());
            echo.extend_from_slice(b"\r\n");
            self.redraw(echo);
        }
        // A name that does not fit any more is left as typed.
        if self.line_bytes + rest.len() <= CONSOLE_LINE_BYTES_MAX {
            self.insert_fitting(&rest.chars().collect::<Vec<_>>(), echo);
        }
    }

    /// What is shown before each choice, the word that is to be completed, and what it may become.
    fn choices<'a>(&self, typed: &'a str) -> (&'static str, &'a str, Vec<String>) {
        let begins = |word: &str, names: &[String]| -> Vec<String> {
            names.iter().filter(|name| name.starts_with(word)).cloned().collect()
        };
        for entry in COMMANDS {
            let argument = typed.strip_prefix(entry.name).and_then(|rest| rest.strip_prefix(' '));
            match (entry.argument, argument) {
                (Argument::None, Some(word)) if entry.arguments.contains('|') => {
                    let words =
                        entry.arguments.split('|').filter(|choice| choice.starts_with(word));
                    return ("", word, words.map(str::to_owned).collect());
                }
                (_, None) | (Argument::None, _) => {}
                (_, Some(word)) if word.contains(' ') => return ("", "", Vec::new()),
                (Argument::Setting, Some(word)) => return ("", word, begins(word, &self.settings)),
                (Argument::Destination, Some(word)) => {
                    return ("", word, begins(word, &self.destinations));
                }
            }
        }
        let (before, word) = match typed.strip_prefix("help ") {
            Some(name) => ("help ", name),
            None => ("", typed),
        };
        let names = COMMANDS.iter().map(|entry| entry.name).filter(|n| n.starts_with(word));
        (before, word, names.map(str::to_owned).collect())
    }

    /// Turns bytes into keys; what is no key is dropped.
    fn decode(&mut self, byte: u8) -> Option<Key> {
        match std::mem::take(&mut self.decoder) {
            Decoder::Ground => self.decode_ground(byte),
            Decoder::Utf8 { mut bytes, have, want } => {
                if byte & 0xc0 != 0x80 {
                    return self.decode_ground(byte); // the character before it was broken off
                }
                bytes[have] = byte;
                if have + 1 < want {
                    self.decoder = Decoder::Utf8 { bytes, have: have + 1, want };
                    return None;
                }
                let text = std::str::from_utf8(&bytes[..want]).ok()?;
                text.chars().next().filter(|c| !c.is_control()).map(Key::Char)
            }
            Decoder::Escape => {
                match byte {
                    b'[' => self.decoder = Decoder::Csi { parameters: Vec::new() },
                    b'O' => self.decoder = Decoder::Ss3,
                    // A line end or ^C after a lone ESC still counts.
                    0x00..=0x1f => return self.decode_ground(byte),
                    _ => {}
                }
                None
            }
            Decoder::Ss3 => cursor_key(byte),
            Decoder::Csi { mut parameters } => match byte {
                0x40..=0x7e if parameters == b"3" && byte == b'~' => Some(Key::Delete),
                0x40..=0x7e if parameters.is_empty() => cursor_key(byte),
                0x40..=0x7e => None,
                0x20..=0x3f if parameters.len() < CONSOLE_ESCAPE_BYTES_MAX => {
                    parameters.push(byte);
                    self.decoder = Decoder::Csi { parameters };
                    None
                }
                _ => self.decode_ground(byte),
            },
        }
    }

    fn decode_ground(&mut self, byte: u8) -> Option<Key> {
        let utf8 = |want| Decoder::Utf8 { bytes: [byte, 0, 0, 0], have: 1, want };
        match byte {
            b'\r' | b'\n' => return Some(Key::Enter),
            b'\t' => return Some(Key::Tab),
            0x08 | 0x7f => return Some(Key::Backspace),
            0x01 => return Some(Key::Home),
            0x03 => return Some(Key::Interrupt),
            0x05 => return Some(Key::End),
            0x0c => return Some(Key::Redraw),
            0x15 => return Some(Key::KillLine),
            0x17 => return Some(Key::KillWord),
            0x1b => self.decoder = Decoder::Escape,
            0x20..=0x7e => return Some(Key::Char(char::from(byte))),
            0xc2..=0xdf => self.decoder = utf8(2),
            0xe0..=0xef => self.decoder = utf8(3),
            0xf0..=0xf4 => self.decoder = utf8(4),
            _ => {}
        }
        None
    }
}

fn cursor_key(byte: u8) -> Option<Key> {
    match byte {
        b'A' => Some(Key::Up),
        b'B' => Some(Key::Down),
        b'C' => Some(Key::Right),
        b'D' => Some(Key::Left),
        b'H' => Some(Key::Home),
        b'F' => Some(Key::End),
        _ => None,
    }
}

fn show(chars: &[char], echo: &mut Vec<u8>) {
    let mut utf8 = [0; 4];
    for c in chars {
        echo.extend_from_slice(c.encode_utf8(&mut utf8).as_bytes());
    }
}

fn back(columns: usize, echo: &mut Vec<u8>) {
    echo.resize(echo.len() + columns, 0x08);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn type_in(editor: &mut LineEditor, bytes: &[u8]) -> (Vec<Input>, Vec<u8>) {
        let mut echo = Vec::new();
        let inputs = bytes.iter().filter_map(|byte| editor.feed(*byte, &mut echo)).collect();
        (inputs, echo)
    }

    /// What a terminal shows in its last row after `echo`, and where its cursor stands.
    fn screen(echo: &[u8]) -> (String, usize) {
        let text = String::from_utf8(echo.to_vec()).unwrap();
        let (mut row, mut at): (Vec<char>, usize) = (Vec::new(), 0);
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '\r' => at = 0,
                '\n' => row.clear(),
                '\x08' => at = at.checked_sub(1).expect("the cursor stays on the row"),
                '\x1b' => {
                    assert_eq!((chars.next(), chars.next()), (Some('['), Some('K')));
                    row.truncate(at);
                }
                c => {
                    if at == row.len() {
                        row.push(c);
                    } else {
                        row[at] = c;
                    }
                    at += 1;
                }
            }
        }
        (row.into_iter().collect::<String>().trim_end().to_owned(), at)
    }

    fn lines(bytes: &[u8]) -> Vec<Input> {
        type_in(&mut LineEditor::new(), bytes).0
    }

    fn line(text: &str) -> Input {
        Input::Line(text.to_owned())
    }

    #[test]
    fn cr_lf_and_crlf_each_end_one_line() {
        assert_eq!(
            lines(b"a\rb\nc\r\nd\r\r\n"),
            [line("a"), line("b"), line("c"), line("d"), line("")]
        );
        assert_eq!(lines(b"a\n\n"), [line("a"), line("")]);
    }

    #[test]
    fn the_editing_keys_edit() {
        let cases: &[(&[u8], &str)] = &[
            (b"stopp\x7f", "stop"),
            (b"\x08\x7fstop", "stop"),
            (b"some words\x15live", "live"),
            (b"help lvie\x17live", "help live"),
            (b"help live  \x17", "help "),
            (b"lve\x1b[D\x1b[Di", "live"),
            (b"lve\x1b[D\x1b[D\x1b[Ci", "lvie"),
            (b"ive\x01l\x05!", "live!"),
            (b"ive\x1b[Hl\x1b[F!", "live!"),
            (b"xlive\x1b[H\x1b[3~", "live"),
            (b"\x1bOD\x1bOClive", "live"),
            (b"h\xc3\xa4\xc3\xb6\x7f", "hä"),
        ];
        for (bytes, expected) in cases {
            let mut editor = LineEditor::new();
            let (_, mut echo) = type_in(&mut editor, bytes);
            let (shown, cursor) = screen(&echo);
            assert_eq!(shown, expected.trim_end(), "shown after {bytes:?}");
            assert_eq!(cursor, editor.cursor, "cursor after {bytes:?}");
            assert_eq!(editor.feed(b'\r', &mut echo), Some(line(expected)), "{bytes:?}");
        }
    }

    #[test]
    fn the_arrows_bring_back_earlier_lines_and_the_one_being_typed() {
        let mut editor = LineEditor::new();
        type_in(&mut editor, b"one\rtwo\rtwo\r\r");
        assert_eq!(type_in(&mut editor, b"dra\x1b[A\r").0, [line("two")]);
        assert_eq!(type_in(&mut editor, b"\x1b[A\x1b[A\x1b[A\x1b[A\r").0, [line("one")]);
        assert_eq!(type_in(&mut editor, b"dra\x1b[A\x1b[A\x1b[B\x1b[Bft\r").0, [line("draft")]);
    }

    #[test]
    fn the_history_is_bounded() {
        let mut editor = LineEditor::new();
        for n in 0..10 * CONSOLE_HISTORY_MAX {
            type_in(&mut editor, format!("line {n}\r").as_bytes());
        }
        assert_eq!(editor.history.len(), CONSOLE_HISTORY_MAX);
    }

    #[test]
    fn tab_completes_what_is_certain_and_shows_the_choices_otherwise() {
        assert_eq!(lines(b"d\ts\tl\t\r"), [line("destination list ")]);
        assert_eq!(lines(b"help w\t\r"), [line("help watch ")]);
        assert_eq!(lines(b"zzz\t\r"), [line("zzz")]);
        let mut editor = LineEditor::new();
        editor.set_prompt("> ");
        let (_, echo) = type_in(&mut editor, b"st\t");
        assert!(String::from_utf8(echo.clone()).unwrap().contains("status  stop  stick\r\n"));
        assert_eq!(screen(&echo), ("> st".to_owned(), 4));
        assert_eq!(type_in(&mut editor, b"a\t\r").0, [line("status ")]);
    }

    #[test]
    fn tab_completes_settings_and_destinations() {
        let mut editor = LineEditor::new();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        editor.set_names(names(&["video.fps", "video.width"]), names(&["youtube", "hall"]));
        assert_eq!(type_in(&mut editor, b"set vi\tf\t25\r").0, [line("set video.fps 25")]);
        assert_eq!(type_in(&mut editor, b"key y\t\r").0, [line("key youtube ")]);
        assert_eq!(
            type_in(&mut editor, b"destination remove h\t\r").0,
            [line("destination remove hall ")]
        );
        assert_eq!(type_in(&mut editor, b"set video.fps 2\t\r").0, [line("set video.fps 2")]);
        let (_, echo) = type_in(&mut editor, b"show video.\t");
        assert!(String::from_utf8_lossy(&echo).contains("video.fps  video.width\r\n"));
    }

    #[test]
    fn tab_before_a_long_line_shows_the_line_once() {
        let mut editor = LineEditor::new();
        type_in(&mut editor, &[b'y'; 3_000]);
        type_in(&mut editor, b"\x01 \x01destination r");
        let (_, echo) = type_in(&mut editor, b"\t");
        assert!(echo.len() < 2 * CONSOLE_LINE_BYTES_MAX, "{} bytes", echo.len());
        let (inputs, _) = type_in(&mut editor, b"\r");
        assert_eq!(inputs, [line(&format!("destination remove {}", "y".repeat(3_000)))]);
    }

    #[test]
    fn a_forgotten_line_does_not_come_back() {
        let mut editor = LineEditor::new();
        type_in(&mut editor, b"status\rset destination.a.key canary\r");
        editor.forget_line();
        let (inputs, echo) = type_in(&mut editor, b"\x1b[A\r");
        assert_eq!(inputs, [line("status")]);
        assert!(!String::from_utf8_lossy(&echo).contains("canary"));
    }

    #[test]
    fn an_interrupt_gives_the_line_up() {
        let mut editor = LineEditor::new();
        assert_eq!(type_in(&mut editor, b"stop\x03").0, [Input::Interrupted]);
        assert_eq!(type_in(&mut editor, b"live\r").0, [line("live")]);
    }

    #[test]
    fn a_secret_is_neither_echoed_nor_remembered() {
        let mut editor = LineEditor::new();
        let mut echo = Vec::new();
        editor.ask_secret("stream key: ", &mut echo);
        echo.extend(type_in(&mut editor, b"canaryX\x7f\x1b[A\t\x0c").1);
        assert!(!format!("{editor:?}").contains("canary"));
        let (inputs, typed) = type_in(&mut editor, b"\r\n");
        echo.extend(typed);
        assert_eq!(inputs, [Input::Secret(Typed::from("canary"))]);
        echo.extend(type_in(&mut editor, b"\x1b[A\x0c").1);
        let shown = String::from_utf8(echo).unwrap();
        assert_eq!(shown.matches("stream key: ").count(), 2, "{shown:?}"); // asked, and ^L
        assert!(!shown.contains("canary"));
    }

    #[test]
    fn a_secret_can_be_given_up_and_may_be_too_long() {
        let mut editor = LineEditor::new();
        editor.ask_secret("key: ", &mut Vec::new());
        assert_eq!(type_in(&mut editor, b"canary\x03live\r").0, [Input::Interrupted, line("live")]);

        editor.ask_secret("key: ", &mut Vec::new());
        let mut bytes = vec![b'k'; 100_000];
        bytes.extend_from_slice(b"\rlive\r");
        let (inputs, echo) = type_in(&mut editor, &bytes);
        assert_eq!(inputs, [Input::TooLong, line("live")]);
        assert!(!echo.contains(&b'k'));

        editor.ask_secret("key: ", &mut Vec::new());
        let longest = "k".repeat(KEY_BYTES_MAX);
        let (inputs, _) = type_in(&mut editor, format!("{longest}\r").as_bytes());
        assert_eq!(inputs, [Input::Secret(Typed::from(longest.as_str()))]);
    }

    #[test]
    fn an_overlong_line_is_told_once_and_swallowed_to_its_end() {
        let mut editor = LineEditor::new();
        let mut bytes = vec![b'x'; 1_000_000];
        bytes.extend_from_slice(b"\rlive\r");
        let (inputs, echo) = type_in(&mut editor, &bytes);
        assert_eq!(inputs, [Input::TooLong, line("live")]);
        assert!(echo.len() < 2 * CONSOLE_LINE_BYTES_MAX);
    }

    #[test]
    fn after_an_overlong_line_prompt_or_question_stand_again() {
        for secret in [false, true] {
            let mut editor = LineEditor::new();
            editor.set_prompt("box> ");
            type_in(&mut editor, &[b'x'; CONSOLE_LINE_BYTES_MAX + 1]);
            let mut echo = Vec::new();
            if secret {
                editor.ask_secret("key? ", &mut echo);
            }
            echo.extend(type_in(&mut editor, b"xyz\r").1);
            let expected = if secret { "key?" } else { "box>" };
            assert_eq!(screen(&echo).0, expected);
        }
    }

    #[test]
    fn the_longest_line_is_taken_whole() {
        let longest = "ä".repeat(CONSOLE_LINE_BYTES_MAX / 2);
        assert_eq!(lines(format!("{longest}\r").as_bytes()), [line(&longest)]);
    }

    #[test]
    fn noise_of_any_kind_is_harmless() {
        for seed in 0..50 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut editor = LineEditor::new();
            for _ in 0..4_000 {
                let mut echo = Vec::new();
                // Half of it keys that matter, half of it anything.
                let byte = if rng.bool() {
                    rng.u8(..)
                } else {
                    *b"\r\n\x1b[ABCD\x7f\x17\t\xc3a".get(rng.usize(..13)).unwrap_or(&0)
                };
                editor.feed(byte, &mut echo);
                assert!(std::str::from_utf8(&echo).is_ok(), "seed {seed}");
                assert!(editor.cursor <= editor.line.len(), "seed {seed}");
                let bytes: usize = editor.line.iter().map(|c| c.len_utf8()).sum();
                assert_eq!(bytes, editor.line_bytes, "seed {seed}");
                assert!(bytes <= CONSOLE_LINE_BYTES_MAX, "seed {seed}");
            }
            editor.feed(b'\r', &mut Vec::new());
            editor.feed(b'\r', &mut Vec::new());
            let (inputs, _) = type_in(&mut editor, b"live\r");
            assert_eq!(inputs, [line("live")], "usable again after noise, seed {seed}");
        }
    }

    #[test]
    fn an_endless_escape_sequence_costs_no_memory_and_ends() {
        let mut editor = LineEditor::new();
        let mut bytes = b"\x1b[".to_vec();
        bytes.extend(vec![b'1'; 100]);
        bytes.extend_from_slice(b"\x03stop\r");
        let (inputs, _) = type_in(&mut editor, &bytes);
        assert_eq!(inputs, [Input::Interrupted, line("stop")]);
    }
}
