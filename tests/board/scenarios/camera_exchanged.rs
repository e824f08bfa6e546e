//! Another camera, or another of its modes, is set while the box is live: the broadcast goes on, and the server
//! has one session all the while.
//!
//! With: two cameras of `vivid`, nginx-rtmp behind TLS.

use firstmile::panel::{Attention, Indication};

use crate::rig::server::Server;
use crate::rig::{Board, PATIENCE, ready_or_skip};
use crate::support::eventually;

const LIVE: Indication = Indication::Live { attention: Attention::None };
/// Two cameras of one driver, which their names alone tell apart.
const TWO_CAMERAS: &str = "until modprobe -r vivid; do sleep 1; done; \
    modprobe vivid n_devs=2 num_inputs=1,1 input_types=0,0 num_outputs=1,1 output_types=0,0; \
    until grep -q vivid-001-vid-cap /sys/class/video4linux/*/name; do sleep 1; done";

/// The nodes of cameras that the box has open.
fn open_cameras(board: &mut Board) -> String {
    let process = board.main_process();
    board.sh(&format!(
        "for node in $(readlink /proc/{process}/fd/* | grep '^/dev/video' | sort -u); do \
         cat /sys/class/video4linux/${{node#/dev/}}/name; done"
    ))
}

/// Waits until the journal of the box has this.
#[track_caller]
fn until_journal(board: &mut Board, words: &str) {
    let found = eventually(PATIENCE, || board.journal().contains(words).then_some(()));
    found.unwrap_or_else(|| panic!("never {words}: {}", board.journal()));
}

// Shows F66.
#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_camera_that_is_exchanged_on_air_keeps_the_session_at_the_server() {
    let Some(ready) = ready_or_skip() else { return };
    let server = Server::start();
    let mut board = Board::fresh(&ready);
    board.sh(TWO_CAMERAS);
    board.provision(&server);
    board.types("set camera.device vivid-000\r", "camera.device is set");
    board.goes_live();
    server.receives(40_000);
    assert_eq!(open_cameras(&mut board).trim(), "vivid-000-vid-cap");

    board.types("set camera.device vivid-001\r", "camera.device is set");
    until_journal(&mut board, "video comes from vivid-001-vid-cap");
    assert_eq!(open_cameras(&mut board).trim(), "vivid-001-vid-cap");
    board.until_status("camera present", |output| output.contains("camera       present"));
    board.until_lights(LIVE);
    server.receives(40_000);

    // What is not there is stored, and the one on air stays.
    let stays = "what is on air stays there until it is plugged in";
    let answer = board.types("set camera.device nobody\r", stays);
    assert!(answer.contains("no camera matches \"nobody\""), "{answer}");
    assert!(answer.contains("vivid-000-vid-cap"), "it names those that there are: {answer}");
    assert_eq!(open_cameras(&mut board).trim(), "vivid-001-vid-cap");
    server.receives(20_000);

    // Another mode of the same camera, and then what the profile says.
    board.types("set camera.device vivid-001\r", "camera.device is set");
    board.types("set camera.mode 640x360\r", "camera.mode is set");
    until_journal(&mut board, "vivid-001-vid-cap (/dev/video");
    until_journal(&mut board, "640x360");
    board.types("unset camera.device\r", "camera.device is reset");
    until_journal(&mut board, "video comes from vivid-000-vid-cap");
    board.until_status("camera present", |output| output.contains("camera       present"));
    board.until_lights(LIVE);
    server.receives(40_000);
    let status = board.until("live");
    assert!(!status.contains("reconnect"), "{status}");
    board.stops();
    let stream = server.only_stream();
    println!(
        "board: camera exchanged: largest gaps {:.0} ms of video, {:.0} ms of audio",
        stream.largest_video_gap_ms, stream.largest_audio_gap_ms
    );
}
