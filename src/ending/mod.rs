//! What the end of a connection means.
//!
//! Pure room. An [`Evidence`] is what was observed of one end, as plain data; [`READINGS`] gives what
//! each means, to a command that tries once and to a box that tries again and again; [`ROWS`] gives
//! the light, the words, the exit code and the next try of each [`Meaning`]. The box, `push` and
//! `check` read the same tables, and the README shows them. [`Series`] remembers the ends of one
//! destination, because servers that close without a word mean by the third time what one end does
//! not show. The room promises that only plain words of the server, or settings that cannot work,
//! are final.

mod evidence;
pub mod manual;
mod meaning;
mod series;

pub use evidence::{Again, Evidence, READINGS, Reading};
pub use meaning::{Meaning, ROWS, Retry, Row, doubled};
pub use series::Series;
