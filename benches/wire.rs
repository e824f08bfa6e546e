//! What the pure parts of the wire cost: chunks, AMF0, FLV, and a session's way of a message.
//!
//! `make bench` compares with the run before it.
#![allow(missing_docs)]

#[path = "../tests/support/pair.rs"]
mod pair;

use std::hint::black_box;
use std::io::IoSlice;
use std::time::Duration;

use bytes::{Buf, Bytes};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use firstmile::flv::{self, Reader as FlvReader, TagKind, writer};
use firstmile::limits::RTMP_CHUNK_SIZE_OUT;
use firstmile::rtmp::amf0::Value;
use firstmile::rtmp::chunk::{Bounds, Reader, Writer};
use firstmile::rtmp::message::{Command, Kind};
use firstmile::rtmp::{ConnectOrder, Outbound};
use pair::{Pair, payload};

/// A video frame at 6 Mbit/s and 30 frames a second.
const VIDEO_FRAME_BYTES: usize = 25_000;

/// As a driver does it with `writev`.
fn write_all(out: &mut Outbound) {
    while out.has_remaining() {
        let mut slices = [IoSlice::new(&[]); 64];
        let filled = out.chunks_vectored(&mut slices);
        let count = black_box(&slices[..filled]).iter().map(|slice| slice.len()).sum();
        out.advance(count);
    }
}

fn video_body() -> Bytes {
    let body = payload(1, VIDEO_FRAME_BYTES);
    let _shared = body.clone(); // as an encoder's is by the time it gets here
    body
}

fn chunks(c: &mut Criterion) {
    let mut group = c.benchmark_group("chunks");
    group.throughput(Throughput::Bytes(VIDEO_FRAME_BYTES as u64));
    let (mut writer, mut out, body) = (Writer::new(), Outbound::default(), video_body());
    writer.announce_chunk_size(&mut out, RTMP_CHUNK_SIZE_OUT as u32);
    let announcement = out.copy_to_bytes(out.remaining());
    let mut time_ms = 0;
    group.bench_function("write a video frame", |b| {
        b.iter(|| {
            time_ms += 33;
            writer.media(&mut out, Kind::Video, 1, time_ms, &[0x27, 1, 0, 0, 0], body.clone());
            write_all(&mut out);
        });
    });

    let (mut writer, mut out) = (Writer::new(), Outbound::default());
    writer.announce_chunk_size(&mut Outbound::default(), RTMP_CHUNK_SIZE_OUT as u32);
    writer.media(&mut out, Kind::Video, 1, 33, &[], body);
    let wire = out.copy_to_bytes(out.remaining());
    let mut reader = Reader::new(Bounds { message_bytes_max: 1 << 20, ..Bounds::default() });
    assert!(reader.next(&mut &announcement[..]).expect("valid").is_none(), "it is for the reader");
    group.bench_function("read a video frame", |b| {
        b.iter(|| reader.next(&mut &wire[..]).expect("valid").expect("a message"));
    });
    group.finish();
}

fn amf0(c: &mut Criterion) {
    let mut group = c.benchmark_group("amf0");
    let properties = [
        ("app", Value::from("live")),
        ("flashVer", Value::from("FMLE/3.0 (compatible; firstmile)")),
        ("tcUrl", Value::from("rtmps://server.example:443/live")),
        ("capsEx", Value::from(1.0)),
    ];
    let object = Value::Object(properties.map(|(name, value)| (name.into(), value)).into());
    let arguments = [object];
    group.bench_function("write connect", |b| {
        b.iter(|| Command::encode("connect", 1.0, black_box(&arguments)));
    });
    let body = Command::encode("connect", 1.0, &arguments);
    group.bench_function("read connect", |b| {
        b.iter(|| Command::decode(black_box(&body)).expect("valid"));
    });
    group.finish();
}

fn flv(c: &mut Criterion) {
    let mut body = vec![0x27, 1, 0, 0, 0];
    body.extend_from_slice(&payload(1, VIDEO_FRAME_BYTES));
    let mut file = writer::header(false, true).to_vec();
    for n in 0..10 {
        file.extend_from_slice(&writer::tag(TagKind::Video, n * 33, body.len()));
        file.extend_from_slice(&body);
        file.extend_from_slice(&writer::previous_tag_size(body.len()));
    }
    let file = Bytes::from(file);
    let _shared = file.clone();

    let mut group = c.benchmark_group("flv");
    group.throughput(Throughput::Bytes(file.len() as u64));
    group.bench_function("read ten video frames in pieces of 64 KiB", |b| {
        b.iter(|| {
            let mut reader = FlvReader::new();
            let mut rest = file.clone();
            while rest.has_remaining() {
                reader.push(rest.split_to(rest.len().min(64 * 1024)));
                while let Some(tag) = reader.next_tag().expect("valid") {
                    black_box(tag);
                }
            }
        });
    });
    let mut reader = FlvReader::new();
    reader.push(file.clone());
    let tag = reader.next_tag().expect("valid").expect("a tag");
    let frame = flv::frame(&tag).expect("H.264").expect("a frame");
    group.throughput(Throughput::Elements(1));
    group.bench_function("head of a video frame", |b| b.iter(|| flv::head(black_box(&frame), 66)));
    group.finish();
}

fn session(c: &mut Criterion) {
    let mut pair = Pair::friendly(ConnectOrder::Conforming);
    pair.run_to(Duration::from_secs(1));
    assert!(pair.accepted());
    let (mut session, body) = (pair.client, video_body());
    let mut time_ms = 0;
    let mut group = c.benchmark_group("session");
    group.throughput(Throughput::Bytes(VIDEO_FRAME_BYTES as u64));
    group.bench_function("send a video frame", |b| {
        b.iter(|| {
            time_ms += 33;
            session.send_video(time_ms, &[0x27, 1, 0, 0, 0], body.clone());
            assert_eq!(session.poll_event(), None);
            write_all(session.transmit());
        });
    });
    group.finish();
}

criterion_group! {
    name = wire;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = chunks, amf0, flv, session
}
criterion_main!(wire);
