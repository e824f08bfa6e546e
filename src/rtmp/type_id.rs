//! Message type ids (RTMP 1.0 sections 5.4, 6.2 and 7.1).

/// Set Chunk Size.
pub const SET_CHUNK_SIZE: u8 = 1;
/// Abort Message.
pub const ABORT: u8 = 2;
/// Acknowledgement.
pub const ACKNOWLEDGEMENT: u8 = 3;
/// User Control Message.
pub const USER_CONTROL: u8 = 4;
/// Window Acknowledgement Size.
pub const WINDOW_ACK_SIZE: u8 = 5;
/// Set Peer Bandwidth.
pub const SET_PEER_BANDWIDTH: u8 = 6;
/// Audio.
pub const AUDIO: u8 = 8;
/// Video.
pub const VIDEO: u8 = 9;
/// Command in AMF3 (in fact AMF0 behind one byte).
pub const COMMAND_AMF3: u8 = 17;
/// Data in AMF0.
pub const DATA_AMF0: u8 = 18;
/// Command in AMF0.
pub const COMMAND_AMF0: u8 = 20;

/// What a media message carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An FLV audio tag body.
    Audio,
    /// An FLV video tag body.
    Video,
    /// Script data, such as metadata.
    Data,
}

impl Kind {
    /// The message type id.
    pub fn type_id(self) -> u8 {
        match self {
            Kind::Audio => AUDIO,
            Kind::Video => VIDEO,
            Kind::Data => DATA_AMF0,
        }
    }
}
