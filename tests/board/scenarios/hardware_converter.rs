//! A converter of a device, with a driver that has the bugs of such drivers: the camera's frames are scaled by it, and the
//! broadcast goes on whatever it does.
//!
//! With: `vivid`, `v4l2convert` with the board's own driver.

use crate::rig::encoder::SOFTWARE;
use crate::rig::server::Server;
use crate::rig::{Board, Scenario, ready_or_skip};

const ELEMENT: &str = "v4l2convert";
const PROFILE: &str = include_str!("../../../board/vboard.toml");
const PARAMETERS: &str = "/sys/module/board_convert/parameters";
/// A size that the camera does not have, of the same proportions as those that it has.
const SIZE: [&str; 2] = ["width = 256", "height = 144"];

/// A board with a converter that has these bugs, live at a server of its own.
fn live_or_skip(bugs: &str) -> Option<(Scenario, Server, Board)> {
    let ready = ready_or_skip()?;
    let server = Server::start();
    let mut board = Board::with_converter(&ready, bugs);
    board.provision(&server);
    board.goes_live();
    server.receives(40_000);
    Some((ready, server, board))
}

impl Board {
    fn with_converter(ready: &Scenario, bugs: &str) -> Board {
        let order = format!("\n[converter]\nraw = [\"{ELEMENT}\", \"videoconvert\"]\n");
        let profile =
            PROFILE.replacen("width = 320", SIZE[0], 1).replacen("height = 180", SIZE[1], 1);
        assert!(SIZE.iter().all(|size| profile.contains(size)), "{profile}");
        Board::with_module(ready, &format!("board_convert {bugs}"), &(profile + &order))
    }

    /// One of the driver's parameters: what it has done.
    #[track_caller]
    fn converter(&mut self, name: &str) -> u64 {
        let text = self.sh(&format!("cat {PARAMETERS}/{name}"));
        text.trim().parse().unwrap_or_else(|_| panic!("{name} is {text:?}"))
    }

    /// Waits until the driver has converted so many frames more.
    #[track_caller]
    fn until_converted(&mut self, more: u64) {
        let wanted = self.converter("frames") + more;
        self.wait_until("frames converted by the driver", |board| {
            board.converter("frames") >= wanted
        });
    }
}

/// A broadcast over which this is done to the driver: the camera comes back through software.
fn software_takes_over(bug: &str) {
    let Some((_ready, server, mut board)) = live_or_skip("") else { return };
    board.until_converted(30);
    board.sh(&format!("echo 1 >{PARAMETERS}/{bug}"));
    let not_used = format!("converter {ELEMENT} is not used");
    board.wait_until("the next converter", |board| board.journal().contains(&not_used));
    let then = board.converter("frames");
    server.receives(60_000);
    assert_eq!(board.converter("frames"), then, "it is left alone");
    board.sh(&format!("echo 0 >{PARAMETERS}/{bug}"));
    board.stops();
    let stream = server.only_stream();
    println!("board: largest gap of video {:.0} ms", stream.largest_video_gap_ms);
}

#[test]
fn a_converter_of_a_device_scales_the_camera_and_the_stream_decodes() {
    let Some((_ready, server, mut board)) = live_or_skip("") else { return };
    board.until_converted(60);
    let status = board.status();
    assert!(status.contains(&format!("frames by {SOFTWARE}")), "{status}");
    board.stops();
    let stream = server.only_stream();
    let (frames, imported) = (board.converter("frames"), board.converter("frames_imported"));
    println!("board: {frames} frames converted, {imported} of them imported; {stream:?}");
}

// Shows F65.
#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_converter_whose_driver_hangs_is_replaced_by_software() {
    software_takes_over("hang_after");
}

// Shows F65.
#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_converter_that_falls_silent_is_replaced_by_software() {
    software_takes_over("silent_after");
}

// Shows F65.
#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_converter_whose_driver_fails_is_replaced_by_software() {
    software_takes_over("fail_after");
}

/// A driver that cannot be used: the camera's frames never go through it.
fn is_passed_over(bug: &str) {
    let Some((_ready, server, mut board)) = live_or_skip(bug) else { return };
    let not_used = format!("converter {ELEMENT} is not used");
    assert!(board.journal().contains(&not_used), "{}", board.journal());
    board.stops();
    server.only_stream();
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_converter_that_changes_the_colours_is_passed_over() {
    is_passed_over("other_colours=1");
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_converter_that_refuses_to_start_is_passed_over() {
    is_passed_over("refuse_start=1");
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn the_report_of_devices_names_the_converter_and_what_it_costs() {
    let Some(ready) = ready_or_skip() else { return };
    let mut board = Board::with_converter(&ready, "");
    board.sh("systemctl stop firstmile");
    let report = board.sh("firstmile devices");
    let line = report.lines().find(|line| line.contains("each frame is scaled from 320x180"));
    let line = line.unwrap_or_else(|| panic!("{report}"));
    assert!(line.contains(&format!(", by {ELEMENT} (")) && line.ends_with(" ms)"), "{line}");
    assert!(report.contains(&format!(" * {ELEMENT}\n")), "{report}");
}
