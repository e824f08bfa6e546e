//! What the appliance wants done.

use super::event::DestinationId;
use crate::console::{ClientId, Reply, Server, Service};
use crate::panel::Indication;

/// One thing to do. Actions are done in the order they are given.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// For capture and encoder.
    Pipeline(PipelineOrder),
    /// For the publish task of one destination; orders of one destination stay in their order.
    Publish(PublishOrder),
    /// For the lights.
    Show(Indication),
    /// For consoles and the journal.
    Say {
        /// To whom.
        to: To,
        /// What.
        reply: Reply,
    },
    /// A command for the box's hands; they reply to whoever asked.
    Serve {
        /// Who asked.
        from: ClientId,
        /// What for.
        service: Service,
    },
    /// Forget all settings and keys.
    Forget,
    /// Remember across a power cut whether the owner wants to be live.
    Latch(bool),
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
    /// Tear down what runs and start anew, with the same codec parameters; queues and
    /// publishing go on. The torn-down run tells nothing more.
    Restart {
        /// As in `Start`.
        run: u64,
    },
    /// Stop and release the devices, then tell
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
    /// This attempt has the stream at the backup server: try the first one beside it, let it take over
    /// from a key frame, and tell [`PublishEvent::Returned`](super::PublishEvent::Returned). When
    /// that fails, all stays as it is and nothing is told.
    Return {
        /// Where.
        dest: DestinationId,
        /// Which one.
        attempt: u64,
    },
    /// End this attempt and tell `Ended`; nothing to do when it has ended already.
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

/// Who is told something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// One console.
    Client(ClientId),
    /// The journal, and each console for which
    /// [`Appliance::watches`](super::Appliance::watches) holds.
    Everyone,
}

/// A word to the service manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notify {
    /// The box is up.
    Ready,
    /// What it does, in one line.
    Status(String),
    /// It is ending.
    Stopping,
}
