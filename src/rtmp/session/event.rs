//! What a session reports.

use crate::rtmp::error::{Error, Phase};

/// What happened in a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A phase began.
    Phase(Phase),
    /// The server has accepted the stream (`NetStream.Publish.Start`).
    Accepted,
    /// The server gave the stream another id than the one that media was sent on ahead of its answer:
    /// media has to start again with metadata, configuration and a key frame.
    RestartMedia,
    /// Something that the owner may want to know and that does not end the session.
    Warning(Warning),
    /// The server asks to move to another connection (Enhanced RTMP v2). This one goes on.
    ReconnectRequest {
        /// Where to; may be relative to the present URL; `None` where the server names no place, which
        /// means the same one.
        tc_url: Option<String>,
        /// The server's text.
        description: String,
    },
    /// The stop that was asked for is complete: all is written, or the server has closed, or time is
    /// up.
    Stopped,
    /// The session is over; nothing follows.
    Ended(Error),
}

/// Something that the owner may want to know and that does not end the session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// a message is larger than the limit of some servers; reported once
    #[error(
        "a message of {bytes} bytes is larger than some servers accept \
         (nginx-rtmp: 1 MB, unless max_message is set)"
    )]
    LargeMessage {
        /// Its payload.
        bytes: usize,
    },
    /// a message is larger than RTMP can carry and was not sent
    #[error("a message of {bytes} bytes is larger than RTMP can carry and was not sent")]
    MessageNotSent {
        /// Its payload.
        bytes: usize,
    },
    /// the server asks to move to a place that cannot be used
    #[error(
        "the server asks to move the stream, but the address that it names cannot be used; \
         the stream stays where it is"
    )]
    MoveToNowhere,
    /// the server complained
    #[error("the server complained: {code}: {description}")]
    Server {
        /// Such as `NetStream.Record.Failed`.
        code: String,
        /// The server's text.
        description: String,
    },
}

/// Counters of a session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Bytes that were queued for the server.
    pub bytes_queued: u64,
    /// Bytes that were handed to the transport.
    pub bytes_sent: u64,
    /// Bytes that the server has acknowledged; never more than were sent. At rest it lags behind by
    /// up to an acknowledgement window, and with servers that do not count the handshake by 3,073
    /// more.
    pub bytes_acknowledged: u64,
    /// Whether the server acknowledges at all.
    pub acknowledges: bool,
    /// How many bytes the longer one of the last two acknowledgements covered.
    pub ack_stride_bytes: u64,
    /// Bytes that came from the server.
    pub bytes_received: u64,
}
