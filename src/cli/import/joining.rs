//! How joining a wireless network ends that a stick has set, for the result that is left on the stick.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::limits::{WIFI_RESULT_LOOK_INTERVAL, WIFI_RESULT_PATIENCE};
use crate::sanitize;

/// What the result says until it is known.
const BEGUN: &str = "Wi-Fi: the network is being joined; how that ends was not known yet when the stick was \
                     pulled out";
/// What it says where no box runs.
pub const LATER: &str = "Wi-Fi: the network is joined when the box runs";
/// For so long, what NetworkManager made of settings may be true of those before.
const SETTLES: Duration = Duration::from_secs(3);

/// The lines of the result until it is known.
pub fn begun(lines: &[String]) -> Vec<String> {
    lines.iter().map(String::as_str).chain([BEGUN]).map(sanitize::line).collect()
}

/// Waits until it is known, or for as long as the owner of a stick waits, and says it in a line. `network` is
/// what the box answers to that command, null where it does not; `None` once the stick is gone.
pub fn ended(mut network: impl FnMut() -> Option<Value>) -> String {
    let began = Instant::now();
    loop {
        thread::sleep(WIFI_RESULT_LOOK_INTERVAL.min(left(began)));
        let Some(answer) = network() else { return BEGUN.to_owned() };
        if let Some(message) = message(&answer, began.elapsed()) {
            return message;
        }
    }
}

fn left(began: Instant) -> Duration {
    WIFI_RESULT_PATIENCE.saturating_sub(began.elapsed())
}

/// How it has ended, by what the box answers this long after the settings came into force.
fn message(network: &Value, since: Duration) -> Option<String> {
    let text = |value: &Value| value.as_str().map(sanitize::line);
    let wifi = &network["wifi"];
    let ssid = text(&wifi["ssid"]).unwrap_or_else(|| "the network".to_owned());
    let why = text(&wifi["message"]);
    let managed = text(&network["managed"]).filter(|words| words.starts_with("not managed here"));
    match (wifi["state"].as_str(), why, managed) {
        (Some("joined"), ..) => Some(format!("Wi-Fi: {ssid} is joined")),
        (Some("not_joined"), Some(why), _) => Some(format!("Wi-Fi: {ssid} is NOT joined: {why}")),
        (_, _, Some(managed)) if since >= SETTLES => Some(format!("Wi-Fi: {managed}")),
        (_, why, _) if since >= WIFI_RESULT_PATIENCE => {
            let why = why.map_or(String::new(), |why| format!("; last time: {why}"));
            let seconds = WIFI_RESULT_PATIENCE.as_secs();
            Some(format!(
                "Wi-Fi: {ssid} is not joined yet after {seconds} s, and is tried again{why}; `network` at \
                 the console shows how it stands"
            ))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_result_says_of_a_network_what_is_known_and_no_more() {
        let network = |state: &str, message: Option<&str>| {
            json!({ "managed": "Wi-Fi handed to NetworkManager",
                    "wifi": { "ssid": "hall", "state": state, "message": message } })
        };
        let soon = Duration::from_secs(5);
        let late = WIFI_RESULT_PATIENCE;
        let wrong = Some("the passphrase is wrong");
        let unmanaged =
            json!({ "managed": "not managed here: nmcli is not installed", "wifi": null });
        for (answer, since, expected) in [
            (network("joined", None), soon, Some("Wi-Fi: hall is joined")),
            (
                network("not_joined", wrong),
                soon,
                Some("Wi-Fi: hall is NOT joined: the passphrase is wrong"),
            ),
            // Tried again: that it failed before is no end.
            (network("joining", wrong), soon, None),
            (
                network("joining", wrong),
                late,
                Some("last time: the passphrase is wrong; `network`"),
            ),
            (network("joining", None), late, Some("hall is not joined yet after 30 s")),
            (Value::Null, soon, None),
            (Value::Null, late, Some("the network is not joined yet")),
            (unmanaged.clone(), Duration::from_secs(1), None),
            (unmanaged, soon, Some("Wi-Fi: not managed here: nmcli is not installed")),
        ] {
            let line = message(&answer, since);
            assert_eq!(line.is_some(), expected.is_some(), "{answer} {line:?}");
            let (line, expected) = (line.unwrap_or_default(), expected.unwrap_or_default());
            assert!(line.contains(expected), "{answer} {line}");
        }
    }

    #[test]
    fn a_network_cannot_steer_whoever_reads_the_result() {
        let evil = json!({ "wifi": { "ssid": "a\u{1b}[2J", "state": "joined" } });
        let line = message(&evil, Duration::ZERO).unwrap_or_default();
        assert!(!line.chars().any(sanitize::is_hidden), "{line:?}");
    }
}
