//! Signals to a box that runs: one ends it in order, one that stops it leaves the terminal usable, and
//! one takes real-time scheduling away from threads that do not wait.

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, raise};
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};
use tokio::sync::mpsc;

use crate::capture;
use crate::device::terminal;
use crate::limits::{REAL_TIME_RUNS, REAL_TIME_RUNS_MAX};
use crate::run::Input;

/// From now on the box ends in order when the process is asked to: by the service manager, by ^C, or
/// because its terminal is closed.
pub fn end_the_box(inputs: mpsc::Sender<Input>) {
    let listen = || -> std::io::Result<_> {
        let hear = |number: Signal| signal(SignalKind::from_raw(number as i32));
        let ends = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT];
        let [term, int, hup, quit] = ends.map(hear);
        let [stop, go_on] = [Signal::SIGTSTP, Signal::SIGCONT].map(hear);
        Ok(([term?, int?, hup?, quit?], stop?, go_on?))
    };
    match listen() {
        Ok((ends, stop, go_on)) => {
            tokio::spawn(end(ends, inputs));
            tokio::spawn(pause(stop, go_on));
        }
        Err(error) => tracing::error!(%error, "signals cannot be received"),
    }
}

async fn end([mut term, mut int, mut hup, mut quit]: [Signals; 4], inputs: mpsc::Sender<Input>) {
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
        _ = hup.recv() => {}
        _ = quit.recv() => {}
    }
    let _ = inputs.send(Input::Terminate).await;
}

/// Whoever stops the box with ^Z gets a terminal that shows what is typed.
async fn pause(mut stop: Signals, mut go_on: Signals) {
    loop {
        tokio::select! {
            Some(()) = stop.recv() => {
                terminal::pause();
                let _ = raise(Signal::SIGSTOP);
            }
            Some(()) = go_on.recv() => {
                terminal::resume();
            }
            else => return,
        }
    }
}

/// From now on the kernel's word that a thread with real-time scheduling has run for `RLIMIT_RTTIME` without
/// waiting (setrlimit(2)) does not end the process: the scheduling is given up.
pub fn withdraw_real_time() {
    match signal(SignalKind::from_raw(Signal::SIGXCPU as i32)) {
        Ok(mut too_long) => {
            // Now that it does not end the process.
            limit_real_time();
            tokio::spawn(async move {
                while too_long.recv().await.is_some() {
                    capture::withdraw_real_time();
                }
            });
        }
        Err(error) => tracing::error!(%error, "signals cannot be received"),
    }
}

/// Sets `RLIMIT_RTTIME` where whoever started the box has not, as its unit does.
fn limit_real_time() {
    let [runs, runs_max] = [REAL_TIME_RUNS, REAL_TIME_RUNS_MAX].map(|time| time.as_micros() as u64);
    let limited = match getrlimit(Resource::RLIMIT_RTTIME) {
        Ok((RLIM_INFINITY, hard)) => {
            setrlimit(Resource::RLIMIT_RTTIME, runs.min(hard), runs_max.min(hard))
        }
        other => other.map(|_| ()),
    };
    if let Err(error) = limited {
        tracing::warn!(%error, "real-time scheduling has no limit of time");
    }
}
