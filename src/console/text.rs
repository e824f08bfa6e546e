//! Replies as lines for people.

mod network;
mod words;

use self::network::{clock_word, link_word, network_lines, scan_lines, wifi_line};
use self::words::{clock_time, counted, seconds};
use super::reply::{Reply, ReplyMode};
use crate::device_controls::{Control, DeviceControls};
use crate::sanitize;
use crate::status::{
    About, BlackBox, Change, Checked, DestinationState, DestinationStatus, DropStats, EncoderStats,
    Health, LevelStats, Mode, PastSample, PastStats, Phase, SendStats, SettingLine, Space, Status,
    Temperature,
};

impl Reply {
    /// For people: one entry for each line, without line ends and control characters.
    pub fn render_text(&self) -> Vec<String> {
        render(self)
    }
}

fn render(reply: &Reply) -> Vec<String> {
    let lines = match reply {
        Reply::Status(status) => status_lines(status),
        Reply::Destinations { destinations, disabled }
            if destinations.is_empty() && disabled.is_empty() =>
        {
            vec!["no destination is set".to_owned()]
        }
        Reply::Destinations { destinations, disabled } => {
            let disabled = disabled.iter().map(|name| format!("{name:12} disabled"));
            destinations.iter().flat_map(destination_lines).chain(disabled).collect()
        }
        Reply::About(about) => about_lines(about),
        Reply::Devices { lines, .. } => lines.clone(),
        Reply::Controls(controls) => control_lines(controls),
        Reply::Levels(levels) | Reply::Measured(levels) => match level_lines(levels) {
            lines if lines.is_empty() => vec!["nothing has been measured yet".to_owned()],
            lines => lines,
        },
        Reply::Still(image) => {
            vec![format!("a JPEG of {}x{}, {} bytes", image.width, image.height, image.bytes)]
        }
        Reply::Mode(ReplyMode::Text) => vec!["text mode".to_owned()],
        Reply::Mode(ReplyMode::Machine { version }) => {
            vec![format!("machine mode, version {version}")]
        }
        Reply::Settings { settings, .. } if settings.is_empty() => {
            vec!["no setting has such a name; `show all` lists all".to_owned()]
        }
        Reply::Settings { settings, brief: false } => setting_lines(settings),
        Reply::Settings { settings, brief: true } => set_lines(settings),
        Reply::Network(network) => network_lines(network),
        Reply::WifiScan(scan) => scan_lines(scan),
        Reply::Checked(checked) => checked_lines(checked),
        Reply::BlackBox(past) => black_box_lines(past),
        Reply::Text { lines } => lines.clone(),
        Reply::Error { message, .. } => vec![format!("error: {message}")],
        Reply::Changed(change) => vec![change_line(change)],
    };
    lines.iter().map(|line| sanitize::line(line)).collect()
}

fn status_lines(status: &Status) -> Vec<String> {
    let present = |present| if present { "present" } else { "absent" };
    let facts = &status.facts;
    let (link, clock) = (link_word(facts.link), clock_word(facts.clock));
    let mut lines = vec![
        format!("state        {} for {}", status.mode.name(), clock_time(status.for_ms)),
        format!("because      {}", status.because),
    ];
    lines.extend(status.warnings.iter().map(|warning| format!("warning      {}", warning.message)));
    lines.extend(status.note.iter().map(|note| format!("note         {note}")));
    lines.extend([
        format!("camera       {}", present(facts.camera)),
        format!("microphone   {}", present(facts.microphone)),
        format!("network      {link}"),
    ]);
    lines.extend(status.wifi.as_ref().map(wifi_line));
    lines.push(format!("clock        {clock}"));
    lines.extend(status.settings_faults.iter().map(|fault| format!("settings     {fault}")));
    lines.extend(health_lines(&status.health));
    lines.extend(status.encoder.iter().flat_map(encoder_lines));
    lines.extend(status.levels.iter().flat_map(level_lines));
    lines.extend(status.destinations.iter().flat_map(destination_lines));
    lines
}

fn about_lines(about: &About) -> Vec<String> {
    let About { product, version, board, name, machine, serial_number, no_real_time_audio } = about;
    let mut lines = vec![format!("{product} {version} on {board}")];
    for (title, value) in [("name", name), ("machine", machine), ("serial", serial_number)] {
        lines.extend(value.as_ref().map(|value| format!("{title:12} {value}")));
    }
    let refusal = no_real_time_audio.as_ref();
    lines.extend(refusal.map(|why| format!("audio        no real-time scheduling: {why}")));
    lines
}

/// What somebody sees who has just come to the console: who answers, and one next step.
pub(super) fn banner(about: &About, mode: Mode) -> Vec<String> {
    let next = match mode {
        Mode::NeedsSetup => {
            "It needs a destination: `destination add NAME ADDRESS`, then `key`, then `live`."
        }
        Mode::NotReady => "It is not ready: `status` says what is missing.",
        Mode::Ready => "It is ready: `live` goes on air.",
        Mode::Starting | Mode::Live => "It is on air: `status` says how it goes, `stop` ends it.",
        Mode::Retrying | Mode::Fault => "Something is wrong: `status` says what.",
        Mode::Booting | Mode::Stopping => "A moment, please: `status` says what it is doing.",
    };
    let mut lines = about_lines(about);
    lines.push(next.to_owned());
    lines.push("`help` lists all commands.".to_owned());
    lines.iter().map(|line| sanitize::line(line)).collect()
}

fn setting_lines<'a>(settings: impl IntoIterator<Item = &'a SettingLine> + Clone) -> Vec<String> {
    let width = |of: fn(&SettingLine) -> usize| settings.clone().into_iter().map(of).max();
    let names = width(|line| line.name.len()).unwrap_or(0);
    let values = width(|line| shown_value(line).chars().count().min(VALUE_WIDTH_MAX)).unwrap_or(0);
    let line = |line: &SettingLine| {
        let (name, value, origin) = (&line.name, shown_value(line), line.origin.name());
        format!("{name:names$}  {value:values$}  {origin:10}  ({})", line.allowed)
    };
    settings.clone().into_iter().map(line).collect()
}

/// A longer value does not push those of others to the right.
const VALUE_WIDTH_MAX: usize = 24;

fn shown_value(line: &SettingLine) -> String {
    match (&line.words, &line.value) {
        (Some(words), _) => words.clone(),
        (None, Some(value)) => value.to_string(),
        (None, None) => "none".to_owned(),
    }
}

fn control_lines(of: &DeviceControls) -> Vec<String> {
    let mut lines = vec![format!("{} ({})", of.name, of.device)];
    if of.controls.is_empty() {
        lines.push("it has no controls".to_owned());
    }
    let value = |control: &Control| match &control.value {
        Some(value) => value.to_string(),
        None => "unknown".to_owned(),
    };
    let names = of.controls.iter().map(|control| control.name.len()).max().unwrap_or(0);
    let values = of.controls.iter().map(|control| value(control).chars().count());
    let values = values.max().unwrap_or(0).min(VALUE_WIDTH_MAX);
    for control in &of.controls {
        let Control { name, default, allowed, active, .. } = control;
        let value = value(control);
        let default = default.as_ref().map(|default| format!("; {default} by default"));
        let default = default.unwrap_or_default();
        let active = if *active { "" } else { "; automatic now" };
        lines.push(format!("{name:names$}  {value:values$}  ({allowed}{default}{active})"));
    }
    lines
}

/// What somebody has set, and how to see the rest: all of it is longer than a terminal.
fn set_lines(settings: &[SettingLine]) -> Vec<String> {
    let set = settings.iter().filter(|line| line.origin.is_set());
    let mut lines = setting_lines(set.clone());
    let mut sections: Vec<&str> = Vec::new();
    for line in settings {
        let section = line.name.split('.').next().unwrap_or_default();
        if !sections.contains(&section) {
            sections.push(section);
        }
    }
    let others = settings.len() - set.count();
    lines.push(format!(
        "{} as the board or the program decides: `show all`, or `show NAME` with one of {}",
        counted(others as u64, "setting"),
        sections.join(", ")
    ));
    lines
}

fn checked_lines(checked: &Checked) -> Vec<String> {
    let phase = |phase: &Phase| format!("{:14} ok {:6} ms", phase.name, phase.took_ms);
    let mut lines = Vec::new();
    for tried in &checked.servers {
        if checked.servers.len() > 1 {
            lines.push(format!("{}:", tried.server));
        }
        lines.extend(tried.phases.iter().map(phase));
        lines.push(match &tried.failure {
            None => "server OK; stream key not tested".to_owned(),
            Some(why) => format!("error: {why}"),
        });
    }
    lines
}

/// What is measured of the machine, a line each.
fn health_lines(health: &Health) -> Vec<String> {
    let mib = |space: &Space| {
        format!("{} of {} MiB", space.available_kib / 1_024, space.total_kib / 1_024)
    };
    let storage = [
        health.storage.as_ref().map(|space| format!("{} free", mib(space))),
        health.wear.and_then(|wear| wear.used_percent).map(|used| match used {
            0..=100 => format!("at least {used} % of its life used"),
            _ => "its life used up".to_owned(),
        }),
    ];
    let storage: Vec<String> = storage.into_iter().flatten().collect();
    let shown = [
        ("temperature", health.temperature.as_ref().map(Temperature::to_string)),
        (
            "power",
            health.undervoltage.map(|low| if low { "undervoltage" } else { "ok" }.to_owned()),
        ),
        (
            "throttled",
            health.throttled.map(|throttled| if throttled { "yes" } else { "no" }.to_owned()),
        ),
        ("processor", health.cpu_percent.map(|percent| format!("{percent} % busy"))),
        ("memory", health.memory.as_ref().map(|space| format!("{} available", mib(space)))),
        ("storage", (!storage.is_empty()).then(|| storage.join(", "))),
    ];
    let line = |(title, value): (&str, Option<String>)| Some(format!("{title:12} {}", value?));
    shown.into_iter().filter_map(line).collect()
}

/// The encoder in one line, and frames that it never got in another.
fn encoder_lines(stats: &EncoderStats) -> Vec<String> {
    let mut made = vec![
        format!("{} of {} kb/s", stats.actual_kbps, stats.target_kbps),
        format!("{:.1} frames/s", stats.frames_per_s),
        format!("{} frames by {}", stats.frames, stats.name),
    ];
    if stats.restarts > 0 {
        made.push(format!("restarted {}", counted(stats.restarts, "time")));
    }
    let mut lost = Vec::new();
    if stats.frames_broken > 0 {
        lost.push(format!("{} corrupt from the camera", stats.frames_broken));
    }
    if stats.frames_skipped > 0 {
        lost.push(format!("{} skipped: encoder overloaded", stats.frames_skipped));
    }
    let mut lines = vec![format!("encoder      {}", made.join(", "))];
    if !lost.is_empty() {
        lines.push(format!("frames       {}", lost.join(", ")));
    }
    lines
}

/// The audio in one line, and a video that is black in another.
fn level_lines(levels: &LevelStats) -> Vec<String> {
    let mut audio: Vec<String> = levels
        .channels
        .iter()
        .map(|level| format!("{:.1} dBFS (peak {:.1})", level.rms_dbfs, level.peak_dbfs))
        .collect();
    audio.extend(levels.loudness_lufs.map(|lufs| format!("loudness {lufs:.1} LUFS")));
    if levels.limited_db >= 0.1 {
        audio.push(format!("limiter -{:.1} dB", levels.limited_db));
    }
    let clips: u64 = levels.clips.iter().sum();
    if clips > 0 {
        audio.push(format!("clipped at the source {}", counted(clips, "time")));
    }
    let long_ms = |ms: &u64| *ms >= 1_000;
    let silent = levels.silent_for_ms.filter(long_ms);
    audio.extend(silent.map(|ms| format!("silent for {}", clock_time(ms))));
    audio.extend(levels.microphone_drift_ppm.map(|ppm| format!("clock {ppm:+} ppm")));
    let black = levels.black_for_ms.filter(long_ms);
    let mut lines = Vec::new();
    if !audio.is_empty() {
        lines.push(format!("audio        {}", audio.join(", ")));
    }
    lines.extend(black.map(|ms| format!("video        black for {}", clock_time(ms))));
    lines
}

fn destination_lines(destination: &DestinationStatus) -> Vec<String> {
    let mut words = vec![destination.state.name().to_owned()];
    words.extend(destination.server.map(|server| format!("at the {}", server.name())));
    if let Some(live_ms) = destination.live_for_ms {
        words.push(format!("live for {}", clock_time(live_ms)));
    }
    if let Some(wait_ms) = destination.next_attempt_in_ms {
        words.push(format!("next attempt in {}", seconds(wait_ms)));
    }
    words.extend(destination.idle_because.clone());
    if !destination.has_key && destination.state != DestinationState::Idle {
        words.push("no stream key".to_owned());
    }
    if destination.failures > 0 {
        words.push(counted(destination.failures.into(), "failure"));
    }
    if destination.reconnects > 0 {
        words.push(counted(destination.reconnects, "reconnect"));
    }
    let mut lines = vec![format!("{:12} {}", destination.name, words.join(", "))];
    if let Some(end) = &destination.last_end {
        let mut message =
            if end.message.is_empty() { String::new() } else { format!(": {}", end.message) };
        if !end.advice.is_empty() {
            message += &format!("; {}", end.advice);
        }
        lines.push(format!(
            "{:12}   last disconnect {} ago: {}{message}",
            "",
            seconds(end.ago_ms),
            end.kind
        ));
    }
    lines.extend(destination.stats.as_ref().map(stats_line));
    lines
}

fn stats_line(stats: &SendStats) -> String {
    let rtt = stats.rtt_ms.map_or(String::new(), |ms| format!(", round trip {ms} ms"));
    let DropStats { video_disposable, video_delta, video_key, audio } = stats.dropped;
    let kinds = match stats.frames_dropped {
        0 => String::new(),
        _ => format!(
            " ({video_disposable} disposable, {video_delta} delta, {video_key} key, {audio} audio)"
        ),
    };
    format!(
        "{:12}   {} kb/s sent, {} kb/s acknowledged, target {} kb/s, {} frames, \
         {} dropped{kinds}, {} ms ({} bytes) waiting, {} bytes on the way{rtt}",
        "",
        stats.sent_kbps,
        stats.acknowledged_kbps,
        stats.target_kbps,
        stats.frames_sent,
        stats.frames_dropped,
        stats.queue_ms,
        stats.queue_bytes,
        stats.unacknowledged_bytes,
    )
}

/// Events and figures in the order of time; of the figures one second in ten.
fn black_box_lines(past: &BlackBox) -> Vec<String> {
    const SHOWN_MS: u64 = 10_000;
    let ago = |ms: u64| format!("-{:>7}", seconds(ms));
    let mut lines: Vec<(u64, String)> = Vec::new();
    lines.extend(
        past.events.iter().map(|e| (e.ago_ms, format!("{}  {}", ago(e.ago_ms), e.message))),
    );
    let mut shown = None;
    for sample in &past.samples {
        if shown.is_some_and(|last: u64| sample.ago_ms + SHOWN_MS > last) {
            continue;
        }
        shown = Some(sample.ago_ms);
        let of_box = format!("{}  {}", ago(sample.ago_ms), past_of_box(sample));
        lines.push((sample.ago_ms, of_box));
        let line = |d: &PastStats| {
            let rtt = d.rtt_ms.map_or(String::new(), |ms| format!(", round trip {ms} ms"));
            let message = format!(
                "{}  {}: {} kb/s sent, {} acknowledged, target {}, {} ms waiting, {} bytes on \
                 the way, {} dropped{rtt}",
                ago(sample.ago_ms),
                d.name,
                d.sent_kbps,
                d.acknowledged_kbps,
                d.target_kbps,
                d.queue_ms,
                d.unacknowledged_bytes,
                d.frames_dropped,
            );
            (sample.ago_ms, message)
        };
        lines.extend(sample.destinations.iter().map(line));
    }
    lines.sort_by_key(|(ago_ms, _)| std::cmp::Reverse(*ago_ms));
    if lines.is_empty() {
        return vec!["nothing has happened yet".to_owned()];
    }
    lines.into_iter().map(|(_, line)| line).collect()
}

/// The encoder and the machine in a second of the past.
fn past_of_box(sample: &PastSample) -> String {
    let PastSample { encoder_kbps, encoder_target_kbps, frames_skipped_percent, .. } = sample;
    let mut words = vec![format!("encoder {encoder_kbps} of {encoder_target_kbps} kb/s")];
    if *frames_skipped_percent > 0 {
        words.push(format!("{frames_skipped_percent} % of frames skipped"));
    }
    words.extend(sample.celsius.map(|celsius| format!("{celsius} °C")));
    words.extend(sample.cpu_percent.map(|percent| format!("processor {percent} % busy")));
    words.join(", ")
}

fn change_line(change: &Change) -> String {
    match change {
        Change::Box { from, to, because } => {
            format!("box: {} -> {} ({because})", from.name(), to.name())
        }
        Change::Destination { name, from, to, because } => {
            format!("{name}: {} -> {} ({because})", from.name(), to.name())
        }
        Change::Source { name, present: true } => format!("{name}: back"),
        Change::Source { name, present: false } => format!("{name}: lost"),
        Change::Warning { begun: true, message, .. } => format!("warning: {message}"),
        Change::Warning { kind, begun: false, .. } => format!("warning over: {}", kind.name()),
        Change::Note { message } => message.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{
        ChannelStats, Clock, Facts, LastEnd, Link, StillImage, Warning, WarningKind, Wear, Wifi,
        WifiScan, WifiSignal, WifiState,
    };

    fn status() -> Status {
        let accepted = DestinationStatus {
            id: 0,
            name: "a".to_owned(),
            has_key: true,
            state: DestinationState::Accepted,
            server: None,
            idle_because: None,
            attempt: 1,
            failures: 0,
            next_attempt_in_ms: None,
            live_for_ms: Some(3_723_000),
            reconnects: 0,
            last_end: None,
            stats: Some(SendStats {
                target_kbps: 4_000,
                sent_kbps: 3_950,
                acknowledged_kbps: 3_940,
                frames_sent: 1_000,
                frames_dropped: 3,
                dropped: DropStats { video_disposable: 2, video_delta: 1, ..DropStats::default() },
                queue_ms: 40,
                queue_bytes: 20_000,
                acknowledged_bytes: 5_000_000,
                unacknowledged_bytes: 12_000,
                rtt_ms: Some(23),
            }),
        };
        let waiting = DestinationStatus {
            id: 1,
            name: "b".to_owned(),
            state: DestinationState::Waiting,
            server: None,
            attempt: 7,
            failures: 3,
            next_attempt_in_ms: Some(1_930),
            live_for_ms: None,
            reconnects: 1,
            last_end: Some(LastEnd {
                kind: "unreachable",
                message: "no route\nto host".to_owned(),
                advice: "",
                ago_ms: 70_000,
            }),
            stats: None,
            ..accepted.clone()
        };
        Status {
            mode: Mode::Live,
            for_ms: 3_723_400,
            because: "a accepted the stream".to_owned(),
            warnings: vec![Warning {
                kind: WarningKind::Undervoltage,
                message: "undervoltage: use a stronger power supply".to_owned(),
                for_ms: 7_000,
            }],
            note: Some("could not save the live state: disk full".to_owned()),
            facts: Facts { camera: true, microphone: false, link: Link::Up, clock: Clock::Trusted },
            wifi: Some(Wifi {
                ssid: "hall".to_owned(),
                state: WifiState::Joined,
                interface: Some("wlan0".to_owned()),
                signal_percent: Some(72),
                signal: Some(WifiSignal::Good),
                failure: None,
                message: None,
            }),
            settings_faults: vec!["box.toml:3:1: video.fpps: does not exist".to_owned()],
            health: Health {
                temperature: Some(Temperature {
                    sensor: "cpu-thermal".to_owned(),
                    celsius: 61,
                    limit_celsius: Some(80),
                }),
                undervoltage: Some(true),
                throttled: Some(false),
                cpu_percent: Some(34),
                memory: Some(Space { available_kib: 832_000, total_kib: 1_945_600 }),
                storage: Some(Space { available_kib: 122_880, total_kib: 409_600 }),
                wear: Some(Wear { used_percent: Some(20), reserve_low: false }),
                frames_skipped_percent: None,
            },
            encoder: Some(EncoderStats {
                name: "x264enc".to_owned(),
                target_kbps: 4_000,
                actual_kbps: 3_960,
                frames_per_s: 29.97,
                frames: 111_000,
                restarts: 1,
                frames_broken: 3,
                frames_skipped: 0,
            }),
            levels: Some(LevelStats {
                channels: vec![
                    ChannelStats { peak_dbfs: -6.02, rms_dbfs: -20.7, true_peak_dbtp: -5.8 },
                    ChannelStats { peak_dbfs: -96.0, rms_dbfs: -96.0, true_peak_dbtp: -96.0 },
                ],
                loudness_lufs: Some(-18.43),
                limited_db: 3.12,
                clips: vec![2, 0],
                silent_for_ms: Some(700),
                black_for_ms: Some(72_300),
                microphone_drift_ppm: Some(-34),
            }),
            destinations: vec![accepted, waiting],
        }
    }

    #[test]
    fn a_status_reads_like_this() {
        let text = Reply::Status(Box::new(status())).render_text().join("\n");
        assert_eq!(
            text,
            "state        live for 1:02:03\n\
             because      a accepted the stream\n\
             warning      undervoltage: use a stronger power supply\n\
             note         could not save the live state: disk full\n\
             camera       present\n\
             microphone   absent\n\
             network      up\n\
             Wi-Fi        hall: joined, on wlan0, signal good (72 %)\n\
             clock        synchronized\n\
             settings     box.toml:3:1: video.fpps: does not exist\n\
             temperature  61 °C (cpu-thermal, limit 80 °C)\n\
             power        undervoltage\n\
             throttled    no\n\
             processor    34 % busy\n\
             memory       812 of 1900 MiB available\n\
             storage      120 of 400 MiB free, at least 20 % of its life used\n\
             encoder      3960 of 4000 kb/s, 30.0 frames/s, 111000 frames by x264enc, restarted 1 time\n\
             frames       3 corrupt from the camera\n\
             audio        -20.7 dBFS (peak -6.0), -96.0 dBFS (peak -96.0), loudness -18.4 LUFS, limiter -3.1 dB, clipped at the source 2 times, clock -34 ppm\n\
             video        black for 0:01:12\n\
             a            accepted, live for 1:02:03\n\
             \x20              3950 kb/s sent, 3940 kb/s acknowledged, target 4000 kb/s, 1000 frames, 3 dropped (2 disposable, 1 delta, 0 key, 0 audio), 40 ms (20000 bytes) waiting, 12000 bytes on the way, round trip 23 ms\n\
             b            waiting, next attempt in 1.9 s, 3 failures, 1 reconnect\n\
             \x20              last disconnect 0:01:10 ago: unreachable: no route to host"
        );
    }

    #[test]
    fn a_program_reads_the_same_status_as_data() {
        let json = Reply::Status(Box::new(status())).render_json();
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["reply"], "status");
        assert_eq!(value["mode"], "live");
        assert_eq!(value["wifi"]["state"], "joined");
        assert_eq!(value["wifi"]["signal_percent"], 72);
        assert_eq!(value["settings_faults"][0], "box.toml:3:1: video.fpps: does not exist");
        assert_eq!(value["destinations"][1]["state"], "waiting");
        assert_eq!(value["destinations"][1]["next_attempt_in_ms"], 1_930);
        assert_eq!(value["destinations"][0]["stats"]["rtt_ms"], 23);
        assert!(!json.contains('\n'), "one line each");
    }

    #[test]
    fn every_kind_of_reply_is_json_with_its_kind() {
        let replies = [
            Reply::Destinations {
                destinations: status().destinations,
                disabled: vec!["c".to_owned()],
            },
            Reply::About(About {
                product: "p",
                version: "1",
                board: "sim".to_owned(),
                name: Some("stage".to_owned()),
                machine: None,
                serial_number: None,
                no_real_time_audio: None,
            }),
            Reply::Devices { found: serde_json::json!({}), lines: vec!["none".to_owned()] },
            Reply::Levels(status().levels.unwrap()),
            Reply::Measured(status().levels.unwrap()),
            Reply::Still(StillImage { width: 2, height: 2, bytes: 0, base64: Vec::new() }),
            Reply::Mode(ReplyMode::Machine { version: 1 }),
            Reply::WifiScan(WifiScan { networks: Vec::new(), left_out: 0 }),
            Reply::text(["one", "two"]),
            Reply::error("no"),
            Reply::Changed(Change::Source { name: "camera", present: false }),
            Reply::Changed(Change::Warning {
                kind: WarningKind::TooHot,
                begun: false,
                message: String::new(),
            }),
        ];
        for reply in replies {
            let value: serde_json::Value = serde_json::from_str(&reply.render_json()).unwrap();
            assert!(value["reply"].is_string(), "{value}");
            assert!(!reply.render_text().is_empty());
        }
    }

    #[test]
    fn words_of_a_server_cannot_move_the_cursor() {
        let change = Change::Note { message: "evil \x1b[2J\r\nstop".to_owned() };
        let text = Reply::Changed(change).render_text();
        assert_eq!(text, ["evil  [2J  stop"]);
    }

    #[test]
    fn a_parse_error_keeps_its_column() {
        let error = super::super::parse("  lvie").unwrap_err();
        let Reply::Error { column, .. } = Reply::from(error) else { panic!("an error") };
        assert_eq!(column, Some(3));
    }
}
