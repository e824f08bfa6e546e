//! A process that dies or hangs comes back, and so does the broadcast.
//!
//! With: systemd and its watchdog, `gpio-sim`.

use std::time::Duration;

use firstmile::panel::{Attention, Indication};

use crate::rig::qemu::Disks;
use crate::rig::server::Server;
use crate::rig::{Board, ready_or_skip};

/// Lets something happen to the process of a box that is live; it has another one soon, and is live
/// again.
fn comes_back(what: &str, happens: &str) {
    let Some(ready) = ready_or_skip() else { return };
    let server = Server::start();
    let mut board = Board::booted(&ready, Disks::new(&ready.installed()));
    board.own_watchdog();
    board.start_box();
    board.provision(&server);
    board.goes_live();
    server.receives(40_000);
    let before = board.main_process();
    let then = board.now();
    board.sh(&happens.replace("PID", &before));
    board.until_another_process(&before);
    board.until("live");
    let live = board.live_after(then);
    println!(
        "board: the process is {what}, and live again after {} ms of the board's time",
        live.saturating_sub(then).as_millis()
    );
    board.until_lights(Indication::Live { attention: Attention::None });
    server.receives(40_000);
    board.stops();
    server.assert_watchable_again();
}

// Shows F30.
#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_killed_process_is_started_again_and_live_again() {
    comes_back("killed", "kill -KILL PID");
}

// Shows F30.
#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_stopped_process_is_noticed_by_the_watchdog_and_live_again() {
    comes_back("stopped", "kill -STOP PID");
}

// Shows F30.
#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_hung_process_is_noticed_by_the_watchdog_and_live_again() {
    comes_back("frozen", "echo 1 >/sys/fs/cgroup/system.slice/firstmile.service/cgroup.freeze");
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn the_lights_go_out_with_the_process() {
    let Some(ready) = ready_or_skip() else { return };
    let mut board = Board::fresh(&ready);
    board.until_lights(Indication::NeedsSetup);
    board.sh("systemctl stop firstmile");
    are_dark(&mut board);
    // One that is killed cannot switch them off: the kernel takes the lines back.
    board.sh("systemctl start firstmile");
    board.until_lights(Indication::NeedsSetup);
    board.sh("mkdir -p /run/systemd/system/firstmile.service.d; \
              printf '[Service]\\nRestart=no\\n' >/run/systemd/system/firstmile.service.d/once.conf; \
              systemctl daemon-reload; systemctl kill -s KILL firstmile; \
              until systemctl is-failed -q firstmile; do sleep 0.2; done");
    are_dark(&mut board);
}

fn are_dark(board: &mut Board) {
    let looks = board.look(Duration::from_secs(3));
    assert!(looks.len() > 5 && looks.iter().all(|look| !look.live && !look.status), "{looks:?}");
}
