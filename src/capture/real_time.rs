//! Real-time scheduling (`SCHED_RR`, sched(7)) for the threads that audio depends on: those of a
//! microphone, the mixer and the audio encoder. They take a few percent of one core, and on a machine
//! whose cores are all busy they would wait for longer than a sound card's buffer lasts. What encodes
//! video is scheduled like any other program.
//!
//! The service's unit permits it. Elsewhere these threads are scheduled like any other.
//!
//! Threads that are started by one that has it begin with it. `SCHED_RESET_ON_FORK` would prevent that;
//! neither this library for SCHED_RR nor another safe one sets it, so ours begin with [`end`], and those
//! that a library starts keep it. They cannot be listed, and so [`withdraw`] does not reach them: the hard
//! limit of `RLIMIT_RTTIME` bounds these.

use std::{
    cell::Cell,
    io,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use nix::sys::resource::{Resource, getrlimit};
use rustix::{
    process::{getpriority_process, setpriority_process},
    thread::{CapabilitySet, capabilities},
};
use thread_priority::{
    Error, NormalThreadSchedulePolicy, RealtimeThreadSchedulePolicy, ScheduleParams, ThreadId,
    ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy, thread_native_id,
    thread_schedule_policy_param,
};

use crate::limits::AUDIO_REAL_TIME_PRIORITY;

const REAL_TIME: ThreadSchedulePolicy =
    ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::RoundRobin);
const ORDINARY: ThreadSchedulePolicy =
    ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Other);

/// Niceness 0 as the library counts, from 0 to 99.
const NICENESS_0: u8 = 48;

/// The threads of this process that have it.
static HAVE_IT: Mutex<HaveIt> = Mutex::new(HaveIt { threads: Vec::new(), withdrawn: false });

struct HaveIt {
    threads: Vec<ThreadId>,
    withdrawn: bool,
}

thread_local! {
    /// Takes a thread off the list before it ends, whoever started it.
    static LISTED: Listed = const { Listed(Cell::new(false)) };
}

struct Listed(Cell<bool>);

impl Drop for Listed {
    fn drop(&mut self) {
        if self.0.get() {
            have_it().forget(thread_native_id());
        }
    }
}

impl HaveIt {
    fn forget(&mut self, id: ThreadId) {
        self.threads.retain(|thread| *thread != id);
    }
}

fn have_it() -> MutexGuard<'static, HaveIt> {
    HAVE_IT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on this thread has it, if that is permitted.
pub fn begin() {
    let mut have_it = have_it();
    if have_it.withdrawn {
        return;
    }
    let id = thread_native_id();
    if let Err(error) = take(id) {
        log_once(&error);
    } else if LISTED.try_with(|listed| listed.0.set(true)).is_ok() {
        have_it.forget(id);
        have_it.threads.push(id);
    }
}

/// From now on this thread is scheduled like any other. One that was started by a thread that has it
/// begins with it, and GStreamer uses its threads for one pipeline after another.
pub fn end() {
    let id = thread_native_id();
    have_it().forget(id);
    if let Ok((REAL_TIME, ScheduleParams { sched_priority })) = thread_schedule_policy_param(id)
        && sched_priority == i32::from(AUDIO_REAL_TIME_PRIORITY)
    {
        give_up(id);
    }
}

/// A thread that has it runs without an end: from now on none has it, until the program is started
/// again. Otherwise that thread would keep a core for itself.
pub fn withdraw() {
    let mut have_it = have_it();
    // Listed threads have not ended, and cannot while the list is locked.
    have_it.threads.drain(..).for_each(give_up);
    if !have_it.withdrawn {
        tracing::warn!(
            "a thread with real-time scheduling ran for too long; audio goes on without it until \
             the program is started again"
        );
    }
    have_it.withdrawn = true;
}

/// Why a thread of this process does not get it; `None` where it does.
pub fn refusal() -> Option<String> {
    if have_it().withdrawn {
        return Some("a thread with it ran for too long".to_owned());
    }
    let tried = thread::Builder::new().name("real-time-try".to_owned());
    let tried = tried.spawn(|| take(thread_native_id()).err().map(|error| why(&error)));
    match tried.map(thread::JoinHandle::join) {
        Ok(Ok(refusal)) => refusal,
        Ok(Err(_)) => Some("it cannot be tried".to_owned()),
        Err(error) => Some(error.to_string()),
    }
}

fn take(id: ThreadId) -> Result<(), Error> {
    let priority = ThreadPriority::try_from(AUDIO_REAL_TIME_PRIORITY).map_err(Error::Priority)?;
    set_thread_priority_and_policy(id, priority, REAL_TIME)
}

fn give_up(id: ThreadId) {
    // The library sets the niceness of the calling thread as well, here to 0, which the service's unit
    // forbids. Where it does not, the old one is set again.
    let niceness = getpriority_process(None);
    if let Ok(middle) = ThreadPriority::try_from(NICENESS_0) {
        let _ = set_thread_priority_and_policy(id, middle, ORDINARY);
    }
    if let Ok(niceness) = niceness {
        let _ = setpriority_process(None, niceness);
    }
}

fn log_once(error: &Error) {
    static LOGGED: AtomicBool = AtomicBool::new(false);
    if !LOGGED.swap(true, Ordering::Relaxed) {
        tracing::info!(
            "audio has no real-time scheduling, and may have gaps while the machine is busy: {}",
            why(error)
        );
    }
}

fn why(error: &Error) -> String {
    let allowed = getrlimit(Resource::RLIMIT_RTPRIO).map_or(0, |(soft, _)| soft);
    let is_privileged =
        capabilities(None).is_ok_and(|all| all.effective.contains(CapabilitySet::SYS_NICE));
    if !is_privileged && allowed < u64::from(AUDIO_REAL_TIME_PRIORITY) {
        return format!("RLIMIT_RTPRIO is {allowed}, it needs {AUDIO_REAL_TIME_PRIORITY}");
    }
    let error = match error {
        Error::OS(code) => io::Error::from_raw_os_error(*code).to_string(),
        other => format!("{other:?}"),
    };
    format!(
        "{error}; a filter of system calls forbids it, or the kernel's scheduling by groups \
         (CONFIG_RT_GROUP_SCHED) does"
    )
}
