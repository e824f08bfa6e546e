//! Why a connection ended.

use std::time::Duration;

use crate::ending::Evidence;
use crate::limits::CLOSED_AT_ONCE;
use crate::rtmp::{self, ErrorKind, Phase, Refusal};

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
    /// the server reset the connection
    #[error("the connection was lost ({why})")]
    Reset {
        /// In the words of the system.
        why: String,
    },
    /// the server accepted the stream, and closed before it had confirmed any of it
    #[error(
        "the server accepted the stream and closed the connection {after_ms} ms later, without a reason"
    )]
    ClosedUnconfirmed {
        /// How the session ended.
        ended: Box<rtmp::Error>,
        /// How long after it had accepted, in milliseconds.
        after_ms: u64,
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

    /// What this end is for a connection whose stream was accepted so long ago, and of which the server has
    /// confirmed no media: a server that closes so has accepted nothing but the words.
    #[must_use]
    pub fn before_confirmation(self, after: Duration) -> Error {
        let after_ms = after.as_millis() as u64;
        let (during, kind) = (Phase::Publishing, ErrorKind::ClosedByServer);
        match self {
            Error::Rtmp(ended) if ended.kind == kind && ended.during == during => {
                Error::ClosedUnconfirmed { ended: ended.into(), after_ms }
            }
            Error::Reset { .. } => {
                let ended = rtmp::Error::new(during, kind).into();
                Error::ClosedUnconfirmed { ended, after_ms }
            }
            other => other,
        }
    }

    /// How the session ended, where that is why.
    pub fn session(&self) -> Option<&rtmp::Error> {
        match self {
            Error::Rtmp(ended) => Some(ended),
            Error::ClosedUnconfirmed { ended, .. } => Some(ended),
            _ => None,
        }
    }

    /// What this end shows.
    pub fn evidence(&self) -> Evidence {
        match self {
            Error::Rtmp(error) => of_session(error),
            Error::BadRedirect { .. } => Evidence::Rejected,
            Error::Reset { .. } => Evidence::Reset,
            Error::ClosedUnconfirmed { after_ms, .. } => {
                let at_once = u128::from(*after_ms) <= CLOSED_AT_ONCE.as_millis();
                if at_once { Evidence::ClosedAtOnce } else { Evidence::ClosedUnconfirmed }
            }
            Error::Lost { .. }
            | Error::NotConfirmed { .. }
            | Error::DeadPath { .. }
            | Error::LargePacketsLost { .. }
            | Error::TooSlow => Evidence::Lost,
            Error::Media(_) => Evidence::BadSettings,
        }
    }
}

fn of_session(error: &rtmp::Error) -> Evidence {
    match (&error.kind, error.during) {
        (ErrorKind::ClosedByServer, Phase::Handshake) => Evidence::Closed,
        (ErrorKind::ClosedByServer, Phase::Connect | Phase::CreateStream) => {
            Evidence::ClosedAtConnect
        }
        (ErrorKind::ClosedByServer, Phase::Publish) => Evidence::ClosedAtPublish,
        (ErrorKind::ClosedByServer, Phase::Publishing | Phase::Stopping) => {
            Evidence::ClosedWhileLive
        }
        (ErrorKind::Timeout, Phase::Publish) => Evidence::SilentAtPublish,
        (ErrorKind::Timeout, _) => Evidence::Timeout,
        (ErrorKind::ServerMisbehaved { .. }, Phase::Handshake) => Evidence::NotRtmp,
        (ErrorKind::ServerMisbehaved { .. }, _) => Evidence::Misbehaved,
        (_, during) => match error.refusal() {
            Some(Refusal::KeyRejected) => Evidence::KeyRefused,
            Some(Refusal::KeyBusy) if during == Phase::Publishing => Evidence::BusyWhileLive,
            Some(Refusal::KeyBusy) => Evidence::Busy,
            // There was no stream yet that could have been ended.
            Some(Refusal::Kicked) if during < Phase::Publishing => Evidence::Rejected,
            Some(Refusal::Kicked) => Evidence::Kicked,
            Some(Refusal::StreamEnded) => Evidence::Unpublished,
            Some(Refusal::ServerGoingAway) => Evidence::GoingAway,
            Some(Refusal::Other) | None => Evidence::Rejected,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ending::Meaning;

    fn ended(during: Phase, kind: ErrorKind) -> Error {
        rtmp::Error::new(during, kind).into()
    }

    fn refused(code: &str, description: &str) -> ErrorKind {
        let (code, description) = (code.to_owned(), description.to_owned());
        ErrorKind::PublishRejected { code, description }
    }

    #[test]
    fn a_close_without_a_word_is_read_by_the_phase_that_it_came_in() {
        let closed = |during| ended(during, ErrorKind::ClosedByServer).evidence();
        assert_eq!(closed(Phase::Handshake), Evidence::Closed);
        assert_eq!(closed(Phase::Connect), Evidence::ClosedAtConnect);
        assert_eq!(closed(Phase::CreateStream), Evidence::ClosedAtConnect);
        assert_eq!(closed(Phase::Publish), Evidence::ClosedAtPublish);
        assert_eq!(closed(Phase::Publishing), Evidence::ClosedWhileLive);
        for (after_ms, evidence) in
            [(50, Evidence::ClosedAtOnce), (900, Evidence::ClosedUnconfirmed)]
        {
            let kind = ErrorKind::ClosedByServer;
            let ended = rtmp::Error::new(Phase::Publishing, kind);
            assert_eq!(
                Error::ClosedUnconfirmed { ended: ended.into(), after_ms }.evidence(),
                evidence
            );
        }
    }

    #[test]
    fn the_end_of_a_running_stream_is_final_on_plain_words_alone() {
        let is_final = |code, description| {
            let evidence = ended(Phase::Publishing, refused(code, description)).evidence();
            evidence.once() == Meaning::Kicked
        };
        for (code, description) in [
            ("NetStream.Unpublish.Success", ""),
            ("NetStream.Unpublish.Success", "a-k3y is now unpublished."),
            ("NetStream.Publish.BadName", ""),
            ("NetStream.Publish.BadName", "Already publishing"),
            ("NetConnection.Connect.Closed", ""),
            ("NetConnection.Connect.AppShutdown", "restarting"),
            ("NetStream.Failed", ""),
            ("", ""),
        ] {
            assert!(!is_final(code, description), "{code} {description}");
        }
        for description in ["Kicked by administrator", "taken over by another encoder"] {
            assert!(is_final("NetStream.Unpublish.Success", description), "{description}");
        }
    }

    #[test]
    fn no_refusal_is_final_whatever_its_words() {
        for description in ["Kicked by administrator", "taken over by another encoder", "busy"] {
            for during in [Phase::Connect, Phase::CreateStream, Phase::Publish] {
                let error = ended(during, refused("NetStream.Publish.BadName", description));
                let wait = error.evidence().once().row().retry.wait(1, true);
                assert!(wait.is_some(), "{during} {description}");
            }
        }
    }

    #[test]
    fn what_answers_without_rtmp_is_another_address_and_no_network() {
        let what = rtmp::handshake::HandshakeError::NotRtmp(b'H').into();
        let http = ended(Phase::Handshake, ErrorKind::ServerMisbehaved { what });
        assert_eq!(http.evidence().once(), Meaning::NotRtmp);
    }
}
