//! The service as the package installs it: systemd understands every line and finds it closed enough.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

/// Highest exposure that `systemd-analyze security` may find, in tenths.
const EXPOSURE_MAX_TENTHS: &str = "20";
/// Where a system keeps its units.
const UNITS: &str = "usr/lib/systemd/system";

/// A system with nothing but the units of this machine's systemd and ours, and the programs they start.
struct System(PathBuf);

impl System {
    fn new(name: &str) -> System {
        let root = std::env::temp_dir().join(format!("firstmile-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        let system = System(root);
        for program in ["firstmile", "systemctl", "rm", "sh"].map(|name| format!("usr/bin/{name}"))
        {
            system.file(&program, "#!/bin/sh\n");
            let path = system.0.join(program);
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("writable");
        }
        symlink("usr/lib", system.0.join("lib")).expect("a link");
        symlink("usr/bin", system.0.join("bin")).expect("a link");
        for unit in names(Path::new("/lib/systemd/system")) {
            let text = fs::read_to_string(Path::new("/lib/systemd/system").join(&unit));
            if unit.ends_with(".target")
                && let Ok(text) = text
            {
                system.file(&format!("{UNITS}/{unit}"), &text);
            }
        }
        for unit in ours() {
            let text = fs::read_to_string(Path::new("systemd").join(&unit)).expect("a unit");
            system.file(&format!("{UNITS}/{unit}"), &text);
        }
        system
    }

    fn file(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
        fs::write(path, text).expect("writable");
    }

    fn analyze(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("systemd-analyze");
        command.args(arguments).arg(format!("--root={}", self.0.display()));
        command.output().expect("systemd-analyze runs; it comes with systemd")
    }

    #[track_caller]
    fn assert_silent(&self) {
        for unit in ours() {
            let unit = unit.replace("@.", "@sda1.");
            let output = self.analyze(&["verify", "--man=no", &unit]);
            let message = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && message.is_empty(), "{unit}: {message}");
        }
    }
}

impl Drop for System {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// The units of the package.
fn ours() -> Vec<String> {
    let mut units = names(Path::new("systemd"));
    units.retain(|name| [".service", ".path", ".slice"].iter().any(|kind| name.ends_with(kind)));
    assert!(units.iter().any(|name| name.ends_with(".slice")) && units.len() >= 5, "{units:?}");
    units
}

#[test]
fn systemd_finds_nothing_to_say_about_the_units() {
    let system = System::new("verify");
    system.assert_silent();
    // … and would say something about a line that it does not know.
    let unit = fs::read_to_string("systemd/firstmile.service").expect("the unit");
    system.file(&format!("{UNITS}/firstmile.service"), &format!("{unit}\nNonsense=yes\n"));
    let output = system.analyze(&["verify", "--man=no", "firstmile.service"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("Nonsense"));
}

#[test]
fn systemd_finds_nothing_to_say_about_the_additions_for_boards() {
    for addition in names(Path::new("systemd/boards")) {
        let system = System::new("board");
        let text = fs::read_to_string(Path::new("systemd/boards").join(&addition)).expect("text");
        system.file(&format!("{UNITS}/firstmile.service.d/{addition}"), &text);
        system.assert_silent();
    }
}

#[test]
fn the_service_is_closed_to_what_it_does_not_need() {
    let system = System::new("security");
    for unit in ours().iter().filter(|unit| unit.ends_with(".service")) {
        let threshold = format!("--threshold={EXPOSURE_MAX_TENTHS}");
        let output = system.analyze(&[
            "security",
            "--offline=true",
            "--no-pager",
            &threshold,
            unit.as_str(),
        ]);
        let message = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{unit}: {message}");
    }
}

#[test]
fn only_the_importer_may_mount() {
    let unit = |name: &str| fs::read_to_string(format!("systemd/{name}")).expect("a unit");
    for unit in ["firstmile.service", "firstmile-import@.service"].map(unit) {
        for line in ["MemorySwapMax=0", "LimitCORE=0"] {
            assert!(unit.lines().any(|known| known == line), "no secret reaches the disk: {line}");
        }
    }
    let service = unit("firstmile.service");
    assert!(service.lines().any(|line| line == "CapabilityBoundingSet="), "no capability at all");
    assert!(!service.contains("mount "), "no call to mount");
    assert!(unit("firstmile-import@.service").contains("\nPrivateMounts=yes\n"));
}

#[test]
fn the_importer_reaches_one_disk_and_leaves_the_machine_to_the_broadcast() {
    let unit = fs::read_to_string("systemd/firstmile-import@.service").expect("the unit");
    let all = |key: &str| -> Vec<&str> {
        unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
    };
    assert_eq!(all("DeviceAllow"), ["/dev/%I rw"], "not the disk that the box starts from");
    assert_eq!(all("DevicePolicy"), ["closed"]);
    for bound in ["CPUQuota", "MemoryMax", "MemorySwapMax", "TasksMax", "TimeoutStartSec"] {
        assert_eq!(all(bound).len(), 1, "{bound}");
    }
}

// Shows F52.
#[test]
fn what_a_stick_may_take_of_the_machine_does_not_grow_with_its_partitions() {
    let unit = fs::read_to_string("systemd/firstmile-import@.service").expect("the unit");
    let value = |text: &str, key: &str| -> Option<String> {
        let mut values = text.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        values.next().map(str::to_owned)
    };
    // One with the name of the instance would be another one for each.
    let name = value(&unit, "Slice").expect("a slice of its own");
    assert!(name.ends_with(".slice") && !name.contains('%'), "{name}");
    assert!(ours().contains(&name), "{name} is shipped");
    assert!(name.starts_with("system-"), "below the slice of all services");
    let slice = fs::read_to_string(format!("systemd/{name}")).expect("the slice");
    for bound in ["CPUQuota", "CPUWeight", "IOWeight", "MemoryHigh", "MemoryMax", "MemorySwapMax"] {
        let all = value(&slice, bound);
        assert!(all.is_some(), "{name}: {bound}");
        assert_eq!(all, value(&unit, bound), "{bound}: as much for all as for one");
    }
    let tasks = |text: &str| value(text, "TasksMax").and_then(|tasks| tasks.parse::<u32>().ok());
    let (all, one) = (tasks(&slice).expect("a bound"), tasks(&unit).expect("a bound"));
    assert!((one..=8 * one).contains(&all), "{all} tasks of all, {one} of one");
    // systemd reads the figures as such: it does not pass over one that is misspelt.
    let system = System::new("slice");
    system.file(&format!("{UNITS}/{name}"), &slice.replace("MemoryMax=96M", "MemoryMax=lots"));
    let output = system.analyze(&["verify", "--man=no", &name]);
    assert!(!output.stderr.is_empty(), "it would not be noticed");
}

#[test]
fn nothing_runs_as_root() {
    for unit in ours().iter().filter(|unit| unit.ends_with(".service")) {
        let text = fs::read_to_string(Path::new("systemd").join(unit)).expect("a unit");
        assert!(text.lines().any(|line| line == "User=firstmile"), "{unit}");
    }
}

/// Runs the command of `firstmile-country.service` on a request: what `iw` is run with, and whether it ends
/// well.
fn country_set_for(request: &[u8], has_iw: bool) -> (String, Output) {
    let unit = fs::read_to_string("systemd/firstmile-country.service").expect("the unit");
    let command = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/bin/sh -c '"));
    let command = command.and_then(|command| command.strip_suffix('\'')).expect("one quoted word");
    let name = format!("firstmile-country-{has_iw}-{}", std::process::id());
    let folder = System(std::env::temp_dir().join(name));
    let path = |name: &str| folder.0.join(name);
    fs::create_dir_all(path("bin")).expect("a folder");
    fs::write(path("country"), request).expect("a request");
    symlink("/bin/rm", path("bin/rm")).expect("a link");
    if has_iw {
        let iw = path("bin").join("iw");
        fs::write(&iw, format!("#!/bin/sh\necho \"$*\" >{}\n", path("arguments").display()))
            .expect("a script");
        fs::set_permissions(&iw, fs::Permissions::from_mode(0o755)).expect("its own file");
    }
    // systemd makes one dollar of two.
    let command = command
        .replace("/run/firstmile/country", &path("country").display().to_string())
        .replace("$$", "$");
    let ended = Command::new("/bin/sh").args(["-c", &command]).env("PATH", path("bin")).output();
    assert!(!path("country").exists(), "the request is removed, or it would be served again");
    (fs::read_to_string(path("arguments")).unwrap_or_default(), ended.expect("a shell"))
}

#[test]
fn a_country_that_is_requested_is_set_and_nothing_else_is() {
    let (arguments, ended) = country_set_for(b"DE\n", true);
    assert!(ended.status.success());
    assert_eq!(arguments, "reg set DE\n");
    for request in
        [&b"de\n"[..], b"", b"\n", b"DEU\n", b"D E\n", b"D;\n", b"$(id)\n", b"\xc3\x84\n"]
    {
        let (arguments, ended) = country_set_for(request, true);
        assert!(!ended.status.success() && arguments.is_empty(), "{request:?}: {arguments}");
        let message = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(message, "not a country code\n");
    }
}

#[test]
fn a_country_without_the_program_that_sets_it_fails_in_the_journal() {
    let (_, ended) = country_set_for(b"DE\n", false);
    assert!(!ended.status.success());
    let message = String::from_utf8_lossy(&ended.stderr);
    assert!(message.contains("iw: not found"), "{message}");
}

#[test]
fn a_killed_box_is_started_again_for_ever_and_a_silent_one_is_killed() {
    let unit = fs::read_to_string("systemd/firstmile.service").expect("the unit");
    for line in ["Type=notify", "Restart=always", "StartLimitIntervalSec=0", "WatchdogSec=8"] {
        assert!(unit.lines().any(|found| found == line), "{line}");
    }
}

/// The values of a directive in a unit, in order.
fn values<'a>(unit: &'a str, directive: &str) -> Vec<&'a str> {
    let value = |line: &'a str| line.strip_prefix(directive)?.strip_prefix('=');
    unit.lines().filter_map(value).collect()
}

#[test]
fn the_unit_permits_the_real_time_scheduling_that_audio_asks_for_and_no_more() {
    let unit = fs::read_to_string("systemd/firstmile.service").expect("the unit");
    let priority = firstmile::limits::AUDIO_REAL_TIME_PRIORITY.to_string();
    assert_eq!(values(&unit, "LimitRTPRIO"), [priority.as_str()]);
    assert_eq!(values(&unit, "RestrictRealtime"), ["no"], "it would forbid all of it");
    // A later line adds to what those before have left.
    let filters = values(&unit, "SystemCallFilter");
    assert_eq!(filters, ["@system-service", "~@privileged @resources", "sched_setscheduler"]);
    assert_eq!(values(&unit, "CapabilityBoundingSet"), [""], "no capability permits more");
    // A thread that never waits is first taken back and then killed, before the watchdog is.
    assert_eq!(values(&unit, "LimitRTTIME"), ["500ms:3s"]);
    for other in ours().iter().filter(|unit| unit.ends_with(".service")) {
        let text = fs::read_to_string(Path::new("systemd").join(other)).expect("a unit");
        let restricted = values(&text, "RestrictRealtime") == ["yes"];
        assert_eq!(restricted, other != "firstmile.service", "{other}");
    }
}

#[test]
fn the_broadcast_has_more_weight_than_what_runs_beside_it() {
    let number = |text: &str, directive: &str| -> Option<i64> {
        values(text, directive).first().map(|value| value.parse().expect("a number"))
    };
    // What systemd gives to a unit that says nothing.
    const DEFAULTS: [(&str, i64); 3] = [("Nice", 0), ("CPUWeight", 100), ("IOWeight", 100)];
    let unit = fs::read_to_string("systemd/firstmile.service").expect("the unit");
    for other in ours().iter().filter(|unit| unit.ends_with(".service")) {
        if other == "firstmile.service" {
            continue;
        }
        let text = fs::read_to_string(Path::new("systemd").join(other)).expect("a unit");
        for (directive, default) in DEFAULTS {
            let own = number(&unit, directive).expect("set");
            let others = number(&text, directive).unwrap_or(default);
            let comes_first = if directive == "Nice" { own < others } else { own > others };
            assert!(comes_first, "{directive} of {other}");
        }
    }
    let importer = fs::read_to_string("systemd/firstmile-import@.service").expect("the unit");
    assert!(number(&importer, "Nice") > Some(0) && number(&importer, "CPUWeight") < Some(100));
}

#[test]
fn cross_finds_its_file_its_image_and_nothing_to_warn_of() {
    assert!(!Path::new("cross.toml").exists(), "cross warns of this spelling, and CI stops at it");
    let text = fs::read_to_string("Cross.toml").expect("the file");
    let table: toml::Table = text.parse().expect("TOML");
    let image = &table["target"]["aarch64-unknown-linux-gnu"]["dockerfile"];
    let path = |key: &str| Path::new(image[key].as_str().expect("a path")).to_owned();
    assert!(path("context").is_dir());
    let image = fs::read_to_string(path("file")).expect("the image's file");
    // As old as the oldest system that the binary is to run on.
    assert!(image.lines().any(|line| line == "FROM debian:bookworm"));
    for package in
        ["libgstreamer1.0-dev:", "libgstreamer-plugins-base1.0-dev:", "gcc-aarch64-linux-gnu"]
    {
        assert!(image.contains(package), "{package}");
    }
}

#[test]
fn the_package_depends_on_the_floor_that_the_build_is_checked_for() {
    let manifest = fs::read_to_string("Cargo.toml").expect("the manifest");
    let manifest: toml::Table = manifest.parse().expect("TOML");
    let depends = manifest["package"]["metadata"]["deb"]["depends"].as_str().expect("depends");
    let script = fs::read_to_string(".ci/cross").expect("the script");
    let floor = script.lines().find_map(|line| line.strip_prefix("glibc_max="));
    let floor = floor.and_then(|line| line.split_whitespace().next()).expect("a version");
    assert!(depends.contains(&format!("libc6 (>= {floor})")), "{depends}");
    assert!(depends.contains("libgstreamer1.0-0"), "{depends}");
}

#[test]
fn the_service_may_ask_the_supplicant_for_a_look_and_for_nothing_else() {
    let policy = fs::read_to_string("systemd/dbus.conf").expect("the policy");
    let unit = fs::read_to_string("systemd/firstmile.service").expect("the unit");
    let user = values(&unit, "User")[0];
    assert_eq!(policy.matches("<policy").count(), 1);
    assert!(policy.contains(&format!("<policy user=\"{user}\">")), "nobody else");
    let allowed = policy.split("<allow ").skip(1);
    let members: Vec<&str> = allowed
        .map(|allow| {
            assert!(allow.contains("send_destination=\"fi.w1.wpa_supplicant1\""), "{allow}");
            assert!(allow.contains("send_interface="), "{allow}");
            let (_, member) = allow.split_once("send_member=\"").expect("one method");
            member.split('"').next().expect("its name")
        })
        .collect();
    assert_eq!(members, ["GetInterface", "Scan"]);
    let package = fs::read_to_string("Cargo.toml").expect("the package");
    assert!(
        package.contains("[\"systemd/dbus.conf\", \"usr/share/dbus-1/system.d/firstmile.conf\"")
    );
}

#[test]
fn the_service_and_nobody_else_may_change_the_network_by_network_manager() {
    let rules = fs::read_to_string("systemd/polkit.rules").expect("the rules");
    let unit = fs::read_to_string("systemd/firstmile.service").expect("the unit");
    let user = unit.lines().find_map(|line| line.strip_prefix("User=")).expect("a user");
    assert!(rules.contains(&format!("subject.user == \"{user}\"")));
    assert!(unit.contains("AF_UNIX"), "nmcli asks over D-Bus, which is a Unix socket");
    let package = fs::read_to_string("Cargo.toml").expect("the package");
    assert!(package.contains("[\"systemd/polkit.rules\", \"usr/share/polkit-1/rules.d/"));
    // polkit before 0.106 reads another language, and must hear the same.
    assert!(package.contains("\"var/lib/polkit-1/localauthority/10-vendor.d/firstmile.pkla\""));
    let local = fs::read_to_string("debian/firstmile.pkla").expect("the same for old polkits");
    let value = |key: &str| local.lines().find_map(|line| line.strip_prefix(key));
    assert_eq!(value("Identity=unix-user:"), Some(user));
    let quoted = rules.split('"').filter(|word| word.starts_with("org.freedesktop."));
    assert_eq!(
        value("Action=").expect("actions").split(';').collect::<Vec<_>>(),
        quoted.collect::<Vec<_>>()
    );
    // By NetworkManager's own policy a service may not even look for networks, and nmcli keeps silent about it.
    assert!(local.contains("org.freedesktop.NetworkManager.wifi.scan"));
    // A service is in no session, which is neither an active nor an inactive one.
    assert_eq!(value("ResultAny="), Some("yes"));
}

/// What the package's last script does in a system of its own, and what it tells `nmcli`.
fn after_removal(step: &str, before: impl FnOnce(&System)) -> (System, String) {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("firstmile-{step}-{}-{number}", std::process::id());
    let root = std::env::temp_dir().join(name);
    let _ = fs::remove_dir_all(&root);
    let system = System(root);
    let connections = "etc/NetworkManager/system-connections";
    for name in ["firstmile-wifi", "firstmile-wired", "office"] {
        system.file(&format!("{connections}/{name}.nmconnection"), "[wifi-security]\n");
    }
    system.file("var/lib/firstmile/settings.a", "");
    system.file("var/lib/firstmile/wrapping-key.a", "canary");
    let arguments = system.0.join("arguments");
    system
        .file("path/nmcli", &format!("#!/bin/sh\necho \"$*\" >>{}\nexit 8\n", arguments.display()));
    let nmcli = system.0.join("path/nmcli");
    fs::set_permissions(&nmcli, fs::Permissions::from_mode(0o755)).expect("its own file");
    for program in ["rm", "shred"] {
        symlink(format!("/usr/bin/{program}"), system.0.join("path").join(program))
            .expect("a link");
    }
    before(&system);
    // Every folder that it names is one of this system.
    let script = fs::read_to_string("debian/postrm").expect("the script");
    let root = system.0.display().to_string();
    let script = script.replace(" /", &format!(" {root}/")).replace("\"/", &format!("\"{root}/"));
    let mut shell = Command::new("/bin/sh");
    let ended = shell.args(["-c", &script, "postrm", step]).env("PATH", root + "/path").status();
    assert!(ended.expect("a shell").success());
    let arguments = fs::read_to_string(arguments).unwrap_or_default();
    (system, arguments)
}

#[test]
fn a_purge_overwrites_what_it_takes_away() {
    let root = std::env::temp_dir().join(format!("firstmile-kept-{}", std::process::id()));
    let _ = fs::remove_dir_all(&root);
    let kept = System(root);
    kept.file("there", "");
    // Its files are still open here when they are gone.
    let open = |system: &System, name: &str| {
        let link = kept.0.join(name.replace('/', "-"));
        fs::hard_link(system.0.join(name), &link).expect("a link");
        link
    };
    let files = [
        "var/lib/firstmile/wrapping-key.a",
        "etc/NetworkManager/system-connections/firstmile-wifi.nmconnection",
    ];
    let mut links = Vec::new();
    after_removal("purge", |system| links.extend(files.map(|name| open(system, name))));
    for link in links {
        let bytes = fs::read(&link).expect("a file");
        assert!(!bytes.is_empty() && bytes.iter().all(|byte| *byte == 0), "{}", link.display());
    }
}

#[test]
fn a_purge_takes_the_service_s_networks_with_it_and_no_others() {
    let (system, arguments) = after_removal("purge", |_| {});
    assert!(!system.0.join("var/lib/firstmile").exists());
    for id in ["firstmile-wired", "firstmile-wifi"] {
        assert!(arguments.contains(&format!("connection delete id {id}\n")), "{arguments}");
    }
    let left = names(&system.0.join("etc/NetworkManager/system-connections"));
    assert_eq!(left, ["office.nmconnection"], "though NetworkManager does not run");
    let (system, arguments) = after_removal("remove", |_| {});
    assert!(system.0.join("var/lib/firstmile/settings.a").exists());
    assert_eq!(arguments, "");
    assert_eq!(names(&system.0.join("etc/NetworkManager/system-connections")).len(), 3);
}
