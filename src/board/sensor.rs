//! How a profile names what the kernel shows of the machine: by what stays the same, never by the number
//! that a zone or a chip happens to have.

use std::fmt;

use serde::{Serialize, Serializer};

/// Where the kernel shows something of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sensor {
    /// Where.
    pub place: SensorPlace,
    /// It counts events; one more of them is an alarm.
    pub counts: bool,
    /// The bits that are meant, where the value is a hexadecimal number of flags.
    pub mask: Option<u64>,
}

/// See [`Sensor`]. In names and paths, one `*` stands for anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SensorPlace {
    /// Thermal zones of this type, with their trip points.
    Zone(String),
    /// Coolers of this type; one that is at work slows something down.
    Cooler(String),
    /// A file of the hardware monitor of this name.
    Hwmon {
        /// Its name.
        name: String,
        /// The file.
        file: String,
    },
    /// A file below `/sys`.
    File(String),
}

impl Sensor {
    /// Reads `zone:TYPE`, `cooler:TYPE`, `hwmon:NAME/FILE` or `sys:PATH`, with `count:` before it where
    /// it counts events, and `&0xMASK` behind it where it holds flags.
    ///
    /// # Errors
    /// What may be written instead.
    pub fn parse(text: &str) -> Result<Sensor, &'static str> {
        const ALLOWED: &str = "must be zone:TYPE, cooler:TYPE, hwmon:NAME/FILE or sys:PATH (below \
                               /sys), optionally with count: before it, or &0xMASK behind it";
        let (counts, rest) = match text.strip_prefix("count:") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (rest, mask) = match rest.split_once('&') {
            None => (rest, None),
            Some((rest, mask)) => {
                let digits = mask.strip_prefix("0x").ok_or(ALLOWED)?;
                (rest, Some(u64::from_str_radix(digits, 16).map_err(|_| ALLOWED)?))
            }
        };
        let (kind, name) = rest.split_once(':').ok_or(ALLOWED)?;
        let is_name = |name: &str| {
            !matches!(name, "" | "." | "..")
                && !name.contains(['/', '\0'])
                && name.matches('*').count() <= 1
        };
        let place = match kind {
            "zone" if is_name(name) => SensorPlace::Zone(name.to_owned()),
            "cooler" if is_name(name) => SensorPlace::Cooler(name.to_owned()),
            "hwmon" => {
                let (name, file) = name.split_once('/').ok_or(ALLOWED)?;
                if !is_name(name) || !is_name(file) || file.contains('*') {
                    return Err(ALLOWED);
                }
                SensorPlace::Hwmon { name: name.to_owned(), file: file.to_owned() }
            }
            "sys" if name.split('/').all(is_name) && name.matches('*').count() <= 1 => {
                SensorPlace::File(name.to_owned())
            }
            _ => return Err(ALLOWED),
        };
        Ok(Sensor { place, counts, mask })
    }
}

impl fmt::Display for Sensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.counts {
            f.write_str("count:")?;
        }
        match &self.place {
            SensorPlace::Zone(name) => write!(f, "zone:{name}"),
            SensorPlace::Cooler(name) => write!(f, "cooler:{name}"),
            SensorPlace::Hwmon { name, file } => write!(f, "hwmon:{name}/{file}"),
            SensorPlace::File(path) => write!(f, "sys:{path}"),
        }?;
        self.mask.map_or(Ok(()), |mask| write!(f, "&0x{mask:x}"))
    }
}

impl Serialize for Sensor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Whether a name is what a pattern says, in which one `*` stands for anything.
pub fn is_like(name: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        None => name == pattern,
        Some((before, after)) => {
            name.strip_prefix(before).is_some_and(|rest| rest.ends_with(after))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sensor_is_named_by_what_stays() {
        for text in [
            "zone:*",
            "zone:cpu-thermal",
            "cooler:*-throttle-alert",
            "hwmon:rpi_volt/in0_lcrit_alarm",
            "count:hwmon:soctherm_oc/oc1_event_cnt",
            "sys:bus/platform/drivers/raspberrypi-firmware/*/get_throttled&0xe",
        ] {
            assert_eq!(Sensor::parse(text).map(|s| s.to_string()).as_deref(), Ok(text));
        }
        for wrong in [
            "",
            "zone:",
            "zone:a/b",
            "hwmon:a",
            "hwmon:/b",
            "hwmon:a/..",
            "sys:/etc/passwd",
            "sys:a/../b",
            "sys:a//b",
            "sys:*/*",
            "zone:a&1",
            "zone:a&0x",
            "fan:a",
            "count:",
        ] {
            assert!(Sensor::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_star_stands_for_anything_even_nothing() {
        assert!(is_like("cpufreq-cpu0", "cpufreq-*") && is_like("cpufreq-", "cpufreq-*"));
        assert!(is_like("anything", "*") && is_like("a", "a"));
        assert!(!is_like("thermal-cpufreq-0", "cpufreq-*") && !is_like("ab", "ab*b"));
    }
}
