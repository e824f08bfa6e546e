//! One tag of a file.

use bytes::Bytes;

/// Bytes of a tag's head (E.4.1).
pub(super) const TAG_HEAD_BYTES: usize = 11;

/// What a tag carries (`TagType`, E.4.1). An RTMP message of the same content has the same number
/// as its type id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum TagKind {
    /// An audio tag body.
    Audio = 8,
    /// A video tag body.
    Video = 9,
    /// AMF0 values.
    Script = 18,
}

/// One tag of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// What the body is.
    pub kind: TagKind,
    /// Decoding time in ms; wraps at 2^32.
    pub timestamp_ms: u32,
    /// The body.
    pub body: Bytes,
}
