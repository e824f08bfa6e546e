//! The commands of a publisher, as bytes.

use bytes::Bytes;

use super::config::SessionConfig;
use crate::{
    limits::{RTMP_ACK_WINDOW_BYTES_MIN, RTMP_PONGS_WAITING_MAX},
    rtmp::{
        amf0::{Property, Value},
        chunk::Writer,
        message::Command,
        outbound::{MESSAGE_HEAD_BYTES_MAX, Outbound},
        text::Cleaner,
        type_id::{self, Kind},
    },
};

/// Begins like that of Adobe's encoder, because servers are tested with it.
const FLASH_VERSION: &str = "FMLE/3.0 (compatible; firstmile)";
/// The id that servers give the first message stream; commands sent ahead of the answer use it.
pub(super) const STREAM_ID_GUESS: u32 = 1;
/// Bit 0 of `capsEx`: "Support for reconnect" (Enhanced RTMP v2).
const CAPS_RECONNECT: f64 = 1.0;
/// `FourCcInfoMask.CanForward` (Enhanced RTMP v2): frames are passed on as they come, from a file or an
/// encoder.
const CAN_FORWARD: f64 = 4.0;
/// Codecs carried in the enhanced form; H.264 and AAC go in the legacy form that every server reads.
const VIDEO_FOURCCS: [&str; 3] = ["hvc1", "av01", "vp09"];
const AUDIO_FOURCCS: [&str; 1] = ["Opus"];

/// Transaction ids. Each command has one of its own, so that a late answer cannot be mistaken.
pub(super) mod transaction {
    pub const CONNECT: u32 = 1;
    pub const RELEASE_STREAM: u32 = 2;
    pub const FC_PUBLISH: u32 = 3;
    pub const CREATE_STREAM: u32 = 4;
    pub const PUBLISH: u32 = 5;
    pub const PUBLISH_AGAIN: u32 = 6;
    pub const FC_UNPUBLISH: u32 = 7;
    pub const DELETE_STREAM: u32 = 8;
}

/// The sending side of a session.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) config: SessionConfig,
    /// For what the server writes.
    pub(super) cleaner: Cleaner,
    pub(super) out: Outbound,
    writer: Writer,
    /// The window that the server was asked to acknowledge at.
    window: u32,
    /// The largest that it agrees to.
    window_max: u32,
}

impl Wire {
    pub(super) fn new(config: SessionConfig) -> Wire {
        Wire {
            cleaner: Cleaner::new(&config.key, &config.secrets),
            config,
            out: Outbound::default(),
            writer: Writer::new(),
            window: 0,
            window_max: u32::MAX,
        }
    }

    pub(super) fn window(&self) -> u32 {
        self.window
    }

    /// Handshake bytes.
    pub(super) fn raw(&mut self, bytes: Bytes) {
        self.out.push_raw(bytes);
    }

    /// Chunk size, acknowledgement window and `connect` (RTMP 1.0 section 7.2.1.1).
    pub(super) fn connect(&mut self) {
        // Before `connect`, so that this and all that follows is cut by the announced size.
        self.writer.announce_chunk_size(&mut self.out, self.config.chunk_bytes);
        self.window = RTMP_ACK_WINDOW_BYTES_MIN;
        let window = self.window.to_be_bytes();
        self.writer.control(&mut self.out, type_id::WINDOW_ACK_SIZE, &window);
        let flash_version = self.config.flash_ver.as_deref().unwrap_or(FLASH_VERSION);
        let mut properties: Vec<Property<'_>> = vec![
            ("app".into(), self.config.app.as_str().into()),
            ("type".into(), "nonprivate".into()),
            ("flashVer".into(), flash_version.into()),
            ("tcUrl".into(), self.config.tc_url.as_str().into()),
        ];
        if self.config.enhanced {
            properties.extend(enhanced_properties());
        }
        tracing::debug!(command = "connect", window = self.window, "sent");
        let arguments = [Value::Object(properties)];
        let body = Command::encode("connect", transaction::CONNECT.into(), &arguments);
        self.writer.command(&mut self.out, 0, body);
    }

    /// What Adobe's encoder (FMLE) sends before `publish`: `releaseStream` and `FCPublish`, which some servers
    /// answer and others do not, and `createStream` (RTMP 1.0 section 7.2.1.3).
    pub(super) fn create_stream(&mut self) {
        self.command_with_key("releaseStream", transaction::RELEASE_STREAM);
        self.command_with_key("FCPublish", transaction::FC_PUBLISH);
        self.command("createStream", transaction::CREATE_STREAM, 0, &[Value::Null]);
    }

    /// `publish` (RTMP 1.0 section 7.2.2.6).
    pub(super) fn publish(&mut self, transaction: u32, stream_id: u32) {
        tracing::debug!(command = "publish", stream_id, "sent");
        let key = self.config.key.reveal();
        let arguments = [Value::Null, key.into(), "live".into()];
        let body = Command::encode("publish", transaction.into(), &arguments);
        self.writer.command(&mut self.out, stream_id, body);
    }

    /// Ends the stream on purpose: `FCUnpublish` and `deleteStream` (RTMP 1.0 section 7.2.2.3).
    /// The window shrinks to a byte before: a server that acknowledges at all then confirms the
    /// last media too, instead of keeping silent until a window is full that never will be.
    pub(super) fn unpublish(&mut self, stream_id: u32) {
        self.ask_for_each_byte();
        self.command_with_key("FCUnpublish", transaction::FC_UNPUBLISH);
        let arguments = [Value::Null, f64::from(stream_id).into()];
        self.command("deleteStream", transaction::DELETE_STREAM, 0, &arguments);
    }

    pub(super) fn ask_for_each_byte(&mut self) {
        self.writer.control(&mut self.out, type_id::WINDOW_ACK_SIZE, &1_u32.to_be_bytes());
    }

    pub(super) fn media(
        &mut self,
        kind: Kind,
        stream_id: u32,
        timestamp_ms: u64,
        head: &[u8],
        body: Bytes,
    ) -> bool {
        self.writer.media(&mut self.out, kind, stream_id, timestamp_ms, head, body)
    }

    /// An answer that overtakes media.
    pub(super) fn urgent(&mut self, type_id: u8, payload: &[u8]) {
        self.writer.urgent_control(&mut self.out, type_id, payload);
    }

    /// A smaller window than the one asked for is in force from now on (RTMP 1.0 section 5.4.5). A
    /// larger one changes nothing: the more often a server acknowledges, the better.
    pub(super) fn limit_window(&mut self, window: u32) {
        if window > 0 {
            self.window_max = window;
            self.ask_window(self.window);
        }
    }

    /// Asks to be acknowledged each `window` bytes from now on, or as often as the server agrees to
    /// (RTMP 1.0 section 5.4.4).
    pub(super) fn ask_window(&mut self, window: u32) {
        let window = window.min(self.window_max);
        // The queue of urgent messages is bounded for a server that does not read.
        let has_room = self.out.urgent() < RTMP_PONGS_WAITING_MAX;
        if window > 0 && window != self.window && has_room {
            self.window = window;
            self.urgent(type_id::WINDOW_ACK_SIZE, &window.to_be_bytes());
        }
    }

    fn command(&mut self, name: &str, transaction: u32, stream_id: u32, arguments: &[Value<'_>]) {
        tracing::debug!(command = name, stream_id, "sent");
        let body = Command::encode(name, transaction.into(), arguments);
        self.writer.command(&mut self.out, stream_id, body);
    }

    fn command_with_key(&mut self, name: &str, transaction: u32) {
        tracing::debug!(command = name, "sent");
        let arguments = [Value::Null, self.config.key.reveal().into()];
        let body = Command::encode(name, transaction.into(), &arguments);
        self.writer.command(&mut self.out, 0, body);
    }
}

/// The properties of Enhanced RTMP in `connect`: `fourCcList` for servers of its version 1, the maps and
/// `capsEx` for those of version 2.
fn enhanced_properties() -> [Property<'static>; 4] {
    let codes = VIDEO_FOURCCS.iter().chain(&AUDIO_FOURCCS).map(|code| Value::from(*code));
    let map = |codes: &[&'static str]| {
        Value::Object(codes.iter().map(|code| ((*code).into(), CAN_FORWARD.into())).collect())
    };
    [
        ("fourCcList".into(), Value::StrictArray(codes.collect())),
        ("videoFourCcInfoMap".into(), map(&VIDEO_FOURCCS)),
        ("audioFourCcInfoMap".into(), map(&AUDIO_FOURCCS)),
        ("capsEx".into(), CAPS_RECONNECT.into()),
    ]
}

/// `@setDataFrame`, which makes servers keep the data that follows for those who join later.
pub(super) fn set_data_frame() -> [u8; MESSAGE_HEAD_BYTES_MAX] {
    let mut head = [0; MESSAGE_HEAD_BYTES_MAX];
    Value::from("@setDataFrame").encode(&mut &mut head[..]);
    head
}

/// `onMetaData` with an associative array of `fields` (Adobe FLV 10.1 section E.5).
pub(super) fn metadata<'a>(fields: impl Iterator<Item = (&'a str, Value<'a>)>) -> Bytes {
    let mut body = Vec::with_capacity(512);
    Value::from("onMetaData").encode(&mut body);
    Value::EcmaArray(fields.map(|(name, value)| (name.into(), value)).collect()).encode(&mut body);
    Bytes::from(body)
}

#[cfg(test)]
mod tests {
    use bytes::Buf;

    use super::*;
    use crate::rtmp::chunk::{Bounds, Reader};
    use crate::secret::StreamKey;

    /// The properties of the `connect` that is sent, as a server reads them.
    fn properties(enhanced: bool) -> Vec<(String, String)> {
        let key = StreamKey::parse("a-k3y").unwrap();
        let config = SessionConfig::new("rtmps://a.example/live", "live", key);
        let mut wire = Wire::new(SessionConfig { enhanced, ..config });
        wire.connect();
        let bytes = wire.out.copy_to_bytes(wire.out.remaining());
        let (mut reader, mut rest) = (Reader::new(Bounds::default()), &bytes[..]);
        let messages = std::iter::from_fn(|| reader.next(&mut rest).unwrap());
        let connect = messages.last().expect("connect");
        let command = Command::decode(&connect.body).unwrap();
        let Some(Value::Object(properties)) = command.arguments.first() else { panic!("none") };
        let shown = |(name, value): &Property<'_>| (name.to_string(), format!("{value:?}"));
        properties.iter().map(shown).collect()
    }

    #[test]
    fn connect_lists_the_codecs_and_abilities_of_enhanced_rtmp_that_are_supported() {
        let usual = properties(false);
        let names: Vec<_> = usual.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["app", "type", "flashVer", "tcUrl"]);
        let enhanced = properties(true);
        assert_eq!(enhanced[..4], usual);
        for ((name, value), (wanted_name, wanted)) in enhanced[4..].iter().zip([
            ("fourCcList", &["hvc1", "av01", "vp09", "Opus"][..]),
            ("videoFourCcInfoMap", &["hvc1", "av01", "vp09", "4.0"]),
            ("audioFourCcInfoMap", &["Opus", "4.0"]),
            ("capsEx", &["1.0"]),
        ]) {
            assert_eq!(name, wanted_name);
            assert!(wanted.iter().all(|part| value.contains(part)), "{name}: {value}");
        }
        assert_eq!(enhanced.len(), 8);
    }
}
