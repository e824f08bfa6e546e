use bytes::Bytes;
use firstmile::flv::{self, Tag, TagKind, writer};
use firstmile::media::{Codec, Frame, Kind, Track};

use super::{Made, made};
use crate::fuzz::flv::write;

const X264: &[u8] = include_bytes!("../../vectors/x264-aac.flv");

fn tag(kind: TagKind, timestamp_ms: u32, body: &[u8]) -> Tag {
    Tag { kind, timestamp_ms, body: Bytes::copy_from_slice(body) }
}

fn frames() -> Vec<(String, Frame, i32)> {
    let mut frames = Vec::new();
    for codec in [Codec::Avc, Codec::Hevc, Codec::Av1, Codec::Vp9, Codec::Aac, Codec::Opus] {
        let kinds: &[Kind] = match codec.track() {
            Track::Video => &[Kind::VideoConfig, Kind::VideoKey, Kind::VideoDelta],
            Track::Audio => &[Kind::AudioConfig, Kind::Audio],
        };
        for &kind in kinds {
            for composition_time_ms in [0, 66] {
                let payload = Bytes::from_static(&[0, 0, 0, 2, 0x65, 0x88]);
                let frame = Frame { kind, codec, pts_ns: 0, dts_ns: 0, payload };
                let name = format!("{codec:?}-{kind:?}-{composition_time_ms}").to_lowercase();
                frames.push((name, frame, composition_time_ms));
            }
        }
    }
    frames
}

pub fn reader() -> Vec<Made> {
    let tags = [
        tag(TagKind::Script, 0, b"\x02\x00\x0aonMetaData"),
        tag(TagKind::Video, 0, &[0x17, 0, 0, 0, 0]),
        tag(TagKind::Audio, 0xFF_FFFF, &[0xAF, 1, 7]),
        tag(TagKind::Video, u32::MAX, &[]),
    ];
    let file = |tags: &[Tag]| [vec![9], write(tags)].concat();
    let whole = file(&tags);
    let changed = |at: usize, value: u8| {
        let mut file = whole.clone();
        file[at] = value;
        file
    };
    let mut longer_header = changed(9, 12);
    longer_header.splice(10..10, [0; 3]);
    let mut seeds = vec![
        made("several", &whole),
        made("header-alone", file(&[])),
        made("audio-alone", file(&tags[2..3])),
        made("longer-header", longer_header),
        made("unknown-tag", changed(14, 15)),
        made("encrypted", changed(14, 0x32)),
        made("stream-id", changed(24, 1)),
        made("wrong-size-behind", changed(whole.len() - 1, 0xFF)),
        made("without-last-size", &whole[..whole.len() - 4]),
        made("no-flv", b"\x09FLAC"),
        made("huge-tag", changed(15, 0xFF)),
        made("x264", [&[7], &X264[..1_500]].concat()),
        made("empty", [9]),
    ];
    let enhanced: Vec<Tag> = frames()
        .into_iter()
        .map(|(_, frame, ms)| {
            let body = [flv::head(&frame, ms).as_slice(), &frame.payload].concat();
            let kind = if frame.track() == Track::Video { TagKind::Video } else { TagKind::Audio };
            tag(kind, 40, &body)
        })
        .collect();
    seeds.push(made("every-codec", file(&enhanced)));
    let longest = writer::tag(TagKind::Video, 0, 0x40_0010);
    seeds.push(made("longest-tag-cut", [&file(&[])[..], &longest, &[0; 9]].concat()));
    seeds
}

pub fn body() -> Vec<Made> {
    let mut seeds: Vec<Made> = frames()
        .into_iter()
        .map(|(name, frame, ms)| {
            let what = u8::from(frame.track() == Track::Audio);
            let head = flv::head(&frame, ms);
            made(name, [&[what], head.as_slice(), &frame.payload].concat())
        })
        .collect();
    let bodies: &[(&str, &[u8])] = &[
        ("avc-in-the-new-form", b"\x00\x91avc1\x00\x00\x21\x65"),
        ("negative-composition", b"\x00\xA1hvc1\xFF\xFF\xD8\x65"),
        ("disposable", b"\x00\x37\x01\x00\x00\x00\x65"),
        ("generated-key", b"\x00\x47\x01\x00\x00\x00\x65"),
        ("end-of-sequence", b"\x00\x92hvc1"),
        ("metadata", b"\x00\x84hvc1\x02\x00\x09colorInfo\x05"),
        ("command", b"\x00\xD1\x00"),
        ("transport-stream", b"\x00\x95av01\x80\x04\x81"),
        ("nanoseconds", b"\x00\xA7\x02\x00\x01\x02\x03hvc1\x65"),
        ("long-modifier", b"\x00\xA7\xFF\x00\x02\x00\x00\x05\x03hvc1\x65"),
        ("two-modifiers", b"\x00\xA7\x00\xAA\x17\x02\x00\x00\x05\x01av01\x12"),
        ("multitrack", b"\x00\x96\x11hvc1\x00\x00\x00\x01\x65"),
        ("vp8", b"\x00\x91vp08\x10"),
        ("unofficial-hevc", b"\x00\x1C\x01\x00\x00\x00\x26"),
        ("mp4a-in-the-new-form", b"\x01\x90mp4a\x11\x90"),
        ("multichannel", b"\x01\x94Opus\x01\x02\x00\x00\x00\x03"),
        ("audio-nanoseconds", b"\x01\x97\x02\x00\x00\x09\x01Opus\xFC"),
        ("audio-multitrack", b"\x01\x95\x01Opus\x00\xFC"),
        ("mp3", b"\x01\x2F\xFF\xFB"),
        ("avc-config-baseline", b"\x02\x01\x42\xC0\x1E\xFF\xE1\x00\x19\x67\x42\xC0\x1E\xDA\x02\x90\xBF\x88\x93\x01\x10\x00\x00\x03\x00\x10\x00\x00\x03\x03\x20\xF1\x62\xEA\x01\x00\x04\x68\xCE\x3C\x80"),
        ("avc-config-interlaced", b"\x02\x01\x4D\x40\x1E\xFF\xE1\x00\x18\x67\x4D\x40\x1E\xEC\xA0\x5A\x12\x6C\x04\x40\x00\x00\x03\x00\x40\x00\x00\x0C\x87\xC5\x0A\x65\x80\x01\x00\x04\x68\xCE\x3C\x80"),
        ("avc-config-444", b"\x02\x01\xF4\x00\x15\xFF\xE1\x00\x1E\x67\xF4\x00\x15\x91\x9B\x28\x36\x10\xF3\x42\x1F\xF8\x1E\x20\x28\x08\x80\x00\x00\x30\x08\x00\x00\x01\x90\x78\xB1\x6C\xB0\x01\x00\x04\x68\xCE\x3C\x80"),
        ("avc-config-without-sets", b"\x02\x01\x42\x00\x1E\xFF\xE0\x00"),
        ("aac-config-48k-stereo", b"\x03\x11\x90"),
        ("aac-config-44k-mono", b"\x03\x12\x08"),
        ("aac-config-sbr", b"\x03\x2B\x11\x88\x00"),
        ("aac-config-ps", b"\x03\xEB\x09\x88\x00"),
        ("aac-config-spelled-out", b"\x03\xF8\xFE\x01\x77\x00\x40"),
        ("aac-config-reserved", b"\x03\x16\x90"),
    ];
    seeds.extend(bodies.iter().map(|(name, bytes)| made(*name, bytes)));
    seeds
}

/// Sequence parameter sets as encoders write them.
const SETS: &[(&str, &[u8])] = &[
    ("openh264", b"\x67\x42\xC0\x0D\x8C\x8D\x40\xA0\xCB\xCF\x00\xF0\x88\x46\xA0"),
    ("x264-cropped", b"\x67\x42\xC0\x1E\xD9\x00\xA4\x2F\xE2\x24\xC0\x44\x00\x00\x03\x00\x04\x00\x00\x03\x00\xF0\x3C\x58\xB9\x20"),
    ("x264-interlaced", b"\x67\x4D\x40\x1F\xEC\xA0\x5A\x12\x6C\x04\x40\x00\x00\x03\x00\x40\x00\x00\x0F\x07\xC5\x8B\x65\x80"),
    ("x264-hrd", b"\x67\x64\x00\x28\xAC\xD9\x40\x78\x02\x27\xE5\xC0\x44\x00\x00\x03\x00\x04\x00\x00\x03\x00\xF3\x92\x00\x03\xD0\x90\x00\x7A\x12\x93\x0C\x01\xE3\x06\x32\xC0"),
    ("x264-all-of-the-vui", b"\x67\x64\x00\x1F\xAC\xD9\x40\x50\x05\xBB\x01\xA7\x01\x0D\x06\xB7\x00\x00\x03\x00\x01\x00\x00\x03\x00\x3C\x0F\x18\x31\x96"),
    ("x264-in-gstreamer", b"\x67\x64\x00\x14\xAC\xD9\x41\x41\x9F\x9F\x01\x6A\x02\x02\x02\x80\x00\x00\x03\x00\x80\x00\x00\x1E\x47\x8A\x14\xCB"),
    ("x264-422", b"\x67\x7A\x00\x15\xB6\xCD\x94\x1B\x1F\xE4\xF0\x11\x00\x00\x03\x00\x01\x00\x00\x03\x00\x3C\x0F\x16\x2D\x96"),
    ("x264-444", b"\x67\xF4\x00\x15\x91\x9B\x28\x36\x3F\xCF\xE0\x22\x00\x00\x03\x00\x02\x00\x00\x03\x00\x78\x1E\x2C\x5B\x2C"),
];

pub fn avc_colours() -> Vec<Made> {
    const PPS: &[u8] = b"\x68\xCE\x3C\x80";
    let sized = |unit: &[u8], bytes: usize| {
        let length = (unit.len() as u32).to_be_bytes();
        [&length[4 - bytes..], unit].concat()
    };
    let config = |sets: &[&[u8]]| {
        let mut record = vec![1, sets[0][1], sets[0][2], sets[0][3], 0xFF, 0xE0 | sets.len() as u8];
        record.extend(sets.iter().flat_map(|set| sized(set, 2)));
        record.push(1);
        record.extend(sized(PPS, 2));
        record
    };
    let key_frame = |set: &[u8], bytes: usize| {
        let units: [&[u8]; 5] = [b"\x09\x10", set, PPS, b"\x06\x05\x01\x00\x80", b"\x65\x88"];
        units.map(|unit| sized(unit, bytes)).concat()
    };
    let mut seeds = Vec::new();
    for (i, (name, set)) in SETS.iter().enumerate() {
        let full_range = i as u8 % 2;
        let seed = [&[full_range, 1, 13, 6], &config(&[set])[..]].concat();
        seeds.push(made(format!("config-{name}"), seed));
        let (what, bytes) = [(1 << 1, 1), (2 << 1, 2), (3 << 1, 4)][i % 3];
        let seed = [&[what | full_range, 0, 0, 0], &key_frame(set, bytes)[..]].concat();
        seeds.push(made(format!("key-frame-{name}"), seed));
    }
    let all: Vec<&[u8]> = SETS.iter().map(|(_, set)| *set).collect();
    seeds.push(made("config-of-several", [&[0, 1, 1, 1], &config(&all)[..]].concat()));
    let cut = [&[0, 1, 1, 1], &config(&[&all[3][..20]])[..]].concat();
    seeds.push(made("config-with-a-set-cut-short", cut));
    seeds.push(made("key-frame-without-sets", b"\x06\x01\x01\x01\x00\x00\x00\x02\x65\x88"));
    let near_the_bound = [all[0], &[0; 240]].concat();
    let seed = [&[1 << 1, 1, 1, 1], &key_frame(&near_the_bound, 1)[..]].concat();
    seeds.push(made("key-frame-with-a-long-set", seed));
    seeds
}
