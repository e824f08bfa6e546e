//! The board's header: which pin is what, and that no pin has two users.

use super::{Entry, Keys, Value};
use crate::board::{Profile, ProfileError, Setup, Wiring};
use crate::limits::BOARD_HEADER_PINS_MAX;

impl Keys<'_> {
    pub(super) fn wiring(&self) -> Result<Option<Wiring>, ProfileError> {
        if !self.has_table("wiring") {
            return Ok(None);
        }
        Ok(Some(Wiring {
            header: self.text("wiring.header", "what the header is called")?,
            pins: self.even("wiring.pins", 2..=BOARD_HEADER_PINS_MAX)?,
            ground: self.ground()?,
            supply: self.number("wiring.supply", 1..=BOARD_HEADER_PINS_MAX)?,
            weak: match self.optional("wiring.weak") {
                Some(_) => self.flag("wiring.weak")?,
                None => false,
            },
            console_tx: self.pin("wiring.console_tx")?,
            console_rx: self.pin("wiring.console_rx")?,
        }))
    }

    fn ground(&self) -> Result<Vec<u32>, ProfileError> {
        const KEY: &str = "wiring.ground";
        let wrong = || self.bad(KEY, "must be a list of pins of the header");
        match &self.required(KEY, "the pins that are ground")?.value {
            Value::Integers(pins) if !pins.is_empty() => {
                pins.iter().map(|pin| u32::try_from(*pin).map_err(|_| wrong())).collect()
            }
            _ => Err(wrong()),
        }
    }

    pub(super) fn setup(&self) -> Result<Setup, ProfileError> {
        let steps = match self.optional("setup.steps") {
            Some(Entry { value: Value::Texts(steps), .. }) => steps.clone(),
            _ => Vec::new(),
        };
        Ok(Setup { steps, service: self.optional_text("setup.service")? })
    }

    pub(super) fn pin(&self, key: &str) -> Result<Option<u32>, ProfileError> {
        let given = self.optional(key).is_some();
        given.then(|| self.number(key, 1..=BOARD_HEADER_PINS_MAX)).transpose()
    }

    /// Every pin is on the header, and none is two things.
    pub(super) fn check_pins(&self, profile: &Profile) -> Result<(), ProfileError> {
        let lines = profile.lines();
        let of_lines =
            lines.iter().filter_map(|(table, line)| Some((format!("{table}.pin"), line.pin?)));
        let Some(wiring) = &profile.wiring else {
            return match of_lines.into_iter().next() {
                Some((key, _)) => {
                    Err(self.bad(&key, "needs a table [wiring] that tells the header"))
                }
                None => Ok(()),
            };
        };
        let own = [
            ("wiring.supply", Some(wiring.supply)),
            ("wiring.console_tx", wiring.console_tx),
            ("wiring.console_rx", wiring.console_rx),
        ];
        let ground = wiring.ground.iter().map(|pin| ("wiring.ground".to_owned(), *pin));
        let own = own.into_iter().filter_map(|(key, pin)| Some((key.to_owned(), pin?)));
        let mut taken: Vec<(String, u32)> = Vec::new();
        for (key, pin) in ground.chain(own).chain(of_lines) {
            if !(1..=wiring.pins).contains(&pin) {
                let why = format!("must be a pin from 1 to {}, not {pin}", wiring.pins);
                return Err(self.bad(&key, &why));
            }
            if let Some((other, _)) = taken.iter().find(|(_, other)| *other == pin) {
                return Err(self.bad(&key, &format!("is pin {pin}, which is `{other}` already")));
            }
            taken.push((key, pin));
        }
        Ok(())
    }
}
