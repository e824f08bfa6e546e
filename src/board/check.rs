//! What no key can say for itself: that no line and no pin has two users, and that every key has a
//! meaning.

use super::keys::Keys;
use super::profile::{Line, Profile};

impl Keys {
    /// No GPIO line has two users.
    pub(super) fn check_lines(&self, profile: &Profile) {
        let lines = profile.lines();
        // The keys by which both are the same line.
        let same = |a: &Line, b: &Line| -> Option<&str> {
            let place = a.place.as_ref().filter(|place| !place.chip.is_empty());
            if a.line_name.is_some() && a.line_name == b.line_name {
                Some("line_name")
            } else if place.is_some() && place == b.place.as_ref() {
                Some("line")
            } else {
                None
            }
        };
        for (i, (table, line)) in lines.iter().enumerate() {
            let found = lines[..i].iter().find_map(|(other, of)| Some((other, same(line, of)?)));
            if let Some((other, by)) = found {
                let (key, other) = (format!("{table}.{by}"), format!("{other}.{by}"));
                let why = |user: &str| format!("is the GPIO line that {user} uses already");
                self.report_pair((&key, why(&other)), (&other, why(&key)));
            }
        }
    }

    /// Every pin is on the header, and none has two uses.
    pub(super) fn check_pins(&self, profile: &Profile) {
        let lines = profile.lines();
        let of_lines =
            lines.iter().filter_map(|(table, line)| Some((format!("{table}.pin"), line.pin?)));
        let Some(wiring) = &profile.wiring else {
            for (key, _) in of_lines {
                self.report(&key, "needs a table [wiring] that describes the header");
            }
            return;
        };
        let own = [
            ("wiring.supply", Some(wiring.supply)),
            ("wiring.console_tx", wiring.console_tx),
            ("wiring.console_rx", wiring.console_rx),
            // Without a display they are as good as any.
            ("wiring.i2c_sda", wiring.i2c_sda.filter(|_| profile.display.is_some())),
            ("wiring.i2c_scl", wiring.i2c_scl.filter(|_| profile.display.is_some())),
        ];
        let ground = wiring.ground.iter().map(|pin| ("wiring.ground".to_owned(), *pin));
        let own = own.into_iter().filter_map(|(key, pin)| Some((key.to_owned(), pin?)));
        let mut used: Vec<(String, u32)> = Vec::new();
        // A number that is missing or wrong is 0 here.
        for (key, pin) in ground.chain(own).chain(of_lines).filter(|(_, pin)| *pin > 0) {
            if wiring.pins > 0 && pin > wiring.pins {
                let pins = wiring.pins;
                self.report_pair(
                    (&key, format!("is {pin}, must be a pin from 1 to {pins}")),
                    ("wiring.pins", format!("is {pins}, but {key} is pin {pin}")),
                );
            } else if let Some((other, _)) = used.iter().find(|(_, other)| *other == pin) {
                let why = |user: &str| format!("is pin {pin}, which {user} uses already");
                self.report_pair((&key, why(other)), (other, why(&key)));
            }
            used.push((key, pin));
        }
    }

    /// A key of the file itself that the chosen source or backend does not look at is a mistake;
    /// one that was inherited is not.
    pub(super) fn check_all_used(&self) {
        for name in self.unused() {
            self.report(name, "has no meaning with the source, backend or port chosen");
        }
    }
}
