//! The publish sequence, from `connect` to `NetStream.Publish.Start`: one type per awaited answer,
//! each consumed by that answer, so that no answer can be taken twice or out of order.

use super::wire::{STREAM_ID_GUESS, Wire, transaction};
use crate::rtmp::{
    amf0::Value,
    error::{ErrorKind, Misbehaviour, Phase, connect_rejected, publish_rejected},
    message::Command,
};

/// What is awaited.
///
/// ```text
///             _result             _result                    Publish.Start
///  Connect ──────────────► Stream ──────────────► Start ──────────────────────► Publishing
///     │ _error                │ _error              │ error, or _error
///     ▼                       ▼                     ▼
///  ConnectRejected, AuthRequired            PublishRejected
/// ```
/// In the patient order each arrow sends what the next state awaits; otherwise all was sent before.
#[derive(Debug)]
pub(super) enum PublishSequence {
    Connect(AwaitConnect),
    Stream(AwaitStream),
    Start(AwaitStart),
}

/// `connect` was sent.
#[derive(Debug)]
pub(super) struct AwaitConnect {
    /// Whether everything up to `publish` was sent with it.
    pipelined: bool,
}

/// `createStream` was sent.
#[derive(Debug)]
pub(super) struct AwaitStream {
    /// Whether `publish` was sent with it.
    pipelined: bool,
}

/// `publish` was sent.
#[derive(Debug)]
pub(super) struct AwaitStart {
    stream_id: u32,
    transaction: u32,
    pipelined: bool,
}

/// Evidence of an accepted `publish`: only [`AwaitStart`] and its pipelined predecessor make it.
#[derive(Debug)]
pub(super) struct Publishing {
    pub(super) stream_id: u32,
}

/// Where an answer led.
#[derive(Debug)]
pub(super) enum SequenceProgress {
    /// Nothing: it answers something else.
    Stay(PublishSequence),
    /// The next answer is awaited.
    Next(PublishSequence),
    /// As above, and media now goes to another message stream than before.
    Moved(PublishSequence),
    /// The server has accepted the stream.
    Published(Publishing),
    /// The server has refused.
    Failed(ErrorKind),
}

/// The answers that matter here.
enum Answer {
    Result(u32),
    Error(u32),
    Started,
    Refused,
    Other,
}

impl PublishSequence {
    /// Sends `connect`, and in a pipelined order everything up to `publish`.
    pub(super) fn begin(wire: &mut Wire, pipelined: bool) -> PublishSequence {
        wire.connect();
        if pipelined {
            wire.create_stream();
            wire.publish(transaction::PUBLISH, STREAM_ID_GUESS);
        }
        PublishSequence::Connect(AwaitConnect { pipelined })
    }

    pub(super) fn phase(&self) -> Phase {
        match self {
            PublishSequence::Connect(_) => Phase::Connect,
            PublishSequence::Stream(_) => Phase::CreateStream,
            PublishSequence::Start(_) => Phase::Publish,
        }
    }

    /// The message stream for media that goes ahead of acceptance, if any may.
    pub(super) fn media_stream(&self) -> Option<u32> {
        match self {
            PublishSequence::Connect(state) => state.pipelined.then_some(STREAM_ID_GUESS),
            PublishSequence::Stream(state) => state.pipelined.then_some(STREAM_ID_GUESS),
            PublishSequence::Start(state) => state.pipelined.then_some(state.stream_id),
        }
    }

    /// The message stream that `publish` was sent on, if it was.
    pub(super) fn published_stream(&self) -> Option<u32> {
        match self {
            PublishSequence::Start(state) => Some(state.stream_id),
            _ => self.media_stream(),
        }
    }

    /// Takes a command that came on message stream `stream_id`.
    pub(super) fn take(
        self,
        wire: &mut Wire,
        command: &Command<'_>,
        stream_id: u32,
    ) -> SequenceProgress {
        let answer = Answer::of(command);
        match self {
            PublishSequence::Connect(state) => state.take(wire, command, answer),
            PublishSequence::Stream(state) => state.take(wire, command, answer, stream_id),
            PublishSequence::Start(state) => state.take(wire, command, answer, stream_id),
        }
    }
}

impl AwaitConnect {
    fn take(self, wire: &mut Wire, command: &Command<'_>, answer: Answer) -> SequenceProgress {
        match answer {
            Answer::Result(transaction::CONNECT) if !is_refusal(command) => {
                if !self.pipelined {
                    wire.create_stream();
                }
                SequenceProgress::Next(PublishSequence::Stream(AwaitStream {
                    pipelined: self.pipelined,
                }))
            }
            Answer::Result(transaction::CONNECT)
            | Answer::Error(transaction::CONNECT)
            | Answer::Refused => SequenceProgress::Failed(connect_rejected(command, &wire.cleaner)),
            Answer::Started => SequenceProgress::Failed(Misbehaviour::EarlyAcceptance.into()),
            _ => SequenceProgress::Stay(PublishSequence::Connect(self)),
        }
    }
}

impl AwaitStream {
    fn take(
        self,
        wire: &mut Wire,
        command: &Command<'_>,
        answer: Answer,
        stream_id: u32,
    ) -> SequenceProgress {
        match answer {
            Answer::Result(transaction::CREATE_STREAM) => {
                match command.arguments.iter().find_map(message_stream_id) {
                    Some(given) => self.created(wire, given),
                    None => SequenceProgress::Failed(Misbehaviour::NoStreamId.into()),
                }
            }
            // Some servers accept before they answer createStream, and some never answer it. Only the
            // stream that was guessed can be meant: no other is known to either side yet.
            Answer::Started if self.pipelined && stream_id <= STREAM_ID_GUESS => {
                SequenceProgress::Published(Publishing { stream_id: STREAM_ID_GUESS })
            }
            Answer::Started => SequenceProgress::Failed(Misbehaviour::EarlyAcceptance.into()),
            Answer::Error(transaction::CREATE_STREAM | transaction::PUBLISH) | Answer::Refused => {
                SequenceProgress::Failed(publish_rejected(command, &wire.cleaner))
            }
            _ => SequenceProgress::Stay(PublishSequence::Stream(self)),
        }
    }

    fn created(self, wire: &mut Wire, stream_id: u32) -> SequenceProgress {
        let pipelined = self.pipelined;
        let start =
            |transaction| PublishSequence::Start(AwaitStart { stream_id, transaction, pipelined });
        if !pipelined {
            wire.publish(transaction::PUBLISH, stream_id);
            return SequenceProgress::Next(start(transaction::PUBLISH));
        }
        if stream_id == STREAM_ID_GUESS {
            return SequenceProgress::Next(start(transaction::PUBLISH));
        }
        // Media that waits carries the guessed id; what is already on the wire the server ignores.
        wire.out.cancel_media();
        wire.publish(transaction::PUBLISH_AGAIN, stream_id);
        SequenceProgress::Moved(start(transaction::PUBLISH_AGAIN))
    }
}

impl AwaitStart {
    fn take(
        self,
        wire: &mut Wire,
        command: &Command<'_>,
        answer: Answer,
        stream_id: u32,
    ) -> SequenceProgress {
        let about_guess = is_about_guess(self.stream_id, stream_id);
        match answer {
            Answer::Started if !about_guess => {
                SequenceProgress::Published(Publishing { stream_id: self.stream_id })
            }
            Answer::Refused if !about_guess => {
                SequenceProgress::Failed(publish_rejected(command, &wire.cleaner))
            }
            Answer::Error(answered) if answered == self.transaction => {
                SequenceProgress::Failed(publish_rejected(command, &wire.cleaner))
            }
            _ => SequenceProgress::Stay(PublishSequence::Start(self)),
        }
    }
}

/// Whether a status that came on the message stream `on` is about the one that was only guessed, while
/// the server gave `given`: it no longer counts.
pub(super) fn is_about_guess(given: u32, on: u32) -> bool {
    given != STREAM_ID_GUESS && on == STREAM_ID_GUESS
}

impl Answer {
    fn of(command: &Command<'_>) -> Answer {
        // `as` saturates: a negative or absurd number equals no transaction of ours.
        let transaction = command.transaction as u32;
        match &*command.name {
            "_result" => Answer::Result(transaction),
            "_error" => Answer::Error(transaction),
            "onStatus" if command.info_text("code") == "NetStream.Publish.Start" => Answer::Started,
            "onStatus" if is_refusal(command) => Answer::Refused,
            _ => Answer::Other,
        }
    }
}

/// Whether an information object says that something failed. Levels are "status", "warning" and
/// "error"; some servers leave them out or say "status" with a code that says otherwise.
pub(super) fn is_refusal(command: &Command<'_>) -> bool {
    let (code, level) = (command.info_text("code"), command.info_text("level"));
    match level {
        // That the server cannot record does not keep it from relaying.
        "error" => !code.starts_with("NetStream.Record."),
        "warning" => false,
        _ => is_failure(code),
    }
}

/// Whether a code alone says that a connection or a stream will not be had.
fn is_failure(code: &str) -> bool {
    const OF: &[&str] = &["NetConnection.", "NetStream.Publish.", "NetStream.Authenticate."];
    const HOW: &[&str] = &[
        "Failed",
        "Rejected",
        "Denied",
        "BadName",
        "Unauthorized",
        "InvalidApp",
        "Closed",
        "AppShutdown",
    ];
    let how = code.rsplit('.').next().unwrap_or_default();
    code == "NetStream.Failed"
        || OF.iter().any(|of| code.starts_with(of)) && HOW.iter().any(|end| how.ends_with(end))
}

/// A message stream id: stream 0 is the connection itself.
fn message_stream_id(value: &Value<'_>) -> Option<u32> {
    let number = value.as_number()?;
    (number >= 1.0 && number <= f64::from(u32::MAX) && number.fract() == 0.0)
        .then_some(number as u32)
}
