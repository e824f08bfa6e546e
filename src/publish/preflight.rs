//! A look at a destination without going live: name, TCP, TLS, RTMP, each timed.

use std::io;

use bytes::Buf;
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::clock::Clock;
use crate::limits::CHECK_STAYS;
use crate::rtmp::url::Scheme;
use crate::rtmp::{self, ConnectOrder, Event, Session};

use super::approach::Approach;
use super::connect::{Connected, Wire};
use super::drive::why;
use super::plain;
use super::rtmp::Rtmp;
use super::socket::TcpProbe;
use super::tls::{self, ServerIdentity, TlsFault};
use super::{PublishError, Target, Way};
use crate::stream::{Compatibility, ConnectAttempt, Error, explained, path_end};

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

/// How far a look goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Until the server has accepted `connect`; the key is not sent.
    Connect,
    /// Until the server has accepted `publish`, which is taken back at once. The platform may show
    /// that a stream began.
    Publish,
}

/// Goes through the phases of a connection in the patient order, each timed, and closes. No media is
/// sent.
pub async fn preflight(clock: Clock, target: &Target, depth: Depth) -> Preflight {
    let mut found = Preflight { phases: Vec::new(), server: None, failure: None };
    let Way::Rtmp(rtmp) = &target.way;
    let usual = Compatibility::usual(ConnectOrder::Patient);
    let mut attempt = rtmp.attempt(usual);
    let mut approach = Approach::begin(clock, &rtmp.paths);
    loop {
        let from = attempt.server.clone();
        let ended = match look(clock, rtmp, &mut attempt, &mut approach, depth, &mut found).await {
            Ok(Looked::Through) => return found,
            Ok(Looked::Again) => Ok(()),
            Err(PublishError::Stream(error)) => {
                attempt.go_on(error, fastrand::u32(..)).map_err(PublishError::from)
            }
            Err(error) => Err(error),
        };
        if let Err(error) = ended {
            found.failure = Some(error.behind(attempt.earlier_words()));
            return found;
        }
        rtmp.note_redirect(&from, &attempt.server);
    }
}

/// How far one connection came.
enum Looked {
    /// As far as was asked for.
    Through,
    /// Another address may come further, or smaller segments.
    Again,
}

async fn look(
    clock: Clock,
    rtmp: &Rtmp,
    attempt: &mut ConnectAttempt,
    approach: &mut Approach<'_>,
    depth: Depth,
    found: &mut Preflight,
) -> Result<Looked, PublishError> {
    let mut began = clock.now();
    let mut phases = Vec::new();
    let mut done = |name| {
        let now = clock.now();
        phases.push(Phase { name, took_ms: now.saturating_sub(began).as_millis() as u64 });
        began = now;
    };
    let may_be_plain = attempt.server.scheme == Scheme::Rtmps && !attempt.only_public;
    let connected = tokio::select! {
        biased;
        connected = approach.connect(attempt, &rtmp.tls, &mut done) => connected,
        () = plain::found(&attempt.server), if may_be_plain => {
            let host = attempt.server.host.to_string();
            Err(PublishError::Tls { host, fault: TlsFault::PlainRtmp })
        }
    };
    if let Ok(connected) = &connected {
        attempt.handle_reached(Some(connected.path.address.ip()));
    }
    let ended = match connected {
        Ok(Connected { mut wire, probe, path, .. }) => {
            let session = attempt.session(clock.now(), rtmp.ingest.key.clone(), fastrand::u64(..));
            let asked = match &mut wire {
                Wire::Plain(stream) => ask(clock, stream, session, depth, &mut done).await,
                Wire::Tls(stream) => {
                    found.server = tls::identity(stream.get_ref().1);
                    ask(clock, stream, session, depth, &mut done).await
                }
            };
            match asked {
                Ok(()) => Ok(Looked::Through),
                Err(error) => {
                    let error = explained(error, probe.as_ref().and_then(TcpProbe::sample));
                    let again = approach.go_on(path, path_end(&error), false, error);
                    again.map(|()| Looked::Again).map_err(PublishError::from)
                }
            }
        }
        Err(error) => Err(error),
    };
    found.phases.append(&mut phases);
    ended
}

/// Drives `session` until it has come as far as `depth`. A server that has accepted is given the time to
/// close: some look at the key only then.
async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    clock: Clock,
    stream: &mut S,
    mut session: Session,
    depth: Depth,
    done: &mut (dyn FnMut(&'static str) + Send),
) -> Result<(), Error> {
    let mut inbox = [0_u8; 4096];
    let mut accepted_at = None;
    loop {
        while let Some(event) = session.poll_event() {
            match event {
                Event::Phase(rtmp::Phase::Connect) => done("RTMP handshake"),
                Event::Phase(rtmp::Phase::CreateStream) => {
                    done("connect");
                    if depth == Depth::Connect {
                        return Ok(());
                    }
                }
                Event::Phase(rtmp::Phase::Publish) => done("createStream"),
                Event::Accepted => {
                    done("publish");
                    accepted_at = Some(clock.now());
                }
                Event::Stopped => {
                    let _ = stream.shutdown().await;
                    return Ok(());
                }
                Event::Ended(error) => {
                    let error = Error::from(error);
                    let Some(at) = accepted_at else { return Err(error) };
                    return Err(error.before_confirmation(clock.now().saturating_sub(at)));
                }
                _ => {}
            }
        }
        let stays_until = accepted_at.map(|at| at + CHECK_STAYS);
        if stays_until.is_some_and(|until| clock.now() >= until) {
            session.stop(clock.now()); // once: later calls are ignored
        }
        while session.transmit().has_remaining() {
            stream.write_buf(session.transmit()).await.map_err(lost)?;
        }
        stream.flush().await.map_err(lost)?;
        let is_waiting = stays_until.is_some_and(|until| clock.now() < until);
        if matches!(session.poll_timeout(), Some(at) if clock.now() >= at) {
            session.handle_timeout(clock.now());
            continue;
        }
        tokio::select! {
            read = stream.read(&mut inbox) => match read {
                Ok(0) => session.handle_eof(clock.now()),
                Ok(length) => session.handle_input(clock.now(), &inbox[..length]),
                Err(error) if is_closed(&error) => session.handle_eof(clock.now()),
                Err(error) => return Err(lost(error)),
            },
            () = clock.reach(session.poll_timeout()) => session.handle_timeout(clock.now()),
            () = clock.reach(stays_until), if is_waiting => {}
        }
    }
}

/// Whether the server has closed the connection, if not in the way of its protocol.
fn is_closed(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof)
}

fn lost(error: io::Error) -> Error {
    Error::Lost { why: why(&error) }
}
