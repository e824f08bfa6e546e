//! Whatever is asked for, by whomever, on whatever store: each request is answered once and in its order,
//! and what is reported as set is set.
//!
//! `FIRSTMILE_SEEDS=200000` runs more seeds.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use firstmile::appliance::Source;
use firstmile::console::{ClientId, Reply};
use firstmile::control::PublishReport;
use firstmile::limits::{CLIENT_REQUESTS_MAX, EXCHANGE_PATIENCE};
use firstmile::selection::Exchanged;

use crate::rig::{Before, Rig, Temper, lost};

const SEEDS: u64 = 500;
const CLIENTS: std::ops::Range<u32> = 1..5;

#[test]
fn requests_are_answered_in_their_order_and_truly_for_any_seed() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let (mut kept, mut refused, mut exchanges) = (0, 0, 0);
    for seed in 0..number("FIRSTMILE_SEEDS").unwrap_or(SEEDS) {
        let mut world = World::new(seed);
        world.run();
        kept += world.kept;
        refused += world.refused;
        exchanges += world.exchanges;
    }
    assert!(exchanges > 100, "{exchanges}");
    assert!(kept > 1_000 && refused > 100, "the model goes everywhere: {kept}, {refused}");
}

struct World {
    seed: u64,
    rng: fastrand::Rng,
    rig: Rig,
    /// What each client has asked for and is not answered yet.
    asked: BTreeMap<u32, VecDeque<String>>,
    /// Answers that were looked at.
    checked: BTreeMap<u32, usize>,
    kept: u32,
    refused: u32,
    exchanges: u32,
}

impl World {
    fn new(seed: u64) -> World {
        let mut rng = fastrand::Rng::with_seed(seed);
        let a = "[[destination]]\nname = \"a\"\nurl = \"rtmps://a.example/live\"\n";
        let before = Before {
            integrator: if rng.bool() { a.to_owned() } else { String::new() },
            stored: if rng.bool() { format!("{a}key = \"canary-a\"\n") } else { String::new() },
            no_store: rng.u8(..20) == 0,
            was_live: rng.u8(..4) == 0,
            has_failed: rng.u8(..4) == 0,
            ..Before::default()
        };
        let rig = Rig::started(&before);
        let (asked, checked) = (BTreeMap::new(), BTreeMap::new());
        World { seed, rng, rig, asked, checked, kept: 0, refused: 0, exchanges: 0 }
    }

    fn run(&mut self) {
        for _ in 0..self.rng.u32(20..80) {
            self.something();
            self.check();
            let pause = Duration::from_millis(self.rng.u64(..400));
            self.rig.advance(pause);
            self.check();
        }
        // The storm is over: everybody is answered, whoever waits for a camera after its patience.
        self.rig.temper = Temper::Takes(Duration::from_millis(20));
        let most = u32::try_from(CLIENT_REQUESTS_MAX).expect("a few") + 1;
        self.rig.advance(Duration::from_secs(30) + EXCHANGE_PATIENCE * most);
        self.check();
        for (client, asked) in &self.asked {
            assert!(asked.is_empty(), "seed {}: {client} waits for {asked:?}", self.seed);
        }
    }

    fn something(&mut self) {
        match self.rng.u8(..14) {
            0 => self.rig.temper = Temper::Hangs,
            1 => self.rig.temper = Temper::Full,
            2 | 3 => self.rig.temper = Temper::Takes(Duration::from_millis(self.rng.u64(..900))),
            4 => self.rig.press_for(Duration::from_millis(150)),
            5 => self.rig.first_key(),
            6 if self.rig.knows("a") => {
                let what = match self.rng.u8(..3) {
                    0 => PublishReport::Accepted,
                    1 => PublishReport::TargetBitrate(self.rng.u32(300..5_000)),
                    _ => lost("broken pipe"),
                };
                self.rig.reports("a", what);
            }
            7 => self.exchanged(),
            8 => {
                let absent = self.rng.bool().then(|| "no camera is at USB port 1-1".to_owned());
                self.rig.no_camera = absent;
            }
            _ => self.ask(),
        }
    }

    /// Something comes of the exchange of a source, if one was ordered of the capture that runs.
    fn exchanged(&mut self) {
        if self.rig.run.is_none() || self.rig.exchange.is_none() {
            return;
        }
        let source = if self.rng.bool() { Source::Camera } else { Source::Microphone };
        let words = "words".to_owned();
        self.rig.exchanged(
            source,
            match self.rng.u8(..4) {
                0 => Exchanged::Waits(words),
                1 => Exchanged::Begins,
                2 => Exchanged::Fails(words),
                _ => Exchanged::Delivers(words),
            },
        );
        self.exchanges += 1;
    }

    fn ask(&mut self) {
        let client = self.rng.u32(CLIENTS);
        let line = match self.rng.u8(..10) {
            0 => "show box.name".to_owned(),
            1 => "live".to_owned(),
            2 => "stop".to_owned(),
            3 => format!("set video.bitrate_kbps {}", self.rng.u32(300..9_000)),
            4 => "unset box.name".to_owned(),
            5 => format!("set camera.device usb:1-{}", self.rng.u8(1..4)),
            6 => "unset camera.device".to_owned(),
            7 => "set microphone.device card:Device".to_owned(),
            _ => format!("set box.name n{}", self.rng.u32(..1_000_000)),
        };
        let waiting = self.asked.entry(client).or_default();
        if waiting.len() > CLIENT_REQUESTS_MAX {
            return; // it would be refused at once, out of its turn
        }
        waiting.push_back(line.clone());
        self.rig.asks(client, &line, None);
    }

    /// Each answer belongs to the oldest request of its client, and is true.
    fn check(&mut self) {
        for client in CLIENTS {
            let answers = self.rig.answers.get(&ClientId(client)).cloned().unwrap_or_default();
            let from = self.checked.insert(client, answers.len()).unwrap_or(0);
            for reply in &answers[from..] {
                let asked = self.asked.get_mut(&client).and_then(VecDeque::pop_front);
                let asked =
                    asked.unwrap_or_else(|| panic!("seed {}: {reply:?} for nothing", self.seed));
                self.check_one(&asked, reply);
            }
        }
    }

    fn check_one(&mut self, asked: &str, reply: &Reply) {
        let shown = reply.render_text().join("\n");
        let about =
            |what: &str| format!("seed {}: {asked:?} is answered {shown:?}: {what}", self.seed);
        self.refused += u32::from(reply.is_error());
        if let Some(name) = asked.strip_prefix("set box.name ") {
            if !reply.is_error() {
                assert_eq!(shown, "box.name is set", "{}", about("another answer"));
                assert!(
                    self.rig.was_stored(&format!("box.name = {name}")),
                    "{}",
                    about("not stored")
                );
                self.kept += 1;
            }
        } else if let Some(device) = asked.strip_prefix("set camera.device ") {
            let is_stored = self.rig.was_stored(&format!("camera.device = {device}"));
            assert!(reply.is_error() || is_stored, "{}", about("not stored"));
            let is_it = shown.starts_with("camera.device is set");
            assert!(reply.is_error() || is_it, "{}", about("another answer"));
        } else if asked.starts_with("show ") {
            assert!(shown.contains("box.name"), "{}", about("another answer"));
        } else if ["set video", "set microphone", "unset"].iter().any(|it| asked.starts_with(it)) {
            let name = asked.split(' ').nth(1).unwrap_or_default();
            assert!(reply.is_error() || shown.starts_with(name), "{}", about("another answer"));
        }
    }
}
