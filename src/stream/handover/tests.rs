use super::*;

type Destination = Handover<&'static str, &'static str>;

const NOW: Duration = Duration::from_secs(100);

fn id(number: u64) -> ConnectionId {
    ConnectionId(number)
}

fn actions(of: &mut Destination) -> Vec<Action<&'static str, &'static str>> {
    std::iter::from_fn(|| of.poll_action()).collect()
}

fn reported(what: What<&'static str>) -> Action<&'static str, &'static str> {
    Action::Report { attempt: 1, what }
}

fn connect(
    number: u64,
    target: &'static str,
    queue: Queue,
    start_kbps: Option<u32>,
) -> Action<&'static str, &'static str> {
    Action::Connect { id: id(number), target, queue, start_kbps }
}

fn lost(resume_kbps: Option<u32>) -> Ended<&'static str> {
    Ended { result: Err("lost"), refusal: None, resume_kbps }
}

fn closed(resume_kbps: Option<u32>) -> Ended<&'static str> {
    Ended { result: Ok(()), refusal: None, resume_kbps }
}

/// Attempt 1 has connection 0 at "first", which is accepted.
fn live() -> Destination {
    let mut destination = Destination::new();
    destination.handle_open(NOW, 1, "first");
    destination.handle(NOW, id(0), Happened::Accepted);
    let done = actions(&mut destination);
    let expected = [
        connect(0, "first", Queue::Standing, None),
        Action::Show { id: id(0) },
        reported(What::Accepted),
    ];
    assert_eq!(done, expected);
    destination
}

#[test]
fn a_move_closes_the_old_connection_when_the_new_one_is_accepted() {
    let mut destination = live();
    destination.handle(NOW, id(0), Happened::MoveWanted(Some("there")));
    assert_eq!(actions(&mut destination), [connect(1, "there", Queue::Fresh, None)]);
    destination.handle(NOW, id(0), Happened::MoveWanted(None));
    assert_eq!(actions(&mut destination), [], "one is taking over already");
    destination.handle(NOW, id(1), Happened::Accepted);
    let close = Action::Close { id: id(0), how: Close::HandOver };
    assert_eq!(actions(&mut destination), [close]);
    destination.handle_ended(NOW, id(0), closed(None));
    let done = actions(&mut destination);
    let moved = Action::Moved { target: "there" };
    assert_eq!(done, [Action::Show { id: id(1) }, moved], "nobody upstairs has to know");
    destination.handle_close(1, Close::Polite);
    destination.handle_ended(NOW, id(1), closed(None));
    let close = Action::Close { id: id(1), how: Close::Polite };
    assert_eq!(actions(&mut destination), [close, reported(What::Ended(Ok(())))]);
}

#[test]
fn after_a_stop_no_connection_begins_whatever_those_that_are_closing_report() {
    for how in [Close::Polite, Close::Abort] {
        let mut destination = live();
        destination.handle(NOW, id(0), Happened::MoveWanted(None));
        destination.handle_close(1, how);
        let refusal = Some(Refusal::KeyBusy);
        let refused = Ended { result: Err("busy"), refusal, resume_kbps: None };
        destination.handle(NOW, id(0), Happened::MoveWanted(Some("there")));
        destination.handle_ended(NOW, id(1), refused);
        destination.handle(NOW, id(0), Happened::MoveWanted(Some("there")));
        destination.handle_return(NOW, 1, "home");
        destination.handle_ended(NOW, id(0), closed(None));
        let done = actions(&mut destination);
        let begun = done.iter().filter(|action| matches!(action, Action::Connect { .. }));
        assert_eq!(begun.count(), 1, "only the one before the stop: {done:?}");
        assert_eq!(done.last(), Some(&reported(What::Ended(Ok(())))));
        assert!(!destination.is_running());
    }
}

#[test]
fn a_move_that_fails_is_reported_and_the_stream_stays() {
    let mut destination = live();
    destination.handle(NOW, id(0), Happened::MoveWanted(Some("there")));
    destination.handle_ended(NOW, id(1), lost(None));
    let expected = [connect(1, "there", Queue::Fresh, None), Action::MoveFailed { error: "lost" }];
    assert_eq!(actions(&mut destination), expected);
    assert!(destination.is_running());
}

#[test]
fn an_attempt_whose_new_connection_is_lost_ends_with_its_error() {
    let mut destination = live();
    destination.handle(NOW, id(0), Happened::MoveWanted(Some("there")));
    destination.handle(NOW, id(1), Happened::Accepted);
    destination.handle_ended(NOW, id(1), lost(None));
    destination.handle_ended(NOW, id(0), closed(None));
    assert_eq!(actions(&mut destination).last(), Some(&reported(What::Ended(Err("lost")))));
}

#[test]
fn a_server_that_allows_only_one_connection_gets_the_second_after_the_first() {
    let mut destination = live();
    destination.handle(NOW, id(0), Happened::MoveWanted(None));
    let refusal = Some(Refusal::KeyBusy);
    let refused = Ended { result: Err("busy"), refusal, resume_kbps: None };
    destination.handle_ended(NOW, id(1), refused);
    destination.handle_ended(NOW, id(0), closed(None));
    destination.handle(NOW, id(2), Happened::Accepted);
    let expected = [
        connect(1, "first", Queue::Fresh, None),
        Action::Close { id: id(0), how: Close::Polite },
        connect(2, "first", Queue::Standing, None),
        Action::Show { id: id(2) },
        Action::Moved { target: "first" },
        reported(What::Accepted),
    ];
    assert_eq!(actions(&mut destination), expected);
}

#[test]
fn a_return_closes_nothing_on_a_guess() {
    for (refusal, closes) in
        [(Refusal::KeyBusy, true), (Refusal::KeyRejected, false), (Refusal::Other, false)]
    {
        let mut destination = live();
        destination.handle_return(NOW, 1, "home");
        let refusal = Some(refusal);
        let refused = Ended { result: Err("refused"), refusal, resume_kbps: None };
        destination.handle_ended(NOW, id(1), refused);
        let done = actions(&mut destination);
        let has_closed = done.iter().any(|action| matches!(action, Action::Close { .. }));
        assert_eq!(has_closed, closes, "{refusal:?}");
    }
}

#[test]
fn a_return_is_reported_when_the_first_server_has_the_stream_and_only_for_its_attempt() {
    let mut destination = live();
    destination.handle_return(NOW, 7, "home");
    assert_eq!(actions(&mut destination), []);
    destination.handle_return(NOW, 1, "home");
    destination.handle(NOW, id(1), Happened::Accepted);
    destination.handle_ended(NOW, id(0), closed(None));
    let done = actions(&mut destination);
    assert_eq!(done.last(), Some(&reported(What::Returned)));
    assert!(!done.contains(&reported(What::Accepted)), "{done:?}");
}

#[test]
fn a_connection_that_is_lost_while_its_successor_connects_leaves_the_stream_to_it() {
    let mut destination = live();
    destination.handle(NOW, id(0), Happened::MoveWanted(None));
    destination.handle_ended(NOW, id(0), lost(Some(900)));
    destination.handle(NOW, id(1), Happened::Accepted);
    let done = actions(&mut destination);
    let moved = Action::Moved { target: "first" };
    assert_eq!(done[1..], [Action::Show { id: id(1) }, moved, reported(What::Accepted)]);
}

#[test]
fn a_stop_in_the_middle_of_a_move_closes_both_and_reports_one_end() {
    let mut destination = live();
    destination.handle(NOW, id(0), Happened::MoveWanted(None));
    destination.handle_close(1, Close::Polite);
    destination.handle_close(1, Close::Polite);
    destination.handle_ended(NOW, id(1), closed(None));
    destination.handle_ended(NOW, id(0), closed(None));
    let expected = [
        connect(1, "first", Queue::Fresh, None),
        Action::Close { id: id(0), how: Close::Polite },
        Action::Close { id: id(1), how: Close::Polite },
        reported(What::Ended(Ok(()))),
    ];
    assert_eq!(actions(&mut destination), expected);
}

#[test]
fn what_the_path_carried_is_what_the_next_attempt_begins_with_for_a_while() {
    for (later, start_kbps) in [
        (Duration::ZERO, Some(900)),
        (RESUME_BELIEVED_FOR - Duration::from_secs(1), Some(900)),
        (RESUME_BELIEVED_FOR, None),
    ] {
        let mut destination = live();
        destination.handle(NOW, id(0), Happened::TargetBitrate(450));
        destination.handle_ended(NOW, id(0), lost(Some(900)));
        let expected = [
            reported(What::TargetBitrate(450)),
            reported(What::TargetBitrate(900)),
            reported(What::Ended(Err("lost"))),
        ];
        assert_eq!(actions(&mut destination), expected);
        destination.handle_open(NOW + later, 2, "first");
        let begun = actions(&mut destination);
        assert_eq!(begun[0], connect(1, "first", Queue::Standing, start_kbps));
    }
}

#[test]
fn an_attempt_in_vain_neither_changes_nor_prolongs_what_is_believed_of_the_path() {
    let mut destination = live();
    destination.handle_ended(NOW, id(0), lost(Some(900)));
    let half = RESUME_BELIEVED_FOR / 2;
    destination.handle_open(NOW + half, 2, "first");
    destination.handle_ended(NOW + half, id(1), lost(None));
    destination.handle_open(NOW + half, 3, "backup");
    destination.handle_ended(NOW + half, id(2), lost(None));
    destination.handle_open(NOW + RESUME_BELIEVED_FOR, 4, "first");
    let starts = actions(&mut destination).into_iter().filter_map(|action| match action {
        Action::Connect { start_kbps, .. } => Some(start_kbps),
        _ => None,
    });
    assert_eq!(starts.collect::<Vec<_>>(), [Some(900), Some(900), None]);
}

#[test]
fn a_stop_by_the_owner_and_other_settings_forget_the_path() {
    let mut stopped = live();
    stopped.handle_close(1, Close::Polite);
    stopped.handle_ended(NOW, id(0), closed(Some(900)));
    let mut changed = live();
    changed.handle_ended(NOW, id(0), lost(Some(900)));
    changed.forget_path();
    for mut destination in [stopped, changed] {
        actions(&mut destination);
        destination.handle_open(NOW, 2, "first");
        let begun = actions(&mut destination);
        assert_eq!(begun[0], connect(1, "first", Queue::Standing, None));
    }
}

#[test]
fn a_connection_that_takes_over_begins_with_the_bitrate_of_the_running_one() {
    let mut destination = live();
    destination.handle(NOW, id(0), Happened::TargetBitrate(1_200));
    destination.handle_return(NOW, 1, "home");
    let done = actions(&mut destination);
    assert_eq!(done[1], connect(1, "home", Queue::Fresh, Some(1_200)));
    destination.handle(NOW, id(1), Happened::TargetBitrate(1_200));
    destination.handle(NOW, id(1), Happened::Accepted);
    destination.handle_ended(NOW, id(0), closed(Some(1_200)));
    assert!(actions(&mut destination).contains(&reported(What::TargetBitrate(1_200))));
}

/// What a server asks for each 10 ms from `from` for `time`, and when a connection was made for it.
fn flooded(destination: &mut Destination, from: Duration, time: Duration) -> Vec<Duration> {
    let (mut moved, mut now, mut number) = (Vec::new(), from, destination.next_id - 1);
    while now < from + time {
        destination.handle(now, id(number), Happened::MoveWanted(Some("there")));
        destination.handle_timeout(now);
        let done = actions(destination);
        if let Some(Action::Connect { id: next, .. }) = done.first() {
            moved.push(now - from);
            // Which goes well, so that the next one may ask in its turn.
            let old = id(number);
            number = next.0;
            destination.handle(now, id(number), Happened::Accepted);
            destination.handle_ended(now, old, closed(None));
            actions(destination);
        }
        now += Duration::from_millis(10);
    }
    moved
}

// Shows F37.
#[test]
fn a_server_that_asks_to_move_without_end_moves_the_stream_ever_more_rarely() {
    let secs = Duration::from_secs;
    let mut destination = live();
    let moved = flooded(&mut destination, NOW, secs(3_600));
    assert_eq!(moved[..5], [secs(0), secs(2), secs(6), secs(14), secs(30)]);
    assert!(moved.len() <= 20, "{moved:?}");
    let longest = moved.windows(2).map(|pair| pair[1] - pair[0]).max();
    assert_eq!(longest, Some(MOVE_WAIT_MAX), "and it goes on to move");
    // Once a server is content for a while, the next move is made at once.
    let later = NOW + secs(3_600) + MOVES_FORGOTTEN_AFTER;
    assert_eq!(flooded(&mut destination, later, secs(3)), [secs(0), secs(2)]);
}

#[test]
fn a_move_that_waits_goes_to_where_the_server_wanted_it_last() {
    let mut destination = live();
    flooded(&mut destination, NOW, Duration::from_millis(10));
    destination.handle(NOW, id(1), Happened::MoveWanted(Some("early")));
    destination.handle(NOW, id(1), Happened::MoveWanted(Some("late")));
    assert_eq!(actions(&mut destination), [], "not yet");
    let at = destination.poll_timeout().expect("a time");
    assert_eq!(at, NOW + MOVE_WAIT_FIRST);
    destination.handle_timeout(at);
    assert_eq!(actions(&mut destination), [connect(2, "late", Queue::Fresh, None)]);
    assert_eq!(destination.poll_timeout(), None);
}

#[test]
fn a_move_that_waits_is_forgotten_when_the_stream_ends() {
    for how in [Close::Polite, Close::Abort] {
        let mut destination = live();
        flooded(&mut destination, NOW, Duration::from_millis(10));
        destination.handle(NOW, id(1), Happened::MoveWanted(Some("there")));
        destination.handle_close(1, how);
        assert_eq!(destination.poll_timeout(), None);
        destination.handle_ended(NOW, id(1), closed(None));
        actions(&mut destination);
        destination.handle_timeout(NOW + MOVE_WAIT_MAX);
        assert_eq!(actions(&mut destination), []);
    }
}

#[test]
fn what_a_connection_that_leaves_for_another_one_asks_for_is_not_followed() {
    let mut destination = live();
    destination.handle(NOW, id(0), Happened::MoveWanted(Some("there")));
    let refusal = Some(Refusal::KeyBusy);
    let refused = Ended { result: Err("busy"), refusal, resume_kbps: None };
    destination.handle_ended(NOW, id(1), refused);
    // It is being closed, so that the place that it went for gets the stream.
    destination.handle(NOW, id(0), Happened::MoveWanted(Some("elsewhere")));
    destination.handle_return(NOW, 1, "home");
    destination.handle_ended(NOW, id(0), closed(None));
    destination.handle(NOW, id(2), Happened::Accepted);
    actions(&mut destination);
    assert_eq!(destination.poll_timeout(), None, "nothing waits");
    destination.handle_timeout(NOW + MOVE_WAIT_MAX);
    assert_eq!(actions(&mut destination), []);
}

#[test]
fn a_move_that_waited_is_done_with_once_another_connection_has_the_stream() {
    let mut destination = live();
    flooded(&mut destination, NOW, Duration::from_millis(10));
    destination.handle(NOW, id(1), Happened::MoveWanted(Some("there")));
    destination.handle_return(NOW, 1, "home");
    let refused = Ended { result: Err("busy"), refusal: Some(Refusal::KeyBusy), resume_kbps: None };
    destination.handle_ended(NOW, id(2), refused);
    destination.handle_ended(NOW, id(1), closed(None));
    destination.handle(NOW, id(3), Happened::Accepted);
    actions(&mut destination);
    assert_eq!(destination.poll_timeout(), None, "the one that asked is gone");
}

#[test]
fn while_a_connection_closes_for_one_that_was_lost_no_other_begins() {
    let mut destination = live();
    destination.handle(NOW, id(0), Happened::MoveWanted(Some("there")));
    destination.handle(NOW, id(1), Happened::Accepted);
    destination.handle_ended(NOW, id(1), lost(None));
    actions(&mut destination);
    destination.handle(NOW + MOVE_WAIT_MAX, id(0), Happened::MoveWanted(None));
    destination.handle_return(NOW + MOVE_WAIT_MAX, 1, "home");
    assert_eq!(actions(&mut destination), [], "the attempt is over");
    destination.handle_ended(NOW + MOVE_WAIT_MAX, id(0), closed(None));
    assert_eq!(actions(&mut destination), [reported(What::Ended(Err("lost")))]);
}
