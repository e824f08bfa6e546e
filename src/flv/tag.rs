//! One tag of a file.

use bytes::Bytes;

use crate::media::Kind;

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

/// What a tag is for a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Script data, a command to a player, the end of a sequence: it has no place in time of its own.
    Description,
    /// The configuration of a codec; a decoder needs the newest one.
    Configuration,
    /// A frame that decoding can begin with.
    Key,
    /// Another frame of the video.
    Frame,
    /// A frame of the audio.
    Audio,
}

impl Content {
    /// Whether it is part of what is seen and heard.
    pub fn is_frame(self) -> bool {
        matches!(self, Content::Key | Content::Frame | Content::Audio)
    }
}

/// What stands in the upper four bits of the first byte of a key frame in any codec (E.4.3.1).
const KEY_FRAME_TYPE: u8 = 1;

impl Tag {
    /// What it is for the stream. A tag of an unknown codec counts as a frame.
    pub fn content(&self) -> Content {
        match (super::frame(self), self.kind) {
            (Ok(None), _) | (Err(_), TagKind::Script) => Content::Description,
            (Ok(Some(frame)), _) => match frame.kind {
                Kind::VideoConfig | Kind::AudioConfig => Content::Configuration,
                Kind::VideoKey => Content::Key,
                Kind::VideoDelta | Kind::VideoDisposable => Content::Frame,
                Kind::Audio => Content::Audio,
            },
            (Err(_), TagKind::Audio) => Content::Audio,
            (Err(_), TagKind::Video) => match self.body.first() {
                Some(first) if first >> 4 == KEY_FRAME_TYPE => Content::Key,
                _ => Content::Frame,
            },
        }
    }
}
