//! What changes, as `watch` and the journal show it.

use serde::Serialize;

use super::{DestinationState, Mode};

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
    /// Something that is worth a line and changes no state.
    Note {
        /// Which.
        message: String,
    },
}
