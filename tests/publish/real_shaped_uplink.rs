//! The box goes live to a real server over a link that becomes slow, good again, and is cut.
//!
//! `FIRSTMILE_LONG=1` keeps every state of the link as long as a viewer would call it an evening's
//! trouble. What was measured is printed; asserted is what holds on a busy machine too.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::appliance::Appliance;
use crate::support::nginx::{Nginx, nginx_or_skip};
use crate::support::pki::{Flaw, Pki};
use crate::support::product::firstmile;
use crate::support::shaped::ShapedLink;
use crate::support::{Folder, eventually, has_or_skip, one_at_a_time, probe};
use firstmile::device::control;
use nix::pty::{Winsize, openpty};
use serde_json::Value;

const KEY: &str = "a-k3y-of-nobody";
const SET_KBPS: u64 = 5_000;
const AUDIO_KBPS: u64 = 128;

/// One look at the box.
#[derive(Debug, Clone, Copy)]
struct Look {
    at: Duration,
    is_live: bool,
    target_kbps: u64,
    queue: Duration,
}

struct Rig<'a> {
    ask: Box<dyn Fn() -> Look + 'a>,
    looks: Vec<Look>,
}

impl<'a> Rig<'a> {
    fn new(ask: impl Fn() -> Look + 'a) -> Rig<'a> {
        Rig { ask: Box::new(ask), looks: Vec::new() }
    }

    fn look(&mut self) -> Look {
        let look = (self.ask)();
        if std::env::var_os("FIRSTMILE_TRACE").is_some() {
            eprintln!("{look:?}");
        }
        self.looks.push(look);
        look
    }

    fn watch(&mut self, length: Duration) -> Vec<Look> {
        self.until(length, |_| false);
        let until = self.looks.last().expect("a look").at;
        self.looks.iter().filter(|look| look.at + length >= until).copied().collect()
    }

    /// How long it took until a look was as wanted.
    fn until(&mut self, most: Duration, wanted: impl Fn(&Look) -> bool) -> Option<Duration> {
        let began = Instant::now();
        while began.elapsed() < most {
            if wanted(&self.look()) {
                return Some(began.elapsed());
            }
            thread::sleep(Duration::from_millis(50));
        }
        None
    }
}

fn s(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// How long a state of the link lasts.
fn either(long: u64, short: u64) -> Duration {
    s(if std::env::var_os("FIRSTMILE_LONG").is_some() { long } else { short })
}

/// Live over a link of 6 Mbit/s, which becomes one of 1 Mbit/s, and 6 again, and then none.
fn a_link_turns_slow_and_good_and_is_cut(link: &ShapedLink, rig: &mut Rig<'_>) {
    rig.until(s(40), |look| look.is_live).expect("live");
    let before = rig.watch(either(20, 6));
    eprintln!("6 Mbit/s: target {} kbit/s", before.last().map_or(0, |look| look.target_kbps));

    link.set_kbps(1_000);
    let answered = rig.until(s(10), |look| look.target_kbps + AUDIO_KBPS < 1_000);
    let slow = rig.watch(either(60, 10));
    let queue = slow.iter().map(|look| look.queue).max().unwrap_or_default();
    let mut targets: Vec<u64> = slow.iter().map(|look| look.target_kbps).collect();
    targets.sort_unstable();
    eprintln!(
        "1 Mbit/s: target below it after {answered:?}; then {} to {} kbit/s, median {}; \
         longest queue {queue:?}",
        targets[0],
        targets[targets.len() - 1],
        targets[targets.len() / 2]
    );
    assert!(answered.is_some_and(|after| after <= s(5)), "{answered:?}");
    assert!(queue <= s(2), "{queue:?}");
    assert!(slow.iter().all(|look| look.is_live));

    link.set_kbps(6_000);
    let used = rig.until(s(45), |look| look.target_kbps >= SET_KBPS * 9 / 10);
    let after = rig.watch(either(60, 6));
    let (least, most) = (
        after.iter().map(|look| look.target_kbps).min().unwrap_or(0),
        after.iter().map(|look| look.target_kbps).max().unwrap_or(0),
    );
    eprintln!("6 Mbit/s again: 90 % after {used:?}; then {least} to {most} kbit/s");
    assert!(used.is_some(), "{after:?}");
    let attempts = rig.looks.iter().filter(|look| !look.is_live).count();
    assert!(attempts < rig.looks.len() / 4, "one connection bore it all");

    let cut = either(20, 8);
    link.set_kbps(0);
    let noticed = rig.until(cut, |look| !look.is_live);
    rig.watch(cut.saturating_sub(noticed.unwrap_or_default()));
    link.set_kbps(6_000);
    let back = rig.until(s(30), |look| look.is_live);
    eprintln!("cut for {cut:?}: noticed after {noticed:?}, live {back:?} after its end");
    assert!(noticed.is_some() && back.is_some_and(|after| after <= s(20)), "{noticed:?}, {back:?}");
}

fn assert_the_audio_is_unbroken(nginx: &Nginx) {
    let records = nginx.recorded();
    assert!(records.len() >= 2, "before the cut and after it: {records:?}");
    for record in records {
        let packets = probe::packets(&record);
        eprintln!(
            "{} access units of audio: largest gap {} ms",
            packets.audio, packets.largest_audio_gap_ms
        );
        assert!(packets.first_is_key && packets.in_order, "{packets:?}");
        assert!(packets.largest_audio_gap_ms < 60.0, "the audio is broken: {packets:?}");
    }
}

/// The box's status of its first destination.
fn status_of_first(appliance: &Appliance, at: Duration) -> Look {
    let socket = control::path(appliance.folder.path().to_str());
    let mut answers = control::ask(&socket, "status", None, None).expect("the box answers");
    let status: Value = answers.next().expect("an answer").expect("of JSON").data;
    let destination = &status["destinations"][0];
    let number = |name: &str| destination["stats"][name].as_u64().unwrap_or(0);
    Look {
        at,
        is_live: destination["state"] == "accepted",
        // What the encoder is asked for, at once; its own line in the status is a second old.
        target_kbps: number("target_kbps"),
        queue: Duration::from_millis(number("queue_ms")),
    }
}

/// What the encoder is asked for, in kbit/s, by its own line in the status: a second old.
fn encoder_kbps(appliance: &Appliance) -> u64 {
    let socket = control::path(appliance.folder.path().to_str());
    let mut answers = control::ask(&socket, "status", None, None).expect("the box answers");
    let status: Value = answers.next().expect("an answer").expect("of JSON").data;
    status["encoder"]["target_kbps"].as_u64().unwrap_or(0)
}

/// A server with the authority that vouches for it, and a link of 6 Mbit/s to it.
fn server_behind_a_link_or_skip() -> Option<(Pki, Nginx, ShapedLink)> {
    if !has_or_skip(&["ffprobe"]) {
        return None;
    }
    let pki = Pki::new();
    let nginx = nginx_or_skip(&pki.identity(&["localhost"], Flaw::None))?;
    let link = ShapedLink::to(nginx.rtmps_port, 6_000);
    Some((pki, nginx, link))
}

#[test]
fn real_a_link_that_turns_slow_and_good_and_is_cut_keeps_the_stream_close_to_real_time() {
    let _turn = one_at_a_time();
    let Some((pki, nginx, link)) = server_behind_a_link_or_skip() else { return };
    let appliance = Appliance::start(&[]);
    let settings = format!(
        "version = 1\n[video]\nwidth = 1280\nheight = 720\nfps = 30\nbitrate_kbps = {SET_KBPS}\n\
         [audio]\nbitrate_kbps = {AUDIO_KBPS}\n\
         [[destination]]\nname = \"main\"\nurl = \"rtmps://localhost:{}/live\"\n\
         ca_file = \"{}\"\nkey = \"{KEY}\"\n",
        link.port,
        pki.ca_file().display()
    );
    appliance.stick(&settings).0.ok();
    appliance.ctl("live").ok();
    let began = Instant::now();
    let mut rig = Rig::new(|| status_of_first(&appliance, began.elapsed()));
    a_link_turns_slow_and_good_and_is_cut(&link, &mut rig);
    drop(rig);

    let shown = appliance.ctl("blackbox").ok().stdout;
    assert!(shown.contains("main: accepted -> waiting") && shown.contains(", target "), "{shown}");
    let kept = appliance.state().join("black-box-1.json");
    let black_box = fs::read_to_string(&kept).expect("kept when the stream broke");
    assert!(black_box.contains("accepted -> waiting") && !black_box.contains(KEY), "{black_box}");
    assert_eq!(fs::metadata(&kept).expect("a file").permissions().mode() & 0o777, 0o600);
    appliance.ctl("stop").ok();
    appliance.until_status("ready");
    assert_the_audio_is_unbroken(&nginx);
}

#[test]
fn real_a_stream_that_comes_back_begins_with_what_the_link_carried_before() {
    const CEILING_KBPS: u64 = 4_000;
    const LINK_KBPS: u64 = 1_000;
    let _turn = one_at_a_time();
    let Some((pki, _nginx, link)) = server_behind_a_link_or_skip() else { return };
    link.set_kbps(LINK_KBPS);
    let appliance = Appliance::start(&[]);
    let settings = format!(
        "version = 1\n[video]\nwidth = 640\nheight = 360\nfps = 30\nbitrate_kbps = {CEILING_KBPS}\n\
         [audio]\nbitrate_kbps = {AUDIO_KBPS}\n\
         [[destination]]\nname = \"main\"\nurl = \"rtmps://localhost:{}/live\"\n\
         ca_file = \"{}\"\nkey = \"{KEY}\"\n",
        link.port,
        pki.ca_file().display()
    );
    appliance.stick(&settings).0.ok();
    appliance.ctl("live").ok();
    let began = Instant::now();
    let mut rig = Rig::new(|| status_of_first(&appliance, began.elapsed()));
    rig.until(s(30), |look| look.is_live && look.target_kbps < LINK_KBPS).expect("it gives way");
    rig.until(s(20), |look| look.target_kbps > LINK_KBPS * 6 / 10).expect("it finds the rate");
    let before = rig.watch(s(3)).iter().map(|look| look.target_kbps).max().expect("looks");

    link.set_kbps(0);
    rig.until(s(20), |look| !look.is_live).expect("the cut is noticed");
    let noticed = began.elapsed();
    thread::sleep(s(14)); // with what it took to notice, some 20 s
    let waiting = encoder_kbps(&appliance);
    link.set_kbps(LINK_KBPS);
    let returned = Instant::now();
    let back = rig.until(s(20), |look| look.is_live);
    let after = rig.watch(s(5).saturating_sub(returned.elapsed()).max(s(1)));
    let (most, encoder) =
        (after.iter().map(|look| look.target_kbps).max().unwrap_or(0), encoder_kbps(&appliance));
    eprintln!(
        "before the cut {before} kbit/s; noticed at {noticed:?}; encoded meanwhile {waiting}; \
         live {back:?} after its end, then at most {most}, encoder {encoder}"
    );
    assert!(back.is_some(), "never live again");
    let bound = before.max(LINK_KBPS - AUDIO_KBPS) * 13 / 10;
    assert!(most <= bound && encoder <= bound && waiting <= bound, "bound {bound}");
    appliance.ctl("stop").ok();
    appliance.until_status("ready");
}

/// The drawn demo in a terminal of its own.
struct Drawn {
    demo: Child,
    keys: File,
    screen: Arc<Mutex<String>>,
}

impl Drawn {
    fn start(folder: &Path, arguments: &str) -> Drawn {
        let size = Winsize { ws_row: 40, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };
        let terminal = openpty(Some(&size), None).expect("a terminal");
        let side = || Stdio::from(terminal.slave.try_clone().expect("a second handle"));
        let mut command = firstmile(folder, &format!("demo {arguments}"));
        let demo = command.stdin(side()).stdout(side()).stderr(side()).spawn().expect("starts");
        let keys = File::from(terminal.master);
        let (mut shown, screen) = (keys.try_clone().expect("a second handle"), Arc::default());
        let drawn: Arc<Mutex<String>> = Arc::clone(&screen);
        thread::spawn(move || {
            let mut bytes = [0; 4_096];
            while let Ok(length @ 1..) = shown.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..length]);
                drawn.lock().expect("no panic").push_str(&text);
            }
        });
        Drawn { demo, keys, screen }
    }

    fn press(&mut self, key: &str) {
        self.keys.write_all(key.as_bytes()).expect("the demo reads");
    }

    /// What was drawn last behind a text, up to the next command to the terminal.
    fn last(&self, before: &str) -> Option<String> {
        let screen = self.screen.lock().expect("no panic");
        let (_, behind) = screen[..screen.rfind("\x1b8")?].rsplit_once(before)?;
        behind.split('\x1b').next().map(str::to_owned)
    }

    /// Waits until the front says how the box is.
    fn reach(&self, state: &str) {
        let shown = || self.last("STATUS\x1b[0m     \x1b[1m");
        let reached = eventually(s(40), || shown().filter(|title| title == state));
        assert!(reached.is_some(), "not {state}: {:?}", shown());
    }

    fn look(&self, at: Duration) -> Look {
        let yours = self.last("yours: ").unwrap_or_default();
        let number = |before: &str, after: &str| {
            let number = |part: &str| part.strip_prefix(before)?.strip_suffix(after)?.parse().ok();
            yours.split(", ").find_map(number).unwrap_or(0)
        };
        Look {
            at,
            is_live: yours.contains("acknowledged"),
            target_kbps: number("target ", ""),
            queue: Duration::from_millis(number("", " ms waiting")),
        }
    }
}

impl Drop for Drawn {
    fn drop(&mut self) {
        let _ = self.demo.kill();
        let _ = self.demo.wait();
    }
}

#[test]
fn real_the_demo_bears_the_same_on_the_link_to_its_user_s_server() {
    let _turn = one_at_a_time();
    let Some((pki, nginx, link)) = server_behind_a_link_or_skip() else { return };
    let folder = Folder::new("demo");
    let board = format!(
        "inherit = \"sim.toml\"\ncompatible = [\"firstmile,sim\"]\ndescription = \"test\"\n\
         [video]\nbitrate_kbps = {SET_KBPS}\n"
    );
    fs::write(folder.path().join("board.toml"), board).expect("a profile");
    fs::write(folder.path().join("key"), KEY).expect("a key");
    let mut demo = Drawn::start(
        folder.path(),
        &format!(
            "--board ./board.toml --url rtmps://localhost:{}/live --key-file key --ca-file {}",
            link.port,
            pki.ca_file().display()
        ),
    );
    demo.reach("ready");
    demo.press("g");
    let began = Instant::now();
    a_link_turns_slow_and_good_and_is_cut(&link, &mut Rig::new(|| demo.look(began.elapsed())));

    demo.press("s");
    demo.reach("ready");
    demo.press("q");
    let ended = eventually(s(40), || demo.demo.try_wait().expect("our own child"));
    assert!(ended.is_some_and(|status| status.success()), "{ended:?}");
    assert!(!demo.screen.lock().expect("no panic").contains(KEY));
    assert_the_audio_is_unbroken(&nginx);
}
