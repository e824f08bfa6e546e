//! Requests: one at a time for each client, in their order.

use std::time::Duration;

use super::Control;
use crate::appliance::{By, Event as Happening};
use crate::console::{self, ClientId, Command, Reply, Typed};
use crate::control::action::Action;
use crate::control::clients::{Asked, Awaits, Request};
use crate::control::progress::Progress;
use crate::limits::STORE_PATIENCE;

impl Control {
    /// A client of the control socket asks.
    pub(super) fn asked(
        &mut self,
        now: Duration,
        from: ClientId,
        line: &str,
        secret: Option<Typed>,
    ) {
        let what = match console::parse(line) {
            Ok(Some(command)) => Asked::Command(command),
            Ok(None) => Asked::Unclear(Box::new(Reply::error("no command was given"))),
            Err(error) => Asked::Unclear(Box::new(Reply::from(error))),
        };
        self.request(now, from, what, secret);
    }

    /// Carries out what a client has asked for, as far as nothing has to be waited for.
    pub(super) fn carry_on(&mut self, now: Duration, from: ClientId) {
        while let Some((number, request)) = self.clients.begin(from) {
            let awaits = match self.execute(now, from, number, request) {
                Progress::Answered(reply) => {
                    self.clients.end(number);
                    self.answer(from, reply);
                    continue;
                }
                Progress::Asked => {
                    self.clients.end(number);
                    continue;
                }
                Progress::Store => Awaits::Store(now + STORE_PATIENCE),
                Progress::Job => Awaits::Job,
            };
            self.clients.awaits(from, awaits);
        }
        let is_waiting = self.clients.is_waiting(from);
        self.session(from).into_iter().for_each(|session| session.set_waiting(is_waiting));
    }

    /// Answers a request that has waited, and goes on with the next one of its client. Whether
    /// anybody still waited for it.
    pub(super) fn finish(&mut self, now: Duration, request: u64, reply: Reply) -> bool {
        let Some(client) = self.clients.end(request) else { return false };
        self.session(client).into_iter().for_each(|session| session.set_waiting(false));
        self.answer(client, reply);
        self.carry_on(now, client);
        self.terminal_goes_on(now, client);
        true
    }

    /// The last action: nobody who has asked for something is left without an answer.
    pub(super) fn exit(&mut self, code: u8) {
        self.capture.is_over = true;
        while let Some((client, awaits)) = self.clients.take_unanswered() {
            self.session(client).into_iter().for_each(|session| session.set_waiting(false));
            self.answer(
                client,
                Reply::error(match awaits {
                    Some(Awaits::Store(_)) => {
                        "the system is ending before the disk has answered; `show` says after its \
                         next start what is stored"
                    }
                    _ => "the system is ending",
                }),
            );
        }
        self.show_terminals();
        self.act(Action::Exit(code));
    }

    fn execute(
        &mut self,
        now: Duration,
        from: ClientId,
        number: u64,
        request: Request,
    ) -> Progress {
        let command = match request.what {
            Asked::Command(command) => command,
            Asked::Unclear(reply) => return Progress::Answered(*reply),
            Asked::Secret { of, value } => {
                let given_for = self.asked_for.remove(&from);
                return self.put_secret(number, &of, value, given_for);
            }
        };
        let reply = match command {
            Command::Help { about } => Reply::Text { lines: console::help(about) },
            Command::Status => Reply::Status(Box::new(self.status(now))),
            Command::Live => self.decided(now, Happening::GoLive { by: By::Console }),
            Command::Stop => self.decided(now, Happening::Stop { by: By::Console }),
            Command::Watch => self.watch(from),
            Command::DestinationList => {
                let disabled = self.in_force.settings.destinations.iter().filter(|d| !d.enabled);
                let disabled = disabled.map(|d| d.name.clone()).collect();
                Reply::Destinations { destinations: self.status(now).destinations, disabled }
            }
            Command::About => Reply::About(self.about.clone()),
            Command::Serve(service) => {
                return self.serve(now, from, number, service, request.secret);
            }
        };
        Progress::Answered(reply)
    }

    /// What the appliance answers at once.
    fn decided(&mut self, now: Duration, event: Happening) -> Reply {
        self.tell(now, event);
        let ending = || Reply::error("the system is ending");
        self.outcome.take().unwrap_or_else(ending)
    }

    fn watch(&mut self, from: ClientId) -> Reply {
        match self.clients.toggle_watch(from) {
            Some(true) => Reply::text(["every change is shown; `watch` again ends it"]),
            Some(false) => Reply::text(["changes are no longer shown"]),
            None => Reply::error("too many consoles watch already"),
        }
    }
}
