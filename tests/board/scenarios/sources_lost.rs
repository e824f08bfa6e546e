//! A camera or a microphone that is lost changes the video or the audio, never the broadcast.

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
fn an_unplugged_camera_ends_nothing_and_its_video_comes_back() {
    camera_lost_and_back(live_or_skip());
}

// Shows F26.
#[test]
#[ignore = "in the full set: make test-board-all"]
fn an_unplugged_microphone_ends_nothing_and_its_audio_comes_back() {
    microphone_lost_and_back(live_or_skip());
}
