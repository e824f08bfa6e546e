//! Lights and button: which rhythm means what, which press means what.
//!
//! Pure room. It promises that every `Indication` can be distinguished from every other one by its
//! rhythm alone, on a board with two lights and on a board with one; that the LIVE light is dark unless a
//! broadcast is on; and that a bouncing, held or stuck button yields one gesture. It knows nothing
//! of GPIO lines, their polarity, or the appliance's modes.
//!
//! ```
//! use std::time::Duration;
//! use firstmile::panel::{Attention, Blinker, Indication};
//!
//! let mut lights = Blinker::new();
//! lights.show(Duration::ZERO, Indication::Live { attention: Attention::None });
//! assert!(lights.poll(Duration::ZERO).live);
//! assert_eq!(lights.poll_timeout(), None, "a steady light needs no timer");
//! ```

mod blinker;
mod gesture;
mod indication;
pub mod manual;
mod pattern;

pub use blinker::{Blinker, Levels};
pub use gesture::{Button, Contact, Gesture};
pub use indication::{Attention, Because, Fault, Indication};
pub use pattern::{Lights, Rhythm, lights};
