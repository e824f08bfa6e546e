//! Why a session ended: who is at fault, and what can be done.

use std::{fmt, time::Duration};

use super::{
    amf0::AmfError,
    auth::Challenge,
    chunk::ChunkError,
    handshake::HandshakeError,
    message::{Command, TooShort},
    text::Cleaner,
};
use crate::limits::{
    RTMP_CONNECT_TIMEOUT, RTMP_CREATE_STREAM_TIMEOUT, RTMP_HANDSHAKE_TIMEOUT,
    RTMP_PONGS_WAITING_MAX, RTMP_PUBLISH_TIMEOUT, STOP_TIMEOUT,
};

/// A step of publishing; errors are named after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// From C0 to S2.
    Handshake,
    /// From `connect` to its result.
    Connect,
    /// From `createStream` to its result.
    CreateStream,
    /// From `publish` to `NetStream.Publish.Start`.
    Publish,
    /// The server has accepted the stream.
    Publishing,
    /// From an ordered stop to the last byte written.
    Stopping,
}

impl Phase {
    /// How long the phase may last; publishing has no limit.
    pub fn timeout(self) -> Option<Duration> {
        match self {
            Phase::Handshake => Some(RTMP_HANDSHAKE_TIMEOUT),
            Phase::Connect => Some(RTMP_CONNECT_TIMEOUT),
            Phase::CreateStream => Some(RTMP_CREATE_STREAM_TIMEOUT),
            Phase::Publish => Some(RTMP_PUBLISH_TIMEOUT),
            Phase::Publishing => None,
            Phase::Stopping => Some(STOP_TIMEOUT),
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Phase::Handshake => "the RTMP handshake",
            Phase::Connect => "connect",
            Phase::CreateStream => "createStream",
            Phase::Publish => "publish",
            Phase::Publishing => "publishing",
            Phase::Stopping => "the stop",
        })
    }
}

/// The end of a session that was not asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} (during {during}){}", in_words(.kind, *.during), behind(.remark.as_deref(), *.may_be_tls))]
pub struct Error {
    /// The step that was under way.
    pub during: Phase,
    /// Whether commands had been sent ahead of their predecessors' answers: the patient order may
    /// succeed where this one did not.
    pub pipelined: bool,
    /// `publish` was sent on a message stream that was only guessed, shortly before on another one, or
    /// both: to a server that takes the first it looks as if two encoders had the key.
    pub published_twice: bool,
    /// The server has not sent a byte, as one does that waits for TLS and gets plain RTMP.
    pub may_be_tls: bool,
    /// What happened.
    pub kind: ErrorKind,
    /// What the server wrote shortly before, where what happened has no words of its own.
    pub remark: Option<Box<Remark>>,
}

/// What a server wrote that was no answer: why it closes a little later may be in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// Such as `NetStream.Publish.BadName`; may be empty.
    pub code: String,
    /// The server's text; may be empty.
    pub description: String,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&reason(&self.code, &self.description))
    }
}

/// What is to be added: the server's own words, or else what the end looks like.
fn behind(remark: Option<&Remark>, may_be_tls: bool) -> String {
    match remark {
        Some(remark) => format!("; shortly before, it wrote: {remark}"),
        None if may_be_tls => {
            "; if this port is for TLS, the address must begin with rtmps://".to_owned()
        }
        None => String::new(),
    }
}

/// What ended a session. Text of the server is stripped of control characters, cut, and never
/// contain the stream key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ErrorKind {
    /// the server broke the protocol
    #[error("the server broke the protocol: {what}")]
    ServerMisbehaved {
        /// In which way.
        what: Misbehaviour,
    },
    /// the server refused the connection
    #[error("the server refused the connection: {}", reason(code, description))]
    ConnectRejected {
        /// Such as `NetConnection.Connect.Rejected`; may be empty.
        code: String,
        /// The server's text; may be empty.
        description: String,
        /// Where to go instead, if the server named a place.
        redirect: Option<Redirect>,
    },
    /// the server asks for a user name and a password
    #[error("the server asks for a user name and a password ({0})")]
    AuthRequired(Challenge),
    /// the server refused the stream
    #[error("the server refused the stream: {}", reason(code, description))]
    PublishRejected {
        /// Such as `NetStream.Publish.BadName`; may be empty.
        code: String,
        /// The server's text; may be empty.
        description: String,
    },
    /// the server closed the connection
    #[error("the server closed the connection")]
    ClosedByServer,
    /// the server did not answer in time
    #[error("the server did not answer in time")]
    Timeout,
}

/// How a server broke the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misbehaviour {
    /// the handshake is not RTMP's
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// the chunk stream is broken
    #[error(transparent)]
    Chunk(#[from] ChunkError),
    /// a control message is broken
    #[error(transparent)]
    Control(#[from] TooShort),
    /// a command is broken
    #[error(transparent)]
    Command(#[from] AmfError),
    /// it answered `createStream` without the number of a message stream
    #[error("it answered createStream without the number of a message stream")]
    NoStreamId,
    /// it accepted a stream that was not asked for yet
    #[error("it accepted a stream that was not asked for yet")]
    EarlyAcceptance,
    /// it sends pings faster than it reads the answers
    #[error("it sent {RTMP_PONGS_WAITING_MAX} pings without reading the answers")]
    TooManyPings,
    /// it causes more events at once than can be reported
    #[error("it causes more events at once than can be reported")]
    TooManyEvents,
}

/// Where a server wants the client to go instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// The `tcUrl` to connect to, without the stream key; `None` where what the server named cannot be
    /// used.
    pub tc_url: Option<String>,
}

/// What a refusal means for the owner of the stream key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The key is not valid; trying again will not help.
    KeyRejected,
    /// Another encoder publishes with this key, possibly our own earlier connection.
    KeyBusy,
    /// The server reports that another encoder replaced this one, or that somebody ended the stream there.
    Kicked,
    /// The server has ended the stream and gives no reason.
    StreamEnded,
    /// The server is about to go away.
    ServerGoingAway,
    /// Anything else.
    Other,
}

/// What ended the session: what a server refuses once it has accepted it, it ends.
fn in_words(kind: &ErrorKind, during: Phase) -> String {
    match kind {
        ErrorKind::PublishRejected { code, description } if during == Phase::Publishing => {
            format!("the server ended the stream: {}", reason(code, description))
        }
        kind => kind.to_string(),
    }
}

impl Error {
    /// An end of which nothing more is known.
    pub fn new(during: Phase, kind: ErrorKind) -> Error {
        Error {
            during,
            pipelined: false,
            published_twice: false,
            may_be_tls: false,
            kind,
            remark: None,
        }
    }

    /// Whether it repeats what the server itself says about the end.
    pub fn has_words(&self) -> bool {
        match &self.kind {
            ErrorKind::ConnectRejected { code, description, .. }
            | ErrorKind::PublishRejected { code, description } => {
                !(code.is_empty() && description.is_empty())
            }
            ErrorKind::AuthRequired(_) => true,
            _ => self.remark.is_some(),
        }
    }

    /// What a refusal means; `None` when the session ended for another reason.
    pub fn refusal(&self) -> Option<Refusal> {
        match &self.kind {
            ErrorKind::ConnectRejected { code, description, .. }
            | ErrorKind::PublishRejected { code, description } => Some(classify(code, description)),
            _ => None,
        }
    }

    /// Whether a `connect` without Enhanced RTMP may succeed where this one did not: the server gave
    /// up on it without an answer. One that gave up earlier had not read it yet.
    pub fn may_dislike_enhancements(&self) -> bool {
        let was_sent =
            self.during == Phase::Connect || (self.during < Phase::Connect && self.pipelined);
        was_sent
            && matches!(
                self.kind,
                ErrorKind::ServerMisbehaved { .. } | ErrorKind::ClosedByServer | ErrorKind::Timeout
            )
    }

    /// Whether the patient order may succeed where this session did not: something was sent ahead of
    /// its time and the server gave up without naming the key.
    pub fn may_dislike_pipelining(&self) -> bool {
        self.pipelined
            && match &self.kind {
                ErrorKind::ServerMisbehaved { .. }
                | ErrorKind::ClosedByServer
                | ErrorKind::Timeout => true,
                // Who has published twice may have been in its own way.
                ErrorKind::PublishRejected { .. } => match self.refusal() {
                    Some(Refusal::KeyBusy | Refusal::Kicked) => self.published_twice,
                    refusal => refusal == Some(Refusal::Other),
                },
                ErrorKind::ConnectRejected { .. } | ErrorKind::AuthRequired(_) => false,
            }
    }
}

impl<T: Into<Misbehaviour>> From<T> for ErrorKind {
    fn from(what: T) -> ErrorKind {
        ErrorKind::ServerMisbehaved { what: what.into() }
    }
}

/// Reads the reasons of a refused `connect`.
pub(super) fn connect_rejected(command: &Command<'_>, cleaner: &Cleaner) -> ErrorKind {
    if let Some(challenge) = Challenge::parse(command.info_text("description")) {
        return ErrorKind::AuthRequired(challenge);
    }
    ErrorKind::ConnectRejected {
        code: cleaner.text(command.info_text("code")),
        description: cleaner.text(command.info_text("description")),
        redirect: redirect(command, cleaner),
    }
}

/// Reads the reasons of a refused or ended `publish`.
pub(super) fn publish_rejected(command: &Command<'_>, cleaner: &Cleaner) -> ErrorKind {
    ErrorKind::PublishRejected {
        code: cleaner.text(command.info_text("code")),
        description: cleaner.text(command.info_text("description")),
    }
}

/// What a command says that answers nothing, if it says anything but that all is well.
pub(super) fn remark(command: &Command<'_>, cleaner: &Cleaner) -> Option<Remark> {
    let (code, description) = (command.info_text("code"), command.info_text("description"));
    let is_well = [".Success", ".Start", ".Reset"].iter().any(|end| code.ends_with(end));
    let is_empty = code.is_empty() && description.is_empty();
    (!is_well && !is_empty)
        .then(|| Remark { code: cleaner.text(code), description: cleaner.text(description) })
}

/// Two shapes are in use: an object `ex` with `redirect` (a tcUrl) and `redirect2` (with the stream
/// name), and a flat property `ex.redirect`. The first that can be used counts; one without a word in it
/// is no redirect but a refusal.
fn redirect(command: &Command<'_>, cleaner: &Cleaner) -> Option<Redirect> {
    let info = command.info()?;
    let nested = |name| info.get("ex").and_then(|ex| ex.get(name));
    let named = [nested("redirect"), info.get("ex.redirect"), nested("redirect2")];
    let named = named.into_iter().flatten().filter_map(|url| url.as_str());
    let named: Vec<&str> = named.filter(|url| !url.trim().is_empty()).collect();
    let tc_url = named.iter().find_map(|url| cleaner.url(url));
    (!named.is_empty()).then_some(Redirect { tc_url })
}

/// Code and description in one line, without what is empty.
fn reason(code: &str, description: &str) -> String {
    match (code, description) {
        ("", "") => "it gave no reason".to_owned(),
        (one, "") | ("", one) => one.to_owned(),
        (code, description) => format!("{code}: {description}"),
    }
}

/// The description comes before the code: servers agree on hardly any code but `Publish.BadName`, and some use
/// even that for a key they do not know.
fn classify(code: &str, description: &str) -> Refusal {
    // What has been done to this stream, as these words say it alone: "kick" is the name of a platform too, and
    // "another encoder" may just be the one that has the key.
    const KICKED: &[&str] = &[
        "kicked",
        "kick by",
        "kick off",
        "taken over",
        "took over",
        "takeover",
        "superseded",
        "replaced by",
        "preempted",
    ];
    const BUSY: &[&str] = &[
        "already publish",
        "already being publish",
        "already in use",
        "already exist",
        "already stream",
        "already connected",
        "another encoder",
        "is publishing",
        "duplicate",
        "busy",
    ];
    const AWAY: &[&str] =
        &["shutting down", "shutdown", "shut down", "maintenance", "restart", "going away"];
    const REJECTED: &[&str] = &[
        "unauthori",
        "not authori",
        "authenticat",
        "authoriz",
        "authoris",
        "denied",
        "forbidden",
        "not allowed",
        "invalid",
        "unknown stream",
        "not found",
        "wrong key",
        "bad key",
        "expired",
        "permission",
    ];
    let text = description.to_ascii_lowercase();
    let has = |phrases: &[&str]| phrases.iter().any(|phrase| text.contains(phrase));
    match code {
        _ if has(KICKED) => Refusal::Kicked,
        _ if has(BUSY) => Refusal::KeyBusy,
        "NetConnection.Connect.AppShutdown" | "NetConnection.Connect.Closed" => {
            Refusal::ServerGoingAway
        }
        _ if has(AWAY) => Refusal::ServerGoingAway,
        "NetConnection.Connect.InvalidApp" => Refusal::Other,
        _ if has(REJECTED) => Refusal::KeyRejected,
        "NetStream.Publish.Denied"
        | "NetStream.Publish.Unauthorized"
        | "NetStream.Publish.Rejected"
        | "NetStream.Authenticate.Failed"
        | "NetStream.Authenticate.UsherFailed" => Refusal::KeyRejected,
        "NetStream.Publish.BadName" => Refusal::KeyBusy,
        // Servers say so whenever a stream ends on their side, also when they restart.
        "NetStream.Unpublish.Success" => Refusal::StreamEnded,
        "NetStream.Publish.Kicked" => Refusal::Kicked,
        _ => Refusal::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_classified_by_description_and_code() {
        use Refusal::*;
        for (code, description, refusal) in [
            ("NetStream.Publish.BadName", "Already publishing", KeyBusy),
            ("NetStream.Publish.BadName", "", KeyBusy),
            ("NetStream.Publish.BadName", "Stream already in use", KeyBusy),
            ("NetStream.Publish.BadName", "invalid stream key", KeyRejected),
            ("NetStream.Publish.BadName", "Authentication failed", KeyRejected),
            ("NetStream.Publish.Denied", "", KeyRejected),
            ("NetStream.Publish.Unauthorized", "", KeyRejected),
            ("NetStream.Publish.Failed", "", Other),
            ("NetStream.Publish.Failed", "You are not authorized", KeyRejected),
            ("NetConnection.Connect.Rejected", "stream key expired", KeyRejected),
            ("NetConnection.Connect.Rejected", "server is shutting down", ServerGoingAway),
            ("NetConnection.Connect.InvalidApp", "invalid application", Other),
            ("NetConnection.Connect.AppShutdown", "", ServerGoingAway),
            ("NetConnection.Connect.Closed", "", ServerGoingAway),
            ("NetStream.Unpublish.Success", "", StreamEnded),
            ("NetStream.Unpublish.Success", "a-key is now unpublished.", StreamEnded),
            ("NetStream.Unpublish.Success", "Kicked by administrator", Kicked),
            ("NetStream.Publish.Failed", "Kicked by administrator", Kicked),
            ("NetConnection.Connect.Closed", "taken over by another encoder", Kicked),
            ("NetStream.Publish.BadName", "another encoder is using this key", KeyBusy),
            ("NetStream.Publish.BadName", "another encoder wants to take over", KeyBusy),
            (
                "NetStream.Publish.Failed",
                "invalid key; see https://kick.com/dashboard",
                KeyRejected,
            ),
            ("NetStream.Unpublish.Success", "the Kick ingest restarts", ServerGoingAway),
            ("", "", Other),
        ] {
            let found = classify(code, description);
            assert_eq!(found, refusal, "{code} {description}");
        }
    }

    #[test]
    fn errors_read_as_sentences() {
        let show = |kind| Error::new(Phase::Connect, kind).to_string();
        assert_eq!(show(ErrorKind::Timeout), "the server did not answer in time (during connect)");
        assert_eq!(
            show(HandshakeError::NotRtmp(b'H').into()),
            "the server broke the protocol: the peer answered with 0x48, which is no RTMP version \
             (during connect)"
        );
        let refused = |code: &str| {
            let (code, description) = (code.to_owned(), String::new());
            ErrorKind::PublishRejected { code, description }
        };
        assert_eq!(
            show(refused("")),
            "the server refused the stream: it gave no reason (during connect)"
        );
        let kind = refused("NetStream.Unpublish.Success");
        assert_eq!(
            Error::new(Phase::Publishing, kind).to_string(),
            "the server ended the stream: NetStream.Unpublish.Success (during publishing)"
        );
    }
}
