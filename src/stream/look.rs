//! A connection looks at its path: what has been delivered, what that means, and what is reported of it.

use std::time::Duration;

use bytes::Buf;

use super::connection::Connection;
use super::error::Error;
use super::kernel::{Kernel, TcpState};
use super::source::Source;
use crate::limits::{ACCEPT_LOOK, ROLL_OVER_AT_MS, SUCCESSOR_RETRY};
use crate::pace::PathSample;

impl Connection {
    /// The server has accepted the stream, and not confirmed yet that media arrives.
    pub(super) fn awaits_media(&self) -> bool {
        self.publish_started && !self.accepted
    }

    /// Looks at delivery when it is time to, and reports: often until any media has arrived, so that the
    /// source learns soon of the path, and then as often as the source demands. Whether the server has
    /// the stream is looked at often until it has.
    pub(super) fn look<S: Source>(
        &mut self,
        now: Duration,
        source: &mut S,
        kernel: &impl Fn() -> Kernel,
    ) -> Result<(), Error> {
        // A short stream may be through before the next look; whether it arrived is to be seen.
        let awaits_media = self.awaits_media();
        let all_written = awaits_media && self.session.transmit().is_empty();
        let awaits_arrival = awaits_media && !self.delivery.media_arrived();
        let is_due = now >= self.next_look || all_written && awaits_arrival;
        let is_accept_due = all_written || awaits_media && now >= self.next_accept_look;
        if !is_due && !is_accept_due {
            return Ok(());
        }
        self.next_accept_look = now + ACCEPT_LOOK;
        let sample = self.sample(source, kernel);
        let window_bytes = self.session.acknowledgement_window();
        if let Some(window) = self.window.observe(now, self.stats.sent_bytes, window_bytes) {
            self.session.ask_for_acknowledgements(window);
        }
        if self.large_packets.are_lost() {
            let after = now.saturating_sub(self.began);
            return Err(Error::LargePacketsLost { after_ms: after.as_millis() as u64 });
        }
        if let Some(stuck) = self.delivery.observe(now, &sample, window_bytes) {
            return Err(Error::DeadPath { after_ms: stuck.as_millis() as u64 });
        }
        if awaits_media && self.delivery.media_delivered() {
            self.accept();
        }
        if !is_due {
            return Ok(());
        }
        let advice = source.observe(now, &sample);
        if let Some(kbps) = advice.target_kbps {
            self.report_target(kbps);
        }
        self.stats.resume_kbps = source.resume_kbps().filter(|_| self.accepted);
        if advice.reconnect {
            return Err(Error::TooSlow);
        }
        let awaits_arrival = self.awaits_media() && !self.delivery.media_arrived();
        self.next_look = now + if awaits_arrival { ACCEPT_LOOK } else { self.demands.look };
        self.mailbox.stats = true;
        if self.time_ms >= ROLL_OVER_AT_MS && now >= self.next_move {
            self.next_move = now + SUCCESSOR_RETRY;
            self.mailbox.move_wanted.get_or_insert(None);
        }
        Ok(())
    }

    /// What is known of the path now.
    fn sample<S: Source>(&mut self, source: &S, kernel: &impl Fn() -> Kernel) -> PathSample {
        let acknowledged = self.stats.acknowledged_bytes;
        self.note_acknowledged();
        let is_silent = !self.accepted || acknowledged == self.stats.acknowledged_bytes;
        let asks = self.demands.minds_the_path || is_silent;
        let tcp = if asks { kernel().state() } else { None };
        self.stats.in_flight_bytes = tcp.map(|tcp| tcp.unacknowledged_bytes);
        self.stats.rtt_us = tcp.map(|tcp| tcp.rtt.as_micros() as u64);
        self.stats.queue = source.queue();
        // What waits behind a lost segment has arrived: on a slow path the repair takes seconds.
        let missing = |tcp: TcpState| tcp.unacknowledged_bytes.saturating_sub(tcp.sacked_bytes);
        let sample = PathSample {
            queue_age: self.stats.queue.span,
            queue_bytes: self.stats.queue.bytes as u64,
            unsent_bytes: self.session.transmit().remaining() as u64,
            written_bytes: self.stats.sent_bytes,
            tcp_unacknowledged_bytes: tcp.map(|tcp| missing(tcp).into()),
            tcp_acknowledged_bytes: tcp.map_or(0, |tcp| tcp.acknowledged_bytes),
            tcp_sacked_bytes: tcp.map_or(0, |tcp| tcp.sacked_bytes.into()),
            server_acknowledged_bytes: self.stats.acknowledged_bytes,
            tcp_window_bytes: tcp.and_then(|tcp| tcp.window_bytes).map(u64::from),
            rtt: tcp.map(|tcp| tcp.rtt),
        };
        self.large_packets.observe(&sample, tcp, self.flushed);
        sample
    }

    pub(super) fn report_target(&mut self, kbps: u32) {
        self.stats.target_kbps = Some(kbps);
        self.mailbox.target_kbps = Some(kbps);
    }

    pub(super) fn accept(&mut self) {
        self.accepted = true;
        self.mailbox.accepted = true;
    }

    pub(super) fn note_acknowledged(&mut self) {
        let stats = self.session.stats();
        self.stats.acknowledged_bytes = stats.acknowledges.then_some(stats.bytes_acknowledged);
    }
}
