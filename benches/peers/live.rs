//! The live path of the product: frames into the fan-out, out through a destination's task.
//!
//! What an encoder would hand over comes through standard input as FLV.

use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use firstmile::clock::Clock;
use firstmile::flv::{self, Metadata, Reader};
use firstmile::media::FanOut;
use firstmile::publish::tls::Policy;
use firstmile::publish::{Close, Order, Target, What, spawn};
use firstmile::rtmp::url::{Ingest, ServerUrl};
use firstmile::secret::StreamKey;
use tokio::sync::{mpsc, oneshot};

#[derive(Args)]
pub struct Live {
    #[arg(long)]
    url: String,
    #[arg(long)]
    ca_file: PathBuf,
}

impl Live {
    pub fn run(&self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(self.publish());
    }

    async fn publish(&self) {
        let server = ServerUrl::parse(&self.url).expect("a URL");
        let key = StreamKey::parse("live").expect("a key");
        let ingest = Ingest::from_server_and_key(server, key).expect("a destination");
        let policy = Policy { ca_file: Some(self.ca_file.clone()), ..Policy::default() };
        let target = Arc::new(Target::new(ingest, &policy, false).expect("a target"));

        let fan_out = FanOut::new();
        let (reports_tx, mut reports) = mpsc::channel(4);
        let task = spawn(Clock::start(), 0, "live", fan_out.clone(), reports_tx);
        let metadata = Arc::new(Metadata::default());
        let open = Order::Open { attempt: 1, target, metadata };
        task.orders.send(open).await.expect("the task lives");
        let (ended_tx, ended) = oneshot::channel();
        thread::spawn(move || {
            encode(&fan_out);
            let _ = ended_tx.send(());
        });
        let _ = ended.await;
        tokio::time::sleep(Duration::from_millis(200)).await; // the last frame may still wait
        let close = Order::Close { attempt: 1, how: Close::Polite };
        task.orders.send(close).await.expect("the task lives");
        while let Some(report) = reports.recv().await {
            if let What::Ended(ended) = report.what {
                return ended.expect("the server takes it all");
            }
        }
    }
}

/// Stands where the encoder stands.
fn encode(fan_out: &FanOut) {
    let mut input = io::stdin().lock();
    let mut reader = Reader::new();
    let mut piece = vec![0; 256 * 1024];
    loop {
        let length = input.read(&mut piece).expect("the feed");
        if length == 0 {
            return;
        }
        reader.push(Bytes::copy_from_slice(&piece[..length]));
        while let Some(tag) = reader.next_tag().expect("the feed is FLV") {
            if let Some(frame) = flv::frame(&tag).expect("the feed is H.264 and AAC") {
                fan_out.publish(frame);
            }
        }
    }
}
