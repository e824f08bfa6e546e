//! A machine that boots, for whatever reason, is live again when it was, without a hand.
//!
//! With: systemd, the watchdogs i6300esb and systemd's own, the real kernel.

use firstmile::panel::{Attention, Indication};

use crate::rig::server::Server;
use crate::rig::{Board, ready_or_skip};

/// A box that is live, on a machine that starts it at boot.
fn live(mut board: Board, server: &Server) -> Board {
    board.boots_by_itself();
    board.provision(server);
    board.goes_live();
    server.receives(40_000);
    board
}

/// The machine boots by itself, the box is live by itself, and its button ends the broadcast.
fn is_live_again(server: &Server, board: &mut Board, what: &str) {
    server.receives(40_000);
    board.until("live");
    board.until_lights(Indication::Live { attention: Attention::None });
    let live = board.live_since_boot();
    println!("board: {what}, and live {} ms after the kernel's start", live.as_millis());
    board.stops();
    server.assert_watchable_again();
}

#[test]
fn a_box_that_is_asked_to_reboot_while_live_comes_back_live() {
    let Some(ready) = ready_or_skip() else { return };
    let server = Server::start();
    let mut board = live(Board::fresh(&ready), &server);
    let boot = board.boot();
    board.types("reboot yes\r", "reboot");
    board.until_booted_after(&boot);
    is_live_again(&server, &mut board, "rebooted at the console");
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_box_that_was_not_live_is_not_live_after_a_reboot() {
    let Some(ready) = ready_or_skip() else { return };
    let server = Server::start();
    let mut board = Board::fresh(&ready);
    board.boots_by_itself();
    board.provision(&server);
    board.goes_live();
    board.stops();
    server.falls_silent();
    let (boot, received) = (board.boot(), server.recorded_bytes());
    board.agent.begin("systemctl reboot");
    board.until_booted_after(&boot);
    board.until("ready");
    board.until_lights(Indication::Ready);
    assert_eq!(server.recorded_bytes(), received, "nobody has pressed the button");
}

// Shows F27.
#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_machine_whose_power_was_cut_while_live_boots_and_is_live() {
    let Some(ready) = ready_or_skip() else { return };
    let server = Server::start();
    let disks = live(Board::fresh(&ready), &server).cut_power();
    let mut board = Board::power_on(&ready, disks, &[]);
    is_live_again(&server, &mut board, "power was cut");
}

/// A machine that hangs is reset by its watchdog.
fn is_reset(what: &str, hangs: &str) {
    let Some(ready) = ready_or_skip() else { return };
    let server = Server::start();
    let mut board = Board::fresh(&ready);
    board.arm_watchdog();
    let mut board = live(board, &server);
    let boot = board.boot();
    board.agent.begin(hangs);
    board.until_booted_after(&boot);
    is_live_again(&server, &mut board, what);
}

// Shows F30.
#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_kernel_that_hangs_is_reset_by_the_watchdog_and_live_again() {
    is_reset("the kernel hung", "echo 0 >/proc/sys/kernel/panic; echo c >/proc/sysrq-trigger");
}

// Shows F30.
#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_systemd_that_hangs_is_reset_by_the_watchdog_and_live_again() {
    is_reset("systemd hung", "kill -SEGV 1");
}
