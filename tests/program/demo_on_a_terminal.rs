//! The demo on a terminal: one keyboard for buttons and console, and never both at once.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::product::firstmile;
use crate::support::pseudo_terminal::OnTerminal;
use crate::support::{Folder, one_at_a_time};

const CURSOR_ON: &str = "\x1b[?25h";
const PROMPT_READY: &str = "firstmile (ready)> ";

#[test]
fn demo_keys_never_mix_with_what_is_typed_at_the_prompt_and_each_broadcast_is_reported() {
    let _turn = one_at_a_time();
    let folder = Folder::new("demo");
    let mut command = firstmile(folder.path(), "demo");
    let registry = folder.path().join("registry.bin");
    command.env("GST_REGISTRY", &registry);
    let mut demo = OnTerminal::start(command);
    demo.shows("", "ready");
    assert!(registry.exists(), "the plugins are looked through before the button can be pressed");
    assert!(!demo.shown().contains("firstmile ("), "no prompt where a key presses the button");

    // Two broadcasts, by the buttons.
    for _ in 0..2 {
        demo.shows("g", "\x1b[1mlive");
        std::thread::sleep(Duration::from_secs(1));
        demo.shows("s", "\x1b[1mready");
    }

    // One line after the other, with letters in them that would press buttons.
    demo.shows(":", PROMPT_READY);
    let status = demo.shows("status\r", PROMPT_READY);
    assert!(status.contains("ready") && !status.contains("\x1b[1mlive"), "{status:?}");
    let log = demo.shows("log\r", PROMPT_READY);
    assert!(log.contains("live"), "the log is empty: {log:?}");
    let help = demo.shows("help\r", PROMPT_READY);
    assert!(help.contains("status"), "{help:?}");
    demo.shows("live\r", "\x1b[1mlive");
    demo.shows("status\r", "demo");
    demo.shows("stop\r", "\x1b[1mready");

    // Back to the buttons: there is no prompt, and the keys press them.
    let left = demo.shows("\x04", "g go live");
    assert!(left.contains("\r\x1b[2K"), "the prompt is gone: {left:?}");
    let (code, shown) = {
        demo.types("q");
        demo.ends()
    };
    assert_eq!(code, Some(0), "{shown}");
    for stream in ["Stream 1 of 3: The server received", "Stream 2 of 3", "Stream 3 of 3"] {
        assert!(shown.contains(stream), "{stream} in {shown}");
    }
}

#[test]
fn a_demo_that_is_ended_from_elsewhere_or_fails_gives_the_terminal_back() {
    let _turn = one_at_a_time();
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT] {
        let folder = Folder::new("demo");
        let mut demo = OnTerminal::start(firstmile(folder.path(), "demo"));
        demo.shows("", "ready");
        assert!(!demo.is_as_usual());
        kill(Pid::from_raw(demo.child.id() as i32), signal).expect("our own child");
        let (code, shown) = demo.ends();
        assert!(demo.is_as_usual(), "after {signal}: {code:?} {shown:?}");
        assert!(shown.contains(CURSOR_ON) && shown.contains("\x1b[r"), "{shown:?}");
    }
    let folder = Folder::new("demo");
    let broken = "demo --url rtmps://127.0.0.1:9/live --key-file none";
    let mut demo = OnTerminal::start(firstmile(folder.path(), broken));
    let (code, shown) = demo.ends();
    assert!(code != Some(0) && shown.contains("\x1b[2J"), "it fails once it has drawn: {shown:?}");
    assert!(demo.is_as_usual() && shown.contains(CURSOR_ON), "{shown:?}");
}

#[test]
fn a_demo_has_no_colours_where_they_are_not_wanted_and_draws_nothing_on_a_dumb_terminal() {
    let _turn = one_at_a_time();
    let start = |environment: &[(&str, &str)], arguments: &str| {
        let folder = Folder::new("demo");
        let mut command = firstmile(folder.path(), arguments);
        command.env_remove("NO_COLOR").env("TERM", "xterm").envs(environment.iter().copied());
        (OnTerminal::start(command), folder)
    };
    const RED: &str = "\x1b[1;31m";
    for (environment, has_colours) in [(&[("NO_COLOR", "1")], false), (&[("NO_COLOR", "")], true)] {
        let (mut demo, _folder) = start(environment, "demo");
        demo.shows("", "ready");
        demo.shows("g", "\x1b[1mlive");
        demo.shows("", "● LIVE");
        demo.types("q");
        let (code, shown) = demo.ends();
        assert_eq!(
            (code, shown.contains(RED)),
            (Some(0), has_colours),
            "{environment:?} {shown:?}"
        );
    }
    let (mut demo, _folder) = start(&[("TERM", "dumb")], "demo --seconds 3");
    let (code, shown) = demo.ends();
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("The server received") && !shown.contains('\x1b'), "{shown:?}");
}
