//! The display at the front, on a thread of its own.
//!
//! The thread owns the bus, so that one that is slow or hangs holds up nothing else. What is to be shown is
//! left in a slot, where the latest is all that counts. [`Screen`] decides when which image is sent.

mod bus;
mod oled;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use embedded_hal::i2c::{self, ErrorKind, I2c};

use crate::board;
use crate::clock::Clock;
use crate::display::{Drawing, Front, Screen, Update};
use crate::limits::{DISPLAY_DARK_TIMEOUT, DISPLAY_HANGS, DISPLAY_LOOK_TIMEOUT};

pub use bus::BusError;
use oled::Oled;

/// The display. It becomes dark when this is dropped.
pub struct Display {
    slot: Arc<Slot>,
    clock: Clock,
    /// What was shown last.
    front: Option<Front>,
    /// That it hangs was logged.
    is_logged: bool,
}

/// What the thread of the display and the others have in common.
#[derive(Default)]
struct Slot {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// What is to be shown, until the thread takes it.
    front: Option<Front>,
    /// Since when something lies there that the thread has not taken.
    waits_since: Option<Duration>,
    /// Since when the thread is at the bus.
    busy_since: Option<Duration>,
    /// Nothing more is to be shown.
    is_over: bool,
    /// The thread has ended.
    has_ended: bool,
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something is to be shown, the clock reads `until`, or nothing more is to be shown: `None`.
    fn wait(&self, clock: Clock, until: Option<Duration>) -> Option<Option<Front>> {
        let mut state = self.lock();
        loop {
            if state.is_over {
                return None;
            }
            if let Some(front) = state.front.take() {
                state.waits_since = None;
                return Some(Some(front));
            }
            state = match until.map(|until| until.saturating_sub(clock.now())) {
                Some(left) if left.is_zero() => return Some(None),
                Some(left) => {
                    let woken = self.changed.wait_timeout(state, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

impl Display {
    /// The display of a profile. One that is not there is looked for as long as the program runs.
    pub fn start(profile: &board::Display, clock: Clock) -> Option<Display> {
        let profile = profile.clone();
        let open = {
            let profile = profile.clone();
            move || bus::open(&profile)
        };
        Display::on(profile, clock, open)
    }

    /// The display of a profile whose bus is opened so.
    fn on<B, E>(
        profile: board::Display,
        clock: Clock,
        open: impl FnMut() -> Result<(B, PathBuf), E> + Send + 'static,
    ) -> Option<Display>
    where
        B: I2c<Error: fmt::Display>,
        E: fmt::Display,
    {
        let slot = Arc::new(Slot::default());
        let ours = slot.clone();
        let spawned = thread::Builder::new().name("display".to_owned()).spawn(move || {
            Driver::new(profile, open).run(&ours, clock);
            ours.lock().has_ended = true;
            ours.changed.notify_all();
        });
        match spawned {
            Ok(_) => Some(Display { slot, clock, front: None, is_logged: false }),
            Err(error) => {
                tracing::error!(%error, "no thread for the display");
                None
            }
        }
    }

    /// From now on this is to be shown. What is shown already wakes nobody.
    pub fn show(&mut self, front: Front) {
        let now = self.clock.now();
        let mut state = self.slot.lock();
        let is_new = self.front.as_ref() != Some(&front);
        if is_new {
            state.waits_since.get_or_insert(now);
            state.front = Some(front.clone());
            self.front = Some(front);
        }
        let since = [state.busy_since, state.waits_since].into_iter().flatten().min();
        drop(state);
        if is_new {
            self.slot.changed.notify_all();
        }
        let hangs = since.is_some_and(|since| now.saturating_sub(since) >= DISPLAY_HANGS);
        if hangs && !self.is_logged {
            tracing::error!("the display's bus has not answered for {} s", DISPLAY_HANGS.as_secs());
        }
        self.is_logged = hangs;
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        let mut state = self.slot.lock();
        state.is_over = true;
        self.slot.changed.notify_all();
        // A bus that hangs holds up the end no longer than this.
        let ended = self
            .slot
            .changed
            .wait_timeout_while(state, DISPLAY_DARK_TIMEOUT, |state| !state.has_ended);
        drop(ended);
    }
}

/// What drives the display: its bus, as long as it answers.
struct Driver<O, B> {
    profile: board::Display,
    open: O,
    oled: Option<(Oled<B>, PathBuf)>,
    screen: Screen,
    /// It has shown something.
    was_lit: bool,
    /// The fault that was logged last, and is not over.
    logged: Option<String>,
}

impl<O, B, E> Driver<O, B>
where
    O: FnMut() -> Result<(B, PathBuf), E>,
    B: I2c<Error: fmt::Display>,
    E: fmt::Display,
{
    fn new(profile: board::Display, open: O) -> Driver<O, B> {
        let screen = Screen::new(Drawing::new(profile.manual.as_deref()));
        Driver { profile, open, oled: None, screen, was_lit: false, logged: None }
    }

    /// Shows what lies in the slot until nothing more is to be shown.
    fn run(mut self, slot: &Slot, clock: Clock) {
        while let Some(front) = slot.wait(clock, self.screen.poll_timeout()) {
            let now = clock.now();
            front.into_iter().for_each(|front| self.screen.show(now, front));
            let Some(update) = self.screen.poll(now) else { continue };
            slot.lock().busy_since = Some(now);
            let sent = self.send(&update);
            slot.lock().busy_since = None;
            let now = clock.now();
            match sent {
                Ok(()) => self.screen.sent(now, update),
                Err(_) => self.screen.failed(now),
            }
            self.log(sent);
        }
        // One that does not answer is dark already, or cannot be helped; but it may answer again.
        let bus = self.oled.take().map(|(oled, _)| oled).or_else(|| {
            let (bus, _) = self.was_lit.then(|| (self.open)().ok()).flatten()?;
            Some(Oled::new(bus, &self.profile))
        });
        if let Some(mut oled) = bus {
            let _ = oled.end();
        }
    }

    fn send(&mut self, update: &Update) -> Result<(), String> {
        let (mut oled, node) = match self.oled.take() {
            Some(opened) => opened,
            None => {
                let (bus, node) = (self.open)().map_err(|error| error.to_string())?;
                (Oled::new(bus, &self.profile), node)
            }
        };
        let sent = match &update.before {
            Some(before) => oled.change(before, &update.frame),
            None => oled.start(&update.frame),
        };
        // The bus is opened again after a fault: it may be another one by then.
        sent.map_err(|error| fault(self.profile.address, &node, error))?;
        (self.oled, self.was_lit) = (Some((oled, node)), true);
        Ok(())
    }

    /// Each fault is logged once, and once that it is over.
    fn log(&mut self, sent: Result<(), String>) {
        match sent {
            Ok(()) if self.logged.take().is_some() => tracing::info!("the display works now"),
            Ok(()) => {}
            Err(why) if self.logged.as_ref() == Some(&why) => {}
            Err(why) => {
                tracing::warn!("the display shows nothing: {why}; it is tried again");
                self.logged = Some(why);
            }
        }
    }
}

/// What the bus reports in place of the display's answer, in words.
fn fault(address: u8, node: &Path, error: impl i2c::Error + fmt::Display) -> String {
    let (what, node) = (error.kind(), node.display());
    let check = "is it plugged in, and is this its address? `i2cdetect` shows what answers";
    match what {
        ErrorKind::NoAcknowledge(_) => {
            format!("nothing answers at {address:#04x} on {node} ({error}); {check}")
        }
        ErrorKind::Bus | ErrorKind::Overrun => format!(
            "the bus {node} fails ({error}); is the display plugged in, are SDA and SCL wired the \
             right way round, and does nothing hold them down?"
        ),
        ErrorKind::ArbitrationLoss => {
            format!("something else uses the bus {node} at the same time ({error})")
        }
        // Some drivers report a missing answer so as well.
        _ => format!("no answer from {address:#04x} on {node} ({error}); {check}"),
    }
}

/// Whether the display of a profile answers: where, or why it does not.
///
/// # Errors
/// Why, in words.
pub fn look(profile: &board::Display) -> Result<String, String> {
    let profile = profile.clone();
    let (to, answer) = mpsc::channel();
    let ask = move || {
        let asked = bus::open(&profile).map_err(|error| error.to_string());
        let asked = asked.and_then(|(bus, node)| {
            let answered = Oled::new(bus, &profile).look();
            answered.map_err(|error| fault(profile.address, &node, error))?;
            Ok(format!("{:#04x} on {} answers", profile.address, node.display()))
        });
        let _ = to.send(asked);
    };
    let spawned = thread::Builder::new().name("display".to_owned()).spawn(ask);
    spawned.map_err(|error| format!("no thread to ask it: {error}"))?;
    answer
        .recv_timeout(DISPLAY_LOOK_TIMEOUT)
        .unwrap_or_else(|_| Err("its bus hangs; switch the board off and on".to_owned()))
}

#[cfg(test)]
mod tests;
