//! One stream to one server: what goes out, what came back, and what takes over from it.
//!
//! Pure room. [`Connection`] is one connection over a byte stream, from the first byte of RTMP to the
//! orderly close; [`Handover`] is one destination with all its connections, of which one has the
//! stream; [`ConnectAttempt`] decides which connection follows one that was sent elsewhere. Each takes
//! `now` and what happened, and answers with what to do and when to be called again. The sockets are
//! the shell's (`publish`); the simulated networks of the tests drive the same code.
//!
//! The cut between queue and wire is [`Source`]: a source hands over frames and learns how the path
//! is, and each way to a server stamps them for itself. The room promises that
//! - *accepted* means that the server accepted the stream **and** acknowledged media that was sent after
//!   that, or took it undisturbed for a second where it never acknowledges;
//! - a path on which nothing is delivered is given up after
//!   [`DEAD_PATH_TIMEOUT`](crate::limits::DEAD_PATH_TIMEOUT);
//! - an ordered stop is through within [`STOP_TIMEOUT`](crate::limits::STOP_TIMEOUT);
//! - unpublish is sent on a deliberate stop only;
//! - after a lost connection the next one begins with the bitrate that the path carried;
//! - nothing that must be reported is lost, however late it is fetched.

mod ack_window;
mod attempt;
mod closing;
mod connection;
mod delivery;
mod error;
mod graceful;
mod handover;
mod kernel;
mod large_packets;
mod look;
mod media;
mod paths;
mod place;
mod progress;
mod source;
mod stats;

pub use ack_window::Window;
pub use attempt::{Compatibility, ConnectAttempt};
pub use closing::Ending;
pub use connection::Connection;
pub use delivery::Delivery;
pub use error::Error;
pub use handover::{Action, ConnectionId, Ended, Handover, Happened, Queue, What};
pub use kernel::{Kernel, TcpState};
pub use large_packets::{explained, hides_large_packets, path_end, was_greeted};
pub use media::Media;
pub use paths::{Candidate, Finding, Path, PathEnd, Paths, Segments, Tries};
pub use place::{Consent, is_private};
pub use progress::Progress;
pub use source::{Advice, Close, Demands, Next, Source};
pub use stats::ConnectionStats;
