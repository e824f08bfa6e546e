//! The thread that keeps settings: a slow disk holds up neither stream nor lights.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::config::{Partial, Problem};
use crate::console::{ClientId, Typed};
use crate::device::Folder;
use crate::device::store::{Store, StoreError, Stored};
use crate::limits::{KEEPER_ORDERS_MAX, LIVE_STATE_RETRY_INTERVAL};

/// A change that is to be kept.
pub(super) enum Wish {
    Set {
        name: String,
        value: Typed,
    },
    Unset {
        name: String,
    },
    Reset,
    Reload,
    /// Nothing but to look at the latch.
    Latch,
    /// Without secrets, as JSON.
    BlackBox(String),
}

/// A wish, and who is told what came of it.
pub(super) struct Order {
    pub from: Option<ClientId>,
    pub wish: Wish,
    /// What to say when it is done.
    pub done: String,
}

/// What came of an order.
pub struct Kept {
    pub(super) from: Option<ClientId>,
    pub(super) done: String,
    pub(super) outcome: Result<Partial, String>,
}

/// What the thread tells.
pub(super) enum Told {
    /// What came of an order.
    Kept(Kept),
    /// The latch could not be written, and why; `None` when it is written after all.
    Unlatched(Option<String>),
}

/// The way to the thread.
pub(super) struct Keeper {
    orders: SyncSender<Order>,
    latch: Arc<Latch>,
}

/// Whether the box is to be live, until that is written: the newest word counts.
#[derive(Default)]
struct Latch(Mutex<Option<bool>>);

impl Latch {
    fn set(&self, live: bool) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(live);
    }

    fn get(&self) -> Option<bool> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This word is written; a newer one stays.
    fn written(&self, live: bool) {
        let mut latch = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *latch = latch.filter(|newest| *newest != live);
    }
}

impl Keeper {
    /// Starts the thread; `tell` is called on it after each change of the settings, and when the latch
    /// cannot be written or is written at last.
    pub(super) fn start(
        store: Store<Folder>,
        tell: impl FnMut(Told) + Send + 'static,
    ) -> std::io::Result<Keeper> {
        let (orders, received) = sync_channel::<Order>(KEEPER_ORDERS_MAX);
        let latch = Arc::new(Latch::default());
        let mut hands = Hands { store, latch: latch.clone(), unlatched: false, tell };
        thread::Builder::new().name("keeper".to_owned()).spawn(move || hands.work(&received))?;
        Ok(Keeper { orders, latch })
    }

    /// Remembers whether the box is to be live: written as soon as the disk allows, without an answer.
    pub(super) fn latch(&self, live: bool) {
        self.latch.set(live);
        // Where many orders wait, the latch is looked at after each of them.
        let _ = self.order(Order { from: None, wish: Wish::Latch, done: String::new() });
    }

    /// Hands an order over; not when the disk is so slow that many wait.
    pub(super) fn order(&self, order: Order) -> Result<(), &'static str> {
        self.orders.try_send(order).map_err(|_| "the disk does not keep up; try again")
    }
}

/// The thread's own.
struct Hands<F> {
    store: Store<Folder>,
    latch: Arc<Latch>,
    /// The last try to write the latch failed.
    unlatched: bool,
    tell: F,
}

impl<F: FnMut(Told)> Hands<F> {
    fn work(&mut self, received: &Receiver<Order>) {
        loop {
            let order = if self.unlatched {
                received.recv_timeout(LIVE_STATE_RETRY_INTERVAL)
            } else {
                received.recv().map_err(RecvTimeoutError::from)
            };
            match order {
                Ok(order) => self.carry_out(order),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.write_latch();
        }
    }

    /// Tells only when that begins to fail, and when it succeeds again.
    fn write_latch(&mut self) {
        let Some(live) = self.latch.get() else { return };
        match self.store.persist_live(live) {
            Ok(()) => {
                self.latch.written(live);
                if std::mem::take(&mut self.unlatched) {
                    (self.tell)(Told::Unlatched(None));
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut self.unlatched, true) {
                    let why = match error {
                        StoreError::Read(error) | StoreError::Write(error) => error.to_string(),
                        error => error.to_string(),
                    };
                    (self.tell)(Told::Unlatched(Some(why)));
                }
            }
        }
    }

    fn carry_out(&mut self, Order { from, wish, done }: Order) {
        let wish = match wish {
            Wish::Latch => return,
            Wish::BlackBox(past) => {
                match self.store.keep_black_box(past.as_bytes()) {
                    Ok(()) => tracing::info!("the last minutes are kept as black-box-1.json"),
                    Err(error) => tracing::warn!(%error, "the black box is not kept"),
                }
                return;
            }
            wish => wish,
        };
        (self.tell)(Told::Kept(match perform(&mut self.store, wish) {
            Ok(stored) => Kept { from, done, outcome: Ok(stored.partial) },
            // The box must not go on with keys that its owner has had erased.
            Err(error @ StoreError::Left(_)) => {
                tracing::error!("{error}");
                Kept { from, done: error.to_string(), outcome: Ok(Partial::default()) }
            }
            Err(error) => Kept { from, done, outcome: Err(said(&error)) },
        }));
    }
}

fn perform(store: &mut Store<Folder>, wish: Wish) -> Result<Stored, StoreError> {
    match wish {
        Wish::Set { name, value } => {
            store.update(|partial| partial.set(&name, &value.0).map_err(|error| error.to_string()))
        }
        Wish::Unset { name } => store.update(|partial| match partial.unset(&name) {
            Ok(true) => Ok(()),
            Ok(false) => Err("it was not set here".to_owned()),
            Err(error) => Err(error.to_string()),
        }),
        Wish::Reset => store.reset(),
        Wish::Reload | Wish::Latch | Wish::BlackBox(_) => store.read(),
    }
}

/// The error as somebody at a console can act on it.
fn said(error: &StoreError) -> String {
    match error {
        StoreError::Invalid(Problem::PlainRefused) => {
            "rtmp:// shows the stream key to everybody on the way; use the rtmps:// address, or \
             first consent with `set destination.NAME.allow_plain true`"
                .to_owned()
        }
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::sync::mpsc::{Receiver, channel};
    use std::time::{Duration, Instant};

    use super::*;
    use crate::device::store::Disk as _;

    /// Far above what a loaded machine takes.
    const PATIENCE: Duration = Duration::from_secs(60);

    fn place(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("keeper-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        path
    }

    fn store(path: &Path) -> Store<Folder> {
        Store::new(Folder::open(path).expect("a folder"))
    }

    fn keeper(path: &Path) -> (Keeper, Receiver<Told>) {
        let (tell, told) = channel();
        let keeper = Keeper::start(store(path), move |what| {
            let _ = tell.send(what);
        });
        (keeper.expect("a thread"), told)
    }

    fn next_unlatched(told: &Receiver<Told>) -> Option<String> {
        match told.recv_timeout(PATIENCE).expect("a word of the keeper") {
            Told::Unlatched(why) => why,
            Told::Kept(_) => panic!("nothing was to be kept"),
        }
    }

    // Shows F28.
    #[test]
    fn a_latch_that_cannot_be_written_is_written_as_soon_as_it_can_and_the_newest_word_wins() {
        let path = place("full");
        store(&path).persist_live(true).expect("a disk that works");
        // No file can be written while a folder has the name of a new one, not even by root.
        std::fs::create_dir(path.join("new")).expect("a folder in the way");
        let (keeper, told) = keeper(&path);
        for live in [false, true, false] {
            keeper.latch(live);
        }
        assert!(next_unlatched(&told).is_some(), "it is told once that it is not written");
        assert!(store(&path).was_live(), "what was written before still holds");
        std::fs::remove_dir(path.join("new")).expect("a folder that was in the way");
        assert_eq!(next_unlatched(&told), None, "it is written without another word");
        assert!(!store(&path).was_live());
        std::fs::remove_dir_all(&path).expect("a folder of this test");
    }

    #[test]
    fn a_latch_is_written_although_the_disk_does_not_keep_up_with_orders() {
        let path = place("slow");
        let (keeper, _told) = keeper(&path);
        let slow = Folder::open(&path).and_then(|folder| folder.lock()).expect("a lock");
        keeper.latch(false);
        let order = || Order { from: None, wish: Wish::Reload, done: String::new() };
        while keeper.order(order()).is_ok() {}
        keeper.latch(true);
        drop(slow);
        let deadline = Instant::now() + PATIENCE;
        while !store(&path).was_live() {
            assert!(Instant::now() < deadline, "the latch is lost");
            thread::sleep(Duration::from_millis(10));
        }
        std::fs::remove_dir_all(&path).expect("a folder of this test");
    }
}
