//! The display's thread against buses that answer, are pulled out, and hang.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use embedded_hal::i2c::{ErrorKind, ErrorType, Operation};
use embedded_hal_mock::eh1::i2c::Mock;

use super::oled::tests::{GONE, message, profile, set_up};
use super::*;
use crate::board::Chip;
use crate::panel::Indication;

const PATIENCE: Duration = Duration::from_secs(30);

fn front(indication: Indication) -> Front {
    Front {
        name: "firstmile".to_owned(),
        address: None,
        indication,
        moment: None,
        words: None,
        live_since: None,
        destinations: Vec::new(),
        figures: None,
        meters: Vec::new(),
    }
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let asked = Instant::now();
    while !is_so() {
        assert!(asked.elapsed() < PATIENCE, "never {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A display that is pulled out while its switch is off, and counts the messages that reached it.
#[derive(Clone, Default)]
struct Plugged {
    messages: Arc<Mutex<Vec<Vec<u8>>>>,
    opened: Arc<AtomicUsize>,
    is_out: Arc<Mutex<bool>>,
    /// Whoever holds this lets transfers wait.
    hangs: Arc<Mutex<()>>,
}

impl Plugged {
    fn display(&self) -> Display {
        let bus = self.clone();
        let open = move || {
            bus.opened.fetch_add(1, Ordering::SeqCst);
            Ok::<_, Infallible>((bus.clone(), PathBuf::from("/dev/i2c-1")))
        };
        Display::on(profile(Chip::Ssd1306), Clock::start(), open).unwrap()
    }

    fn count(&self) -> usize {
        self.messages.lock().unwrap().len()
    }

    fn last(&self) -> Option<Vec<u8>> {
        self.messages.lock().unwrap().last().cloned()
    }
}

impl ErrorType for Plugged {
    type Error = ErrorKind;
}

impl I2c for Plugged {
    fn transaction(&mut self, _: u8, operations: &mut [Operation<'_>]) -> Result<(), ErrorKind> {
        let _waits = self.hangs.lock().unwrap();
        if *self.is_out.lock().unwrap() {
            return Err(GONE);
        }
        for operation in operations {
            match operation {
                Operation::Write(bytes) => self.messages.lock().unwrap().push(bytes.to_vec()),
                Operation::Read(_) => panic!("nothing is read"),
            }
        }
        Ok(())
    }
}

#[test]
fn the_bus_sees_the_set_up_the_page_its_changes_and_the_end_and_nothing_else() {
    let (before, after) = (front(Indication::NeedsSetup), front(Indication::Stopping));
    let drawing = Drawing::new(None);
    let [first, second] = [&before, &after].map(|front| drawing.draw(Duration::ZERO, front));
    let mut expected = set_up(Chip::Sh1106, &first);
    for span in second.changes(&first) {
        let column = span.column + 2;
        let to = [0, 0xb0 + span.strip, column & 15, 0x10 + (column >> 4)];
        expected.extend([message(&to), message(&[&[0x40], span.bytes].concat())]);
    }
    expected.push(message(&[0, 0xae]));
    let mut bus = Mock::new(&expected);
    let opened = bus.clone();
    let open = move || Ok::<_, Infallible>((opened.clone(), PathBuf::from("/dev/i2c-1")));
    let mut driver = Driver::new(profile(Chip::Sh1106), open);
    // The thread's own loop, in the time of a test.
    let slot = Slot::default();
    for (at_ms, front) in [(0, &before), (50, &before), (200, &after), (5_000, &after)] {
        let now = Duration::from_millis(at_ms);
        driver.screen.show(now, front.clone());
        if let Some(update) = driver.screen.poll(now) {
            driver.send(&update).unwrap();
            driver.screen.sent(now, update);
        }
    }
    assert_eq!(driver.screen.poll_timeout(), None);
    slot.lock().is_over = true;
    driver.run(&slot, Clock::start());
    bus.done();
}

#[test]
fn a_display_at_rest_has_no_traffic_and_its_thread_is_not_woken() {
    let bus = Plugged::default();
    let mut display = bus.display();
    display.show(front(Indication::Ready));
    until("lit", || bus.last() == Some(vec![0, 0xaf]));
    let sent = bus.count();
    for _ in 0..50 {
        display.show(front(Indication::Ready));
        assert!(display.slot.lock().front.is_none(), "the thread would be woken");
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(bus.count(), sent);
}

// Shows F72.
#[test]
fn a_display_that_is_pulled_out_and_plugged_in_again_is_set_up_and_shows_what_is_true_then() {
    let bus = Plugged::default();
    let mut display = bus.display();
    display.show(front(Indication::Ready));
    until("lit", || bus.last() == Some(vec![0, 0xaf]));
    *bus.is_out.lock().unwrap() = true;
    display.show(front(Indication::Stopping));
    until("tried again", || bus.opened.load(Ordering::SeqCst) >= 2);
    bus.messages.lock().unwrap().clear();
    display.show(front(Indication::Connecting));
    until("taken", || display.slot.lock().front.is_none());
    *bus.is_out.lock().unwrap() = false;
    until("lit again", || bus.last() == Some(vec![0, 0xaf]));
    let mut chip = Mock::new(&set_up(
        Chip::Ssd1306,
        &Drawing::new(None).draw(Duration::ZERO, &front(Indication::Connecting)),
    ));
    let messages = bus.messages.lock().unwrap().clone();
    messages.iter().for_each(|bytes| chip.write(0x3c, bytes).unwrap());
    chip.done();
}

#[test]
fn a_display_is_dark_once_it_is_dropped() {
    let bus = Plugged::default();
    let mut display = bus.display();
    display.show(front(Indication::Ready));
    until("lit", || bus.last() == Some(vec![0, 0xaf]));
    drop(display);
    assert_eq!(bus.last(), Some(vec![0, 0xae]));
}

// Shows F73.
#[test]
fn a_bus_that_hangs_holds_up_neither_what_is_shown_nor_the_end() {
    let bus = Plugged::default();
    let hangs = bus.hangs.clone();
    let hangs = hangs.lock().unwrap();
    let mut display = bus.display();
    let began = Instant::now();
    display.show(front(Indication::Ready));
    until("taken", || display.slot.lock().front.is_none());
    for indication in [Indication::Ready, Indication::Connecting].into_iter().cycle().take(500) {
        display.show(front(indication));
    }
    assert!(began.elapsed() < PATIENCE);
    drop(display);
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    assert_eq!(bus.count(), 0);
    drop(hangs);
    until("dark", || bus.last() == Some(vec![0, 0xae]));
}

// Shows F72.
#[test]
fn a_display_whose_bus_is_not_there_is_looked_for_and_no_harm_is_done() {
    let (bus, opened) = (Plugged::default(), Arc::new(AtomicUsize::new(0)));
    let (there, tries) = (bus.clone(), opened.clone());
    let open = move || match tries.fetch_add(1, Ordering::SeqCst) {
        0 => Err("there is no /dev/i2c-1"),
        _ => Ok((there.clone(), PathBuf::from("/dev/i2c-1"))),
    };
    let mut display = Display::on(profile(Chip::Sh1106), Clock::start(), open).unwrap();
    display.show(front(Indication::Ready));
    until("lit", || bus.last() == Some(vec![0, 0xaf]));
    assert_eq!(opened.load(Ordering::SeqCst), 2);
}

#[test]
fn a_bus_that_fails_is_not_taken_for_a_display_that_is_not_there() {
    use embedded_hal::i2c::NoAcknowledgeSource::Unknown;
    let words = |kind| fault(0x3c, Path::new("/dev/i2c-1"), kind);
    for (kind, says) in [
        (ErrorKind::NoAcknowledge(Unknown), "nothing answers at 0x3c on /dev/i2c-1 ("),
        (ErrorKind::Bus, "the bus /dev/i2c-1 fails ("),
        (ErrorKind::Overrun, "the bus /dev/i2c-1 fails ("),
        (ErrorKind::ArbitrationLoss, "something else uses the bus /dev/i2c-1 "),
        (ErrorKind::Other, "no answer from 0x3c on /dev/i2c-1 ("),
    ] {
        assert!(words(kind).starts_with(says), "{}", words(kind));
    }
}
