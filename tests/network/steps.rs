//! What the policy promises, on links made for each promise.

use std::time::Duration;

use crate::world::link::Uplink;
use crate::world::ours::Ours;
use crate::world::{Network, Notice, World, ms, secs};

const SET_KBPS: u32 = 6_000;
const AUDIO_KBPS: u32 = 128;

fn world(seed: u64, uplink: Uplink) -> World {
    World::live(seed, Network::new(uplink), Ours::new(SET_KBPS, AUDIO_KBPS))
}

fn stepping(steps: &[(Duration, u64)]) -> Uplink {
    let mut uplink = Uplink::steady(steps[0].1);
    uplink.rate_kbps = steps.to_vec();
    uplink
}

/// The target in each tenth of a second from now on.
fn targets(world: &mut World, length: Duration) -> Vec<u32> {
    let ticks = 0..length.as_millis() / 100;
    let sample = |_| {
        world.run_for(ms(100));
        world.target_kbps()
    };
    ticks.map(sample).collect()
}

#[test]
fn a_step_down_of_any_height_is_answered_within_a_second_and_a_half() {
    for to_kbps in [4_000, 2_500, 1_500, 800] {
        for seed in 0..3 {
            let step = secs(30) + ms(700 * seed);
            let mut world = world(seed, stepping(&[(secs(0), 6_000), (step, to_kbps)]));
            world.run_to(step);
            world.viewer.begin();
            world.run_to(step + secs(20));
            let below = |notice: &Notice| matches!(notice, Notice::Target(kbps) if u64::from(*kbps) < to_kbps);
            let after = world.when(step, below).expect("the target falls") - step;
            assert!(after <= ms(1_500), "to {to_kbps}, seed {seed}: {after:?}");
            let held = world.viewer.held_video.max().max(world.viewer.held_audio.max());
            assert!(held <= secs(2), "to {to_kbps}, seed {seed}: {held:?}");
            assert_eq!((world.viewer.broken, world.viewer.audio_gaps), (0, 0));
        }
    }
}

#[test]
fn a_step_up_is_used_to_nine_tenths_within_thirty_seconds() {
    for (from_kbps, seed) in [(500, 1), (1_000, 2), (2_000, 3), (4_000, 4)] {
        let steps = [(secs(0), 6_000), (secs(30), from_kbps), (secs(60), 6_000)];
        let mut world = world(seed, stepping(&steps));
        world.run_to(secs(60));
        let used =
            |notice: &Notice| matches!(notice, Notice::Target(kbps) if *kbps >= SET_KBPS * 9 / 10);
        world.run_to(secs(95));
        let after = world.when(secs(60), used).map(|at| at - secs(60));
        assert!(after.is_some_and(|after| after <= secs(30)), "from {from_kbps}: {after:?}");
    }
}

#[test]
fn a_steady_link_below_what_is_set_is_used_without_much_oscillation() {
    for link_kbps in [1_000, 2_000, 4_000, 6_000] {
        for seed in 0..3 {
            let mut world = world(seed, Uplink::steady(link_kbps));
            world.run_to(secs(40));
            let mut targets = targets(&mut world, secs(120));
            targets.sort_unstable();
            let middle = targets[targets.len() / 2];
            let within = middle * 85 / 100..=middle * 115 / 100;
            let outside = targets.iter().filter(|kbps| !within.contains(*kbps)).count();
            let (least, most) = (targets[0], targets[targets.len() - 1]);
            assert!(
                outside * 10 <= targets.len(),
                "{link_kbps} kbit/s, seed {seed}: {outside} of {} outside of {within:?}, {least} to {most}",
                targets.len()
            );
            let least_use = (link_kbps - u64::from(AUDIO_KBPS)).min(SET_KBPS.into()) * 80 / 100;
            assert!(u64::from(middle) >= least_use, "{link_kbps} kbit/s: {middle}");
        }
    }
}

#[test]
fn a_stall_is_never_read_as_room() {
    for seed in 0..5 {
        let stall = secs(30) + ms(seed * 400);
        let mut world = world(seed, stepping(&[(secs(0), 8_000), (stall, 0)]));
        world.run_to(stall + ms(100));
        let targets = targets(&mut world, secs(4));
        assert!(targets.is_sorted_by(|a, b| a >= b), "seed {seed}: {targets:?}");
        assert!(targets.last().is_some_and(|kbps| *kbps <= SET_KBPS / 2), "seed {seed}");
    }
}

#[test]
fn a_hiccup_costs_little_bitrate_for_seconds_only() {
    for seed in 0..5 {
        let stall = secs(30) + ms(seed * 400);
        let steps = [(secs(0), 8_000), (stall, 0), (stall + ms(1_000), 8_000)];
        let mut world = world(seed, stepping(&steps));
        world.run_to(stall + ms(1_000));
        let soon = targets(&mut world, secs(5));
        let mean = soon.iter().sum::<u32>() / soon.len() as u32;
        assert!(mean >= SET_KBPS * 6 / 10, "seed {seed}: {soon:?}");
        world.viewer.begin();
        let later = targets(&mut world, secs(10));
        assert_eq!(later.iter().min(), Some(&SET_KBPS), "seed {seed}");
        assert!(world.viewer.video.max() <= ms(400), "seed {seed}: {:?}", world.viewer.video.max());
        assert_eq!(world.viewer.broken, 0);
    }
}

/// The bitrate over an outage of `length` on a link of `link_kbps`: before, and at each tenth of a second
/// from five seconds before its end to five seconds after.
fn around_an_outage(seed: u64, link_kbps: u64, length: Duration) -> (u32, Vec<u32>) {
    let uplink = Uplink { holes: vec![(secs(40), secs(40) + length)], ..Uplink::steady(link_kbps) };
    let mut world = world(seed, uplink);
    world.run_to(secs(40));
    let before = world.target_kbps();
    world.run_to(secs(40) + length - secs(5));
    let around = targets(&mut world, secs(10));
    world.run_for(secs(20));
    assert!(world.is_live() && world.attempts() >= 2, "{length:?}: {}", world.attempts());
    assert_eq!(world.viewer.broken, 0);
    (before, around)
}

#[test]
fn after_an_outage_the_stream_begins_with_what_the_path_carried_and_is_encoded_so_before() {
    for (seed, length) in (0..).zip([8, 20, 60, 300].map(secs)) {
        let (before, around) = around_an_outage(seed, 1_000, length);
        let most = around.iter().max().copied().unwrap_or(0);
        assert!(most <= before * 13 / 10, "{length:?}: {before} kbit/s, then {around:?}");
        // Before the end of the outage a connection may still be stalled, and its target halved.
        let least = around[around.len() / 2..].iter().min().copied().unwrap_or(0);
        assert!(least >= before / 2, "{length:?}: a stall says nothing about the rate: {around:?}");
    }
}

#[test]
fn a_server_that_asks_to_move_gets_a_second_connection_before_the_first_one_closes() {
    let mut world = world(1, Uplink::steady(8_000));
    world.run_to(secs(20));
    world.server_asks_to_move();
    let both = world.run_until(secs(2), |world| world.connections() == 2);
    assert!(both.is_some(), "the new connection is made next to the old one");
    let one = world.run_until(secs(5), |world| world.connections() == 1);
    assert!(one.is_some(), "the old one is closed");
    world.run_for(secs(10));
    assert!(world.is_live() && world.attempts() == 1, "it is the same attempt");
    assert_eq!(world.target_kbps(), SET_KBPS);
}
