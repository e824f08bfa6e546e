//! One connection over a byte stream, from the first byte of RTMP to the orderly close.

use core::net::IpAddr;
use std::time::Duration;

use bytes::{Buf, Bytes};

use super::ack_window::Window;
use super::closing::{Closing, Ending};
use super::delivery::Delivery;
use super::error::Error;
use super::kernel::Kernel;
use super::large_packets::{LargePackets, explained};
use super::paths::PathEnd;
use super::progress::{Mailbox, Progress};
use super::source::{Close, Demands, Next, Source};
use super::stats::ConnectionStats;
use crate::flv;
use crate::flv::TagKind;
use crate::flv::metadata::{self, Field, Metadata};
use crate::limits::{LAST_MESSAGE_TIMEOUT, STOP_TIMEOUT};
use crate::media::{Frame, Timeline, Track};
use crate::rtmp::amf0::Value;
use crate::rtmp::{Event, Outbound, Session};

/// One connection that stands. The shell (or a simulated network) calls [`Connection::advance`] after
/// each `handle_*` and at [`Connection::poll_timeout`], fetches [`Connection::poll_progress`] and
/// [`Connection::poll_end`], and carries bytes: from [`Connection::transmit`], to
/// [`Connection::handle_input`].
#[derive(Debug)]
pub struct Connection {
    pub(super) session: Session,
    timeline: Timeline,
    /// Media time of the connection.
    pub(super) time_ms: u64,
    pub(super) delivery: Delivery,
    pub(super) large_packets: LargePackets,
    /// When the connection stood.
    pub(super) began: Duration,
    pub(super) window: Window,
    pub(super) stats: ConnectionStats,
    /// Where in what is sent the last media message ends.
    pub(super) media_end: u64,
    /// How many bytes an acknowledgement spoke for before the stream was ended.
    pub(super) ack_stride_bytes: u64,
    pub(super) demands: Demands,
    pub(super) next_look: Duration,
    /// When to look whether media has been acknowledged, while that is awaited.
    pub(super) next_accept_look: Duration,
    pub(super) next_move: Duration,
    is_known_to_source: bool,
    begun: bool,
    pub(super) publish_started: bool,
    /// When the server accepted the stream.
    publish_started_at: Option<Duration>,
    pub(super) accepted: bool,
    source_ended: bool,
    /// Nothing that was written waits inside of TLS.
    pub(super) flushed: bool,
    pub(super) stage: Stage,
    /// The server has closed its side while the stream was being ended.
    hung_up: bool,
    /// When an ordered stop must be through; `None` where the source has ended by itself.
    pub(super) stop_by: Option<Duration>,
    pub(super) mailbox: Mailbox,
    ended: Option<Result<(), Error>>,
}

#[derive(Debug)]
pub(super) enum Stage {
    /// From the handshake on.
    Publishing,
    /// The stream is being ended; what waits is still written.
    Stopping,
    /// All is written.
    Closing(Closing),
    /// The connection broke while writing: what the server wrote before that is still read.
    Broken {
        by: Duration,
        how: Ending,
        why: String,
        is_read: bool,
    },
    Over,
}

impl Connection {
    /// A connection that stands now, and comes from `local_address`.
    pub fn new(now: Duration, session: Session, local_address: Option<IpAddr>) -> Connection {
        Connection {
            session,
            timeline: Timeline::new(),
            time_ms: 0,
            delivery: Delivery::new(now),
            large_packets: LargePackets::default(),
            began: now,
            window: Window::new(now),
            stats: ConnectionStats { local_address, ..ConnectionStats::default() },
            media_end: 0,
            ack_stride_bytes: 0,
            demands: Demands::default(),
            next_look: now,
            next_accept_look: now,
            next_move: now,
            is_known_to_source: false,
            begun: false,
            publish_started: false,
            publish_started_at: None,
            accepted: false,
            source_ended: false,
            flushed: true,
            stage: Stage::Publishing,
            hung_up: false,
            stop_by: None,
            mailbox: Mailbox::default(),
            ended: None,
        }
    }

    // ── getters ───────────────────────────────────────────────────────────────────────────────

    /// Whether the server accepted the stream and has confirmed that media arrives.
    pub fn is_accepted(&self) -> bool {
        self.accepted
    }

    /// What its end in this way says of the path.
    pub fn path_end(&self, error: &Error) -> PathEnd {
        self.large_packets.path_end(error)
    }

    /// See [`Session::published_twice`].
    pub fn published_twice(&self) -> bool {
        self.session.published_twice()
    }

    /// Whether the source should be waited for.
    pub fn wants_media(&mut self) -> bool {
        self.session.may_stream()
            && matches!(self.stage, Stage::Publishing)
            && !self.source_ended
            && self.session.transmit().remaining() < self.demands.ahead_bytes
    }

    /// Whether an order to close is still of use.
    pub fn may_be_closed(&self) -> bool {
        self.stop_by.is_none() && matches!(self.stage, Stage::Publishing | Stage::Stopping)
    }

    /// Whether the write side of the byte stream is to be closed now.
    pub fn wants_shutdown(&self) -> bool {
        matches!(&self.stage, Stage::Closing(closing) if closing.wants_shutdown())
    }

    /// Whether what was written waits inside of TLS.
    pub fn wants_flush(&self) -> bool {
        !self.flushed && self.may_write()
    }

    /// Whether [`Connection::transmit`] may still be written.
    pub fn may_write(&self) -> bool {
        match &self.stage {
            Stage::Publishing | Stage::Stopping => true,
            Stage::Closing(closing) => closing.may_write(),
            Stage::Broken { .. } | Stage::Over => false,
        }
    }

    // ── inputs ────────────────────────────────────────────────────────────────────────────────

    /// Bytes from the server.
    pub fn handle_input(&mut self, now: Duration, bytes: &[u8]) {
        self.session.handle_input(now, bytes);
    }

    /// The server has closed its side.
    pub fn handle_eof(&mut self, now: Duration) {
        match &mut self.stage {
            Stage::Publishing => self.session.handle_eof(now),
            Stage::Stopping => {
                self.hung_up = true;
                self.session.handle_eof(now);
            }
            Stage::Closing(closing) => closing.handle_eof(now),
            Stage::Broken { is_read, .. } => *is_read = true,
            Stage::Over => {}
        }
    }

    /// So many bytes of [`Connection::transmit`] were written; whether all of what was written has left
    /// TLS.
    pub fn handle_written(&mut self, length: usize, flushed: bool) {
        self.session.transmit().advance(length);
        self.stats.sent_bytes += length as u64;
        self.large_packets.handle_written(length, self.stats.sent_bytes);
        self.flushed = flushed;
    }

    /// What was written has left TLS.
    pub fn handle_flushed(&mut self) {
        self.flushed = true;
    }

    /// The write side is closed.
    pub fn handle_shutdown(&mut self) {
        if let Stage::Closing(closing) = &mut self.stage {
            closing.handle_shutdown();
        }
    }

    /// Reading or writing failed. A server that refuses and closes leaves unread what was sent ahead,
    /// which resets the connection: writing then fails although the reason is there to be read, and only
    /// reading tells it.
    pub fn handle_broken(&mut self, now: Duration, how: Ending, why: &str) {
        match &mut self.stage {
            Stage::Publishing | Stage::Stopping => {
                let (by, why) = (now + LAST_MESSAGE_TIMEOUT, why.to_owned());
                self.stage = Stage::Broken { by, how, why, is_read: false };
            }
            Stage::Closing(closing) => closing.handle_broken(how),
            Stage::Broken { is_read, .. } => *is_read = true,
            Stage::Over => {}
        }
    }

    /// The connection is to be closed.
    pub fn handle_close(&mut self, now: Duration, how: Close) {
        if !self.may_be_closed() {
            return;
        }
        match how {
            Close::Abort => self.end(Ok(())),
            Close::HandOver => {
                self.stage = Stage::Stopping;
                self.stop_by = Some(now + STOP_TIMEOUT);
            }
            Close::Polite => {
                self.stop_by = Some(now + STOP_TIMEOUT);
                self.stop(now);
            }
        }
    }

    /// Goes on as far as it can now: call after each input, write and wait. `kernel` is asked when the
    /// path is looked at.
    pub fn advance<S: Source>(
        &mut self,
        now: Duration,
        source: &mut S,
        kernel: impl Fn() -> Kernel,
    ) {
        if !self.is_known_to_source {
            self.is_known_to_source = true;
            self.demands = source.demands();
            source.connected(now);
        }
        if matches!(self.stage, Stage::Publishing | Stage::Stopping)
            && let Err(error) = self.publish(now, source, &kernel)
        {
            self.fail(now, explained(error, kernel().state()));
        }
        if matches!(self.stage, Stage::Closing(_)) {
            self.close_gracefully(now, &kernel);
        }
        if matches!(&self.stage, Stage::Broken { by, is_read, .. } if *is_read || now >= *by) {
            self.conclude_broken(now);
        }
    }

    // ── outputs ───────────────────────────────────────────────────────────────────────────────

    /// What is to be written.
    pub fn transmit(&mut self) -> &mut Outbound {
        self.session.transmit()
    }

    /// What is to be reported next.
    pub fn poll_progress(&mut self) -> Option<Progress> {
        self.mailbox.next(self.stats)
    }

    /// How it ended, once.
    pub fn poll_end(&mut self) -> Option<Result<ConnectionStats, Error>> {
        Some(self.ended.take()?.map(|()| self.stats))
    }

    /// When [`Connection::advance`] is to be called at the latest.
    pub fn poll_timeout(&self) -> Duration {
        match &self.stage {
            Stage::Publishing | Stage::Stopping => {
                // The next frame is hardly ever far, and a look then costs no wake-up of its own.
                let look_by = self.next_look + self.demands.look / 8;
                let accept_look = self.awaits_media().then_some(self.next_accept_look);
                let others = [self.session.poll_timeout(), self.stop_by, accept_look];
                others.into_iter().flatten().fold(look_by, Duration::min)
            }
            Stage::Closing(closing) => closing.poll_timeout(),
            Stage::Broken { by, .. } => *by,
            Stage::Over => Duration::MAX,
        }
    }

    // ── inside ────────────────────────────────────────────────────────────────────────────────

    fn publish<S: Source>(
        &mut self,
        now: Duration,
        source: &mut S,
        kernel: &impl Fn() -> Kernel,
    ) -> Result<(), Error> {
        if self.stop_by.is_some_and(|by| now >= by) {
            self.end(Ok(()));
            return Ok(());
        }
        self.session.handle_timeout(now);
        let events = self.take_events(source);
        if self.publish_started && self.publish_started_at.is_none() {
            self.publish_started_at = Some(now);
            self.delivery.publish_starts(now);
        }
        events?;
        self.fill(now, source)?;
        self.look(now, source, kernel)?;
        let is_stopping = matches!(self.stage, Stage::Stopping);
        let sent_all = self.session.transmit().is_empty() && self.flushed;
        // A source that ends before the server has answered may still be refused.
        let is_answered = self.publish_started && !self.session.is_in_doubt(now);
        if sent_all && self.source_ended && is_answered && !is_stopping {
            self.stop(now);
            self.take_events(source)?;
        } else if is_stopping && (sent_all || self.hung_up) {
            self.stage = Stage::Closing(Closing::begin(now, self.hung_up));
        }
        Ok(())
    }

    fn take_events<S: Source>(&mut self, source: &mut S) -> Result<(), Error> {
        let is_stopping = matches!(self.stage, Stage::Stopping);
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Accepted => {
                    self.publish_started = true;
                    (self.next_look, self.next_accept_look) = (Duration::ZERO, Duration::ZERO);
                }
                Event::RestartMedia => {
                    source.restart();
                    (self.begun, self.source_ended) = (false, false);
                }
                // After a stop the server may close as it likes.
                Event::Ended(_) if is_stopping => {}
                Event::Ended(error) => return Err(error.into()),
                Event::ReconnectRequest { tc_url, description } => {
                    tracing::debug!(description, "the server asks to move");
                    self.mailbox.move_wanted = Some(tc_url);
                }
                Event::Warning(warning) => self.mailbox.warning = Some(warning),
                other => tracing::debug!(?other, "session"),
            }
        }
        Ok(())
    }

    fn fill<S: Source>(&mut self, now: Duration, source: &mut S) -> Result<(), Error> {
        while self.wants_media() {
            if !self.begun {
                self.begun = true;
                self.begin(now, source);
            }
            match source.next(now).map_err(Error::Media)? {
                Next::Frame(frame) => self.send_frame(frame),
                Next::Tag { time_ms, kind, body } => self.send_tag(time_ms, kind, body),
                Next::NothingYet => break,
                Next::End => {
                    self.source_ended = true;
                    break;
                }
            }
            self.stats.messages += 1;
            self.media_end = self.stats.sent_bytes + self.session.transmit().remaining() as u64;
            self.delivery.media_ends_at(self.media_end);
        }
        Ok(())
    }

    /// Media may go: what the server learns before it, and with which bitrate it begins.
    fn begin<S: Source>(&mut self, now: Duration, source: &mut S) {
        source.begin(now);
        if let Some(kbps) = source.start_kbps() {
            self.report_target(kbps);
        }
        if let Some(metadata) = source.metadata() {
            send_metadata(&mut self.session, metadata);
        }
    }

    fn send_tag(&mut self, time_ms: u64, kind: TagKind, body: Bytes) {
        self.time_ms = self.time_ms.max(time_ms);
        match kind {
            TagKind::Video => self.session.send_video(time_ms, &[], body),
            TagKind::Audio => self.session.send_audio(time_ms, &[], body),
            TagKind::Script => {
                self.session.send_data(time_ms, metadata::without_set_data_frame(body));
            }
        }
    }

    /// RTMP's own time: milliseconds since the connection's first frame, and the head of an FLV tag.
    fn send_frame(&mut self, frame: Frame) {
        let stamp = self.timeline.stamp(&frame);
        self.time_ms = stamp.dts_ms;
        let head = flv::head(&frame, stamp.composition_time_ms);
        match frame.track() {
            Track::Video => {
                self.session.send_video(stamp.dts_ms, head.as_slice(), frame.payload);
            }
            Track::Audio => {
                self.session.send_audio(stamp.dts_ms, head.as_slice(), frame.payload);
            }
        }
    }

    fn stop(&mut self, now: Duration) {
        self.stage = Stage::Stopping;
        self.ack_stride_bytes = self.session.stats().ack_stride_bytes;
        self.session.stop(now);
    }

    /// The server's own message says more than that the connection broke.
    fn conclude_broken(&mut self, now: Duration) {
        let Stage::Broken { how, why, .. } = &mut self.stage else { return };
        let (how, why) = (*how, std::mem::take(why));
        let is_clear = self.publish_started && !self.session.is_in_doubt(now);
        if !is_clear || how == Ending::Closed {
            self.session.handle_eof(now);
        }
        let mut ended = None;
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Accepted => self.publish_started = true,
                Event::Ended(error) => ended = Some(error),
                _ => {}
            }
        }
        let error = match (ended, how) {
            (Some(ended), _) => ended.into(),
            (None, Ending::Reset) => Error::Reset { why },
            (None, _) => Error::Lost { why },
        };
        self.fail(now, error);
    }

    fn fail(&mut self, now: Duration, error: Error) {
        let error = match self.publish_started {
            true if !self.accepted => {
                let since = self.publish_started_at.unwrap_or(now);
                error.before_confirmation(now.saturating_sub(since))
            }
            _ => error,
        };
        self.end(Err(error));
    }

    pub(super) fn end(&mut self, ended: Result<(), Error>) {
        self.stage = Stage::Over;
        self.mailbox.stats = true;
        self.ended = Some(ended);
    }
}

fn send_metadata(session: &mut Session, metadata: &Metadata) {
    session.send_metadata(metadata.fields().map(|(name, field)| {
        let value = match field {
            Field::Number(number) => Value::Number(number),
            Field::Bool(truth) => Value::Boolean(truth),
            Field::Text(text) => Value::String(text.into()),
        };
        (name, value)
    }));
}
