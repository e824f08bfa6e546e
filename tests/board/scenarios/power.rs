//! Power that is cut: the box comes back as it was.
//!
//! With: a machine whose power is cut, ext4.

use std::env;
use std::thread;
use std::time::Duration;

use firstmile::panel::{Attention, Indication};

use crate::rig::server::Server;
use crate::rig::stick::Stick;
use crate::rig::{Board, KEY, live_or_skip, ready_or_skip};

/// A loop of so many cuts has to have some before, and some after, all was written.
const SIGNIFICANT_CUTS: u32 = 20;

/// How often the power is cut in each of the loops.
fn cuts() -> u32 {
    env::var("FIRSTMILE_BOARD_CUTS").ok().and_then(|n| n.parse().ok()).unwrap_or(1)
}

// Shows F27.
#[test]
fn power_cuts_while_live_lead_back_to_live() {
    let Some((ready, server, mut board)) = live_or_skip() else { return };
    for n in 1..=cuts() {
        let disks = board.cut_power();
        board = Board::booted(&ready, disks);
        board.trust(&server);
        board.start_box();
        server.receives(40_000);
        board.until("live");
        println!("board: power cut {n} while live, and live again without a hand");
    }
    board.until_lights(Indication::Live { attention: Attention::None });
    server.receives(40_000);
    board.stops();
    server.assert_watchable_again();
}

/// The bitrate that is set, as the console shows it.
fn bitrate(board: &mut Board) -> String {
    let shown = board.asks("show video.bitrate_kbps");
    let lines = shown.lines().filter_map(|line| Some(line.split_once("video.bitrate_kbps ")?.1));
    let value = lines.filter_map(|line| line.split_whitespace().next()).next_back();
    value.unwrap_or_else(|| panic!("no bitrate: {shown}")).to_owned()
}

/// Cuts the power again and again at any moment of `act`, which begins to set bitrates for the n-th time, those that it gives,
/// and takes up to `longest` to do so. After each cut the box has its key, and the bitrate from before or one of those; and
/// at the end it goes live.
fn survives(what: &str, longest: Duration, mut act: impl FnMut(&mut Board, u32) -> Vec<String>) {
    let Some(ready) = ready_or_skip() else { return };
    let server = Server::start();
    let mut board = Board::fresh(&ready);
    board.provision(&server);
    board.types("set video.bitrate_kbps 299\r", "video.bitrate_kbps is set");
    let mut random = fastrand::Rng::new();
    let mut after = 0;
    for n in 1..=cuts() {
        let old = bitrate(&mut board);
        let new = act(&mut board, n);
        thread::sleep(longest.mul_f64(random.f64()));
        let disks = board.cut_power();
        board = Board::booted(&ready, disks);
        board.trust(&server);
        board.start_box();
        let status = board.until("ready|live");
        let shown = board.asks("show");
        assert!(shown.contains(&format!("set, {} characters", KEY.len())), "cut {n}: {shown}");
        assert!(!board.journal().contains("damaged"), "cut {n}: {status}\n{}", board.journal());
        let found = bitrate(&mut board);
        assert!(found == old || new.contains(&found), "cut {n}: {found}, not {old} or {new:?}");
        after += u32::from(new.last() == Some(&found));
        println!("board: power cut {n} {what}, which left {found} of {old} and {new:?}");
    }
    println!("board: {after} of {} cuts {what} came after all was written", cuts());
    let is_significant = (1..cuts()).contains(&after);
    assert!(
        is_significant || cuts() < SIGNIFICANT_CUTS,
        "no cut, or every one, came before all was written"
    );
    if board.status().contains("state        ready") {
        board.goes_live();
    }
    server.receives(40_000);
    board.until_lights(Indication::Live { attention: Attention::None });
    board.stops();
    server.assert_watchable_again();
}

// Shows F27.
#[test]
fn power_cuts_while_settings_are_written_leave_the_old_or_the_new() {
    survives("while settings are written", Duration::from_millis(1_500), |board, n| {
        let new: Vec<String> = (1..=9).map(|i| (300 + i + 10 * (n % 30)).to_string()).collect();
        board.agent.begin(&format!(
            "(for kbps in {}; do firstmile ctl set video.bitrate_kbps $kbps; done) >/dev/null 2>&1 &",
            new.join(" ")
        ));
        new
    });
}

// Shows F27.
#[test]
#[ignore = "in the full set: make test-board-all"]
fn power_cuts_while_a_stick_is_imported_leave_the_old_or_the_new() {
    let mut plugged = Vec::new();
    survives("during an import", Duration::from_millis(3_000), |board, n| {
        let new = 300 + n % 300;
        let stick = Stick::with_settings(&format!(
            "version = 1\n[video]\nbitrate_kbps = {new}\n[box]\nname = \"cut {n}\"\n"
        ));
        board.plug(&stick);
        board.until_an_import();
        plugged.push(stick); // it stays plugged in until the power goes
        vec![new.to_string()]
    });
}
