//! FLV tag bodies and files.
//!
//! Pure room.
