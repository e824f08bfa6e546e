//! A light that the kernel drives.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use embedded_hal::digital::{Error, ErrorKind, ErrorType, OutputPin};

/// the kernel has no such light
#[derive(Debug, thiserror::Error)]
#[error("the kernel has no light {0} that this user may set; `ls /sys/class/leds` lists them")]
pub struct NoLight(pub String);

/// A light of the kernel as a pin: high is full brightness.
#[derive(Debug)]
pub struct KernelLed {
    brightness: PathBuf,
    full: String,
}

impl KernelLed {
    /// The light of that name; it stops showing whatever the kernel showed on it (its trigger).
    ///
    /// # Errors
    /// The name, when the kernel has no such light or this user may not set it.
    pub fn open(leds: &Path, name: &str) -> Result<KernelLed, NoLight> {
        let folder = leds.join(name);
        let missing = |_| NoLight(name.to_owned());
        let full = fs::read_to_string(folder.join("max_brightness")).map_err(missing)?;
        fs::write(folder.join("trigger"), "none").map_err(missing)?;
        Ok(KernelLed { brightness: folder.join("brightness"), full: full.trim().to_owned() })
    }
}

/// Why the kernel did not take a brightness.
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
