//! What messages and bad links cost, by an allocator that counts.

#[path = "../support/pair.rs"]
mod pair;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/world.rs"]
mod world;

mod audio_chain;
mod frame_copies;
mod network_memory;
mod real_allocations;
mod session_allocations;

use std::alloc::System;
use std::sync::MutexGuard;
use std::thread;
use std::time::Duration;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The allocator counts the calls of all threads of the process, so one test runs at a time, and begins when
/// the harness has reported the one before.
fn alone() -> MutexGuard<'static, ()> {
    let turn = support::one_at_a_time();
    thread::sleep(Duration::from_millis(100));
    turn
}
