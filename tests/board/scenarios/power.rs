//! Power that is cut: the box comes back as it was.

use std::env;
use std::thread;
use std::time::Duration;

use firstmile::panel::{Attention, Indication};

use crate::rig::server::Server;
use crate::rig::stick::Stick;
use crate::rig::{Board, KEY, ready_or_skip};

/// How often the power is cut in each of the loops.
fn cuts() -> u32 {
    env::var("FIRSTMILE_BOARD_CUTS").ok().and_then(|n| n.parse().ok()).unwrap_or(1)
}

// Shows F27.
#[test]
fn power_cuts_while_live_lead_back_to_live() {
    let Some(ready) = ready_or_skip() else { return };
    let server = Server::start();
    let mut board = Board::fresh(&ready);
    board.provision(&server);
    board.goes_live();
    server.receives(40_000);
    for n in 1..=cuts() {
        let disks = board.cut_power();
        board = Board::booted(&ready, disks);
        board.trust(&server);
        board.start_box();
        server.receives(40_000);
        board.until("live");
        println!("board: power cut {n} while live, and live again without a hand");
    }
    board.until_lights(Indication::Live { attention: Attention::None });
    server.receives(40_000);
    board.stops();
    server.assert_watchable_again();
}

/// Cuts the power again and again at any moment of `act`, which writes settings for the n-th time. After each cut the
/// box starts with whole settings and with its key, and at the end it goes live.
fn survives(what: &str, mut act: impl FnMut(&mut Board, u32)) {
    let Some(ready) = ready_or_skip() else { return };
    let server = Server::start();
    let mut board = Board::fresh(&ready);
    board.provision(&server);
    let mut disks = board.cut_power();
    let mut random = fastrand::Rng::new();
    for n in 1..=cuts() {
        let mut board = Board::booted(&ready, disks);
        board.trust(&server);
        board.start_box();
        let status = board.until("ready|live");
        let shown = board.asks("show");
        assert!(shown.contains(&format!("set, {} characters", KEY.len())), "cut {n}: {shown}");
        assert!(!board.journal().contains("damaged"), "cut {n}: {status}\n{}", board.journal());
        act(&mut board, n);
        thread::sleep(Duration::from_millis(random.u64(0..4_000)));
        disks = board.cut_power();
        println!("board: power cut {n} {what}");
    }
    let mut board = Board::booted(&ready, disks);
    board.trust(&server);
    board.start_box();
    board.until("ready|live");
    if board.status().contains("state        ready") {
        board.goes_live();
    }
    server.receives(40_000);
    board.until_lights(Indication::Live { attention: Attention::None });
    board.stops();
    server.assert_watchable_again();
}

// Shows F27.
#[test]
fn power_cuts_while_settings_are_written_leave_the_old_or_the_new() {
    survives("while settings are written", |board, n| {
        board.agent.begin(&format!(
            "(for i in 1 2 3 4 5 6 7 8 9; do firstmile ctl set video.bitrate_kbps $((300 + i + {n})); done) >/dev/null 2>&1 &"
        ));
    });
}

// Shows F27.
#[test]
#[ignore = "in the full set: make test-board-all"]
fn power_cuts_while_a_stick_is_imported_leave_the_old_or_the_new() {
    let text = |n: u32| {
        format!(
            "version = 1\n[video]\nbitrate_kbps = {}\n[box]\nname = \"cut {n}\"\n",
            300 + n % 300
        )
    };
    let mut plugged = Vec::new();
    survives("during an import", |board, n| {
        let stick = Stick::with_settings(&text(n));
        board.plug(&stick);
        plugged.push(stick); // it stays plugged in until the power goes
    });
}
