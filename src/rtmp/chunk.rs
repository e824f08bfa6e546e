//! The chunk stream: messages cut into chunks and put together again (RTMP 1.0 section 5.3).

mod error;
mod format;
mod message;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use error::ChunkError;
pub use format::{CHUNK_SIZE_INITIAL, CHUNK_SIZE_MAX, MESSAGE_BYTES_WIRE_MAX};
pub use message::Message;
pub use reader::{Bounds, Reader};
pub use writer::Writer;
