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

/// `extra` stands before the destination.
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
    typographic_quotes: |d| d.put(good("").replace(&format!("\"{CANARY}\""), &format!("“{CANARY}”"))), ["firstmile.toml:5:7", "typographic quote"];
    dots_in_place_of_the_key: |d| d.put(good("").replace(CANARY, "••••••••")), ["firstmile.toml:5:7", "dots that a page shows"];
    a_whole_address_as_the_key: |d| d.put(good("").replace(CANARY, &format!("rtmps://a.example/live/{CANARY}"))), ["firstmile.toml:5:7", "whole address"];
    rich_text: |d| d.put(format!("{{\\rtf1\\ansi {}}}", good(""))), ["rich text"];
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
    let in_old_encoding = [&b"# B\xfchne\n"[..], text.as_bytes()].concat();
    accepted(in_old_encoding);
    accepted(text.replace(CANARY, &format!("\u{200b}{CANARY}\u{a0}\u{2060}")));
    accepted(text.replace("key =", "\u{a0}key\u{a0}="));
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
fn the_template_is_a_stick_that_is_refused_until_its_key_is_filled_in() {
    let desk = Desk::new();
    let template =
        crate::support::run(&mut firstmile(desk.folder.path(), "board template"), TIMEOUT).ok();
    desk.put(&template.stdout);
    let ended = desk.import();
    assert_eq!(ended.status.code(), Some(3), "{}", ended.stdout);
    assert!(ended.stderr.contains("no stream key was filled in"), "{}", ended.stderr);
    assert_eq!(fs::read_to_string(desk.stick(FILE)).unwrap(), template.stdout, "nothing is erased");
    desk.put(template.stdout.replace("paste-your-stream-key-here", CANARY));
    desk.import().ok();
    assert_eq!(desk.stored().keys().count(), 1);
    assert!(Path::new(&desk.stick(RESULT)).exists());
}

/// A stick whose file is not called as it should be.
#[track_caller]
fn nearly(names: &[&str], words: &[&str]) {
    let desk = Desk::new();
    let before = desk.stored();
    for name in names {
        let file = desk.stick(name);
        fs::create_dir_all(file.parent().expect("a folder")).unwrap();
        fs::write(file, good("")).unwrap();
    }
    let ended = desk.import();
    assert_eq!(ended.status.code(), Some(3), "{names:?}: {}{}", ended.stdout, ended.stderr);
    assert_eq!(desk.stored(), before, "{names:?}");
    let result = desk.result();
    for word in ["refused", "there is no firstmile.toml"].iter().chain(words) {
        assert!(result.contains(word), "{names:?} lacks {word:?}: {result}");
    }
}

// Shows F41.
#[test]
fn a_stick_whose_file_is_nearly_named_right_is_refused_and_says_what_was_found() {
    nearly(&["firstmile.toml.txt"], &["rename firstmile.toml.txt to firstmile.toml"]);
    nearly(&["firstmile (1).toml"], &["rename firstmile (1).toml to firstmile.toml"]);
    nearly(&["Firstmile.toml"], &["rename Firstmile.toml to firstmile.toml, in small letters"]);
    nearly(&["firstmile"], &["rename firstmile to firstmile.toml"]);
    nearly(
        &["firstmile (1).toml", "firstmile.toml.txt"],
        &["rename one of these to firstmile.toml: firstmile (1).toml, firstmile.toml.txt"],
    );
    nearly(&["settings/firstmile.toml"], &["move settings/firstmile.toml out of its folder"]);
    nearly(&["firstmile\u{1b}[2J\u{202e}.toml"], &["rename firstmile?[2J?.toml"]);
}

#[test]
fn a_file_that_was_not_read_is_named_next_to_the_one_that_was() {
    let desk = Desk::new();
    desk.put(good(""));
    fs::write(desk.stick("firstmile (1).toml"), good("")).unwrap();
    desk.import().ok();
    let result = desk.result();
    assert!(result.contains("accepted"), "{result}");
    assert!(result.contains("firstmile (1).toml was not read: only firstmile.toml is"), "{result}");
}

#[test]
fn the_result_lists_every_destination_that_now_holds_and_names_a_missing_key() {
    let desk = Desk::new();
    let former =
        |partial: &mut Partial| partial.set("destination.former.url", "rtmps://b.example/x");
    desk.store().update(|p| former(p).map_err(|error| error.to_string())).expect("stores");
    desk.put(good(""));
    desk.import().ok();
    let result = desk.result();
    for line in [
        "destinations that now hold:",
        "  former: rtmps://b.example/x, NO STREAM KEY",
        "  yt: rtmps://a.example/live, with a stream key",
    ] {
        assert!(result.contains(line), "{result}");
    }
    desk.put(good("replace = true\n"));
    desk.import().ok();
    let result = desk.result();
    assert!(result.contains("destination former is removed") && !result.contains("b.example"));
    assert!(desk.stored().value(&"video.fps".parse().unwrap()).is_none(), "{result}");
    assert_eq!(desk.stored().keys().count(), 1);
}

#[test]
fn a_file_of_the_box_that_is_not_there_is_named_with_its_line() {
    for (lines, place) in [
        (
            "[overlay]\nlogo = \"logo.png\"\n",
            "firstmile.toml:3:8: overlay.logo: there is no file logo.png",
        ),
        (
            "[slate]\npicture = \"/none/a.png\"\n",
            "firstmile.toml:3:11: slate.picture: there is no file /none/a.png",
        ),
    ] {
        refused(
            |d| {
                fs::write(d.stick("logo.png"), "x").unwrap();
                d.put(good(lines));
            },
            &[place, "not copied from a stick"],
        );
    }
    refused(
        |d| d.put(good("") + "ca_file = \"own-ca.pem\"\n"),
        &["firstmile.toml:6:11: destination.ca_file: there is no file own-ca.pem"],
    );
}

/// The image of a stick, in place of the stick itself.
fn image(make: impl FnOnce(&Path)) -> String {
    let desk = Desk::new();
    let image = desk.folder.path().join("image");
    fs::File::create(&image).unwrap().set_len(128 << 20).unwrap();
    make(&image);
    let ended =
        firstmile_ends(desk.folder.path(), "import image --state state --socket none/control");
    assert_eq!(ended.status.code(), Some(3), "{}", ended.stdout);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("format the stick with FAT32 or exFAT"), "{}", ended.stderr);
    ended.stderr
}

// Shows F41.
#[test]
fn a_stick_with_another_file_system_or_none_is_refused_by_its_name() {
    let made_by = |program: &str, arguments: &[&str]| {
        let made = |image: &Path| {
            let mut command = std::process::Command::new(program);
            let made = command.args(arguments).arg(image).output().expect("it runs");
            assert!(made.status.success(), "{program}: {made:?}");
        };
        crate::support::has_or_skip(&[program]).then(|| image(made))
    };
    assert!(image(|_| {}).contains("not formatted"));
    let written = |at: usize, mark: &'static [u8]| {
        image(move |path| {
            use std::os::unix::fs::FileExt;
            let file = fs::OpenOptions::new().write(true).open(path).unwrap();
            file.write_all_at(mark, at as u64).unwrap();
        })
    };
    assert!(written(3, b"NTFS    ").contains("but NTFS"));
    assert!(written(0, b"LUKS\xba\xbe").contains("LUKS has encrypted"));
    let gpt = |path: &Path| {
        let table = "label: gpt\nsize=2048\nsize=4096\n";
        let mut command = std::process::Command::new("sfdisk");
        command.arg("--quiet").arg(path).stdin(std::process::Stdio::piped());
        let mut child = command.spawn().expect("it runs");
        std::io::Write::write_all(child.stdin.as_mut().unwrap(), table.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    };
    if crate::support::has_or_skip(&["sfdisk"]) {
        assert!(image(gpt).contains("partition table (GPT)"));
    }
    for (program, arguments, name) in [
        ("mkfs.ntfs", &["--quick", "--force", "--quiet"][..], "NTFS"),
        ("mkswap", &[], "swap space"),
        ("mkfs.btrfs", &["--quiet", "--force"], "Btrfs"),
    ] {
        if let Some(message) = made_by(program, arguments) {
            assert!(message.contains(name), "{message}");
        }
    }
}

const TIMEOUT: Duration = Duration::from_secs(20);

#[test]
fn of_many_sticks_at_once_each_is_stored_and_its_result_is_true() {
    const STICKS: usize = 8;
    let desk = Desk::new();
    let imports: Vec<Ended> = std::thread::scope(|scope| {
        let import = |number: usize| {
            let folder = desk.folder.path();
            let stick = format!("stick-{number}");
            fs::create_dir(folder.join(&stick)).expect("a stick");
            let settings = format!(
                "version = 1\n[[destination]]\nname = \"d{number}\"\nurl = \"rtmps://h/app\"\n"
            );
            fs::write(folder.join(&stick).join(FILE), settings).expect("writes the stick");
            let command = format!("import {stick} --state state --socket none/control");
            scope.spawn(move || firstmile_ends(folder, &command))
        };
        let running: Vec<_> = (0..STICKS).map(import).collect();
        running.into_iter().map(|import| import.join().expect("ends")).collect()
    });
    for (number, ended) in imports.iter().enumerate() {
        assert!(ended.status.success(), "stick {number}: {} {}", ended.stdout, ended.stderr);
        assert!(desk.stored().names(&format!("d{number}")), "stick {number}");
    }
}

#[test]
fn a_stick_that_sets_the_pin_of_the_console_says_so() {
    let desk = Desk::new();
    let stick = |pin: &str| {
        desk.put(format!("version = 1\n[console]\npin = \"{pin}\"\n"));
        desk.import().ok();
        desk.result()
    };
    let first = stick("4711");
    assert!(first.contains("the console asks for the PIN of this stick"), "{first}");
    let second = stick("80808");
    assert!(second.contains("the console PIN is replaced"), "{second}");
    assert!(!format!("{first}{second}").contains("4711") && !second.contains("80808"), "{second}");
}
