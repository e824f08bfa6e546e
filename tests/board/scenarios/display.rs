//! A display at the front, on a real I²C bus: its chip holds exactly the images of the pages, and whatever becomes of it, the
//! box goes on.
//!
//! With: the kernel's I²C core and `/dev/i2c-N`, a display of the board's own driver.

use std::thread;
use std::time::{Duration, Instant};

use firstmile::display::{Drawing, Figures, Frame, Front, Meter, Place};
use firstmile::panel::{Attention, Indication};
use serde_json::Value;

use crate::rig::display::explain;
use crate::rig::server::Server;
use crate::rig::{Board, PATIENCE, ready_or_skip};

/// What the profile of the emulated board sends at most, video and audio, in kb/s.
const FULL_KBPS: u32 = 300 + 64;
/// How long a display at rest is watched.
const AT_REST: Duration = Duration::from_secs(10);

/// The page of the box in this state, without what is measured.
fn page(indication: Indication) -> Front {
    let is_live = matches!(indication, Indication::Live { .. });
    let place = Place { name: "tube".to_owned(), is_live, is_backup: false };
    Front {
        name: "firstmile".to_owned(),
        address: Some("10.0.2.15".parse().expect("an address")),
        indication,
        moment: None,
        words: None,
        live_since: is_live.then_some(Duration::ZERO),
        destinations: vec![place],
        figures: is_live.then_some(Figures { sent_kbps: 0, full_kbps: FULL_KBPS, delay_ds: 0 }),
        meters: match is_live {
            true => vec![Meter { rms_dbfs: -60, peak_dbfs: -60 }; 2],
            false => Vec::new(),
        },
    }
}

/// The first warning that the box gives now; an emulated machine may be short of everything.
fn warning(board: &mut Board) -> Option<String> {
    let status: Value =
        serde_json::from_str(&board.sh("firstmile ctl --json status")).expect("JSON");
    status["warnings"][0]["message"].as_str().map(str::to_owned)
}

fn ready(board: &mut Board) -> Vec<Front> {
    let warning = warning(board);
    let with = |words| Front { words: Some(words), ..page(Indication::ReadyWarning) };
    [Some(page(Indication::Ready)), warning.map(with)].into_iter().flatten().collect()
}

/// A live page with this attention, or with a warning in its place, with figures and before there are any.
fn live(attention: Attention) -> impl Fn(&mut Board) -> Vec<Front> {
    move |board| {
        let warned = warning(board).map(|words| Front {
            words: Some(words),
            ..page(Indication::Live { attention: Attention::Warning })
        });
        let mut pages = vec![page(Indication::Live { attention })];
        pages.extend(warned.filter(|_| attention == Attention::None));
        let bare = |front: &Front| Front { meters: Vec::new(), ..front.clone() };
        pages.extend(pages.iter().map(bare).collect::<Vec<_>>());
        pages
    }
}

fn setup(_: &mut Board) -> Vec<Front> {
    vec![Front { destinations: Vec::new(), ..page(Indication::NeedsSetup) }]
}

#[test]
fn a_page_is_recognized_by_its_image_whatever_its_figures_are() {
    let now = Duration::from_secs(100_000);
    let live = page(Indication::Live { attention: Attention::None });
    let shown = Front {
        live_since: Some(now - Duration::from_secs(754)),
        figures: Some(Figures { sent_kbps: 352, full_kbps: FULL_KBPS, delay_ds: 4 }),
        meters: [(-30, -11), (-41, -40)]
            .map(|(rms_dbfs, peak_dbfs)| Meter { rms_dbfs, peak_dbfs })
            .to_vec(),
        ..live.clone()
    };
    let image = Drawing::new(None).draw(now, &shown);
    assert!(explain(&image, live.clone()).is_some());
    assert!(explain(&image, page(Indication::Live { attention: Attention::Camera })).is_none());
    assert!(explain(&image, page(Indication::Ready)).is_none());
    let one_more = Front { name: "firstmilf".to_owned(), ..shown };
    let image = Drawing::new(None).draw(now, &one_more);
    assert!(explain(&image, live).is_none(), "one letter is another");
}

/// From a box that needs setup to one that is live and loses its camera, on a display with this chip.
fn shows_exactly_its_pages(chip: &str) {
    let Some(machine) = ready_or_skip() else { return };
    let server = Server::start();
    let mut board = Board::with_display(&machine, chip);
    board.until_page("needs setup", setup);
    board.provision(&server);
    board.until_page("ready", ready);
    board.goes_live();
    board.until_page("live", live(Attention::None));
    board.sh("echo vivid.0 >/sys/bus/platform/drivers/vivid/unbind");
    board.until_page("live without a camera", live(Attention::Camera));
    board.sh("echo vivid.0 >/sys/bus/platform/drivers/vivid/bind");
    board.until_page("live again", live(Attention::None));
    board.stops();
    board.until_page("ready again", ready);
    assert_eq!(board.display("unknown"), 0, "commands that the chip does not have");
    assert_eq!(board.display("lit_times"), 1, "it never flashed");
    board.sh("systemctl stop firstmile");
    assert_eq!(board.image(), Frame::DARK, "after an end in good order");
    server.only_stream();
}

#[test]
fn the_chip_of_a_display_holds_exactly_the_images_of_the_pages() {
    shows_exactly_its_pages("ssd1306");
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn the_other_chip_holds_exactly_the_images_of_the_pages() {
    shows_exactly_its_pages("sh1106");
}

#[test]
fn a_display_at_rest_has_no_traffic_on_its_bus() {
    let Some(machine) = ready_or_skip() else { return };
    let server = Server::start();
    let mut board = Board::with_display(&machine, "sh1106");
    board.provision(&server);
    board.until_page("ready", ready);
    // A warning that comes or goes is a change; one that has figures in it changes with them.
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (warned, before) = (warning(&mut board), board.display("transfers"));
        thread::sleep(AT_REST);
        let after = board.display("transfers");
        if warning(&mut board) == warned {
            assert_eq!(after, before, "messages within {AT_REST:?}");
            return;
        }
        assert!(Instant::now() < deadline, "the box never rests: {}", board.journal());
    }
}

// Shows F72.
#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_display_that_is_pulled_out_on_air_harms_nothing_and_is_lit_again_once_it_is_back() {
    let Some(machine) = ready_or_skip() else { return };
    let server = Server::start();
    let mut board = Board::with_display(&machine, "ssd1306");
    board.provision(&server);
    board.goes_live();
    board.until_page("live", live(Attention::None));
    board.set_display("absent", true);
    board.wait_until("it is missed", |board| board.journal().contains("the display shows nothing"));
    server.receives(40_000);
    let check = board.try_sh("firstmile board check 2>&1").text;
    assert!(check.contains("FAIL display"), "{check}");
    board.set_display("absent", false);
    board.until_page("live again", live(Attention::None));
    assert!(board.journal().contains("the display works now"), "{}", board.journal());
    board.until("live");
    board.stops();
    server.only_stream();
    let logged = board.journal().matches("the display shows nothing").count();
    assert_eq!(logged, 1, "it is logged once: {}", board.journal());
}

// Shows F73.
#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_display_whose_bus_hangs_holds_up_neither_the_broadcast_nor_the_end_of_the_service() {
    let Some(machine) = ready_or_skip() else { return };
    let server = Server::start();
    let mut board = Board::with_display(&machine, "ssd1306");
    board.provision(&server);
    board.set_display("hang", true);
    board.goes_live();
    server.receives(60_000);
    board.wait_until("it is reported", |board| board.journal().contains("bus has not answered"));
    board.until("live");
    board.stops();
    server.only_stream();
    let process = board.main_process();
    board.sh("systemctl stop firstmile");
    let killed = format!("firstmile.service: Killing process {process}");
    assert!(!board.journal().contains(&killed), "{}", board.journal());
    board.set_display("hang", false);
    board.sh("systemctl start firstmile");
    board.until_page("ready", ready);
}
