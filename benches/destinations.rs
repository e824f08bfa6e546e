//! What each destination costs in addition to the first one.
//!
//! One thread has the whole sending side, as in the box: the queues, and for each destination its task
//! with RTMPS on a real socket of the loopback. The servers have threads of their own, and only the
//! sender's thread is counted. The encoder is not: it is the same for one destination and for eight.
#![allow(missing_docs)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::sync::Arc;
use std::time::Duration;

use firstmile::clock::Clock;
use firstmile::flv::Metadata;
use firstmile::limits::DESTINATIONS_MAX;
use firstmile::media::{Codec, FanOut, Frame, Kind};
use firstmile::publish::tls::Policy;
use firstmile::publish::{Close, Order, PublishHandle, Report, Target, What, spawn};
use firstmile::rtmp::url::{Ingest, ServerUrl};
use firstmile::secret::StreamKey;
use nix::sys::resource::{UsageWho, getrusage};
use support::Folder;
use support::drain::Drain;
use support::pki::Issued;
use support::tls::Speaks;
use tokio::sync::mpsc;

const VIDEO_KBPS: usize = 6_000;
const FPS: u64 = 30;
const AUDIO_BYTES: usize = 340;
/// Counted after the streams are accepted.
const LENGTH: Duration = Duration::from_secs(6);

fn main() {
    let authority = Issued::authority("destinations");
    let server = authority.server(&["localhost"]);
    let folder = Folder::new("destinations");
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, authority.pem()).expect("a file");
    let drain = Drain::start(&Speaks::with(&server, &[]).config(), None);
    let target = || {
        let url = format!("rtmps://localhost:{}/live", drain.rtmps_port);
        let url = ServerUrl::parse(&url).expect("an address");
        let key = StreamKey::parse("a-k3y").expect("a key");
        let ingest = Ingest::from_server_and_key(url, key).expect("both fit");
        let policy = Policy { ca_file: Some(ca_file.clone()), ..Policy::default() };
        Arc::new(Target::new(ingest, &policy, false).expect("a target"))
    };
    println!(
        "{VIDEO_KBPS} kbit/s, {FPS} frames/s, RTMPS on the loopback, {} s each, the sender's thread",
        LENGTH.as_secs()
    );
    println!("destinations  CPU ms/s  each further one, as a share of the first");
    let mut first = None;
    for count in [1, 2, 4, DESTINATIONS_MAX] {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let targets: Vec<_> = (0..count).map(|_| target()).collect();
        let cpu_ms = runtime.expect("a runtime").block_on(measured(targets));
        let per_second = cpu_ms / LENGTH.as_secs_f64();
        let further = first.map_or("-".to_owned(), |first: f64| {
            format!("{:.2}", (per_second - first) / first / (count as f64 - 1.0))
        });
        println!("{count:>12}  {per_second:>8.1}  {further}");
        first.get_or_insert(per_second);
    }
}

/// CPU time of this thread, in milliseconds, while it sends to all of them.
async fn measured(targets: Vec<Arc<Target>>) -> f64 {
    let fan_out = FanOut::new();
    let (reports_tx, mut reports) = mpsc::channel(64);
    let encoder = tokio::spawn(encode(fan_out.clone()));
    let mut handles: Vec<PublishHandle> = Vec::new();
    for (number, target) in (0..).zip(targets) {
        let handle = spawn(Clock::start(), number, "live", fan_out.clone(), reports_tx.clone());
        let metadata = Metadata { video_kbps: VIDEO_KBPS as u32, ..Metadata::default() };
        let order = Order::Open { attempt: 1, target, metadata: Arc::new(metadata) };
        handle.orders.send(order).await.expect("the task lives");
        handles.push(handle);
    }
    until(&mut reports, handles.len(), |what| matches!(what, What::Accepted)).await;
    let before = thread_ms();
    tokio::time::sleep(LENGTH).await;
    let used = thread_ms() - before;
    for handle in &handles {
        let dropped = handle.stats.borrow().queue.dropped.total();
        assert_eq!(dropped, 0, "this machine does not keep up; the figures would mean nothing");
        let close = Order::Close { attempt: 1, how: Close::Polite };
        handle.orders.send(close).await.expect("the task lives");
    }
    until(&mut reports, handles.len(), |what| matches!(what, What::Ended(_))).await;
    encoder.abort();
    used
}

async fn until(reports: &mut mpsc::Receiver<Report>, count: usize, wanted: fn(&What) -> bool) {
    let mut reported = 0;
    while reported < count {
        let report = reports.recv().await.expect("a report");
        if let What::Ended(Err(error)) = &report.what {
            panic!("{error}");
        }
        reported += usize::from(wanted(&report.what));
    }
}

async fn encode(fan_out: FanOut) {
    let frame = |kind, codec, ms: u64, bytes: usize| Frame {
        kind,
        codec,
        pts_ns: ms * 1_000_000,
        dts_ns: ms * 1_000_000,
        payload: vec![7; bytes].into(),
    };
    fan_out.publish(frame(Kind::VideoConfig, Codec::Avc, 0, 40));
    fan_out.publish(frame(Kind::AudioConfig, Codec::Aac, 0, 2));
    let mut ticks = tokio::time::interval(Duration::from_micros(1_000_000 / FPS));
    let video_bytes = VIDEO_KBPS * 1_000 / 8 / FPS as usize;
    for number in 0_u64.. {
        ticks.tick().await;
        let ms = number * 1_000 / FPS;
        let kind = if number.is_multiple_of(2 * FPS) { Kind::VideoKey } else { Kind::VideoDelta };
        fan_out.publish(frame(kind, Codec::Avc, ms, video_bytes));
        fan_out.publish(frame(Kind::Audio, Codec::Aac, ms, AUDIO_BYTES));
    }
}

fn thread_ms() -> f64 {
    let used = getrusage(UsageWho::RUSAGE_THREAD).expect("Linux has it");
    let ms =
        |time: nix::sys::time::TimeVal| time.tv_sec() as f64 * 1e3 + time.tv_usec() as f64 / 1e3;
    ms(used.user_time()) + ms(used.system_time())
}
