//! The lights of the box, whoever drives them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use embedded_hal::digital::{Error, ErrorKind, ErrorType, OutputPin};

use crate::board;
use crate::panel::Levels;

use super::gpio::{self, GpioError};
use super::led::Led;

/// Where the kernel shows its lights.
const KERNEL_LEDS: &str = "/sys/class/leds";

/// The lights. They go out when this is dropped.
pub enum Lights {
    /// GPIO lines of this process.
    Cdev(Box<Front<gpio::Output>>),
    /// Lights that the kernel drives.
    Kernel(Box<Front<KernelLed>>),
    /// Whoever draws them.
    Drawn(Box<dyn FnMut(Levels) + Send>),
    /// There are none.
    None,
}

/// The lights of a front: one for *on air* and one for everything else, or a single one.
pub struct Front<P: OutputPin> {
    lights: Vec<(Which, Led<P>)>,
}

#[derive(Debug, Clone, Copy)]
enum Which {
    Live,
    Status,
    Single,
}

impl<P: OutputPin> Front<P> {
    /// Takes the lights that a board has.
    fn of<T>(
        fitted: &board::Fitted<T>,
        light: impl Fn(&T) -> Result<Led<P>, LightsError>,
    ) -> Result<Box<Front<P>>, LightsError> {
        let lights = match fitted {
            board::Fitted::Two { live, status } => {
                vec![(Which::Live, light(live)?), (Which::Status, light(status)?)]
            }
            board::Fitted::One { single } => vec![(Which::Single, light(single)?)],
        };
        Ok(Box::new(Front { lights }))
    }

    fn show(&mut self, levels: Levels) {
        for (which, led) in &mut self.lights {
            let lit = match which {
                Which::Live => levels.live,
                Which::Status => levels.status,
                Which::Single => levels.single,
            };
            if let Err(error) = led.set(lit) {
                tracing::warn!(light = ?which, ?error, "a light does not obey");
            }
        }
    }
}

/// Why the lights cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LightsError {
    /// a GPIO line of the profile cannot be used
    #[error(transparent)]
    Gpio(#[from] GpioError),
    /// the kernel has no such light
    #[error("the kernel has no light {0} that this user may set; `ls /sys/class/leds` lists them")]
    Kernel(String),
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
            board::Lights::Cdev(lines) => Lights::Cdev(Front::of(lines, |line| {
                Ok(Led::new(gpio::output(line)?, line.active_low))
            })?),
            board::Lights::Sysfs(leds) => Lights::Kernel(Front::of(leds, |led| {
                Ok(Led::new(KernelLed::open(Path::new(KERNEL_LEDS), &led.led)?, false))
            })?),
            board::Lights::None => Lights::None,
        })
    }

    /// Shows these levels. A light that does not obey is logged once per change.
    pub fn show(&mut self, levels: Levels) {
        match self {
            Lights::Cdev(front) => front.show(levels),
            Lights::Kernel(front) => front.show(levels),
            Lights::Drawn(draw) => draw(levels),
            Lights::None => {}
        }
    }
}

impl Drop for Lights {
    fn drop(&mut self) {
        self.show(Levels::default());
    }
}

/// A light of the kernel as a pin: high is full brightness.
#[derive(Debug)]
pub struct KernelLed {
    brightness: PathBuf,
    full: String,
}

impl KernelLed {
    /// The light of that name; it stops showing whatever the kernel showed on it (its trigger).
    fn open(leds: &Path, name: &str) -> Result<KernelLed, LightsError> {
        let folder = leds.join(name);
        let missing = |_| LightsError::Kernel(name.to_owned());
        let full = fs::read_to_string(folder.join("max_brightness")).map_err(missing)?;
        fs::write(folder.join("trigger"), "none").map_err(missing)?;
        Ok(KernelLed { brightness: folder.join("brightness"), full: full.trim().to_owned() })
    }
}

/// The kernel did not take a brightness.
#[derive(Debug)]
pub struct KernelLedError(#[expect(dead_code, reason = "for the log")] io::Error);

impl Error for KernelLedError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

impl ErrorType for KernelLed {
    type Error = KernelLedError;
}

impl OutputPin for KernelLed {
    fn set_low(&mut self) -> Result<(), KernelLedError> {
        fs::write(&self.brightness, "0").map_err(KernelLedError)
    }

    fn set_high(&mut self) -> Result<(), KernelLedError> {
        fs::write(&self.brightness, &self.full).map_err(KernelLedError)
    }
}

#[cfg(test)]
mod tests {
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

        fn front(&self, fitted: &board::Fitted<&str>) -> Lights {
            let light = |name: &&str| Ok(Led::new(KernelLed::open(&self.0, name)?, false));
            Lights::Kernel(Front::of(fitted, light).unwrap())
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
        let mut lights = leds.front(&board::Fitted::One { single: "ACT" });
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
        let mut lights = leds.front(&board::Fitted::Two { live: "red", status: "green" });
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
}
