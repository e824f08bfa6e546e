//! A camera or a microphone that is lost changes the video or the audio, never the broadcast.
//!
//! With: `vivid`, `snd-aloop`.

use firstmile::panel::{Attention, Indication};

use crate::rig::server::Server;
use crate::rig::{Board, Scenario, live_or_skip};

/// What a board that is live does when its camera is unplugged and plugged in again.
pub fn camera_lost_and_back(live: Option<(Scenario, Server, Board)>) {
    lost_and_back(live, "vivid", "vivid.0", "camera", Attention::Camera);
}

/// The same with its microphone.
pub fn microphone_lost_and_back(live: Option<(Scenario, Server, Board)>) {
    lost_and_back(live, "snd_aloop", "snd_aloop.0", "microphone", Attention::Microphone);
}

/// What a board that is live does when its camera delivers no more frames and reports no error, and then
/// does again.
pub fn camera_freezes(live: Option<(Scenario, Server, Board)>) {
    let Some((_ready, server, mut board)) = live else { return };
    let dropped = |board: &mut Board, percent: u32| {
        let control = format!("percentage_of_dropped_buffers={percent}");
        board.sh(&format!("v4l2-ctl -d /dev/video0 -c {control}"));
    };
    let then = board.now();
    dropped(&mut board, 100);
    board.until_status("camera absent", |output| {
        output.contains("camera       absent") && output.contains("state        live")
    });
    println!("board: noticed within {} s", (board.now() - then).as_secs());
    board.until_lights(Indication::Live { attention: Attention::Camera });
    assert!(board.journal().contains("camera: lost"), "{}", board.journal());
    server.receives(10_000);
    dropped(&mut board, 0);
    board.until_status("camera present", |output| output.contains("camera       present"));
    board.until_lights(Indication::Live { attention: Attention::None });
    server.receives(40_000);
    board.stops();
    let stream = server.only_stream();
    println!(
        "board: camera frozen: largest gaps {:.0} ms of video, {:.0} ms of audio",
        stream.largest_video_gap_ms, stream.largest_audio_gap_ms
    );
}

/// Unbinds the driver as an unplugged cable does, and binds it again.
fn lost_and_back(
    live: Option<(Scenario, Server, Board)>,
    driver: &str,
    device: &str,
    word: &str,
    attention: Attention,
) {
    let Some((_ready, server, mut board)) = live else { return };
    board.sh(&format!("echo {device} >/sys/bus/platform/drivers/{driver}/unbind"));
    let absent = format!("{word:12} absent");
    board.until_status(&absent, |output| {
        output.contains(&absent) && output.contains("state        live")
    });
    board.until_lights(Indication::Live { attention });
    server.receives(10_000);
    board.sh(&format!("echo {device} >/sys/bus/platform/drivers/{driver}/bind"));
    if driver == "snd_aloop" {
        // Without the card it failed more often than systemd starts a service again.
        board.sh("systemctl reset-failed board-tone; systemctl restart board-tone");
    }
    let present = format!("{word:12} present");
    board.until_status(&present, |output| output.contains(&present));
    board.until_lights(Indication::Live { attention: Attention::None });
    server.receives(40_000);
    board.stops();
    let stream = server.only_stream();
    println!(
        "board: {word} lost and back: largest gaps {:.0} ms of video, {:.0} ms of audio",
        stream.largest_video_gap_ms, stream.largest_audio_gap_ms
    );
}

// Shows F24.
#[test]
#[ignore = "in the full set: make test-board-all"]
fn an_unplugged_camera_ends_nothing_and_its_video_comes_back() {
    camera_lost_and_back(live_or_skip());
}

// Shows F25.
#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_camera_that_freezes_is_opened_again_and_its_video_comes_back() {
    camera_freezes(live_or_skip());
}

// Shows F26.
#[test]
#[ignore = "in the full set: make test-board-all"]
fn an_unplugged_microphone_ends_nothing_and_its_audio_comes_back() {
    microphone_lost_and_back(live_or_skip());
}
