//! A mocked pin with edges, for tests.

use std::io::ErrorKind;
use std::time::Duration;
use std::vec;

use embedded_hal::digital::{ErrorType, InputPin, PinState};
use embedded_hal_mock::eh1::MockError;
use embedded_hal_mock::eh1::digital::State::{self, Low};
use embedded_hal_mock::eh1::digital::{Mock, Transaction};

use crate::device::pin::{Edge, EdgePin};

pub const UNPLUGGED: MockError = MockError::Io(ErrorKind::NotConnected);

/// Each edge takes one expected reading of the pin, and one time.
pub struct MockPin {
    pin: Mock,
    times_ms: vec::IntoIter<u64>,
}

impl MockPin {
    pub fn without_edges(pin: &Mock) -> MockPin {
        MockPin { pin: pin.clone(), times_ms: Vec::new().into_iter() }
    }

    /// A pin that is found at `found`, has `edges` (milliseconds, level), and is then unplugged;
    /// with the mock on which to call `done()`.
    pub fn until_unplugged(found: State, edges: &[(u64, State)]) -> (Mock, MockPin) {
        let levels = edges.iter().map(|(_, level)| *level);
        let mut expected: Vec<Transaction> =
            std::iter::once(found).chain(levels).map(Transaction::get).collect();
        expected.push(Transaction::get(Low).with_error(UNPLUGGED));
        let pin = Mock::new(&expected);
        let times_ms: Vec<u64> = edges.iter().map(|(at_ms, _)| *at_ms).collect();
        (pin.clone(), MockPin { pin, times_ms: times_ms.into_iter() })
    }
}

impl ErrorType for MockPin {
    type Error = MockError;
}

impl InputPin for MockPin {
    fn is_high(&mut self) -> Result<bool, MockError> {
        self.pin.is_high()
    }

    fn is_low(&mut self) -> Result<bool, MockError> {
        self.pin.is_low()
    }
}

impl EdgePin for MockPin {
    fn wait_for_edge(&mut self) -> Result<Edge, MockError> {
        let level = PinState::from(self.pin.is_high()?);
        let at = Duration::from_millis(self.times_ms.next().expect("an edge has a time"));
        Ok(Edge { at, level })
    }
}
