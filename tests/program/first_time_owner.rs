//! What a first-time owner does with a new box, with the real program, a pseudo-terminal and a
//! button.

use std::time::Duration;

use crate::support::appliance::Appliance;
use crate::support::ingest::Ingest;
use crate::support::{Folder, free_port, has_or_skip, one_at_a_time, probe};
use firstmile::device::Folder as StoreFolder;
use firstmile::device::store::Store;

const KEY: &str = "right-k3y-0123456789";

/// A server, and a stick for it.
fn server() -> (Ingest, Folder) {
    let folder = Folder::new("ingest");
    (Ingest::start(folder.path(), KEY), folder)
}

fn stick(server: &Ingest, key: &str) -> String {
    format!(
        "version = 1\r\n[[destination]]\r\nname = \"tube\"\r\nurl = \"{}\"\r\nkey = \"{key}\"\r\nca_file = \"{}\"\r\n",
        server.url(),
        server.ca_file.display()
    )
}

fn assert_received(server: &Ingest) {
    let reports = server.reports();
    assert_eq!(reports.len(), 1, "one broadcast");
    assert!(reports[0].ended, "the box took its leave");
}

#[test]
fn an_empty_box_gets_its_key_over_the_serial_line_and_goes_live() {
    let _turn = one_at_a_time();
    let (server, _folder) = server();
    let mut appliance = Appliance::start(&[]);
    appliance.types("\r", "firstmile (needs setup)> ");
    let url = server.url();
    appliance.types(&format!("destination add tube {url}\r"), "destination.tube.url is set");
    let ca = server.ca_file.display().to_string();
    appliance.types(&format!("set destination.tube.ca_file {ca}\r"), "ca_file is set");
    appliance.types("key tu\t\r", "(not shown): ");
    let reply = appliance.types(&format!("{KEY}\r"), "firstmile (ready)> ");
    assert!(reply.contains("20 characters, tag "), "{reply}");
    appliance.types("live\r", "going live");
    appliance.until_status("live");
    let shown = appliance.types("show destination\r", "destination.tube.enabled");
    assert!(shown.contains("set, 20 characters"), "{shown}");
    appliance.types("stop\r", "ending the broadcast");
    appliance.until_status("ready");
    assert!(!appliance.console_output().contains(KEY), "the key was shown");
    appliance.end();
    assert_received(&server);
}

#[test]
fn an_empty_box_gets_a_stick_and_goes_live_by_its_button_and_again_after_a_power_cut() {
    let _turn = one_at_a_time();
    let (server, _folder) = server();
    let mut appliance = Appliance::start(&[]);
    let (imported, result) = appliance.stick(&stick(&server, KEY));
    imported.ok();
    assert!(result.contains("accepted") && !result.contains(KEY), "{result}");
    appliance.until_status("ready");
    appliance.press();
    appliance.until_status("live");
    // The same stick again ends nothing.
    appliance.stick(&stick(&server, KEY)).0.ok();
    let status = appliance.until_status("live");
    assert!(!status.contains("reconnect"), "{status}");
    appliance.press_for(Duration::from_millis(2_300));
    appliance.until_status("ready");
    assert_received(&server);

    appliance.press();
    appliance.until_status("live");
    appliance.child.kill().expect("the power goes");
    appliance.child.wait().expect("it is gone");
    let folder = std::mem::replace(&mut appliance.folder, Folder::new("nothing"));
    drop(appliance);
    let mut again = Appliance::start_in(folder, &[]);
    again.until_status("live");
    again.press_for(Duration::from_millis(2_300));
    again.until_status("ready");
    again.end();
}

#[test]
fn a_box_that_was_live_stays_off_air_after_a_power_cut_where_its_owner_wants_that() {
    let _turn = one_at_a_time();
    let folder = Folder::new("box");
    let state = folder.path().join("state");
    let store = || Store::new(StoreFolder::open(&state).expect("a folder"));
    let set = |name: &str, value: &str| {
        let changed = store().update(|p| p.set(name, value).map_err(|error| error.to_string()));
        changed.expect("stores");
    };
    set("destination.tube.url", "rtmps://127.0.0.1:1/live");
    set("destination.tube.key", KEY);
    set("box.resume_live", "false");
    store().persist_live(true).expect("stores");
    let mut appliance = Appliance::start_in(folder, &[]);
    appliance.until_status("ready");
    let folder = std::mem::replace(&mut appliance.folder, Folder::new("nothing"));
    appliance.end();
    drop(appliance);
    // What was not taken up then is not taken up later either.
    assert!(!store().was_live());
    set("box.resume_live", "true");
    let mut again = Appliance::start_in(folder, &[]);
    again.until_status("ready");
    again.end();
}

#[test]
fn a_wrong_key_is_reported_and_corrected() {
    let _turn = one_at_a_time();
    let (server, _folder) = server();
    let mut appliance = Appliance::start(&[]);
    appliance.stick(&stick(&server, "wrong-k3y-9876543210")).0.ok();
    appliance.press();
    let status = appliance.until_status("retrying");
    assert!(status.contains("key refused") || status.contains("refuse"), "{status}");
    let reply = appliance.ctl_key("tube", KEY);
    assert!(reply.contains("20 characters"), "{reply}");
    appliance.until_status("live");
    let everything =
        format!("{}{}{}", appliance.log(), appliance.console_output(), appliance.ctl("log").stdout);
    assert!(!everything.contains("k3y-"), "a key was shown:\n{everything}");
    appliance.ctl("stop").ok();
    appliance.until_status("ready");
    appliance.end();
}

#[test]
fn after_a_broadcast_that_reached_nobody_the_next_one_begins_with_itself() {
    let _turn = one_at_a_time();
    if !has_or_skip(&["ffprobe"]) {
        return;
    }
    let (server, _folder) = server();
    let appliance = Appliance::start(&[]);
    appliance.stick(&stick(&server, KEY)).0.ok();
    let url = server.url();
    let nobody = format!("rtmps://127.0.0.1:{}/live", free_port());
    let send_to = |url: &str| {
        appliance.ctl(&format!("set destination.tube.url {url}")).ok();
        let ca = server.ca_file.display();
        appliance.ctl(&format!("set destination.tube.ca_file {ca}")).ok();
        assert!(appliance.ctl_key("tube", KEY).contains("tag "));
    };
    send_to(&nobody);
    appliance.ctl("live").ok();
    appliance.until_status("retrying");
    appliance.until_status_shows("some seconds of it", |status| {
        let encoder = status.lines().find(|line| line.starts_with("encoder"));
        let made = encoder.and_then(|line| line.split_once(" frames by "));
        let made = made.and_then(|(before, _)| before.rsplit(' ').next()?.parse().ok());
        made.is_some_and(|frames: u32| frames > 60)
    });
    appliance.ctl("stop").ok();
    appliance.until_status("ready");

    send_to(&url);
    appliance.ctl("live").ok();
    appliance.until_status("live");
    std::thread::sleep(Duration::from_secs(2));
    appliance.ctl("stop").ok();
    appliance.until_status("ready");
    let packets = probe::packets(&server.reports()[0].file);
    assert!(packets.in_order && packets.first_is_key, "{packets:?}");
    assert!(packets.start_offset_ms.abs() < 100.0, "old audio was sent: {packets:?}");
    assert!(packets.end_offset_ms.abs() < 200.0, "{packets:?}");
}

#[test]
fn a_bitrate_that_is_set_while_the_encoder_is_being_opened_holds_up_to_what_the_board_bears() {
    let _turn = one_at_a_time();
    let (server, _folder) = server();
    let appliance = Appliance::start(&[]);
    appliance.stick(&stick(&server, KEY)).0.ok();
    appliance.ctl("live").ok();
    appliance.ctl("set video.bitrate_kbps 210").ok();
    appliance.until_status_shows("the new bitrate", |status| status.contains(" of 210 kb/s"));

    let reply = appliance.ctl("set video.bitrate_kbps 20000").ok().stdout;
    assert!(reply.contains("limited to 6000 kb/s by this board"), "{reply}");
    appliance.until_status_shows("the board's most", |status| status.contains(" of 6000 kb/s"));
}

#[test]
fn a_destination_is_tried_at_both_of_its_servers_before_anything_goes_on_air() {
    let _turn = one_at_a_time();
    let (server, _folder) = server();
    let appliance = Appliance::start(&[]);
    appliance.stick(&stick(&server, KEY)).0.ok();
    let alone = appliance.ctl("check").ok().stdout;
    assert!(alone.contains("TLS") && alone.contains("server OK; stream key not tested"), "{alone}");

    let nobody = format!("rtmps://127.0.0.1:{}/live", free_port());
    appliance.ctl(&format!("set destination.tube.backup_url {nobody}")).ok();
    // A server elsewhere does not get the key of the one before.
    assert!(appliance.ctl_key("tube", KEY).contains("tag "));
    let both = appliance.ctl("check tube");
    assert!(!both.status.success(), "{}", both.stdout);
    let reply = both.stdout + &both.stderr;
    let (first, backup) = reply.split_once(&nobody).unwrap_or_else(|| panic!("{reply}"));
    assert!(
        first.contains(&server.url()) && first.contains("server OK; stream key not tested"),
        "{reply}"
    );
    assert!(backup.contains("refuses connections") && !reply.contains(KEY), "{reply}");
    assert!(server.reports().is_empty(), "nothing went on air");
}

#[test]
fn a_factory_reset_forgets_everything() {
    let mut appliance = Appliance::start(&[]);
    let (server, _folder) = server();
    appliance.stick(&stick(&server, KEY)).0.ok();
    appliance.until_status("ready");
    appliance.types("factory-reset\r", "factory-reset yes");
    appliance.types("factory-reset yes\r", "all settings and keys are erased");
    appliance.until_status("needs setup");
    for file in std::fs::read_dir(appliance.state()).expect("its folder").flatten() {
        let bytes = std::fs::read(file.path()).expect("reads");
        assert!(!String::from_utf8_lossy(&bytes).contains(KEY), "{file:?} still holds the key");
    }
    appliance.end();
}

#[test]
fn a_program_at_the_serial_line_reads_blocks() {
    let mut appliance = Appliance::start(&[]);
    let reply = appliance.types("mode machine\r", "\r\n\r\n");
    assert!(reply.contains("ACK\r\nreply: mode\r\nmode: machine\r\nversion: 3\r\n"), "{reply}");
    let reply = appliance.types("status\r", "\r\n\r\n");
    assert!(reply.starts_with("ACK\r\nreply: status\r\n"), "no echo, no prompt: {reply:?}");
    assert!(reply.contains("\r\nmode: needs_setup\r\n"), "{reply}");
    let reply = appliance.types("nonsense\r", "\r\n\r\n");
    assert!(reply.starts_with("NACK\r\nreply: error\r\n"), "{reply:?}");
    appliance.types("mode text\r", "firstmile (needs setup)> ");
    appliance.end();
}

/// Sockets of all processes that wait for connections or datagrams, by inode: what `ss -lntu` shows.
fn open_doors() -> Vec<String> {
    let of = |table: &str, states: &[&str]| -> Vec<String> {
        let text = std::fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
        let rows = text.lines().skip(1).map(|row| row.split_whitespace().collect::<Vec<_>>());
        rows.filter(|row| row.get(3).is_some_and(|state| states.contains(state)))
            .filter_map(|row| row.get(9).map(|inode| (*inode).to_owned()))
            .collect()
    };
    // 0A is LISTEN; a datagram socket takes what comes in 07 (unconnected).
    [of("tcp", &["0A"]), of("tcp6", &["0A"]), of("udp", &["07"]), of("udp6", &["07"])].concat()
}

#[test]
fn an_idle_box_opens_no_door_and_sleeps() {
    let _turn = one_at_a_time();
    let mut appliance = Appliance::start(&[]);
    let pid = appliance.child.id();
    let sockets = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("its files").flatten();
    let sockets: Vec<String> = sockets
        .filter_map(|fd| Some(std::fs::read_link(fd.path()).ok()?.to_str()?.to_owned()))
        .filter_map(|name| Some(name.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    assert!(!sockets.is_empty(), "the control socket is one");
    let doors = open_doors();
    assert!(sockets.iter().all(|socket| !doors.contains(socket)), "{sockets:?} in {doors:?}");

    let woken = appliance.wake_ups(Duration::from_secs(10));
    assert!(woken <= 100, "{woken} times in 10 s");
    appliance.end();
}

#[test]
fn the_socket_is_its_owner_s_and_what_is_refused_has_an_exit_code() {
    use std::os::unix::fs::PermissionsExt;
    let mut appliance = Appliance::start(&[]);
    let socket = appliance.folder.path().join("control");
    let mode = std::fs::metadata(socket).expect("the socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(appliance.ctl("live").status.code(), Some(1), "needs setup");
    assert_eq!(appliance.ctl("frobnicate").status.code(), Some(2), "no command");
    let about = appliance.ctl("--json about").ok().stdout;
    let about: serde_json::Value = serde_json::from_str(&about).expect("JSON");
    assert_eq!(about["product"], "firstmile");
    appliance.end();
    assert_eq!(appliance.ctl("status").status.code(), Some(9), "nobody is there");
}

#[test]
fn clients_that_do_not_read_or_never_finish_hold_nobody_up() {
    use std::io::Write;
    use std::os::unix::net::UnixStream;
    let mut appliance = Appliance::start(&[]);
    let socket = appliance.folder.path().join("control");
    let connect = || UnixStream::connect(&socket).expect("connects");
    let mut idle: Vec<UnixStream> = (0..8).map(|_| connect()).collect();
    for stream in &mut idle {
        let _ = stream.write_all(b"sta");
    }
    // The serial line answers all the while, and the socket again when they are cut off.
    appliance.types("about\r", "firstmile 0.");
    appliance.until_status("needs setup");
    appliance.end();
}
