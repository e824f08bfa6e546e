//! The content of messages: control numbers, user control events and commands.

use std::borrow::Cow;

use bytes::Bytes;

pub use super::type_id::{self, Kind};
use super::{
    amf0::{AmfError, Decoder, Value},
    chunk::Message,
};

/// A received message, decoded as far as either side needs it.
#[derive(Debug)]
pub enum Incoming<'a> {
    /// Bytes that the peer has received from us, modulo 2^32 (some servers: modulo 2^31).
    Acknowledgement(u32),
    /// After how many bytes the peer wants an acknowledgement.
    WindowAckSize(u32),
    /// The peer limits what may be on its way to it, in bytes.
    SetPeerBandwidth(u32),
    /// The peer asks for a sign of life; its four bytes are to be sent back.
    PingRequest([u8; 4]),
    /// The peer's sign of life, with the four bytes of the request.
    PingResponse([u8; 4]),
    /// A command; its body is decoded by [`Command::decode`].
    Command(&'a [u8]),
    /// Audio, video or data.
    Media(Kind),
    /// Anything else; to be ignored (RTMP 1.0 section 5.4 reserves unknown types).
    Other,
}

/// a protocol control message is too short
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a protocol control message of type {type_id} is too short")]
pub struct TooShort {
    /// The message type id.
    pub type_id: u8,
}

/// User control event types (RTMP 1.0 section 7.1.7).
mod user_control {
    pub const STREAM_BEGIN: u16 = 0;
    pub const PING_REQUEST: u16 = 6;
    pub const PING_RESPONSE: u16 = 7;
}

impl<'a> Incoming<'a> {
    /// Reads a message.
    ///
    /// # Errors
    /// [`TooShort`] when a control message lacks its number.
    pub fn decode(message: &'a Message) -> Result<Incoming<'a>, TooShort> {
        let body = &message.body[..];
        Ok(match message.type_id {
            type_id::ACKNOWLEDGEMENT => Incoming::Acknowledgement(number(message)?),
            type_id::WINDOW_ACK_SIZE => Incoming::WindowAckSize(number(message)?),
            type_id::SET_PEER_BANDWIDTH => Incoming::SetPeerBandwidth(number(message)?),
            type_id::USER_CONTROL => user_control(body).unwrap_or(Incoming::Other),
            type_id::COMMAND_AMF0 => Incoming::Command(body),
            // Behind a zero byte an AMF3 command is written in AMF0; some peers leave it out.
            type_id::COMMAND_AMF3 => Incoming::Command(body.strip_prefix(&[0]).unwrap_or(body)),
            type_id::AUDIO => Incoming::Media(Kind::Audio),
            type_id::VIDEO => Incoming::Media(Kind::Video),
            type_id::DATA_AMF0 => Incoming::Media(Kind::Data),
            _ => Incoming::Other,
        })
    }
}

fn number(message: &Message) -> Result<u32, TooShort> {
    let type_id = message.type_id;
    message.body.first_chunk().map(|bytes| u32::from_be_bytes(*bytes)).ok_or(TooShort { type_id })
}

fn user_control<'a>(body: &[u8]) -> Option<Incoming<'a>> {
    let (event, rest) = body.split_first_chunk()?;
    match u16::from_be_bytes(*event) {
        user_control::PING_REQUEST => rest.first_chunk().map(|stamp| Incoming::PingRequest(*stamp)),
        user_control::PING_RESPONSE => {
            rest.first_chunk().map(|stamp| Incoming::PingResponse(*stamp))
        }
        _ => None,
    }
}

/// The body of a user control message that answers a ping.
pub fn ping_response(stamp: [u8; 4]) -> [u8; 6] {
    user_control_event(user_control::PING_RESPONSE, stamp)
}

/// The body of a user control message that asks for a sign of life.
pub fn ping_request(stamp: [u8; 4]) -> [u8; 6] {
    user_control_event(user_control::PING_REQUEST, stamp)
}

/// The body of a user control message: a message stream may be used from here on.
pub fn stream_begin(stream_id: u32) -> [u8; 6] {
    user_control_event(user_control::STREAM_BEGIN, stream_id.to_be_bytes())
}

fn user_control_event(event: u16, data: [u8; 4]) -> [u8; 6] {
    let [high, low] = event.to_be_bytes();
    let [a, b, c, d] = data;
    [high, low, a, b, c, d]
}

/// A command message (RTMP 1.0 section 7.1.1). It has no `Debug`: `publish` carries the stream key.
#[derive(Clone, PartialEq)]
pub struct Command<'a> {
    /// The command, `_result` or `_error`.
    pub name: Cow<'a, str>,
    /// Ties an answer to its command.
    pub transaction: f64,
    /// The command object and everything behind it.
    pub arguments: Vec<Value<'a>>,
}

impl<'a> Command<'a> {
    /// Reads a command; a missing transaction id counts as 0. An argument of an unknown type and what
    /// follows it are left out.
    ///
    /// # Errors
    /// [`AmfError`].
    pub fn decode(body: &'a [u8]) -> Result<Command<'a>, AmfError> {
        let mut decoder = Decoder::new(body);
        let name = decoder.string()?;
        let transaction = if decoder.is_empty() { 0.0 } else { decoder.number()? };
        let mut arguments = Vec::new();
        while !decoder.is_empty() {
            match decoder.value() {
                Ok(argument) => arguments.push(argument),
                Err(AmfError::UnknownMarker(_)) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(Command { name, transaction, arguments })
    }

    /// The name alone, for commands whose arguments do not matter.
    ///
    /// # Errors
    /// [`AmfError`].
    pub fn decode_name(body: &'a [u8]) -> Result<Cow<'a, str>, AmfError> {
        Decoder::new(body).string()
    }

    /// The message body.
    pub fn encode(name: &str, transaction: f64, arguments: &[Value<'_>]) -> Bytes {
        let mut body = Vec::with_capacity(256);
        Value::from(name).encode(&mut body);
        Value::Number(transaction).encode(&mut body);
        arguments.iter().for_each(|argument| argument.encode(&mut body));
        Bytes::from(body)
    }

    /// The information object: the last argument that has a `code`.
    pub fn info(&self) -> Option<&Value<'a>> {
        self.arguments.iter().rev().find(|argument| argument.get("code").is_some())
    }

    /// A text of the information object, or nothing.
    pub fn info_text(&self, name: &str) -> &str {
        self.info().and_then(|info| info.get(name)).and_then(Value::as_str).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(type_id: u8, body: &'static [u8]) -> Message {
        let body = Bytes::from_static(body);
        Message { chunk_stream: 2, type_id, stream_id: 0, timestamp: 0, body }
    }

    #[test]
    fn control_messages_are_understood() {
        use Incoming::*;
        for (type_id, body, wanted) in [
            (3, &b"\x00\x01\x86\xa0"[..], Acknowledgement(100_000)),
            (5, b"\x00\x26\x25\xa0", WindowAckSize(2_500_000)),
            (6, b"\x00\x26\x25\xa0\x02", SetPeerBandwidth(2_500_000)),
            (6, b"\x00\x26\x25\xa0", SetPeerBandwidth(2_500_000)), // the limit type is left out by some
            (4, b"\x00\x06\x01\x02\x03\x04", PingRequest([1, 2, 3, 4])),
            (4, b"\x00\x07\x01\x02\x03\x04", PingResponse([1, 2, 3, 4])),
            (4, b"\x00\x00\x00\x00\x00\x01", Other),
            (4, b"\x00\x06\x01", Other),
            (4, b"", Other),
            (8, b"", Media(Kind::Audio)),
            (9, b"", Media(Kind::Video)),
            (18, b"", Media(Kind::Data)),
            (20, b"\x02", Command(b"\x02")),
            (17, b"\x00\x02", Command(b"\x02")),
            (17, b"\x02", Command(b"\x02")),
            (22, b"\x00", Other),
            (255, b"\x00", Other),
        ] {
            let message = message(type_id, body);
            let decoded = Incoming::decode(&message).unwrap();
            assert_eq!(format!("{decoded:?}"), format!("{wanted:?}"));
        }
    }

    #[test]
    fn control_messages_without_their_number_are_refused() {
        for type_id in [3, 5, 6] {
            let short = message(type_id, b"\x00\x00\x00");
            assert_eq!(Incoming::decode(&short).unwrap_err(), TooShort { type_id });
        }
    }

    #[test]
    fn a_command_is_name_transaction_and_arguments() {
        let body = Command::encode("createStream", 4.0, &[Value::Null]);
        assert_eq!(&body[..], b"\x02\x00\x0ccreateStream\x00\x40\x10\x00\x00\x00\x00\x00\x00\x05");
        let command = Command::decode(&body).unwrap();
        assert_eq!((&*command.name, command.transaction), ("createStream", 4.0));
        assert_eq!(command.arguments, [Value::Null]);
    }

    #[test]
    fn a_command_may_end_behind_its_name() {
        let command = Command::decode(b"\x02\x00\x05close").unwrap();
        assert_eq!((&*command.name, command.transaction), ("close", 0.0));
    }

    #[test]
    fn the_information_object_is_found_wherever_it_stands() {
        let info = || Value::Object(vec![("code".into(), "A.B".into())]);
        let other = || Value::Object(vec![("fmsVer".into(), "x".into())]);
        for arguments in [vec![Value::Null, info()], vec![other(), info()], vec![info()]] {
            let body = Command::encode("_result", 1.0, &arguments);
            assert_eq!(Command::decode(&body).unwrap().info_text("code"), "A.B");
        }
        let body = Command::encode("_result", 1.0, &[Value::Null, other()]);
        assert_eq!(Command::decode(&body).unwrap().info_text("code"), "");
    }
}
