//! Every command that handles a secret keeps its memory out of core files, from before it reads one.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixListener;
use std::process::Stdio;
use std::time::Duration;

use crate::support::product::firstmile;
use crate::support::{Folder, eventually};

/// What is waited for with each command: its standard input, or a box that does not answer.
const COMMANDS: [&str; 5] = [
    "push clip.flv --url rtmps://127.0.0.1:9/app --key-file -",
    "check --url rtmps://127.0.0.1:9/app --key-file -",
    "ctl --socket silent key a",
    "import stick --state state --socket silent",
    "import stick --state state --reader",
];

/// The most that a core file of it may have, as the kernel says it: soft and hard.
fn core_file(process: u32) -> Option<(String, String)> {
    let limits = fs::read_to_string(format!("/proc/{process}/limits")).ok()?;
    let mut words = limits.lines().find_map(|line| line.strip_prefix("Max core file size"))?;
    words = words.trim();
    let mut words = words.split_whitespace().map(str::to_owned);
    Some((words.next()?, words.next()?))
}

#[test]
fn no_command_that_reads_a_secret_leaves_a_core_file() {
    let folder = Folder::new("hidden");
    fs::create_dir(folder.path().join("stick")).expect("a stick");
    fs::write(folder.path().join("stick/firstmile.toml"), "version = 1\n").expect("a file");
    fs::write(folder.path().join("clip.flv"), "FLV").expect("a file");
    let _silent = UnixListener::bind(folder.path().join("silent")).expect("a socket");
    for arguments in COMMANDS {
        let mut command = firstmile(folder.path(), arguments);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut running = command.spawn().expect("it starts");
        let hidden = eventually(Duration::from_secs(60), || {
            let (soft, hard) = core_file(running.id())?;
            (soft == "0" && hard == "0").then_some(())
        });
        let is_running = running.try_wait().expect("its state").is_none();
        running.kill().expect("it is killed");
        running.wait().expect("it ends");
        assert!(is_running && hidden.is_some(), "{arguments}: {}", is_running);
    }
}

/// Whether the writable memory of a process holds these bytes; `None` where it cannot be read.
fn memory_holds(process: u32, bytes: &[u8]) -> Option<bool> {
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).ok()?;
    let memory = File::open(format!("/proc/{process}/mem")).ok()?;
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (from, to) = line.split(' ').next()?.split_once('-')?;
        let [from, to] = [from, to].map(|text| u64::from_str_radix(text, 16).expect("an address"));
        let mut part = vec![0; usize::try_from(to - from).expect("it fits")];
        // Some of it is the kernel's.
        if memory.read_exact_at(&mut part, from).is_ok()
            && part.windows(bytes.len()).any(|window| window == bytes)
        {
            return Some(true);
        }
    }
    Some(false)
}

#[test]
fn what_is_read_from_standard_input_does_not_stay_in_a_buffer() {
    let folder = Folder::new("buffer");
    let box_socket = UnixListener::bind(folder.path().join("silent")).expect("a socket");
    let mut command = firstmile(folder.path(), "ctl --socket silent key a");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut running = command.spawn().expect("it starts");
    // The line is the key, which is in use; what comes with it is in no use.
    let mut input = running.stdin.take().expect("piped");
    input.write_all(b"abcd-efgh\ncanary-0f-another-line\n").expect("it reads");
    let (mut asked, _) = box_socket.accept().expect("it asks");
    let mut request = Vec::new();
    while !request.windows(9).any(|window| window == b"abcd-efgh") {
        let mut bytes = [0; 256];
        let length = asked.read(&mut bytes).expect("a request");
        assert!(length > 0, "it asks whole");
        request.extend_from_slice(&bytes[..length]);
    }
    let [used, unused] =
        [&b"abcd-efgh"[..], b"canary-0f-another-line"].map(|b| memory_holds(running.id(), b));
    running.kill().expect("it is killed");
    running.wait().expect("it ends");
    match used {
        None => eprintln!("skipped: the memory of another process cannot be read"),
        Some(_) => assert_eq!(unused, Some(false), "it is still there"),
    }
}
