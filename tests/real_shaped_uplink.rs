//! The box goes live to a real server over a link that becomes slow, good again, and is cut.
//!
//! `FIRSTMILE_LONG=1` keeps every state of the link as long as a viewer would call it an evening's
//! trouble. What was measured is printed; asserted is what holds on a busy machine too.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::{Duration, Instant};

use firstmile::device::control;
use serde_json::Value;
use support::appliance::Appliance;
use support::nginx::nginx_or_skip;
use support::pki::{Flaw, Pki};
use support::shaped::ShapedLink;
use support::{has_or_skip, one_at_a_time, probe};

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

struct Rig {
    appliance: Appliance,
    began: Instant,
    looks: Vec<Look>,
}

impl Rig {
    fn look(&mut self) -> Look {
        let socket = control::path(self.appliance.folder.path().to_str());
        let mut answers = control::ask(&socket, "status", None).expect("the box answers");
        let status: Value = answers.next().expect("an answer").expect("of JSON").data;
        let destination = &status["destinations"][0];
        let number = |value: &Value| value.as_u64().unwrap_or(0);
        let look = Look {
            at: self.began.elapsed(),
            is_live: destination["state"] == "accepted",
            // What the encoder is asked for, at once; its own line in the status is a second old.
            target_kbps: number(&destination["numbers"]["target_kbps"]),
            queue: Duration::from_millis(number(&destination["numbers"]["queue_ms"])),
        };
        if std::env::var_os("FIRSTMILE_TRACE").is_some() {
            let of = |name: &str| destination["numbers"][name].to_string();
            eprintln!(
                "{:8.3} {:5} kb/s, sent {} acked {} on the way {} queue {} rtt {}",
                look.at.as_secs_f64(),
                look.target_kbps,
                of("sent_kbps"),
                of("acknowledged_kbps"),
                of("unacknowledged_bytes"),
                of("queue_ms"),
                of("rtt_ms"),
            );
        }
        self.looks.push(look);
        look
    }

    fn watch(&mut self, length: Duration) -> Vec<Look> {
        self.until(length, |_| false);
        let from = self.began.elapsed().saturating_sub(length);
        self.looks.iter().filter(|look| look.at >= from).copied().collect()
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

#[test]
fn real_a_link_that_turns_slow_and_good_and_is_cut_keeps_the_stream_close_to_real_time() {
    let _turn = one_at_a_time();
    if !has_or_skip(&["ffprobe"]) {
        return;
    }
    let long = std::env::var_os("FIRSTMILE_LONG").is_some();
    let pki = Pki::new();
    let Some(nginx) = nginx_or_skip(&pki.identity(&["localhost"], Flaw::None)) else { return };
    let link = ShapedLink::to(nginx.rtmps_port, 6_000);
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
    let mut rig = Rig { appliance, began: Instant::now(), looks: Vec::new() };
    rig.appliance.ctl("live").ok();
    rig.until(s(40), |look| look.is_live).expect("live");
    let before = rig.watch(if long { s(20) } else { s(6) });
    eprintln!("6 Mbit/s: target {} kbit/s", before.last().map_or(0, |look| look.target_kbps));

    link.set_kbps(1_000);
    let answered = rig.until(s(10), |look| look.target_kbps + AUDIO_KBPS < 1_000);
    let slow = rig.watch(if long { s(60) } else { s(10) });
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
    assert!(answered.is_some_and(|after| after <= s(4)), "{answered:?}");
    assert!(queue <= s(2), "{queue:?}");
    assert!(slow.iter().all(|look| look.is_live));

    link.set_kbps(6_000);
    let used = rig.until(s(45), |look| look.target_kbps >= SET_KBPS * 9 / 10);
    let after = rig.watch(if long { s(60) } else { s(6) });
    let (least, most) = (
        after.iter().map(|look| look.target_kbps).min().unwrap_or(0),
        after.iter().map(|look| look.target_kbps).max().unwrap_or(0),
    );
    eprintln!("6 Mbit/s again: 90 % after {used:?}; then {least} to {most} kbit/s");
    assert!(used.is_some(), "{after:?}");
    let attempts = rig.looks.iter().filter(|look| !look.is_live).count();
    assert!(attempts < rig.looks.len() / 4, "one connection bore it all");

    let cut = if long { s(20) } else { s(8) };
    link.set_kbps(0);
    let noticed = rig.until(cut, |look| !look.is_live);
    rig.watch(cut.saturating_sub(noticed.unwrap_or_default()));
    link.set_kbps(6_000);
    let back = rig.until(s(30), |look| look.is_live);
    eprintln!("cut for {cut:?}: noticed after {noticed:?}, live {back:?} after its end");
    assert!(noticed.is_some() && back.is_some_and(|after| after <= s(20)), "{noticed:?}, {back:?}");

    let shown = rig.appliance.ctl("blackbox").ok().stdout;
    assert!(shown.contains("main: accepted -> waiting") && shown.contains("can bear"), "{shown}");
    let kept = rig.appliance.state().join("black-box-1.json");
    let told = fs::read_to_string(&kept).expect("kept when the stream broke");
    assert!(told.contains("accepted -> waiting") && !told.contains(KEY), "{told}");
    assert_eq!(fs::metadata(&kept).expect("a file").permissions().mode() & 0o777, 0o600);

    rig.appliance.ctl("stop").ok();
    rig.appliance.until_status("ready");
    for record in nginx.recorded() {
        let packets = probe::packets(&record);
        eprintln!(
            "{}: largest gap of the sound {} ms",
            packets.audio, packets.largest_audio_gap_ms
        );
        assert!(packets.first_is_key && packets.in_order, "{packets:?}");
        assert!(packets.largest_audio_gap_ms < 60.0, "the sound is broken: {packets:?}");
    }
}
