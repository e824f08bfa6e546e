//! One terminal at the box's port: from silence to a greeting, past the PIN if there is one, to
//! commands and answers.

use std::collections::VecDeque;
use std::time::Duration;

use zeroize::{Zeroize as _, Zeroizing};

use super::command::{Command, Service, Typed, parse};
use super::line::{Input, LineEditor};
use super::rate::Allowance;
use super::reply::{Reply, prompt};
use super::text;
use crate::limits::{
    CONSOLE_HELD_BYTES_MAX, CONSOLE_LINE_BYTES_MAX, PIN_IDLE, PIN_TRIES_FREE, PIN_WAIT_FIRST,
    PIN_WAIT_MAX,
};
use crate::status::{About, Change, Mode};

/// What somebody at the terminal wants done.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// A command.
    Command(Command),
    /// The secret that was asked for with [`Session::ask`].
    Secret {
        /// The setting that it is for.
        setting: String,
        /// What was typed.
        value: Typed,
    },
    /// A PIN is to be judged: [`Session::judged`] says what came of it.
    Pin(Typed),
    /// Nobody is there any more who should be told of changes.
    Left,
}

/// The terminal. Drive it so: [`Session::open`] when the port opens, [`Session::feed`] for each byte
/// and [`Session::poll_said`] until `None` after each, [`Session::reply`] and [`Session::change`] as
/// answers and changes come, [`Session::take_output`] after anything, and
/// [`Session::handle_timeout`] at [`Session::poll_timeout`].
#[derive(Debug)]
pub struct Session {
    editor: LineEditor,
    about: About,
    mode: Mode,
    machine: bool,
    stage: Stage,
    has_pin: bool,
    wrong_pins: u32,
    no_pin_before: Duration,
    /// The setting whose value is being asked for.
    asks: Option<String>,
    typed_at: Duration,
    allowance: Allowance,
    /// Changes that the allowance had no room for.
    not_shown: u32,
    out: Vec<u8>,
    said: VecDeque<Said>,
    /// Typed while a PIN is judged.
    held: Zeroizing<Vec<u8>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nobody has pressed Enter yet, and nothing is sent.
    Asleep,
    /// The PIN is asked for.
    Locked,
    /// The PIN that was typed is being judged.
    Judging,
    Open,
}

const ASK_PIN: &str = "PIN (not shown): ";
const FORGOTTEN: &str = "factory-reset";

impl Session {
    /// A terminal on a line of this speed; silent until it is opened.
    pub fn new(about: About, baud: u32) -> Session {
        Session {
            editor: LineEditor::new(),
            about,
            mode: Mode::Booting,
            machine: false,
            stage: Stage::Asleep,
            has_pin: false,
            wrong_pins: 0,
            no_pin_before: Duration::ZERO,
            asks: None,
            typed_at: Duration::ZERO,
            allowance: Allowance::of_baud(baud),
            not_shown: 0,
            out: Vec::new(),
            said: VecDeque::new(),
            held: Zeroizing::default(),
        }
    }

    // ── what it is told ─────────────────────────────────────────────────────────────────────

    /// Somebody new may be there. With `greet` they are greeted at once; without, the terminal stays
    /// silent until Enter is pressed, as a port should whose far end may be a program that probes
    /// for a modem.
    pub fn open(&mut self, now: Duration, greet: bool) {
        self.leave();
        self.typed_at = now;
        if greet {
            self.wake();
        }
    }

    /// What the box does from now on.
    pub fn set_mode(&mut self, mode: Mode) {
        self.mode = mode;
    }

    /// What the box calls itself from now on.
    pub fn set_name(&mut self, name: &str) {
        self.about.name = Some(name.to_owned());
    }

    /// The names that arguments are completed to from now on.
    pub fn set_names(&mut self, settings: Vec<String>, destinations: Vec<String>) {
        self.editor.set_names(settings, destinations);
    }

    /// Whether a PIN is set. Whoever is past it stays so; whoever is asked for one that is no more
    /// is let in.
    pub fn set_has_pin(&mut self, has_pin: bool) {
        self.has_pin = has_pin;
        if !has_pin && matches!(self.stage, Stage::Locked | Stage::Judging) {
            self.let_in();
            self.prompt();
        }
    }

    /// Answers are written for a program from now on, or for people.
    pub fn set_machine(&mut self, machine: bool) {
        self.machine = machine;
    }

    /// Product, board and machine.
    pub fn about(&self) -> &About {
        &self.about
    }

    // ── what is typed ───────────────────────────────────────────────────────────────────────

    /// Takes one byte.
    pub fn feed(&mut self, now: Duration, byte: u8) {
        self.typed_at = now;
        if self.stage == Stage::Judging {
            if self.held.len() < CONSOLE_HELD_BYTES_MAX {
                self.held.push(byte);
            }
            return;
        }
        let mut echo = Vec::new();
        let input = self.editor.feed(byte, &mut echo);
        if !self.machine && self.stage != Stage::Asleep {
            self.out.append(&mut echo);
        }
        let Some(input) = input else { return };
        match self.stage {
            Stage::Asleep => self.input_asleep(input),
            Stage::Locked => self.input_locked(now, input),
            Stage::Judging | Stage::Open => self.input_open(input),
        }
    }

    fn input_asleep(&mut self, input: Input) {
        self.wake();
        // Whoever begins with a command is answered, unless there is a PIN.
        if self.stage == Stage::Open
            && !matches!(&input, Input::Line(line) if line.trim().is_empty())
        {
            self.editor.erase(&mut self.out);
            self.input_open(input);
        }
    }

    fn input_open(&mut self, input: Input) {
        match input {
            Input::Line(line) => match parse(&line) {
                Ok(Some(command)) => self.said.push_back(Said::Command(command)),
                Ok(None) => self.prompt(),
                Err(error) => {
                    if error.shows_secret() {
                        self.editor.forget_line();
                    }
                    self.reply(&Reply::from(error));
                }
            },
            Input::Secret(value) => match self.asks.take() {
                Some(setting) => self.said.push_back(Said::Secret { setting, value }),
                None => self.prompt(),
            },
            Input::TooLong => {
                self.asks = None;
                let most = CONSOLE_LINE_BYTES_MAX;
                self.reply(&Reply::error(format!("the line is longer than {most} bytes")));
            }
            Input::Interrupted => {
                self.asks = None;
                self.prompt();
            }
        }
    }

    fn input_locked(&mut self, now: Duration, input: Input) {
        let typed = match input {
            Input::Secret(typed) => typed,
            // The editor asks for nothing else while it is locked.
            Input::Line(_) | Input::TooLong | Input::Interrupted => return self.ask_pin(),
        };
        let words: Vec<&str> = typed.0.split_whitespace().collect();
        match words.as_slice() {
            [] => self.ask_pin(),
            [FORGOTTEN, "yes"] => {
                let reset = Service::FactoryReset { sure: true };
                self.said.push_back(Said::Command(Command::Serve(reset)));
                self.ask_pin();
            }
            [FORGOTTEN, ..] => self.reply(&Reply::text([
                "this erases all settings, keys and the PIN; say `factory-reset yes` to do it",
            ])),
            _ if now < self.no_pin_before => {
                let wait = self.no_pin_before - now;
                let wait_s = wait.as_millis().div_ceil(1_000);
                self.reply(&Reply::error(format!("too many wrong PINs; wait {wait_s} s")));
            }
            _ => {
                self.stage = Stage::Judging;
                self.said.push_back(Said::Pin(typed));
            }
        }
    }

    /// Whether the PIN was right. What was typed meanwhile is given back, to be fed again.
    #[must_use]
    pub fn judged(&mut self, now: Duration, right: bool) -> Zeroizing<Vec<u8>> {
        let held = std::mem::take(&mut self.held);
        if self.stage != Stage::Judging {
            return held;
        }
        if right {
            self.wrong_pins = 0;
            self.let_in();
            self.prompt();
            return held;
        }
        self.wrong_pins = self.wrong_pins.saturating_add(1);
        self.stage = Stage::Locked;
        let costly = self.wrong_pins.saturating_sub(PIN_TRIES_FREE);
        let wait = match costly {
            0 => Duration::ZERO,
            n => PIN_WAIT_FIRST.saturating_mul(1 << (n - 1).min(16)).min(PIN_WAIT_MAX),
        };
        self.no_pin_before = now + wait;
        self.reply(&Reply::error(
            "that is not the PIN; whoever has forgotten it may type `factory-reset` instead",
        ));
        held
    }

    /// The next thing that somebody wants done.
    pub fn poll_said(&mut self) -> Option<Said> {
        self.said.pop_front()
    }

    // ── what is shown ───────────────────────────────────────────────────────────────────────

    /// Asks for the value of a setting that is not to be seen.
    pub fn ask(&mut self, question: &str, setting: &str) {
        self.asks = Some(setting.to_owned());
        let mut shown = Vec::new();
        self.editor.ask_secret(&format!("{question} (not shown): "), &mut shown);
        if self.machine {
            shown = format!("ASK\r\nsecret: {question}\r\n\r\n").into_bytes();
        }
        self.out.append(&mut shown);
    }

    /// Shows an answer.
    pub fn reply(&mut self, reply: &Reply) {
        if self.stage == Stage::Asleep {
            return;
        }
        let mut shown = self.rendered(reply);
        self.out.append(&mut shown);
        self.prompt();
    }

    /// Shows a change that nobody asked for just now, if the line has room for it.
    pub fn change(&mut self, now: Duration, reply: &Reply) {
        if self.stage != Stage::Open {
            return;
        }
        self.tell_not_shown(now);
        let shown = self.rendered(reply);
        if self.not_shown > 0 || !self.show_unasked(now, shown) {
            self.not_shown = self.not_shown.saturating_add(1);
        }
    }

    /// How many bytes there are for the line.
    pub fn output_bytes(&self) -> usize {
        self.out.len()
    }

    /// The bytes for the line.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// When [`Session::handle_timeout`] should be called.
    pub fn poll_timeout(&self) -> Option<Duration> {
        let is_open = self.stage == Stage::Open;
        let idle = (is_open && self.has_pin).then(|| self.typed_at + PIN_IDLE);
        let room = (is_open && self.not_shown > 0).then(|| self.allowance.full_at());
        idle.into_iter().chain(room).min()
    }

    /// Time has come to `now`.
    pub fn handle_timeout(&mut self, now: Duration) {
        if self.stage != Stage::Open {
            return;
        }
        if self.has_pin && now >= self.typed_at + PIN_IDLE {
            self.editor.erase(&mut self.out);
            self.out.extend_from_slice(b"nobody types; press Enter to go on\r\n");
            self.leave();
        } else if self.not_shown > 0 && now >= self.allowance.full_at() {
            self.tell_not_shown(now);
        }
    }

    fn tell_not_shown(&mut self, now: Duration) {
        if self.not_shown > 0 {
            let told = format!("… {} changes not shown; see `status`", self.not_shown);
            let told = self.rendered(&Reply::Changed(Change::Note { message: told }));
            if self.show_unasked(now, told) {
                self.not_shown = 0;
            }
        }
    }

    /// Shows what nobody asked for with the prompt after it; not when there is no room.
    fn show_unasked(&mut self, now: Duration, mut shown: Vec<u8>) -> bool {
        if !self.machine {
            self.editor.set_prompt(&self.prompt_text());
            self.editor.redraw(&mut shown);
        }
        let fits = self.allowance.take(now, shown.len());
        if fits {
            self.out.append(&mut shown);
        }
        fits
    }

    fn rendered(&self, reply: &Reply) -> Vec<u8> {
        let mut shown = Vec::new();
        let lines = if self.machine {
            reply.render_machine()
        } else {
            self.editor.erase(&mut shown);
            reply.render_text()
        };
        print(lines, &mut shown);
        shown
    }

    fn prompt(&mut self) {
        match self.stage {
            Stage::Locked => self.ask_pin(),
            Stage::Asleep | Stage::Judging => {}
            Stage::Open if self.machine => {}
            Stage::Open => {
                self.editor.set_prompt(&self.prompt_text());
                self.editor.redraw(&mut self.out);
            }
        }
    }

    fn prompt_text(&self) -> String {
        let name = self.about.name.as_deref().unwrap_or(self.about.product);
        prompt(name, self.mode)
    }

    // ── who is there ────────────────────────────────────────────────────────────────────────

    fn wake(&mut self) {
        self.stage = Stage::Open;
        print(text::banner(&self.about, self.mode), &mut self.out);
        if self.has_pin {
            self.stage = Stage::Locked;
        }
        self.prompt();
    }

    fn ask_pin(&mut self) {
        self.editor.ask_secret(ASK_PIN, &mut self.out);
    }

    fn let_in(&mut self) {
        self.stage = Stage::Open;
        self.editor.ask_nothing();
    }

    fn leave(&mut self) {
        if self.stage != Stage::Asleep {
            self.said.push_back(Said::Left);
        }
        self.stage = Stage::Asleep;
        self.machine = false;
        self.asks = None;
        self.not_shown = 0;
        self.held.zeroize();
        self.editor.forget_all();
    }
}

fn print(lines: Vec<String>, out: &mut Vec<u8>) {
    for line in lines {
        out.extend_from_slice(line.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests;
