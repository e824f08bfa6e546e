//! What was observed of an end, and how it is read.

use super::meaning::Meaning;

/// What was observed of the end of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Evidence {
    /// Our own order to close is done.
    Stopped,
    /// The settings of this destination cannot work; nothing was tried.
    BadSettings,
    /// No address, no route, or the port is closed.
    Unreachable,
    /// The server's certificate is not accepted.
    Certificate {
        /// Only because it is not valid yet.
        not_yet_valid: bool,
    },
    /// The server and this box do not agree on TLS.
    NoTls,
    /// What answers does not speak RTMP.
    NotRtmp,
    /// The server broke the rules of RTMP later on.
    Misbehaved,
    /// A phase before `publish` was not answered in time.
    Timeout,
    /// `publish` was not answered in time; everything before it was.
    SilentAtPublish,
    /// The server closed without a word during the handshake.
    Closed,
    /// It closed without a word instead of answering `connect` or `createStream`.
    ClosedAtConnect,
    /// It closed without a word instead of answering `publish`.
    ClosedAtPublish,
    /// It accepted the stream, and closed at once without a word.
    ClosedAtOnce,
    /// It accepted the stream, and closed without a word before it had confirmed any of it.
    ClosedUnconfirmed,
    /// It closed a live stream without a word.
    ClosedWhileLive,
    /// It reset the connection of a live stream.
    Reset,
    /// The connection broke, nothing was delivered any more, or too little.
    Lost,
    /// The server reports the end of a stream that we did not end, and gives no reason.
    Unpublished,
    /// The server is about to go away.
    GoingAway,
    /// The server still has an earlier publish of this key.
    Busy,
    /// The same, after it had accepted this one.
    BusyWhileLive,
    /// The server refuses the key, with words.
    KeyRefused,
    /// The server refuses the connection or the stream, with words.
    Rejected,
    /// The server reports in plain words that another encoder or somebody there has ended this stream.
    Kicked,
}

/// How an end is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// What was observed.
    pub evidence: Evidence,
    /// The same for people.
    pub words: &'static str,
    /// What it means to a command that tries once.
    pub once: Meaning,
    /// What it means to a box that will try again.
    pub first: Meaning,
    /// What it means when it comes again and again.
    pub again: Again,
}

/// What ends of one kind mean when they come again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// The same.
    Same,
    /// The server refuses and does not say so: after some in a row, this.
    Doubt(Meaning),
    /// The same; but where a stream was live a short time ago, the server still has that one.
    DoubtOrHeld(Meaning),
    /// Another encoder takes the key, and this box takes it back: after some short rounds, this.
    Round(Meaning),
}

/// The table.
pub const READINGS: &[Reading] = {
    use Evidence as E;
    use Meaning as M;
    const fn same(evidence: E, words: &'static str, first: M) -> Reading {
        Reading { evidence, words, once: first, first, again: Again::Same }
    }
    const fn round(evidence: E, words: &'static str, first: M) -> Reading {
        Reading { evidence, words, once: first, first, again: Again::Round(M::Contended) }
    }
    &[
        same(E::Stopped, "the stop that was asked for", M::Stopped),
        same(E::BadSettings, "the settings cannot work; nothing was tried", M::BadSettings),
        same(E::Unreachable, "no address, no route, or the port is closed", M::Unreachable),
        same(
            E::Certificate { not_yet_valid: false },
            "the certificate is not accepted",
            M::Certificate,
        ),
        same(
            E::Certificate { not_yet_valid: true },
            "the certificate is not valid yet by the box's clock",
            M::CertificateNotYetValid,
        ),
        same(E::NoTls, "no agreement on TLS", M::NoTls),
        same(E::NotRtmp, "the answer to the handshake is not RTMP", M::NotRtmp),
        same(E::Misbehaved, "the server breaks the rules of RTMP", M::Misbehaved),
        same(E::Timeout, "no answer in time, before `publish`", M::Timeout),
        Reading {
            evidence: E::SilentAtPublish,
            words: "no answer to `publish` in time",
            once: M::Timeout,
            first: M::Timeout,
            again: Again::Doubt(M::KeyDoubted),
        },
        same(E::Closed, "closed without a word during the handshake", M::ClosedByServer),
        Reading {
            evidence: E::ClosedAtConnect,
            words: "closed without a word instead of an answer to `connect`",
            once: M::AddressDoubted,
            first: M::ClosedByServer,
            again: Again::Doubt(M::AddressDoubted),
        },
        Reading {
            evidence: E::ClosedAtPublish,
            words: "closed without a word instead of an answer to `publish`",
            once: M::KeyDoubted,
            first: M::ClosedByServer,
            again: Again::DoubtOrHeld(M::KeyDoubted),
        },
        Reading {
            evidence: E::ClosedAtOnce,
            words: "accepted, and closed at once without a word",
            once: M::KeyDoubted,
            first: M::ClosedByServer,
            again: Again::DoubtOrHeld(M::KeyDoubted),
        },
        Reading {
            evidence: E::ClosedUnconfirmed,
            words: "accepted, and closed without a word before any of it was confirmed",
            once: M::ClosedByServer,
            first: M::ClosedByServer,
            again: Again::DoubtOrHeld(M::KeyDoubted),
        },
        round(E::ClosedWhileLive, "closed without a word while live", M::ClosedByServer),
        round(E::Reset, "reset by the server while live", M::Lost),
        same(E::Lost, "broken, or nothing (or too little) was delivered", M::Lost),
        round(
            E::Unpublished,
            "`NetStream.Unpublish.Success` while live, without a reason",
            M::EndedByServer,
        ),
        same(E::GoingAway, "the server reports that it is going away", M::EndedByServer),
        same(E::Busy, "refused: the key is in use", M::Busy),
        round(E::BusyWhileLive, "the key is in use by another, while live", M::Busy),
        same(E::KeyRefused, "refused: the key is not valid", M::KeyRefused),
        same(E::Rejected, "refused for another reason", M::Rejected),
        same(
            E::Kicked,
            "ended by the server, which names another encoder or an operator",
            M::Kicked,
        ),
    ]
};

impl Evidence {
    /// Its line in the table.
    pub fn reading(self) -> &'static Reading {
        let row = READINGS.iter().find(|reading| reading.evidence == self);
        row.unwrap_or(&READINGS[0]) // a test holds the table to every evidence
    }

    /// What it means to a command that tries once.
    pub fn once(self) -> Meaning {
        self.reading().once
    }
}
