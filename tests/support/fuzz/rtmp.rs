//! Handshake, chunks, AMF0 and messages.

use bytes::{Buf, Bytes};
use fastrand::Rng;
use firstmile::limits::{AMF_DEPTH_MAX, AMF_ELEMENTS_MAX, AMF_STRING_BYTES_MAX};
use firstmile::rtmp::Outbound;
use firstmile::rtmp::amf0::{Decoder, Value};
use firstmile::rtmp::chunk::{Bounds, ChunkError, Message, Reader, Writer};
use firstmile::rtmp::handshake::{Client, HandshakeError, PACKET_BYTES, Protocol, Server};
use firstmile::rtmp::message::{Command, Incoming, Kind, ping_response, type_id};

use super::Pieces;

/// Both packets and the version.
const HANDSHAKE_BYTES: usize = 1 + 2 * PACKET_BYTES;

/// Byte 0 cuts, the rest is what the peer sends: both sides take exactly one handshake, echo it, and
/// refuse exactly what is no RTMP, however it is cut.
pub fn handshake(data: &[u8]) -> bool {
    let Some((&seed, bytes)) = data.split_first() else { return false };
    let taken = bytes.len().min(HANDSHAKE_BYTES);
    let expected = match (another_protocol(bytes), bytes.first()) {
        (Some(Some(protocol)), _) => Err(protocol.into()),
        (Some(None), _) => Ok((taken, None)),
        (None, Some(&version)) if !(3..32).contains(&version) => {
            Err(HandshakeError::NotRtmp(version))
        }
        (None, _) => Ok((taken, bytes.get(1..1 + PACKET_BYTES))),
    };
    for max in [usize::MAX, 400] {
        assert_eq!(client_handshake(bytes, max, seed), expected);
        assert_eq!(server_handshake(bytes, max, seed), expected);
    }
    bytes.len() >= HANDSHAKE_BYTES && expected.is_ok()
}

/// What the first bytes say beside RTMP: `Some(None)` while they may become a greeting that is none of
/// RTMP's.
fn another_protocol(bytes: &[u8]) -> Option<Option<Protocol>> {
    let greetings: [(&[u8], Protocol); 6] = [
        (b"HTTP/", Protocol::Http),
        (b"<", Protocol::Http),
        (b"RTSP/", Protocol::Rtsp),
        (b"SSH-", Protocol::Ssh),
        (b"\x15\x03", Protocol::Tls),
        (b"\x16\x03", Protocol::Tls),
    ];
    let mut begun = greetings.iter().filter(|(greeting, _)| {
        let length = greeting.len().min(bytes.len());
        length > 0 && greeting[..length] == bytes[..length]
    });
    begun.next().map(|(greeting, protocol)| (bytes.len() >= greeting.len()).then_some(*protocol))
}

/// What a client took, and its C2.
fn client_handshake(
    bytes: &[u8],
    max: usize,
    seed: u8,
) -> Result<(usize, Option<&[u8]>), HandshakeError> {
    let (mut client, mut used, mut s1) = (Client::begin(), 0, None);
    for mut piece in Pieces::new(bytes, max, seed) {
        let before = piece.len();
        while !piece.is_empty() && !matches!(client, Client::Done) {
            let (next, c2) = client.take(&mut piece)?;
            client = next;
            if let Some(c2) = c2 {
                assert_eq!(c2, bytes[1..1 + PACKET_BYTES], "C2 echoes S1");
                assert!(s1.is_none(), "answered once");
                s1 = bytes.get(1..1 + PACKET_BYTES);
            }
        }
        used += before - piece.len();
    }
    assert_eq!(matches!(client, Client::Done), used == HANDSHAKE_BYTES);
    Ok((used, s1))
}

/// What a server took, and C1 as its S2 echoes it.
fn server_handshake(
    bytes: &[u8],
    max: usize,
    seed: u8,
) -> Result<(usize, Option<&[u8]>), HandshakeError> {
    let (mut server, mut rng) = (Server::begin(), Rng::with_seed(1));
    let (mut used, mut c1) = (0, None);
    for mut piece in Pieces::new(bytes, max, seed) {
        let before = piece.len();
        while !piece.is_empty() && !matches!(server, Server::Done) {
            let (next, answer) = server.take(&mut piece, 7, &mut rng)?;
            server = next;
            if let Some([s0_s1, s2]) = answer {
                assert_eq!((s0_s1.len(), s0_s1[0]), (1 + PACKET_BYTES, 3));
                assert_eq!(s2, bytes[1..1 + PACKET_BYTES], "S2 echoes C1");
                assert!(c1.is_none(), "answered once");
                c1 = bytes.get(1..1 + PACKET_BYTES);
            }
        }
        used += before - piece.len();
    }
    assert_eq!(matches!(server, Server::Done), used == HANDSHAKE_BYTES);
    Ok((used, c1))
}

/// Byte 0 chooses bounds, byte 1 cuts, the rest are chunks: the same messages come out however they
/// are cut, within the bounds, and survive being written and read again.
pub fn chunk_reader(data: &[u8]) -> bool {
    let &[flags, seed, ref bytes @ ..] = data else { return false };
    let bounds = match flags & 1 {
        0 => Bounds::default(),
        _ => Bounds { message_bytes_max: 300, total_bytes_max: 400, chunk_streams_max: 2 },
    };
    let (messages, failed) = read_chunks(bounds, std::iter::once(bytes));
    let cut = read_chunks(bounds, Pieces::new(bytes, 40, seed));
    assert!((&messages, failed) == (&cut.0, cut.1), "cutting changes what is read");
    let total: usize = messages.iter().map(|message| message.body.len()).sum();
    assert!(total <= bytes.len());
    for message in &messages {
        assert!(message.body.len() <= bounds.message_bytes_max);
        write_again(message, seed);
    }
    failed.is_none() && !messages.is_empty()
}

fn read_chunks<'a>(
    bounds: Bounds,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> (Vec<Message>, Option<ChunkError>) {
    let (mut reader, mut messages) = (Reader::new(bounds), Vec::new());
    for mut piece in pieces {
        loop {
            match reader.next(&mut piece) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
        assert!(piece.is_empty(), "a piece is taken whole");
    }
    (messages, None)
}

/// Media written with any chunk size, taken in any pieces, is what it was.
fn write_again(message: &Message, seed: u8) {
    let kind = match message.type_id {
        type_id::AUDIO => Kind::Audio,
        type_id::VIDEO => Kind::Video,
        type_id::DATA_AMF0 => Kind::Data,
        _ => return,
    };
    let mut rng = Rng::with_seed(seed.into());
    let (mut writer, mut out) = (Writer::new(), Outbound::default());
    writer.announce_chunk_size(&mut out, rng.u32(1..5_000));
    let (head, body) = message.body.split_at(message.body.len().min(rng.usize(..=16)));
    let body = Bytes::copy_from_slice(body);
    let time = message.timestamp.into();
    assert!(writer.media(&mut out, kind, message.stream_id, time, head, body));
    let mut wire = Vec::new();
    while out.has_remaining() {
        let count = rng.usize(1..=out.chunk().len());
        wire.extend_from_slice(&out.chunk()[..count]);
        out.advance(count);
    }
    let (read, failed) = read_chunks(Bounds::default(), std::iter::once(&wire[..]));
    assert_eq!((read.len(), failed), (1, None));
    let same = |m: &Message| (m.type_id, m.stream_id, m.timestamp, m.body.clone());
    assert!(same(&read[0]) == same(message), "written and read again it is another message");
}

/// AMF0 values: within the bounds, and the same when encoded and decoded again.
pub fn amf0(data: &[u8]) -> bool {
    let mut decoder = Decoder::new(data);
    let (mut values, mut failed) = (Vec::new(), false);
    while !decoder.is_empty() && !failed {
        match decoder.value() {
            Ok(value) => values.push(value),
            Err(_) => failed = true,
        }
    }
    let mut size = Size::default();
    values.iter().for_each(|value| size.count(value, 0));
    assert!(size.values <= AMF_ELEMENTS_MAX && size.depth <= AMF_DEPTH_MAX, "{size:?}");
    assert!(size.text <= 3 * AMF_STRING_BYTES_MAX, "{size:?}");
    // What is no UTF-8 is replaced by more bytes than it had, which can be too many.
    if size.text <= AMF_STRING_BYTES_MAX {
        let once = encoded(&values);
        let mut decoder = Decoder::new(&once);
        let again: Vec<Value<'_>> =
            values.iter().map(|_| decoder.value().expect("our own encoding")).collect();
        assert!(decoder.is_empty());
        assert!(encoded(&again) == once, "not a number, and still the same");
    }
    !failed && !values.is_empty()
}

fn encoded(values: &[Value<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    values.iter().for_each(|value| value.encode(&mut bytes));
    bytes
}

#[derive(Debug, Default)]
struct Size {
    values: usize,
    depth: usize,
    /// The longest text.
    text: usize,
}

impl Size {
    fn count(&mut self, value: &Value<'_>, depth: usize) {
        self.values += 1;
        self.depth = self.depth.max(depth);
        match value {
            Value::String(text) | Value::Xml(text) => self.text(text),
            Value::StrictArray(values) => values.iter().for_each(|v| self.count(v, depth + 1)),
            Value::Object(properties) | Value::EcmaArray(properties) => {
                self.properties(properties, depth);
            }
            Value::TypedObject(class, properties) => {
                self.text(class);
                self.properties(properties, depth);
            }
            _ => {}
        }
    }

    fn properties(&mut self, properties: &[firstmile::rtmp::amf0::Property<'_>], depth: usize) {
        for (name, value) in properties {
            self.text(name);
            self.count(value, depth + 1);
        }
    }

    fn text(&mut self, text: &str) {
        self.text = self.text.max(text.len());
    }
}

/// Byte 0 is the message type, the rest its body: a command is the same when encoded and decoded
/// again, and a ping is answered with its own four bytes.
pub fn message(data: &[u8]) -> bool {
    let Some((&type_id, body)) = data.split_first() else { return false };
    let message = of_type(type_id, body);
    match Incoming::decode(&message) {
        Ok(Incoming::Command(body)) => command(body),
        Ok(Incoming::PingRequest(stamp)) => {
            let answer = of_type(type_id::USER_CONTROL, &ping_response(stamp));
            let answered = matches!(
                Incoming::decode(&answer), Ok(Incoming::PingResponse(same)) if same == stamp
            );
            assert!(answered);
            true
        }
        Ok(Incoming::Other) | Err(_) => false,
        Ok(_) => true,
    }
}

fn of_type(type_id: u8, body: &[u8]) -> Message {
    let body = Bytes::copy_from_slice(body);
    Message { chunk_stream: 3, type_id, stream_id: 0, timestamp: 0, body }
}

fn command(body: &[u8]) -> bool {
    let Ok(command) = Command::decode(body) else { return false };
    assert_eq!(Command::decode_name(body).as_ref(), Ok(&command.name));
    assert!(command.info().is_some() || command.info_text("code").is_empty());
    let once = Command::encode(&command.name, command.transaction, &command.arguments);
    // As above: replaced bytes can make a text too long.
    let Ok(again) = Command::decode(&once) else {
        assert!(once.len() > body.len(), "a command that does not come back");
        return true;
    };
    let twice = Command::encode(&again.name, again.transaction, &again.arguments);
    assert!(once == twice && again.name == command.name);
    true
}
