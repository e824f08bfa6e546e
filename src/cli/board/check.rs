//! `firstmile board check`: is everything there that the profile names, and does it work?

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::board::{Button, Console, ConverterOrder, Health, Lights as Fitted, Profile};
use crate::capture::{self, ElementReport, EncoderReport, Request};
use crate::clock::Clock;
use crate::device::{self, HealthReader, Lights, LineFound, control};
use crate::file;
use crate::health::Alarm;
use crate::limits::AUDIO_REAL_TIME_PRIORITY;
use crate::panel::Levels;

use super::selection::NamedBoardArgs;
use crate::cli::ctl;
use crate::cli::exit::{Code, Failure};
use crate::cli::output;

/// Where drop-ins of the service's unit may be.
const DROP_IN_ROOTS: [&str; 2] = ["/etc/systemd/system", "/usr/lib/systemd/system"];
/// How long each light is lit, and how long a press is waited for.
const LIT_FOR: Duration = Duration::from_secs(2);
const PRESS_WITHIN: Duration = Duration::from_secs(15);

/// No light is lit.
const OUT: Levels = Levels { live: false, status: false, single: false };

/// Check the devices that the profile names
#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    board: NamedBoardArgs,
    /// Also light each light for two seconds, and wait for a press of the button
    #[arg(long, alias = "hands")]
    interactive: bool,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// The result of one check.
#[derive(Debug, Serialize)]
struct Finding {
    what: String,
    ok: bool,
    /// The box works without it, but not as well.
    note: bool,
    message: String,
}

/// Runs the tests.
///
/// # Errors
/// [`Code::Device`] when something is missing or does not work.
pub fn run(args: &CheckArgs) -> Result<(), Failure> {
    let profile = args.board.profile()?;
    let running = control::ask(&ctl::default_socket(), "status", None, None).is_ok();
    let mut findings = lines(&profile);
    findings.extend(ports(&profile.console, running));
    findings.extend(kernel_devices(&profile));
    findings.extend(display(&profile));
    findings.extend(service(&profile));
    findings.extend(media(&profile)?);
    findings.push(scheduling(running));
    findings.extend(health(&profile));
    if args.interactive {
        findings.extend(lights_by_eye(&profile));
        findings.extend(press(&profile));
    }
    let failed = findings.iter().filter(|finding| !finding.ok).count();
    if args.json {
        output::json(&serde_json::json!({
            "board": profile.name, "running": running, "findings": findings
        }));
    } else {
        output::text(&text(&profile, running, &findings));
    }
    match failed {
        0 => Ok(()),
        _ => {
            Err(Failure::new(Code::Device, format!("{failed} of {} checks failed", findings.len())))
        }
    }
}

fn text(profile: &Profile, running: bool, findings: &[Finding]) -> String {
    let width = findings.iter().map(|finding| finding.what.chars().count()).max().unwrap_or(0);
    let mut text = format!("{} (profile {})\n", profile.description, profile.name);
    if running {
        text.push_str("The box is running and uses its devices; after `systemctl stop firstmile` all of them can be checked.\n");
    }
    for Finding { what, ok, note, message } in findings {
        let mark = match (ok, note) {
            (true, false) => "ok  ",
            (true, true) => "note",
            (false, _) => "FAIL",
        };
        text.push_str(&format!("{mark} {what:width$}  {message}\n"));
    }
    text
}

fn finding(what: impl Into<String>, outcome: Result<String, String>) -> Finding {
    let ok = outcome.is_ok();
    let (Ok(message) | Err(message)) = outcome;
    Finding { what: what.into(), ok, note: false, message }
}

fn lines(profile: &Profile) -> Vec<Finding> {
    let look = |(table, line): (&str, _)| {
        let outcome = device::look_at_line(line).map_err(|error| error.to_string());
        finding(
            table,
            outcome.and_then(|LineFound { chip, offset, user }| match user.as_deref() {
                None => Ok(format!("{chip} line {offset}, free")),
                Some(device::CONSUMER) => {
                    Ok(format!("{chip} line {offset}, used by the running box"))
                }
                Some(user) => Err(format!("{chip} line {offset} is used by {user}")),
            }),
        )
    };
    profile.lines().into_iter().map(look).collect()
}

/// The ports of the console that are there; one of them must be.
fn ports(console: &Console, running: bool) -> Vec<Finding> {
    let Console::Serial { paths, baud } = console else { return Vec::new() };
    let look = |path: &PathBuf| {
        let name = path.display();
        finding(
            "console",
            match device::try_port(path, *baud) {
                Ok(()) => Ok(format!("{name} can be opened")),
                Err(_) if running => Ok(format!("{name}, used by the running box")),
                Err(why) => Err(format!("{name} {why}")),
            },
        )
    };
    let found: Vec<Finding> = paths.iter().filter(|path| path.exists()).map(look).collect();
    if !found.is_empty() {
        return found;
    }
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    let why = format!(
        "there is no {}; `firstmile board wiring` shows what it needs",
        names.join(" and no ")
    );
    vec![finding("console", Err(why))]
}

/// Lights of the kernel and keys of input devices.
fn kernel_devices(profile: &Profile) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Fitted::Sysfs(_) = &profile.lights {
        let opened = Lights::open(&profile.lights, Box::new(|_| {}));
        findings.push(finding(
            "lights",
            opened.map(|_| "the kernel has them".to_owned()).map_err(|e| e.to_string()),
        ));
    }
    if let Button::Input { key, .. } = &profile.button {
        let opened = file::open_device(&key.device)
            .map_err(|error| format!("{}: {error}", key.device.display()));
        findings.push(finding(
            "button",
            opened.map(|_| format!("{} can be read", key.device.display())),
        ));
    }
    findings
}

/// Whether the display answers; a box that runs shares its bus.
fn display(profile: &Profile) -> Option<Finding> {
    let display = profile.display.as_ref()?;
    Some(finding("display", device::look_at_display(display)))
}

/// What lets the service use devices that not every board has.
fn service(profile: &Profile) -> Vec<Finding> {
    let display = profile.display.as_ref().map(|_| Profile::DISPLAY_SERVICE);
    let own = profile.setup.service.as_deref();
    own.into_iter().chain(display).map(drop_in).collect()
}

fn drop_in(file: &str) -> Finding {
    let is_there =
        |folder: &&&str| Path::new(folder).join("firstmile.service.d").join(file).exists();
    let outcome = match DROP_IN_ROOTS.iter().find(is_there) {
        Some(folder) => Ok(format!("{folder}/firstmile.service.d/{file}")),
        None => Err(format!(
            "the service may not use all devices of this board: {file} is not installed; \
             `firstmile board wiring` shows how"
        )),
    };
    finding("service", outcome)
}

fn media(profile: &Profile) -> Result<Vec<Finding>, Failure> {
    let report = capture::devices(&Request::from(profile))
        .map_err(|error| Failure::new(Code::Device, error))?;
    let source = |advice: Option<String>, chosen: Option<String>, wanted: &str| match advice {
        Some(advice) => Err(advice),
        None => Ok(chosen.unwrap_or_else(|| wanted.to_owned())),
    };
    let camera = report.cameras.iter().find(|camera| camera.chosen);
    let camera = camera.map(|camera| format!("{} ({})", camera.name, camera.device));
    let microphone = report.microphones.iter().find(|microphone| microphone.chosen);
    let microphone = microphone.map(|card| format!("{} ({})", card.name, card.device));
    let mut findings = vec![
        finding("camera", source(report.camera_advice, camera, &report.camera_wanted)),
        finding(
            "microphone",
            source(report.microphone_advice, microphone, &report.microphone_wanted),
        ),
        finding("H.264 encoder", encoder(&report.video_encoders)),
        finding("AAC encoder", encoder(&report.audio_encoders)),
    ];
    if profile.camera.may_deliver_jpeg() {
        findings.push(finding("JPEG decoder", element(&report.jpeg_decoders)));
    }
    // Software always works.
    if profile.converters.raw.iter().any(|element| element != ConverterOrder::SOFTWARE) {
        findings.push(finding("converter", element(&report.converters)));
    }
    Ok(findings)
}

/// Whether the threads of audio have real-time scheduling: those of the running box, and otherwise those
/// of a box that this user would run.
fn scheduling(running: bool) -> Finding {
    let of_box = || {
        let mut answers = control::ask(&ctl::default_socket(), "about", None, None).ok()?;
        let about = answers.next()?.ok()?.data;
        Some(about.get("no_real_time_audio")?.as_str().map(str::to_owned))
    };
    let asked = if running { of_box() } else { None };
    let who = if asked.is_some() { "the running box" } else { "a box that this user runs" };
    let (note, message) = match asked.unwrap_or_else(capture::real_time_refusal) {
        None => (false, format!("audio of {who} has real-time scheduling")),
        Some(why) => (
            true,
            format!(
                "audio of {who} has no real-time scheduling and may have gaps while the machine is \
                 busy: {why}. firstmile.service permits it; a unit of your own needs \
                 LimitRTPRIO={AUDIO_REAL_TIME_PRIORITY}, a container --ulimit \
                 rtprio={AUDIO_REAL_TIME_PRIORITY}"
            ),
        ),
    };
    Finding { what: "scheduling".to_owned(), ok: true, note, message }
}

/// What of the machine's heat and supply the profile names and the kernel shows.
fn health(profile: &Profile) -> Vec<Finding> {
    let Health::Machine(sensors) = &profile.health else { return Vec::new() };
    let reader = HealthReader::of(Path::new("/"), &profile.health, None);
    let shown = reader.map(|mut reader| reader.read()).unwrap_or_default();
    let note = |what: &str, shown: Option<String>| {
        let (note, message) = match shown {
            Some(message) => (false, message),
            None => (true, "the kernel shows nothing of it; `status` will not either".to_owned()),
        };
        Finding { what: what.to_owned(), ok: true, note, message }
    };
    let alarm = |alarm: Alarm| match (alarm.raised, alarm.events) {
        (None, None) => None,
        (Some(true), _) => Some("is shown: now".to_owned()),
        (_, Some(events)) => Some(format!("is shown: {events} times since the machine's start")),
        (Some(false), None) => Some("is shown: not now".to_owned()),
    };
    let temperature = shown.temperature.as_ref().map(|shown| shown.to_string());
    let mut findings = vec![note("temperature", temperature)];
    if !sensors.undervoltage.is_empty() {
        findings.push(note("undervoltage", alarm(shown.undervoltage)));
    }
    if !sensors.throttled.is_empty() {
        findings.push(note("throttled", alarm(shown.throttled)));
    }
    findings
}

fn encoder(tried: &[EncoderReport]) -> Result<String, String> {
    first(tried.iter().map(|encoder| (&*encoder.element, encoder.why_not.as_deref())))
}

fn element(tried: &[ElementReport]) -> Result<String, String> {
    first(tried.iter().map(|tried| (&*tried.element, tried.why_not.as_deref())))
}

/// The element that works, and why those before it do not.
fn first<'a>(tried: impl Iterator<Item = (&'a str, Option<&'a str>)>) -> Result<String, String> {
    let mut before = Vec::new();
    for (element, why_not) in tried {
        match why_not {
            Some(why) => before.push(format!("{element}: {why}")),
            None if before.is_empty() => return Ok(element.to_owned()),
            None => return Ok(format!("{element} ({})", before.join("; "))),
        }
    }
    Err(before.join("; "))
}

fn lights_by_eye(profile: &Profile) -> Option<Finding> {
    let mut lights = match Lights::open(&profile.lights, Box::new(|_| {})) {
        Ok(Lights::Drawn(_)) => return None,
        Ok(lights) => lights,
        Err(error) => return Some(finding("lights, lit", Err(error.to_string()))),
    };
    let (live, status, single) = (
        Levels { live: true, ..OUT },
        Levels { status: true, ..OUT },
        Levels { single: true, ..OUT },
    );
    for (what, levels) in [("LIVE", live), ("STATUS", status), ("only", single)] {
        eprintln!("now the {what} light is lit, if the board has one");
        lights.show(levels);
        thread::sleep(LIT_FOR);
    }
    Some(finding("lights, lit", Ok("one after the other; what did you see?".to_owned())))
}

fn press(profile: &Profile) -> Option<Finding> {
    if let Button::Keys | Button::None = &profile.button {
        return None;
    }
    let (pressed, presses) = mpsc::channel();
    device::button::watch(&profile.button, Clock::start(), true, move |event| {
        // The position that the button is found in is no press.
        if event.pressed && !event.at_power_up {
            let _ = pressed.send(());
        }
    });
    eprintln!("press the button within {} s", PRESS_WITHIN.as_secs());
    let press = presses.recv_timeout(PRESS_WITHIN);
    let outcome = press
        .map(|()| "press detected".to_owned())
        .map_err(|_| "button press not detected".to_owned());
    Some(finding("button, pressed", outcome))
}
