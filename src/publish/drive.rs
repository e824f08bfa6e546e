//! Drives one `rtmp::Session` over one connection: the loop between socket, session and media.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Buf;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::time::timeout;

use crate::clock::{Alarm, Clock};
use crate::limits::{
    PROGRESS_TICK, RTMP_OUT_HIGH_WATER_BYTES, STOP_TIMEOUT, SUCCESSOR_RETRY,
    YOUNG_CONNECTION_BYTES, YOUNG_WRITE_BYTES,
};
use crate::media::QueueStats;
use crate::pace::Sample;
use crate::rtmp::{Event, Outbound, Session};

use super::delivery::{Delivery, Observation, Window};
use super::error::PublishError;
use super::socket::{TcpProbe, TcpState};

/// Where the media of one connection comes from.
pub trait Source: Send {
    /// How often delivery is looked at.
    const LOOK: Duration = PROGRESS_TICK;
    /// Bytes that may wait in the session before it is given more.
    const AHEAD_BYTES: usize = RTMP_OUT_HIGH_WATER_BYTES;
    /// Whether each look asks the kernel how the path is; otherwise only while the server is silent.
    const MINDS_THE_PATH: bool = false;

    /// The connection may take media now: whatever must come before it (metadata).
    fn begin(&mut self, session: &mut Session);
    /// Media must start over with configuration and a key frame.
    fn restart(&mut self);
    /// Hands the next message to the session.
    ///
    /// # Errors
    /// When the media cannot be read any further, with the words for the owner.
    fn send_next(&mut self, session: &mut Session) -> Result<Sent, String>;
    /// What waits behind this source; a file has nothing waiting.
    fn queue(&self) -> QueueStats {
        QueueStats::default()
    }
    /// Takes a look at how delivery goes; a source that can gives way answers with what is to be done
    /// elsewhere.
    fn observe(&mut self, _now: Duration, _sample: Sample) -> Advice {
        Advice::default()
    }
    /// The connection's media time has come so far that a new connection should take over.
    fn is_worn_out(&self) -> bool {
        false
    }
    /// Resolves when [`Source::send_next`] is worth calling again; may be dropped at any time.
    fn ready(&mut self) -> impl Future<Output = ()> + Send;
}

/// What is to be done about a path, outside of the connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Advice {
    /// The video bitrate that the path can bear, in kbit/s, when it has changed.
    pub target_kbps: Option<u32>,
    /// A new connection may fare better than this one.
    pub reconnect: bool,
}

/// What [`Source::send_next`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// A message is in the session's outbound buffer.
    Message,
    /// Nothing is due yet.
    NothingYet,
    /// There will be no more.
    End,
}

/// How a connection is to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Close {
    /// Take leave: unpublish, deliver what was sent, close.
    Polite,
    /// Drop the connection at once.
    Abort,
    /// Deliver what was sent and close without unpublishing: another connection has taken over.
    HandOver,
}

/// What a connection reports while it lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// The server accepted the stream and media has been acknowledged.
    Accepted,
    /// Another connection should take over: at this place if the server named one (Enhanced RTMP v2,
    /// `ReconnectRequest`), else at the same.
    MoveWanted(Option<String>),
    /// The video bitrate that the path can bear has changed, in kbit/s.
    Target(u32),
    /// The running numbers, at each look.
    Numbers(Numbers),
}

/// The running numbers of a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Numbers {
    /// The attempt that they belong to; 0 outside of a destination's task.
    pub attempt: u64,
    /// The address of this box that the connection comes from.
    pub local_address: Option<IpAddr>,
    /// RTMP bytes handed to the socket.
    pub sent_bytes: u64,
    /// RTMP bytes that the server has acknowledged; `None` while it never has.
    pub acknowledged_bytes: Option<u64>,
    /// TCP bytes on their way.
    pub in_flight_bytes: Option<u32>,
    /// TCP's smoothed round-trip time, in microseconds.
    pub rtt_us: Option<u64>,
    /// Messages handed to the session.
    pub messages: u64,
    /// What waits for this connection, and what was dropped.
    pub queue: QueueStats,
    /// The video bitrate that the path can bear, in kbit/s; `None` before the first look.
    pub target_kbps: Option<u32>,
}

/// One connection, from C0 to the close.
pub(super) struct Drive<'a, S, M> {
    pub clock: Clock,
    pub stream: S,
    pub session: Session,
    pub source: &'a mut M,
    pub probe: Option<TcpProbe>,
    pub local_address: Option<IpAddr>,
    pub report: &'a mut (dyn FnMut(Progress) + Send),
}

/// The parts of a drive that change as it goes.
pub(super) struct State {
    pub delivery: Delivery,
    window: Window,
    pub numbers: Numbers,
    /// Where in what is sent the last media message ends.
    pub media_end: u64,
    /// How many bytes an acknowledgement spoke for before the stream was ended.
    pub ack_stride_bytes: u64,
    next_look: Duration,
    next_move: Duration,
    begun: bool,
    pub publish_started: bool,
    pub accepted: bool,
    source_ended: bool,
    flushed: bool,
    /// The stream is being ended.
    stopping: bool,
    /// The server has closed its side while the stream was being ended.
    pub hung_up: bool,
    /// When an ordered stop must be through; `None` where the source has ended by itself.
    pub stop_by: Option<Duration>,
}

/// What one step of input or output did.
pub(super) enum Turn {
    Read(usize),
    /// So many bytes, and whether nothing of them waits inside of TLS.
    Wrote(usize, bool),
    Flushed,
}

impl<S: AsyncRead + AsyncWrite + Unpin, M: Source> Drive<'_, S, M> {
    /// Publishes until `close` resolves, the source ends or something fails.
    pub async fn run(
        mut self,
        close: impl Future<Output = Close>,
    ) -> Result<Numbers, PublishError> {
        let now = self.clock.now();
        let mut state = State {
            delivery: Delivery::new(now),
            window: Window::new(now),
            numbers: Numbers { local_address: self.local_address, ..Numbers::default() },
            media_end: 0,
            ack_stride_bytes: 0,
            next_look: now,
            next_move: now,
            begun: false,
            publish_started: false,
            accepted: false,
            source_ended: false,
            flushed: true,
            stopping: false,
            hung_up: false,
            stop_by: None,
        };
        let mut inbox = vec![0_u8; 16 * 1024];
        let mut alarm = Alarm::new(self.clock);
        tokio::pin!(close);
        loop {
            self.drain_events(&mut state)?;
            self.fill(&mut state)?;
            self.look(&mut state)?;
            let sent_all = !self.session.transmit().has_remaining() && state.flushed;
            // A source that ends before the server has answered may still be refused.
            if sent_all && state.source_ended && state.publish_started && !state.stopping {
                self.stop(&mut state);
                continue;
            }
            if state.stopping && (sent_all || state.hung_up) {
                return self.leave(state).await;
            }
            let wants_media = self.wants_media(&state);
            let deadline = self.deadline(&state);
            tokio::select! {
                biased;
                turn = turn(&mut self.stream, self.session.transmit(), &mut inbox, state.flushed) => {
                    match turn {
                        Ok(turn) => self.handle_turn(turn, &inbox, &mut state),
                        Err(error) => return Err(self.last_words(error, inbox, &state).await),
                    }
                }
                how = &mut close, if state.stop_by.is_none() => {
                    if how == Close::Abort {
                        return Ok(state.numbers);
                    }
                    if how == Close::HandOver {
                        state.stopping = true;
                        state.stop_by = Some(self.clock.now() + STOP_TIMEOUT);
                        continue;
                    }
                    state.stop_by = Some(self.clock.now() + STOP_TIMEOUT);
                    self.stop(&mut state);
                }
                () = self.source.ready(), if wants_media => {
                    self.fill(&mut state)?;
                    if let Err(error) = self.write_at_once(&mut state).await {
                        return Err(self.last_words(error, inbox, &state).await);
                    }
                }
                () = alarm.ring(deadline) => {
                    let now = self.clock.now();
                    if state.stop_by.is_some_and(|by| now >= by) {
                        return Ok(state.numbers);
                    }
                    self.session.handle_timeout(now);
                }
            }
        }
    }

    fn drain_events(&mut self, state: &mut State) -> Result<(), PublishError> {
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Accepted => {
                    state.publish_started = true;
                    state.next_look = Duration::ZERO;
                }
                Event::RestartMedia => {
                    self.source.restart();
                    (state.begun, state.source_ended) = (false, false);
                }
                // After a stop the server may close as it likes.
                Event::Ended(_) if state.stopping => {}
                Event::Ended(error) => return Err(error.into()),
                Event::ReconnectRequest { tc_url, description } => {
                    tracing::info!(description, "the server asks to move");
                    (self.report)(Progress::MoveWanted(tc_url));
                }
                Event::Warning(warning) => tracing::warn!("{warning}"),
                other => tracing::debug!(?other, "session"),
            }
        }
        Ok(())
    }

    /// Writes what the socket takes at once of what has just become ready: to look for input before
    /// would be the second time since the wait.
    async fn write_at_once(&mut self, state: &mut State) -> io::Result<()> {
        let (stream, outbound) = (&mut self.stream, self.session.transmit());
        let output = poll_fn(|cx| Poll::Ready(poll_output(stream, cx, outbound, state.flushed)));
        if let Poll::Ready(turn) = output.await {
            self.handle_turn(turn?, &[], state);
        }
        Ok(())
    }

    fn wants_media(&mut self, state: &State) -> bool {
        self.session.may_stream()
            && !state.stopping
            && !state.source_ended
            && self.session.transmit().remaining() < M::AHEAD_BYTES
    }

    fn fill(&mut self, state: &mut State) -> Result<(), PublishError> {
        while self.wants_media(state) {
            if !state.begun {
                state.begun = true;
                self.source.begin(&mut self.session);
            }
            match self.source.send_next(&mut self.session).map_err(PublishError::Media)? {
                Sent::Message => {
                    state.numbers.messages += 1;
                    let end = state.numbers.sent_bytes + self.session.transmit().remaining() as u64;
                    state.delivery.first_media_ends_at(end);
                    state.media_end = end;
                }
                Sent::NothingYet => break,
                Sent::End => state.source_ended = true,
            }
        }
        Ok(())
    }

    /// Looks at delivery when it is time to, and reports.
    fn look(&mut self, state: &mut State) -> Result<(), PublishError> {
        let now = self.clock.now();
        // A short programme may be through before the next look; whether it arrived is to be seen.
        let awaits_media = state.publish_started && !state.accepted;
        let all_written = awaits_media && self.session.transmit().is_empty();
        if now < state.next_look && !all_written {
            return Ok(());
        }
        let stats = self.session.stats();
        let acknowledged = stats.ack_seen.then_some(stats.bytes_acknowledged);
        let is_silent = !state.accepted || acknowledged == state.numbers.acknowledged_bytes;
        state.numbers.acknowledged_bytes = acknowledged;
        let probe = self.probe.as_ref().filter(|_| M::MINDS_THE_PATH || is_silent);
        let tcp = probe.and_then(TcpProbe::sample);
        state.numbers.in_flight_bytes = tcp.map(|tcp| tcp.unacknowledged_bytes);
        state.numbers.rtt_us = tcp.map(|tcp| tcp.rtt.as_micros() as u64);
        let window_bytes = self.session.acknowledgement_window();
        if let Some(window) = state.window.observe(now, state.numbers.sent_bytes, window_bytes) {
            self.session.ask_for_acknowledgements(window);
        }
        let dead = state.delivery.observe(
            now,
            Observation {
                written_bytes: state.numbers.sent_bytes,
                waiting_bytes: self.session.transmit().remaining(),
                acknowledged_bytes: state.numbers.acknowledged_bytes,
                window_bytes,
                // What waits behind a lost segment has arrived: on a slow path the repair takes seconds.
                tcp_unacknowledged_bytes: tcp
                    .map(|tcp| tcp.unacknowledged_bytes - tcp.sacked_bytes),
                tcp_acknowledged_bytes: tcp
                    .map_or(0, |tcp| tcp.acknowledged_bytes + u64::from(tcp.sacked_bytes)),
            },
        );
        if let Some(stuck) = dead {
            return Err(PublishError::DeadPath { after_ms: stuck.as_millis() as u64 });
        }
        if state.publish_started && !state.accepted && state.delivery.media_delivered() {
            state.accepted = true;
            (self.report)(Progress::Accepted);
        }
        state.numbers.queue = self.source.queue();
        self.take_advice(now, state, tcp)?;
        let awaiting = state.publish_started && !state.accepted;
        state.next_look = now + if awaiting { ACCEPT_LOOK } else { M::LOOK };
        (self.report)(Progress::Numbers(state.numbers));
        if self.source.is_worn_out() && now >= state.next_move {
            state.next_move = now + SUCCESSOR_RETRY;
            (self.report)(Progress::MoveWanted(None));
        }
        Ok(())
    }

    fn take_advice(
        &mut self,
        now: Duration,
        state: &mut State,
        tcp: Option<TcpState>,
    ) -> Result<(), PublishError> {
        let queue = &state.numbers.queue;
        let undelivered = |tcp: TcpState| tcp.unacknowledged_bytes - tcp.sacked_bytes;
        let sample = Sample {
            queue_age: queue.span,
            queue_bytes: queue.bytes as u64,
            unsent_bytes: self.session.transmit().remaining() as u64,
            written_bytes: state.numbers.sent_bytes,
            tcp_unacknowledged_bytes: tcp.map(|tcp| undelivered(tcp).into()),
            server_acknowledged_bytes: state.numbers.acknowledged_bytes,
            rtt: tcp.map(|tcp| tcp.rtt),
        };
        let advice = self.source.observe(now, sample);
        if let Some(kbps) = advice.target_kbps {
            state.numbers.target_kbps = Some(kbps);
            (self.report)(Progress::Target(kbps));
        }
        if advice.reconnect { Err(PublishError::TooSlow) } else { Ok(()) }
    }

    fn deadline(&self, state: &State) -> Duration {
        // The next frame is hardly ever far, and a look then costs no wake-up of its own.
        let look_by = state.next_look + M::LOOK / 8;
        let others = [self.session.poll_timeout(), state.stop_by];
        others.into_iter().flatten().fold(look_by, Duration::min)
    }

    fn handle_turn(&mut self, turn: Turn, inbox: &[u8], state: &mut State) {
        let now = self.clock.now();
        match turn {
            Turn::Read(0) => {
                state.hung_up = state.stopping;
                self.session.handle_eof(now);
            }
            Turn::Read(length) => self.session.handle_input(now, &inbox[..length]),
            Turn::Wrote(length, flushed) => {
                self.session.transmit().advance(length);
                state.numbers.sent_bytes += length as u64;
                state.flushed = flushed;
            }
            Turn::Flushed => state.flushed = true,
        }
    }

    /// Why a connection that broke is over. A server that refuses and closes leaves unread what was
    /// sent ahead, which resets the connection: writing then fails although the reason is there to
    /// be read, and only reading tells it.
    async fn last_words(
        &mut self,
        broke: io::Error,
        mut inbox: Vec<u8>,
        state: &State,
    ) -> PublishError {
        let _ = timeout(LAST_WORDS, async {
            while let Ok(length @ 1..) = self.stream.read(&mut inbox).await {
                self.session.handle_input(self.clock.now(), &inbox[..length]);
            }
        })
        .await;
        if !state.publish_started {
            self.session.handle_eof(self.clock.now());
        }
        let ended =
            std::iter::from_fn(|| self.session.poll_event()).find_map(|event| match event {
                Event::Ended(error) => Some(error),
                _ => None,
            });
        ended.map_or_else(|| lost(broke), PublishError::from)
    }

    fn stop(&mut self, state: &mut State) {
        state.stopping = true;
        state.ack_stride_bytes = self.session.stats().ack_stride_bytes;
        self.session.stop(self.clock.now());
    }
}

/// While acceptance is awaited delivery is looked at this often, so that the light follows at once.
pub(super) const ACCEPT_LOOK: Duration = Duration::from_millis(20);

/// What a server said before the connection broke has arrived by then.
const LAST_WORDS: Duration = Duration::from_millis(200);

pub(super) fn lost(error: io::Error) -> PublishError {
    let why = match error.kind() {
        io::ErrorKind::UnexpectedEof => "the server hung up".to_owned(),
        _ => error.to_string(),
    };
    PublishError::Lost { why }
}

/// One step of input or output, whichever can be done first; reading is never held up by writing.
pub(super) async fn turn<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    outbound: &Outbound,
    inbox: &mut [u8],
    flushed: bool,
) -> io::Result<Turn> {
    poll_fn(|cx| {
        if let Poll::Ready(read) = poll_read(stream, cx, inbox) {
            return Poll::Ready(read.map(Turn::Read));
        }
        poll_output(stream, cx, outbound, flushed)
    })
    .await
}

fn poll_output<S: AsyncWrite + Unpin>(
    stream: &mut S,
    cx: &mut Context<'_>,
    outbound: &Outbound,
    flushed: bool,
) -> Poll<io::Result<Turn>> {
    if outbound.has_remaining() {
        let length = std::task::ready!(poll_write(stream, cx, outbound))?;
        // What is written whole is mostly flushed too: no need to come back for it.
        let flush = length == outbound.remaining() && Pin::new(stream).poll_flush(cx)?.is_ready();
        Poll::Ready(Ok(Turn::Wrote(length, flush)))
    } else if !flushed {
        Pin::new(stream).poll_flush(cx).map_ok(|()| Turn::Flushed)
    } else {
        Poll::Pending
    }
}

fn poll_read<S: AsyncRead + Unpin>(
    stream: &mut S,
    cx: &mut Context<'_>,
    inbox: &mut [u8],
) -> Poll<io::Result<usize>> {
    let mut buffer = ReadBuf::new(inbox);
    Pin::new(stream).poll_read(cx, &mut buffer).map_ok(|()| buffer.filled().len())
}

fn poll_write<S: AsyncWrite + Unpin>(
    stream: &mut S,
    cx: &mut Context<'_>,
    outbound: &Outbound,
) -> Poll<io::Result<usize>> {
    let mut slices = [IoSlice::new(&[]); WRITE_SLICES];
    let count = outbound.chunks_vectored(&mut slices);
    let slices = &slices[..count];
    let is_young = outbound.taken() < YOUNG_CONNECTION_BYTES;
    if outbound.remaining() > GATHERED_BYTES && !is_young {
        return Pin::new(stream).poll_write_vectored(cx, slices);
    }
    let mut gathered = [0; YOUNG_WRITE_BYTES];
    let mut rest = &mut gathered[..];
    for slice in slices {
        let taken = slice.len().min(rest.len());
        rest[..taken].copy_from_slice(&slice[..taken]);
        rest = &mut rest[taken..];
    }
    let length = YOUNG_WRITE_BYTES - rest.len();
    Pin::new(stream).poll_write(cx, &gathered[..length])
}

/// Slices of one `writev`: at our chunk size some 128 KiB, twice of what TLS takes at once.
const WRITE_SLICES: usize = 64;
/// What is no longer than this, as sound is, is copied into one slice: for several, TLS allocates.
const GATHERED_BYTES: usize = 1_024;
