//! Board profiles: hardware as data.
//!
//! Pure room.
