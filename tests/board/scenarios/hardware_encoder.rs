//! A hardware encoder, with a driver that has the known bugs of such drivers: the broadcast goes on, whatever it does.
//!
//! With: `vivid`, `v4l2h264enc` with the board's own driver.

use firstmile::panel::{Attention, Indication};

use crate::rig::encoder::{ELEMENT, PARAMETERS, SOFTWARE, bitrates_kbps, level};
use crate::rig::server::Server;
use crate::rig::{Board, Scenario, ready_or_skip};
use crate::scenarios::sources_lost::{
    camera_freezes, camera_lost_and_back, microphone_lost_and_back,
};

const LIVE: Indication = Indication::Live { attention: Attention::None };

/// A board that is live by its hardware encoder, which has these bugs.
fn live_or_skip(bugs: &str) -> Option<(Scenario, Server, Board)> {
    let ready = ready_or_skip()?;
    let server = Server::start();
    let mut board = Board::with_encoder(&ready, bugs);
    board.provision(&server);
    board.goes_live();
    Some((ready, server, board))
}

/// A broadcast over which this is done to the driver: software takes its place, and what arrives can be watched.
fn software_takes_over(set: &[(&str, u32)]) {
    let Some((_ready, server, mut board)) = live_or_skip("") else { return };
    board.until_encoded_by(ELEMENT);
    server.receives(40_000);
    let then = board.now();
    for (name, value) in set {
        board.set_encoder(name, *value);
    }
    let status = board.until_encoded_by(SOFTWARE);
    assert!(status.contains("state        live"), "{status}");
    println!("board: replaced after {} s of the board's time", (board.now() - then).as_secs());
    server.receives(40_000);
    board.until_lights(LIVE);
    for (name, _) in set {
        board.set_encoder(name, 0);
    }
    board.stops();
    let stream = server.only_stream();
    println!("board: largest gap of video {:.0} ms", stream.largest_video_gap_ms);
}

#[test]
fn a_hardware_encoder_is_chosen_and_its_stream_decodes() {
    let Some((_ready, server, mut board)) = live_or_skip("") else { return };
    board.until_encoded_by(ELEMENT);
    server.receives(200_000);
    board.stops();
    board.until_lights(Indication::Ready);
    let stream = server.only_stream();
    let (coded, imported) = (board.encoder("frames"), board.encoder("frames_imported"));
    println!("board: {coded} frames coded, {imported} of them imported; {stream:?}");
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_hardware_encoder_follows_the_bitrate_within_two_seconds() {
    let Some((_ready, server, mut board)) = live_or_skip("") else { return };
    board.until_encoded_by(ELEMENT);
    let steps_kbps = [300, 600, 200, 500];
    for kbps in steps_kbps {
        board.asks(&format!("set video.bitrate_kbps {kbps}"));
        server.receives(kbps * 1_000 / 8 * 8);
    }
    board.stops();
    server.only_stream();
    let rates = bitrates_kbps(&server.nginx.recorded()[0]);
    println!("board: {rates:?}");
    let near = |rate: f64, kbps: u64| (rate - kbps as f64).abs() <= kbps as f64 / 10.0;
    let mut rest = &rates[..];
    for kbps in steps_kbps {
        let at = rest.iter().position(|rate| near(*rate, kbps)).expect("it follows");
        assert!(at <= 2, "{at} s until {kbps} kbit/s: {rates:?}");
        let held = rest[at..].iter().take_while(|rate| near(**rate, kbps)).count();
        assert!(held >= 4, "{kbps} kbit/s for {held} s: {rates:?}");
        rest = &rest[at + held..];
    }
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_hardware_encoder_makes_a_key_frame_when_a_server_is_reached_and_none_waits() {
    let Some(ready) = ready_or_skip() else { return };
    let server = Server::start();
    let mut board = Board::with_encoder(&ready, "");
    board.provision(&server);
    board.asks("set video.keyframe_interval_ms 10000");
    board.goes_live();
    board.until_encoded_by(ELEMENT);
    server.receives(40_000);
    let before = board.encoder("key_requests");
    // One that the encoder has made by itself in the meantime is sent instead.
    let is_asked = (0..4).any(|_| {
        server.close();
        board.until("retrying");
        server.open();
        board.until("live");
        server.receives(40_000);
        board.encoder("key_requests") > before
    });
    assert!(is_asked);
    board.stops();
    server.assert_watchable_again();
}

// Shows F57.
#[test]
#[ignore = "in the full set: make test-board-all"]
fn an_encoder_whose_driver_hangs_is_replaced_by_software() {
    software_takes_over(&[("hang_after", 1)]);
}

// Shows F57.
#[test]
#[ignore = "in the full set: make test-board-all"]
fn an_encoder_that_falls_silent_is_replaced_by_software() {
    software_takes_over(&[("silent_after", 1)]);
}

// Shows F57.
#[test]
#[ignore = "in the full set: make test-board-all"]
fn an_encoder_whose_driver_fails_is_replaced_by_software() {
    software_takes_over(&[("fail_after", 1)]);
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn an_encoder_that_refuses_to_start_again_is_replaced_by_software() {
    software_takes_over(&[("fail_after", 1), ("refuse_start", 1)]);
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn an_unplugged_camera_ends_nothing_for_a_hardware_encoder() {
    camera_lost_and_back(live_or_skip(""));
}

// Shows F25.
#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_camera_that_freezes_ends_nothing_for_a_hardware_encoder() {
    camera_freezes(live_or_skip(""));
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn an_unplugged_microphone_ends_nothing_beside_a_hardware_encoder() {
    microphone_lost_and_back(live_or_skip(""));
}

/// A driver whose bug the table of encoders answers: its encoder is used all the same.
fn is_used_in_spite_of(bug: &str) -> Option<Server> {
    is_used_with(bug, "", &[], 60_000, |_| ())
}

/// The same with these lines of the board profile changed (`old;new`) and these settings. So many bytes of
/// it are received, and then what the driver was asked for is looked at.
fn is_used_with(
    bug: &str,
    profile: &str,
    settings: &[&str],
    bytes: u64,
    look: impl FnOnce(&mut Board),
) -> Option<Server> {
    let ready = ready_or_skip()?;
    let server = Server::start();
    let mut board = Board::with_encoder_and(&ready, bug, profile);
    board.provision(&server);
    for setting in settings {
        let answer = board.asks(&format!("set {setting}"));
        assert!(answer.contains(" is set"), "{answer}");
    }
    board.goes_live();
    board.until_encoded_by(ELEMENT);
    server.receives(bytes);
    look(&mut board);
    let status = board.status();
    assert!(status.contains(&format!("frames by {ELEMENT}")), "{status}");
    assert!(!status.contains("restarted"), "{status}");
    board.stops();
    server.only_stream();
    Some(server)
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn an_encoder_that_takes_too_low_a_level_by_itself_is_given_one() {
    let _ = is_used_in_spite_of("refuse_low_level=1");
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn an_encoder_that_ignores_requests_for_key_frames_still_makes_them_at_their_interval() {
    let _ = is_used_in_spite_of("ignore_force_key=1");
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn an_encoder_that_refuses_to_start_is_passed_over() {
    let Some((_ready, server, mut board)) = live_or_skip("refuse_start=1") else { return };
    board.until_encoded_by(SOFTWARE);
    assert!(board.journal().contains(&format!("{ELEMENT} is not used")), "{}", board.journal());
    server.receives(40_000);
    board.stops();
    server.only_stream();
}

// Shows F61.
#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_stream_names_a_level_that_has_room_for_it_when_its_encoder_names_too_low_a_one() {
    let Some(server) = is_used_in_spite_of("low_level=1") else { return };
    // 320x180 at up to 800 kbit/s in profile High (H.264 table A-1); the driver says 1.0.
    assert_eq!(level(&server.nginx.recorded()[0]), 13);
}

// Shows F60.
#[test]
#[ignore = "in the full set: make test-board-all"]
fn an_encoder_that_loses_its_parameters_and_frames_goes_on_in_order_after_a_restart() {
    let Some((_ready, server, mut board)) = live_or_skip("lose_parameters=1") else { return };
    board.until_encoded_by(ELEMENT);
    server.receives(40_000);
    let streams = board.encoder("streams");
    board.set_encoder("silent_after", 1);
    board.until_status("a restart", |output| output.contains("restarted"));
    board.set_encoder("silent_after", 0);
    // It had begun before that, and lost frames, or it begins now.
    board.sh(&format!("until [ $(cat {PARAMETERS}/streams) -gt {streams} ]; do sleep 0.2; done"));
    server.receives(150_000);
    board.until_encoded_by(ELEMENT);
    board.stops();
    server.only_stream();
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn an_encoder_that_hangs_on_key_frames_alone_is_never_asked_for_them() {
    // The shortest interval there is, in which one frame is due.
    let settings = ["video.keyframe_interval_ms 500", "video.fps 2"];
    let _ = is_used_with("hang_on_key_frames=1", "", &settings, 600_000, |board| {
        let (frames, keys) = (board.encoder("frames"), board.encoder("key_frames"));
        // Every second one, the first of each stream, and those that a server is given at its beginning.
        assert!(keys * 4 <= frames * 3, "{keys} key frames of {frames}");
    });
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn an_encoder_that_refuses_the_highest_bitrate_that_it_claims_is_never_asked_for_it() {
    let profile = "bitrate_max_kbps = 800;bitrate_max_kbps = 20000";
    let settings = ["video.bitrate_kbps 20000"];
    let _ = is_used_with("refuse_highest=1", profile, &settings, 60_000, |board| {
        let bitrate = board.encoder("bitrate");
        println!("board: asked for {bitrate} bit/s");
        // It refuses 25 Mbit/s. A slow machine cannot send what is asked for at first.
        assert!((800_001..=20_000_000).contains(&bitrate), "{bitrate}");
    });
}

// Shows F59.
#[test]
#[ignore = "in the full set: make test-board-all"]
fn an_encoder_that_ignores_its_bitrate_is_restarted_with_it_and_then_replaced_by_software() {
    let Some((_ready, server, mut board)) = live_or_skip("ignore_bitrate=1") else { return };
    board.until_encoded_by(ELEMENT);
    server.receives(400_000);
    let streams = board.encoder("streams");
    board.asks("set video.bitrate_kbps 150");
    let status = board.until_status("a restart", |output| output.contains("restarted"));
    assert!(status.contains("state        live"), "{status}");
    board.sh(&format!("until [ $(cat {PARAMETERS}/streams) -gt {streams} ]; do sleep 0.2; done"));
    // Where emulation stands still, the encoder is restarted for its silence, with the bitrate that is set: then it
    // ignores the next one, lower or higher.
    let by = format!("frames by {SOFTWARE}");
    let is_replaced = [60, 300].iter().cycle().take(16).any(|kbps| {
        board.asks(&format!("set video.bitrate_kbps {kbps}"));
        board.sh("sleep 20");
        board.status().contains(&by)
    });
    let journal = board.journal();
    let why = format!("{ELEMENT} delivers ");
    let answers: Vec<&str> = journal.lines().filter(|line| line.contains(&why)).collect();
    println!("board: {answers:#?}");
    assert!(is_replaced, "{journal}");
    let is_in_order = |words: &[&str]| {
        let mut lines = answers.iter();
        words.iter().all(|word| lines.any(|line| line.contains(word)))
    };
    let next = format!("next=\"{SOFTWARE}\"");
    assert!(
        is_in_order(&["setting it again", "restarting", "setting it again", &next]),
        "{journal}"
    );
    server.receives(40_000);
    board.stops();
    server.only_stream();
}
