//! The way over RTMP: one attempt with as many connections as the server makes of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::ClientConfig;

use super::approach::{Approach, KnownPaths};
use super::connect::{Connected, Wire};
use super::drive::drive;
use super::error::PublishError;
use super::tls::{self, TrustError};
use crate::clock::Clock;
use crate::rtmp::ConnectOrder;
use crate::rtmp::url::{Host, Hosts, Ingest, Scheme, ServerUrl};
use crate::stream::{
    Close, Compatibility, ConnectAttempt, Connection, ConnectionStats, Consent, Progress, Source,
};

/// An RTMP server, a stream there, and whom to trust.
#[derive(Debug)]
pub(super) struct Rtmp {
    pub ingest: Ingest,
    /// What the log calls it.
    pub name: String,
    /// Where the server may send the stream.
    consent: Consent,
    /// A public server has sent us here.
    only_public: bool,
    /// Where the stream is or was last, which after a redirect is another server.
    at: Mutex<ServerUrl>,
    /// Whether the server was last reached at a public address; not known counts as one.
    is_public: AtomicBool,
    /// How this server was asked when it last accepted; until then, as much as it may understand.
    compatibility: Mutex<Compatibility>,
    pub tls: Arc<ClientConfig>,
    pub paths: KnownPaths,
}

/// A server, whatever the stream.
type Place = (Scheme, Host, u16);

/// See [`super::Learned`].
#[derive(Debug, Clone)]
pub(super) struct Learned {
    place: Place,
    compatibility: Compatibility,
    paths: KnownPaths,
}

impl Learned {
    #[cfg(test)]
    pub fn order(&self) -> ConnectOrder {
        self.compatibility.order
    }

    pub fn is_of_the_server_of(&self, other: &Learned) -> bool {
        self.place == other.place
    }
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
        Ok(Rtmp {
            name: String::new(),
            consent: Consent::to(&ingest.server, &[]),
            only_public: false,
            is_public: AtomicBool::new(true),
            at: Mutex::new(ingest.server.clone()),
            ingest,
            compatibility,
            tls,
            paths: KnownPaths::default(),
        })
    }

    pub fn named(self, name: &str) -> Rtmp {
        Rtmp { name: name.to_owned(), ..self }
    }

    pub fn may_be_sent_to(self, hosts: Hosts) -> Rtmp {
        Rtmp { consent: Consent::to(&self.ingest.server, &hosts.0), ..self }
    }

    /// The place is named by the server that has the stream: relative to it, and no less safe than it.
    pub fn moved(&self, place: &str) -> Result<Rtmp, PublishError> {
        let here = self.at.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let is_public = self.is_public.load(Ordering::Relaxed);
        let server = self.consent.moved(&here, place, is_public)?;
        Ok(Rtmp {
            name: self.name.clone(),
            consent: self.consent.clone(),
            only_public: self.only_public || is_public && server.host != here.host,
            is_public: AtomicBool::new(true),
            at: Mutex::new(server.clone()),
            ingest: Ingest { server, key: self.ingest.key.clone() },
            compatibility: Mutex::new(self.compatibility()),
            tls: self.tls.clone(),
            paths: self.paths.clone(),
        })
    }

    /// An attempt that begins at this server.
    pub fn attempt(&self, compatibility: Compatibility) -> ConnectAttempt {
        let consent = self.consent.clone();
        let mut attempt = ConnectAttempt::within(consent, &self.ingest.server, compatibility);
        attempt.only_public = self.only_public;
        attempt
    }

    /// Says where the stream goes, when that is not where it went before.
    pub fn note_redirect(&self, from: &ServerUrl, to: &ServerUrl) {
        if from != to {
            let destination = &self.name;
            tracing::info!(destination, %from, %to, "the server sends the stream elsewhere");
        }
    }

    /// What is known of the server and of the paths to it.
    pub fn learned(&self) -> Learned {
        let (place, compatibility) = (self.place(), self.compatibility());
        Learned { place, compatibility, paths: self.paths.clone() }
    }

    /// The same, with what of this was learned of its server, if any was.
    pub fn knowing(self, mut earlier: impl Iterator<Item = Learned>) -> Rtmp {
        let place = self.place();
        match earlier.find(|earlier| earlier.place == place) {
            Some(Learned { compatibility, paths, .. }) => {
                Rtmp { compatibility: Mutex::new(compatibility), paths, ..self }
            }
            None => self,
        }
    }

    /// The server, whatever the stream.
    fn place(&self) -> Place {
        let ServerUrl { scheme, host, port, .. } = &self.ingest.server;
        (*scheme, host.clone(), *port)
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

    /// This server is asked so from now on.
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
        let mut attempt = self.attempt(self.compatibility());
        let mut approach = Approach::begin(clock, &self.paths);
        let mut done = |phase| tracing::debug!(phase, "done");
        loop {
            let connected = tokio::select! {
                biased;
                _ = &mut close => return Ok(ConnectionStats::default()),
                connected = approach.connect(&attempt, &self.tls, &mut done) => connected,
            };
            let Connected { wire, probe, local_address, path } =
                connected.map_err(|error| error.behind(attempt.earlier_words()))?;
            attempt.handle_reached(Some(path.address.ip()));
            self.is_public.store(attempt.is_public(), Ordering::Relaxed);
            self.at.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&attempt.server);
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
            if let Some(lesson) = attempt.lesson(&connection, ended.as_ref().err()) {
                self.remember(lesson);
            }
            let error = match ended {
                Ok(stats) => return Ok(stats),
                Err(error) => error,
            };
            let (how, is_accepted) = (connection.path_end(&error), connection.is_accepted());
            if let Err(error) = approach.go_on(path, how, is_accepted, error) {
                let from = attempt.server.clone();
                if let Err(error) = attempt.go_on(error, fastrand::u32(..)) {
                    return Err(PublishError::from(error).behind(attempt.earlier_words()));
                }
                self.note_redirect(&from, &attempt.server);
            }
            tracing::debug!(server = %attempt.server, how = ?attempt.compatibility, "once more");
            source.restart();
        }
    }
}
