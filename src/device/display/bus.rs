//! The I²C buses of this platform.

use std::fs;
use std::path::{Path, PathBuf};

use linux_embedded_hal::I2cdev;

use crate::board::{self, Bus};
use crate::file;
use crate::limits::{DISPLAY_BUSES_MAX, HEALTH_FILE_BYTES_MAX};

/// Where the kernel shows its buses.
const BUSES: &str = "/sys/bus/i2c/devices";

/// Why a bus cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BusError {
    /// there is no such node
    #[error("there is no {0}; is the module i2c-dev loaded, and the bus switched on?")]
    NoNode(PathBuf),
    /// no bus has such a name
    #[error("no I²C bus is called {wanted:?}; there is {known}")]
    NoName {
        /// The name that is wanted.
        wanted: String,
        /// The names that there are.
        known: String,
    },
    /// several buses have such a name
    #[error("several I²C buses are called {wanted:?}: {known}")]
    Several {
        /// The name that is wanted.
        wanted: String,
        /// Their names.
        known: String,
    },
    /// a driver of the kernel's own uses the display
    #[error("the kernel's own driver {driver} uses {address:#04x} on {node}; take its overlay out")]
    Taken {
        /// The driver.
        driver: String,
        /// The address.
        address: u8,
        /// The bus.
        node: PathBuf,
    },
    /// the node cannot be opened
    #[error(
        "{node} cannot be opened: {why}; is the user in the group i2c, and may the service use it?"
    )]
    Closed {
        /// The node.
        node: PathBuf,
        /// What the kernel reported.
        why: String,
    },
}

/// Opens the bus of a display, and gives it with its node.
///
/// # Errors
/// [`BusError`] naming the bus.
pub fn open(display: &board::Display) -> Result<(I2cdev, PathBuf), BusError> {
    let node = find(&display.bus, Path::new(BUSES))?;
    if !node.exists() {
        return Err(BusError::NoNode(node));
    }
    // It may be a link.
    let real = fs::canonicalize(&node).unwrap_or_else(|_| node.clone());
    if let Some(driver) = driver(&real, display.address, Path::new(BUSES)) {
        return Err(BusError::Taken { driver, address: display.address, node });
    }
    match I2cdev::new(&node) {
        Ok(bus) => Ok((bus, node)),
        Err(error) => Err(BusError::Closed { node, why: error.to_string() }),
    }
}

/// The node of a bus.
fn find(bus: &Bus, buses: &Path) -> Result<PathBuf, BusError> {
    let wanted = match bus {
        Bus::Node(node) => return Ok(node.clone()),
        Bus::Name(wanted) => wanted,
    };
    let mut known: Vec<(String, String)> = Vec::new();
    for entry in fs::read_dir(buses).into_iter().flatten().flatten().take(DISPLAY_BUSES_MAX) {
        let number = entry.file_name().to_string_lossy().into_owned();
        // Devices on the buses are listed there too.
        let is_bus = number.strip_prefix("i2c-").is_some_and(|n| n.parse::<u32>().is_ok());
        let name = file::read_text(&entry.path().join("name"), HEALTH_FILE_BYTES_MAX);
        if let (true, Ok(name)) = (is_bus, name) {
            known.push((name.trim().to_owned(), number));
        }
    }
    known.sort();
    let names = |buses: &[(String, String)]| match buses {
        [] => "none".to_owned(),
        some => some.iter().map(|(name, _)| format!("{name:?}")).collect::<Vec<_>>().join(", "),
    };
    // A whole name comes before those that it is a part of.
    let whole: Vec<_> = known.iter().filter(|(name, _)| name == wanted).cloned().collect();
    let part: Vec<_> = known.iter().filter(|(name, _)| name.contains(wanted)).cloned().collect();
    match if whole.is_empty() { &part[..] } else { &whole[..] } {
        [] => Err(BusError::NoName { wanted: wanted.clone(), known: names(&known) }),
        [(_, number)] => Ok(Path::new("/dev").join(number)),
        several => Err(BusError::Several { wanted: wanted.clone(), known: names(several) }),
    }
}

/// The driver of the kernel's own that has bound the display.
fn driver(node: &Path, address: u8, buses: &Path) -> Option<String> {
    let number = node.file_name()?.to_str()?.strip_prefix("i2c-")?;
    let link = buses.join(format!("{number}-{address:04x}")).join("driver");
    let driver = fs::read_link(link).ok()?;
    Some(driver.file_name()?.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A folder as the kernel makes it, with these buses.
    struct Buses(PathBuf);

    impl Buses {
        fn new(buses: &[(&str, &str)]) -> Buses {
            let unique = fastrand::u64(..);
            let path = std::env::temp_dir().join(format!("firstmile-buses-{unique:016x}"));
            for (number, name) in buses {
                fs::create_dir_all(path.join(number)).unwrap();
                fs::write(path.join(number).join("name"), format!("{name}\n")).unwrap();
            }
            Buses(path)
        }

        fn find(&self, name: &str) -> Result<String, String> {
            let found = find(&Bus::Name(name.to_owned()), &self.0);
            found.map(|node| node.display().to_string()).map_err(|error| error.to_string())
        }
    }

    impl Drop for Buses {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_bus_is_found_by_its_name_whatever_number_it_has() {
        let buses = Buses::new(&[
            ("i2c-1", "bcm2835 (i2c@7e804000)"),
            ("i2c-20", "fef04500.i2c"),
            ("i2c-21", "fef09500.i2c"),
            ("i2c-3", "fef0"),
            ("1-003c", "fef04500"), // a device on a bus
        ]);
        assert_eq!(buses.find("bcm2835").as_deref(), Ok("/dev/i2c-1"));
        assert_eq!(buses.find("fef04500").as_deref(), Ok("/dev/i2c-20"));
        assert_eq!(buses.find("fef0").as_deref(), Ok("/dev/i2c-3"), "the whole name");
        let several = buses.find(".i2c").unwrap_err();
        assert!(several.contains("fef04500") && several.contains("fef09500"), "{several}");
        let none = buses.find("tegra").unwrap_err();
        assert!(none.contains("\"tegra\"") && none.contains("\"fef0\""), "{none}");
        let none = Buses::new(&[]).find("tegra").unwrap_err();
        assert_eq!(none, "no I²C bus is called \"tegra\"; there is none");
    }

    #[test]
    fn a_display_that_a_driver_of_the_kernel_s_own_uses_is_left_to_it() {
        let buses = Buses::new(&[("i2c-1", "a"), ("1-003c", "ssd1306fb")]);
        symlink("../../../bus/i2c/drivers/ssd1307fb", buses.0.join("1-003c/driver")).unwrap();
        let node = Path::new("/dev/i2c-1");
        assert_eq!(driver(node, 0x3c, &buses.0).as_deref(), Some("ssd1307fb"));
        assert_eq!(driver(node, 0x3d, &buses.0), None);
        assert_eq!(driver(Path::new("/dev/i2c-2"), 0x3c, &buses.0), None);
    }

    #[test]
    fn a_bus_that_is_not_there_is_named() {
        let profile = board::Display {
            bus: Bus::Node("/dev/i2c-987654".into()),
            ..super::super::oled::tests::profile(board::Chip::Ssd1306)
        };
        let error = open(&profile).map(|(_, node)| node).unwrap_err();
        assert_eq!(error, BusError::NoNode("/dev/i2c-987654".into()));
    }
}
