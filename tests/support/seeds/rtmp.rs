use std::time::Duration;

use bytes::{Buf, Bytes};
use firstmile::rtmp::amf0::Value;
use firstmile::rtmp::chunk::Writer;
use firstmile::rtmp::handshake::PACKET_BYTES;
use firstmile::rtmp::message::{Command, Kind, ping_request, stream_begin, type_id};
use firstmile::rtmp::{ConnectOrder, Outbound, Session, SessionConfig};
use firstmile::secret::StreamKey;
use firstmile::sim::ingest::session::{IngestConfig, IngestSession, Policy, Refuse};

use super::{Made, made};
use crate::fuzz::session::CANARY;

pub fn handshake() -> Vec<Made> {
    let whole = |version: u8, filling: u8, more: &[u8]| {
        let mut bytes = vec![1, version];
        bytes.resize(2 + 2 * PACKET_BYTES, filling);
        bytes.extend_from_slice(more);
        bytes
    };
    vec![
        made("whole", whole(3, 0, &[])),
        made("with-a-chunk-behind", whole(3, 0x5A, &[2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0])),
        made("encrypted-version", whole(6, 0xFF, &[])),
        made("reserved-version", whole(31, 1, &[])),
        made("half", &whole(3, 7, &[])[..2 + PACKET_BYTES]),
        made("http", b"\x01HTTP/1.1 400 Bad Request\r\n\r\n"),
        made("tls-alert", b"\x01\x15\x03\x01\x00\x02\x02\x28"),
        made("version-0", [1, 0]),
        made("version-32", [1, 32]),
        made("nothing", [1]),
    ]
}

fn taken(out: &mut Outbound) -> Vec<u8> {
    out.copy_to_bytes(out.remaining()).to_vec()
}

/// What a writer makes of these media messages: kind, time, payload.
fn chunks(chunk_size: Option<u32>, media: &[(Kind, u64, usize)]) -> Vec<u8> {
    let (mut writer, mut out) = (Writer::new(), Outbound::default());
    if let Some(size) = chunk_size {
        writer.announce_chunk_size(&mut out, size);
    }
    for &(kind, time_ms, len) in media {
        let body = Bytes::from(vec![len as u8; len]);
        assert!(writer.media(&mut out, kind, 1, time_ms, &[0x27, 1], body));
    }
    [vec![0, 5], taken(&mut out)].concat()
}

pub fn chunk_reader() -> Vec<Made> {
    use Kind::{Audio, Data, Video};
    let steady: Vec<_> = (0..12)
        .map(|n| if n % 3 == 0 { (Video, n * 33, 90) } else { (Audio, n * 21, 20) })
        .collect();
    let mut seeds = vec![
        made("one-short", chunks(None, &[(Audio, 0, 3)])),
        made("empty-body", [0, 5, 4, 0, 0, 0, 0, 0, 0, 8, 1, 0, 0, 0]),
        made("one-of-two-chunks", chunks(None, &[(Video, 40, 200)])),
        made("exactly-one-chunk", chunks(None, &[(Video, 40, 126)])),
        made("all-header-types", chunks(None, &steady)),
        made("chunks-of-one-byte", chunks(Some(1), &[(Data, 0, 30)])),
        made("large-chunks", chunks(Some(4096), &[(Video, 0, 900), (Video, 33, 700)])),
        made("largest-chunk-size", chunks(Some(u32::MAX), &[(Video, 0, 300)])),
        made(
            "at-the-extended-time",
            chunks(None, &[(Video, 0xFF_FFFF, 300), (Video, 0x100_0020, 9)]),
        ),
        made("below-the-extended-time", chunks(None, &[(Video, 0xFF_FFFE, 300)])),
        made(
            "time-wraps",
            chunks(Some(64), &[(Audio, u64::from(u32::MAX), 80), (Audio, 1 << 32, 80)]),
        ),
        made("time-goes-back", chunks(None, &[(Audio, 90, 8), (Audio, 40, 8)])),
    ];
    let raw = |name: &str, bytes: &[u8]| made(name, [&[0, 5], bytes].concat());
    seeds.extend([
        raw("interleaved", &interleaved()),
        raw("abort", b"\x03\0\0\0\0\x01\0\x14\0\0\0\0aaaa\x02\0\0\0\0\0\x04\x02\0\0\0\0\0\0\0\x03\x05\0\0\0\0\0\x01\x08\x01\0\0\0b"),
        raw("chunk-stream-64", b"\x00\0\0\0\0\0\0\x02\x08\x01\0\0\0ab"),
        raw("chunk-stream-320", b"\x01\0\x01\0\0\0\0\0\x02\x08\x01\0\0\0ab"),
        raw("extended-not-repeated", &extended(false)),
        raw("extended-repeated", &extended(true)),
        raw("chunk-size-0", b"\x02\0\0\0\0\0\x04\x01\0\0\0\0\0\0\0\0"),
        raw("chunk-size-with-top-bit", b"\x02\0\0\0\0\0\x04\x01\0\0\0\0\x80\0\0\x01"),
        raw("unknown-header-referred-to", b"\xC5"),
        raw("length-only-claimed", b"\x04\0\0\0\xFF\xFF\xFF\x08\x01\0\0\0abc"),
    ]);
    let tight: Vec<Made> = seeds[..8]
        .iter()
        .map(|(name, bytes)| made(format!("tight-{name}"), [&[1, 9], &bytes[2..]].concat()))
        .collect();
    seeds.extend(tight);
    seeds
}

/// Two messages of 150 bytes whose chunks alternate.
fn interleaved() -> Vec<u8> {
    let mut bytes = Vec::new();
    for chunk_stream in [4, 6] {
        bytes.extend_from_slice(&[chunk_stream, 0, 0, 9, 0, 0, 150, 8, 1, 0, 0, 0]);
        bytes.extend_from_slice(&[chunk_stream; 128]);
    }
    for chunk_stream in [4, 6] {
        bytes.push(0xC0 | chunk_stream);
        bytes.extend_from_slice(&[chunk_stream; 22]);
    }
    bytes
}

fn extended(is_repeated: bool) -> Vec<u8> {
    let mut bytes = b"\x04\xFF\xFF\xFF\0\0\x96\x08\x01\0\0\0\x01\0\0\x07".to_vec();
    bytes.extend_from_slice(&[9; 128]);
    bytes.push(0xC4);
    bytes.extend_from_slice(if is_repeated { b"\x01\0\0\x07" } else { b"" });
    bytes.extend_from_slice(&[9; 22]);
    bytes
}

fn encoded(values: &[Value<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    values.iter().for_each(|value| value.encode(&mut bytes));
    bytes
}

fn nested(depth: usize) -> Value<'static> {
    match depth {
        0 => Value::Null,
        depth if depth % 2 == 0 => Value::StrictArray(vec![nested(depth - 1)]),
        depth => Value::Object(vec![("a".into(), nested(depth - 1))]),
    }
}

pub fn amf0() -> Vec<Made> {
    let fields = || vec![("width".into(), 1280.0.into()), ("stereo".into(), true.into())];
    let values = [
        ("number", Value::Number(30_000.0 / 1_001.0)),
        ("not-a-number", Value::Number(f64::NAN)),
        ("boolean", Value::Boolean(true)),
        ("string", "onMetaData".into()),
        ("string-of-two-byte-characters", "ümläut".into()),
        ("long-string", Value::string("x".repeat(300))),
        ("object", Value::Object(fields())),
        ("empty-object", Value::Object(vec![])),
        ("property-without-a-name", Value::Object(vec![("".into(), Value::Null)])),
        ("null", Value::Null),
        ("undefined", Value::Undefined),
        ("reference", Value::Reference(7)),
        ("ecma-array", Value::EcmaArray(fields())),
        ("strict-array", Value::StrictArray(vec!["av01".into(), 1.0.into(), Value::Null])),
        ("date", Value::Date(1.7e12)),
        ("unsupported", Value::Unsupported),
        ("xml", Value::Xml("<a/>".into())),
        ("typed-object", Value::TypedObject("Class".into(), fields())),
        ("nested-5", nested(5)),
        ("nested-16", nested(16)),
        ("nested-17", nested(17)),
        ("many", Value::StrictArray(vec![Value::Null; 1_030])),
    ];
    let mut seeds: Vec<Made> = values
        .iter()
        .map(|(name, value)| made(*name, encoded(std::slice::from_ref(value))))
        .collect();
    let metadata = encoded(&["onMetaData".into(), Value::EcmaArray(fields())]);
    seeds.extend([
        made("metadata", &metadata),
        made("cut-short", &metadata[..metadata.len() - 4]),
        made("no-utf-8", b"\x02\x00\x03\xFF\xFE\x80"),
        made("long-marker-for-a-short-string", b"\x0C\x00\x00\x00\x02ab"),
        made("wrong-count", b"\x08\xFF\xFF\xFF\xFF\x00\x01a\x05\x00\x00\x09"),
        made("count-only-claimed", b"\x0A\xFF\xFF\xFF\xFF\x05"),
        made("amf3-marker", b"\x11\x0A\x0B\x01"),
    ]);
    seeds
}

fn info<'a>(level: &'a str, code: &'a str, description: &'a str) -> Value<'a> {
    Value::Object(vec![
        ("level".into(), level.into()),
        ("code".into(), code.into()),
        ("description".into(), description.into()),
    ])
}

/// What servers and publishers say, by name: transaction and arguments.
fn commands() -> Vec<(&'static str, Bytes)> {
    let status = |level, code, text| {
        Command::encode("onStatus", 0.0, &[Value::Null, info(level, code, text)])
    };
    let connect = Value::Object(vec![
        ("app".into(), "live".into()),
        ("type".into(), "nonprivate".into()),
        ("tcUrl".into(), "rtmp://server.example/live".into()),
        ("capsEx".into(), 1.0.into()),
    ]);
    let Value::Object(mut redirect) = info("error", "NetConnection.Connect.Rejected", "elsewhere")
    else {
        unreachable!("information is an object")
    };
    let ex =
        vec![("code".into(), 302.0.into()), ("redirect".into(), "rtmp://b.example/live".into())];
    redirect.push(("ex".into(), Value::Object(ex)));
    let Value::Object(mut reconnect) =
        info("status", "NetConnection.Connect.ReconnectRequest", "updates")
    else {
        unreachable!("information is an object")
    };
    reconnect.push(("tcUrl".into(), "//b.example/live".into()));
    let auth = "[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=needauth&user=a&salt=b&challenge=c&opaque=d";
    vec![
        ("connect", Command::encode("connect", 1.0, &[connect])),
        (
            "connected",
            Command::encode(
                "_result",
                1.0,
                &[
                    Value::Object(vec![("fmsVer".into(), "FMS/3,5,7,7009".into())]),
                    info("status", "NetConnection.Connect.Success", "Connection succeeded."),
                ],
            ),
        ),
        (
            "auth-required",
            Command::encode(
                "_error",
                1.0,
                &[Value::Null, info("error", "NetConnection.Connect.Rejected", auth)],
            ),
        ),
        ("redirected", Command::encode("_error", 1.0, &[Value::Null, Value::Object(redirect)])),
        ("created", Command::encode("_result", 4.0, &[Value::Null, 1.0.into()])),
        ("created-7", Command::encode("_result", 4.0, &[Value::Null, 7.0.into()])),
        ("created-nothing", Command::encode("_result", 4.0, &[Value::Null])),
        ("on-fc-publish", Command::encode("onFCPublish", 0.0, &[Value::Null])),
        ("publish", Command::encode("publish", 5.0, &[Value::Null, CANARY.into(), "live".into()])),
        ("delete-stream", Command::encode("deleteStream", 8.0, &[Value::Null, 1.0.into()])),
        ("started", status("status", "NetStream.Publish.Start", "go ahead")),
        ("bad-name", status("error", "NetStream.Publish.BadName", "Stream already publishing")),
        ("repeats-the-key", status("error", "NetStream.Publish.Denied", CANARY)),
        (
            "repeats-the-key-in-colour",
            status(
                "error",
                "NetStream.Publish.Denied",
                "canary\u{1b}[31m-key-\u{200b}7f3a?sig=9d1c",
            ),
        ),
        ("key-as-code", status("error", CANARY, "")),
        ("kicked", status("status", "NetStream.Unpublish.Success", "taken over")),
        ("cannot-record", status("error", "NetStream.Record.Failed", "disk full")),
        ("reconnect", Command::encode("onStatus", 0.0, &[Value::Null, Value::Object(reconnect)])),
        ("close", Command::encode("close", 0.0, &[Value::Null])),
        ("name-alone", Bytes::from_static(b"\x02\x00\x04ping")),
    ]
}

pub fn message() -> Vec<Made> {
    let mut seeds: Vec<Made> = commands()
        .into_iter()
        .map(|(name, body)| made(name, [&[type_id::COMMAND_AMF0], &body[..]].concat()))
        .collect();
    let of = |name: &str, type_id: u8, body: &[u8]| made(name, [&[type_id], body].concat());
    let (_, connected) = commands().swap_remove(1);
    seeds.extend([
        of("acknowledgement", type_id::ACKNOWLEDGEMENT, &[0, 1, 0x86, 0xA0]),
        of("acknowledgement-too-short", type_id::ACKNOWLEDGEMENT, &[0, 1]),
        of("window", type_id::WINDOW_ACK_SIZE, &[0, 0x26, 0x25, 0xA0]),
        of("peer-bandwidth", type_id::SET_PEER_BANDWIDTH, &[0, 0x26, 0x25, 0xA0, 2]),
        of("ping", type_id::USER_CONTROL, &ping_request([1, 2, 3, 4])),
        of("stream-begin", type_id::USER_CONTROL, &stream_begin(1)),
        of("half-a-ping", type_id::USER_CONTROL, &ping_request([1, 2, 3, 4])[..4]),
        of("amf3-command", type_id::COMMAND_AMF3, &[&[0], &connected[..]].concat()),
        of("amf3-command-without-its-byte", type_id::COMMAND_AMF3, &connected),
        of("audio", type_id::AUDIO, &[0xAF, 1, 0]),
        of("data", type_id::DATA_AMF0, b"\x02\x00\x0aonMetaData"),
        of("unknown", 22, &[1]),
    ]);
    seeds
}

fn client(order: ConnectOrder) -> SessionConfig {
    let key = StreamKey::parse(CANARY).expect("a good key");
    let url = "rtmp://server.example/live";
    SessionConfig { order, ..SessionConfig::new(url, "live", key) }
}

const ORDERS: [(&str, ConnectOrder, u8); 3] = [
    ("patient", ConnectOrder::Patient, 0),
    ("early", ConnectOrder::Early, 1),
    ("conforming", ConnectOrder::Conforming, 2),
];

/// A conversation; gives what the server and what the publisher sent after the handshake.
fn talk(
    order: ConnectOrder,
    policy: Policy,
    mut meanwhile: impl FnMut(&mut Session, &mut IngestSession),
) -> (Vec<u8>, Vec<u8>) {
    let now = Duration::ZERO;
    let server = IngestConfig { policy, ..IngestConfig::default() };
    let (mut client, mut server) =
        (Session::new(now, client(order)), IngestSession::new(now, server));
    let (mut down, mut up) = (Vec::new(), Vec::new());
    for round in 0..12 {
        let sent = taken(client.transmit());
        server.handle_input(now, &sent);
        up.extend(sent);
        let sent = taken(server.transmit());
        client.handle_input(now, &sent);
        down.extend(sent);
        while client.poll_event().is_some() {}
        while server.poll_event().is_some() {}
        if round == 8 {
            meanwhile(&mut client, &mut server);
        }
    }
    let handshake = 1 + 2 * PACKET_BYTES;
    (down.split_off(handshake.min(down.len())), up.split_off(handshake.min(up.len())))
}

fn policies() -> Vec<(&'static str, Policy)> {
    let refuse = |code: &str, description: &str| Policy {
        refuse_publish: Some(Refuse { code: code.into(), description: description.into() }),
        ..Policy::default()
    };
    vec![
        ("friendly", Policy::default()),
        ("small-chunks", Policy { chunk_size: 1, ..Policy::default() }),
        ("stream-7", Policy { stream_id: 7, ..Policy::default() }),
        ("refuses", refuse("NetStream.Publish.BadName", "in use")),
        (
            "redirects",
            Policy { redirect_to: Some("rtmp://b.example/live".into()), ..Policy::default() },
        ),
    ]
}

pub fn session() -> Vec<Made> {
    let mut seeds = Vec::new();
    for (order_name, order, flags) in ORDERS {
        for (name, policy) in policies() {
            let (down, _) = talk(order, policy, |_, _| {});
            seeds.push(made(format!("{order_name}-{name}"), [&[flags | 4, 3], &down[..]].concat()));
        }
        let (down, _) = talk(order, Policy::default(), |_, server| {
            server.ping(Duration::from_millis(1_000));
            server.request_reconnect(Some("rtmp://b.example/live"));
            server.kick();
        });
        seeds.push(made(format!("{order_name}-kicked"), [&[flags | 12, 8], &down[..]].concat()));
    }
    let (accepted, _) = talk(ConnectOrder::Conforming, Policy::default(), |_, _| {});
    for (name, body) in commands() {
        let (mut writer, mut out) = (Writer::new(), Outbound::default());
        writer.announce_chunk_size(&mut out, 4_096);
        writer.command(&mut out, 1, body);
        let sent = taken(&mut out);
        seeds.push(made(format!("accepted-then-{name}"), [&[6, 2], &accepted[..], &sent].concat()));
    }
    for (name, type_id, body) in [
        ("tiny-window", type_id::WINDOW_ACK_SIZE, &[0, 0, 0, 1][..]),
        ("tiny-bandwidth", type_id::SET_PEER_BANDWIDTH, &[0, 0, 0, 1, 0]),
        ("acknowledges-too-much", type_id::ACKNOWLEDGEMENT, &[0xFF; 4]),
        ("ping", type_id::USER_CONTROL, &[0, 6, 1, 2, 3, 4]),
    ] {
        let (mut writer, mut out) = (Writer::new(), Outbound::default());
        (0..20).for_each(|_| writer.control(&mut out, type_id, body));
        let sent = taken(&mut out);
        seeds.push(made(name, [&[6, 11], &accepted[..], &sent].concat()));
    }
    seeds.push(made("http", b"\x02\x01HTTP/1.1 400 Bad Request\r\n\r\n"));
    seeds
}

pub fn ingest() -> Vec<Made> {
    let mut seeds = Vec::new();
    for (order_name, order, _) in ORDERS {
        for (name, stops) in [("publishes", false), ("publishes-and-stops", true)] {
            let (_, up) = talk(order, Policy::default(), |client, _| {
                client.send_metadata([("width", Value::Number(1280.0))].into_iter());
                client.send_video(0, &[0x17, 0, 0, 0, 0], Bytes::from_static(&[1; 30]));
                client.send_video(0, &[0x17, 1, 0, 0, 0], Bytes::from_static(&[2; 200]));
                client.send_audio(21, &[0xAF, 1], Bytes::from_static(&[3; 20]));
                if stops {
                    client.stop(Duration::ZERO);
                }
            });
            // With the key and any app; with another stream; silent; refusing; any key, app checked.
            for flags in [1, 1 | 4, 1 | 0x10, 1 | 0x30, 1 | 2 | 0x40 | 0x80] {
                let name = format!("{order_name}-{name}-{flags:02x}");
                seeds.push(made(name, [&[flags, 1], &up[..]].concat()));
            }
        }
    }
    seeds
}
