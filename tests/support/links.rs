//! The uplinks of the table, each with what it stands for.

use std::time::Duration;

use super::world::link::Uplink;
use super::world::{ms, secs};

pub struct Row {
    pub name: &'static str,
    pub uplink: Uplink,
    pub length: Duration,
    /// When the worst is over, for the time to recover.
    pub relief: Option<Duration>,
}

fn row(name: &'static str, uplink: Uplink) -> Row {
    Row { name, uplink, length: secs(180), relief: None }
}

fn trace(steps: impl IntoIterator<Item = (Duration, u64)>) -> Uplink {
    let mut uplink = Uplink::steady(6_000);
    uplink.rate_kbps = steps.into_iter().collect();
    uplink
}

pub fn rows() -> Vec<Row> {
    vec![
        row("steady-8M", Uplink::steady(8_000)),
        row("steady-4M", Uplink::steady(4_000)),
        row("steady-1M", Uplink::steady(1_000)),
        step(),
        row("sawtooth", sawtooth()),
        row("mobile", mobile(7)),
        row("mobile-2", mobile(11)),
        outages(),
        stalls(),
        bufferbloat(),
        row("lossy", lossy()),
    ]
}

/// 6 Mbit/s, then 1 for 40 s, then 6 again, behind a queue of 200 ms at 6 Mbit/s.
fn step() -> Row {
    let uplink = trace([(secs(0), 6_000), (secs(40), 1_000), (secs(80), 6_000)]);
    Row { relief: Some(secs(80)), ..row("step-6-1-6", uplink) }
}

/// Down and up again between 8 and 1 Mbit/s, in 40 s.
fn sawtooth() -> Uplink {
    let height = |t: u64| if t < 20 { 8_000 - t * 350 } else { 1_000 + (t - 20) * 350 };
    Uplink { period: Some(secs(40)), ..trace((0..40).map(|t| (secs(t), height(t)))) }
}

/// A phone network on the move, made up: each second the rate goes a random part of the way
/// towards a new one around 4 Mbit/s (log-normal, a factor of two either way), between 0.4 and 12
/// Mbit/s. Every 20 s or so a handover holds everything back for 0.3 to 1.5 s. 30 ms each way,
/// up to 15 ms of jitter, a deep queue of 400 KB.
fn mobile(seed: u64) -> Uplink {
    let mut rng = fastrand::Rng::with_seed(seed);
    let (mut steps, mut rate) = (Vec::new(), 4_000.0_f64);
    for t in 0..180 {
        let normal: f64 = (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0;
        rate = rate.powf(0.75) * (4_000.0 * (0.7 * normal).exp()).powf(0.25);
        let kbps = (rate as u64).clamp(400, 12_000);
        steps.push((secs(t), kbps));
        if rng.u8(..20) == 0 {
            steps.push((secs(t), 0));
            steps.push((secs(t) + ms(rng.u64(300..1_000)), kbps));
        }
    }
    Uplink {
        delay: ms(30),
        jitter: ms(15),
        queue_bytes: 400_000,
        rate_kbps: steps,
        ..Uplink::steady(4_000)
    }
}

/// 8 Mbit/s on which every packet vanishes for 3 s, 10 s and 30 s.
fn outages() -> Row {
    let holes = [(30, 33), (60, 70), (100, 130)].map(|(from, to)| (secs(from), secs(to)));
    let uplink = Uplink { holes: holes.into(), ..Uplink::steady(8_000) };
    Row { relief: Some(secs(130)), ..row("outages", uplink) }
}

/// 8 Mbit/s that holds everything back for one second out of ten, as a busy Wi-Fi does.
fn stalls() -> Row {
    let uplink = trace([(secs(0), 8_000), (secs(9), 0)]);
    row("stalls", Uplink { period: Some(secs(10)), ..uplink })
}

/// 4 Mbit/s behind a second's worth of queue.
fn bufferbloat() -> Row {
    row("bufferbloat", Uplink { queue_bytes: 500_000, ..Uplink::steady(4_000) })
}

/// 8 Mbit/s that loses one packet in 500 and jitters by 20 ms.
fn lossy() -> Uplink {
    Uplink { loss_ppm: 2_000, jitter: ms(20), ..Uplink::steady(8_000) }
}
