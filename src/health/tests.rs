use super::*;
use crate::limits::{HEALTH_OVERLOAD_WINDOW, OVERLOAD_BEGINS_AFTER, STATS_INTERVAL};
use crate::status::Space;

fn secs(s: u64) -> Duration {
    Duration::from_secs(s)
}

fn begun(monitor: &mut Monitor) -> Vec<(WarningKind, bool)> {
    let changes = std::iter::from_fn(|| monitor.poll_change());
    let of = |change| match change {
        Change::Warning { kind, begun, .. } => (kind, begun),
        other => panic!("{other:?}"),
    };
    changes.map(of).collect()
}

/// Counts `seconds` of 30 frames each, of which so many are skipped.
fn encode(monitor: &mut Monitor, from_s: u64, seconds: u64, counted: &mut [u64; 2], skips: u64) {
    for s in from_s..from_s + seconds {
        counted[0] += 30 - skips;
        counted[1] += skips;
        monitor.counted(secs(s), counted[0], counted[1], 0);
    }
}

#[test]
fn a_resting_machine_is_read_twice_a_minute_and_a_busy_one_every_five_seconds() {
    let mut monitor = Monitor::new(secs(0), true);
    let mut read_for = |seconds: u64, from_s: u64, on_air: bool, readings: &Readings| {
        let mut reads = 0;
        for s in from_s..from_s + seconds {
            while monitor.poll_timeout().is_some_and(|at| at <= secs(s)) {
                assert!(monitor.handle_timeout(secs(s)));
                reads += 1;
                monitor.read(secs(s), readings.clone(), on_air);
            }
        }
        reads
    };
    assert_eq!(read_for(600, 0, false, &Readings::default()), 20);
    assert_eq!(read_for(600, 600, true, &Readings::default()), 120);
    let low = Alarm { raised: Some(true), events: None };
    let wrong = Readings { undervoltage: low, ..Readings::default() };
    assert!(read_for(600, 1_200, false, &wrong) >= 119, "as long as something is wrong");
}

#[test]
fn a_box_without_a_machine_to_read_never_wakes_for_it() {
    let mut monitor = Monitor::new(secs(0), false);
    monitor.encoder_started(secs(1));
    assert_eq!(monitor.poll_timeout(), None);
    assert!(!monitor.handle_timeout(secs(10_000)));
}

#[test]
fn a_reading_that_hangs_is_not_asked_for_again_and_what_was_read_before_is_forgotten() {
    let mut monitor = Monitor::new(secs(0), true);
    assert!(monitor.handle_timeout(secs(0)));
    let space = Space { available_kib: 1, total_kib: 100 };
    let readings = Readings { storage: Some(space), ..Readings::default() };
    monitor.read(secs(0), readings.clone(), true);
    assert_eq!(begun(&mut monitor), [(WarningKind::StorageFull, true)]);
    assert!(monitor.handle_timeout(secs(5)));
    let mut asked = 0;
    let mut at = secs(6);
    while let Some(next) = monitor.poll_timeout().filter(|next| *next <= secs(1_000)) {
        assert!(next >= at, "no timer spins");
        at = next;
        asked += u32::from(monitor.handle_timeout(next));
    }
    assert_eq!(asked, 0);
    assert_eq!(monitor.health().storage, None);
    monitor.read(secs(1_001), readings, true);
    assert!(monitor.handle_timeout(secs(1_006)), "it answers again");
}

#[test]
fn a_hiccup_of_the_encoder_is_no_overload_and_one_that_lasts_is() {
    for hiccup in 0..=2 {
        let (mut monitor, mut counted) = (Monitor::new(secs(0), false), [0, 0]);
        encode(&mut monitor, 1, 10, &mut counted, 0);
        encode(&mut monitor, 11, hiccup, &mut counted, 25);
        encode(&mut monitor, 11 + hiccup, 60, &mut counted, 0);
        assert_eq!(begun(&mut monitor), [], "{hiccup} s");
    }
    let (mut monitor, mut counted) = (Monitor::new(secs(0), false), [0, 0]);
    let soon = (HEALTH_OVERLOAD_WINDOW + OVERLOAD_BEGINS_AFTER + STATS_INTERVAL).as_secs();
    encode(&mut monitor, 1, soon, &mut counted, 4);
    assert_eq!(begun(&mut monitor), [(WarningKind::EncodingOverloaded, true)]);
    assert_eq!(monitor.health().frames_skipped_percent, Some(13));
}

#[test]
fn frames_skipped_while_an_encoder_is_replaced_are_no_overload() {
    let mut monitor = Monitor::new(secs(0), false);
    let (mut frames, mut skipped, mut restarts) = (0, 0, 0);
    for s in 1..=120 {
        // It is silent for three seconds in each ten, and restarted then.
        let silent = s % 10 < 3;
        (frames, skipped) = if silent { (frames, skipped + 30) } else { (frames + 30, skipped) };
        restarts += u64::from(s % 10 == 3);
        monitor.counted(secs(s), frames, skipped, restarts);
    }
    assert_eq!(begun(&mut monitor), []);
}

#[test]
fn another_capture_begins_at_nothing() {
    let (mut monitor, mut counted) = (Monitor::new(secs(0), false), [0, 0]);
    encode(&mut monitor, 1, 20, &mut counted, 15);
    assert_eq!(begun(&mut monitor), [(WarningKind::EncodingOverloaded, true)]);
    monitor.encoder_stopped();
    assert_eq!(begun(&mut monitor), [(WarningKind::EncodingOverloaded, false)]);
    monitor.encoder_stopped();
    monitor.encoder_started(secs(30));
    let mut counted = [0, 0];
    encode(&mut monitor, 31, 60, &mut counted, 0);
    assert_eq!((begun(&mut monitor), monitor.health().frames_skipped_percent), (vec![], Some(0)));
}

#[test]
fn whatever_the_machine_shows_each_warning_lasts_and_rests_for_its_time() {
    for seed in 0..200 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut monitor = Monitor::new(secs(0), true);
        let mut since = std::collections::HashMap::new();
        let (mut cpu, mut events) = (CpuTimes { busy: 0, total: 0 }, 0);
        for n in 1..400 {
            let now = secs(5 * n);
            cpu.busy += rng.u64(80..=100);
            cpu.total += 100;
            events += u64::from(rng.u8(0..20) == 0);
            let mut space =
                || Space { available_kib: rng.u64(0..20_000_000), total_kib: 20_000_000 };
            let (memory, storage) = (Some(space()), Some(space()));
            let readings = Readings {
                temperature: Some(crate::status::Temperature {
                    sensor: "z".to_owned(),
                    celsius: rng.i32(70..90),
                    limit_celsius: Some(80),
                }),
                undervoltage: Alarm { raised: Some(rng.u8(0..9) == 0), events: Some(events) },
                throttled: Alarm { raised: Some(rng.bool()), events: None },
                cpu: Some(cpu),
                memory,
                storage,
                wear: None,
            };
            monitor.read(now, readings, true);
            for (kind, begun) in begun(&mut monitor) {
                let before = since.insert(kind, (now, begun));
                assert!(before.is_none_or(|(_, was)| was != begun), "seed {seed}: {kind:?}");
                let least = gate_times(kind, begun);
                let is_due = before.is_none_or(|(at, _)| now >= at + least);
                assert!(is_due, "seed {seed}: {kind:?} {begun} after too short a time");
            }
            let urgent: Vec<WarningKind> = monitor.warnings(now).iter().map(|w| w.kind).collect();
            assert!(urgent.is_sorted(), "seed {seed}");
        }
    }
}

/// The least time from the end of a warning to its begin, or from its begin to its end.
fn gate_times(kind: WarningKind, begun: bool) -> Duration {
    if begun { judge::begins_after(kind) } else { judge::ends_after(kind) }
}
