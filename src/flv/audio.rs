//! Audio tag bodies (E.4.2) with AAC.
//!
//! ```text
//!  byte 0                                         byte 1          from byte 2
//!  SoundFormat | SoundRate | SoundSize | SoundType  AACPacketType  payload
//! ```

use super::{BodyError, Head};
use crate::media::{Frame, Kind, Track};

const FORMAT_AAC: u8 = 10;
/// AAC, 44 kHz, 16 bit, stereo: for AAC these are always said, whatever the sound is, and players
/// look into the `AudioSpecificConfig` (E.4.2.1, at `SoundFormat`).
const AAC: u8 = FORMAT_AAC << 4 | 0b1111;
const SEQUENCE_HEADER: u8 = 0;
const ACCESS_UNIT: u8 = 1;

/// What an audio tag carries (`AACPacketType`, E.4.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet {
    /// `AudioSpecificConfig`.
    SequenceHeader,
    /// One raw AAC access unit.
    AccessUnit,
}

/// The head of an audio tag body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioTag {
    /// What the payload is.
    pub packet: Packet,
    /// Where in the body the payload begins; never beyond its end.
    pub payload_offset: usize,
}

impl AudioTag {
    /// The kind of frame the body carries.
    pub fn kind(&self) -> Kind {
        match self.packet {
            Packet::SequenceHeader => Kind::AudioConfig,
            Packet::AccessUnit => Kind::Audio,
        }
    }
}

/// What stands in front of the payload of an audio `frame`; sound has no composition time.
pub fn tag_head(frame: &Frame) -> Head {
    debug_assert_eq!(frame.track(), Track::Audio);
    let packet = match frame.kind {
        Kind::AudioConfig => SEQUENCE_HEADER,
        _ => ACCESS_UNIT,
    };
    Head::of([AAC, packet])
}

/// Reads the head of an audio tag body.
///
/// # Errors
/// [`BodyError`] when the codec is not AAC, the packet type is unknown or the body is cut short.
pub fn parse(body: &[u8]) -> Result<AudioTag, BodyError> {
    let &first = body.first().ok_or(BodyError::TooShort)?;
    let sound_format = first >> 4;
    if sound_format != FORMAT_AAC {
        return Err(BodyError::AudioCodec { sound_format });
    }
    let packet = match body.get(1) {
        None => return Err(BodyError::TooShort),
        Some(&SEQUENCE_HEADER) => Packet::SequenceHeader,
        Some(&ACCESS_UNIT) => Packet::AccessUnit,
        Some(&packet_type) => return Err(BodyError::PacketType { packet_type }),
    };
    Ok(AudioTag { packet, payload_offset: 2 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Codec;

    fn head_of(kind: Kind) -> Vec<u8> {
        let payload = bytes::Bytes::new();
        let frame = Frame { kind, codec: Codec::Aac, pts_ns: 0, dts_ns: 0, payload };
        tag_head(&frame).as_slice().to_vec()
    }

    #[test]
    fn each_kind_has_its_head() {
        assert_eq!(head_of(Kind::AudioConfig), [0xAF, 0x00]);
        assert_eq!(head_of(Kind::Audio), [0xAF, 0x01]);
    }

    #[test]
    fn what_is_sent_is_understood() {
        for kind in [Kind::AudioConfig, Kind::Audio] {
            assert_eq!(parse(&head_of(kind)).map(|tag| tag.kind()), Ok(kind));
        }
    }

    #[test]
    fn rate_size_and_channels_of_the_head_are_not_looked_at() {
        let packets = (0xA0..=0xAF).map(|first| parse(&[first, 1]).map(|tag| tag.packet));
        assert!(packets.into_iter().all(|packet| packet == Ok(Packet::AccessUnit)));
    }

    #[test]
    fn any_head_gives_a_value_or_an_error() {
        assert_eq!(parse(&[]), Err(BodyError::TooShort));
        assert_eq!(parse(&[0xAF]), Err(BodyError::TooShort));
        assert_eq!(parse(&[0xAF, 2]), Err(BodyError::PacketType { packet_type: 2 }));
        assert_eq!(parse(&[0x2F, 0]), Err(BodyError::AudioCodec { sound_format: 2 }));
        assert_eq!(parse(b"\x90mp4a"), Err(BodyError::AudioCodec { sound_format: 9 }));
    }
}
