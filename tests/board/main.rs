//! The emulated board: the whole box, with real drivers, going live to a real server.
//!
//! Each scenario is a promise. `make test-board` builds the image and the package and tries them;
//! elsewhere they say in a line that they are skipped.

#[path = "../support/mod.rs"]
mod support;

mod rig;
mod scenarios;
mod window;
