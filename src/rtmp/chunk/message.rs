//! A whole message.

use std::fmt;

use bytes::Bytes;

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
