//! What the scripts of the tree say about a machine that lacks something, with that machine's programs
//! played by small ones.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

/// A machine whose programs are these scripts where it has them, and this machine's otherwise.
struct Machine(PathBuf);

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Machine {
    fn with(programs: &[(&str, &str)]) -> Machine {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("firstmile-machine-{}-{number}", std::process::id());
        let machine = Machine(std::env::temp_dir().join(name));
        programs.iter().for_each(|(name, script)| machine.program(name, script));
        machine
    }

    fn program(&self, path: &str, script: &str) {
        let file = self.0.join(path);
        fs::create_dir_all(file.parent().expect("a folder")).expect("writable");
        fs::write(&file, format!("#!/bin/bash\n{script}\n")).expect("writable");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("its own file");
    }

    fn run(&self, script: &str, arguments: &[&str]) -> Output {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new(script);
        command.args(arguments).env("MACHINE", &self.0);
        command.env("PATH", format!("{}:{path}", self.0.display()));
        command.env("XDG_CACHE_HOME", &self.0);
        command.env("FIRSTMILE_ADVISORIES", self.0.join("advisories"));
        command.output().expect("bash")
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap_or_default()
    }
}

/// A Debian on which all is installed, QEMU in the version of this file.
const DPKG_QUERY: &str = r#"
case "$*" in
*Version*qemu-system-arm*) cat "$MACHINE/qemu" ;;
*qemu-system-\**) printf 'installed qemu-system-arm\ninstalled qemu-system-x86\n' ;;
*) echo -n installed ;;
esac"#;

/// Notes what it is asked for; backports have a newer QEMU where this machine is to be lucky.
const APT_GET: &str = r#"
echo "$*" >>"$MACHINE/asked"
case "$*" in
*indextargets*) echo 'Debian http://deb.example/debian/' ;;
*install*bookworm-backports*) [ ! -e "$MACHINE/lucky" ] || echo -n '1:9.2+ds-1~bpo12+1' >"$MACHINE/qemu" ;;
esac"#;

const QEMU: &str = r#"sed 's/^1:\([0-9.]*\).*/QEMU emulator version \1 (Debian)/' "$MACHINE/qemu""#;

fn debian_with_qemu(version: &str) -> Machine {
    let machine = Machine::with(&[
        ("dpkg-query", DPKG_QUERY),
        ("apt-get", APT_GET),
        ("apt-cache", "echo '  Candidate: 1:7.2+dfsg-7+deb12u18'"),
        ("id", "echo 0"),
        ("qemu-system-aarch64", QEMU),
    ]);
    fs::write(machine.0.join("qemu"), version).expect("its own file");
    machine
}

fn has_dpkg() -> bool {
    let has = Command::new("dpkg").arg("--version").output().is_ok();
    if !has {
        eprintln!("skipped: this is no Debian");
    }
    has
}

#[test]
fn an_emulator_that_is_installed_but_too_old_is_upgraded_with_what_belongs_to_it() {
    if !has_dpkg() {
        return;
    }
    let machine = debian_with_qemu("1:7.2+dfsg-7+deb12u18");
    fs::write(machine.0.join("lucky"), "").expect("its own file");
    let ended = machine.run(".ci/setup", &["board"]);
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let asked = machine.read("asked");
    for package in ["qemu-system-arm", "qemu-system-x86"] {
        assert!(asked.contains(&format!("{package}/bookworm-backports")), "{asked}");
    }
}

#[test]
fn an_emulator_that_is_too_old_and_cannot_be_upgraded_is_named_in_one_line() {
    if !has_dpkg() {
        return;
    }
    let machine = debian_with_qemu("1:7.2+dfsg-7+deb12u18");
    let ended = machine.run(".ci/setup", &["board"]);
    let errors = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success());
    assert_eq!(errors.lines().count(), 1, "{errors}");
    assert!(errors.contains("1:7.2+dfsg") && errors.contains("1:9.1 or newer"), "{errors}");

    let machine = debian_with_qemu("1:9.2+ds-1~bpo12+1");
    machine.program("qemu-system-aarch64", "echo 'QEMU emulator version 8.0.4'");
    let ended = machine.run(".ci/setup", &["board"]);
    let errors = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success() && machine.read("asked").is_empty());
    assert!(errors.contains("qemu-system-aarch64 is version 8.0.4"), "{errors}");
    assert!(errors.contains("9.1 or newer"), "{errors}");
}

#[test]
fn every_program_that_a_test_asks_for_is_installed_by_setup() {
    let setup = fs::read_to_string(".ci/setup").expect("the tree's own script");
    for (program, package) in crate::programs::PROGRAMS {
        let row = format!("test {package}");
        assert!(setup.lines().any(|line| line == row), "{program}: .ci/setup has no row `{row}`");
    }
}

#[test]
fn a_machine_that_has_everything_is_asked_nothing() {
    if !has_dpkg() {
        return;
    }
    let machine = debian_with_qemu("1:9.1+ds-1");
    let ended = machine.run(".ci/setup", &["board"]);
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(machine.read("asked"), "");
}

/// The tool that looks for advisories, on a machine that reaches nobody; what it finds in a copy.
fn without_github(found: &str) -> Machine {
    let script = format!(
        "case \"$*\" in\n\
         *--offline*) {found} ;;\n\
         *) echo '[ERROR] failed to fetch advisory database https://github.com/' >&2; exit 1 ;;\n\
         esac"
    );
    let tools = fs::read_to_string(".ci/tool").expect("the script");
    let version = tools.lines().find_map(|line| line.strip_prefix("cargo-deny) version="));
    let version = version.and_then(|rest| rest.split_whitespace().next()).expect("a version");
    let tool = format!("firstmile/tools/cargo-deny-{version}/bin/cargo-deny");
    Machine::with(&[(&tool, &script)])
}

#[test]
fn advisories_that_cannot_be_looked_up_are_never_called_none() {
    let machine = without_github("echo 'advisories ok'");
    let ended = machine.run(".ci/advisories", &[]);
    let errors = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(3), "{errors}");
    assert!(errors.contains("NOT CHECKED") && errors.lines().count() == 1, "{errors}");
    assert!(ended.stdout.is_empty());

    let copy = "advisories/advisory-db-0/crates/some/RUSTSEC-2026-0001.md";
    machine.program(copy, "");
    let ended = machine.run(".ci/advisories", &[]);
    assert_eq!(ended.status.code(), Some(0));
    let errors = String::from_utf8_lossy(&ended.stderr);
    assert!(errors.contains("the copy of an earlier run is looked in"), "{errors}");

    let machine = without_github("echo 'advisories FAILED'; exit 1");
    machine.program(copy, "");
    assert_eq!(machine.run(".ci/advisories", &[]).status.code(), Some(1));
}

#[test]
fn large_packets_that_are_dropped_and_cards_without_a_carrier_are_the_kernels_where_package_and_image_may_say_so()
 {
    let settings = fs::read_to_string("systemd/sysctl.conf").expect("the settings");
    let set: Vec<_> = settings.lines().filter(|line| !line.starts_with('#')).collect();
    let linkdown = ["ipv4.conf.all", "ipv6.conf.all", "ipv6.conf.default"];
    let linkdown = linkdown.map(|of| format!("net.{of}.ignore_routes_with_linkdown = 1"));
    let wanted: Vec<_> =
        ["net.ipv4.tcp_mtu_probing = 1".to_owned()].into_iter().chain(linkdown).collect();
    assert_eq!(set, wanted, "and nothing else of the machine's");
    let place = "sysctl.d/50-firstmile.conf";
    let package = fs::read_to_string("Cargo.toml").expect("the package");
    assert!(package.contains(&format!("[\"systemd/sysctl.conf\", \"usr/lib/{place}\", \"644\"]")));
    let installed = fs::read_to_string("debian/postinst").expect("the script");
    assert!(installed.contains("systemd-sysctl 50-firstmile.conf"), "in force before a restart");
    let recipe = Path::new("yocto-layer/recipes-multimedia/firstmile/firstmile_0.1.0.bb");
    let recipe = fs::read_to_string(recipe).expect("the recipe");
    let image = format!("${{nonarch_libdir}}/{place}");
    assert!(recipe.contains(&format!("${{S}}/systemd/sysctl.conf ${{D}}{image}")), "installed");
    assert!(recipe.contains(&format!("    {image} \\\n")), "and packaged");
}
