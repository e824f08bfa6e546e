//! Codecs of Enhanced RTMP v2 in files and on the way to a server.

use std::fs;
use std::time::Duration;

use crate::support::Folder;
use bytes::Bytes;
use fastrand::Rng;
use firstmile::clock::Clock;
use firstmile::flv::{self, Reader, Tag, TagKind, writer};
use firstmile::media::{Codec, Frame, Kind, Track};
use firstmile::publish::tls::Policy;
use firstmile::publish::{Close, FlvFile, Target, publish};
use firstmile::rtmp::url::{Ingest, ServerUrl};
use firstmile::secret::StreamKey;
use firstmile::sim::ingest::Server;

fn tag(kind: TagKind, timestamp_ms: u32, body: &[u8]) -> Tag {
    Tag { kind, timestamp_ms, body: Bytes::copy_from_slice(body) }
}

fn file(tags: &[Tag]) -> Vec<u8> {
    let mut file = writer::header(true, true).to_vec();
    for Tag { kind, timestamp_ms, body } in tags {
        file.extend_from_slice(&writer::tag(*kind, *timestamp_ms, body.len()));
        file.extend_from_slice(body);
        file.extend_from_slice(&writer::previous_tag_size(body.len()));
    }
    file
}

fn tag_of(frame: &Frame) -> Tag {
    let composition_time_ms = i32::try_from((frame.pts_ns - frame.dts_ns) / 1_000_000).unwrap();
    let mut body = flv::head(frame, composition_time_ms).as_slice().to_vec();
    body.extend_from_slice(&frame.payload);
    let kind = match frame.track() {
        Track::Video => TagKind::Video,
        Track::Audio => TagKind::Audio,
    };
    tag(kind, (frame.dts_ns / 1_000_000) as u32, &body)
}

/// Any frame that a tag can hold: whole milliseconds, composition times where there is a field.
fn any_frame(rng: &mut Rng) -> Frame {
    let codecs = [Codec::Avc, Codec::Hevc, Codec::Av1, Codec::Vp9, Codec::Aac, Codec::Opus];
    let codec = *rng.choice(&codecs).unwrap();
    let video = [Kind::VideoConfig, Kind::VideoKey, Kind::VideoDelta];
    let audio = [Kind::AudioConfig, Kind::Audio];
    let kind = match codec.track() {
        Track::Video => *rng.choice(&video).unwrap(),
        Track::Audio => *rng.choice(&audio).unwrap(),
    };
    let dts_ms = u64::from(rng.u32(..));
    let has_time = matches!(codec, Codec::Avc | Codec::Hevc) && !kind.is_config() && rng.bool();
    let pts_ms = dts_ms + if has_time { rng.u64(..0x80_0000) } else { 0 };
    let payload: Vec<u8> = (0..rng.usize(..300)).map(|_| rng.u8(..)).collect();
    let (pts_ns, dts_ns) = (pts_ms * 1_000_000, dts_ms * 1_000_000);
    Frame { kind, codec, pts_ns, dts_ns, payload: payload.into() }
}

#[test]
fn any_frames_come_back_from_a_file_cut_anywhere() {
    let mut rng = Rng::with_seed(4);
    for _ in 0..200 {
        let frames: Vec<Frame> = (0..20).map(|_| any_frame(&mut rng)).collect();
        let file = file(&frames.iter().map(tag_of).collect::<Vec<_>>());
        let (mut reader, mut rest, mut read) = (Reader::new(), &file[..], Vec::new());
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rng.usize(1..=rest.len()));
            reader.push(Bytes::copy_from_slice(piece));
            rest = after;
            while let Some(tag) = reader.next_tag().unwrap() {
                read.push(flv::frame(&tag).unwrap().unwrap());
            }
        }
        assert_eq!(reader.finish(), Ok(()));
        assert!(read == frames);
    }
}

/// HEVC with HDR metadata and late frames next to Opus, then everything that is carried without
/// being understood. `enhanced-rtmp-v2`, "Enhanced Video" and "Enhanced Audio".
fn stream() -> Vec<Tag> {
    let (video, audio, script) = (TagKind::Video, TagKind::Audio, TagKind::Script);
    let mut tags = vec![
        tag(script, 0, b"\x02\x00\x0aonMetaData\x08\x00\x00\x00\x00\x00\x00\x09"),
        tag(video, 0, b"\x84hvc1\x02\x00\x09colorInfo\x05"),
        tag(video, 0, b"\x90hvc1\x01\x01\x60"),
        tag(audio, 0, b"\x90OpusOpusHead\x01\x02\x38\x01\x80\xBB\x00\x00\x00\x00\x00"),
    ];
    for n in 0..50_u32 {
        let video_head: &[u8] = match n % 25 {
            0 => b"\x91hvc1\x00\x00\x50",
            n if n % 2 == 0 => b"\xA3hvc1",
            _ => b"\xA1hvc1\x00\x00\x28",
        };
        let mut frame = video_head.to_vec();
        frame.extend((0..5_000).map(|at| (at * 7 + n) as u8)); // more than a chunk
        tags.push(tag(video, n * 40, &frame));
        tags.push(tag(audio, n * 40, b"\x91Opus\xFC\xFF\xFE"));
        tags.push(tag(audio, n * 40 + 20, b"\x97\x02\x00\x01\x00\x01Opus\xFC\xFF\xFE"));
    }
    tags.push(tag(video, 2_000, b"\x92hvc1"));
    tags.push(tag(audio, 2_000, b"\x92Opus"));
    tags
}

fn several_tracks() -> Vec<Tag> {
    let video = [b"\x96\x10hvc1\x00".as_slice(), &[1; 40]].concat();
    vec![
        tag(TagKind::Video, 0, &video),
        tag(TagKind::Audio, 0, b"\x95\x01Opus\x01\x00\x00\x02\xFC\xFF"),
        tag(TagKind::Video, 40, b"\x90vp08\x01"),
    ]
}

/// Publishes a file with these tags to the box's own server; gives what that counted and the bytes
/// that it recorded.
async fn pushed(tags: &[Tag]) -> (firstmile::sim::ingest::Summary, Vec<u8>) {
    let folder = Folder::new("enhanced");
    let (path, ca) = (folder.path().join("sent.flv"), folder.path().join("ca.pem"));
    fs::write(&path, file(tags)).unwrap();
    let (clock, key) = (Clock::start(), StreamKey::parse("a-k3y").unwrap());
    let server = Server::start(clock, key.clone(), folder.path()).await.unwrap();
    fs::write(&ca, server.ca_pem()).unwrap();
    let ingest = Ingest::from_server_and_key(ServerUrl::parse(&server.url()).unwrap(), key);
    let policy = Policy { ca_file: Some(ca), ..Policy::default() };
    let target = Target::new(ingest.unwrap(), &policy, false).unwrap();
    let mut source = FlvFile::open(&path, 1, None).unwrap();
    let never = std::future::pending::<Close>();
    publish(clock, &target, &mut source, &mut |_| {}, never).await.unwrap();
    let ended = async {
        loop {
            match server.reports().pop() {
                Some(report) if report.ended => break report,
                _ => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    };
    let report = tokio::time::timeout(Duration::from_secs(20), ended).await.expect("it ends");
    (report.summary, fs::read(report.file).unwrap())
}

#[tokio::test]
async fn hevc_and_opus_arrive_as_they_are_in_the_file() {
    let (summary, recorded) = pushed(&stream()).await;
    assert!(recorded == file(&stream()), "not the same to the byte");
    assert_eq!((summary.video_frames, summary.key_frames, summary.audio_frames), (50, 2, 100));
    assert_eq!(summary.faults, [""; 0]);
}

#[tokio::test]
async fn what_is_not_understood_is_carried_all_the_same() {
    let (summary, recorded) = pushed(&several_tracks()).await;
    assert!(recorded == file(&several_tracks()), "not the same to the byte");
    assert!(summary.faults[0].contains("Multitrack"), "{:?}", summary.faults);
}
