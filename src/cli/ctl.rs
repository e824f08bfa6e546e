//! `firstmile ctl`: a console command for the box that runs on this machine.

use std::env;
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::path::PathBuf;

use clap::Args;
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};

use zeroize::Zeroizing;

use crate::console::{self, Command, Service, Typed};
use crate::device::control;
use crate::limits::CONTROL_REQUEST_BYTES_MAX;

use super::exit::{Code, Failure};
use super::output;

/// Send a console command to the running box; `firstmile ctl help` lists the commands
#[derive(Debug, Args)]
pub struct CtlArgs {
    /// Print one JSON object a line instead of text
    #[arg(long)]
    json: bool,
    /// Control socket of the box
    #[arg(long, value_name = "SOCKET")]
    socket: Option<PathBuf>,
    /// The command; `key NAME`, `set console.pin` and `set wifi.passphrase` read the secret from
    /// standard input
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

/// Runs the subcommand.
///
/// # Errors
/// [`Failure`] when no box is running, or it refuses.
pub fn run(args: &CtlArgs) -> Result<(), Failure> {
    let path = args.socket.clone().unwrap_or_else(default_socket);
    let line = args.command.join(" ");
    let secret = match console::parse(&line) {
        Ok(Some(Command::Serve(Service::Key { .. }))) => Some(ask("stream key")?),
        Ok(Some(Command::Serve(Service::SetSecret { name }))) => Some(ask(name)?),
        _ => None,
    };
    let lost = |error: io::Error| {
        let message =
            format!("no box answers at {}: {error}; is the service running?", path.display());
        Failure::new(Code::Failed, message)
    };
    let answers = control::ask(&path, &line, secret.as_ref(), None).map_err(lost)?;
    let (mut refused, mut is_answered) = (None, false);
    for answer in answers {
        let answer = answer.map_err(lost)?;
        is_answered = true;
        if !answer.ok {
            refused = Some(answer.lines.join(" "));
        }
        let shown = match args.json {
            true => output::try_json(&answer.data),
            false => output::try_text(&answer.lines.join("\n")),
        };
        // A reader that stops reading, such as `head`, is no failure.
        if shown.is_err() {
            return Ok(());
        }
    }
    match refused {
        None if !is_answered => {
            let message = "the box ended before it answered; `show` says what applies";
            Err(Failure::new(Code::Failed, message))
        }
        None => Ok(()),
        Some(reason) => {
            Err(Failure::new(Code::Failed, format!("command failed: {}", reason.trim())))
        }
    }
}

/// Where the service of this machine listens.
pub fn default_socket() -> PathBuf {
    control::path(env::var("RUNTIME_DIRECTORY").ok().as_deref())
}

/// A secret from standard input; at a terminal it is asked for and not echoed.
fn ask(what: &str) -> Result<Typed, Failure> {
    let stdin = io::stdin();
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new(Code::Failed, format!("standard input cannot be used: {error}"))
    };
    let mut line = Zeroizing::new(String::with_capacity(CONTROL_REQUEST_BYTES_MAX));
    if !stdin.is_terminal() {
        let bound = CONTROL_REQUEST_BYTES_MAX as u64;
        BufReader::new(stdin.take(bound)).read_line(&mut line).map_err(|error| failed(&error))?;
        return typed(&line, what);
    }
    let before = tcgetattr(&stdin).map_err(|error| failed(&error))?;
    let mut silent = before.clone();
    silent.local_flags.remove(LocalFlags::ECHO);
    eprint!("{what} (not shown): ");
    tcsetattr(&stdin, SetArg::TCSAFLUSH, &silent).map_err(|error| failed(&error))?;
    let read = stdin.read_line(&mut line);
    tcsetattr(&stdin, SetArg::TCSAFLUSH, &before).map_err(|error| failed(&error))?;
    eprintln!();
    read.map_err(|error| failed(&error))?;
    typed(&line, what)
}

fn typed(line: &str, what: &str) -> Result<Typed, Failure> {
    match line.trim_end_matches(['\r', '\n']) {
        "" => Err(Failure::new(Code::Settings, format!("standard input holds no {what}"))),
        secret => Ok(Typed::from(secret)),
    }
}
