//! Every command that handles a secret keeps its memory out of core files, from before it reads one.

use std::fs;
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
