//! The chunk stream: messages cut into chunks and put together again (RTMP 1.0 section 5.3).

mod reader;
#[cfg(test)]
mod tests;
mod writer;

use std::fmt;

use bytes::Bytes;

pub use reader::{Bounds, Reader};
pub use writer::Writer;

/// Chunk size of either side until it announces another (RTMP 1.0 section 5.4.1).
pub const CHUNK_SIZE_INITIAL: usize = 128;
/// The largest chunk size that can be announced (RTMP 1.0 section 5.4.1: the top bit is zero).
pub const CHUNK_SIZE_MAX: u32 = 0x7FFF_FFFF;
/// The largest message that a chunk header can announce: its length has 24 bits.
pub const MESSAGE_BYTES_WIRE_MAX: usize = 0xFF_FFFF;
/// A timestamp field of this value says that an extended timestamp follows.
const EXTENDED: u32 = 0xFF_FFFF;

/// A whole message, as it was put together from chunks.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The chunk stream that carried it.
    pub chunk_stream: u32,
    /// The message type id.
    pub type_id: u8,
    /// The message stream id.
    pub stream_id: u32,
    /// Milliseconds, modulo 2^32.
    pub timestamp: u32,
    /// The payload.
    pub body: Bytes,
}

/// Shows the length of the body only: a received `publish` carries the stream key.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("chunk_stream", &self.chunk_stream)
            .field("type_id", &self.type_id)
            .field("stream_id", &self.stream_id)
            .field("timestamp", &self.timestamp)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

/// Why received bytes are not a chunk stream, or more of one than is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// a message is longer than is accepted
    #[error("a message of {bytes} bytes is longer than the accepted {max}")]
    MessageTooLong {
        /// The announced length.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// the unfinished messages together are longer than is accepted
    #[error("the unfinished messages together are longer than the accepted {max} bytes")]
    TotalTooLong {
        /// The bound.
        max: usize,
    },
    /// more chunk streams are in use than are accepted
    #[error("more than the accepted {max} chunk streams are in use")]
    TooManyChunkStreams {
        /// The bound.
        max: usize,
    },
    /// a chunk size was announced that is not between 1 and 2147483647
    #[error("a chunk size of {0} was announced")]
    BadChunkSize(u32),
    /// a chunk stream began with a header that refers to an earlier one
    #[error("chunk stream {0} began with a header that refers to an earlier one")]
    NoEarlierHeader(u32),
    /// a message began before the one on the same chunk stream had ended
    #[error("a message began on chunk stream {0} before the one on it had ended")]
    Interrupted(u32),
    /// a protocol control message is too short
    #[error("a protocol control message of type {0} is too short")]
    ShortControl(u8),
}
