//! How long it takes from the request to go live until the server has acknowledged the stream's first frames.
//!
//! The box itself, with x264 at 720p, and a real server behind TLS on the loopback: nginx acknowledges each 10,000 bytes, as
//! it is asked to, so an acknowledgement means that the key frame arrives. Once with the devices closed before, once from
//! standby.
#![allow(missing_docs)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use support::appliance::Appliance;
use support::nginx::nginx_or_skip;
use support::pki::{Flaw, Pki};

/// How often, cold and warm: the 99th of a hundred is a value that was seen.
const TIMES: usize = 100;
const GOAL_MEDIAN_MS: f64 = 150.0;
const GOAL_99TH_MS: f64 = 300.0;
const PATIENCE: Duration = Duration::from_secs(30);
/// Long enough for the broadcast before to be over at the server too.
const PAUSE: Duration = Duration::from_millis(300);

fn main() -> ExitCode {
    let pki = Pki::new();
    let Some(nginx) = nginx_or_skip(&pki.identity(&["localhost"], Flaw::None)) else {
        return ExitCode::SUCCESS;
    };
    let mut appliance = Appliance::start(&[]);
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
    let changes = changes_of(&appliance);
    let cold = measured(&appliance, &changes, "cold");
    appliance.ctl("set box.standby true").ok();
    appliance.ctl("levels").ok();
    let warm = measured(&appliance, &changes, "warm");
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

/// When the box became what.
type Changes = Receiver<(Instant, String)>;

/// The box's changes of state, with the instant at which each was reported.
fn changes_of(appliance: &Appliance) -> Changes {
    let mut socket = connected(appliance);
    socket.write_all(b"watch\n\n").expect("it listens");
    let (changes_tx, changes) = channel();
    thread::spawn(move || {
        for line in BufReader::new(socket).lines().map_while(Result::ok) {
            let at = Instant::now();
            let event: serde_json::Value = serde_json::from_str(&line).expect("JSON");
            let data = &event["data"];
            if data["of"] == "box"
                && let Some(to) = data["to"].as_str()
            {
                let _ = changes_tx.send((at, to.to_owned()));
            }
        }
    });
    changes
}

fn connected(appliance: &Appliance) -> UnixStream {
    UnixStream::connect(appliance.folder.path().join("control")).expect("its socket")
}

fn measured(appliance: &Appliance, changes: &Changes, what: &str) -> Measured {
    let mut took_ms: Vec<f64> = (0..TIMES).map(|_| once(appliance, changes)).collect();
    took_ms.sort_by(f64::total_cmp);
    let (median, of_99, most) = (took_ms[TIMES / 2], took_ms[TIMES - 2], took_ms[TIMES - 1]);
    println!("{what:6} {median:7.0} {of_99:7.0} {most:7.0}");
    Measured { median, of_99 }
}

fn once(appliance: &Appliance, changes: &Changes) -> f64 {
    let mut socket = connected(appliance);
    let asked = Instant::now();
    socket.write_all(b"live\n\n").expect("it listens");
    let live = until(changes, "live");
    thread::sleep(PAUSE);
    appliance.ctl("stop").ok();
    until(changes, "ready");
    thread::sleep(PAUSE);
    (live - asked).as_secs_f64() * 1_000.0
}

fn until(changes: &Changes, state: &str) -> Instant {
    loop {
        let (at, to) = changes.recv_timeout(PATIENCE).expect("it becomes so");
        if to == state {
            return at;
        }
    }
}
