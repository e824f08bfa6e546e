//! The table of commands: one entry owns a command's name, arguments, help and parser.

use super::command::{
    Argument, Command, Entry, ParseError, Problem, Service, Typed, Words, take_entry,
};
use crate::status::StickImport;

/// Every command, in the order of the help.
pub static COMMANDS: &[Entry] = &[
    Entry {
        name: "help",
        arguments: "[COMMAND]",
        short: "show help, or what one command does",
        long: "`?` is the same. Tab completes command names; the arrow keys bring back earlier lines.",
        example: "help",
        argument: Argument::None,
        parse: parse_help,
    },
    Entry {
        name: "status",
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
        arguments: "",
        short: "go live, as a short press of the button does",
        long: "While live it changes nothing. While the box waits to try again it tries at once.",
        example: "live",
        argument: Argument::None,
        parse: |words| words.end(Command::Live),
    },
    Entry {
        name: "stop",
        arguments: "",
        short: "end the broadcast, as holding the button does",
        long: "The broadcast has ended two seconds later at most, whatever the servers do.",
        example: "stop",
        argument: Argument::None,
        parse: |words| words.end(Command::Stop),
    },
    Entry {
        name: "watch",
        arguments: "",
        short: "begin or end to show every change as it happens",
        long: "One line for each change of the box, of a destination, of camera and microphone.",
        example: "watch",
        argument: Argument::None,
        parse: |words| words.end(Command::Watch),
    },
    Entry {
        name: "destination list",
        arguments: "",
        short: "list the destinations and what each is doing",
        long: "Stream keys are never shown; only whether one is set.",
        example: "destination list",
        argument: Argument::None,
        parse: |words| words.end(Command::DestinationList),
    },
    Entry {
        name: "about",
        arguments: "",
        short: "show product, version and board",
        long: "Have this ready when asking for help.",
        example: "about",
        argument: Argument::None,
        parse: |words| words.end(Command::About),
    },
    Entry {
        name: "destination add",
        arguments: "NAME ADDRESS",
        short: "add a destination; `key NAME` sets its key",
        long: "The address is the one that the platform hands out, without the key.",
        example: "destination add youtube rtmps://a.rtmps.youtube.com/live2",
        argument: Argument::None,
        parse: |words| with_address(words, |name, url| Service::DestinationAdd { name, url }),
    },
    Entry {
        name: "destination set",
        arguments: "NAME ADDRESS",
        short: "give a destination another address",
        long: "Another server's address drops the key: it was not meant for that server.",
        example: "destination set youtube rtmps://b.rtmps.youtube.com/live2?backup=1",
        argument: Argument::Destination,
        parse: |words| with_address(words, |name, url| Service::DestinationSet { name, url }),
    },
    Entry {
        name: "destination remove",
        arguments: "NAME",
        short: "forget a destination and its key",
        long: "If the box is live there, it ends there and goes on everywhere else.",
        example: "destination remove youtube",
        argument: Argument::Destination,
        parse: |words| named(words, |name| Service::DestinationRemove { name }),
    },
    Entry {
        name: "destination test",
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
        arguments: "NAME [VALUE]",
        short: "change a setting",
        long: "`show` lists the settings and what each may be. What is on air continues; the video's \
               size and frame rate change with the next broadcast. `set console.pin` and `set \
               wifi.passphrase` ask for the value and do not show it.",
        example: "set video.fps 25",
        argument: Argument::Setting,
        parse: parse_set,
    },
    Entry {
        name: "show",
        arguments: "[NAME]",
        short: "show the settings, or those whose name begins so",
        long: "Keys and the secret parts of addresses are shown as dots.",
        example: "show video",
        argument: Argument::Setting,
        parse: parse_show,
    },
    Entry {
        name: "unset",
        arguments: "NAME",
        short: "reset a setting to its default",
        long: "The defaults come from the integrator's file and the board's profile.",
        example: "unset video.fps",
        argument: Argument::Setting,
        parse: |words| named(words, |name| Service::Unset { name }),
    },
    Entry {
        name: "export",
        arguments: "",
        short: "show the settings as a file, without the keys",
        long: "Save it as firstmile.toml to carry the settings to another box by USB stick.",
        example: "export",
        argument: Argument::None,
        parse: |words| words.end(Command::Serve(Service::Export)),
    },
    Entry {
        name: "reload",
        arguments: "",
        short: "read the stored settings again",
        long: "The import of a USB stick does this by itself.",
        example: "reload",
        argument: Argument::None,
        parse: |words| words.end(Command::Serve(Service::Reload)),
    },
    Entry {
        name: "devices",
        arguments: "",
        short: "show cameras, microphones and encoders",
        long: "Shows which would be used (*), and why each of the others would not.",
        example: "devices",
        argument: Argument::None,
        parse: |words| words.end(Command::Serve(Service::Devices)),
    },
    Entry {
        name: "levels",
        arguments: "",
        short: "show how loud the audio is, and if the video is black",
        long: "In decibels below full scale: speech is right when its peaks reach -12 to -6. It is \
               measured while the box is on air.",
        example: "levels",
        argument: Argument::None,
        parse: |words| words.end(Command::Serve(Service::Levels)),
    },
    Entry {
        name: "network",
        arguments: "",
        short: "show interfaces, addresses and the clock",
        long: "`up` means a carrier. The clock must be right before certificates can be judged. \
               `show network` and `show wifi` are the settings.",
        example: "network",
        argument: Argument::None,
        parse: |words| words.end(Command::Serve(Service::Network)),
    },
    Entry {
        name: "log",
        arguments: "",
        short: "show the last lines of the log",
        long: "The journal of the system has all of them.",
        example: "log",
        argument: Argument::None,
        parse: |words| words.end(Command::Serve(Service::Log)),
    },
    Entry {
        name: "blackbox",
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
        arguments: "working|accepted|refused",
        short: "show on the lights what became of a USB stick",
        long: "The import of a USB stick sends this.",
        example: "stick accepted",
        argument: Argument::None,
        parse: parse_stick,
    },
    Entry {
        name: "factory-reset",
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
        arguments: "[yes]",
        short: "restart the machine",
        long: "`reboot yes` does it. A box that was live goes live again by itself.",
        example: "reboot",
        argument: Argument::None,
        parse: |words| sure(words, |sure| Service::Reboot { sure }),
    },
];

/// Settings besides stream keys that are never typed where everybody can read them.
pub const SECRETS: [&str; 2] = ["console.pin", "wifi.passphrase"];

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
    let key_of = name.strip_prefix("destination.").and_then(|name| name.strip_suffix(".key"));
    let secret = SECRETS.into_iter().find(|secret| *secret == name);
    let asked = match (key_of, secret) {
        (Some(of), _) => Some((Service::Key { name: Some(of.to_owned()) }, Problem::KeyShown)),
        (_, Some(name)) => Some((Service::SetSecret { name }, Problem::SecretShown { name })),
        (None, None) => None,
    };
    let column = words.column();
    match asked {
        Some((_, problem)) if !words.words.is_empty() => Err(ParseError { column, problem }),
        Some((service, _)) => serve(words, service),
        None => {
            let value = Typed::from(words.rest("VALUE")?);
            Ok(Command::Serve(Service::Set { name, value }))
        }
    }
}

fn parse_show(mut words: Words<'_>) -> Result<Command, ParseError> {
    let name = words.next_word().map(|(_, name)| name.to_owned());
    serve(words, Service::Show { name })
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
    serve(words, Service::Stick(stick))
}

fn sure(mut words: Words<'_>, service: fn(bool) -> Service) -> Result<Command, ParseError> {
    let sure = !words.words.is_empty() && words.choice(&["yes"]).map(|_| true)?;
    serve(words, service(sure))
}

fn parse_help(mut words: Words<'_>) -> Result<Command, ParseError> {
    if words.words.is_empty() {
        return Ok(Command::Help { about: None });
    }
    let entry = take_entry(&mut words)?;
    words.end(Command::Help { about: Some(entry.name) })
}
