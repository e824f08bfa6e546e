//! The way over RTMP: one attempt with as many connections as the server makes of it.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::ClientConfig;

use super::approach::{Approach, KnownPaths};
use super::connect::{Connected, Wire};
use super::drive::drive;
use super::error::PublishError;
use super::tls::{self, TrustError};
use crate::clock::Clock;
use crate::rtmp::ConnectOrder;
use crate::rtmp::url::{Ingest, Scheme};
use crate::stream::{
    self, Close, Compatibility, ConnectAttempt, Connection, ConnectionStats, Progress, Source,
};

/// An RTMP server, a stream there, and whom to trust.
#[derive(Debug)]
pub(super) struct Rtmp {
    pub ingest: Ingest,
    /// How this server was asked when it last accepted; until then, as much as it may understand.
    compatibility: Mutex<Compatibility>,
    pub tls: Arc<ClientConfig>,
    pub paths: KnownPaths,
}

impl Rtmp {
    pub fn new(
        ingest: Ingest,
        policy: &tls::Policy,
        allow_plain: bool,
    ) -> Result<Rtmp, PublishError> {
        if ingest.server.scheme == Scheme::Rtmp && !allow_plain {
            return Err(PublishError::PlainNotAllowed { server: ingest.server.to_string() });
        }
        if ingest.server.scheme == Scheme::Rtmp && policy.demands_tls() {
            return Err(TrustError::PlainAddress.into());
        }
        let tls = tls::client_config(policy)?;
        let compatibility = Mutex::new(Compatibility::usual(ConnectOrder::default()));
        Ok(Rtmp { ingest, compatibility, tls, paths: KnownPaths::default() })
    }

    pub fn moved(&self, place: &str) -> Result<Rtmp, PublishError> {
        let server = stream::moved(&self.ingest.server, place)?;
        Ok(Rtmp {
            ingest: Ingest { server, key: self.ingest.key.clone() },
            compatibility: Mutex::new(self.compatibility()),
            tls: self.tls.clone(),
            paths: self.paths.clone(),
        })
    }

    pub fn in_order(self, order: ConnectOrder) -> Rtmp {
        Rtmp { compatibility: Mutex::new(Compatibility::usual(order)), ..self }
    }

    pub fn server(&self) -> String {
        self.ingest.server.to_string()
    }

    fn compatibility(&self) -> Compatibility {
        *self.compatibility.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A server that has accepted is asked in the same way from now on.
    fn remember(&self, compatibility: Compatibility) {
        *self.compatibility.lock().unwrap_or_else(PoisonError::into_inner) = compatibility;
    }

    pub async fn publish<S: Source>(
        &self,
        clock: Clock,
        source: &mut S,
        report: &mut (dyn FnMut(Progress) + Send),
        close: impl Future<Output = Close>,
    ) -> Result<ConnectionStats, PublishError> {
        tokio::pin!(close);
        let mut attempt = ConnectAttempt::to(&self.ingest.server, self.compatibility());
        let mut approach = Approach::begin(clock, &self.paths);
        let mut done = |phase| tracing::debug!(phase, "done");
        loop {
            let Connected { wire, probe, local_address, path } = tokio::select! {
                biased;
                _ = &mut close => return Ok(ConnectionStats::default()),
                connected = approach.connect(&attempt.server, &self.tls, &mut done) => connected?,
            };
            let now = clock.now();
            let session = attempt.session(now, self.ingest.key.clone(), fastrand::u64(..));
            let mut connection = Connection::new(now, session, local_address);
            let mut report = |progress| {
                if progress == Progress::Accepted {
                    self.paths.accepted(clock, path);
                }
                report(progress);
            };
            let (on, by, to) = (&mut connection, close.as_mut(), &mut report);
            let ended = match wire {
                Wire::Plain(tcp) => drive(clock, tcp, on, source, probe, to, by).await,
                Wire::Tls(tls) => drive(clock, tls, on, source, probe, to, by).await,
            };
            let is_accepted = connection.is_accepted();
            if is_accepted {
                self.remember(attempt.compatibility);
            }
            let error = match ended {
                Ok(stats) => return Ok(stats),
                Err(error) => error,
            };
            let how = connection.path_end(&error);
            if let Err(error) = approach.go_on(path, how, is_accepted, error) {
                attempt.go_on(error, fastrand::u32(..))?;
            }
            tracing::debug!(server = %attempt.server, how = ?attempt.compatibility, "once more");
            source.restart();
        }
    }
}
