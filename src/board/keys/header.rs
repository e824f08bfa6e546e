//! The board's header, and what the board needs once.

use super::{Keys, Value, lines};
use crate::board::{Setup, Wiring};

impl Keys {
    pub(super) fn wiring(&self) -> Option<Wiring> {
        self.has_table("wiring").then(|| Wiring {
            header: self.text("wiring.header"),
            pins: self.number("wiring.pins"),
            ground: match self.required("wiring.ground") {
                Some(Value::Numbers(pins)) => {
                    self.check_not_empty("wiring.ground", pins);
                    pins.clone()
                }
                _ => Vec::new(),
            },
            supply: self.number("wiring.supply"),
            weak: self.optional("wiring.weak") == Some(&Value::Flag(true)),
            console_tx: self.optional_number("wiring.console_tx"),
            console_rx: self.optional_number("wiring.console_rx"),
        })
    }

    pub(super) fn setup(&self) -> Setup {
        let steps = match self.optional("setup.steps") {
            Some(Value::Texts(steps)) => lines(steps),
            _ => Vec::new(),
        };
        Setup { steps, service: self.optional_text("setup.service") }
    }
}
