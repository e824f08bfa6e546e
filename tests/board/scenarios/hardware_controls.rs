//! What is set of a camera's hardware is so at once, on air too, and is so again after the device was lost.
//!
//! With: `vivid`, `v4l2-ctl`.

use std::thread;
use std::time::{Duration, Instant};

use crate::rig::{Board, PATIENCE, live_or_skip};

/// What the driver says of a control, by another program.
fn of_driver(board: &mut Board, control: &str) -> String {
    let output = board.sh(&format!("v4l2-ctl -d /dev/video0 -C {control}"));
    output.trim().strip_prefix(&format!("{control}: ")).unwrap_or(&output).to_owned()
}

#[track_caller]
fn until_driver_says(board: &mut Board, control: &str, value: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = of_driver(board, control);
        if found.starts_with(value) {
            return;
        }
        assert!(Instant::now() < deadline, "{control} is {found}, not {value}");
        thread::sleep(Duration::from_millis(300));
    }
}

// Shows F71.
#[test]
#[ignore = "in the full set: make test-board-all"]
fn controls_of_the_camera_change_on_air_and_are_restored_after_it_was_lost() {
    let Some((_ready, server, mut board)) = live_or_skip() else { return };
    let listed = board.asks("camera controls");
    for line in ["whole number from 0 to 255", "one of Menu Item 1, Menu Item 3, Menu Item 4"] {
        assert!(listed.contains(line), "no {line}: {listed}");
    }
    let before = of_driver(&mut board, "brightness");
    let set = board.asks("camera set brightness 90");
    assert!(set.contains("is 90, and stored for "), "{set}");
    assert_eq!(of_driver(&mut board, "brightness"), "90");
    let set = board.asks("camera set menu menu item 4");
    assert!(set.contains("is Menu Item 4, and stored for"), "{set}");
    assert!(of_driver(&mut board, "menu").starts_with('4'));
    board.asks("camera set horizontal_flip true");
    assert_eq!(of_driver(&mut board, "horizontal_flip"), "1");
    let refused = board.asks("camera set brightness 300");
    assert!(
        refused.contains("brightness is 300, must be a whole number from 0 to 255"),
        "{refused}"
    );
    let refused = board.asks("camera set brigthness 3");
    assert!(refused.contains("did you mean brightness?"), "{refused}");
    assert_eq!(of_driver(&mut board, "brightness"), "90");

    board.sh("echo vivid.0 >/sys/bus/platform/drivers/vivid/unbind");
    board.until_status("camera absent", |output| output.contains("camera       absent"));
    let refused = board.asks("camera set brightness 7");
    assert!(refused.contains("is not connected"), "{refused}");
    board.sh("echo vivid.0 >/sys/bus/platform/drivers/vivid/bind");
    board.until_status("camera present", |output| output.contains("camera       present"));
    until_driver_says(&mut board, "brightness", "90");
    until_driver_says(&mut board, "menu", "4");
    until_driver_says(&mut board, "horizontal_flip", "1");

    board.asks("camera reset brightness");
    assert_eq!(of_driver(&mut board, "brightness"), before);
    let shown = board.asks("show camera");
    assert!(!shown.contains(".brightness ") && shown.contains(".menu "), "{shown}");
    server.receives(40_000);
    board.stops();
    server.only_stream();
}
