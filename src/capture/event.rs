//! What a capture reports while it runs.

/// What a capture reports while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaptureEvent {
    /// The programme runs.
    Playing,
    /// The first key frame was handed on.
    FirstKey,
    /// A source is lost; the slate or silence stands in, and it is looked for again and again.
    SourceLost(Source),
    /// A lost source is on air again.
    SourceBack(Source),
    /// Something that the owner asked for is not done; the programme runs without it.
    LeftOut {
        /// What, and why, in one line.
        said: String,
    },
    /// Something is wrong; unless it is a source, `Ended` follows.
    Error {
        /// Where.
        fault: Fault,
        /// What was said, in one line.
        said: String,
    },
    /// Nothing more will come, because of `stop` or of an error; always the last event.
    Ended,
}

/// A source of the programme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// Where the picture comes from.
    Camera,
    /// Where the sound comes from.
    Microphone,
}

/// Where something went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// A source; the programme goes on without it.
    Source(Source),
    /// The sound's encoder failed or gave nothing for `NO_OUTPUT_TIMEOUT`, or the last of the
    /// picture's did after all its tries; the programme ends.
    Encoder,
}
