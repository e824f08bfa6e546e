//! Power that is cut: the box comes back as it was.

use std::env;

use firstmile::panel::{Attention, Indication};

use crate::rig::server::{Server, assert_watchable};
use crate::rig::{Board, ready_or_skip};

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
        server.falls_silent();
        board = Board::booted(&ready, disks);
        board.trust(&server);
        board.start_box();
        server.receives(40_000);
        board.until("live");
        println!("board: power cut {n} while live, and live again without a hand");
    }
    board.until_lights(Indication::Live { attention: Attention::None });
    board.stops();
    server.programmes().iter().for_each(assert_watchable);
}
