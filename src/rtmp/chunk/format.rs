//! Constants of the chunk format.

/// Chunk size of either side until it announces another (RTMP 1.0 section 5.4.1).
pub const CHUNK_SIZE_INITIAL: usize = 128;
/// The largest chunk size that can be announced (RTMP 1.0 section 5.4.1: the top bit is zero).
pub const CHUNK_SIZE_MAX: u32 = 0x7FFF_FFFF;
/// The largest message that a chunk header can announce: its length has 24 bits.
pub const MESSAGE_BYTES_WIRE_MAX: usize = 0xFF_FFFF;
/// A timestamp field of this value says that an extended timestamp follows.
pub(super) const EXTENDED: u32 = 0xFF_FFFF;
