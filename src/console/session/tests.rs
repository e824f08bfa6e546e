use super::*;

const MS: Duration = Duration::from_millis(1);

fn session() -> Session {
    let about = About {
        product: "firstmile",
        version: "1.2.3",
        board: "sim".to_owned(),
        name: Some("stage".to_owned()),
        machine: None,
        serial_number: None,
        no_real_time_audio: None,
    };
    let mut session = Session::new(about, 115_200);
    session.set_mode(Mode::Ready);
    session
}

/// Types, and gives what is wanted and what is shown.
fn types(session: &mut Session, now: Duration, text: &str) -> (Vec<SessionEvent>, String) {
    let mut events = Vec::new();
    for byte in text.bytes() {
        session.feed(now, byte);
        events.extend(std::iter::from_fn(|| session.poll_event()));
    }
    (events, String::from_utf8(session.take_output()).unwrap())
}

/// Goes on with what was typed ahead, and gives what is wanted.
fn goes_on(session: &mut Session, now: Duration) -> Vec<SessionEvent> {
    let mut events = Vec::new();
    while session.go_on(now) {
        events.extend(std::iter::from_fn(|| session.poll_event()));
    }
    events
}

fn pin(text: &str) -> SessionEvent {
    SessionEvent::Pin(Typed::from(text))
}

#[test]
fn a_gadget_is_silent_until_enter_and_then_greets() {
    let mut session = session();
    session.open(MS, false);
    session.change(MS, &Reply::text(["noise"]));
    let (events, shown) = types(&mut session, MS, "AT+GCAP");
    assert_eq!((events.len(), shown.as_str()), (0, ""));
    let (_, shown) = types(&mut session, MS, "\x15\r");
    let greeting = "firstmile 1.2.3 on sim\r\nname         stage\r\nIt is ready: `live` goes on \
                    air.\r\n`help` lists all commands.\r\n\r\x1b[Kstage (ready)> ";
    assert_eq!(shown, greeting);
}

#[test]
fn a_line_typed_before_the_greeting_is_carried_out() {
    let mut session = session();
    session.open(MS, false);
    let (events, _) = types(&mut session, MS, "status\r");
    assert_eq!(events, [SessionEvent::Command(Command::Status)]);
}

#[test]
fn without_the_pin_nothing_is_done_but_a_factory_reset() {
    let mut session = session();
    session.set_has_pin(true);
    session.open(MS, true);
    let (events, shown) = types(&mut session, MS, "live\r");
    assert_eq!(events, [pin("live")], "taken for a PIN");
    assert!(shown.ends_with("PIN (not shown): \r\n"), "{shown:?}");
    session.pin_checked(MS, false);
    let (events, shown) = types(&mut session, MS, "factory-reset\r");
    assert!(events.is_empty() && shown.contains("`factory-reset yes`"), "{shown}");
    let (events, _) = types(&mut session, MS, "factory-reset yes\r");
    let reset = Command::Serve(Service::FactoryReset { sure: true });
    assert_eq!(events, [SessionEvent::Command(reset)]);
    session.set_has_pin(false);
    let (events, shown) = types(&mut session, MS, "live\r");
    assert_eq!(events, [SessionEvent::Command(Command::Live)]);
    assert!(shown.contains("(ready)> "), "{shown:?}");
}

#[test]
fn the_right_pin_lets_in_and_what_was_typed_meanwhile_counts() {
    let mut session = session();
    session.set_has_pin(true);
    session.open(MS, true);
    let (events, shown) = types(&mut session, MS, "4711\rstatus\r");
    assert_eq!(events, [pin("4711")]);
    assert!(!shown.contains("4711") && !shown.contains("status"), "{shown:?}");
    session.pin_checked(MS, true);
    let events = goes_on(&mut session, MS);
    assert_eq!(events, [SessionEvent::Command(Command::Status)]);
    // The next one who comes is asked again.
    session.open(MS, true);
    assert_eq!(session.poll_event(), Some(SessionEvent::Left));
    assert_eq!(types(&mut session, MS, "status\r").0, [pin("status")]);
}

#[test]
fn wrong_pins_cost_ever_longer_waits_and_the_right_one_ends_them() {
    let mut session = session();
    session.set_has_pin(true);
    session.open(MS, true);
    let mut now = MS;
    let mut waits = Vec::new();
    for _ in 0..12 {
        let mut waited = 0;
        while types(&mut session, now, "0000\r").0.is_empty() {
            // Faster than that for a while would be noise.
            now += Duration::from_secs(2);
            waited += 2;
        }
        waits.push(waited);
        session.pin_checked(now, false);
    }
    assert_eq!(waits, [0, 0, 0, 0, 2, 4, 8, 16, 32, 60, 60, 60]);
    let (_, shown) = types(&mut session, now, "4711\r");
    assert!(shown.contains("wait 60 s"), "{shown}");
    now += PIN_WAIT_MAX;
    assert_eq!(types(&mut session, now, "4711\r").0, [pin("4711")]);
    session.pin_checked(now, true);
    session.open(now, true);
    types(&mut session, now, "0000\r");
    session.pin_checked(now, false);
    assert_eq!(types(&mut session, now, "0000\r").0, [pin("0000")], "it starts again");
}

#[test]
fn a_terminal_that_was_left_alone_asks_again_and_forgets_what_was_typed() {
    let mut session = session();
    session.set_has_pin(true);
    session.open(MS, true);
    types(&mut session, MS, "4711\r");
    session.pin_checked(MS, true);
    types(&mut session, MS, "set box.name left-behind\r");
    let at = session.poll_timeout().expect("an idle time");
    session.handle_timeout(at);
    assert_eq!(session.poll_event(), Some(SessionEvent::Left));
    session.take_output();
    let (events, shown) = types(&mut session, at, "\x1b[A\r");
    assert!(events.is_empty() && shown.contains("PIN") && !shown.contains("left-behind"));
}

#[test]
fn a_terminal_without_a_pin_needs_no_timer() {
    let mut session = session();
    session.open(MS, true);
    types(&mut session, MS, "status\r");
    assert_eq!(session.poll_timeout(), None);
}

#[test]
fn a_flood_of_changes_never_fills_the_line_and_is_reported_in_the_end() {
    for machine in [false, true] {
        let mut session = session();
        session.open(MS, true);
        session.set_machine(machine);
        session.take_output();
        let mut seconds = vec![0_usize; 12];
        let mut last = String::new();
        for ms in 0..12_000_u32 {
            let now = ms * MS;
            if ms < 10_000 {
                let message = format!("the network went away for the {ms}th time");
                session.change(now, &Reply::Changed(Change::Note { message }));
            }
            if session.poll_timeout().is_some_and(|at| now >= at) {
                session.handle_timeout(now);
            }
            let out = session.take_output();
            seconds[ms as usize / 1_000] += out.len();
            last.push_str(&String::from_utf8_lossy(&out));
        }
        assert!(seconds.iter().all(|bytes| *bytes <= 11_520), "{seconds:?}");
        assert!(seconds[..10].iter().all(|bytes| *bytes > 1_000), "{seconds:?}");
        let shown_at = last.rfind("changes not shown").expect("what was left out is reported");
        assert!(!last[shown_at..].contains("the network"), "as the last thing");
        assert_eq!(session.poll_timeout(), None);
    }
}

#[test]
fn what_is_typed_while_a_command_is_carried_out_waits_and_then_answers_its_question() {
    let mut session = session();
    session.open(MS, true);
    session.set_waiting(true);
    let (events, shown) = types(&mut session, MS, "key tube\rcanary\rstatus\r");
    assert!(events.is_empty() && !shown.contains("tube"), "{events:?} {shown:?}");
    session.set_waiting(false);
    let mut events = Vec::new();
    while session.go_on(MS) {
        for event in std::iter::from_fn(|| session.poll_event()).collect::<Vec<_>>() {
            if let SessionEvent::Command(Command::Serve(Service::Key { .. })) = event {
                session.ask(Secret::Key { destination: "tube".to_owned() });
            }
            events.push(event);
        }
    }
    assert_eq!(events.len(), 3, "{events:?}");
    assert!(matches!(&events[1], SessionEvent::Secret { value, .. } if **value.0 == *"canary"));
    assert_eq!(events[2], SessionEvent::Command(Command::Status));
    assert!(!String::from_utf8(session.take_output()).unwrap().contains("canary"));
}

#[test]
fn of_more_than_can_be_typed_ahead_whole_lines_are_carried_out_and_the_loss_is_reported() {
    let mut session = session();
    session.open(MS, true);
    session.set_waiting(true);
    let line = "set box.name stage\r";
    let most = CONSOLE_TYPED_AHEAD_BYTES_MAX / line.len();
    types(&mut session, MS, &line.repeat(most + 2));
    types(&mut session, MS, "factory-");
    session.set_waiting(false);
    assert_eq!(goes_on(&mut session, MS).len(), most);
    let (events, shown) = types(&mut session, MS, "reset yes\rstatus\r");
    assert_eq!(events, [SessionEvent::Command(Command::Status)], "no half of a line");
    assert!(shown.contains("what followed is lost"), "{shown}");
}

#[test]
fn an_interrupt_while_a_command_is_carried_out_is_reported_and_forgets_what_was_typed_ahead() {
    let mut session = session();
    session.open(MS, true);
    session.set_waiting(true);
    let (events, _) = types(&mut session, MS, "stop\r\x03");
    assert_eq!(events, [SessionEvent::Interrupted]);
    session.set_waiting(false);
    assert!(goes_on(&mut session, MS).is_empty());
}

/// Feeds back whatever the terminal sends, as shorted wires do, and counts it until it falls silent.
fn bytes_in_a_loop(session: &mut Session, now: &mut Duration, byte_time: Duration) -> usize {
    let mut sent = 0;
    loop {
        let output = session.take_output();
        sent += output.len();
        if output.is_empty() || sent > 1_000_000 {
            return sent;
        }
        for byte in output {
            *now += byte_time;
            session.feed(*now, byte);
            while session.poll_event().is_some_and(|event| matches!(event, SessionEvent::Pin(_))) {
                session.pin_checked(*now, false);
            }
        }
    }
}

// Shows F44.
#[test]
fn a_console_whose_wires_are_shorted_falls_silent_and_listens_again_later() {
    // 115,200, 9,600 and 1,200 baud; the prompt of a long name takes longest.
    let rates = [87, 1_042, 8_333].into_iter();
    let names = rates.flat_map(|us| {
        [(us, "stage"), (us, "the-main-stage-of-the-town-hall-of-a-city-with-a-very-long-name-x")]
    });
    for (byte_us, name, has_pin) in names.flat_map(|(us, n)| [(us, n, false), (us, n, true)]) {
        let (mut session, mut now) = (session(), MS);
        session.set_name(name);
        session.set_has_pin(has_pin);
        session.open(now, true);
        let sent = bytes_in_a_loop(&mut session, &mut now, Duration::from_micros(byte_us));
        assert!(sent < 20_000, "{sent} bytes of {byte_us} µs, PIN {has_pin}");
        now += Duration::from_secs(10);
        assert_eq!(session.take_output(), b"", "nothing goes out by itself");
        let (_, shown) = types(&mut session, now, "\r");
        assert!(shown.contains("firstmile 1.2.3"), "{shown}");
    }
}

#[test]
fn somebody_who_mistypes_a_few_lines_is_answered_each_time() {
    let mut session = session();
    session.open(MS, true);
    for n in 0..100 {
        let (_, shown) = types(&mut session, n * Duration::from_secs(1), "liev\r");
        assert!(shown.contains("live"), "{n}: {shown}");
    }
}

#[test]
fn a_block_of_wrong_lines_is_answered_in_part_and_says_how_to_go_on() {
    let mut session = session();
    session.open(MS, true);
    let (_, shown) = types(&mut session, MS, &"no such command\r".repeat(40));
    assert!(shown.contains("lines in a row mean nothing here; press ^C"), "{shown}");
    assert!(!shown.trim_end().ends_with('>'), "no prompt: it does not listen");
    let (_, shown) = types(&mut session, MS, "status\r");
    assert_eq!(shown, "");
    let (events, _) = types(&mut session, MS, "\x03status\r");
    assert_eq!(events, [SessionEvent::Command(Command::Status)]);
}

#[test]
fn no_secret_comes_back_by_the_arrow_keys_and_a_mistyped_line_does() {
    let mut session = session();
    session.set_names(Vec::new(), vec!["tube".to_owned()]);
    session.set_has_pin(true);
    session.open(MS, false);
    // A PIN typed at a sleeping port, and one at its prompt.
    types(&mut session, MS, "4711\r");
    types(&mut session, MS, "4711\r");
    session.pin_checked(MS, true);
    types(&mut session, MS, "chekc tube\r");
    for secret in [
        "key tube canary-k3y\r",
        "check tube canary\r",
        "canary-k3y-0815\r",
        "set destination.tube.url rtmps://h/app?token=canary\r",
        "destination set tube rtmps://user:canary@h/app\r",
        "set wifi.passphrase canary\r",
        "set console.pni 4711\r",
        "4711\r",
    ] {
        types(&mut session, MS, secret);
    }
    session.take_output();
    let (_, shown) = types(&mut session, MS, "\x1b[A\x1b[A\x1b[A");
    assert!(shown.contains("chekc tube"), "{shown:?}");
    assert!(!shown.contains("canary") && !shown.contains("4711"), "{shown:?}");
}
