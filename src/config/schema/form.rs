//! The forms that the texts of settings have, and what they are read into.

use core::net::IpAddr;
use std::fmt;
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::audio::ChannelsFrom;
use crate::device_controls::ControlValue;
use crate::limits::{
    DNS_SERVERS_MAX, HOSTS_MAX, KEY_BYTES_MAX, NAME_BYTES_MAX, PATH_BYTES_MAX, PIN_DIGITS_MAX,
    PIN_DIGITS_MIN, URL_BYTES_MAX,
};
use crate::pace::Follow;
use crate::rtmp::url::{Hosts, ServerUrl};
use crate::secret::{ConsolePin, Passphrase, StreamKey};
use crate::selection::{CameraDevice, CameraMode, MicrophoneDevice};
use crate::spki_pin::SpkiPin;
use crate::typed_toml::{self, ValueError, text_types, typed_values};
use crate::video::{Mirror, Zoom};

/// The longest name that Linux gives an interface (`IFNAMSIZ` less its end).
const INTERFACE_BYTES_MAX: usize = 15;
/// The longest name of a wireless network (IEEE 802.11-2020 section 9.4.2.2).
const SSID_BYTES_MAX: usize = 32;
/// In place of an address.
pub(in crate::config) const DHCP: &str = "dhcp";

/// What a text may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A line of text for people.
    Label,
    /// The name of a destination, as it is typed at the console.
    Name,
    /// The address of a server, without the key.
    Address,
    /// Hosts, or domains.
    Hosts,
    /// A stream key: taken, never shown.
    Key,
    /// A path of a file on the box.
    Path,
    /// The pin of a server's key.
    Pin,
    /// The PIN of the serial console: taken, kept as a hash, never shown.
    ConsolePin,
    /// A network interface.
    Interface,
    /// The box's own address with its prefix, or `dhcp`.
    OwnAddress,
    /// The address of a gateway.
    Gateway,
    /// Addresses of name servers.
    DnsServers,
    /// The name of a wireless network.
    Ssid,
    /// The passphrase of a wireless network: taken, never shown.
    Passphrase,
    /// A country.
    Country,
    /// What a hardware control is set to.
    Control,
    /// Which camera.
    Camera,
    /// In which mode a camera is used.
    CameraMode,
    /// Which microphone.
    Microphone,
}

text_types! {
    /// A text that was read.
    Text {
        /// A word or a line.
        Line(String),
        /// Of [`Form::Address`].
        Address(ServerUrl),
        /// Of [`Form::Hosts`].
        Hosts(Hosts),
        /// Of [`Form::Key`].
        Key(StreamKey),
        /// Of [`Form::Path`].
        Path(PathBuf),
        /// Of [`Form::Pin`].
        Pin(SpkiPin),
        /// Of [`Form::ConsolePin`].
        ConsolePin(ConsolePin),
        /// Of [`Form::Passphrase`].
        Passphrase(Passphrase),
        /// Of [`Form::Control`].
        Control(ControlValue),
        /// Of [`Form::Camera`].
        Camera(CameraDevice),
        /// Of [`Form::CameraMode`].
        CameraMode(CameraMode),
        /// Of [`Form::Microphone`].
        Microphone(MicrophoneDevice),
    }
}
typed_values! { Text:
    Follow: Word(word) => Follow::named(word),
    ChannelsFrom: Word(word) => ChannelsFrom::named(word),
    Mirror: Word(word) => Mirror::named(word),
    Zoom: Number(percent) => Some(Zoom::of_percent(percent)),
}

impl fmt::Display for Form {
    /// What is allowed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Form::Label => write!(f, "a text of 1 to {NAME_BYTES_MAX} bytes in one line"),
            Form::Name => {
                write!(f, "a name of 1 to {NAME_BYTES_MAX} letters a to z, digits, - and _")
            }
            Form::Address => {
                write!(f, "an address such as rtmps://host/app, at most {URL_BYTES_MAX} bytes")
            }
            Form::Hosts => write!(f, "1 to {HOSTS_MAX} hosts or domains with commas between them"),
            Form::Key => write!(f, "a stream key of at most {KEY_BYTES_MAX} bytes"),
            Form::Path => write!(f, "a path of at most {PATH_BYTES_MAX} bytes"),
            Form::Pin => f.write_str("sha256// and the base64 of a key's hash, as check prints it"),
            Form::ConsolePin => write!(f, "{PIN_DIGITS_MIN} to {PIN_DIGITS_MAX} digits"),
            Form::Interface => {
                write!(f, "an interface such as eth0, at most {INTERFACE_BYTES_MAX} characters")
            }
            Form::OwnAddress => f.write_str("dhcp, or an address with its prefix: 192.0.2.7/24"),
            Form::Gateway => f.write_str("an address such as 192.0.2.1"),
            Form::DnsServers => {
                write!(f, "1 to {DNS_SERVERS_MAX} addresses with commas between them")
            }
            Form::Ssid => write!(f, "a network's name of 1 to {SSID_BYTES_MAX} bytes"),
            Form::Passphrase => f.write_str("8 to 63 characters, or 64 hexadecimal digits"),
            Form::Country => f.write_str("two capital letters such as DE"),
            Form::Control => {
                f.write_str("what the device offers: a number, true, false, or a word")
            }
            Form::Camera => f.write_str(CameraDevice::ALLOWED),
            Form::CameraMode => f.write_str(CameraMode::ALLOWED),
            Form::Microphone => f.write_str(MicrophoneDevice::ALLOWED),
        }
    }
}

impl typed_toml::Form for Form {
    type Text = Text;

    fn read(self, text: &str) -> Result<Text, ValueError> {
        fn parsed<T, E: fmt::Display>(
            parsed: Result<T, E>,
            text: fn(T) -> Text,
        ) -> Result<Text, ValueError> {
            parsed.map(text).map_err(ValueError::new)
        }
        match self {
            Form::Address => parsed(ServerUrl::parse(text), Text::Address),
            Form::Hosts => text.parse().map(Text::Hosts).map_err(|_| ValueError::must_be(self)),
            Form::Key => parsed(StreamKey::parse(text), Text::Key),
            Form::Pin => parsed(text.parse(), Text::Pin),
            Form::ConsolePin => parsed(ConsolePin::parse(text), Text::ConsolePin),
            Form::Passphrase => parsed(Passphrase::parse(text), Text::Passphrase),
            Form::Control => {
                let value = ControlValue::parse(text).map(Text::Control);
                value.ok_or_else(|| ValueError::must_be(self))
            }
            Form::Camera => parsed(CameraDevice::of_owner(text), Text::Camera),
            Form::CameraMode => parsed(CameraMode::parse(text), Text::CameraMode),
            Form::Microphone => parsed(MicrophoneDevice::of_owner(text), Text::Microphone),
            _ if !self.admits(text) => Err(ValueError::must_be(self)),
            Form::Path => Ok(Text::Path(PathBuf::from(text))),
            _ => Ok(Text::Line(text.to_owned())),
        }
    }

    fn is_secret(self) -> bool {
        matches!(self, Form::Key | Form::ConsolePin | Form::Passphrase)
    }
}

impl Form {
    /// Whether a text of a form without a type of its own is one.
    fn admits(self, text: &str) -> bool {
        let is_line = |bytes_max| {
            (1..=bytes_max).contains(&text.len()) && !text.chars().any(char::is_control)
        };
        let all = |allowed: fn(u8) -> bool| text.bytes().all(allowed);
        match self {
            Form::Label => is_line(NAME_BYTES_MAX) && text.trim() == text,
            Form::Name => {
                let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
                is_line(NAME_BYTES_MAX) && all(allowed)
            }
            Form::Interface => {
                let allowed =
                    |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'@');
                // Neither an option of a program nor a path.
                is_line(INTERFACE_BYTES_MAX) && all(allowed) && !text.starts_with(['.', '-'])
            }
            Form::OwnAddress => text == DHCP || is_host_with_prefix(text),
            Form::Gateway => host(text).is_some(),
            Form::DnsServers => {
                let servers = dns_servers(text);
                (1..=DNS_SERVERS_MAX).contains(&servers.len())
                    && servers.iter().all(|server| host(server).is_some())
            }
            Form::Ssid => is_line(SSID_BYTES_MAX),
            Form::Country => text.len() == 2 && all(|b| b.is_ascii_uppercase()),
            Form::Path => is_line(PATH_BYTES_MAX),
            Form::Address
            | Form::Hosts
            | Form::Key
            | Form::Pin
            | Form::ConsolePin
            | Form::Passphrase
            | Form::Control
            | Form::Camera
            | Form::CameraMode
            | Form::Microphone => false,
        }
    }
}

/// The value of a setting by its name; where nobody sets it the default, if it has one.
pub(in crate::config) type Get<'a> = &'a dyn Fn(&str) -> Option<typed_toml::Value<Text>>;

/// How a type of the table comes from a value, or from none.
pub(in crate::config) trait Held {
    /// What holds.
    fn held(value: Option<typed_toml::Value<Text>>) -> Self;
}

impl<T: TryFrom<typed_toml::Value<Text>>> Held for Option<T> {
    fn held(value: Option<typed_toml::Value<Text>>) -> Option<T> {
        T::try_from(value?).ok()
    }
}

macro_rules! held_always {
    ($($type:ty),*) => {$(
        impl Held for $type {
            fn held(value: Option<typed_toml::Value<Text>>) -> $type {
                Option::held(value).unwrap_or_default()
            }
        }
    )*};
}

// Their entries have a value that holds when nobody sets them.
held_always!(bool, u32, i32, String, Follow, ChannelsFrom, Mirror, Zoom, CameraMode);

/// An address that a host may have.
fn host(text: &str) -> Option<IpAddr> {
    let address: IpAddr = text.parse().ok()?;
    let is_none = address.is_unspecified() || address.is_multicast() || address.is_loopback();
    (!is_none).then_some(address)
}

fn is_host_with_prefix(text: &str) -> bool {
    let Some((address, prefix)) = text.split_once('/') else { return false };
    let longest = host(address).map(|address| if address.is_ipv4() { 32 } else { 128 });
    let prefix: Option<u8> = prefix.parse().ok();
    longest.zip(prefix).is_some_and(|(longest, prefix)| (1..=longest).contains(&prefix))
}

/// The addresses of a list.
pub(in crate::config) fn dns_servers(text: &str) -> Vec<&str> {
    text.split([',', ' ']).filter(|server| !server.is_empty()).collect()
}

impl Text {
    /// As a file holds it; `None` for a PIN that was not hashed.
    pub(in crate::config) fn stored(&self) -> Option<Zeroizing<String>> {
        Some(Zeroizing::new(match self {
            Text::Line(line) => line.clone(),
            Text::Address(address) => address.reveal().to_string(),
            Text::Hosts(hosts) => hosts.to_string(),
            Text::Key(key) => key.reveal().to_owned(),
            Text::Path(path) => path.to_string_lossy().into_owned(),
            Text::Pin(pin) => pin.to_string(),
            Text::ConsolePin(pin) => pin.stored()?,
            Text::Passphrase(passphrase) => passphrase.reveal().to_owned(),
            Text::Control(value) => value.to_string(),
            Text::Camera(device) => device.to_string(),
            Text::CameraMode(mode) => mode.to_string(),
            Text::Microphone(device) => device.to_string(),
        }))
    }
}

impl fmt::Display for Text {
    /// As people may see it: keys and whatever is secret in an address are dots.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Text::Line(line) => line.fmt(f),
            Text::Address(address) => address.fmt(f),
            Text::Hosts(hosts) => hosts.fmt(f),
            Text::Key(key) => key.fmt(f),
            Text::Path(path) => path.display().fmt(f),
            Text::Pin(pin) => pin.fmt(f),
            Text::ConsolePin(pin) => pin.fmt(f),
            Text::Passphrase(passphrase) => passphrase.fmt(f),
            Text::Control(value) => value.fmt(f),
            Text::Camera(device) => device.fmt(f),
            Text::CameraMode(mode) => mode.fmt(f),
            Text::Microphone(device) => device.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Form;
    use crate::typed_toml::Form as _;

    #[track_caller]
    fn check(form: Form, good: &[&str], bad: &[&str]) {
        for text in good {
            assert!(form.read(text).is_ok(), "{text:?}");
        }
        for text in bad {
            assert!(form.read(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_address_of_a_host_has_its_prefix() {
        let good = ["dhcp", "192.0.2.7/24", "10.0.0.1/8", "2001:db8::7/64", "fd00::1/128"];
        let bad = [
            "",
            "DHCP",
            "192.0.2.7",
            "192.0.2.7/33",
            "192.0.2.7/0",
            "0.0.0.0/8",
            "127.0.0.1/8",
            "224.0.0.1/4",
            "2001:db8::7/129",
            "host/24",
            "192.0.2.7/24/1",
            "192.0.2.7/-1",
        ];
        check(Form::OwnAddress, &good, &bad);
    }

    #[test]
    fn name_servers_are_a_short_list() {
        let good = ["192.0.2.1", "192.0.2.1, 9.9.9.9", "192.0.2.1 2001:db8::1"];
        check(
            Form::DnsServers,
            &good,
            &["", ",", "dns.example", "1.1.1.1,2.2.2.2,3.3.3.3,4.4.4.4"],
        );
    }

    #[test]
    fn names_are_bounded_and_cannot_be_taken_for_an_option() {
        let bad = ["", "-x", "a/b", "wlan0 up", "0123456789abcdef", "..", "wlan0\n"];
        check(Form::Interface, &["wlan0", "enx00e04c680001"], &bad);
        check(Form::Ssid, &["Café 2.4 GHz"], &["", &"x".repeat(33)]);
        check(Form::Country, &["DE"], &["de", "GER"]);
    }
}
