//! What the service manager is notified of, and that a defect in any thread ends it, so that it is
//! started again.

use std::os::unix::net::UnixDatagram;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::Folder;
use crate::support::appliance::Appliance;
use gstreamer::prelude::*;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const PATIENCE: Duration = Duration::from_secs(40);
/// What `WatchdogSec=2` puts into the environment; the box speaks four times as often.
const WATCHDOG_USEC: &str = "2000000";

/// The service manager's end of the line.
struct Manager(UnixDatagram);

impl Manager {
    fn at(folder: &Folder) -> (Manager, String) {
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("settable");
        (Manager(socket), path.display().to_string())
    }

    /// What comes until `enough`, or for `within`.
    fn receives(&self, within: Duration, enough: impl Fn(&[String]) -> bool) -> Vec<String> {
        let (deadline, mut messages) = (Instant::now() + within, Vec::new());
        let mut bytes = [0; 1024];
        while Instant::now() < deadline && !enough(&messages) {
            if let Ok(length) = self.0.recv(&mut bytes) {
                messages.push(String::from_utf8_lossy(&bytes[..length]).into_owned());
            }
        }
        messages
    }
}

fn lives(messages: &[String]) -> usize {
    messages.iter().filter(|message| *message == "WATCHDOG=1").count()
}

#[test]
fn the_manager_gets_ready_once_and_the_state_and_then_that_the_box_lives() {
    let folder = Folder::new("service");
    let (manager, address) = Manager::at(&folder);
    let environment = [("NOTIFY_SOCKET", address.as_str()), ("WATCHDOG_USEC", WATCHDOG_USEC)];
    let mut appliance = Appliance::start_in(folder, &environment);
    let messages = manager.receives(PATIENCE, |messages| lives(messages) > 3);
    assert!(lives(&messages) > 3, "{messages:?}");
    assert_eq!(messages.iter().filter(|message| *message == "READY=1").count(), 1, "{messages:?}");
    assert!(
        messages.iter().any(|message| message.starts_with("STATUS=needs setup")),
        "{messages:?}"
    );
    appliance.end();
    let messages = manager
        .receives(PATIENCE, |messages| messages.iter().any(|message| message == "STOPPING=1"));
    assert_eq!(messages.last().map(String::as_str), Some("STOPPING=1"), "{messages:?}");
}

// Shows F30.
#[test]
fn a_box_that_is_stopped_is_silent_so_that_the_watchdog_ends_it() {
    let folder = Folder::new("service");
    let (manager, address) = Manager::at(&folder);
    let environment = [("NOTIFY_SOCKET", address.as_str()), ("WATCHDOG_USEC", WATCHDOG_USEC)];
    let appliance = Appliance::start_in(folder, &environment);
    assert!(lives(&manager.receives(PATIENCE, |messages| lives(messages) > 0)) > 0);
    let box_ = Pid::from_raw(appliance.child.id() as i32);
    kill(box_, Signal::SIGSTOP).expect("our own child");
    // What was under way, and then nothing for as long as the watchdog waits.
    manager.receives(Duration::from_secs(1), |_| false);
    assert_eq!(lives(&manager.receives(Duration::from_secs(3), |_| false)), 0);
    kill(box_, Signal::SIGCONT).expect("our own child");
    assert!(lives(&manager.receives(PATIENCE, |messages| lives(messages) > 0)) > 0);
}

#[test]
fn plugins_are_known_before_the_first_press() {
    let folder = Folder::new("service");
    let registry = folder.path().join("gstreamer.registry");
    let named = registry.display().to_string();
    let mut appliance = Appliance::start_in(folder, &[("GST_REGISTRY_1_0", named.as_str())]);
    let known = crate::support::eventually(PATIENCE, || registry.exists().then_some(()));
    assert!(known.is_some(), "nobody has looked at them:\n{}", appliance.log());
    appliance.end();
}

/// The kinds of threads that the program has.
const THREADS: [&str; 5] = ["main", "own", "task", "pool", "gstreamer"];

/// The other half of the test below: runs in a process of its own.
#[test]
#[ignore = "panics; started by another test"]
fn a_thread_panics() {
    firstmile::cli::crash::end_on_panic();
    match std::env::var("FIRSTMILE_TEST_THREAD").as_deref() {
        Ok("own") => drop(thread::spawn(|| panic!("own")).join()),
        Ok("task") => runtime(async { drop(tokio::spawn(async { panic!("task") }).await) }),
        Ok("pool") => {
            runtime(async { drop(tokio::task::spawn_blocking(|| panic!("pool")).await) });
        }
        Ok("gstreamer") => in_gstreamer(),
        _ => panic!("main"),
    }
    println!("survived");
}

fn runtime(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(future);
}

/// GStreamer catches a panic of a callback and makes an error of it.
fn in_gstreamer() {
    gstreamer::init().expect("GStreamer");
    let pipeline = gstreamer::parse::launch("videotestsrc num-buffers=3 ! appsink name=sink");
    let pipeline = pipeline.expect("a pipeline").downcast::<gstreamer::Pipeline>().expect("one");
    let sink = pipeline.by_name("sink").and_downcast::<gstreamer_app::AppSink>().expect("a sink");
    let callbacks = gstreamer_app::AppSinkCallbacks::builder().new_sample(|_| panic!("gstreamer"));
    sink.set_callbacks(callbacks.build());
    pipeline.set_state(gstreamer::State::Playing).expect("plays");
    thread::sleep(PATIENCE);
}

// Shows F30.
#[test]
fn a_panic_in_any_thread_ends_the_program() {
    for kind in THREADS {
        let Output { status, stdout, stderr } =
            Command::new(std::env::current_exe().expect("this program"))
                .args(["--ignored", "--exact", "service_watch::a_thread_panics", "--nocapture"])
                .env("FIRSTMILE_TEST_THREAD", kind)
                .output()
                .expect("runs");
        let output = [stdout, stderr].concat();
        let output = String::from_utf8_lossy(&output);
        assert_eq!(status.signal(), Some(Signal::SIGABRT as i32), "{kind}: {status} {output}");
        assert!(output.contains("a defect at tests/program/service_watch.rs:"), "{kind}: {output}");
        assert!(!output.contains("survived"), "{kind}");
    }
}
