//! What can be wrong with received chunks.

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
