//! FLV files made tag by tag, as no muxer would write them on purpose.

use bytes::Bytes;
use firstmile::flv::{TagKind, writer};

/// Kind, timestamp and body of a tag.
pub type Written = (TagKind, u32, Vec<u8>);

const AVC_CONFIGURATION: &[u8] =
    b"\x17\0\0\0\0\x01\x42\xC0\x1E\xFF\xE1\0\x19\x67\x42\xC0\x1E\xDA\x02\x80\xBF\xE5\xC0\x5A\x80\x80\
      \x80\xA0\0\0\x03\0\x20\0\0\x07\x91\xE2\xC5\xD4\x01\0\x04\x68\xCE\x3C\x80";
const AAC_CONFIGURATION: &[u8] = b"\xAF\0\x11\x90";

/// `onMetaData` with nothing in it, and something that tells it from others.
pub fn description(of: &str) -> Vec<u8> {
    let mut body = b"\x02\0\x0AonMetaData\x08\0\0\0\x01\0\x05title\x02".to_vec();
    body.extend_from_slice(&(of.len() as u16).to_be_bytes());
    body.extend_from_slice(of.as_bytes());
    body.extend_from_slice(b"\0\0\x09");
    body
}

/// The configurations of both tracks, with timestamp 0.
pub fn configurations() -> Vec<Written> {
    vec![
        (TagKind::Video, 0, AVC_CONFIGURATION.to_vec()),
        (TagKind::Audio, 0, AAC_CONFIGURATION.to_vec()),
    ]
}

/// One access unit of H.264, `bytes` long, shown so much later than it is decoded.
pub fn video(number: usize, is_key: bool, bytes: usize, composition_time_ms: i32) -> Vec<u8> {
    let [_, c2, c1, c0] = composition_time_ms.to_be_bytes();
    let mut body = vec![if is_key { 0x17 } else { 0x27 }, 1, c2, c1, c0];
    body.extend_from_slice(&(bytes as u32).to_be_bytes());
    body.push(if is_key { 0x65 } else { 0x41 });
    body.extend((1..bytes).map(|n| (n + number) as u8));
    body
}

/// Video at 25 frames a second with a key frame each second, and audio, in the order of their times.
pub fn frames(seconds: usize) -> Vec<Written> {
    let video =
        (0..seconds * 25).map(|n| (TagKind::Video, n as u32 * 40, video(n, n % 25 == 0, 400, 0)));
    let audio = (0..seconds * 48_000 / 1_024).map(|n| {
        (TagKind::Audio, (n * 1_024 / 48) as u32, [&b"\xAF\x01"[..], &[n as u8; 60]].concat())
    });
    let mut all: Vec<Written> = video.chain(audio).collect();
    all.sort_by_key(|(_, at, _)| *at);
    all
}

/// Description, configurations and frames.
pub fn usual(seconds: usize) -> Vec<Written> {
    let mut all = vec![(TagKind::Script, 0, description("usual"))];
    all.extend(configurations());
    all.extend(frames(seconds));
    all
}

/// The bytes of one tag in a file.
pub fn tag((kind, at, body): &Written) -> Vec<u8> {
    let head = writer::tag(*kind, *at, body.len());
    [&head[..], body, &writer::previous_tag_size(body.len())].concat()
}

/// The bytes of a file.
pub fn file(tags: &[Written]) -> Vec<u8> {
    let mut bytes = writer::header(true, true).to_vec();
    tags.iter().for_each(|written| bytes.extend(tag(written)));
    bytes
}

/// What a server is to get of these tags: kind as RTMP numbers it, time, and body.
pub fn as_messages(tags: &[Written]) -> Vec<(u8, u32, Bytes)> {
    let message = |(kind, at, body): &Written| (*kind as u8, *at, Bytes::copy_from_slice(body));
    tags.iter().map(message).collect()
}
