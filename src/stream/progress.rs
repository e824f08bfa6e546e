//! What a connection reports while it lasts.

use super::stats::ConnectionStats;
use crate::rtmp;

/// What a connection reports while it lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// The target bitrate of the video, in kbit/s.
    TargetBitrate(u32),
    /// The server accepted the stream and has confirmed that media arrives.
    Accepted,
    /// Another connection should take over: at this place if the server named one (Enhanced RTMP v2,
    /// `ReconnectRequest`), else at the same.
    MoveWanted(Option<String>),
    /// Something worth telling that does not end the connection.
    Warning(rtmp::Warning),
    /// The counters, at each look and at the end.
    Stats(ConnectionStats),
}

/// What was not fetched yet: of each kind the latest, so that it is bounded and nothing that matters
/// is lost.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    pub target_kbps: Option<u32>,
    pub accepted: bool,
    pub move_wanted: Option<Option<String>>,
    pub warning: Option<rtmp::Warning>,
    pub stats: bool,
}

impl Mailbox {
    /// What is to be reported next; the counters are these now.
    pub fn next(&mut self, stats: ConnectionStats) -> Option<Progress> {
        if let Some(kbps) = self.target_kbps.take() {
            return Some(Progress::TargetBitrate(kbps));
        }
        if std::mem::take(&mut self.accepted) {
            return Some(Progress::Accepted);
        }
        if let Some(place) = self.move_wanted.take() {
            return Some(Progress::MoveWanted(place));
        }
        if let Some(warning) = self.warning.take() {
            return Some(Progress::Warning(warning));
        }
        std::mem::take(&mut self.stats).then_some(Progress::Stats(stats))
    }
}
