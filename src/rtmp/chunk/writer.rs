//! Messages in, chunk headers out; the chunks themselves are cut by [`Outbound`].

use bytes::{BufMut, Bytes};

use super::format::{CHUNK_SIZE_INITIAL, CHUNK_SIZE_MAX, EXTENDED, MESSAGE_BYTES_WIRE_MAX};
use crate::rtmp::{
    outbound::{
        CHUNK_HEADER_BYTES_MAX, CONTINUATION_BYTES_MAX, Class, Entry, MESSAGE_HEAD_BYTES_MAX,
        Outbound,
    },
    type_id::{self, Kind},
};

/// Protocol control messages (RTMP 1.0 section 5.4 reserves this chunk stream).
const CONTROL_CHUNK_STREAM: u8 = 2;
const COMMAND_CHUNK_STREAM: u8 = 3;
// One chunk stream for each kind of media, so that a header can refer to the last one of its kind
// and leave out what is equal. All ids stay below 32: nginx-rtmp accepts no more.
const AUDIO_CHUNK_STREAM: u8 = 4;
const DATA_CHUNK_STREAM: u8 = 5;
const VIDEO_CHUNK_STREAM: u8 = 6;

/// Writes messages onto a few chunk streams, each with the smallest header that every reader
/// understands: a type 3 header only goes on with a message, it never begins one. RTMP 1.0 lets it
/// repeat the last delta there, but not all servers add it; media is then ever earlier than it was
/// sent. Naming the delta costs three bytes.
///
/// Timestamps are milliseconds that never wrap; they go onto the wire modulo 2^32. From 0xFFFFFF on
/// each message starts with an absolute type 0 header, because servers disagree on what an extended
/// timestamp means on a delta; the extended timestamp is repeated on each further chunk.
#[derive(Debug)]
pub struct Writer {
    chunk_size: usize,
    audio: Track,
    data: Track,
    video: Track,
}

/// What the next header on a media chunk stream may refer to.
#[derive(Debug, Default)]
struct Track {
    last: Option<Last>,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    timestamp: u64,
    length: usize,
    stream_id: u32,
}

/// A chunk header under construction.
#[derive(Default)]
struct Header {
    bytes: [u8; CHUNK_HEADER_BYTES_MAX],
    len: usize,
    continuation: [u8; CONTINUATION_BYTES_MAX],
    continuation_len: usize,
}

impl Default for Writer {
    fn default() -> Writer {
        Writer::new()
    }
}

impl Writer {
    /// A writer at the beginning of a chunk stream.
    pub fn new() -> Writer {
        Writer {
            chunk_size: CHUNK_SIZE_INITIAL,
            audio: Track::default(),
            data: Track::default(),
            video: Track::default(),
        }
    }

    /// Announces a chunk size (1 to 0x7FFFFFFF; others are brought into that range) and uses it for
    /// all later messages.
    pub fn announce_chunk_size(&mut self, out: &mut Outbound, size: u32) {
        let size = size.clamp(1, CHUNK_SIZE_MAX);
        self.control(out, type_id::SET_CHUNK_SIZE, &size.to_be_bytes());
        // Only after the message itself, which is still cut by the old size.
        self.chunk_size = size as usize;
    }

    /// A protocol control or user control message, in order; at most [`MESSAGE_HEAD_BYTES_MAX`]
    /// bytes.
    pub fn control(&mut self, out: &mut Outbound, type_id: u8, payload: &[u8]) {
        self.standalone(out, Class::Ordered, type_id, payload);
    }

    /// The same ahead of waiting media.
    pub fn urgent_control(&mut self, out: &mut Outbound, type_id: u8, payload: &[u8]) {
        self.standalone(out, Class::Urgent, type_id, payload);
    }

    /// An AMF0 command message.
    pub fn command(&mut self, out: &mut Outbound, stream_id: u32, body: Bytes) {
        let mut header = Header::default();
        header.absolute(COMMAND_CHUNK_STREAM, 0, body.len(), type_id::COMMAND_AMF0, stream_id);
        self.push(out, Class::Ordered, &header, &[], body);
    }

    /// A media message whose payload is `head` (at most [`MESSAGE_HEAD_BYTES_MAX`] bytes) and
    /// `body`. A timestamp that goes back on its chunk stream is raised to the last one. `false`
    /// when the message is longer than a header can announce (16 MiB) and was not queued.
    pub fn media(
        &mut self,
        out: &mut Outbound,
        kind: Kind,
        stream_id: u32,
        timestamp_ms: u64,
        head: &[u8],
        body: Bytes,
    ) -> bool {
        let length = head.len() + body.len();
        if length > MESSAGE_BYTES_WIRE_MAX || head.len() > MESSAGE_HEAD_BYTES_MAX {
            return false;
        }
        let (track, chunk_stream) = match kind {
            Kind::Audio => (&mut self.audio, AUDIO_CHUNK_STREAM),
            Kind::Data => (&mut self.data, DATA_CHUNK_STREAM),
            Kind::Video => (&mut self.video, VIDEO_CHUNK_STREAM),
        };
        let header = track.header(chunk_stream, kind.type_id(), stream_id, timestamp_ms, length);
        self.push(out, Class::Media, &header, head, body);
        true
    }

    /// A message that refers to no other and to which no other refers, so that it may overtake.
    fn standalone(&mut self, out: &mut Outbound, class: Class, type_id: u8, payload: &[u8]) {
        let mut header = Header::default();
        header.absolute(CONTROL_CHUNK_STREAM, 0, payload.len(), type_id, 0);
        self.push(out, class, &header, payload, Bytes::new());
    }

    fn push(&self, out: &mut Outbound, class: Class, header: &Header, head: &[u8], body: Bytes) {
        let continuation = &header.continuation[..header.continuation_len];
        let header = &header.bytes[..header.len];
        out.push(Entry::message(class, header, continuation, self.chunk_size, head, body));
    }
}

impl Track {
    fn header(
        &mut self,
        chunk_stream: u8,
        type_id: u8,
        stream_id: u32,
        timestamp_ms: u64,
        length: usize,
    ) -> Header {
        let mut header = Header::default();
        let mut timestamp = timestamp_ms;
        match self.last {
            Some(last) if last.stream_id == stream_id => {
                timestamp = last.not_before(timestamp, chunk_stream);
                match last.delta_to(timestamp) {
                    Some(delta) => header.relative(chunk_stream, &last, delta, length, type_id),
                    None => header.absolute(chunk_stream, timestamp, length, type_id, stream_id),
                }
            }
            _ => header.absolute(chunk_stream, timestamp, length, type_id, stream_id),
        }
        self.last = Some(Last { timestamp, length, stream_id });
        header
    }
}

impl Last {
    fn not_before(&self, timestamp: u64, chunk_stream: u8) -> u64 {
        if timestamp < self.timestamp {
            let (last_ms, timestamp_ms) = (self.timestamp, timestamp);
            tracing::debug!(chunk_stream, timestamp_ms, last_ms, "timestamp went back; raised");
        }
        timestamp.max(self.timestamp)
    }

    /// The delta to `timestamp`, unless it has to be written absolutely: at and above 0xFFFFFF, and
    /// after a wrap.
    fn delta_to(&self, timestamp: u64) -> Option<u32> {
        let same_lap = self.timestamp >> 32 == timestamp >> 32;
        let is_short = (timestamp as u32) < EXTENDED;
        (same_lap && is_short).then(|| (timestamp - self.timestamp) as u32)
    }
}

impl Header {
    /// A type 0 header (RTMP 1.0 section 5.3.1.2.1).
    fn absolute(
        &mut self,
        chunk_stream: u8,
        timestamp: u64,
        length: usize,
        type_id: u8,
        stream_id: u32,
    ) {
        let timestamp = timestamp as u32; // the wire carries it modulo 2^32
        self.put(|to| {
            to.put_u8(chunk_stream);
            to.put_uint(u64::from(timestamp.min(EXTENDED)), 3);
            to.put_uint(length as u64, 3);
            to.put_u8(type_id);
            to.put_u32_le(stream_id);
            if timestamp >= EXTENDED {
                to.put_u32(timestamp);
            }
        });
        self.continuation[0] = chunk_stream | 3 << 6;
        self.continuation_len = 1;
        if timestamp >= EXTENDED {
            self.continuation[1..].copy_from_slice(&timestamp.to_be_bytes());
            self.continuation_len = CONTINUATION_BYTES_MAX;
        }
    }

    /// The shorter one of types 1 and 2 (RTMP 1.0 sections 5.3.1.2.2 and 5.3.1.2.3).
    fn relative(&mut self, chunk_stream: u8, last: &Last, delta: u32, length: usize, type_id: u8) {
        let format = if length == last.length { 2 } else { 1 };
        self.put(|to| {
            to.put_u8(chunk_stream | format << 6);
            to.put_uint(u64::from(delta), 3);
            if format < 2 {
                to.put_uint(length as u64, 3);
                to.put_u8(type_id);
            }
        });
        self.continuation[0] = chunk_stream | 3 << 6;
        self.continuation_len = 1;
    }

    fn put(&mut self, write: impl FnOnce(&mut &mut [u8])) {
        let mut rest = &mut self.bytes[..];
        write(&mut rest);
        self.len = CHUNK_HEADER_BYTES_MAX - rest.len();
    }
}
