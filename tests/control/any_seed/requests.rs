//! Whatever two clients, a terminal and an owner ask for, in whatever order, of a store that is slow,
//! full, broken or hangs: each request is answered once, in its turn, and truly.
//!
//! Each seed makes a world of its own around the machine of `control`. After each step all promises are
//! checked; at the end the world turns calm, and nothing may be left waiting. What is shown is
//! searched for keys by the rig.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use firstmile::appliance::PipelineFault;
use firstmile::config::schema::SettingPath;
use firstmile::config::{self, Partial};
use firstmile::console::{ClientId, Reply};
use firstmile::control::{Event, PublishReport};
use firstmile::limits::{CLIENT_REQUESTS_MAX, STANDBY_FOR, STORE_PATIENCE, STORE_REQUESTS_MAX};
use firstmile::status::{Mode, SettingLine};

use super::{Kept, first_broken, keep, last_lines, ms, number};
use crate::rig::{Before, Rig, Temper, lost};

const SEEDS: u64 = 1_000;
/// A control of the simulated camera.
const BRIGHTNESS: &str = "camera.controls.usb:1-1.3.brightness";

/// Its server and key are the integrator's and nobody changes them, so that going live always can be.
const INTEGRATOR: &str =
    "[[destination]]\nname = \"a\"\nurl = \"rtmps://a.example/live\"\nkey = \"canary-i\"\n";
const CREDENTIALS: &str = "[box]\nname = \"venue\"\n";

#[test]
fn requests_are_answered_once_in_their_turn_and_truly_for_any_seed() {
    if let Some(seed) = number("FIRSTMILE_SEED") {
        let (end, story) = run_seed(seed, true);
        println!("{story}");
        return end.unwrap_or_else(|broken| panic!("seed {seed}: {broken}"));
    }
    if let Some(seed) = first_broken(SEEDS, |seed| run_seed(seed, false).0) {
        let (end, story) = run_seed(seed, true);
        panic!("{}\nFIRSTMILE_SEED={seed}: {}", last_lines(&story), end.unwrap_err());
    }
}

/// The model goes everywhere: a promise about what never comes would be kept by nobody.
#[test]
fn the_requests_of_the_model_meet_every_answer_of_the_store() {
    let (mut met, mut has_met) = (BTreeSet::new(), (false, false));
    for seed in 0..400 {
        let mut world = World::new(seed);
        world.run().unwrap_or_else(|broken| panic!("FIRSTMILE_SEED={seed}: {broken}"));
        met.extend(world.met);
        has_met = (has_met.0 | world.has_met.0, has_met.1 | world.has_met.1);
    }
    assert_eq!(has_met, (true, true));
    for answer in [
        "is set",
        "without effect",
        "at the next broadcast",
        "is reset to its default",
        "was not set",
        "no space left",
        "cannot be read",
        "in time",
        "too many requests",
        "all settings and keys are erased",
        "the settings are read",
        "given for another server",
        "going live",
        "ending the broadcast",
        "did you mean",
        "cannot capture: no permission",
        "dBFS",
        "a JPEG of",
        "the levels are shown",
        "the levels are no longer shown",
        "the broadcast is being ended",
        "and stored for usb:1-1.3",
        "it is not stored: ",
        "a device is being asked already",
    ] {
        assert!(met.iter().any(|line: &String| line.contains(answer)), "never: {answer}");
    }
}

/// Runs one seed, and keeps its story if it is to be read; a failed assertion of the rig breaks it too.
fn run_seed(seed: u64, keeps_story: bool) -> (Kept, String) {
    let mut world = World::new(seed);
    world.story = keeps_story.then(String::new);
    let end = catch_unwind(AssertUnwindSafe(|| world.run()));
    (
        end.unwrap_or_else(|_| Err("a panic, reported above".to_owned())),
        world.story.unwrap_or_default(),
    )
}

/// A request that is not answered yet.
#[derive(Debug)]
enum Asked {
    Set { path: &'static str, value: String },
    Unset { path: &'static str },
    Key,
    Address,
    Reload,
    Reset,
    Show { path: &'static str },
    Status,
    About,
    List,
    Mistake,
    Live,
    Stop,
    Watch,
    Levels,
    WatchLevels,
    Still,
    Control { value: u64 },
}

impl Asked {
    /// Whether its answer is the store's.
    fn is_for_store(&self) -> bool {
        matches!(
            self,
            Asked::Set { .. }
                | Asked::Unset { .. }
                | Asked::Key
                | Asked::Address
                | Asked::Reload
                | Asked::Reset
        )
    }

    /// Whether it is answered by what the devices deliver.
    fn is_for_devices(&self) -> bool {
        matches!(self, Asked::Levels | Asked::WatchLevels | Asked::Still)
    }

    fn line(&self, rng: &mut fastrand::Rng) -> String {
        match self {
            Asked::Set { path, value } => format!("set {path} {value}"),
            Asked::Unset { path } => format!("unset {path}"),
            Asked::Key => "key b".to_owned(),
            Asked::Address => {
                let host = ["one", "two"][rng.usize(..2)];
                format!("set destination.b.url rtmps://{host}.example/live")
            }
            Asked::Reload => "reload".to_owned(),
            Asked::Reset => "factory-reset yes".to_owned(),
            Asked::Show { path } => format!("show {path}"),
            Asked::Status => "status".to_owned(),
            Asked::About => "about".to_owned(),
            Asked::List => "destination list".to_owned(),
            Asked::Mistake => "stauts".to_owned(),
            Asked::Live => "live".to_owned(),
            Asked::Stop => "stop".to_owned(),
            Asked::Watch => "watch".to_owned(),
            Asked::Levels => "levels".to_owned(),
            Asked::WatchLevels => "levels watch".to_owned(),
            Asked::Still => "picture 160".to_owned(),
            Asked::Control { value } => format!("camera set brightness {value}"),
        }
    }

    /// Whether this can be its answer.
    fn is_answered_by(&self, reply: &Reply, text: &str) -> bool {
        let is_of_store = |begin: &str| match text.strip_prefix("error: ") {
            Some(why) => !why.starts_with("column"),
            None => text.starts_with(begin),
        };
        match self {
            Asked::Set { path, .. } | Asked::Unset { path } => is_of_store(path),
            Asked::Key => is_of_store("destination.b.key"),
            Asked::Address => is_of_store("destination.b.url"),
            Asked::Reload => is_of_store("the settings are read"),
            Asked::Reset => is_of_store("all settings and keys are erased"),
            Asked::Show { .. } => matches!(reply, Reply::Settings { .. }),
            Asked::Status => matches!(reply, Reply::Status(_)),
            Asked::About => matches!(reply, Reply::About(_)),
            Asked::List => matches!(reply, Reply::Destinations { .. }),
            Asked::Mistake => text.contains("did you mean `status`?"),
            Asked::Live => {
                ["going live", "trying again", "already live"].iter().any(|w| text.starts_with(w))
                    || text == "error: the box is still starting"
            }
            Asked::Stop => ["stopped", "itself", "broadcast", "cleared"]
                .iter()
                .any(|words| text.contains(words)),
            Asked::Watch => text.contains("change"),
            Asked::Levels => matches!(reply, Reply::Levels(_)) || has_no_levels(text),
            Asked::WatchLevels => text.contains("the levels are") || has_no_levels(text),
            Asked::Still => matches!(reply, Reply::Still(_)) || has_no_levels(text),
            Asked::Control { value } => {
                let is_set = format!("brightness of HD Camera is {value}");
                match text.strip_prefix("error: ") {
                    Some(why) => ["being asked already", "in time", &is_set]
                        .iter()
                        .any(|words| why.contains(words)),
                    None => text == format!("{is_set}, and stored for usb:1-1.3"),
                }
            }
        }
    }
}

struct World {
    rng: fastrand::Rng,
    rig: Rig,
    layers: [Partial; 2],
    waiting: BTreeMap<u32, VecDeque<Asked>>,
    watching: BTreeSet<u32>,
    /// Those that are shown the levels, and when anything was asked last that opens the devices.
    watching_levels: BTreeSet<u32>,
    levels_asked_at: Duration,
    asked: u64,
    /// Whether the owner wants the box to be live, as asked for last; nobody has asked yet.
    wants_live: Option<bool>,
    press_refused: bool,
    /// Changes that the machine took from clients, and those that the store was handed.
    taken: usize,
    handed: usize,
    /// A client left, or what it asked was not counted: the two may differ.
    uncounted: bool,
    met: BTreeSet<String>,
    /// Devices were open in standby, and in a broadcast that several were shown the levels of.
    has_met: (bool, bool),
    story: Option<String>,
}

impl World {
    fn new(seed: u64) -> World {
        let mut rng = fastrand::Rng::with_seed(seed ^ 0xC0_27_01);
        let credentials = if rng.u8(..3) == 0 { CREDENTIALS } else { "" };
        let before = Before {
            integrator: INTEGRATOR.to_owned(),
            credentials: credentials.to_owned(),
            ..Before::default()
        };
        let layer = |text: &str| match text {
            "" => Partial::default(),
            text => config::parse("layer", &format!("version = 1\n{text}")).expect("a layer"),
        };
        World {
            rig: Rig::new(&before),
            layers: [layer(INTEGRATOR), layer(credentials)],
            waiting: BTreeMap::new(),
            watching: BTreeSet::new(),
            watching_levels: BTreeSet::new(),
            levels_asked_at: Duration::ZERO,
            asked: 0,
            wants_live: None,
            press_refused: false,
            taken: 0,
            handed: 0,
            uncounted: false,
            met: BTreeSet::new(),
            has_met: (false, false),
            story: None,
            rng,
        }
    }

    fn run(&mut self) -> Kept {
        let boot_after = self.rng.u8(..4);
        for step in 0..self.rng.u8(20..70) {
            if step == boot_after {
                self.rig.boot();
                self.check()?;
            }
            self.something(step > boot_after)?;
            let pause = match self.rng.u8(..10) {
                // The box boots before it looks for its sources by itself.
                _ if step <= boot_after => self.rng.u64(..500),
                0..4 => 0,
                4..9 => self.rng.u64(..1_500),
                _ => self.rng.u64(..14_000),
            };
            self.advance(ms(pause))?;
        }
        self.calm_end()
    }

    /// Nothing may be left of the storm.
    fn calm_end(&mut self) -> Kept {
        self.rig.temper = Temper::Takes(ms(5));
        self.rig.cannot_open = None;
        self.rig.release_devices();
        self.check()?;
        // All that waited for a store that hung, each for as long as it may.
        self.advance(STORE_PATIENCE + ms(5 * STORE_REQUESTS_MAX as u64 * 4))?;
        for (client, waiting) in &self.waiting {
            keep(waiting.is_empty(), || format!("client {client} was not answered: {waiting:?}"))?;
        }
        keep(self.uncounted || self.taken == self.handed, || {
            format!("{} changes were taken, and the store got {}", self.taken, self.handed)
        })?;
        self.check_in_force()?;
        let mode = self.rig.control.mode();
        let is_on_air = matches!(mode, Mode::Starting | Mode::Live | Mode::Retrying);
        let wants = self.wants_live.unwrap_or(false);
        // A fault is tried again, or was stopped on the way to it.
        keep(is_on_air == wants || mode == Mode::Fault, || {
            format!("{mode:?}, and the owner wants {wants}")
        })?;
        let written = self.rig.live_written.unwrap_or(false);
        keep(written == wants, || format!("a power cut would find {written}, not {wants}"))
    }

    // ── what happens ──────────────────────────────────────────────────────────────────────────

    fn something(&mut self, is_up: bool) -> Kept {
        match self.rng.u8(..100) {
            0..50 => {
                let asked = self.some_request();
                self.ask(asked)?;
            }
            50..53 => {
                for _ in 0..self.rng.usize(..2 * CLIENT_REQUESTS_MAX) {
                    let asked = self.some_request();
                    self.ask(asked)?;
                }
            }
            53..68 => {
                self.rig.temper = match self.rng.u8(..8) {
                    0..4 => Temper::Takes(ms(self.rng.u64(..2_000))),
                    4 => Temper::Full,
                    5 => Temper::FullAfter(ms(self.rng.u64(..2_000))),
                    6 => Temper::Broken,
                    _ => Temper::Hangs,
                };
                let temper = self.rig.temper;
                self.tell(|| format!("store: {temper:?}"));
            }
            68..72 => {
                let client = self.some_client();
                self.tell(|| format!("client {client} leaves"));
                self.rig.happens(Event::Gone(ClientId(client)));
                self.rig.over.insert(ClientId(client));
                self.watching.remove(&client);
                if self.watching_levels.remove(&client) {
                    self.levels_asked_at = self.rig.now;
                }
                let left = self.waiting.remove(&client).unwrap_or_default();
                self.uncounted |= left.iter().any(Asked::is_for_store);
            }
            72..77 => self.type_something(),
            77..80 => {
                self.tell(|| "a stick changes the store".to_owned());
                let fps = self.rng.u8(1..60);
                self.rig.imports(&format!("[video]\nfps = {fps}\n"));
            }
            80..84 if is_up => self.rig.first_key(),
            84..88 if is_up && self.rig.run.is_some() => {
                self.rig.reports("a", PublishReport::Accepted);
            }
            88..91 if is_up => self.rig.reports("a", lost("broken pipe")),
            91..93 => self.rig.encoder_fails("no more"),
            93 => {
                let fails = self.rig.cannot_open.is_none().then(|| "no permission".to_owned());
                self.tell(|| format!("devices fail: {fails:?}"));
                self.rig.cannot_open = fails.map(|why| (PipelineFault::Camera, why));
            }
            94 => self.rig.devices_hang = true,
            95..97 => self.rig.release_devices(),
            97 => return self.press(ms(2_200), false),
            _ if is_up => return self.press(ms(150), true),
            _ => {}
        }
        self.check()
    }

    fn some_client(&mut self) -> u32 {
        self.rng.u32(1..=2)
    }

    fn some_request(&mut self) -> Asked {
        self.asked += 1;
        let value = self.asked;
        match self.rng.u8(..43) {
            0..5 => Asked::Set { path: "box.name", value: format!("name-{value}") },
            5..8 => Asked::Set { path: "video.fps", value: (1 + value % 60).to_string() },
            8 => Asked::Set { path: "video.bitrate_kbps", value: (1_000 + value).to_string() },
            9 => Asked::Set { path: "box.resume_live", value: value.is_multiple_of(2).to_string() },
            10..12 => Asked::Unset { path: "box.name" },
            12 => Asked::Unset { path: "video.fps" },
            13..15 => Asked::Key,
            15..17 => Asked::Address,
            17 => Asked::Reload,
            18 => Asked::Reset,
            19..22 => Asked::Show { path: "box.name" },
            22 => Asked::Show { path: "video.fps" },
            23 => Asked::Status,
            24 => Asked::About,
            25 => Asked::List,
            26..28 => Asked::Mistake,
            28..30 => Asked::Live,
            30 => Asked::Stop,
            31 => Asked::Watch,
            32..36 => Asked::Levels,
            36..38 => Asked::WatchLevels,
            38 => Asked::Still,
            39..41 => Asked::Control { value: value % 256 },
            _ => Asked::Set { path: "box.standby", value: value.is_multiple_of(2).to_string() },
        }
    }

    fn ask(&mut self, asked: Asked) -> Kept {
        let client = self.some_client();
        let before = self.waiting.get(&client).map_or(0, VecDeque::len);
        if matches!(asked, Asked::Reset | Asked::Live | Asked::Stop) && before > 0 {
            return Ok(()); // when it is carried out would be unknown
        }
        let is_full = before > CLIENT_REQUESTS_MAX;
        let is_reset = matches!(asked, Asked::Reset);
        if matches!(asked, Asked::Key) && self.rig.target("b").is_none() {
            return Ok(()); // there is no such destination, which the machine says
        }
        let line = asked.line(&mut self.rng);
        let secret = matches!(asked, Asked::Key).then(|| format!("canary-{}", self.asked));
        self.tell(|| format!("client {client} asks: {line}"));
        if !is_full {
            waiting_of(&mut self.waiting, client).push_back(asked);
        }
        self.rig.asks(client, &line, secret.as_deref());
        if is_full {
            let refused = self.rig.answered.pop().map(|(_, reply)| reply.render_text().join("\n"));
            self.met.extend(refused.clone());
            let words = "error: too many requests wait; try again";
            keep(refused.as_deref() == Some(words), || format!("over the bound: {refused:?}"))?;
        }
        self.check()?;
        // One that is refused is answered at once.
        if is_reset && !waiting_of(&mut self.waiting, client).is_empty() {
            self.wants_live = Some(false);
        }
        Ok(())
    }

    /// Somebody pastes a key at the terminal, opens it again, or sets what no client sets.
    fn type_something(&mut self) {
        self.asked += 1;
        let text = match self.rng.u8(..4) {
            0 => {
                self.tell(|| "the terminal opens".to_owned());
                return self
                    .rig
                    .happens(Event::TerminalOpened { at: ClientId(0), greet: self.rng.bool() });
            }
            1 => "\rkey a\rcanary-typed\rabout\r".to_owned(),
            2 => format!("\rset overlay.text line-{}\rshow overlay\r", self.asked),
            _ => "\x03status\r".to_owned(),
        };
        self.tell(|| format!("typed: {text:?}"));
        self.rig.types(&text);
    }

    fn press(&mut self, long: Duration, live: bool) -> Kept {
        self.tell(|| format!("the button is pressed for {long:?}"));
        self.rig.contact(true);
        self.advance(long)?;
        self.press_refused = false;
        self.rig.contact(false);
        self.advance(ms(1))?;
        if !live || !self.press_refused {
            self.wants_live = Some(live);
        }
        Ok(())
    }

    fn advance(&mut self, by: Duration) -> Kept {
        let end = self.rig.now + by;
        while self.rig.turn(end) {
            self.check()?;
        }
        self.check()
    }

    // ── promises ──────────────────────────────────────────────────────────────────────────────

    fn check(&mut self) -> Kept {
        for (to, reply) in std::mem::take(&mut self.rig.answered) {
            self.answered(to.0, &reply)?;
        }
        for line in std::mem::take(&mut self.rig.transcript) {
            // Not of a client, or not before a device has answered.
            let is_other = ["overlay.text", "destination.a.", "camera.controls."];
            let is_other = is_other.iter().any(|name| line.contains(name));
            self.handed += usize::from(!is_other && is_change(&line));
            self.press_refused |= line.contains("was pressed, but");
            self.tell(|| format!("    {line}"));
        }
        // A connection is open while something of it waits, and no longer.
        for (client, waiting) in &self.waiting {
            let is_over = self.rig.over.contains(&ClientId(*client));
            let watches = self.watching.contains(client) || self.watching_levels.contains(client);
            let is_to_be = waiting.is_empty() && !watches;
            keep(is_over == is_to_be, || {
                format!("client {client} is over: {is_over}, and waits for {waiting:?}")
            })?;
        }
        self.check_devices()
    }

    /// Nobody is live by a question, a broadcast has the devices whoever else asks for them, and nobody
    /// holds them for longer after a question than he may.
    fn check_devices(&mut self) -> Kept {
        let mode = self.rig.control.mode();
        let asks = Asked::is_for_devices;
        let is_asked = self.waiting.values().flatten().any(asks);
        if is_asked || !self.watching_levels.is_empty() {
            self.levels_asked_at = self.rig.now;
        }
        if self.rig.devices_hang {
            return Ok(());
        }
        let (is_open, in_standby) = (self.rig.run.is_some(), self.rig.in_standby);
        let is_on_air = matches!(mode, Mode::Starting | Mode::Live | Mode::Retrying);
        self.has_met.0 |= is_open && in_standby;
        self.has_met.1 |= is_open && is_on_air && self.watching_levels.len() > 1;
        keep(!is_open || in_standby || is_on_air, || {
            format!("what is captured goes on air: {mode:?}")
        })?;
        keep(!is_on_air || (is_open && !in_standby), || {
            format!("{mode:?}, and its devices are open: {is_open}, in standby: {in_standby}")
        })?;
        let is_in_time = self.rig.now <= self.levels_asked_at + STANDBY_FOR;
        let may_hold = is_in_time || self.holds("box.standby") == "true";
        keep(!is_open || !in_standby || may_hold, || {
            format!("the devices are held, last asked for at {:?}", self.levels_asked_at)
        })
    }

    fn answered(&mut self, client: u32, reply: &Reply) -> Kept {
        let text = reply.render_text().join("\n");
        if matches!(reply, Reply::Measured(_)) {
            return keep(self.watching_levels.contains(&client), || {
                format!("client {client} watches no levels, and is shown {text}")
            });
        }
        if matches!(reply, Reply::Changed(_)) {
            let fails = text.starts_with("cannot capture: ");
            let watches = self.watching.contains(&client)
                || (fails && self.watching_levels.contains(&client));
            return keep(watches, || {
                format!("client {client} watches nothing, and is shown {text}")
            });
        }
        self.met.insert(text.clone());
        let Some(asked) = waiting_of(&mut self.waiting, client).pop_front() else {
            return Err(format!("client {client} asked nothing, and is answered {text}"));
        };
        keep(asked.is_answered_by(reply, &text), || {
            format!("client {client} asked {asked:?} and is answered {text}")
        })?;
        if asked.is_for_devices() {
            self.levels_asked_at = self.rig.now;
        }
        let is_error = reply.is_error();
        let is_kept = ["does not keep up", "there is no such destination", "has no address yet"]
            .iter()
            .any(|why| text.contains(why));
        self.taken += usize::from(asked.is_for_store() && !is_kept);
        match &asked {
            Asked::Live if !is_error => self.wants_live = Some(true),
            Asked::Stop => self.wants_live = Some(false),
            Asked::Watch if self.watching.remove(&client) => {}
            Asked::WatchLevels if is_error || self.watching_levels.remove(&client) => {}
            Asked::WatchLevels => {
                self.watching_levels.insert(client);
            }
            Asked::Watch => {
                self.watching.insert(client);
            }
            Asked::Set { path, value } if text.starts_with(&format!("{path} is set")) => {
                let (shown, value) = (self.read(path), of_board(path, value));
                keep(shown == value, || format!("{path} is set to {value}, but {shown} holds"))?;
            }
            Asked::Control { value } if !is_error => {
                let shown = self.read(BRIGHTNESS);
                keep(shown == value.to_string(), || {
                    format!("{value} is stored, but {shown} holds")
                })?;
            }
            Asked::Show { path } => {
                let Reply::Settings { settings, .. } = reply else { return Ok(()) };
                let shown = first_value(settings);
                let holds = self.holds(path);
                keep(shown == holds, || format!("{path} is shown as {shown}, but {holds} holds"))?;
            }
            _ => {}
        }
        Ok(())
    }

    /// What is stored, as the store answered last, is what applies, and nothing else.
    fn check_in_force(&mut self) -> Kept {
        for path in ["box.name", "video.fps", "video.bitrate_kbps", "overlay.text", BRIGHTNESS] {
            let (shown, holds) = (self.read(path), self.holds(path));
            keep(shown == holds, || format!("{path} is {shown}, and {holds} is stored"))?;
        }
        Ok(())
    }

    /// What a client that asks for nothing else reads.
    fn read(&mut self, path: &str) -> String {
        self.rig.asks(99, &format!("show {path}"), None);
        match self.rig.answered.pop() {
            Some((_, Reply::Settings { settings, .. })) => first_value(&settings),
            other => format!("{other:?}"),
        }
    }

    /// What all layers together say.
    fn holds(&self, path: &str) -> String {
        let [integrator, credentials] = self.layers.clone();
        let settings = config::merge(&[integrator, self.rig.reported.clone(), credentials]);
        let of: SettingPath = path.parse().expect("a setting");
        let value = settings.to_partial().value(&of).cloned().or(of.setting().fallback_value());
        let of_profile = match path {
            "video.fps" => "30",
            "video.bitrate_kbps" => "4000",
            _ => "",
        };
        of_board(path, &value.map_or(of_profile.to_owned(), |value| value.to_string()))
    }

    fn tell(&mut self, what: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            let _ = writeln!(story, "{:9.3}  {}", self.rig.now.as_secs_f64(), what());
        }
    }
}

/// Whether somebody who asks for the levels is not given any, and is given a reason.
fn has_no_levels(text: &str) -> bool {
    ["cannot capture: ", "still starting", "being ended", "in time", "there is no camera"]
        .iter()
        .any(|why| text.starts_with("error: ") && text.contains(why))
}

/// The value of the first setting that is shown.
fn first_value(settings: &[SettingLine]) -> String {
    let value = settings.first().and_then(|line| line.value.as_ref());
    value.map(ToString::to_string).unwrap_or_default()
}

/// What the rig's board makes of a value.
fn of_board(path: &str, value: &str) -> String {
    match value.parse::<u32>() {
        Ok(kbps) if path == "video.bitrate_kbps" => kbps.min(6_000).to_string(),
        _ => value.to_owned(),
    }
}

fn waiting_of(waiting: &mut BTreeMap<u32, VecDeque<Asked>>, client: u32) -> &mut VecDeque<Asked> {
    waiting.entry(client).or_default()
}

/// Whether a line of the rig is a client's request that reached the store.
fn is_change(line: &str) -> bool {
    ["store: set ", "store: unset ", "store: read", "store: reset"]
        .iter()
        .any(|begin| line.starts_with(begin))
}
