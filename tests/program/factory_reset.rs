//! After a factory reset nothing of a secret is left: not on the raw disk, and not in the memory of the
//! box that goes on running.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use firstmile::config::wrapping::{WRAPPING_FILE_BYTES_MAX, WrappingKey};
use firstmile::device::Folder as StateFolder;
use firstmile::device::store::Store;

use crate::secrets::{CANARY, PIN, echoing_server, key};
use crate::support::appliance::Appliance;
use crate::support::{Folder, eventually, one_at_a_time};

/// What a wrapping key's file begins with.
const WRAPPING_MARK: &[u8] = b"firstmile-wrapping-key-1\n";
const IMAGE_BYTES: u64 = 16 << 20;

/// A disk of its own for the state of a box: an ext4 image, where it may be mounted; a plain folder
/// elsewhere, of which only the files are looked at.
struct StateDisk {
    image: Option<PathBuf>,
    folder: PathBuf,
}

impl StateDisk {
    fn new(box_s: &Folder) -> StateDisk {
        let (image, folder) = (box_s.path().join("disk.img"), box_s.path().join("state"));
        fs::create_dir(&folder).expect("a folder");
        File::create(&image).and_then(|file| file.set_len(IMAGE_BYTES)).expect("an image");
        let done = |command: &mut Command| command.output().is_ok_and(|done| done.status.success());
        let is_mounted = done(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image))
            && done(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&folder));
        if !is_mounted {
            eprintln!("not tested: the raw disk, because no image can be mounted here");
        }
        // As the service manager makes it.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).expect("its own");
        StateDisk { image: is_mounted.then_some(image), folder }
    }

    /// Every byte of the disk, unlinked files and the journal included.
    fn bytes(&self) -> Vec<u8> {
        let Some(image) = &self.image else {
            let files = fs::read_dir(&self.folder).expect("a folder").flatten();
            return files.flat_map(|file| fs::read(file.path()).unwrap_or_default()).collect();
        };
        // What is still on its way is on the disk then.
        let synced = Command::new("sync").arg("-f").arg(&self.folder).status();
        assert!(synced.expect("sync").success());
        fs::read(image).expect("the image")
    }
}

impl Drop for StateDisk {
    fn drop(&mut self) {
        if self.image.is_some() {
            let _ = Command::new("umount").arg("-l").arg(&self.folder).status();
        }
    }
}

fn count(bytes: &[u8], word: &[u8]) -> usize {
    bytes.windows(word.len()).filter(|window| *window == word).count()
}

/// Wrapping keys that are whole.
fn wrapping_keys(bytes: &[u8]) -> usize {
    let begins = |at: &usize| bytes[*at..].starts_with(WRAPPING_MARK);
    let file = |at: usize| bytes.get(at..at + WRAPPING_FILE_BYTES_MAX);
    let places = (0..bytes.len()).filter(|at| bytes[*at] == b'f').filter(begins);
    places.filter(|at| file(*at).and_then(WrappingKey::read).is_some()).count()
}

/// How often a word stands in the memory that a process can write; `None` where that may not be read.
fn in_memory(process: u32, word: &[u8]) -> Option<usize> {
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).ok()?;
    let mut memory = File::open(format!("/proc/{process}/mem")).ok()?;
    let mut found = 0;
    for line in maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|r| r.contains("rw")))
    {
        let (from, to) = line.split(' ').next()?.split_once('-')?;
        let address = |text| u64::from_str_radix(text, 16).ok();
        let (from, to) = (address(from)?, address(to)?);
        let mut bytes = vec![0; (to - from).try_into().ok()?];
        // Some of it belongs to devices and cannot be read.
        if memory.seek(SeekFrom::Start(from)).is_ok() && memory.read_exact(&mut bytes).is_ok() {
            found += count(&bytes, word);
        }
    }
    Some(found)
}

// Shows F46.
#[test]
fn after_a_factory_reset_no_secret_is_left_on_the_disk_or_in_memory() {
    let _turn = one_at_a_time();
    let box_s = Folder::new("reset");
    let disk = StateDisk::new(&box_s);
    let mut appliance = Appliance::start_in(box_s, &[]);
    let echo = echoing_server(key("serial"));
    appliance.types("set destination.echo.allow_plain true\r", "is set");
    appliance.types(&format!("destination set echo {echo}\r"), "is set");
    for way in ["first", "serial"] {
        appliance.types("key echo\r", "(not shown): ");
        appliance.types(&format!("{}\r", key(way)), "tag ");
    }
    let stick = format!(
        "version = 1\n[wifi]\nssid = \"hall\"\npassphrase = \"{}\"\n[[destination]]\n\
         name = \"tube\"\nurl = \"rtmps://user:{}@127.0.0.1:9/live?token={}\"\nkey = \"{}\"\n",
        key("wifi"),
        key("password"),
        key("token"),
        key("stick"),
    );
    appliance.stick(&stick).0.ok();
    assert!(appliance.ctl_key("tube", &key("control")).contains("tag "));
    appliance.types("set console.pin\r", "(not shown): ");
    appliance.types(&format!("{PIN}\r"), "console.pin is set");
    appliance.ctl("live").ok();
    appliance.until_status_shows("a refusal", |status| {
        status.lines().any(|line| line.starts_with("echo") && line.contains("failure"))
    });
    let process = appliance.child.id();
    let before = in_memory(process, CANARY.as_bytes());
    assert_ne!(before, Some(0), "a box that publishes has its keys in memory");
    let bytes = disk.bytes();
    assert_eq!(count(&bytes, CANARY.as_bytes()), 0, "secrets are encrypted from the first");
    assert!(wrapping_keys(&bytes) >= 2);

    let answer = appliance.ctl("factory-reset yes").ok().stdout;
    assert!(answer.contains("all settings and keys are erased"), "{answer}");
    let bytes = disk.bytes();
    assert_eq!(count(&bytes, CANARY.as_bytes()), 0);
    assert_eq!(wrapping_keys(&bytes), 0, "what is left on the disk can be read by nobody");
    let state = Store::new(StateFolder::open(&appliance.state()).expect("a folder"));
    assert!(!state.read().expect("reads").partial.holds_secrets());
    let word = |process| in_memory(process, CANARY.as_bytes());
    let left = eventually(Duration::from_secs(20), || word(process).filter(|left| *left == 0));
    match before {
        None => eprintln!("not tested: memory, because it may not be read here"),
        Some(_) => assert!(left.is_some(), "{:?} places in memory", word(process)),
    }
    appliance.end();
    drop(disk);
}

// Shows F51.
#[test]
fn a_factory_reset_on_a_full_disk_leaves_no_key_on_it() {
    let _turn = one_at_a_time();
    let box_s = Folder::new("full");
    let disk = StateDisk::new(&box_s);
    if disk.image.is_none() {
        return;
    }
    let mut appliance = Appliance::start_in(box_s, &[]);
    let stick = format!(
        "version = 1\n[[destination]]\nname = \"tube\"\nurl = \"rtmps://127.0.0.1:9/live\"\n\
         key = \"{}\"\n",
        key("full"),
    );
    appliance.stick(&stick).0.ok();
    assert!(wrapping_keys(&disk.bytes()) >= 2);
    // Whatever it is that fills the disk, down to the last block.
    for block in ["64k", "1k"] {
        let film = disk.folder.join(format!("film-{block}"));
        let of = format!("of={}", film.display());
        let filled =
            Command::new("dd").args(["if=/dev/zero", &of, &format!("bs={block}")]).output();
        let words = filled.expect("dd runs").stderr;
        assert!(String::from_utf8_lossy(&words).contains("No space left"));
    }
    let refused = appliance.ctl("set video.fps 25");
    assert!(refused.stderr.contains("No space left"), "{}{}", refused.stdout, refused.stderr);
    let answer = appliance.ctl("factory-reset yes").ok().stdout;
    assert!(answer.contains("all settings and keys are erased"), "{answer}");
    assert_eq!(wrapping_keys(&disk.bytes()), 0, "what is left can be read by nobody");
    let state = Store::new(StateFolder::open(&appliance.state()).expect("a folder"));
    assert_eq!(state.read().expect("reads").partial.keys().count(), 0);
    appliance.end();
    drop(disk);
}

/// The same disk as an earlier version left it: every secret lies on it in clear.
#[test]
fn what_an_earlier_version_left_in_clear_is_gone_from_the_disk_after_the_first_start() {
    use firstmile::config::record::{COPIES, encode};
    let _turn = one_at_a_time();
    let box_s = Folder::new("upgrade");
    let disk = StateDisk::new(&box_s);
    let settings = "version = 1\n[video]\nfps = 25\n[[destination]]\nname = \"tube\"\n\
                    url = \"rtmps://127.0.0.1:9/live\"\n";
    let keys = format!("tube {}\n", key("former"));
    for copy in COPIES {
        for (name, text) in [(copy.keys, keys.as_str()), (copy.settings, settings)] {
            fs::write(disk.folder.join(name), &*encode(3, text)).expect("a file");
        }
    }
    assert!(count(&disk.bytes(), CANARY.as_bytes()) >= 2);
    let mut appliance = Appliance::start_in(box_s, &[]);
    let shown = appliance.ctl("show destination.tube.key").ok().stdout;
    assert!(shown.contains("set, "), "{shown}");
    assert_eq!(count(&disk.bytes(), CANARY.as_bytes()), 0);
    let keys = disk.folder.join(COPIES[0].keys);
    assert_eq!(fs::metadata(keys).expect("a file").mode() & 0o777, 0o600);
    assert!(Path::new(&disk.folder.join("settings.a")).exists());
    appliance.end();
    drop(disk);
}
