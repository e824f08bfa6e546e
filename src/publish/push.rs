//! One file to one server, over as many connections as the server makes of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::connections::{Carried, Connections, What};
use super::error::PublishError;
use super::file::{Cut, FileFeed, FlvFile};
use super::{Close, Target};
use crate::clock::Clock;
use crate::stream::ConnectionStats;

/// The number of the only attempt.
const ATTEMPT: u64 = 1;

/// What came of a push.
#[derive(Debug)]
pub struct Pushed {
    /// `Ok` when the stream was ended in order, or as ordered.
    pub result: Result<(), PublishError>,
    /// What all connections have carried.
    pub carried: Carried,
    /// How long the stream was that was sent, in media time.
    pub media: Duration,
    /// Where the file was cut off or damaged: what is whole was sent.
    pub cut: Option<Cut>,
}

/// Publishes `file` until it ends or `close` resolves. Where the server asks for another connection,
/// that one takes over from a key frame, before the first is closed. `progress` hears of what has been
/// carried so far and of its media time, some times a second.
pub async fn push(
    clock: Clock,
    target: Target,
    file: FlvFile,
    progress: &mut (dyn FnMut(&Carried, Duration) + Send),
    close: impl Future<Output = Close>,
) -> Pushed {
    let (stats, mut watched) = watch::channel(ConnectionStats::default());
    let (name, feed) = (target.server(), FileFeed::new(file));
    let mut connections = Connections::new(clock, &name, feed, Arc::new(stats));
    connections.handover.handle_open(clock.now(), ATTEMPT, Arc::new(target));
    tokio::pin!(close);
    let mut is_closing = false;
    loop {
        while let Some((_, what)) = connections.poll_report() {
            if let What::Ended(result) = what {
                let (carried, feed) = (connections.carried(), &connections.feed);
                return Pushed { result, carried, media: feed.media(), cut: feed.cut() };
            }
        }
        tokio::select! {
            biased;
            () = connections.step() => {}
            how = &mut close, if !is_closing => {
                is_closing = true;
                connections.handover.handle_close(ATTEMPT, how);
            }
            Ok(()) = watched.changed() => {
                watched.mark_unchanged();
                progress(&connections.carried(), connections.feed.media());
            }
        }
    }
}
