//! Why a connection ended.

use crate::rtmp::{self, Refusal};

/// Why a connection ended that was not ordered to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// the RTMP session ended
    #[error(transparent)]
    Rtmp(#[from] rtmp::Error),
    /// the server redirects to an address that cannot be used
    #[error("the server redirects to an address that cannot be used: {why}")]
    BadRedirect {
        /// What is wrong with it.
        why: String,
    },
    /// the connection was lost
    #[error("the connection was lost ({why})")]
    Lost {
        /// In the words of the system.
        why: String,
    },
    /// the stream has ended, but the server did not confirm all of it
    #[error("the server has not confirmed the last {bytes} bytes of the stream; they may be lost")]
    NotConfirmed {
        /// Of the connection, behind the last byte that it has confirmed.
        bytes: u64,
    },
    /// nothing was delivered any more
    #[error("connection timed out: no data acknowledged for {after_ms} ms")]
    DeadPath {
        /// How long bytes had waited, in milliseconds.
        after_ms: u64,
    },
    /// large packets do not arrive
    #[error("the network path drops large packets (MTU): in {after_ms} ms only small ones arrived")]
    LargePacketsLost {
        /// How long large ones were tried, in milliseconds.
        after_ms: u64,
    },
    /// the path carries less than the lowest bitrate
    #[error("upload too slow for the minimum bitrate; reconnecting")]
    TooSlow,
    /// the media could not be read
    #[error("{0}")]
    Media(String),
}

impl Error {
    /// What the server refused, where that is why.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Error::Rtmp(error) => error.refusal(),
            _ => None,
        }
    }
}
