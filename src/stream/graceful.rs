//! The graceful close: nothing that was sent is left behind without a message about it.
//!
//! What was sent is waited for; then the write side is closed and read to the end, because a socket
//! closed with unread bytes would reset the connection and take undelivered media with it.

use std::time::Duration;

use super::closing::{Closing, Ending, Step};
use super::connection::{Connection, Stage};
use super::error::Error;
use super::kernel::Kernel;
use crate::limits::{
    ACCEPT_LOOK, CLOSE_QUIET_TIMEOUT, DEAD_PATH_TIMEOUT, RTMP_ACK_WINDOW_BYTES, STOP_TIMEOUT,
};

/// Some servers do not count C0, C1 and C2 in what they acknowledge.
const HANDSHAKE_BYTES: u64 = 1 + 2 * 1536;

/// Some servers do not count the heads of chunks either: a byte, or five, for each 4,096.
const MISCOUNTED_PART: u64 = 256;

impl Connection {
    /// Whether nothing is to be read any more, although the connection is not over.
    pub fn is_deaf(&self) -> bool {
        matches!(&self.stage, Stage::Closing(closing) if closing.is_hung_up())
    }

    pub(super) fn close_gracefully(&mut self, now: Duration, kernel: &impl Fn() -> Kernel) {
        let Stage::Closing(mut closing) = std::mem::replace(&mut self.stage, Stage::Over) else {
            return;
        };
        if closing.ending.is_none() {
            match closing.step {
                Step::Arriving { .. } => self.await_arrival(now, &mut closing, kernel),
                Step::HungUp { by } if now >= closing.next_look => {
                    closing.next_look = now + ACCEPT_LOOK;
                    match kernel() {
                        Kernel::Unknown => closing.end(Ending::Closed),
                        Kernel::Gone => closing.end(Ending::Reset),
                        Kernel::Here(tcp) if tcp.peer_has_closed || now >= by => {
                            closing.end(Ending::Closed);
                        }
                        Kernel::Here(_) => {}
                    }
                }
                Step::ShuttingDown { by, .. } if now >= by => closing.end(Ending::Open),
                Step::HungUp { .. } | Step::ShuttingDown { .. } => {}
            }
        }
        match closing.ending {
            Some(ending) => self.conclude(ending, closing.acknowledges, kernel),
            None => self.stage = Stage::Closing(closing),
        }
    }

    /// Waits for the acknowledgement of all that was sent, as long as there is progress, and asks for it
    /// again while there is none.
    fn await_arrival(
        &mut self,
        now: Duration,
        closing: &mut Closing,
        kernel: &impl Fn() -> Kernel,
    ) {
        let Step::Arriving { progress, moved_at, ask_after } = &mut closing.step else { return };
        self.note_acknowledged();
        let acknowledged = self.stats.acknowledged_bytes;
        let in_flight = in_flight_bytes(kernel);
        let missing = self.stats.sent_bytes.saturating_sub(acknowledged.unwrap_or(0));
        // A server that has not had to acknowledge yet gets the time to do so, unless a stop was
        // ordered.
        let is_mute = acknowledged.is_none() && in_flight == 0;
        let arrived = [0, HANDSHAKE_BYTES].contains(&missing)
            || is_mute && (self.stop_by.is_some() || now >= *moved_at + CLOSE_QUIET_TIMEOUT);
        if *progress != (acknowledged.unwrap_or(0), in_flight) {
            (*progress, *moved_at) = ((acknowledged.unwrap_or(0), in_flight), now);
        }
        if arrived && self.publish_started && !self.accepted {
            self.accept();
        }
        let owes = self.stop_by.is_none() && self.missing_bytes(Ending::Open, true, in_flight) > 0;
        let quiet = if owes { DEAD_PATH_TIMEOUT } else { CLOSE_QUIET_TIMEOUT };
        let deadline = self.stop_by.map_or(*moved_at + quiet, |by| by.min(*moved_at + quiet));
        if arrived || now >= deadline {
            closing.acknowledges = Some(acknowledged.is_some());
            let by = self.stop_by.unwrap_or(now + STOP_TIMEOUT);
            closing.step = Step::ShuttingDown { by, is_shut: false };
            return;
        }
        if now >= *moved_at + *ask_after && self.session.transmit().is_empty() {
            *ask_after *= 2;
            self.session.ask_for_the_last_acknowledgement();
        }
        closing.next_look = deadline.min(now + ACCEPT_LOOK);
    }

    /// A source that has ended by itself must have got through whole. After an ordered stop a server may
    /// close as it likes.
    fn conclude(
        &mut self,
        ending: Ending,
        acknowledges: Option<bool>,
        kernel: &impl Fn() -> Kernel,
    ) {
        let acknowledges = acknowledges.unwrap_or(self.stats.acknowledged_bytes.is_some());
        self.note_acknowledged();
        let bytes = self.missing_bytes(ending, acknowledges, in_flight_bytes(kernel));
        let is_lost = bytes > 0 && self.stop_by.is_none();
        self.end(if is_lost { Err(Error::NotConfirmed { bytes }) } else { Ok(()) });
    }

    /// Bytes of media, and what came before it, that the server should have confirmed by now and has
    /// not. One that resets the connection has read less than was sent; one that never acknowledges is
    /// judged by TCP.
    fn missing_bytes(&self, ending: Ending, acknowledges: bool, in_flight_bytes: u32) -> u64 {
        let acknowledged = self.stats.acknowledged_bytes.unwrap_or(0);
        let missing = self.media_end.saturating_sub(acknowledged);
        if !acknowledges || self.stats.acknowledged_bytes.is_none() {
            let is_broken = matches!(ending, Ending::Reset | Ending::Broken);
            let unread = if is_broken { missing } else { 0 };
            return unread.max(in_flight_bytes.into());
        }
        // Servers may leave unacknowledged what they are used to, until they obey.
        let asked = match self.window.is_measured() {
            true => self.session.acknowledgement_window(),
            false => RTMP_ACK_WINDOW_BYTES,
        };
        // How it acknowledges is known from before the stop, or else only now.
        let stride = match self.ack_stride_bytes {
            0 => self.session.stats().ack_stride_bytes,
            before => before,
        };
        let miscounted = HANDSHAKE_BYTES + self.media_end / MISCOUNTED_PART;
        let tolerated = match ending {
            Ending::Reset | Ending::Broken => miscounted,
            Ending::Open | Ending::Closed => miscounted + may_owe(stride, asked.into()),
        };
        if missing > tolerated { missing } else { 0 }
    }
}

fn in_flight_bytes(kernel: &impl Fn() -> Kernel) -> u32 {
    kernel().state().map_or(0, |tcp| tcp.unacknowledged_bytes)
}

/// What a server that has read everything may leave unacknowledged. A stop asks for an acknowledgement
/// of each byte ([`crate::rtmp::Session::stop`]), but not every server obeys so late.
fn may_owe(stride: u64, asked: u64) -> u64 {
    let window = stride.max(asked);
    window + window / 2
}
