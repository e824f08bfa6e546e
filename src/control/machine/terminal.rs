//! The terminal at the box's port: bytes become requests, answers become bytes.

use std::time::Duration;

use super::Control;
use crate::console::{Reply, SessionEvent, Typed};
use crate::control::action::{Action, Level};
use crate::control::clients::{Asked, Request, TERMINAL};
use crate::limits::CONSOLE_LINE_BYTES_MAX;

impl Control {
    pub(super) fn terminal_opened(&mut self, now: Duration, greet: bool) {
        self.clients.remove(TERMINAL);
        self.session.set_mode(self.appliance.mode());
        self.session.open(now, greet);
        self.take_session_events(now);
    }

    pub(super) fn typed(&mut self, now: Duration, bytes: &[u8]) {
        for byte in bytes {
            self.session.set_mode(self.appliance.mode());
            self.session.feed(now, *byte);
            self.take_session_events(now);
            // What is pasted is shown in pieces of a bounded size.
            if self.session.output_bytes() > CONSOLE_LINE_BYTES_MAX {
                self.show_terminal();
            }
        }
        self.terminal_goes_on(now);
    }

    /// Goes on with what was typed ahead.
    pub(super) fn terminal_goes_on(&mut self, now: Duration) {
        self.session.set_mode(self.appliance.mode());
        while self.session.go_on(now) {
            self.take_session_events(now);
            self.session.set_mode(self.appliance.mode());
        }
    }

    pub(super) fn take_session_events(&mut self, now: Duration) {
        while let Some(event) = self.session.poll_event() {
            match event {
                SessionEvent::Command(command) => {
                    self.request(now, TERMINAL, Asked::Command(command), None);
                }
                SessionEvent::Secret { of, value } => {
                    self.request(now, TERMINAL, Asked::Secret { of, value }, None);
                }
                SessionEvent::Pin(typed) => self.check_pin(now, typed),
                SessionEvent::Interrupted => self.interrupted(now),
                SessionEvent::Left => self.clients.stop_watching(TERMINAL),
            }
        }
    }

    fn check_pin(&mut self, now: Duration, typed: Typed) {
        match self.in_force.settings.console_pin.clone() {
            Some(pin) => self.act(Action::CheckPin { pin, typed }),
            None => self.session.pin_checked(now, true),
        }
    }

    pub(super) fn pin_checked(&mut self, now: Duration, right: bool) {
        if !right {
            self.log(Level::Warn, "a wrong PIN was typed at the console".to_owned());
        }
        self.session.set_mode(self.appliance.mode());
        self.session.pin_checked(now, right);
        self.terminal_goes_on(now);
    }

    /// Whoever typed ^C does not wait for a job any longer; what the store does is not taken back.
    fn interrupted(&mut self, now: Duration) {
        if let Some(request) = self.clients.job_of(TERMINAL) {
            self.finish(now, request, Reply::error("interrupted; its result is not shown"));
        }
    }

    /// Requests of the terminal go through the same queue as all others.
    pub(super) fn request(
        &mut self,
        now: Duration,
        from: crate::console::ClientId,
        what: Asked,
        secret: Option<Typed>,
    ) {
        match self.clients.push(from, Request { what, secret }) {
            Ok(()) => self.carry_on(now, from),
            Err(_) => self.answer(from, Reply::error("too many requests wait; try again")),
        }
    }

    pub(super) fn show_terminal(&mut self) {
        let shown = self.session.take_output();
        if !shown.is_empty() {
            self.act(Action::Terminal(shown));
        }
    }
}
