//! A display at the front, as a profile describes it.

use std::fmt;
use std::path::PathBuf;

use serde::{Serialize, Serializer};

/// A display of 128 × 64 pixels on an I²C bus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Display {
    /// The chip that drives it.
    pub chip: Chip,
    /// Its bus.
    pub bus: Bus,
    /// Its address there.
    pub address: u8,
    /// It is mounted with its lower edge up.
    pub upside_down: bool,
    /// How bright it is.
    pub brightness_percent: u32,
    /// Where the owner finds a manual; shown as a QR code while the box needs setup.
    pub manual: Option<String>,
}

/// A chip that drives displays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Chip {
    /// Solomon Systech SSD1306: most displays of 0.96 inches.
    Ssd1306,
    /// Sino Wealth SH1106: most displays of 1.3 inches.
    Sh1106,
}

/// An I²C bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bus {
    /// Its node. The device tree of some boards gives buses a number of their own.
    Node(PathBuf),
    /// The name of its adapter, or a part of it: the numbers of other boards change between kernels.
    Name(String),
}

impl Display {
    /// The addresses that the chips can have.
    pub const ADDRESSES: [u8; 2] = [0x3c, 0x3d];
    /// The brightness that both chips have when they are switched on.
    pub const BRIGHTNESS_PERCENT: u32 = 50;
}

impl Chip {
    /// Its name, as it stands on modules.
    pub fn name(self) -> &'static str {
        match self {
            Chip::Ssd1306 => "SSD1306",
            Chip::Sh1106 => "SH1106",
        }
    }
}

impl Bus {
    /// Reads `/dev/…` or `name:TEXT`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Bus> {
        match text.strip_prefix("name:") {
            Some(name) => (!name.trim().is_empty()).then(|| Bus::Name(name.trim().to_owned())),
            None => text.starts_with("/dev/").then(|| Bus::Node(text.into())),
        }
    }
}

impl Default for Bus {
    fn default() -> Bus {
        Bus::Node(PathBuf::new())
    }
}

impl fmt::Display for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bus::Node(path) => path.display().fmt(f),
            Bus::Name(name) => write!(f, "name:{name}"),
        }
    }
}

impl Serialize for Bus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bus_is_a_node_or_a_name() {
        for text in ["/dev/i2c-1", "name:bcm2835 (i2c@7e804000)"] {
            assert_eq!(Bus::parse(text).map(|bus| bus.to_string()).as_deref(), Some(text));
        }
        for wrong in ["", "i2c-1", "1", "name:", "name: ", "driver:i2c-dev"] {
            assert_eq!(Bus::parse(wrong), None, "{wrong}");
        }
    }
}
