//! What a display at the front is given to show: what the lights say, in words, and nothing new at rest.

use std::time::Duration;

use firstmile::appliance::Presence;
use firstmile::control::{Event, Missing, PublishReport, SourceFound, SourceLook};
use firstmile::display::Front;
use firstmile::panel::{Attention, Fault, Indication};

use crate::rig::{Before, Rig, lost};

const TWO: &str = "[[destination]]\nname = \"a\"\nurl = \"rtmps://a.example/live\"\nkey = \"canary-k3y\"\n\
     [[destination]]\nname = \"b\"\nurl = \"rtmps://b.example/live\"\nkey = \"canary-k4y\"\n";

fn started() -> Rig {
    Rig::started(&Before { stored: TWO.to_owned(), ..Before::default() })
}

fn live() -> Rig {
    let mut rig = started();
    rig.press_for(Duration::from_millis(150));
    rig.first_key();
    for name in ["a", "b"] {
        rig.reports(name, PublishReport::Accepted);
    }
    rig
}

/// What is shown after the lights were set, as the loop does it.
fn front(rig: &mut Rig) -> Front {
    rig.control.lights(rig.now);
    rig.control.front(rig.now)
}

#[test]
fn a_box_at_rest_shows_the_same_for_hours_although_its_lights_blink() {
    let mut rig = started();
    rig.advance(Duration::from_secs(60));
    let shown = front(&mut rig);
    assert_eq!(shown.indication, Indication::Ready);
    for _ in 0..2_000 {
        rig.advance(Duration::from_millis(1_703));
        assert_eq!(front(&mut rig), shown, "at {:?}", rig.now);
    }
}

#[test]
fn the_time_on_air_counts_from_the_first_server_on_and_over_an_interruption() {
    let mut rig = live();
    let since = front(&mut rig).live_since.expect("it is live");
    rig.advance(Duration::from_secs(600));
    assert_eq!(front(&mut rig).live_since, Some(since));
    for name in ["a", "b"] {
        rig.reports(name, lost("connection reset"));
    }
    let retrying = front(&mut rig);
    assert!(matches!(retrying.indication, Indication::Retrying { .. }), "{retrying:?}");
    assert_eq!(retrying.live_since, Some(since));
    assert!(retrying.words.is_some_and(|words| words.contains("connection reset")));
    rig.advance(Duration::from_secs(5));
    rig.reports("a", PublishReport::Accepted);
    let again = front(&mut rig);
    assert_eq!(again.live_since, Some(since), "{again:?}");
    assert_eq!(again.indication, Indication::Live { attention: Attention::Destination });
    assert!(again.words.is_some_and(|words| words.starts_with("b: ")), "which one, and why");
    rig.press_for(Duration::from_secs(3));
    rig.advance(Duration::from_secs(10));
    let rests = front(&mut rig);
    assert_eq!((rests.indication, rests.live_since), (Indication::Ready, None));
    assert_eq!((rests.figures, rests.meters), (None, Vec::new()));
}

#[test]
fn a_box_without_a_key_says_so_and_one_without_destinations_shows_where_to_begin() {
    let mut rig = Rig::started(&Before::default());
    let shown = front(&mut rig);
    assert_eq!((shown.indication, shown.words), (Indication::NeedsSetup, None));
    assert!(shown.destinations.is_empty());
    let stored = "[[destination]]\nname = \"tube\"\nurl = \"rtmps://a.example/live\"\n";
    let mut rig = Rig::started(&Before { stored: stored.to_owned(), ..Before::default() });
    let shown = front(&mut rig);
    let words = shown.words.expect("what is missing");
    assert!(words.contains("tube has no stream key"), "{words}");
}

#[test]
fn a_press_is_shown_by_what_follows_and_a_stick_by_a_page_of_its_own() {
    let mut rig = started();
    rig.contact(true);
    assert_eq!(front(&mut rig).moment, None);
    rig.contact(false);
    rig.advance(Duration::from_secs(2));
    rig.asks(1, "stick accepted", None);
    assert_eq!(front(&mut rig).moment, Some(Indication::StickAccepted));
}

#[test]
fn the_words_are_about_the_source_that_the_lights_miss() {
    let mut rig = started();
    let absent = || SourceFound { presence: Presence::Lost, ..SourceFound::default() };
    let missing = Missing {
        camera: Some("no camera was found".to_owned()),
        microphone: Some("no sound card records".to_owned()),
    };
    let look = SourceLook { camera: absent(), microphone: absent(), missing };
    rig.happens(Event::Sources(look));
    let shown = front(&mut rig);
    assert_eq!(shown.indication, Indication::Fault(Fault::Camera));
    assert_eq!(shown.words.as_deref(), Some("no camera was found"));
}
