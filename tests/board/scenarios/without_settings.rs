//! A box that nobody has set up says so, and sends nothing.
//!
//! With: the package as it is installed.

use firstmile::panel::Indication;

use crate::rig::server::Server;
use crate::rig::{Board, ready_or_skip};

#[test]
fn a_box_without_settings_says_so_and_sends_nothing() {
    let Some(ready) = ready_or_skip() else { return };
    let server = Server::start();
    let mut board = Board::fresh(&ready);
    board.until_lights(Indication::NeedsSetup);
    board.press();
    let status = board.until("needs setup");
    assert!(status.contains("camera       present"), "{status}");
    assert!(status.contains("microphone   present"), "{status}");
    assert!(status.contains("network      up"), "{status}");
    board.until_lights(Indication::NeedsSetup);
    assert_eq!(server.recorded_bytes(), 0);
}
