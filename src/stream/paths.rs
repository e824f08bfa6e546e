//! What is known of the paths to a destination's servers: which addresses have failed, and whether
//! large packets get through.
//!
//! A name has several addresses, and one of them may complete every TCP connect and serve nobody: the
//! front end of a dead machine, a port that speaks something else, a path of IPv6 that carries no large
//! packets. An address at which a connection failed is tried after those at which none did, whatever
//! order the resolver gives them in and however fast it connects; what accepts the stream is forgiven.
//!
//! A path may drop large packets without a word (a tunnel or a phone network, and a router that sends
//! no "fragmentation needed"). Then connections with smaller segments are made, for
//! [`SMALL_SEGMENTS_FOR`] once one of them was accepted.
//!
//! What shows that is a short packet that arrives behind a lost long one. There may be none: it may be
//! lost as well, the far end may not tell of it, or hold it back until the long ones are acknowledged
//! (RFC 896, `TCP_CORK`). A handshake without an answer is then all that there is to see, as at a dead
//! machine. Smaller segments are guessed at once where no other address is left; in vain, and nothing is
//! guessed for [`NO_GUESS_FOR`].

#[cfg(test)]
mod tests;

use core::net::SocketAddr;
use std::time::Duration;

use crate::limits::{
    ADDRESS_AVOIDED_FOR, ADDRESSES_REMEMBERED_MAX, AVOIDED_ADDRESS_DELAY, DNS_ADDRESSES_MAX,
    GUESS_HOLDS_FOR, HAPPY_EYEBALLS_DELAY, NEXT_ADDRESS_WITHIN, NO_GUESS_FOR, SMALL_SEGMENTS_FOR,
};

/// How much a TCP segment may carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Segments {
    /// As much as the interface's packets hold.
    #[default]
    Usual,
    /// [`SMALL_SEGMENT_BYTES`](crate::limits::SMALL_SEGMENT_BYTES), both ways.
    Small,
}

/// How a connection was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path {
    /// Where to.
    pub address: SocketAddr,
    /// What a segment may carry.
    pub segments: Segments,
}

/// An address to connect to, in the order of trying.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// The address.
    pub address: SocketAddr,
    /// How long those before it are waited for; a refusal ends the wait.
    pub after: Duration,
}

/// What the end of a connection says of its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathEnd {
    /// Nothing: the server spoke, or the end was ordered.
    Fine,
    /// The far end hung up or spoke something else: another address may do better.
    Failed,
    /// The far end fell silent.
    Silent,
    /// The far end took the connection, and its part of the first handshake never came.
    NoAnswer,
    /// Large packets did not arrive.
    LargeLost(Finding),
}

/// How sure it is that large packets are dropped for their length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// Neither they nor small ones behind them arrived: the path may as well have been cut, or the far
    /// end be dead.
    Guess,
    /// Small ones behind them arrived, but it was seen for a short time only, or on a path that had
    /// carried large ones before.
    Likely,
    /// Small ones behind them arrived, and never a large one.
    Certain,
}

/// What is known of the paths of one destination; kept across its attempts.
#[derive(Debug, Default)]
pub struct Paths {
    known: Vec<Known>,
    packets: Packets,
    /// Until then a handshake without an answer is put down to a dead machine: a guess was in vain.
    no_guess_until: Duration,
}

/// An address at which a connection has failed since the last one that was accepted there.
#[derive(Debug, Clone, Copy)]
struct Known {
    address: SocketAddr,
    /// One for a connection that had been accepted, two for another.
    blame: u32,
    at: Duration,
}

/// Whether large packets get through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Packets {
    #[default]
    Unsuspected,
    /// The next attempt is made with small segments.
    Suspected(Suspicion),
    /// A connection with small segments was accepted where another one had stalled.
    SmallOnly { until: Duration },
}

/// Why large packets are suspected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Suspicion {
    finding: Finding,
    /// Where they failed last, and when.
    address: SocketAddr,
    at: Duration,
}

/// One attempt: its connections so far.
#[derive(Debug)]
pub struct Tries {
    began: Duration,
    segments: Segments,
    /// Small segments are worth a try where there was no answer.
    may_guess: bool,
    tried: Vec<SocketAddr>,
    /// Of those that were found last and not tried yet.
    left: usize,
}

impl Paths {
    /// An attempt that begins now.
    pub fn begin(&self, now: Duration) -> Tries {
        let segments = match self.packets {
            Packets::Suspected(_) => Segments::Small,
            Packets::SmallOnly { until } if now < until => Segments::Small,
            Packets::Unsuspected | Packets::SmallOnly { .. } => Segments::Usual,
        };
        let may_guess = self.may_guess(now);
        Tries { began: now, segments, may_guess, tried: Vec::new(), left: 0 }
    }

    /// Which of the addresses that were `found` to connect to, in which order.
    pub fn candidates(
        &self,
        now: Duration,
        tries: &mut Tries,
        found: &[SocketAddr],
    ) -> Vec<Candidate> {
        let untried = |address: &SocketAddr| !tries.tried.contains(address);
        let mut addresses: Vec<_> = found.iter().copied().filter(untried).collect();
        tries.left = addresses.len();
        if addresses.is_empty() {
            addresses = found.to_vec();
        }
        addresses.sort_by_key(|address| self.blame(now, address));
        addresses.truncate(DNS_ADDRESSES_MAX);
        let after = |address: &SocketAddr| match self.blame(now, address).0 {
            0 => HAPPY_EYEBALLS_DELAY,
            // Who serves nobody may well be the fastest to connect.
            _ => AVOIDED_ADDRESS_DELAY,
        };
        addresses.iter().map(|a| Candidate { address: *a, after: after(a) }).collect()
    }

    /// The server has accepted the stream and acknowledged media. Says so once when this shows that
    /// smaller segments help.
    pub fn handle_accepted(&mut self, now: Duration, path: Path) -> Option<Finding> {
        let had_failed = self.blame(now, &path.address).0 > 0;
        self.known.retain(|known| known.address != path.address);
        let Packets::Suspected(Suspicion { finding, address, at }) = self.packets else {
            return None;
        };
        // Another address proves nothing, nor does a path that was mended meanwhile.
        let is_guess_borne_out =
            (address == path.address || had_failed) && now.saturating_sub(at) < GUESS_HOLDS_FOR;
        if path.segments == Segments::Usual || finding == Finding::Guess && !is_guess_borne_out {
            self.packets = Packets::Unsuspected;
            return None;
        }
        self.packets = Packets::SmallOnly { until: now + SMALL_SEGMENTS_FOR };
        Some(finding)
    }

    /// A connection that TCP had completed has ended.
    pub fn handle_ended(&mut self, now: Duration, path: Path, how: PathEnd, was_accepted: bool) {
        let small_in_vain = path.segments == Segments::Small && !was_accepted;
        match how {
            PathEnd::Fine => return,
            PathEnd::Failed | PathEnd::Silent => self.hold_against(now, path, was_accepted),
            PathEnd::NoAnswer => {
                self.hold_against(now, path, was_accepted);
                if self.may_guess(now) {
                    self.suspect(now, path, Finding::Guess);
                }
            }
            PathEnd::LargeLost(_) if small_in_vain => self.hold_against(now, path, was_accepted),
            // It is mostly the near end of the path that is narrow: the address is as good as before.
            PathEnd::LargeLost(finding) => self.suspect(now, path, finding),
        }
        if small_in_vain && let Packets::Suspected(suspicion) = self.packets {
            // They did not help, and so it was something else.
            self.packets = Packets::Unsuspected;
            if suspicion.finding == Finding::Guess {
                self.no_guess_until = now + NO_GUESS_FOR;
            }
        }
    }

    fn may_guess(&self, now: Duration) -> bool {
        now >= self.no_guess_until
    }

    fn suspect(&mut self, now: Duration, path: Path, finding: Finding) {
        if path.segments == Segments::Usual {
            let before = match self.packets {
                Packets::Suspected(before) => before.finding,
                Packets::Unsuspected | Packets::SmallOnly { .. } => finding,
            };
            let (finding, address) = (before.max(finding), path.address);
            self.packets = Packets::Suspected(Suspicion { finding, address, at: now });
        }
    }

    fn hold_against(&mut self, now: Duration, path: Path, was_accepted: bool) {
        let address = path.address;
        let more = if was_accepted { 1 } else { 2 };
        let blame = self.blame(now, &address).0.saturating_add(more);
        self.known.retain(|known| {
            known.address != address && now.saturating_sub(known.at) < ADDRESS_AVOIDED_FOR
        });
        if self.known.len() >= ADDRESSES_REMEMBERED_MAX {
            let least = (0..self.known.len()).min_by_key(|i| self.known[*i].at);
            least.map(|least| self.known.swap_remove(least));
        }
        self.known.push(Known { address, blame, at: now });
    }

    /// How much is held against an address, and since when; the least is tried first.
    fn blame(&self, now: Duration, address: &SocketAddr) -> (u32, Duration) {
        let known = self.known.iter().find(|known| known.address == *address);
        let known = known.filter(|known| now.saturating_sub(known.at) < ADDRESS_AVOIDED_FOR);
        known.map_or((0, Duration::ZERO), |known| (known.blame, known.at))
    }
}

impl Tries {
    /// What segments of the next connection may carry.
    pub fn segments(&self) -> Segments {
        self.segments
    }

    /// A connection has ended so before it was accepted: whether this attempt makes another one, at
    /// another address or with smaller segments. `was_greeted`: the server had come through RTMP's
    /// handshake, so that another one behind the same name would say the same.
    pub fn go_on(&mut self, now: Duration, path: Path, how: PathEnd, was_greeted: bool) -> bool {
        if now.saturating_sub(self.began) >= NEXT_ADDRESS_WITHIN {
            return false;
        }
        match how {
            PathEnd::LargeLost(_) if self.segments == Segments::Usual => {
                self.segments = Segments::Small;
                true
            }
            PathEnd::NoAnswer if self.may_guess && self.is_last_with_usual(path) => {
                self.segments = Segments::Small;
                true
            }
            PathEnd::Failed | PathEnd::Silent | PathEnd::NoAnswer | PathEnd::LargeLost(_)
                if !was_greeted =>
            {
                if !self.tried.contains(&path.address) {
                    self.tried.push(path.address);
                    self.left = self.left.saturating_sub(1);
                }
                self.left > 0
            }
            _ => false,
        }
    }

    /// Whether this connection with the usual segments was at the last address left.
    fn is_last_with_usual(&self, path: Path) -> bool {
        self.segments == Segments::Usual && self.left <= 1 && !self.tried.contains(&path.address)
    }
}
