//! What the appliance wants done.

use super::event::DestinationId;
use crate::panel::Indication;
use crate::status::{Change, Server};

/// One action. Actions are done in the order they are given.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// For capture and encoder.
    Pipeline(PipelineOrder),
    /// For the publish task of one destination; orders of one destination stay in their order.
    Publish(PublishOrder),
    /// For the lights.
    Show(Indication),
    /// For the journal, and for all that watch.
    Report(Change),
    /// What came of an [`Event::GoLive`](super::Event::GoLive): one for each.
    WentLive(GoLive),
    /// What came of an [`Event::Stop`](super::Event::Stop): one for each.
    Stopped(Stop),
    /// Erase all settings and keys.
    FactoryReset,
    /// Persist whether the box is to be live, so that a power cut does not change that.
    PersistLive(bool),
    /// For the service manager.
    Notify(Notify),
    /// The last action: end the process with this code.
    Exit(u8),
}

/// An order for capture and encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PipelineOrder {
    /// Start; all events of this run carry its number.
    Start {
        /// Grows with each start and restart.
        run: u64,
    },
    /// Tear down what runs and start again, with the same codec parameters; queues and
    /// publishing go on. The torn-down run reports nothing more.
    Restart {
        /// As in `Start`.
        run: u64,
    },
    /// Stop and release the devices, then report
    /// [`PipelineEvent::Ended`](super::PipelineEvent::Ended) for the current run.
    Stop,
}

/// An order for a publish task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublishOrder {
    /// Try once to publish, with the newest settings of the destination.
    Open {
        /// Where.
        dest: DestinationId,
        /// Grows with each attempt, over all destinations.
        attempt: u64,
        /// At which of its servers.
        server: Server,
    },
    /// This attempt has the stream at the backup server: try the first one in parallel, let it take over
    /// from a key frame, and report [`PublishEvent::Returned`](super::PublishEvent::Returned). When
    /// that fails, all stays as it is and nothing is reported.
    Return {
        /// Where.
        dest: DestinationId,
        /// Which one.
        attempt: u64,
    },
    /// End this attempt and report `Ended`; nothing to do when it has ended already.
    Close {
        /// Where.
        dest: DestinationId,
        /// Which one.
        attempt: u64,
        /// Say goodbye to the server first, within
        /// [`STOP_TIMEOUT`](crate::limits::STOP_TIMEOUT); otherwise cut at once.
        polite: bool,
    },
}

/// What came of a request to go live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GoLive {
    /// The broadcast begins.
    Begun,
    /// It begins as soon as the last one is closed.
    AfterTheLast,
    /// The wait before the next attempt is cut short.
    RetryingNow,
    /// It has begun already.
    AlreadyLive,
    /// It cannot begin.
    Refused(NotLive),
}

/// Why a broadcast cannot begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotLive {
    /// The box is still starting.
    Booting,
    /// No destination with a stream key is set.
    NoDestination,
    /// A camera is wanted, and there is none.
    NoCamera,
    /// A microphone is wanted, and there is none.
    NoMicrophone,
    /// The system is ending.
    Ending,
}

/// What came of a request to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Nothing was to be stopped.
    Nothing,
    /// The box was to go live by itself, and no longer is.
    NotByItself,
    /// The broadcast is being ended.
    Ending,
    /// It was being ended already.
    AlreadyEnding,
    /// The fault is cleared.
    FaultCleared,
}

impl NotLive {
    /// In words.
    pub fn sentence(self) -> &'static str {
        match self {
            NotLive::Booting => "the box is still starting",
            NotLive::NoDestination => "no destination with a stream key is set",
            NotLive::NoCamera => "there is no camera",
            NotLive::NoMicrophone => "there is no microphone",
            NotLive::Ending => "the system is ending",
        }
    }
}

/// A message to the service manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notify {
    /// The box is up.
    Ready,
    /// What it does, in one line.
    Status(String),
    /// It is ending.
    Stopping,
}
