//! One connection of the ingest server: bytes in, bytes out.
//!
//! It accepts a publisher, judges its key, acknowledges what it receives and hands out the messages.
//! A [`Policy`] makes it behave like servers that one does not have at hand.

use std::{collections::VecDeque, fmt, time::Duration};

use bytes::Bytes;

use crate::{
    limits::{
        RTMP_IN_CHUNK_STREAMS_MAX, SIM_INGEST_EVENTS_MAX, SIM_INGEST_MESSAGE_BYTES_MAX,
        SIM_INGEST_OUT_BYTES_MAX,
    },
    rtmp::{
        Misbehaviour, Outbound, Phase,
        amf0::{Property, Value},
        chunk::{Bounds, Message, Reader, Writer},
        handshake,
        message::{self, Command, Incoming, Kind, type_id},
    },
    secret::StreamKey,
};

/// After how many bytes the publisher is asked to acknowledge ours, and how much it may send ahead.
const WINDOW_BYTES: u32 = 2_500_000;
/// "Dynamic", the limit type that binds nobody who was not bound before (RTMP 1.0 section 5.4.5).
const LIMIT_DYNAMIC: u8 = 2;

/// Whom to accept.
#[derive(Clone, Default)]
pub struct IngestConfig {
    /// The application to accept; `None` for any.
    pub app: Option<String>,
    /// The key to accept; `None` for any.
    pub expected_key: Option<StreamKey>,
    /// Acknowledge after this many bytes; `None` for as many as the publisher asks for.
    pub ack_every: Option<u32>,
    /// How to behave.
    pub policy: Policy,
    /// What the random bytes of the handshake are made of.
    pub seed: u64,
}

/// How to behave; the default is a friendly server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The chunk size to announce and use.
    pub chunk_size: u32,
    /// The number of the message stream that `createStream` gives.
    pub stream_id: u32,
    /// Take `publish` on whatever message stream it comes, answer on none, and close at a second one.
    pub takes_any_stream: bool,
    /// Whether to acknowledge at all.
    pub acknowledges: bool,
    /// From this phase on nothing is answered any more.
    pub silent_from: Option<Phase>,
    /// Refuse `connect` and send the publisher to this `tcUrl`.
    pub redirect_to: Option<String>,
    /// Refuse `connect`.
    pub refuse_connect: Option<Refuse>,
    /// Refuse every `publish`.
    pub refuse_publish: Option<Refuse>,
}

/// The words of a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refuse {
    /// Such as `NetStream.Publish.BadName`.
    pub code: String,
    /// In words.
    pub description: String,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            chunk_size: 4096,
            stream_id: 1,
            takes_any_stream: false,
            acknowledges: true,
            silent_from: None,
            redirect_to: None,
            refuse_connect: None,
            refuse_publish: None,
        }
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IngestEvent {
    /// A publisher has connected to an application.
    Connected {
        /// The application.
        app: String,
        /// The URL that it believes to have connected to.
        tc_url: String,
    },
    /// It wants to publish; it may if its key is the expected one.
    Publishing {
        /// Whether it is.
        key_matches: bool,
    },
    /// Media of an accepted stream.
    Message {
        /// Audio, video or data.
        kind: Kind,
        /// Milliseconds, modulo 2^32.
        timestamp_ms: u32,
        /// The payload.
        body: Bytes,
    },
    /// It has answered a ping.
    Pong,
    /// It has ended its stream on purpose.
    Unpublished,
    /// The session is over; write what is left of [`IngestSession::transmit`] and close.
    Ended(IngestEnd),
}

/// Why a session is over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IngestEnd {
    /// the publisher was refused
    #[error("the publisher was refused: {code}")]
    Refused {
        /// The code that it was given.
        code: String,
    },
    /// the publisher broke the protocol
    #[error("the publisher broke the protocol: {0}")]
    PublisherMisbehaved(Misbehaviour),
    /// the publisher does not read what it is sent
    #[error("the publisher does not read what it is sent")]
    PublisherDeaf,
    /// the publisher closed the connection
    #[error("the publisher closed the connection")]
    Closed,
}

/// One connection of a publisher, from the server's side. Driven like [`crate::rtmp::Session`].
pub struct IngestSession {
    config: IngestConfig,
    rng: fastrand::Rng,
    out: Outbound,
    writer: Writer,
    reader: Reader,
    state: IngestState,
    events: VecDeque<IngestEvent>,
    received: u64,
    acknowledged: u64,
    window: Option<u32>,
}

#[derive(Debug)]
enum IngestState {
    Handshake(handshake::Server),
    /// Commands are taken; nothing is published.
    Idle,
    Publishing,
    Over,
}

impl fmt::Debug for IngestConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IngestConfig").field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// Shows no received byte: what a publisher sends contains its key.
impl fmt::Debug for IngestSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IngestSession")
            .field("state", &self.state)
            .field("events", &self.events.len())
            .field("received_bytes", &self.received)
            .finish_non_exhaustive()
    }
}

// ── inputs and outputs ───────────────────────────────────────────────────────────────────────

impl IngestSession {
    /// A connection that has just been accepted.
    pub fn new(_now: Duration, config: IngestConfig) -> IngestSession {
        let bounds = Bounds {
            message_bytes_max: SIM_INGEST_MESSAGE_BYTES_MAX,
            total_bytes_max: 2 * SIM_INGEST_MESSAGE_BYTES_MAX,
            chunk_streams_max: RTMP_IN_CHUNK_STREAMS_MAX,
        };
        IngestSession {
            rng: fastrand::Rng::with_seed(config.seed),
            config,
            out: Outbound::default(),
            writer: Writer::new(),
            reader: Reader::new(bounds),
            state: IngestState::Handshake(handshake::Server::begin()),
            events: VecDeque::new(),
            received: 0,
            acknowledged: 0,
            window: None,
        }
    }

    /// Takes bytes from the publisher, in pieces of any size.
    pub fn handle_input(&mut self, now: Duration, bytes: &[u8]) {
        let mut rest = bytes;
        self.received += bytes.len() as u64;
        self.take_handshake(now, &mut rest);
        while !matches!(self.state, IngestState::Handshake(_) | IngestState::Over) {
            match self.reader.next(&mut rest) {
                Ok(Some(message)) => self.take_message(message),
                Ok(None) => return self.acknowledge(),
                Err(error) => return self.misbehaved(error.into()),
            }
        }
    }

    /// The publisher has closed its side.
    pub fn handle_eof(&mut self, _now: Duration) {
        self.end(IngestEnd::Closed);
    }

    /// What is to be written, in order.
    pub fn transmit(&mut self) -> &mut Outbound {
        &mut self.out
    }

    /// The next event; call until `None` after each input.
    pub fn poll_event(&mut self) -> Option<IngestEvent> {
        self.events.pop_front()
    }

    /// Asks the publisher for a sign of life.
    pub fn ping(&mut self, now: Duration) {
        let stamp = (now.as_millis() as u32).to_be_bytes();
        self.writer.control(&mut self.out, type_id::USER_CONTROL, &message::ping_request(stamp));
    }

    /// Asks the publisher to move to `tc_url`, or to reconnect (Enhanced RTMP v2).
    pub fn request_reconnect(&mut self, tc_url: Option<&str>) {
        let code = "NetConnection.Connect.ReconnectRequest";
        let mut info = information("status", code, "the server goes away");
        info.extend(tc_url.map(|url| ("tcUrl".into(), url.into())));
        self.status(0, info);
    }

    /// Takes the stream from its publisher, as servers do when another one takes over.
    pub fn kick(&mut self) {
        self.end_stream("taken over");
    }

    /// Ends the stream of a publisher that did not ask for it, with this description.
    pub fn end_stream(&mut self, description: &str) {
        let code = "NetStream.Unpublish.Success";
        self.status(self.config.policy.stream_id, information("status", code, description));
        self.end(IngestEnd::Refused { code: code.to_owned() });
    }
}

// ── handling of input ───────────────────────────────────────────────────────────

impl IngestSession {
    fn take_handshake(&mut self, now: Duration, input: &mut &[u8]) {
        while !input.is_empty() && matches!(self.state, IngestState::Handshake(_)) {
            let IngestState::Handshake(handshake) =
                std::mem::replace(&mut self.state, IngestState::Over)
            else {
                return;
            };
            match handshake.take(input, now.as_millis() as u32, &mut self.rng) {
                Ok((handshake::Server::Done, _)) => self.state = IngestState::Idle,
                Ok((next, answer)) => {
                    self.state = IngestState::Handshake(next);
                    let answer = answer.filter(|_| self.answers(Phase::Handshake));
                    answer.into_iter().flatten().for_each(|packet| self.out.push_raw(packet));
                }
                Err(error) => self.report_end(IngestEnd::PublisherMisbehaved(error.into())),
            }
        }
    }

    fn take_message(&mut self, message: Message) {
        match Incoming::decode(&message) {
            Ok(Incoming::WindowAckSize(window)) => {
                self.window = (window > 0).then_some(window);
            }
            Ok(Incoming::PingResponse(_)) => self.report(IngestEvent::Pong),
            Ok(Incoming::Command(body)) => self.take_command(body, message.stream_id),
            Ok(Incoming::Media(kind)) => self.take_media(kind, message),
            Ok(_) => {}
            Err(error) => self.misbehaved(error.into()),
        }
    }

    fn take_media(&mut self, kind: Kind, message: Message) {
        let stream_id = self.config.policy.stream_id;
        if matches!(self.state, IngestState::Publishing) && message.stream_id == stream_id {
            let timestamp_ms = message.timestamp;
            self.report(IngestEvent::Message { kind, timestamp_ms, body: message.body });
        }
    }

    fn take_command(&mut self, body: &[u8], stream_id: u32) {
        if self.out_is_full() {
            return self.end(IngestEnd::PublisherDeaf);
        }
        let command = match Command::decode(body) {
            Ok(command) => command,
            Err(error) => return self.misbehaved(error.into()),
        };
        match &*command.name {
            "connect" => self.connect(&command),
            "releaseStream" => self.result(Phase::CreateStream, &command, &[Value::Null]),
            "FCPublish" if self.answers(Phase::CreateStream) => {
                let info = information("status", "NetStream.Publish.Start", "");
                self.send(0, "onFCPublish", 0.0, &[Value::Null, Value::Object(info)]);
            }
            "createStream" => {
                let given = f64::from(self.config.policy.stream_id);
                self.result(Phase::CreateStream, &command, &[Value::Null, given.into()]);
            }
            "publish" => self.publish(&command, stream_id),
            "closeStream" | "deleteStream" => self.unpublish(),
            _ => {}
        }
    }

    fn connect(&mut self, command: &Command<'_>) {
        if !self.answers(Phase::Connect) {
            return;
        }
        let text = |name| {
            let properties = command.arguments.first();
            let value = properties.and_then(|properties| properties.get(name));
            value.and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let (app, tc_url) = (text("app"), text("tcUrl"));
        if let Some(place) = self.config.policy.redirect_to.clone() {
            return self.redirect(command, &place);
        }
        if let Some(Refuse { code, description }) = self.config.policy.refuse_connect.clone() {
            return self.refuse_connect(command, &code, &description);
        }
        if self.config.app.as_ref().is_some_and(|wanted| *wanted != app) {
            let code = "NetConnection.Connect.InvalidApp";
            return self.refuse_connect(command, code, "no such application");
        }
        let window = WINDOW_BYTES.to_be_bytes();
        self.writer.control(&mut self.out, type_id::WINDOW_ACK_SIZE, &window);
        let [a, b, c, d] = window;
        let bandwidth = [a, b, c, d, LIMIT_DYNAMIC];
        self.writer.control(&mut self.out, type_id::SET_PEER_BANDWIDTH, &bandwidth);
        self.writer.announce_chunk_size(&mut self.out, self.config.policy.chunk_size);
        let properties = vec![("fmsVer".into(), "FMS/3,0,1,123".into())];
        let code = "NetConnection.Connect.Success";
        let info = information("status", code, "connection succeeded");
        let arguments = [Value::Object(properties), Value::Object(info)];
        self.send(0, "_result", command.transaction, &arguments);
        self.report(IngestEvent::Connected { app, tc_url });
    }

    fn refuse_connect(&mut self, command: &Command<'_>, code: &str, description: &str) {
        let info = information("error", code, description);
        self.send(0, "_error", command.transaction, &[Value::Null, Value::Object(info)]);
        self.end(IngestEnd::Refused { code: code.to_owned() });
    }

    fn redirect(&mut self, command: &Command<'_>, place: &str) {
        let code = "NetConnection.Connect.Rejected";
        let mut info = information("error", code, "go elsewhere");
        let ex = vec![("code".into(), 302.0.into()), ("redirect".into(), place.into())];
        info.push(("ex".into(), Value::Object(ex)));
        self.send(0, "_error", command.transaction, &[Value::Null, Value::Object(info)]);
        self.end(IngestEnd::Refused { code: code.to_owned() });
    }

    fn publish(&mut self, command: &Command<'_>, stream_id: u32) {
        let takes_any = self.config.policy.takes_any_stream;
        if matches!(self.state, IngestState::Publishing) && takes_any {
            return self.end(IngestEnd::Closed);
        }
        if !self.answers(Phase::Publish) || matches!(self.state, IngestState::Publishing) {
            return;
        }
        if stream_id != self.config.policy.stream_id && !takes_any {
            let info = information("error", "NetStream.Publish.Failed", "no such message stream");
            return self.status(stream_id, info);
        }
        let name = command.arguments.get(1).and_then(Value::as_str);
        let expected = self.config.expected_key.as_ref();
        let key_matches = expected.is_none_or(|key| Some(key.reveal()) == name);
        self.report(IngestEvent::Publishing { key_matches });
        if let Some(Refuse { code, description }) = self.config.policy.refuse_publish.clone() {
            return self.refuse_publish(&code, &description);
        }
        if !key_matches {
            return self.refuse_publish("NetStream.Publish.BadName", "invalid stream key");
        }
        let begin = message::stream_begin(stream_id);
        self.writer.control(&mut self.out, type_id::USER_CONTROL, &begin);
        let about = if takes_any { 0 } else { stream_id };
        self.status(about, information("status", "NetStream.Publish.Start", "go ahead"));
        self.state = IngestState::Publishing;
    }

    fn refuse_publish(&mut self, code: &str, description: &str) {
        self.status(self.config.policy.stream_id, information("error", code, description));
        self.end(IngestEnd::Refused { code: code.to_owned() });
    }

    fn unpublish(&mut self) {
        if matches!(self.state, IngestState::Publishing) {
            self.state = IngestState::Idle;
            let info = information("status", "NetStream.Unpublish.Success", "");
            self.status(self.config.policy.stream_id, info);
            self.report(IngestEvent::Unpublished);
        }
    }

    /// Whether the policy lets any request be answered in `phase`.
    fn answers(&self, phase: Phase) -> bool {
        self.config.policy.silent_from.is_none_or(|silent| phase < silent)
    }

    fn acknowledge(&mut self) {
        let Some(every) = self.config.ack_every.or(self.window) else { return };
        let due = self.received - self.acknowledged >= u64::from(every);
        // While the publisher does not read, the next acknowledgement speaks for this one too.
        if due && self.config.policy.acknowledges && !self.out_is_full() {
            self.acknowledged = self.received;
            let sequence = (self.received as u32).to_be_bytes(); // modulo 2^32
            self.writer.control(&mut self.out, type_id::ACKNOWLEDGEMENT, &sequence);
        }
    }

    fn out_is_full(&self) -> bool {
        self.out.len() > SIM_INGEST_OUT_BYTES_MAX
    }

    fn result(&mut self, phase: Phase, command: &Command<'_>, arguments: &[Value<'_>]) {
        if self.answers(phase) {
            self.send(0, "_result", command.transaction, arguments);
        }
    }

    fn status(&mut self, stream_id: u32, info: Vec<Property<'_>>) {
        self.send(stream_id, "onStatus", 0.0, &[Value::Null, Value::Object(info)]);
    }

    fn send(&mut self, stream_id: u32, name: &str, transaction: f64, arguments: &[Value<'_>]) {
        let body = Command::encode(name, transaction, arguments);
        self.writer.command(&mut self.out, stream_id, body);
    }

    /// Keeps one place for [`IngestEvent::Ended`].
    fn report(&mut self, event: IngestEvent) {
        if self.events.len() + 1 >= SIM_INGEST_EVENTS_MAX {
            return self.misbehaved(Misbehaviour::TooManyEvents);
        }
        self.events.push_back(event);
    }

    fn misbehaved(&mut self, what: Misbehaviour) {
        self.end(IngestEnd::PublisherMisbehaved(what));
    }

    fn end(&mut self, end: IngestEnd) {
        if !matches!(self.state, IngestState::Over) {
            self.report_end(end);
        }
    }

    fn report_end(&mut self, end: IngestEnd) {
        self.state = IngestState::Over;
        self.events.push_back(IngestEvent::Ended(end));
    }
}

fn information<'a>(level: &'a str, code: &'a str, description: &'a str) -> Vec<Property<'a>> {
    vec![
        ("level".into(), level.into()),
        ("code".into(), code.into()),
        ("description".into(), description.into()),
    ]
}

#[cfg(test)]
mod tests {
    use bytes::Buf;

    use super::*;
    use crate::rtmp::{ConnectOrder, Session, SessionConfig};

    const NOW: Duration = Duration::ZERO;

    /// A publisher and a server between which all bytes are passed on at once.
    fn published(config: IngestConfig) -> (Session, IngestSession, Vec<IngestEvent>) {
        let key = StreamKey::parse("canary").unwrap();
        let mut client_config = SessionConfig::new("rtmp://localhost/live", "live", key);
        client_config.order = ConnectOrder::Conforming;
        let mut client = Session::new(NOW, client_config);
        let mut server = IngestSession::new(NOW, config);
        for _ in 0..3 {
            let up = client.transmit();
            server.handle_input(NOW, &up.copy_to_bytes(up.remaining()));
            let down = server.transmit();
            client.handle_input(NOW, &down.copy_to_bytes(down.remaining()));
        }
        let events = std::iter::from_fn(|| server.poll_event()).collect();
        (client, server, events)
    }

    fn last_event(server: &mut IngestSession) -> Option<IngestEvent> {
        std::iter::from_fn(|| server.poll_event()).last()
    }

    #[test]
    fn acknowledgements_come_as_often_as_configured() {
        let config = IngestConfig { ack_every: Some(1_000), ..IngestConfig::default() };
        let (mut client, mut server, _) = published(config);
        client.send_video(0, &[0x17], Bytes::from(vec![0; 2_000]));
        let up = client.transmit();
        server.handle_input(NOW, &up.copy_to_bytes(up.remaining()));
        let down = server.transmit();
        client.handle_input(NOW, &down.copy_to_bytes(down.remaining()));
        let stats = client.stats();
        assert_eq!(stats.bytes_acknowledged, stats.bytes_sent);
    }

    #[test]
    fn acknowledgements_come_as_often_as_asked_for_in_mid_stream() {
        let (mut client, mut server, _) = published(IngestConfig::default());
        let mut unacknowledged = |client: &mut Session| {
            client.send_video(0, &[0x17], Bytes::from(vec![0; 2_000]));
            let up = client.transmit();
            server.handle_input(NOW, &up.copy_to_bytes(up.remaining()));
            let down = server.transmit();
            client.handle_input(NOW, &down.copy_to_bytes(down.remaining()));
            client.stats().bytes_sent - client.stats().bytes_acknowledged
        };
        assert!(unacknowledged(&mut client) >= 2_000);
        client.ask_for_acknowledgements(1_000);
        assert_eq!(client.acknowledgement_window(), 1_000);
        assert_eq!(unacknowledged(&mut client), 0);
    }

    #[test]
    fn a_publisher_that_asks_and_never_reads_is_let_go() {
        let (_, mut server, _) = published(IngestConfig::default());
        let (mut writer, mut out) = (Writer::new(), Outbound::default());
        for _ in 0..4_000 {
            writer.command(&mut out, 0, Command::encode("createStream", 9.0, &[Value::Null]));
        }
        // The publisher has announced its chunk size; these commands are shorter than any.
        server.handle_input(NOW, &out.copy_to_bytes(out.remaining()));
        assert_eq!(last_event(&mut server), Some(IngestEvent::Ended(IngestEnd::PublisherDeaf)));
        assert!(server.transmit().len() < SIM_INGEST_OUT_BYTES_MAX + 1_000);
    }

    #[test]
    fn a_publisher_cannot_fill_the_event_queue() {
        let (mut client, mut server, _) = published(IngestConfig::default());
        for timestamp_ms in 0..SIM_INGEST_EVENTS_MAX as u64 {
            client.send_audio(timestamp_ms, &[0xAF], Bytes::new());
        }
        let up = client.transmit();
        server.handle_input(NOW, &up.copy_to_bytes(up.remaining()));
        let end = IngestEnd::PublisherMisbehaved(Misbehaviour::TooManyEvents);
        assert_eq!(last_event(&mut server), Some(IngestEvent::Ended(end)));
    }

    #[test]
    fn the_key_is_compared_and_never_shown() {
        let expected_key = Some(StreamKey::parse("canary").unwrap());
        let config = IngestConfig { expected_key, ..IngestConfig::default() };
        let (client, server, events) = published(config);
        assert!(events.contains(&IngestEvent::Publishing { key_matches: true }));
        assert!(!format!("{client:?} {server:?} {events:?}").contains("canary"));
    }
}
