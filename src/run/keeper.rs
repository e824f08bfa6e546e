//! The thread that keeps settings: a slow disk holds up neither stream nor lights.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use crate::config::{Partial, Problem};
use crate::console::{ClientId, Typed};
use crate::device::Folder;
use crate::device::store::{Store, StoreError, Stored};
use crate::limits::KEEPER_ORDERS_MAX;

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
    Latch(bool),
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

/// The way to the thread.
pub(super) struct Keeper {
    orders: SyncSender<Order>,
}

impl Keeper {
    /// Starts the thread; `kept` is called on it after each change of the settings.
    pub(super) fn start(
        mut store: Store<Folder>,
        mut kept: impl FnMut(Kept) + Send + 'static,
    ) -> std::io::Result<Keeper> {
        let (orders, received) = sync_channel::<Order>(KEEPER_ORDERS_MAX);
        thread::Builder::new().name("keeper".to_owned()).spawn(move || {
            while let Ok(Order { from, wish, done }) = received.recv() {
                if let Wish::Latch(live) = wish {
                    if let Err(error) = store.latch(live) {
                        tracing::warn!(%error, "a power cut would not find the box as it is");
                    }
                    continue;
                }
                if let Wish::BlackBox(past) = wish {
                    match store.keep_black_box(past.as_bytes()) {
                        Ok(()) => tracing::info!("the last minutes are kept as black-box-1.json"),
                        Err(error) => tracing::warn!(%error, "the black box is not kept"),
                    }
                    continue;
                }
                kept(match perform(&mut store, wish) {
                    Ok(stored) => Kept { from, done, outcome: Ok(stored.partial) },
                    // The box must not go on with keys that its owner has had erased.
                    Err(error @ StoreError::Left(_)) => {
                        tracing::error!("{error}");
                        Kept { from, done: error.to_string(), outcome: Ok(Partial::default()) }
                    }
                    Err(error) => Kept { from, done, outcome: Err(said(&error)) },
                });
            }
        })?;
        Ok(Keeper { orders })
    }

    /// Hands an order over; not when the disk is so slow that many wait.
    pub(super) fn order(&self, order: Order) -> Result<(), &'static str> {
        self.orders.try_send(order).map_err(|_| "the disk does not keep up; try again")
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
        Wish::Reload | Wish::Latch(_) | Wish::BlackBox(_) => store.read(),
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
