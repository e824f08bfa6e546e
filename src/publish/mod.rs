//! Publishing to one destination: tries once and reports.
//!
//! Shell room. It owns the sockets: name, TCP, TLS, the RTMP session on top, and an orderly close. It
//! knows nothing of retries, lights or the other destinations; whether an attempt is worth repeating
//! is the appliance's to decide.

mod connect;
mod delivery;
mod drive;
mod error;
mod farewell;
mod file;
mod frames;
mod journey;
mod preflight;
mod socket;
mod task;
pub mod tls;

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::ClientConfig;

use crate::clock::Clock;
use crate::rtmp::ConnectOrder;
use crate::rtmp::url::{Ingest, Scheme};

use connect::Wire;
use drive::Drive;
use journey::{Journey, Manner};

pub use delivery::{Delivery, Observation, Window};
pub use drive::{Close, Numbers, Progress, Sent, Source};
pub use error::PublishError;
pub use file::FlvFile;
pub use frames::Frames;
pub use preflight::{Depth, Phase, Preflight, preflight};
pub use task::{Order, PublishHandle, Report, What, spawn};
pub use tls::{CertificateFault, TlsFault, TrustError};

/// Where to publish, and whom to trust there. Keep it across attempts: it holds the TLS tickets.
#[derive(Debug)]
pub struct Target {
    ingest: Ingest,
    /// How this server was asked when it last accepted; until then, as much as it may understand.
    manner: Mutex<Manner>,
    tls: Arc<ClientConfig>,
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
        if ingest.server.scheme == Scheme::Rtmp && !allow_plain {
            return Err(PublishError::PlainNotAllowed { server: ingest.server.to_string() });
        }
        if ingest.server.scheme == Scheme::Rtmp && policy.demands_tls() {
            return Err(TrustError::PlainAddress.into());
        }
        let tls = tls::client_config(policy)?;
        let manner = Mutex::new(Manner::usual(ConnectOrder::default()));
        Ok(Target { ingest, manner, tls })
    }

    /// The same stream and trust at the place that the server has named, absolute or relative.
    ///
    /// # Errors
    /// [`PublishError::BadRedirect`].
    fn moved(&self, place: &str) -> Result<Target, PublishError> {
        let server = journey::moved(&self.ingest.server, place)?;
        Ok(Target {
            ingest: Ingest { server, key: self.ingest.key.clone() },
            manner: Mutex::new(self.manner()),
            tls: self.tls.clone(),
        })
    }

    /// The same, with so much sent ahead as long as the server does not break on it.
    #[must_use]
    pub fn in_order(self, order: ConnectOrder) -> Target {
        Target { manner: Mutex::new(Manner::usual(order)), ..self }
    }

    fn manner(&self) -> Manner {
        *self.manner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A server that has accepted is asked in the same way from now on.
    fn remember(&self, manner: Manner) {
        *self.manner.lock().unwrap_or_else(PoisonError::into_inner) = manner;
    }

    /// The address, without the key.
    pub fn server(&self) -> String {
        self.ingest.server.to_string()
    }
}

/// One attempt: connects, publishes `source` until it ends or `close` resolves, and closes. Where the
/// server sends us elsewhere, asks for a password or breaks on commands that are sent ahead, that
/// takes several connections.
///
/// # Errors
/// [`PublishError`], by who is at fault; media that was acknowledged before is not lost by it.
pub async fn publish<M: Source>(
    clock: Clock,
    target: &Target,
    source: &mut M,
    report: &mut (dyn FnMut(Progress) + Send),
    close: impl Future<Output = Close>,
) -> Result<Numbers, PublishError> {
    tokio::pin!(close);
    let mut journey = Journey::to(&target.ingest.server, target.manner());
    loop {
        let mut accepted = false;
        let mut watch = |progress| {
            accepted |= progress == Progress::Accepted;
            report(progress);
        };
        let connection = Connection { clock, target, journey: &journey };
        let ended = connection.publish(source, &mut watch, close.as_mut()).await;
        if accepted {
            target.remember(journey.manner);
        }
        match ended {
            Ok(numbers) => return Ok(numbers),
            Err(error) => {
                journey.go_on(error, fastrand::u32(..))?;
                tracing::debug!(server = %journey.server, manner = ?journey.manner, "once more");
                source.restart();
            }
        }
    }
}

/// One connection of an attempt.
struct Connection<'a> {
    clock: Clock,
    target: &'a Target,
    journey: &'a Journey,
}

impl Connection<'_> {
    async fn publish<M: Source>(
        &self,
        source: &mut M,
        report: &mut (dyn FnMut(Progress) + Send),
        mut close: Pin<&mut impl Future<Output = Close>>,
    ) -> Result<Numbers, PublishError> {
        let (clock, journey) = (self.clock, self.journey);
        let mut done = |phase| tracing::debug!(phase, "done");
        let (wire, probe, local_address) = tokio::select! {
            biased;
            _ = &mut close => return Ok(Numbers::default()),
            connected = connect::connect(&journey.server, &self.target.tls, &mut done) => connected?,
        };
        let session = journey.session(clock, self.target);
        match wire {
            Wire::Plain(stream) => {
                Drive { clock, stream, session, source, probe, local_address, report }
                    .run(close)
                    .await
            }
            Wire::Tls(stream) => {
                Drive { clock, stream, session, source, probe, local_address, report }
                    .run(close)
                    .await
            }
        }
    }
}
