//! Whatever is on a stick, the box keeps its settings, shows no key, and says in a line what is
//! wrong.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::product::{firstmile, firstmile_ends};
use crate::support::{Ended, Folder};
use firstmile::config::Partial;
use firstmile::device::Folder as StoreFolder;
use firstmile::device::store::Store;

const FILE: &str = "firstmile.toml";
const RESULT: &str = "firstmile-result.txt";
const CANARY: &str = "canary-7Qx9-stick";

/// A stick and a box next to it.
struct Desk {
    folder: Folder,
}

impl Desk {
    fn new() -> Desk {
        let folder = Folder::new("stick");
        fs::create_dir(folder.path().join("stick")).expect("a stick");
        let desk = Desk { folder };
        let mut store = desk.store();
        let stored = store
            .update(|partial| partial.set("video.fps", "24").map_err(|error| error.to_string()));
        stored.expect("stores");
        desk
    }

    fn stick(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join("stick").join(name)
    }

    fn put(&self, bytes: impl AsRef<[u8]>) {
        fs::write(self.stick(FILE), bytes).expect("writes the stick");
    }

    fn store(&self) -> Store<StoreFolder> {
        Store::new(StoreFolder::open(&self.folder.path().join("state")).expect("a folder"))
    }

    fn stored(&self) -> Partial {
        self.store().read().expect("reads").partial
    }

    fn import(&self) -> Ended {
        firstmile_ends(self.folder.path(), "import stick --state state --socket none/control")
    }

    fn result(&self) -> String {
        fs::read_to_string(self.stick(RESULT)).unwrap_or_default()
    }
}

fn good(extra: &str) -> String {
    format!(
        "version = 1\n{extra}[[destination]]\nname = \"yt\"\nurl = \"rtmps://a.example/live\"\nkey = \"{CANARY}\"\n"
    )
}

/// The stick is refused: nothing changed, a line says why, the key is nowhere.
#[track_caller]
fn refused(prepare: impl FnOnce(&Desk), words: &[&str]) {
    let desk = Desk::new();
    let before = desk.stored();
    prepare(&desk);
    let began = Instant::now();
    let ended = desk.import();
    assert!(began.elapsed() < Duration::from_secs(10), "a stick holds nobody up");
    assert_eq!(ended.status.code(), Some(3), "{}{}", ended.stdout, ended.stderr);
    assert_eq!(desk.stored(), before, "the settings are as they were");
    let all = format!("{}{}{}", ended.stdout, ended.stderr, desk.result());
    assert!(!all.contains("7Qx9"), "the key is shown: {all}");
    assert!(!all.contains('\u{1b}'), "an escape sequence is passed on: {all:?}");
    assert_eq!(ended.stderr.trim_end().lines().count(), 1, "{}", ended.stderr);
    for word in words {
        assert!(ended.stderr.contains(word), "{:?} lacks {word:?}", ended.stderr);
    }
}

/// The stick is taken.
#[track_caller]
fn accepted(bytes: impl AsRef<[u8]>) -> Desk {
    let desk = Desk::new();
    desk.put(bytes);
    let ended = desk.import().ok();
    let key = desk.stored().keys().map(|(name, key)| (name.to_owned(), key.clone())).next();
    let (name, key) = key.expect("the key is stored");
    assert_eq!((name.as_str(), key.reveal()), ("yt", CANARY));
    assert!(desk.result().contains("accepted"), "{}", desk.result());
    let all = format!("{}{}{}", ended.stdout, ended.stderr, desk.result());
    assert!(!all.contains("7Qx9"), "the key is shown: {all}");
    desk
}

macro_rules! refusals {
    ($($name:ident: $prepare:expr, $words:expr;)*) => {
        $(#[test]
        fn $name() {
            refused($prepare, &$words);
        })*
    };
}

refusals! {
    an_empty_file: |d| d.put(""), ["version = 1"];
    a_file_of_zeros: |d| d.put([0; 4_096]), ["not text"];
    a_file_that_is_too_long: |d| d.put(good(&"#".repeat(70_000).replace("##", "#\n"))), ["longer than 65536"];
    a_gigabyte_of_nothing: |d| {
        fs::File::create(d.stick(FILE)).unwrap().set_len(1 << 30).unwrap();
    }, ["longer than 65536"];
    a_symbolic_link_to_a_good_file: |d| {
        fs::write(d.stick("other"), good("")).unwrap();
        symlink("other", d.stick(FILE)).unwrap();
    }, ["not a plain file"];
    a_symbolic_link_to_a_file_of_the_box: |d| symlink("/etc/passwd", d.stick(FILE)).unwrap(), ["not a plain file"];
    a_symbolic_link_to_nothing: |d| symlink("nowhere", d.stick(FILE)).unwrap(), ["not a plain file"];
    a_symbolic_link_to_itself: |d| symlink(FILE, d.stick(FILE)).unwrap(), ["not a plain file"];
    a_hard_link: |d| {
        fs::write(d.stick("other"), good("")).unwrap();
        fs::hard_link(d.stick("other"), d.stick(FILE)).unwrap();
    }, ["not a plain file"];
    a_folder_of_that_name: |d| fs::create_dir(d.stick(FILE)).unwrap(), ["not a plain file"];
    a_pipe_of_that_name: |d| {
        nix::unistd::mkfifo(&d.stick(FILE), nix::sys::stat::Mode::S_IRWXU).unwrap();
    }, ["not a plain file"];
    a_socket_of_that_name: |d| {
        let _ = std::os::unix::net::UnixListener::bind(d.stick(FILE)).unwrap();
    }, ["not a plain file"];
    a_program_instead_of_settings: |d| d.put(format!("#!/bin/sh\ntouch pwned # {CANARY}\n")), ["firstmile.toml:"];
    bytes_that_are_no_text: |d| d.put(b"version = 1\n\xff\xfe\xfd"), ["not text"];
    half_a_utf_16_character: |d| d.put(b"\xff\xfev\0e"), ["not text"];
    a_lone_utf_16_surrogate: |d| d.put(b"\xff\xfe\0\xd8"), ["not text"];
    utf_16_without_its_mark: |d| d.put(good("").encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()), ["not text"];
    a_version_of_the_future: |d| d.put("version = 99\n"), ["version", "1 is"];
    no_version: |d| d.put("[video]\nfps = 25\n"), ["version = 1"];
    a_setting_out_of_range: |d| d.put(good("[video]\nfps = 25000\n")), ["firstmile.toml:3:7", "1 to 60"];
    one_mistake_among_good_settings: |d| d.put(good("[video]\nwidth = 1280\nhieght = 720\n")), ["hieght", "height"];
    a_stick_cut_in_the_middle_of_its_key: |d| {
        let text = good("");
        d.put(&text[..text.len() - 8]);
    }, ["firstmile.toml:5"];
    a_key_in_the_wrong_place: |d| d.put(format!("version = 1\n{CANARY} = 1\n")), ["this key"];
    a_key_with_an_escape_sequence: |d| d.put(good("").replace(CANARY, "\\u001b[2J")), ["control character"];
    an_escape_sequence_in_a_name: |d| d.put(good("").replace("\"yt\"", "\"\\u001b[2J\"")), ["destination.name"];
    an_escape_sequence_as_a_setting: |d| d.put(good("\"\\u001b[31mred\" = 1\n")), ["does not exist"];
    an_address_that_steals_the_key: |d| d.put(good("").replace("rtmps://", "http://")), ["http"];
    plain_rtmp_without_consent: |d| d.put(good("").replace("rtmps://", "rtmp://")), ["allow_plain"];
    too_many_destinations: |d| {
        let many: String = (0..20).map(|n| format!("[[destination]]\nname = \"d{n}\"\n")).collect();
        d.put(format!("version = 1\n{many}"));
    }, ["more than 8 destinations"];
    brackets_without_end: |d| d.put(format!("version = 1\nx = {}", "[".repeat(60_000))), ["firstmile.toml:2"];
    the_same_destination_twice: |d| d.put(good("") + "[[destination]]\nname = \"yt\"\n"), ["same name"];
    a_request_that_is_no_flag: |d| d.put(good("erase_key = \"yes\"\n")), ["erase_key", "true or false"];
    an_unreadable_folder_instead_of_a_stick: |d| {
        fs::remove_dir(d.folder.path().join("stick")).unwrap();
    }, ["cannot be read"];
}

#[test]
fn a_good_stick_is_taken_as_any_editor_saves_it() {
    let text = good("");
    accepted(&text);
    accepted(text.replace('\n', "\r\n"));
    accepted(format!("\u{feff}{text}"));
    let utf_16 = |units: fn(u16) -> [u8; 2]| -> Vec<u8> {
        std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(units).collect()
    };
    accepted(utf_16(u16::to_le_bytes));
    accepted(utf_16(u16::to_be_bytes));
}

#[test]
fn a_stick_that_is_not_for_the_box_is_left_alone() {
    let desk = Desk::new();
    fs::write(desk.stick("holiday.jpg"), "x").unwrap();
    fs::write(desk.stick("._firstmile.toml"), [0, 5, 22, 7]).unwrap();
    let before = desk.stored();
    let ended = desk.import().ok();
    assert!(ended.stdout.contains("no firstmile.toml"), "{}", ended.stdout);
    assert!(!desk.stick(RESULT).exists(), "nothing is written to it");
    assert_eq!(desk.stored(), before);
    fs::write(desk.stick("firstmile.toml.txt"), good("")).unwrap();
    let ended = desk.import().ok();
    assert!(ended.stdout.contains("rename firstmile.toml.txt"), "{}", ended.stdout);
}

#[test]
fn the_twin_of_a_mac_next_to_the_file_does_not_matter() {
    let desk = Desk::new();
    fs::write(desk.stick("._firstmile.toml"), [0, 5, 22, 7]).unwrap();
    desk.put(good(""));
    desk.import().ok();
    assert_eq!(desk.stored().keys().count(), 1);
}

// Shows F29.
#[test]
fn a_result_file_that_is_a_link_is_not_followed() {
    let desk = Desk::new();
    let victim = desk.folder.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    symlink(&victim, desk.stick(RESULT)).unwrap();
    desk.put(good(""));
    desk.import().ok();
    assert_eq!(fs::read_to_string(victim).unwrap(), "precious");
}

// Shows F29.
#[test]
fn a_stick_says_each_mistake_with_its_line() {
    let desk = Desk::new();
    desk.put(good("[video]\nfps = 0\nhieght = 720\n"));
    desk.import();
    let result = desk.result();
    for error in ["refused", "firstmile.toml:3:7: video.fps", "firstmile.toml:4:1: video.hieght"] {
        assert!(result.contains(error), "{result}");
    }
}

#[test]
fn the_key_is_erased_from_the_stick_when_its_owner_wants_that() {
    let text = good("erase_key = true\n");
    let desk = accepted(&text);
    let left = fs::read_to_string(desk.stick(FILE)).unwrap();
    assert_eq!(left.len(), text.len());
    assert!(!left.contains("7Qx9") && left.contains("rtmps://a.example/live"), "{left}");
    // The same stick again changes nothing.
    let before = desk.stored();
    desk.import().ok();
    assert_eq!(desk.stored(), before);
}

#[test]
fn the_key_stays_on_the_stick_otherwise_and_that_is_reported() {
    let desk = accepted(good(""));
    assert_eq!(fs::read_to_string(desk.stick(FILE)).unwrap(), good(""));
    assert!(desk.result().contains("still contains the stream key"), "{}", desk.result());
}

#[test]
fn a_passphrase_and_a_pin_are_erased_like_a_key_or_their_stay_is_reported() {
    let text =
        "[console]\npin = \"90210\"\n[wifi]\nssid = \"hall\"\npassphrase = \"canary-7Qx9\"\n";
    let desk = Desk::new();
    desk.put(format!("version = 1\n{text}"));
    desk.import().ok();
    assert!(desk.result().contains("still contains a passphrase or PIN"), "{}", desk.result());
    desk.put(format!("version = 1\nerase_key = true\n{text}"));
    desk.import().ok();
    let left = fs::read_to_string(desk.stick(FILE)).unwrap();
    assert!(!left.contains("7Qx9") && !left.contains("90210") && left.contains("hall"), "{left}");
    assert!(desk.result().contains("erased from firstmile.toml: 2"), "{}", desk.result());
}

#[test]
fn a_full_or_missing_disk_refuses_the_stick_and_keeps_its_key() {
    let desk = Desk::new();
    desk.put(good("erase_key = true\n"));
    let arguments = "import stick --state /proc/nowhere --socket none/control";
    let ended = firstmile_ends(desk.folder.path(), arguments);
    assert_eq!(ended.status.code(), Some(3), "{}", ended.stderr);
    assert_eq!(fs::read_to_string(desk.stick(FILE)).unwrap(), good("erase_key = true\n"));
    assert!(desk.result().contains("refused"));
}

#[test]
fn the_template_is_a_stick_that_is_taken() {
    let desk = Desk::new();
    let template =
        crate::support::run(&mut firstmile(desk.folder.path(), "board template"), TIMEOUT).ok();
    desk.put(template.stdout);
    desk.import().ok();
    assert_eq!(desk.stored().keys().count(), 1);
    assert!(Path::new(&desk.stick(RESULT)).exists());
}

const TIMEOUT: Duration = Duration::from_secs(20);
