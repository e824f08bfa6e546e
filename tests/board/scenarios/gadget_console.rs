//! The console at the USB device port, for a computer with nothing but a cable: the box is set up and taken live there, and
//! whatever the computer does, the broadcast goes on.
//!
//! With: `g_serial`, `cdc-acm` and `dummy_hcd`, which joins the two.

use std::thread;
use std::time::Duration;

use crate::rig::server::Server;
use crate::rig::{Board, KEY, Scenario, ready_or_skip};

/// How often the cable is pulled out.
const PULLS: usize = 5;
/// Far longer than the service's watchdog waits.
const SEVERAL_WATCHDOGS: Duration = Duration::from_secs(30);
const DESCRIPTORS_MORE_MAX: u64 = 1;

/// A board that was set up, and is live, by nothing but the cable to a laptop.
fn live_or_skip() -> Option<(Scenario, Server, Board)> {
    let ready = ready_or_skip()?;
    let server = Server::start();
    let mut board = Board::with_gadget(&ready);
    board.trust(&server);
    board.until("needs setup");
    board.laptop_reads();
    // Programs of a computer probe such a port for a modem.
    thread::sleep(Duration::from_secs(3));
    assert_eq!(board.laptop_has_read(), "", "it speaks before it is spoken to");
    board.laptop_asks("\r", "firstmile (needs setup)> ");
    let help = board.laptop_asks("help\r", "(needs setup)> ");
    assert!(help.contains("status") && help.contains("destination"), "{help}");
    let url = server.url();
    board.laptop_asks(&format!("destination add tube {url}\r"), "destination.tube.url is set");
    let authority = "set destination.tube.ca_file /etc/firstmile/authority.pem\r";
    board.laptop_asks(authority, "ca_file is set");
    board.laptop_asks("key tube\r", "(not shown): ");
    let typed = board.laptop_asks(&format!("{KEY}\r"), "firstmile (ready)> ");
    assert!(!typed.contains(KEY), "the key is echoed");
    board.laptop_asks("live\r", "going live");
    board.until("live");
    server.receives(40_000);
    Some((ready, server, board))
}

/// Descriptors that the box's process has open.
fn descriptors(board: &mut Board) -> u64 {
    let process = board.main_process();
    board.sh(&format!("ls /proc/{process}/fd | wc -l")).trim().parse().expect("a number")
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_box_is_set_up_and_live_by_a_usb_cable_and_stays_live_when_that_is_pulled_out_and_plugged_in_again()
 {
    let Some((_ready, server, mut board)) = live_or_skip() else { return };
    let (process, before) = (board.main_process(), descriptors(&mut board));
    for pull in 1..=PULLS {
        board.gadget_cable(false);
        server.receives(10_000);
        board.until("live"); // the serial line
        board.gadget_cable(true);
        board.laptop_closes();
        board.laptop_reads();
        board.laptop_asks("\r", "firstmile (live)> ");
        let status = board.laptop_asks("status\r", "firstmile (live)> ");
        assert!(status.contains("state        live"), "pull {pull}: {status}");
    }
    let after = descriptors(&mut board);
    assert!(after <= before + DESCRIPTORS_MORE_MAX, "descriptors: {before}, then {after}");
    assert_eq!(board.main_process(), process, "it was started again");
    // The port itself goes, as when its driver is taken away, and comes back.
    board.laptop_closes();
    board.sh(
        "modprobe -r g_serial && until [ ! -e /dev/ttyGS0 ]; do sleep 0.2; done; modprobe g_serial",
    );
    board.laptop_reads();
    board.laptop_asks("\r", "firstmile (live)> ");
    board.laptop_asks("stop\r", "ending the broadcast");
    board.until("ready");
    server.only_stream();
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_computer_that_does_not_read_the_console_at_the_usb_port_holds_up_nothing() {
    let Some((_ready, server, mut board)) = live_or_skip() else { return };
    board.own_watchdog();
    board.sh("systemctl restart firstmile");
    board.until("live");
    let process = board.main_process();
    board.laptop_asks("\r", "firstmile (live)> ");
    // The box has something to say each second, and nobody has the port open any more.
    board.laptop_asks("levels watch\r", "levels");
    board.laptop_closes();
    is_served_beside_it(&mut board, &server, &process);
    // Somebody has it open, asks for much, and reads nothing of it.
    board.laptop_does_not_read();
    for _ in 0..20 {
        board.laptop_types(&"help all\r".repeat(20));
    }
    is_served_beside_it(&mut board, &server, &process);
    // Who reads after all sees that there was more, and is answered.
    board.laptop_closes();
    board.laptop_reads();
    board.laptop_types("\r");
    board.wait_until("how much there was more", |board| {
        board.laptop_has_read().contains("lines not shown")
    });
    let status = board.laptop_asks("status\r", "state        live");
    assert!(status.contains("destinations"), "{status}");
    // A process that ends does not wait for who does not read.
    board.laptop_asks("levels watch\r", "levels");
    board.laptop_closes();
    thread::sleep(Duration::from_secs(5));
    let killed = board.now();
    board.sh(&format!("kill -KILL {process}"));
    board.until_another_process(&process);
    let again = board.now() - killed;
    println!(
        "board: another process {again:?} after it was killed while nobody read the USB console"
    );
    board.until("live");
    server.receives(30_000);
    board.stops();
    server.assert_watchable_again();
}

/// The broadcast and the other console go on, and the watchdog has no reason to bark.
#[track_caller]
fn is_served_beside_it(board: &mut Board, server: &Server, process: &str) {
    let begin = board.now();
    while board.now() - begin < SEVERAL_WATCHDOGS {
        server.receives(5_000);
        board.until("live");
    }
    assert_eq!(board.main_process(), process, "it was started again: {}", board.journal());
}
