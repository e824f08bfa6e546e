//! The keys of a profile, read one by one as what they are. Reading goes on after a mistake, with
//! what stands in for the missing value, so that all mistakes of a profile are reported at once.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::table::{Form, PROFILE, Text};
use crate::typed_toml::{self, Document, Found, Kind, Mistake, Place};

pub(super) type Value = typed_toml::Value<Text>;

/// Typed reading; remembers what was read, so that what has no meaning can be named.
pub(super) struct Keys {
    file: Arc<str>,
    keys: BTreeMap<&'static str, Found<Form>>,
    sections: BTreeMap<String, Place>,
    is_broken: bool,
    used: RefCell<BTreeSet<&'static str>>,
    mistakes: RefCell<Vec<Mistake>>,
}

impl Keys {
    pub(super) fn new(document: Document<Form>) -> Keys {
        let Document { file, found, mistakes, sections, is_broken, .. } = document;
        let keys = found.into_iter().map(|found| (found.entry.name, found)).collect();
        let (used, mistakes) = (RefCell::default(), RefCell::new(mistakes));
        Keys { file, keys, sections, is_broken, used, mistakes }
    }

    /// What is wrong with the profile.
    pub(super) fn into_mistakes(self) -> Vec<Mistake> {
        self.mistakes.into_inner()
    }

    /// Whether the profile says anything about this key.
    pub(super) fn has(&self, name: &str) -> bool {
        self.keys.contains_key(name)
    }

    /// The keys of the file itself that nobody looked at. In a file that is broken in part, what
    /// gives them a meaning may be in what was not read.
    pub(super) fn unused(&self) -> Vec<&'static str> {
        let used = self.used.borrow();
        let own = self.keys.values().filter(|found| !self.is_broken && self.is_own(found));
        own.map(|found| found.entry.name).filter(|name| !used.contains(name)).collect()
    }

    /// Whether the profile says anything in this table.
    pub(super) fn has_table(&self, table: &str) -> bool {
        self.keys_of(table).next().is_some()
    }

    /// The keys in a table and below it.
    pub(super) fn keys_of(&self, table: &str) -> impl Iterator<Item = &Found<Form>> {
        let inside = move |key: &str| key.strip_prefix(table).is_some_and(|k| k.starts_with('.'));
        self.keys.iter().filter(move |(key, _)| inside(key)).map(|(_, found)| found)
    }

    pub(super) fn is_own(&self, found: &Found<Form>) -> bool {
        found.place.file == self.file
    }

    /// A key that may be left out.
    pub(super) fn optional<T: TryFrom<Value>>(&self, name: &str) -> Option<T> {
        let found = self.keys.get(name)?;
        self.used.borrow_mut().insert(found.entry.name);
        T::try_from(found.value.clone()?).ok()
    }

    /// A key that must be there.
    pub(super) fn get<T: TryFrom<Value> + Default>(&self, name: &str) -> T {
        // What is wrong with one that is there is reported already.
        let entry = PROFILE.find(name).filter(|_| !self.has(name) && !self.is_broken);
        if let Some(entry) = entry {
            let place = self.sections.get(entry.section()).cloned();
            let what = match entry.kind {
                Kind::Text(_) | Kind::Texts(_) => entry.help.to_owned(),
                kind => kind.to_string(),
            };
            self.push(place, name, format!("is missing: {what}"));
        }
        self.optional(name).unwrap_or_default()
    }

    /// A list that must be there and must not be empty.
    pub(super) fn list<T>(&self, name: &str) -> Vec<T>
    where
        Vec<T>: TryFrom<Value>,
    {
        let list: Vec<T> = self.get(name);
        if list.is_empty() && self.keys.get(name).is_some_and(|found| found.value.is_some()) {
            self.report(name, "must not be empty");
        }
        list
    }

    /// Reports what is wrong with a key that is there.
    pub(super) fn report(&self, name: &str, why: impl Into<String>) {
        let place = self.keys.get(name).map(|found| found.place.clone());
        self.push(place, name, why.into());
    }

    /// Reports that two keys do not go together, at the one that the file itself sets: whoever wrote it is
    /// to change it, and not what it inherits. Each is a key with what is wrong with it.
    pub(super) fn report_pair(&self, first: (&str, String), second: (&str, String)) {
        let is_own = |name: &str| self.keys.get(name).is_some_and(|found| self.is_own(found));
        let (name, why) = match is_own(first.0) || !is_own(second.0) {
            true => first,
            false => second,
        };
        self.report(name, why);
    }

    fn push(&self, place: Option<Place>, name: &str, problem: String) {
        let place = place.unwrap_or_else(|| Place { file: self.file.clone(), line: 1, column: 1 });
        self.mistakes.borrow_mut().push(Mistake { place, key: name.to_owned(), problem });
    }

    /// The word of a choice. Without it nobody knows which other keys of its table have a meaning.
    pub(super) fn word(&self, name: &str) -> &'static str {
        let word: &str = self.get(name);
        if !word.is_empty() {
            return word;
        }
        let table = name.rsplit_once('.').map_or("", |(table, _)| table);
        self.used.borrow_mut().extend(self.keys_of(table).map(|found| found.entry.name));
        ""
    }
}
