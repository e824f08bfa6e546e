//! One light on one pin.

use embedded_hal::digital::{OutputPin, PinState};

/// A light on a pin. Acts only when its level changes and reports a write error once per change.
#[derive(Debug)]
pub struct Led<P> {
    pin: P,
    active_low: bool,
    lit: Option<bool>,
}

impl<P: OutputPin> Led<P> {
    /// A light on `pin`; `active_low` when it shines at low level. No other place turns a light's
    /// level round.
    pub fn new(pin: P, active_low: bool) -> Led<P> {
        Led { pin, active_low, lit: None }
    }

    /// Lights it or puts it out.
    ///
    /// # Errors
    /// What the pin reported, once per change of level.
    pub fn set(&mut self, lit: bool) -> Result<(), P::Error> {
        if self.lit == Some(lit) {
            return Ok(());
        }
        self.lit = Some(lit);
        self.pin.set_state(PinState::from(lit != self.active_low))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use embedded_hal::digital::{Error, ErrorKind, ErrorType};

    #[derive(Debug, Default)]
    struct Pin {
        levels: Vec<bool>,
        broken: bool,
    }

    #[derive(Debug)]
    struct Broken;

    impl Error for Broken {
        fn kind(&self) -> ErrorKind {
            ErrorKind::Other
        }
    }

    impl ErrorType for Pin {
        type Error = Broken;
    }

    impl OutputPin for Pin {
        fn set_low(&mut self) -> Result<(), Broken> {
            self.levels.push(false);
            if self.broken { Err(Broken) } else { Ok(()) }
        }

        fn set_high(&mut self) -> Result<(), Broken> {
            self.levels.push(true);
            if self.broken { Err(Broken) } else { Ok(()) }
        }
    }

    #[test]
    fn a_light_touches_its_pin_only_when_its_level_changes() {
        let mut led = Led::new(Pin::default(), false);
        for lit in [true, true, false, false, true] {
            led.set(lit).unwrap();
        }
        assert_eq!(led.pin.levels, [true, false, true]);
    }

    #[test]
    fn an_active_low_light_shines_at_low_level() {
        let mut led = Led::new(Pin::default(), true);
        led.set(true).unwrap();
        led.set(false).unwrap();
        assert_eq!(led.pin.levels, [false, true]);
    }

    #[test]
    fn a_broken_pin_is_reported_once_per_change() {
        let mut led = Led::new(Pin { broken: true, ..Pin::default() }, false);
        assert!(led.set(true).is_err());
        assert!(led.set(true).is_ok());
        assert!(led.set(false).is_err());
    }
}
