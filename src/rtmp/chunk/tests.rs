//! Vectors and round trips of the chunk stream.

use bytes::{Buf, Bytes};

use super::*;
use crate::rtmp::{
    message::{Kind, type_id},
    outbound::Outbound,
};

fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

fn taken(out: &mut Outbound) -> Vec<u8> {
    out.copy_to_bytes(out.remaining()).to_vec()
}

/// Reads all of `input` in pieces of `size`.
fn read(reader: &mut Reader, input: &[u8], size: usize) -> Result<Vec<Message>, ChunkError> {
    let mut messages = Vec::new();
    for mut piece in input.chunks(size) {
        while let Some(message) = reader.next(&mut piece)? {
            messages.push(message);
        }
        assert!(piece.is_empty());
    }
    Ok(messages)
}

/// The same result, however the input is cut.
fn read_hex(text: &str) -> Result<Vec<Message>, ChunkError> {
    let bytes = hex(text);
    let whole = read(&mut Reader::new(Bounds::default()), &bytes, usize::MAX);
    for size in 1..=bytes.len() {
        assert_eq!(
            read(&mut Reader::new(Bounds::default()), &bytes, size),
            whole,
            "pieces of {size}"
        );
    }
    whole
}

fn bodies(text: &str) -> Vec<(u32, Vec<u8>)> {
    let messages = read_hex(text).unwrap();
    messages.into_iter().map(|message| (message.timestamp, message.body.to_vec())).collect()
}

#[test]
fn each_message_gets_the_smallest_header_that_says_it_all() {
    let mut writer = Writer::new();
    let mut out = Outbound::default();
    let mut video = |timestamp, body: &'static [u8]| {
        assert!(writer.media(
            &mut out,
            Kind::Video,
            1,
            timestamp,
            &[0x17],
            Bytes::from_static(body)
        ));
        taken(&mut out)
    };
    for (timestamp, body, wire, why) in [
        (1000, &b"ab"[..], "06 0003e8 000003 09 01000000  17 6162", "the first: all of it"),
        (1033, b"abc", "46 000021 000004 09  17 616263", "other length: type 1"),
        (1067, b"abc", "86 000022  17 616263", "other delta: type 2"),
        (1101, b"abc", "86 000022  17 616263", "the same delta again: it is named"),
        (1101, b"abc", "86 000000  17 616263", "no time passed"),
        (0xFF_FFFE, b"abc", "86 fffbb1  17 616263", "the last delta"),
        (0xFF_FFFF, b"abc", "06 ffffff 000004 09 01000000 00ffffff  17 616263", "extended"),
        (0x100_0000, b"abc", "06 ffffff 000004 09 01000000 01000000  17 616263", "absolute again"),
        (0x8000_0000, b"abc", "06 ffffff 000004 09 01000000 80000000  17 616263", "2^31"),
        (0x1_0000_0000, b"abc", "06 000000 000004 09 01000000  17 616263", "2^32 wraps"),
        (0x1_0000_0021, b"abc", "86 000021  17 616263", "deltas again"),
    ] {
        assert_eq!(video(timestamp, body), hex(wire), "{why}");
    }
}

/// Some servers do not add the delta that a type 3 header repeats, and others repeat the timestamp
/// behind a type 0 header.
#[test]
fn no_message_begins_with_a_type_3_header_however_equal_it_is_to_the_last_one() {
    let mut writer = Writer::new();
    let mut out = Outbound::default();
    writer.announce_chunk_size(&mut out, 4_096);
    taken(&mut out);
    for kind in [Kind::Audio, Kind::Video, Kind::Data] {
        for number in 0..200 {
            // Silence is equal frames at equal distances; some stand still.
            let timestamp = if number < 100 { number * 21 } else { 100 * 21 };
            writer.media(&mut out, kind, 1, timestamp, b"", Bytes::from_static(b"a"));
            let wire = taken(&mut out);
            assert_ne!(wire[0] >> 6, 3, "{kind:?} {number}: {wire:?}");
        }
    }
}

/// What a reader makes of it that takes a type 3 header for the rest of a message and nothing else.
#[test]
fn a_reader_that_adds_no_repeated_delta_still_gets_every_time_right() {
    let mut writer = Writer::new();
    let mut out = Outbound::default();
    let (mut time_ms, mut sent, mut understood) = (0_u64, Vec::new(), Vec::new());
    for number in 0..500_u64 {
        let timestamp = number * 21 + 1_000;
        writer.media(&mut out, Kind::Audio, 1, timestamp, b"", Bytes::from_static(b"silence"));
        let wire = taken(&mut out);
        let field = u64::from(wire[1]) << 16 | u64::from(wire[2]) << 8 | u64::from(wire[3]);
        match wire[0] >> 6 {
            0 => time_ms = field,
            1 | 2 => time_ms += field,
            _ => {}
        }
        sent.push(timestamp);
        understood.push(time_ms);
    }
    assert_eq!(understood, sent);
}

// Shows F21.
#[test]
fn the_extended_timestamp_is_repeated_on_each_further_chunk() {
    let mut writer = Writer::new();
    let mut out = Outbound::default();
    let body = Bytes::from(vec![0x55; 300]);
    writer.media(&mut out, Kind::Video, 1, 0x0123_4567, &[1, 2, 3, 4, 5], body);
    let wire = taken(&mut out);
    assert_eq!(wire.len(), 16 + 128 + 5 + 128 + 5 + 49);
    assert_eq!(wire[..21], hex("06 ffffff 000131 09 01000000 01234567 0102030405"));
    assert_eq!(wire[144..149], hex("c6 01234567"));
    assert_eq!(wire[277..282], hex("c6 01234567"));
}

#[test]
fn a_timestamp_that_goes_back_is_raised_to_the_last_one() {
    let mut writer = Writer::new();
    let mut out = Outbound::default();
    for timestamp in [50, 40, 60] {
        writer.media(&mut out, Kind::Audio, 1, timestamp, b"", Bytes::from_static(b"a"));
    }
    let messages = read(&mut Reader::new(Bounds::default()), &taken(&mut out), 64).unwrap();
    let timestamps: Vec<u32> = messages.iter().map(|message| message.timestamp).collect();
    assert_eq!(timestamps, [50, 50, 60]);
}

#[test]
fn control_messages_stand_alone() {
    let mut writer = Writer::new();
    let mut out = Outbound::default();
    writer.announce_chunk_size(&mut out, 4096);
    writer.control(&mut out, type_id::WINDOW_ACK_SIZE, &100_000_u32.to_be_bytes());
    let wanted = "02 000000 000004 01 00000000 00001000  02 000000 000004 05 00000000 000186a0";
    assert_eq!(taken(&mut out), hex(wanted));
}

#[test]
fn what_rtmp_cannot_carry_is_not_queued() {
    let mut writer = Writer::new();
    let mut out = Outbound::default();
    let body = Bytes::from(vec![0; MESSAGE_BYTES_WIRE_MAX]);
    assert!(!writer.media(&mut out, Kind::Video, 1, 0, &[0x17], body.clone()));
    assert!(out.is_empty());
    assert!(writer.media(&mut out, Kind::Video, 1, 0, &[], body));
}

/// What was written is read again, for any chunk size, length, timestamp and way of cutting.
#[test]
fn what_is_written_is_read_again() {
    let edges: [u64; 9] =
        [0, 1, 0xFF_FFFE, 0xFF_FFFF, 0x100_0000, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32];
    let bounds =
        Bounds { message_bytes_max: 1 << 20, total_bytes_max: 1 << 20, ..Bounds::default() };
    for seed in 0..400 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let chunk_size = match seed % 4 {
            0 => rng.u32(1..=20),
            1 => rng.u32(21..=200),
            _ => rng.u32(201..=70_000),
        };
        let (mut writer, mut out) = (Writer::new(), Outbound::default());
        writer.announce_chunk_size(&mut out, chunk_size);
        let mut sent = Vec::new();
        let mut timestamp = edges[rng.usize(..edges.len())].saturating_sub(rng.u64(..100));
        for _ in 0..12 {
            timestamp += rng.u64(..60);
            let kind = [Kind::Audio, Kind::Video, Kind::Data][rng.usize(..3)];
            let len = if rng.bool() { rng.usize(..40) } else { rng.usize(..9_000) };
            let head: Vec<u8> = (0..rng.usize(..=16)).map(|_| rng.u8(..)).collect();
            let body: Vec<u8> = (0..len).map(|_| rng.u8(..)).collect();
            writer.media(&mut out, kind, 1, timestamp, &head, Bytes::from(body.clone()));
            sent.push((kind.type_id(), timestamp as u32, [head, body].concat()));
        }
        let announced = out.len();
        let wire = taken(&mut out);
        assert_eq!(announced, wire.len(), "seed {seed}");
        let size = rng.usize(1..=wire.len());
        let received = read(&mut Reader::new(bounds), &wire, size).unwrap();
        let received: Vec<_> =
            received.into_iter().map(|m| (m.type_id, m.timestamp, m.body.to_vec())).collect();
        assert!(received == sent, "seed {seed}");
    }
}

#[test]
fn all_forms_of_a_chunk_stream_id_are_read() {
    for (basic, id) in [
        ("02", 2),
        ("3f", 63),
        ("00 00", 64),
        ("00 ff", 319),
        ("01 0000", 64),
        ("01 0001", 320),
        ("01 ffff", 65_599),
    ] {
        let messages = read_hex(&format!("{basic} 000001 000001 14 00000000 61")).unwrap();
        assert_eq!(messages[0].chunk_stream, id, "{basic}");
    }
}

#[test]
fn messages_on_several_chunk_streams_may_be_interleaved() {
    let a = "61".repeat(128);
    let b = "62".repeat(128);
    let wire =
        format!("04 000001 000081 08 01000000 {a}  06 000002 000081 09 01000000 {b}  c4 61  c6 62");
    let received = bodies(&wire);
    assert_eq!(received, [(1, vec![b'a'; 129]), (2, vec![b'b'; 129])]);
}

#[test]
fn an_aborted_message_is_forgotten() {
    let part = "61".repeat(128);
    let wire = format!(
        "04 000001 000081 08 01000000 {part}  02 000000 000004 02 00000000 00000004 \
         04 000005 000001 08 01000000 62  02 000000 000004 02 00000000 00000009"
    );
    assert_eq!(bodies(&wire), [(5, vec![b'b'])]);
}

// Shows F16.
#[test]
fn a_new_chunk_size_holds_from_the_next_chunk_on() {
    let part = "61".repeat(128);
    let wire = format!(
        "04 000001 000083 08 01000000 {part}  02 000000 000004 01 00000000 00000001 \
         c4 62 c4 63 c4 64"
    );
    let [(_, body)] = &bodies(&wire)[..] else { panic!("one message expected") };
    assert_eq!(&body[128..], b"bcd");
}

#[test]
fn an_extended_timestamp_may_be_repeated_or_not() {
    let part = "61".repeat(128);
    let start = format!("04 ffffff 000085 08 01000000 01020304 {part}");
    let wanted = |rest: &[u8]| [&[b'a'; 128][..], rest].concat();
    for (wire, rest, why) in [
        (format!("{start} c4 01020304 6263646566"), &b"bcdef"[..], "repeated"),
        (format!("{start} c4 6263646566"), b"bcdef", "absent"),
        (format!("{start} c4 0102036465"), &[1, 2, 3, b'd', b'e'], "absent, and nearly the same"),
    ] {
        assert_eq!(bodies(&wire), [(0x0102_0304, wanted(rest))], "{why}");
    }
}

#[test]
fn what_follows_an_absent_extended_timestamp_is_not_lost() {
    // Two payload bytes that look like the beginning of the timestamp, then a whole message.
    let part = "61".repeat(128);
    let start = format!("04 ffffff 000082 08 01000000 01050000 {part}");
    let next = "05 000007 000001 12 01000000 62";
    let wanted = [(0x0105_0000, [&[b'a'; 128][..], &[1, 5]].concat()), (7, vec![b'b'])];
    assert_eq!(bodies(&format!("{start} c4 0105 {next}")), wanted);
}

#[test]
fn a_type_3_header_repeats_the_last_delta() {
    let wire = "04 000064 000001 08 01000000 61  84 000015 61  c4 61  c4 61";
    let timestamps: Vec<u32> = bodies(wire).into_iter().map(|(timestamp, _)| timestamp).collect();
    assert_eq!(timestamps, [100, 121, 142, 163]);
}

#[test]
fn an_empty_message_is_a_message() {
    assert_eq!(bodies("04 000001 000000 08 01000000 84 000001").len(), 2);
    assert_eq!(bodies("04 ffffff 000000 08 01000000 01020304 c4 01020304").len(), 2);
}

#[test]
fn a_stream_may_begin_with_a_type_1_header_as_librtmp_does() {
    assert_eq!(bodies("42 000000 000006 04 0003 00000001"), [(0, vec![0, 3, 0, 0, 0, 1])]);
}

#[test]
fn what_is_no_chunk_stream_is_refused_by_name() {
    let part = "61".repeat(128);
    for (wire, error) in [
        ("02 000000 000004 01 00000000 00000000".to_owned(), ChunkError::BadChunkSize(0)),
        ("02 000000 000004 01 00000000 80000001".to_owned(), ChunkError::BadChunkSize(0x8000_0001)),
        ("02 000000 000003 01 00000000 000001".to_owned(), ChunkError::ShortControl(1)),
        ("02 000000 000000 02 00000000".to_owned(), ChunkError::ShortControl(2)),
        ("84 000001".to_owned(), ChunkError::NoEarlierHeader(4)),
        ("c4".to_owned(), ChunkError::NoEarlierHeader(4)),
        (
            format!("04 000001 000081 08 01000000 {part} 04 000001 000001 08 01000000"),
            ChunkError::Interrupted(4),
        ),
        (
            "04 000001 010001 08 01000000".to_owned(),
            ChunkError::MessageTooLong { bytes: 65_537, max: 65_536 },
        ),
    ] {
        assert_eq!(read_hex(&wire), Err(error), "{wire:.60}");
    }
}

#[test]
fn unfinished_messages_are_bounded_in_number_and_in_all() {
    let bounds = Bounds { message_bytes_max: 1_000, total_bytes_max: 1_000, chunk_streams_max: 9 };
    let mut reader = Reader::new(bounds);
    let begin = |id: u8| hex(&format!("{id:02x} 000001 0003e8 08 01000000 {}", "61".repeat(128)));
    for id in 3..10 {
        assert_eq!(read(&mut reader, &begin(id), 64), Ok(vec![]));
    }
    assert_eq!(read(&mut reader, &begin(10), 64), Err(ChunkError::TotalTooLong { max: 1_000 }));
    let mut reader = Reader::new(bounds);
    let finished = |id: u8| hex(&format!("{id:02x} 000001 000001 08 01000000 61"));
    for id in 3..12 {
        assert_eq!(read(&mut reader, &finished(id), 64).map(|messages| messages.len()), Ok(1));
    }
    let too_many = ChunkError::TooManyChunkStreams { max: 9 };
    assert_eq!(read(&mut reader, &finished(12), 64), Err(too_many));
}

/// Whatever comes, reading ends, and within its bounds.
#[test]
fn random_bytes_never_harm_the_reader() {
    for seed in 0..2_000 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut bytes = vec![0; rng.usize(1..3_000)];
        rng.fill(&mut bytes);
        let size = rng.usize(1..=bytes.len());
        if let Ok(messages) = read(&mut Reader::new(Bounds::default()), &bytes, size) {
            let total: usize = messages.iter().map(|message| message.body.len()).sum();
            assert!(total <= bytes.len());
        }
    }
}

#[test]
fn finished_and_aborted_messages_free_their_share_of_the_total() {
    let bounds = Bounds { message_bytes_max: 200, total_bytes_max: 200, chunk_streams_max: 9 };
    let mut reader = Reader::new(bounds);
    let part = "61".repeat(128);
    let finished = hex(&format!("04 000001 000080 08 01000000 {part}"));
    let aborted =
        hex(&format!("05 000001 0000c8 08 01000000 {part} 02 000000 000004 02 00000000 00000005"));
    for _ in 0..10 {
        assert_eq!(read(&mut reader, &finished, 64).map(|messages| messages.len()), Ok(1));
        assert_eq!(read(&mut reader, &aborted, 64), Ok(vec![]));
    }
}
