//! What servers may do to a publisher, one line each, and how the session calls it.
//!
//! Every case runs in each connect order, whole and byte by byte. Whatever happens, the session stays
//! within its bounds and shows the stream key nowhere.

mod words;

use std::time::Duration;

use crate::pair::{CANARY, ORDERS, client_config};
use bytes::Buf;
use firstmile::{
    limits::{RTMP_EVENTS_MAX, RTMP_PONGS_WAITING_MAX, SERVER_TEXT_CHARS_MAX},
    rtmp::{
        ConnectOrder, Event, Session,
        amf0::Value,
        message::{Command, type_id},
    },
};

/// S0, S1 and an S2 that echoes nothing.
fn handshake() -> Vec<u8> {
    let mut bytes = vec![3];
    bytes.resize(1 + 2 * 1536, 0x5A);
    bytes
}

/// A message in chunks of 128 bytes, without any help of the code under test.
fn message(chunk_stream: u8, type_id: u8, stream_id: u8, body: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = (body.len() as u32).to_be_bytes();
    let mut wire = vec![chunk_stream, 0, 0, 0, a, b, c, type_id, stream_id, 0, 0, 0];
    for (index, chunk) in body.chunks(128).enumerate() {
        if index > 0 {
            wire.push(chunk_stream | 0xC0);
        }
        wire.extend_from_slice(chunk);
    }
    wire
}

fn command(name: &str, transaction: f64, stream_id: u8, arguments: &[Value<'_>]) -> Vec<u8> {
    message(3, type_id::COMMAND_AMF0, stream_id, &Command::encode(name, transaction, arguments))
}

fn info<'a>(level: &'a str, code: &'a str, description: &'a str) -> Value<'a> {
    Value::Object(vec![
        ("level".into(), level.into()),
        ("code".into(), code.into()),
        ("description".into(), description.into()),
    ])
}

fn status(level: &str, code: &str, description: &str) -> Vec<u8> {
    command("onStatus", 0.0, 1, &[Value::Null, info(level, code, description)])
}

fn connected() -> Vec<u8> {
    let success = info("status", "NetConnection.Connect.Success", "");
    [handshake(), command("_result", 1.0, 0, &[Value::Null, success])].concat()
}

fn created() -> Vec<u8> {
    [connected(), command("_result", 4.0, 0, &[Value::Null, 1.0.into()])].concat()
}

fn started() -> Vec<u8> {
    status("status", "NetStream.Publish.Start", "")
}

fn accepted() -> Vec<u8> {
    [created(), started()].concat()
}

fn refused(extra: (&'static str, Value<'static>)) -> Vec<u8> {
    let Value::Object(mut info) = info("error", "NetConnection.Connect.Rejected", "no") else {
        unreachable!("information is an object")
    };
    info.push((extra.0.into(), extra.1));
    command("_error", 1.0, 0, &[Value::Null, Value::Object(info)])
}

fn after(start: Vec<u8>, then: impl AsRef<[u8]>) -> Vec<u8> {
    [&start, then.as_ref()].concat()
}

/// The same with acceptance behind it: what stands between must do no harm.
fn harmless(between: impl AsRef<[u8]>) -> Vec<u8> {
    [&created(), between.as_ref(), &started()].concat()
}

const ACCEPTED: &str = "accepted";
const WAITING: &str = "waiting";

/// Name, all that the server sends, and what comes of it.
type Case = (&'static str, Vec<u8>, String);

fn cases() -> Vec<Case> {
    [
        handshakes(),
        chunk_streams(),
        control_messages(),
        answers_to_connect(),
        answers_to_create_stream(),
        answers_to_publish(),
        encodings(),
        accepted_streams(),
    ]
    .concat()
}

fn broke(during: &str, what: &str) -> String {
    format!("the server broke the protocol: {what} (during {during})")
}

fn no_connection(words: &str) -> String {
    format!("the server refused the connection: {words} (during connect)")
}

fn no_stream(during: &str, words: &str) -> String {
    let did = if during == "publishing" { "ended" } else { "refused" };
    format!("the server {did} the stream: {words} (during {during})")
}

fn control(type_id: u8, body: &[u8]) -> Vec<u8> {
    message(2, type_id, 0, body)
}

/// A status whose information is these bytes.
fn broken_status(tail: &[u8]) -> Vec<u8> {
    let head = b"\x02\x00\x08onStatus\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05";
    message(3, type_id::COMMAND_AMF0, 1, &[head, tail].concat())
}

fn handshakes() -> Vec<Case> {
    vec![
        (
            "answers in HTTP",
            b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
            broke(
                "the RTMP handshake",
                "a web server (HTTP) answers there, which is no RTMP server; check address and port, \
                 and whether this network asks to log in on a web page first",
            ),
        ),
        (
            "is a TLS server",
            b"\x15\x03\x01\x00\x02\x02\x46".to_vec(),
            broke(
                "the RTMP handshake",
                "a TLS server answers there; the address must begin with rtmps://",
            ),
        ),
        (
            "is an SSH server",
            b"SSH-2.0-OpenSSH_9.6\r\n".to_vec(),
            broke(
                "the RTMP handshake",
                "an SSH server answers there, which is no RTMP server; check address and port",
            ),
        ),
        (
            "speaks version 0",
            vec![0],
            broke("the RTMP handshake", "the peer answered with 0x00, which is no RTMP version"),
        ),
        (
            "speaks version 2",
            vec![2],
            broke("the RTMP handshake", "the peer answered with 0x02, which is no RTMP version"),
        ),
        ("says nothing", vec![], WAITING.into()),
        ("says only S0", vec![3], WAITING.into()),
        ("stops within S1", handshake()[..1000].to_vec(), WAITING.into()),
        ("stops within S2", handshake()[..3072].to_vec(), WAITING.into()),
        ("stops behind S2", handshake(), WAITING.into()),
        ("echoes another C1", accepted(), ACCEPTED.into()),
        ("speaks version 6", after(vec![6], &accepted()[1..]), ACCEPTED.into()),
    ]
}

fn chunk_streams() -> Vec<Case> {
    vec![
        (
            "announces chunk size 0",
            after(handshake(), control(1, &[0; 4])),
            broke("connect", "a chunk size of 0 was announced"),
        ),
        (
            "announces a negative chunk size",
            after(created(), control(1, &[0xFF; 4])),
            broke("publish", "a chunk size of 4294967295 was announced"),
        ),
        (
            "announces a chunk size of three bytes",
            after(handshake(), control(1, &[0; 3])),
            broke("connect", "a protocol control message of type 1 is too short"),
        ),
        (
            "announces the largest chunk size",
            harmless(control(1, &[0x7F, 0xFF, 0xFF, 0xFF])),
            ACCEPTED.into(),
        ),
        (
            "sends a message of 16 MiB",
            after(handshake(), b"\x03\x00\x00\x00\xff\xff\xff\x14\x00\x00\x00\x00"),
            broke("connect", "a message of 16777215 bytes is longer than the accepted 65536"),
        ),
        (
            "fills the memory with unfinished messages",
            after(handshake(), unfinished_messages()),
            broke("connect", "more than the accepted 16 chunk streams are in use"),
        ),
        (
            "refers to a header that never came",
            after(handshake(), b"\xc5"),
            broke("connect", "chunk stream 5 began with a header that refers to an earlier one"),
        ),
        (
            "begins a message behind half of one",
            after(
                handshake(),
                [
                    &message(3, 8, 0, &[0; 200])[..140],
                    b"\x03\x00\x00\x00\x00\x00\x02\x08\x00\x00\x00\x00",
                ]
                .concat(),
            ),
            broke("connect", "a message began on chunk stream 3 before the one on it had ended"),
        ),
        ("aborts a message that never began", harmless(control(2, &[0, 0, 0, 9])), ACCEPTED.into()),
        (
            "sends thousands of empty messages",
            harmless(message(5, 8, 1, b"").repeat(5_000)),
            ACCEPTED.into(),
        ),
        (
            "uses a three-byte chunk stream id",
            harmless(b"\x01\xff\xff\x00\x00\x00\x00\x00\x00\x08\x00\x00\x00\x00"),
            ACCEPTED.into(),
        ),
    ]
}

fn control_messages() -> Vec<Case> {
    vec![
        (
            "acknowledges without a number",
            after(handshake(), control(3, b"")),
            broke("connect", "a protocol control message of type 3 is too short"),
        ),
        ("acknowledges what was never sent", harmless(control(3, &[0xFF; 4])), ACCEPTED.into()),
        ("asks for acknowledgements each 0 bytes", harmless(control(5, &[0; 4])), ACCEPTED.into()),
        (
            "asks for an acknowledgement of each byte",
            harmless([control(5, &[0, 0, 0, 1]), message(5, 8, 1, &[0; 100]).repeat(200)].concat()),
            ACCEPTED.into(),
        ),
        (
            "lowers the bandwidth again and again",
            harmless(
                (0..5_000_u32)
                    .rev()
                    .flat_map(|limit| control(6, &limit.to_be_bytes()))
                    .collect::<Vec<u8>>(),
            ),
            ACCEPTED.into(),
        ),
        (
            "pings without end",
            after(created(), control(4, b"\x00\x06\x00\x00\x00\x01").repeat(1_000)),
            broke("publish", "it sent 16 pings without reading the answers"),
        ),
        (
            "sends user control events without content",
            harmless([control(4, b""), control(4, b"\x00\x06"), control(4, b"\xff\xff")].concat()),
            ACCEPTED.into(),
        ),
        (
            "sends messages of unknown types",
            harmless(
                (0..=255)
                    .filter(|t| !matches!(t, 1..=6 | 17 | 20))
                    .flat_map(|t| message(5, t, 1, b"xyz"))
                    .collect::<Vec<u8>>(),
            ),
            ACCEPTED.into(),
        ),
    ]
}

fn answers_to_connect() -> Vec<Case> {
    vec![
        (
            "refuses without a reason",
            after(handshake(), command("_error", 1.0, 0, &[])),
            no_connection("it gave no reason"),
        ),
        (
            "refuses in colour",
            after(
                handshake(),
                command(
                    "_error",
                    1.0,
                    0,
                    &[Value::Null, info("error", "A\u{1b}[31mB", "red\u{7}\r\nline")],
                ),
            ),
            no_connection("AB: red  line"),
        ),
        (
            "refuses at length",
            after(
                handshake(),
                command("_error", 1.0, 0, &[Value::Null, info("error", "A", &"x".repeat(8_000))]),
            ),
            no_connection(&format!("A: {}", "x".repeat(SERVER_TEXT_CHARS_MAX))),
        ),
        (
            "repeats the key in its refusal",
            after(
                handshake(),
                command(
                    "_error",
                    1.0,
                    0,
                    &[Value::Null, info("error", CANARY, &format!("no {CANARY} here"))],
                ),
            ),
            no_connection("••••: no •••• here"),
        ),
        (
            "refuses in a result",
            after(
                handshake(),
                command(
                    "_result",
                    1.0,
                    0,
                    &[Value::Null, info("error", "NetConnection.Connect.Rejected", "")],
                ),
            ),
            no_connection("NetConnection.Connect.Rejected"),
        ),
        (
            "refuses in a status",
            after(handshake(), status("error", "NetConnection.Connect.InvalidApp", "")),
            no_connection("NetConnection.Connect.InvalidApp"),
        ),
        (
            "redirects to a URL of 8 KiB",
            after(handshake(), refused(("ex.redirect", Value::string("r".repeat(8_000))))),
            no_connection("NetConnection.Connect.Rejected: no"),
        ),
        (
            "redirects to a number",
            after(handshake(), refused(("ex", 302.0.into()))),
            no_connection("NetConnection.Connect.Rejected: no"),
        ),
        (
            "wants a password",
            after(
                handshake(),
                command(
                    "_error",
                    1.0,
                    0,
                    &[
                        Value::Null,
                        info(
                            "error",
                            "NetConnection.Connect.Rejected",
                            "[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : ",
                        ),
                    ],
                ),
            ),
            "the server asks for a user name and a password (authmod=adobe) (during connect)"
                .into(),
        ),
        (
            "answers connect with nothing inside",
            after(
                handshake(),
                [
                    command("_result", 1.0, 0, &[]),
                    command("_result", 4.0, 0, &[1.0.into()]),
                    started(),
                ]
                .concat(),
            ),
            ACCEPTED.into(),
        ),
        (
            "accepts before it was asked",
            after(handshake(), started()),
            broke("connect", "it accepted a stream that was not asked for yet"),
        ),
    ]
}

fn answers_to_create_stream() -> Vec<Case> {
    vec![
        (
            "creates a stream without a number",
            after(connected(), command("_result", 4.0, 0, &[Value::Null])),
            broke(
                "createStream",
                "it answered createStream without the number of a message stream",
            ),
        ),
        (
            "creates stream 0",
            after(connected(), command("_result", 4.0, 0, &[0.0.into()])),
            broke(
                "createStream",
                "it answered createStream without the number of a message stream",
            ),
        ),
        (
            "creates stream -1",
            after(connected(), command("_result", 4.0, 0, &[(-1.0).into()])),
            broke(
                "createStream",
                "it answered createStream without the number of a message stream",
            ),
        ),
        (
            "creates stream 1.5",
            after(connected(), command("_result", 4.0, 0, &[1.5.into()])),
            broke(
                "createStream",
                "it answered createStream without the number of a message stream",
            ),
        ),
        (
            "creates stream NaN",
            after(connected(), command("_result", 4.0, 0, &[f64::NAN.into()])),
            broke(
                "createStream",
                "it answered createStream without the number of a message stream",
            ),
        ),
        (
            "creates stream 1e300",
            after(connected(), command("_result", 4.0, 0, &[1e300.into()])),
            broke(
                "createStream",
                "it answered createStream without the number of a message stream",
            ),
        ),
        (
            "refuses createStream",
            after(
                connected(),
                command(
                    "_error",
                    4.0,
                    0,
                    &[Value::Null, info("error", "NetConnection.Call.Failed", "")],
                ),
            ),
            no_stream("createStream", "NetConnection.Call.Failed"),
        ),
        (
            "answers what nobody asked",
            harmless(
                (7..2_000)
                    .flat_map(|t| command("_error", f64::from(t), 0, &[]))
                    .collect::<Vec<u8>>(),
            ),
            ACCEPTED.into(),
        ),
        ("answers transaction NaN", harmless(command("_error", f64::NAN, 0, &[])), ACCEPTED.into()),
    ]
}

fn answers_to_publish() -> Vec<Case> {
    vec![
        (
            "refuses the key",
            after(created(), status("error", "NetStream.Publish.BadName", "unknown key")),
            no_stream("publish", "NetStream.Publish.BadName: unknown key"),
        ),
        (
            "refuses the key in an error",
            after(
                created(),
                command(
                    "_error",
                    5.0,
                    0,
                    &[Value::Null, info("error", "NetStream.Publish.Denied", "")],
                ),
            ),
            no_stream("publish", "NetStream.Publish.Denied"),
        ),
        (
            "refuses the key without a level",
            after(created(), status("", "NetStream.Publish.Failed", "quota used up")),
            no_stream("publish", "NetStream.Publish.Failed: quota used up"),
        ),
        (
            "refuses the key with the level of a success",
            after(created(), status("status", "NetStream.Authenticate.UsherFailed", "")),
            no_stream("publish", "NetStream.Authenticate.UsherFailed"),
        ),
        (
            "refuses the key on a stream that nobody has",
            after(
                created(),
                command(
                    "onStatus",
                    0.0,
                    9,
                    &[Value::Null, info("error", "NetStream.Publish.Denied", "no")],
                ),
            ),
            no_stream("publish", "NetStream.Publish.Denied: no"),
        ),
        (
            "warns before it accepts",
            harmless(status("warning", "NetStream.Publish.Failed", "slow disk")),
            ACCEPTED.into(),
        ),
        (
            "cannot record",
            harmless(status("error", "NetStream.Record.NoAccess", "")),
            ACCEPTED.into(),
        ),
        (
            "accepts with a transaction id and on stream 0",
            after(
                created(),
                command(
                    "onStatus",
                    5.0,
                    0,
                    &[Value::Null, info("", "NetStream.Publish.Start", "")],
                ),
            ),
            ACCEPTED.into(),
        ),
        (
            "accepts in AMF3",
            after(
                created(),
                message(
                    3,
                    17,
                    1,
                    &[
                        &[0],
                        &Command::encode(
                            "onStatus",
                            0.0,
                            &[Value::Null, info("status", "NetStream.Publish.Start", "")],
                        )[..],
                    ]
                    .concat(),
                ),
            ),
            ACCEPTED.into(),
        ),
        ("accepts twice", after(accepted(), started()), ACCEPTED.into()),
        (
            "chatters",
            harmless(
                [
                    command("onBWDone", 0.0, 0, &[Value::Null]),
                    command("onFCPublish", 0.0, 0, &[Value::Null]),
                    command("ping", 9.0, 0, &[]),
                ]
                .concat(),
            ),
            ACCEPTED.into(),
        ),
        (
            "sends media",
            harmless(
                [
                    message(4, 8, 1, &[7; 500]),
                    message(6, 9, 1, &[7; 5_000]),
                    message(5, 18, 1, &[7; 50]),
                ]
                .concat(),
            ),
            ACCEPTED.into(),
        ),
    ]
}

fn encodings() -> Vec<Case> {
    vec![
        (
            "sends an empty command",
            after(handshake(), message(3, 20, 0, b"")),
            broke("connect", "an AMF0 value is cut short"),
        ),
        (
            "sends a command without a name",
            after(handshake(), message(3, 20, 0, b"\x05")),
            broke("connect", "an AMF0 value is not of the expected type"),
        ),
        (
            "nests without end",
            after(created(), broken_status(&b"\x0a\x00\x00\x00\x01".repeat(10_000))),
            broke("publish", "AMF0 objects are nested more than 16 deep"),
        ),
        (
            "sends arrays without end",
            after(created(), broken_status(&[&b"\x0a\x00\x00\xff\xff"[..], &[5; 60_000]].concat())),
            broke("publish", "an AMF0 message has more than 1024 values"),
        ),
        (
            "claims a string of 4 GiB",
            after(created(), broken_status(b"\x0c\xff\xff\xff\xff")),
            broke("publish", "an AMF0 string of 4294967295 bytes is longer than the accepted 8192"),
        ),
        (
            "claims an array of 4 Gi values",
            after(created(), broken_status(b"\x0a\xff\xff\xff\xff")),
            broke("publish", "an AMF0 value is cut short"),
        ),
        (
            "answers in AMF3 values",
            after(created(), broken_status(b"\x11\x0a\x0b\x01")),
            WAITING.into(),
        ),
        (
            "puts an AMF3 object behind the code of its refusal",
            after(
                created(),
                broken_status(
                    b"\x03\x00\x05level\x02\x00\x05error\x00\x04code\x02\x00\x01A\x00\x01x\x11\x0a\x0b\x01",
                ),
            ),
            no_stream("publish", "A"),
        ),
        (
            "gives code and level as AMF3 strings",
            after(
                created(),
                broken_status(b"\x03\x00\x04code\x11\x06\x03A\x00\x05level\x11\x06\x0berror\x00\x00\x09"),
            ),
            no_stream("publish", "A"),
        ),
        (
            "puts an AMF3 number into its acceptance of connect",
            after(
                handshake(),
                [
                    message(
                        3,
                        type_id::COMMAND_AMF0,
                        0,
                        b"\x02\x00\x07_result\x00\x3f\xf0\x00\x00\x00\x00\x00\x00\x05\x03\x00\x01x\x11\x04\x05\x00\x00\x09",
                    ),
                    command("_result", 4.0, 0, &[Value::Null, 1.0.into()]),
                    started(),
                ]
                .concat(),
            ),
            ACCEPTED.into(),
        ),
        (
            "breaks a command that means nothing",
            harmless(message(3, 20, 0, b"\x02\x00\x04onFI\x11\x0a\x0b")),
            ACCEPTED.into(),
        ),
    ]
}

fn accepted_streams() -> Vec<Case> {
    vec![
        (
            "closes by command",
            after(accepted(), command("close", 0.0, 0, &[Value::Null])),
            "the server closed the connection (during publishing)".into(),
        ),
        (
            "goes away",
            after(accepted(), status("status", "NetConnection.Connect.AppShutdown", "maintenance")),
            no_stream("publishing", "NetConnection.Connect.AppShutdown: maintenance"),
        ),
        (
            "gives the stream to another",
            after(accepted(), status("status", "NetStream.Unpublish.Success", "")),
            no_stream("publishing", "NetStream.Unpublish.Success"),
        ),
        (
            "fails the stream",
            after(accepted(), status("error", "NetStream.Failed", "disk")),
            no_stream("publishing", "NetStream.Failed: disk"),
        ),
        (
            "complains of ever other things without end",
            after(
                accepted(),
                (0..1_000)
                    .flat_map(|n| {
                        status("warning", "NetStream.Play.InsufficientBW", &n.to_string())
                    })
                    .collect::<Vec<u8>>(),
            ),
            broke("publishing", "it causes more events at once than can be reported"),
        ),
        (
            "complains of the same without end",
            after(accepted(), status("warning", "NetStream.Play.InsufficientBW", "").repeat(1_000)),
            ACCEPTED.into(),
        ),
        (
            "asks to reconnect without end",
            after(
                accepted(),
                status("status", "NetConnection.Connect.ReconnectRequest", "").repeat(1_000),
            ),
            ACCEPTED.into(),
        ),
    ]
}

/// One hundred chunk streams, each with a message that lacks its last byte.
fn unfinished_messages() -> Vec<u8> {
    let part = |id: u8| message(id, 8, 0, &vec![0; 60_000])[..60_000].to_vec();
    // Interleaved: one chunk of each.
    let messages: Vec<Vec<u8>> = (3..60).map(part).collect();
    messages.iter().flat_map(|wire| wire[..140].to_vec()).collect()
}

/// What came of it; `drained` events only after all input, as a driver with one large read would.
fn outcome(order: ConnectOrder, wire: &[u8], piece: usize) -> (String, Session) {
    let now = Duration::from_secs(1);
    let mut session = Session::new(now, client_config(order));
    let mut events = Vec::new();
    // The handshake in pieces has tests of its own.
    let (start, rest) = wire.split_at(wire.len().min(3_073 - 1));
    session.handle_input(now, start);
    for bytes in rest.chunks(piece) {
        session.handle_input(now, bytes);
        assert_no_key(&session);
        if piece > 1 {
            continue;
        }
        events.extend(std::iter::from_fn(|| session.poll_event()));
    }
    let rest: Vec<Event> = std::iter::from_fn(|| session.poll_event()).collect();
    assert!(rest.len() <= RTMP_EVENTS_MAX, "{} events", rest.len());
    events.extend(rest);
    assert!(!format!("{events:?}").contains("canary"), "{events:?}");
    let mut outcome = WAITING.to_owned();
    for event in events {
        match event {
            Event::Accepted => outcome = ACCEPTED.to_owned(),
            Event::Ended(error) => {
                let text = error.to_string();
                assert!(text.chars().count() < 2 * SERVER_TEXT_CHARS_MAX + 200, "{text}");
                outcome = text;
            }
            _ => {}
        }
    }
    (outcome, session)
}

fn assert_no_key(session: &Session) {
    if cfg!(debug_assertions) {
        assert!(!format!("{session:?}").contains("canary"), "{session:?}");
    }
}

// Shows F16, F17, F18, F19, F20.
#[test]
fn every_misdeed_of_a_server_has_a_name() {
    let mut failures = Vec::new();
    for (name, wire, wanted) in cases() {
        for order in ORDERS {
            let (found, mut session) = outcome(order, &wire, usize::MAX);
            if found != wanted {
                failures.push(format!("{name} ({order:?})\n  wanted: {wanted}\n  found:  {found}"));
            }
            // Requests, and no more answers than may wait.
            let most = 1537 + 1536 + 2_000 + 20 * RTMP_PONGS_WAITING_MAX;
            let waiting = session.transmit().remaining();
            assert!(waiting <= most, "{name} ({order:?}): {waiting} bytes wait");
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// A driver that reads one byte at a time drains events more often, so floods of events do not
/// count; everything else has the same outcome.
#[test]
fn every_misdeed_has_the_same_name_byte_by_byte() {
    for (name, wire, wanted) in cases() {
        if wire.len() > 20_000 || wanted.contains("more events") {
            continue;
        }
        let (found, _) = outcome(ConnectOrder::Conforming, &wire, 1);
        assert_eq!(found, wanted, "{name}");
    }
}

#[test]
fn a_server_that_is_cut_off_anywhere_has_only_closed() {
    for (name, wire, _) in cases() {
        let (found, mut session) = outcome(ConnectOrder::Conforming, &wire, usize::MAX);
        session.handle_eof(Duration::from_secs(2));
        let closed = session.poll_event();
        match &*found {
            ACCEPTED | WAITING => {
                let Some(Event::Ended(error)) = closed else { panic!("{name}: {closed:?}") };
                assert!(error.to_string().starts_with("the server closed"), "{name}: {error}");
            }
            _ => assert_eq!(closed, None, "{name}: nothing follows an end"),
        }
    }
}

#[test]
fn a_conversation_with_any_byte_wrong_harms_nobody() {
    let wire = accepted();
    for at in (0..wire.len()).filter(|at| *at < 8 || *at > 3_060) {
        for flip in [0x01, 0x80, 0xFF] {
            let mut wire = wire.clone();
            wire[at] ^= flip;
            outcome(ConnectOrder::Conforming, &wire, 512);
        }
    }
}

#[test]
fn random_bytes_behind_the_handshake_harm_nobody() {
    for seed in 0..500 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut noise = vec![0; rng.usize(..4_000)];
        rng.fill(&mut noise);
        let start = [handshake(), connected(), accepted()][rng.usize(..3)].clone();
        outcome(ORDERS[rng.usize(..3)], &after(start, noise), 512);
    }
}
