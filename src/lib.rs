//! firstmile: the firmware of a live-streaming encoder box.
//!
//! This file is the map of the house. Rooms marked *pure* decide: they are handed `now` (the
//! monotonic time since the process started, a [`std::time::Duration`]) and an event, and answer
//! with actions and a deadline. They never read a clock, touch a file or a socket, or log above
//! `debug`. Rooms marked *shell* touch the world and decide nothing. Who may look into whom is data
//! in `tests/tidy`; the walk through the house is `docs/architecture.md`.

// Pure rooms. The attribute keeps clocks, files, sockets and threads out of them (clippy.toml).

// every bound of the product, with the sketch that produced it
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod limits;

// text from outside, made safe to show
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod sanitize;

// stream key, passphrase, PIN: never printed, wiped when dropped
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod secret;

// the pin of a server's key, as settings write it and TLS compares it
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod spki_pin;

// how far a word is from the one that was meant
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod spelling;

// access units, their time on the wire, and the queue where they may wait or be dropped
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod media;

// FLV tag bodies and files
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod flv;

// which camera, mode and microphone is meant, as profiles and settings write it
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod selection;

// what is done to audio between source and encoder
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod audio;

// how a camera's frames are placed in those of the stream
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod video;

// the RTMP client: bytes in, bytes out
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod rtmp;

// congestion: from what was delivered to the encoder's bitrate and a queue's drops
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod pace;

// hardware controls of cameras and sound cards: names, values, what is allowed
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod device_controls;

// the words of the product as plain data
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod status;

// one stream to one server: its connections, and which one takes over
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod stream;

// lights and button: which rhythm means what, which press means what
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod panel;

// what a display at the front shows, and when
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod display;

// the command table, line editing and replies
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod console;

// files of typed keys: a table of what exists, and every mistake with its place
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod typed_toml;

// settings: one versioned schema, merged from several sources
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod config;

// board profiles: hardware as data
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod board;

// what the end of a connection means: light, words, exit code, next try
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod ending;

// how the machine fares, and when that is worth a warning
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod health;

// which wireless networks are in range, and why one is not joined
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod wifi;

// the machine that owns the box's modes and destinations
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod appliance;

// settings, destinations, services and consoles: the machine that the event loop drives
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod control;

// Shell rooms.

// GStreamer: sources, encoders, the copy into `Bytes`
pub mod capture;

// another program run to its end, within bounds
mod child;

// files that somebody else names, opened and read without waiting and within bounds
mod file;

// the monotonic clock of the process
pub mod clock;

// Linux devices: lights, button, console port, service manager
pub mod device;

// one attempt to publish: name, TCP, TLS, and the bytes of each connection
pub mod publish;

// threads and tasks that carry out what the loop hands on: capture, publishing, the store
pub mod drivers;

// the event loop: inputs to the appliance, its actions to the world
pub mod run;

// the demo: a simulated board, a small ingest server, and lip-sync as a viewer has it
#[cfg(feature = "demo")]
pub mod sim;

// the command line
pub mod cli;
