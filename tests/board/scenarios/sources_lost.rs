//! A camera or a microphone that is lost changes the picture or the sound, never the broadcast.

use firstmile::panel::{Attention, Indication};

use crate::rig::live_or_skip;

/// Unbinds the driver as an unplugged cable does, and binds it again.
fn lost_and_back(driver: &str, device: &str, word: &str, attention: Attention) {
    let Some((_ready, server, mut board)) = live_or_skip() else { return };
    board.sh(&format!("echo {device} >/sys/bus/platform/drivers/{driver}/unbind"));
    let absent = format!("{word:12} absent");
    board.until_told(&absent, |said| said.contains(&absent) && said.contains("state        live"));
    board.until_lights(Indication::Live { attention });
    server.receives(10_000);
    board.sh(&format!("echo {device} >/sys/bus/platform/drivers/{driver}/bind"));
    if driver == "snd_aloop" {
        board.sh("systemctl restart board-tone");
    }
    let present = format!("{word:12} present");
    board.until_told(&present, |said| said.contains(&present));
    board.until_lights(Indication::Live { attention: Attention::None });
    server.receives(40_000);
    board.stops();
    let programme = server.only_programme();
    println!(
        "board: {word} lost and back: largest gaps {:.0} ms of picture, {:.0} ms of sound",
        programme.largest_video_gap_ms, programme.largest_audio_gap_ms
    );
}

// Shows F24.
#[test]
fn an_unplugged_camera_ends_nothing_and_its_picture_comes_back() {
    lost_and_back("vivid", "vivid.0", "camera", Attention::Camera);
}

// Shows F26.
#[test]
#[ignore = "in the full set: make test-board-all"]
fn an_unplugged_microphone_ends_nothing_and_its_sound_comes_back() {
    lost_and_back("snd_aloop", "snd_aloop.0", "microphone", Attention::Microphone);
}
