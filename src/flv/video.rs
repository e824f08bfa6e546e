//! Video tag bodies (E.4.3) with H.264.
//!
//! ```text
//!  byte 0               byte 1          bytes 2–4                  from byte 5
//!  FrameType | CodecID  AVCPacketType   CompositionTime (SI24)     payload
//! ```

use super::{BodyError, Head};
use crate::media::{Frame, Kind, Track};

const CODEC_AVC: u8 = 7;
const SEQUENCE_HEADER: u8 = 0;
const ACCESS_UNIT: u8 = 1;
const END_OF_SEQUENCE: u8 = 2;
/// Enhanced RTMP takes the first bit, which `FrameType` never used.
const IS_ENHANCED: u8 = 0x80;

/// `FrameType` (E.4.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum FrameType {
    /// Decoding can start here.
    Key = 1,
    /// Refers to other frames.
    Inter = 2,
    /// No other frame refers to it. Defined for H.263; never sent for H.264, understood if it is.
    DisposableInter = 3,
    /// Made by a server.
    GeneratedKey = 4,
    /// No picture, but one byte of command to a player.
    Command = 5,
}

/// What a video tag carries (`AVCPacketType`, E.4.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet {
    /// `AVCDecoderConfigurationRecord`.
    SequenceHeader,
    /// NAL units of one picture, each after its length.
    AccessUnit,
    /// Nothing; the sequence is over.
    EndOfSequence,
    /// A command to a player, without an H.264 head.
    Command,
}

/// The head of a video tag body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoTag {
    /// What the sender says about the frame.
    pub frame_type: FrameType,
    /// What the payload is.
    pub packet: Packet,
    /// Presentation minus decoding time in ms; 0 unless the packet is an access unit.
    pub composition_time_ms: i32,
    /// Where in the body the payload begins; never beyond its end.
    pub payload_offset: usize,
}

impl VideoTag {
    /// The kind of frame the body carries; `None` when it has nothing to decode.
    pub fn kind(&self) -> Option<Kind> {
        match (self.packet, self.frame_type) {
            (Packet::SequenceHeader, _) => Some(Kind::VideoConfig),
            (Packet::AccessUnit, FrameType::Key | FrameType::GeneratedKey) => Some(Kind::VideoKey),
            (Packet::AccessUnit, FrameType::DisposableInter) => Some(Kind::VideoDisposable),
            (Packet::AccessUnit, _) => Some(Kind::VideoDelta),
            (Packet::EndOfSequence | Packet::Command, _) => None,
        }
    }
}

/// What stands in front of the payload of a video `frame`.
///
/// Disposable frames are marked as inter frames: type 3 is for H.263 only (E.4.3.1).
/// `composition_time_ms` is clamped to 24 signed bits; configuration always has 0.
pub fn tag_head(frame: &Frame, composition_time_ms: i32) -> Head {
    debug_assert_eq!(frame.track(), Track::Video);
    let (frame_type, packet, composition_time_ms) = match frame.kind {
        Kind::VideoConfig => (FrameType::Key, SEQUENCE_HEADER, 0),
        Kind::VideoKey => (FrameType::Key, ACCESS_UNIT, composition_time_ms),
        _ => (FrameType::Inter, ACCESS_UNIT, composition_time_ms),
    };
    let [_, high, middle, low] = composition_time_ms.clamp(-0x80_0000, 0x7F_FFFF).to_be_bytes();
    Head::of([(frame_type as u8) << 4 | CODEC_AVC, packet, high, middle, low])
}

/// Reads the head of a video tag body.
///
/// # Errors
/// [`BodyError`] when the codec is not H.264, a type is unknown or the body is cut short.
pub fn parse(body: &[u8]) -> Result<VideoTag, BodyError> {
    let &first = body.first().ok_or(BodyError::TooShort)?;
    if first & IS_ENHANCED != 0 {
        return Err(BodyError::EnhancedVideo);
    }
    let frame_type = match first >> 4 {
        1 => FrameType::Key,
        2 => FrameType::Inter,
        3 => FrameType::DisposableInter,
        4 => FrameType::GeneratedKey,
        5 => FrameType::Command,
        frame_type => return Err(BodyError::FrameType { frame_type }),
    };
    if frame_type == FrameType::Command {
        let (packet, composition_time_ms, payload_offset) = (Packet::Command, 0, 1);
        return Ok(VideoTag { frame_type, packet, composition_time_ms, payload_offset });
    }
    if first & 0x0F != CODEC_AVC {
        return Err(BodyError::VideoCodec { codec_id: first & 0x0F });
    }
    let &[_, packet_type, high, middle, low, ..] = body else { return Err(BodyError::TooShort) };
    let packet = match packet_type {
        SEQUENCE_HEADER => Packet::SequenceHeader,
        ACCESS_UNIT => Packet::AccessUnit,
        END_OF_SEQUENCE => Packet::EndOfSequence,
        packet_type => return Err(BodyError::PacketType { packet_type }),
    };
    let composition_time_ms = match packet {
        Packet::AccessUnit => i32::from_be_bytes([high, middle, low, 0]) >> 8, // keeps the sign
        _ => 0,
    };
    Ok(VideoTag { frame_type, packet, composition_time_ms, payload_offset: 5 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Codec;

    fn head_of(kind: Kind, composition_time_ms: i32) -> Vec<u8> {
        let payload = bytes::Bytes::new();
        let frame = Frame { kind, codec: Codec::Avc, pts_ns: 0, dts_ns: 0, payload };
        tag_head(&frame, composition_time_ms).as_slice().to_vec()
    }

    #[test]
    fn each_kind_has_its_head() {
        assert_eq!(head_of(Kind::VideoConfig, 80), [0x17, 0x00, 0x00, 0x00, 0x00]);
        assert_eq!(head_of(Kind::VideoKey, 80), [0x17, 0x01, 0x00, 0x00, 0x50]);
        assert_eq!(head_of(Kind::VideoDelta, 0), [0x27, 0x01, 0x00, 0x00, 0x00]);
        assert_eq!(head_of(Kind::VideoDisposable, 1), [0x27, 0x01, 0x00, 0x00, 0x01]);
    }

    #[test]
    fn composition_time_is_signed_and_clamped_to_24_bits() {
        let cases = [
            (-1, [0xFF, 0xFF, 0xFF]),
            (0x7F_FFFF, [0x7F, 0xFF, 0xFF]),
            (-0x80_0000, [0x80, 0x00, 0x00]),
            (i32::MAX, [0x7F, 0xFF, 0xFF]),
            (i32::MIN, [0x80, 0x00, 0x00]),
        ];
        for (ms, bytes) in cases {
            let head = head_of(Kind::VideoDelta, ms);
            assert_eq!(head[2..], bytes, "{ms} ms");
            let parsed = parse(&head).map(|tag| tag.composition_time_ms);
            assert_eq!(parsed, Ok(ms.clamp(-0x80_0000, 0x7F_FFFF)));
        }
    }

    #[test]
    fn what_is_sent_is_understood() {
        for kind in [Kind::VideoConfig, Kind::VideoKey, Kind::VideoDelta] {
            let tag = parse(&head_of(kind, 33));
            assert_eq!(tag.map(|tag| tag.kind()), Ok(Some(kind)));
            assert_eq!(tag.map(|tag| tag.payload_offset), Ok(5));
        }
        let disposable = parse(&[0x37, 1, 0, 0, 0]).map(|tag| tag.kind());
        assert_eq!(disposable, Ok(Some(Kind::VideoDisposable)));
        let generated = parse(&[0x47, 1, 0, 0, 0]).map(|tag| tag.kind());
        assert_eq!(generated, Ok(Some(Kind::VideoKey)));
    }

    #[test]
    fn what_is_not_h264_is_named() {
        assert_eq!(parse(&[0x12, 0, 0, 0, 0]), Err(BodyError::VideoCodec { codec_id: 2 }));
        assert_eq!(parse(b"\x90hvc1"), Err(BodyError::EnhancedVideo));
        assert_eq!(parse(&[0x07, 0, 0, 0, 0]), Err(BodyError::FrameType { frame_type: 0 }));
        assert_eq!(parse(&[0x17, 3, 0, 0, 0]), Err(BodyError::PacketType { packet_type: 3 }));
    }

    #[test]
    fn any_head_gives_a_value_or_an_error_and_the_payload_lies_inside() {
        for first in 0..=u8::MAX {
            for packet in 0..=u8::MAX {
                let body = [first, packet, 0x80, 1, 2, 3];
                for len in 0..=body.len() {
                    if let Ok(tag) = parse(&body[..len]) {
                        assert!(tag.payload_offset <= len);
                    }
                }
            }
        }
        for len in 0..5 {
            assert_eq!(parse(&[0x17, 1, 0, 0, 0][..len]), Err(BodyError::TooShort));
        }
    }
}
