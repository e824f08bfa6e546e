//! Drivers that hang for good: what the service manager hears, which ends a program that is silent.

use std::time::Duration;

use firstmile::limits::DRIVER_HANGS;

use crate::rig::{Before, Rig};

const EVERY: Duration = Duration::from_secs(2);

/// A box that holds its devices in standby, as far as their drivers answer, which they do not.
fn in_standby(has_failed: bool) -> Rig {
    let stored = "[box]\nstandby = true\n[[destination]]\nname = \"a\"\n\
                  url = \"rtmps://a.example/live\"\nkey = \"canary-k3y\"\n";
    let alive_interval = Some(EVERY);
    let before =
        Before { stored: stored.to_owned(), alive_interval, has_failed, ..Before::default() };
    let mut rig = Rig::new(&before);
    rig.devices_hang = true;
    rig.boot();
    rig
}

/// Whether the box reports that it is alive within that time.
fn is_alive(rig: &mut Rig, long: Duration) -> bool {
    let before = rig.alive;
    rig.advance(long);
    rig.alive > before
}

// Shows F74.
#[test]
fn a_driver_that_hangs_in_standby_ends_the_program_once() {
    let mut first = in_standby(false);
    assert!(is_alive(&mut first, DRIVER_HANGS));
    first.advance(2 * EVERY);
    assert!(!is_alive(&mut first, Duration::from_secs(60)), "a new process may cure it");
    let mut second = in_standby(true);
    assert!(is_alive(&mut second, DRIVER_HANGS));
    for _ in 0..60 {
        assert!(is_alive(&mut second, 2 * EVERY), "a new process has not cured it");
    }
    second.press_for(Duration::from_millis(150));
    // It is asked once more.
    second.advance(DRIVER_HANGS + 2 * EVERY);
    assert!(!is_alive(&mut second, Duration::from_secs(60)), "the next one is to be live");
    assert_eq!(second.live_written, Some(true));
}

#[test]
fn a_driver_that_answers_after_all_is_watched_again() {
    let mut rig = in_standby(true);
    rig.advance(2 * DRIVER_HANGS);
    rig.release_devices();
    rig.devices_hang = false;
    rig.advance(Duration::from_secs(120));
    rig.press_for(Duration::from_millis(150));
    rig.first_key();
    assert!(is_alive(&mut rig, Duration::from_secs(120)));
}
