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

#[cfg(test)]
mod tests;

use core::net::SocketAddr;
use std::time::Duration;

use crate::limits::{
    ADDRESS_AVOIDED_FOR, ADDRESSES_REMEMBERED_MAX, AVOIDED_ADDRESS_DELAY, DNS_ADDRESSES_MAX,
    HAPPY_EYEBALLS_DELAY, NEXT_ADDRESS_WITHIN, SMALL_SEGMENTS_FOR,
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
    /// Large packets did not arrive.
    LargeLost(Finding),
}

/// How sure it is that large packets are dropped for their length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// Neither they nor small ones behind them arrived: the path may as well have been cut.
    Guess,
    /// Small ones behind them arrived, on a path that had carried large ones before.
    Likely,
    /// Small ones behind them arrived, and never a large one.
    Certain,
}

/// What is known of the paths of one destination; kept across its attempts.
#[derive(Debug, Default)]
pub struct Paths {
    known: Vec<Known>,
    packets: Packets,
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
    Suspected(Finding),
    /// A connection with small segments was accepted where another one had stalled.
    SmallOnly { until: Duration },
}

/// One attempt: its connections so far.
#[derive(Debug)]
pub struct Tries {
    began: Duration,
    segments: Segments,
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
        Tries { began: now, segments, tried: Vec::new(), left: 0 }
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
        self.known.retain(|known| known.address != path.address);
        let Packets::Suspected(finding) = self.packets else { return None };
        if path.segments == Segments::Usual || finding == Finding::Guess {
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
            PathEnd::LargeLost(_) if small_in_vain => self.hold_against(now, path, was_accepted),
            // It is mostly the near end of the path that is narrow: the address is as good as before.
            PathEnd::LargeLost(finding) => self.suspect(path, finding),
        }
        if small_in_vain && matches!(self.packets, Packets::Suspected(_)) {
            // They did not help, and so it was something else.
            self.packets = Packets::Unsuspected;
        }
    }

    fn suspect(&mut self, path: Path, finding: Finding) {
        if path.segments == Segments::Usual {
            let before = match self.packets {
                Packets::Suspected(before) => before,
                Packets::Unsuspected | Packets::SmallOnly { .. } => finding,
            };
            self.packets = Packets::Suspected(before.max(finding));
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
            PathEnd::Failed | PathEnd::Silent | PathEnd::LargeLost(_) if !was_greeted => {
                if !self.tried.contains(&path.address) {
                    self.tried.push(path.address);
                    self.left = self.left.saturating_sub(1);
                }
                self.left > 0
            }
            _ => false,
        }
    }
}
