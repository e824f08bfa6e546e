//! From the text of a file to typed values, with every mistake of the file at once.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeArray, DeString, DeTable, DeValue};
use zeroize::Zeroizing;

use super::kind::{Form, Kind, Value};
use super::mistake::{Mistake, Place};
use super::regions::{Region, regions};
use super::table::{Entry, Table};
use crate::limits::SETTINGS_BYTES_MAX;
use crate::sanitize;
use crate::secret::pasted;

/// What word processors make of straight quotes.
const TYPOGRAPHIC: [char; 14] =
    ['“', '”', '„', '‟', '«', '»', '‘', '’', '‚', '‛', '′', '″', '＂', '＇'];

/// A file that was read: what it says, and what is wrong with it.
#[derive(Debug)]
pub struct Document<F: Form> {
    /// The file, as the caller named it.
    pub file: Arc<str>,
    /// The known keys of the file.
    pub found: Vec<Found<F>>,
    /// The tables of lists, in the order of the file.
    pub items: Vec<ListItem>,
    /// What is wrong so far.
    pub mistakes: Vec<Mistake>,
    /// Where its tables begin, by their names.
    pub sections: BTreeMap<String, Place>,
    /// Some of it is not TOML: what seems to be missing may stand there.
    pub is_broken: bool,
}

/// A known key in a file.
#[derive(Debug, Clone)]
pub struct Found<F: Form> {
    /// The key.
    pub entry: &'static Entry<F>,
    /// In which table of a list it stands.
    pub item: Option<usize>,
    /// Of [`Kind::Open`](super::Kind::Open): the thing and its key, as the file names them.
    pub open: Option<(String, String)>,
    /// Its value; `None` where the value is a mistake, which is reported already.
    pub value: Option<Value<F::Text>>,
    /// Where the value stands.
    pub place: Place,
    /// Where the value stands in the text, in bytes.
    pub span: Range<usize>,
}

/// One table of a list.
#[derive(Debug, Clone)]
pub struct ListItem {
    /// Which list.
    pub list: &'static str,
    /// Where it begins.
    pub place: Place,
}

impl<F: Form> Document<F> {
    /// What the file says about this key outside of lists.
    pub fn get(&self, name: &str) -> Option<&Found<F>> {
        self.found.iter().find(|found| found.item.is_none() && found.entry.name == name)
    }

    /// Reports a mistake that the table cannot know.
    pub fn report(&mut self, place: Place, key: &str, problem: impl fmt::Display) {
        // It may quote a name of the file.
        let (key, problem) = (key.to_owned(), sanitize::line(&problem.to_string()));
        self.mistakes.push(Mistake { place, key, problem });
    }

    /// Reports something that is missing, which a broken file cannot show.
    pub fn report_missing(&mut self, place: Place, key: &str, problem: impl fmt::Display) {
        if !self.is_broken {
            self.report(place, key, problem);
        }
    }

    /// The place of a mistake that has no other.
    pub fn beginning(&self) -> Place {
        Place { file: self.file.clone(), line: 1, column: 1 }
    }
}

impl<F: Form> Table<F> {
    /// Reads a file, which is called `file` in what is reported.
    pub fn read(&self, file: &str, text: &str) -> Document<F> {
        let document = Document {
            file: file.into(),
            found: Vec::new(),
            items: Vec::new(),
            mistakes: Vec::new(),
            sections: BTreeMap::new(),
            is_broken: false,
        };
        let mut reader = Reader { table: self, text, document, broken_lines: Vec::new() };
        if text.len() > SETTINGS_BYTES_MAX {
            reader.report(0..0, "", format!("the file is longer than {SETTINGS_BYTES_MAX} bytes"));
            reader.document.is_broken = true;
        } else {
            let plain = without_pasted(text);
            let (parsed, syntax) = DeTable::parse_recoverable(&plain);
            syntax.iter().for_each(|error| reader.report_syntax(error));
            reader.table("", None, parsed.get_ref());
        }
        reader.document
    }
}

struct Reader<'a, F: Form> {
    table: &'a Table<F>,
    text: &'a str,
    document: Document<F>,
    /// Lines that are not TOML: what was recovered from them says nothing.
    broken_lines: Vec<usize>,
}

impl<F: Form> Reader<'_, F> {
    fn report_syntax(&mut self, error: &toml::de::Error) {
        // The message alone: the error's own rendering quotes the line, keys and all.
        let span = error.span().unwrap_or(0..0);
        match self.typographic_quote(span.start) {
            Some(at) => {
                let problem = "this is a typographic quote; write a straight one: \"";
                self.report(at..at, "", problem);
            }
            None => self.report(span.clone(), "", error.message()),
        }
        self.broken_lines.push(self.place(span.start).line);
        self.document.is_broken = true;
    }

    /// The first typographic quote of the line that has a mistake at `offset`.
    fn typographic_quote(&self, offset: usize) -> Option<usize> {
        let begin = self.text.get(..offset)?.rfind('\n').map_or(0, |at| at + 1);
        let end = self.text[offset..].find('\n').map_or(self.text.len(), |at| offset + at);
        let mut line = regions(self.text).filter(|(at, ..)| (begin..end).contains(at));
        let quote =
            line.find(|(_, c, region)| TYPOGRAPHIC.contains(c) && *region != Region::Comment);
        quote.map(|(at, ..)| at)
    }

    fn report(&mut self, span: Range<usize>, key: &str, problem: impl fmt::Display) {
        let place = self.place(span.start);
        if !self.broken_lines.contains(&place.line) {
            self.document.report(place, key, problem);
        }
    }

    fn place(&self, offset: usize) -> Place {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = 1 + before.matches('\n').count();
        let column = 1 + before[line_start..].chars().count();
        Place { file: self.document.file.clone(), line, column }
    }

    /// Reads a table of this name, and those in it.
    fn table(&mut self, section: &str, item: Option<usize>, table: &DeTable<'_>) {
        for (key, value) in table {
            let name = match section {
                "" => key.get_ref().to_string(),
                section => format!("{section}.{}", key.get_ref()),
            };
            let list = self.table.lists.iter().find(|list| **list == name);
            match (self.table.find(&name), list, value.get_ref()) {
                (Some(Entry { kind: Kind::Open(_), .. }), _, DeValue::Table(things)) => {
                    self.open(&name, things);
                }
                (Some(Entry { kind: Kind::Open(_), .. }), ..) => {
                    self.report(key.span(), &name, not_open(&name));
                }
                (Some(entry), ..) => self.value(entry, item, None, key, value),
                (None, Some(list), DeValue::Array(items)) => self.list(list, items),
                (None, Some(list), _) => self.report(key.span(), &name, not_list(list)),
                (None, None, DeValue::Table(inner)) if self.table.is_section(&name) => {
                    let place = self.place(key.span().start);
                    self.document.sections.insert(name.clone(), place);
                    self.table(&name, item, inner);
                }
                (None, None, _) if self.table.is_section(&name) => {
                    let problem = format!("must be a table: [{name}] on a line of its own");
                    self.report(key.span(), &name, problem);
                }
                (None, None, _) => self.unknown(key, section),
            }
        }
    }

    fn list(&mut self, list: &'static str, items: &DeArray<'_>) {
        for item in items {
            let DeValue::Table(table) = item.get_ref() else {
                self.report(item.span(), list, not_list(list));
                continue;
            };
            let place = self.place(item.span().start);
            self.document.items.push(ListItem { list, place });
            self.table(list, Some(self.document.items.len() - 1), table);
        }
    }

    /// A table for each of several things.
    fn open(&mut self, name: &str, things: &DeTable<'_>) {
        let Some(entry) = self.table.find(name) else { return };
        for (thing, value) in things {
            let DeValue::Table(keys) = value.get_ref() else {
                self.report(value.span(), name, not_open(name));
                continue;
            };
            for (key, value) in keys {
                let open = (thing.get_ref().to_string(), key.get_ref().to_string());
                self.value(entry, None, Some(open), key, value);
            }
        }
    }

    fn value(
        &mut self,
        entry: &'static Entry<F>,
        item: Option<usize>,
        open: Option<(String, String)>,
        key: &Spanned<DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
    ) {
        if self.broken_lines.contains(&self.place(key.span().start).line) {
            return; // a value that was made up for the sake of recovery
        }
        let value_read = match entry.kind.read_toml(value.get_ref()) {
            Ok(read) => Some(read),
            Err(error) => {
                self.report(value.span(), entry.name, error);
                None
            }
        };
        let (place, span) = (self.place(value.span().start), value.span());
        self.document.found.push(Found { entry, item, open, value: value_read, place, span });
    }

    fn unknown(&mut self, key: &Spanned<DeString<'_>>, section: &str) {
        let nearest = self.table.nearest(key.get_ref(), section);
        // A stream key that slipped in front of the equals sign must not be shown.
        let word = |c: char| c.is_ascii_lowercase() || c == '_';
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let is_close = |key: &str| nearest.is_some_and(|near| key.len() <= near.len() + 4);
        let shown = match key.get_ref() {
            key if is_close(key) && key.len() <= 32 && key.chars().all(plain) => key,
            key if key.len() <= 32 && key.chars().all(word) => key,
            _ => "this key",
        };
        let dot = if section.is_empty() { "" } else { "." };
        let meant = nearest.map(|name| format!("; did you mean {name}?")).unwrap_or_default();
        let problem = format!("does not exist{meant}");
        self.report(key.span(), &format!("{section}{dot}{shown}"), problem);
    }
}

/// The same text with blanks for what copying has added outside of texts and comments, such as
/// no-break spaces; as long as before, so that every place stays the same.
fn without_pasted(text: &str) -> Zeroizing<String> {
    let mut plain = Zeroizing::new(String::with_capacity(text.len()));
    for (_, c, region) in regions(text) {
        let is_added = pasted::is_invisible(c) || (c.is_whitespace() && !c.is_ascii());
        match region == Region::Bare && is_added {
            true => (0..c.len_utf8()).for_each(|_| plain.push(' ')),
            false => plain.push(c),
        }
    }
    plain
}

fn not_open(name: &str) -> String {
    format!(
        "must be tables: [{name}.\"NAME\"] on a line of its own, with one setting a line below it"
    )
}

fn not_list(list: &str) -> String {
    format!("each {list} begins with a line [[{list}]], with two brackets")
}
