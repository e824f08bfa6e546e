//! What earlier openings have shown of drivers and of candidates.

use std::{
    collections::VecDeque,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
};

use crate::{
    capture::discovery::{Drivers, SourceSpec},
    limits::CAPTURE_TURNS_MAX,
};

/// What is known of drivers and of candidates.
#[derive(Debug, Clone, Default)]
pub struct Known {
    pub drivers: Drivers,
    pub asked: Asked,
    pub turns: Turns,
}

impl Known {
    /// What this program has learnt in all its captures: one that is started again knows it.
    pub fn of_this_program() -> Known {
        static KNOWN: LazyLock<Known> = LazyLock::new(Known::default);
        KNOWN.clone()
    }
}

/// Candidates whose drivers were asked to open them and have not answered.
#[derive(Debug, Clone, Default)]
pub struct Asked(Arc<Mutex<Vec<String>>>);

/// A driver is being asked as long as this lives.
pub struct Asking(Asked, String);

impl Asked {
    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks a driver; `None` when it has not answered yet.
    pub fn ask(&self, name: &str) -> Option<Asking> {
        let mut asked = self.lock();
        if asked.iter().any(|asked| asked == name) {
            return None;
        }
        asked.push(name.to_owned());
        Some(Asking(self.clone(), name.to_owned()))
    }

    #[cfg(test)]
    pub fn names(&self) -> Vec<String> {
        self.lock().clone()
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.lock().retain(|asked| *asked != self.1);
    }
}

/// Candidates that had no more than a share of the time and ran out of it, or had none: each of them has
/// its turn, in which it comes first and may use all the time. So one that works is not permanently lost to
/// those that do not.
#[derive(Debug, Clone, Default)]
pub struct Turns(Arc<Mutex<VecDeque<String>>>);

type Candidate = (String, SourceSpec);

impl Turns {
    fn lock(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whose turn it is among these.
    pub fn take(&self, candidates: &[Candidate]) -> Option<usize> {
        let mut waiting = self.lock();
        let place = |waiting: &String| candidates.iter().position(|(name, _)| name == waiting);
        let at = waiting.iter().position(|waiting| place(waiting).is_some())?;
        waiting.remove(at).and_then(|next| place(&next))
    }

    pub fn note(&self, name: &str) {
        let mut waiting = self.lock();
        if waiting.iter().all(|waiting| waiting != name) {
            waiting.push_back(name.to_owned());
        }
        while waiting.len() > CAPTURE_TURNS_MAX {
            waiting.pop_front();
        }
    }

    /// One of these works.
    pub fn forget(&self, candidates: &[Candidate]) {
        self.lock().retain(|waiting| candidates.iter().all(|(name, _)| name != waiting));
    }
}
