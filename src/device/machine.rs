//! The machine's name and serial number.

use std::fs;
use std::path::Path;

/// Where the device tree is; `/proc/device-tree` may be hidden from a service.
const DEVICE_TREE: &str = "/sys/firmware/devicetree/base";
/// Where a PC shows what it is.
const DMI: &str = "/sys/class/dmi/id";

/// The machine's model and serial number, as far as it shows them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    /// Its model.
    pub model: Option<String>,
    /// Its serial number.
    pub serial_number: Option<String>,
}

impl Machine {
    /// This machine.
    pub fn this() -> Machine {
        let (tree, dmi) = (Path::new(DEVICE_TREE), Path::new(DMI));
        let model = text(&tree.join("model")).or_else(|| text(&dmi.join("product_name")));
        // A PC shows its serial number to root alone.
        Machine { model, serial_number: text(&tree.join("serial-number")) }
    }
}

fn text(path: &Path) -> Option<String> {
    let text = String::from_utf8_lossy(&fs::read(path).ok()?).into_owned();
    let text = text.trim_matches(|c: char| c == '\0' || c.is_whitespace());
    (!text.is_empty()).then(|| text.to_owned())
}
