//! The lip-sync of a recording is measured against the clip that it was made from.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::support::{Folder, clip, has_or_skip, run};
use firstmile::sim::lip_sync::{LipSyncError, clip_offset_ms};

const TIMEOUT: Duration = Duration::from_secs(60);

/// Makes a file with ffmpeg.
#[track_caller]
fn made(folder: &Folder, name: &str, arguments: &[&str], inputs: &[(&str, &Path)]) -> PathBuf {
    let file = folder.path().join(name);
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error"]);
    for (offset, input) in inputs {
        ffmpeg.args(["-itsoffset", offset, "-i"]).arg(input);
    }
    run(ffmpeg.args(arguments).arg(&file), TIMEOUT).ok();
    file
}

/// A re-encoded copy of a film: smaller, 30 frames a second, video and audio delayed by so many
/// seconds.
#[track_caller]
fn copy(folder: &Folder, name: &str, film: &Path, video: &str, audio: &str) -> PathBuf {
    let coders =
        "-map 0:v -map 1:a -vf scale=640:360,fps=30 -c:v libx264 -preset veryfast -c:a aac -ac 2";
    let coders: Vec<&str> = coders.split(' ').collect();
    made(folder, name, &coders, &[(video, film), (audio, film)])
}

#[track_caller]
fn assert_offset(recording: &Path, film: &Path, expected_ms: f64) {
    let offset = clip_offset_ms(recording, film).expect("decodes").expect("a measure");
    assert!((offset - expected_ms).abs() <= 10.0, "{offset} ms, not {expected_ms} ms");
}

#[test]
fn a_delay_of_audio_or_video_is_measured_and_a_mere_copy_has_none() {
    if !has_or_skip(&["ffmpeg"]) {
        return;
    }
    let folder = Folder::new("lip-sync");
    let film = clip::film_clip();
    for (name, video, audio, expected_ms) in [
        ("same.mp4", "0", "0", 0.0),
        ("same.mkv", "0", "0", 0.0),
        ("late.mp4", "0", "0.1", 100.0),
        ("early.mkv", "0.06", "0", -60.0),
    ] {
        assert_offset(&copy(&folder, name, &film, video, audio), &film, expected_ms);
    }
    // What is out of sync in the clip is none of our doing.
    let late = folder.path().join("late.mp4");
    assert_offset(&copy(&folder, "late-copy.mp4", &late, "0", "0"), &late, 0.0);
    assert_offset(&folder.path().join("same.mp4"), &late, -100.0);
}

#[test]
fn a_clip_of_another_shape_that_was_repeated_is_recognised() {
    if !has_or_skip(&["ffmpeg"]) {
        return;
    }
    let folder = Folder::new("lip-sync");
    let film = clip::film_clip();
    let square: Vec<&str> = "-vf crop=720:720 -c:v libx264 -preset ultrafast".split(' ').collect();
    let square = made(&folder, "square.mp4", &square, &[("0", &film)]);
    // Two rounds, with borders at the sides of the video.
    let twice = "-filter_complex [0:v][0:a][1:v][1:a]concat=n=2:a=1[v][a];[v]pad=1280:720:280:0[w] -map [w] -map [a] \
                 -c:v libx264 -preset ultrafast -ac 2";
    let twice: Vec<&str> = twice.split_whitespace().collect();
    let twice = made(&folder, "twice.mp4", &twice, &[("0", &square), ("0", &square)]);
    assert_offset(&twice, &square, 0.0);
}

#[test]
fn what_has_nothing_in_common_or_does_not_move_has_no_offset() {
    if !has_or_skip(&["ffmpeg"]) {
        return;
    }
    let folder = Folder::new("lip-sync");
    let film = clip::film_clip();
    let coders = "-shortest -t 4 -c:v libx264 -preset ultrafast";
    let coders: Vec<&str> = coders.split(' ').collect();
    let ffmpeg = |name: &str, video: &str, audio: &str| {
        let file = folder.path().join(name);
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg.args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", video]);
        ffmpeg.args(["-f", "lavfi", "-i", audio]).args(&coders).arg(&file);
        run(&mut ffmpeg, TIMEOUT).ok();
        file
    };
    let still = ffmpeg("still.mp4", "color=gray:s=320x180", "sine=440");
    let moving = ffmpeg("moving.mp4", "testsrc2=s=320x180", "anoisesrc=a=0.1");
    assert_eq!(clip_offset_ms(&still, &still), Ok(None));
    assert_eq!(clip_offset_ms(&moving, &film), Ok(None));
}

#[test]
fn a_file_that_cannot_be_compared_is_named_with_the_reason() {
    if !has_or_skip(&["ffmpeg"]) {
        return;
    }
    let folder = Folder::new("lip-sync");
    let film = clip::film_clip();
    let mute = made(&folder, "mute.mp4", &["-an", "-c:v", "copy"], &[("0", &film)]);
    let gone = folder.path().join("gone.mp4");
    for (file, reason) in [(&mute, "no audio"), (&gone, "No such file")] {
        let error = clip_offset_ms(&film, file).expect_err("cannot be compared");
        assert!(matches!(&error, LipSyncError::Unreadable { path, .. } if path == file));
        assert!(error.to_string().contains(reason), "{error}");
    }
}
