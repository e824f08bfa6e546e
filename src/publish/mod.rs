//! Publishing to one destination: tries once and reports.
//!
//! Shell room around `stream`, which decides. It owns the sockets: name, TCP, TLS, and the bytes of
//! each connection. It knows nothing of retries, lights or the other destinations; whether an attempt
//! is worth repeating is the appliance's to decide.
//!
//! The ways to a server are a closed set, `Way`. A new way is a member there with its own connect and
//! its own bytes or datagrams; the destination's task, the queue and the bitrate are the same for all.

mod approach;
mod bytes;
mod chatter;
mod connect;
mod connections;
mod drive;
mod error;
mod file;
mod memory;
mod names;
mod plain;
mod preflight;
mod push;
mod rtmp;
mod socket;
mod task;
pub mod tls;

use crate::clock::Clock;
use crate::rtmp::ConnectOrder;
use crate::rtmp::url::{Hosts, Ingest};

use memory::LearnedWay;
use rtmp::Rtmp;

pub use crate::stream::{Close, ConnectionStats, Progress};
pub use connections::{Carried, What};
pub use error::PublishError;
pub use file::{Cut, FlvFile};
pub use memory::{Learned, Memory};
pub use preflight::{Depth, Phase, Preflight, preflight};
pub use push::{Pushed, push};
pub use task::{Order, PublishHandle, Report, spawn};
pub use tls::{CertificateFault, TlsFault, TrustError};

use crate::stream::Source;

/// Where to publish, and whom to trust there. Keep it across attempts: it holds the TLS tickets.
#[derive(Debug)]
pub struct Target {
    way: Way,
}

/// How frames get to a server.
#[derive(Debug)]
enum Way {
    /// RTMP over TCP, mostly inside of TLS.
    Rtmp(Rtmp),
}

impl Target {
    /// A target for `ingest`. Plain `rtmp` is refused unless `allow_plain`, and together with a
    /// `policy` that it could not keep.
    ///
    /// # Errors
    /// [`PublishError::PlainNotAllowed`] and [`PublishError::Trust`].
    pub fn new(
        ingest: Ingest,
        policy: &tls::Policy,
        allow_plain: bool,
    ) -> Result<Target, PublishError> {
        Ok(Target { way: Way::Rtmp(Rtmp::new(ingest, policy, allow_plain)?) })
    }

    /// The same stream and trust at the place that the server has named, absolute or relative.
    ///
    /// # Errors
    /// [`crate::stream::Error::BadRedirect`].
    fn moved(&self, place: &str) -> Result<Target, PublishError> {
        match &self.way {
            Way::Rtmp(rtmp) => Ok(Target { way: Way::Rtmp(rtmp.moved(place)?) }),
        }
    }

    /// The same under this name in the log.
    #[must_use]
    pub fn named(self, name: &str) -> Target {
        match self.way {
            Way::Rtmp(rtmp) => Target { way: Way::Rtmp(rtmp.named(name)) },
        }
    }

    /// The same, at a server that may send the stream to other `hosts` too.
    #[must_use]
    pub fn may_be_sent_to(self, hosts: Hosts) -> Target {
        match self.way {
            Way::Rtmp(rtmp) => Target { way: Way::Rtmp(rtmp.may_be_sent_to(hosts)) },
        }
    }

    /// What the log calls it.
    fn name(&self) -> &str {
        match &self.way {
            Way::Rtmp(rtmp) => &rtmp.name,
        }
    }

    /// The same, with so much sent ahead as long as the server does not break on it.
    #[must_use]
    pub fn in_order(self, order: ConnectOrder) -> Target {
        match self.way {
            Way::Rtmp(rtmp) => Target { way: Way::Rtmp(rtmp.in_order(order)) },
        }
    }

    /// The same, with what was learned of the same server, by the first of these that has: another key or
    /// another trust does not change the way there.
    #[must_use]
    pub fn knowing<L: Into<Learned>>(self, earlier: impl IntoIterator<Item = L>) -> Target {
        let Way::Rtmp(rtmp) = self.way;
        let earlier = earlier.into_iter().map(|earlier| match earlier.into().way {
            LearnedWay::Rtmp(learned) => learned,
        });
        Target { way: Way::Rtmp(rtmp.knowing(earlier)) }
    }

    /// The address, without the key.
    pub fn server(&self) -> String {
        match &self.way {
            Way::Rtmp(rtmp) => rtmp.server(),
        }
    }
}

impl From<&Target> for Learned {
    fn from(target: &Target) -> Learned {
        match &target.way {
            Way::Rtmp(rtmp) => Learned { way: LearnedWay::Rtmp(rtmp.learned()) },
        }
    }
}

/// One attempt: connects, publishes `source` until it ends or `close` resolves, and closes. Where the
/// server redirects us, asks for a password or breaks on commands that are sent ahead, that takes
/// several connections.
///
/// # Errors
/// [`PublishError`], by who is at fault; media that was acknowledged before is not lost by it.
pub async fn publish<S: Source>(
    clock: Clock,
    target: &Target,
    source: &mut S,
    report: &mut (dyn FnMut(Progress) + Send),
    close: impl Future<Output = Close>,
) -> Result<ConnectionStats, PublishError> {
    match &target.way {
        Way::Rtmp(rtmp) => rtmp.publish(clock, source, report, close).await,
    }
}
