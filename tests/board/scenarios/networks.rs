//! Networks as boxes find them: two cards of which one is lost, addresses that change, IPv6 alone or broken, a login page in the
//! server's place, name servers that lie, fail or are silent.
//!
//! With: `veth`, systemd-networkd, dnsmasq, OpenSSL's server, nginx-rtmp behind TLS.

use std::thread;
use std::time::Duration;

use firstmile::limits::{
    BACKOFF_JITTER_PERCENT, BACKOFF_MAX, CERTIFICATE_WAIT_MAX, DNS_TIMEOUT, KEY_HELD_FOR,
};
use firstmile::panel::{Attention, Because, Indication};

use crate::rig::qemu::Disks;
use crate::rig::server::Server;
use crate::rig::wired::{Cards, NOBODY_V4, NOBODY_V6, SERVER_V4, SERVER_V6, Says};
use crate::rig::{Board, KEY, Scenario, ready_or_skip};

const LIVE: Indication = Indication::Live { attention: Attention::None };
/// What emulation may add to a wait that the box promises.
const SLOWNESS: Duration = Duration::from_secs(45);
const RIGHT: Says = Says::These(&[SERVER_V4]);

/// A board that is live in a street.
fn live_in_street_or_skip(
    cards: Cards,
    how_many: u8,
    says: Says,
) -> Option<(Scenario, Server, Board)> {
    let ready = ready_or_skip()?;
    let server = Server::letting_go();
    let mut board = Board::booted(&ready, Disks::new(&ready.installed()));
    board.moves_into_street(&server, cards, how_many, says);
    board.start_box();
    board.provision(&server);
    board.goes_live();
    server.receives(40_000);
    Some((ready, server, board))
}

fn with_jitter(wait: Duration) -> Duration {
    wait * (100 + BACKOFF_JITTER_PERCENT) / 100
}

/// Waits until the box is live again after this moment of the board's time, by itself, and says how long that took.
#[track_caller]
fn live_again(board: &mut Board, server: &Server, after: Duration, within: Duration, what: &str) {
    let took = board.until_logged("-> live", after) - after;
    println!("board: live again {:.1} s after {what}", took.as_secs_f64());
    assert!(took <= within + SLOWNESS, "{took:?} after {what}: {}", board.journal());
    board.until("live");
    board.until_lights(LIVE);
    server.receives(40_000);
}

/// Ends the broadcast; what arrived can be watched, from the first frame of each connection on.
fn ends_well(server: &Server, mut board: Board) {
    board.stops();
    server.assert_watchable_again();
}

/// One card after the other is lost in this way, and comes back in between.
fn one_of_two_cards_is_lost(cards: Cards, words: &str) {
    let Some((_ready, server, mut board)) = live_in_street_or_skip(cards, 2, RIGHT) else { return };
    for how in ["its cable was pulled", "it was pulled out"] {
        let card = board.card_of_stream();
        let lost_at = board.now();
        match how {
            "it was pulled out" => board.remove_card(card),
            _ => board.plug_card(card, false),
        }
        let noticed = board.until_logged(words, lost_at) - lost_at;
        println!("board: noticed {:.1} s after {how}", noticed.as_secs_f64());
        // The server has to let go of the connection that it will never hear of again.
        live_again(&mut board, &server, lost_at, KEY_HELD_FOR, how);
        assert_ne!(board.card_of_stream(), card, "{how}");
        let network = board.asks("network");
        assert!(network.contains("network      up"), "{network}");
        let shown = network.lines().find(|line| line.starts_with(&format!("eth{card} ")));
        assert!(shown.is_none_or(|line| line.contains("no carrier")), "{network}");
        if how != "it was pulled out" {
            board.plug_card(card, true);
            board.until_addressed(card, 1, cards);
        }
    }
    ends_well(&server, board);
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn of_two_network_cards_either_may_be_lost_on_air() {
    one_of_two_cards_is_lost(Cards::Dhcp, "the network card that it came from is lost");
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_card_with_a_fixed_address_is_left_when_its_cable_is_pulled() {
    one_of_two_cards_is_lost(Cards::Fixed, "the network card that it came from is lost");
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn an_address_that_is_replaced_on_air_is_reported_and_costs_seconds() {
    let cards = Cards::Dhcp;
    let Some((_ready, server, mut board)) = live_in_street_or_skip(cards, 1, RIGHT) else { return };
    let changed = board.now();
    board.addresses_change(cards, RIGHT);
    board.until_logged("or the address there", changed);
    live_again(&mut board, &server, changed, KEY_HELD_FOR, "its address was replaced");
    let network = board.asks("network");
    assert!(network.contains("eth0         up, 10.1.0.2"), "{network}");
    assert!(!network.contains("10.1.0.1"), "{network}");
    ends_well(&server, board);
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_box_that_has_ipv6_alone_goes_live_and_is_live_again() {
    let says = Says::These(&[SERVER_V6]);
    let Some((_ready, server, mut board)) = live_in_street_or_skip(Cards::V6Only, 1, says) else {
        return;
    };
    assert_eq!(board.sh("ip -4 -o address | grep -v ' lo ' || :").trim(), "");
    let status = board.status();
    assert!(status.contains("network      up"), "{status}");
    let ended = board.now();
    server.ends_connections();
    live_again(&mut board, &server, ended, Duration::from_secs(2), "the server closed");
    ends_well(&server, board);
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_broken_ipv6_beside_a_good_ipv4_costs_a_moment() {
    let says = Says::These(&[SERVER_V4, NOBODY_V6]);
    let Some((_ready, server, mut board)) = live_in_street_or_skip(Cards::DhcpAndV6, 1, says)
    else {
        return;
    };
    board.sh("ip -6 route | grep -q ^default");
    let ended = board.now();
    server.ends_connections();
    live_again(&mut board, &server, ended, Duration::from_secs(6), "the server closed");
    ends_well(&server, board);
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_login_page_in_the_servers_place_gets_nothing_and_is_outlasted() {
    let cards = Cards::Dhcp;
    let Some((_ready, server, mut board)) = live_in_street_or_skip(cards, 1, RIGHT) else { return };
    board.portal_opens(&server);
    board.names_are(cards, Says::Lies);
    let closed = board.now();
    server.ends_connections();
    board.until("retrying");
    board.until_lights(Indication::Retrying { because: Because::Certificate });
    let words = "whether this network asks to log in on a web page first";
    board.until_status("what a login page is", |output| output.contains(words));
    server.falls_silent();
    let before = server.recorded_bytes();
    thread::sleep(Duration::from_secs(20));
    assert_eq!(server.recorded_bytes(), before, "somebody still sends");
    assert_eq!(board.logged_after("-> live", closed), None);
    let met = board.portal_log();
    assert!(met.contains("alert"), "nobody was there: {met}");
    assert!(!met.contains(KEY) && !board.journal().contains(KEY), "the key is leaked");

    let paid = board.now();
    board.names_are(cards, RIGHT);
    board.portal_closes();
    let within = with_jitter(CERTIFICATE_WAIT_MAX);
    live_again(&mut board, &server, paid, within, "the login page was gone");
    ends_well(&server, board);
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn name_servers_that_fail_in_any_way_are_distinguished_and_outlasted() {
    let cards = Cards::Dhcp;
    let Some((_ready, server, mut board)) = live_in_street_or_skip(cards, 1, RIGHT) else { return };
    let within = DNS_TIMEOUT + with_jitter(BACKOFF_MAX);
    type Fails = (&'static str, fn(&mut Board), &'static str);
    let fails: [Fails; 4] = [
        (
            "the name was known again",
            |board| board.names_are(Cards::Dhcp, Says::NoSuchName),
            "the name ingest.test was not found",
        ),
        (
            "the name server answered again",
            |board| board.names_are(Cards::Dhcp, Says::Refuses),
            "the name service (DNS) does not say where ingest.test is",
        ),
        (
            "the name server was there again",
            Board::names_end,
            "the name service (DNS) does not say where ingest.test is",
        ),
        (
            "the name server was silent no more",
            Board::names_hang,
            "the name service (DNS) does not answer where ingest.test is",
        ),
    ];
    for (what, fail, words) in fails {
        fail(&mut board);
        server.ends_connections();
        board.until("retrying");
        board.until_status(words, |output| output.contains(words));
        board.until_lights(Indication::Retrying { because: Because::Network });
        board.names_are(cards, RIGHT);
        let right = board.now();
        live_again(&mut board, &server, right, within, what);
    }

    // The first one is never heard of again, and there is a second one.
    board.set_name_servers(&[NOBODY_V4, "10.1.0.1"]);
    let ended = board.now();
    server.ends_connections();
    live_again(&mut board, &server, ended, 2 * DNS_TIMEOUT, "the first name server fell silent");
    ends_well(&server, board);
}
