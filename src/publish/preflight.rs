//! A look at a destination without going live: name, TCP, TLS, each timed.

use serde::Serialize;

use crate::clock::Clock;

use super::connect::{Wire, connect};
use super::tls::{self, ServerIdentity};
use super::{PublishError, Target};

/// A phase that went well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Phase {
    /// What was done.
    pub name: &'static str,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// The outcome of a look.
#[derive(Debug)]
pub struct Preflight {
    /// The phases that went well, in order.
    pub phases: Vec<Phase>,
    /// Who the server is, when TLS was agreed on.
    pub server: Option<ServerIdentity>,
    /// Why the next one did not.
    pub failure: Option<PublishError>,
}

/// Resolves, connects and verifies the certificate, then closes. Nothing of RTMP is sent.
pub async fn preflight(clock: Clock, target: &Target) -> Preflight {
    let mut phases = Vec::new();
    let mut began = clock.now();
    let mut done = |name| {
        let now = clock.now();
        phases.push(Phase { name, took_ms: now.saturating_sub(began).as_millis() as u64 });
        began = now;
    };
    let connected = connect(&target.ingest.server, &target.tls, &mut done).await;
    let server = match &connected {
        Ok((Wire::Tls(stream), _)) => tls::identity(stream.get_ref().1),
        _ => None,
    };
    Preflight { phases, server, failure: connected.err() }
}
