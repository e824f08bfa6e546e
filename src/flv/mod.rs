//! FLV tag bodies and files.
//!
//! Pure room. The bytes that RTMP carries in its audio and video messages are FLV tag bodies: this
//! room puts the few bytes in front of a frame (`head`) and reads them back (`frame`), reads files
//! piece by piece (`Reader`), writes them (`writer`), looks into codec configuration (`avc`, `aac`)
//! and stream description (`Metadata`), and writes an H.264 stream's colours (`avc`). Everything that
//! parses is total: any input gives a value or an error, within the memory that [`crate::limits`]
//! names. It knows nothing of RTMP, AMF0 or sockets.
//!
//! Sections E.… are those of the Adobe Flash Video File Format Specification, version 10.1; sections
//! in quotes are those of the Veovera specification enhanced-rtmp-v2, which adds HEVC, AV1, VP9 and
//! Opus.
//!
//! ```
//! use firstmile::flv;
//! use firstmile::media::{Codec, Frame, Kind};
//! let key = Frame {
//!     kind: Kind::VideoKey,
//!     codec: Codec::Avc,
//!     pts_ns: 0,
//!     dts_ns: 0,
//!     payload: vec![0, 0, 0, 1, 0x65].into(),
//! };
//! // Key frame of AVC, access unit, 66 ms from decoding to presentation.
//! assert_eq!(flv::head(&key, 66).as_slice(), [0x17, 0x01, 0x00, 0x00, 0x42]);
//! ```

pub mod aac;
pub mod audio;
pub mod avc;
mod bits;
mod damage;
mod enhanced;
mod error;
mod four_cc;
mod head;
pub mod metadata;
pub mod reader;
mod tag;
pub mod tag_times;
pub mod video;
pub mod writer;

pub use damage::Damage;
pub use error::{BodyError, ConfigError, FlvError};
pub use four_cc::FourCc;
pub use head::Head;
pub use metadata::{Field, Metadata};
pub use reader::Reader;
pub use tag::{Content, Tag, TagKind};
pub use tag_times::TagTimes;

use crate::media::{Frame, Track};

/// What stands in front of the payload of `frame` in a tag body or an RTMP message;
/// `composition_time_ms` counts for video access units only.
pub fn head(frame: &Frame, composition_time_ms: i32) -> Head {
    match frame.track() {
        Track::Video => video::tag_head(frame, composition_time_ms),
        Track::Audio => audio::tag_head(frame),
    }
}

/// The frame in a tag, the reverse of [`head`]; the payload is shared. Times are those of the tag
/// in nanoseconds. `None` when a tag carries nothing to decode: script data, a command to a player,
/// metadata, the end of a sequence, an empty body.
///
/// # Errors
/// [`BodyError`] when the codec is none of [`crate::media::Codec`], the tag carries several tracks,
/// or the body is cut short.
pub fn frame(tag: &Tag) -> Result<Option<Frame>, BodyError> {
    if tag.body.is_empty() {
        return Ok(None);
    }
    let (kind, codec, composition_time_ms, nano_offset, payload_offset) = match tag.kind {
        TagKind::Script => return Ok(None),
        TagKind::Video => {
            let body = video::parse(&tag.body)?;
            if body.packet == video::Packet::TransportStreamHeader {
                return Err(BodyError::TransportStream);
            }
            (
                body.kind(),
                body.codec,
                body.composition_time_ms,
                body.nano_offset,
                body.payload_offset,
            )
        }
        TagKind::Audio => {
            let body = audio::parse(&tag.body)?;
            (body.kind(), Some(body.codec), 0, body.nano_offset, body.payload_offset)
        }
    };
    let (Some(kind), Some(codec)) = (kind, codec) else { return Ok(None) };
    let dts_ms = u64::from(tag.timestamp_ms);
    // A frame is never shown before it is decoded, but some muxers write files in which it is.
    let pts_ms = dts_ms.saturating_add_signed(composition_time_ms.into()).max(dts_ms);
    Ok(Some(Frame {
        kind,
        codec,
        pts_ns: pts_ms * 1_000_000 + u64::from(nano_offset),
        dts_ns: dts_ms * 1_000_000,
        payload: tag.body.slice(payload_offset..),
    }))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::media::{Codec, Kind};

    fn tag_of(frame: &Frame, composition_time_ms: i32) -> Tag {
        let mut body = head(frame, composition_time_ms).as_slice().to_vec();
        body.extend_from_slice(&frame.payload);
        let kind = match frame.track() {
            Track::Video => TagKind::Video,
            Track::Audio => TagKind::Audio,
        };
        let timestamp_ms = (frame.dts_ns / 1_000_000).try_into().expect("a small time");
        Tag { kind, timestamp_ms, body: body.into() }
    }

    #[test]
    fn a_frame_comes_back_from_its_tag() {
        let cases = [
            (Kind::VideoConfig, Codec::Avc, 0),
            (Kind::VideoKey, Codec::Avc, 66),
            (Kind::VideoDelta, Codec::Avc, 0),
            (Kind::VideoConfig, Codec::Hevc, 0),
            (Kind::VideoKey, Codec::Hevc, 66),
            (Kind::VideoDelta, Codec::Hevc, 0),
            (Kind::VideoConfig, Codec::Av1, 0),
            (Kind::VideoKey, Codec::Av1, 0),
            (Kind::VideoDelta, Codec::Vp9, 0),
            (Kind::AudioConfig, Codec::Aac, 0),
            (Kind::Audio, Codec::Aac, 0),
            (Kind::AudioConfig, Codec::Opus, 0),
            (Kind::Audio, Codec::Opus, 0),
        ];
        for (kind, codec, composition_time_ms) in cases {
            let dts_ns = 4_000_000;
            let pts_ns = dts_ns + composition_time_ms as u64 * 1_000_000;
            let frame = Frame { kind, codec, pts_ns, dts_ns, payload: "payload".into() };
            let tag = tag_of(&frame, composition_time_ms);
            assert_eq!(super::frame(&tag), Ok(Some(frame)), "{kind:?}");
        }
    }

    #[test]
    fn a_frame_shares_the_payload_of_its_tag() {
        let body = Bytes::from_static(&[0x27, 1, 0, 0, 0, 0xAA]);
        let tag = Tag { kind: TagKind::Video, timestamp_ms: 0, body: body.clone() };
        let payload = super::frame(&tag).map(|frame| frame.map(|frame| frame.payload.as_ptr()));
        assert_eq!(payload, Ok(Some(body[5..].as_ptr())));
    }

    #[test]
    fn what_cannot_be_decoded_is_no_frame() {
        let cases: [(TagKind, &'static [u8]); 10] = [
            (TagKind::Script, &[2, 0, 0]),
            (TagKind::Video, &[]),
            (TagKind::Audio, &[]),
            (TagKind::Video, &[0x17, 2, 0, 0, 0]), // end of sequence
            (TagKind::Video, &[0x57, 0]),          // start of seeking
            (TagKind::Video, b"\xD3\x00"),
            (TagKind::Video, b"\x92hvc1"),
            (TagKind::Video, b"\x84hvc1\x02\x00\x09colorInfo\x05"),
            (TagKind::Audio, b"\x92Opus"),
            (TagKind::Audio, b"\x94Opus\x00\x02"),
        ];
        for (kind, body) in cases {
            let tag = Tag { kind, timestamp_ms: 0, body: Bytes::from_static(body) };
            assert_eq!(super::frame(&tag), Ok(None), "{kind:?} {body:02x?}");
        }
    }

    #[test]
    fn a_configuration_in_the_form_of_a_transport_stream_is_refused() {
        let body = Bytes::from_static(b"\x95av01\x80\x04\x81\x00\x00\x00");
        let tag = Tag { kind: TagKind::Video, timestamp_ms: 0, body };
        assert_eq!(super::frame(&tag), Err(BodyError::TransportStream));
    }

    #[test]
    fn nanoseconds_are_added_to_the_presentation() {
        let body = Bytes::from_static(b"\xA7\x02\x00\x01\x00\x01hvc1\x00\x00\x02\xEE");
        let tag = Tag { kind: TagKind::Video, timestamp_ms: 5, body };
        let times = super::frame(&tag).map(|frame| frame.map(|f| (f.dts_ns, f.pts_ns)));
        assert_eq!(times, Ok(Some((5_000_000, 7_000_256))));
    }

    #[test]
    fn presentation_never_comes_before_decoding() {
        let body = Bytes::from_static(&[0x27, 1, 0xFF, 0xFF, 0xF6]);
        let tag = Tag { kind: TagKind::Video, timestamp_ms: 5, body };
        let times = super::frame(&tag).map(|frame| frame.map(|f| (f.dts_ns, f.pts_ns)));
        assert_eq!(times, Ok(Some((5_000_000, 5_000_000))));
    }
}
