//! A defect in the program costs the box some seconds, whichever thread meets it.
//!
//! With: a debugger on the shipped program.

use firstmile::panel::{Attention, Indication};

use crate::rig::defect::Defect;
use crate::rig::server::Server;
use crate::rig::{Board, ready_or_skip};

/// One of each kind: the event loop, a thread of the program's own, one of the runtime's pool, one of GStreamer's.
const KINDS: [&str; 4] = ["firstmile", "button", "tokio-rt-worker", "video_in:src"];

// Shows F30.
#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_panic_in_each_kind_of_thread_ends_in_a_live_box() {
    every_panic_is_survived(|_| KINDS.map(str::to_owned).to_vec());
}

// Shows F30.
#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_panic_in_any_thread_ends_in_a_live_box() {
    every_panic_is_survived(|all| all);
}

/// Lets threads of these of all names panic in turn. After each the box is live again without a hand.
fn every_panic_is_survived(of: impl Fn(Vec<String>) -> Vec<String>) {
    let Some(ready) = ready_or_skip() else { return };
    let defect = Defect::find();
    let server = Server::start();
    let mut board = Board::fresh(&ready);
    board.provision(&server);
    board.goes_live();
    server.receives(40_000);
    let process = board.main_process();
    let mut met = 0;
    for name in of(board.thread_names(&process)) {
        let (process, before) = (board.main_process(), board.now());
        if !board.panics(&process, &name, defect) {
            println!("board: the thread {name} has ended by itself");
            continue;
        }
        met += 1;
        board.until_another_process(&process);
        let result =
            board.sh("journalctl -u firstmile --no-pager | grep -c 'firstmile: a defect at '");
        assert_eq!(result.trim(), met.to_string(), "{name}: {}", board.journal());
        server.receives(40_000);
        board.until("live");
        let live = board.live_after(before).saturating_sub(before);
        println!("board: a panic in {name}, and live again after {} ms", live.as_millis());
    }
    assert!(met >= KINDS.len() - 1, "only {met} threads were there; those of the pool come and go");
    board.until_lights(Indication::Live { attention: Attention::None });
    board.stops();
    server.assert_watchable_again();
}
