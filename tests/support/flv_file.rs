//! FLV files of any bitrate and length, generated at once: real configuration, random payload.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use bytes::Bytes;
use firstmile::flv::{Reader, Tag, TagKind, writer};

use super::drain::payload_bytes;

const FPS: u32 = 30;
const AUDIO_BYTES: usize = 300;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holds {
    /// Access units of both tracks.
    pub frames: u64,
    /// Their payload.
    pub payload_bytes: u64,
}

/// Writes a stream: 30 video and 30 audio access units a second, a key frame of four times
/// the usual size every two seconds. No decoder can play it, but no server decodes it.
pub fn write_flv_file(file: &Path, seconds: u32, kbps: u32) -> Holds {
    let out = File::create(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let mut out = BufWriter::new(out);
    out.write_all(&writer::header(true, true)).expect("writes");
    let mut holds = Holds { frames: 0, payload_bytes: 0 };
    let mut write = |kind, timestamp_ms, body: Bytes| {
        out.write_all(&writer::tag(kind, timestamp_ms, body.len())).expect("writes");
        out.write_all(&body).expect("writes");
        out.write_all(&writer::previous_tag_size(body.len())).expect("writes");
        if let Some(bytes) = payload_bytes(kind, body) {
            holds.frames += 1;
            holds.payload_bytes += bytes;
        }
    };
    for config in configurations() {
        write(config.kind, 0, config.body);
    }
    let mut random = fastrand::Rng::with_seed(u64::from(kbps));
    let second_bytes = kbps as usize * 125 - AUDIO_BYTES * FPS as usize;
    let frame_bytes = second_bytes / (FPS as usize + 2); // a key frame is four: three more in 2 s
    for n in 0..seconds * FPS {
        let is_key = n % (2 * FPS) == 0;
        let (mark, nal, times) = if is_key { (0x17, 0x65, 4) } else { (0x27, 0x41, 1) };
        let length = (times * frame_bytes) as u32;
        let mut body = vec![mark, 1, 0, 0, 0];
        body.extend_from_slice(&length.to_be_bytes());
        body.push(nal);
        body.extend(std::iter::repeat_with(|| random.u8(..)).take(length as usize - 1));
        write(TagKind::Video, n * 1_000 / FPS, Bytes::from(body));
        let mut audio = vec![0xAF, 1];
        audio.extend(std::iter::repeat_with(|| random.u8(..)).take(AUDIO_BYTES));
        write(TagKind::Audio, n * 1_000 / FPS, Bytes::from(audio));
    }
    out.flush().expect("writes");
    holds
}

/// The codec configurations of a real file.
fn configurations() -> Vec<Tag> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/x264-aac.flv");
    let mut reader = Reader::new();
    reader.push(Bytes::from(fs::read(file).expect("a vector")));
    let all = std::iter::from_fn(|| reader.next_tag().expect("a readable file"));
    let is_configuration = |tag: &Tag| tag.kind != TagKind::Script && tag.body.get(1) == Some(&0);
    all.filter(is_configuration).take(2).collect()
}
