//! Typed TOML: files that are read against a table of keys.
//!
//! Pure room. Settings and board profiles are two tables over it. It promises that what is read is
//! known, of its kind and in range; that every mistake of a file is reported, with file, line,
//! column and key; and that no report quotes a value. What the texts of a table may be is for the
//! table to say ([`Form`]).

mod kind;
mod mistake;
mod read;
mod regions;
mod table;

pub use kind::{DECIMALS_MAX, Decimal, Form, Kind, Value, ValueError};
pub(crate) use kind::{text_types, typed_values};
pub use mistake::{Mistake, Mistakes, Place};
pub use read::{Document, Found, ListItem};
pub use regions::{Region, regions};
pub use table::{Applies, Entry, Fallback, Table};

#[cfg(test)]
mod tests;
