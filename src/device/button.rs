//! The buttons: contacts are read here, and judged in [`crate::panel`].

mod event;
mod key;
#[cfg(test)]
mod mock_pin;
mod switch;

use std::fmt::Display;
use std::thread;

use crate::board;
use crate::clock::Clock;
use crate::limits::DEVICE_REOPEN_INTERVAL;
use crate::panel::Contact;

use super::pin::{EdgePin, gpio};

pub use event::{ContactEvent, Started};
pub use switch::Switch;

/// Watches the buttons that `profile` names, each on a thread of its own, and notifies of each
/// event. A button that cannot be read is logged, and opened again every
/// [`DEVICE_REOPEN_INTERVAL`] as long as the process runs: the box is of use without it.
///
/// `is_power_up` says that the program was started with the machine. One that was restarted on a
/// running machine cannot know what a button means that is down by then: nothing, until it is
/// released.
pub fn watch(
    profile: &board::Button,
    clock: Clock,
    is_power_up: bool,
    notify: impl FnMut(ContactEvent) + Clone + Send + 'static,
) {
    let started = Started { clock, is_power_up };
    match profile {
        board::Button::Cdev { line, pull, reset, .. } => {
            let pull = *pull;
            for (contact, line) in [(Contact::GoLive, Some(line)), (Contact::Reset, reset.as_ref())]
            {
                let Some(line) = line.cloned() else { continue };
                let open = move || {
                    let pin = gpio::Input::open(&line, pull, clock)?;
                    Ok::<_, gpio::GpioError>(Switch::new(pin, line.active_low))
                };
                let attempt = watch_switch(contact, started, open, notify.clone());
                keep_trying(contact, attempt);
            }
        }
        board::Button::Input { key, reset } => {
            for (contact, key) in [(Contact::GoLive, Some(key)), (Contact::Reset, reset.as_ref())] {
                let Some(key) = key.cloned() else { continue };
                let mut notify = notify.clone();
                keep_trying(contact, move || key::watch(contact, &key, started, &mut notify));
            }
        }
        board::Button::Keys | board::Button::None => {}
    }
}

/// One attempt to read a switch: opens it, watches it until its pin fails, and returns why.
fn watch_switch<P: EdgePin<Error: Display>, E: Display>(
    contact: Contact,
    started: Started,
    mut open: impl FnMut() -> Result<Switch<P>, E>,
    mut notify: impl FnMut(ContactEvent),
) -> impl FnMut() -> String {
    move || match open() {
        Ok(mut switch) => switch.watch(contact, started, &mut notify).to_string(),
        Err(error) => error.to_string(),
    }
}

/// Calls `attempt`, which returns when the button cannot be read, again and again.
fn keep_trying(contact: Contact, mut attempt: impl FnMut() -> String + Send + 'static) {
    let name = match contact {
        Contact::GoLive => "button",
        Contact::Reset => "reset-button",
    };
    let watch = move || {
        let mut logged = String::new();
        loop {
            let why = attempt();
            if why != logged {
                tracing::error!("the {name} cannot be read: {why}; it is opened again");
                logged = why;
            }
            thread::sleep(DEVICE_REOPEN_INTERVAL);
        }
    };
    if let Err(error) = thread::Builder::new().name(name.to_owned()).spawn(watch) {
        tracing::error!(%error, "no thread for the {name}");
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use embedded_hal_mock::eh1::digital::State::{High, Low};

    use super::key::EVENT_BYTES;
    use super::mock_pin::{MockPin, UNPLUGGED};
    use super::*;

    /// What is reported of a key that is down when the program starts, and released.
    fn held_at_start(is_power_up: bool) -> Vec<(bool, bool)> {
        let device = std::env::temp_dir().join(format!("firstmile-key-{}", fastrand::u64(..)));
        nix::unistd::mkfifo(&device, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let mut keys = OpenOptions::new().read(true).write(true).open(&device).unwrap();
        let event = |value: i32| {
            let mut bytes = [0; EVENT_BYTES];
            let tail = [1_u16.to_ne_bytes(), 167_u16.to_ne_bytes()].concat();
            bytes[EVENT_BYTES - 8..EVENT_BYTES - 4].copy_from_slice(&tail);
            bytes[EVENT_BYTES - 4..].copy_from_slice(&value.to_ne_bytes());
            bytes
        };
        keys.write_all(&event(1)).unwrap();
        let key = board::Key { device: device.clone(), code: 167 };
        let profile = board::Button::Input { key, reset: None };
        let (to, events) = channel();
        watch(&profile, Clock::start(), is_power_up, move |event: ContactEvent| {
            let _ = to.send((event.pressed, event.at_power_up));
        });
        keys.write_all(&event(0)).unwrap();
        let mut all = Vec::new();
        while all.last() != Some(&(false, false)) {
            all.push(events.recv_timeout(Duration::from_secs(60)).expect("it is released"));
        }
        std::fs::remove_file(&device).unwrap();
        all
    }

    #[test]
    fn a_button_held_at_power_up_is_reported_as_found_so() {
        assert_eq!(held_at_start(true), [(true, true), (false, false)]);
    }

    #[test]
    fn a_button_held_while_the_program_is_restarted_means_nothing_until_it_is_released() {
        assert_eq!(held_at_start(false), [(false, false)]);
    }

    #[test]
    fn a_switch_that_is_missing_or_fails_is_opened_again_by_the_next_attempt() {
        let (mut first, first_pin) = MockPin::until_unplugged(High, &[(700, Low)]);
        let (mut second, second_pin) = MockPin::until_unplugged(High, &[(3_000, Low)]);
        let mut opened = [Ok(first_pin), Err("no such line"), Ok(second_pin)].into_iter();
        let open = || opened.next().expect("opened thrice").map(|pin| Switch::new(pin, true));
        let started = Started { clock: Clock::start(), is_power_up: false };
        let mut pressed = Vec::new();
        let notify = |event: ContactEvent| pressed.push(event.pressed);
        let mut attempt = watch_switch(Contact::GoLive, started, open, notify);
        let whys = [attempt(), attempt(), attempt()];
        drop(attempt);
        assert_eq!(whys, [UNPLUGGED.to_string(), "no such line".into(), UNPLUGGED.to_string()]);
        assert_eq!(pressed, [false, true, false, true]);
        first.done();
        second.done();
    }
}
