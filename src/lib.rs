//! firstmile: the firmware of a live-streaming encoder box.
//!
//! This file is the map of the house. Rooms marked *pure* decide: they are handed `now` (the
//! monotonic time since the process started, a [`std::time::Duration`]) and an event, and answer
//! with actions and a deadline. They never read a clock, touch a file or a socket, or log above
//! `debug`. Rooms marked *shell* touch the world and decide nothing. Who may look into whom is data
//! in `tests/tidy.rs`; the walk through the house is `docs/architecture.md`.

macro_rules! pure_rooms {
    ($($(#[$doc:meta])* $room:ident;)*) => {
        $(
            $(#[$doc])*
            #[deny(clippy::disallowed_methods, clippy::disallowed_types)]
            pub mod $room;
        )*
    };
}

pure_rooms! {
    /// Every bound of the product, with the sketch that produced it.
    limits;
    /// The stream key: never printed, wiped when dropped.
    secret;
    /// The pin of a server's key, as settings write it and TLS compares it.
    spki_pin;
    /// Access units, their time on the wire, and the queue where they may wait or be dropped.
    media;
    /// FLV tag bodies and files.
    flv;
    /// The RTMP client without sockets and clocks: bytes in, bytes out.
    rtmp;
    /// Lights and button: which rhythm means what, which press means what.
    panel;
    /// The command table, line editing and replies.
    console;
    /// Settings: one versioned schema, merged from several sources.
    config;
    /// Board profiles: hardware as data.
    board;
    /// The machine that owns the box's modes and destinations.
    appliance;
}

/// GStreamer: sources, encoders, the copy into `Bytes`.
pub mod capture;
/// The command line.
pub mod cli;
/// The monotonic clock of the process.
pub mod clock;
/// Linux devices: lights, button, console port, service manager.
pub mod device;
/// One attempt to publish: name, TCP, TLS, RTMP session, orderly close.
pub mod publish;
/// The event loop: inputs to the appliance, its actions to the world.
pub mod run;
/// The simulated board.
pub mod sim;
