//! Which threads of a capture have real-time scheduling, where it is permitted and where it is not.

use std::{
    env, fs,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use firstmile::{
    capture::{self, Capture, MicrophoneSource, Request},
    media::Kind,
};

use crate::common::{Taken, small};

/// Set in the process that has just what it is permitted.
const PERMITTED: &str = "FIRSTMILE_PERMITTED_PRIORITY";
/// `SCHED_RR` (sched(7)).
const ROUND_ROBIN: &str = "2";

/// A thread of this process: its name, and whether it has real-time scheduling of which priority.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Thread {
    name: String,
    priority: Option<u32>,
    niceness: i32,
}

/// The threads of this process (proc_pid_stat(5)).
fn threads() -> Vec<Thread> {
    let tasks = fs::read_dir("/proc/self/task").expect("a folder").flatten();
    let stats = tasks.filter_map(|task| fs::read_to_string(task.path().join("stat")).ok());
    let thread = |stat: String| {
        let (name, fields) = stat.split_once('(')?.1.rsplit_once(") ")?;
        // The first one here is the third of the manual.
        let fields: Vec<&str> = fields.split(' ').collect();
        let priority = (fields[41 - 3] == ROUND_ROBIN).then(|| fields[40 - 3].parse().ok());
        let niceness = fields[19 - 3].parse().ok()?;
        Some(Thread { name: name.to_owned(), priority: priority.flatten(), niceness })
    };
    stats.filter_map(thread).collect()
}

fn names(threads: &[Thread]) -> Vec<&str> {
    let mut names: Vec<&str> = threads.iter().map(|thread| thread.name.as_str()).collect();
    names.sort_unstable();
    names
}

/// A microphone that ends after half a second, and again whenever it is opened.
fn failing() -> MicrophoneSource {
    let launch = "audiotestsrc is-live=true num-buffers=25 ! audio/x-raw,rate=48000,channels=2";
    MicrophoneSource::Launch { launch: launch.to_owned() }
}

/// Runs a test again in a process that may have at most this priority: by the limit, as the service's
/// unit sets it, or by the capability where a container does not let root raise the limit. `false` where
/// neither is possible.
pub fn with_permitted(priority: u8, test: &str) -> bool {
    let by_limit = format!(
        "prlimit --rtprio={priority} setpriv --bounding-set=-sys_nice --inh-caps=-sys_nice"
    );
    let by_capability = "setpriv --inh-caps=+sys_nice";
    let (prefixes, tried) = match priority {
        5 => (vec![by_limit.as_str(), by_capability], "chrt --rr 5 true"),
        _ => (vec![by_limit.as_str()], "true"),
    };
    let with = |prefix: &str, program: &str| {
        let words: Vec<&str> = prefix.split(' ').collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).args(program.split(' '));
        command
    };
    let can = |prefix: &&str| {
        let status = with(prefix, tried).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    let Some(prefix) = prefixes.into_iter().find(can) else {
        eprintln!("skipped: root may not permit real-time scheduling of priority {priority} here");
        return false;
    };
    let own = env::current_exe().expect("this program");
    let mut command = with(prefix, &format!("{} --exact {test} --nocapture", own.display()));
    let status = command.env(PERMITTED, priority.to_string()).status().expect("it runs");
    assert!(status.success());
    true
}

/// What is permitted in the process that [`with_permitted`] began.
pub fn permitted() -> Option<u8> {
    env::var(PERMITTED).ok()?.parse().ok()
}

#[test]
fn threads_of_audio_have_real_time_scheduling_where_it_is_permitted_and_no_others() {
    let test =
        "real_time::threads_of_audio_have_real_time_scheduling_where_it_is_permitted_and_no_others";
    let Some(permitted) = permitted() else {
        for priority in [5, 4, 0] {
            with_permitted(priority, test);
        }
        return;
    };
    let taken = Taken::default();
    let request = Request { microphone: failing(), ..small() };
    let capture = Capture::start(request, taken.sink(), taken.events()).expect("starts");
    taken.wait_for("audio and video", |t| t.count(Kind::Audio) > 10 && t.count(Kind::VideoKey) > 1);
    let running = threads();
    let refusal = capture::real_time_refusal();
    let has_it = |threads: &[Thread]| -> Vec<Thread> {
        threads.iter().filter(|thread| thread.priority.is_some()).cloned().collect()
    };
    eprintln!("{running:?} {refusal:?}");
    if permitted < 5 {
        assert_eq!(has_it(&running), []);
        let why = format!("RLIMIT_RTPRIO is {permitted}, it needs 5");
        assert_eq!(refusal.as_deref(), Some(why.as_str()));
    } else {
        assert_eq!(refusal, None);
        assert!(has_it(&running).iter().all(|thread| thread.priority == Some(5)));
        let names = names(&has_it(&running)).join(" ");
        for name in ["capture-mixer", "audio_in:src"] {
            assert!(names.contains(name), "{name} of {names}");
        }
    }
    // The microphone is opened again meanwhile, by threads that have been used before.
    thread::sleep(Duration::from_secs(3));
    for thread in threads() {
        let is_other = thread.name.contains("video") || thread.name == "capture-source";
        assert!(!is_other || thread.priority.is_none(), "{thread:?}");
    }
    assert!(capture.stop());
    drop(capture);
    let left = threads();
    assert_eq!(has_it(&left), [], "of all that are left: {left:?}");
    assert!(left.iter().all(|thread| thread.niceness == left[0].niceness), "{left:?}");
}
