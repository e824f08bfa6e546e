//! The two lights of the box, whoever drives them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use embedded_hal::digital::{Error, ErrorKind, ErrorType, OutputPin};
use linux_embedded_hal::CdevPin;

use crate::board;
use crate::panel::Levels;

use super::gpio::{self, GpioError};
use super::led::Led;

/// The lights. They go out when this is dropped.
pub enum Lights {
    /// GPIO lines of this process.
    Cdev(Box<Pair<CdevPin>>),
    /// Lights that the kernel drives.
    Kernel(Box<Pair<KernelLed>>),
    /// Whoever draws them.
    Drawn(Box<dyn FnMut(Levels) + Send>),
}

/// A light each for *on air* and for everything else.
pub struct Pair<P: OutputPin> {
    live: Led<P>,
    status: Led<P>,
}

impl<P: OutputPin> Pair<P> {
    fn show(&mut self, levels: Levels) {
        for (name, led, lit) in
            [("live", &mut self.live, levels.live), ("status", &mut self.status, levels.status)]
        {
            if let Err(error) = led.set(lit) {
                tracing::warn!(light = name, ?error, "a light does not obey");
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
            board::Lights::Cdev { live, status } => Lights::Cdev(Box::new(Pair {
                live: Led::new(gpio::output(live)?, live.active_low),
                status: Led::new(gpio::output(status)?, status.active_low),
            })),
            board::Lights::Sysfs { live, status } => Lights::Kernel(Box::new(Pair {
                live: Led::new(KernelLed::open(&live.led)?, false),
                status: Led::new(KernelLed::open(&status.led)?, false),
            })),
        })
    }

    /// Shows the two levels. A light that does not obey is logged once per change.
    pub fn show(&mut self, levels: Levels) {
        match self {
            Lights::Cdev(pair) => pair.show(levels),
            Lights::Kernel(pair) => pair.show(levels),
            Lights::Drawn(draw) => draw(levels),
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
    fn open(name: &str) -> Result<KernelLed, LightsError> {
        let folder = Path::new("/sys/class/leds").join(name);
        let missing = |_| LightsError::Kernel(name.to_owned());
        let full = fs::read_to_string(folder.join("max_brightness")).map_err(missing)?;
        fs::write(folder.join("trigger"), "none").map_err(missing)?;
        Ok(KernelLed { brightness: folder.join("brightness"), full: full.trim().to_owned() })
    }
}

/// The kernel did not take a brightness.
#[derive(Debug)]
pub struct KernelLedError(#[allow(dead_code, reason = "read through Debug in the log")] io::Error);

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
