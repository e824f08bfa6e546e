//! The command table, line editing and replies.
//!
//! Pure room. It promises that every command is known by one table that owns its name, arguments,
//! help and parser; that any bytes whatsoever, in any amount, leave the line editor whole; that a
//! typed secret is neither echoed nor remembered; and that replies are data before they are text.
//! It knows nothing of serial ports, sockets, or how a command is carried out.
//!
//! ```
//! use firstmile::console::{self, Command, Input, LineEditor};
//!
//! let mut editor = LineEditor::new();
//! let mut echo = Vec::new();
//! let line = b"stauts\x7f\x7f\x7ftus\r".iter().find_map(|byte| editor.feed(*byte, &mut echo));
//! assert_eq!(line, Some(Input::Line("status".to_owned())));
//! assert_eq!(console::parse("status"), Ok(Some(Command::Status)));
//! assert_eq!(
//!     console::parse("stauts").unwrap_err().to_string(),
//!     "column 1: there is no such command; did you mean `status`?"
//! );
//! ```

mod command;
mod line;
mod machine;
mod noise;
mod rate;
mod recall;
mod reply;
mod session;
mod table;
mod text;

pub use command::{
    Argument, Command, Entry, Group, ParseError, Problem, Service, Shown, Topic, Typed, Words,
};
pub use line::{Input, LineEditor};
pub use rate::Allowance;
pub use reply::{ClientId, MACHINE_VERSION, Reply, ReplyMode, prompt};
pub use session::{Secret, Session, SessionEvent};
pub use table::{COMMANDS, help, parse};
