use super::*;

fn type_in(editor: &mut LineEditor, bytes: &[u8]) -> (Vec<Input>, Vec<u8>) {
    let mut echo = Vec::new();
    let mut inputs = Vec::new();
    for byte in bytes {
        let input = editor.feed(*byte, &mut echo);
        if let Some(Input::Line(line)) = &input
            && !line.is_empty()
        {
            editor.remember(line);
        }
        inputs.extend(input);
    }
    (inputs, echo)
}

/// What a terminal shows in its last row after `echo`, and where its cursor stands.
fn screen(echo: &[u8]) -> (String, usize) {
    let text = String::from_utf8(echo.to_vec()).unwrap();
    let (mut row, mut at): (Vec<char>, usize) = (Vec::new(), 0);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\r' => at = 0,
            '\n' => row.clear(),
            '\x08' => at = at.checked_sub(1).expect("the cursor stays on the row"),
            '\x1b' => {
                assert_eq!((chars.next(), chars.next()), (Some('['), Some('K')));
                row.truncate(at);
            }
            c => {
                if at == row.len() {
                    row.push(c);
                } else {
                    row[at] = c;
                }
                at += 1;
            }
        }
    }
    (row.into_iter().collect::<String>().trim_end().to_owned(), at)
}

fn lines(bytes: &[u8]) -> Vec<Input> {
    type_in(&mut LineEditor::new(), bytes).0
}

fn line(text: &str) -> Input {
    Input::Line(text.to_owned())
}

#[test]
fn cr_lf_and_crlf_each_end_one_line() {
    assert_eq!(
        lines(b"a\rb\nc\r\nd\r\r\n"),
        [line("a"), line("b"), line("c"), line("d"), line("")]
    );
    assert_eq!(lines(b"a\n\n"), [line("a"), line("")]);
}

#[test]
fn the_editing_keys_edit() {
    let cases: &[(&[u8], &str)] = &[
        (b"stopp\x7f", "stop"),
        (b"\x08\x7fstop", "stop"),
        (b"some words\x15live", "live"),
        (b"help lvie\x17live", "help live"),
        (b"help live  \x17", "help "),
        (b"lve\x1b[D\x1b[Di", "live"),
        (b"lve\x1b[D\x1b[D\x1b[Ci", "lvie"),
        (b"ive\x01l\x05!", "live!"),
        (b"ive\x1b[Hl\x1b[F!", "live!"),
        // PuTTY, tmux and screen; rxvt; and a function key of the Linux console, which types nothing.
        (b"ive\x1b[1~l\x1b[4~!", "live!"),
        (b"ive\x1b[7~l\x1b[8~!", "live!"),
        (b"ive\x1bOHl\x1bOF!", "live!"),
        (b"lve\x1b[1;5D\x1b[1;5Di", "live"),
        (b"li\x1b[[Ave\x1b[15~", "live"),
        (b"xlive\x1b[H\x1b[3~", "live"),
        (b"\x1bOD\x1bOClive", "live"),
        (b"h\xc3\xa4\xc3\xb6\x7f", "hä"),
    ];
    for (bytes, expected) in cases {
        let mut editor = LineEditor::new();
        let (_, mut echo) = type_in(&mut editor, bytes);
        let (shown, cursor) = screen(&echo);
        assert_eq!(shown, expected.trim_end(), "shown after {bytes:?}");
        assert_eq!(cursor, editor.cursor, "cursor after {bytes:?}");
        assert_eq!(editor.feed(b'\r', &mut echo), Some(line(expected)), "{bytes:?}");
    }
}

#[test]
fn the_arrows_bring_back_earlier_lines_and_the_one_being_typed() {
    let mut editor = LineEditor::new();
    type_in(&mut editor, b"one\rtwo\rtwo\r\r");
    assert_eq!(type_in(&mut editor, b"dra\x1b[A\r").0, [line("two")]);
    assert_eq!(type_in(&mut editor, b"\x1b[A\x1b[A\x1b[A\x1b[A\r").0, [line("one")]);
    assert_eq!(type_in(&mut editor, b"dra\x1b[A\x1b[A\x1b[B\x1b[Bft\r").0, [line("draft")]);
}

#[test]
fn the_history_is_bounded() {
    let mut editor = LineEditor::new();
    for n in 0..10 * CONSOLE_HISTORY_MAX {
        type_in(&mut editor, format!("line {n}\r").as_bytes());
    }
    assert_eq!(editor.history.len(), CONSOLE_HISTORY_MAX);
}

#[test]
fn tab_completes_what_is_certain_and_shows_the_choices_otherwise() {
    assert_eq!(lines(b"d\ts\tl\t\r"), [line("destination list ")]);
    assert_eq!(lines(b"help w\t\r"), [line("help watch ")]);
    assert_eq!(lines(b"zzz\t\r"), [line("zzz")]);
    let mut editor = LineEditor::new();
    editor.set_prompt("> ");
    let (_, echo) = type_in(&mut editor, b"st\t");
    assert!(String::from_utf8(echo.clone()).unwrap().contains("status  stop  stick\r\n"));
    assert_eq!(screen(&echo), ("> st".to_owned(), 4));
    assert_eq!(type_in(&mut editor, b"a\t\r").0, [line("status ")]);
}

#[test]
fn tab_completes_settings_and_destinations() {
    let mut editor = LineEditor::new();
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    editor.set_names(names(&["video.fps", "video.width"]), names(&["youtube", "hall"]));
    assert_eq!(type_in(&mut editor, b"set vi\tf\t25\r").0, [line("set video.fps 25")]);
    let controls = names(&["brightness", "exposure_time_absolute"]);
    editor.set_controls([(ControlsOf::Camera, controls)].into());
    assert_eq!(
        type_in(&mut editor, b"camera set e\t120\r").0,
        [line("camera set exposure_time_absolute 120")]
    );
    assert_eq!(type_in(&mut editor, b"camera reset b\t\r").0, [line("camera reset brightness ")]);
    assert_eq!(type_in(&mut editor, b"key y\t\r").0, [line("key youtube ")]);
    assert_eq!(
        type_in(&mut editor, b"destination remove h\t\r").0,
        [line("destination remove hall ")]
    );
    assert_eq!(type_in(&mut editor, b"set video.fps 2\t\r").0, [line("set video.fps 2")]);
    let (_, echo) = type_in(&mut editor, b"show video.\t");
    assert!(String::from_utf8_lossy(&echo).contains("video.fps  video.width\r\n"));
}

#[test]
fn tab_completes_what_a_setting_may_be() {
    let mut editor = LineEditor::new();
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    editor.set_names(names(&["camera.device", "audio.mute", "audio.channels_from"]), Vec::new());
    editor.set_values(vec![("camera.device", names(&["auto", "usb:1-1", "usb:1-2"]))]);
    for (typed, expected) in [
        (&b"set cam\tu\t2\r"[..], "set camera.device usb:1-2"),
        (b"set camera.device a\t\r", "set camera.device auto "),
        (b"set camera.device  usb:1-1\t\r", "set camera.device  usb:1-1"),
        (b"set audio.mute t\t\r", "set audio.mute true "),
        (b"set audio.channels_from sw\t\r", "set audio.channels_from swap "),
        (b"set nothing.such x\t\r", "set nothing.such x"),
        (b"unset camera.device u\t\r", "unset camera.device u"),
    ] {
        assert_eq!(type_in(&mut editor, typed).0, [line(expected)]);
    }
    let (_, echo) = type_in(&mut editor, b"set camera.device \t");
    assert!(String::from_utf8_lossy(&echo).contains("auto  usb:1-1  usb:1-2\r\n"));
}

#[test]
fn tab_before_a_long_line_shows_the_line_once() {
    let mut editor = LineEditor::new();
    type_in(&mut editor, &[b'y'; 3_000]);
    type_in(&mut editor, b"\x01 \x01destination r");
    let (_, echo) = type_in(&mut editor, b"\t");
    assert!(echo.len() < 2 * CONSOLE_LINE_BYTES_MAX, "{} bytes", echo.len());
    let (inputs, _) = type_in(&mut editor, b"\r");
    assert_eq!(inputs, [line(&format!("destination remove {}", "y".repeat(3_000)))]);
}

#[test]
fn a_line_that_nobody_lets_it_remember_does_not_come_back() {
    let mut editor = LineEditor::new();
    type_in(&mut editor, b"status\r");
    let mut echo = Vec::new();
    b"set destination.a.key canary\r".iter().for_each(|byte| drop(editor.feed(*byte, &mut echo)));
    let (inputs, echo) = type_in(&mut editor, b"\x1b[A\r");
    assert_eq!(inputs, [line("status")]);
    assert!(!String::from_utf8_lossy(&echo).contains("canary"));
}

#[test]
fn an_interrupt_gives_the_line_up() {
    let mut editor = LineEditor::new();
    assert_eq!(type_in(&mut editor, b"stop\x03").0, [Input::Interrupted]);
    assert_eq!(type_in(&mut editor, b"live\r").0, [line("live")]);
}

#[test]
fn a_secret_is_neither_echoed_nor_remembered() {
    let mut editor = LineEditor::new();
    let mut echo = Vec::new();
    editor.ask_secret("stream key: ", &mut echo);
    echo.extend(type_in(&mut editor, b"canaryX\x7f\x1b[A\t\x0c").1);
    assert!(!format!("{editor:?}").contains("canary"));
    let (inputs, typed) = type_in(&mut editor, b"\r\n");
    echo.extend(typed);
    assert_eq!(inputs, [Input::Secret(Typed::from("canary"))]);
    echo.extend(type_in(&mut editor, b"\x1b[A\x0c").1);
    let shown = String::from_utf8(echo).unwrap();
    assert_eq!(shown.matches("stream key: ").count(), 2, "{shown:?}"); // asked, and ^L
    assert!(!shown.contains("canary"));
}

#[test]
fn a_secret_can_be_given_up_and_may_be_too_long() {
    let mut editor = LineEditor::new();
    editor.ask_secret("key: ", &mut Vec::new());
    assert_eq!(type_in(&mut editor, b"canary\x03live\r").0, [Input::Interrupted, line("live")]);

    editor.ask_secret("key: ", &mut Vec::new());
    let mut bytes = vec![b'k'; 100_000];
    bytes.extend_from_slice(b"\rlive\r");
    let (inputs, echo) = type_in(&mut editor, &bytes);
    assert_eq!(inputs, [Input::TooLong, line("live")]);
    assert!(!echo.contains(&b'k'));

    editor.ask_secret("key: ", &mut Vec::new());
    let longest = "k".repeat(KEY_BYTES_MAX);
    let (inputs, _) = type_in(&mut editor, format!("{longest}\r").as_bytes());
    assert_eq!(inputs, [Input::Secret(Typed::from(longest.as_str()))]);
}

#[test]
fn an_overlong_line_is_reported_once_and_swallowed_to_its_end() {
    let mut editor = LineEditor::new();
    let mut bytes = vec![b'x'; 1_000_000];
    bytes.extend_from_slice(b"\rlive\r");
    let (inputs, echo) = type_in(&mut editor, &bytes);
    assert_eq!(inputs, [Input::TooLong, line("live")]);
    assert!(echo.len() < 2 * CONSOLE_LINE_BYTES_MAX);
}

#[test]
fn after_an_overlong_line_prompt_or_question_stand_again() {
    for secret in [false, true] {
        let mut editor = LineEditor::new();
        editor.set_prompt("box> ");
        type_in(&mut editor, &[b'x'; CONSOLE_LINE_BYTES_MAX + 1]);
        let mut echo = Vec::new();
        if secret {
            editor.ask_secret("key? ", &mut echo);
        }
        echo.extend(type_in(&mut editor, b"xyz\r").1);
        let expected = if secret { "key?" } else { "box>" };
        assert_eq!(screen(&echo).0, expected);
    }
}

#[test]
fn the_longest_line_is_taken_whole() {
    let longest = "ä".repeat(CONSOLE_LINE_BYTES_MAX / 2);
    assert_eq!(lines(format!("{longest}\r").as_bytes()), [line(&longest)]);
}

#[test]
fn noise_of_any_kind_is_harmless() {
    for seed in 0..50 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut editor = LineEditor::new();
        for _ in 0..4_000 {
            let mut echo = Vec::new();
            // Half of it keys that matter, half of it anything.
            let byte = if rng.bool() {
                rng.u8(..)
            } else {
                *b"\r\n\x1b[ABCD\x7f\x17\t\xc3a".get(rng.usize(..13)).unwrap_or(&0)
            };
            editor.feed(byte, &mut echo);
            assert!(std::str::from_utf8(&echo).is_ok(), "seed {seed}");
            assert!(editor.cursor <= editor.line.len(), "seed {seed}");
            let bytes: usize = editor.line.iter().map(|c| c.len_utf8()).sum();
            assert_eq!(bytes, editor.line_bytes, "seed {seed}");
            assert!(bytes <= CONSOLE_LINE_BYTES_MAX, "seed {seed}");
        }
        editor.feed(b'\r', &mut Vec::new());
        editor.feed(b'\r', &mut Vec::new());
        let (inputs, _) = type_in(&mut editor, b"live\r");
        assert_eq!(inputs, [line("live")], "usable again after noise, seed {seed}");
    }
}

#[test]
fn an_endless_escape_sequence_costs_no_memory_and_ends() {
    let mut editor = LineEditor::new();
    let mut bytes = b"\x1b[".to_vec();
    bytes.extend(vec![b'1'; 100]);
    bytes.extend_from_slice(b"\x03stop\r");
    let (inputs, _) = type_in(&mut editor, &bytes);
    assert_eq!(inputs, [Input::Interrupted, line("stop")]);
}
