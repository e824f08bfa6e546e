//! What is sent, and whether it is what arrived, to the byte.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use firstmile::flv::{Reader, Tag, TagKind};
use md5::{Digest, Md5};

use crate::support::{Folder, run};

const TIMEOUT: Duration = Duration::from_secs(60);

/// A message to send: its time never wraps, unlike that of a tag.
#[derive(Debug, Clone)]
pub struct Message {
    pub time_ms: u64,
    pub kind: TagKind,
    pub body: Bytes,
}

/// A short clip, and one like it with another frame size.
pub struct Clips {
    pub first: Vec<Message>,
    pub second: Vec<Message>,
}

impl Clips {
    pub fn new() -> Clips {
        let folder = Folder::new("clips");
        let first = clip(folder.path(), "320x180");
        let second = clip(folder.path(), "256x144");
        Clips { first, second }
    }

    /// The clip, beginning at this time.
    pub fn from(&self, start_ms: u64) -> Vec<Message> {
        later(&self.first, start_ms)
    }

    /// The clip, and after it the one with another frame size, each with its configuration.
    pub fn with_a_change(&self) -> Vec<Message> {
        let end = self.first.iter().map(|message| message.time_ms).max().unwrap_or(0);
        let second = self.second.iter().filter(|message| message.kind != TagKind::Script);
        let second: Vec<Message> = second.cloned().collect();
        [self.first.clone(), later(&second, end + 40)].concat()
    }

    /// The clip, with its second key frame padded to `bytes` by filler data (ITU-T H.264
    /// section 7.3.2.7), which decoders skip.
    pub fn with_a_message_of(&self, bytes: usize) -> Vec<Message> {
        let mut messages = self.first.clone();
        let is_key = |m: &&mut Message| m.kind == TagKind::Video && m.body.starts_with(&[0x17, 1]);
        let message = messages.iter_mut().filter(is_key).nth(1).expect("two key frames");
        let filler = bytes - message.body.len() - 4;
        let mut body = BytesMut::from(&message.body[..]);
        body.extend_from_slice(&(filler as u32).to_be_bytes());
        body.extend_from_slice(&[0x0C]);
        body.resize(bytes - 1, 0xFF);
        body.extend_from_slice(&[0x80]);
        message.body = body.freeze();
        messages
    }
}

/// Metadata stays at 0, where the box sends it: readers take a later one for media.
fn later(messages: &[Message], by_ms: u64) -> Vec<Message> {
    let moved = |message: &Message| match message.kind {
        TagKind::Script => message.clone(),
        _ => Message { time_ms: message.time_ms + by_ms, ..message.clone() },
    };
    messages.iter().map(moved).collect()
}

/// Two seconds of test pattern and tone: 50 frames, two of them key frames.
fn clip(folder: &Path, size: &str) -> Vec<Message> {
    let file = folder.join(format!("{size}.flv"));
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-f", "lavfi", "-i"]);
    ffmpeg.arg(format!("testsrc2=s={size}:r=25"));
    ffmpeg.args(["-f", "lavfi", "-i", "sine=sample_rate=48000", "-t", "2", "-c:v", "libx264"]);
    ffmpeg.args(["-preset", "ultrafast", "-bf", "0", "-g", "25", "-keyint_min", "25"]);
    ffmpeg.args(["-pix_fmt", "yuv420p", "-c:a", "aac", "-ac", "2"]);
    ffmpeg.args(["-flvflags", "no_sequence_end"]).arg(&file);
    run(&mut ffmpeg, TIMEOUT).ok();
    read_flv(&file)
}

fn read_flv(file: &Path) -> Vec<Message> {
    let mut reader = Reader::new();
    reader.push(Bytes::from(fs::read(file).expect("the clip")));
    let mut messages = Vec::new();
    while let Some(Tag { kind, timestamp_ms, body }) = reader.next_tag().expect("an FLV file") {
        messages.push(Message { time_ms: u64::from(timestamp_ms), kind, body });
    }
    messages
}

/// What arrived of a stream, or should have.
#[derive(Debug, PartialEq, Eq)]
pub struct Packets {
    video: Vec<Packet>,
    audio: Vec<Packet>,
    /// The codec configurations, where they can be distinguished from packets. Some servers record one twice,
    /// so only changes are kept.
    configurations: Option<Vec<Configuration>>,
}

/// An encoded video frame or a block of encoded audio.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Packet {
    /// Decoding time since the track's first, modulo 2^32.
    time_ms: u32,
    bytes: usize,
    md5: String,
}

/// A track's configuration, and how many of its packets came before.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Configuration {
    is_video: bool,
    packets_before: usize,
    md5: String,
}

impl Packets {
    /// The packets of these messages: AVC and AAC, whose headers have 5 and 2 bytes (Adobe FLV 10.1
    /// sections E.4.2.1 and E.4.3.1).
    pub fn of(messages: &[Message]) -> Packets {
        let (mut video, mut audio) = (Vec::new(), Vec::new());
        let mut configurations: Vec<Configuration> = Vec::new();
        for Message { time_ms, kind, body } in messages {
            let (track, head, is_video) = match kind {
                TagKind::Video => (&mut video, 5, true),
                TagKind::Audio => (&mut audio, 2, false),
                TagKind::Script => continue,
            };
            let md5 = Md5::digest(&body[head..]).iter().map(|byte| format!("{byte:02x}")).collect();
            if body[1] == 0 {
                let last = configurations.iter().rfind(|config| config.is_video == is_video);
                if last.is_none_or(|last| last.md5 != md5) {
                    let packets_before = track.len();
                    configurations.push(Configuration { is_video, packets_before, md5 });
                }
                continue;
            }
            track.push(Packet { time_ms: *time_ms as u32, bytes: body.len() - head, md5 });
        }
        configurations.sort_by_key(|config| !config.is_video);
        for track in [&mut video, &mut audio] {
            let first = track.first().map_or(0, |packet: &Packet| packet.time_ms);
            track.iter_mut().for_each(|packet| packet.time_ms = packet.time_ms.wrapping_sub(first));
        }
        Packets { video, audio, configurations: Some(configurations) }
    }

    /// The packets of a file.
    pub fn of_file(file: &Path) -> Packets {
        Packets::of(&read_flv(file))
    }

    /// Reads what ffmpeg's `framehash` prints: track, dts, pts, duration, size, hash and side data.
    pub fn of_hashes(text: &str) -> Packets {
        let is_video = |track: &str| text.contains(&format!("#media_type {track}: video"));
        let (mut video, mut audio) = (Vec::new(), Vec::new());
        let mut first = [None, None];
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let fields: Vec<&str> = line.split(',').map(str::trim).collect();
            let [track, dts, _pts, _duration, bytes, md5, ..] = &fields[..] else { continue };
            let is_video = is_video(track);
            let dts: i64 = dts.parse().expect("a time");
            let first = *first[usize::from(is_video)].get_or_insert(dts);
            let bytes = bytes.parse().expect("a size");
            let packet = Packet { time_ms: (dts - first) as u32, bytes, md5: (*md5).to_owned() };
            if is_video { video.push(packet) } else { audio.push(packet) }
        }
        Packets { video, audio, configurations: None }
    }

    /// Why these are not the packets that were sent, if they are not.
    pub fn difference(&self, sent: &Packets) -> Option<String> {
        let configurations = || match (&self.configurations, &sent.configurations) {
            (Some(here), Some(sent)) => unlike("configuration", here, sent),
            _ => None,
        };
        unlike("video", &self.video, &sent.video)
            .or_else(|| unlike("audio", &self.audio, &sent.audio))
            .or_else(configurations)
    }
}

fn unlike<T: PartialEq + std::fmt::Debug>(what: &str, here: &[T], sent: &[T]) -> Option<String> {
    match here.iter().zip(sent).position(|(here, sent)| here != sent) {
        Some(at) => Some(format!("{what} {at} is {:?} instead of {:?}", here[at], sent[at])),
        None if here.len() == sent.len() => None,
        None => Some(format!("{} {what}s of {}", here.len(), sent.len())),
    }
}

/// The arguments that make ffmpeg print packets as [`Packets::of_hashes`] reads them.
pub const HASH: [&str; 9] =
    ["-map", "0", "-c", "copy", "-copyts", "-f", "framehash", "-hash", "md5"];

/// A file that no longer grows.
pub fn settled(find: impl Fn() -> Option<PathBuf>) -> Option<PathBuf> {
    let (mut last, mut times_same) = (None, 0);
    crate::support::eventually(Duration::from_secs(10), || {
        let now = find().map(|path| (fs::metadata(&path).map_or(0, |meta| meta.len()), path));
        times_same = if last == now { times_same + 1 } else { 0 };
        last = now;
        last.as_ref()
            .filter(|(size, _)| *size > 0 && times_same >= 15)
            .map(|(_, path)| path.clone())
    })
}
