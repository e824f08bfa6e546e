//! A look at single channels, which NetworkManager cannot ask its supplicant for.
//!
//! The supplicant is asked over D-Bus with `busctl`. Where that is not there, does not permit it, or another program
//! has the radio, there is no such look, and NetworkManager's own have to do. What is found reaches NetworkManager
//! as everything that the supplicant finds.

use std::io;
use std::process::Command;

use crate::child;
use crate::limits::{CHILD_OUTPUT_BYTES_MAX, SUPPLICANT_TIMEOUT};

const NAME: &str = "fi.w1.wpa_supplicant1";
const PATH: &str = "/fi/w1/wpa_supplicant1";
const INTERFACE: &str = "fi.w1.wpa_supplicant1.Interface";
/// The supplicant's interface for a channel has a width too, and no use for it.
const WIDTH_MHZ: &str = "20";

/// Lets a wireless interface look at these channels alone; it does so after this has returned.
/// A network that hides its name is called by it.
///
/// # Errors
/// Why it does not, in words.
pub(super) fn look(
    interface: &str,
    frequencies_mhz: &[u32],
    hidden: Option<&str>,
) -> Result<(), String> {
    let shown = busctl(&[PATH, NAME, "GetInterface", "s", interface])?;
    let path = object_path(&shown).ok_or_else(|| format!("no interface of it: {shown}"))?;
    let options = options(frequencies_mhz, hidden);
    let call = [&[path, INTERFACE, "Scan", "a{sv}"][..], &texts(&options)].concat();
    busctl(&call).map(|_| ())
}

/// The path that `busctl` prints: `o "/fi/w1/wpa_supplicant1/Interfaces/0"`.
fn object_path(shown: &str) -> Option<&str> {
    let path = shown.split('"').nth(1)?;
    path.starts_with(PATH).then_some(path)
}

/// The options of a look, as `busctl` takes them.
fn options(frequencies_mhz: &[u32], hidden: Option<&str>) -> Vec<String> {
    let mut options: Vec<String> = Vec::new();
    let mut add = |words: &[&str]| options.extend(words.iter().map(|word| (*word).to_owned()));
    add(&[if hidden.is_some() { "3" } else { "2" }, "Type", "s", "active"]);
    if let Some(ssid) = hidden {
        add(&["SSIDs", "aay", "1", &ssid.len().to_string()]);
        ssid.bytes().for_each(|byte| add(&[&byte.to_string()]));
    }
    add(&["Channels", "a(uu)", &frequencies_mhz.len().to_string()]);
    frequencies_mhz.iter().for_each(|mhz| add(&[&mhz.to_string(), WIDTH_MHZ]));
    options
}

fn texts(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

/// Calls a method of the supplicant; what it answers, or what `busctl` complains.
fn busctl(call: &[&str]) -> Result<String, String> {
    let mut command = Command::new("busctl");
    command.args(["--system", "call", NAME]).args(call).env("LC_ALL", "C");
    let ended = child::run_bounded(&mut command, None, SUPPLICANT_TIMEOUT, CHILD_OUTPUT_BYTES_MAX);
    let output = ended.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => "busctl is not installed".to_owned(),
        io::ErrorKind::TimedOut => "the supplicant does not answer".to_owned(),
        _ => error.to_string(),
    })?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim().to_owned();
    match output.status.success() {
        true => Ok(text(output.stdout)),
        false => Err(text(output.stderr)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_names_its_channels_and_calls_a_hidden_network_by_its_name() {
        assert_eq!(
            options(&[2437, 5180], None).join(" "),
            "2 Type s active Channels a(uu) 2 2437 20 5180 20"
        );
        assert_eq!(
            options(&[2437], Some("hé")).join(" "),
            "3 Type s active SSIDs aay 1 3 104 195 169 Channels a(uu) 1 2437 20"
        );
    }

    #[test]
    fn a_path_that_is_not_the_supplicants_is_not_called() {
        let path = "/fi/w1/wpa_supplicant1/Interfaces/0";
        assert_eq!(object_path(&format!("o \"{path}\"")), Some(path));
        for other in ["", "o", "o \"/org/freedesktop/DBus\"", "s \"\""] {
            assert_eq!(object_path(other), None, "{other}");
        }
    }
}
