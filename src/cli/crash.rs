//! What is left behind when the program ends by a defect: a place in the source, and no memory.

use std::panic;
use std::thread;

use nix::sys::prctl::set_dumpable;
use nix::sys::resource::{Resource, setrlimit};

/// Makes a panic tell its place and thread only. Its words may quote what was being worked on, and
/// that may be a stream key.
pub fn hide_words_of_panics() {
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let thread = thread::current().name().unwrap_or("unnamed").to_owned();
        tracing::error!(place, thread, "a defect: please report this line");
        eprintln!("firstmile: a defect at {place}, thread {thread}: please report this line");
    }));
}

/// No core file and no other process of the same user gets to see the memory, where keys are.
pub fn hide_memory() {
    let hidden = set_dumpable(false).and_then(|()| setrlimit(Resource::RLIMIT_CORE, 0, 0));
    if let Err(error) = hidden {
        tracing::warn!(%error, "a crash might leave the program's memory on the disk");
    }
}
