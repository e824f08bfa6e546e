//! What the console sends and takes, byte for byte, on a real pseudo-terminal with the real program:
//! each file in `tests/console/` is one terminal session (the form is described in `lines.txt`).

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::support::appliance::Appliance;
use crate::support::{Folder, eventually, one_at_a_time};

/// One exchange: what is sent, and what must come then.
#[derive(Debug, Default)]
struct Exchange {
    line: usize,
    sent: Vec<u8>,
    expected: String,
}

fn read(text: &str) -> Vec<Exchange> {
    let mut exchanges: Vec<Exchange> = Vec::new();
    let mut answered = true;
    for (n, line) in text.lines().enumerate() {
        let (sign, rest) = line.split_at(line.len().min(2));
        match sign.trim_end() {
            ">" => {
                if answered {
                    exchanges.push(Exchange { line: n + 1, ..Exchange::default() });
                }
                exchanges.last_mut().expect("one").sent.extend(unescape(rest, n + 1));
                answered = false;
            }
            "<" => {
                let last = exchanges.last_mut().expect("something is sent first");
                let bytes = unescape(rest, n + 1);
                last.expected.push_str(std::str::from_utf8(&bytes).expect("UTF-8"));
                answered = true;
            }
            "" | "#" => {}
            other => panic!("line {}: {other:?} is no sign", n + 1),
        }
    }
    exchanges
}

fn unescape(text: &str, line: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            bytes.extend(c.to_string().bytes());
            continue;
        }
        bytes.push(match rest.next() {
            Some('r') => b'\r',
            Some('n') => b'\n',
            Some('t') => b'\t',
            Some('e') => 0x1b,
            Some('b') => 0x08,
            Some('d') => 0x7f,
            Some('\\') => b'\\',
            Some('x') => {
                let digits: String = rest.by_ref().take(2).collect();
                u8::from_str_radix(&digits, 16).expect("two hexadecimal digits")
            }
            other => panic!("line {line}: \\{other:?} is no escape"),
        });
    }
    bytes
}

/// The length of the beginning of `text` that is as expected; `None` while something lacks or
/// differs. `…` stands for anything, as little as possible.
fn matches(text: &str, expected: &str) -> Option<usize> {
    let mut pieces = expected.split('…');
    let mut at = pieces.next().filter(|first| text.starts_with(first))?.len();
    for piece in pieces {
        at += text[at..].find(piece)? + piece.len();
    }
    Some(at)
}

#[track_caller]
fn play(file: &str, appliance: &mut Appliance) {
    let text = fs::read_to_string(Path::new("tests/console").join(file)).expect("a transcript");
    let mut matched = appliance.console_output().len();
    for Exchange { line, sent, expected } in read(&text) {
        appliance.sends(&sent);
        let shown =
            appliance.until_console_shows(matched, |shown| matches(shown, &expected).is_some());
        match matches(&shown, &expected) {
            Some(length) => matched += length,
            None => panic!(
                "{file}:{line}:\n sent     {:?}\n expected {expected:?}\n came     {shown:?}",
                String::from_utf8_lossy(&sent)
            ),
        }
    }
    let rest = &appliance.console_output()[matched..];
    assert_eq!(rest, "", "{file}: something more came");
}

fn box_with_a_pin() -> Appliance {
    let mut first = Appliance::start(&[]);
    first.types("\r", "(needs setup)> ");
    first.types("set console.pin\r", "(not shown): ");
    first.types("4711\r", "console.pin is set");
    first.end();
    let folder = std::mem::replace(&mut first.folder, Folder::new("nothing"));
    drop(first);
    Appliance::start_in(folder, &[])
}

#[test]
fn lines_are_edited_completed_and_recalled() {
    let _turn = one_at_a_time();
    let mut appliance = Appliance::start(&[]);
    play("lines.txt", &mut appliance);
    appliance.end();
}

#[test]
fn secrets_are_asked_for_and_never_echoed() {
    let _turn = one_at_a_time();
    let mut appliance = Appliance::start(&[]);
    play("secrets.txt", &mut appliance);
    let shown = appliance.console_output();
    assert!(
        !shown.contains("efgh") && !shown.contains("4711") && !shown.contains("words"),
        "{shown}"
    );
    appliance.end();
}

#[test]
fn a_pin_is_asked_for_before_anything_else() {
    let _turn = one_at_a_time();
    let mut appliance = box_with_a_pin();
    play("pin.txt", &mut appliance);
    appliance.end();
}

#[test]
fn a_forgotten_pin_locks_nobody_out_for_good() {
    let _turn = one_at_a_time();
    let mut appliance = box_with_a_pin();
    play("forgotten_pin.txt", &mut appliance);
    appliance.end();
}

#[test]
fn a_program_reads_blocks() {
    let _turn = one_at_a_time();
    let mut appliance = Appliance::start(&[]);
    play("machine.txt", &mut appliance);
    appliance.end();
}

#[test]
fn a_million_bytes_without_a_line_end_and_any_noise_leave_the_console_usable() {
    let _turn = one_at_a_time();
    let mut appliance = Appliance::start(&[]);
    appliance.types("\r", "(needs setup)> ");
    appliance.sends(&vec![b'x'; 1_000_000]);
    let mut rng = fastrand::Rng::with_seed(7);
    let noise: Vec<u8> = (0..20_000).map(|_| rng.u8(..)).filter(|b| *b != b'\t').collect();
    appliance.sends(&noise);
    // Echo that nobody reads fast enough is left out, and the first answers with it.
    let from = appliance.console_output().len();
    let mut tries = 0;
    while !appliance.console_output()[from..].contains("serves nothing but to be echoed") {
        tries += 1;
        assert!(tries < 100, "{}", appliance.console_output().len());
        appliance.sends(b"\x03\x03\r");
        std::thread::sleep(std::time::Duration::from_millis(200));
        appliance.sends(b"serves nothing but to be echoed");
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    appliance.types("\x15about\r", "firstmile 0");
    appliance.end();
}

#[test]
fn one_destination_at_a_time_is_checked_and_devices_are_looked_for_once() {
    let _turn = one_at_a_time();
    let mut appliance = Appliance::start(&[]);
    // Takes a connection and never says a word.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("its address").port();
    appliance.types(&format!("destination add hall rtmps://127.0.0.1:{port}/live\r"), "is set");
    appliance.types("key hall\r", "(not shown): ");
    appliance.types("abcd-efgh\r", "tag ");
    let from = appliance.console_output().len();
    appliance.sends(b"check hall\r");
    // Somebody else is not kept waiting for it.
    let other = eventually(Duration::from_secs(3), || {
        let reply = appliance.ctl("check hall");
        (reply.stdout + &reply.stderr).contains("still checking hall").then_some(())
    });
    assert!(other.is_some(), "{}", appliance.log());
    let shown =
        appliance.until_console_shows(from, |shown| shown.contains("no answer from 127.0.0.1"));
    assert_eq!(shown.matches("no answer").count(), 1, "{shown}");
    // What is typed meanwhile waits for its turn; ^C gives the answer up.
    let from = appliance.console_output().len();
    appliance.sends(b"check hall\rabout\r");
    appliance.sends(b"\x03");
    let shown = appliance.until_console_shows(from, |shown| shown.contains("interrupted"));
    assert!(shown.contains("error: interrupted"), "{shown}");
    // Either may be asked for again when it was answered.
    drop(silent);
    // The check whose answer was given up ends by itself first.
    let answered = eventually(Duration::from_secs(20), || {
        let reply = appliance.ctl("check hall");
        (reply.stdout + &reply.stderr).contains("refuses connections").then_some(())
    });
    assert!(answered.is_some(), "{}", appliance.log());
    appliance.types("check hall\r", "refuses connections");
    appliance.end();
}

#[test]
fn a_disabled_destination_is_listed_and_called_so() {
    let _turn = one_at_a_time();
    let mut appliance = Appliance::start(&[]);
    appliance.types("destination add hall rtmps://localhost:9/live\r", "is set");
    appliance.types("set destination.hall.enabled false\r", "is set");
    appliance.types("destination list\r", "hall         disabled");
    let json = appliance.ctl("--json destination list").stdout;
    assert!(json.contains(r#""disabled":["hall"]"#), "{json}");
    for command in ["check hall\r", "check\r"] {
        let way_out = "error: hall is disabled; `set destination.hall.enabled true` enables it";
        appliance.types(command, way_out);
    }
    appliance.types("check tube\r", "there is no such destination");
    appliance.end();
}
