//! The camera's video turned while it is live: what `picture` shows has the camera's bars where a turn puts them.
//!
//! With: `vivid`.

use std::fs;
use std::process::Command;

use crate::rig::{Board, live_or_skip};
use crate::support::Folder;

const WIDTH: usize = 320;
const HEIGHT: usize = 180;
/// Of the camera's pattern, from left to right.
const BARS: usize = 8;
/// How much a bar may differ, of 255: it goes through a JPEG, and another one.
const OFF_MAX: u8 = 30;

type Rgb = [u8; 3];

/// What `picture` shows, as rows of red, green and blue.
fn shown(board: &mut Board) -> Vec<u8> {
    let folder = Folder::new("board-frame");
    let [text, jpeg] = ["frame.txt", "frame.jpg"].map(|name| folder.path().join(name));
    fs::write(&text, board.sh("firstmile ctl picture 320 95 | base64")).expect("writes");
    let decoded = Command::new("base64").arg("-d").arg(&text).output().expect("coreutils");
    fs::write(&jpeg, decoded.stdout).expect("writes");
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-i"]).arg(&jpeg);
    let raw = ffmpeg.args(["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]).output().expect("runs");
    assert_eq!(raw.stdout.len(), 3 * WIDTH * HEIGHT, "{}", String::from_utf8_lossy(&raw.stderr));
    raw.stdout
}

fn at(frame: &[u8], x: usize, y: usize) -> Rgb {
    let start = 3 * (y * WIDTH + x);
    [frame[start], frame[start + 1], frame[start + 2]]
}

#[track_caller]
fn assert_alike(what: &str, found: &[Rgb], expected: &[Rgb]) {
    let off = |(a, b): (&Rgb, &Rgb)| a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max();
    let most = found.iter().zip(expected).filter_map(off).max();
    assert!(most.is_some_and(|most| most <= OFF_MAX), "{what}: {found:?}, not {expected:?}");
}

#[test]
fn a_quarter_turn_on_air_shows_the_cameras_bars_where_it_puts_them_in_the_same_broadcast() {
    let Some((_ready, server, mut board)) = live_or_skip() else { return };
    let middle = |number: usize, side: usize| (2 * number + 1) * side / (2 * BARS);
    // Near the lower edge, where the camera writes nothing over its pattern.
    let before = shown(&mut board);
    let bars: Vec<Rgb> =
        (0..BARS).map(|bar| at(&before, middle(bar, WIDTH), HEIGHT - 20)).collect();
    assert!(bars.windows(2).all(|pair| pair[0] != pair[1]), "no bars: {bars:?}");
    let reversed: Vec<Rgb> = bars.iter().rev().copied().collect();
    // A frame of 320x180 turned a quarter is 102 wide. Its lower edge is at the left after a turn clockwise.
    let (left, right) = (109 + 11, 210 - 11);
    for (degrees, x, expected) in [("90", left, &bars), ("270", right, &reversed)] {
        board.asks(&format!("set video.rotate {degrees}"));
        let frame = shown(&mut board);
        let found: Vec<Rgb> = (0..BARS).map(|bar| at(&frame, x, middle(bar, HEIGHT))).collect();
        assert_alike(&format!("turned by {degrees}"), &found, expected);
        for x in [20, 90, 230, 300] {
            assert_alike("beside it", &[at(&frame, x, 90)], &[[0, 0, 0]]);
        }
        server.receives(20_000);
    }
    board.asks("set video.rotate 0");
    board.asks("set video.mirror horizontal");
    let frame = shown(&mut board);
    let found: Vec<Rgb> =
        (0..BARS).map(|bar| at(&frame, middle(bar, WIDTH), HEIGHT - 20)).collect();
    assert_alike("mirrored", &found, &reversed);
    board.stops();
    server.only_stream();
}
