//! What was sent has arrived when the program ends, and a server that is gone is noticed.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::drain::Drain;
use crate::support::flv_file::write_flv_file;
use crate::support::nginx::{Nginx, nginx_or_skip};
use crate::support::pki::{Flaw, Issued, Pki};
use crate::support::product::{firstmile, firstmile_ends};
use crate::support::tls::Speaks;
use crate::support::{Folder, clip, has_or_skip, one_at_a_time, probe};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

#[test]
fn real_nothing_is_lost_on_stop_in_a_hundred_unpaced_runs() {
    const RUNS: usize = 100;
    let _turn = one_at_a_time();
    let authority = Issued::authority("delivery");
    let server = authority.server(&["localhost"]);
    let folder = Folder::new("delivery");
    fs::write(folder.path().join("key"), "a-k3y").unwrap();
    fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
    // Some seconds at 6 Mbit/s: more than sockets hold, and some dozens of acknowledgements that
    // come in while it closes.
    let holds = write_flv_file(&folder.path().join("clip.flv"), 4, 6_000);
    let drain = Drain::start(&Speaks::with(&server, &[]).config(), None);
    let url = format!("rtmps://localhost:{}/live", drain.rtmps_port);
    let arguments = format!("push clip.flv --url {url} --key-file key --ca-file ca.pem --no-pace");
    for n in 0..RUNS {
        firstmile_ends(folder.path(), &arguments).ok();
        let taken = drain.next(Duration::from_secs(5)).expect("a publisher");
        let missing_bytes = holds.payload_bytes - taken.payload_bytes;
        assert_eq!((missing_bytes, taken.frames), (0, holds.frames), "run {n}");
        assert!(taken.took_leave && taken.closed_cleanly, "run {n}: {taken:?}");
    }
}

#[test]
fn real_nothing_is_lost_on_stop_at_nginx_behind_tls() {
    const RUNS: usize = 10;
    let _turn = one_at_a_time();
    if !has_or_skip(&["ffmpeg", "ffprobe"]) {
        return;
    }
    let pki = Pki::new();
    let Some(_) = nginx_or_skip(&pki.identity(&["localhost"], Flaw::None)) else { return };
    let folder = Folder::new("delivery-nginx");
    fs::write(folder.path().join("key"), "a-k3y").unwrap();
    let film = clip::film_as_flv(folder.path());
    let sent = probe::packets(&film);
    for n in 0..RUNS {
        let identity = pki.identity(&["localhost"], Flaw::None);
        let nginx = nginx_or_skip(&identity).expect("was there a moment ago");
        let arguments = push(&nginx, &pki, &film);
        firstmile_ends(folder.path(), &format!("{arguments} --no-pace")).ok();
        let recorded = probe::packets(&nginx.finished_record());
        assert_eq!((recorded.video, recorded.audio), (sent.video, sent.audio), "run {n}");
    }
}

#[test]
fn real_a_frozen_server_is_declared_lost_within_five_seconds() {
    let _turn = one_at_a_time();
    let pki = Pki::new();
    let found = [400, 6_000].map(|kbps| {
        let nginx = nginx_or_skip(&pki.identity(&["localhost"], Flaw::None))?;
        let (ca_file, folder) = (pki.ca_file(), Folder::new("frozen"));
        fs::write(folder.path().join("key"), "a-k3y").unwrap();
        write_flv_file(&folder.path().join("clip.flv"), 30, kbps);
        let arguments = format!(
            "push clip.flv --url {} --key-file key --ca-file {}",
            nginx.rtmps_url("localhost"),
            ca_file.display()
        );
        // Both bitrates in parallel: nearly all of it is waiting.
        Some((kbps, thread::spawn(move || freeze_in_mid_stream(&nginx, folder.path(), &arguments))))
    });
    for (kbps, noticed) in found.into_iter().flatten() {
        let after = noticed.join().expect("it was live before, and ended as lost");
        assert!(after <= Duration::from_secs(5), "{kbps} kbit/s: {after:?}");
        assert!(after >= Duration::from_secs(2), "{kbps} kbit/s: {after:?} is too soon to know");
    }
}

/// How long after the freeze the program ends.
fn freeze_in_mid_stream(nginx: &Nginx, folder: &Path, arguments: &str) -> Duration {
    let mut push = firstmile(folder, arguments).spawn().expect("the program");
    thread::sleep(Duration::from_secs(6));
    assert_eq!(push.try_wait().expect("our own child"), None, "it is live\n{}", nginx.log());
    let server = Pid::from_raw(nginx.process_id().try_into().expect("a process id"));
    kill(server, Signal::SIGSTOP).expect("our own child");
    let frozen_at = Instant::now();
    let status = push.wait().expect("our own child");
    let after = frozen_at.elapsed();
    assert_eq!(status.code(), Some(5), "the network is at fault");
    after
}

fn push(nginx: &Nginx, pki: &Pki, file: &Path) -> String {
    format!(
        "push {} --url {} --key-file key --ca-file {}",
        file.display(),
        nginx.rtmps_url("localhost"),
        pki.ca_file().display()
    )
}
