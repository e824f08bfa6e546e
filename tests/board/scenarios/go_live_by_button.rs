//! The button leads to a programme that any viewer can watch.

use std::time::Duration;

use firstmile::panel::{Attention, Indication};

use crate::rig::server::Server;
use crate::rig::{Board, ready_or_skip};

#[test]
fn the_button_leads_to_a_decodable_programme_over_rtmps() {
    let Some(ready) = ready_or_skip() else { return };
    let server = Server::start();
    let mut board = Board::fresh(&ready);
    board.until_lights(Indication::NeedsSetup);
    board.provision(&server);
    board.until_lights(Indication::Ready);
    let pressed = board.press();
    board.until("live");
    board.until_lights(Indication::Live { attention: Attention::None });
    server.receives(100_000);
    board.stops();
    board.until_lights(Indication::Ready);
    let programme = server.only_programme();
    assert!(programme.largest_video_gap_ms < 1_500.0, "{programme:?}");
    let live = accepted_at(&board.journal());
    println!(
        "board: press to first acknowledged key frame {} ms of the board's time; {programme:?}",
        live.saturating_sub(pressed).as_millis()
    );
}

/// When the journal says that the destination accepted the stream: a server has then acknowledged
/// media, which begins with a key frame.
fn accepted_at(journal: &str) -> Duration {
    let line = journal.lines().find(|line| line.contains("-> live") || line.contains("to=live"));
    let line = line.unwrap_or_else(|| panic!("nothing about live: {journal}"));
    let stamp = line.trim_start_matches('[').split(']').next().unwrap_or_default();
    Duration::from_secs_f64(stamp.trim().parse().unwrap_or_else(|e| panic!("{line}: {e}")))
}
