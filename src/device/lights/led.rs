//! The driver of a light on a pin.

use embedded_hal::digital::{OutputPin, PinState};

/// A light on a pin. Acts only when its level changes and reports a write error once per change.
#[derive(Debug)]
pub struct Led<P> {
    pin: P,
    active_low: bool,
    lit: Option<bool>,
}

impl<P: OutputPin> Led<P> {
    /// A light on `pin`; `active_low` when it shines at low level. No other place knows the
    /// polarity of a light.
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
    use std::io::ErrorKind;

    use embedded_hal_mock::eh1::MockError;
    use embedded_hal_mock::eh1::digital::State::{High, Low};
    use embedded_hal_mock::eh1::digital::{Mock, Transaction};

    use super::*;

    #[test]
    fn a_light_touches_its_pin_only_when_its_level_changes() {
        let mut pin = Mock::new(&[High, Low, High].map(Transaction::set));
        let mut led = Led::new(pin.clone(), false);
        for lit in [true, true, false, false, true] {
            led.set(lit).unwrap();
        }
        pin.done();
    }

    #[test]
    fn an_active_low_light_shines_at_low_level() {
        let mut pin = Mock::new(&[Low, High].map(Transaction::set));
        let mut led = Led::new(pin.clone(), true);
        led.set(true).unwrap();
        led.set(false).unwrap();
        pin.done();
    }

    #[test]
    fn a_broken_pin_is_reported_once_per_change() {
        let error = MockError::Io(ErrorKind::NotConnected);
        let broken = |level| Transaction::set(level).with_error(error.clone());
        let mut pin = Mock::new(&[broken(High), broken(Low), Transaction::set(High)]);
        let mut led = Led::new(pin.clone(), false);
        assert_eq!(led.set(true), Err(error.clone()));
        assert_eq!(led.set(true), Ok(()));
        assert_eq!(led.set(false), Err(error.clone()));
        assert_eq!(led.set(true), Ok(()), "it works again");
        pin.done();
    }
}
