//! Whatever keeps the box from going live is one line that says what to do, and an exit code.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::process::{Child, Stdio};

use crate::support::appliance::Appliance;
use crate::support::product::{firstmile, firstmile_ends};
use crate::support::{Folder, free_port};

/// Runs the program in a folder with a key file and a few broken ones.
#[track_caller]
fn fails(arguments: &str, code: i32, words: &[&str]) {
    let folder = Folder::new("failures");
    let file = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    file("key", "canary-k3y\n");
    file("empty", "\n");
    file("two-words", "one two\n");
    file("placeholder", "\u{feff}paste-your-stream-key-here\r\n");
    file("address", "rtmps://a.example/live/canary-k3y\n");
    file("not-flv.flv", "this is no FLV file, but long enough to be read as one");
    file(
        "no-encoder.toml",
        "inherit = \"sim.toml\"\ncompatible = [\"test,no-encoder\"]\ndescription = \"none\"\n[encoder]\nvideo = [\"v4l2h264enc\"]\n",
    );
    file(
        "broken.toml",
        "inherit = \"sim.toml\"\ncompatible = [\"test,broken\"]\n[encoder]\nvidoe = [\"x264enc\"]\n",
    );
    let ended = firstmile_ends(folder.path(), arguments);
    assert_eq!(ended.status.code(), Some(code), "{arguments}: {}", ended.stderr);
    let output = ended.stderr.trim_end();
    assert_eq!(output.lines().count(), 1, "{arguments}: {output}");
    for word in words {
        assert!(output.contains(word), "{arguments}: {output:?} lacks {word:?}");
    }
    assert!(!output.contains("canary"), "the key is shown: {output}");
}

#[test]
fn a_wrong_address_is_named() {
    fails(
        "push x.flv --url https://a.example/live --key-file key",
        3,
        &["--url", "https", "rtmps"],
    );
    fails("push x.flv --url nonsense --key-file key", 3, &["--url"]);
}

#[test]
fn a_key_file_that_is_of_no_use_is_named() {
    let url = "push x.flv --url rtmps://127.0.0.1:1/live --key-file";
    fails(&format!("{url} missing"), 3, &["key file missing", "cannot be read"]);
    fails(&format!("{url} empty"), 3, &["key file empty", "is empty"]);
    fails(&format!("{url} two-words"), 3, &["key file two-words", "space", "(character 4)"]);
    fails(
        &format!("{url} placeholder"),
        3,
        &["key file placeholder", "no stream key was filled in"],
    );
    fails(&format!("{url} address"), 3, &["key file address", "is a whole address"]);
    // Standard input is empty here.
    fails(&format!("{url} -"), 3, &["standard input", "empty"]);
}

#[test]
fn a_missing_camera_is_named() {
    fails("demo --headless --seconds 2 --camera /dev/video99", 4, &["/dev/video99"]);
    fails("demo --headless --seconds 2 --camera missing.mp4", 4, &["missing.mp4"]);
}

#[test]
fn a_missing_encoder_is_named_with_what_was_tried() {
    fails("demo --headless --seconds 2 --board ./no-encoder.toml", 4, &["v4l2h264enc"]);
}

#[test]
fn a_fault_in_a_board_profile_is_named_with_line_and_nearest_key() {
    fails("demo --headless --board ./broken.toml", 3, &["broken.toml:4", "vidoe", "video"]);
}

#[test]
fn elements_of_a_board_profile_that_do_not_exist_fail_its_check() {
    let folder = Folder::new("failures");
    let profile = "inherit = \"sim.toml\"\ncompatible = [\"test,x\"]\ndescription = \"x\"\n[camera]\n\
                   source = \"launch\"\nlaunch = \"videotestsroce ! videoconvert\"\n";
    fs::write(folder.path().join("mine.toml"), profile).unwrap();
    let ended = firstmile_ends(folder.path(), "board check --board ./mine.toml");
    assert_eq!(ended.status.code(), Some(4), "{}", ended.stdout);
    let camera = ended.stdout.lines().find(|line| line.contains(" camera ")).unwrap_or_default();
    assert!(camera.starts_with("FAIL camera") && camera.contains("videotestsroce"), "{camera}");
}

#[test]
fn a_port_that_refuses_is_named() {
    let port = free_port();
    let url = format!("--url rtmps://127.0.0.1:{port}/live --key-file key");
    fails(&format!("check {url}"), 5, &[&format!("127.0.0.1:{port}"), "refuses connections"]);
    fails(&format!("demo --headless --seconds 2 {url}"), 5, &["refuses connections"]);
}

#[test]
fn a_name_that_does_not_exist_is_named() {
    fails(
        "check --url rtmps://no-such-host.invalid/live --key-file key",
        5,
        &["no-such-host.invalid"],
    );
}

/// A server of plain RTMP, which answers nothing until it has the whole handshake.
fn plain_server() -> u16 {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("its address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || -> std::io::Result<()> {
                let (mut stream, mut hello) = (stream?, [0; 1_537]);
                stream.read_exact(&mut hello)?;
                stream.write_all(&[3])?;
                stream.write_all(&[0; 2 * 1_536])?;
                stream.read_exact(&mut hello)
            });
        }
    });
    port
}

#[test]
fn a_port_that_speaks_plain_rtmp_is_named() {
    let url = format!("check --url rtmps://127.0.0.1:{}/live --key-file key", plain_server());
    fails(&url, 6, &["speaks plain RTMP and no TLS", "rtmps:// address", "allow_plain"]);
}

#[test]
fn plain_rtmp_is_refused_unless_it_is_allowed() {
    let url = "check --url rtmp://127.0.0.1:1/live --key-file key";
    fails(url, 3, &["unencrypted", "allow_plain"]);
    fails(&format!("{url} --allow-plain"), 5, &["refuses connections"]);
}

#[test]
fn a_file_that_is_no_flv_is_named() {
    let url = "--url rtmps://127.0.0.1:1/live --key-file key";
    fails(&format!("push not-flv.flv {url}"), 3, &["not-flv.flv"]);
    fails(&format!("push missing.flv {url}"), 3, &["missing.flv", "cannot be read"]);
}

#[test]
fn a_box_whose_settings_have_a_mistake_runs_without_them_and_says_so_wherever_it_is_asked() {
    let folder = Folder::new("failures");
    let (file, credentials) = (folder.path().join("none.toml"), folder.path().join("credentials"));
    fs::write(file, "version = 1\n[box]\nname = \"stage\"\n[video]\nfpps = 30\n").unwrap();
    fs::create_dir(&credentials).unwrap();
    fs::write(credentials.join("key.hall"), "canary two words\n").unwrap();
    let credentials = credentials.to_str().expect("a plain path").to_owned();
    let mut appliance = Appliance::start_in(folder, &[("CREDENTIALS_DIRECTORY", &credentials)]);
    let words = ["none.toml:5:1: video.fpps: does not exist; did you mean fps?", "key.hall: "];
    let status = appliance.ctl("status").stdout;
    let json = appliance.ctl("--json status").stdout;
    appliance.types("mode machine\r", "\r\n\r\n");
    let machine = appliance.types("status\r", "\r\n\r\n");
    appliance.types("mode text\r", "firstmile (needs setup)> ");
    let log = appliance.log();
    for word in words {
        assert!(
            status.lines().any(|l| l.starts_with("settings  ") && l.contains(word)),
            "{status}"
        );
        assert!(json.contains(word), "{json}");
        assert!(machine.contains(word), "{machine}");
        assert!(log.lines().any(|l| l.contains("ERROR") && l.contains(word)), "{log}");
        assert!(![&status, &json, &machine, &log].iter().any(|output| output.contains("canary")));
    }
    appliance.types("set video.fps 25\r", "video.fps is set");
    assert!(!appliance.ctl("show box.name").stdout.contains("stage"), "nothing of the file holds");
}

#[test]
fn a_box_whose_stored_settings_are_damaged_says_so_until_a_factory_reset_has_repaired_it() {
    let folder = Folder::new("failures");
    let state = folder.path().join("state");
    DirBuilder::new().mode(0o700).create(&state).unwrap();
    for copy in ["settings.a", "settings.b"] {
        fs::write(state.join(copy), [0; 64]).unwrap();
    }
    let mut appliance = Appliance::start_in(folder, &[]);
    let is_reported = |status: &str| {
        status.lines().any(|l| l.starts_with("settings  ") && l.contains("factory reset"))
    };
    let status = appliance.ctl("status").stdout;
    assert!(is_reported(&status), "{status}");
    appliance.types("factory-reset yes\r", "erased");
    let status = appliance.ctl("status").stdout;
    assert!(!is_reported(&status), "{status}");
    appliance.end();
}

#[test]
fn a_box_that_ends_before_it_has_answered_is_no_success() {
    let folder = Folder::new("failures");
    let socket = folder.path().join("control");
    let listener = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
    let ends = std::thread::spawn(move || drop(listener.accept()));
    let socket = socket.to_str().expect("a plain path");
    let arguments = format!("ctl --socket {socket} set box.name hall");
    let ended = firstmile_ends(folder.path(), &arguments);
    ends.join().expect("no panic");
    assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
}

/// The program, with its standard output to nobody who reads.
fn to(output: impl Into<Stdio>, arguments: &str) -> (Option<i32>, String) {
    let folder = Folder::new("unread");
    let mut command = firstmile(folder.path(), arguments);
    let child = command.stdin(Stdio::null()).stdout(output).stderr(Stdio::piped());
    let ended = child.spawn().and_then(Child::wait_with_output).expect("it ends");
    (ended.status.code(), String::from_utf8_lossy(&ended.stderr).into_owned())
}

#[test]
fn half_an_answer_is_no_success() {
    let full = || fs::OpenOptions::new().write(true).open("/dev/full").expect("it is there");
    let gone = || io::pipe().expect("a pipe").1;
    for arguments in ["board list", "board template", "devices --json"] {
        // As of any program that SIGPIPE ends.
        assert_eq!(to(gone(), arguments), (Some(141), String::new()), "{arguments}");
        let (code, message) = to(full(), arguments);
        assert_eq!(code, Some(1), "{arguments}: {message}");
        assert!(message.contains("standard output cannot be written"), "{arguments}: {message}");
    }
    // What it ends with is more than that nobody read it.
    let (code, message) = to(gone(), "check --url rtmps://127.0.0.1:1/live --key-file missing");
    assert_eq!((code, message.lines().count()), (Some(3), 1), "{message}");
}

#[test]
fn half_an_answer_of_the_box_is_no_success() {
    let appliance = Appliance::start(&[]);
    for format in ["", "--json "] {
        let mut command = firstmile(appliance.folder.path(), &format!("ctl {format}help"));
        command.env("RUNTIME_DIRECTORY", appliance.folder.path());
        let gone = io::pipe().expect("a pipe").1;
        let status = command.stdout(gone).status().expect("it ends");
        assert_eq!(status.code(), Some(141), "{format}");
    }
}
