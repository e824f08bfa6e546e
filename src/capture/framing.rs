//! How the camera's frames are placed in those of the broadcast: set while the capture runs, and read by
//! whichever thread has a frame.

use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use crate::video::Framing;

/// What is to be done to the camera's frames now.
#[derive(Debug, Clone, Default)]
pub struct SharedFraming(Arc<Mutex<Framing>>);

impl SharedFraming {
    pub fn new(framing: Framing) -> SharedFraming {
        SharedFraming(Arc::new(Mutex::new(framing)))
    }

    pub fn set(&self, framing: Framing) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = framing;
    }

    pub fn now(&self) -> Framing {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None` while it is being set: the next frame is soon enough, and none waits.
    pub fn unless_held(&self) -> Option<Framing> {
        match self.0.try_lock() {
            Ok(framing) => Some(*framing),
            Err(TryLockError::Poisoned(framing)) => Some(*framing.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}
