//! What the box does, as stories that owner, tester and programmer can read.
//!
//! Each file in `tests/stories` is a script and its transcript in one: lines with a time are what
//! happens, the `->` lines under them are what the box does about it, and `(time)` lines are what
//! it does by itself. `FIRSTMILE_BLESS=1` writes the transcripts again; the diff is then reviewed.
//!
//! What can happen: `boot`, `targets a b/2 c/nokey d/backup` (name, revision), `down`, `press`, `hold`,
//! `reset` (by the button), `forget` (what the console's factory reset comes to),
//! `camera lost`, `microphone back`, `camera unsure` (one that can only be opened to know), `link changed`, `clock trusted`, `warning begins` or `ends` (of the machine itself), `playing`, `first key`,
//! `pipeline fails encoder WORDS`, `pipeline ended`, `a accepts`, `a returns`,
//! `a stranded`, `a ends busy WORDS` (`a#1 …` for
//! an earlier attempt), `terminate`, `wait`, and `> live`, `> stop`, `> status` or
//! `> destination list` at the console; `;` joins several.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use firstmile::appliance::{
    Action, Appliance, By, DestinationId, Event, GoLive, LinkChange, Notify, PipelineEvent,
    PipelineFault, PipelineOrder, Presence, PublishEvent, PublishOrder, Setup, Source, Stop,
    Target,
};
use firstmile::console::Reply;
use firstmile::ending::Evidence;
use firstmile::panel::{Gesture, Indication, lights};
use firstmile::status::{Change, Clock, Mode, Server};

#[test]
fn every_story_goes_as_it_is_written() {
    let stories = stories();
    assert!(stories.len() >= 10, "the stories are in tests/stories");
    go_as_written(stories, retell);
}

/// Each story is as `retell` makes it from its own first lines; `FIRSTMILE_BLESS=1` writes those that are not.
pub fn go_as_written(stories: Vec<PathBuf>, retell: impl Fn(&str) -> Result<String, String>) {
    let mut wrong = String::new();
    for path in stories {
        let written = std::fs::read_to_string(&path).expect("a story is a text file");
        let goes = retell(&written).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        if written == goes {
            continue;
        }
        if std::env::var_os("FIRSTMILE_BLESS").is_some() {
            std::fs::write(&path, goes).expect("a story can be written");
            continue;
        }
        let _ = writeln!(wrong, "{}:\n{}", path.display(), first_difference(&written, &goes));
    }
    assert!(wrong.is_empty(), "FIRSTMILE_BLESS=1 accepts these, after a look:\n{wrong}");
}

/// Every mode of the box occurs in some story.
#[test]
fn the_stories_together_tell_of_every_mode() {
    let all: String = stories()
        .iter()
        .map(|path| std::fs::read_to_string(path).expect("a story is a text file"))
        .collect();
    for mode in [
        Mode::Booting,
        Mode::NeedsSetup,
        Mode::NotReady,
        Mode::Ready,
        Mode::Starting,
        Mode::Live,
        Mode::Retrying,
        Mode::Stopping,
        Mode::Fault,
    ] {
        let written = all.contains(&format!("-> {} (", mode.name()))
            || all.contains(&format!("box: {} -> ", mode.name()));
        assert!(written, "no story shows {}", mode.name());
    }
}

fn stories() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories");
    let entries = std::fs::read_dir(folder).expect("tests/stories");
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.expect("readable").path()).filter(|p| is_story(p)).collect();
    paths.sort();
    paths
}

fn is_story(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "txt")
}

fn first_difference(written: &str, goes: &str) -> String {
    let (mut written, mut goes) = (written.lines(), goes.lines());
    for number in 1.. {
        match (written.next(), goes.next()) {
            (None, None) => break,
            (a, b) if a == b => {}
            (a, b) => {
                return format!(
                    "  line {number}\n  written: {}\n  goes: {}",
                    a.unwrap_or("(the end)"),
                    b.unwrap_or("(the end)")
                );
            }
        }
    }
    "  line ends".to_owned()
}

/// Plays the script of a story and writes the story as it goes.
fn retell(story: &str) -> Result<String, String> {
    let mut setup = Setup {
        seed: 7,
        start_without_camera: false,
        start_without_microphone: false,
        was_live: false,
    };
    let mut text = String::new();
    let mut stage: Option<Stage> = None;
    let mut remarks = String::new(); // they belong to the line that follows them
    for line in story.lines() {
        let trimmed = line.trim_start();
        if trimmed.starts_with("->") || line.trim_end().ends_with("(time)") {
            continue; // the transcript, written again below
        }
        if trimmed.is_empty() || trimmed.starts_with('#') {
            let _ = writeln!(remarks, "{line}");
        } else if let Some(what) = line.strip_prefix("setup: ") {
            what.split(", ").try_for_each(|word| set_up(&mut setup, word))?;
            let _ = writeln!(remarks, "{line}");
        } else {
            let (time, stimuli) = line.split_once("s ").ok_or(format!("no time: {line}"))?;
            let at: f64 = time.trim().parse().map_err(|_| format!("no time: {line}"))?;
            let stage = stage.get_or_insert_with(|| Stage::new(setup.clone()));
            stage.advance_to(Duration::from_secs_f64(at), &mut text);
            let _ = writeln!(text, "{}{line}", std::mem::take(&mut remarks));
            for stimulus in stimuli.split(';') {
                stage.happen(stimulus.trim(), &mut text)?;
            }
        }
    }
    Ok(text + &remarks)
}

fn set_up(setup: &mut Setup, word: &str) -> Result<(), String> {
    match word {
        "start without camera" => setup.start_without_camera = true,
        "start without microphone" => setup.start_without_microphone = true,
        "was live" => setup.was_live = true,
        _ => return Err(format!("unknown setup: {word}")),
    }
    Ok(())
}

struct Stage {
    now: Duration,
    appliance: Appliance,
    run: u64,
    attempts: BTreeMap<char, u64>,
}

impl Stage {
    fn new(setup: Setup) -> Stage {
        let mut appliance = Appliance::new(Duration::ZERO, setup);
        while appliance.poll_action().is_some() {} // the light of booting
        Stage { now: Duration::ZERO, appliance, run: 0, attempts: BTreeMap::new() }
    }

    /// Lets timers run out until `end`.
    fn advance_to(&mut self, end: Duration, text: &mut String) {
        while let Some(at) = self.appliance.poll_timeout().filter(|at| *at <= end) {
            self.now = at;
            self.appliance.handle_timeout(at);
            let _ = writeln!(text, "{:<9} (time)", format!("{:.3}s", at.as_secs_f64()));
            self.transcribe(text);
        }
        self.now = end;
    }

    fn happen(&mut self, stimulus: &str, text: &mut String) -> Result<(), String> {
        if let Some(shown) = self.shown(stimulus) {
            shown.render_text().iter().for_each(|line| tell(text, &format!("console: {line}")));
        } else if stimulus != "wait" {
            let event = self.event(stimulus).ok_or(format!("what is \"{stimulus}\"?"))?;
            self.appliance.handle(self.now, event);
        }
        self.transcribe(text);
        Ok(())
    }

    fn shown(&self, stimulus: &str) -> Option<Reply> {
        let status = self.appliance.status(self.now);
        match stimulus {
            "> status" => Some(Reply::Status(Box::new(status))),
            "> destination list" => Some(Reply::Destinations {
                destinations: status.destinations,
                disabled: Vec::new(),
            }),
            _ => None,
        }
    }

    fn event(&self, stimulus: &str) -> Option<Event> {
        let (first, rest) = stimulus.split_once(' ').unwrap_or((stimulus, ""));
        let pipeline = |what| Event::Pipeline { run: self.run, what };
        Some(match (first, rest) {
            ("boot", _) => Event::Booted,
            ("terminate", _) => Event::Terminate,
            ("down", _) => Event::Button(Gesture::Down),
            ("press", _) => Event::Button(Gesture::Press),
            ("hold", _) => Event::Button(Gesture::Hold),
            ("reset", _) => Event::Button(Gesture::Reset),
            ("forget", _) => Event::FactoryReset,
            (">", "live") => Event::GoLive { by: By::Console },
            (">", "stop") => Event::Stop { by: By::Console },
            ("targets", names) => {
                Event::Targets(names.split_whitespace().map(target).collect::<Option<_>>()?)
            }
            ("camera", "lost") => Event::Source(Source::Camera, Presence::Lost),
            ("camera", "back") => Event::Source(Source::Camera, Presence::Back),
            ("camera", "unsure") => Event::Source(Source::Camera, Presence::Unsure),
            ("microphone", "lost") => Event::Source(Source::Microphone, Presence::Lost),
            ("microphone", "back") => Event::Source(Source::Microphone, Presence::Back),
            ("link", "up") => Event::Link(LinkChange::Up),
            ("link", "down") => Event::Link(LinkChange::Down),
            ("link", "changed") => Event::Link(LinkChange::Changed),
            ("warning", "begins") => Event::Warning(true),
            ("warning", "ends") => Event::Warning(false),
            ("clock", "trusted") => Event::Clock(Clock::Trusted),
            ("clock", "untrusted") => Event::Clock(Clock::Untrusted),
            ("playing", _) => pipeline(PipelineEvent::Playing),
            ("first", "key") => pipeline(PipelineEvent::FirstKey),
            ("pipeline", "ended") => pipeline(PipelineEvent::Ended),
            ("pipeline", fails) => pipeline(pipeline_error(fails)?),
            (destination, what) => self.publish_event(destination, what)?,
        })
    }

    fn publish_event(&self, destination: &str, what: &str) -> Option<Event> {
        let (name, attempt) = match destination.split_once('#') {
            Some((name, attempt)) => (letter(name)?, attempt.parse().ok()?),
            None => {
                let name = letter(destination)?;
                (name, *self.attempts.get(&name)?)
            }
        };
        let what = match what.split_once(' ') {
            None if what == "accepts" => PublishEvent::Accepted,
            None if what == "returns" => PublishEvent::Returned,
            None if what == "stranded" => return Some(Event::Stranded { dest: id(name), attempt }),
            Some(("ends", how)) => {
                let (kind, message) = how.split_once(' ').unwrap_or((how, ""));
                PublishEvent::Ended { evidence: evidence(kind)?, message: message.to_owned() }
            }
            _ => return None,
        };
        Some(Event::Publish { dest: id(name), attempt, what })
    }

    fn transcribe(&mut self, text: &mut String) {
        while let Some(action) = self.appliance.poll_action() {
            match &action {
                Action::Pipeline(PipelineOrder::Start { run } | PipelineOrder::Restart { run }) => {
                    self.run = *run;
                }
                Action::Publish(PublishOrder::Open { dest, attempt, .. }) => {
                    self.attempts.insert(name(*dest), *attempt);
                }
                _ => {}
            }
            tell(text, &in_words(&action));
        }
    }
}

fn tell(text: &mut String, what: &str) {
    let _ = writeln!(text, "          -> {what}");
}

fn in_words(action: &Action) -> String {
    match action {
        Action::Pipeline(PipelineOrder::Start { run }) => format!("pipeline: start run {run}"),
        Action::Pipeline(PipelineOrder::Restart { run }) => {
            format!("pipeline: restart as run {run}")
        }
        Action::Pipeline(PipelineOrder::Stop) => "pipeline: stop".to_owned(),
        Action::Publish(PublishOrder::Open { dest, attempt, server: Server::First }) => {
            format!("publish {}: open attempt {attempt}", name(*dest))
        }
        Action::Publish(PublishOrder::Open { dest, attempt, server: Server::Backup }) => {
            format!("publish {}: open attempt {attempt} at the backup server", name(*dest))
        }
        Action::Publish(PublishOrder::Return { dest, attempt }) => {
            format!("publish {}: return attempt {attempt} to the first server", name(*dest))
        }
        Action::Publish(PublishOrder::Close { dest, attempt, polite }) => {
            let how = if *polite { "politely" } else { "by force" };
            format!("publish {}: close attempt {attempt} {how}", name(*dest))
        }
        Action::Show(indication) => light(*indication),
        Action::Report(change) => format!("journal: {}", in_a_line(change)),
        Action::WentLive(outcome) => format!("console: {}", went_live(outcome)),
        Action::Stopped(outcome) => format!("console: {}", stopped(*outcome)),
        Action::PersistLive(true) => "persist: live".to_owned(),
        Action::PersistLive(false) => "persist: not live".to_owned(),
        Action::Notify(Notify::Ready) => "service manager: ready".to_owned(),
        Action::Notify(Notify::Stopping) => "service manager: stopping".to_owned(),
        Action::Notify(Notify::Status(status)) => format!("service manager: {status}"),
        Action::FactoryReset => "erase everything".to_owned(),
        Action::Exit(code) => format!("exit {code}"),
    }
}

fn in_a_line(change: &Change) -> String {
    match change {
        Change::Box { from, to, because } => {
            format!("box: {} -> {} ({because})", from.name(), to.name())
        }
        Change::Destination { name, from, to, because } => {
            format!("{name}: {} -> {} ({because})", from.name(), to.name())
        }
        Change::Source { name, present: true } => format!("{name}: back"),
        Change::Source { name, present: false } => format!("{name}: lost"),
        Change::Warning { kind, begun: true, .. } => format!("warning: {}", kind.name()),
        Change::Warning { kind, begun: false, .. } => format!("warning over: {}", kind.name()),
        Change::Note { message } => message.clone(),
    }
}

fn went_live(outcome: &GoLive) -> &'static str {
    match outcome {
        GoLive::Begun => "going live",
        GoLive::AfterTheLast => "going live after the last one",
        GoLive::RetryingNow => "retrying now",
        GoLive::AlreadyLive => "already live",
        GoLive::Refused(why) => why.sentence(),
    }
}

fn stopped(outcome: Stop) -> &'static str {
    match outcome {
        Stop::Nothing => "already stopped",
        Stop::NotByItself => "no longer live by itself",
        Stop::Ending => "ending",
        Stop::AlreadyEnding => "already ending",
        Stop::FaultCleared => "the fault is cleared",
    }
}

fn light(indication: Indication) -> String {
    if indication.is_momentary() {
        return format!("light, for a moment: {}", indication.name());
    }
    format!("light: {} ({})", indication.name(), lights(indication).single.describe())
}

fn target(word: &str) -> Option<Target> {
    let (name, detail) = word.split_once('/').unwrap_or((word, "1"));
    Some(Target {
        id: id(letter(name)?),
        name: name.to_owned(),
        revision: detail.parse().unwrap_or(1),
        has_key: detail != "nokey",
        has_backup: detail == "backup",
    })
}

fn letter(name: &str) -> Option<char> {
    name.chars().next().filter(|c| name.len() == 1 && c.is_ascii_lowercase())
}

fn id(name: char) -> DestinationId {
    DestinationId(u32::from(name) - u32::from('a'))
}

fn name(id: DestinationId) -> char {
    char::from_u32(id.0 + u32::from('a')).unwrap_or('?')
}

fn pipeline_error(words: &str) -> Option<PipelineEvent> {
    let words = words.strip_prefix("fails ")?;
    let (what, message) = words.split_once(' ').unwrap_or((words, ""));
    let fault = match what {
        "camera" => PipelineFault::Camera,
        "microphone" => PipelineFault::Microphone,
        "encoder" => PipelineFault::Encoder,
        "internally" => PipelineFault::Internal,
        _ => return None,
    };
    Some(PipelineEvent::Error { fault, message: message.to_owned() })
}

fn evidence(word: &str) -> Option<Evidence> {
    Some(match word {
        "lost" => Evidence::Lost,
        "timeout" => Evidence::Timeout,
        "silent-at-publish" => Evidence::SilentAtPublish,
        "closed" => Evidence::Closed,
        "closed-at-publish" => Evidence::ClosedAtPublish,
        "closed-at-once" => Evidence::ClosedAtOnce,
        "closed-while-live" => Evidence::ClosedWhileLive,
        "unpublished" => Evidence::Unpublished,
        "unreachable" => Evidence::Unreachable,
        "busy" => Evidence::Busy,
        "key-refused" => Evidence::KeyRefused,
        "rejected" => Evidence::Rejected,
        "certificate" => Evidence::Certificate { not_yet_valid: false },
        "not-yet-valid" => Evidence::Certificate { not_yet_valid: true },
        "kicked" => Evidence::Kicked,
        "bad" => Evidence::BadSettings,
        "stopped" => Evidence::Stopped,
        _ => return None,
    })
}
