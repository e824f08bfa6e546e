//! What the owner wishes, by the button or at a console.

use std::time::Duration;

use super::Appliance;
use crate::appliance::action::{Action, To};
use crate::appliance::mode::{Mode, Then};
use crate::console::{self, About, ClientId, Command, Mode as Shown, Reply};
use crate::limits::WATCHERS_MAX;
use crate::panel::{Gesture, Indication};

/// What comes of a wish to go live.
pub(super) enum GoLive {
    Begun,
    Remembered,
    Hurried,
    Already,
    Refused(String),
}

impl Appliance {
    pub(super) fn button(&mut self, now: Duration, gesture: Gesture) {
        match gesture {
            Gesture::Down => self.act(Action::Show(Indication::Pressed)),
            Gesture::Press => match self.go_live(now, "button pressed") {
                GoLive::Begun | GoLive::Remembered | GoLive::Hurried => {}
                GoLive::Already => self.act(Action::Show(Indication::Already)),
                GoLive::Refused(why) => {
                    self.act(Action::Show(Indication::Refused));
                    self.note(format!("the button was pressed, but {why}"));
                }
            },
            Gesture::Stuck => self.note(
                "the button has been held for ten seconds; is something lying on it?".to_owned(),
            ),
            Gesture::ResetBegun => self.act(Action::Show(Indication::ResetBegun)),
            Gesture::ResetArmed => self.act(Action::Show(Indication::ResetArmed)),
            Gesture::ResetGivenUp => self.act(Action::Show(Indication::Already)),
            Gesture::Reset => {
                self.note("factory reset, by the button".to_owned());
                self.forget(now);
                self.act(Action::Show(Indication::Pressed));
                self.act(Action::Forget);
            }
            Gesture::Hold => {
                if self.stop(now, "button held").is_none() {
                    self.act(Action::Show(Indication::Already));
                }
            }
        }
    }

    pub(super) fn console(&mut self, now: Duration, from: ClientId, command: &Command) {
        let reply = match command {
            Command::Help { about } => Reply::Text { lines: console::help(*about) },
            Command::Status => Reply::Status(Box::new(self.status(now))),
            Command::Live => match self.go_live(now, "asked for at the console") {
                GoLive::Begun => Reply::text(["going live"]),
                GoLive::Remembered => Reply::text(["going live as soon as the last one is closed"]),
                GoLive::Hurried => Reply::text(["trying again at once"]),
                GoLive::Already => Reply::text(["already on air"]),
                GoLive::Refused(why) => Reply::error(why),
            },
            Command::Stop => {
                let stopped = self.stop(now, "asked for at the console");
                Reply::text([stopped.unwrap_or("there is nothing to stop")])
            }
            Command::Watch => self.watch(from),
            Command::DestinationList => Reply::Destinations {
                destinations: self.destination_status(now),
                disabled: Vec::new(),
            },
            Command::About => Reply::About(About {
                product: env!("CARGO_PKG_NAME"),
                version: env!("CARGO_PKG_VERSION"),
                board: self.setup.board.clone(),
                name: None,
                machine: None,
                serial_number: None,
            }),
            Command::Serve(service) => {
                return self.act(Action::Serve { from, service: service.clone() });
            }
        };
        self.act(Action::Say { to: To::Client(from), reply });
    }

    fn watch(&mut self, from: ClientId) -> Reply {
        if self.watches(from) {
            self.watchers.retain(|watcher| *watcher != from);
            Reply::text(["changes are no longer shown"])
        } else if self.watchers.len() < WATCHERS_MAX {
            self.watchers.push(from);
            Reply::text(["every change is shown; `watch` again ends it"])
        } else {
            Reply::error("too many consoles watch already")
        }
    }

    /// Everything that was set is forgotten, and with it the wish to be live.
    pub(super) fn forget(&mut self, now: Duration) {
        self.stop(now, "factory reset");
    }

    pub(super) fn go_live(&mut self, now: Duration, because: &str) -> GoLive {
        match self.mode {
            Mode::Booting => GoLive::Refused("the box is still starting".to_owned()),
            Mode::NeedsSetup => {
                GoLive::Refused("no destination with a stream key is set".to_owned())
            }
            Mode::Ready | Mode::Fault { .. } => match self.obstacle() {
                Some(why) => GoLive::Refused(why.to_owned()),
                None => {
                    self.begin_broadcast(now, because);
                    GoLive::Begun
                }
            },
            Mode::OnAir(_) if self.mode() == Shown::Retrying => {
                self.each(now, |destination, desk| destination.hurry(desk));
                GoLive::Hurried
            }
            Mode::OnAir(_) => GoLive::Already,
            Mode::Stopping { then: Then::Exit, .. } | Mode::Exited => {
                GoLive::Refused("the system is ending".to_owned())
            }
            Mode::Stopping { deadline, then } => {
                let then = match then {
                    Then::Fault(cause) | Then::TryAgain(cause) if self.latched => {
                        Then::TryAgain(cause)
                    }
                    _ => Then::GoLive,
                };
                self.faults = 0;
                self.mode = Mode::Stopping { deadline, then };
                self.latch(true);
                GoLive::Remembered
            }
        }
    }

    /// What was stopped, in words; `None` if there was nothing to stop.
    pub(super) fn stop(&mut self, now: Duration, because: &str) -> Option<&'static str> {
        let was_to_be_live = self.latched;
        self.latch(false);
        match self.mode {
            Mode::Booting | Mode::NeedsSetup | Mode::Ready => {
                was_to_be_live.then_some("the box no longer goes live by itself")
            }
            Mode::OnAir(_) => {
                self.end_broadcast(now, Then::Rest, because);
                Some("ending the broadcast")
            }
            Mode::Stopping { deadline, then } => {
                let then = match then {
                    Then::GoLive => Then::Rest,
                    Then::TryAgain(cause) => Then::Fault(cause),
                    Then::Rest | Then::Fault(_) | Then::Exit => then,
                };
                self.mode = Mode::Stopping { deadline, then };
                Some("the broadcast is being ended")
            }
            Mode::Fault { .. } => {
                self.rest(because);
                Some("the fault is put aside")
            }
            Mode::Exited => None,
        }
    }
}
