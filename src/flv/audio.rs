//! Audio tag bodies: AAC as in E.4.2, Opus as in Enhanced RTMP v2, "Enhanced Audio".
//!
//! ```text
//!  byte 0                                         byte 1          from byte 2
//!  SoundFormat | SoundRate | SoundSize | SoundType  AACPacketType  payload
//!
//!  byte 0                        bytes 1–4   from byte 5
//!  ExHeader (9) | PacketType     FOURCC      payload
//! ```
//!
//! AAC is always sent in the legacy form, which every server reads. Both forms are read; of Enhanced
//! RTMP also ModEx packets, but not Multitrack.

use super::enhanced::Cursor;
use super::error::BodyError;
use super::four_cc::FourCc;
use super::head::Head;
use crate::media::{Codec, Frame, Kind, Track};

const FORMAT_AAC: u8 = 10;
/// AAC, 44 kHz, 16 bit, stereo: constant for AAC, whatever the audio is, and players look into the `AudioSpecificConfig` (E.4.2.1, at `SoundFormat`).
const AAC: u8 = FORMAT_AAC << 4 | 0b1111;
const SEQUENCE_HEADER: u8 = 0;
const ACCESS_UNIT: u8 = 1;

/// `SoundFormat.ExHeader`.
const FORMAT_ENHANCED: u8 = 9;
/// `AudioPacketType`.
mod packet_type {
    pub const SEQUENCE_START: u8 = 0;
    pub const CODED_FRAMES: u8 = 1;
    pub const SEQUENCE_END: u8 = 2;
    pub const MULTICHANNEL_CONFIG: u8 = 4;
    pub const MULTITRACK: u8 = 5;
}

/// What an audio tag carries (`AACPacketType`, E.4.2.1; `AudioPacketType`, "Enhanced Audio").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet {
    /// The codec's configuration.
    SequenceHeader,
    /// One access unit.
    AccessUnit,
    /// Nothing; the sequence has ended, silence follows.
    EndOfSequence,
    /// Which speakers the channels are for.
    MultichannelConfig,
}

/// The head of an audio tag body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioTag {
    /// How the payload is coded.
    pub codec: Codec,
    /// What the payload is.
    pub packet: Packet,
    /// How much later than the tag's time the presentation is, in nanoseconds below a millisecond.
    pub nano_offset: u32,
    /// Where in the body the payload begins; never beyond its end.
    pub payload_offset: usize,
}

impl AudioTag {
    /// The kind of frame the body carries; `None` when it has nothing to decode.
    pub fn kind(&self) -> Option<Kind> {
        match self.packet {
            Packet::SequenceHeader => Some(Kind::AudioConfig),
            Packet::AccessUnit => Some(Kind::Audio),
            Packet::EndOfSequence | Packet::MultichannelConfig => None,
        }
    }
}

/// What stands in front of the payload of an audio `frame`; audio has no composition time.
pub fn tag_head(frame: &Frame) -> Head {
    debug_assert_eq!((frame.track(), frame.codec.track()), (Track::Audio, Track::Audio));
    let is_config = frame.kind.is_config();
    if frame.codec == Codec::Aac {
        return Head::of([AAC, if is_config { SEQUENCE_HEADER } else { ACCESS_UNIT }]);
    }
    let packet = if is_config { packet_type::SEQUENCE_START } else { packet_type::CODED_FRAMES };
    let FourCc([a, b, c, d]) = FourCc::of(frame.codec);
    Head::of([FORMAT_ENHANCED << 4 | packet, a, b, c, d])
}

/// Reads the head of an audio tag body.
///
/// # Errors
/// [`BodyError`] when the codec is none of [`Codec`], the packet type is unknown, the tag carries
/// several tracks, or the body is cut short.
pub fn parse(body: &[u8]) -> Result<AudioTag, BodyError> {
    let mut head = Cursor::new(body);
    let first = head.byte()?;
    match first >> 4 {
        FORMAT_AAC => {
            let packet = match head.byte()? {
                SEQUENCE_HEADER => Packet::SequenceHeader,
                ACCESS_UNIT => Packet::AccessUnit,
                packet_type => return Err(BodyError::PacketType { packet_type }),
            };
            let payload_offset = head.at();
            Ok(AudioTag { codec: Codec::Aac, packet, nano_offset: 0, payload_offset })
        }
        FORMAT_ENHANCED => enhanced(head, first),
        sound_format => Err(BodyError::AudioCodec { sound_format }),
    }
}

/// `ExAudioTagHeader` ("Enhanced Audio").
fn enhanced(mut head: Cursor<'_>, first: u8) -> Result<AudioTag, BodyError> {
    let (packet_type, nano_offset) = head.packet_type(first)?;
    if packet_type == packet_type::MULTITRACK {
        return Err(BodyError::Multitrack);
    }
    let four_cc = head.four_cc()?;
    let codec = four_cc.codec().filter(|codec| codec.track() == Track::Audio);
    let codec = codec.ok_or(BodyError::FourCc { track: Track::Audio, four_cc })?;
    let packet = match packet_type {
        packet_type::SEQUENCE_START => Packet::SequenceHeader,
        packet_type::CODED_FRAMES => Packet::AccessUnit,
        packet_type::SEQUENCE_END => Packet::EndOfSequence,
        packet_type::MULTICHANNEL_CONFIG => Packet::MultichannelConfig,
        packet_type => return Err(BodyError::PacketType { packet_type }),
    };
    Ok(AudioTag { codec, packet, nano_offset, payload_offset: head.at() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head_of(codec: Codec, kind: Kind) -> Vec<u8> {
        let payload = bytes::Bytes::new();
        let frame = Frame { kind, codec, pts_ns: 0, dts_ns: 0, payload };
        tag_head(&frame).as_slice().to_vec()
    }

    #[test]
    fn each_kind_has_its_head() {
        assert_eq!(head_of(Codec::Aac, Kind::AudioConfig), [0xAF, 0x00]);
        assert_eq!(head_of(Codec::Aac, Kind::Audio), [0xAF, 0x01]);
        assert_eq!(head_of(Codec::Opus, Kind::AudioConfig), b"\x90Opus");
        assert_eq!(head_of(Codec::Opus, Kind::Audio), b"\x91Opus");
    }

    #[test]
    fn what_is_sent_is_understood() {
        for codec in [Codec::Aac, Codec::Opus] {
            for kind in [Kind::AudioConfig, Kind::Audio] {
                let head = head_of(codec, kind);
                let tag = parse(&head).expect("our own head");
                assert_eq!((tag.codec, tag.kind()), (codec, Some(kind)));
                assert_eq!((tag.payload_offset, tag.nano_offset), (head.len(), 0));
            }
        }
    }

    /// "Enhanced Audio", what others send and we do not.
    #[test]
    fn what_only_others_send_is_understood() {
        let tag = |body| parse(body).map(|tag| (tag.codec, tag.packet, tag.payload_offset));
        assert_eq!(tag(b"\x90mp4a\x11\x90"), Ok((Codec::Aac, Packet::SequenceHeader, 5)));
        assert_eq!(tag(b"\x91mp4a\x21"), Ok((Codec::Aac, Packet::AccessUnit, 5)));
        assert_eq!(tag(b"\x92Opus"), Ok((Codec::Opus, Packet::EndOfSequence, 5)));
        let stereo = b"\x94Opus\x01\x02\x00\x00\x00\x03"; // native order, left and right
        assert_eq!(tag(stereo), Ok((Codec::Opus, Packet::MultichannelConfig, 5)));
        assert_eq!(parse(stereo).map(|tag| tag.kind()), Ok(None));
    }

    #[test]
    fn nanoseconds_are_read() {
        let tag = parse(b"\x97\x02\x01\x00\x00\x01Opus\xFC").expect("CodedFrames behind ModEx");
        assert_eq!((tag.nano_offset, tag.payload_offset), (0x1_0000, 10));
    }

    #[test]
    fn rate_size_and_channels_of_the_head_are_not_looked_at() {
        let packets = (0xA0..=0xAF).map(|first| parse(&[first, 1]).map(|tag| tag.packet));
        assert!(packets.into_iter().all(|packet| packet == Ok(Packet::AccessUnit)));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        let error = |body: &[u8]| parse(body).expect_err("not to be understood");
        assert_eq!(error(&[0xAF, 2]), BodyError::PacketType { packet_type: 2 });
        assert_eq!(error(&[0x2F, 0]), BodyError::AudioCodec { sound_format: 2 });
        assert_eq!(error(b"\x93Opus"), BodyError::PacketType { packet_type: 3 });
        assert_eq!(error(b"\x95\x01Opus"), BodyError::Multitrack);
        let audio =
            |code: &[u8; 4]| BodyError::FourCc { track: Track::Audio, four_cc: FourCc(*code) };
        assert_eq!(error(b"\x91fLaC"), audio(b"fLaC"));
        assert_eq!(error(b"\x91hvc1"), audio(b"hvc1"));
    }

    #[test]
    fn a_head_cut_anywhere_is_too_short() {
        for head in [&[0xAF, 1][..], b"\x91Opus", b"\x97\x02\x00\x00\x09\x01mp4a"] {
            for len in 0..head.len() {
                assert_eq!(parse(&head[..len]), Err(BodyError::TooShort), "{head:02x?} {len}");
            }
        }
    }
}
