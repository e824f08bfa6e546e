//! A path may lead to anything: a pipe that nobody writes to, a device, a file without end. Nothing
//! waits for it, and it is named.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::sys::stat::Mode;

use crate::support::appliance::Appliance;
use crate::support::product::firstmile_ends;
use crate::support::{Folder, eventually, has_or_skip, run};

fn pipe(folder: &Path, name: &str) {
    nix::unistd::mkfifo(&folder.join(name), Mode::S_IRWXU).expect("a pipe");
}

// Shows F42.
#[test]
fn no_path_of_a_command_line_makes_the_program_wait() {
    let folder = Folder::new("paths");
    let folder = folder.path();
    pipe(folder, "pipe");
    pipe(folder, "pipe.toml");
    fs::write(folder.join("key"), "a-key").expect("a key");
    fs::create_dir(folder.join("folder.toml")).expect("a folder");
    let to = "--url rtmps://127.0.0.1:1/live";
    for (arguments, named) in [
        (format!("check {to} --key-file pipe"), "the key file pipe"),
        (format!("check {to} --key-file /dev/zero"), "the key file /dev/zero"),
        (format!("check {to} --key-file key --ca-file pipe"), "the CA file pipe"),
        (format!("check {to} --key-file key --ca-file /dev/zero"), "the CA file /dev/zero"),
        ("board show --board pipe.toml".to_owned(), "the board profile pipe.toml"),
        ("board show --board folder.toml".to_owned(), "the board profile folder.toml"),
        ("board show --board /dev/zero".to_owned(), "the board profile /dev/zero"),
    ] {
        let ended = firstmile_ends(folder, &arguments);
        assert_eq!(ended.status.code(), Some(3), "{arguments}: {}", ended.stderr);
        let message = ended.stderr;
        assert!(message.contains(named) && message.contains("not a plain file"), "{message}");
    }
}

// Shows F42.
#[test]
fn a_profile_that_inherits_from_a_pipe_or_an_endless_file_is_refused() {
    let folder = Folder::new("profiles");
    let folder = folder.path();
    pipe(folder, "pipe.toml");
    fs::write(folder.join("long.toml"), vec![b'#'; 1 << 20]).expect("writes");
    for parent in ["pipe.toml", "long.toml", "/dev/zero"] {
        let text = format!("inherit = \"{parent}\"\n");
        fs::write(folder.join("board.toml"), text).expect("writes");
        let ended = firstmile_ends(folder, "board show --board ./board.toml");
        assert_eq!(ended.status.code(), Some(3), "{parent}: {}", ended.stderr);
    }
}

// Somebody's own folder is not changed because it was named by mistake.
#[test]
fn a_folder_that_others_may_enter_is_no_store_and_stays_as_it_is() {
    let folder = Folder::new("state");
    let path = folder.path();
    fs::create_dir(path.join("holidays")).expect("a folder");
    fs::set_permissions(path.join("holidays"), fs::Permissions::from_mode(0o755)).expect("its own");
    fs::create_dir(path.join("stick")).expect("a stick");
    let settings = "version = 1\n[box]\nname = \"stage\"\n";
    fs::write(path.join("stick/firstmile.toml"), settings).expect("writes");
    let ended = firstmile_ends(path, "import stick --state holidays --socket none/control");
    assert_eq!(ended.status.code(), Some(3), "{}", ended.stderr);
    assert!(ended.stderr.contains("`chmod 700 holidays`"), "{}", ended.stderr);
    let about = fs::metadata(path.join("holidays")).expect("there");
    assert_eq!(about.permissions().mode() & 0o777, 0o755);
    assert_eq!(fs::read_dir(path.join("holidays")).expect("there").count(), 0);
}

/// The most memory that the box has occupied so far, in bytes.
fn peak_bytes(appliance: &Appliance) -> u64 {
    let status = String::from_utf8(appliance.proc("status")).expect("text");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its peak");
    1_024 * line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number")
}

/// Goes on air until the camera is captured, and off again.
fn captures(appliance: &mut Appliance) {
    appliance.press();
    let is_captured = |status: &str| status.contains("frames/s") || status.contains("retrying");
    appliance.until_status_shows("captured", is_captured);
    appliance.press_for(Duration::from_millis(2_300));
    appliance.until_status("ready");
}

// A few kilobytes may be 67 million bytes once decoded, beside a broadcast on a box of 512 MiB.
// Shows F42.
#[test]
fn an_image_of_many_pixels_takes_little_memory_and_is_named() {
    if !has_or_skip(&["ffmpeg"]) {
        return;
    }
    const MORE_MAX: u64 = 100 * 1024 * 1024;
    let mut appliance = Appliance::start(&[]);
    let folder = appliance.folder.path().to_owned();
    appliance.ctl("destination add here rtmps://127.0.0.1:1/live").ok();
    appliance.ctl_key("here", "a-key");
    captures(&mut appliance);
    let before = peak_bytes(&appliance);
    let image = folder.join("image.png");
    for size in ["4096x2160", "4096x4096"] {
        let source = format!("color=white:size={size}");
        let mut draw = Command::new("ffmpeg");
        draw.args(["-v", "error", "-y", "-f", "lavfi", "-i", &source, "-frames:v", "1"])
            .arg(&image);
        run(&mut draw, Duration::from_secs(100)).ok();
        for setting in ["overlay.logo", "slate.picture"] {
            appliance.ctl(&format!("set {setting} {}", image.display())).ok();
        }
        captures(&mut appliance);
        let more = peak_bytes(&appliance) - before;
        assert!(more < MORE_MAX, "{size}: {} MiB more", more >> 20);
    }
    let named = eventually(Duration::from_secs(40), || {
        let log = appliance.log();
        (log.contains("overlay.logo is not shown") && log.contains("4096x4096 pixels"))
            .then_some(())
    });
    assert!(named.is_some(), "{}", appliance.log());
}
