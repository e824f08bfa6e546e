//! How long it takes from the request to go live until the server has acknowledged the stream's first frames.
//!
//! The box itself, with x264 at 720p, and a real server behind TLS on the loopback: nginx acknowledges each 10,000 bytes, as
//! it is asked to, so an acknowledgement means that the key frame arrives. Once with the devices closed before, once from
//! standby.
#![allow(missing_docs)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use support::appliance::Appliance;
use support::nginx::nginx_or_skip;
use support::pki::{Flaw, Pki};

/// How often, cold and warm: the 99th of a hundred is a value that was seen.
const TIMES: usize = 100;
const GOAL_MEDIAN_MS: f64 = 150.0;
const GOAL_99TH_MS: f64 = 300.0;
const DAY_MS: f64 = 86_400_000.0;
/// Long enough for the broadcast before to be over at the server too.
const PAUSE: Duration = Duration::from_millis(300);

fn main() -> ExitCode {
    let pki = Pki::new();
    let Some(nginx) = nginx_or_skip(&pki.identity(&["localhost"], Flaw::None)) else {
        return ExitCode::SUCCESS;
    };
    let mut appliance = Appliance::start(&[("FIRSTMILE_LOG", "debug")]);
    let stick = format!(
        "version = 1\n[video]\nwidth = 1280\nheight = 720\nfps = 30\nbitrate_kbps = 2500\n\
         [[destination]]\nname = \"here\"\nurl = \"{}\"\nkey = \"a-k3y-0123456789\"\nca_file = \"{}\"\n",
        nginx.rtmps_url("localhost"),
        pki.ca_file().display()
    );
    appliance.stick(&stick).0.ok();
    appliance.until_status("ready");
    println!("from the request to go live until the server acknowledged, ms; {TIMES} times each");
    println!("        median    99th     max");
    let cold = measured(&appliance, "cold");
    appliance.ctl("set box.standby true").ok();
    appliance.ctl("levels").ok();
    let warm = measured(&appliance, "warm");
    appliance.end();
    let met = warm.median <= GOAL_MEDIAN_MS && warm.of_99 <= GOAL_99TH_MS;
    println!(
        "goals: warm, median {GOAL_MEDIAN_MS}, 99th {GOAL_99TH_MS}: {}; cold {:.1} times as long",
        if met { "met" } else { "missed" },
        cold.median / warm.median
    );
    if met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

struct Measured {
    median: f64,
    of_99: f64,
}

fn measured(appliance: &Appliance, what: &str) -> Measured {
    let mut took_ms: Vec<f64> = (0..TIMES).map(|_| once(appliance)).collect();
    took_ms.sort_by(f64::total_cmp);
    let (median, of_99, most) = (took_ms[TIMES / 2], took_ms[TIMES - 2], took_ms[TIMES - 1]);
    println!("{what:6} {median:7.0} {of_99:7.0} {most:7.0}");
    Measured { median, of_99 }
}

fn once(appliance: &Appliance) -> f64 {
    let before = appliance.log().len();
    let path = appliance.folder.path().join("control");
    let mut socket = UnixStream::connect(path).expect("its socket");
    let asked = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock that is set");
    socket.write_all(b"live\n\n").expect("it listens");
    appliance.until_status("live");
    appliance.ctl("stop").ok();
    appliance.until_status("ready");
    thread::sleep(PAUSE);
    let log = appliance.log();
    // Of what is logged at this level nothing is left out, however often it comes.
    let words = "has acknowledged media";
    let line = log[before..].lines().find(|line| line.contains(words));
    let acknowledged_ms =
        time_of_day_ms(line.unwrap_or_else(|| panic!("no {words:?}: {}", &log[before..])));
    (acknowledged_ms - asked.as_secs_f64() * 1_000.0).rem_euclid(DAY_MS)
}

/// When a line was logged, as in `2026-01-02T03:04:05.678901Z`.
fn time_of_day_ms(line: &str) -> f64 {
    let time = line.split_once('T').and_then(|(_, time)| time.split_once('Z')).expect("a time").0;
    let parts = time.split(':').map(|part| part.parse::<f64>().expect("a number"));
    parts.fold(0.0, |sum, part| sum * 60.0 + part) * 1_000.0
}
