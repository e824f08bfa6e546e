//! How one attempt gets to a server: at which address, and with segments of which size.
//!
//! [`Paths`] and [`Tries`] decide; here their decisions are carried out and reported.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::ClientConfig;

use super::connect::{self, Connected, Failed, FailedAt, Steps};
use super::error::PublishError;
use super::names::Names;
use crate::clock::Clock;
use crate::ending::Evidence;
use crate::limits::SMALL_SEGMENT_BYTES;
use crate::stream::{ConnectAttempt, Error, Finding, Path, PathEnd, Paths, Tries, was_greeted};

/// What a destination knows of its paths, shared by its attempts.
#[derive(Debug, Default, Clone)]
pub(super) struct KnownPaths {
    paths: Arc<Mutex<Paths>>,
    names: Names,
}

impl KnownPaths {
    fn lock(&self) -> MutexGuard<'_, Paths> {
        self.paths.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The server has accepted the stream and acknowledged media.
    pub fn accepted(&self, clock: Clock, path: Path) {
        let found = self.lock().handle_accepted(clock.now(), path);
        let address = path.address;
        let drops = match found {
            Some(Finding::Certain) => "drops",
            Some(_) => "may drop",
            None => return,
        };
        tracing::warn!(
            "the network path to {address} {drops} large packets (MTU); those of {SMALL_SEGMENT_BYTES} bytes get through and are sent from now on"
        );
    }
}

/// One attempt on its way to a server.
pub(super) struct Approach<'a> {
    clock: Clock,
    paths: &'a KnownPaths,
    tries: Tries,
    /// Why another address is being tried.
    earlier: Option<PublishError>,
}

impl<'a> Approach<'a> {
    /// An attempt that begins now.
    pub fn begin(clock: Clock, paths: &'a KnownPaths) -> Approach<'a> {
        let tries = paths.lock().begin(clock.now());
        Approach { clock, paths, tries, earlier: None }
    }

    /// Connects, at another address than those where this attempt has failed before.
    ///
    /// # Errors
    /// The one that tells most: that an address refuses TCP says less than what was wrong before.
    pub async fn connect(
        &mut self,
        attempt: &ConnectAttempt,
        tls: &Arc<ClientConfig>,
        done: &mut Steps<'_>,
    ) -> Result<Connected, PublishError> {
        loop {
            let (clock, paths, tries) = (self.clock, self.paths, &mut self.tries);
            let segments = tries.segments();
            let choose = |found: &_| paths.lock().candidates(clock.now(), tries, found);
            let names = &paths.names;
            let connected = connect::connect(attempt, names, tls, segments, choose, done).await;
            let failed = match connected {
                Ok(connected) => return Ok(connected),
                Err(failed) => failed,
            };
            match failed {
                Failed { error, at: None } => return Err(self.earlier.take().unwrap_or(error)),
                Failed { error, at: Some(FailedAt { path, how, try_next }) } => {
                    let now = self.clock.now();
                    self.paths.lock().handle_ended(now, path, how, false);
                    if !try_next || !self.tries.go_on(now, path, how, false) {
                        return Err(error);
                    }
                    self.note(path, error);
                }
            }
        }
    }

    /// A connection has ended so; `Ok` when another one is to be made because of its path.
    ///
    /// # Errors
    /// Why it ended, otherwise.
    pub fn go_on(
        &mut self,
        path: Path,
        how: PathEnd,
        was_accepted: bool,
        error: Error,
    ) -> Result<(), Error> {
        let now = self.clock.now();
        self.paths.lock().handle_ended(now, path, how, was_accepted);
        if was_accepted || !self.tries.go_on(now, path, how, was_greeted(&error)) {
            return Err(error);
        }
        self.note(path, error.into());
        Ok(())
    }

    fn note(&mut self, path: Path, error: PublishError) {
        let (address, segments) = (path.address, self.tries.segments());
        // A mere silence is reported once, when nothing helps against it.
        if error.evidence() == Evidence::Timeout {
            tracing::debug!(%address, %error, next_segments = ?segments, "another connection is tried");
        } else {
            tracing::info!(%address, %error, next_segments = ?segments, "another connection is tried");
        }
        self.earlier = Some(error);
    }
}
