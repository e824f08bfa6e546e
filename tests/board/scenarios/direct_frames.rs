//! Frames that go from the camera's driver to the encoder's: nobody copies them, and whatever cannot go that way is
//! copied, without an end of the broadcast.
//!
//! With: `vivid`, `v4l2h264enc` with the board's own driver, DMABuf.

use std::thread;
use std::time::Duration;

use firstmile::panel::{Attention, Indication};

use crate::rig::encoder::ELEMENT;
use crate::rig::server::Server;
use crate::rig::{Board, Scenario, ready_or_skip};

const LIVE: Indication = Indication::Live { attention: Attention::None };
const COPIES: &str = "v4l2h264enc copies frames from now on";
/// Broadcasts in which a busy machine may take the camera of an emulated board for a lost one.
const BROADCASTS_MAX: usize = 5;

/// A board with a hardware encoder, its server, and what its owner has set.
fn provisioned_or_skip(settings: &[&str]) -> Option<(Scenario, Server, Board)> {
    let ready = ready_or_skip()?;
    let server = Server::start();
    let mut board = Board::with_encoder(&ready, "");
    board.provision(&server);
    for setting in settings {
        board.asks(&format!("set {setting}"));
    }
    Some((ready, server, board))
}

/// Goes live by the hardware encoder, until the server has got something.
fn goes_live(board: &mut Board, server: &Server) {
    board.goes_live();
    board.until_encoded_by(ELEMENT);
    server.receives(40_000);
}

/// What is seen in a broadcast over which no camera was lost.
fn with_the_camera_all_along<T>(
    board: &mut Board,
    server: &Server,
    mut look: impl FnMut(&mut Board) -> T,
) -> T {
    for _ in 0..BROADCASTS_MAX {
        goes_live(board, server);
        let seen = look(board);
        if !board.journal().contains(COPIES) {
            return seen;
        }
        println!("board: too slow for its camera; another broadcast");
        board.stops();
        board.sh("journalctl --rotate --vacuum-time=1s 2>/dev/null");
    }
    panic!("the camera was lost in each of {BROADCASTS_MAX} broadcasts: {}", board.journal());
}

/// What the driver of the encoder has coded: frames that it read where they lay, and others.
#[derive(Debug, Clone, Copy)]
struct Coded {
    imported: u64,
    copied: u64,
}

fn coded(board: &mut Board) -> Coded {
    // Nearly at once: a frame that is coded in between counts as copied.
    let [imported, frames] = board.encoder_counts(["frames_imported", "frames"]);
    Coded { imported, copied: frames - imported }
}

#[test]
fn every_frame_goes_from_the_cameras_driver_to_the_encoders_without_a_copy() {
    let Some((_ready, server, mut board)) = provisioned_or_skip(&[]) else { return };
    let (before, after) = with_the_camera_all_along(&mut board, &server, |board| {
        let before = coded(board);
        server.receives(200_000);
        (before, coded(board))
    });
    board.stops();
    println!("board: {before:?}, then {after:?}; {:?}", server.streams());
    assert!(after.imported >= before.imported + 30, "{before:?} {after:?}");
    assert!(after.copied <= before.copied + 1, "{before:?} {after:?}");
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn an_unplugged_camera_is_replaced_by_a_slate_that_is_copied_until_the_next_broadcast() {
    let Some((_ready, server, mut board)) = provisioned_or_skip(&[]) else { return };
    goes_live(&mut board, &server);
    let then = board.now();
    board.sh("echo vivid.0 >/sys/bus/platform/drivers/vivid/unbind");
    board.until_status("camera absent", |output| {
        output.contains("camera       absent") && output.contains("state        live")
    });
    let slate = coded(&mut board);
    server.receives(20_000);
    let later = coded(&mut board);
    assert!(later.copied > slate.copied, "the slate is on air: {slate:?} {later:?}");
    assert!(board.journal().contains(COPIES), "{}", board.journal());
    board.sh("echo vivid.0 >/sys/bus/platform/drivers/vivid/bind");
    board.until_status("camera present", |output| output.contains("camera       present"));
    board.until_lights(LIVE);
    server.receives(40_000);
    let imported = coded(&mut board).imported;
    assert_eq!(imported, later.imported, "it stays so for the broadcast");
    println!("board: without a camera and back in {} s", (board.now() - then).as_secs());
    board.stops();
    let stream = server.only_stream();
    println!("board: largest gap of video {:.0} ms", stream.largest_video_gap_ms);

    goes_live(&mut board, &server);
    let after = coded(&mut board);
    assert!(after.imported > imported + 10, "the next broadcast: {imported} {after:?}");
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn frames_are_copied_where_the_time_of_day_is_drawn_over_them() {
    let settings = ["overlay.clock true"];
    let Some((_ready, server, mut board)) = provisioned_or_skip(&settings) else { return };
    goes_live(&mut board, &server);
    server.receives(40_000);
    board.stops();
    server.only_stream();
    let coded = coded(&mut board);
    assert!(coded.imported == 0 && coded.copied > 30, "{coded:?}");
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_video_that_is_turned_on_air_is_copied_from_then_on_in_the_same_broadcast() {
    let Some((_ready, server, mut board)) = provisioned_or_skip(&[]) else { return };
    goes_live(&mut board, &server);
    board.asks("set video.rotate 180");
    server.receives(40_000);
    let turned = coded(&mut board);
    server.receives(40_000);
    let later = coded(&mut board);
    assert!(board.journal().contains(COPIES), "{}", board.journal());
    board.stops();
    server.only_stream();
    assert!(later.copied > turned.copied, "{turned:?} {later:?}");
    assert_eq!(later.imported, turned.imported, "{turned:?} {later:?}");
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_network_that_stalls_holds_no_frame_of_the_camera() {
    let Some((_ready, server, mut board)) = provisioned_or_skip(&[]) else { return };
    let [before, stalled, later] = with_the_camera_all_along(&mut board, &server, |board| {
        let before = coded(board);
        board.cable(false);
        board.until("retrying");
        let stalled = coded(board);
        thread::sleep(Duration::from_secs(10));
        let later = coded(board);
        board.cable(true);
        board.until("live");
        server.receives(40_000);
        [before, stalled, later]
    });
    board.stops();
    println!("board: {before:?}, then {stalled:?}, then {later:?}");
    assert!(later.imported > stalled.imported, "the camera goes on: {stalled:?} {later:?}");
    assert!(later.copied <= before.copied + 1, "{before:?} {later:?}");
}
