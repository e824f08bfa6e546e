//! What a value may be, and how it is read.

use std::fmt;
use std::path::PathBuf;

use toml::de::DeValue;

use super::{Value, ValueError};
use crate::config::network;
use crate::limits::{
    DNS_SERVERS_MAX, KEY_BYTES_MAX, NAME_BYTES_MAX, PATH_BYTES_MAX, PIN_DIGITS_MAX, PIN_DIGITS_MIN,
    URL_BYTES_MAX,
};
use crate::rtmp::url::ServerUrl;
use crate::secret::{ConsolePin, Passphrase, StreamKey};

/// What a setting's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Number {
        /// The smallest that is taken.
        min: u32,
        /// The largest that is taken.
        max: u32,
        /// It must be a multiple of this.
        step: u32,
        /// What is counted.
        unit: &'static str,
    },
    /// A line of text for people.
    Label,
    /// The name of a destination, as it is typed at the console.
    Name,
    /// The address of a server, without the key.
    Address,
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
    /// One of these words; the first holds when nobody sets it.
    Choice(&'static [&'static str]),
}

impl fmt::Display for Kind {
    /// What is allowed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Flag => f.write_str("true or false"),
            Kind::Number { min, max, step, unit } => {
                let even = if *step == 2 { "an even" } else { "a whole" };
                write!(f, "{even} number from {min} to {max} ({unit})")
            }
            Kind::Label => write!(f, "a text of 1 to {NAME_BYTES_MAX} bytes in one line"),
            Kind::Name => {
                write!(f, "a name of 1 to {NAME_BYTES_MAX} letters a to z, digits, - and _")
            }
            Kind::Address => {
                write!(f, "an address such as rtmps://host/app, at most {URL_BYTES_MAX} bytes")
            }
            Kind::Key => write!(f, "a stream key of at most {KEY_BYTES_MAX} bytes"),
            Kind::Path => write!(f, "a path of at most {PATH_BYTES_MAX} bytes"),
            Kind::Pin => f.write_str("sha256// and the base64 of a key's hash, as check prints it"),
            Kind::ConsolePin => write!(f, "{PIN_DIGITS_MIN} to {PIN_DIGITS_MAX} digits"),
            Kind::Interface => f.write_str("an interface such as eth0, at most 15 characters"),
            Kind::OwnAddress => f.write_str("dhcp, or an address with its prefix: 192.0.2.7/24"),
            Kind::Gateway => f.write_str("an address such as 192.0.2.1"),
            Kind::DnsServers => {
                write!(f, "1 to {DNS_SERVERS_MAX} addresses with commas between them")
            }
            Kind::Ssid => f.write_str("a network's name of 1 to 32 bytes"),
            Kind::Passphrase => f.write_str("8 to 63 characters, or 64 hexadecimal digits"),
            Kind::Country => f.write_str("two capital letters such as DE"),
            Kind::Choice(words) => f.write_str(&words.join(", ")),
        }
    }
}

impl Kind {
    /// Whether its values are kept apart and never shown.
    pub fn is_secret(self) -> bool {
        matches!(self, Kind::Key | Kind::ConsolePin | Kind::Passphrase)
    }

    /// Reads a value as it is typed.
    ///
    /// # Errors
    /// [`ValueError`] says what is allowed.
    pub fn read(self, text: &str) -> Result<Value, ValueError> {
        let wrong = Err(ValueError::WrongKind(self));
        match self {
            Kind::Flag => match text {
                "true" => Ok(Value::Flag(true)),
                "false" => Ok(Value::Flag(false)),
                _ => wrong,
            },
            Kind::Number { .. } => match text.parse() {
                Ok(number) => self.in_range(number),
                Err(_) => wrong,
            },
            Kind::ConsolePin => Ok(Value::ConsolePin(ConsolePin::parse(text)?)),
            Kind::Passphrase => Ok(Value::Passphrase(Passphrase::parse(text)?)),
            Kind::Label
            | Kind::Name
            | Kind::Path
            | Kind::Interface
            | Kind::OwnAddress
            | Kind::Gateway
            | Kind::DnsServers
            | Kind::Ssid
            | Kind::Country => {
                if self.admits(text) {
                    Ok(self.text(text))
                } else {
                    wrong
                }
            }
            Kind::Address => Ok(Value::Address(ServerUrl::parse(text)?)),
            Kind::Key => Ok(Value::Key(StreamKey::parse(text)?)),
            Kind::Pin => Ok(Value::Pin(text.parse()?)),
            Kind::Choice(words) => match words.contains(&text) {
                true => Ok(Value::Text(text.to_owned())),
                false => wrong,
            },
        }
    }

    /// Reads a value of a file.
    pub(in crate::config) fn read_toml(self, value: &DeValue<'_>) -> Result<Value, ValueError> {
        match (self, value) {
            (Kind::Flag, DeValue::Boolean(flag)) => Ok(Value::Flag(*flag)),
            (Kind::Number { .. }, DeValue::Integer(integer)) => {
                match i64::from_str_radix(integer.as_str(), integer.radix()) {
                    Ok(number) => self.in_range(number),
                    Err(_) => Err(ValueError::WrongKind(self)),
                }
            }
            (Kind::Flag | Kind::Number { .. }, _) => Err(ValueError::WrongKind(self)),
            (_, DeValue::String(text)) => self.read(text),
            _ => Err(ValueError::WrongKind(self)),
        }
    }

    fn in_range(self, given: i64) -> Result<Value, ValueError> {
        match (self, u32::try_from(given)) {
            (Kind::Number { min, max, step, .. }, Ok(number))
                if (min..=max).contains(&number) && number.is_multiple_of(step) =>
            {
                Ok(Value::Number(number))
            }
            _ => Err(ValueError::OutOfRange { given, allowed: self }),
        }
    }

    fn admits(self, text: &str) -> bool {
        match self {
            Kind::Interface => return network::is_interface(text),
            Kind::OwnAddress => return network::is_own_address(text),
            Kind::Gateway => return network::is_gateway(text),
            Kind::DnsServers => return network::is_dns(text),
            Kind::Ssid => return network::is_ssid(text),
            Kind::Country => return network::is_country(text),
            _ => {}
        }
        let name_byte = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        let bytes_max = if self == Kind::Path { PATH_BYTES_MAX } else { NAME_BYTES_MAX };
        (1..=bytes_max).contains(&text.len())
            && !text.chars().any(char::is_control)
            && (self != Kind::Label || text.trim() == text)
            && (self != Kind::Name || text.bytes().all(name_byte))
    }

    fn text(self, text: &str) -> Value {
        if self == Kind::Path {
            Value::Path(PathBuf::from(text))
        } else {
            Value::Text(text.to_owned())
        }
    }
}
