//! Where a file is damaged or cut off, as far as it was read by any connection and in any round.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::flv::Damage;
use crate::limits::FILE_DAMAGES_NAMED_MAX;

/// Where a file is cut off or damaged, and what was whole before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// Which file, where and why; and where it goes on.
    pub message: String,
    /// How long the stream was until the first such place, in milliseconds.
    pub time_ms: u64,
    /// What is whole behind the last such place was sent too.
    pub goes_on: bool,
}

/// All that were found so far, shared by those who read the file.
#[derive(Debug, Clone, Default)]
pub struct Damages(Arc<Mutex<Found>>);

#[derive(Debug, Default)]
struct Found {
    first_ms: Option<u64>,
    named: Vec<String>,
    /// Where the file goes on behind the furthest one: who reads it again knows those before.
    passed_to: u64,
    more: usize,
    end: Option<String>,
}

impl Damages {
    fn lock(&self) -> MutexGuard<'_, Found> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place of the file `name` is damaged, and a tag was found behind it.
    pub fn pass(&self, name: &str, damage: Damage, time_ms: u64) {
        let mut found = self.lock();
        if damage.goes_on_at <= found.passed_to {
            return;
        }
        found.passed_to = damage.goes_on_at;
        found.first_ms.get_or_insert(time_ms);
        if found.named.len() == FILE_DAMAGES_NAMED_MAX {
            found.more += 1;
            return;
        }
        let text = format!(
            "{name}: {}, and the next whole tag at byte {}",
            damage.error, damage.goes_on_at
        );
        tracing::warn!("{text}");
        found.named.push(text);
    }

    /// Nothing of the file can be read any more, for this reason.
    pub fn end(&self, message: String, time_ms: u64) {
        let mut found = self.lock();
        found.first_ms.get_or_insert(time_ms);
        found.end.get_or_insert(message);
    }

    /// In one line; none where nothing was found.
    pub fn cut(&self) -> Option<Cut> {
        let found = self.lock();
        let time_ms = found.first_ms?;
        let mut parts = found.named.clone();
        if found.more > 0 {
            parts.push(format!("and {} more such places", found.more));
        }
        parts.extend(found.end.clone());
        Some(Cut { message: parts.join("; "), time_ms, goes_on: found.end.is_none() })
    }
}
