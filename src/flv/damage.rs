//! What a reader knows of damage in a file.

use super::error::FlvError;
use super::tag::{TAG_HEAD_BYTES, Tag};

/// A damaged place, and the tag that was found behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damage {
    /// What is wrong, and where.
    pub error: FlvError,
    /// Where the next tag begins.
    pub goes_on_at: u64,
}

/// What a reader past damage knows besides.
#[derive(Debug, Default)]
pub struct Recovery {
    /// The last head, in case that what follows it is not what it says.
    pub head: [u8; TAG_HEAD_BYTES],
    /// The last tag, until it is known to end where it should.
    pub held: Option<Tag>,
    /// No more pieces come.
    pub is_over: bool,
    pub damage: Option<Damage>,
}
