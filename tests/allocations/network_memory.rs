//! What a sender holds on a bad link, by the heap of the whole process.
//!
//! The process holds the simulated link, server and viewer too, so the sender itself holds less.

use std::time::Duration;

use crate::world::link::Uplink;
use crate::world::ours::Ours;
use crate::world::{Network, World, ms, secs};
use crate::{ALLOCATOR, alone};

/// Bytes of the heap that are in use.
fn heap_bytes() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

fn ours(ceiling_kbps: u32) -> Ours {
    Ours::new(ceiling_kbps, 128)
}

/// The most that was in use over this time, looked at ten times a second.
fn most_over(world: &mut World, length: Duration) -> usize {
    let looks = length.as_millis() / 100;
    let look = |_| {
        world.run_for(ms(100));
        heap_bytes()
    };
    (0..looks).map(look).max().unwrap_or(0)
}

#[test]
fn a_sender_holds_less_than_eight_mebibytes_when_stalled_and_no_more_after_a_day() {
    let _turn = alone();
    let before = heap_bytes();
    let stalled = most_when_stalled() - before;
    println!("stalled at 8 Mbit/s: {} KiB at most", stalled >> 10);
    assert!(stalled <= 8 << 20, "{stalled} bytes");
    let (first, last) = first_and_last_hour_of_a_day();
    println!("a day, least and most: {first:?} bytes in the first hour, {last:?} in the last");
    // The most swings with what waits when the path stalls; what stays is the least.
    assert!(last.0 <= first.0 + (16 << 10), "{first:?} then {last:?}");
    assert!(first.1.max(last.1) <= 2 << 20, "{first:?} then {last:?}");
}

/// The server takes nothing any more; each connection is given up and the next one stalls too.
fn most_when_stalled() -> usize {
    let mut world = World::live(1, Network::new(Uplink::steady(9_000)), ours(8_000));
    world.is_noted = false;
    world.run_to(secs(20));
    let mut stalled = Uplink::steady(8_000);
    stalled.rate_kbps = vec![(Duration::ZERO, 0)];
    world.set_uplink(stalled);
    let mut most = 0;
    for _ in 0..600 {
        world.set_frozen(true);
        most = most.max(most_over(&mut world, secs(1)));
    }
    assert!(world.attempts() > 10, "{}", world.attempts());
    assert!(world.peak_bytes <= 4 << 20, "queue and session: {} bytes", world.peak_bytes);
    most
}

/// The least and the most that was in use over this time.
fn held_over(world: &mut World, length: Duration) -> (usize, usize) {
    let looks = length.as_millis() / 100;
    let look = |(least, most): (usize, usize), _| {
        world.run_for(ms(100));
        let held = heap_bytes();
        (least.min(held), most.max(held))
    };
    (0..looks).fold((usize::MAX, 0), look)
}

/// Good, slow, stalled and dead within each ten minutes.
fn first_and_last_hour_of_a_day() -> ((usize, usize), (usize, usize)) {
    let mut uplink = Uplink::steady(2_000);
    uplink.rate_kbps.extend([(secs(300), 400), (secs(420), 0), (secs(424), 2_000)]);
    uplink.holes = vec![(secs(500), secs(520))];
    uplink.period = Some(secs(600));
    let (hour, day) = (secs(3_600), secs(24 * 3_600));
    let mut world = World::live(1, Network::new(uplink), ours(800)).with_fps(2);
    (world.step, world.is_noted) = (ms(100), false);
    world.run_to(hour);
    world.viewer.begin();
    let first = held_over(&mut world, hour);
    world.run_to(day - hour);
    // What the viewer has counted is not the sender's.
    world.viewer.begin();
    let last = held_over(&mut world, hour);
    assert!(world.attempts() > 100, "{}", world.attempts());
    assert_eq!(world.viewer.broken, 0);
    (first, last)
}
