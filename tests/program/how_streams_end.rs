//! How a stream ends, as the owner meets it: lights and words of the box, words and exit code of a
//! command.

use std::fs;
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::support::Folder;
use crate::support::appliance::Appliance;
use crate::support::flv_file::write_flv_file;
use crate::support::product::firstmile_ends;
use crate::support::scripted::{Scripted, Treatment};
use firstmile::sim::ingest::session::{Policy, Refuse};

/// Servers run beside the program.
fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

fn at_once() -> Treatment {
    Treatment { closes_after_start: Some(Duration::from_millis(50)), ..Treatment::default() }
}

fn at_publish() -> Treatment {
    Treatment { closes_at_publish: true, ..Treatment::default() }
}

fn refusing(code: &str, description: &str) -> Treatment {
    let refuse = Refuse { code: code.to_owned(), description: description.to_owned() };
    let policy = Policy { refuse_publish: Some(refuse), ..Policy::default() };
    Treatment { policy, ..Treatment::default() }
}

/// Exit code and words of `push` and of `check --publish` at this port.
fn commands(port: u16) -> [(Option<i32>, String); 2] {
    let folder = Folder::new("endings");
    fs::write(folder.path().join("key"), "canary-k3y\n").expect("a key file");
    write_flv_file(&folder.path().join("a.flv"), 4, 500);
    let to = format!("--url rtmp://127.0.0.1:{port}/live --key-file key --allow-plain");
    [format!("push a.flv {to}"), format!("check --publish {to}")].map(|command| {
        let ended = firstmile_ends(folder.path(), &command);
        // Beside what is logged and how far it has come: one line, the last.
        let (stderr, begin) = (&ended.stderr, "firstmile: ");
        let lines = stderr.lines().filter(|line| line.starts_with(begin)).count();
        assert!(lines <= 1, "one line: {stderr}");
        assert!(lines == 0 || stderr.lines().last().unwrap().starts_with(begin), "{stderr}");
        assert!(!ended.stderr.contains("canary"), "{}", ended.stderr);
        (ended.status.code(), ended.stderr)
    })
}

#[test]
fn the_exit_code_of_a_command_is_the_one_that_the_manual_names() {
    let runtime = runtime();
    let serve = |treatment| runtime.block_on(Scripted::start(vec![treatment])).port;
    // Takes the connection and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent_port = silent.local_addr().expect("its address").port();
    let late = Duration::from_millis(1_500);
    let ends = Some((20, String::new()));
    let key = "please double-check your stream key";
    // Whether each command fails, with which code, and with which words.
    let (both, push) = ([true, true], [true, false]);
    let cases = [
        ("closed instead of an answer", serve(at_publish()), both, 7, key),
        ("closed right after it accepted", serve(at_once()), both, 7, key),
        ("refused", serve(refusing("NetStream.Publish.Denied", "no")), both, 7, "Denied: no"),
        ("in use", serve(refusing("NetStream.Publish.BadName", "already publishing")), both, 7, ""),
        ("no answer", silent_port, both, 5, "in time"),
        (
            "closed in mid-stream",
            serve(Treatment { closes_after_start: Some(late), ..Treatment::default() }),
            push,
            5,
            "closed the connection",
        ),
        (
            "ended in mid-stream",
            serve(Treatment { ends_stream_after: ends, ..Treatment::default() }),
            push,
            5,
            "Unpublish.Success",
        ),
    ];
    thread::scope(|scope| {
        for (name, port, fails, code, words) in cases {
            scope.spawn(move || {
                for (fails, (found, output)) in fails.into_iter().zip(commands(port)) {
                    let expected = if fails { code } else { 0 };
                    assert_eq!(found, Some(expected), "{name}: {output}");
                    assert!(!fails || output.contains(words), "{name}: {output}");
                }
            });
        }
    });
}

/// The line about a destination in `status`.
fn line_of<'a>(status: &'a str, name: &str) -> &'a str {
    let mut lines = status.lines().skip_while(|line| !line.starts_with(&format!("{name} ")));
    lines.nth(1).unwrap_or_default()
}

/// Starts a box that publishes to these ports on this machine.
fn live_box(ports: &[(&str, u16)]) -> Appliance {
    let folder = Folder::new("endings");
    let mut settings = "version = 1\n".to_owned();
    for (name, port) in ports {
        settings += &format!(
            "[[destination]]\nname = \"{name}\"\nurl = \"rtmp://127.0.0.1:{port}/live\"\n\
             key = \"canary-k3y\"\nallow_plain = true\n"
        );
    }
    fs::write(folder.path().join("none.toml"), settings).expect("settings");
    let appliance = Appliance::start_in(folder, &[]);
    appliance.until_status("ready");
    appliance.ctl("live");
    appliance
}

// Shows F31.
#[test]
fn a_wrong_key_that_a_server_denies_by_closing_points_at_the_key_and_shows_no_live_light() {
    let runtime = runtime();
    let serve = |treatment| runtime.block_on(Scripted::start(vec![treatment])).port;
    let appliance = live_box(&[("one", serve(at_publish())), ("two", serve(at_once()))]);
    let doubted = "address or stream key probably wrong";
    let status = appliance.until_status_shows(doubted, |status| {
        ["one", "two"].iter().all(|name| line_of(status, name).contains(doubted))
    });
    let because = status.lines().nth(1).unwrap_or_default();
    assert!(because.contains("please double-check your stream key"), "{status}");
    let log = appliance.log();
    assert!(!log.contains("-> accepted"), "nothing was ever live: {log}");
}

// Shows F32.
#[test]
fn a_stream_that_a_server_ends_without_a_reason_is_live_again_by_itself() {
    let runtime = runtime();
    // Three seconds: long enough to be live.
    let ends = Treatment { ends_stream_after: Some((45, String::new())), ..Treatment::default() };
    let server = runtime.block_on(Scripted::start(vec![ends, Treatment::default()]));
    let appliance = live_box(&[("hall", server.port)]);
    appliance.until_status_shows("live again", |status| {
        status.starts_with("state        live") && status.contains("1 reconnect")
    });
    assert_eq!(server.met().len(), 2);
}

#[test]
fn a_move_is_in_the_log_with_the_name_of_the_destination_and_its_new_place() {
    let runtime = runtime();
    let end = runtime.block_on(Scripted::start(vec![Treatment::default()]));
    let place = format!("rtmp://127.0.0.1:{}/live", end.port);
    let moves = Treatment { move_after: Some((15, place.clone())), ..Treatment::default() };
    let begin = runtime.block_on(Scripted::start(vec![moves]));
    let appliance = live_box(&[("hall", begin.port)]);
    runtime.block_on(end.until(|met| met.first().is_some_and(|met| met.video > 30)));
    appliance.until_status("live");
    let log = appliance.log();
    for words in ["the stream is to move", "the stream has moved"] {
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(words)).collect();
        let [line] = lines[..] else { panic!("{words:?} once: {log}") };
        for part in ["INFO", "hall", place.as_str()] {
            assert!(line.contains(part), "{line}");
        }
    }
}
