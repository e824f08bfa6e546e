//! The end of a connection: nothing that was sent is left behind, or it is said.

use std::time::Duration;

use bytes::Buf;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::limits::{DEAD_PATH_TIMEOUT, STOP_TIMEOUT};

use super::drive::{ACCEPT_LOOK, Drive, Numbers, Progress, Source, State, Turn, turn};
use super::error::PublishError;
use super::socket::TcpProbe;

/// Some servers do not count C0, C1 and C2 in what they acknowledge.
const HANDSHAKE_BYTES: u64 = 1 + 2 * 1536;

/// Some servers do not count the heads of chunks either: a byte, or five, for each 4,096.
const MISCOUNTED_PART: u64 = 256;

/// A server that has shown no progress for this long will not confirm any more than it has.
const FAREWELL_QUIET: Duration = Duration::from_millis(500);

/// After the end of a TLS stream that of the TCP connection follows by then.
const HANG_UP: Duration = Duration::from_millis(200);

/// How the connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// It has not: what was to be waited for is there, or time is up.
    Open,
    /// The server closed it.
    Closed,
    /// The server closed it without having read everything.
    Reset,
}

impl<S: AsyncRead + AsyncWrite + Unpin, M: Source> Drive<'_, S, M> {
    /// Waits until what was sent has arrived, then half-closes and reads to the end: a socket closed
    /// with unread bytes would reset the connection and take undelivered media with it.
    ///
    /// # Errors
    /// [`PublishError::NotConfirmed`] where a source that has ended by itself did not get through
    /// whole. After an ordered stop a server may close as it likes.
    pub(super) async fn leave(mut self, mut state: State) -> Result<Numbers, PublishError> {
        let mut inbox = vec![0_u8; 4096];
        let mut ending = if state.hung_up { self.hang_up().await } else { Ending::Open };
        if ending == Ending::Open {
            ending = self.await_arrival(&mut state, &mut inbox).await;
        }
        // Who has never acknowledged, and does so while the connection is being closed, will not get
        // around to all of it.
        let acknowledges = state.numbers.acknowledged_bytes.is_some();
        if ending == Ending::Open {
            let left = state.stop_by.map_or(STOP_TIMEOUT, |by| by.saturating_sub(self.clock.now()));
            ending = timeout(left, self.close(&mut inbox)).await.unwrap_or(Ending::Open);
        }
        self.note_acknowledged(&mut state);
        let missing_bytes = self.missing_bytes(&state, ending, acknowledges);
        if missing_bytes > 0 && state.stop_by.is_none() {
            return Err(PublishError::NotConfirmed { bytes: missing_bytes });
        }
        Ok(state.numbers)
    }

    /// Waits for the acknowledgement of all that was sent, as long as there is progress, and asks for
    /// it again while there is none.
    async fn await_arrival(&mut self, state: &mut State, inbox: &mut [u8]) -> Ending {
        let mut progress = (0, 0);
        let mut moved_at = self.clock.now();
        let (mut ask_after, mut flushed) = (ACCEPT_LOOK, true);
        loop {
            let acknowledged = self.note_acknowledged(state);
            let in_flight = self.in_flight_bytes();
            let missing = state.numbers.sent_bytes.saturating_sub(acknowledged.unwrap_or(0));
            let now = self.clock.now();
            // A server that has not had to acknowledge yet gets the time to do so, unless a stop was
            // ordered.
            let is_mute = acknowledged.is_none() && in_flight == 0;
            let arrived = [0, HANDSHAKE_BYTES].contains(&missing)
                || is_mute && (state.stop_by.is_some() || now >= moved_at + FAREWELL_QUIET);
            if progress != (acknowledged.unwrap_or(0), in_flight) {
                (progress, moved_at) = ((acknowledged.unwrap_or(0), in_flight), now);
            }
            if arrived && state.publish_started && !state.accepted {
                state.accepted = true;
                (self.report)(Progress::Accepted);
            }
            let owes = state.stop_by.is_none() && self.missing_bytes(state, Ending::Open, true) > 0;
            let quiet = if owes { DEAD_PATH_TIMEOUT } else { FAREWELL_QUIET };
            let deadline = state.stop_by.map_or(moved_at + quiet, |by| by.min(moved_at + quiet));
            if arrived || now >= deadline {
                return Ending::Open;
            }
            if now >= moved_at + ask_after && self.session.transmit().is_empty() {
                ask_after *= 2;
                self.session.ask_for_the_last_acknowledgement();
            }
            let look = deadline.min(now + ACCEPT_LOOK);
            tokio::select! {
                done = turn(&mut self.stream, self.session.transmit(), inbox, flushed) => match done {
                    Ok(Turn::Read(0)) => return self.hang_up().await,
                    Ok(Turn::Read(length)) => self.session.handle_input(now, &inbox[..length]),
                    Ok(Turn::Wrote(length, all)) => {
                        self.session.transmit().advance(length);
                        state.numbers.sent_bytes += length as u64;
                        flushed = all;
                    }
                    Ok(Turn::Flushed) => flushed = true,
                    Err(error) => return ending_by(&error),
                },
                () = self.clock.reach(Some(look)) => {}
            }
        }
    }

    async fn close(&mut self, inbox: &mut [u8]) -> Ending {
        if let Err(error) = self.stream.shutdown().await {
            return ending_by(&error);
        }
        loop {
            match self.stream.read(inbox).await {
                Ok(0) => return Ending::Closed,
                Ok(length) => self.session.handle_input(self.clock.now(), &inbox[..length]),
                Err(error) => return ending_by(&error),
            }
        }
    }

    /// The server's side has ended: a TLS server says so before it closes its socket, which may still
    /// be a reset.
    async fn hang_up(&mut self) -> Ending {
        let Some(probe) = &self.probe else { return Ending::Closed };
        let by = self.clock.now() + HANG_UP;
        loop {
            match probe.sample() {
                None => return Ending::Reset,
                Some(tcp) if tcp.peer_has_closed => return Ending::Closed,
                Some(_) if self.clock.now() >= by => return Ending::Closed,
                Some(_) => self.clock.reach(Some(self.clock.now() + ACCEPT_LOOK)).await,
            }
        }
    }

    fn in_flight_bytes(&self) -> u32 {
        let tcp = self.probe.as_ref().and_then(TcpProbe::sample);
        tcp.map_or(0, |tcp| tcp.unacknowledged_bytes)
    }

    fn note_acknowledged(&self, state: &mut State) -> Option<u64> {
        let stats = self.session.stats();
        state.numbers.acknowledged_bytes = stats.ack_seen.then_some(stats.bytes_acknowledged);
        state.numbers.acknowledged_bytes
    }

    /// Bytes of media, and what came before it, that the server should have confirmed by now and has
    /// not. One that resets the connection has read less than was sent; one that never acknowledges
    /// is judged by TCP.
    fn missing_bytes(&self, state: &State, ending: Ending, acknowledges: bool) -> u64 {
        let acknowledged = state.numbers.acknowledged_bytes.unwrap_or(0);
        let missing = state.media_end.saturating_sub(acknowledged);
        if !acknowledges || state.numbers.acknowledged_bytes.is_none() {
            let unread = if ending == Ending::Reset { missing } else { 0 };
            return unread.max(self.in_flight_bytes().into());
        }
        let asked = self.session.acknowledgement_window();
        // How it acknowledges is known from before the stop, or else only now.
        let stride = match state.ack_stride_bytes {
            0 => self.session.stats().ack_stride_bytes,
            before => before,
        };
        let miscounted = HANDSHAKE_BYTES + state.media_end / MISCOUNTED_PART;
        let tolerated = match ending {
            Ending::Reset => miscounted,
            _ => miscounted + may_owe(stride, asked.into()),
        };
        if missing > tolerated { missing } else { 0 }
    }
}

/// What a server that has read everything may leave unacknowledged. A stop asks for an acknowledgement
/// of each byte ([`crate::rtmp::Session::stop`]), but not every server obeys so late.
fn may_owe(stride: u64, asked: u64) -> u64 {
    let window = stride.max(asked);
    window + window / 2
}

fn ending_by(error: &std::io::Error) -> Ending {
    match error.kind() {
        // A TLS server that closes without close_notify; it has read everything, or it would reset.
        std::io::ErrorKind::UnexpectedEof => Ending::Closed,
        _ => Ending::Reset,
    }
}
