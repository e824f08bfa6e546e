//! The lights of the box, on pins, as LEDs of the kernel, or drawn in a terminal.

mod kernel_led;
mod led;

use std::path::Path;

use embedded_hal::digital::OutputPin;

use crate::board::{self, Fitted};
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

    use embedded_hal_mock::eh1::MockError;
    use embedded_hal_mock::eh1::digital::State::{High, Low};
    use embedded_hal_mock::eh1::digital::{Mock, Transaction};

    use super::*;

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
