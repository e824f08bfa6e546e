//! Which lines the arrow keys bring back: no line that may hold a secret, wherever in it somebody has put
//! one. A mistake in a line that holds none can be corrected.

use zeroize::Zeroizing;

use super::command::{Command, ParseError, Problem, Service, Shown};
use super::table::{COMMANDS, parse};
use crate::config::schema::{Form, Kind, PathError, SETTINGS, SettingPath, Text, Value};
use crate::spelling::changes;

/// What is shorter than this is taken for a word that somebody has chosen. Stream keys are longer.
const KEY_CHARS_MIN: usize = 12;

/// Whether `line` may be shown again; `destinations` are the names that are no secret.
pub(super) fn may_come_back(line: &str, destinations: &[String]) -> bool {
    match parse(line) {
        Ok(None) => false,
        Ok(Some(command)) => is_open(&command, destinations),
        Err(error) => match error.problem {
            Problem::KeyShown | Problem::SecretShown { .. } => false,
            Problem::Unknown { nearest: None } => false,
            // As it was meant, where that is understood better.
            Problem::Unknown { nearest: Some(name) } => {
                let meant = name.split(' ').next().unwrap_or(name);
                let rest = line.trim_start().split_once(char::is_whitespace);
                let line = Zeroizing::new([meant, rest.map_or("", |(_, rest)| rest)].join(" "));
                let is_unknown =
                    |error: ParseError| matches!(error.problem, Problem::Unknown { .. });
                !parse(&line).is_err_and(is_unknown) && may_come_back(&line, destinations)
            }
            Problem::Incomplete { .. }
            | Problem::Missing { .. }
            | Problem::NoNumber { .. }
            | Problem::TooMany => line.split_whitespace().all(|word| is_known(word, destinations)),
        },
    }
}

/// Whether a command may be shown again.
fn is_open(command: &Command, destinations: &[String]) -> bool {
    let is_name = |name: &str| is_near(name, destinations.iter().map(String::as_str));
    let Command::Serve(service) = command else { return true };
    match service {
        Service::Key { name } | Service::Check { name } => name.as_deref().is_none_or(is_name),
        Service::DestinationRemove { name } => is_name(name),
        Service::DestinationSet { name, url } => is_name(name) && is_open_address(&url.0),
        Service::DestinationAdd { name, url } => !is_like_key(name) && is_open_address(&url.0),
        Service::Set { name, value } => is_open_value(name, &value.0),
        Service::SetControl { control, value, .. } => {
            !is_like_key(control) && !value.0.split_whitespace().any(is_like_key)
        }
        Service::ResetControl { control, .. } => !is_like_key(control),
        Service::Show(Shown::Begins(name)) | Service::Unset { name } => {
            is_setting(name, destinations)
        }
        _ => true,
    }
}

fn is_open_value(name: &str, value: &str) -> bool {
    let kind = match name.parse::<SettingPath>() {
        Ok(path) => path.setting().kind,
        // A secret's name that is misspelt has a secret behind it.
        Err(PathError::Unknown { nearest: Some(nearest) }) => {
            let key = nearest.rsplit('.').next().unwrap_or_default();
            let mut meant = SETTINGS.entries().filter(|s| s.key() == key || s.section() == nearest);
            return meant.all(|setting| !setting.kind.is_secret()) && !is_like_key(value);
        }
        Err(_) => return false,
    };
    match (kind, kind.read(value)) {
        (Kind::Text(Form::Address), _) => is_open_address(value),
        (Kind::Text(Form::Camera | Form::Microphone), Ok(_)) if is_device(value) => true,
        (
            Kind::Text(Form::Label | Form::Ssid | Form::Camera | Form::Microphone) | Kind::Open(_),
            _,
        )
        | (_, Err(_)) => !value.split_whitespace().any(is_like_key),
        (_, Ok(_)) => true,
    }
}

/// Whether an address has nothing in it that may be secret. One that cannot be read is looked at for the
/// places where secrets stand.
fn is_open_address(text: &str) -> bool {
    match Kind::Text(Form::Address).read(text) {
        Ok(Value::Text(Text::Address(url))) => !url.holds_secret(),
        _ => {
            let path = text.split_once(':').map_or(text, |(_, after)| after);
            let path = path.trim_matches('/');
            !text.contains(['@', '?', '=', '&', '%'])
                && path.matches('/').count() <= 1
                && !path.split('/').skip(1).any(is_like_key)
        }
    }
}

/// Whether a word names a setting or several, or nearly so.
fn is_setting(word: &str, destinations: &[String]) -> bool {
    let known = || SETTINGS.entries().flat_map(|setting| setting.name.split('.'));
    let is_part = |part: &str| {
        is_near(part, known().chain(destinations.iter().map(String::as_str)))
            || (part.len() >= 3 && known().any(|name| name.starts_with(part)))
    };
    word.split('.').all(is_part)
}

/// Whether a word is one of the console's own, or nearly so.
fn is_known(word: &str, destinations: &[String]) -> bool {
    let words = COMMANDS.iter().flat_map(|entry| {
        let arguments = entry.arguments.trim_matches(['[', ']']).split('|');
        entry.name.split(' ').chain(arguments)
    });
    is_near(word, words)
        || is_near(word, destinations.iter().map(String::as_str))
        || is_setting(word, destinations)
}

/// Whether a word is one of these with a letter or two mistyped. A digit is no such letter.
fn is_near<'a>(word: &str, mut known: impl Iterator<Item = &'a str>) -> bool {
    let has_digit = word.contains(|c: char| c.is_ascii_digit());
    known.any(|known| {
        word.eq_ignore_ascii_case(known)
            || (!has_digit
                && word.len() < 2 * known.len()
                && changes(word, known) <= 1 + known.len() / 4)
    })
}

/// Whether a text can only be the name of a device.
fn is_device(text: &str) -> bool {
    ["/dev/", "usb:", "card:", "driver:"].iter().any(|begin| text.starts_with(begin))
}

/// Whether a word may be a stream key: long, and not of letters alone.
fn is_like_key(word: &str) -> bool {
    word.chars().count() >= KEY_CHARS_MIN && word.contains(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comes_back(line: &str) -> bool {
        may_come_back(line, &["youtube".to_owned(), "d".to_owned()])
    }

    #[test]
    fn a_line_without_a_secret_comes_back_mistyped_or_not() {
        for line in [
            "live",
            "LIVE",
            "lvie",
            "stat",
            "set video.fps",
            "set video.fps 25",
            "set video.fps 999",
            "set video.fpps 25",
            "set box.name St. Mary's, hall",
            "set wifi.ssid FRITZ!Box 7590",
            "set wifi.passphrase",
            "set console.pin",
            "set slate.picture /srv/slate.png",
            "set camera.device /dev/v4l/by-id/usb-046d_HD_Pro_Webcam_C920_12345678-video-index0",
            "set camera.device logi",
            "set camera.mode 1280x720@30 mjpeg",
            "set microphone.device card:Device",
            "show",
            "show video",
            "show destination.youtube",
            "unset destination.youtube.url",
            "unset video.fpss",
            "key youtube",
            "key youtueb",
            "key",
            "chekc youtube",
            "destination lst",
            "destination add hall rtmps://hall.example/live",
            "destnation add hall rtmps://hall.example/live",
            "destination add hall rtmp:/hall.example/live",
            "destination set youtube rtmps://b.rtmps.youtube.com/live2?backup=1",
            "destination remove youtube",
            "factory-reset",
            "mode",
            "mode machin",
            "help lvie",
        ] {
            assert!(comes_back(line), "{line}");
        }
    }

    #[test]
    fn no_line_with_a_secret_in_it_comes_back_wherever_it_stands() {
        for line in [
            "4711",
            "q1w2-e3r4-t5y6-u7i8",
            "live_1234567_abcdefgh",
            "key q1w2-e3r4-t5y6",
            "key hunter",
            "key d q1w2-e3r4",
            "kye d hunter",
            "key youtube canary",
            "check d canary",
            "chekc d canary",
            "live canary",
            "stop 4711",
            "help canary-canary",
            "unset canary",
            "show canary",
            "set canary canary",
            "set console.pin 4711",
            "set console.pni 4711",
            "set Console.PIN 4711",
            "set wifi.passphrase correct horse",
            "set wifi.passphras correct horse",
            "set wifi.passwd correct horse",
            "set destination.d.key canary",
            "set destination.d.kye canary",
            "set destination.d.url rtmps://user:canary@h/app",
            "set destination.d.url rtmps://h/app?token=canary",
            "set box.name live_1234567_abcdefgh",
            "set video.fps live_1234567_abcdefgh",
            "set camera.device live_1234567_abcdefgh",
            "set microphone.device live_1234567_abcdefgh",
            "destination add d rtmps://user:canary@h/app",
            "destination add d rtmps://h/app?token=canary",
            "destination add d rtmps://h/app/canary",
            "destination add d rtmps://a.rtmps.youtube.com/live2/q1w2-e3r4-t5y6",
            "destination set d rtmp//h/app?token=canary",
            "destnation set d rtmps://h/app?token=canary",
            "rtmps://a.rtmps.youtube.com/live2/q1w2-e3r4-t5y6",
            "factory-reset 4711",
        ] {
            assert!(!comes_back(line), "{line}");
        }
    }
}
