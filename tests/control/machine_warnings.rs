//! Warnings of the machine where people and programs look: the light, `watch`, the black box that is kept.

use std::time::Duration;

use firstmile::console::Reply;
use firstmile::health::{Alarm, Readings};
use firstmile::limits::{HEALTH_IDLE_INTERVAL, HEALTH_INTERVAL, WARNING_ENDS_AFTER};
use firstmile::status::{Space, Wear};

use crate::rig::{Before, Rig};

const ONE: &str =
    "[[destination]]\nname = \"a\"\nurl = \"rtmps://a.example/live\"\nkey = \"canary-k3y\"\n";

fn live() -> Rig {
    let mut rig = Rig::started(&Before { stored: ONE.to_owned(), ..Before::default() });
    rig.press_for(Duration::from_millis(150));
    rig.first_key();
    rig.reports("a", firstmile::control::PublishReport::Accepted);
    rig
}

/// How often the lights wink in ten seconds: one that is lit at first goes out and comes back.
fn winks(rig: &mut Rig) -> usize {
    let mut shown = Vec::new();
    for _ in 0..400 {
        rig.advance(Duration::from_millis(25));
        let levels = rig.control.lights(rig.now);
        assert!(levels.live, "it is live all the while");
        assert_eq!(levels.status, levels.single);
        shown.push(levels.status);
    }
    shown.windows(2).filter(|pair| pair[0] && !pair[1]).count()
}

fn undervoltage(raised: bool) -> Alarm {
    Alarm { raised: Some(raised), events: None }
}

#[test]
fn the_light_winks_for_what_the_owner_can_do_something_about_and_not_for_age() {
    let mut rig = live();
    rig.readings.wear = Some(Wear { used_percent: Some(100), reserve_low: true });
    rig.advance(HEALTH_INTERVAL);
    assert_eq!(rig.control.status(rig.now).warnings.len(), 1);
    assert_eq!(winks(&mut rig), 0);
    rig.readings.undervoltage = undervoltage(true);
    rig.advance(HEALTH_INTERVAL);
    assert_eq!(rig.control.status(rig.now).warnings.len(), 2);
    assert!((8..=12).contains(&winks(&mut rig)), "four in 3.4 s");
    rig.readings = Readings::default();
    rig.advance(Duration::from_secs(120));
    assert_eq!((winks(&mut rig), rig.control.status(rig.now).warnings.len()), (0, 0));
}

#[test]
fn programs_that_watch_learn_of_the_begin_and_the_end_by_kind() {
    let mut rig = live();
    rig.asks(1, "watch", None);
    rig.answered.clear();
    rig.readings.storage = Some(Space { available_kib: 1_024, total_kib: 4_000_000 });
    rig.advance(HEALTH_INTERVAL);
    rig.readings.storage = Some(Space { available_kib: 2_000_000, total_kib: 4_000_000 });
    rig.advance(WARNING_ENDS_AFTER + 2 * HEALTH_INTERVAL);
    let changes: Vec<serde_json::Value> = rig
        .answered
        .iter()
        .filter(|(_, reply)| matches!(reply, Reply::Changed(_)))
        .map(|(_, reply)| serde_json::to_value(reply).expect("data"))
        .collect();
    let [begin, end] = changes.as_slice() else { panic!("{changes:?}") };
    for (change, begun) in [(begin, true), (end, false)] {
        assert_eq!(change["of"], "warning");
        assert_eq!((&change["kind"], &change["begun"]), (&"storage_full".into(), &begun.into()));
    }
    let block = rig.answered[0].1.render_machine();
    assert_eq!(block[..3], ["EVENT", "reply: changed", "begun: true"], "{block:?}");
}

/// What was wrong before a stream broke is in what is kept of it.
#[test]
fn the_black_box_holds_warnings_and_the_figures_of_the_machine() {
    let mut rig = live();
    rig.skips_percent = Some(20);
    rig.busy_percent = Some(99);
    rig.readings.undervoltage = undervoltage(true);
    rig.advance(Duration::from_secs(40));
    rig.take_transcript();
    rig.asks(1, "blackbox", None);
    let Some((_, Reply::BlackBox(past))) = rig.answered.pop() else { panic!("a black box") };
    for words in ["warning: undervoltage: ", "warning: encoding overloaded: 20 % of frames"] {
        assert!(past.events.iter().any(|event| event.message.starts_with(words)), "{past:?}");
    }
    let last = past.samples.last().expect("a second on air");
    assert_eq!((last.frames_skipped_percent, last.cpu_percent), (20, Some(99)));
}

#[test]
fn a_box_that_rests_asks_its_machine_twice_a_minute() {
    let mut rig = Rig::started(&Before::default());
    rig.advance(HEALTH_IDLE_INTERVAL);
    let before = rig.reads;
    rig.advance(Duration::from_secs(600));
    assert_eq!(rig.reads - before, 20);
    // Something is wrong: it is looked at more closely, as long as it is.
    rig.readings.undervoltage = undervoltage(true);
    rig.advance(HEALTH_IDLE_INTERVAL);
    let before = rig.reads;
    rig.advance(Duration::from_secs(60));
    assert_eq!(rig.reads - before, 12);
}
