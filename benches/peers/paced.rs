//! At the clip's own pace: what being live costs, and how long a frame is under way.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::clients::{Client, Site};
use super::feed::run_together;
use super::goals::{Goals, Spread, line};
use super::material::Material;
use super::measure::{Usage, measured, read};
use super::support::drain::Taken;
use super::support::find_program;

const CLIENTS: [Client; 7] = [
    Client::Push,
    Client::Floor,
    Client::FedFloor,
    Client::HopFloor,
    Client::Live,
    Client::Ffmpeg,
    Client::Gstreamer,
];

pub fn compare(material: &Material, runs: usize, goals: &mut Goals) {
    println!(
        "\nPaced, rtmps, 6.2 Mbit/s for 24 s, all in parallel; median (least-most) of {runs} \
         runs, after one that is not counted. Delay: from a frame that is there to its whole message \
         at the server"
    );
    let site = Site::open();
    let messages = material.access_units().0 as f64;
    let mut all: [Vec<(Usage, Taken)>; CLIENTS.len()] = Default::default();
    for round in 0..=runs {
        let report = |client: Client| site.folder.path().join(client.name());
        let taken = run_together(&site, material, &CLIENTS, |client| {
            measured(&client.paced(&site, material), &report(client))
        });
        if round > 0 {
            for ((client, taken), done) in CLIENTS.iter().zip(taken).zip(&mut all) {
                done.push((read(&report(*client)), taken));
            }
        }
    }
    line(&["", "CPU ms", "x floor", "peak MB", "waits/message", "delay ms", "p99"]);
    let cost = |runs: &[(Usage, Taken)]| Spread::of(runs.iter().map(|run| run.0.cpu_s * 1e3));
    let delay = |runs: &[(Usage, Taken)], part: f64| {
        Spread::of(runs.iter().filter_map(|run| percentile(&run.1.ages, part)))
    };
    let floor = cost(&all[1]).median;
    for (client, runs) in CLIENTS.iter().zip(&all) {
        let peak = Spread::of(runs.iter().map(|run| run.0.peak_bytes as f64 / 1e6));
        let waits = Spread::of(runs.iter().map(|run| run.0.voluntary_switches as f64 / messages));
        line(&[
            client.name(),
            &cost(runs).to_string(),
            &format!("{:.2}", cost(runs).median / floor),
            &format!("{:.1}", peak.median),
            &format!("{:.2}", waits.median),
            &delay(runs, 0.5).to_string(),
            &delay(runs, 0.99).to_string(),
        ]);
    }
    let [ours, floor, .., ffmpeg, _] = all.each_ref().map(|runs| cost(runs).median);
    goals.at_most("paced: CPU of push, of the floor's", ours / floor, 1.3);
    goals.at_most("paced: CPU of push, of ffmpeg's", ours / ffmpeg, 0.33);
    let peak = all[0].iter().map(|run| run.0.peak_bytes).max().unwrap_or(0);
    goals.at_most("paced: peak memory of push, MiB", peak as f64 / 1_048_576.0, 10.0);
    let [_, _, fed, hop, live, ..] = &all;
    // An encoder must never wait for a destination, so a frame changes threads once. The floor with
    // that hop is what the live path can come near to; the one without shows what the hop costs.
    let ours = cost(live).median / cost(hop).median;
    goals.at_most("paced: CPU of live, of the floor's with a hop", ours, 1.5);
    goals.at_most("paced: median delay of a live frame, ms", delay(live, 0.5).median, 0.5);
    let late = delay(live, 0.99).median / delay(fed, 0.99).median;
    goals.at_most("paced: p99 of that delay, of the floor's", late, 2.0);
}

fn percentile(ages: &[Duration], part: f64) -> Option<f64> {
    let mut sorted = ages.to_vec();
    sorted.sort_unstable();
    let at = (sorted.len() as f64 * part) as usize;
    sorted.get(at).map(|age| age.as_secs_f64() * 1e3)
}

pub fn count_calls(material: &Material, goals: &mut Goals) {
    if find_program("strace").is_none() {
        println!("\nSystem calls: not counted, strace is missing (.ci/setup bench installs it)");
        return;
    }
    println!("\nSystem calls per message, paced, rtmps; one run, start and end included");
    let site = Site::open();
    let messages = material.access_units().0 as f64;
    let log = |client: Client| site.folder.path().join(client.name());
    run_together(&site, material, &CLIENTS, |client| {
        traced(&client.paced(&site, material), &log(client))
    });
    line(&["", "all", "to the socket", "most of them"]);
    let mut of_the_hop = f64::NAN;
    for client in CLIENTS {
        let calls = Calls::read(&log(client));
        let (all, socket) = (calls.all() / messages, calls.socket_writes as f64 / messages);
        line(&[
            client.name(),
            &format!("{all:.2}"),
            &format!("{socket:.2}"),
            &calls.most_of_them(messages),
        ]);
        match client {
            Client::Push => {
                goals.at_most("paced: system calls per message of push", all, 3.0);
                goals.at_most("paced: socket writes per message of push", socket, 1.05);
            }
            Client::HopFloor => of_the_hop = all,
            Client::Live => {
                let more = all - of_the_hop;
                goals.at_most(
                    "paced: calls per message of live beyond those of the hop",
                    more,
                    0.6,
                );
            }
            _ => {}
        }
    }
}

fn traced(command: &Command, log: &Path) -> Command {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-yy", "-s", "0", "-qq", "-e", "signal=none", "-o"]).arg(log);
    strace.arg(command.get_program()).args(command.get_args()).stdout(Stdio::null());
    strace
}

#[derive(Default)]
struct Calls {
    by_name: BTreeMap<String, u64>,
    socket_writes: u64,
}

impl Calls {
    fn read(log: &Path) -> Calls {
        let text = fs::read_to_string(log).unwrap_or_else(|e| panic!("{}: {e}", log.display()));
        let mut calls = Calls::default();
        for line in text.lines() {
            // "1234 writev(9<TCP:[…]>, …) = 77"; a resumed call has been counted where it began.
            let call = line.split_once(' ').map_or("", |(_, call)| call.trim_start());
            let Some((name, arguments)) = call.split_once('(') else { continue };
            if name.starts_with('<') || name.contains(' ') {
                continue;
            }
            *calls.by_name.entry(name.to_owned()).or_default() += 1;
            let writes = matches!(name, "write" | "writev" | "send" | "sendto" | "sendmsg");
            let socket = arguments.split(',').next().is_some_and(|file| file.contains("<TCP"));
            calls.socket_writes += u64::from(writes && socket);
        }
        calls
    }

    fn all(&self) -> f64 {
        self.by_name.values().sum::<u64>() as f64
    }

    fn most_of_them(&self, messages: f64) -> String {
        let mut names: Vec<_> = self.by_name.iter().collect();
        names.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let figure =
            |(name, count): &(&String, &u64)| format!("{name} {:.2}", **count as f64 / messages);
        names.iter().take(4).map(figure).collect::<Vec<_>>().join(", ")
    }
}
