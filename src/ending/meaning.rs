//! What an end means: light, words, exit code and next try.

use std::time::Duration;

use crate::limits::{
    BACKOFF_FIRST, BACKOFF_MAX, CERTIFICATE_WAIT_MAX, CONTENDED_WAIT, KEY_REFUSED_WAIT,
    REJECTED_WAIT_MAX, UNREACHABLE_WAIT_MAX,
};
use crate::panel::Because;
use crate::status::DueTo;

/// What an end means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Meaning {
    /// Our own order to close is done.
    Stopped,
    /// The settings of this destination cannot work.
    BadSettings,
    /// The server cannot be reached.
    Unreachable,
    /// The server's certificate is not accepted.
    Certificate,
    /// The server's certificate is not valid yet by the box's clock.
    CertificateNotYetValid,
    /// There is no TLS with the server.
    NoTls,
    /// No RTMP server is there.
    NotRtmp,
    /// The server breaks the rules of RTMP.
    Misbehaved,
    /// A phase took too long.
    Timeout,
    /// The connection broke.
    Lost,
    /// The server closed the connection.
    ClosedByServer,
    /// The server ended the stream.
    EndedByServer,
    /// The server refuses without saying so before it knows the key.
    AddressDoubted,
    /// The server refuses without saying so once it knows the key.
    KeyDoubted,
    /// The server still has an earlier publish of this key.
    Busy,
    /// The key is taken by another encoder again and again.
    Contended,
    /// The server refuses the key.
    KeyRefused,
    /// The server refuses the connection or the stream.
    Rejected,
    /// Another publisher took the key over, or somebody ended the stream at the server.
    Kicked,
}

/// When the box tries again by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// After the first wait, doubled after each failure up to this.
    Doubled(Duration),
    /// After this wait each time.
    Steady(Duration),
    /// As soon as the box knows the time; with a clock that is right, doubled up to this.
    Clock(Duration),
    /// Not until the owner or the settings say otherwise.
    Never,
}

/// A line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// What the end means.
    pub meaning: Meaning,
    /// The same in words.
    pub name: &'static str,
    /// What the owner can do; empty where the name and the server's words are all there is.
    pub advice: &'static str,
    /// The light.
    pub light: Because,
    /// Whom it is due to, which is the exit code of a command.
    pub due_to: DueTo,
    /// When the box tries again.
    pub retry: Retry,
    /// Whether a change of the network may help, so that it ends the wait.
    pub network_may_help: bool,
}

const CHECK_KEY: &str = "please double-check your stream key";
const CHECK_ADDRESS: &str = "please double-check the server address";
const CHECK_BOTH: &str = "please double-check your stream key and the server address";

/// The table.
pub const ROWS: &[Row] = {
    use Meaning as M;
    use Retry::{Clock, Doubled, Never, Steady};
    const fn network(meaning: M, name: &'static str) -> Row {
        Row {
            meaning,
            name,
            advice: "",
            light: Because::Network,
            due_to: DueTo::Network,
            retry: Doubled(BACKOFF_MAX),
            network_may_help: true,
        }
    }
    const fn refused(meaning: M, name: &'static str, advice: &'static str) -> Row {
        Row {
            meaning,
            name,
            advice,
            light: Because::Refused,
            due_to: DueTo::Refusal,
            retry: Doubled(REJECTED_WAIT_MAX),
            network_may_help: false,
        }
    }
    const fn busy(meaning: M, name: &'static str, advice: &'static str, retry: Retry) -> Row {
        Row { light: Because::Busy, retry, ..refused(meaning, name, advice) }
    }
    const fn tls(meaning: M, name: &'static str, retry: Retry) -> Row {
        Row {
            light: Because::Certificate,
            due_to: DueTo::Tls,
            retry,
            // It may be a network that answers in the server's place until somebody logs in.
            network_may_help: true,
            ..refused(meaning, name, "")
        }
    }
    &[
        network(M::Stopped, "stopped"),
        Row {
            due_to: DueTo::Settings,
            retry: Never,
            ..refused(M::BadSettings, "settings cannot work", "")
        },
        Row { retry: Doubled(UNREACHABLE_WAIT_MAX), ..network(M::Unreachable, "unreachable") },
        tls(M::Certificate, "certificate not accepted", Doubled(CERTIFICATE_WAIT_MAX)),
        tls(
            M::CertificateNotYetValid,
            "waiting for the time: certificate not valid yet",
            Clock(CERTIFICATE_WAIT_MAX),
        ),
        tls(M::NoTls, "no TLS with the server", Doubled(CERTIFICATE_WAIT_MAX)),
        Row {
            network_may_help: true,
            ..refused(M::NotRtmp, "no RTMP server at this address", CHECK_ADDRESS)
        },
        Row {
            due_to: DueTo::Refusal,
            ..network(M::Misbehaved, "the server breaks the rules of RTMP")
        },
        network(M::Timeout, "timed out"),
        network(M::Lost, "connection lost"),
        network(M::ClosedByServer, "closed by the server"),
        network(M::EndedByServer, "stream ended by the server"),
        refused(M::AddressDoubted, "server address probably wrong", CHECK_ADDRESS),
        refused(M::KeyDoubted, "address or stream key probably wrong", CHECK_BOTH),
        busy(M::Busy, "stream key still in use", "", Doubled(BACKOFF_MAX)),
        busy(
            M::Contended,
            "another encoder probably uses this stream key",
            "stop it or give it a key of its own, and if there is none, the server itself ends each stream soon; this box tries once a minute",
            Steady(CONTENDED_WAIT),
        ),
        Row {
            retry: Steady(KEY_REFUSED_WAIT),
            ..refused(M::KeyRefused, "stream key refused", CHECK_KEY)
        },
        refused(M::Rejected, "rejected by the server", ""),
        busy(M::Kicked, "another encoder took over, or somebody ended the stream there", "", Never),
    ]
};

impl Meaning {
    /// Its line in the table.
    pub fn row(self) -> &'static Row {
        let row = ROWS.iter().find(|row| row.meaning == self);
        row.unwrap_or(&ROWS[0]) // a test holds the table to every meaning
    }

    /// In words.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// A message with what the owner can do about it.
    pub fn with_advice(self, message: &str) -> String {
        match self.row().advice {
            "" => message.to_owned(),
            advice => format!("{message}; {advice}"),
        }
    }
}

impl Retry {
    /// How long to wait after failure number `failures` in a row (from 1); `None` for never.
    pub fn wait(self, failures: u32, clock_is_right: bool) -> Option<Duration> {
        match self {
            Retry::Doubled(most) => Some(doubled(BACKOFF_FIRST, failures, most)),
            Retry::Clock(most) if clock_is_right => Some(doubled(BACKOFF_FIRST, failures, most)),
            // The clock cuts this wait; the cap is for a box that never learns the time.
            Retry::Clock(most) => Some(most),
            Retry::Steady(wait) => Some(wait),
            Retry::Never => None,
        }
    }
}

/// The first wait, doubled after each failure but the first.
pub fn doubled(first: Duration, failures: u32, most: Duration) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    (first * (1 << doublings)).min(most)
}
