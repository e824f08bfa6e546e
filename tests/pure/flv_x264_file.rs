//! A file written by FFmpeg's muxer (x264 with B-frames, AAC) is read like FFmpeg's demuxer reads
//! it, and written like its muxer wrote it. `tests/vectors/README.md` says how it was made.

use bytes::Bytes;
use firstmile::flv::aac::AacConfig;
use firstmile::flv::avc::AvcConfig;
use firstmile::flv::{self, FlvError, Reader, Tag, TagKind, writer};
use firstmile::media::{Frame, Kind, Timeline, Track};

const FILE: &[u8] = include_bytes!("../vectors/x264-aac.flv");

/// Presentation and decoding time in ms of the first video frames, by `ffprobe -show_packets`.
const VIDEO_MS: [(u64, u64); 17] = [
    (67, 0),
    (167, 34),
    (100, 67),
    (134, 100),
    (267, 134),
    (200, 167),
    (234, 200),
    (367, 234),
    (301, 267),
    (334, 301),
    (467, 334),
    (401, 367),
    (434, 401),
    (534, 434),
    (501, 467),
    (568, 501),
    (668, 534),
];
/// Decoding time in ms of the first audio frames, likewise.
const AUDIO_MS: [u64; 8] = [46, 67, 88, 110, 131, 152, 174, 195];

fn tags(pieces: impl Iterator<Item = Bytes>) -> Result<Vec<Tag>, FlvError> {
    let mut reader = Reader::new();
    let mut tags = Vec::new();
    for piece in pieces {
        reader.push(piece);
        while let Some(tag) = reader.next_tag()? {
            tags.push(tag);
        }
    }
    reader.finish().map(|()| tags)
}

fn all_tags() -> Vec<Tag> {
    tags(std::iter::once(Bytes::from_static(FILE))).expect("a good file")
}

fn frames() -> Vec<Frame> {
    all_tags().iter().filter_map(|tag| flv::frame(tag).expect("H.264 and AAC")).collect()
}

fn of_kind(kinds: &[Kind]) -> Vec<Frame> {
    frames().into_iter().filter(|frame| kinds.contains(&frame.kind)).collect()
}

#[test]
fn every_tag_is_found_however_the_file_is_cut() {
    let whole = all_tags();
    assert_eq!(whole.iter().filter(|tag| tag.kind == TagKind::Script).count(), 1);
    for size in [1, 2, 3, 7, 11, 64, 1_000, 4_096] {
        let pieces = FILE.chunks(size).map(Bytes::from_static);
        assert_eq!(tags(pieces).as_ref(), Ok(&whole), "pieces of {size} bytes");
    }
}

#[test]
fn written_again_the_file_is_the_same_to_the_byte() {
    let mut file = writer::header(true, true).to_vec();
    for Tag { kind, timestamp_ms, body } in all_tags() {
        file.extend_from_slice(&writer::tag(kind, timestamp_ms, body.len()));
        file.extend_from_slice(&body);
        file.extend_from_slice(&writer::previous_tag_size(body.len()));
    }
    assert!(file == FILE);
}

#[test]
fn times_and_key_frames_are_those_that_ffprobe_shows() {
    let video = of_kind(&[Kind::VideoKey, Kind::VideoDelta]);
    assert_eq!(video.len(), 30);
    for (frame, (pts_ms, dts_ms)) in video.iter().zip(VIDEO_MS) {
        assert_eq!((frame.pts_ns, frame.dts_ns), (pts_ms * 1_000_000, dts_ms * 1_000_000));
    }
    let keys = video.iter().enumerate().filter(|(_, frame)| frame.kind == Kind::VideoKey);
    assert_eq!(keys.map(|(at, _)| at).collect::<Vec<_>>(), [0, 15]);
    let audio = of_kind(&[Kind::Audio]);
    assert_eq!(audio.len(), 48);
    for (frame, dts_ms) in audio.iter().zip(AUDIO_MS) {
        assert_eq!(frame.dts_ns, dts_ms * 1_000_000);
    }
}

#[test]
fn configurations_tell_what_was_encoded() {
    let video = of_kind(&[Kind::VideoConfig]);
    let avc = AvcConfig::parse(&video[0].payload).expect("x264's configuration");
    assert_eq!((avc.width, avc.height, avc.profile, avc.level), (96, 54, 100, 10));
    let audio = of_kind(&[Kind::AudioConfig]);
    let aac = AacConfig::parse(&audio[0].payload).expect("an AAC-LC configuration");
    assert_eq!((aac.sample_rate_hz, aac.channels, aac.object_type), (48_000, 1, 2));
}

#[test]
fn sent_again_every_body_and_every_time_is_the_same() {
    let mut timeline = Timeline::new();
    let coded: Vec<Tag> =
        all_tags().into_iter().filter(|tag| flv::frame(tag) != Ok(None)).collect();
    assert_eq!(coded.len(), 2 + 30 + 48);
    for tag in coded {
        let frame = flv::frame(&tag).ok().flatten().expect("filtered above");
        let stamp = timeline.stamp(&frame);
        let mut body = flv::head(&frame, stamp.composition_time_ms).as_slice().to_vec();
        body.extend_from_slice(&frame.payload);
        if frame.track() == Track::Video {
            assert_eq!(body, tag.body);
        } else {
            // FFmpeg marks this audio as mono; for AAC the specification wants it marked as stereo.
            assert_eq!((body[0], &body[1..]), (0xAF, &tag.body[1..]));
        }
        assert_eq!(stamp.wire_ms(), tag.timestamp_ms);
    }
}
