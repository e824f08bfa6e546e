//! FLV files, tag bodies and codec configuration.

use bytes::Bytes;
use firstmile::flv::aac::AacConfig;
use firstmile::flv::avc::{AvcConfig, ColourTags, Demand, Tags, tagged_config, tagged_key_frame};
use firstmile::flv::{self, FlvError, Reader, Tag, TagKind, audio, video, writer};
use firstmile::limits::FLV_BODY_BYTES_MAX;
use firstmile::media::{Codec, Frame, Track};

use super::Pieces;

/// Byte 0 cuts, the rest is a file: the same tags come out however it is cut, never more than there
/// is, and written again they are read again.
pub fn reader(data: &[u8]) -> bool {
    let Some((&seed, file)) = data.split_first() else { return false };
    let (tags, end) = read(std::iter::once(file));
    let (cut, cut_end) = read(Pieces::new(file, 200, seed));
    assert!((&tags, end) == (&cut, cut_end), "cutting changes what is read");
    let bytes: usize = tags.iter().map(|tag| 11 + tag.body.len()).sum();
    assert!(bytes <= file.len());
    assert!(tags.iter().all(|tag| tag.body.len() <= FLV_BODY_BYTES_MAX));
    if let Err(FlvError::Truncated { offset }) = end {
        assert_eq!(offset, file.len() as u64, "cut short where it ends");
    }
    let again = write(&tags);
    assert!(read(std::iter::once(&again[..])) == (tags.clone(), Ok(())));
    end.is_ok() && !tags.is_empty()
}

fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Tag>, Result<(), FlvError>) {
    let (mut reader, mut tags) = (Reader::new(), Vec::new());
    for piece in pieces {
        reader.push(Bytes::copy_from_slice(piece));
        loop {
            match reader.next_tag() {
                Ok(Some(tag)) => tags.push(tag),
                Ok(None) => break,
                Err(error) => return (tags, Err(error)),
            }
        }
    }
    (tags, reader.finish())
}

pub fn write(tags: &[Tag]) -> Vec<u8> {
    let mut file = writer::header(true, true).to_vec();
    for Tag { kind, timestamp_ms, body } in tags {
        file.extend_from_slice(&writer::tag(*kind, *timestamp_ms, body.len()));
        file.extend_from_slice(body);
        file.extend_from_slice(&writer::previous_tag_size(body.len()));
    }
    file
}

/// Byte 0 says what the rest is: a video or audio tag body, or the configuration of AVC or AAC. A
/// body's payload lies inside, and its frame is the same when wrapped and unwrapped again.
pub fn body(data: &[u8]) -> bool {
    let Some((&what, body)) = data.split_first() else { return false };
    match what % 4 {
        0 => {
            if let Ok(tag) = video::parse(body) {
                assert!(tag.payload_offset <= body.len() && tag.nano_offset < 1_000_000);
                assert!((-0x80_0000..=0x7F_FFFF).contains(&tag.composition_time_ms));
                assert!(tag.codec.is_none_or(|codec| codec.track() == Track::Video));
            }
            frame(TagKind::Video, body)
        }
        1 => {
            if let Ok(tag) = audio::parse(body) {
                assert!(tag.payload_offset <= body.len() && tag.nano_offset < 1_000_000);
                assert_eq!(tag.codec.track(), Track::Audio);
            }
            frame(TagKind::Audio, body)
        }
        2 => avc(body),
        _ => aac(body),
    }
}

fn frame(kind: TagKind, body: &[u8]) -> bool {
    let tag = Tag { kind, timestamp_ms: 0x1234_5678, body: Bytes::copy_from_slice(body) };
    let Ok(Some(frame)) = flv::frame(&tag) else { return false };
    assert!(frame.pts_ns >= frame.dts_ns && body.ends_with(&frame.payload));
    assert_eq!((frame.track(), frame.codec.track()), (frame.codec.track(), frame.kind.track()));
    let ahead_ms = (frame.pts_ns - frame.dts_ns) / 1_000_000;
    let composition_time_ms = i32::try_from(ahead_ms).expect("24 bits");
    let mut again = flv::head(&frame, composition_time_ms).as_slice().to_vec();
    again.extend_from_slice(&frame.payload);
    let again = Tag { body: again.into(), ..tag };
    let Ok(Some(same)) = flv::frame(&again) else { panic!("our own head is not understood") };
    assert!(known(&same) == known(&frame), "{same:?} was {frame:?}");
    true
}

/// What of a frame a head can say: composition times where there is a field for them, no fractions of
/// a millisecond, and no disposable frames.
fn known(frame: &Frame) -> (u8, Codec, u64, u64, &Bytes) {
    use firstmile::media::Kind;
    let kind = match frame.kind {
        Kind::VideoDisposable => Kind::VideoDelta,
        kind => kind,
    };
    let has_time = matches!(frame.codec, Codec::Avc | Codec::Hevc) && !kind.is_config();
    let shown_ns = if has_time { frame.pts_ns } else { frame.dts_ns };
    (kind as u8, frame.codec, shown_ns / 1_000_000, frame.dts_ns, &frame.payload)
}

fn avc(record: &[u8]) -> bool {
    let Ok(config) = AvcConfig::parse(record) else { return false };
    assert!([1, 2, 4].contains(&config.nal_length_bytes), "{config:?}");
    assert!((1..=16_880).contains(&config.width), "{config:?}");
    assert!((1..=2 * 16_880).contains(&config.height), "{config:?}");
    let longer = [record, &[0; 8]].concat();
    assert_eq!(AvcConfig::parse(&longer), Ok(config), "what follows the record changes it");
    true
}

fn aac(config: &[u8]) -> bool {
    let Ok(parsed) = AacConfig::parse(config) else { return false };
    assert!(parsed.object_type <= 32 + 63 && parsed.sample_rate_hz > 0, "{parsed:?}");
    assert!((1..=24).contains(&parsed.channels), "{parsed:?}");
    let longer = [config, &[0xFF; 8]].concat();
    assert_eq!(AacConfig::parse(&longer), Ok(parsed), "what follows the configuration changes it");
    true
}

/// Bytes 0 to 3 are the colours and what the rest is: the configuration of AVC, or an access unit whose
/// NAL units have lengths of 1, 2 or 4 bytes. What was written before leaves no trace, written twice is
/// written once, and nothing else changes; a level is raised or stays.
pub fn avc_colours(data: &[u8]) -> bool {
    let Some((&[what, primaries, transfer, matrix], bytes)) = data.split_first_chunk() else {
        return false;
    };
    let tags = ColourTags { full_range: what & 1 == 1, primaries, transfer, matrix };
    let others = ColourTags { full_range: !tags.full_range, primaries: !primaries, ..tags };
    let length_bytes = match what >> 1 & 3 {
        0 => None,
        1 => Some(1),
        2 => Some(2),
        _ => Some(4),
    };
    let write_all = |bytes: &[u8], tags: Tags| match length_bytes {
        None => tagged_config(bytes, tags).ok(),
        Some(length_bytes) => tagged_key_frame(bytes, length_bytes, tags).ok().flatten(),
    };
    let write = |bytes: &[u8], colours: ColourTags| write_all(bytes, colours.into());
    let Some(tagged) = write(bytes, tags) else { return false };
    assert_eq!(write(&tagged, tags).as_ref(), Some(&tagged), "written twice");
    let otherwise = write(bytes, others);
    // Other colours may need more room than a short length field has.
    assert!(otherwise.is_some() || length_bytes == Some(1), "what can be written depends on it");
    if let Some(otherwise) = otherwise {
        assert_ne!(otherwise, tagged);
        let back = write(&otherwise, tags);
        assert_eq!(back.as_ref(), Some(&tagged), "what was there before is seen");
    }
    if length_bytes.is_none() {
        assert_eq!(AvcConfig::parse(&tagged), AvcConfig::parse(bytes), "the format changes");
    }
    let demand = Some(Demand { fps: matrix.into(), kbps_max: u32::from(transfer) * 100 });
    let tags = Tags { colours: tags, demand };
    let raised = write_all(bytes, tags).unwrap_or_default();
    assert_eq!(raised.len(), tagged.len(), "a level has one byte");
    assert_eq!(write_all(&raised, tags).as_ref(), Some(&raised), "raised twice");
    if length_bytes.is_none() {
        assert!(raised[3] >= bytes[3].min(10), "a level is lowered");
    }
    true
}
