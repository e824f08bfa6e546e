//! Whatever happens between the box and its server, it is live again without a hand.

use std::thread;
use std::time::Duration;

use firstmile::panel::{Attention, Because, Indication};

use crate::rig::server::{Server, assert_watchable};
use crate::rig::{Board, ready_or_skip};

const LIVE: Indication = Indication::Live { attention: Attention::None };

fn live() -> Option<(Server, Board)> {
    let ready = ready_or_skip()?;
    let server = Server::start();
    let mut board = Board::fresh(&ready);
    board.provision(&server);
    board.goes_live();
    server.receives(40_000);
    Some((server, board))
}

/// Ends the broadcast; every programme that arrived can be watched.
fn ends_well(server: &Server, mut board: Board) {
    board.until("live");
    board.until_lights(LIVE);
    server.receives(40_000);
    board.stops();
    let programmes = server.programmes();
    programmes.iter().for_each(assert_watchable);
    assert!(programmes.len() <= 3, "{programmes:?}");
}

// Shows F04.
#[test]
fn a_cable_pulled_for_ten_seconds_is_told_and_forgiven() {
    let Some((server, mut board)) = live() else { return };
    board.cable(false);
    board.until("retrying");
    board.until_lights(Indication::Retrying { because: Because::Network });
    let status = board.status();
    assert!(status.contains("network      down"), "{status}");
    thread::sleep(Duration::from_secs(5));
    board.cable(true);
    ends_well(&server, board);
}
