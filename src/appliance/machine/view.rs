//! How the box stands: what it shows, and what follows from facts and destinations.

use std::time::Duration;

use super::Appliance;
use crate::appliance::action::NotLive;
use crate::appliance::destination::Destination;
use crate::appliance::event::{DestinationId, Source, ms};
use crate::appliance::mode::{Known, Mode, OnAir};
use crate::panel::{self, Attention, Because, Indication};
use crate::status::{self, Health, Link, Mode as Shown, Status};

/// What a box that rests lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    Source(Source),
    Network,
}

const NO_NETWORK: &str = "there is no network";

/// How much the owner can do about it.
fn urgency(because: &Because) -> u8 {
    match because {
        Because::Refused => 3,
        Because::Certificate => 2,
        Because::Busy => 1,
        Because::Network | Because::NoNetwork => 0,
    }
}

impl Appliance {
    /// What the box does; for the prompt.
    pub fn mode(&self) -> Shown {
        match self.mode {
            Mode::Booting => Shown::Booting,
            Mode::NeedsSetup => Shown::NeedsSetup,
            Mode::Ready if self.missing().is_some() => Shown::NotReady,
            Mode::Ready => Shown::Ready,
            Mode::OnAir(_) => {
                let mut set = self.destinations.iter().filter(|d| d.is_set());
                if set.clone().any(Destination::is_accepted) {
                    Shown::Live
                } else if set.any(Destination::has_ended) {
                    Shown::Retrying
                } else {
                    Shown::Starting
                }
            }
            Mode::Stopping { .. } | Mode::Exited => Shown::Stopping,
            Mode::Fault { .. } => Shown::Fault,
        }
    }

    /// What the lights say, apart from momentary answers to the button.
    pub fn indication(&self) -> Indication {
        match self.mode {
            Mode::Booting => Indication::Starting,
            Mode::NeedsSetup => Indication::NeedsSetup,
            // A press would be refused or fail, so the light does not say that it is ready.
            Mode::Ready => match self.missing() {
                Some(Missing::Source(Source::Camera)) => Indication::Fault(panel::Fault::Camera),
                Some(Missing::Source(Source::Microphone)) => {
                    Indication::Fault(panel::Fault::Microphone)
                }
                Some(Missing::Network) => Indication::NoNetwork,
                None if self.has_warning => Indication::ReadyWarning,
                None => Indication::Ready,
            },
            Mode::OnAir(on_air) => match self.mode() {
                Shown::Live => Indication::Live { attention: self.attention(on_air) },
                Shown::Retrying => Indication::Retrying { because: self.trouble() },
                _ => Indication::Connecting,
            },
            Mode::Stopping { .. } | Mode::Exited => Indication::Stopping,
            Mode::Fault { cause, .. } => Indication::Fault(cause.light()),
        }
    }

    /// Everything that the appliance knows at `now`; who owns it adds the figures of the stream.
    pub fn status(&self, now: Duration) -> Status {
        Status {
            mode: self.mode(),
            for_ms: ms(now.saturating_sub(self.reported.since)),
            because: self.because.clone(),
            warnings: Vec::new(),
            note: None,
            facts: self.facts,
            wifi: None,
            settings_faults: Vec::new(),
            health: Health::default(),
            encoder: None,
            levels: None,
            destinations: self.destination_status(now),
        }
    }

    /// Whether anything of this destination is still to be done or reported.
    pub fn holds(&self, id: DestinationId) -> bool {
        self.destinations.iter().any(|destination| destination.id() == id)
    }

    pub(super) fn destination_status(&self, now: Duration) -> Vec<status::DestinationStatus> {
        self.destinations.iter().filter(|d| d.is_set()).map(|d| d.status(now)).collect()
    }

    /// The mode of a box that does nothing.
    pub(super) fn resting(&self) -> Mode {
        if self.destinations.iter().any(Destination::is_usable) {
            Mode::Ready
        } else {
            Mode::NeedsSetup
        }
    }

    pub(super) fn known(&self, source: Source) -> Known {
        match source {
            Source::Camera => self.camera,
            Source::Microphone => self.microphone,
        }
    }

    /// A source without which the owner does not want to go live, and which is not so.
    fn lacking(&self, is_so: impl Fn(Known) -> bool) -> Option<Source> {
        if !self.setup.start_without_camera && !is_so(self.camera) {
            Some(Source::Camera)
        } else if !self.setup.start_without_microphone && !is_so(self.microphone) {
            Some(Source::Microphone)
        } else {
            None
        }
    }

    /// What keeps a box that rests from being ready; of several, what cannot wait until later.
    fn missing(&self) -> Option<Missing> {
        let source = self.lacking(|known| known == Known::There).map(Missing::Source);
        source.or(self.has_no_network().then_some(Missing::Network))
    }

    /// Whether no interface leads anywhere.
    fn has_no_network(&self) -> bool {
        self.is_link_known && self.facts.link == Link::Down
    }

    /// The same in words.
    fn missing_in_words(&self) -> Option<&'static str> {
        Some(match self.missing()? {
            Missing::Network => NO_NETWORK,
            Missing::Source(source) => match (source, self.known(source)) {
                (Source::Camera, Known::Failed) => {
                    "the camera has failed; going live tries it again"
                }
                (Source::Camera, _) => NotLive::NoCamera.sentence(),
                (Source::Microphone, Known::Failed) => {
                    "the microphone has failed; going live tries it again"
                }
                (Source::Microphone, _) => NotLive::NoMicrophone.sentence(),
            },
        })
    }

    /// Why a broadcast cannot begin. A source that failed is no reason: only a try can tell.
    pub(super) fn obstacle(&self) -> Option<NotLive> {
        if !self.destinations.iter().any(Destination::is_usable) {
            return Some(NotLive::NoDestination);
        }
        self.lacks_source()
    }

    /// Whether the box is neither on air nor on its way there or back.
    pub fn is_resting(&self) -> bool {
        matches!(self.mode, Mode::NeedsSetup | Mode::Ready | Mode::Fault { .. })
    }

    /// Whether somebody wants the box live, although it may be waiting to try again.
    pub fn is_to_be_live(&self) -> bool {
        self.to_be_live
    }

    /// Why neither camera nor microphone is worth a try.
    pub fn lacks_source(&self) -> Option<NotLive> {
        self.lacking(Known::is_worth_a_try).map(|source| match source {
            Source::Camera => NotLive::NoCamera,
            Source::Microphone => NotLive::NoMicrophone,
        })
    }

    fn attention(&self, on_air: OnAir) -> Attention {
        let all_accepted =
            self.destinations.iter().filter(|d| d.is_set()).all(Destination::is_accepted);
        if on_air.had_camera && !self.facts.camera {
            Attention::Camera
        } else if on_air.had_microphone && !self.facts.microphone {
            Attention::Microphone
        } else if !all_accepted {
            Attention::Destination
        } else if self.has_warning {
            Attention::Warning
        } else {
            Attention::None
        }
    }

    /// What the owner can do most about, of all that stands in the way: without a network nothing else
    /// is known to be wrong.
    fn trouble(&self) -> Because {
        if self.has_no_network() {
            return Because::NoNetwork;
        }
        let set = self.destinations.iter().filter(|d| d.is_set());
        set.map(Destination::trouble).max_by_key(urgency).unwrap_or(Because::Network)
    }

    /// Why no destination is left to publish to.
    pub(super) fn hopeless(&self) -> String {
        let each: Vec<String> =
            self.destinations.iter().filter(|d| d.is_set()).map(Destination::sentence).collect();
        if each.is_empty() { "no destination is set any more".to_owned() } else { each.join("; ") }
    }

    /// Why the box is not ready, live or retrying, which follows from facts and destinations alone.
    pub(super) fn because_now(&self, mode: Shown, from: Shown) -> Option<String> {
        let mut set = self.destinations.iter().filter(|d| d.is_set());
        match mode {
            Shown::NotReady => self.missing_in_words().map(str::to_owned),
            Shown::Ready if from == Shown::NotReady => {
                Some("everything that it needs is there".to_owned())
            }
            Shown::Live => {
                set.find(|d| d.is_accepted()).map(|d| format!("{} accepts the stream", d.name()))
            }
            Shown::Retrying => set
                .filter(|d| d.has_ended())
                .max_by_key(|d| (d.has_hope(), urgency(&d.trouble())))
                .map(|d| match self.has_no_network() {
                    true => format!("{NO_NETWORK}; {}", d.sentence()),
                    false => d.sentence(),
                }),
            // Only new destinations bring a broadcast back to its start.
            Shown::Starting if matches!(from, Shown::Live | Shown::Retrying) => {
                Some("the settings changed".to_owned())
            }
            _ => None,
        }
    }
}
