//! The table of commands: one entry owns a command's name, arguments, help and parser.

use super::command::{
    Argument, Command, Entry, Group, ParseError, Problem, Service, Shown, Topic, Typed, Words,
    split,
};
use crate::config::schema::SettingPath;
use crate::device_controls::ControlsOf;
use crate::limits::{
    STILL_QUALITY, STILL_QUALITY_MAX, STILL_QUALITY_MIN, STILL_SIDE, STILL_SIDE_MAX, STILL_SIDE_MIN,
};
use crate::secret::pasted;
use crate::spelling::changes;
use crate::status::StickImport;

/// Every command, in the order of the help.
pub static COMMANDS: &[Entry] = &[
    Entry {
        name: "help",
        group: Group::System,
        arguments: "[COMMAND|all]",
        short: "list the commands, or say what one of them does",
        long: "`help all` says it of every command; `?` is the same as `help`. Tab completes names; the \
               arrow keys bring back earlier lines, but none that may hold a secret.",
        example: "help",
        argument: Argument::None,
        parse: parse_help,
    },
    Entry {
        name: "status",
        group: Group::Live,
        arguments: "",
        short: "show what the box is doing",
        long: "Shows the state of the box, of camera, microphone, network and clock, and of every \
               destination with the reason of its last disconnect. Answers in every state.",
        example: "status",
        argument: Argument::None,
        parse: |words| words.end(Command::Status),
    },
    Entry {
        name: "live",
        group: Group::Live,
        arguments: "",
        short: "go live, as a short press of the button does",
        long: "While live it changes nothing. While the box waits to try again it tries at once.",
        example: "live",
        argument: Argument::None,
        parse: |words| words.end(Command::Live),
    },
    Entry {
        name: "stop",
        group: Group::Live,
        arguments: "",
        short: "end the broadcast, as holding the button does",
        long: "The broadcast has ended two seconds later at most, whatever the servers do.",
        example: "stop",
        argument: Argument::None,
        parse: |words| words.end(Command::Stop),
    },
    Entry {
        name: "watch",
        group: Group::Live,
        arguments: "",
        short: "begin or end to show every change as it happens",
        long: "One line for each change of the box, of a destination, of camera and microphone.",
        example: "watch",
        argument: Argument::None,
        parse: |words| words.end(Command::Watch),
    },
    Entry {
        name: "destination list",
        group: Group::Destinations,
        arguments: "",
        short: "list the destinations and what each is doing",
        long: "Stream keys are never shown; only whether one is set.",
        example: "destination list",
        argument: Argument::None,
        parse: |words| words.end(Command::DestinationList),
    },
    Entry {
        name: "about",
        group: Group::System,
        arguments: "",
        short: "show product, version and board",
        long: "Have this ready when asking for help.",
        example: "about",
        argument: Argument::None,
        parse: |words| words.end(Command::About),
    },
    Entry {
        name: "destination add",
        group: Group::Destinations,
        arguments: "NAME ADDRESS",
        short: "add a destination; `key NAME` sets its key",
        long: "The address is the one that the platform hands out, without the key.",
        example: "destination add youtube rtmps://a.rtmps.youtube.com/live2",
        argument: Argument::None,
        parse: |words| with_address(words, |name, url| Service::DestinationAdd { name, url }),
    },
    Entry {
        name: "destination set",
        group: Group::Destinations,
        arguments: "NAME ADDRESS",
        short: "give a destination another address",
        long: "Another server's address drops the key: it was not meant for that server.",
        example: "destination set youtube rtmps://b.rtmps.youtube.com/live2?backup=1",
        argument: Argument::Destination,
        parse: |words| with_address(words, |name, url| Service::DestinationSet { name, url }),
    },
    Entry {
        name: "destination remove",
        group: Group::Destinations,
        arguments: "NAME",
        short: "forget a destination and its key",
        long: "If the box is live there, it ends there and goes on everywhere else.",
        example: "destination remove youtube",
        argument: Argument::Destination,
        parse: |words| named(words, |name| Service::DestinationRemove { name }),
    },
    Entry {
        name: "destination test",
        group: Group::Destinations,
        arguments: "[NAME]",
        short: "the same as `check NAME`",
        long: "Finds the server, connects and verifies its certificate; then its backup server, if there \
               is one. Nothing goes on air.",
        example: "destination test youtube",
        argument: Argument::Destination,
        parse: |words| maybe_named(words, |name| Service::Check { name }),
    },
    Entry {
        name: "key",
        group: Group::Destinations,
        arguments: "[NAME]",
        short: "set the stream key of a destination, without showing it",
        long: "The key is asked for and not echoed. It is confirmed by its length and a short tag \
               and never shown again. With one destination the name may be left out.",
        example: "key youtube",
        argument: Argument::Destination,
        parse: |words| maybe_named(words, |name| Service::Key { name }),
    },
    Entry {
        name: "check",
        group: Group::Destinations,
        arguments: "[NAME]",
        short: "try a destination without going live",
        long: "Finds the server, connects and verifies its certificate, and does the same with the \
               backup server if there is one. The stream key is tested only when going live.",
        example: "check youtube",
        argument: Argument::Destination,
        parse: |words| maybe_named(words, |name| Service::Check { name }),
    },
    Entry {
        name: "set",
        group: Group::Settings,
        arguments: "NAME [VALUE]",
        short: "change a setting",
        long: "`show all` lists the settings and what each may be. What is on air continues; the video's \
               size and frame rate change with the next broadcast. `set console.pin` and `set \
               wifi.passphrase` ask for the value and do not show it.",
        example: "set video.fps 25",
        argument: Argument::Setting,
        parse: parse_set,
    },
    Entry {
        name: "show",
        group: Group::Settings,
        arguments: "[NAME|all]",
        short: "show what is set, or the settings whose name begins so",
        long: "`show all` lists every setting. Each line has the value in force, where it comes from \
               (default, board, integrator, stored or credential), and what it may be. Keys and the \
               secret parts of addresses are masked.",
        example: "show video",
        argument: Argument::Setting,
        parse: parse_show,
    },
    Entry {
        name: "unset",
        group: Group::Settings,
        arguments: "NAME",
        short: "reset a setting to its default",
        long: "The defaults come from the integrator's file and the board's profile.",
        example: "unset video.fps",
        argument: Argument::Setting,
        parse: |words| named(words, |name| Service::Unset { name }),
    },
    Entry {
        name: "export",
        group: Group::Settings,
        arguments: "",
        short: "show the settings as a file, without the keys",
        long: "Save it as firstmile.toml to carry the settings to another box by USB stick.",
        example: "export",
        argument: Argument::None,
        parse: |words| words.end(Command::Serve(Service::Export)),
    },
    Entry {
        name: "reload",
        group: Group::Settings,
        arguments: "",
        short: "read the stored settings again",
        long: "The import of a USB stick does this by itself.",
        example: "reload",
        argument: Argument::None,
        parse: |words| words.end(Command::Serve(Service::Reload)),
    },
    Entry {
        name: "devices",
        group: Group::Devices,
        arguments: "",
        short: "show cameras, microphones and encoders",
        long: "Shows which would be used (*), and why each of the others would not. What stands first in a \
               line is what `set camera.device` and `set microphone.device` take.",
        example: "devices",
        argument: Argument::None,
        parse: |words| words.end(Command::Serve(Service::Devices)),
    },
    Entry {
        name: "camera controls",
        group: Group::Sources,
        arguments: "",
        short: "list what can be set of the camera: exposure, focus, …",
        long: "Each with its value, what it may be, and its default. Which there are is the camera's own \
               choice.",
        example: "camera controls",
        argument: Argument::None,
        parse: |words| words.end(Command::Serve(Service::Controls(ControlsOf::Camera))),
    },
    Entry {
        name: "camera set",
        group: Group::Sources,
        arguments: "CONTROL VALUE",
        short: "set a control of the camera, at once, on air too",
        long: "It is stored for this camera, which has it again when it is plugged in again. What a camera \
               chooses itself is set after that is off: `camera set auto_exposure Manual Mode`, then \
               `camera set exposure_time_absolute 120`.",
        example: "camera set brightness 128",
        argument: Argument::Control(ControlsOf::Camera),
        parse: |words| set_control(words, ControlsOf::Camera),
    },
    Entry {
        name: "camera reset",
        group: Group::Sources,
        arguments: "CONTROL",
        short: "give a control of the camera its default",
        long: "What was stored of it is forgotten.",
        example: "camera reset brightness",
        argument: Argument::Control(ControlsOf::Camera),
        parse: |words| {
            named(words, |control| Service::ResetControl { of: ControlsOf::Camera, control })
        },
    },
    Entry {
        name: "microphone controls",
        group: Group::Sources,
        arguments: "",
        short: "list what can be set of the sound card: level, boost, …",
        long: "As the card's driver has it. `audio.gain_db` and its like are settings of the box, which \
               work with every card.",
        example: "microphone controls",
        argument: Argument::None,
        parse: |words| words.end(Command::Serve(Service::Controls(ControlsOf::Microphone))),
    },
    Entry {
        name: "microphone set",
        group: Group::Sources,
        arguments: "CONTROL VALUE",
        short: "set a control of the sound card, at once, on air too",
        long: "It is stored for this card, which has it again when it is plugged in again. Audio that \
               `levels` reports as clipped at the source is turned down here.",
        example: "microphone set mic_capture_volume 20",
        argument: Argument::Control(ControlsOf::Microphone),
        parse: |words| set_control(words, ControlsOf::Microphone),
    },
    Entry {
        name: "microphone reset",
        group: Group::Sources,
        arguments: "CONTROL",
        short: "forget what was set of a control of the sound card",
        long: "A card has no defaults that its driver tells: it keeps the value until it is plugged in \
               again.",
        example: "microphone reset mic_capture_volume",
        argument: Argument::Control(ControlsOf::Microphone),
        parse: |words| {
            named(words, |control| Service::ResetControl { of: ControlsOf::Microphone, control })
        },
    },
    Entry {
        name: "levels",
        group: Group::Live,
        arguments: "[watch]",
        short: "show how loud the audio is, and if the video is black",
        long: "In decibels below full scale: speech is right when its peaks reach -12 to -6. Before the \
               box is live, camera and microphone are opened for it, and closed again 30 seconds after \
               the last question. Nothing of that is sent. `levels watch` shows them every second, \
               until it is asked for again.",
        example: "levels",
        argument: Argument::None,
        parse: parse_levels,
    },
    Entry {
        name: "picture",
        group: Group::Live,
        arguments: "[PIXELS [QUALITY]]",
        short: "give a frame of the video as a JPEG, also before live",
        long: "As viewers get it, with overlay and slate. PIXELS is the longest side, 160 to 640 (320); \
               QUALITY is 10 to 95 (75). `firstmile ctl picture > a.jpg` writes a file. Camera and \
               microphone are opened for it as for `levels`.",
        example: "picture 640",
        argument: Argument::None,
        parse: parse_still,
    },
    Entry {
        name: "network",
        group: Group::Devices,
        arguments: "",
        short: "show interfaces, addresses, Wi-Fi and the clock",
        long: "`up` means a carrier. Of Wi-Fi it shows the signal, or why the network is not joined. The \
               clock must be right before certificates can be judged. `show network` and `show wifi` are \
               the settings.",
        example: "network",
        argument: Argument::None,
        parse: |words| words.end(Command::Serve(Service::Network)),
    },
    Entry {
        name: "network scan",
        group: Group::Devices,
        arguments: "",
        short: "look for Wi-Fi networks in range",
        long: "Takes some seconds. The strongest is first. `set wifi.ssid NAME` chooses one: the name as \
               it is shown, without quotes; `set wifi.passphrase` then asks for its passphrase.",
        example: "network scan",
        argument: Argument::None,
        parse: |words| words.end(Command::Serve(Service::NetworkScan)),
    },
    Entry {
        name: "log",
        group: Group::System,
        arguments: "",
        short: "show the last lines of the log",
        long: "The journal of the system has all of them.",
        example: "log",
        argument: Argument::None,
        parse: |words| words.end(Command::Serve(Service::Log)),
    },
    Entry {
        name: "blackbox",
        group: Group::System,
        arguments: "",
        short: "show what happened in the last 10 minutes",
        long: "Every change, and what was sent and acknowledged on air. After a fault or a break of the \
               stream the same is kept in the box's state folder.",
        example: "blackbox",
        argument: Argument::None,
        parse: |words| words.end(Command::Serve(Service::BlackBox)),
    },
    Entry {
        name: "mode",
        group: Group::System,
        arguments: "text|machine",
        short: "write replies for people, or for a program",
        long: "For a program: no echo and no prompt; ACK or NACK, lines of `key: value`, and an empty \
               line. `mode text` ends it.",
        example: "mode text",
        argument: Argument::None,
        parse: parse_mode,
    },
    Entry {
        name: "stick",
        group: Group::System,
        arguments: "working|accepted|refused [WORDS]",
        short: "show on the lights what became of a USB stick",
        long: "The import of a USB stick sends this. The words are shown at consoles and in the log.",
        example: "stick accepted",
        argument: Argument::None,
        parse: parse_stick,
    },
    Entry {
        name: "factory-reset",
        group: Group::Settings,
        arguments: "[yes]",
        short: "erase all settings and stream keys",
        long: "`factory-reset yes` does it; a broadcast ends. The integrator's file stays. It may \
               also be typed in place of a forgotten PIN.",
        example: "factory-reset",
        argument: Argument::None,
        parse: |words| sure(words, |sure| Service::FactoryReset { sure }),
    },
    Entry {
        name: "reboot",
        group: Group::System,
        arguments: "[yes]",
        short: "restart the machine",
        long: "`reboot yes` does it. A box that was live goes live again by itself.",
        example: "reboot",
        argument: Argument::None,
        parse: |words| sure(words, |sure| Service::Reboot { sure }),
    },
];

/// In place of a name: everything.
const ALL: &str = "all";

fn serve(words: Words<'_>, service: Service) -> Result<Command, ParseError> {
    words.end(Command::Serve(service))
}

fn named(mut words: Words<'_>, service: fn(String) -> Service) -> Result<Command, ParseError> {
    let name = words.required("NAME")?.to_owned();
    serve(words, service(name))
}

fn maybe_named(
    mut words: Words<'_>,
    service: fn(Option<String>) -> Service,
) -> Result<Command, ParseError> {
    let name = words.next_word().map(|(_, name)| name.to_owned());
    serve(words, service(name))
}

fn with_address(
    mut words: Words<'_>,
    service: fn(String, Typed) -> Service,
) -> Result<Command, ParseError> {
    let name = words.required("NAME")?.to_owned();
    let url = Typed::from(words.required("ADDRESS")?);
    serve(words, service(name, url))
}

fn parse_set(mut words: Words<'_>) -> Result<Command, ParseError> {
    let name = words.required("NAME")?.to_owned();
    let path = name.parse::<SettingPath>().ok();
    let Some(secret) = path.filter(|path| path.setting().kind.is_secret()) else {
        let value = Typed::from(words.rest("VALUE")?);
        return Ok(Command::Serve(Service::Set { name, value }));
    };
    let (service, problem) = match (secret.destination(), secret.setting().name) {
        (Some(of), _) => (Service::Key { name: Some(of.to_owned()) }, Problem::KeyShown),
        (None, name) => (Service::SetSecret { name }, Problem::SecretShown { name }),
    };
    let column = words.column();
    if words.words.is_empty() { serve(words, service) } else { Err(ParseError { column, problem }) }
}

fn set_control(mut words: Words<'_>, of: ControlsOf) -> Result<Command, ParseError> {
    let control = words.required("CONTROL")?.to_owned();
    let value = Typed::from(words.rest("VALUE")?);
    Ok(Command::Serve(Service::SetControl { of, control, value }))
}

fn parse_show(mut words: Words<'_>) -> Result<Command, ParseError> {
    let name = words.next_word().map(|(_, name)| name);
    let shown = match name {
        None => Shown::Set,
        Some(name) if name.eq_ignore_ascii_case(ALL) => Shown::All,
        Some(name) => Shown::Begins(name.to_owned()),
    };
    serve(words, Service::Show(shown))
}

fn parse_levels(mut words: Words<'_>) -> Result<Command, ParseError> {
    let watch = !words.words.is_empty() && words.choice(&["watch"]).map(|_| true)?;
    serve(words, if watch { Service::LevelsWatch } else { Service::Levels })
}

fn parse_still(mut words: Words<'_>) -> Result<Command, ParseError> {
    let side = words.number("PIXELS", STILL_SIDE_MIN..=STILL_SIDE_MAX)?;
    let quality = words.number("QUALITY", STILL_QUALITY_MIN..=STILL_QUALITY_MAX)?;
    let quality = u8::try_from(quality.unwrap_or(STILL_QUALITY)).unwrap_or(u8::MAX);
    serve(words, Service::Still { longest_side: side.unwrap_or(STILL_SIDE), quality })
}

fn parse_mode(mut words: Words<'_>) -> Result<Command, ParseError> {
    let machine = words.choice(&["text", "machine"])? == 1;
    serve(words, Service::Mode { machine })
}

fn parse_stick(mut words: Words<'_>) -> Result<Command, ParseError> {
    let stick = match words.choice(&["working", "accepted", "refused"])? {
        0 => StickImport::Working,
        1 => StickImport::Accepted,
        _ => StickImport::Refused,
    };
    let words = (!words.words.is_empty()).then(|| words.rest("WORDS")).transpose()?;
    Ok(Command::Serve(Service::Stick { stick, words: words.map(str::to_owned) }))
}

fn sure(mut words: Words<'_>, service: fn(bool) -> Service) -> Result<Command, ParseError> {
    let sure = !words.words.is_empty() && words.choice(&["yes"]).map(|_| true)?;
    serve(words, service(sure))
}

fn parse_help(mut words: Words<'_>) -> Result<Command, ParseError> {
    let about = match words.words {
        [] => return Ok(Command::Help { about: Topic::Commands }),
        [(_, all), ..] if all.eq_ignore_ascii_case(ALL) => {
            words.next_word();
            Topic::All
        }
        _ => Topic::Command(take_entry(&mut words)?.name),
    };
    words.end(Command::Help { about })
}

/// What `line` asks for; `None` for an empty line.
///
/// # Errors
/// [`ParseError`] with the column and, where one comes close, the command that was meant.
pub fn parse(line: &str) -> Result<Option<Command>, ParseError> {
    // A file that is pasted may begin with a byte order mark, a line of a chat with others.
    let line = line.trim_start_matches(pasted::is_invisible);
    let split = split(line);
    if split.is_empty() {
        return Ok(None);
    }
    let mut words = Words::new(&split, line);
    let entry = take_entry(&mut words)?;
    (entry.parse)(words).map(Some)
}

/// The lines that answer `help`, `help all`, or `help COMMAND`.
pub fn help(about: Topic) -> Vec<String> {
    match about {
        Topic::Commands => {
            let names = |group: Group| {
                let entries = COMMANDS.iter().filter(|entry| entry.group == group);
                entries.fold(String::new(), |names, entry| joined(names, entry.name))
            };
            let groups = Group::ALL.map(|group| format!("{:12} {}", group.name(), names(group)));
            let more = "`help COMMAND` says what one does, `help all` says it of every command";
            groups.into_iter().chain([more.to_owned()]).collect()
        }
        Topic::All => {
            let width = COMMANDS.iter().map(|entry| synopsis(entry).len()).max().unwrap_or(0);
            COMMANDS
                .iter()
                .map(|entry| format!("{:width$}  {}", synopsis(entry), entry.short))
                .collect()
        }
        Topic::Command(name) => match COMMANDS.iter().find(|entry| entry.name == name) {
            Some(entry) => {
                let mut lines = vec![
                    synopsis(entry),
                    format!("  {}.", entry.short),
                    format!("  {}", entry.long),
                ];
                if entry.example != entry.name {
                    lines.push(format!("  For example: {}", entry.example));
                }
                lines
            }
            None => Vec::new(),
        },
    }
}

/// Appends a name to a list; of names that begin alike the beginning stands there once.
fn joined(mut names: String, name: &str) -> String {
    let last = names.rsplit(", ").next().unwrap_or_default();
    match name.split_once(' ') {
        Some((first, rest)) if last.split(' ').next() == Some(first) => {
            names.extend(["|", rest]);
        }
        _ if names.is_empty() => names.push_str(name),
        _ => names.extend([", ", name]),
    }
    names
}

fn synopsis(entry: &Entry) -> String {
    [entry.name, entry.arguments].join(" ").trim_end().to_owned()
}

/// Takes the words that name a command: the longest name that fits.
fn take_entry(words: &mut Words<'_>) -> Result<&'static Entry, ParseError> {
    let given = words.words;
    let fits = |name: &str| {
        let mut parts = name.split(' ');
        let fitting =
            parts.by_ref().zip(given).take_while(|(a, (_, b))| a.eq_ignore_ascii_case(b)).count();
        (fitting == name.split(' ').count()).then_some(fitting)
    };
    if let Some((_, "?")) = given.first() {
        words.next_word();
        return Ok(&COMMANDS[0]);
    }
    let best = COMMANDS
        .iter()
        .filter_map(|entry| Some((fits(entry.name)?, entry)))
        .max_by_key(|(n, _)| *n);
    if let Some((count, entry)) = best {
        words.words = &given[count..];
        return Ok(entry);
    }
    Err(unknown(words))
}

/// Why the words name no command: a name that is only begun, or none at all.
fn unknown(words: &mut Words<'_>) -> ParseError {
    let column = words.column();
    let Some((_, first)) = words.next_word() else {
        return ParseError { column, problem: Problem::Unknown { nearest: None } };
    };
    let further: Vec<&'static str> = COMMANDS
        .iter()
        .filter_map(|entry| entry.name.split_once(' '))
        .filter(|(group, _)| group.eq_ignore_ascii_case(first))
        .map(|(_, word)| word)
        .collect();
    if !further.is_empty() {
        return ParseError {
            column: words.column(),
            problem: Problem::Incomplete { words: further },
        };
    }
    ParseError { column, problem: Problem::Unknown { nearest: nearest(first) } }
}

/// The command whose first word needs at most two changes to become `word`.
fn nearest(word: &str) -> Option<&'static str> {
    const CHANGES_MAX: usize = 2;
    const CHARS_MAX: usize = 24;
    if word.chars().count() > CHARS_MAX {
        return None;
    }
    let word = word.to_ascii_lowercase();
    COMMANDS
        .iter()
        .map(|entry| {
            let first = entry.name.split(' ').next().unwrap_or(entry.name);
            let begun = word.len() >= 2 && first.starts_with(&word);
            (if begun { 0 } else { changes(&word, first) }, entry.name)
        })
        .filter(|(changes, name)| *changes <= CHANGES_MAX && *changes < name.len() / 2 + 1)
        .min_by_key(|(changes, _)| *changes)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::schema::SETTINGS;

    fn error(line: &str) -> String {
        parse(line).unwrap_err().to_string()
    }

    #[test]
    fn what_copying_puts_before_a_line_is_no_part_of_it() {
        for line in ["\u{feff}status", "\u{200b}\u{200e}status", "\u{a0}status\u{a0}"] {
            assert_eq!(parse(line), Ok(Some(Command::Status)), "{line:?}");
        }
    }

    #[test]
    fn every_command_of_the_table_parses_by_its_name_and_has_help() {
        for entry in COMMANDS {
            assert!(parse(entry.example).unwrap().is_some(), "{}", entry.name);
            assert!(entry.example.starts_with(entry.name));
            let asked = format!("help {}", entry.name);
            assert_eq!(
                parse(&asked),
                Ok(Some(Command::Help { about: Topic::Command(entry.name) }))
            );
            let lines = help(Topic::Command(entry.name));
            assert!(lines[0].starts_with(entry.name) && lines.len() >= 3, "{lines:?}");
            assert!(help(Topic::All).iter().any(|line| line.starts_with(entry.name)));
            let word = entry.name.rsplit(' ').next().expect("a word");
            assert!(help(Topic::Commands).iter().any(|line| line.contains(word)), "{word}");
            assert!(entry.short.len() <= 60, "one line on a narrow terminal: {}", entry.name);
        }
    }

    #[test]
    fn the_list_of_commands_fits_a_terminal_of_24_lines_and_80_columns() {
        let lines = help(Topic::Commands);
        assert!(lines.len() < 12, "{lines:?}");
        assert!(lines.iter().all(|line| line.chars().count() <= 80), "{lines:#?}");
    }

    #[test]
    fn commands_are_understood_in_capitals_too() {
        for line in ["LIVE", "Destination LIST", "Mode Machine", "FACTORY-RESET YES", "HELP Live"] {
            assert_eq!(parse(line), parse(&line.to_ascii_lowercase()), "{line}");
            assert!(parse(line).is_ok(), "{line}");
        }
        assert_eq!(error("LVIE"), error("lvie"));
    }

    #[test]
    fn names_are_unique() {
        for (n, entry) in COMMANDS.iter().enumerate() {
            assert!(COMMANDS[n + 1..].iter().all(|other| other.name != entry.name));
        }
    }

    #[test]
    fn white_space_does_not_matter_and_an_empty_line_is_nothing() {
        for line in ["", "  ", "\t", "\u{1b}"] {
            assert_eq!(parse(line), Ok(None), "{line:?}");
        }
        for line in [" destination  list ", "destination\tlist"] {
            assert_eq!(parse(line), Ok(Some(Command::DestinationList)), "{line:?}");
        }
        assert_eq!(parse("?"), Ok(Some(Command::Help { about: Topic::Commands })));
        assert_eq!(parse("? live"), Ok(Some(Command::Help { about: Topic::Command("live") })));
    }

    #[test]
    fn an_error_knows_its_column_and_the_nearest_command() {
        let cases = [
            (
                "set console.pin 4711",
                "column 17: it is not typed here, where it can be seen; `set console.pin` alone asks for it",
            ),
            ("statsu", "column 1: there is no such command; did you mean `status`?"),
            ("  lvie", "column 3: there is no such command; did you mean `live`?"),
            ("stat", "column 1: there is no such command; did you mean `status`?"),
            ("dest list", "column 1: there is no such command; did you mean `destination list`?"),
            ("frobnicate", "column 1: there is no such command; `help` lists them"),
            ("x", "column 1: there is no such command; `help` lists them"),
            ("live now", "column 6: this command takes no further argument"),
            (
                "destination lst",
                "column 13: `list` or `add` or `set` or `remove` or `test` must follow here",
            ),
            ("set", "column 4: NAME must follow here"),
            ("set video.fps ", "column 15: VALUE must follow here"),
            ("mode", "column 5: `text` or `machine` must follow here"),
            ("picture 100", "column 9: PIXELS must be a whole number from 160 to 640"),
            ("picture 200 high", "column 13: QUALITY must be a whole number from 10 to 95"),
            ("camera", "column 7: `controls` or `set` or `reset` must follow here"),
            ("camera set gain", "column 16: VALUE must follow here"),
            ("levels now", "column 8: `watch` must follow here"),
            ("factory-reset now", "column 15: `yes` must follow here"),
            ("help lvie", "column 6: there is no such command; did you mean `live`?"),
            ("help live now", "column 11: this command takes no further argument"),
            ("äöü live", "column 1: there is no such command; `help` lists them"),
        ];
        for (line, expected) in cases {
            assert_eq!(error(line), expected, "{line:?}");
        }
    }

    #[test]
    fn a_value_may_have_blanks_and_is_in_no_debug_text() {
        let set = parse("set box.name  St. Mary's,  hall ").unwrap().unwrap();
        let Command::Serve(Service::Set { name, value }) = &set else { panic!("{set:?}") };
        assert_eq!((name.as_str(), value.0.as_str()), ("box.name", "St. Mary's,  hall"));
        let set = parse("camera set auto_exposure Manual Mode ").unwrap().unwrap();
        let Command::Serve(Service::SetControl { of, control, value }) = &set else {
            panic!("{set:?}")
        };
        let typed = (*of, control.as_str(), value.0.as_str());
        assert_eq!(typed, (ControlsOf::Camera, "auto_exposure", "Manual Mode"));
        let add = parse("destination add a rtmps://u:canary@h/app").unwrap();
        assert!(!format!("{add:?}").contains("canary"));
    }

    #[test]
    fn a_secret_setting_without_a_value_is_asked_for() {
        let names = SETTINGS.entries().filter(|setting| setting.kind.is_secret()).map(|s| s.name);
        let names: Vec<_> = names.filter(|name| !name.starts_with("destination.")).collect();
        assert!(names.contains(&"console.pin") && names.contains(&"wifi.passphrase"), "{names:?}");
        for name in names {
            let command = Command::Serve(Service::SetSecret { name });
            assert_eq!(parse(&format!("set {name}")), Ok(Some(command)));
            let message = error(&format!("set {name} canary"));
            assert!(!message.contains("canary") && message.contains("not typed here"), "{message}");
        }
        let key = Command::Serve(Service::Key { name: Some("a".to_owned()) });
        assert_eq!(parse("set destination.a.key"), Ok(Some(key)));
    }

    #[test]
    fn a_key_is_refused_where_it_can_be_seen() {
        let message = error("set destination.a.key canary");
        assert!(message.contains("`key NAME`") && !message.contains("canary"), "{message}");
    }

    #[test]
    fn an_error_never_repeats_what_was_typed() {
        assert!(!error("live_1234-canary").contains("canary"));
        assert!(!error("live live_1234-canary").contains("canary"));
    }

    #[test]
    fn a_line_of_the_longest_kind_is_answered() {
        let long = "x".repeat(crate::limits::CONSOLE_LINE_BYTES_MAX);
        assert_eq!(error(&long), "column 1: there is no such command; `help` lists them");
        let many = "live ".repeat(crate::limits::CONSOLE_LINE_BYTES_MAX / 5);
        assert_eq!(error(&many), "column 6: this command takes no further argument");
    }
}
