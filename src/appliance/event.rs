//! What happens to the appliance.

use std::time::Duration;

use crate::ending::Evidence;
use crate::limits::END_TEXT_CHARS_MAX;
use crate::panel;
use crate::sanitize;
use crate::status::{Clock, StickImport};

/// A destination, for as long as the box runs. Settings that drop a destination and add it
/// again may use its number again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DestinationId(pub u32);

/// A destination as the settings describe it. Address and key stay with the shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Which one.
    pub id: DestinationId,
    /// Its name, for people.
    pub name: String,
    /// Differs from before whenever the address or the key changed.
    pub revision: u64,
    /// Whether it can be published to: a stream key is set, or none is needed.
    pub has_key: bool,
    /// Whether there is a second server for it.
    pub has_backup: bool,
}

/// What the box knows when it starts.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Seed of the jitter of all waits.
    pub seed: u64,
    /// The owner lets the box go live without a camera.
    pub start_without_camera: bool,
    /// The owner lets the box go live without a microphone.
    pub start_without_microphone: bool,
    /// The last [`Action::PersistLive`](super::Action::PersistLive) before the power went: the box was
    /// live.
    pub was_live: bool,
}

/// Everything that can happen to the appliance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Profile, settings and self-test are done.
    Booted,
    /// The destinations of the settings, all of them, after each change of the settings. Of more
    /// than [`DESTINATIONS_MAX`](crate::limits::DESTINATIONS_MAX) the first ones count.
    Targets(Vec<Target>),
    /// The button.
    Button(panel::Gesture),
    /// Somebody asks to go live; answered by [`Action::WentLive`](super::Action::WentLive).
    GoLive {
        /// Who.
        by: By,
    },
    /// Somebody asks to end the broadcast; answered by [`Action::Stopped`](super::Action::Stopped).
    Stop {
        /// Who.
        by: By,
    },
    /// The network link.
    Link(LinkChange),
    /// Whether the time of day can be trusted.
    Clock(Clock),
    /// The settings' consent to go live with slate or silence changed.
    StartWithout {
        /// Without a camera.
        camera: bool,
        /// Without a microphone.
        microphone: bool,
    },
    /// Whether the machine itself has a warning that concerns the broadcast.
    Warning(bool),
    /// How far the import of a USB stick is.
    Stick(StickImport),
    /// A factory reset: the box stops and does not go live by itself.
    FactoryReset,
    /// The camera or the microphone. Both count as lost until they are reported to be back. One that
    /// could not be opened counts so too, and a further report that it is back changes nothing: it is
    /// there when it comes back after it was lost, or when it delivers.
    Source(Source, Presence),
    /// Capture and encoder.
    Pipeline {
        /// The run that the order named; events of any other run are ignored.
        run: u64,
        /// What happened.
        what: PipelineEvent,
    },
    /// An attempt to publish.
    Publish {
        /// Where.
        dest: DestinationId,
        /// The attempt that the order named; events of any other attempt are ignored.
        attempt: u64,
        /// What happened.
        what: PublishEvent,
    },
    /// The box has lost the address from which this attempt is connected: whatever it sends will not
    /// arrive.
    Stranded {
        /// Where.
        dest: DestinationId,
        /// The attempt.
        attempt: u64,
    },
    /// The system asks the box to end (SIGTERM).
    Terminate,
}

/// Who asks, for the reason that the journal gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum By {
    /// The button.
    Button,
    /// Somebody at a console, or a program at the control socket.
    Console,
}

impl By {
    pub(super) fn to_go_live(self) -> &'static str {
        match self {
            By::Button => "button pressed",
            By::Console => "asked for at the console",
        }
    }

    pub(super) fn to_stop(self) -> &'static str {
        match self {
            By::Button => "button held",
            By::Console => "asked for at the console",
        }
    }
}

/// What happened to the network link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LinkChange {
    /// A carrier and an address are there.
    Up,
    /// None is.
    Down,
    /// Another address or route.
    Changed,
}

/// Where video or audio comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// The camera.
    Camera,
    /// The microphone.
    Microphone,
}

/// Whether a source is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Presence {
    /// It is not; while on air, slate or silence stands in.
    Lost,
    /// It is.
    Back,
    /// Nobody can tell before it is opened: it counts as back until it was lost or could not be opened.
    Unsure,
    /// It is opened next, or another one in its place: that it was lost says nothing of that.
    ToBeTried,
    /// It could not be opened, though nobody is on air.
    Failed,
    /// It was opened, unless it is reported to be lost.
    Delivers,
}

/// What happened to capture and encoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PipelineEvent {
    /// It runs; nothing is encoded yet.
    Playing,
    /// The first key frame since the start or restart waits in the queues.
    FirstKey,
    /// It failed.
    Error {
        /// What failed.
        fault: PipelineFault,
        /// In its own words.
        message: String,
    },
    /// It holds no device any more: the answer to
    /// [`PipelineOrder::Stop`](super::PipelineOrder::Stop), once. A pipeline that comes to its end
    /// by itself is an `Error`; it still waits for its `Stop`.
    Ended,
}

/// What failed in the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PipelineFault {
    /// The camera, beyond what the slate covers.
    Camera,
    /// The microphone, beyond what silence covers.
    Microphone,
    /// The encoder.
    Encoder,
    /// Anything else.
    Internal,
}

/// What happened to an attempt. After `Ended` there is nothing more of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublishEvent {
    /// The server has started the stream and confirmed that media arrives.
    Accepted,
    /// The stream goes on at the first server; the backup server is left.
    Returned,
    /// The attempt is over and its connection is closed. What that means for the next one, only the
    /// appliance decides.
    Ended {
        /// What was observed of its end.
        evidence: Evidence,
        /// From the server or the system.
        message: String,
    },
}

/// A message from outside as it may be kept and shown: one line, bounded.
pub(super) fn bounded(message: &str) -> String {
    sanitize::line(message).chars().take(END_TEXT_CHARS_MAX).collect()
}

/// Whole milliseconds of a duration.
pub(super) fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
