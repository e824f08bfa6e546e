//! The cut between queue and wire: where the media of a connection comes from.

use std::time::Duration;

use bytes::Bytes;

use crate::flv::TagKind;
use crate::flv::metadata::Metadata;
use crate::limits::{PROGRESS_TICK, RTMP_OUT_HIGH_WATER_BYTES};
use crate::media::{Frame, QueueStats};
use crate::pace::PathSample;

/// Where the media of one connection comes from, and what is done there about its path. It knows
/// nothing of the way that its frames take.
pub trait Source: Send {
    /// What it asks of a connection.
    fn demands(&self) -> Demands {
        Demands::default()
    }

    /// What the server learns of the stream before its media.
    fn metadata(&self) -> Option<&Metadata> {
        None
    }

    /// A connection stands; its byte counts begin at zero.
    fn connected(&mut self, _now: Duration) {}

    /// The connection takes media from now on, from the first configuration.
    fn begin(&mut self, _now: Duration) {}

    /// Media must start again with configuration and a key frame.
    fn restart(&mut self);

    /// What is to be sent next.
    ///
    /// # Errors
    /// When the media cannot be read any further, with the message for the owner.
    fn next(&mut self, now: Duration) -> Result<Next, String>;

    /// What waits behind this source; a file has nothing waiting.
    fn queue(&self) -> QueueStats {
        QueueStats::default()
    }

    /// Takes a look at the path. A source that can give way does so, and answers with what is to be
    /// done elsewhere.
    fn observe(&mut self, _now: Duration, _sample: &PathSample) -> Advice {
        Advice::default()
    }

    /// The target bitrate that its first frames are to have, in kbit/s, where that is below the set one.
    fn start_kbps(&self) -> Option<u32> {
        None
    }

    /// What a connection after this one should begin with, in kbit/s.
    fn resume_kbps(&self) -> Option<u32> {
        None
    }

    /// Resolves when [`Source::next`] is worth calling again; may be dropped at any time.
    fn ready(&mut self) -> impl Future<Output = ()> + Send;
}

/// What a source asks of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demands {
    /// How often delivery is looked at.
    pub look: Duration,
    /// Bytes that may wait in the session before it is given more.
    pub ahead_bytes: usize,
    /// Whether each look asks the kernel how the path is; otherwise only while the server is silent.
    pub minds_the_path: bool,
}

impl Default for Demands {
    fn default() -> Demands {
        Demands {
            look: PROGRESS_TICK,
            ahead_bytes: RTMP_OUT_HIGH_WATER_BYTES,
            minds_the_path: false,
        }
    }
}

/// What is to be sent next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// A frame; the way wraps and stamps it.
    Frame(Frame),
    /// The body of a tag of an FLV file, as it is. Only RTMP carries these.
    Tag {
        /// Its time since the begin of the stream, in milliseconds.
        time_ms: u64,
        /// What it is.
        kind: TagKind,
        /// Without the tag's own header.
        body: Bytes,
    },
    /// Nothing is due yet.
    NothingYet,
    /// There will be no more.
    End,
}

/// What is to be done about a path, outside of the connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Advice {
    /// The target bitrate of the video, in kbit/s, when it has changed.
    pub target_kbps: Option<u32>,
    /// A new connection may fare better than this one.
    pub reconnect: bool,
}

/// How a connection is to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Close {
    /// Gracefully: unpublish, deliver what was sent, close.
    Polite,
    /// Drop the connection at once.
    Abort,
    /// Deliver what was sent and close without unpublishing: another connection has taken over.
    HandOver,
}
