//! Video tag bodies: H.264 as in E.4.3, the other codecs as in Enhanced RTMP v2, "Enhanced Video".
//!
//! ```text
//!  byte 0               byte 1          bytes 2–4                  from byte 5
//!  FrameType | CodecID  AVCPacketType   CompositionTime (SI24)     payload
//!
//!  byte 0                            bytes 1–4   bytes 5–7, CodedFrames of hvc1 and avc1
//!  1 | VideoFrameType | PacketType   FOURCC      CompositionTime (SI24)            payload
//! ```
//!
//! H.264 is always sent in the old form, which every server knows. In both forms it is understood;
//! of Enhanced RTMP also ModEx packets, but not Multitrack.

use super::enhanced::Cursor;
use super::error::BodyError;
use super::four_cc::FourCc;
use super::head::Head;
use crate::media::{Codec, Frame, Kind, Track};

const CODEC_AVC: u8 = 7;
const SEQUENCE_HEADER: u8 = 0;
const ACCESS_UNIT: u8 = 1;
const END_OF_SEQUENCE: u8 = 2;

/// `isExVideoHeader`; `FrameType` never used this bit.
const IS_ENHANCED: u8 = 0x80;
/// `VideoPacketType`.
mod packet_type {
    pub const SEQUENCE_START: u8 = 0;
    pub const CODED_FRAMES: u8 = 1;
    pub const SEQUENCE_END: u8 = 2;
    /// As `CODED_FRAMES`, with a composition time of 0 that is left out.
    pub const CODED_FRAMES_X: u8 = 3;
    pub const METADATA: u8 = 4;
    pub const MPEG2_TS_SEQUENCE_START: u8 = 5;
    pub const MULTITRACK: u8 = 6;
}
/// `VideoFrameType.Command`.
const FRAME_TYPE_COMMAND: u8 = 5;

/// `FrameType` (E.4.3.1) of an access unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum FrameType {
    /// Decoding can start here.
    Key = 1,
    /// Refers to other frames.
    Inter = 2,
    /// No other frame refers to it. Defined for H.263; never sent, understood if it is.
    DisposableInter = 3,
    /// Made by a server.
    GeneratedKey = 4,
}

/// What a video tag carries (`AVCPacketType`, E.4.3.1; `VideoPacketType`, "Enhanced Video").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet {
    /// The codec's configuration record.
    SequenceHeader,
    /// One frame.
    AccessUnit(FrameType),
    /// Nothing; the sequence is over.
    EndOfSequence,
    /// A command to a player, without a codec.
    Command,
    /// AMF values about what follows, such as its colours.
    Metadata,
    /// An `AV1VideoDescriptor`: the configuration as MPEG-2 transport streams have it.
    TransportStreamHeader,
}

/// The head of a video tag body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoTag {
    /// How the payload is coded; `None` of a command.
    pub codec: Option<Codec>,
    /// What the payload is.
    pub packet: Packet,
    /// Presentation minus decoding time in ms; 0 unless the packet is an access unit.
    pub composition_time_ms: i32,
    /// What the presentation is later than that, in nanoseconds below a millisecond.
    pub nano_offset: u32,
    /// Where in the body the payload begins; never beyond its end.
    pub payload_offset: usize,
}

impl VideoTag {
    fn without_times(codec: Option<Codec>, packet: Packet, payload_offset: usize) -> VideoTag {
        VideoTag { codec, packet, composition_time_ms: 0, nano_offset: 0, payload_offset }
    }

    /// The kind of frame the body carries; `None` when it has nothing to decode.
    pub fn kind(&self) -> Option<Kind> {
        match self.packet {
            Packet::SequenceHeader | Packet::TransportStreamHeader => Some(Kind::VideoConfig),
            Packet::AccessUnit(FrameType::Key | FrameType::GeneratedKey) => Some(Kind::VideoKey),
            Packet::AccessUnit(FrameType::DisposableInter) => Some(Kind::VideoDisposable),
            Packet::AccessUnit(FrameType::Inter) => Some(Kind::VideoDelta),
            Packet::EndOfSequence | Packet::Command | Packet::Metadata => None,
        }
    }
}

/// What stands in front of the payload of a video `frame`.
///
/// Disposable frames are marked as inter frames: type 3 is for H.263 only (E.4.3.1).
/// `composition_time_ms` is clamped to 24 signed bits; configuration always has 0, and AV1 and VP9
/// have no field for it.
pub fn tag_head(frame: &Frame, composition_time_ms: i32) -> Head {
    debug_assert_eq!((frame.track(), frame.codec.track()), (Track::Video, Track::Video));
    let frame_type = match frame.kind {
        Kind::VideoConfig | Kind::VideoKey => FrameType::Key,
        _ => FrameType::Inter,
    };
    let is_config = frame.kind.is_config();
    let composition_time_ms = if is_config { 0 } else { composition_time_ms };
    let [_, high, middle, low] = composition_time_ms.clamp(-0x80_0000, 0x7F_FFFF).to_be_bytes();
    let enhanced = |packet_type: u8| IS_ENHANCED | (frame_type as u8) << 4 | packet_type;
    let FourCc([a, b, c, d]) = FourCc::of(frame.codec);
    match frame.codec {
        Codec::Avc => {
            let packet = if is_config { SEQUENCE_HEADER } else { ACCESS_UNIT };
            Head::of([(frame_type as u8) << 4 | CODEC_AVC, packet, high, middle, low])
        }
        _ if is_config => Head::of([enhanced(packet_type::SEQUENCE_START), a, b, c, d]),
        Codec::Hevc if composition_time_ms == 0 => {
            Head::of([enhanced(packet_type::CODED_FRAMES_X), a, b, c, d])
        }
        Codec::Hevc => {
            Head::of([enhanced(packet_type::CODED_FRAMES), a, b, c, d, high, middle, low])
        }
        _ => Head::of([enhanced(packet_type::CODED_FRAMES), a, b, c, d]),
    }
}

/// Reads the head of a video tag body.
///
/// # Errors
/// [`BodyError`] when the codec is none of [`Codec`], a type is unknown, the tag carries several
/// tracks, or the body is cut short.
pub fn parse(body: &[u8]) -> Result<VideoTag, BodyError> {
    let mut head = Cursor::new(body);
    let first = head.byte()?;
    if first & IS_ENHANCED != 0 { enhanced(head, first) } else { legacy(head, first) }
}

/// `VideoTagHeader` (E.4.3.1).
fn legacy(mut head: Cursor<'_>, first: u8) -> Result<VideoTag, BodyError> {
    let Some(frame_type) = frame_type(first)? else {
        return Ok(VideoTag::without_times(None, Packet::Command, head.at()));
    };
    if first & 0x0F != CODEC_AVC {
        return Err(BodyError::VideoCodec { codec_id: first & 0x0F });
    }
    let (packet_type, time) = (head.byte()?, head.signed_24()?);
    let (packet, composition_time_ms) = match packet_type {
        SEQUENCE_HEADER => (Packet::SequenceHeader, 0),
        ACCESS_UNIT => (Packet::AccessUnit(frame_type), time),
        END_OF_SEQUENCE => (Packet::EndOfSequence, 0),
        packet_type => return Err(BodyError::PacketType { packet_type }),
    };
    let tag = VideoTag::without_times(Some(Codec::Avc), packet, head.at());
    Ok(VideoTag { composition_time_ms, ..tag })
}

/// `ExVideoTagHeader` and the composition time of `ExVideoTagBody` ("Enhanced Video").
fn enhanced(mut head: Cursor<'_>, first: u8) -> Result<VideoTag, BodyError> {
    let (packet_type, nano_offset) = head.packet_type(first)?;
    let is_metadata = packet_type == packet_type::METADATA; // its frame type has no meaning
    let frame_type = if is_metadata {
        FrameType::Inter
    } else {
        match frame_type(first)? {
            Some(frame_type) => frame_type,
            None => return Ok(VideoTag::without_times(None, Packet::Command, head.at())),
        }
    };
    if packet_type == packet_type::MULTITRACK {
        return Err(BodyError::Multitrack);
    }
    let four_cc = head.four_cc()?;
    let codec = four_cc.codec().filter(|codec| codec.track() == Track::Video);
    let codec = codec.ok_or(BodyError::FourCc { track: Track::Video, four_cc })?;
    let has_time = matches!(codec, Codec::Avc | Codec::Hevc);
    let mut composition_time_ms = 0;
    let packet = match packet_type {
        packet_type::SEQUENCE_START => Packet::SequenceHeader,
        packet_type::CODED_FRAMES => {
            composition_time_ms = if has_time { head.signed_24()? } else { 0 };
            Packet::AccessUnit(frame_type)
        }
        packet_type::SEQUENCE_END => Packet::EndOfSequence,
        packet_type::CODED_FRAMES_X => Packet::AccessUnit(frame_type),
        packet_type::METADATA => Packet::Metadata,
        packet_type::MPEG2_TS_SEQUENCE_START if codec == Codec::Av1 => {
            Packet::TransportStreamHeader
        }
        packet_type => return Err(BodyError::PacketType { packet_type }),
    };
    let tag = VideoTag::without_times(Some(codec), packet, head.at());
    Ok(VideoTag { composition_time_ms, nano_offset, ..tag })
}

/// The three bits below the first; `None` is a command.
fn frame_type(first: u8) -> Result<Option<FrameType>, BodyError> {
    Ok(Some(match first >> 4 & 0b111 {
        1 => FrameType::Key,
        2 => FrameType::Inter,
        3 => FrameType::DisposableInter,
        4 => FrameType::GeneratedKey,
        FRAME_TYPE_COMMAND => return Ok(None),
        frame_type => return Err(BodyError::FrameType { frame_type }),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head_of(codec: Codec, kind: Kind, composition_time_ms: i32) -> Vec<u8> {
        let payload = bytes::Bytes::new();
        let frame = Frame { kind, codec, pts_ns: 0, dts_ns: 0, payload };
        tag_head(&frame, composition_time_ms).as_slice().to_vec()
    }

    fn error(body: &[u8]) -> BodyError {
        parse(body).expect_err("not to be understood")
    }

    /// "Enhanced Video": `isExVideoHeader`, `videoFrameType` and `videoPacketType` in the first
    /// byte, the FOURCC, and `compositionTimeOffset` where `ExVideoTagBody` reads one.
    const ENHANCED: &[(Codec, Kind, i32, &[u8])] = &[
        (Codec::Hevc, Kind::VideoConfig, 80, b"\x90hvc1"),
        (Codec::Hevc, Kind::VideoKey, 80, b"\x91hvc1\x00\x00\x50"),
        (Codec::Hevc, Kind::VideoKey, 0, b"\x93hvc1"),
        (Codec::Hevc, Kind::VideoDelta, -1, b"\xA1hvc1\xFF\xFF\xFF"),
        (Codec::Hevc, Kind::VideoDelta, i32::MAX, b"\xA1hvc1\x7F\xFF\xFF"),
        (Codec::Hevc, Kind::VideoDelta, 0, b"\xA3hvc1"),
        (Codec::Av1, Kind::VideoConfig, 0, b"\x90av01"),
        (Codec::Av1, Kind::VideoKey, 0, b"\x91av01"),
        (Codec::Av1, Kind::VideoDelta, 0, b"\xA1av01"),
        (Codec::Vp9, Kind::VideoConfig, 0, b"\x90vp09"),
        (Codec::Vp9, Kind::VideoKey, 0, b"\x91vp09"),
        (Codec::Vp9, Kind::VideoDelta, 0, b"\xA1vp09"),
    ];

    #[test]
    fn each_kind_has_its_head() {
        let head_of = |kind, ms| head_of(Codec::Avc, kind, ms);
        assert_eq!(head_of(Kind::VideoConfig, 80), [0x17, 0x00, 0x00, 0x00, 0x00]);
        assert_eq!(head_of(Kind::VideoKey, 80), [0x17, 0x01, 0x00, 0x00, 0x50]);
        assert_eq!(head_of(Kind::VideoDelta, 0), [0x27, 0x01, 0x00, 0x00, 0x00]);
        assert_eq!(head_of(Kind::VideoDisposable, 1), [0x27, 0x01, 0x00, 0x00, 0x01]);
    }

    #[test]
    fn each_kind_of_the_newer_codecs_has_its_head() {
        for &(codec, kind, ms, head) in ENHANCED {
            assert_eq!(head_of(codec, kind, ms), head, "{codec:?} {kind:?} {ms} ms");
        }
        assert_eq!(head_of(Codec::Av1, Kind::VideoDisposable, 40), b"\xA1av01", "no field");
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
        for (codec, start) in [(Codec::Avc, 2), (Codec::Hevc, 5)] {
            for (ms, bytes) in cases {
                let head = head_of(codec, Kind::VideoDelta, ms);
                assert_eq!(head[start..], bytes, "{ms} ms");
                let parsed = parse(&head).map(|tag| tag.composition_time_ms);
                assert_eq!(parsed, Ok(ms.clamp(-0x80_0000, 0x7F_FFFF)));
            }
        }
    }

    #[test]
    fn what_is_sent_is_understood() {
        for codec in [Codec::Avc, Codec::Hevc, Codec::Av1, Codec::Vp9] {
            for kind in [Kind::VideoConfig, Kind::VideoKey, Kind::VideoDelta] {
                for ms in [-0x80_0000, -40, 0, 33, 0x7F_FFFF] {
                    let head = head_of(codec, kind, ms);
                    let has_time = matches!(codec, Codec::Avc | Codec::Hevc) && !kind.is_config();
                    let tag = parse(&head).expect("our own head");
                    assert_eq!((tag.codec, tag.kind()), (Some(codec), Some(kind)));
                    assert_eq!(tag.composition_time_ms, if has_time { ms } else { 0 });
                    assert_eq!((tag.payload_offset, tag.nano_offset), (head.len(), 0));
                }
            }
        }
        let disposable = parse(&[0x37, 1, 0, 0, 0]).map(|tag| tag.kind());
        assert_eq!(disposable, Ok(Some(Kind::VideoDisposable)));
        let generated = parse(&[0x47, 1, 0, 0, 0]).map(|tag| tag.kind());
        assert_eq!(generated, Ok(Some(Kind::VideoKey)));
    }

    /// `ExVideoTagBody`, what others send and we do not.
    #[test]
    fn what_only_others_send_is_understood() {
        let tag = |body| parse(body).map(|tag| (tag.codec, tag.packet, tag.payload_offset));
        let avc = |packet, offset| Ok((Some(Codec::Avc), packet, offset));
        assert_eq!(tag(b"\x90avc1\x01"), avc(Packet::SequenceHeader, 5));
        assert_eq!(tag(b"\x91avc1\x00\x00\x21"), avc(Packet::AccessUnit(FrameType::Key), 8));
        assert_eq!(tag(b"\xA3avc1"), avc(Packet::AccessUnit(FrameType::Inter), 5));
        let key = Packet::AccessUnit(FrameType::Key);
        assert_eq!(tag(b"\x93av01\x0A"), Ok((Some(Codec::Av1), key, 5)));
        assert_eq!(tag(b"\x92hvc1"), Ok((Some(Codec::Hevc), Packet::EndOfSequence, 5)));
        assert_eq!(tag(b"\x95av01\x80"), Ok((Some(Codec::Av1), Packet::TransportStreamHeader, 5)));
        assert_eq!(tag(b"\xD1\x00"), Ok((None, Packet::Command, 1)));
    }

    #[test]
    fn metadata_is_recognised_whatever_its_frame_type_says() {
        for frame_type in 0..8 {
            let tag = parse(&[0x84 | frame_type << 4, b'h', b'v', b'c', b'1', 2]);
            assert_eq!(tag.map(|tag| (tag.packet, tag.payload_offset)), Ok((Packet::Metadata, 5)));
            assert_eq!(tag.map(|tag| tag.kind()), Ok(None));
        }
    }

    #[test]
    fn nanoseconds_and_composition_time_go_together() {
        let body = b"\xA7\x02\x00\x01\x02\x01hvc1\x00\x00\x21\xEE";
        let tag = parse(body).expect("CodedFrames behind ModEx");
        assert_eq!((tag.composition_time_ms, tag.nano_offset), (33, 0x102));
        assert_eq!((tag.kind(), tag.payload_offset), (Some(Kind::VideoDelta), body.len() - 1));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        assert_eq!(error(&[0x12, 0, 0, 0, 0]), BodyError::VideoCodec { codec_id: 2 });
        assert_eq!(error(&[0x1C, 0, 0, 0, 0]), BodyError::VideoCodec { codec_id: 12 });
        assert_eq!(error(&[0x07, 0, 0, 0, 0]), BodyError::FrameType { frame_type: 0 });
        assert_eq!(error(&[0x17, 3, 0, 0, 0]), BodyError::PacketType { packet_type: 3 });
        assert_eq!(error(b"\x80hvc1"), BodyError::FrameType { frame_type: 0 });
        assert_eq!(error(b"\x98hvc1"), BodyError::PacketType { packet_type: 8 });
        assert_eq!(error(b"\x95hvc1"), BodyError::PacketType { packet_type: 5 });
        assert_eq!(error(b"\x96\x01hvc1"), BodyError::Multitrack);
        assert_eq!(error(b"\x97\x00\x00\x16\x20"), BodyError::Multitrack, "behind ModEx");
        let video =
            |code: &[u8; 4]| BodyError::FourCc { track: Track::Video, four_cc: FourCc(*code) };
        assert_eq!(error(b"\x90vp08"), video(b"vp08"));
        assert_eq!(error(b"\x90Opus"), video(b"Opus"));
        let message = "the codec \"vp08\" of this video tag is not supported";
        assert_eq!(error(b"\x90vp08").to_string(), message);
    }

    #[test]
    fn any_head_gives_a_value_or_an_error_and_the_payload_lies_inside() {
        let codes = [Codec::Avc, Codec::Hevc, Codec::Av1, Codec::Vp9, Codec::Opus].map(FourCc::of);
        for first in 0..=u8::MAX {
            for second in 0..=u8::MAX {
                let FourCc(code) = codes[usize::from(second) % codes.len()];
                for body in [[first, second, 0x80, 1, 2, 3, 4, 5, 6], {
                    let [a, b, c, d] = code;
                    [first, a, b, c, d, second, 0x80, 1, 2]
                }] {
                    for len in 0..=body.len() {
                        if let Ok(tag) = parse(&body[..len]) {
                            assert!(tag.payload_offset <= len);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_head_cut_anywhere_is_too_short() {
        for head in [&[0x17, 1, 0, 0, 0][..], b"\x91hvc1\x00\x00\x50", b"\x90av01", b"\x94hvc1"] {
            for len in 0..head.len() {
                assert_eq!(parse(&head[..len]), Err(BodyError::TooShort), "{head:02x?} {len}");
            }
        }
    }
}
