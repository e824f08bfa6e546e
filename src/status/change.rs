//! What changes, as `watch` and the journal show it.

use serde::Serialize;

use super::{DestinationState, Mode, WarningKind};

/// A change, as `watch` and the journal show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum Change {
    /// The box.
    Box {
        /// What it did before.
        from: Mode,
        /// What it does now.
        to: Mode,
        /// Why.
        because: String,
    },
    /// One destination.
    Destination {
        /// Its name.
        name: String,
        /// What it did before.
        from: DestinationState,
        /// What it does now.
        to: DestinationState,
        /// Why.
        because: String,
    },
    /// The camera or the microphone.
    Source {
        /// `camera` or `microphone`.
        name: &'static str,
        /// Whether it is there now.
        present: bool,
    },
    /// A warning about the machine itself.
    Warning {
        /// What about.
        kind: WarningKind,
        /// It has begun; otherwise it is over.
        begun: bool,
        /// What is wrong, and what to do about it.
        message: String,
    },
    /// Something that is worth a line and changes no state.
    Note {
        /// Which.
        message: String,
    },
}
