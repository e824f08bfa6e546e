//! What owner, stick and programs ask for, and what becomes of it, as stories.
//!
//! Each file in `tests/stories/control` is a script and its transcript in one, as in `stories.rs`:
//! lines with a time are what happens, the `->` lines under them are what the box does about it, and
//! `(time)` stands for what it does by itself before the next of them. `FIRSTMILE_BLESS=1` writes the
//! transcripts again; the diff is then reviewed.
//!
//! What can happen: `boot`, `A> COMMAND` and `A> key NAME << SECRET` (client A of the control socket),
//! `type TEXT` at the terminal (`\r` for Enter, `\x03` for ^C), `store takes 500 ms`, `store hangs`,
//! `store is full`, `store is full after 500 ms`, `store is broken`, `store works`, `stick TOML` (its
//! import stores this; then it says `reload`), `press`, `hold`, `first key`, `encoder fails WORDS`,
//! `devices hang`, `devices answer`, `devices fail WORDS`, `devices work`, `devices are unplugged`,
//! `devices are plugged in`, `devices deliver nothing`, `camera unplugged`, `camera plugged in` (with its defaults),
//! `looked for devices`, `camera absent WHY`, `camera there`
//! (the one that is set), `camera waits WHY`, `camera begins`, `camera delivers WHAT`, `camera does not open WHY`
//! (its exchange; also `microphone`), `NAME accepts`, `NAME can carry 2000`, `NAME is lost`,
//! `machine WHAT` (its next readings; see `machine_shows`), `encoder skips 12 %` of its frames,
//! `wifi WHAT` and `scan finds LIST` (see `wifi.rs`), `scan fails WORDS`, `link down`, `link up`,
//! `checked NAME`, `A leaves`, `terminal opens`, `terminate`, `wait`; ` ; ` joins several. `before:`
//! lines stand first: `integrator TOML`, `credentials TOML`, `credential-key NAME KEY`, `stored TOML`,
//! `no store`, `was live`. `\n` ends a line of TOML. Every secret begins with `canary`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use firstmile::appliance::{LinkChange, PipelineFault, Presence, Source};
use firstmile::console::ClientId;
use firstmile::control::{Event, JobResult, PublishReport};
use firstmile::health::{Alarm, Readings};
use firstmile::selection::Exchanged;
use firstmile::status::{Space, Temperature, Wear};

use crate::rig::{Before, Rig, Temper, lost};
use crate::wifi;

#[test]
fn every_story_of_requests_goes_as_it_is_written() {
    let stories = stories();
    assert!(stories.len() >= 20, "the stories are in tests/stories/control");
    crate::stories::go_as_written(stories, retell);
}

fn stories() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories/control");
    let entries = std::fs::read_dir(folder).expect("tests/stories/control");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    paths
}

/// Plays the script of a story and writes the story as it goes.
fn retell(story: &str) -> Result<String, String> {
    let mut before = Before::default();
    let mut text = String::new();
    let mut remarks = String::new(); // they belong to the line that follows them
    let mut rig: Option<Rig> = None;
    for line in story.lines() {
        let trimmed = line.trim_start();
        if trimmed.starts_with("->") || trimmed == "(time)" {
            continue; // the transcript, written again below
        }
        if trimmed.is_empty() || trimmed.starts_with('#') {
            let _ = writeln!(remarks, "{line}");
        } else if let Some(what) = line.strip_prefix("before: ") {
            prepare(&mut before, what)?;
            let _ = writeln!(remarks, "{line}");
        } else {
            let (time, stimuli) = line.split_once("s ").ok_or(format!("no time: {line}"))?;
            let at: f64 = time.trim().parse().map_err(|_| format!("no time: {line}"))?;
            let rig = rig.get_or_insert_with(|| Rig::new(&before));
            rig.advance_to(Duration::from_secs_f64(at));
            let by_itself = transcribed(rig);
            if !by_itself.is_empty() {
                let _ = write!(text, "          (time)\n{by_itself}");
            }
            let _ = writeln!(text, "{}{line}", std::mem::take(&mut remarks));
            for stimulus in stimuli.split(" ; ") {
                happen(rig, stimulus.trim())?;
                text.push_str(&transcribed(rig));
            }
        }
    }
    Ok(text + &remarks)
}

fn transcribed(rig: &mut Rig) -> String {
    rig.take_transcript()
        .lines()
        .map(|line| format!("          -> {}\n", line.trim_end()))
        .collect()
}

fn prepare(before: &mut Before, what: &str) -> Result<(), String> {
    let (first, rest) = what.split_once(' ').unwrap_or((what, ""));
    match (first, unescaped(rest)) {
        ("integrator", toml) => before.integrator.push_str(&toml),
        ("credentials", toml) => before.credentials.push_str(&toml),
        ("stored", toml) => before.stored.push_str(&toml),
        ("credential-key", named) => {
            let (name, key) = named.split_once(' ').ok_or("credential-key NAME KEY")?;
            before.credential_keys.push((name.to_owned(), key.to_owned()));
        }
        ("no", store) if store == "store" => before.no_store = true,
        ("was", live) if live == "live" => before.was_live = true,
        _ => return Err(format!("unknown: {what}")),
    }
    Ok(())
}

fn unescaped(text: &str) -> String {
    let text = text.replace("\\n", "\n").replace("\\r", "\r");
    text.replace("\\t", "\t").replace("\\x03", "\x03")
}

fn happen(rig: &mut Rig, stimulus: &str) -> Result<(), String> {
    if let Some((client, line)) = stimulus.split_once("> ").filter(|(c, _)| c.len() == 1) {
        let (line, secret) = match line.split_once(" << ") {
            Some((line, secret)) => (line, Some(secret)),
            None => (line, None),
        };
        rig.asks(client_number(client), line, secret);
        return Ok(());
    }
    if let Some(name) = stimulus.strip_suffix(" accepts") {
        rig.reports(name, PublishReport::Accepted);
        return Ok(());
    }
    if let Some(name) = stimulus.strip_suffix(" is lost") {
        rig.reports(name, lost("broken pipe"));
        return Ok(());
    }
    if let Some(client) = stimulus.strip_suffix(" leaves") {
        rig.happens(Event::Gone(ClientId(client_number(client))));
        return Ok(());
    }
    if let Some((name, kbps)) = stimulus.split_once(" can carry ") {
        let kbps = kbps.parse().map_err(|_| format!("no bitrate: {stimulus}"))?;
        rig.reports(name, PublishReport::TargetBitrate(kbps));
        return Ok(());
    }
    let (first, rest) = stimulus.split_once(' ').unwrap_or((stimulus, ""));
    match (first, rest) {
        ("boot", _) => rig.boot(),
        ("type", text) => rig.types(&unescaped(text)),
        ("stick", toml) => rig.imports(&unescaped(toml)),
        ("store", "hangs") => rig.temper = Temper::Hangs,
        ("store", "is full") => rig.temper = Temper::Full,
        ("store", "is broken") => rig.temper = Temper::Broken,
        ("store", "works") => rig.temper = Temper::Takes(Duration::from_millis(20)),
        ("store", how) => {
            let ms = |prefix| how.strip_prefix(prefix)?.strip_suffix(" ms")?.parse().ok();
            rig.temper = match (ms("takes "), ms("is full after ")) {
                (Some(ms), _) => Temper::Takes(Duration::from_millis(ms)),
                (_, Some(ms)) => Temper::FullAfter(Duration::from_millis(ms)),
                _ => return Err(format!("what is {stimulus}?")),
            };
        }
        ("press", _) => rig.press_for(Duration::from_millis(150)),
        ("hold", _) => rig.press_for(Duration::from_millis(2_200)),
        ("first", "key") => rig.first_key(),
        ("machine", what) => machine_shows(rig, what)?,
        ("encoder", how) if how.starts_with("skips ") => {
            let percent = figures(how);
            rig.skips_percent = Some(*percent.first().ok_or("encoder skips PERCENT")?);
        }
        ("encoder", how) => rig.encoder_fails(how.strip_prefix("fails ").unwrap_or(how)),
        ("camera", "there") => rig.no_camera = None,
        ("camera", why) if why.starts_with("absent ") => {
            rig.no_camera = Some(why.trim_start_matches("absent ").to_owned());
        }
        ("microphone", outcome) => exchanged(rig, Source::Microphone, outcome)?,
        ("devices", "hang") => rig.devices_hang = true,
        ("devices", "work") => rig.cannot_open = None,
        ("devices", how) if how.starts_with("fail ") => {
            let why = how.trim_start_matches("fail ").to_owned();
            rig.cannot_open = Some((PipelineFault::Camera, why));
        }
        ("devices", "are plugged in") => rig.plugged_in = true,
        ("devices", "are unplugged") => rig.plugged_in = false,
        ("devices", "deliver nothing") => rig.levels = None,
        ("camera", "unplugged") => rig.camera_is_lost(),
        ("camera", "plugged in") => rig.camera_is_back(),
        ("camera", outcome) => exchanged(rig, Source::Camera, outcome)?,
        ("looked", "for devices") => {
            rig.job_comes_to(JobResult::Devices(serde_json::Value::Null, vec!["none".to_owned()]));
        }
        ("devices", "answer") => rig.release_devices(),
        ("terminal", "opens") => {
            rig.happens(Event::TerminalOpened { at: ClientId(0), greet: true })
        }
        ("terminate", _) => rig.happens(Event::Terminate),
        ("checked", name) => rig.checked(name),
        ("wifi", what) => {
            let wanted = rig.ssid_handed_over();
            rig.happens(Event::Wifi { wanted, observed: wifi::observed(what)? });
        }
        ("scan", how) => rig.job_comes_to(match how.split_once(' ') {
            Some(("finds", list)) => {
                let known = vec![b"hall".to_vec()];
                JobResult::WifiScan { points: wifi::in_range(list)?, known }
            }
            Some(("fails", why)) => JobResult::Failed(why.to_owned()),
            _ => return Err(format!("what is \"{stimulus}\"?")),
        }),
        ("link", how) => {
            let link = if how == "down" { LinkChange::Down } else { LinkChange::Up };
            rig.happens(Event::Network { link, interfaces: None, connected: Vec::new() });
        }
        ("wait", _) => {}
        _ => return Err(format!("what is \"{stimulus}\"?")),
    }
    Ok(())
}

/// What comes of the exchange of a source that was ordered last.
fn exchanged(rig: &mut Rig, source: Source, outcome: &str) -> Result<(), String> {
    let words = |begin: &str| outcome.strip_prefix(begin).map(|rest| rest.trim().to_owned());
    let outcome = match (words("waits"), words("delivers"), words("does not open"), outcome) {
        (Some(why), ..) => Exchanged::Waits(why),
        (_, Some(what), ..) => {
            rig.source_is(source, Presence::Back);
            Exchanged::Delivers(what)
        }
        (_, _, Some(why), _) => Exchanged::Fails(why),
        (.., "begins") => {
            rig.exchanged(source, Exchanged::Begins);
            rig.source_is(source, Presence::Lost);
            return Ok(());
        }
        _ => return Err(format!("what is exchanged: {outcome}")),
    };
    rig.exchanged(source, outcome);
    Ok(())
}

/// What the machine shows from now on: `86 of 85 °C`, `12 °C`, `undervoltage`, `undervoltage 7 times`,
/// `voltage`, `throttled`, `not throttled`, `97 % busy`, `20 of 400 MiB memory`, `9 of 400 MiB storage`,
/// `90 % worn`, `few spare blocks`, `nothing`.
fn machine_shows(rig: &mut Rig, what: &str) -> Result<(), String> {
    let figures = figures(what);
    let shown = &mut rig.readings;
    let alarm = |raised| Alarm { raised: Some(raised), events: None };
    let space = |figures: &[u64]| match *figures {
        [available, total] => {
            Ok(Space { available_kib: 1_024 * available, total_kib: 1_024 * total })
        }
        _ => Err("A of B MiB"),
    };
    let last = what.rsplit(' ').next().unwrap_or(what);
    match (last, figures.as_slice()) {
        ("°C", [celsius, limit @ ..]) => {
            shown.temperature = Some(Temperature {
                sensor: "cpu-thermal".to_owned(),
                celsius: *celsius as i32,
                limit_celsius: limit.first().map(|limit| *limit as i32),
            });
        }
        ("undervoltage", []) => shown.undervoltage = alarm(true),
        ("voltage", []) => shown.undervoltage = alarm(false),
        ("times", [events]) => {
            shown.undervoltage = Alarm { raised: None, events: Some(*events) };
        }
        ("throttled", []) => shown.throttled = alarm(what == "throttled"),
        ("busy", [percent]) => rig.busy_percent = Some(*percent),
        ("memory", figures) => shown.memory = Some(space(figures)?),
        ("storage", figures) => shown.storage = Some(space(figures)?),
        ("worn", [percent]) => {
            shown.wear = Some(Wear { used_percent: Some(*percent as u32), reserve_low: false });
        }
        ("blocks", []) => shown.wear = Some(Wear { used_percent: None, reserve_low: true }),
        ("nothing", []) => {
            (*shown, rig.busy_percent) = (Readings::default(), None);
        }
        _ => return Err(format!("what does the machine show: {what}")),
    }
    Ok(())
}

/// The figures of a text.
fn figures(text: &str) -> Vec<u64> {
    text.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

fn client_number(letter: &str) -> u32 {
    letter.bytes().next().map_or(1, |byte| u32::from(byte.wrapping_sub(b'A')) + 1)
}
