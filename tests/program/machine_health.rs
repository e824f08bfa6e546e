//! What the kernels of boards show (`tests/data/health`), read by the product's own reader with the profiles that ship.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use firstmile::board::{Health, Profile};
use firstmile::device::HealthReader;
use firstmile::health::{Alarm, CpuTimes, Readings};
use firstmile::limits::HEALTH_READS_BEFORE_SEARCH;
use firstmile::status::{Space, Temperature, Wear};
use nix::sys::stat::{Mode, major, minor};

use crate::support::appliance::Appliance;
use crate::support::{Folder, one_at_a_time};

/// A copy of a board's files in a folder.
struct Board {
    folder: Folder,
    profile: Profile,
}

impl Board {
    fn new(name: &str) -> Board {
        let folder = Folder::new("health");
        let listed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/health");
        let listed = fs::read_to_string(listed.join(format!("{name}.txt"))).expect("a list");
        let state = fs::metadata(folder.path()).expect("a folder").dev();
        let state = format!("{}:{}", major(state), minor(state));
        let mut files: BTreeMap<String, String> = BTreeMap::new();
        for line in listed.replace("STATE", &state).lines() {
            if let Some((link, target)) = line.split_once(" -> ") {
                let link = folder.path().join(link);
                fs::create_dir_all(link.parent().expect("a folder")).expect("made");
                symlink(target, link).expect("a link");
                continue;
            }
            let (path, value) = line.split_once(" =").expect("PATH = LINE");
            *files.entry(path.to_owned()).or_default() += &format!("{}\n", value.trim_start());
        }
        let board = Board { folder, profile: Profile::named(name).expect("it ships") };
        for (path, text) in files {
            board.put(&path, text.trim_end_matches('\n'));
        }
        board
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn put(&self, path: &str, value: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, format!("{value}\n")).expect("written");
    }

    fn reader(&self) -> HealthReader {
        let root = self.folder.path();
        HealthReader::of(root, &self.profile.health, Some(root)).expect("a machine")
    }

    /// What it shows; the room of this machine's disk is another one each time.
    fn read(&self) -> Readings {
        let mut readings = self.reader().read();
        let space = readings.storage.take().expect("there is a disk");
        assert!(space.available_kib <= space.total_kib, "{space:?}");
        readings
    }
}

fn temperature(sensor: &str, celsius: i32, limit_celsius: i32) -> Option<Temperature> {
    Some(Temperature { sensor: sensor.to_owned(), celsius, limit_celsius: Some(limit_celsius) })
}

fn raised(raised: bool) -> Alarm {
    Alarm { raised: Some(raised), events: None }
}

fn memory(available_kib: u64, total_kib: u64) -> Option<Space> {
    Some(Space { available_kib, total_kib })
}

fn cpu(busy: u64, total: u64) -> Option<CpuTimes> {
    Some(CpuTimes { busy, total })
}

#[test]
fn a_raspberry_pi_shows_heat_by_its_firmware_s_limit_the_supply_and_the_wear_of_its_emmc() {
    let board = Board::new("rpi4");
    let expected = Readings {
        temperature: temperature("cpu-thermal", 61, 80),
        undervoltage: raised(false),
        throttled: raised(false),
        cpu: cpu(120_240, 532_340),
        memory: memory(832_512, 1_945_588),
        storage: None,
        wear: Some(Wear { used_percent: Some(20), reserve_low: false }),
    };
    assert_eq!(board.read(), expected);
    board.put("sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1");
    let flags = "sys/bus/platform/drivers/raspberrypi-firmware/soc:firmware/get_throttled";
    // What has been since the last start is not what is.
    for (word, throttled) in [("50000", false), ("50005", true), ("80008", true), ("1", false)] {
        board.put(flags, word);
        let shown = board.read();
        assert_eq!(
            (shown.undervoltage, shown.throttled),
            (raised(true), raised(throttled)),
            "{word}"
        );
    }
}

#[test]
fn a_raspberry_pi_5_has_no_flags_of_its_firmware_and_shows_heat_and_supply() {
    let shown = Board::new("rpi5").read();
    assert_eq!(shown.temperature, temperature("cpu-thermal", 81, 80));
    assert_eq!((shown.undervoltage, shown.throttled), (raised(true), Alarm::default()));
    assert_eq!(shown.wear, None);
}

#[test]
fn a_jetson_shows_its_hottest_zone_and_counts_the_alarms_of_its_supply() {
    let board = Board::new("jetson-orin-nx");
    let expected = Readings {
        temperature: temperature("tj-thermal", 53, 99),
        undervoltage: Alarm { raised: None, events: Some(2) },
        throttled: Alarm { raised: Some(false), events: Some(15 + 37) },
        cpu: cpu(39_370, 949_690),
        memory: memory(13_325_120, 15_655_424),
        storage: None,
        wear: None,
    };
    assert_eq!(board.read(), expected);
    board.put("sys/class/thermal/cooling_device2/cur_state", "1");
    board.put("sys/class/hwmon/hwmon3/oc1_event_cnt", "3");
    let shown = board.read();
    assert_eq!(shown.undervoltage.events, Some(3));
    assert_eq!(shown.throttled, Alarm { raised: Some(true), events: Some(52) });
}

#[test]
fn a_rockchip_is_judged_by_the_second_of_its_trip_points_and_by_a_clock_that_is_lowered() {
    let expected = Readings {
        temperature: temperature("soc-thermal", 78, 85),
        undervoltage: Alarm::default(),
        throttled: raised(true),
        cpu: cpu(116_320, 426_520),
        memory: memory(6_102_016, 7_942_144),
        storage: None,
        wear: Some(Wear { used_percent: Some(101), reserve_low: true }),
    };
    assert_eq!(Board::new("rock-5b").read(), expected);
}

#[test]
fn a_pc_is_judged_by_its_processor_s_own_thermometer_where_its_zones_have_no_trip_points() {
    let board = Board::new("generic-uvc");
    let expected = Readings {
        temperature: temperature("coretemp", 58, 80),
        undervoltage: Alarm::default(),
        throttled: raised(false),
        cpu: cpu(107_240, 5_519_340),
        memory: memory(11_832_320, 16_305_588),
        storage: None,
        wear: None,
    };
    assert_eq!(board.read(), expected);
    fs::remove_dir_all(board.path("sys/class/hwmon/hwmon2")).expect("removed");
    // Ten degrees before it switches itself off.
    assert_eq!(board.read().temperature, temperature("acpitz", 27, 109));
}

#[test]
fn a_kernel_that_ends_the_machine_at_its_own_warnings_is_not_asked_for_old_flags() {
    let board = Board::new("rpi4");
    board.put("sys/bus/platform/drivers/raspberrypi-firmware/soc:firmware/get_throttled", "e");
    assert_eq!(board.read().throttled, raised(true));
    board.put("proc/sys/kernel/panic_on_warn", "1");
    assert_eq!(board.read().throttled, Alarm::default());
}

#[test]
fn what_is_missing_broken_endless_or_nonsense_is_not_measured_and_holds_nobody_up() {
    let board = Board::new("rpi4");
    let whole = board.read();
    let replace = |path: &str, with: &dyn Fn(&Path)| {
        let board = Board::new("rpi4");
        fs::remove_file(board.path(path)).expect("it was there");
        with(&board.path(path));
        board.read()
    };
    let pipe = |path: &Path| nix::unistd::mkfifo(path, Mode::S_IRWXU).expect("a pipe");
    let nothing = |_: &Path| {};
    let text = |text: &'static [u8]| move |path: &Path| fs::write(path, text).expect("written");
    let long = |path: &Path| fs::write(path, vec![b'1'; 200_000]).expect("written");
    for with in [
        &pipe as &dyn Fn(&Path),
        &nothing,
        &text(b""),
        &text(b"\xff\xfe"),
        &text(b"warm"),
        &text(b"999999999999999999999"),
        &long,
    ] {
        let zone = "sys/class/thermal/thermal_zone0/temp";
        assert_eq!(replace(zone, with), Readings { temperature: None, ..whole.clone() });
        let alarm = "sys/class/hwmon/hwmon1/in0_lcrit_alarm";
        let undervoltage = Alarm::default();
        assert_eq!(replace(alarm, with), Readings { undervoltage, ..whole.clone() });
        assert_eq!(replace("proc/stat", with), Readings { cpu: None, ..whole.clone() });
        assert_eq!(replace("proc/meminfo", with), Readings { memory: None, ..whole.clone() });
    }
    let empty = Folder::new("nothing");
    let health = &board.profile.health;
    let mut reader = HealthReader::of(empty.path(), health, None).expect("a machine");
    assert_eq!(reader.read(), Readings::default());
}

#[test]
fn a_sensor_whose_driver_comes_later_is_found_and_one_that_goes_is_not_missed() {
    let board = Board::new("rpi4");
    let alarm = board.path("sys/class/hwmon/hwmon1");
    let aside = board.path("aside");
    fs::rename(&alarm, &aside).expect("moved");
    let mut reader = board.reader();
    assert_eq!(reader.read().undervoltage, Alarm::default());
    fs::rename(&aside, &alarm).expect("moved back");
    let mut reads_until = |wanted: Alarm| {
        (1..=HEALTH_READS_BEFORE_SEARCH).find(|_| reader.read().undervoltage == wanted)
    };
    assert!(reads_until(raised(false)).is_some());
    fs::rename(&alarm, &aside).expect("moved");
    assert_eq!(reads_until(Alarm::default()), Some(1));
}

#[test]
fn a_simulated_board_shows_nothing_and_every_other_one_that_ships_shows_its_machine() {
    for name in firstmile::board::names() {
        let profile = Profile::named(name).expect("it ships");
        assert_eq!(profile.health == Health::None, name == "sim", "{name}");
    }
    let health = Profile::named("sim").expect("it ships").health;
    assert!(HealthReader::of(Path::new("/"), &health, None).is_none());
}

#[test]
fn what_a_profile_says_of_sensors_is_checked_like_everything_else() {
    let load = |health: &str| {
        let text = format!(
            "inherit = \"rpi4.toml\"\ncompatible = [\"a,b\"]\ndescription = \"c\"\n[health]\n{health}\n"
        );
        Profile::load(&text, "mine", firstmile::board::embedded)
    };
    let Ok(Profile { health: Health::Machine(sensors), .. }) =
        load("undervoltage = [\"hwmon:mine/in1_alarm\", \"sys:a/*/b&0x1\"]")
    else {
        panic!("it is right");
    };
    assert_eq!((sensors.undervoltage.len(), sensors.temperature_limit_celsius), (2, Some(80)));
    for (health, expected) in [
        ("source = \"moon\"", "health.source: must be one of machine, none"),
        ("temperature = \"thermal_zone0\"", "health.temperature: must be zone:TYPE"),
        ("throttled = [\"sys:../../etc/passwd\"]", "health.throttled: must be zone:TYPE"),
        ("temperature_limit_celsius = 300", "health.temperature_limit_celsius"),
        ("source = \"none\"\nthrottled = \"zone:a\"", "health.throttled: has no meaning"),
        ("temperatures = \"zone:*\"", "health.temperatures: does not exist"),
    ] {
        let error = load(health).expect_err(health).to_string();
        assert!(error.contains(expected), "{error}\nshould say: {expected}");
    }
}

#[test]
fn the_running_box_shows_its_machine_in_status_and_still_sleeps() {
    let _turn = one_at_a_time();
    let health = "[health]\nsource = \"machine\"\n";
    let mut appliance = Appliance::start_with(Folder::new("box"), &[], health);
    let status = appliance.until_status_shows("memory and storage", |status| {
        status.contains("\nmemory ") && status.contains("\nstorage ")
    });
    assert!(status.contains(" MiB available\n") && status.contains(" MiB free"), "{status}");
    let data = appliance.ctl("--json status").ok().stdout;
    let data: serde_json::Value = serde_json::from_str(&data).expect("JSON");
    assert!(data["health"]["memory"]["total_kib"].as_u64() > Some(0), "{data}");
    assert!(data["warnings"].is_array(), "{data}");
    let woken = appliance.wake_ups(std::time::Duration::from_secs(10));
    assert!(woken <= 100, "{woken} times in 10 s");
    appliance.end();
}
