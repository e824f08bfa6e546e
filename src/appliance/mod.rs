//! The machine that owns the box's modes and destinations.
//!
//! Pure room.
