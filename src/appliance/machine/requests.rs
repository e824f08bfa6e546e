//! What the owner asks for, by the button or at a console.

use std::time::Duration;

use super::Appliance;
use crate::appliance::action::{Action, GoLive, NotLive, Stop};
use crate::appliance::event::By;
use crate::appliance::mode::{Mode, Then};
use crate::panel::{Gesture, Indication};
use crate::status::Mode as Shown;

impl Appliance {
    pub(super) fn button(&mut self, now: Duration, gesture: Gesture) {
        match gesture {
            Gesture::Down => self.act(Action::Show(Indication::Pressed)),
            Gesture::Press => match self.go_live(now, By::Button.to_go_live()) {
                GoLive::Begun | GoLive::AfterTheLast | GoLive::RetryingNow => {}
                GoLive::AlreadyLive => self.act(Action::Show(Indication::Already)),
                GoLive::Refused(why) => {
                    self.act(Action::Show(Indication::Refused));
                    self.note(format!("the button was pressed, but {}", why.sentence()));
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
                self.factory_reset(now);
                self.act(Action::Show(Indication::Pressed));
                self.act(Action::FactoryReset);
            }
            Gesture::Hold => {
                if self.stop(now, By::Button.to_stop()) == Stop::Nothing {
                    self.act(Action::Show(Indication::Already));
                }
            }
        }
    }

    /// Everything that was set is erased, and the box does not go live by itself.
    pub(super) fn factory_reset(&mut self, now: Duration) {
        self.stop(now, "factory reset");
    }

    pub(super) fn go_live(&mut self, now: Duration, because: &str) -> GoLive {
        match self.mode {
            Mode::Booting => GoLive::Refused(NotLive::Booting),
            Mode::NeedsSetup => GoLive::Refused(NotLive::NoDestination),
            Mode::Ready | Mode::Fault { .. } => match self.obstacle() {
                Some(why) => GoLive::Refused(why),
                None => {
                    self.begin_broadcast(now, because);
                    GoLive::Begun
                }
            },
            Mode::OnAir(_) if self.mode() == Shown::Retrying => {
                self.each(now, |destination, context| destination.hurry(context));
                GoLive::RetryingNow
            }
            Mode::OnAir(_) => GoLive::AlreadyLive,
            Mode::Stopping { then: Then::Exit, .. } | Mode::Exited => {
                GoLive::Refused(NotLive::Ending)
            }
            Mode::Stopping { deadline, then } => {
                let then = match then {
                    Then::Fault(cause) | Then::TryAgain(cause) if self.to_be_live => {
                        Then::TryAgain(cause)
                    }
                    _ => Then::GoLive,
                };
                self.faults = 0;
                self.mode = Mode::Stopping { deadline, then };
                self.persist_live(true);
                GoLive::AfterTheLast
            }
        }
    }

    pub(super) fn stop(&mut self, now: Duration, because: &str) -> Stop {
        let was_to_be_live = self.to_be_live;
        self.persist_live(false);
        match self.mode {
            Mode::Booting | Mode::NeedsSetup | Mode::Ready => {
                if was_to_be_live {
                    Stop::NotByItself
                } else {
                    Stop::Nothing
                }
            }
            Mode::OnAir(_) => {
                self.end_broadcast(now, Then::Rest, because);
                Stop::Ending
            }
            Mode::Stopping { deadline, then } => {
                let then = match then {
                    Then::GoLive => Then::Rest,
                    Then::TryAgain(cause) => Then::Fault(cause),
                    Then::Rest | Then::Fault(_) | Then::Exit => then,
                };
                self.mode = Mode::Stopping { deadline, then };
                Stop::AlreadyEnding
            }
            Mode::Fault { .. } => {
                self.rest(because);
                Stop::FaultCleared
            }
            Mode::Exited => Stop::Nothing,
        }
    }
}
