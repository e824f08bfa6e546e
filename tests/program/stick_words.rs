//! What became of a stick is shown where its owner can read it, also when nothing can be written to the stick, and when it is not
//! there any more.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::appliance::Appliance;
use crate::support::product::{firstmile, firstmile_ends};
use crate::support::{Folder, one_at_a_time};

const NAMED: &str = "version = 1\n[box]\nname = \"of-the-stick\"\n";
const KEY: &str = "canary-w0rds-31c7";
const TIMEOUT: Duration = Duration::from_secs(60);

/// What the console's log says of sticks.
fn shown(appliance: &Appliance) -> String {
    let log = appliance.ctl("log").stdout;
    log.lines().filter(|line| line.contains("USB stick ")).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_console_says_why_a_stick_was_refused() {
    let _turn = one_at_a_time();
    let mut appliance = Appliance::start(&[]);
    let (ended, _) = appliance.stick("version = 1\n[box]\nnam = \"x\"\n");
    assert_eq!(ended.status.code(), Some(3), "{}", ended.stderr);
    let shown = shown(&appliance);
    assert!(shown.contains("USB stick refused: ") && shown.contains("firstmile.toml"), "{shown}");
    appliance.end();
}

#[test]
fn the_console_says_what_the_missing_result_of_a_stick_would_say() {
    let _turn = one_at_a_time();
    let mut appliance = Appliance::start(&[]);
    let stick = appliance.folder.path().join("stick");
    fs::create_dir_all(stick.join("firstmile-result.txt")).expect("in the way of the result");
    let (ended, _) = appliance.stick(NAMED);
    let not_written = "firstmile-result.txt was not written: Is a directory";
    assert!(ended.ok().stdout.contains(not_written));
    let shown = shown(&appliance);
    assert!(shown.contains("USB stick accepted: settings applied; "), "{shown}");
    assert!(shown.contains(not_written), "{shown}");
    appliance.end();
}

#[test]
fn what_is_shown_of_a_stick_is_short_and_holds_no_key() {
    let _turn = one_at_a_time();
    let mut appliance = Appliance::start(&[]);
    let many: String = (0..200).map(|n| format!("mistake-{n} = \"{KEY}\"\n")).collect();
    let (ended, _) = appliance.stick(&format!("version = 1\n{many}"));
    assert_eq!(ended.status.code(), Some(3), "{}", ended.stderr);
    let shown = shown(&appliance);
    assert!(shown.contains("USB stick refused: ") && !shown.contains(KEY), "{shown}");
    assert!(shown.chars().count() < 1_000, "{shown}");
    appliance.end();
}

// The service manager ends the import of a stick that is pulled out.
#[test]
fn an_import_that_is_to_end_because_the_stick_is_gone_says_what_became_of_it() {
    let folder = Folder::new("gone");
    fs::create_dir(folder.path().join("stick")).expect("a stick");
    fs::write(folder.path().join("stick/firstmile.toml"), NAMED).expect("writes");
    let listener = UnixListener::bind(folder.path().join("control")).expect("a socket");
    let mut import = firstmile(folder.path(), "import stick --state state --socket control");
    let mut import = import.spawn().expect("it starts");
    let pid = Pid::from_raw(i32::try_from(import.id()).expect("a number"));
    let asked = thread::spawn(move || {
        let mut asked = Vec::new();
        for stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(&stream).lines();
            let Some(Ok(line)) = lines.next() else { continue };
            let _secret = lines.next();
            kill(pid, Signal::SIGTERM).expect("it runs");
            let _ = (&stream).write_all(b"{\"ok\":true,\"lines\":[\"x\"],\"data\":null}\n");
            asked.push(line);
            if asked.last().is_some_and(|line| line.starts_with("stick accepted")) {
                break;
            }
        }
        asked
    });
    let ended = crate::support::eventually(TIMEOUT, || import.try_wait().expect("our own child"));
    assert!(ended.is_some_and(|status| status.success()), "{ended:?}");
    let asked = asked.join().expect("no panic");
    assert_eq!(asked, ["stick working", "reload", "stick accepted settings applied"]);
    let result = fs::read_to_string(folder.path().join("stick/firstmile-result.txt"));
    assert!(result.expect("a result").contains("accepted"));
}

#[test]
fn a_stick_that_is_not_there_any_more_was_pulled_out() {
    let folder = Folder::new("gone");
    let import = "import /dev/no-such-stick --state state --socket none/control";
    let ended = firstmile_ends(folder.path(), import);
    assert_eq!(ended.status.code(), Some(3), "{}", ended.stderr);
    for words in ["was pulled out while it was read", "nothing was changed", "plug it in again"] {
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
    }
}
