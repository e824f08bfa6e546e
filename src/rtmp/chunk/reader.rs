//! Bytes in, whole messages out.

use std::fmt;

use bytes::{Buf, Bytes, BytesMut};

use super::error::ChunkError;
use super::format::{CHUNK_SIZE_INITIAL, CHUNK_SIZE_MAX, EXTENDED};
use super::message::Message;
use crate::{
    limits::{RTMP_IN_CHUNK_STREAMS_MAX, RTMP_IN_MESSAGE_BYTES_MAX, RTMP_IN_TOTAL_BYTES_MAX},
    rtmp::type_id,
};

/// Basic header of three bytes, type 0 message header, extended timestamp.
const HEADER_BYTES_MAX: usize = 3 + 11 + 4;

/// What a [`Reader`] accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// One message, in bytes.
    pub message_bytes_max: usize,
    /// All unfinished messages together, in bytes.
    pub total_bytes_max: usize,
    /// Chunk streams in use.
    pub chunk_streams_max: usize,
}

impl Default for Bounds {
    /// What a publisher accepts from a server.
    fn default() -> Bounds {
        Bounds {
            message_bytes_max: RTMP_IN_MESSAGE_BYTES_MAX,
            total_bytes_max: RTMP_IN_TOTAL_BYTES_MAX,
            chunk_streams_max: RTMP_IN_CHUNK_STREAMS_MAX,
        }
    }
}

/// Puts messages together from chunks that may arrive in pieces of any size.
///
/// "Set Chunk Size" and "Abort Message" are carried out here and not returned. Memory grows with bytes
/// that arrived, never with a length that was only claimed.
pub struct Reader {
    bounds: Bounds,
    chunk_size: usize,
    streams: Vec<Stream>,
    /// Bytes of all unfinished messages.
    unfinished_bytes: usize,
    stage: ReaderStage,
    replay: Replay,
}

#[derive(Clone, Copy)]
enum ReaderStage {
    /// Collecting basic header, message header and, on types 0 to 2, the extended timestamp.
    Header { bytes: [u8; HEADER_BYTES_MAX], len: usize },
    /// After a type 3 header on a stream with an extended timestamp: is it repeated?
    Repeated { index: usize, matched: usize },
    /// Inside a chunk.
    Payload { index: usize, left: usize },
}

const HEADER_START: ReaderStage = ReaderStage::Header { bytes: [0; HEADER_BYTES_MAX], len: 0 };

/// One chunk stream: the header that later ones refer to, and its unfinished message.
struct Stream {
    id: u32,
    timestamp: u32,
    delta: u32,
    length: usize,
    type_id: u8,
    stream_id: u32,
    /// The extended timestamp of the last header that had one of its own.
    extended: Option<u32>,
    /// Whether any header came.
    known: bool,
    /// Whether a message has begun and not ended.
    open: bool,
    body: BytesMut,
}

/// At most three bytes that looked like a repeated extended timestamp and were something else.
#[derive(Default)]
struct Replay {
    bytes: [u8; 4],
    len: usize,
}

impl Reader {
    /// A reader at the beginning of a chunk stream.
    pub fn new(bounds: Bounds) -> Reader {
        Reader {
            bounds,
            chunk_size: CHUNK_SIZE_INITIAL,
            streams: Vec::new(),
            unfinished_bytes: 0,
            stage: HEADER_START,
            replay: Replay::default(),
        }
    }

    /// Consumes `input` up to the end of the next message; `None` when it ran out before.
    ///
    /// # Errors
    /// [`ChunkError`]; nothing more can be read after one.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Message>, ChunkError> {
        loop {
            if let Some(message) = self.step(input)? {
                match message.type_id {
                    type_id::SET_CHUNK_SIZE => self.set_chunk_size(&message)?,
                    type_id::ABORT => self.abort(&message)?,
                    _ => return Ok(Some(message)),
                }
            } else if input.is_empty() && self.replay.len == 0 {
                return Ok(None);
            }
        }
    }

    /// Runs one step on what is to be replayed, or else on `input`.
    fn step(&mut self, input: &mut &[u8]) -> Result<Option<Message>, ChunkError> {
        if self.replay.len == 0 {
            return self.step_on(input);
        }
        let Replay { bytes, len } = std::mem::take(&mut self.replay);
        let mut first = &bytes[..len];
        let message = self.step_on(&mut first)?;
        self.prepend(first);
        Ok(message)
    }

    /// Puts what a replaying step left behind what it wants replayed itself: together they are no
    /// more than it was given.
    fn prepend(&mut self, rest: &[u8]) {
        let len = self.replay.len;
        self.replay.bytes[len..len + rest.len()].copy_from_slice(rest);
        self.replay.len += rest.len();
    }

    fn step_on(&mut self, input: &mut &[u8]) -> Result<Option<Message>, ChunkError> {
        match self.stage {
            ReaderStage::Header { bytes, len } => self.header(bytes, len, input),
            ReaderStage::Repeated { index, matched } => self.repeated(index, matched, input),
            ReaderStage::Payload { index, left } => self.payload(index, left, input),
        }
    }

    fn header(
        &mut self,
        mut bytes: [u8; HEADER_BYTES_MAX],
        mut len: usize,
        input: &mut &[u8],
    ) -> Result<Option<Message>, ChunkError> {
        loop {
            let wanted = header_len(&bytes[..len]);
            if len == wanted {
                self.stage = HEADER_START;
                return self.begin(&bytes[..len]);
            }
            let count = (wanted - len).min(input.len());
            if count == 0 {
                self.stage = ReaderStage::Header { bytes, len };
                return Ok(None);
            }
            input.copy_to_slice(&mut bytes[len..len + count]);
            len += count;
        }
    }

    /// Acts on a whole header.
    fn begin(&mut self, mut header: &[u8]) -> Result<Option<Message>, ChunkError> {
        let (format, id) = basic_header(&mut header);
        let index = self.stream(id)?;
        let stream = &mut self.streams[index];
        // librtmp begins chunk stream 2 with a type 1 header, which needs no earlier one.
        if format >= 2 && !stream.known {
            return Err(ChunkError::NoEarlierHeader(id));
        }
        if format < 3 && stream.open {
            return Err(ChunkError::Interrupted(id));
        }
        stream.take_header(format, header);
        if stream.length > self.bounds.message_bytes_max {
            let max = self.bounds.message_bytes_max;
            return Err(ChunkError::MessageTooLong { bytes: stream.length, max });
        }
        let left = self.chunk_size.min(stream.length - stream.body.len());
        let repeated = format == 3 && stream.extended.is_some();
        self.stage = match repeated {
            true => ReaderStage::Repeated { index, matched: 0 },
            false => ReaderStage::Payload { index, left },
        };
        match repeated || left > 0 {
            true => Ok(None),
            false => self.payload(index, left, &mut &[][..]),
        }
    }

    /// Servers disagree on whether a type 3 chunk repeats the extended timestamp (RTMP 1.0 section
    /// 5.3.1.3 requires it). The bytes decide: if they equal the timestamp they are the timestamp,
    /// otherwise they are payload.
    fn repeated(
        &mut self,
        index: usize,
        mut matched: usize,
        input: &mut &[u8],
    ) -> Result<Option<Message>, ChunkError> {
        let stream = &self.streams[index];
        let expected = stream.extended.unwrap_or_default().to_be_bytes();
        let left = self.chunk_size.min(stream.length - stream.body.len());
        while matched < expected.len() {
            let Some(&byte) = input.first() else {
                self.stage = ReaderStage::Repeated { index, matched };
                return Ok(None);
            };
            if byte != expected[matched] {
                self.replay.bytes[..matched].copy_from_slice(&expected[..matched]);
                self.replay.len = matched;
                break;
            }
            input.advance(1);
            matched += 1;
        }
        self.stage = ReaderStage::Payload { index, left };
        match left {
            0 => self.payload(index, left, input),
            _ => Ok(None),
        }
    }

    fn payload(
        &mut self,
        index: usize,
        left: usize,
        input: &mut &[u8],
    ) -> Result<Option<Message>, ChunkError> {
        let count = left.min(input.len());
        if self.unfinished_bytes + count > self.bounds.total_bytes_max {
            return Err(ChunkError::TotalTooLong { max: self.bounds.total_bytes_max });
        }
        let stream = &mut self.streams[index];
        let whole = (count == stream.length).then(|| Bytes::copy_from_slice(&input[..count]));
        if whole.is_none() {
            stream.body.extend_from_slice(&input[..count]);
        }
        input.advance(count);
        self.unfinished_bytes += count;
        if count < left {
            self.stage = ReaderStage::Payload { index, left: left - count };
            return Ok(None);
        }
        self.stage = HEADER_START;
        if whole.is_none() && stream.body.len() < stream.length {
            return Ok(None);
        }
        stream.open = false;
        self.unfinished_bytes -= stream.length;
        Ok(Some(Message {
            chunk_stream: stream.id,
            type_id: stream.type_id,
            stream_id: stream.stream_id,
            timestamp: stream.timestamp,
            // What comes in one piece is allocated once, at its own size.
            body: whole.unwrap_or_else(|| std::mem::take(&mut stream.body).freeze()),
        }))
    }

    fn stream(&mut self, id: u32) -> Result<usize, ChunkError> {
        if let Some(index) = self.streams.iter().position(|stream| stream.id == id) {
            return Ok(index);
        }
        if self.streams.len() == self.bounds.chunk_streams_max {
            let max = self.bounds.chunk_streams_max;
            return Err(ChunkError::TooManyChunkStreams { max });
        }
        self.streams.push(Stream::new(id));
        Ok(self.streams.len() - 1)
    }

    fn set_chunk_size(&mut self, message: &Message) -> Result<(), ChunkError> {
        let size = control_number(message)?;
        if size == 0 || size > CHUNK_SIZE_MAX {
            return Err(ChunkError::BadChunkSize(size));
        }
        self.chunk_size = size as usize;
        Ok(())
    }

    fn abort(&mut self, message: &Message) -> Result<(), ChunkError> {
        let id = control_number(message)?;
        if let Some(stream) = self.streams.iter_mut().find(|stream| stream.id == id) {
            self.unfinished_bytes -= stream.body.len();
            stream.body = BytesMut::new();
            stream.open = false;
        }
        Ok(())
    }
}

/// Shows no received byte: a half-received message may contain the stream key.
impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("chunk_size", &self.chunk_size)
            .field("chunk_streams", &self.streams.len())
            .field("unfinished_bytes", &self.unfinished_bytes)
            .finish_non_exhaustive()
    }
}

impl Stream {
    fn new(id: u32) -> Stream {
        Stream {
            id,
            timestamp: 0,
            delta: 0,
            length: 0,
            type_id: 0,
            stream_id: 0,
            extended: None,
            known: false,
            open: false,
            body: BytesMut::new(),
        }
    }

    /// Applies a message header of `format` (RTMP 1.0 section 5.3.1.2); `header` holds all of it.
    fn take_header(&mut self, format: u8, mut header: &[u8]) {
        let starts = !self.open;
        self.open = true;
        self.known = true;
        if format < 3 {
            let field = header.get_uint(3) as u32;
            if format < 2 {
                self.length = header.get_uint(3) as usize;
                self.type_id = header.get_u8();
            }
            if format == 0 {
                self.stream_id = header.get_u32_le();
            }
            self.extended = (field == EXTENDED).then(|| header.get_u32());
            self.delta = self.extended.unwrap_or(field);
        }
        match format {
            0 => self.timestamp = self.delta,
            // A type 3 header that begins a message repeats the last delta; after a type 0 header
            // that is its timestamp (section 5.3.1.2.4).
            _ if starts => self.timestamp = self.timestamp.wrapping_add(self.delta),
            _ => {}
        }
    }
}

/// The four bytes that "Set Chunk Size" and "Abort Message" consist of.
fn control_number(message: &Message) -> Result<u32, ChunkError> {
    let bytes = message.body.first_chunk().ok_or(ChunkError::ShortControl(message.type_id))?;
    Ok(u32::from_be_bytes(*bytes))
}

/// The length of the header that begins with `bytes`, as far as they determine it.
fn header_len(bytes: &[u8]) -> usize {
    let Some(&first) = bytes.first() else { return 1 };
    let basic = match first & 0x3F {
        0 => 2,
        1 => 3,
        _ => 1,
    };
    let message = [11, 7, 3, 0][usize::from(first >> 6)];
    let is_extended =
        message > 0 && bytes.get(basic..basic + 3).is_some_and(|field| field == [0xFF, 0xFF, 0xFF]);
    basic + message + if is_extended { 4 } else { 0 }
}

/// Format and chunk stream id (RTMP 1.0 section 5.3.1.1).
fn basic_header(header: &mut &[u8]) -> (u8, u32) {
    let first = header.get_u8();
    let id = match first & 0x3F {
        0 => u32::from(header.get_u8()) + 64,
        1 => u32::from(header.get_u16_le()) + 64,
        id => u32::from(id),
    };
    (first >> 6, id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claimed_length_costs_no_memory() {
        let bounds = Bounds { message_bytes_max: usize::MAX, ..Bounds::default() };
        let mut reader = Reader::new(bounds);
        let mut input = &b"\x04\x00\x00\x00\xff\xff\xff\x08\x01\x00\x00\x00abc"[..];
        assert_eq!(reader.next(&mut input), Ok(None));
        assert_eq!(reader.streams[0].length, 0xFF_FFFF);
        assert!(reader.streams[0].body.capacity() < 1_000);
    }
}
