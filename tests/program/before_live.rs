//! What the real program answers before anybody is live, and that it lets go of what it held for that.

use std::time::Duration;

use crate::support::appliance::Appliance;
use crate::support::ingest::Ingest;
use crate::support::{Folder, eventually, has_or_skip, one_at_a_time, probe};
use firstmile::limits::STANDBY_FOR;

const KEY: &str = "right-k3y-0123456789";

/// A box with a destination, its server, and the server's folder.
fn ready_box() -> (Appliance, Ingest, Folder) {
    let folder = Folder::new("ingest");
    let server = Ingest::start(folder.path(), KEY);
    let appliance = Appliance::start(&[]);
    let stick = format!(
        "version = 1\n[[destination]]\nname = \"tube\"\nurl = \"{}\"\nkey = \"{KEY}\"\nca_file = \"{}\"\n",
        server.url(),
        server.ca_file.display()
    );
    appliance.stick(&stick).0.ok();
    appliance.until_status("ready");
    (appliance, server, folder)
}

/// Open descriptors and threads of the program.
fn held(appliance: &Appliance) -> (usize, usize) {
    let count = |what: &str| {
        let folder = format!("/proc/{}/{what}", appliance.child.id());
        std::fs::read_dir(folder).expect("it runs").count()
    };
    (count("fd"), count("task"))
}

#[test]
fn levels_are_answered_before_the_broadcast_and_what_was_held_for_that_is_let_go() {
    let _turn = one_at_a_time();
    let (mut appliance, server, _folder) = ready_box();
    let before = held(&appliance);
    let levels = appliance.ctl("levels").ok().stdout;
    assert!(levels.contains("dBFS (peak "), "{levels}");
    let status = appliance.until_status("ready");
    assert!(!status.contains("encoder"), "nothing is encoded: {status}");
    let (descriptors, threads) = held(&appliance);
    assert!(descriptors > before.0 && threads > before.1, "the capture runs");
    let levels = appliance.ctl("--json levels").ok().stdout;
    let levels: serde_json::Value = serde_json::from_str(&levels).expect("JSON");
    assert_eq!(levels["reply"], "levels");
    assert!(levels["channels"][0]["peak_dbfs"].is_number(), "{levels}");
    let reply = appliance.types("mode machine\rlevels watch\r", "EVENT\r\nreply: measured\r\n");
    assert!(reply.contains("ACK\r\nreply: text\r\nlines.1: the levels are shown"), "{reply}");
    appliance.types("levels watch\r", "no longer shown");

    // Threads of the blocking pool end a while later.
    let let_go = eventually(STANDBY_FOR + Duration::from_secs(30), || {
        let (descriptors, threads) = held(&appliance);
        (descriptors <= before.0 && threads <= before.1 + 1).then_some(())
    });
    assert!(let_go.is_some(), "{before:?} before, {:?} after", held(&appliance));
    assert!(server.reports().is_empty(), "nothing went on air");
    appliance.end();
}

#[test]
fn a_broadcast_from_standby_begins_with_itself() {
    let _turn = one_at_a_time();
    if !has_or_skip(&["ffprobe"]) {
        return;
    }
    let (mut appliance, server, _folder) = ready_box();
    appliance.ctl("levels").ok();
    std::thread::sleep(Duration::from_secs(2));
    appliance.press();
    appliance.until_status("live");
    std::thread::sleep(Duration::from_secs(2));
    assert!(appliance.ctl("levels").ok().stdout.contains("dBFS"), "on air as well");
    appliance.ctl("stop").ok();
    appliance.until_status("ready");
    let packets = probe::packets(&server.reports()[0].file);
    assert!(packets.in_order && packets.first_is_key, "{packets:?}");
    assert!(packets.start_offset_ms.abs() < 100.0, "{packets:?}");
    assert!(packets.end_offset_ms.abs() < 200.0, "{packets:?}");
    appliance.end();
}
