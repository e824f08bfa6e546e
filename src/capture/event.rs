//! What a capture reports while it runs.

use crate::selection::Exchanged;

/// What a capture reports while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaptureEvent {
    /// The encoders run.
    Playing,
    /// The first key frame was sent to the sink.
    FirstKey,
    /// A source is lost; slate or silence replaces it until it is back.
    SourceLost(Source),
    /// A lost source is on air again.
    SourceBack(Source),
    /// What has come of an exchange of sources; see [`Capture::exchange`](super::Capture::exchange).
    Exchange {
        /// Its number.
        number: u64,
        /// The source.
        source: Source,
        /// What.
        outcome: Exchanged,
    },
    /// Something that the owner asked for is not possible; the capture runs without it.
    LeftOut {
        /// What, and why, in one line.
        message: String,
    },
    /// Something failed; `Ended` follows unless it is a source.
    Error {
        /// What failed.
        fault: Fault,
        /// Why, in one line.
        message: String,
    },
    /// The capture has ended, by `stop` or by an error; always the last event.
    Ended,
}

/// A source of the capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// Where the video comes from.
    Camera,
    /// Where the audio comes from.
    Microphone,
}

/// What failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// A source; the capture goes on without it.
    Source(Source),
    /// The audio encoder failed or delivered nothing for `NO_OUTPUT_TIMEOUT`, or no H.264 encoder
    /// is left after all restarts; the capture ends.
    Encoder,
}
