//! The command table, line editing and replies.
//!
//! Pure room.
