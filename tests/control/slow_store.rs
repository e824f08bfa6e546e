//! A store that is slow, full or failing: what is answered is true, nobody waits for others, nothing is
//! lost or answered twice, and what waits is bounded.

use std::time::Duration;

use firstmile::console::{ClientId, Reply};
use firstmile::control::Event;
use firstmile::limits::{STORE_PATIENCE, STORE_REQUESTS_MAX};
use firstmile::status::Mode;

use crate::rig::{Before, Rig, Temper};

const READY: &str =
    "[[destination]]\nname = \"a\"\nurl = \"rtmps://a.example/live\"\nkey = \"canary-1\"\n";

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn answers(rig: &Rig, client: u32) -> Vec<String> {
    let replies = rig.answers.get(&ClientId(client)).cloned().unwrap_or_default();
    replies.iter().flat_map(Reply::render_text).collect()
}

#[test]
fn every_request_that_a_slow_store_takes_is_answered_once_in_its_clients_order() {
    let mut rig = Rig::started(&Before::default());
    rig.temper = Temper::Takes(ms(300));
    for n in 0..4 {
        for client in 1..=3 {
            rig.asks(client, &format!("set box.name c{client}-{n}"), None);
            rig.asks(client, "show box.name", None);
        }
    }
    rig.advance(ms(12 * 300));
    for client in 1..=3 {
        let shown = answers(&rig, client);
        assert_eq!(shown.len(), 8, "{shown:?}");
        for (n, pair) in shown.chunks(2).enumerate() {
            assert_eq!(pair[0], "box.name is set");
            assert!(pair[1].contains(&format!("c{client}-{n} ")), "{shown:?}");
        }
        assert!(rig.over.contains(&ClientId(client)), "its connection ends with its last answer");
    }
}

#[test]
fn what_a_client_asks_while_it_waits_is_answered_after_it_even_what_is_no_command() {
    let mut rig = Rig::started(&Before::default());
    rig.temper = Temper::Takes(ms(300));
    for line in ["set box.name stage", "stauts", "", "set video.fps 999", "live", "about"] {
        rig.asks(1, line, None);
    }
    assert_eq!(answers(&rig, 1), [""; 0]);
    rig.advance(ms(300));
    let shown = answers(&rig, 1);
    assert_eq!(shown[0], "box.name is set");
    assert!(shown[1].contains("did you mean `status`?"), "{shown:?}");
    assert_eq!(shown[2], "error: no command was given");
    assert!(shown[3].starts_with("error: video.fps "), "{shown:?}");
    assert_eq!(shown[4], "error: no destination with a stream key is set");
    assert!(shown[5].starts_with("firstmile"), "{shown:?}");
}

#[test]
fn a_store_that_hangs_for_long_meets_its_bound_in_words_and_loses_nothing_that_it_took() {
    let mut rig = Rig::started(&Before::default());
    rig.temper = Temper::Hangs;
    // One is under way, and so many wait for it.
    let taken = STORE_REQUESTS_MAX as u32 + 1;
    for client in 1..=taken + 2 {
        rig.asks(client, &format!("set destination.d{}.enabled true", client % 3), None);
    }
    for client in 1..=taken {
        assert_eq!(answers(&rig, client), [""; 0]);
    }
    for client in taken + 1..=taken + 2 {
        assert_eq!(answers(&rig, client), ["error: the disk does not keep up; try again"]);
    }
    rig.asks(99, "about", None);
    assert_eq!(rig.answers[&ClientId(99)].len(), 1, "others are answered all the same");
    rig.temper = Temper::Takes(ms(10));
    rig.advance(ms(10 * u64::from(taken)));
    for client in 1..=taken {
        let shown = answers(&rig, client);
        assert!(shown.len() == 1 && shown[0].contains("enabled is set"), "{shown:?}");
    }
    rig.asks(1, "set box.name again", None);
    rig.advance(ms(10));
    assert_eq!(answers(&rig, 1).last().map(String::as_str), Some("box.name is set"));
}

#[test]
fn what_is_stored_too_late_is_in_force_and_reported_but_not_answered_again() {
    let mut rig = Rig::started(&Before::default());
    rig.asks(2, "watch", None);
    rig.temper = Temper::Hangs;
    rig.asks(1, "set box.name late", None);
    rig.advance(STORE_PATIENCE);
    assert_eq!(answers(&rig, 1).len(), 1);
    assert!(rig.over.contains(&ClientId(1)));
    rig.temper = Temper::Takes(ms(10));
    rig.advance(ms(10));
    assert_eq!(answers(&rig, 1).len(), 1);
    assert_eq!(answers(&rig, 2).last().map(String::as_str), Some("box.name is set"));
    rig.asks(1, "show box.name", None);
    assert!(answers(&rig, 1)[1].contains("late"));
}

#[test]
fn a_client_that_leaves_takes_what_waits_with_it_and_a_new_one_gets_none_of_its_answers() {
    let mut rig = Rig::started(&Before::default());
    rig.temper = Temper::Takes(ms(500));
    rig.asks(1, "set box.name first", None);
    rig.asks(1, "set box.name second", None);
    rig.happens(Event::Gone(ClientId(1)));
    // Another one that happens to have its number.
    rig.asks(1, "about", None);
    rig.advance(ms(2_000));
    let shown = answers(&rig, 1);
    assert!(shown.len() == 2 && shown[0].starts_with("firstmile"), "only its own: {shown:?}");
    rig.asks(2, "show box.name", None);
    assert!(answers(&rig, 2)[0].contains("first "), "{:?}", answers(&rig, 2));
}

#[test]
fn a_store_that_fails_leaves_a_live_box_live_with_the_settings_it_had() {
    let mut rig = Rig::started(&Before { stored: READY.to_owned(), ..Before::default() });
    rig.asks(1, "live", None);
    rig.first_key();
    rig.reports("a", firstmile::control::PublishReport::Accepted);
    rig.advance(ms(100));
    let target = rig.target("a").cloned();
    rig.take_transcript();
    for temper in [Temper::Full, Temper::FullAfter(ms(400)), Temper::Broken] {
        rig.temper = temper;
        rig.answers.clear();
        rig.asks(1, "set video.bitrate_kbps 1000", None);
        rig.asks(1, "destination set a rtmps://elsewhere.example/live", None);
        rig.asks(1, "key a", Some("canary-2"));
        rig.asks(1, "destination remove a", None);
        rig.advance(ms(2_000));
        let shown = answers(&rig, 1);
        assert!(
            shown.len() == 4 && shown.iter().all(|line| line.starts_with("error: ")),
            "{shown:?}"
        );
        assert_eq!(rig.control.mode(), Mode::Live);
        assert_eq!(rig.target("a").cloned(), target);
    }
    let shown = rig.take_transcript();
    assert!(!shown.contains("publish") && !shown.contains("encoder"), "nothing moved: {shown}");
}

#[test]
fn a_reload_that_fails_changes_nothing_and_says_so() {
    let mut rig = Rig::started(&Before { stored: READY.to_owned(), ..Before::default() });
    rig.imports("[box]\nname = \"of-the-stick\"");
    rig.temper = Temper::Broken;
    rig.asks(1, "reload", None);
    rig.advance(ms(100));
    assert!(answers(&rig, 1)[0].starts_with("error: the stored settings cannot be read"));
    rig.asks(2, "show box.name", None);
    assert!(!answers(&rig, 2)[0].contains("of-the-stick"));
    rig.temper = Temper::Takes(ms(10));
    rig.asks(1, "reload", None);
    rig.advance(ms(100));
    assert_eq!(answers(&rig, 1)[1], "the settings are read");
    rig.asks(2, "show box.name", None);
    assert!(answers(&rig, 2)[1].contains("of-the-stick"));
}

#[test]
fn a_reset_that_is_refused_ends_no_broadcast() {
    let mut rig =
        Rig::started(&Before { integrator: READY.to_owned(), no_store: true, ..Before::default() });
    rig.asks(1, "live", None);
    rig.asks(1, "factory-reset yes", None);
    assert_eq!(answers(&rig, 1)[1], "error: this box has no place to store settings");
    assert_eq!(rig.control.mode(), Mode::Starting);
}

#[test]
fn a_box_that_went_live_while_a_reset_waited_is_live_again_after_a_power_cut() {
    let mut rig = Rig::started(&Before { integrator: READY.to_owned(), ..Before::default() });
    rig.temper = Temper::Takes(ms(500));
    rig.asks(1, "set box.name stage", None);
    rig.asks(2, "factory-reset yes", None);
    rig.asks(3, "live", None);
    rig.advance(ms(5_000));
    let [erased] = &answers(&rig, 2)[..] else { panic!("one answer") };
    assert!(erased.starts_with("all settings and keys are erased"), "{erased}");
    assert!(erased.contains("flash memory may keep traces"), "{erased}");
    assert_eq!(rig.control.mode(), Mode::Starting);
    assert_eq!(rig.live_written, Some(true));
    rig.asks(3, "stop", None);
    rig.advance(ms(5_000));
    assert_eq!(rig.live_written, Some(false));
}

#[test]
fn a_reset_ends_the_broadcast_at_once_and_forgets_that_it_was_live_however_slow_the_store() {
    let mut rig = Rig::started(&Before { stored: READY.to_owned(), ..Before::default() });
    rig.asks(1, "live", None);
    rig.advance(ms(100));
    assert_eq!(rig.live_written, Some(true));
    rig.temper = Temper::Takes(ms(3_000));
    rig.asks(1, "factory-reset yes", None);
    assert_ne!(rig.control.mode(), Mode::Starting);
    rig.advance(ms(3_000));
    assert_eq!(rig.live_written, Some(false), "before the settings are erased");
    assert_eq!(answers(&rig, 1), ["going live"]);
    rig.advance(ms(3_000));
    assert!(answers(&rig, 1)[1].starts_with("all settings and keys are erased"));
    assert_eq!(rig.control.mode(), Mode::NeedsSetup);
}

#[test]
fn two_watchers_are_each_shown_every_change_once_in_the_same_order() {
    let mut rig = Rig::started(&Before { stored: READY.to_owned(), ..Before::default() });
    rig.asks(1, "watch", None);
    rig.asks(2, "watch", None);
    rig.temper = Temper::Takes(ms(400));
    rig.asks(1, "set box.name stage", None);
    rig.asks(3, "live", None);
    rig.advance(ms(500));
    rig.first_key();
    rig.asks(3, "stop", None);
    rig.advance(ms(2_000));
    let changes = |client: u32| -> Vec<String> {
        let replies = rig.answers[&ClientId(client)].iter();
        let changes = replies.filter(|reply| matches!(reply, Reply::Changed(_)));
        changes.flat_map(Reply::render_text).collect()
    };
    assert!(changes(1).len() >= 5, "{:?}", changes(1));
    assert_eq!(changes(1), changes(2));
    let shown = answers(&rig, 1);
    assert_eq!(shown.iter().filter(|line| *line == "box.name is set").count(), 1, "{shown:?}");
}
