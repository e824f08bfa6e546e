//! The terminals at the box's ports, each with a session of its own: bytes become requests, answers become bytes.

use std::time::Duration;

use super::Control;
use crate::console::{ClientId, Reply, Session, SessionEvent, Typed};
use crate::control::action::{Action, Level};
use crate::control::clients::{Asked, Awaits, Request};
use crate::control::confirm::{Confirm, Pending};
use crate::control::store::StoreRequest;
use crate::limits::CONSOLE_LINE_BYTES_MAX;

impl Control {
    /// The clients that are terminals.
    pub(super) fn terminals(&self) -> impl Iterator<Item = ClientId> + use<> {
        (0..self.sessions.len()).map(ClientId::of_port)
    }

    /// The session of a terminal, which knows what the box does now; `None` for another client.
    pub(super) fn session(&mut self, at: ClientId) -> Option<&mut Session> {
        let session = self.sessions.get_mut(at.port()?)?;
        session.set_mode(self.appliance.mode());
        Some(session)
    }

    pub(super) fn terminal_opened(&mut self, now: Duration, at: ClientId, greet: bool) {
        let Some(session) = self.session(at) else { return };
        session.open(now, greet);
        self.clients.remove(at);
        self.take_session_events(now, at);
    }

    pub(super) fn typed(&mut self, now: Duration, at: ClientId, bytes: &[u8]) {
        self.look_for_choices(now);
        for byte in bytes {
            let Some(session) = self.session(at) else { return };
            session.feed(now, *byte);
            self.take_session_events(now, at);
            // What is pasted is shown in pieces of a bounded size.
            let is_much = |session: &mut Session| session.output_bytes() > CONSOLE_LINE_BYTES_MAX;
            if self.session(at).is_some_and(is_much) {
                self.show_terminals();
            }
        }
        self.terminal_goes_on(now, at);
    }

    /// Goes on with what was typed ahead.
    pub(super) fn terminal_goes_on(&mut self, now: Duration, at: ClientId) {
        while self.session(at).is_some_and(|session| session.go_on(now)) {
            self.take_session_events(now, at);
        }
    }

    pub(super) fn take_session_events(&mut self, now: Duration, at: ClientId) {
        while let Some(event) = self.session(at).and_then(Session::poll_event) {
            match event {
                SessionEvent::Command(command) => {
                    self.request(now, at, Asked::Command(command), None);
                }
                SessionEvent::Secret { of, value } => {
                    self.request(now, at, Asked::Secret { of, value }, None);
                }
                SessionEvent::Pin(typed) => self.check_pin(now, at, typed),
                SessionEvent::Interrupted => self.interrupted(now, at),
                SessionEvent::Left => self.clients.stop_watching(at),
            }
        }
    }

    fn check_pin(&mut self, now: Duration, at: ClientId, typed: Typed) {
        match self.in_force.settings.console_pin.clone() {
            Some(pin) => {
                // Written before the answer, or pulling the plug would take the try back.
                let tries = self.session(at).map_or(0, |session| session.wrong_pins());
                self.keep_wrong_pins(tries.saturating_add(1));
                self.act(Action::CheckPin { at, pin, typed });
            }
            None => {
                self.session(at).into_iter().for_each(|session| session.pin_checked(now, true));
            }
        }
    }

    pub(super) fn pin_checked(&mut self, now: Duration, at: ClientId, right: bool) {
        if !right {
            self.log(Level::Warn, "a wrong PIN was typed at the console".to_owned());
        }
        self.session(at).into_iter().for_each(|session| session.pin_checked(now, right));
        if right {
            self.keep_wrong_pins(0);
        }
        self.terminal_goes_on(now, at);
    }

    /// Keeps how many wrong PINs were typed in a row: at one terminal now, or at another one before.
    fn keep_wrong_pins(&mut self, number: u32) {
        let others = self.sessions.iter().map(Session::wrong_pins).max().unwrap_or_default();
        let number = number.max(others);
        let pending = Pending { request: None, confirm: Confirm::Nobody };
        // Where nothing can be stored, a restart forgets it.
        let _ = self.store.push(StoreRequest::WrongPins(number), pending);
    }

    /// Whoever typed ^C does not wait any longer; what the store does is not taken back, and is
    /// reported to the journal.
    fn interrupted(&mut self, now: Duration, at: ClientId) {
        if let Some((request, awaits)) = self.clients.waits_for(at) {
            let why = match awaits {
                Awaits::Job => "interrupted; its result is not shown",
                Awaits::Store(_) => "interrupted; the disk may still store this: see `show`",
            };
            self.finish(now, request, Reply::error(why));
        }
    }

    /// Requests of a terminal go through the same queue as all others.
    pub(super) fn request(
        &mut self,
        now: Duration,
        from: ClientId,
        what: Asked,
        secret: Option<Typed>,
    ) {
        match self.clients.push(from, Request { what, secret }) {
            Ok(()) => self.carry_on(now, from),
            Err(_) => self.answer(from, Reply::error("too many requests wait; try again")),
        }
    }

    pub(super) fn show_terminals(&mut self) {
        for to in self.terminals() {
            let bytes = self.session(to).map(Session::take_output).unwrap_or_default();
            if !bytes.is_empty() {
                self.act(Action::Terminal { to, bytes });
            }
        }
    }
}
