//! The rules of the house: who may look into whom, and what pure rooms keep away from.

mod borders;
mod circles;
mod faults;
#[path = "../support/generated.rs"]
mod generated;
mod source;
mod tried;
mod words;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use source::{Named, Token, named_paths, tokens};

/// The dependency law: a room and what it may see beside itself. `a::b` is that part of `a` alone,
/// `*` is everything but `cli`.
const MAY_SEE: &[(&str, &[&str])] = &[
    ("limits", &[]),
    ("sanitize", &[]),
    ("secret", &["limits"]),
    ("spki_pin", &[]),
    ("spelling", &[]),
    ("media", &["limits"]),
    ("flv", &["media", "limits"]),
    ("pace", &["limits"]),
    ("audio", &["limits"]),
    ("video", &[]),
    ("selection", &["limits"]),
    ("rtmp", &["limits", "sanitize", "secret"]),
    ("device_controls", &["spelling", "limits"]),
    ("status", &[]),
    ("stream", &["ending", "rtmp", "flv", "media", "pace", "secret", "limits"]),
    ("panel", &["limits"]),
    ("display", &["status", "panel", "limits"]),
    (
        "console",
        &[
            "status",
            "spelling",
            "sanitize",
            "limits",
            "secret",
            "config::schema",
            "device_controls",
        ],
    ),
    ("typed_toml", &["spelling", "limits", "sanitize", "secret::pasted"]),
    (
        "config",
        &[
            "typed_toml",
            "pace",
            "audio",
            "video",
            "selection",
            "rtmp::url",
            "limits",
            "secret",
            "spki_pin",
            "device_controls",
        ],
    ),
    ("board", &["typed_toml", "selection", "limits"]),
    ("ending", &["status", "panel", "limits"]),
    ("health", &["status", "limits"]),
    ("wifi", &["status", "spelling", "sanitize", "limits"]),
    ("appliance", &["ending", "status", "panel", "sanitize", "limits"]),
    (
        "control",
        &[
            "appliance",
            "ending",
            "health",
            "wifi",
            "console",
            "panel",
            "display",
            "status",
            "config",
            "selection",
            "device_controls",
            "pace",
            "audio",
            "video",
            "stream",
            "secret",
            "limits",
        ],
    ),
    ("clock", &[]),
    ("child", &["limits"]),
    ("file", &[]),
    (
        "capture",
        &[
            "audio",
            "video",
            "child",
            "device_controls",
            "file",
            "flv::avc",
            "media",
            "board",
            "selection",
            "sanitize",
            "limits",
        ],
    ),
    (
        "publish",
        &[
            "stream", "ending", "clock", "file", "rtmp", "flv", "media", "pace", "sanitize",
            "secret", "spki_pin", "limits",
        ],
    ),
    (
        "device",
        &[
            "child", "clock", "file", "board", "panel", "display", "status", "health", "wifi",
            "console", "config", "sanitize", "secret", "limits",
        ],
    ),
    (
        "sim",
        &["status", "clock", "file", "rtmp", "flv", "media", "secret", "panel", "board", "limits"],
    ),
    (
        "drivers",
        &[
            "audio",
            "video",
            "capture",
            "publish",
            "device",
            "control",
            "stream",
            "config",
            "device_controls",
            "appliance",
            "status",
            "rtmp",
            "flv",
            "media",
            "clock",
            "limits",
        ],
    ),
    ("run", &["*"]),
    ("cli", &["*"]),
    ("main", &["cli"]),
];

/// What pure rooms keep away from, with the files that are excepted for a reason.
const PURE_AVOIDS: &[(&str, &[&str])] = &[
    ("std::net", &[]),
    ("std::fs", &[]),
    ("std::thread", &[]),
    ("std::env", &[]),
    ("std::process", &[]),
    ("std::time::Instant", &[]),
    ("std::time::SystemTime", &[]),
    ("tokio::sync", &["media/fan_out.rs"]), // wakes publish tasks; holds no task itself
    ("tokio", &["media/fan_out.rs"]),
    ("nix", &[]),
    ("socket2", &[]),
];

/// Macros that pure rooms do not call, with the rooms that are excepted.
const PURE_IS_SILENT: &[(&str, &[&str])] = &[
    ("print", &[]),
    ("println", &[]),
    ("eprint", &[]),
    ("eprintln", &[]),
    ("dbg", &[]),
    ("info", &["appliance"]), // one line for each change of mode
    ("warn", &[]),
    ("error", &[]),
];

/// What only some rooms name, in pure and shell rooms alike.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("gstreamer", &["capture", "sim"]),
    ("gstreamer_app", &["capture", "sim"]),
    ("gstreamer_video", &["capture", "sim"]),
    ("gst", &["capture", "sim"]),
    ("std::net::TcpStream", &["publish", "device", "sim"]),
    ("std::net::TcpListener", &["publish", "device", "sim"]),
    ("std::net::UdpSocket", &["publish", "device", "sim"]),
    ("tokio::net", &["publish", "device", "sim"]),
    ("std::os::unix::net", &["device", "sim"]),
    ("dns_lookup", &["publish"]),
];

/// Longest file, in lines.
const LINES_MAX: usize = 900;

/// Beginnings of paths of one machine. Cut in two so that this list does not find itself.
const MACHINE_PATHS: &[&str] =
    &[concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/wo", "rk/"), concat!("/tm", "p/")];

/// A file of the house: its path below `src`, and what it says.
struct File {
    path: String,
    text: String,
}

impl File {
    fn room(&self) -> &str {
        self.path.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }

    /// The module that the file is, below the crate.
    fn module(&self) -> Vec<&str> {
        let parts = self.path.trim_end_matches(".rs").split('/');
        parts.filter(|part| !matches!(*part, "mod" | "lib" | "main")).collect()
    }

    /// Whether the whole file is only compiled for tests.
    fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }
}

/// Breaches of the dependency law in one file.
fn breaches(file: &File) -> Vec<String> {
    let room = file.room();
    if room == "lib" {
        return Vec::new();
    }
    let Some((_, allowed)) = MAY_SEE.iter().find(|(name, _)| *name == room) else {
        return vec![format!("{}:1: the room {room} is not in the table MAY_SEE", file.path)];
    };
    let named = named_paths(&tokens(&file.text), &file.module());
    let inside = named.iter().filter(|n| n.path.first().is_some_and(|root| root == "crate"));
    let beyond = inside.filter(|n| match n.path.get(1) {
        None => true,
        Some(target) if target == room => false,
        Some(target) => !allowed.iter().any(|may| match *may {
            "*" => room == "cli" || target != "cli",
            may => may.split("::").eq(n.path[1..].iter().take(may.split("::").count())),
        }),
    });
    let reported = beyond.map(|n| {
        let target = n.path.get(1..).unwrap_or_default().join("::");
        format!("{}:{}: {room} looks into {target}", file.path, n.line)
    });
    reported.collect()
}

/// Names of the world in a pure room.
fn impurities(file: &File, pure: &BTreeSet<String>) -> Vec<String> {
    let room = file.room();
    if !pure.contains(room) || file.is_test() {
        return Vec::new();
    }
    let tokens = tokens(&file.text);
    let mut reported = Vec::new();
    for named in named_paths(&tokens, &file.module()).iter().filter(|n| !n.in_test) {
        let found = PURE_AVOIDS.iter().find(|(avoided, _)| begins(named, avoided));
        if let Some((avoided, excepted)) = found
            && !excepted.contains(&file.path.as_str())
        {
            reported
                .push(format!("{}:{}: pure room {room} names {avoided}", file.path, named.line));
        }
    }
    let (outside_tests, next) = (tokens.iter().filter(|t| !t.in_test), tokens.iter().skip(1));
    let calls = tokens.iter().zip(next).filter(|(_, bang)| bang.text == "!").map(|(t, _)| t);
    for Token { text, line, .. } in calls.filter(|t| !t.in_test) {
        if PURE_IS_SILENT.iter().any(|(name, rooms)| name == text && !rooms.contains(&room)) {
            reported.push(format!("{}:{line}: pure room {room} calls {text}!", file.path));
        }
    }
    for Token { text, line, .. } in outside_tests {
        if matches!(text.as_str(), "Instant" | "SystemTime") {
            reported.push(format!("{}:{line}: pure room {room} reads a clock: {text}", file.path));
        }
    }
    reported
}

/// Things of the outside world in a room that has no business with them.
fn strangers(file: &File) -> Vec<String> {
    let (room, mut reported) = (file.room(), Vec::new());
    for named in named_paths(&tokens(&file.text), &file.module()) {
        for (thing, rooms) in ONLY_IN {
            if begins(&named, thing) && !rooms.contains(&room) {
                let may = rooms.join(", ");
                reported.push(format!("{}:{}: {thing} belongs to {may}", file.path, named.line));
            }
        }
    }
    reported
}

fn begins(named: &Named, prefix: &str) -> bool {
    prefix.split("::").eq(named.path.iter().take(prefix.split("::").count()))
}

/// The rooms that `src/lib.rs` declares pure, by what it denies them.
fn pure_rooms(lib: &str) -> BTreeSet<String> {
    let tokens = tokens(lib);
    let texts: Vec<&str> = tokens.iter().map(|t| t.text.as_str()).collect();
    let denied =
        texts.windows(6).filter(|w| w[..5] == ["disallowed_types", ")", "]", "pub", "mod"]);
    denied.map(|w| w[5].to_owned()).collect()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All files below `folder` whose names end so, with their paths below it.
fn files(folder: &str, ends: &[&str]) -> Vec<File> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let (base, mut found) = (root().join(folder), Vec::new());
    walk(&base, &mut found);
    found.sort();
    let relative = |p: &PathBuf| p.strip_prefix(&base).map(|r| r.to_string_lossy().into_owned());
    found
        .iter()
        .filter_map(|p| Some(File { path: relative(p).ok()?, text: fs::read_to_string(p).ok()? }))
        .filter(|f| ends.iter().any(|end| f.path.ends_with(end)))
        .collect()
}

fn sources() -> Vec<File> {
    let sources = files("src", &[".rs"]);
    assert!(sources.len() > 10, "src was not found");
    sources
}

fn in_src(reported: String) -> String {
    format!("src/{reported}")
}

#[track_caller]
fn assert_none(reported: impl IntoIterator<Item = String>) {
    let reported: Vec<String> = reported.into_iter().collect();
    assert!(reported.is_empty(), "\n{}\n", reported.join("\n"));
}

#[test]
fn rooms_look_only_where_they_may() {
    assert_none(sources().iter().flat_map(breaches).map(in_src));
}

#[test]
fn every_room_of_the_table_is_there() {
    let sources = sources();
    let gone = MAY_SEE.iter().filter(|(room, _)| !sources.iter().any(|file| file.room() == *room));
    assert_none(gone.map(|(room, _)| format!("MAY_SEE: there is no room {room}")));
}

#[test]
fn the_map_of_the_house_has_every_room_and_every_test_binary() {
    let page = fs::read_to_string(root().join("docs/architecture.md")).expect("the page");
    let pure = pure_rooms(&fs::read_to_string(root().join("src/lib.rs")).expect("the list"));
    let rooms = MAY_SEE.iter().map(|(room, _)| *room).filter(|room| *room != "main");
    let rows = rooms.map(|room| match pure.contains(room) {
        true => format!("| `{room}` | ● |"),
        false => format!("| `{room}` | |"),
    });
    let binaries = files("tests", &["/main.rs"]);
    let binaries = binaries.iter().map(|file| format!("| `{}` |", file.room()));
    let missing = rows.chain(binaries).filter(|row| !page.contains(row.as_str()));
    assert_none(missing.map(|row| format!("docs/architecture.md: there is no row {row}")));
}

#[test]
fn pure_rooms_keep_away_from_the_world() {
    let sources = sources();
    let lib = sources.iter().find(|f| f.path == "lib.rs").expect("src/lib.rs");
    let pure = pure_rooms(&lib.text);
    assert!(pure.contains("rtmp") && pure.contains("appliance"), "{pure:?}");
    assert_none(sources.iter().flat_map(|file| impurities(file, &pure)).map(in_src));
}

#[test]
fn what_belongs_to_one_room_is_named_nowhere_else() {
    assert_none(sources().iter().flat_map(strangers).map(in_src));
}

#[test]
fn there_is_no_unsafe_code() {
    assert_none(sources().iter().flat_map(|file| {
        let found = tokens(&file.text).into_iter().filter(|t| t.text == "unsafe");
        found.map(|t| format!("src/{}:{}: unsafe", file.path, t.line)).collect::<Vec<_>>()
    }));
}

#[test]
fn every_room_opens_with_its_promise() {
    let rooms =
        sources().into_iter().filter(|f| f.path.ends_with("mod.rs") || !f.path.contains('/'));
    let silent = rooms.filter(|f| !f.text.starts_with("//!"));
    assert_none(silent.map(|f| format!("src/{}:1: does not open with //!", f.path)));
}

#[test]
fn no_file_is_longer_than_a_reader() {
    let long = ["src", "tests"].into_iter().flat_map(|folder| {
        let long = files(folder, &[".rs"]).into_iter();
        let long = long.filter(|f| f.text.lines().count() > LINES_MAX);
        long.map(move |f| format!("{folder}/{}:{LINES_MAX}: longer than this", f.path))
    });
    assert_none(long);
}

#[test]
fn no_path_of_one_machine_is_written_down() {
    let folders = ["src", "docs", "board", "systemd", "yocto-layer", ".ci"];
    let reported = folders.into_iter().flat_map(|folder| {
        let files = files(folder, &[""]).into_iter();
        files.flat_map(move |f| machine_paths(&format!("{folder}/{}", f.path), &f.text))
    });
    let alone = ["README.md", "Makefile", "Cargo.toml"].into_iter().flat_map(|name| {
        machine_paths(name, &fs::read_to_string(root().join(name)).unwrap_or_default())
    });
    assert_none(reported.chain(alone));
}

fn machine_paths(name: &str, text: &str) -> Vec<String> {
    let begins_here = |line: &str, path: &str| {
        line.match_indices(path).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            before.is_none_or(|c| c.is_whitespace() || "\"'`(=:<[".contains(c))
        })
    };
    let lines = text.lines().enumerate();
    let found = lines.filter(|(_, l)| MACHINE_PATHS.iter().any(|path| begins_here(l, path)));
    found.map(|(i, _)| format!("{name}:{}: a path of one machine", i + 1)).collect()
}

#[test]
fn no_dependency_needs_a_newer_compiler_than_we_say() {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--offline", "--filter-platform"])
        .arg(format!("{}-unknown-linux-gnu", env::consts::ARCH))
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let ours = packages.iter().find(|p| p["name"] == "firstmile").expect("this package");
    let ours = version(ours["rust_version"].as_str().expect("Cargo.toml has a rust-version"));
    assert!(packages.len() > 20, "dependencies are listed");
    let newer =
        packages.iter().filter(|p| p["rust_version"].as_str().is_some_and(|v| version(v) > ours));
    assert_none(
        newer.map(|p| format!("{} {} needs Rust {}", p["name"], p["version"], p["rust_version"])),
    );
}

/// A version's numbers; missing ones are zero.
fn version(text: &str) -> [u32; 3] {
    let mut numbers = text.split('.').map(|n| n.parse().expect("a version number"));
    std::array::from_fn(|_| numbers.next().unwrap_or(0))
}

mod scanner {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        File { path: path.to_owned(), text: text.to_owned() }
    }

    fn broken(path: &str, text: &str) -> Vec<String> {
        breaches(&file(path, text))
    }

    #[test]
    fn a_pure_room_that_reaches_into_a_shell_room_is_reported() {
        for text in [
            "use crate::publish::task;",
            "use crate::{limits, publish::task};",
            "use crate::{\n    limits,\n    publish::{task},\n};",
            "use crate::{limits::{A, B}, publish};",
            "fn f() { crate::publish::go() }",
            "fn f() -> crate::publish::Task { todo!() }",
            "use super::super::publish;",
            "use super::{super::publish, chunk};",
            "mod inner { use super::super::super::publish; }",
            "use self::super::super::publish;",
            "use crate::publish as p;",
            "pub(crate) use ::firstmile::publish;",
            "type T = Vec<crate::publish::T>;",
            "use crate::*;",
        ] {
            let reported = broken("rtmp/session.rs", text);
            assert_eq!(reported.len(), 1, "{text}: {reported:?}");
            assert!(reported[0].starts_with("rtmp/session.rs:"), "{reported:?}");
            assert!(reported[0].contains("rtmp looks into "), "{reported:?}");
        }
    }

    #[test]
    fn the_line_and_the_rooms_are_reported() {
        let reported =
            broken("flv/audio.rs", "//! a\n\nuse crate::media::Frame;\nuse crate::rtmp::url;\n");
        assert_eq!(reported, ["flv/audio.rs:4: flv looks into rtmp::url"]);
        assert_eq!(
            broken("attic.rs", ""),
            ["attic.rs:1: the room attic is not in the table MAY_SEE"]
        );
    }

    #[test]
    fn what_a_room_may_see_is_not_reported() {
        for (path, text) in [
            ("rtmp/session.rs", "use crate::{limits, secret::StreamKey}; use super::chunk;"),
            ("rtmp/mod.rs", "pub mod url; use self::url::Host; pub(crate) fn f() {}"),
            ("rtmp/chunk.rs", "/// See [`crate::publish`].\n// use crate::publish;\nfn f() {}"),
            ("rtmp/chunk.rs", "const A: &str = \"use crate::publish;\"; const B: char = '\"';"),
            ("rtmp/chunk.rs", "const A: &str = r#\"\" crate::publish \"#; fn f<'a>(_: &'a str) {}"),
            ("rtmp/chunk.rs", "/* a /* nested */ crate::publish */ mod tests { use super::*; }"),
            ("config/parse.rs", "use crate::rtmp::url::{Ingest, ServerUrl};"),
            ("run.rs", "use crate::{capture, publish};"),
            ("main.rs", "fn main() { firstmile::cli::run() }"),
            ("lib.rs", "pub mod rtmp; pub use crate::rtmp::url;"),
        ] {
            assert_eq!(broken(path, text), [""; 0], "{text}");
        }
    }

    #[test]
    fn a_part_of_a_room_opens_that_part_alone() {
        let reported = broken("config/parse.rs", "use crate::rtmp::{session::Session, url};");
        assert_eq!(reported, ["config/parse.rs:1: config looks into rtmp::session::Session"]);
        assert_eq!(broken("run.rs", "use crate::cli;"), ["run.rs:1: run looks into cli"]);
    }

    fn impure(path: &str, text: &str) -> Vec<String> {
        let pure = ["rtmp", "media", "appliance"].map(str::to_owned).into();
        impurities(&file(path, text), &pure)
    }

    #[test]
    fn a_pure_room_that_touches_the_world_is_reported() {
        for (text, reported) in [
            ("use std::net::TcpStream;", "names std::net"),
            ("use std::{fmt, fs};", "names std::fs"),
            ("fn f() { std::thread::yield_now() }", "names std::thread"),
            ("use tokio::sync::Notify;", "names tokio"),
            ("fn f() { println!(\"a\") }", "calls println!"),
            ("fn f() { tracing::info!(\"a\") }", "calls info!"),
            ("use tracing::warn; fn f() { warn!(\"a\") }", "calls warn!"),
            ("fn f(now: web::Instant) {}", "reads a clock"),
        ] {
            let found = impure("rtmp/session.rs", text);
            assert!(found.len() == 1 && found[0].contains(reported), "{text}: {found:?}");
        }
    }

    #[test]
    fn exceptions_and_tests_are_let_be() {
        for (path, text) in [
            ("media/fan_out.rs", "use tokio::sync::Notify;"),
            ("appliance/machine.rs", "fn f() { tracing::info!(\"a\") }"),
            ("rtmp/url.rs", "use core::net::Ipv4Addr; use std::time::Duration; use std::fmt;"),
            ("rtmp/url.rs", "#[cfg(test)] mod tests { use std::fs; fn f() { println!(\"a\") } }"),
            ("rtmp/tests.rs", "use std::fs;"),
            ("rtmp/url.rs", "fn f() { tracing::debug!(\"println!\") } fn g() { error() }"),
            ("publish/task.rs", "use std::time::Instant; use tokio::net::TcpStream;"),
        ] {
            assert_eq!(impure(path, text), [""; 0], "{text}");
        }
        let after = impure("rtmp/url.rs", "#[cfg(test)] mod t { fn f() {} } use std::fs;");
        assert_eq!(after.len(), 1, "what follows a test module is no test");
    }

    #[test]
    fn gstreamer_outside_capture_is_reported() {
        let text = "use gstreamer as gst; fn f() { gst::init(); }";
        assert_eq!(strangers(&file("cli/devices.rs", text)).len(), 2);
        assert_eq!(strangers(&file("capture/pipeline.rs", text)), [""; 0]);
        assert_eq!(strangers(&file("run.rs", "use tokio::net::TcpStream;")).len(), 1);
    }

    #[test]
    fn paths_of_a_machine_differ_from_words() {
        let text = format!("a\n  \"{}me\" b\n", MACHINE_PATHS[0]);
        assert_eq!(machine_paths("a.md", &text), ["a.md:2: a path of one machine"]);
        assert_eq!(machine_paths("a.md", &format!("$HOME{}a", MACHINE_PATHS[3])), [""; 0]);
    }

    #[test]
    fn the_list_of_pure_rooms_is_read_from_the_map() {
        let denied = "#[deny(clippy::disallowed_methods, clippy::disallowed_types)]";
        let lib =
            &format!("{denied}\npub mod limits;\n// B\n{denied}\npub mod rtmp;\npub mod run;");
        assert_eq!(pure_rooms(lib), ["limits", "rtmp"].map(str::to_owned).into());
    }
}
