//! A running stream moves to another connection without a hole, when the server asks for it.

use std::sync::Arc;
use std::time::Duration;

use crate::support::scripted::{Scripted, Treatment};
use firstmile::clock::Clock;
use firstmile::flv::Metadata;
use firstmile::limits::ROLL_OVER_AT_MS;
use firstmile::media::{Codec, FanOut, Frame, Kind};
use firstmile::publish::{Close, Order, PublishHandle, Report, What, spawn};
use firstmile::sim::ingest::session::{Policy, Refuse};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Video and audio at thirty times real speed, a key frame each second of media; once 2 s were sent,
/// the media clock is `later_ms` on, as if the box had been live for so long.
fn encoder(fan_out: FanOut, later_ms: u64) -> JoinHandle<()> {
    tokio::spawn(async move {
        let frame = |kind, codec, ms: u64| Frame {
            kind,
            codec,
            pts_ns: ms * 1_000_000,
            dts_ns: ms * 1_000_000,
            payload: vec![1; 200].into(),
        };
        fan_out.publish(frame(Kind::VideoConfig, Codec::Avc, 0));
        fan_out.publish(frame(Kind::AudioConfig, Codec::Aac, 0));
        for number in 0_u64.. {
            let ms = number * 40 + if number >= 50 { later_ms } else { 0 };
            let kind = if number % 25 == 0 { Kind::VideoKey } else { Kind::VideoDelta };
            fan_out.publish(frame(kind, Codec::Avc, ms));
            fan_out.publish(frame(Kind::Audio, Codec::Aac, ms));
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
}

struct LiveBox {
    handle: PublishHandle,
    reports: mpsc::Receiver<Report>,
    encoder: JoinHandle<()>,
}

impl LiveBox {
    async fn live_at(server: &Scripted) -> LiveBox {
        LiveBox::live_for_long_at(server, 0).await
    }

    async fn live_for_long_at(server: &Scripted, later_ms: u64) -> LiveBox {
        let fan_out = FanOut::new();
        let (reports_tx, reports) = mpsc::channel(16);
        let handle = spawn(Clock::start(), 0, "live", fan_out.clone(), reports_tx);
        let encoder = encoder(fan_out, later_ms);
        let (target, metadata) = (Arc::new(server.target("live")), Arc::new(Metadata::default()));
        handle.orders.send(Order::Open { attempt: 1, target, metadata }).await.unwrap();
        let mut live = LiveBox { handle, reports, encoder };
        assert!(matches!(live.next_report().await, What::Accepted));
        live
    }

    async fn return_to(&self, server: &Scripted) {
        let order = Order::Return { attempt: 1, target: Arc::new(server.target("live")) };
        self.handle.orders.send(order).await.unwrap();
    }

    async fn next_report(&mut self) -> What {
        let next = tokio::time::timeout(Duration::from_secs(10), self.reports.recv());
        next.await.expect("in time").expect("a report").what
    }

    async fn stop(mut self) {
        let close = Order::Close { attempt: 1, how: Close::Polite };
        self.handle.orders.send(close).await.unwrap();
        let ended = self.next_report().await;
        assert!(matches!(ended, What::Ended(Ok(()))), "{ended:?}");
        self.encoder.abort();
    }
}

fn moving_to(place: String) -> Treatment {
    Treatment { move_after: Some((50, place)), ..Treatment::default() }
}

fn refusing(code: &str, description: &str) -> Treatment {
    let refuse = Refuse { code: code.to_owned(), description: description.to_owned() };
    let policy = Policy { refuse_publish: Some(refuse), ..Policy::default() };
    Treatment { policy, ..Treatment::default() }
}

#[tokio::test]
async fn the_new_connection_is_live_before_the_old_one_closes() {
    let end = Scripted::start(vec![Treatment::default()]).await;
    let begin =
        Scripted::start(vec![moving_to(format!("rtmp://127.0.0.1:{}/live", end.port))]).await;
    let mut live = LiveBox::live_at(&begin).await;
    end.until(|met| met.first().is_some_and(|met| met.video > 10)).await;
    begin.until(|met| met[0].closed).await;
    assert_eq!(end.met()[0].first_video_was_config, Some(true));
    // The old server does not hear that the stream is over, because it is not.
    assert!(!begin.met()[0].unpublished);
    assert!(live.reports.try_recv().is_err(), "nobody upstairs has to know");
    live.stop().await;
    end.until(|met| met[0].unpublished).await;
}

/// Twitch counts to 2^31, and players stumble there: 24.8 days.
#[tokio::test]
async fn long_before_media_time_reaches_two_to_the_31_a_new_connection_takes_over() {
    let server = Scripted::start(vec![Treatment::default()]).await;
    let mut live = LiveBox::live_for_long_at(&server, ROLL_OVER_AT_MS).await;
    server.until(|met| met.len() == 2 && met[1].video > 10 && met[0].closed).await;
    let met = server.met();
    assert!(met[1].overlapped, "the new one publishes before the old one closes: {met:?}");
    assert!(!met[0].unpublished, "the stream is not over: {met:?}");
    assert_eq!(met[1].first_video_was_config, Some(true));
    assert!(live.reports.try_recv().is_err(), "nobody upstairs has to know");
    live.stop().await;
}

// Shows F37.
#[tokio::test]
async fn a_running_stream_does_not_move_to_a_host_that_the_owner_has_not_named() {
    let other = Scripted::start(vec![Treatment::default()]).await;
    let place = format!("rtmp://localhost:{}/live", other.port);
    let server = Scripted::start(vec![moving_to(place)]).await;
    let live = LiveBox::live_at(&server).await;
    server.until(|met| met[0].video > 200).await;
    assert!(other.met().is_empty(), "{:?}", other.met());
    assert!(!server.met()[0].closed, "the stream stays");
    live.stop().await;
}

// What is no address must not pass for "at the same place": the server would get one more connection.
// Shows F50.
#[tokio::test]
async fn a_running_stream_stays_where_it_is_when_the_place_to_move_to_cannot_be_used() {
    for place in ["", "http://127.0.0.1/live", "127.0.0.1:1935/live", "mailto:a", "rtmp:///", "a b"]
    {
        let server = Scripted::start(vec![moving_to(place.to_owned()), Treatment::default()]).await;
        let live = LiveBox::live_at(&server).await;
        server.until(|met| met[0].video > 100).await;
        let met = server.met();
        assert!(met.len() == 1 && !met[0].closed, "{place:?}: {met:?}");
        live.stop().await;
    }
}

#[tokio::test]
async fn a_relative_place_is_at_the_same_server() {
    let server = Scripted::start(vec![moving_to("/other".to_owned()), Treatment::default()]).await;
    let live = LiveBox::live_at(&server).await;
    server.until(|met| met.len() == 2 && met[1].video > 10 && met[0].closed).await;
    assert_eq!((server.met()[0].app.as_str(), server.met()[1].app.as_str()), ("live", "other"));
    live.stop().await;
}

#[tokio::test]
async fn behind_a_redirect_a_relative_place_is_at_the_server_that_has_the_stream() {
    let second = Scripted::start(vec![moving_to("/other".to_owned()), Treatment::default()]).await;
    let place = format!("rtmp://127.0.0.1:{}/live", second.port);
    let policy = Policy { redirect_to: Some(place), ..Policy::default() };
    let first = Scripted::start(vec![Treatment { policy, ..Treatment::default() }]).await;
    let live = LiveBox::live_at(&first).await;
    second.until(|met| met.len() == 2 && met[1].video > 10 && met[0].closed).await;
    assert_eq!((second.met()[0].app.as_str(), second.met()[1].app.as_str()), ("live", "other"));
    assert_eq!(first.met().len(), 1, "nobody comes back to the one that redirected");
    live.stop().await;
}

#[tokio::test]
async fn a_move_to_nowhere_leaves_the_stream_where_it_is() {
    let nowhere = format!("rtmp://127.0.0.1:{}/live", crate::support::free_port());
    let server = Scripted::start(vec![moving_to(nowhere)]).await;
    let live = LiveBox::live_at(&server).await;
    server.until(|met| met[0].video > 200).await;
    assert!(!server.met()[0].closed);
    live.stop().await;
}

#[tokio::test]
async fn where_a_second_publisher_is_refused_the_first_one_leaves_before() {
    let server = Scripted::start(vec![
        moving_to("/live".to_owned()),
        refusing("NetStream.Publish.BadName", "Already publishing"),
        Treatment::default(),
    ])
    .await;
    let mut live = LiveBox::live_at(&server).await;
    server.until(|met| met.len() == 3 && met[2].video > 10).await;
    let met = server.met();
    assert!(met[0].unpublished && met[0].closed, "{met:?}");
    assert_eq!(met[2].first_video_was_config, Some(true));
    assert!(matches!(live.next_report().await, What::Accepted), "it is accepted again");
    live.stop().await;
}

#[tokio::test]
async fn a_stop_in_the_middle_of_a_move_closes_both_connections() {
    let end = Scripted::start(vec![Treatment::default()]).await;
    let begin =
        Scripted::start(vec![moving_to(format!("rtmp://127.0.0.1:{}/live", end.port))]).await;
    let live = LiveBox::live_at(&begin).await;
    end.until(|met| !met.is_empty()).await;
    live.stop().await;
    begin.until(|met| met[0].closed).await;
    end.until(|met| met[0].closed).await;
}

#[tokio::test]
async fn a_stream_returns_from_its_backup_from_a_key_frame_before_the_backup_is_left() {
    let backup = Scripted::start(vec![Treatment::default()]).await;
    let first = Scripted::start(vec![Treatment::default()]).await;
    let mut live = LiveBox::live_at(&backup).await;
    live.return_to(&first).await;
    assert!(matches!(live.next_report().await, What::Returned));
    backup.until(|met| met[0].closed).await;
    assert!(!backup.met()[0].unpublished, "the stream is not over");
    assert_eq!(first.met()[0].first_video_was_config, Some(true));
    let stats = *live.handle.stats.borrow_and_update();
    assert_eq!(stats.attempt, 1);
    live.stop().await;
    first.until(|met| met[0].unpublished).await;
}

#[tokio::test]
async fn a_first_server_that_still_fails_leaves_the_stream_at_its_backup() {
    let backup = Scripted::start(vec![Treatment::default()]).await;
    let first = Scripted::start(vec![
        refusing("NetStream.Publish.Denied", "not now"),
        Treatment::default(),
    ])
    .await;
    let mut live = LiveBox::live_at(&backup).await;
    live.return_to(&first).await;
    first.until(|met| met.first().is_some_and(|met| met.closed)).await;
    let sent = backup.met()[0].video;
    backup.until(|met| met[0].video > sent + 100 && !met[0].closed).await;
    assert!(live.reports.try_recv().is_err(), "nothing has changed");
    // The next look finds it well.
    live.return_to(&first).await;
    assert!(matches!(live.next_report().await, What::Returned));
    live.stop().await;
}

#[tokio::test]
async fn servers_that_share_a_key_are_changed_one_after_the_other() {
    let backup = Scripted::start(vec![Treatment::default()]).await;
    let first = Scripted::start(vec![
        refusing("NetStream.Publish.BadName", "Already publishing"),
        Treatment::default(),
    ])
    .await;
    let mut live = LiveBox::live_at(&backup).await;
    live.return_to(&first).await;
    assert!(matches!(live.next_report().await, What::Returned));
    assert!(backup.met()[0].unpublished, "only then the key is free");
    assert!(matches!(live.next_report().await, What::Accepted), "it is accepted again");
    live.stop().await;
}

#[tokio::test]
async fn an_order_to_return_of_another_attempt_does_nothing() {
    let backup = Scripted::start(vec![Treatment::default()]).await;
    let first = Scripted::start(vec![Treatment::default()]).await;
    let live = LiveBox::live_at(&backup).await;
    let order = Order::Return { attempt: 7, target: Arc::new(first.target("live")) };
    live.handle.orders.send(order).await.unwrap();
    let sent = backup.met()[0].video;
    backup.until(|met| met[0].video > sent + 100).await;
    assert!(first.met().is_empty());
    live.stop().await;
}
