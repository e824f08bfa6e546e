//! Settings: one versioned schema, merged from several sources.
//!
//! Pure room.
