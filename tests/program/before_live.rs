//! What the real program answers before anybody is live, and that it lets go of what it held for that.

use std::process::Command;
use std::time::Duration;

use crate::support::appliance::Appliance;
use crate::support::ingest::Ingest;
use crate::support::product::firstmile;
use crate::support::{Folder, eventually, has_or_skip, one_at_a_time, probe};
use firstmile::limits::STANDBY_FOR;

const KEY: &str = "right-k3y-0123456789";

/// A box with a destination, its server, and the server's folder.
fn ready_box() -> (Appliance, Ingest, Folder) {
    let folder = Folder::new("ingest");
    let server = Ingest::start(folder.path(), KEY);
    let appliance = Appliance::start(&[]);
    appliance.stick(&server.settings(KEY)).0.ok();
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

/// A frame as the box gives it, decoded: rows of red, green and blue.
fn decoded(appliance: &Appliance, command: &str) -> (Vec<u8>, Vec<u8>) {
    let folder = appliance.folder.path();
    let mut ctl = firstmile(folder, command);
    let given = ctl.env("RUNTIME_DIRECTORY", folder).output().expect("it ends");
    assert!(given.status.success(), "{}", String::from_utf8_lossy(&given.stderr));
    let file = folder.join("frame.jpg");
    std::fs::write(&file, &given.stdout).expect("a file");
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-i"]).arg(&file);
    let raw = ffmpeg.args(["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]).output().expect("runs");
    assert!(raw.status.success(), "{}", String::from_utf8_lossy(&raw.stderr));
    (given.stdout, raw.stdout)
}

/// The seven bars of the test pattern, at 75 %.
const BARS: [[u8; 3]; 7] = [
    [191, 191, 191],
    [191, 191, 0],
    [0, 191, 191],
    [0, 191, 0],
    [191, 0, 191],
    [191, 0, 0],
    [0, 0, 191],
];

/// Fails unless a frame shows the bars, or shows them upside down.
#[track_caller]
fn assert_bars(what: &str, pixels: &[u8], [width, height]: [usize; 2], upside_down: bool) {
    for (number, bar) in BARS.iter().enumerate() {
        // Below the clock, and above the noise.
        let (x, y) = (width * (2 * number + 1) / 14, height * 9 / 16);
        let (x, y) = if upside_down { (width - 1 - x, height - 1 - y) } else { (x, y) };
        let at = 3 * (y * width + x);
        let found = &pixels[at..at + 3];
        let off = found.iter().zip(bar).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(off.is_some_and(|off| off <= 14), "{what}: {found:?} instead of {bar:?}");
    }
}

#[test]
fn a_frame_is_a_jpeg_of_what_viewers_would_get_before_the_broadcast() {
    let _turn = one_at_a_time();
    if !has_or_skip(&["ffmpeg"]) {
        return;
    }
    let (mut appliance, server, _folder) = ready_box();
    for (command, width, height) in
        [("ctl picture", 320, 180), ("ctl picture 160", 160, 90), ("ctl picture 640 90", 320, 180)]
    {
        let (jpeg, pixels) = decoded(&appliance, command);
        assert!(jpeg.starts_with(&[0xff, 0xd8]), "{command}");
        assert_eq!(pixels.len(), 3 * width * height, "{command}");
        assert_bars(command, &pixels, [width, height], false);
    }
    let refused = appliance.ctl("picture 5000");
    assert_eq!(refused.status.code(), Some(2), "{}", refused.stderr);
    let json = appliance.ctl("--json picture 160 20").ok().stdout;
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&json["reply"], &json["width"]), (&"picture".into(), &160.into()));
    let lines = json["base64"].as_array().expect("lines");
    assert!(lines.iter().all(|line| line.as_str().is_some_and(|line| line.len() <= 76)));
    assert!(appliance.types("picture\r", "a terminal cannot show it").contains("error"));
    let block = appliance.types("mode machine\rpicture 160 10\r", "width: 160\r\n");
    assert!(block.contains("reply: picture\r\n") && block.contains("base64.1: /9j/"), "{block}");
    assert!(server.reports().is_empty(), "nothing went on air");
    appliance.end();
}

#[test]
fn a_box_that_holds_its_devices_all_the_time_is_not_live_by_that() {
    let _turn = one_at_a_time();
    let (mut appliance, server, _folder) = ready_box();
    let before = held(&appliance);
    appliance.ctl("set box.standby true").ok();
    let holds = || (held(&appliance).1 > before.1 + 1).then_some(());
    assert!(eventually(Duration::from_secs(20), holds).is_some(), "nothing is held");
    appliance.until_status("ready");
    appliance.press();
    appliance.until_status("live");
    appliance.ctl("stop").ok();
    appliance.until_status("ready");
    assert_eq!(server.reports().len(), 1);
    appliance.end();
}

#[test]
fn the_video_is_turned_as_it_is_set_before_the_broadcast_and_on_air() {
    let _turn = one_at_a_time();
    if !has_or_skip(&["ffmpeg"]) {
        return;
    }
    let (mut appliance, server, _folder) = ready_box();
    let shows = |appliance: &Appliance, what: &str, upside_down: bool| {
        let (_, pixels) = decoded(appliance, "ctl picture 320 95");
        assert_eq!(pixels.len(), 3 * 320 * 180, "{what}");
        assert_bars(what, &pixels, [320, 180], upside_down);
    };
    shows(&appliance, "as it is", false);
    appliance.ctl("set video.rotate 180").ok();
    shows(&appliance, "in standby", true);
    appliance.press();
    appliance.until_status("live");
    shows(&appliance, "on air", true);
    appliance.ctl("set video.rotate 0").ok();
    shows(&appliance, "turned back on air", false);
    let refused = appliance.ctl("set video.rotate 45");
    assert!(!refused.status.success(), "{}", refused.stdout);
    let message = refused.stderr + &refused.stdout;
    assert!(message.contains("must be a multiple of 90 from 0 to 270 (degrees)"), "{message}");
    appliance.ctl("stop").ok();
    appliance.until_status("ready");
    assert_eq!(server.reports().len(), 1, "one session");
    appliance.end();
}
