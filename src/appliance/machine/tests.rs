//! Bounds and answers of the machine.

use super::*;
use crate::appliance::{By, DestinationId, PublishOrder};
use crate::panel::Gesture;

fn setup() -> Setup {
    Setup { seed: 1, start_without_camera: true, start_without_microphone: true, was_live: false }
}

fn do_all(appliance: &mut Appliance) -> Vec<Action> {
    std::iter::from_fn(|| appliance.poll_action()).collect()
}

fn happens(appliance: &mut Appliance, events: impl IntoIterator<Item = Event>) -> Vec<Action> {
    let mut actions = do_all(appliance);
    for event in events {
        appliance.handle(Duration::from_secs(1), event);
        actions.extend(do_all(appliance));
    }
    actions
}

fn targets(ids: std::ops::Range<u32>) -> Event {
    let target = |id| Target {
        id: DestinationId(id),
        name: format!("d{id}"),
        revision: 1,
        has_key: true,
        has_backup: false,
    };
    Event::Targets(ids.map(target).collect())
}

fn on_air() -> Appliance {
    let mut appliance = Appliance::new(Duration::ZERO, setup());
    let first_key = Event::Pipeline { run: 1, what: PipelineEvent::FirstKey };
    happens(
        &mut appliance,
        [Event::Booted, targets(0..1), Event::Button(Gesture::Press), first_key],
    );
    appliance
}

#[test]
fn settings_that_change_faster_than_servers_close_stay_bounded() {
    let mut appliance = on_air();
    let (mut opened, mut cut) = (1, 0);
    for n in 1..200 {
        for action in happens(&mut appliance, [targets(n * 8..n * 8 + 8)]) {
            match action {
                Action::Publish(PublishOrder::Open { .. }) => opened += 1,
                Action::Publish(PublishOrder::Close { polite: false, .. }) => cut += 1,
                _ => {}
            }
        }
        assert!(appliance.destinations.len() <= DESTINATIONS_HELD_MAX);
    }
    assert_eq!(opened - cut, appliance.destinations.len(), "what is forgotten was cut");
}

#[test]
fn more_destinations_than_the_bound_and_names_given_twice_are_left_out() {
    let mut appliance = on_air();
    happens(&mut appliance, [targets(0..200)]);
    assert_eq!(appliance.status(Duration::from_secs(1)).destinations.len(), DESTINATIONS_MAX);
    let Event::Targets(mut twice) = targets(0..2) else { unreachable!() };
    twice.extend(twice.clone());
    happens(&mut appliance, [Event::Targets(twice)]);
    assert_eq!(appliance.status(Duration::from_secs(1)).destinations.len(), 2);
}

#[test]
fn a_request_to_go_live_or_to_stop_is_answered_once_in_every_mode() {
    let at_rest = || {
        let mut appliance = Appliance::new(Duration::ZERO, setup());
        happens(&mut appliance, [Event::Booted]);
        appliance
    };
    let makers: [&dyn Fn() -> Appliance; 3] =
        [&|| Appliance::new(Duration::ZERO, setup()), &at_rest, &on_air];
    for make in makers {
        for event in [Event::GoLive { by: By::Console }, Event::Stop { by: By::Console }] {
            let mut appliance = make();
            let actions = happens(&mut appliance, [event.clone()]);
            let answers = actions
                .iter()
                .filter(|action| matches!(action, Action::WentLive(_) | Action::Stopped(_)));
            assert_eq!(answers.count(), 1, "{event:?} in {:?}", appliance.mode());
        }
    }
}

#[test]
fn every_fault_has_a_sentence_and_a_light_of_its_kind() {
    let faults = [
        PipelineFault::Camera,
        PipelineFault::Microphone,
        PipelineFault::Encoder,
        PipelineFault::Internal,
    ];
    for fault in faults {
        let mut appliance = Appliance::new(Duration::ZERO, setup());
        let error = PipelineEvent::Error { fault, message: "words".to_owned() };
        happens(
            &mut appliance,
            [
                Event::Booted,
                targets(0..1),
                Event::Button(Gesture::Press),
                Event::Pipeline { run: 1, what: error },
                Event::Pipeline { run: 1, what: PipelineEvent::Ended },
            ],
        );
        assert_eq!(appliance.mode(), Shown::Fault);
        assert!(matches!(appliance.indication(), Indication::Fault(_)));
        let because = appliance.status(Duration::from_secs(1)).because;
        assert!(because.contains(": words; tried again in 5 s") && because.len() > 30, "{because}");
    }
}

/// Lets the encoder fail twice at `at_s` and the box rest; gives the seconds until it tries again.
fn wait_after_a_fault_s(appliance: &mut Appliance, at_s: u64) -> u64 {
    let now = Duration::from_secs(at_s);
    for _ in 0..2 {
        let run = appliance.run;
        let what = PipelineEvent::Error { fault: PipelineFault::Encoder, message: String::new() };
        appliance.handle(now, Event::Pipeline { run, what });
        do_all(appliance);
    }
    let (run, what) = (appliance.run, PipelineEvent::Ended);
    appliance.handle(now, Event::Pipeline { run, what });
    do_all(appliance);
    appliance.handle_timeout(now + STOPPING_TIMEOUT);
    do_all(appliance);
    assert_eq!(appliance.mode(), Shown::Fault);
    (appliance.poll_timeout().expect("it is tried again") - now - STOPPING_TIMEOUT).as_secs()
}

fn tried_again(appliance: &mut Appliance) -> u64 {
    let at = appliance.poll_timeout().expect("it is tried again");
    appliance.handle_timeout(at);
    do_all(appliance);
    let (run, what) = (appliance.run, PipelineEvent::FirstKey);
    appliance.handle(at, Event::Pipeline { run, what });
    do_all(appliance);
    at.as_secs()
}

#[test]
fn a_fault_is_tried_again_after_ever_longer_waits_for_ever_until_a_minute_went_well() {
    let mut appliance = on_air();
    let mut at_s = 10;
    for expected_s in [5, 10, 20, 40, 60, 60, 60] {
        assert_eq!(wait_after_a_fault_s(&mut appliance, at_s), expected_s);
        at_s = tried_again(&mut appliance) + 30;
    }
    assert_eq!(wait_after_a_fault_s(&mut appliance, at_s + 60), 5, "that one had run well");
}
