//! What the box publishes to a real server arrives whole, and nothing leaves it where it should not.

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use crate::support::nginx::nginx_or_skip;
use crate::support::pki::{Flaw, Pki};
use crate::support::product::firstmile_ends;
use crate::support::{Folder, clip, has_or_skip, one_at_a_time, probe};
use serde_json::Value;

fn tools() -> bool {
    has_or_skip(&["ffmpeg", "ffprobe"])
}

/// Pushes the film and compares what the server recorded with what was in the file.
#[track_caller]
fn push_and_compare(flaw_free_url: impl Fn(&crate::support::nginx::Nginx) -> String, more: &str) {
    let pki = Pki::new();
    let identity = pki.identity(&["localhost", "127.0.0.1"], Flaw::None);
    let Some(nginx) = nginx_or_skip(&identity) else { return };
    let folder = Folder::new("push");
    let film = clip::film_as_flv(folder.path());
    fs::write(folder.path().join("key"), "a-k3y").unwrap();
    let arguments = format!(
        "push {} --url {} --key-file key --ca-file {} --json {more}",
        film.display(),
        flaw_free_url(&nginx),
        pki.ca_file().display()
    );
    let ended = firstmile_ends(folder.path(), &arguments).ok();
    let pushed: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert!(pushed["acknowledged_bytes"].as_u64().unwrap() > 0, "nginx acknowledges: {pushed}");

    let record = nginx.finished_record();
    probe::decodes_cleanly(&record).unwrap();
    let (sent, recorded) = (probe::packets(&film), probe::packets(&record));
    assert_eq!((recorded.video, recorded.key_frames), (sent.video, sent.key_frames));
    assert_eq!(recorded.audio, sent.audio);
    assert!(recorded.first_is_key && recorded.in_order, "{recorded:?}");
}

#[test]
fn real_a_file_is_pushed_over_tls_with_its_certificate_verified() {
    let _turn = one_at_a_time();
    if tools() {
        push_and_compare(|nginx| nginx.rtmps_url("localhost"), "--no-pace");
    }
}

#[test]
fn real_a_file_is_pushed_at_its_own_pace() {
    let _turn = one_at_a_time();
    if tools() {
        push_and_compare(|nginx| nginx.rtmps_url("127.0.0.1"), "");
    }
}

#[test]
fn real_a_file_is_pushed_over_plain_rtmp_where_that_is_allowed() {
    let _turn = one_at_a_time();
    if tools() {
        push_and_compare(|nginx| nginx.rtmp_url(), "--allow-plain --no-pace");
    }
}

#[test]
fn real_the_box_is_live_at_a_real_server_and_at_its_own() {
    let _turn = one_at_a_time();
    if !tools() {
        return;
    }
    let pki = Pki::new();
    let identity = pki.identity(&["localhost"], Flaw::None);
    let Some(nginx) = nginx_or_skip(&identity) else { return };
    let folder = Folder::new("demo");
    fs::write(folder.path().join("key"), "a-k3y").unwrap();
    let arguments = format!(
        "demo --headless --seconds 8 --json --url {} --key-file key --ca-file {}",
        nginx.rtmps_url("localhost"),
        pki.ca_file().display()
    );
    let ended = firstmile_ends(folder.path(), &arguments).ok();
    let outcome: Value = serde_json::from_str(&ended.stdout).unwrap();
    let record = nginx.finished_record();
    probe::decodes_cleanly(&record).unwrap();
    let recorded = probe::packets(&record);
    assert!(recorded.first_is_key && recorded.in_order, "{recorded:?}");
    assert!(recorded.largest_video_gap_ms <= 100.0, "{recorded:?}");
    // Two servers are never equally fast to accept, so one may have missed the first group.
    let ours = outcome["video_frames"].as_f64().unwrap();
    assert!((recorded.video as f64 - ours).abs() <= 61.0, "{recorded:?} {ours}");
}

#[test]
fn real_a_server_whose_certificate_is_not_trusted_gets_no_byte_of_rtmp() {
    let _turn = one_at_a_time();
    let pki = Pki::new();
    let strangers = Pki::new();
    for (flaw, ca_file, words) in [
        (Flaw::WrongName, pki.ca_file(), "another name"),
        (Flaw::Expired, pki.ca_file(), "expired"),
        (Flaw::None, strangers.ca_file(), "nobody this box trusts"),
    ] {
        let identity = pki.identity(&["localhost"], flaw);
        let Some(nginx) = nginx_or_skip(&identity) else { return };
        let folder = Folder::new("refused");
        fs::write(folder.path().join("key"), "a-k3y").unwrap();
        let arguments = format!(
            "demo --headless --seconds 2 --url {} --key-file key --ca-file {}",
            nginx.rtmps_url("localhost"),
            ca_file.display()
        );
        let ended = firstmile_ends(folder.path(), &arguments);
        assert_eq!(ended.status.code(), Some(6), "{flaw:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(words), "{flaw:?}: {}", ended.stderr);
        assert!(!nginx.log().contains("connect: app"), "RTMP arrived: {}", nginx.log());
        assert!(nginx.recorded().is_empty());
    }
}

#[test]
fn real_a_port_that_speaks_no_tls_never_sees_the_key() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        let mut received = vec![0; 4096];
        let length = socket.read(&mut received).unwrap_or(0);
        received.truncate(length);
        received
    });
    let folder = Folder::new("no-tls");
    fs::write(folder.path().join("key"), "canary-k3y").unwrap();
    let arguments = format!("check --url rtmps://127.0.0.1:{port}/live --key-file key");
    let ended = firstmile_ends(folder.path(), &arguments);
    assert_eq!(ended.status.code(), Some(5), "{}", ended.stderr);
    assert!(ended.stderr.contains("is this an rtmps port?"), "{}", ended.stderr);
    let received = server.join().unwrap();
    assert_eq!(received.first(), Some(&0x16), "a TLS handshake record and nothing else");
    assert!(!received.windows(6).any(|window| window == b"canary"));
}
