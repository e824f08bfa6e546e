//! The process that understands a stick's file can do nothing but store settings.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::chown;
use std::os::unix::net::UnixListener;
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::support::product::{firstmile, firstmile_ends};
use crate::support::{Folder, eventually};

/// The process while it waits for the file.
struct Reader(Child);

impl Reader {
    fn start(folder: &Folder) -> Reader {
        let mut reader = firstmile(folder.path(), "import stick --state state --reader");
        let reader = reader.stdin(Stdio::piped()).stdout(Stdio::piped());
        Reader(reader.spawn().expect("it starts"))
    }

    /// What the kernel says about its rights, once it has given them up.
    fn rights(&self) -> Vec<(String, String)> {
        let path = format!("/proc/{}/status", self.0.id());
        let found = eventually(Duration::from_secs(60), || {
            let status = fs::read_to_string(&path).ok()?;
            let lines = status.lines().filter_map(|line| line.split_once(":\t"));
            let rights: Vec<(String, String)> =
                lines.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
            let is_done = |key: &str| rights.iter().any(|(k, v)| k == key && is_zero(v));
            (is_done("CapPrm") && is_done("CapEff")).then_some(rights)
        });
        found.expect("it gives up its rights")
    }
}

fn is_zero(hexadecimal: &str) -> bool {
    hexadecimal.chars().all(|digit| digit == '0')
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn of<'a>(rights: &'a [(String, String)], key: &str) -> &'a str {
    rights.iter().find(|(k, _)| k == key).map_or("", |(_, value)| value)
}

#[test]
fn the_process_that_parses_a_stick_has_no_capability() {
    let folder = Folder::new("reader");
    let reader = Reader::start(&folder);
    let rights = reader.rights();
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert!(is_zero(of(&rights, set)), "{set}: {}", of(&rights, set));
    }
    assert_eq!(of(&rights, "NoNewPrivs"), "1");
}

#[test]
fn root_becomes_the_owner_of_the_store_to_parse_a_stick() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: only root becomes somebody else");
        return;
    }
    const OWNER: u32 = 61_234;
    let folder = Folder::new("reader");
    let state = folder.path().join("state");
    fs::create_dir(&state).expect("a folder");
    fs::set_permissions(&state, std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .expect("its own");
    chown(&state, Some(OWNER), Some(OWNER)).expect("root may");
    let mut reader = Reader::start(&folder);
    let rights = reader.rights();
    let ids = format!("{OWNER}\t{OWNER}\t{OWNER}\t{OWNER}");
    assert_eq!((of(&rights, "Uid"), of(&rights, "Gid")), (ids.as_str(), ids.as_str()));
    assert_eq!(of(&rights, "Groups").trim(), "");
    let mut stdin = reader.0.stdin.take().expect("a pipe");
    stdin.write_all(b"version = 1\n[box]\nname = \"stage\"\n").expect("it reads");
    drop(stdin);
    let mut answer = String::new();
    reader.0.stdout.take().expect("a pipe").read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("{\"Ok\":"), "{answer}");
    use std::os::unix::fs::MetadataExt;
    let stored = fs::read_dir(&state).expect("the store").flatten();
    for file in stored {
        assert_eq!(file.metadata().expect("there").uid(), OWNER, "{:?}", file.file_name());
    }
}

// The box is stopped by a debugger, or hangs before its watchdog ends it.
// Shows F47.
#[test]
fn a_box_that_does_not_answer_does_not_hold_up_an_import() {
    let folder = Folder::new("silent");
    fs::create_dir(folder.path().join("stick")).expect("a stick");
    let settings = "version = 1\n[box]\nname = \"stage\"\n";
    fs::write(folder.path().join("stick/firstmile.toml"), settings).expect("writes");
    let _silent = UnixListener::bind(folder.path().join("control")).expect("a socket");
    let ended = firstmile_ends(folder.path(), "import stick --state state --socket control");
    assert_eq!(ended.status.code(), Some(3), "{}", ended.stderr);
    let why = "stored, but the running box did not apply it: it does not answer";
    assert!(ended.stderr.contains(why), "{}", ended.stderr);
    let result = fs::read_to_string(folder.path().join("stick/firstmile-result.txt"));
    assert!(result.expect("a result").contains(why));
}
