//! Settings: one versioned schema, merged from several sources.
//!
//! Pure room. It promises that a file is taken as a whole or refused with every mistake at its
//! line and column; that a stream key is in no error and in no rendered file; and that a key given
//! for one server is never handed to another. It knows nothing of files, sticks and consoles: they
//! hand it text and store what it renders.
//!
//! ```
//! use firstmile::config::{merge, parse, render};
//! let integrator = "version = 1\n[video]\nfps = 25\n";
//! let stick = r#"
//! version = 1
//! [[destination]]
//! name = "main"
//! url = "rtmps://live.example/app"
//! key = "s3cret"
//! "#;
//! let settings = merge(&[parse("box.toml", integrator)?, parse("stick.toml", stick)?]);
//! assert_eq!(settings.video.fps, Some(25));
//! assert_eq!(settings.destinations[0].ingest()?.server.tc_url(), "rtmps://live.example/app");
//! assert!(!render(&settings).contains("s3cret"));
//!
//! let errors = parse("stick.toml", "version = 1\n[video]\nbitrate = 4000\n").unwrap_err();
//! assert_eq!(
//!     errors.to_string(),
//!     "stick.toml:3:1: video.bitrate: does not exist; did you mean bitrate_kbps?",
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod box_file;
mod custody;
mod erase;
mod network;
mod parse;
mod partial;
mod recipient;
pub mod record;
pub mod schema;
mod settings;
mod stick;
mod text;
pub mod wrapping;

pub use box_file::BoxFile;
pub use custody::{effective, recipients};
pub use network::Addressing;
pub use parse::{ConfigErrors, Problem, parse, parse_bytes};
pub use partial::{Partial, SetError};
pub use recipient::Recipient;
pub use schema::{
    Applies, Audio, Destination, Overlay, PathError, SettingPath, Video, Wifi, Wired,
};
pub use settings::{NotReady, Settings, export, merge, render};

pub use stick::Stick;

/// A commented file for a USB stick, good as it is.
pub const TEMPLATE: &str = include_str!("template.toml");

#[cfg(test)]
mod tests;
