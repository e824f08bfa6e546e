//! The line editor: bytes of a terminal in, echo and completed lines out.
//!
//! It speaks what every terminal understands: backspace, carriage return and `ESC [` sequences.
//! Each character is taken to be one column wide.

mod complete;
mod keys;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use zeroize::{Zeroize, Zeroizing};

use super::command::Typed;
use crate::device_controls::ControlsOf;
use crate::limits::{CONSOLE_HISTORY_MAX, CONSOLE_LINE_BYTES_MAX, KEY_BYTES_MAX};
use complete::Names;
use keys::{Decoder, Key};

/// What a byte completed.
#[derive(Debug, PartialEq, Eq)]
pub enum Input {
    /// A line, without its end.
    Line(String),
    /// A secret that was asked for with [`LineEditor::ask_secret`].
    Secret(Typed),
    /// The line is longer than [`CONSOLE_LINE_BYTES_MAX`], or the secret than any may be; reported once,
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
    names: Names,
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
            names: Names::default(),
            decoder: Decoder::default(),
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
        (self.names.settings, self.names.destinations) = (settings, destinations);
    }

    /// The hardware controls that arguments are completed to from now on.
    pub fn set_controls(&mut self, controls: BTreeMap<ControlsOf, Vec<String>>) {
        self.names.controls = controls;
    }

    /// The values that settings of these names are completed to from now on.
    pub fn set_values(&mut self, values: Vec<(&'static str, Vec<String>)>) {
        self.names.values = values;
    }

    /// The destinations that arguments are completed to.
    pub fn destinations(&self) -> &[String] {
        &self.names.destinations
    }

    /// The arrow keys bring this line back from now on. Whoever has read it says so: only that one
    /// knows that it holds no secret.
    pub fn remember(&mut self, line: &str) {
        if self.history.front().is_none_or(|newest| newest != line) {
            self.history.truncate(CONSOLE_HISTORY_MAX - 1);
            self.history.push_front(line.to_owned());
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
        self.decoder = Decoder::default();
        self.history.iter_mut().for_each(Zeroize::zeroize);
        self.history.clear();
    }

    /// Takes one byte. What the terminal should show is appended to `echo`.
    pub fn feed(&mut self, byte: u8, echo: &mut Vec<u8>) -> Option<Input> {
        let after_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
        if after_cr && byte == b'\n' {
            return None;
        }
        let key = self.decoder.feed(byte)?;
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
        Input::Line(line)
    }

    fn clear(&mut self) {
        self.line.zeroize();
        self.line_bytes = 0;
        self.cursor = 0;
        self.recalled = None;
        self.draft.zeroize();
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
        let choices = self.names.choices(typed.trim_start());
        let rest = choices.rest(self.cursor == self.line.len());
        if rest.is_empty() && choices.are_several() {
            echo.extend_from_slice(b"\r\n");
            echo.extend_from_slice(choices.shown().as_bytes());
            echo.extend_from_slice(b"\r\n");
            self.redraw(echo);
        }
        // A name that does not fit any more is left as typed.
        if self.line_bytes + rest.len() <= CONSOLE_LINE_BYTES_MAX {
            self.insert_fitting(&rest.chars().collect::<Vec<_>>(), echo);
        }
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
mod tests;
