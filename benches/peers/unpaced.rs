//! As fast as the server takes it: what a gigabyte costs, and whether all of it arrives.

use std::time::Duration;

use super::clients::{Client, Site};
use super::goals::{Goals, Spread, line};
use super::material::{Material, ROUNDS};
use super::measure::{Usage, measured, read};
use super::support::run;

const CLIENTS: [Client; 4] = [Client::Push, Client::Floor, Client::Ffmpeg, Client::Gstreamer];
const TIMEOUT: Duration = Duration::from_secs(120);
const MB: f64 = 1e6;

struct Run {
    usage: Usage,
    seconds_per_gb: f64,
    lost_bytes: u64,
}

pub fn compare(material: &Material, runs: usize, goals: &mut Goals) {
    let site = Site::open();
    let (units, payload) = material.access_units();
    let (units, payload) = (units * ROUNDS, payload * ROUNDS);
    println!(
        "\nUnpaced, rtmps (TLS 1.3, AES-256-GCM), {:.0} MB in {units} access units; median \
         (least-most) of {runs} runs in turn, after one that is not counted",
        payload as f64 / MB
    );
    let mut all: [Vec<Run>; 4] = Default::default();
    for round in 0..=runs {
        for (client, done) in CLIENTS.iter().zip(&mut all) {
            let run = push(&site, material, *client, payload);
            if round > 0 {
                done.push(run);
            }
        }
    }
    line(&["", "CPU s/GB", "x floor", "peak MB", "switches", "lost bytes, most"]);
    let cost = |runs: &[Run]| Spread::of(runs.iter().map(|run| run.seconds_per_gb));
    let floor = cost(&all[1]).median;
    for (client, runs) in CLIENTS.iter().zip(&all) {
        let used = |what: fn(&Usage) -> u64| {
            Spread::of(runs.iter().map(|run| what(&run.usage) as f64)).median
        };
        let lost = runs.iter().map(|run| run.lost_bytes).max().unwrap_or(0);
        line(&[
            client.name(),
            &cost(runs).to_string(),
            &format!("{:.2}", cost(runs).median / floor),
            &format!("{:.1}", used(|usage| usage.peak_bytes) / MB),
            &format!("{:.0}", used(|usage| usage.voluntary_switches + usage.involuntary_switches)),
            &lost.to_string(),
        ]);
    }
    let [ours, floor, ffmpeg, gstreamer] = all.each_ref().map(|runs| cost(runs).median);
    goals.at_most("unpaced: CPU per GB of push, of the floor's", ours / floor, 1.25);
    goals.at_most("unpaced: CPU per GB of push, of ffmpeg's", ours / ffmpeg, 0.40);
    goals.at_most("unpaced: CPU per GB of push, of rtmp2sink's", ours / gstreamer, 0.15);
    let peak = all[0].iter().map(|run| run.usage.peak_bytes).max().unwrap_or(0);
    goals.at_most("unpaced: peak memory of push, MiB", peak as f64 / 1_048_576.0, 10.0);
    let lost: u64 = all[0].iter().map(|run| run.lost_bytes).sum();
    goals.at_most("unpaced: bytes of push that the server did not get", lost as f64, 0.0);
}

fn push(site: &Site, material: &Material, client: Client, payload: u64) -> Run {
    let report = site.folder.path().join("used");
    let mut command = measured(&client.unpaced(site, material), &report);
    let ended = run(&mut command, TIMEOUT);
    if !ended.status.success() {
        eprintln!("{} did not end well: {}", client.name(), ended.stderr.trim());
    }
    let taken = site.drain.next(Duration::from_secs(10)).unwrap_or_default();
    let usage = read(&report);
    Run {
        usage,
        seconds_per_gb: usage.cpu_s / (payload as f64 / 1e9),
        lost_bytes: payload.saturating_sub(taken.payload_bytes),
    }
}
