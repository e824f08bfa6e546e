//! What a crash leaves behind: a place in the source, and no memory.

use std::panic;
use std::process;
use std::thread;

use nix::sys::prctl::set_dumpable;
use nix::sys::resource::{Resource, setrlimit};

/// Makes a panic of any thread end the program, so that the service manager starts it again: state
/// that a thread left half changed must not be used. Only the place and the thread of the panic are
/// logged: its message may quote data, and that may be a stream key.
pub fn end_on_panic() {
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let thread = thread::current().name().unwrap_or("unnamed").to_owned();
        tracing::error!(place, thread, "a defect: please report this line");
        eprintln!("firstmile: a defect at {place}, thread {thread}: please report this line");
        crate::device::terminal::restore();
        // No clean-up: other threads may hold the locks it would wait for, and the kernel puts lights
        // out and closes ports.
        process::abort();
    }));
}

/// No core file and no other process of the same user gets to see the memory, where keys are.
pub fn hide_memory() {
    let hidden = set_dumpable(false).and_then(|()| setrlimit(Resource::RLIMIT_CORE, 0, 0));
    if let Err(error) = hidden {
        tracing::warn!(%error, "a crash might leave the program's memory on the disk");
    }
}
