//! A table of keys: what exists, what it may be, what it means.

use std::fmt;

use super::kind::{Form, Kind, Value};
use crate::spelling::nearest;

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Entry<F: 'static> {
    /// Its full name, with its table: `video.fps`, `lights.live.line`.
    pub name: &'static str,
    /// What its value is.
    pub kind: Kind<F>,
    /// What holds when nobody sets it.
    pub fallback: Fallback,
    /// When a change of it takes effect.
    pub applies: Applies,
    /// What it does or is.
    pub help: &'static str,
}

/// What holds where nothing is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// This value.
    Value(&'static str),
    /// What these words say.
    Words(&'static str),
}

/// When a change takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Applies {
    /// At once, also while the box is live.
    Now,
    /// At once; a destination that is live connects again.
    Reconnect,
    /// When the box goes live the next time: it is read when the encoder pipeline is built.
    NextBroadcast,
    /// When the service starts the next time.
    Restart,
}

/// The keys of one sort of file.
#[derive(Debug, Clone, Copy)]
pub struct Table<F: 'static> {
    /// The keys that say something about the file itself.
    pub head: &'static [Entry<F>],
    /// All others, in groups, in the order in which people are shown them.
    pub groups: &'static [&'static [Entry<F>]],
    /// Tables that stand in the file once for each of several things: `[[destination]]`.
    pub lists: &'static [&'static str],
}

impl<F> Entry<F> {
    /// Its table; empty for a key that stands before all tables.
    pub fn section(&self) -> &'static str {
        self.name.rsplit_once('.').map_or("", |(section, _)| section)
    }

    /// Its name in its table.
    pub fn key(&self) -> &'static str {
        self.name.rsplit_once('.').map_or(self.name, |(_, key)| key)
    }
}

impl<F: Form> Entry<F> {
    /// The value that holds when nobody sets it; `None` when words say what holds.
    pub fn fallback_value(&self) -> Option<Value<F::Text>> {
        match self.fallback {
            Fallback::Value(value) => self.kind.read(value).ok(),
            Fallback::Words(_) => None,
        }
    }
}

impl fmt::Display for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Fallback::Value(text) | Fallback::Words(text)) = self;
        f.write_str(text)
    }
}

impl fmt::Display for Applies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Applies::Now => "at once",
            Applies::Reconnect => "at once; the destination reconnects",
            Applies::NextBroadcast => "from the next broadcast",
            Applies::Restart => "when the service restarts",
        })
    }
}

impl<F: Form> Table<F> {
    /// All keys, in their order.
    pub fn entries(&self) -> impl Iterator<Item = &'static Entry<F>> {
        self.head.iter().chain(self.groups.iter().copied().flatten())
    }

    /// One key by its full name.
    pub fn find(&self, name: &str) -> Option<&'static Entry<F>> {
        self.entries().find(|entry| entry.name == name)
    }

    /// Whether there are keys in or below the table of this name.
    pub fn is_section(&self, name: &str) -> bool {
        self.children(name).next().is_some()
    }

    /// The name in `section` that `typed` most probably means.
    pub fn nearest(&self, typed: &str, section: &str) -> Option<&'static str> {
        nearest(typed, self.children(section))
    }

    /// The names that may stand in a table, some of them several times.
    fn children(&self, section: &str) -> impl Iterator<Item = &'static str> {
        self.entries().filter_map(move |entry| {
            let below = match section {
                "" => entry.name,
                section => entry.name.strip_prefix(section)?.strip_prefix('.')?,
            };
            below.split('.').next()
        })
    }
}
