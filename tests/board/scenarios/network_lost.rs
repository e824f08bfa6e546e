//! Whatever happens between the box and its server, it is live again without a hand.
//!
//! With: a network card whose cable is pulled, `netem`, nginx-rtmp behind TLS.

use std::thread;
use std::time::Duration;

use firstmile::panel::{Attention, Because, Indication};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::rig::server::Server;
use crate::rig::{Board, live_or_skip};
use crate::support::pki::Flaw;

const LIVE: Indication = Indication::Live { attention: Attention::None };

/// Ends the broadcast; what arrived can be watched.
fn ends_well(server: &Server, mut board: Board) {
    board.until("live");
    board.until_lights(LIVE);
    server.receives(40_000);
    board.stops();
    server.assert_watchable_again();
    // The server still has the first connection for a while, and records of each try that it refuses what
    // arrived ahead of the refusal.
    let streams = server.streams();
    assert!(streams.len() <= 5, "{streams:?}\n{}", board.journal());
}

// Shows F04.
#[test]
fn a_cable_pulled_for_ten_seconds_is_reported_and_forgiven() {
    let Some((_ready, server, mut board)) = live_or_skip() else { return };
    board.cable(false);
    board.until("retrying");
    board.until_lights(Indication::Retrying { because: Because::NoNetwork });
    let status = board.status();
    assert!(status.contains("network      down"), "{status}");
    thread::sleep(Duration::from_secs(5));
    board.cable(true);
    ends_well(&server, board);
}

// Shows F01.
#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_server_that_closes_is_tried_again_until_it_is_back() {
    let Some((_ready, server, mut board)) = live_or_skip() else { return };
    server.close();
    board.until("retrying");
    board.until_lights(Indication::Retrying { because: Because::Network });
    server.open();
    ends_well(&server, board);
}

// Shows F03.
#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_frozen_server_is_noticed_and_live_again_when_it_thaws() {
    let Some((_ready, server, mut board)) = live_or_skip() else { return };
    let process = Pid::from_raw(server.nginx.process_id() as i32);
    kill(process, Signal::SIGSTOP).expect("our own child");
    board.until("retrying");
    board.until_lights(Indication::Retrying { because: Because::Network });
    kill(process, Signal::SIGCONT).expect("our own child");
    ends_well(&server, board);
}

// Shows F13.
#[test]
fn a_server_with_a_bad_certificate_gets_nothing_and_the_lights_say_why() {
    let Some((_ready, mut server, mut board)) = live_or_skip() else { return };
    server.replace(Flaw::WrongName);
    board.until("retrying");
    board.until_lights(Indication::Retrying { because: Because::Certificate });
    assert!(server.recorded_by_the_other().is_empty(), "a stranger got media");
    server.open();
    board.asks("live");
    ends_well(&server, board);
}

/// The bitrate that the encoder is asked for, as the console shows it.
fn encoder_target_kbps(status: &str) -> Option<u32> {
    let encoder = status.lines().find_map(|line| line.trim_start().strip_prefix("encoder "))?;
    encoder.split_once(" of ")?.1.split_once(" kb/s")?.0.parse().ok()
}

// Shows F08, F09.
#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_bad_uplink_costs_bitrate_and_not_the_broadcast() {
    let Some((_ready, server, mut board)) = live_or_skip() else { return };
    let set_kbps = encoder_target_kbps(&board.until("live")).expect("a bitrate");
    let interface = "dev $(ls /sys/class/net | grep ^e)";
    board.sh(&format!("tc qdisc add {interface} root netem delay 100ms 20ms loss 1% rate 150kbit"));
    let is_less = |output: &str| encoder_target_kbps(output).is_some_and(|kbps| kbps < set_kbps);
    board.until_status("a lower bitrate", is_less);
    board.until_lights(LIVE);
    server.receives(40_000);
    let status = board.until("live");
    assert!(is_less(&status) && status.contains(", 0 audio)"), "{status}");
    board.sh(&format!("tc qdisc del {interface} root"));
    let is_as_set = |output: &str| encoder_target_kbps(output) == Some(set_kbps);
    board.until_status("the bitrate that is set", is_as_set);
    board.until_lights(LIVE);
    server.receives(40_000);
    board.stops();
    server.only_stream();
}
