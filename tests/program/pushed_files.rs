//! `firstmile push`: what it says of a file while it sends it and at its end, and with which exit code.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::support::flv_file::write_flv_file;
use crate::support::flv_tags::{file, usual};
use crate::support::ingest::Ingest;
use crate::support::product::{firstmile, firstmile_ends};
use crate::support::pseudo_terminal::OnTerminal;
use crate::support::{Folder, run};
use std::io::Write;
use std::time::Duration;

const KEY: &str = "right-k3y-0123456789";

/// A folder with a server, a key, and the arguments to push there.
fn server() -> (Ingest, Folder, String) {
    let folder = Folder::new("pushed");
    let server = Ingest::start(folder.path(), KEY);
    fs::write(folder.path().join("key"), KEY).unwrap();
    let arguments = format!("--url {} --ca-file ca.pem --key-file key", server.url());
    (server, folder, arguments)
}

fn write(folder: &Folder, bytes: &[u8]) {
    fs::write(folder.path().join("x.flv"), bytes).unwrap();
}

#[test]
fn a_file_that_is_cut_off_has_an_exit_code_of_its_own_and_is_named_with_byte_and_time() {
    let (server, folder, to) = server();
    let bytes = file(&usual(2));
    let length = bytes.len() - 50;
    write(&folder, &bytes[..length]);
    let ended = firstmile_ends(folder.path(), &format!("push x.flv --no-pace --json {to}"));
    assert_eq!(ended.status.code(), Some(8), "{}", ended.stderr);
    let line = ended.stderr.trim_end();
    assert!(line.starts_with("firstmile: x.flv: ") && line.lines().count() == 1, "{line}");
    assert!(line.contains(&format!("byte {length}")) && line.contains("2.0 s"), "{line}");
    let figures: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert!(figures["cut_off"].as_str().is_some_and(|cut| cut.contains("byte")), "{figures}");
    assert!(figures["acknowledged_bytes"].as_u64() > Some(0), "{figures}");
    let reports = server.reports();
    assert!(reports.len() == 1 && reports[0].ended, "the stream was ended in order");
    assert!(reports[0].summary.audio_frames + reports[0].summary.video_frames == 50 + 93 - 1);
}

#[test]
fn a_file_with_a_hole_is_pushed_to_its_end_and_both_ends_of_the_hole_are_named() {
    let (server, folder, to) = server();
    let tags = usual(2);
    let begins: Vec<usize> = (0..tags.len()).map(|n| file(&tags[..n]).len()).collect();
    let mut bytes = file(&tags);
    bytes[begins[40]..begins[50] + 5].fill(0);
    write(&folder, &bytes);
    let ended = firstmile_ends(folder.path(), &format!("push x.flv --no-pace {to}"));
    assert_eq!(ended.status.code(), Some(8), "{}", ended.stderr);
    let line = ended.stderr.lines().last().unwrap();
    let named = [begins[40], begins[51]].iter().all(|at| line.contains(&format!("byte {at}")));
    assert!(line.starts_with("firstmile: x.flv: ") && named, "{line}");
    assert!(line.contains("what is whole was sent, 2."), "{line}");
    let summary = &server.reports()[0].summary;
    assert_eq!(summary.audio_frames + summary.video_frames, 50 + 93 - 11);
}

#[test]
fn a_push_says_every_few_seconds_how_far_it_has_come() {
    let (_server, folder, to) = server();
    write_flv_file(&folder.path().join("x.flv"), 12, 500);
    let ended = firstmile_ends(folder.path(), &format!("push x.flv {to}")).ok();
    let lines: Vec<&str> = ended.stderr.lines().collect();
    assert!((1..=3).contains(&lines.len()), "{lines:?}");
    for line in lines {
        let has = |words: &[&str]| words.iter().all(|word| line.contains(word));
        assert!(
            has(&["0:00:", " of media, ", " kb/s, ", " kB sent, ", " kB acknowledged"]),
            "{line}"
        );
        assert!(!line.contains('\x1b') && !line.contains('\r'), "{line:?}");
    }
    assert!(ended.stdout.contains("acknowledged by the server"), "{}", ended.stdout);
}

#[test]
fn on_a_terminal_a_push_rewrites_one_line_and_takes_it_away_at_its_end() {
    let (_server, folder, to) = server();
    write_flv_file(&folder.path().join("x.flv"), 3, 500);
    let mut push = OnTerminal::start(firstmile(folder.path(), &format!("push x.flv {to}")));
    let (code, shown) = push.ends();
    assert_eq!(code, Some(0), "{shown}");
    let drawn: Vec<&str> = shown.split("\r\x1b[K").collect();
    assert!(drawn.len() >= 5, "{shown:?}");
    assert!(
        drawn[1..drawn.len() - 1].iter().all(|line| line.ends_with("acknowledged")),
        "{drawn:?}"
    );
    let end = drawn[drawn.len() - 1];
    assert!(end.contains("acknowledged by the server") && end.lines().count() == 1, "{end:?}");
}

#[test]
fn on_a_dumb_terminal_a_push_rewrites_nothing() {
    let (_server, folder, to) = server();
    write_flv_file(&folder.path().join("x.flv"), 3, 500);
    let mut push = firstmile(folder.path(), &format!("push x.flv {to}"));
    push.env("TERM", "dumb");
    let (code, shown) = OnTerminal::start(push).ends();
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("acknowledged by the server"), "{shown:?}");
    assert!(!shown.contains('\x1b') && !shown.replace("\r\n", "").contains('\r'), "{shown:?}");
}

#[test]
fn standard_input_can_be_pushed_but_not_along_with_the_key() {
    let (server, folder, to) = server();
    let mut push = firstmile(folder.path(), &format!("push - {to}"));
    let mut child = push.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&file(&usual(1))).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(server.reports()[0].summary.video_frames, 25);

    let both = to.replace("--key-file key", "--key-file -");
    let ended = firstmile_ends(folder.path(), &format!("push - {both}"));
    assert_eq!(ended.status.code(), Some(3));
    assert!(ended.stderr.contains("cannot both come from standard input"), "{}", ended.stderr);
    let twice = firstmile_ends(folder.path(), &format!("push - --loop 2 {to}"));
    assert!(twice.stderr.contains("played once only"), "{}", twice.stderr);
}

/// Where nothing is whole, nobody is called.
#[test]
fn a_file_without_a_whole_tag_is_refused_with_the_place() {
    let folder = Folder::new("pushed");
    fs::write(folder.path().join("key"), KEY).unwrap();
    for (bytes, words) in [
        (&file(&usual(1))[..20], "byte 20"),
        (&file(&[])[..], "holds no media"),
        (&[&file(&[])[..], &[0; 400]].concat()[..], "zeros at byte 13"),
    ] {
        write(&folder, bytes);
        let to = "--url rtmps://127.0.0.1:1/live --key-file key";
        let ended = run(&mut firstmile(folder.path(), &format!("push x.flv {to}")), WITHIN);
        assert_eq!(ended.status.code(), Some(3), "{}", ended.stderr);
        assert!(ended.stderr.contains("x.flv") && ended.stderr.contains(words), "{}", ended.stderr);
    }
}

const WITHIN: Duration = Duration::from_secs(60);

#[test]
fn a_frame_that_some_servers_do_not_take_is_named_and_sent() {
    let (server, folder, to) = server();
    let mut tags = usual(1);
    let key = tags.iter_mut().find(|written| written.2.starts_with(b"\x17\x01")).unwrap();
    key.2 = crate::support::flv_tags::video(0, true, 5_000_000, 0);
    write(&folder, &file(&tags));
    let ended = firstmile_ends(folder.path(), &format!("push x.flv --no-pace {to}")).ok();
    assert!(
        ended.stderr.contains("5000009 bytes") && ended.stderr.contains("max_message"),
        "{}",
        ended.stderr
    );
    assert_eq!(server.reports()[0].summary.video_frames, 25);
    assert!(Path::new(&server.reports()[0].file).metadata().unwrap().len() > 5_000_000);
}
