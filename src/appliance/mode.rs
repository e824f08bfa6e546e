//! What the box does, and what follows it.

use std::time::Duration;

use super::event::{PipelineFault, Presence, Source};
use crate::panel;

/// What the box does. *Starting*, *Live* and *Retrying* are together `OnAir`; which of them holds
/// is computed from the destinations and stored nowhere.
///
/// ```text
///                  ┌────────────┐
///      power on ──►│  Booting   ├──────────────┬──────────────────┐
///                  └────────────┘              │ no target        │ a target
///                                              ▼                  ▼
///                  ┌────────────┐       ┌────────────┐ target ┌─────────┐
///              ┌──►│   Fault    │       │ NeedsSetup ├───────►│  Ready  │◄───┐
///              │   │   cause    │       └────────────┘        └────┬────┘    │
///              │   └─┬────────┬─┘                                  │         │
///              │     │GoLive, │ Stop, or recovered while      GoLive │         │
///              │     │or time │ nobody wants to be live: → Ready    │         │
///              │   ┌─▼─ on air ───────────────────────────────────▼─────┐    │
///              │   │                     accepted                       │    │
///              │   │    Starting ───────────────────────► Live          │    │
///              │   │       │ first attempt     last one   │  ▲ accepted │    │
///              │   │       │ ended                ended   ▼  │          │    │
///              │   │       └──────────────────────────► Retrying        │    │
///              │   └───────┬───────────────────────────────────┬────────┘    │
///              │           │ no first key frame in time,       │ Stop, or    │
///              │           │ pipeline error before it, or      │ every       │
///              │           │ a second one within a minute      │ destination │
///              │           ▼                                   ▼ idle        │
///              │   ┌────────────────────────────────────────────────────┐    │
///              └───┤              Stopping{deadline, then}              ├────┘
///     then = Fault └────────────────────────────────────────────────────┘ then = Rest
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Booting,
    NeedsSetup,
    Ready,
    OnAir(OnAir),
    Stopping {
        deadline: Duration,
        then: Then,
    },
    /// `retry_at`: when it is tried again, while the box is to be live.
    Fault {
        cause: Cause,
        retry_at: Option<Duration>,
    },
    /// `Exit` was given; nothing happens any more.
    Exited,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OnAir {
    /// The pipeline was started or restarted, and its first key frame is due.
    pub first_key_by: Option<Duration>,
    /// The first key frame: since then destinations are being published to.
    pub sending_since: Option<Duration>,
    /// The last restart of the pipeline.
    pub restarted: Option<Duration>,
    /// Sources that were there at some time of this broadcast; losing one of them is worth a light.
    pub had_camera: bool,
    pub had_microphone: bool,
}

/// What follows when everything is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    Rest,
    GoLive,
    /// A fault, which somebody asked to be tried at once.
    TryAgain(Cause),
    Fault(Cause),
    Exit,
}

/// What is known of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// It was never reported.
    Unknown,
    There,
    /// It is reported to be there, but could not be opened or was lost: only a try can tell.
    Failed,
    Gone,
}

impl Known {
    /// It was reported.
    pub fn reported(self, presence: Presence) -> Known {
        match (self, presence) {
            (_, Presence::Lost) => Known::Gone,
            (_, Presence::Failed) => self.failed(),
            (_, Presence::Delivers) => self.delivers(),
            (Known::Failed, Presence::Back | Presence::Unsure) => Known::Failed,
            (Known::Gone, Presence::Unsure | Presence::ToBeTried) => Known::Failed,
            (known, Presence::ToBeTried) => known,
            (_, Presence::Back | Presence::Unsure) => Known::There,
        }
    }

    /// It could not be opened.
    pub fn failed(self) -> Known {
        if self == Known::Gone { Known::Gone } else { Known::Failed }
    }

    /// The capture has begun; a source that it began without was reported to be lost.
    pub fn delivers(self) -> Known {
        if self == Known::Failed { Known::There } else { self }
    }

    pub fn is_worth_a_try(self) -> bool {
        matches!(self, Known::There | Known::Failed)
    }
}

/// Why the box is in `Fault`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    Pipeline(PipelineFault),
    NoFirstKey,
}

/// Capture and encoder, as far as orders and answers tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    Off,
    Running,
    /// `Stop` was ordered; the devices are not released yet.
    Ending,
}

impl Cause {
    pub fn sentence(self) -> &'static str {
        match self {
            Cause::Pipeline(PipelineFault::Camera) => "the camera failed",
            Cause::Pipeline(PipelineFault::Microphone) => "the microphone failed",
            Cause::Pipeline(PipelineFault::Encoder) => "the encoder failed",
            Cause::Pipeline(PipelineFault::Internal) => "the pipeline failed",
            Cause::NoFirstKey => "the encoder delivered no key frame in time",
        }
    }

    pub fn light(self) -> panel::Fault {
        match self {
            Cause::Pipeline(PipelineFault::Camera) => panel::Fault::Camera,
            Cause::Pipeline(PipelineFault::Microphone) => panel::Fault::Microphone,
            Cause::Pipeline(PipelineFault::Encoder) | Cause::NoFirstKey => panel::Fault::Encoder,
            Cause::Pipeline(PipelineFault::Internal) => panel::Fault::Internal,
        }
    }

    /// The source whose return clears the fault.
    pub fn source(self) -> Option<Source> {
        match self {
            Cause::Pipeline(PipelineFault::Camera) => Some(Source::Camera),
            Cause::Pipeline(PipelineFault::Microphone) => Some(Source::Microphone),
            _ => None,
        }
    }
}
