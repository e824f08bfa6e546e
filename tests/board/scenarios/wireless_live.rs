//! Live over Wi-Fi alone: set by a stick, the access point gone and back, another one of the same network.
//!
//! With: `mac80211_hwsim`, hostapd, NetworkManager, USB storage, FAT, nginx-rtmp behind TLS.

use std::thread;
use std::time::{Duration, Instant};

use firstmile::panel::{Attention, Because, Indication};

use crate::rig::qemu::Disks;
use crate::rig::server::Server;
use crate::rig::stick::Stick;
use crate::rig::street::{ACROSS, AccessPoint, CORNER, HALL, RIGHT};
use crate::rig::{Board, KEY, Scenario, ready_or_skip};

const LIVE: Indication = Indication::Live { attention: Attention::None };
const WRONG: &str = "wrong-wrong";
/// How long the access point is gone: back while it is tried, and between two tries.
const GONE: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(42)];
/// Longest from its first beacon until the box is live again, which took up to 17 s: in emulation each step of
/// joining takes seconds.
const LIVE_WITHIN: Duration = Duration::from_secs(30);

/// A stick as an owner without a cable writes it.
fn settings(server: &Server, passphrase: &str) -> String {
    format!(
        "version = 1\r\nerase_key = true\r\n[[destination]]\r\nname = \"tube\"\r\nurl = \"{}\"\r\n\
         key = \"{KEY}\"\r\nca_file = \"/etc/firstmile/authority.pem\"\r\n\
         [wifi]\r\nssid = \"hall\"\r\npassphrase = \"{passphrase}\"\r\n",
        server.url()
    )
}

/// A fresh board in the street, which has no other way to the server.
fn in_the_street(ready: &Scenario, server: &Server) -> Board {
    let mut board = Board::booted(ready, Disks::new(&ready.installed()));
    board.has_street(server.port());
    board.opens(ACROSS, HALL);
    board.trust(server);
    board.start_box();
    board
}

/// Plugs a stick in with this passphrase; what its result says.
fn offer(board: &mut Board, server: &Server, passphrase: &str) -> String {
    let stick = Stick::partitioned();
    stick.put("firstmile.toml", settings(server, passphrase).as_bytes());
    let output = board.offer(&stick);
    assert!(output.contains("settings applied"), "{output}");
    let (left, result) = (stick.read("firstmile.toml"), stick.read("firstmile-result.txt"));
    for secret in [passphrase, KEY] {
        assert!(!left.contains(secret), "the stick still has it: {left}");
        assert!(!result.contains(secret) && !output.contains(secret), "{result}");
    }
    assert!(result.contains("accepted"), "{result}");
    result
}

/// A board that is live over the radio, and set by a stick; or the reason for not trying it in one line.
fn live_or_skip() -> Option<(Scenario, Server, Board)> {
    let ready = ready_or_skip()?;
    let server = Server::start();
    let mut board = in_the_street(&ready, &server);
    offer(&mut board, &server, RIGHT);
    board.until_network_shows("hall: joined, on wlan0");
    board.goes_live();
    server.receives(40_000);
    Some((ready, server, board))
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_stick_joins_a_wireless_network_and_its_result_says_how_that_ended() {
    let Some(ready) = ready_or_skip() else { return };
    let server = Server::start();
    let mut board = in_the_street(&ready, &server);
    board.types("\r", "firstmile (needs setup)> ");
    board.until_lights(Indication::NeedsSetup);

    let plugged = board.now();
    // The result waits for 30 s at most: what it says was known by then.
    let result = offer(&mut board, &server, WRONG);
    assert!(result.contains("Wi-Fi: hall is NOT joined: the passphrase is wrong"), "{result}");
    let reported =
        board.until_logged("hall is not joined: the passphrase is wrong", plugged) - plugged;
    println!(
        "board: a wrong passphrase on a stick is reported {:.1} s after it was plugged in",
        reported.as_secs_f64()
    );
    board.until_network_shows("hall: not joined: the passphrase is wrong");
    board.until_lights(Indication::NoNetwork);

    let result = offer(&mut board, &server, RIGHT);
    assert!(result.contains("Wi-Fi: hall is joined"), "{result}");
    board.until_network_shows("hall: joined, on wlan0");
    board.until_lights(Indication::Ready);
    board.goes_live();
    server.receives(40_000);
    board.stops();
    server.only_stream();
    board.keeps_to_itself(&[RIGHT, WRONG, KEY]);
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn live_over_wi_fi_is_live_again_when_the_access_point_is_back_after_a_minute() {
    let Some((_ready, server, mut board)) = live_or_skip() else { return };
    let mut took = Vec::new();
    for gone in GONE {
        let dark = Instant::now();
        board.goes_dark(ACROSS);
        board.until("retrying");
        board.until_lights(Indication::Retrying { because: Because::NoNetwork });
        let status = board.status();
        assert!(status.contains("network      down"), "{status}");
        assert!(!status.contains("hall: joined"), "{status}");
        thread::sleep(gone.saturating_sub(dark.elapsed()));
        // By now a platform has given the connection up that nothing came from.
        server.open();
        let back = board.opens(ACROSS, HALL);
        let live = board.until_logged("-> live", back) - back;
        println!("board: live {:.1} s after the access point was back", live.as_secs_f64());
        board.until("live");
        board.until_lights(LIVE);
        server.receives(40_000);
        board.until_network_shows("hall: joined, on wlan0");
        took.push(live);
    }
    board.stops();
    server.assert_watchable_again();
    assert!(took.iter().all(|live| *live <= LIVE_WITHIN), "{took:?}: {}", board.journal());
}

/// The access point that the board's radio is at, and the other one.
fn at(board: &mut Board) -> (AccessPoint, AccessPoint) {
    match board.sh("iw dev wlan0 link").contains("freq: 2437") {
        true => (ACROSS, CORNER),
        false => (CORNER, ACROSS),
    }
}

/// The longest time in which the server has recorded nothing, while somebody watches for so long.
fn longest_gap(server: &Server, watched: Duration) -> Duration {
    let began = Instant::now();
    let (mut bytes, mut grew, mut longest) = (server.recorded_bytes(), began, Duration::ZERO);
    while began.elapsed() < watched {
        thread::sleep(Duration::from_millis(50));
        longest = longest.max(grew.elapsed());
        let now = server.recorded_bytes();
        if now > bytes {
            (bytes, grew) = (now, Instant::now());
        }
    }
    longest
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_broadcast_goes_on_over_another_access_point_of_the_same_network() {
    let Some((_ready, server, mut board)) = live_or_skip() else { return };
    board.opens(CORNER, HALL);
    // As long as the box takes to hear of it, at least.
    board.sh("nmcli device wifi rescan");
    thread::sleep(Duration::from_secs(40));
    let (near, far) = at(&mut board);
    let usual = longest_gap(&server, Duration::from_secs(10));
    let moved = board.now();
    board.goes_dark(near);
    let gap = longest_gap(&server, Duration::from_secs(40));
    board.until("live");
    board.until_lights(LIVE);
    assert_eq!(at(&mut board), (far, near), "it has moved");
    let again = board.logged_after("-> live", moved).is_some();
    println!(
        "board: nothing came for {:.1} s at another access point (usually {:.1} s), {}",
        gap.as_secs_f64(),
        usual.as_secs_f64(),
        if again { "over another connection" } else { "over the same connection" }
    );
    server.receives(40_000);
    board.stops();
    server.assert_watchable_again();
}
