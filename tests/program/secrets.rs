//! The canary: stream keys that come in by every way there is, while everything talks as much as it
//! can, are found nowhere but on the wire.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::support::appliance::Appliance;
use crate::support::ingest::Ingest;
use crate::support::network_manager::NetworkManager;
use crate::support::{Folder, eventually, one_at_a_time};
use bytes::Buf;
use firstmile::sim::ingest::session::{IngestConfig, IngestSession, Policy, Refuse};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// What all keys of this test have in common.
pub const CANARY: &str = "c4n4ry7Qx9";

pub fn key(way: &str) -> String {
    format!("{CANARY}-{way}-abcdef")
}

/// A server that refuses every publish and tells the key in its refusal.
pub fn echoing_server(key: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its address").port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let description = format!("stream {key} is not known here, {key}!");
            let refuse = Refuse { code: "NetStream.Publish.BadName".to_owned(), description };
            let policy = Policy { refuse_publish: Some(refuse), ..Policy::default() };
            let config = IngestConfig { policy, ..IngestConfig::default() };
            let _ = serve(stream, IngestSession::new(Duration::ZERO, config));
        }
    });
    format!("rtmp://127.0.0.1:{port}/live")
}

fn serve(mut stream: std::net::TcpStream, mut session: IngestSession) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut inbox = [0; 4096];
    loop {
        while session.transmit().has_remaining() {
            let out = session.transmit();
            let length = stream.write(out.chunk())?;
            out.advance(length);
        }
        let length = stream.read(&mut inbox)?;
        if length == 0 {
            return Ok(());
        }
        session.handle_input(Duration::ZERO, &inbox[..length]);
    }
}

/// A server that answers with nothing but keys, which is no RTMP.
fn babbling_server(key: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its address").port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // The version that RTMP begins with, then babble instead of a handshake and messages.
            let _ = stream.write_all(b"\x03");
            let _ = stream.write_all(key.repeat(400).as_bytes());
            let _ = stream.read(&mut [0; 8192]);
        }
    });
    format!("rtmp://127.0.0.1:{port}/live")
}

/// A PIN that is no part of anything else.
pub const PIN: &str = "7340918265";

/// Everything that the box shows to anybody.
fn everything_shown(appliance: &mut Appliance) -> String {
    let mut all = String::new();
    for command in [
        "status",
        "--json status",
        "show",
        "--json show",
        "export",
        "log",
        "network",
        "about",
        "destination list",
        "help",
        "check echo",
        "set destination.echo.key nonsense",
    ] {
        let ended = appliance.ctl(command);
        all.push_str(&ended.stdout);
        all.push_str(&ended.stderr);
    }
    // Whatever is refused does not repeat what was typed either.
    for line in ["set wifi.passphrase shown-to-all\r", "set console.pin 12\r"] {
        appliance.types(line, "not typed here");
    }
    for line in ["status\r", "show\r", "export\r", "log\r", "\x1b[A\x1b[A\x1b[A\x15\r"] {
        appliance.types(line, "> ");
    }
    appliance.types("mode machine\r", "\r\n\r\n");
    appliance.types("show\r", "\r\n\r\n");
    appliance.types("mode text\r", "> ");
    all.push_str(&appliance.console_output());
    all.push_str(&appliance.log());
    for file in ["cmdline", "environ", "comm", "limits"] {
        all.push_str(&String::from_utf8_lossy(&appliance.proc(file)));
    }
    all
}

/// Looks for words in the arguments and the environment of every process on this machine, all the
/// time.
struct Watch {
    ended: Arc<AtomicBool>,
    thread: JoinHandle<Seen>,
}

#[derive(Default)]
struct Seen {
    looks: u32,
    /// Names of the processes that were looked at.
    names: BTreeSet<String>,
    /// Files below `/proc` that held one of the words, with their process's name.
    leaks: BTreeSet<String>,
}

impl Watch {
    fn start(words: &'static [&'static str]) -> Watch {
        let ended = Arc::new(AtomicBool::new(false));
        let watched_until = Arc::clone(&ended);
        let thread = thread::spawn(move || {
            let mut seen = Seen::default();
            while !watched_until.load(Ordering::Relaxed) {
                seen.look(words);
                thread::sleep(Duration::from_millis(5));
            }
            seen
        });
        Watch { ended, thread }
    }

    fn end(self) -> Seen {
        self.ended.store(true, Ordering::Relaxed);
        self.thread.join().expect("a watch")
    }
}

impl Seen {
    fn look(&mut self, words: &[&str]) {
        self.looks += 1;
        for process in fs::read_dir("/proc").expect("a folder").flatten() {
            // A process that has ended meanwhile has nothing to show.
            let Ok(name) = fs::read_to_string(process.path().join("comm")) else { continue };
            for file in ["cmdline", "environ"] {
                let shown = fs::read(process.path().join(file)).unwrap_or_default();
                let shown = String::from_utf8_lossy(&shown);
                if words.iter().any(|word| shown.contains(word)) {
                    self.leaks.insert(format!("{file} of {}", name.trim_end()));
                }
            }
            self.names.insert(name.trim_end().to_owned());
        }
    }
}

#[test]
fn what_a_process_shows_to_all_others_is_seen_by_the_watch() {
    let watch = Watch::start(&["shown-to-all"]);
    let mut child =
        Command::new("sleep").arg("20").env("SHOWN", "shown-to-all").spawn().expect("runs");
    thread::sleep(Duration::from_millis(500));
    child.kill().and_then(|()| child.wait()).expect("our own child");
    let seen = watch.end();
    assert!(seen.leaks.contains("environ of sleep"), "{:?}", seen.leaks);
}

/// Files below `folder` that hold the canary.
fn files_with_canary(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let (path, kind) = (entry.path(), entry.file_type().expect("a kind"));
        if kind.is_dir() {
            found.extend(files_with_canary(&path));
        } else if kind.is_file() {
            let bytes = fs::read(&path).expect("reads");
            let plain = bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes());
            if plain {
                found.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_key_is_found_nowhere_but_on_the_wire() {
    let _turn = one_at_a_time();
    let records = Folder::new("ingest");
    let server = Ingest::start(records.path(), &key("stick"));
    let credentials = Folder::new("credentials");
    fs::write(credentials.path().join("key.fixed"), key("credential")).expect("a credential");
    let manager = NetworkManager::new();
    let path = manager.path();
    let environment = [
        ("PATH", path.as_str()),
        ("FIRSTMILE_LOG", "trace"),
        ("GST_DEBUG", "5"),
        ("RUST_BACKTRACE", "full"),
        ("CREDENTIALS_DIRECTORY", credentials.path().to_str().expect("a plain path")),
    ];
    let box_s = Folder::new("box");
    // The service's home is its state; an earlier version left a history there.
    let home = box_s.path().join("state");
    fs::create_dir_all(home.join(".cache")).expect("a home");
    fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).expect("its own");
    fs::write(home.join(".nmcli-history"), key("history")).expect("a history");
    fs::write(home.join(".cache/nmcli-history"), key("history")).expect("a history");
    let home = home.to_str().expect("a plain path").to_owned();
    let environment = [&environment[..], &[("HOME", home.as_str())]].concat();
    let watch = Watch::start(&[CANARY, PIN]);
    let mut appliance = Appliance::start_in(box_s, &environment);

    // Each way in, and one that is refused.
    let echo = echoing_server(key("serial"));
    appliance.types("set destination.echo.allow_plain true\r", "is set");
    appliance.types(&format!("destination set echo {echo}\r"), "is set");
    appliance.types("key echo\r", "(not shown): ");
    appliance.types(&format!("{}\r", key("serial")), "tag ");
    let babble = babbling_server(key("control"));
    appliance.ctl("set destination.babble.allow_plain true").ok();
    appliance.ctl(&format!("destination set babble {babble}")).ok();
    assert!(appliance.ctl_key("babble", &key("control")).contains("tag "));
    let stick = format!(
        "version = 1\nerase_key = true\n[[destination]]\nname = \"tube\"\nurl = \"{}\"\nkey = \"{}\"\n\
         ca_file = \"{}\"\n[[destination]]\nname = \"fixed\"\nurl = \"rtmps://127.0.0.1:9/live\"\n",
        server.url(),
        key("stick"),
        server.ca_file.display()
    );
    let (imported, result) = appliance.stick(&stick);
    let imported = imported.ok();
    assert!(result.contains("accepted"), "{result}");

    appliance.types("set wifi.ssid hall\r", "is set");
    appliance.types("set wifi.passphrase\r", "(not shown): ");
    appliance.types(&format!("{}\r", key("wifi")), "wifi.passphrase is set");
    appliance.types("set console.pin\r", "(not shown): ");
    appliance.types(&format!("{PIN}\r"), "console.pin is set");
    let handed = eventually(Duration::from_secs(20), || {
        manager.heard().contains(&key("wifi")).then_some(())
    });
    assert!(handed.is_some(), "the passphrase reaches nmcli: {}", appliance.log());
    appliance.types("network\r", "Wi-Fi handed to NetworkManager");

    appliance.ctl("live").ok();
    appliance.until_status("live");
    appliance.until_status_shows("refusal and babble", |status| {
        let failed =
            |name: &str| status.lines().any(|l| l.starts_with(name) && l.contains("failure"));
        failed("echo") && failed("babble") && failed("fixed")
    });
    let status = appliance.ctl("status").stdout;
    assert!(status.contains("••••"), "the server's words are shown with dots: {status}");
    let shown = everything_shown(&mut appliance);
    assert!(shown.len() > 100_000, "everything talks: {} bytes", shown.len());
    let calls = manager.calls();
    assert!(calls.contains("802-11-wireless.ssid hall"), "{calls}");
    assert!(!shown.contains(PIN) && !calls.contains(PIN), "the PIN is shown");
    for (what, text) in [
        ("the box", &shown),
        ("the import", &imported.stdout),
        ("the result", &result),
        ("the arguments of nmcli", &calls),
    ] {
        if let Some(at) = text.find(CANARY) {
            let from = text[..at].rfind('\n').unwrap_or(0);
            panic!("{what} shows a key: {}", &text[from..(at + 40).min(text.len())]);
        }
    }

    // A crash leaves no memory behind.
    let limits = String::from_utf8_lossy(&appliance.proc("limits")).into_owned();
    let core = limits.lines().find(|line| line.starts_with("Max core file size"));
    let core: Vec<&str> = core.expect("a limit").split_whitespace().collect();
    assert_eq!(core[4..6], ["0", "0"], "{core:?}");
    kill(Pid::from_raw(appliance.child.id() as i32), Signal::SIGABRT).expect("our own child");
    let ended = eventually(Duration::from_secs(20), || appliance.child.try_wait().expect("ours"));
    assert!(ended.is_some_and(|status| !status.success()));
    let seen = watch.end();
    assert!(seen.looks > 100 && seen.names.contains("firstmile"), "{:?}", seen.names);
    assert_eq!(seen.leaks, BTreeSet::new(), "every user of the box can read these");
    assert_eq!(files_with_canary(appliance.folder.path()), [""; 0]);
    assert!(!appliance.log().contains(CANARY));
    let in_state = fs::read_dir(appliance.state()).expect("a folder").flatten();
    for file in in_state.filter(|file| file.path().is_file()) {
        let bytes = fs::read(file.path()).expect("reads");
        assert!(!String::from_utf8_lossy(&bytes).contains(PIN), "{file:?} holds the PIN");
    }
}

/// The other half of the test below: runs in a process of its own.
#[test]
#[ignore = "panics; started by another test"]
fn panics_with_a_key_in_its_words() {
    firstmile::cli::crash::end_on_panic();
    panic!("the server answered {}", key("panic"));
}

#[test]
fn a_panic_tells_its_place_and_not_its_words() {
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args(["--ignored", "--exact", "secrets::panics_with_a_key_in_its_words", "--nocapture"])
        .env("RUST_BACKTRACE", "full")
        .stdin(Stdio::null())
        .output()
        .expect("runs");
    let output = [output.stdout, output.stderr].concat();
    let output = String::from_utf8_lossy(&output);
    assert!(output.contains("a defect at tests/program/secrets.rs:"), "{output}");
    assert!(!output.contains(CANARY), "{output}");
}
