//! One connection of a publisher, from the first handshake byte to its end.

mod acks;
mod config;
mod event;
mod publish_sequence;
mod wire;

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;

use self::{
    acks::{Delivered, Received},
    publish_sequence::{PublishSequence, Publishing, SequenceProgress, is_about_guess, is_refusal},
    wire::Wire,
};
pub use self::{
    config::{ConnectOrder, SessionConfig},
    event::{Event, Stats, Warning},
};
use super::{
    amf0::Value,
    chunk::{Bounds, Message, Reader},
    error::{Error, ErrorKind, Misbehaviour, Phase, Remark, publish_rejected, remark},
    handshake::{self, early_c2},
    message::{Command, Incoming, ping_response},
    outbound::Outbound,
    type_id::{self, Kind},
};
use crate::limits::{
    PUBLISHED_TWICE_DOUBT, REMARK_COUNTS_FOR, RTMP_EVENTS_MAX, RTMP_MESSAGE_WARN_BYTES,
    RTMP_PONGS_WAITING_MAX,
};

/// One connection of a publisher.
///
/// The driver calls a `handle_*` method or a command, drains [`Session::poll_event`], writes from
/// [`Session::transmit`], and waits for the socket or [`Session::poll_timeout`]. No call blocks,
/// recurses or panics on what a server sent.
///
/// ```text
///  Handshake ──► Sequence (connect, createStream, publish) ──► Publishing
///      │                      │                                    │
///      └──────────┬───────────┴────────────┬───────────────────────┘
///                 │ error, end, timeout    │ stop
///                 ▼                        ▼
///               Over ◄──── Left ◄───── Stopping
/// ```
#[derive(Debug)]
pub struct Session {
    wire: Wire,
    reader: Reader,
    state: SessionState,
    phase: Phase,
    deadline: Option<Duration>,
    events: VecDeque<Event>,
    delivered: Delivered,
    received: Received,
    warned_of_size: bool,
    /// The time of the last input.
    now: Duration,
    /// What the server wrote last that was no answer, and when.
    remark: Option<(Duration, Remark)>,
    /// When `publish` was sent again, because the server gave another stream id than was guessed.
    published_again_at: Option<Duration>,
}

#[derive(Debug)]
enum SessionState {
    /// In the early order the publish sequence has begun already.
    Handshake(handshake::Client, Option<PublishSequence>),
    Sequence(PublishSequence),
    Publishing(Publishing),
    Stopping,
    /// The stop is complete; only acknowledgements of what was sent are still taken.
    Left,
    Over,
}

// ── getters ──────────────────────────────────────────────────────────────────────────────────

impl Session {
    /// A session on an open connection; what may go first is queued.
    pub fn new(now: Duration, config: SessionConfig) -> Session {
        let mut rng = fastrand::Rng::with_seed(config.seed);
        let mut wire = Wire::new(config);
        // C1 carries milliseconds modulo 2^32 (RTMP 1.0 section 5.2.3).
        wire.raw(handshake::c0_c1(now.as_millis() as u32, &mut rng));
        let ahead = (wire.config.order == ConnectOrder::Early).then(|| {
            wire.raw(early_c2(&mut rng));
            PublishSequence::begin(&mut wire, true)
        });
        let mut session = Session {
            wire,
            reader: Reader::new(Bounds::default()),
            state: SessionState::Handshake(handshake::Client::begin(), ahead),
            phase: Phase::Handshake,
            deadline: None,
            events: VecDeque::new(),
            delivered: Delivered::default(),
            received: Received::default(),
            warned_of_size: false,
            now,
            remark: None,
            published_again_at: None,
        };
        session.enter(now, Phase::Handshake);
        session
    }

    /// Whether media may be sent: in the orders that send ahead from the queued `publish` on, in the
    /// patient one from acceptance on.
    pub fn may_stream(&self) -> bool {
        self.media_stream().is_some()
    }

    /// Whether `publish` had to be sent twice, because the server gave another stream id than the one that
    /// servers give first. One that accepts both may take them for two encoders.
    pub fn published_twice(&self) -> bool {
        self.published_again_at.is_some()
    }

    /// Whether what became of the second `publish` is not known yet.
    pub fn is_in_doubt(&self, now: Duration) -> bool {
        self.published_again_at.is_some_and(|at| now < at + PUBLISHED_TWICE_DOUBT)
    }

    /// The window at which the server was asked to acknowledge, in bytes; 0 before it was.
    pub fn acknowledgement_window(&self) -> u32 {
        self.wire.window()
    }

    /// Counters.
    pub fn stats(&self) -> Stats {
        Stats {
            bytes_queued: self.wire.out.queued(),
            bytes_sent: self.wire.out.taken(),
            bytes_acknowledged: self.delivered.bytes(),
            acknowledges: self.delivered.any(),
            ack_stride_bytes: self.delivered.stride(),
            bytes_received: self.received.bytes(),
        }
    }

    fn media_stream(&self) -> Option<u32> {
        match &self.state {
            SessionState::Handshake(_, ahead) => {
                ahead.as_ref().and_then(PublishSequence::media_stream)
            }
            SessionState::Sequence(sequence) => sequence.media_stream(),
            SessionState::Publishing(publishing) => Some(publishing.stream_id),
            SessionState::Stopping | SessionState::Left | SessionState::Over => None,
        }
    }

    /// The message stream that the server may believe to be published.
    fn published_stream(&self) -> Option<u32> {
        match &self.state {
            SessionState::Handshake(_, ahead) => {
                ahead.as_ref().and_then(PublishSequence::published_stream)
            }
            SessionState::Sequence(sequence) => sequence.published_stream(),
            SessionState::Publishing(publishing) => Some(publishing.stream_id),
            SessionState::Stopping | SessionState::Left | SessionState::Over => None,
        }
    }

    /// Whether, in the present phase, commands have gone ahead of an answer.
    fn is_pipelined(&self) -> bool {
        match self.wire.config.order {
            ConnectOrder::Patient => false,
            // The second `publish` may have reached the server after it had accepted the first one.
            _ if self.phase == Phase::Publishing => self.is_in_doubt(self.now),
            ConnectOrder::Conforming => {
                matches!(self.phase, Phase::Connect | Phase::CreateStream | Phase::Publish)
            }
            ConnectOrder::Early => self.phase < Phase::Publishing,
        }
    }

    fn is_over(&self) -> bool {
        matches!(self.state, SessionState::Left | SessionState::Over)
    }
}

// ── inputs ───────────────────────────────────────────────────────────────────────────────────

impl Session {
    /// Takes bytes from the server, in pieces of any size.
    pub fn handle_input(&mut self, now: Duration, bytes: &[u8]) {
        self.now = now;
        if matches!(self.state, SessionState::Over) {
            return;
        }
        self.received.count(bytes.len());
        let mut rest = bytes;
        self.take_handshake(now, &mut rest);
        while !matches!(self.state, SessionState::Handshake(..) | SessionState::Over) {
            match self.reader.next(&mut rest) {
                Ok(Some(message)) if self.is_over() => self.take_late_acknowledgement(&message),
                Ok(Some(message)) => self.take_message(now, &message),
                Ok(None) if self.is_over() => return,
                Ok(None) => return self.acknowledge(),
                Err(error) => return self.end(error.into()),
            }
        }
    }

    /// Asks the server of an accepted stream to acknowledge every `window` bytes from here on. Servers
    /// that keep to a window of their own ignore it.
    pub fn ask_for_acknowledgements(&mut self, window: u32) {
        if matches!(self.state, SessionState::Publishing(_)) {
            self.wire.ask_window(window);
        }
    }

    /// The server has closed its side.
    pub fn handle_eof(&mut self, now: Duration) {
        self.now = now;
        self.end(ErrorKind::ClosedByServer);
    }

    /// A deadline may have passed; calls without need are harmless.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.now = now;
        if self.deadline.is_some_and(|deadline| now >= deadline) {
            self.end(ErrorKind::Timeout);
        }
    }

    fn take_handshake(&mut self, now: Duration, input: &mut &[u8]) {
        while !input.is_empty() && matches!(self.state, SessionState::Handshake(..)) {
            let SessionState::Handshake(handshake, ahead) = self.take_state() else { return };
            match handshake.take(input) {
                Ok((handshake::Client::Done, _)) => {
                    let pipelined = self.wire.config.order != ConnectOrder::Patient;
                    let sequence =
                        ahead.unwrap_or_else(|| PublishSequence::begin(&mut self.wire, pipelined));
                    self.state = SessionState::Sequence(sequence);
                    self.enter(now, Phase::Connect);
                }
                Ok((next, c2)) => {
                    // In the early order a C2 is on its way already.
                    if let Some(c2) = c2.filter(|_| ahead.is_none()) {
                        self.wire.raw(c2);
                    }
                    self.state = SessionState::Handshake(next, ahead);
                }
                Err(error) => self.fail(error.into()),
            }
        }
    }

    /// Takes the state out, to be consumed by what happened; the caller sets the next one.
    fn take_state(&mut self) -> SessionState {
        std::mem::replace(&mut self.state, SessionState::Over)
    }

    fn take_message(&mut self, now: Duration, message: &Message) {
        match Incoming::decode(message) {
            Ok(Incoming::Acknowledgement(sequence)) => {
                self.delivered.take(sequence, self.wire.out.taken());
            }
            Ok(Incoming::WindowAckSize(window)) => self.received.set_window(window),
            Ok(Incoming::SetPeerBandwidth(window)) => self.wire.limit_window(window),
            Ok(Incoming::PingRequest(stamp)) => self.pong(stamp),
            Ok(Incoming::Command(body)) => self.take_command(now, body, message.stream_id),
            Ok(Incoming::PingResponse(_) | Incoming::Media(_) | Incoming::Other) => {}
            Err(error) => self.end(error.into()),
        }
    }

    fn take_late_acknowledgement(&mut self, message: &Message) {
        if let Ok(Incoming::Acknowledgement(sequence)) = Incoming::decode(message) {
            self.delivered.take(sequence, self.wire.out.taken());
        }
    }

    fn pong(&mut self, stamp: [u8; 4]) {
        if self.wire.out.urgent() >= RTMP_PONGS_WAITING_MAX {
            return self.end(Misbehaviour::TooManyPings.into());
        }
        self.wire.urgent(type_id::USER_CONTROL, &ping_response(stamp));
    }

    /// Sends the acknowledgement that the server's window asks for. While answers already wait for a
    /// server that does not read, the next one that is due speaks for this one too.
    fn acknowledge(&mut self) {
        if self.wire.out.urgent() < RTMP_PONGS_WAITING_MAX
            && let Some(sequence) = self.received.due()
        {
            self.wire.urgent(type_id::ACKNOWLEDGEMENT, &sequence.to_be_bytes());
        }
    }

    /// A command that does not concern a publisher is ignored before its arguments are decoded, so that
    /// a mistake in them does no harm.
    fn take_command(&mut self, now: Duration, body: &[u8], stream_id: u32) {
        let name = match Command::decode_name(body) {
            Ok(name) => name,
            Err(error) => return self.end(error.into()),
        };
        let shown = self.wire.cleaner.text(&name);
        tracing::debug!(command = %shown, stream_id, "received");
        match &*name {
            "_result" | "_error" | "onStatus" => match Command::decode(body) {
                Ok(command) => self.take_answer(now, &command, stream_id),
                Err(error) => self.end(error.into()),
            },
            "close" => {
                self.take_remark(body);
                self.end(ErrorKind::ClosedByServer);
            }
            // Such as `onFCPublish`, with which some servers say what is wrong before they close.
            _ => self.take_remark(body),
        }
    }

    fn take_answer(&mut self, now: Duration, command: &Command<'_>, stream_id: u32) {
        let is_status = command.name == "onStatus";
        if is_status && command.info_text("code") == "NetConnection.Connect.ReconnectRequest" {
            return self.request_reconnect(command);
        }
        match self.take_state() {
            SessionState::Sequence(sequence) => {
                let progress = sequence.take(&mut self.wire, command, stream_id);
                if matches!(progress, SequenceProgress::Stay(_)) {
                    self.note_remark(command);
                }
                self.advance(now, progress);
            }
            state => {
                let given = match &state {
                    SessionState::Publishing(publishing) => Some(publishing.stream_id),
                    _ => None,
                };
                self.state = state;
                match given {
                    Some(given) if is_status && !is_about_guess(given, stream_id) => {
                        self.take_status(command);
                    }
                    _ => self.note_remark(command),
                }
            }
        }
    }

    /// Keeps what the server writes: it may close without another word.
    fn note_remark(&mut self, command: &Command<'_>) {
        if let Some(remark) = remark(command, &self.wire.cleaner) {
            tracing::debug!(%remark, "the server writes");
            self.remark = Some((self.now, remark));
        }
    }

    fn take_remark(&mut self, body: &[u8]) {
        match Command::decode(body) {
            Ok(command) => self.note_remark(&command),
            Err(error) => tracing::debug!(%error, "command that concerns no publisher ignored"),
        }
    }

    fn advance(&mut self, now: Duration, progress: SequenceProgress) {
        match progress {
            SequenceProgress::Stay(sequence) => self.state = SessionState::Sequence(sequence),
            SequenceProgress::Next(sequence) => {
                let phase = sequence.phase();
                self.state = SessionState::Sequence(sequence);
                self.enter(now, phase);
            }
            SequenceProgress::Moved(sequence) => {
                self.published_again_at = Some(now);
                self.advance(now, SequenceProgress::Next(sequence));
                self.report(Event::RestartMedia);
            }
            SequenceProgress::Published(publishing) => {
                self.state = SessionState::Publishing(publishing);
                self.enter(now, Phase::Publishing);
                self.report(Event::Accepted);
            }
            SequenceProgress::Failed(kind) => self.fail(kind),
        }
    }

    /// A status of an accepted stream (RTMP 1.0 section 7.2.2).
    fn take_status(&mut self, command: &Command<'_>) {
        let cleaner = &self.wire.cleaner;
        let (code, level) = (command.info_text("code"), command.info_text("level"));
        let is_fatal = match code {
            "NetStream.Publish.Start" => return,
            "NetStream.Unpublish.Success"
            | "NetConnection.Connect.Closed"
            | "NetConnection.Connect.AppShutdown"
            | "NetStream.Publish.BadName" => true,
            _ => {
                is_refusal(command)
                    && ["NetStream.Publish.", "NetStream.Failed", "NetConnection."]
                        .iter()
                        .any(|prefix| code.starts_with(prefix))
            }
        };
        if is_fatal {
            return self.end(publish_rejected(command, cleaner));
        }
        if level != "status" {
            let code = cleaner.text(code);
            let description = cleaner.text(command.info_text("description"));
            self.report(Event::Warning(Warning::Server { code, description }));
        }
        self.note_remark(command);
    }

    fn request_reconnect(&mut self, command: &Command<'_>) {
        let cleaner = &self.wire.cleaner;
        let description = cleaner.text(command.info_text("description"));
        let tc_url = match command.info().and_then(|info| info.get("tcUrl")) {
            None | Some(Value::Null | Value::Undefined) => None,
            // To the server, another connection to the same place is not what it asked for.
            Some(named) => match named.as_str().and_then(|url| cleaner.url(url)) {
                Some(url) => Some(url),
                None => return self.report(Event::Warning(Warning::MoveToNowhere)),
            },
        };
        self.report(Event::ReconnectRequest { tc_url, description });
    }
}

// ── commands ─────────────────────────────────────────────────────────────────────────────────

impl Session {
    /// Sends `@setDataFrame`, `onMetaData` and `fields` (Adobe FLV 10.1 section E.5), with the
    /// timestamp 0. Ignored while [`Session::may_stream`] is false, as are all `send_*`.
    pub fn send_metadata<'a>(&mut self, fields: impl Iterator<Item = (&'a str, Value<'a>)>) {
        self.send_data(0, wire::metadata(fields));
    }

    /// Sends script data as an FLV file has it (an AMF0 string and a value), behind `@setDataFrame`.
    pub fn send_data(&mut self, timestamp_ms: u64, body: Bytes) {
        self.send(Kind::Data, timestamp_ms, &wire::set_data_frame(), body);
    }

    /// Sends a video message: `head` (at most 16 bytes) and `body` together are an FLV video tag's
    /// body.
    pub fn send_video(&mut self, timestamp_ms: u64, head: &[u8], body: Bytes) {
        self.send(Kind::Video, timestamp_ms, head, body);
    }

    /// Sends an audio message: `head` (at most 16 bytes) and `body` together are an FLV audio tag's
    /// body.
    pub fn send_audio(&mut self, timestamp_ms: u64, head: &[u8], body: Bytes) {
        self.send(Kind::Audio, timestamp_ms, head, body);
    }

    /// Ends the stream on purpose: `FCUnpublish` and `deleteStream` are queued behind all media that
    /// waits, and [`Event::Stopped`] follows once all is written. A session that never published stops at once.
    /// [`Session::stats`] go on counting what the server acknowledges until it closes.
    pub fn stop(&mut self, now: Duration) {
        if matches!(self.state, SessionState::Stopping) || self.is_over() {
            return;
        }
        let stream_id = self.published_stream();
        self.state = SessionState::Stopping;
        self.enter(now, Phase::Stopping);
        match stream_id {
            Some(stream_id) => self.wire.unpublish(stream_id),
            None => self.stopped(),
        }
    }

    /// After a stop: asks once more to have everything acknowledged. Some servers check only when
    /// bytes come in whether they owe an acknowledgement, and do so before they interpret the bytes.
    pub fn ask_for_the_last_acknowledgement(&mut self) {
        if matches!(self.state, SessionState::Left) {
            self.wire.ask_for_each_byte();
        }
    }

    fn send(&mut self, kind: Kind, timestamp_ms: u64, head: &[u8], body: Bytes) {
        let Some(stream_id) = self.media_stream() else {
            tracing::debug!(?kind, timestamp_ms, "message outside of a stream ignored");
            return;
        };
        let bytes = head.len() + body.len();
        if !self.wire.media(kind, stream_id, timestamp_ms, head, body) {
            self.report(Event::Warning(Warning::MessageNotSent { bytes }));
        } else if bytes > RTMP_MESSAGE_WARN_BYTES && !self.warned_of_size {
            self.warned_of_size = true;
            self.report(Event::Warning(Warning::LargeMessage { bytes }));
        }
    }
}

// ── outputs ──────────────────────────────────────────────────────────────────────────────────

impl Session {
    /// What is to be written, in order.
    pub fn transmit(&mut self) -> &mut Outbound {
        &mut self.wire.out
    }

    /// The next event; call until `None` after each input, command and write.
    pub fn poll_event(&mut self) -> Option<Event> {
        if matches!(self.state, SessionState::Stopping) && self.wire.out.is_empty() {
            self.stopped();
        }
        self.events.pop_front()
    }

    /// When [`Session::handle_timeout`] is to be called.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.deadline
    }

    fn enter(&mut self, now: Duration, phase: Phase) {
        self.phase = phase;
        self.deadline = phase.timeout().map(|timeout| now + timeout);
        self.report(Event::Phase(phase));
    }

    /// One place is kept free for [`Event::Ended`], which must never be lost. What says the same as the
    /// event before it says nothing new.
    fn report(&mut self, event: Event) {
        if self.is_over() || self.events.back() == Some(&event) {
            return;
        }
        if self.events.len() + 1 >= RTMP_EVENTS_MAX {
            return self.fail(Misbehaviour::TooManyEvents.into());
        }
        self.events.push_back(event);
    }

    fn end(&mut self, kind: ErrorKind) {
        match self.state {
            SessionState::Left | SessionState::Over => self.state = SessionState::Over,
            // Whatever a server does once a stop was asked for is a stop: many just close.
            SessionState::Stopping => self.stopped(),
            _ => self.fail(kind),
        }
    }

    fn stopped(&mut self) {
        self.state = SessionState::Left;
        self.deadline = None;
        self.events.push_back(Event::Stopped);
    }

    fn fail(&mut self, kind: ErrorKind) {
        let mut error = Error {
            during: self.phase,
            pipelined: self.is_pipelined(),
            published_twice: self.published_twice(),
            may_be_tls: kind == ErrorKind::ClosedByServer
                && self.received.bytes() == 0
                && self.wire.config.tc_url.starts_with("rtmp://"),
            kind,
            remark: None,
        };
        if matches!(error.kind, ErrorKind::ClosedByServer | ErrorKind::Timeout) {
            let remark = self.remark.take();
            let counts = |at: Duration| self.now < at + REMARK_COUNTS_FOR;
            error.remark = remark.filter(|(at, _)| counts(*at)).map(|(_, remark)| remark.into());
        }
        self.state = SessionState::Over;
        self.deadline = None;
        self.events.push_back(Event::Ended(error));
    }
}
