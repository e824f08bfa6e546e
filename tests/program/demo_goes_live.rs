//! `firstmile demo`: one command, and a whole broadcast is at a server.

use std::fs;
use std::path::Path;

use crate::support::product::firstmile_ends;
use crate::support::{Ended, Folder, clip, has_or_skip, one_at_a_time, probe};
use serde_json::Value;

/// Runs the demo and gives its JSON.
#[track_caller]
fn demo(folder: &Path, arguments: &str) -> Value {
    let ended = firstmile_ends(folder, &format!("demo --headless --json {arguments}")).ok();
    let outcome = outcome(&ended);
    // A broadcast that lasts says how far it has come.
    let progress = ended.stderr.lines().filter(|line| line.ends_with(" kB acknowledged"));
    let expected = outcome["seconds"].as_f64().unwrap_or_default() as usize / 5;
    assert!(progress.count() + 1 >= expected, "{}", ended.stderr);
    outcome
}

#[track_caller]
fn outcome(ended: &Ended) -> Value {
    let mut lines = ended.stdout.lines();
    let outcome = serde_json::from_str(lines.next().unwrap_or_default()).expect("one JSON object");
    assert_eq!(lines.next(), None, "nothing but the object is printed");
    outcome
}

/// What must hold of every broadcast of `seconds` at 30 frames a second.
#[track_caller]
fn assert_whole(outcome: &Value, seconds: f64) {
    let number = |key: &str| outcome[key].as_f64().unwrap_or_else(|| panic!("{key}: {outcome}"));
    let length = number("seconds");
    assert!((length - seconds).abs() <= 1.0, "{outcome}");
    let expected = length * 30.0;
    assert!((number("video_frames") - expected).abs() <= expected * 0.02 + 1.0, "{outcome}");
    assert!(number("key_frames") >= (seconds / 2.0).floor(), "{outcome}");
    assert!((number("audio_frames") - length * 46.875).abs() <= 6.0, "{outcome}");
    assert!(number("av_offset_ms").abs() <= 40.0, "{outcome}");
    assert!(number("largest_gap_ms") <= 100.0, "{outcome}");
    assert!(number("bitrate_kbps") > 0.0 && number("press_to_first_video_ms") > 0.0, "{outcome}");

    let file = Path::new(outcome["file"].as_str().expect("a file"));
    probe::decodes_cleanly(file).unwrap();
    let packets = probe::packets(file);
    assert!(packets.first_is_key && packets.in_order, "{packets:?}");
    assert_eq!(packets.video as f64, number("video_frames"));
    assert_eq!(packets.audio as f64, number("audio_frames"));
}

#[test]
fn demo_the_test_pattern_reaches_the_server_whole_and_in_sync() {
    let _turn = one_at_a_time();
    if !has_or_skip(&["ffmpeg", "ffprobe"]) {
        return;
    }
    let folder = Folder::new("demo");
    let outcome = demo(folder.path(), "--seconds 10");
    assert_whole(&outcome, 10.0);
    assert_eq!(outcome["av_offset_from"], "flashes and beeps");
}

#[test]
fn demo_a_film_clip_reaches_the_server_whole_and_in_sync() {
    let _turn = one_at_a_time();
    if !has_or_skip(&["ffmpeg", "ffprobe"]) {
        return;
    }
    let folder = Folder::new("demo");
    let clip = clip::film_clip();
    let outcome =
        demo(folder.path(), &format!("--seconds 8 --mic file --camera {}", clip.display()));
    assert_whole(&outcome, 8.0);
    assert_eq!(outcome["av_offset_from"], "video and audio of the clip");
}

// Shows F49.
#[test]
fn demo_what_is_heard_left_and_right_stays_apart_with_each_aac_encoder() {
    let _turn = one_at_a_time();
    if !has_or_skip(&["ffmpeg", "ffprobe"]) {
        return;
    }
    let folder = Folder::new("demo");
    let clip = clip::left_and_right(folder.path());
    for encoder in ["avenc_aac", "voaacenc"] {
        let board = folder.path().join("board.toml");
        let text = format!(
            "inherit = \"sim.toml\"\ncompatible = [\"test,stereo\"]\ndescription = \"stereo\"\n\
             [video]\nwidth = 320\nheight = 180\nbitrate_kbps = 300\n\
             [encoder]\naudio = [\"{encoder}\"]\n"
        );
        fs::write(&board, text).unwrap();
        let arguments = format!(
            "--seconds 4 --mic file --camera {} --board {}",
            clip.display(),
            board.display()
        );
        let outcome = demo(folder.path(), &arguments);
        let file = Path::new(outcome["file"].as_str().expect("a file"));
        for (channel, own_hz, other_hz) in [(0, 440, 1_000), (1, 1_000, 440)] {
            let own = probe::level_db(file, channel, own_hz);
            let crosstalk = probe::level_db(file, channel, other_hz) - own;
            println!("{encoder}: {own_hz} Hz at {own:.1} dB, crosstalk {crosstalk:.1} dB");
            assert!(own > -15.0 && crosstalk <= -30.0, "{encoder}: {own} dB, {crosstalk} dB");
        }
    }
}

#[test]
fn demo_without_a_microphone_still_sends_an_audio_track() {
    let _turn = one_at_a_time();
    if !has_or_skip(&["ffmpeg", "ffprobe"]) {
        return;
    }
    let folder = Folder::new("demo");
    assert_whole(&demo(folder.path(), "--seconds 4 --mic silence"), 4.0);
}

#[test]
fn demo_leaves_the_recording_to_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let _turn = one_at_a_time();
    let folder = Folder::new("demo");
    let outcome = demo(folder.path(), "--seconds 2");
    let file = Path::new(outcome["file"].as_str().expect("a file"));
    let mode = file.parent().unwrap().metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "{mode:o}");
}
