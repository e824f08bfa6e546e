//! What a message costs on its whole way to a real server over TLS, in calls of the allocator.

use std::alloc::System;
use std::time::Duration;

use crate::support::nginx::nginx_or_skip;
use crate::support::pki::{Flaw, Pki};
use crate::{ALLOCATOR, alone};
use bytes::Bytes;
use firstmile::clock::Clock;
use firstmile::flv::TagKind;
use firstmile::publish::tls::Policy;
use firstmile::publish::{Close, Target, publish};
use firstmile::rtmp::url::{Ingest, ServerUrl};
use firstmile::secret::StreamKey;
use firstmile::stream::{Next, Source};
use stats_alloc::{Region, Stats};

/// Video and audio, each frame written on its own, as in a live stream.
struct LiveStream {
    video: Bytes,
    audio: Bytes,
    sent: u64,
    due: bool,
    region: Option<Region<'static, System>>,
    counted: Option<Stats>,
}

/// Until the server acknowledges as often as the rate asks for: a message waits for a millisecond or more.
const UNCOUNTED: u64 = 3_000;
const COUNTED: u64 = 1_500;
/// A stream of 6 Mbit/s has 30 video frames and 47 audio frames a second; it is sent much faster.
const VIDEO_BYTES: usize = 25_000;
const AUDIO_BYTES: usize = 400;
const VIDEO_FRAMES: u64 = 30;
const MESSAGES: u64 = 30 + 47;

impl Source for LiveStream {
    fn restart(&mut self) {}

    fn next(&mut self, _now: Duration) -> Result<Next, String> {
        if !std::mem::take(&mut self.due) {
            return Ok(Next::NothingYet);
        }
        match self.sent {
            UNCOUNTED => self.region = Some(Region::new(ALLOCATOR)),
            n if n == UNCOUNTED + COUNTED => {
                self.counted = self.region.as_ref().map(Region::change);
                return Ok(Next::End);
            }
            _ => {}
        }
        let time_ms = self.sent * 1_000 / MESSAGES;
        // Spread evenly: a video frame whenever their share reaches the next whole number.
        let (kind, body) = match self.sent * VIDEO_FRAMES % MESSAGES < VIDEO_FRAMES {
            true => (TagKind::Video, self.video.clone()),
            false => (TagKind::Audio, self.audio.clone()),
        };
        self.sent += 1;
        Ok(Next::Tag { time_ms, kind, body })
    }

    async fn ready(&mut self) {
        tokio::time::sleep(Duration::from_millis(1)).await;
        self.due = true;
    }
}

#[test]
fn real_a_message_over_tls_costs_at_most_two_allocations() {
    let _turn = alone();
    let pki = Pki::new();
    let Some(nginx) = nginx_or_skip(&pki.identity(&["localhost"], Flaw::None)) else { return };
    let server = ServerUrl::parse(&nginx.rtmps_url("localhost")).unwrap();
    let key = StreamKey::parse("a-k3y").unwrap();
    let ingest = Ingest::from_server_and_key(server, key).unwrap();
    let policy = Policy { ca_file: Some(pki.ca_file()), ..Policy::default() };
    let target = Target::new(ingest, &policy, false).unwrap();
    let mut stream = LiveStream {
        video: Bytes::from(vec![0x55; VIDEO_BYTES]),
        audio: Bytes::from(vec![0x55; AUDIO_BYTES]),
        sent: 0,
        due: false,
        region: None,
        counted: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let clock = runtime.block_on(async { Clock::start() });
    let mut report = |_| {};
    let never = std::future::pending::<Close>();
    runtime.block_on(publish(clock, &target, &mut stream, &mut report, never)).unwrap();
    let counted = stream.counted.expect("all was sent");
    let calls = counted.allocations + counted.reallocations;
    let per_message = calls as f64 / COUNTED as f64;
    println!("{per_message:.2} allocations per message");
    assert!(per_message <= 2.0, "{counted:?}");
}
