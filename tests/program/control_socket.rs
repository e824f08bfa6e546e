//! The control socket: what `ctl` and the import of a stick hear is true, each failure has its exit code
//! and one line on standard error, and no client that is gone or silent keeps others out.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use crate::support::appliance::Appliance;
use crate::support::product::{firstmile, firstmile_ends};
use crate::support::{Ended, Folder, eventually, one_at_a_time};
use firstmile::limits::{CONTROL_CLIENTS_MAX, WATCHERS_MAX};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const STICK: &str = "version = 1\n[box]\nname = \"of-the-stick\"\n";

/// `ctl watch`, and the first line that it got.
fn watches(appliance: &Appliance) -> (Child, String) {
    let mut child = firstmile(appliance.folder.path(), "ctl watch")
        .env("RUNTIME_DIRECTORY", appliance.folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let mut first = String::new();
    let output = child.stdout.as_mut().expect("its output");
    BufReader::new(output).read_line(&mut first).expect("a line");
    (child, first)
}

#[test]
fn whoever_watches_frees_the_place_when_it_is_ended() {
    let _turn = one_at_a_time();
    let mut appliance = Appliance::start(&[]);
    let mut all: Vec<(Child, String)> = (0..WATCHERS_MAX).map(|_| watches(&appliance)).collect();
    assert!(all.iter().all(|(_, heard)| heard.contains("every change is shown")), "{all:?}");
    assert!(appliance.ctl("watch").stderr.contains("too many"));
    for (child, _) in &mut all {
        kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).expect("our own child");
        child.wait().expect("ends");
    }
    // Nothing has to change at the box for it to notice.
    let again = eventually(Duration::from_secs(20), || {
        let (mut child, heard) = watches(&appliance);
        let _ = child.kill();
        let _ = child.wait();
        heard.contains("every change is shown").then_some(())
    });
    assert!(again.is_some(), "{}", appliance.log());
    appliance.end();
}

// Shows F48.
#[test]
fn a_stick_is_applied_while_all_other_places_at_the_socket_are_taken() {
    let _turn = one_at_a_time();
    let mut appliance = Appliance::start(&[]);
    let silent = taken(&appliance, CONTROL_CLIENTS_MAX);
    let other = appliance.ctl("about");
    assert!(
        !other.status.success() && other.stderr.contains("too many clients"),
        "{}",
        other.stderr
    );
    let (ended, result) = appliance.stick(STICK);
    assert!(ended.status.success() && result.contains("accepted"), "{} {result}", ended.stderr);
    appliance.types("show box.name\r", "of-the-stick");
    drop(silent);
    appliance.end();
}

#[test]
fn a_stick_that_the_running_box_does_not_apply_is_refused_in_its_result_file_and_by_an_exit_code() {
    let _turn = one_at_a_time();
    let mut appliance = Appliance::start(&[]);
    let silent = taken(&appliance, 2 * CONTROL_CLIENTS_MAX);
    let (ended, result) = appliance.stick(STICK);
    assert_eq!(ended.status.code(), Some(3), "{}", ended.stderr);
    for heard in [&ended.stderr, &result] {
        assert!(heard.contains("stored, but the running box did not apply it"), "{heard}");
    }
    assert!(result.contains("\r\nrefused\r\n"), "{result}");
    drop(silent);
    appliance.end();
}

/// Clients that connect and ask nothing.
fn taken(appliance: &Appliance, places: usize) -> Vec<UnixStream> {
    let socket = appliance.folder.path().join("control");
    (0..places)
        .map(|_| {
            let mut stream = UnixStream::connect(&socket).expect("connects");
            let _ = stream.write_all(b"sta");
            stream
        })
        .collect()
}

/// A box that takes one request and ends without an answer.
fn ends_unanswered(folder: &Folder, arguments: &str) -> Ended {
    let socket = folder.path().join("control");
    let listener = UnixListener::bind(&socket).expect("a socket");
    let ends = thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let mut line = String::new();
            let _ = BufReader::new(stream).read_line(&mut line);
            if line.starts_with("reload") {
                return;
            }
        }
    });
    let ended = firstmile_ends(folder.path(), &format!("{arguments} --socket control"));
    drop(UnixStream::connect(&socket).map(|mut stream| stream.write_all(b"reload\n")));
    ends.join().expect("no panic");
    ended
}

#[test]
fn a_box_that_ends_before_it_has_read_the_stick_s_settings_is_no_success() {
    let folder = Folder::new("socket");
    fs::create_dir(folder.path().join("stick")).expect("a stick");
    fs::write(folder.path().join("stick/firstmile.toml"), STICK).expect("its file");
    let ended = ends_unanswered(&folder, "import stick --state state");
    assert_eq!(ended.status.code(), Some(3), "{} {}", ended.stdout, ended.stderr);
    let result = fs::read_to_string(folder.path().join("stick/firstmile-result.txt"));
    let result = result.expect("a result file");
    assert!(result.contains("refused") && result.contains("ended before it answered"), "{result}");
}

#[test]
fn every_one_of_many_imports_at_once_hears_what_became_of_it() {
    let _turn = one_at_a_time();
    let folder = Folder::new("imports");
    let imports: Vec<Child> = (0..12)
        .map(|n| {
            let stick = folder.path().join(format!("stick-{n}"));
            fs::create_dir(&stick).expect("a stick");
            let text = format!("version = 1\n[box]\nname = \"stick-{n}\"\n");
            fs::write(stick.join("firstmile.toml"), text).expect("its file");
            let arguments = format!("import stick-{n} --state state --socket none/control");
            let mut import = firstmile(folder.path(), &arguments);
            import.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
            import.spawn().expect("starts")
        })
        .collect();
    for (n, import) in imports.into_iter().enumerate() {
        let output = import.wait_with_output().expect("ends");
        let heard = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "import {n} was stored, and reports: {heard}");
    }
}

#[test]
fn what_the_box_refuses_is_one_line_on_standard_error_with_an_exit_code_of_its_own() {
    let _turn = one_at_a_time();
    let mut appliance = Appliance::start(&[]);
    for (command, code, words) in [
        ("live", 1, "command failed: no destination with a stream key is set"),
        ("set video.fps none", 1, "command failed: video.fps must be"),
        ("lvie", 2, "did you mean `live`?"),
        ("key tube", 3, "standard input holds no stream key"),
    ] {
        let ended = appliance.ctl(command);
        assert_eq!(ended.status.code(), Some(code), "{command}: {}", ended.stderr);
        assert_eq!(ended.stdout, "", "{command}");
        assert_eq!(ended.stderr.lines().count(), 1, "{command}: {}", ended.stderr);
        assert!(ended.stderr.contains(words), "{command}: {}", ended.stderr);
    }
    // A program gets its data on standard output all the same.
    let json = appliance.ctl("--json live");
    assert_eq!(json.status.code(), Some(1));
    assert!(json.stdout.contains("\"reply\":\"error\""), "{}", json.stdout);
    appliance.end();
    let nobody = appliance.ctl("status");
    assert_eq!(nobody.status.code(), Some(9));
    assert!(nobody.stderr.contains("is the service running?"), "{}", nobody.stderr);
}

#[test]
fn whoever_may_not_ask_the_box_is_asked_to_use_sudo() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new("socket");
    let socket = folder.path().join("control");
    let _listener = UnixListener::bind(&socket).expect("a socket");
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o0)).expect("settable");
    if nix::unistd::geteuid().is_root() {
        // Root is let in anywhere; the program's own words are tested next to them.
        return;
    }
    let ended = firstmile_ends(folder.path(), "ctl --socket control status");
    assert_eq!(ended.status.code(), Some(10), "{}", ended.stderr);
    assert!(ended.stderr.contains("use sudo"), "{}", ended.stderr);
}

// Shows F47.
#[test]
fn a_box_that_ends_answers_whoever_waits_for_it() {
    let _turn = one_at_a_time();
    let mut appliance = Appliance::start(&[]);
    // Takes a connection and never says a word.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("its address").port();
    appliance.types(&format!("destination add hall rtmps://127.0.0.1:{port}/live\r"), "is set");
    appliance.types("key hall\r", "(not shown): ");
    appliance.types("abcd-efgh\r", "tag ");
    let check = firstmile(appliance.folder.path(), "ctl check hall")
        .env("RUNTIME_DIRECTORY", appliance.folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let _held = silent.accept().expect("the check has begun");
    appliance.end();
    let output = check.wait_with_output().expect("ends");
    let heard = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{heard}");
    assert!(heard.contains("the system is ending"), "{heard}");
}
