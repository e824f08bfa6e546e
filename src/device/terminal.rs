//! The terminal on standard input, while this program reads it: what is typed may be a secret, so that
//! the terminal itself shows nothing of it.

use std::io::{self, IsTerminal};
use std::sync::{Mutex, PoisonError};

use nix::sys::termios::{InputFlags, LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::{getpgrp, tcgetpgrp};

/// How the terminal was before it was made quiet.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// What is typed reaches the program as what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typing {
    /// Whole lines.
    Lines,
    /// Each key.
    Keys,
}

/// The terminal shows nothing of what is typed while this lives.
#[derive(Debug)]
pub struct Quiet(());

impl Quiet {
    /// Makes the terminal quiet; `None` when standard input is no terminal, or another program's.
    ///
    /// # Errors
    /// When the terminal cannot be made quiet.
    pub fn stdin(typing: Typing) -> io::Result<Option<Quiet>> {
        let stdin = io::stdin();
        // A job in the background would be stopped, and it reads nothing anyway.
        let is_background = tcgetpgrp(&stdin).is_ok_and(|foreground| foreground != getpgrp());
        if !stdin.is_terminal() || is_background {
            return Ok(None);
        }
        let before = tcgetattr(&stdin)?;
        let mut quiet = before.clone();
        quiet.local_flags.remove(LocalFlags::ECHO | LocalFlags::ECHONL);
        if typing == Typing::Keys {
            // ^C still ends the program, as everywhere.
            quiet.local_flags.remove(LocalFlags::ICANON | LocalFlags::IEXTEN);
            quiet.input_flags.remove(InputFlags::ICRNL | InputFlags::IXON);
        }
        tcsetattr(&stdin, SetArg::TCSADRAIN, &quiet)?;
        *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
        Ok(Some(Quiet(())))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        restore();
    }
}

/// Makes the terminal as it was, also where [`Quiet`] is not dropped because the process is aborted.
pub fn restore() {
    // Not waited for: a thread that is being aborted may hold it.
    let before = BEFORE.try_lock().ok().and_then(|mut before| before.take());
    if let Some(before) = before {
        let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, &before);
    }
}
