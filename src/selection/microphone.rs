//! Which sound card is meant.

use std::fmt;

use serde::{Serialize, Serializer};

use super::{is_name, is_number, is_port};

/// Which sound card is meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum MicrophoneDevice {
    /// The first one that records; one at a USB port comes before those of the board.
    #[default]
    Auto,
    /// The one at that USB port, as the kernel names it (`1-1.3`).
    Usb(String),
    /// That ALSA device (`plughw:CARD=Device`, `default`).
    Alsa(String),
    /// The one whose name or identifier holds that text, in upper or lower case.
    Name(String),
}

const NO_NUMBER: &str = "must name the card by its identifier (card:ID, plughw:CARD=ID), because card numbers \
                         change; `firstmile devices` prints them";

/// The names in ALSA that stand for a card and do nothing else.
const OF_CARDS: [&str; 5] = ["card", "hw", "plughw", "dsnoop", "sysdefault"];

impl MicrophoneDevice {
    /// What an owner may write.
    pub const ALLOWED: &str = "auto, usb:PORT, card:ID, or a part of its name";

    /// Reads what a profile says: `auto`, `usb:PORT`, `card:ID`, `name:TEXT`, or an ALSA name that has no
    /// card number in it.
    ///
    /// # Errors
    /// What may be written instead.
    pub fn parse(text: &str) -> Result<MicrophoneDevice, &'static str> {
        const ALLOWED: &str = "must be auto, usb:PORT, card:ID, name:TEXT or an ALSA name";
        match text.split_once(':') {
            None if text == "auto" => Ok(MicrophoneDevice::Auto),
            None if !text.is_empty() => Ok(MicrophoneDevice::Alsa(text.to_owned())),
            Some(("usb", port)) if is_port(port) => Ok(MicrophoneDevice::Usb(port.to_owned())),
            Some(("name", part)) if is_name(part) => Ok(MicrophoneDevice::Name(part.to_owned())),
            Some(("usb" | "name", _)) | None => Err(ALLOWED),
            Some((kind, card)) => {
                let card = card.strip_prefix("CARD=").unwrap_or(card);
                let id = card.split(',').next().unwrap_or_default();
                match (kind, id.parse::<u32>()) {
                    (_, Ok(_)) => Err(NO_NUMBER),
                    (_, Err(_)) if id.is_empty() => Err(ALLOWED),
                    ("card", Err(_)) => Ok(MicrophoneDevice::Alsa(format!("plughw:CARD={card}"))),
                    (_, Err(_)) => Ok(MicrophoneDevice::Alsa(text.to_owned())),
                }
            }
        }
    }

    /// Reads what an owner writes: a card, or a part of its name. An ALSA name may stand for a plug-in
    /// that writes files or runs programs; only an integrator may name those.
    ///
    /// # Errors
    /// What may be written instead.
    pub fn of_owner(text: &str) -> Result<MicrophoneDevice, &'static str> {
        const ALLOWED: &str = "must be auto, usb:PORT, card:ID, or a part of its name; `devices` shows \
                               what to write";
        const NO_NUMBER: &str = "must name the card by what stays the same, because card numbers \
                                 change; `devices` shows what to write";
        let is_plain =
            |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ',' | '=' | '.');
        if is_number(text) {
            return Err(NO_NUMBER);
        }
        if !is_name(text) {
            return Err(ALLOWED);
        }
        match text.split_once(':') {
            None if matches!(text, "auto" | "default") => {
                MicrophoneDevice::parse(text).map_err(|_| ALLOWED)
            }
            Some(("usb" | "name", _)) => MicrophoneDevice::parse(text).map_err(|_| ALLOWED),
            Some((kind, card)) if OF_CARDS.contains(&kind) => {
                let id = card.strip_prefix("CARD=").unwrap_or(card);
                match MicrophoneDevice::parse(text) {
                    _ if id.split(',').next().is_some_and(is_number) => Err(NO_NUMBER),
                    Ok(device) if card.chars().all(is_plain) => Ok(device),
                    _ => Err(ALLOWED),
                }
            }
            Some((kind, _)) if kind.chars().all(is_plain) => Err(ALLOWED),
            _ => Ok(MicrophoneDevice::Name(text.to_owned())),
        }
    }

    /// Reads the name of a table of hardware controls: what an owner writes, or what a profile says.
    ///
    /// # Errors
    /// What may be written instead.
    pub fn of_controls(text: &str) -> Result<MicrophoneDevice, &'static str> {
        MicrophoneDevice::of_owner(text)
            .or_else(|why| MicrophoneDevice::parse(text).map_err(|_| why))
    }

    /// The card of that identifier, as an owner may write it.
    pub fn of_card(id: &str) -> MicrophoneDevice {
        MicrophoneDevice::Alsa(format!("plughw:CARD={id}"))
    }
}

impl fmt::Display for MicrophoneDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MicrophoneDevice::Auto => f.write_str("auto"),
            MicrophoneDevice::Usb(port) => write!(f, "usb:{port}"),
            MicrophoneDevice::Alsa(name) => f.write_str(name),
            MicrophoneDevice::Name(text) => write!(f, "name:{text}"),
        }
    }
}

impl Serialize for MicrophoneDevice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_never_named_by_its_number() {
        for text in ["auto", "usb:3-1", "default", "plughw:CARD=Device", "hw:Device,0"] {
            assert_eq!(MicrophoneDevice::parse(text).map(|d| d.to_string()).as_deref(), Ok(text));
            assert_eq!(MicrophoneDevice::of_owner(text), MicrophoneDevice::parse(text), "{text}");
        }
        let card = MicrophoneDevice::parse("card:Loopback,1").map(|d| d.to_string());
        assert_eq!(card.as_deref(), Ok("plughw:CARD=Loopback,1"));
        assert_eq!(
            MicrophoneDevice::of_owner("card:Loopback,1"),
            MicrophoneDevice::parse("card:Loopback,1")
        );
        for wrong in ["", "hw:1", "hw:1,0", "plughw:CARD=2", "card:", "card:0", "usb:x"] {
            assert!(MicrophoneDevice::parse(wrong).is_err(), "{wrong}");
            assert!(MicrophoneDevice::of_owner(wrong).is_err(), "{wrong}");
        }
        assert!(MicrophoneDevice::of_owner("1").is_err());
    }

    #[test]
    fn an_owner_may_write_a_part_of_the_name_alone() {
        for (text, part) in [
            ("blue", "blue"),
            ("name:blue", "blue"),
            ("USB Audio (046d:0825)", "USB Audio (046d:0825)"),
        ] {
            let name = MicrophoneDevice::Name(part.to_owned());
            assert_eq!(MicrophoneDevice::of_owner(text).as_ref(), Ok(&name));
            assert_eq!(MicrophoneDevice::of_owner(&name.to_string()), Ok(name));
        }
    }

    #[test]
    fn an_owner_names_a_card_and_never_a_plug_in_that_runs_something() {
        for text in [
            "file:'|reboot',raw",
            "file:/etc/passwd",
            "tee:hw,/tmp/x,raw",
            "plug:{SLAVE=\"file:x\"}",
            "plughw:CARD='x',{a}",
            "plughw:CARD=x y",
            "ladspa:x",
        ] {
            assert!(MicrophoneDevice::of_owner(text).is_err(), "{text}");
        }
        // What is not a name of ALSA is only compared with the names of cards.
        let compared = MicrophoneDevice::of_owner("| reboot");
        assert_eq!(compared, Ok(MicrophoneDevice::Name("| reboot".to_owned())));
    }
}
