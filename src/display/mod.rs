//! The display at the front: what of the box is shown, what it looks like, and when it is sent.
//!
//! Pure room. It promises that every state of the box has a page that says in words what the lights say, and
//! what to do; that nothing is drawn outside of the display, whatever the texts are; that an image is sent
//! when it looks otherwise than what is shown, at most ten times a second, and that nothing else wakes the
//! box; and that a display that does not answer is tried again more and more rarely. It knows nothing of
//! I²C, nor of the chips that drive displays.
//!
//! ```
//! use std::time::Duration;
//! use firstmile::display::{Drawing, Front, Screen};
//! use firstmile::panel::Indication;
//!
//! let front = Front {
//!     name: "firstmile".to_owned(),
//!     address: None,
//!     indication: Indication::Ready,
//!     moment: None,
//!     words: None,
//!     live_since: None,
//!     destinations: Vec::new(),
//!     figures: None,
//!     meters: Vec::new(),
//! };
//! let mut screen = Screen::new(Drawing::new(None));
//! screen.show(Duration::ZERO, front);
//! let update = screen.poll(Duration::ZERO).expect("the page is new");
//! screen.sent(Duration::ZERO, update);
//! assert_eq!(screen.poll_timeout(), None, "nothing on it changes by itself");
//! ```

mod frame;
mod front;
mod pages;
mod qr;
mod screen;
mod text;

pub use frame::{Frame, HEIGHT, STRIPS, Span, WIDTH};
pub use front::{Around, Figures, Front, Meter, Place};
pub use pages::Drawing;
pub use qr::SETTINGS_TEXT;
pub use screen::{Screen, Update};
