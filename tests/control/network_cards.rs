//! A box with two network cards, one of which is lost.

use std::time::Duration;

use firstmile::appliance::LinkChange;
use firstmile::control::{Event, PublishReport};
use firstmile::status::Interface;

use crate::rig::{Before, Rig};

fn card(name: &str, up: bool, addresses: &[&str]) -> Interface {
    let addresses = addresses.iter().map(|address| (*address).to_owned()).collect();
    Interface { name: name.to_owned(), up, addresses }
}

/// A box that is live from 192.0.2.7, and what it does within a second when its cards are these.
fn live_until(link: LinkChange, cards: Vec<Interface>) -> String {
    let stored =
        "[[destination]]\nname = \"a\"\nurl = \"rtmps://a.example/live\"\nkey = \"canary-k3y\"\n";
    let mut rig = Rig::started(&Before { stored: stored.to_owned(), ..Before::default() });
    rig.press_for(Duration::from_millis(150));
    rig.first_key();
    rig.reports("a", PublishReport::Accepted);
    rig.advance(Duration::from_secs(90));
    rig.take_transcript();
    let connected = vec![rig.connected_from("a", "192.0.2.7")];
    rig.happens(Event::Network { link, interfaces: Some(cards), connected });
    rig.advance(Duration::from_secs(1));
    rig.take_transcript()
}

const WAY_ON: [&str; 1] = ["198.51.100.7"];

#[test]
fn a_card_that_loses_its_carrier_is_left_at_once_for_one_that_leads_on_though_it_keeps_its_address()
{
    let cards = vec![card("eth0", false, &["192.0.2.7"]), card("eth1", true, &WAY_ON)];
    let done = live_until(LinkChange::Changed, cards);
    assert!(done.contains("publish a: close attempt 1"), "{done}");
    assert!(done.contains("publish a: open attempt 2"), "{done}");
}

#[test]
fn a_card_that_is_pulled_out_is_left_at_once() {
    let done = live_until(LinkChange::Changed, vec![card("eth1", true, &WAY_ON)]);
    assert!(done.contains("publish a: open attempt 2"), "{done}");
}

#[test]
fn a_connection_is_kept_while_its_card_may_come_back_and_no_other_leads_on() {
    let cards = vec![card("eth0", false, &["192.0.2.7"]), card("eth1", true, &[])];
    let done = live_until(LinkChange::Down, cards);
    assert!(!done.contains("publish a:"), "{done}");
}

#[test]
fn a_card_that_is_lost_beside_the_one_that_carries_the_stream_changes_nothing() {
    let cards = vec![card("eth0", true, &["192.0.2.7"]), card("eth1", false, &WAY_ON)];
    let done = live_until(LinkChange::Changed, cards);
    assert!(!done.contains("publish a:"), "{done}");
}
