//! Typed TOML: files that are read against a table of keys.
//!
//! Pure room. Settings and board profiles are two tables over it. It promises that what is read is
//! known, of its kind and in range; that every mistake of a file is reported, with file, line,
//! column and key; and that no report quotes a value. What the texts of a table may be is for the
//! table to say ([`Form`]).
//!
//! ```
//! use firstmile::typed_toml::{Applies, Entry, Fallback, Form, Kind, Table, Value, ValueError};
//!
//! #[derive(Debug, Clone, Copy, PartialEq, Eq)]
//! struct Line;
//! impl std::fmt::Display for Line {
//!     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
//!         f.write_str("a line of text")
//!     }
//! }
//! impl Form for Line {
//!     type Text = String;
//!     fn read(self, text: &str) -> Result<String, ValueError> {
//!         Ok(text.to_owned())
//!     }
//! }
//! const FPS: Entry<Line> = Entry {
//!     name: "video.fps",
//!     kind: Kind::Number { min: 1, max: 60, step: 1, unit: "frames per second" },
//!     fallback: Fallback::Value("30"),
//!     applies: Applies::Now,
//!     help: "frame rate",
//! };
//! const TABLE: Table<Line> = Table { groups: &[&[FPS]], lists: &[] };
//!
//! let read = TABLE.read("a.toml", "[video]\nfps = 25\n");
//! assert_eq!(read.found[0].value, Some(Value::Number(25)));
//! let mistakes = TABLE.read("a.toml", "[video]\nfsp = 25\n").mistakes;
//! assert_eq!(
//!     mistakes[0].to_string(),
//!     "a.toml:2:1: video.fsp: does not exist; did you mean fps?",
//! );
//! ```

mod kind;
mod mistake;
mod read;
mod table;

pub use kind::{Form, Kind, Value, ValueError};
pub use mistake::{Mistake, Mistakes, Place, Problem};
pub use read::{Document, Found, ListItem};
pub use table::{Applies, Entry, Fallback, Table};

#[cfg(test)]
mod tests;
