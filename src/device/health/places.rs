//! Where this machine shows what a board's profile names.

use std::fs;
use std::path::{Path, PathBuf};

use super::files::{celsius, number, text};
use super::storage;
use crate::board::{Sensor, SensorPlace, Sensors, is_like};
use crate::limits::{CRITICAL_MARGIN_CELSIUS, HEALTH_ENTRIES_MAX, HEALTH_TRIPS_MAX};
use crate::sanitize;

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    pub thermometers: Vec<Thermometer>,
    pub undervoltage: Vec<Sign>,
    pub throttled: Vec<Sign>,
    /// The device of the folder of the settings, where it shows its wear.
    pub storage: Option<PathBuf>,
}

#[derive(Debug)]
pub struct Thermometer {
    pub name: String,
    pub file: PathBuf,
    pub limit_celsius: Option<i32>,
}

/// A sign of something.
#[derive(Debug)]
pub enum Sign {
    /// What is not 0 means that it is so now; of flags, those in the mask.
    Level { file: PathBuf, mask: Option<u64> },
    /// One more is one more event.
    Counter { file: PathBuf },
}

impl Found {
    pub fn search(root: &Path, sensors: &Sensors, state: Option<&Path>) -> Found {
        let sys = root.join("sys");
        // A kernel that ends the machine at each of its own warnings is asked nothing that may cause
        // one, as to read the flags of old firmware interfaces does.
        let is_strict = number(&root.join("proc/sys/kernel/panic_on_warn")).is_some_and(|n| n > 0);
        let signs = |of: &[Sensor]| -> Vec<Sign> {
            let asked = of.iter().filter(|sensor| sensor.mask.is_none() || !is_strict);
            asked.flat_map(|sensor| signs(&sys, sensor)).collect()
        };
        let limit = sensors.temperature_limit_celsius.and_then(|limit| i32::try_from(limit).ok());
        let thermometers = sensors.temperature.iter().flat_map(|of| thermometers(&sys, of, limit));
        Found {
            thermometers: thermometers.collect(),
            undervoltage: signs(&sensors.undervoltage),
            throttled: signs(&sensors.throttled),
            storage: state.and_then(|state| storage::device(&sys, state)),
        }
    }
}

fn thermometers(sys: &Path, sensor: &Sensor, limit: Option<i32>) -> Vec<Thermometer> {
    let thermometer = |name: String, file: PathBuf, own: Option<i32>| Thermometer {
        name,
        file,
        limit_celsius: limit.or(own),
    };
    match &sensor.place {
        SensorPlace::Zone(kind) => {
            let zones = of_kind(sys, "thermal_zone", kind).into_iter();
            zones.map(|(name, zone)| thermometer(name, zone.join("temp"), trip(&zone))).collect()
        }
        SensorPlace::Hwmon { name, file } => {
            let files = hwmon(sys, name, file).into_iter();
            files.map(|file| thermometer(name.clone(), file.clone(), maximum(&file))).collect()
        }
        SensorPlace::File(path) => {
            let files = below(sys, path).into_iter();
            files.map(|file| thermometer(path.clone(), file, None)).collect()
        }
        SensorPlace::Cooler(_) => Vec::new(),
    }
}

/// From which temperature on a thermal zone slows the processor down: the highest of its passive trip
/// points, because those below are where its governor begins to watch. Without one, some degrees below
/// the one at which the machine switches itself off.
fn trip(zone: &Path) -> Option<i32> {
    let (mut passive, mut critical) = (None, None);
    for n in 0..HEALTH_TRIPS_MAX {
        let of = |what| zone.join(format!("trip_point_{n}_{what}"));
        let Some(kind) = text(&of("type")) else { break };
        // Those of 0 and below are not used.
        let Some(at) = celsius(&of("temp")).filter(|celsius| *celsius > 0) else { continue };
        match kind.as_str() {
            "passive" => passive = passive.max(Some(at)),
            "critical" => critical = Some(critical.map_or(at, |least: i32| least.min(at))),
            _ => {}
        }
    }
    let passive = passive.filter(|at| critical.is_none_or(|critical| *at < critical));
    passive.or(critical.map(|at| at - CRITICAL_MARGIN_CELSIUS))
}

/// The same of a thermometer of a hardware monitor.
fn maximum(input: &Path) -> Option<i32> {
    let stem = input.to_str()?.strip_suffix("_input")?.to_owned();
    let of = |what| celsius(Path::new(&format!("{stem}_{what}"))).filter(|celsius| *celsius > 0);
    of("max").or_else(|| of("crit").map(|at| at - CRITICAL_MARGIN_CELSIUS))
}

fn signs(sys: &Path, sensor: &Sensor) -> Vec<Sign> {
    let files = match &sensor.place {
        SensorPlace::Cooler(kind) => {
            let coolers = of_kind(sys, "cooling_device", kind).into_iter();
            coolers.map(|(_, cooler)| cooler.join("cur_state")).collect()
        }
        SensorPlace::Hwmon { name, file } => hwmon(sys, name, file),
        SensorPlace::File(path) => below(sys, path),
        SensorPlace::Zone(_) => Vec::new(),
    };
    let sign = |file| match sensor.counts {
        true => Sign::Counter { file },
        false => Sign::Level { file, mask: sensor.mask },
    };
    files.into_iter().map(sign).collect()
}

/// The zones or coolers of such a type, with their types.
fn of_kind(sys: &Path, begins: &str, kind: &str) -> Vec<(String, PathBuf)> {
    let all = entries(&sys.join("class/thermal"), begins).into_iter();
    let with_kind = all.filter_map(|path| Some((text(&path.join("type"))?, path)));
    let of = with_kind.filter(|(name, _)| is_like(name, kind));
    of.map(|(name, path)| (sanitize::line(&name), path)).collect()
}

/// A file of the hardware monitors of this name.
fn hwmon(sys: &Path, name: &str, file: &str) -> Vec<PathBuf> {
    let all = entries(&sys.join("class/hwmon"), "hwmon").into_iter();
    let of = all.filter(|path| text(&path.join("name")).is_some_and(|n| is_like(&n, name)));
    of.map(|path| path.join(file)).filter(|path| path.exists()).collect()
}

/// The files of a path in which one part may have a star.
fn below(sys: &Path, path: &str) -> Vec<PathBuf> {
    let Some(part) = path.split('/').find(|part| part.contains('*')) else {
        return Some(sys.join(path)).filter(|path| path.exists()).into_iter().collect();
    };
    // The star is in no other part.
    let (before, after) = path.split_once(part).unwrap_or((path, ""));
    let all = entries(&sys.join(before), "").into_iter();
    let of = all.filter(|path| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| is_like(name, part))
    });
    let files = of.map(|path| path.join(after.trim_start_matches('/')));
    files.filter(|path| path.exists()).collect()
}

/// What is in a folder and begins so, in the order of its numbers.
fn entries(folder: &Path, begins: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let names = entries.take(HEALTH_ENTRIES_MAX).flatten().map(|entry| entry.file_name());
    let mut names: Vec<String> = names.filter_map(|name| name.into_string().ok()).collect();
    names.retain(|name| name.starts_with(begins));
    names.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    names.into_iter().map(|name| folder.join(name)).collect()
}
