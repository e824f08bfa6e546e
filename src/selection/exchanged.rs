//! What comes of it when another camera or microphone is chosen on air.

/// What has come of the exchange of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exchanged {
    /// The new one is not connected, for this reason: the old one stays on air until it is, unless that
    /// is lost.
    Waits(String),
    /// The old one is not used any more, and the new one is being opened.
    Begins,
    /// The new one delivers; it is this, in words, which are none where the board's profile describes it.
    Delivers(String),
    /// The new one could not be opened, for this reason; that is tried again and again.
    Fails(String),
}
