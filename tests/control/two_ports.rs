//! Two ports of the box are two consoles: each has its own line, its own PIN and its own answers.

use std::time::Duration;

use firstmile::console::ClientId;
use firstmile::control::Event;

use crate::rig::{Before, Rig};

fn two_ports(stored: &str) -> Rig {
    let before = Before { stored: stored.to_owned(), two_terminals: true, ..Before::default() };
    let mut rig = Rig::started(&before);
    rig.happens(Event::TerminalOpened { at: ClientId(1), greet: false });
    rig
}

fn pause(rig: &mut Rig) {
    rig.advance(Duration::from_millis(200));
}

// Shows F44.
#[test]
fn both_ports_answer_and_half_a_line_at_one_is_no_part_of_the_other() {
    let mut rig = two_ports("");
    assert_eq!(rig.other_terminal, "", "a port stays silent until Enter is pressed");
    rig.types("stat");
    rig.types_at_the_other("\r");
    assert!(rig.other_terminal.contains("firstmile (needs setup)> "), "{}", rig.other_terminal);
    rig.other_terminal.clear();
    rig.types_at_the_other("about\r");
    assert!(rig.other_terminal.contains("firstmile 0 on story"), "{}", rig.other_terminal);
    rig.take_transcript();
    rig.types("us\r");
    let first = rig.take_transcript();
    assert!(first.contains("terminal: state        needs setup"), "{first}");
    assert!(!rig.other_terminal.contains("state "), "{}", rig.other_terminal);
}

#[test]
fn a_key_that_is_asked_for_at_one_port_is_not_taken_from_the_other() {
    let mut rig = two_ports("[[destination]]\nname = \"a\"\nurl = \"rtmps://a.example/live\"\n");
    rig.types_at_the_other("\rkey a\r");
    pause(&mut rig);
    assert!(rig.other_terminal.contains("stream key of a (not shown): "), "{}", rig.other_terminal);
    rig.types("about\r");
    assert_eq!(rig.stored.keys().count(), 0);
    rig.types_at_the_other("canary-k3y\r");
    pause(&mut rig);
    assert_eq!(rig.stored.keys().count(), 1);
    assert!(rig.other_terminal.contains("10 characters, tag "), "{}", rig.other_terminal);
}

#[test]
fn a_pin_at_one_port_lets_nobody_in_at_the_other() {
    let mut rig = two_ports("");
    rig.types("set console.pin\r");
    rig.types("4711\r");
    pause(&mut rig);
    rig.types_at_the_other("\rstatus\r");
    pause(&mut rig);
    assert!(rig.other_terminal.contains("PIN (not shown): "), "{}", rig.other_terminal);
    assert!(!rig.other_terminal.contains("needs setup"), "{}", rig.other_terminal);
    rig.types_at_the_other("4711\r");
    pause(&mut rig);
    rig.types_at_the_other("status\r");
    assert!(rig.other_terminal.contains("state        needs setup"), "{}", rig.other_terminal);
}

#[test]
fn status_names_what_a_box_that_needs_setup_lacks() {
    let mut rig = two_ports("[[destination]]\nname = \"youtube\"\nurl = \"rtmps://a.example/x\"\n");
    rig.take_transcript();
    rig.types("status\r");
    let shown = rig.take_transcript();
    for line in [
        "state        needs setup",
        "because      destination youtube has no stream key",
        "youtube      idle, no stream key",
    ] {
        assert!(shown.contains(line), "{shown}");
    }
    rig.types("destination remove youtube\r");
    pause(&mut rig);
    rig.take_transcript();
    rig.types("status\r");
    let shown = rig.take_transcript();
    assert!(shown.contains("because      no destination is set"), "{shown}");
}
