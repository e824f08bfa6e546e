//! What the program says and does about real-time scheduling, with and without the permission for it.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::appliance::Appliance;
use crate::support::ingest::Ingest;
use crate::support::product::firstmile;
use crate::support::{Folder, eventually, run};

const PATIENCE: Duration = Duration::from_secs(40);
const KEY: &str = "canary-scheduling";

/// A program without the capability for it, and without the limit that permits it.
fn unprivileged(folder: &Path, arguments: &str) -> Command {
    let mut command = Command::new("prlimit");
    command.args(["--rtprio=0", "setpriv", "--bounding-set=-sys_nice", "--inh-caps=-sys_nice"]);
    command.arg(env!("CARGO_BIN_EXE_firstmile")).args(arguments.split(' '));
    command.current_dir(folder).env("RUNTIME_DIRECTORY", folder);
    command
}

fn has_setpriv() -> bool {
    let tried = Command::new("setpriv").args(["--bounding-set=-sys_nice", "true"]).status();
    let has = tried.is_ok_and(|status| status.success());
    if !has {
        eprintln!("skipped: this needs setpriv, and root");
    }
    has
}

#[test]
fn a_check_of_the_board_says_that_audio_has_no_real_time_scheduling_and_what_to_do() {
    if !has_setpriv() {
        return;
    }
    let folder = Folder::new("unprivileged");
    let check = |arguments: &str| {
        run(&mut unprivileged(folder.path(), arguments), Duration::from_secs(100))
    };
    let ended = check("board check --board sim");
    let note =
        ended.stdout.lines().find(|line| line.starts_with("note scheduling")).unwrap_or_default();
    assert!(note.contains("RLIMIT_RTPRIO is 0, it needs 5"), "{}", ended.stdout);
    assert!(note.contains("LimitRTPRIO=5") && note.contains("--ulimit rtprio=5"), "{note}");
    assert!(ended.status.success(), "nothing has failed: {}", ended.stdout);
    let ended = check("board check --board sim --json");
    let report: serde_json::Value = serde_json::from_str(&ended.stdout).expect("JSON");
    let findings = report["findings"].as_array().expect("a list");
    let found = findings.iter().find(|finding| finding["what"] == "scheduling").expect("a finding");
    assert_eq!((&found["ok"], &found["note"]), (&true.into(), &true.into()));
}

/// A running box, ended when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_box_without_the_permission_runs_and_says_so_to_whoever_asks() {
    if !has_setpriv() {
        return;
    }
    let folder = Folder::new("unprivileged-box");
    let arguments = "run --board sim --settings ./none.toml --state ./state";
    let mut box_command = unprivileged(folder.path(), arguments);
    box_command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let _running = Running(box_command.spawn().expect("it starts"));
    let ask = |arguments: &str| {
        let mut command = firstmile(folder.path(), arguments);
        run(command.env("RUNTIME_DIRECTORY", folder.path()), PATIENCE)
    };
    let about = eventually(PATIENCE, || Some(ask("ctl about")).filter(|e| e.status.success()));
    let about = about.expect("the box answers").stdout;
    let why = "audio        no real-time scheduling: RLIMIT_RTPRIO is 0, it needs 5";
    assert!(about.contains(why), "{about}");
    // Whatever root itself may do: the box is what counts.
    let found = ask("board check --board sim").stdout;
    let note = found.lines().find(|line| line.starts_with("note scheduling"));
    assert!(note.is_some_and(|note| note.contains("audio of the running box has no")), "{found}");
}

#[test]
fn a_box_that_nobody_limits_limits_its_real_time_scheduling_itself() {
    let appliance = Appliance::start(&[]);
    let limits = String::from_utf8(appliance.proc("limits")).expect("text");
    let line = limits.lines().find(|line| line.starts_with("Max realtime timeout"));
    let values: Vec<&str> = line.expect("a limit").split_whitespace().skip(3).collect();
    assert_eq!(values, ["500000", "3000000", "us"], "as in the unit");
}

/// How many threads of a process have real-time scheduling (proc_pid_stat(5)).
fn in_real_time(pid: u32) -> usize {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("a folder").flatten();
    let stats = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("stat")).ok());
    let policy = |stat: String| stat.rsplit_once(") ")?.1.split(' ').nth(41 - 3)?.parse().ok();
    stats.filter_map(policy).filter(|policy: &u32| *policy == 2).count()
}

// Shows F55.
#[test]
fn a_thread_that_never_waits_loses_real_time_scheduling_and_the_broadcast_goes_on() {
    let may = Command::new("chrt").args(["--rr", "5", "true"]).status();
    if !may.is_ok_and(|status| status.success()) {
        return eprintln!("skipped: this needs chrt, and root that may use it");
    }
    let folder = Folder::new("server");
    let server = Ingest::start(folder.path(), KEY);
    // A source that never waits, as a faulty driver does not. It computes for long between two buffers:
    // each may meet a lock that somebody holds, and waiting for it starts the kernel's count again.
    let launch = "audiotestsrc samplesperbuffer=4800 ! audio/x-raw, rate=48000, channels=1 ! \
                  audiowsinclimit length=4001 low-latency=true";
    let microphone = format!("[microphone]\nsource = \"launch\"\nlaunch = \"{launch}\"\n");
    let mut appliance = Appliance::start_with(Folder::new("runaway"), &[], &microphone);
    // It has limited itself.
    let pid = appliance.child.id();
    assert!(appliance.ctl("about").stdout.lines().all(|line| !line.starts_with("audio")));
    let (imported, _) = appliance.stick(&server.settings(KEY));
    imported.ok();
    appliance.until_status("ready");
    appliance.press();
    let withdrawn =
        || appliance.log().contains("real-time scheduling ran for too long").then_some(());
    assert!(eventually(PATIENCE, withdrawn).is_some(), "{}", appliance.log());
    appliance.until_status("live");
    let none = eventually(PATIENCE, || (in_real_time(pid) == 0).then_some(()));
    assert!(none.is_some(), "{} threads have it", in_real_time(pid));
    appliance.end();
}
