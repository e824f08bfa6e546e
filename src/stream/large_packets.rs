//! Whether large packets get through on a connection.
//!
//! A path that drops them without a word lets TCP connect, and most commands pass; the first full
//! segment is repeated in vain, while the shorter one behind it arrives and is acknowledged selectively.
//! The kernel gives up full segments only where `tcp_mtu_probing` is set, and then after some six
//! seconds.

use super::error::Error;
use super::kernel::TcpState;
use super::paths::{Finding, PathEnd};
use crate::limits::{LARGE_PACKET_TIMEOUTS, SMALL_SEGMENT_BYTES};
use crate::pace::PathSample;
use crate::rtmp::{self, ErrorKind, Phase, Refusal};

/// What is known of them on one connection.
#[derive(Debug, Default)]
pub(super) struct LargePackets {
    /// Where the first write ends that takes more than a small segment.
    first_end: Option<u64>,
    /// It has arrived.
    arrived: bool,
    /// The kernel's last answer.
    tcp: Option<TcpState>,
}

impl LargePackets {
    /// So many bytes were written, up to this one of the connection.
    pub fn handle_written(&mut self, length: usize, end: u64) {
        if length > SMALL_SEGMENT_BYTES as usize {
            self.first_end.get_or_insert(end);
        }
    }

    /// Takes a look; `flushed`: nothing of what was written waits inside of TLS.
    pub fn observe(&mut self, sample: &PathSample, tcp: Option<TcpState>, flushed: bool) {
        self.tcp = tcp;
        let Some(end) = self.first_end else { return };
        let by_kernel = flushed
            && sample.written_bytes >= end
            && tcp.is_some_and(|tcp| tcp.unacknowledged_bytes == 0);
        let by_server = sample.server_acknowledged_bytes.is_some_and(|acked| acked >= end);
        self.arrived |= by_kernel || by_server;
    }

    /// None has arrived, though it was sent again and again, and what was sent after it has.
    pub fn are_lost(&self) -> bool {
        !self.arrived && self.first_end.is_some() && self.tcp.is_some_and(is_stuck_behind_large)
    }

    /// What the end of the connection says of its path.
    pub fn path_end(&self, error: &Error) -> PathEnd {
        match error {
            Error::DeadPath { .. } if self.tcp.is_some_and(is_stuck_behind_large) => {
                PathEnd::LargeLost(Finding::Likely)
            }
            Error::DeadPath { .. } if self.first_end.is_some() && !self.arrived => {
                // Where the kernel repeats slowly, the path is dead before it has done so often enough.
                let is_passed = self.tcp.is_some_and(is_passed_by_small);
                PathEnd::LargeLost(if is_passed { Finding::Likely } else { Finding::Guess })
            }
            _ => path_end(error),
        }
    }
}

/// The kernel repeats a full segment in vain, while those behind it arrive.
fn is_stuck_behind_large(tcp: TcpState) -> bool {
    is_passed_by_small(tcp) && tcp.timeouts >= LARGE_PACKET_TIMEOUTS
}

/// A full segment has not arrived, while those behind it have.
fn is_passed_by_small(tcp: TcpState) -> bool {
    tcp.segment_bytes > SMALL_SEGMENT_BYTES && tcp.unacknowledged_bytes > 0 && tcp.sacked_bytes > 0
}

/// Whether a server that seems silent is not: what follows a large packet of its answer is here, the
/// large one is not, or it is our own that does not get there.
pub fn hides_large_packets(tcp: TcpState) -> bool {
    tcp.early_packets > 0 || is_stuck_behind_large(tcp)
}

/// An end of a handshake in the words of its true reason, where the kernel knows it.
pub fn explained(error: Error, tcp: Option<TcpState>) -> Error {
    match &error {
        Error::Rtmp(rtmp::Error { during, kind: ErrorKind::Timeout, .. })
            if *during == Phase::Handshake && tcp.is_some_and(hides_large_packets) =>
        {
            let after = during.timeout().unwrap_or_default();
            Error::LargePacketsLost { after_ms: after.as_millis() as u64 }
        }
        _ => error,
    }
}

/// What the end of a connection says of its path.
pub fn path_end(error: &Error) -> PathEnd {
    match error {
        Error::LargePacketsLost { .. } => PathEnd::LargeLost(Finding::Certain),
        Error::DeadPath { .. } => PathEnd::Silent,
        Error::Lost { .. }
        | Error::Reset { .. }
        | Error::ClosedUnconfirmed { .. }
        | Error::TooSlow => PathEnd::Failed,
        Error::Rtmp(error) => match error.kind {
            ErrorKind::Timeout if error.during == Phase::Handshake => PathEnd::NoAnswer,
            ErrorKind::Timeout => PathEnd::Silent,
            ErrorKind::ClosedByServer | ErrorKind::ServerMisbehaved { .. } => PathEnd::Failed,
            _ if error.refusal() == Some(Refusal::ServerGoingAway) => PathEnd::Failed,
            // It is the server that speaks, and all of them would say the same.
            _ => PathEnd::Fine,
        },
        Error::BadRedirect { .. } | Error::NotConfirmed { .. } | Error::Media(_) => PathEnd::Fine,
    }
}

/// Whether the server had come through RTMP's handshake.
pub fn was_greeted(error: &Error) -> bool {
    !matches!(error, Error::Rtmp(rtmp::Error { during: Phase::Handshake, .. }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::RTMP_HANDSHAKE_TIMEOUT;

    const C0_C1: usize = 1_537;

    fn waiting(sacked_bytes: u32, timeouts: u8) -> TcpState {
        TcpState {
            unacknowledged_bytes: C0_C1 as u32,
            sacked_bytes,
            segment_bytes: 1_448,
            timeouts,
            ..TcpState::default()
        }
    }

    fn after_c0_c1(tcp: TcpState) -> LargePackets {
        let mut packets = LargePackets::default();
        packets.handle_written(C0_C1, C0_C1 as u64);
        let sample = PathSample { written_bytes: C0_C1 as u64, ..PathSample::default() };
        packets.observe(&sample, Some(tcp), true);
        packets
    }

    fn silent(during: Phase) -> Error {
        Error::Rtmp(rtmp::Error::new(during, ErrorKind::Timeout))
    }

    #[test]
    fn large_packets_are_lost_when_only_what_was_sent_after_them_arrives() {
        assert!(after_c0_c1(waiting(89, LARGE_PACKET_TIMEOUTS)).are_lost());
        assert!(!after_c0_c1(waiting(89, 1)).are_lost(), "one is lost now and then");
        assert!(!after_c0_c1(waiting(0, 9)).are_lost(), "nothing arrives");
        let small = TcpState { segment_bytes: 1_188, ..waiting(89, 9) };
        assert!(!after_c0_c1(small).are_lost(), "there are no large ones");
        assert!(!after_c0_c1(TcpState { unacknowledged_bytes: 0, ..waiting(0, 0) }).are_lost());
    }

    #[test]
    fn a_path_that_has_carried_large_packets_is_not_called_narrow() {
        let mut packets = after_c0_c1(TcpState { unacknowledged_bytes: 0, ..waiting(0, 0) });
        let sample = PathSample { written_bytes: 90_000, ..PathSample::default() };
        packets.observe(&sample, Some(waiting(5_000, 9)), true);
        assert!(!packets.are_lost());
        // It may have become so: the next connection is made with smaller ones.
        let dead = Error::DeadPath { after_ms: 4_250 };
        assert_eq!(packets.path_end(&dead), PathEnd::LargeLost(Finding::Likely));
        packets.observe(&sample, Some(waiting(0, 9)), true);
        assert_eq!(packets.path_end(&dead), PathEnd::Silent);
    }

    #[test]
    fn a_large_packet_that_a_short_one_has_passed_is_more_than_a_guess() {
        let dead = Error::DeadPath { after_ms: 4_250 };
        let end = |tcp| after_c0_c1(tcp).path_end(&dead);
        assert_eq!(end(waiting(89, 1)), PathEnd::LargeLost(Finding::Likely), "a slow repeat");
        assert_eq!(end(waiting(0, 1)), PathEnd::LargeLost(Finding::Guess));
    }

    #[test]
    fn only_a_first_handshake_without_an_answer_is_one_that_may_be_too_long_for_the_path() {
        assert_eq!(path_end(&silent(Phase::Handshake)), PathEnd::NoAnswer);
        assert_eq!(path_end(&silent(Phase::Publish)), PathEnd::Silent, "short answers");
    }

    #[test]
    fn what_waits_inside_of_tls_has_not_arrived() {
        let mut packets = LargePackets::default();
        packets.handle_written(C0_C1, C0_C1 as u64);
        let sample = PathSample { written_bytes: C0_C1 as u64, ..PathSample::default() };
        packets.observe(&sample, Some(TcpState::default()), false);
        let dead = Error::DeadPath { after_ms: 4_250 };
        assert_eq!(packets.path_end(&dead), PathEnd::LargeLost(Finding::Guess));
    }

    #[test]
    fn a_silence_is_explained_by_what_the_kernel_has_seen() {
        let explain = |tcp| explained(silent(Phase::Handshake), Some(tcp));
        let after_ms = RTMP_HANDSHAKE_TIMEOUT.as_millis() as u64;
        let answer_came_in_part = TcpState { early_packets: 1, ..TcpState::default() };
        assert_eq!(explain(answer_came_in_part), Error::LargePacketsLost { after_ms });
        assert_eq!(explain(waiting(89, 3)), Error::LargePacketsLost { after_ms });
        assert_eq!(explain(TcpState::default()), silent(Phase::Handshake));
        let later = silent(Phase::Publish);
        assert_eq!(explained(later.clone(), Some(answer_came_in_part)), later);
    }
}
