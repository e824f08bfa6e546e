//! The lights of the box, on pins, as LEDs of the kernel, or drawn in a terminal.

mod kernel_led;
mod led;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;

use embedded_hal::digital::OutputPin;

use crate::board::{self, Fitted};
use crate::limits::DEVICE_REOPEN_INTERVAL;
use crate::panel::Levels;

use super::pin::gpio::{self, GpioError};

use kernel_led::KernelLed;
pub use kernel_led::NoLight;
pub use led::Led;

/// Where the kernel shows its lights.
const KERNEL_LEDS: &str = "/sys/class/leds";

/// The lights. They go out when this is dropped.
pub enum Lights {
    /// Lights on pins.
    Pins(Box<dyn FnMut(Levels) + Send>),
    /// Lights that are drawn by the caller, in a terminal.
    Drawn(Box<dyn FnMut(Levels) + Send>),
    /// There are none.
    None,
}

/// Why the lights cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LightsError {
    /// a GPIO line of the profile cannot be used
    #[error(transparent)]
    Gpio(#[from] GpioError),
    /// the kernel has no such light
    #[error(transparent)]
    Kernel(#[from] NoLight),
}

impl Lights {
    /// The lights that `profile` names; `drawn` serves a profile whose lights are in the terminal.
    ///
    /// # Errors
    /// [`LightsError`] naming the line or the light.
    pub fn open(
        profile: &board::Lights,
        drawn: Box<dyn FnMut(Levels) + Send>,
    ) -> Result<Lights, LightsError> {
        Ok(match profile {
            board::Lights::Terminal => Lights::Drawn(drawn),
            board::Lights::Cdev(lines) => Lights::on_pins(open_each(lines, |line| {
                Ok(Led::new(gpio::Output::open(line)?, line.active_low))
            })?),
            board::Lights::Sysfs(leds) => Lights::on_pins(open_each(leds, |led| {
                Ok(Led::new(KernelLed::open(Path::new(KERNEL_LEDS), &led.led)?, false))
            })?),
            board::Lights::None => Lights::None,
        })
    }

    /// The lights that `profile` names. While they cannot be opened the box is dark, and they are opened
    /// again and again: when a machine boots, the permission for its pins may come later than the box.
    pub fn keep_trying(profile: &board::Lights) -> Lights {
        let profile = profile.clone();
        Lights::when_open(move || Lights::open(&profile, Box::new(|_| {})))
    }

    fn when_open(mut open: impl FnMut() -> Result<Lights, LightsError> + Send + 'static) -> Lights {
        let why = match open() {
            Ok(lights) => return lights,
            Err(error) => error.to_string(),
        };
        tracing::error!("the box runs without lights: {why}; they are opened again");
        let late = Arc::new(Mutex::new(Late::default()));
        let waiting = Arc::downgrade(&late);
        let spawned = thread::Builder::new().name("lights".to_owned()).spawn(move || {
            Late::open(&waiting, why, open);
        });
        if let Err(error) = spawned {
            tracing::error!(%error, "no thread for the lights");
        }
        Lights::Pins(Box::new(move |levels| {
            let mut late = late.lock().unwrap_or_else(PoisonError::into_inner);
            late.levels = levels;
            if let Some(lights) = &mut late.lights {
                lights.show(levels);
            }
        }))
    }

    /// The lights of a board whose pins are these.
    pub fn on_pins<P: OutputPin + Send + 'static>(mut leds: Fitted<Led<P>>) -> Lights {
        Lights::Pins(Box::new(move |levels| match &mut leds {
            Fitted::Two { live, status } => {
                set("live", live, levels.live);
                set("status", status, levels.status);
            }
            Fitted::One { single } => set("single", single, levels.single),
        }))
    }

    /// Shows these levels. A light that cannot be set is logged once per change of its level; the
    /// others are set all the same.
    pub fn show(&mut self, levels: Levels) {
        match self {
            Lights::Pins(show) | Lights::Drawn(show) => show(levels),
            Lights::None => {}
        }
    }
}

/// Lights that could not be opened at first.
#[derive(Default)]
struct Late {
    lights: Option<Lights>,
    /// What they are to show as soon as they are there.
    levels: Levels,
}

impl Late {
    /// Opens them, unless nobody wants them any more. Each reason is logged once.
    fn open(
        late: &Weak<Mutex<Late>>,
        mut logged: String,
        mut open: impl FnMut() -> Result<Lights, LightsError>,
    ) {
        loop {
            thread::sleep(DEVICE_REOPEN_INTERVAL);
            let Some(late) = late.upgrade() else { return };
            match open() {
                Ok(mut lights) => {
                    let mut late = late.lock().unwrap_or_else(PoisonError::into_inner);
                    lights.show(late.levels);
                    late.lights = Some(lights);
                    tracing::info!("the lights work now");
                    return;
                }
                Err(error) if error.to_string() == logged => {}
                Err(error) => {
                    logged = error.to_string();
                    tracing::error!("the box runs without lights: {logged}; they are opened again");
                }
            }
        }
    }
}

fn set<P: OutputPin>(light: &str, led: &mut Led<P>, lit: bool) {
    if let Err(error) = led.set(lit) {
        tracing::warn!(light, ?error, "a light cannot be set");
    }
}

/// Opens the lights that a board has.
fn open_each<T, P>(
    fitted: &Fitted<T>,
    open: impl Fn(&T) -> Result<Led<P>, LightsError>,
) -> Result<Fitted<Led<P>>, LightsError> {
    Ok(match fitted {
        Fitted::Two { live, status } => Fitted::Two { live: open(live)?, status: open(status)? },
        Fitted::One { single } => Fitted::One { single: open(single)? },
    })
}

impl Drop for Lights {
    fn drop(&mut self) {
        self.show(Levels::default());
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::ErrorKind::NotConnected;
    use std::path::PathBuf;
    use std::time::{Duration, Instant};

    use embedded_hal_mock::eh1::MockError;
    use embedded_hal_mock::eh1::digital::State::{High, Low};
    use embedded_hal_mock::eh1::digital::{Mock, Transaction};

    use super::*;
    use crate::panel::{Blinker, Indication, Rhythm, lights};

    /// A folder as the kernel makes it for each light.
    struct Leds(PathBuf);

    impl Leds {
        fn new(names: &[&str]) -> Leds {
            let unique = fastrand::u64(..);
            let path = std::env::temp_dir().join(format!("firstmile-leds-{unique:016x}"));
            for name in names {
                let folder = path.join(name);
                fs::create_dir_all(&folder).unwrap();
                fs::write(folder.join("max_brightness"), "255\n").unwrap();
                fs::write(folder.join("brightness"), "0\n").unwrap();
                fs::write(folder.join("trigger"), "heartbeat").unwrap();
            }
            Leds(path)
        }

        fn says(&self, name: &str, file: &str) -> String {
            fs::read_to_string(self.0.join(name).join(file)).unwrap()
        }

        fn lights(&self, fitted: &Fitted<&str>) -> Lights {
            let open = |name: &&str| Ok(Led::new(KernelLed::open(&self.0, name)?, false));
            Lights::on_pins(open_each(fitted, open).unwrap())
        }
    }

    impl Drop for Leds {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_board_with_one_light_shows_the_single_level_and_is_dark_in_the_end() {
        let leds = Leds::new(&["ACT"]);
        let mut lights = leds.lights(&Fitted::One { single: "ACT" });
        assert_eq!(leds.says("ACT", "trigger"), "none", "the kernel's own use of it ends");
        lights.show(Levels { live: true, status: true, single: false });
        assert_eq!(leds.says("ACT", "brightness"), "0");
        lights.show(Levels { live: false, status: false, single: true });
        assert_eq!(leds.says("ACT", "brightness"), "255", "full brightness, not 1");
        drop(lights);
        assert_eq!(leds.says("ACT", "brightness"), "0");
    }

    #[test]
    fn a_board_with_two_lights_shows_each_its_own_level() {
        let leds = Leds::new(&["red", "green"]);
        let mut lights = leds.lights(&Fitted::Two { live: "red", status: "green" });
        for (live, status) in [(true, false), (false, true), (true, true)] {
            lights.show(Levels { live, status, single: !live });
            let lit = |name| leds.says(name, "brightness") == "255";
            assert_eq!((lit("red"), lit("green")), (live, status));
        }
        drop(lights);
        assert_eq!(leds.says("red", "brightness"), "0");
    }

    #[test]
    fn lights_that_come_later_than_the_box_show_what_is_on_and_are_dark_in_the_end() {
        let (leds, late) = (Leds::new(&[]), Leds::new(&["ACT"]));
        let folder = leds.0.clone();
        let mut lights = Lights::when_open(move || {
            let led = Led::new(KernelLed::open(&folder, "ACT")?, false);
            Ok(Lights::on_pins(Fitted::One { single: led }))
        });
        lights.show(Levels { single: true, ..Levels::default() });
        fs::rename(&late.0, &leds.0).unwrap();
        let brightness = || fs::read_to_string(leds.0.join("ACT/brightness")).unwrap();
        let asked = Instant::now();
        while brightness() != "255" {
            assert!(asked.elapsed() < Duration::from_secs(30), "they stay dark");
            thread::sleep(Duration::from_millis(20));
        }
        lights.show(Levels::default());
        assert_eq!(brightness(), "0");
        lights.show(Levels { single: true, ..Levels::default() });
        drop(lights);
        assert_eq!(brightness(), "0");
    }

    #[test]
    fn a_light_that_the_kernel_does_not_have_is_named() {
        let leds = Leds::new(&[]);
        let error = KernelLed::open(&leds.0, "nope").unwrap_err().to_string();
        assert!(error.contains("nope") && error.contains("/sys/class/leds"), "{error}");
    }

    #[test]
    fn a_light_whose_pin_fails_does_not_keep_the_other_from_its_levels() {
        let broken = Transaction::set(High).with_error(MockError::Io(NotConnected));
        let mut live = Mock::new(&[Transaction::set(Low), broken, Transaction::set(Low)]);
        let mut status =
            Mock::new(&[Transaction::set(Low), Transaction::set(High), Transaction::set(Low)]);
        let leds = Fitted::Two {
            live: Led::new(live.clone(), false),
            status: Led::new(status.clone(), false),
        };
        let mut lights = Lights::on_pins(leds);
        let lit = Levels { live: true, status: true, single: false };
        for levels in [Levels::default(), lit, lit, Levels::default()] {
            lights.show(levels);
        }
        drop(lights);
        live.done();
        status.done();
    }

    /// The levels of a pin that a rhythm takes it through in so long, by the rhythm itself.
    fn edges(rhythm: Rhythm, long: Duration, active_low: bool) -> Vec<Transaction> {
        let level = |lit: bool| Transaction::set(if lit != active_low { High } else { Low });
        let cycle = match rhythm {
            Rhythm::Off | Rhythm::On => return vec![level(rhythm == Rhythm::On)],
            Rhythm::Cycle(cycle) => cycle,
        };
        let mut edges = Vec::new();
        let (mut at, mut lit) = (Duration::ZERO, true);
        for ms in cycle.iter().cycle() {
            if at >= long {
                break;
            }
            edges.push(level(lit));
            at += Duration::from_millis(u64::from(*ms));
            lit = !lit;
        }
        edges
    }

    #[test]
    fn the_pins_have_each_edge_of_each_rhythm_and_no_other() {
        let long = Duration::from_secs(12);
        for indication in Indication::ALL.into_iter().filter(|shown| !shown.is_momentary()) {
            for active_low in [false, true] {
                let rhythms = lights(indication);
                let pin = |rhythm| {
                    let mut expected = edges(rhythm, long, active_low);
                    let is_lit = expected.len() % 2 == 1 && rhythm != Rhythm::Off;
                    // In the end it is out.
                    let out = Transaction::set(if active_low { High } else { Low });
                    expected.extend(is_lit.then_some(out));
                    Mock::new(&expected)
                };
                let [mut live, mut status, mut single] =
                    [rhythms.live, rhythms.status, rhythms.single].map(pin);
                let led = |pin: &Mock| Led::new(pin.clone(), active_low);
                let mut boards = [
                    Lights::on_pins(Fitted::Two { live: led(&live), status: led(&status) }),
                    Lights::on_pins(Fitted::One { single: led(&single) }),
                ];
                let mut blinker = Blinker::new();
                blinker.show(Duration::ZERO, indication);
                let mut now = Some(Duration::ZERO);
                while let Some(at) = now.filter(|at| *at < long) {
                    let levels = blinker.poll(at);
                    boards.iter_mut().for_each(|lights| lights.show(levels));
                    now = blinker.poll_timeout();
                }
                drop(boards);
                for pin in [&mut live, &mut status, &mut single] {
                    pin.done();
                }
            }
        }
    }

    #[test]
    fn a_light_that_fails_while_the_box_ends_does_not_keep_the_other_lit() {
        let broken = Transaction::set(Low).with_error(MockError::Io(NotConnected));
        let mut live = Mock::new(&[Transaction::set(High), broken]);
        let mut status = Mock::new(&[Transaction::set(High), Transaction::set(Low)]);
        let leds = Fitted::Two {
            live: Led::new(live.clone(), false),
            status: Led::new(status.clone(), false),
        };
        let mut lights = Lights::on_pins(leds);
        lights.show(Levels { live: true, status: true, single: false });
        drop(lights);
        live.done();
        status.done();
    }

    #[test]
    fn a_light_of_the_kernel_that_vanishes_is_reported_by_its_pin() {
        let leds = Leds::new(&["ACT"]);
        let mut pin = KernelLed::open(&leds.0, "ACT").unwrap();
        pin.set_high().unwrap();
        assert_eq!(leds.says("ACT", "brightness"), "255");
        fs::remove_dir_all(leds.0.join("ACT")).unwrap();
        assert!(pin.set_low().is_err() && pin.set_high().is_err());
    }

    #[test]
    fn lights_on_pins_are_out_when_the_box_ends_whichever_level_that_is() {
        for (active_low, lit, out) in [(false, High, Low), (true, Low, High)] {
            let mut pin = Mock::new(&[Transaction::set(lit), Transaction::set(out)]);
            let single = Led::new(pin.clone(), active_low);
            let mut lights = Lights::on_pins(Fitted::One { single });
            lights.show(Levels { single: true, ..Levels::default() });
            drop(lights);
            pin.done();
        }
    }
}
