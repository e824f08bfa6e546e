//! Running `nmcli`, and reading what it prints.
//!
//! It is asked for its terse form, in English. Names of networks are asked for as hexadecimal digits: in
//! the locale that makes the rest readable they would not survive, and some are no text at all.

use std::io;
use std::process::Command;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::child;
use crate::limits::{CHILD_OUTPUT_BYTES_MAX, NMCLI_TIMEOUT};
use crate::status::WifiSecurity;
use crate::wifi::{AccessPoint, JoinEnd};

pub(super) const NOT_INSTALLED: &str = "nmcli is not installed";
/// What is asked for was not wanted any more.
pub(super) const INTERRUPTED: &str = "nmcli was interrupted";

/// Nobody can make a file below it, not even root.
const NO_HOME: &str = "/dev/null";

/// Runs `nmcli` to its end; its standard output, or what it complains.
pub(super) fn nmcli<'a>(
    arguments: impl IntoIterator<Item = &'a str>,
    input: Option<&str>,
) -> Result<Zeroizing<String>, String> {
    Call { input, ..Call::default() }.run(arguments, || true)
}

/// How `nmcli` is run.
pub(super) struct Call<'a> {
    pub input: Option<&'a str>,
    pub timeout: Duration,
    pub output_bytes_max: u64,
    pub locale: &'static str,
}

impl Default for Call<'_> {
    fn default() -> Self {
        Call {
            input: None,
            timeout: NMCLI_TIMEOUT,
            output_bytes_max: CHILD_OUTPUT_BYTES_MAX,
            locale: "C",
        }
    }
}

impl Call<'_> {
    /// Runs it for as long as `goes_on` says so.
    pub fn run<'a>(
        &self,
        arguments: impl IntoIterator<Item = &'a str>,
        goes_on: impl Fn() -> bool,
    ) -> Result<Zeroizing<String>, String> {
        let mut command = Command::new("nmcli");
        command.args(arguments).env("LC_ALL", self.locale);
        command.env("HOME", NO_HOME).env("XDG_CACHE_HOME", NO_HOME);
        let input = self.input.map(str::as_bytes);
        let ended =
            child::run_while(&mut command, input, self.timeout, self.output_bytes_max, goes_on);
        let output = ended.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => NOT_INSTALLED.to_owned(),
            io::ErrorKind::TimedOut => "nmcli does not answer".to_owned(),
            io::ErrorKind::Interrupted => INTERRUPTED.to_owned(),
            _ => format!("nmcli cannot be run: {error}"),
        })?;
        let text = |bytes: Vec<u8>| Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned());
        if output.status.success() {
            return Ok(text(output.stdout));
        }
        Err(complaint(&text(output.stderr)))
    }
}

/// What `nmcli` complains: its error, and not the hint after it that names another tool.
fn complaint(text: &str) -> String {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let error = lines.clone().find(|line| line.starts_with("Error:"));
    let last = || lines.rfind(|line| !line.starts_with("Hint:"));
    error.or_else(last).unwrap_or("nmcli failed").to_owned()
}

/// The fields of a line of the terse form, where a backslash stands before each colon and each backslash
/// that belongs to a value.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        match (c, fields.last_mut()) {
            (':', _) => fields.push(String::new()),
            ('\\', Some(field)) => field.extend(rest.next()),
            (c, Some(field)) => field.push(c),
            (_, None) => {}
        }
    }
    fields
}

/// What a list of access points is asked for, in the order of [`access_points`].
pub(super) const POINT_FIELDS: &str = "IN-USE,SSID-HEX,SIGNAL,SECURITY,DEVICE,FREQ";

/// An access point, the interface that it was found with, and its channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub point: AccessPoint,
    pub interface: String,
    pub frequency_mhz: Option<u32>,
}

/// The access points of a list of [`POINT_FIELDS`]; what is no line of it is left out.
pub(super) fn access_points(text: &str) -> Vec<Found> {
    let found = |line: &str| {
        let fields = fields(line);
        let [in_use, ssid, signal, security, interface, frequency @ ..] = &fields[..] else {
            return None;
        };
        let point = AccessPoint {
            ssid: bytes(ssid)?,
            signal_percent: signal.trim().parse::<u8>().ok()?.min(100),
            security: security_of(security),
            is_joined: in_use.trim() == "*",
        };
        if frequency.len() > 1 {
            return None;
        }
        // Such as `2437 MHz`.
        let mhz = |words: &String| words.split(' ').next().and_then(|mhz| mhz.parse().ok());
        let frequency_mhz = frequency.first().and_then(mhz);
        // What NetworkManager looks for is in its list before it is found, with a signal of 0.
        (point.signal_percent > 0).then(|| Found {
            point,
            interface: interface.clone(),
            frequency_mhz,
        })
    };
    text.lines().filter_map(found).collect()
}

/// The bytes that hexadecimal digits stand for; of a hidden name there are none.
fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits = match hex.trim() {
        "--" => "",
        digits => digits,
    };
    if digits.len() % 2 != 0 || !digits.is_ascii() {
        return None;
    }
    let byte = |at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    let bytes: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect::<Option<_>>()?;
    // Access points hide a name behind as many zeros, too.
    Some(if bytes.iter().all(|byte| *byte == 0) { Vec::new() } else { bytes })
}

/// The words that `nmcli` has for a network's security.
fn security_of(words: &str) -> WifiSecurity {
    let words: Vec<&str> = words.split_ascii_whitespace().filter(|word| *word != "--").collect();
    let has = |word: &str| words.contains(&word);
    match () {
        () if words.is_empty() => WifiSecurity::Open,
        () if has("802.1X") => WifiSecurity::Enterprise,
        () if has("WEP") => WifiSecurity::Wep,
        () if has("WPA3") && (has("WPA2") || has("WPA1")) => WifiSecurity::Wpa2Wpa3,
        () if has("WPA3") => WifiSecurity::Wpa3,
        () if has("WPA2") => WifiSecurity::Wpa2,
        () if has("WPA1") => WifiSecurity::Wpa,
        // The open half of a pair whose other half is encrypted.
        () if has("OWE-TM") => WifiSecurity::Open,
        () if has("OWE") => WifiSecurity::EnhancedOpen,
        () => WifiSecurity::Other,
    }
}

/// What is asked of all devices, in the order of [`devices`].
pub(super) const DEVICE_FIELDS: &str =
    "GENERAL.DEVICE,GENERAL.TYPE,GENERAL.STATE,GENERAL.CONNECTION";

/// A wireless interface as NetworkManager has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Device {
    pub interface: String,
    /// `NMDeviceState`: 20 is unavailable, 30 disconnected, from 40 on it is being connected, 70 begins
    /// the look for an address, and 100 is connected.
    pub state: u32,
    /// The name of the connection that it has or tries.
    pub connection: String,
}

impl Device {
    pub fn is_ready(&self) -> bool {
        self.state >= 30
    }

    pub fn is_connected(&self) -> bool {
        self.state == 100
    }

    pub fn is_connecting(&self) -> bool {
        (40..100).contains(&self.state)
    }

    pub fn waits_for_address(&self) -> bool {
        (70..100).contains(&self.state)
    }
}

/// The wireless interfaces of a list of [`DEVICE_FIELDS`], a block for each device.
pub(super) fn wireless(text: &str) -> Vec<Device> {
    text.split("\n\n").filter_map(device).collect()
}

fn device(block: &str) -> Option<Device> {
    let value = |name: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        Some(if line == "--" { "" } else { line })
    };
    if value("GENERAL.TYPE")? != "wifi" {
        return None;
    }
    Some(Device {
        interface: value("GENERAL.DEVICE")?.to_owned(),
        state: value("GENERAL.STATE")?.split(' ').next()?.parse().ok()?,
        connection: value("GENERAL.CONNECTION").unwrap_or_default().to_owned(),
    })
}

/// How a try to join a network ended, from what `nmcli` complains. The words are those of
/// `nmc_device_reason_to_string`, the same from 1.30 to 1.52.
pub(super) fn join_end(complaint: &str) -> JoinEnd {
    let says = |words: &[&str]| words.iter().any(|words| complaint.contains(words));
    let own = || complaint.trim_start_matches("Error: ").to_owned();
    match () {
        () if says(&["Secrets were required", "No valid secrets", "Invalid secrets"]) => {
            JoinEnd::NoSecrets
        }
        () if says(&["Wi-Fi network could not be found"]) => JoinEnd::NotFound,
        () if says(&["IP configuration", "DHCP client"]) => JoinEnd::NoAddress,
        () if says(&["802.1X supplicant"]) => JoinEnd::Rejected,
        () if says(&["Timeout expired", "attempt timed out", "nmcli does not answer"]) => {
            JoinEnd::TimedOut
        }
        () if says(&["No suitable device", "device disappeared", "firmware for the device"]) => {
            JoinEnd::NoDevice(own())
        }
        () => JoinEnd::Other(own()),
    }
}

#[cfg(test)]
mod tests;
