//! What can be wrong with a file, a tag body, a codec configuration.

use super::four_cc::FourCc;
use crate::media::Track;

/// Why a file cannot be read on. Offsets count bytes from the start of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FlvError {
    /// this is no FLV file: it does not begin with "FLV"
    #[error("this is no FLV file: it does not begin with \"FLV\"")]
    NotFlv,
    /// the file header at byte 5 gives its own length as {data_offset}, at least 9 is needed
    #[error(
        "the file header at byte 5 gives its own length as {data_offset}, at least 9 is needed"
    )]
    DataOffset {
        /// The length given.
        data_offset: u32,
    },
    /// the tag at byte {offset} is encrypted
    #[error("the tag at byte {offset} is encrypted")]
    Encrypted {
        /// Where the tag begins.
        offset: u64,
    },
    /// the tag at byte {offset} has the stream id {stream_id} instead of 0
    #[error("the tag at byte {offset} has the stream id {stream_id} instead of 0")]
    StreamId {
        /// Where the tag begins.
        offset: u64,
        /// The id found.
        stream_id: u32,
    },
    /// the tag at byte {offset} is damaged: where it should end no other tag begins
    #[error("the tag at byte {offset} is damaged: where it should end no other tag begins")]
    Length {
        /// Where the tag begins.
        offset: u64,
    },
    /// there are only zeros at byte {offset}, where a tag should begin: the recording was cut off
    #[error(
        "there are only zeros at byte {offset}, where a tag should begin: the recording was cut off"
    )]
    Zeros {
        /// Where the tag should begin.
        offset: u64,
    },
    /// the file ends at byte {offset}, in the middle of its header or of a tag
    #[error("the file ends at byte {offset}, in the middle of its header or of a tag")]
    Truncated {
        /// Where the file ends.
        offset: u64,
    },
}

/// Why a tag body cannot be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// the tag body is cut short
    #[error("the tag body is cut short")]
    TooShort,
    /// the video codec {codec_id} is not H.264
    #[error("the video codec {codec_id} is not H.264")]
    VideoCodec {
        /// `CodecID` (E.4.3.1).
        codec_id: u8,
    },
    /// the codec "{four_cc}" of this {track} tag is not supported
    #[error("the codec \"{four_cc}\" of this {} tag is not supported", name_of(.track))]
    FourCc {
        /// What the tag is for.
        track: Track,
        /// The code found.
        four_cc: FourCc,
    },
    /// the tag carries several tracks (Multitrack), which is not supported
    #[error("the tag carries several tracks (Multitrack), which is not supported")]
    Multitrack,
    /// the tag begins its sequence in the form of a transport stream, which is not supported
    #[error(
        "the tag begins its sequence in the form of a transport stream, which is not supported"
    )]
    TransportStream,
    /// the audio codec {sound_format} is not AAC
    #[error("the audio codec {sound_format} is not AAC")]
    AudioCodec {
        /// `SoundFormat` (E.4.2.1).
        sound_format: u8,
    },
    /// the video tag has the unknown frame type {frame_type}
    #[error("the video tag has the unknown frame type {frame_type}")]
    FrameType {
        /// `FrameType` (E.4.3.1).
        frame_type: u8,
    },
    /// the tag has the unknown packet type {packet_type}
    #[error("the tag has the unknown packet type {packet_type}")]
    PacketType {
        /// `AVCPacketType` (E.4.3.1), `AACPacketType` (E.4.2.1), or the packet type of Enhanced RTMP.
        packet_type: u8,
    },
}

fn name_of(track: &Track) -> &'static str {
    match track {
        Track::Video => "video",
        Track::Audio => "audio",
    }
}

/// Why a codec configuration cannot be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// the codec configuration is cut short
    #[error("the codec configuration is cut short")]
    TooShort,
    /// the AVC configuration has the unknown version {version}
    #[error("the AVC configuration has the unknown version {version}")]
    Version {
        /// `configurationVersion`; 1 is the only one defined.
        version: u8,
    },
    /// the AVC configuration gives NAL unit lengths of 3 bytes, which does not exist
    #[error("the AVC configuration gives NAL unit lengths of 3 bytes, which does not exist")]
    NalLength,
    /// the AVC configuration has no sequence parameter set
    #[error("the AVC configuration has no sequence parameter set")]
    NoParameterSet,
    /// the codec configuration has the forbidden value {value} for {field}
    #[error("the codec configuration has the forbidden value {value} for {field}")]
    Forbidden {
        /// The field, as the codec's specification names it.
        field: &'static str,
        /// The value found.
        value: u32,
    },
}
