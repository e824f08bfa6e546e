//! One terminal at the box's port: from silence to a greeting, past the PIN if there is one, to
//! commands and answers.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use zeroize::{Zeroize as _, Zeroizing};

use super::command::{Command, Service, Typed};
use super::line::{Input, LineEditor};
use super::noise::{INTERRUPT, Noise};
use super::rate::Allowance;
use super::recall::may_come_back;
use super::reply::{Reply, prompt};
use super::table::parse;
use super::text;
use crate::device_controls::ControlsOf;
use crate::limits::{
    CONSOLE_LINE_BYTES_MAX, CONSOLE_NOISE_LINES, CONSOLE_NOISE_QUIET,
    CONSOLE_TYPED_AHEAD_BYTES_MAX, PIN_IDLE, PIN_TRIES_FREE, PIN_WAIT_FIRST, PIN_WAIT_MAX,
};
use crate::status::{About, Change, Mode};

/// What happened at the terminal.
#[derive(Debug, PartialEq, Eq)]
pub enum SessionEvent {
    /// A command was typed.
    Command(Command),
    /// The secret that was asked for with [`Session::ask`] was typed.
    Secret {
        /// What it is for.
        of: Secret,
        /// What was typed.
        value: Typed,
    },
    /// A PIN is to be checked: [`Session::pin_checked`] takes the result.
    Pin(Typed),
    /// ^C while an answer is waited for: whoever typed it does not want to wait.
    Interrupted,
    /// Nobody is there any more who watches changes.
    Left,
}

/// What is typed without being shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    /// The stream key of a destination.
    Key {
        /// Its name.
        destination: String,
    },
    /// A setting of the box.
    Setting {
        /// Its name.
        name: &'static str,
    },
}

impl Secret {
    /// What it is called when it is asked for.
    pub fn question(&self) -> String {
        match self {
            Secret::Key { destination } => format!("stream key of {destination}"),
            Secret::Setting { name } => (*name).to_owned(),
        }
    }
}

/// The terminal. Drive it so: [`Session::open`] when the port opens, [`Session::feed`] for each byte
/// and [`Session::poll_event`] until `None` after each, [`Session::reply`] and [`Session::change`] as
/// answers and changes come, [`Session::take_output`] after anything, and
/// [`Session::handle_timeout`] at [`Session::poll_timeout`]. While [`Session::set_waiting`] holds,
/// what is typed waits too and is neither echoed nor understood: it may answer a question that is
/// still to come. [`Session::go_on`] then goes on with it.
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
    /// What is being asked for.
    asks: Option<Secret>,
    typed_at: Duration,
    allowance: Allowance,
    /// Changes that the allowance had no room for.
    not_shown: u32,
    out: Vec<u8>,
    events: VecDeque<SessionEvent>,
    /// A command is being carried out.
    waiting: bool,
    /// Typed while a command is carried out or a PIN is checked.
    typed_ahead: Zeroizing<Vec<u8>>,
    /// How much of that has been used since.
    ahead_at: usize,
    lost: Lost,
    /// The rest of a line that has lost its beginning is left out.
    swallows: bool,
    noise: Noise,
}

/// What of the bytes typed ahead there was no room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lost {
    Nothing,
    /// Lines, and what comes next begins a new one.
    Lines,
    /// The beginning of the line that is being typed.
    InLine,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nobody has pressed Enter yet, and nothing is sent.
    Asleep,
    /// The PIN is asked for.
    Locked,
    /// The PIN that was typed is being checked.
    CheckingPin,
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
            events: VecDeque::new(),
            waiting: false,
            typed_ahead: Zeroizing::default(),
            ahead_at: 0,
            lost: Lost::Nothing,
            swallows: false,
            noise: Noise::default(),
        }
    }

    // ── how things stand ─────────────────────────────────────────────────────────────────────

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

    /// The hardware controls that arguments are completed to from now on.
    pub fn set_controls(&mut self, controls: BTreeMap<ControlsOf, Vec<String>>) {
        self.editor.set_controls(controls);
    }

    /// The values that settings of these names are completed to from now on.
    pub fn set_values(&mut self, values: Vec<(&'static str, Vec<String>)>) {
        self.editor.set_values(values);
    }

    /// Whether a PIN is set. Whoever is past it stays so; whoever is asked for one that is no more
    /// is let in.
    pub fn set_has_pin(&mut self, has_pin: bool) {
        self.has_pin = has_pin;
        if !has_pin {
            self.wrong_pins = 0;
        }
        if !has_pin && matches!(self.stage, Stage::Locked | Stage::CheckingPin) {
            self.let_in();
            self.prompt();
        }
    }

    /// A command is being carried out, or no longer is.
    pub fn set_waiting(&mut self, waiting: bool) {
        self.waiting = waiting;
    }

    /// Whether what is typed waits.
    pub fn is_waiting(&self) -> bool {
        self.waiting || self.stage == Stage::CheckingPin
    }

    /// Answers are written for a program from now on, or for people.
    pub fn set_machine(&mut self, machine: bool) {
        self.machine = machine;
    }

    /// Whether answers are written for a program.
    pub fn is_machine(&self) -> bool {
        self.machine
    }

    /// Product, board and machine.
    pub fn about(&self) -> &About {
        &self.about
    }

    // ── what is typed ───────────────────────────────────────────────────────────────────────

    /// Takes one byte.
    pub fn feed(&mut self, now: Duration, byte: u8) {
        self.typed_at = now;
        if self.noise.ignores(now, byte) {
            return;
        }
        if self.is_waiting() {
            return self.type_ahead(byte);
        }
        if self.swallows {
            self.swallows = !is_line_end(byte);
            return;
        }
        self.take_byte(now, byte);
    }

    fn take_byte(&mut self, now: Duration, byte: u8) {
        let mut echo = Vec::new();
        let input = self.editor.feed(byte, &mut echo);
        if !self.machine && self.stage != Stage::Asleep {
            self.out.append(&mut echo);
        }
        let Some(input) = input else { return };
        match self.stage {
            Stage::Asleep => self.input_asleep(input),
            Stage::Locked => self.input_locked(now, input),
            Stage::CheckingPin | Stage::Open => self.input_open(input),
        }
    }

    fn type_ahead(&mut self, byte: u8) {
        if byte == INTERRUPT {
            self.forget_typed_ahead();
            if self.waiting {
                self.events.push_back(SessionEvent::Interrupted);
            }
            return;
        }
        if self.typed_ahead.capacity() == 0 {
            // Never reallocated, so that no copy stays behind.
            self.typed_ahead.reserve_exact(CONSOLE_TYPED_AHEAD_BYTES_MAX);
        }
        if self.lost == Lost::Nothing && self.typed_ahead.len() == CONSOLE_TYPED_AHEAD_BYTES_MAX {
            // A line is carried out whole or not at all.
            let whole = self.typed_ahead.iter().rposition(|byte| is_line_end(*byte));
            let whole = whole.map_or(0, |at| at + 1);
            self.typed_ahead[whole..].zeroize();
            self.typed_ahead.truncate(whole);
            self.lost = Lost::InLine;
        }
        match self.lost {
            Lost::Nothing => self.typed_ahead.push(byte),
            _ if is_line_end(byte) => self.lost = Lost::Lines,
            _ => self.lost = Lost::InLine,
        }
    }

    /// Goes on with what was typed ahead, by one byte; `false` when there is nothing more, or it
    /// has to wait again.
    pub fn go_on(&mut self, now: Duration) -> bool {
        if self.is_waiting() {
            return false;
        }
        if let Some(byte) = self.typed_ahead.get(self.ahead_at).copied() {
            self.ahead_at += 1;
            self.take_byte(now, byte);
            return true;
        }
        self.typed_ahead.zeroize();
        self.ahead_at = 0;
        if self.lost != Lost::Nothing {
            self.swallows = self.lost == Lost::InLine;
            self.lost = Lost::Nothing;
            let most = CONSOLE_TYPED_AHEAD_BYTES_MAX;
            let why = format!("more than {most} bytes were typed ahead; what followed is lost");
            self.reply(&Reply::error(why));
        }
        false
    }

    fn forget_typed_ahead(&mut self) {
        self.typed_ahead.zeroize();
        self.ahead_at = 0;
        self.lost = Lost::Nothing;
        self.swallows = false;
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
            Input::Line(line) => {
                let line = Zeroizing::new(line);
                if may_come_back(&line, self.editor.destinations()) {
                    self.editor.remember(&line);
                }
                match parse(&line) {
                    Ok(Some(command)) => {
                        self.noise.understood();
                        self.events.push_back(SessionEvent::Command(command));
                    }
                    Ok(None) => self.prompt(),
                    Err(error) => self.refuse(&Reply::from(error)),
                }
            }
            Input::Secret(value) => match self.asks.take() {
                Some(of) => self.events.push_back(SessionEvent::Secret { of, value }),
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
            [reset, yes]
                if reset.eq_ignore_ascii_case(FORGOTTEN) && yes.eq_ignore_ascii_case("yes") =>
            {
                let reset = Service::FactoryReset { sure: true };
                self.events.push_back(SessionEvent::Command(Command::Serve(reset)));
                self.ask_pin();
            }
            [reset, ..] if reset.eq_ignore_ascii_case(FORGOTTEN) => self.refuse(&Reply::text([
                "this erases all settings, keys and the PIN; say `factory-reset yes` to do it",
            ])),
            _ if now < self.no_pin_before => {
                let wait = self.no_pin_before - now;
                let wait_s = wait.as_millis().div_ceil(1_000);
                self.refuse(&Reply::error(format!("too many wrong PINs; wait {wait_s} s")));
            }
            _ => {
                self.stage = Stage::CheckingPin;
                self.events.push_back(SessionEvent::Pin(typed));
            }
        }
    }

    /// Whether the PIN was right.
    pub fn pin_checked(&mut self, now: Duration, right: bool) {
        if self.stage != Stage::CheckingPin {
            return;
        }
        if right {
            self.wrong_pins = 0;
            self.noise.understood();
            self.let_in();
            self.prompt();
            return;
        }
        self.stage = Stage::Locked;
        self.set_wrong_pins(now, self.wrong_pins.saturating_add(1));
        self.refuse(&Reply::error(
            "that is not the PIN; whoever has forgotten it may type `factory-reset` instead",
        ));
    }

    /// How many wrong PINs were typed in a row.
    pub fn wrong_pins(&self) -> u32 {
        self.wrong_pins
    }

    /// So many wrong PINs were typed in a row, maybe before a restart: the wait begins at `now`.
    pub fn set_wrong_pins(&mut self, now: Duration, wrong_pins: u32) {
        self.wrong_pins = wrong_pins;
        let costly = self.wrong_pins.saturating_sub(PIN_TRIES_FREE);
        let wait = match costly {
            0 => Duration::ZERO,
            n => PIN_WAIT_FIRST.saturating_mul(1 << (n - 1).min(16)).min(PIN_WAIT_MAX),
        };
        self.no_pin_before = now + wait;
    }

    /// What happened next.
    pub fn poll_event(&mut self) -> Option<SessionEvent> {
        self.events.pop_front()
    }

    // ── what is shown ───────────────────────────────────────────────────────────────────────

    /// Asks for something that is not to be shown.
    pub fn ask(&mut self, of: Secret) {
        let question = of.question();
        self.asks = Some(of);
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

    /// A line for a person who waits for an answer that takes its time.
    pub fn note(&mut self, line: &str) {
        if self.stage == Stage::Open && !self.machine {
            print(vec![line.to_owned()], &mut self.out);
        }
    }

    /// Answers a line that means nothing. After too many in a row the terminal falls silent, until the
    /// line is quiet and Enter is pressed.
    fn refuse(&mut self, reply: &Reply) {
        if self.stage == Stage::Asleep || !self.noise.refused(self.typed_at) {
            return self.reply(reply);
        }
        let mut shown = self.rendered(&Reply::error(format!(
            "{CONSOLE_NOISE_LINES} lines in a row mean nothing here; press ^C, or Enter after {} s \
             of silence, to go on. If nobody types, look at what is connected to this port",
            CONSOLE_NOISE_QUIET.as_secs()
        )));
        self.out.append(&mut shown);
        self.leave();
    }

    /// Shows a change that nobody asked for just now, if the line has room for it.
    pub fn change(&mut self, now: Duration, reply: &Reply) {
        if self.stage != Stage::Open {
            return;
        }
        self.report_not_shown(now);
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
            self.report_not_shown(now);
        }
    }

    fn report_not_shown(&mut self, now: Duration) {
        if self.not_shown > 0 {
            let message = format!("… {} changes not shown; see `status`", self.not_shown);
            let shown = self.rendered(&Reply::Changed(Change::Note { message }));
            if self.show_unasked(now, shown) {
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
            Stage::Asleep | Stage::CheckingPin => {}
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
            self.events.push_back(SessionEvent::Left);
        }
        self.stage = Stage::Asleep;
        self.machine = false;
        self.asks = None;
        self.not_shown = 0;
        self.waiting = false;
        self.forget_typed_ahead();
        self.editor.forget_all();
    }
}

fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

fn print(lines: Vec<String>, out: &mut Vec<u8>) {
    for line in lines {
        out.extend_from_slice(line.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests;
