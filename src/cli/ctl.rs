//! `firstmile ctl`: a console command for the box that runs on this machine.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};

use crate::device::control;
use crate::secret::StreamKey;

use super::exit::{Code, Failure};
use super::key;

/// Say a console command to the running box: `firstmile ctl help` lists them
#[derive(Debug, Args)]
pub struct CtlArgs {
    /// Print one JSON object a line instead of text
    #[arg(long)]
    json: bool,
    /// Control socket of the box
    #[arg(long, value_name = "SOCKET")]
    socket: Option<PathBuf>,
    /// The command; `key NAME` reads the key from standard input
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

/// Runs the subcommand.
///
/// # Errors
/// [`Failure`] when no box is running, or it refuses.
pub fn run(args: &CtlArgs) -> Result<(), Failure> {
    let path = args.socket.clone().unwrap_or_else(default_socket);
    let key = match args.command.first().map(String::as_str) {
        Some("key") => Some(ask_key()?),
        _ => None,
    };
    let lost = |error: io::Error| {
        let words =
            format!("no box answers at {}: {error}; is the service running?", path.display());
        Failure::new(Code::Failed, words)
    };
    let line = args.command.join(" ");
    let answers = control::ask(&path, &line, key.as_ref()).map_err(lost)?;
    let mut refused = false;
    for answer in answers {
        let answer = answer.map_err(lost)?;
        refused |= !answer.ok;
        let shown = if args.json { answer.data.to_string() } else { answer.lines.join("\n") };
        // A reader that has seen enough, such as `head`, is no failure.
        if writeln!(io::stdout(), "{shown}").is_err() {
            return Ok(());
        }
    }
    if refused { Err(Failure::new(Code::Failed, "not done")) } else { Ok(()) }
}

/// Where the service of this machine listens.
pub fn default_socket() -> PathBuf {
    control::path(env::var("RUNTIME_DIRECTORY").ok().as_deref())
}

/// The key from standard input; at a terminal it is asked for and not echoed.
fn ask_key() -> Result<StreamKey, Failure> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return key::read(Path::new("-"));
    }
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new(Code::Failed, format!("the terminal cannot be used: {error}"))
    };
    let before = tcgetattr(&stdin).map_err(|error| failed(&error))?;
    let mut silent = before.clone();
    silent.local_flags.remove(LocalFlags::ECHO);
    eprint!("stream key (not shown): ");
    tcsetattr(&stdin, SetArg::TCSAFLUSH, &silent).map_err(|error| failed(&error))?;
    let mut line = zeroize::Zeroizing::new(String::new());
    let read = stdin.read_line(&mut line);
    tcsetattr(&stdin, SetArg::TCSAFLUSH, &before).map_err(|error| failed(&error))?;
    eprintln!();
    read.map_err(|error| failed(&error))?;
    StreamKey::parse(&line).map_err(|error| Failure::new(Code::Settings, error))
}
