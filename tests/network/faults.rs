//! What the network can do to a live stream, and what becomes of it, each with its bound.
//!
//! "Live" is a publish that the server accepted and of which it acknowledged media.

use std::time::Duration;

use firstmile::appliance::{Event, LinkChange};
use firstmile::ending::Evidence;
use firstmile::limits::{
    CERTIFICATE_WAIT_MAX, DNS_TIMEOUT, KEY_REFUSED_WAIT, RTMP_PUBLISH_TIMEOUT, TLS_TIMEOUT,
};
use firstmile::rtmp::Phase;
use firstmile::sim::ingest::session::{Policy, Refuse};
use firstmile::status::Mode;

use crate::world::link::Uplink;
use crate::world::ours::Ours;
use crate::world::{Name, Network, Notice, World, ms, secs};

/// Of the audio, in kbit/s.
const AUDIO_KBPS: u32 = 128;

fn ours(ceiling_kbps: u32) -> Ours {
    Ours::new(ceiling_kbps, AUDIO_KBPS)
}

/// 1 Mbit/s of media over a path with room for eight times as much.
fn small(seed: u64, network: Network) -> World {
    World::live(seed, network, ours(1_000))
}

fn room() -> Network {
    Network::new(Uplink::steady(8_000))
}

/// Live since ten seconds.
fn live(seed: u64, network: Network) -> World {
    let mut world = small(seed, network);
    world.run_to(secs(20));
    assert!(world.is_live(), "{:?}", world.notices);
    world
}

fn is_accepted(notice: &Notice) -> bool {
    matches!(notice, Notice::Accepted(_))
}

/// How long after `since` media was accepted again.
#[track_caller]
fn live_after(world: &World, since: Duration) -> Duration {
    let live = world.when(since, is_accepted);
    live.unwrap_or_else(|| panic!("never live again: {:?}", world.notices)) - since
}

/// How long after `since` an attempt ended, how, and in which phase.
#[track_caller]
fn ended_after(world: &World, since: Duration) -> (Duration, Evidence, &'static str) {
    let ended = world.notices.iter().find_map(|(at, notice)| match notice {
        Notice::Ended(kind, phase) if *at >= since => Some((*at - since, *kind, *phase)),
        _ => None,
    });
    ended.expect("an attempt ended")
}

fn opened(world: &World) -> Vec<Duration> {
    let opened = world.notices.iter().filter(|(_, notice)| matches!(notice, Notice::Opened(_)));
    opened.map(|(at, _)| *at).collect()
}

fn assert_never_broken(world: &World) {
    assert_eq!(world.viewer.broken, 0, "a frame arrived without what it refers to");
}

#[test]
fn f01_a_server_that_closes_is_live_again_within_two_seconds() {
    for seed in 0..20 {
        let mut world = live(seed, room());
        world.server_breaks(Evidence::ClosedWhileLive);
        world.run_for(secs(5));
        let after = live_after(&world, secs(20));
        assert!(after <= secs(2), "seed {seed}: {after:?}");
        assert_never_broken(&world);
    }
}

#[test]
fn f02_a_reset_connection_is_live_again_within_two_seconds() {
    for seed in 0..20 {
        let mut world = live(seed, room());
        world.server_breaks(Evidence::Reset);
        world.run_for(secs(5));
        let after = live_after(&world, secs(20));
        assert!(after <= secs(2), "seed {seed}: {after:?}");
        assert_never_broken(&world);
    }
}

/// A path on which packets vanish from 20 s on, for so long; how long until it was given up, and
/// until the stream was live after its return.
fn black_hole(seed: u64, length: Duration) -> (Duration, Duration) {
    let uplink = Uplink { holes: vec![(secs(20), secs(20) + length)], ..Uplink::steady(8_000) };
    let mut world = live(seed, Network::new(uplink));
    let back = secs(20) + length;
    world.run_for(secs(15).min(length));
    if length > secs(600) {
        // Of hours of media nobody would see anything, and the queue keeps one GOP of it.
        world.set_media(false);
        world.run_to(back - secs(30));
        world.set_media(true);
    }
    world.run_to(back + secs(30));
    assert_never_broken(&world);
    let (dead_after, kind, phase) = ended_after(&world, secs(20));
    assert_eq!((kind, phase), (Evidence::Lost, "publishing"));
    (dead_after, live_after(&world, back))
}

#[test]
fn f03_a_black_hole_is_noticed_within_five_seconds_and_left_within_fifteen_however_long_it_was() {
    let minutes = |minutes: u64| secs(60 * minutes);
    let lengths =
        [secs(10), secs(17), secs(60), minutes(5), minutes(60), minutes(6 * 60), minutes(24 * 60)];
    for (seed, length) in (0..).zip(lengths) {
        let (dead_after, live_after) = black_hole(seed, length);
        assert!(dead_after <= secs(5), "{length:?}: given up after {dead_after:?}");
        assert!(live_after <= secs(15), "{length:?}: live after {live_after:?}");
    }
}

/// An attempt that began just before the path returned fails yet, and is as long under way as the
/// look-up may take. The wait after it counts from its begin, so no phase is worse than the wait.
#[test]
fn f03_no_phase_of_the_attempts_takes_longer_than_fifteen_seconds() {
    let lengths = (0..60).map(|phase| secs(40) + ms(phase * 311));
    let after: Vec<Duration> =
        (0..).zip(lengths).map(|(seed, length)| black_hole(seed, length).1).collect();
    let worst = after.iter().max().expect("some");
    assert!(*worst <= secs(15), "{after:?}");
}

#[test]
fn f03_ninety_days_without_a_path_and_then_live_within_fifteen_seconds() {
    let back = secs(90 * 24 * 3_600);
    let uplink = Uplink { holes: vec![(secs(20), back)], ..Uplink::steady(8_000) };
    let mut world = live(5, Network::new(uplink));
    world.run_for(secs(10));
    world.set_media(false);
    world.is_noted = false;
    world.run_to(back - secs(10));
    assert!(world.attempts() > 90 * 24 * 3_600 / 13, "it never gives up: {}", world.attempts());
    world.is_noted = true;
    world.set_media(true);
    world.run_to(back + secs(20));
    assert!(live_after(&world, back) <= secs(15));
    assert_never_broken(&world);
}

/// Live at the least bitrate that is promised and up from there, to a server that acknowledges each
/// 2.5 MB and hangs; its kernel goes on to take what fits.
// Shows F36.
#[test]
fn a_server_that_hangs_is_noticed_within_five_seconds_however_rarely_it_acknowledges() {
    for (ceiling_kbps, kernel_bytes) in [
        (300, 64 << 10),
        (300, 128 << 10),
        (300, 192 << 10),
        (1_000, 128 << 10),
        (2_500, 128 << 10),
    ] {
        for seed in 0..4 {
            let network = Network {
                ack_every: Some(2_500_000),
                receive_window: Some(kernel_bytes),
                ..room()
            };
            let mut world = World::live(seed, network, ours(ceiling_kbps));
            world.run_to(secs(80) + ms(seed * 270));
            assert!(world.is_live() && world.attempts() == 1, "{:?}", world.notices);
            let hung = world.now;
            world.set_frozen(true);
            world.run_for(secs(15));
            let (after, ..) = ended_after(&world, hung);
            let at = format!("{ceiling_kbps} kbit/s, {kernel_bytes} bytes, seed {seed}");
            assert!(after <= secs(5), "{at}: {after:?}");
        }
    }
}

#[test]
fn a_server_that_reads_on_is_kept_however_rarely_it_acknowledges_and_however_bad_the_path() {
    for seed in 0..3 {
        let mut uplink = Uplink::steady(8_000);
        (uplink.loss_ppm, uplink.jitter) = (2_000, ms(30));
        uplink.holes = (1..12).map(|n| (secs(10 * n), secs(10 * n) + ms(1_500))).collect();
        let network = Network {
            ack_every: Some(2_500_000),
            receive_window: Some(64 << 10),
            ..Network::new(uplink)
        };
        let mut world = World::live(seed, network, ours(1_000));
        world.run_to(secs(120));
        assert_eq!(world.attempts(), 1, "seed {seed}: {:?}", world.notices);
    }
}

/// Each look finds something on its way, and nothing is acknowledged by the program for minutes.
#[test]
fn a_server_that_acknowledges_rarely_is_live_as_soon_as_its_kernel_has_media() {
    for ceiling_kbps in [300, 1_000, 4_000] {
        let network = Network { ack_every: Some(2_500_000), ..room() };
        let mut world = World::live(1, network, ours(ceiling_kbps));
        world.run_to(secs(3));
        assert!(world.is_live(), "{ceiling_kbps}: {:?}", world.notices);
    }
}

/// A server that sends its publisher elsewhere again and again.
#[test]
fn a_server_that_asks_to_move_all_the_time_costs_a_few_connections() {
    let mut world = live(3, room());
    for _ in 0..700 {
        world.server_asks_to_move();
        world.run_for(ms(10));
    }
    assert!(world.connections() <= 2);
    assert_eq!(world.attempts(), 1, "{:?}", world.notices);
    let closed = world.notices.iter().filter(|(_, n)| matches!(n, Notice::Closed(_))).count();
    assert!((1..=4).contains(&closed), "{closed} moves: {:?}", world.notices);
}

#[test]
fn f04_a_cable_that_is_plugged_in_again_is_live_within_three_seconds() {
    for (seed, length) in (0..).zip([1, 3, 6, 30, 600].map(secs)) {
        let back = secs(20) + length;
        let uplink = Uplink { holes: vec![(secs(20), back)], ..Uplink::steady(8_000) };
        let mut world = live(seed, Network::new(uplink));
        world.network.carrier = false;
        world.tell(Event::Link(LinkChange::Down));
        world.run_to(back);
        world.network.carrier = true;
        world.tell(Event::Link(LinkChange::Up));
        world.viewer.last_useful = Duration::ZERO;
        world.run_for(secs(3));
        assert!(world.is_live(), "pulled for {length:?}");
        assert!(world.viewer.last_useful > back, "pulled for {length:?}: no frame yet");
        assert_never_broken(&world);
    }
}

#[test]
fn f05_a_new_address_drops_the_old_connection_at_once_and_is_live_within_three_seconds() {
    for seed in 0..10 {
        let mut world = live(seed, room());
        // What is sent from the old address never arrives; new connections use the new one.
        world.address_changes();
        world.run_for(secs(10));
        let (dropped_after, ..) = ended_after(&world, secs(20));
        assert!(dropped_after <= ms(10), "seed {seed}: {dropped_after:?}");
        let after = live_after(&world, secs(20));
        assert!(after <= secs(3), "seed {seed}: {after:?}");
        assert_never_broken(&world);
    }
}

/// Whatever phase of an attempt hangs when the network changes, the attempt is made again.
#[test]
fn f05_a_changed_network_does_not_wait_for_an_attempt_that_hangs() {
    let silent = |phase| Network {
        policy: Policy { silent_from: Some(phase), ..Policy::default() },
        ..room()
    };
    for (network, phase) in [
        (Network { name: Name::Silent, ..room() }, "name"),
        (Network { dead_addresses: 200, ..room() }, "TCP"),
        (Network { speaks_tls: false, ..room() }, "TLS"),
        (silent(Phase::Handshake), "handshake"),
        (silent(Phase::Connect), "connect"),
        (silent(Phase::Publish), "publish"),
    ] {
        for into_attempt in [0, 300, 1_200, 2_400].map(ms) {
            let mut world = live(1, room());
            let path = std::mem::replace(&mut world.network, network.clone());
            world.server_breaks(Evidence::Reset);
            let opened = world.run_until(secs(2), |world| opened(world).len() == 2);
            world.run_for(into_attempt);
            assert_eq!(opened.map(|_| world.attempts()), Some(2), "{phase}: it hangs");
            world.network = path;
            let changed = world.now;
            world.tell(Event::Link(LinkChange::Changed));
            world.run_for(secs(10));
            let after = live_after(&world, changed);
            assert!(after <= secs(2), "{phase}, {into_attempt:?} into the attempt: {after:?}");
        }
    }
}

#[test]
fn f06_a_name_that_is_not_found_is_reported_within_six_seconds_and_tried_again_and_again() {
    for (name, kind) in [(Name::Silent, Evidence::Timeout), (Name::Refused, Evidence::Unreachable)]
    {
        let mut world = small(1, Network { name, ..room() });
        world.run_to(secs(600));
        let (after, ended, phase) = ended_after(&world, Duration::ZERO);
        assert_eq!((ended, phase), (kind, "name"));
        assert!(after <= DNS_TIMEOUT + secs(1), "{after:?}");
        assert!(world.attempts() >= 600 / 13, "{}", world.attempts());
        world.network.name = Name::Found;
        world.run_for(secs(30));
        // A look-up that is under way when the name comes back fails yet.
        assert!(live_after(&world, secs(600)) <= secs(15));
    }
}

#[test]
fn f07_a_dead_first_address_costs_less_than_a_second() {
    let mut world = live(2, room());
    world.network.dead_addresses = 2;
    world.server_breaks(Evidence::Reset);
    world.run_for(secs(8));
    let after = live_after(&world, secs(20));
    assert!(after <= secs(3), "{after:?}");
}

/// Live at 6 Mbit/s for 30 s plus some of a GOP, then the link changes to `kbps`.
fn stepped(seed: u64, from_kbps: u64, to_kbps: u64) -> (World, Duration) {
    let step = secs(30) + ms(seed * 2_000 / 10);
    let mut uplink = Uplink::steady(from_kbps);
    uplink.rate_kbps.push((step, to_kbps));
    let mut world = World::live(seed, Network::new(uplink), ours(6_000));
    world.run_to(step);
    (world, step)
}

#[test]
fn f08_a_slow_link_is_answered_within_a_second_and_a_half_and_nothing_waits_for_two() {
    for seed in 0..10 {
        let (mut world, step) = stepped(seed, 6_000, 1_000);
        world.viewer.begin();
        world.run_to(step + secs(60));
        let below = |notice: &Notice| matches!(notice, Notice::Target(kbps) if *kbps + 128 < 1_000);
        let answered = world.when(step, below).expect("the target falls") - step;
        assert!(answered <= ms(1_500), "seed {seed}: {answered:?}");
        let held = world.viewer.held_video.max().max(world.viewer.held_audio.max());
        assert!(held <= secs(2), "seed {seed}: {held:?}");
        assert_eq!(world.viewer.audio_gaps, 0, "seed {seed}: the audio is broken");
        assert_never_broken(&world);
    }
}

#[test]
fn f09_a_link_that_returns_is_used_within_thirty_seconds_and_then_steadily() {
    for seed in 0..4 {
        let mut uplink = Uplink::steady(6_000);
        uplink.rate_kbps.extend([(secs(30), 1_000), (secs(70), 6_000)]);
        // What is set leaves the link a tenth of room; the path itself never asks for less.
        let mut world = World::live(seed, Network::new(uplink), ours(5_000));
        world.run_to(secs(70));
        let used = |notice: &Notice| matches!(notice, Notice::Target(kbps) if *kbps >= 4_500);
        world.run_to(secs(190));
        let after = world.when(secs(70), used).expect("the target rises") - secs(70);
        assert!(after <= secs(30), "seed {seed}: {after:?}");
        let later = world.notices.iter().filter(|(at, _)| *at > secs(70) + after);
        let targets: Vec<u32> = later
            .filter_map(|(_, notice)| match notice {
                Notice::Target(kbps) => Some(*kbps),
                _ => None,
            })
            .collect();
        let steady = 5_000 * 85 / 100..=5_000 * 115 / 100;
        assert!(targets.iter().all(|kbps| steady.contains(kbps)), "seed {seed}: {targets:?}");
    }
}

#[test]
fn f10_a_standing_queue_in_the_network_is_noticed_within_two_seconds() {
    for seed in 0..5 {
        // A second's worth of queue and no loss: nothing but the delay tells.
        let uplink = Uplink { queue_bytes: 500_000, ..Uplink::steady(8_000) };
        let mut narrow = uplink.clone();
        narrow.rate_kbps = vec![(secs(0), 4_000)];
        let mut world = World::live(seed, Network::new(uplink), ours(6_000));
        let step = secs(30) + ms(seed * 200);
        world.run_to(step);
        world.set_uplink(narrow);
        world.viewer.begin();
        world.run_for(secs(60));
        let below = |notice: &Notice| matches!(notice, Notice::Target(kbps) if *kbps < 4_000);
        let after = world.when(step, below).expect("the target falls") - step;
        assert!(after <= secs(2), "seed {seed}: {after:?}");
        assert!(world.viewer.video.max() <= secs(2), "seed {seed}: {:?}", world.viewer.video.max());
    }
}

#[test]
fn f11_a_link_below_the_least_bitrate_carries_audio_without_a_gap_and_recovers_by_itself() {
    for seed in 0..10 {
        let (mut world, step) = stepped(seed, 2_000, 250);
        world.run_for(secs(10));
        world.viewer.begin();
        world.run_to(step + secs(45));
        let audio = world.viewer.audio_received;
        assert!(audio >= 34 * 46, "seed {seed}: {audio} of some 1640 access units");
        assert_eq!(world.viewer.audio_gaps, 0, "seed {seed}: the audio is broken");
        assert!(world.peak_bytes <= 2 << 20, "seed {seed}: {} bytes", world.peak_bytes);
        world.set_uplink(Uplink::steady(8_000));
        world.run_for(secs(30));
        assert!(world.target_kbps() > 5_000, "seed {seed}: {}", world.target_kbps());
        assert_eq!(world.attempts(), 1, "seed {seed}: no reconnect");
        assert_never_broken(&world);
    }
}

#[test]
fn f12_a_server_that_falls_silent_in_any_phase_is_given_up_in_time_and_by_name() {
    let silent = |phase| Network {
        policy: Policy { silent_from: Some(phase), ..Policy::default() },
        ..room()
    };
    let usual = secs(5);
    for (network, phase, bound) in [
        (Network { speaks_tls: false, ..room() }, "TLS", TLS_TIMEOUT),
        (silent(Phase::Handshake), "handshake", usual),
        (silent(Phase::Connect), "connect", usual),
        (silent(Phase::CreateStream), "createStream", usual),
        // Platforms ask other services before they answer this one.
        (silent(Phase::Publish), "publish", RTMP_PUBLISH_TIMEOUT),
    ] {
        let mut world = small(1, network);
        world.run_to(secs(45));
        let closed = |notice: &Notice| *notice == Notice::Closed(phase);
        let after = world.when(Duration::ZERO, closed).expect("the phase ends");
        assert!(after <= bound + secs(1), "{phase}: {after:?}");
        // A server that dislikes how it is asked may be silent too: it is asked once more, with less.
        let (after, kind, during) = ended_after(&world, Duration::ZERO);
        let silent = if phase == "publish" { Evidence::SilentAtPublish } else { Evidence::Timeout };
        assert_eq!((kind, during), (silent, phase));
        assert!(after <= bound * 2 + secs(1), "{phase}: {after:?}");
        assert!(world.attempts() >= 2, "{phase}: tried again");
    }
}

#[test]
fn f13_a_bad_certificate_is_reported_at_once_and_tried_again_with_patience() {
    let mut world = small(1, Network { certificate_is_good: false, ..room() });
    world.run_to(secs(1));
    let (after, kind, during) = ended_after(&world, Duration::ZERO);
    assert_eq!((kind, during), (Evidence::Certificate { not_yet_valid: false }, "TLS"));
    assert!(after <= secs(1), "{after:?}");
    world.run_to(secs(3_600));
    assert_eq!(world.written_bytes, 0, "not a byte of RTMP");
    let opened = opened(&world);
    let longest = opened.windows(2).map(|pair| pair[1] - pair[0]).max().expect("attempts");
    assert!(longest <= CERTIFICATE_WAIT_MAX * 12 / 10 + secs(1), "{longest:?}");
    assert!(opened.len() < 100, "{}", opened.len());
    world.network.certificate_is_good = true;
    world.run_for(secs(90));
    assert!(world.is_live());
}

/// A login page answers in the server's place with a certificate of its own, until the box is in another network.
#[test]
fn another_network_is_tried_at_once_after_one_that_answered_with_its_own_certificate() {
    for seed in 0..10 {
        let mut world = small(seed, Network { certificate_is_good: false, ..room() });
        world.run_to(secs(600 + seed * 7));
        world.network.certificate_is_good = true;
        let changed = world.now;
        world.tell(Event::Link(LinkChange::Changed));
        world.run_for(secs(30));
        let after = live_after(&world, changed);
        assert!(after <= secs(3), "seed {seed}: {after:?}");
    }
}

#[test]
fn f14_a_wrong_key_is_reported_within_two_seconds_and_not_hammered() {
    let refuse = Refuse {
        code: "NetStream.Publish.Denied".to_owned(),
        description: "invalid stream key".to_owned(),
    };
    let policy = Policy { refuse_publish: Some(refuse), ..Policy::default() };
    let mut world = small(1, Network { policy, ..room() });
    world.run_to(secs(600));
    let (after, kind, during) = ended_after(&world, Duration::ZERO);
    assert_eq!((kind, during), (Evidence::KeyRefused, "publish"));
    assert!(after <= secs(2), "{after:?}");
    let opened = opened(&world);
    assert!(opened.len() >= 15, "{}", opened.len());
    for pair in opened.windows(2) {
        let apart = pair[1] - pair[0];
        assert!(apart >= KEY_REFUSED_WAIT * 8 / 10, "{apart:?}");
        assert!(apart <= KEY_REFUSED_WAIT * 12 / 10 + secs(1), "{apart:?}");
    }
    let lives = world.notices.iter().any(|(_, notice)| *notice == Notice::Mode(Mode::Live));
    assert!(!lives, "a refused stream is not live");
}

#[test]
fn f15_a_key_that_the_server_still_holds_is_taken_within_fifteen_seconds_of_its_release() {
    for (seed, held) in (0..).zip([20, 45, 60, 90].map(secs)) {
        let uplink = Uplink { holes: vec![(secs(20), secs(28))], ..Uplink::steady(8_000) };
        let refuse = Refuse {
            code: "NetStream.Publish.BadName".to_owned(),
            description: "Already publishing".to_owned(),
        };
        let network = Network { holds_key_for: held, refuse: Some(refuse), ..Network::new(uplink) };
        let mut world = live(seed, network);
        world.run_for(held + secs(40));
        let (given_up, ..) = ended_after(&world, secs(20));
        let freed = secs(20) + given_up + held;
        let busy = |notice: &Notice| matches!(notice, Notice::Ended(Evidence::Busy, "publish"));
        assert!(world.when(secs(20), busy).is_some(), "the key was busy");
        assert!(world.when(secs(20), is_accepted).is_some_and(|at| at >= freed));
        assert!(live_after(&world, freed) <= secs(15), "held for {held:?}");
    }
}
