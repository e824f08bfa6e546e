//! The button leads to a stream that any viewer can watch.
//!
//! With: `vivid`, `snd-aloop`, `gpio-sim`, nginx-rtmp behind TLS.

use std::time::Duration;

use firstmile::panel::{Attention, Indication};

use crate::rig::server::Server;
use crate::rig::{Board, ready_or_skip};

#[test]
fn the_button_leads_to_a_decodable_stream_over_rtmps() {
    let Some(ready) = ready_or_skip() else { return };
    let server = Server::start();
    let mut board = Board::fresh(&ready);
    board.until_lights(Indication::NeedsSetup);
    board.provision(&server);
    board.until_lights(Indication::Ready);
    let pressed = board.press();
    board.until("live");
    board.until_lights(Indication::Live { attention: Attention::None });
    server.receives(100_000);
    board.stops();
    board.until_lights(Indication::Ready);
    let stream = server.only_stream();
    assert!(stream.largest_video_gap_ms < 1_500.0, "{stream:?}");
    let live = board.live_after(pressed);
    println!(
        "board: press to first acknowledged key frame {} ms of the board's time; {stream:?}",
        live.saturating_sub(pressed).as_millis()
    );
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_hold_ends_the_broadcast_and_a_short_press_does_not() {
    let Some(ready) = ready_or_skip() else { return };
    let server = Server::start();
    let mut board = Board::fresh(&ready);
    board.provision(&server);
    board.goes_live();
    server.receives(30_000);
    board.press();
    server.receives(30_000);
    board.until("live");
    board.stops();
    board.until_lights(Indication::Ready);
    server.only_stream();
    // A hold on a box that is ready starts nothing.
    let received = server.recorded_bytes();
    board.hold(Duration::from_millis(2_600));
    board.until_lights(Indication::Ready);
    board.until("ready");
    assert_eq!(server.recorded_bytes(), received);
}
