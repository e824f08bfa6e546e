//! The terminal on standard input, while this program changes how it works: what is typed may be a
//! secret, so that the terminal itself shows nothing of it. However the program ends or is stopped, the
//! terminal is left as it was found.

use std::io::{self, IsTerminal};
use std::sync::{Mutex, PoisonError};
use std::thread;

use nix::sys::signal::{SigSet, Signal, raise};
use nix::sys::termios::{
    FlushArg, InputFlags, LocalFlags, SetArg, Termios, cfmakeraw, tcflush, tcgetattr, tcsetattr,
};
use nix::unistd::{getpgrp, tcgetpgrp, write};

/// What this program has changed.
static CHANGED: Mutex<Option<Changed>> = Mutex::new(None);

#[derive(Debug)]
struct Changed {
    before: Termios,
    quiet: Termios,
    /// What ends what is drawn on the terminal, if anything is.
    ending: &'static str,
}

/// What is typed reaches the program as what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typing {
    /// Whole lines.
    Lines,
    /// Each key.
    Keys,
    /// Each key as it is, and output too; the text is shown when the terminal is given back.
    Raw(&'static str),
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
        if !stdin.is_terminal() || is_background() {
            return Ok(None);
        }
        let before = tcgetattr(&stdin)?;
        let (mut quiet, mut ending) = (before.clone(), "");
        quiet.local_flags.remove(LocalFlags::ECHO | LocalFlags::ECHONL);
        match typing {
            Typing::Lines => {}
            Typing::Keys => {
                // ^C still ends the program, as everywhere.
                quiet.local_flags.remove(LocalFlags::ICANON | LocalFlags::IEXTEN);
                quiet.input_flags.remove(InputFlags::ICRNL | InputFlags::IXON);
            }
            Typing::Raw(text) => {
                cfmakeraw(&mut quiet);
                ending = text;
            }
        }
        // Known first: a signal may come in between.
        let changed = Changed { before, quiet: quiet.clone(), ending };
        *CHANGED.lock().unwrap_or_else(PoisonError::into_inner) = Some(changed);
        let made = tcsetattr(&stdin, SetArg::TCSADRAIN, &quiet);
        let quiet = Quiet(());
        made?;
        Ok(Some(quiet))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        restore();
    }
}

/// Whether the terminal is another program's now.
fn is_background() -> bool {
    tcgetpgrp(io::stdin()).is_ok_and(|foreground| foreground != getpgrp())
}

/// Makes the terminal as it was, also where [`Quiet`] is not dropped because the process is aborted.
pub fn restore() {
    // Not waited for: a thread that is being aborted may hold it.
    if let Some(changed) = CHANGED.try_lock().ok().and_then(|mut changed| changed.take()) {
        give_back(&changed);
    }
}

fn give_back(changed: &Changed) {
    // A job in the background has given it back when it was stopped.
    if is_background() {
        return;
    }
    // Not by the stream of the standard library, which another thread may hold.
    let _ = write(io::stdout(), changed.ending.as_bytes());
    // Nothing is waited for that somebody would have to read.
    let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, &changed.before);
}

/// The program is about to be stopped: the terminal is as it was until [`resume`]. Says whether this
/// program had changed it.
pub fn pause() -> bool {
    let changed = CHANGED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(changed) = &*changed {
        // What was typed of a secret is not for the program that reads next.
        if !is_background() {
            let _ = tcflush(io::stdin(), FlushArg::TCIFLUSH);
        }
        give_back(changed);
    }
    changed.is_some()
}

/// The program goes on: the terminal is quiet again, unless it is another program's now. Says whether
/// it is.
pub fn resume() -> bool {
    let changed = CHANGED.lock().unwrap_or_else(PoisonError::into_inner);
    let quiet = changed.as_ref().filter(|_| !is_background());
    quiet.is_some_and(|changed| tcsetattr(io::stdin(), SetArg::TCSADRAIN, &changed.quiet).is_ok())
}

/// From now on a signal that ends or stops this program gives the terminal back first, and does what it
/// does then; `again` is shown to whoever goes on with a program that was stopped. For a program with one
/// thread: others take the signals themselves.
///
/// # Errors
/// When signals cannot be waited for.
pub fn restore_at_signals(again: String) -> io::Result<()> {
    let awaited = [
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGTERM,
        Signal::SIGTSTP,
        Signal::SIGCONT,
    ];
    let awaited: SigSet = awaited.into_iter().collect();
    awaited.thread_block()?;
    let meet = move || {
        while let Ok(signal) = awaited.wait() {
            match signal {
                Signal::SIGCONT if resume() => eprint!("{again}"),
                Signal::SIGCONT => {}
                signal => end_or_stop(signal),
            }
        }
    };
    let started = thread::Builder::new().name("signals".to_owned()).spawn(meet);
    started.map(|_| ()).inspect_err(|_| {
        let _ = awaited.thread_unblock();
    })
}

fn end_or_stop(signal: Signal) {
    if pause() {
        eprintln!();
    }
    let this = SigSet::from(signal);
    let _ = this.thread_unblock().and_then(|()| raise(signal));
    // It was ignored, or has stopped the program for a while.
    let _ = this.thread_block();
    resume();
}
