//! Lights and button: which rhythm means what, which press means what.
//!
//! Pure room.
