//! The thread that owns the store: a slow disk holds up neither stream nor lights.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use tokio::sync::mpsc;

use super::input::Input;
use crate::config::{Partial, Problem};
use crate::control::{Event, StoreFailure, StoreOutcome, StoreRequest};
use crate::device::Folder;
use crate::device::store::{Store, StoreError, Stored};

/// The way to the thread.
pub(crate) struct SettingsWriter {
    requests: SyncSender<StoreRequest>,
}

impl SettingsWriter {
    /// Starts the thread; `None`, with a line in the log, when there is none.
    pub(crate) fn start(
        store: Store<Folder>,
        inputs: mpsc::Sender<Input>,
    ) -> Option<SettingsWriter> {
        // One request at a time: the next one comes when this is answered.
        let (requests, received) = sync_channel(1);
        let work = move || work(store, &received, &inputs);
        let started = thread::Builder::new().name("settings".to_owned()).spawn(work);
        started
            .inspect_err(|error| tracing::error!(%error, "settings cannot be stored"))
            .ok()
            .map(|_| SettingsWriter { requests })
    }

    /// Hands a request over.
    pub(crate) fn write(&self, request: StoreRequest) {
        if let Err(error) = self.requests.try_send(request) {
            tracing::error!(%error, "the thread of the settings takes no request");
        }
    }
}

fn work(mut store: Store<Folder>, received: &Receiver<StoreRequest>, inputs: &mpsc::Sender<Input>) {
    while let Ok(request) = received.recv() {
        let outcome = carry_out(&mut store, request);
        if inputs.blocking_send(Input::Done(Event::Stored(outcome))).is_err() {
            return;
        }
    }
}

fn carry_out(store: &mut Store<Folder>, request: StoreRequest) -> StoreOutcome {
    let stored = match request {
        StoreRequest::Change(change) => {
            // What the change itself refuses is not the store's error.
            let mut refused = None;
            let stored = store.update(|partial| {
                change.apply(partial).map_err(|why| {
                    let message = why.to_string();
                    refused = Some(why);
                    message
                })
            });
            if let Some(why) = refused {
                return StoreOutcome { stored: None, failure: Some(why) };
            }
            stored
        }
        StoreRequest::Read => store.read(),
        StoreRequest::Reset => store.reset(),
        StoreRequest::PersistLive(live) => return done(store.persist_live(live)),
        StoreRequest::WrongPins(number) => return done(store.keep_wrong_pins(number)),
        StoreRequest::BlackBox(text) => return done(store.keep_black_box(text.as_bytes())),
    };
    match stored {
        Ok(Stored { partial, .. }) => StoreOutcome { stored: Some(partial), failure: None },
        // The box must not go on with keys that its owner has had erased.
        Err(error @ StoreError::Left(_)) => {
            StoreOutcome { stored: Some(Partial::default()), failure: Some(in_words(&error)) }
        }
        // What is left of them is what the box goes on with.
        Err(error @ StoreError::Remains(_)) => {
            let left = store.read().map(|stored| stored.partial).unwrap_or_default();
            StoreOutcome { stored: Some(left), failure: Some(in_words(&error)) }
        }
        Err(error) => StoreOutcome { stored: None, failure: Some(in_words(&error)) },
    }
}

fn done(result: Result<(), StoreError>) -> StoreOutcome {
    let message = |error| match error {
        StoreError::Read(error) | StoreError::Write(error) => error.to_string(),
        error => error.to_string(),
    };
    let failure = result.err().map(|error| StoreFailure::Other(message(error)));
    StoreOutcome { stored: None, failure }
}

/// The error as somebody at a console can act on it.
fn in_words(error: &StoreError) -> StoreFailure {
    StoreFailure::Other(match error {
        StoreError::Invalid(Problem::PlainRefused) => {
            "rtmp:// shows the stream key to everybody on the way; use the rtmps:// address, or \
             first consent with `set destination.NAME.allow_plain true`"
                .to_owned()
        }
        error => error.to_string(),
    })
}
