//! How long it takes until a server far away has the first frame, in round trips.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::delay::DelayedLink;
use crate::support::flv_file::write_flv_file;
use crate::support::nginx::{Nginx, nginx_or_skip};
use crate::support::pki::{Flaw, Pki};
use crate::support::product::firstmile;
use crate::support::{Folder, one_at_a_time};

/// Long compared with what a busy machine adds.
const ROUND_TRIP: Duration = Duration::from_millis(200);
/// Noise only ever adds; so the best of some tries is closest to the truth.
const TRIES: usize = 6;

/// From the client's SYN over TLS 1.3 until nginx-rtmp holds the first media message.
#[test]
fn real_the_first_media_is_there_after_as_few_round_trips_as_the_order_allows() {
    let _turn = one_at_a_time();
    let pki = Pki::new();
    // The least that is possible: TCP 1, TLS 1, then half a one for what is sent at last, and before
    // it one for each answer that is waited for.
    for (order, least, most) in
        [("patient", 6.5, 6.7), ("conforming", 3.5, 3.7), ("early", 2.5, 2.7)]
    {
        let mut found = f64::INFINITY;
        for _ in 0..TRIES {
            let Some(nginx) = nginx_or_skip(&pki.identity(&["localhost"], Flaw::None)) else {
                return;
            };
            found = found.min(round_trips(&nginx, &pki, order));
            if found <= most {
                break;
            }
        }
        println!("{order}: {found:.2} round trips");
        assert!((least - 0.05..=most).contains(&found), "{order}: {found:.2} round trips");
    }
}

/// The key frame in the clip is longer than what TCP sends at first.
fn round_trips(nginx: &Nginx, pki: &Pki, order: &str) -> f64 {
    let folder = Folder::new("round-trips");
    fs::write(folder.path().join("key"), "a-k3y").unwrap();
    write_flv_file(&folder.path().join("clip.flv"), 30, 6_000);
    let link = DelayedLink::to(nginx.rtmps_port, ROUND_TRIP);
    let arguments = format!(
        "push clip.flv --url rtmps://localhost:{}/live --key-file key --ca-file {} --order {order}",
        link.port,
        pki.ca_file().display()
    );
    let mut push = firstmile(folder.path(), &arguments).spawn().expect("the program");
    let deadline = Instant::now() + Duration::from_secs(30);
    // nginx begins the record with the first media message.
    let began = |path: &std::path::PathBuf| fs::metadata(path).is_ok_and(|meta| meta.len() > 0);
    while !nginx.recorded().iter().any(began) {
        assert!(Instant::now() < deadline, "no media\n{}", nginx.log());
        assert_eq!(push.try_wait().expect("our own child"), None, "it is live\n{}", nginx.log());
        thread::sleep(Duration::from_millis(1));
    }
    let found = link.round_trips(Instant::now()).expect("it has connected");
    push.kill().expect("our own child");
    push.wait().expect("our own child");
    found
}
