use super::*;
use crate::appliance::DestinationId;
use crate::panel::Because;
use crate::status::DestinationState as Shown;

struct Rig {
    destination: Destination,
    now: Duration,
    rng: fastrand::Rng,
    attempts: u64,
    opened: usize,
}

impl Rig {
    fn connecting() -> Rig {
        let target = Target {
            id: DestinationId(0),
            name: "a".to_owned(),
            revision: 1,
            has_key: true,
            has_backup: false,
        };
        let mut rig = Rig {
            destination: Destination::new(target),
            now: Duration::ZERO,
            rng: fastrand::Rng::with_seed(1),
            attempts: 0,
            opened: 0,
        };
        rig.with(|destination, context| destination.go_live(context));
        rig
    }

    fn with(&mut self, what: impl FnOnce(&mut Destination, &mut Context<'_>)) {
        let mut actions = VecDeque::new();
        let mut context = Context {
            now: self.now,
            clock: Clock::Trusted,
            rng: &mut self.rng,
            attempts: &mut self.attempts,
            actions: &mut actions,
        };
        what(&mut self.destination, &mut context);
        let open = |action: &&Action| matches!(action, Action::Publish(PublishOrder::Open { .. }));
        self.opened += actions.iter().filter(open).count();
    }

    fn handle(&mut self, what: PublishEvent) {
        let attempt = self.attempts;
        self.with(|destination, context| destination.handle(context, attempt, what));
    }

    fn end(&mut self, evidence: Evidence) {
        self.handle(PublishEvent::Ended { evidence, message: String::new() });
    }

    fn wait_out(&mut self) -> Duration {
        let due = self.destination.poll_timeout().expect("it waits");
        let wait = due - self.now;
        self.now = due;
        self.with(|destination, context| destination.handle_timeout(context));
        wait
    }
}

#[test]
fn a_network_that_flaps_cannot_make_the_box_hammer_a_server() {
    let mut rig = Rig::connecting();
    while rig.now < Duration::from_secs(10) {
        if rig.destination.shown() == Shown::Connecting {
            rig.end(Evidence::Unreachable);
        }
        rig.with(|destination, context| destination.network_changed(context));
        rig.now += Duration::from_millis(1);
        rig.with(|destination, context| destination.handle_timeout(context));
    }
    assert!((2..=42).contains(&rig.opened), "{} attempts in 10 s", rig.opened);
}

#[test]
fn a_silent_attempt_is_cut_and_counts_as_a_failure() {
    let mut rig = Rig::connecting();
    assert_eq!(rig.wait_out(), ATTEMPT_TIMEOUT);
    assert_eq!(rig.destination.shown(), Shown::Waiting);
    assert_eq!(rig.destination.status(rig.now).failures, 1);
}

#[test]
fn a_minute_live_lets_the_waits_start_small_again() {
    for (live_s, expected_failures) in [(59, 6), (60, 1)] {
        let mut rig = Rig::connecting();
        for _ in 0..5 {
            rig.end(Evidence::Lost);
            rig.wait_out();
        }
        rig.handle(PublishEvent::Accepted);
        rig.now += Duration::from_secs(live_s);
        rig.end(Evidence::Lost);
        assert_eq!(rig.destination.status(rig.now).failures, expected_failures);
    }
}

#[test]
fn another_network_is_tried_at_once_where_what_answered_may_have_been_a_login_page() {
    let certificate = |not_yet_valid| Evidence::Certificate { not_yet_valid };
    for evidence in [certificate(false), certificate(true), Evidence::NoTls, Evidence::NotRtmp] {
        let mut rig = Rig::connecting();
        for _ in 0..8 {
            rig.end(evidence);
            rig.wait_out();
        }
        rig.end(evidence);
        rig.now += WAIT_CUT_MIN;
        rig.with(|destination, context| destination.network_changed(context));
        assert_eq!(rig.destination.shown(), Shown::Connecting, "{evidence:?}");
    }
}

#[test]
fn a_changed_network_does_not_press_a_server_that_refused() {
    for evidence in [Evidence::KeyRefused, Evidence::Rejected, Evidence::Busy] {
        let mut rig = Rig::connecting();
        rig.end(evidence);
        rig.now += Duration::from_millis(300);
        rig.with(|destination, context| destination.network_changed(context));
        assert_eq!(rig.destination.shown(), Shown::Waiting, "{evidence:?}");
        rig.with(|destination, context| destination.hurry(context));
        assert_eq!(rig.destination.shown(), Shown::Connecting, "the owner may: {evidence:?}");
    }
}

#[test]
fn words_of_a_server_are_kept_short_and_on_one_line() {
    let mut rig = Rig::connecting();
    rig.handle(PublishEvent::Ended {
        evidence: Evidence::Rejected,
        message: "no\n".repeat(10_000),
    });
    let message = rig.destination.status(rig.now).last_end.expect("an end").message;
    assert_eq!(message.chars().count(), crate::limits::END_TEXT_CHARS_MAX);
    assert!(!message.contains('\n'));
}

impl Rig {
    fn connecting_with_backup() -> Rig {
        let mut rig = Rig::connecting();
        rig.end(Evidence::Lost);
        let target = Target { has_backup: true, ..rig.destination.target.clone() };
        rig.with(|destination, context| destination.retarget(context, target, true));
        assert_eq!(rig.server(), Server::First);
        rig
    }

    fn server(&self) -> Server {
        self.destination.status(self.now).server.expect("there are two")
    }
}

#[test]
fn a_wait_counts_from_the_begin_of_an_attempt_that_was_in_vain() {
    for (took_s, wait_s) in [(0, 2..=3), (1, 1..=2), (5, 0..=1), (40, 0..=1)] {
        let mut rig = Rig::connecting();
        for _ in 0..2 {
            rig.end(Evidence::Timeout);
            rig.wait_out();
        }
        rig.now += Duration::from_secs(took_s);
        rig.end(Evidence::Timeout);
        let wait = rig.wait_out();
        assert!(wait >= WAIT_CUT_MIN, "{took_s} s: {wait:?}");
        assert!(wait_s.contains(&wait.as_secs()), "{took_s} s: {wait:?}");
    }
}

#[test]
fn failed_attempts_take_turns_between_the_two_servers() {
    let mut rig = Rig::connecting_with_backup();
    for expected in [Server::Backup, Server::First, Server::Backup, Server::First] {
        rig.end(Evidence::Unreachable);
        rig.wait_out();
        assert_eq!(rig.server(), expected);
    }
}

#[test]
fn a_stream_that_breaks_is_tried_where_it_was_before_it_is_tried_elsewhere() {
    for (failures, server) in [(0, Server::First), (1, Server::Backup)] {
        let mut rig = Rig::connecting_with_backup();
        for _ in 0..failures {
            rig.end(Evidence::Lost);
            rig.wait_out();
        }
        rig.handle(PublishEvent::Accepted);
        rig.end(Evidence::Lost);
        rig.wait_out();
        assert_eq!(rig.server(), server);
    }
}

#[test]
fn a_refused_key_is_refused_by_the_backup_too() {
    let mut rig = Rig::connecting_with_backup();
    rig.end(Evidence::KeyRefused);
    assert!(rig.wait_out() >= Duration::from_secs(24));
    assert_eq!(rig.server(), Server::First);
}

#[test]
fn the_first_server_is_looked_at_more_and_more_rarely_until_it_holds() {
    let mut rig = Rig::connecting_with_backup();
    rig.end(Evidence::Unreachable);
    rig.wait_out();
    rig.handle(PublishEvent::Accepted);
    let looks: Vec<u64> = (0..7).map(|_| rig.wait_out().as_secs()).collect();
    assert_eq!(looks, [30, 60, 120, 240, 480, 600, 600]);
    rig.handle(PublishEvent::Returned);
    assert_eq!(rig.server(), Server::First);
    assert_eq!(rig.destination.poll_timeout(), None, "nothing is left to look at");
    for (held_s, next_look_s) in [(59, 600), (60, 30)] {
        rig.now += Duration::from_secs(held_s);
        rig.end(Evidence::Lost);
        rig.wait_out();
        rig.end(Evidence::Lost);
        rig.wait_out();
        assert_eq!(rig.server(), Server::Backup);
        rig.handle(PublishEvent::Accepted);
        assert_eq!(rig.wait_out().as_secs(), next_look_s, "the first server held for {held_s} s");
        rig.handle(PublishEvent::Returned);
    }
}

#[test]
fn an_attempt_that_hangs_when_the_network_changes_is_made_again_at_most_once_a_second() {
    let mut rig = Rig::connecting();
    while rig.now < Duration::from_secs(10) {
        rig.with(|destination, context| destination.network_changed(context));
        rig.now += Duration::from_millis(1);
        rig.with(|destination, context| destination.handle_timeout(context));
    }
    assert!((9..=11).contains(&rig.opened), "{} attempts in 10 s", rig.opened);
    assert_eq!(
        rig.destination.status(rig.now).failures,
        0,
        "nothing was proven against the server"
    );
}

#[test]
fn an_attempt_that_is_through_is_left_alone_by_a_changed_network() {
    let mut rig = Rig::connecting();
    rig.with(|destination, context| destination.network_changed(context));
    rig.handle(PublishEvent::Accepted);
    rig.now += Duration::from_secs(10);
    rig.with(|destination, context| destination.network_changed(context));
    rig.with(|destination, context| destination.handle_timeout(context));
    assert_eq!((rig.destination.shown(), rig.opened), (Shown::Accepted, 1));
}

#[test]
fn a_stranded_connection_is_dropped_and_tried_again_at_once() {
    let mut rig = Rig::connecting();
    rig.handle(PublishEvent::Accepted);
    let stale = rig.attempts + 1;
    rig.with(|destination, context| destination.stranded(context, stale));
    assert_eq!(rig.destination.shown(), Shown::Accepted, "that is another attempt");
    let attempt = rig.attempts;
    rig.with(|destination, context| destination.stranded(context, attempt));
    assert_eq!(rig.destination.shown(), Shown::Waiting);
    assert!(rig.wait_out() <= WAIT_CUT_MIN);
}

/// The server does this to the attempt that it has just accepted, and then to the next one.
fn closes(rig: &mut Rig, evidence: Evidence, times: u32) -> Vec<&'static str> {
    let mut kinds = Vec::new();
    for _ in 0..times {
        rig.end(evidence);
        kinds.push(rig.destination.status(rig.now).last_end.expect("an end").kind);
        rig.wait_out();
    }
    kinds
}

// Shows F31.
#[test]
fn a_server_that_closes_without_a_word_at_publish_is_soon_a_matter_of_address_and_key() {
    for evidence in [Evidence::ClosedAtPublish, Evidence::ClosedAtOnce, Evidence::SilentAtPublish] {
        let mut rig = Rig::connecting();
        closes(&mut rig, evidence, 2);
        assert_eq!(rig.destination.trouble(), Because::Network, "one may be a restart");
        let kinds = closes(&mut rig, evidence, 1);
        assert_eq!(kinds, ["address or stream key probably wrong"], "{evidence:?}");
        assert_eq!(rig.destination.trouble(), Because::Refused);
        let sentence = rig.destination.sentence();
        assert!(sentence.contains("please double-check your stream key"), "{sentence}");
        let waits: Vec<u64> = (0..6)
            .map(|_| {
                rig.end(evidence);
                rig.wait_out().as_secs()
            })
            .collect();
        assert!(waits[5] >= 24, "slower and slower: {waits:?}");
    }
}

#[test]
fn a_server_that_had_the_stream_is_busy_and_no_wrong_key_when_it_closes_at_once() {
    let mut rig = Rig::connecting();
    rig.handle(PublishEvent::Accepted);
    rig.now += Duration::from_secs(90);
    rig.end(Evidence::Lost);
    rig.wait_out();
    for _ in 0..6 {
        rig.end(Evidence::ClosedAtOnce);
        assert_eq!(rig.destination.trouble(), Because::Busy);
        rig.wait_out();
    }
    // Nobody keeps it for longer than that.
    rig.now += crate::limits::KEY_HELD_FOR;
    closes(&mut rig, Evidence::ClosedAtOnce, 3);
    assert_eq!(rig.destination.trouble(), Because::Refused);
}

#[test]
fn after_a_power_cut_the_server_may_have_the_stream_still() {
    let mut rig = Rig::connecting();
    rig.destination.was_live(rig.now);
    closes(&mut rig, Evidence::ClosedAtOnce, 3);
    assert_eq!(rig.destination.trouble(), Because::Busy);
}

#[test]
fn a_corrected_key_is_not_blamed_for_the_wrong_one() {
    let mut rig = Rig::connecting();
    closes(&mut rig, Evidence::ClosedAtPublish, 5);
    let target = Target { revision: 2, ..rig.destination.target.clone() };
    rig.with(|destination, context| destination.retarget(context, target, true));
    rig.handle(PublishEvent::Ended { evidence: Evidence::Stopped, message: String::new() });
    closes(&mut rig, Evidence::ClosedAtPublish, 1);
    assert_eq!(rig.destination.trouble(), Because::Network);
}

// Shows F33.
#[test]
fn two_encoders_that_take_a_key_from_each_other_stop_fighting_after_a_few_rounds() {
    let mut rig = Rig::connecting();
    let mut waits = Vec::new();
    for _ in 0..8 {
        rig.handle(PublishEvent::Accepted);
        rig.now += Duration::from_secs(5);
        rig.end(Evidence::ClosedWhileLive);
        waits.push(rig.wait_out().as_secs());
    }
    assert!(waits[..2].iter().all(|wait| *wait <= 2), "it comes back: {waits:?}");
    assert!(waits[4..].iter().all(|wait| *wait >= 48), "and yields: {waits:?}");
    assert_eq!(rig.destination.trouble(), Because::Busy);
    let sentence = rig.destination.sentence();
    assert!(sentence.contains("another encoder probably uses this stream key"), "{sentence}");
}

#[test]
fn an_unpublish_that_nobody_explains_is_no_end_for_good() {
    let mut rig = Rig::connecting();
    for _ in 0..20 {
        rig.handle(PublishEvent::Accepted);
        rig.now += Duration::from_secs(3);
        rig.end(Evidence::Unpublished);
        assert_eq!(rig.destination.shown(), Shown::Waiting);
        rig.wait_out();
    }
}
