//! What is reported of an ended stream is what has arrived: a server that leaves before it has read
//! everything is no success.

use std::time::Duration;

use crate::support::Folder;
use crate::support::flv_file::write_flv_file;
use crate::support::scripted::{Leave, Scripted, Treatment};
use bytes::Bytes;
use firstmile::clock::Clock;
use firstmile::flv::TagKind;
use firstmile::limits::STOP_TIMEOUT;
use firstmile::publish::{Close, ConnectionStats, FlvFile, PublishError, publish};
use firstmile::sim::ingest::session::Policy;
use firstmile::stream::{Error, Next, Source};

/// Pushes `seconds` of 1 Mbit/s, unpaced, to a server that treats it so.
async fn push(seconds: u32, treatment: Treatment) -> Result<ConnectionStats, PublishError> {
    let server = Scripted::start(vec![treatment]).await;
    let folder = Folder::new("endings");
    let path = folder.path().join("stream.flv");
    write_flv_file(&path, seconds, 1_000);
    let mut file = FlvFile::open(&path, 1, None).unwrap();
    let (target, mut unheard) = (server.target("live"), |_| {});
    let never = std::future::pending::<Close>();
    let attempt = publish(Clock::start(), &target, &mut file, &mut unheard, never);
    tokio::time::timeout(Duration::from_secs(20), attempt).await.expect("it ends")
}

fn leaving_after(videos: u64, how: Leave, policy: Policy) -> Treatment {
    Treatment { policy, leave_after: Some((videos, how)), ..Treatment::default() }
}

/// The server has taken the first half second, and has not yet owed an acknowledgement.
#[tokio::test]
async fn a_short_stream_that_was_not_read_to_its_end_is_lost() {
    let ended = push(1, leaving_after(15, Leave::Close, Policy::default())).await;
    assert!(matches!(ended, Err(PublishError::Stream(Error::NotConfirmed { .. }))), "{ended:?}");
}

/// The server has acknowledged the first second, as it was asked to; the rest lies in its kernel.
#[tokio::test]
async fn what_the_server_has_not_acknowledged_when_it_closes_is_lost() {
    let ended = push(2, leaving_after(45, Leave::Close, Policy::default())).await;
    let Err(PublishError::Stream(Error::NotConfirmed { bytes })) = ended else {
        panic!("{ended:?}")
    };
    assert!((10_000..150_000).contains(&bytes), "{bytes} bytes");
}

#[tokio::test]
async fn a_server_that_never_acknowledges_and_closes_with_unread_bytes_has_lost_them() {
    let mute = Policy { acknowledges: false, ..Policy::default() };
    let ended = push(2, leaving_after(45, Leave::Close, mute)).await;
    assert!(matches!(ended, Err(PublishError::Stream(Error::NotConfirmed { .. }))), "{ended:?}");
}

#[tokio::test]
async fn all_is_well_where_everything_was_read_acknowledged_or_not() {
    for acknowledges in [true, false] {
        let policy = Policy { acknowledges, ..Policy::default() };
        let ended = push(2, Treatment { policy, ..Treatment::default() }).await;
        let acknowledged = ended.expect("a success").acknowledged_bytes;
        assert_eq!(acknowledged.is_some(), acknowledges);
    }
}

/// More frames than any socket takes.
struct Flood;

impl Source for Flood {
    fn restart(&mut self) {}

    fn next(&mut self, _now: Duration) -> Result<Next, String> {
        let body = Bytes::from_static(&[0x17; 32 * 1024]);
        Ok(Next::Tag { time_ms: 0, kind: TagKind::Video, body })
    }

    async fn ready(&mut self) {}
}

#[tokio::test]
async fn a_server_that_hangs_up_while_the_stream_is_being_stopped_is_not_waited_for() {
    let treatment = leaving_after(3, Leave::HalfClose, Policy::default());
    let server = Scripted::start(vec![treatment]).await;
    let (clock, target, mut unheard) = (Clock::start(), server.target("live"), |_| {});
    // By then the sockets are full, and the server hangs up a moment later.
    let stop = async {
        server.until(|met| met.first().is_some_and(|met| met.video >= 3)).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        Close::Polite
    };
    let began = clock.now();
    publish(clock, &target, &mut Flood, &mut unheard, stop).await.expect("an ordered stop");
    let took = clock.now() - began;
    assert!(took < STOP_TIMEOUT, "{took:?}: it waited for nothing");
}
