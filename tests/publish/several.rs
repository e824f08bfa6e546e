//! One encode, eight destinations: what goes wrong at one of them is no other one's matter.

use std::sync::Arc;
use std::time::Duration;

use crate::support::scripted::{Scripted, Treatment};
use firstmile::clock::Clock;
use firstmile::flv::Metadata;
use firstmile::limits::DESTINATIONS_MAX;
use firstmile::media::{Codec, FanOut, Frame, Kind};
use firstmile::publish::{Close, Order, PublishHandle, Report, What, spawn};
use tokio::sync::mpsc;

/// 6 Mbit/s at 25 frames a second.
const VIDEO_BYTES: usize = 30_000;
const FRAME: Duration = Duration::from_millis(40);

/// What has been encoded so far.
struct Encoder {
    fan_out: FanOut,
    number: u64,
}

impl Encoder {
    fn new(fan_out: FanOut) -> Encoder {
        let encoder = Encoder { fan_out, number: 0 };
        encoder.publish(Kind::VideoConfig, Codec::Avc, 40);
        encoder.publish(Kind::AudioConfig, Codec::Aac, 2);
        encoder
    }

    fn publish(&self, kind: Kind, codec: Codec, bytes: usize) {
        let time_ns = self.number * FRAME.as_nanos() as u64;
        let payload = vec![1; bytes].into();
        self.fan_out.publish(Frame { kind, codec, pts_ns: time_ns, dts_ns: time_ns, payload });
    }

    /// So many video frames, each with its audio, as fast as a camera would make them.
    async fn encode(&mut self, frames: u64) {
        let mut ticks = tokio::time::interval(FRAME);
        for _ in 0..frames {
            ticks.tick().await;
            let kind =
                if self.number.is_multiple_of(25) { Kind::VideoKey } else { Kind::VideoDelta };
            self.publish(kind, Codec::Avc, VIDEO_BYTES);
            self.publish(Kind::Audio, Codec::Aac, 300);
            self.number += 1;
        }
    }
}

struct Several {
    fan_out: FanOut,
    reports_tx: mpsc::Sender<Report>,
    reports: mpsc::Receiver<Report>,
}

impl Several {
    fn new() -> Several {
        let (reports_tx, reports) = mpsc::channel(64);
        Several { fan_out: FanOut::new(), reports_tx, reports }
    }

    async fn open(&self, number: u32, server: &Scripted) -> PublishHandle {
        let handle =
            spawn(Clock::start(), number, "live", self.fan_out.clone(), self.reports_tx.clone());
        let metadata = Metadata { video_kbps: 6_000, audio_kbps: 128, ..Metadata::default() };
        let (target, metadata) = (Arc::new(server.target("live")), Arc::new(metadata));
        handle.orders.send(Order::Open { attempt: 1, target, metadata }).await.unwrap();
        server.until(|met| met.first().is_some_and(|met| met.publishing)).await;
        handle
    }

    async fn ended(&mut self, number: u32) -> What {
        loop {
            let next = tokio::time::timeout(Duration::from_secs(20), self.reports.recv());
            let report = next.await.expect("in time").expect("a report");
            if report.destination == number && matches!(report.what, What::Ended(_)) {
                return report.what;
            }
        }
    }
}

fn video(server: &Scripted) -> u64 {
    server.met()[0].video
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_eight_destinations_one_that_never_reads_costs_the_other_seven_no_frame() {
    let mut several = Several::new();
    let mut servers = Vec::new();
    for number in 0..DESTINATIONS_MAX {
        let freeze_after = (number == 3).then_some(25);
        let treatment = Treatment { freeze_after, ..Treatment::default() };
        servers.push(Scripted::start(vec![treatment]).await);
    }
    let mut handles = Vec::new();
    for (number, server) in (0..).zip(&servers) {
        handles.push(several.open(number, server).await);
    }
    let mut encoder = Encoder::new(several.fan_out.clone());
    encoder.encode(150).await;
    for (number, server) in servers.iter().enumerate().filter(|(number, _)| *number != 3) {
        // The configuration is a message of its own.
        server.until(|met| met[0].video == 151 && met[0].audio == 151).await;
        let dropped = handles[number].stats.borrow().queue.dropped.total();
        assert_eq!(dropped, 0, "destination {number}");
    }
    let frozen = *handles[3].stats.borrow();
    assert!(video(&servers[3]) < 60, "it does not read");
    assert!(frozen.queue.dropped.total() > 0 || frozen.attempt == 0, "{frozen:?}");
    // The frozen one stops in time, too.
    let close = Order::Close { attempt: 1, how: Close::Polite };
    if handles[3].orders.try_send(close).is_ok() {
        several.ended(3).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destination_that_comes_stops_or_is_removed_is_not_noticed_by_the_others() {
    let mut several = Several::new();
    let mut servers = Vec::new();
    for _ in 0..4 {
        servers.push(Scripted::start(vec![Treatment::default()]).await);
    }
    let _stays = several.open(0, &servers[0]).await;
    let stops = several.open(1, &servers[1]).await;
    let removed = several.open(2, &servers[2]).await;
    let mut encoder = Encoder::new(several.fan_out.clone());
    encoder.encode(20).await;
    stops.orders.send(Order::Close { attempt: 1, how: Close::Polite }).await.unwrap();
    drop(removed);
    let (joined, ()) = tokio::join!(several.open(3, &servers[3]), encoder.encode(20));
    encoder.encode(40).await;
    assert!(matches!(several.ended(1).await, What::Ended(Ok(()))));
    servers[0].until(|met| met[0].video == 81 && met[0].audio == 81).await;
    servers[1].until(|met| met[0].unpublished && met[0].closed).await;
    servers[2].until(|met| met[0].closed).await;
    servers[3].until(|met| met[0].video >= 26).await;
    assert_eq!(servers[3].met()[0].first_video_was_config, Some(true));
    assert_eq!(joined.stats.borrow().queue.dropped.total(), 0);
}
