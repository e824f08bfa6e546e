//! `firstmile ctl`: a console command for the box that runs on this machine.

use std::env;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use zeroize::Zeroizing;

use crate::console::{self, Command, Service, Typed};
use crate::device::control;
use crate::device::terminal::{Quiet, Typing, restore_at_signals};
use crate::file;
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
    // Before a secret is typed for nothing.
    control::may_ask(&path).map_err(|error| not_asked(&path, &error))?;
    let line = args.command.join(" ");
    let asked = console::parse(&line);
    let is_image = !args.json && matches!(asked, Ok(Some(Command::Serve(Service::Still { .. }))));
    if is_image && io::stdout().is_terminal() {
        let message =
            "a JPEG is no text for a terminal; give it a file: `firstmile ctl picture > a.jpg`";
        return Err(Failure::new(Code::Usage, message));
    }
    if !args.json
        && io::stderr().is_terminal()
        && matches!(asked, Ok(Some(Command::Serve(Service::NetworkScan))))
    {
        eprintln!("looking for networks, which takes some seconds");
    }
    let secret = match asked {
        Ok(Some(Command::Serve(Service::Key { .. }))) => Some(ask("stream key")?),
        Ok(Some(Command::Serve(Service::SetSecret { name }))) => Some(ask(name)?),
        _ => None,
    };
    let answers = control::ask(&path, &line, secret.as_ref(), None)
        .map_err(|error| not_asked(&path, &error))?;
    let (mut refused, mut is_answered) = (None, false);
    for answer in answers {
        let lost = |error| Failure::new(Code::Failed, format!("the box does not answer: {error}"));
        let answer = answer.map_err(lost)?;
        is_answered = true;
        let (errors, shown): (Vec<&str>, Vec<&str>) =
            answer.lines.iter().map(String::as_str).partition(|line| line.starts_with(ERROR));
        if !answer.ok {
            refused = Some(failure(&errors, &answer.data));
        }
        let shown = match args.json {
            true => output::try_json(&answer.data),
            false if is_image && answer.ok => output::try_bytes(&image(&answer.data)?),
            false if shown.is_empty() => Ok(()),
            false => output::try_text(&shown.join("\n")),
        };
        // Nobody reads what else the box says; the exit code tells.
        if shown.is_err() {
            break;
        }
    }
    match refused {
        None if !is_answered => {
            let message = "the box ended before it answered; `show` says what applies";
            Err(Failure::new(Code::Failed, message))
        }
        None => Ok(()),
        Some(failure) => Err(failure),
    }
}

/// The file that an answer holds.
fn image(data: &serde_json::Value) -> Result<Vec<u8>, Failure> {
    let lines = data["base64"].as_array().into_iter().flatten().filter_map(|line| line.as_str());
    let base64: String = lines.collect();
    let failed = |error| Failure::new(Code::Failed, format!("the answer is no JPEG: {error}"));
    STANDARD.decode(base64).map_err(failed)
}

/// What the lines of an answer begin with that say why something is not done.
const ERROR: &str = "error: ";

fn not_asked(path: &Path, error: &io::Error) -> Failure {
    let path = path.display();
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            let message =
                format!("only root and the service's own user may ask the box at {path}: use sudo");
            Failure::new(Code::NotPermitted, message)
        }
        _ if control::is_nobody_there(error) => {
            let message = format!("no box answers at {path}: {error}; is the service running?");
            Failure::new(Code::NotRunning, message)
        }
        _ => Failure::new(Code::Failed, format!("the box at {path} cannot be asked: {error}")),
    }
}

/// The failure that an answer reports. One with a column was not understood.
fn failure(errors: &[&str], data: &serde_json::Value) -> Failure {
    let reasons: Vec<&str> =
        errors.iter().map(|line| line.strip_prefix(ERROR).unwrap_or(line)).collect();
    let is_understood = data.get("column").is_none_or(serde_json::Value::is_null);
    let code = if is_understood { Code::Failed } else { Code::Usage };
    Failure::new(code, format!("command failed: {}", reasons.join("; ")))
}

/// Where the service of this machine listens.
pub fn default_socket() -> PathBuf {
    control::path(env::var("RUNTIME_DIRECTORY").ok().as_deref())
}

/// A secret from standard input; at a terminal it is asked for and not echoed.
fn ask(what: &str) -> Result<Typed, Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new(Code::Failed, format!("standard input cannot be used: {error}"))
    };
    let bound = CONTROL_REQUEST_BYTES_MAX as u64;
    let question = format!("{what} (not shown): ");
    if io::stdin().is_terminal() {
        restore_at_signals(question.clone()).map_err(|error| failed(&error))?;
    }
    let quiet = Quiet::stdin(Typing::Lines).map_err(|error| failed(&error))?;
    if quiet.is_some() {
        eprint!("{question}");
    }
    let read = file::standard_input().and_then(|input| first_line(input.take(bound)));
    if quiet.is_some() {
        eprintln!();
    }
    drop(quiet);
    let line = read.map_err(|error| failed(&error))?;
    let line = str::from_utf8(&line).map_err(|error| failed(&error))?;
    typed(line, what)
}

/// Reads up to the end of a line, and perhaps some of what follows, which nobody else reads.
fn first_line(mut from: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(vec![0; CONTROL_REQUEST_BYTES_MAX]);
    let mut length = 0;
    while length < bytes.len() && !bytes[..length].contains(&b'\n') {
        match from.read(&mut bytes[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let end = bytes[..length].iter().position(|byte| *byte == b'\n').unwrap_or(length);
    bytes.truncate(end);
    Ok(bytes)
}

fn typed(line: &str, what: &str) -> Result<Typed, Failure> {
    match line.trim_end_matches(['\r', '\n']) {
        "" => Err(Failure::new(Code::Settings, format!("standard input holds no {what}"))),
        secret => Ok(Typed::from(secret)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_the_box_cannot_be_asked_has_words_and_a_code_of_its_own() {
        let failure = |kind: io::ErrorKind| {
            let found = not_asked(Path::new("/run/firstmile/control"), &kind.into());
            (found.code(), found.message().to_owned())
        };
        let (code, words) = failure(io::ErrorKind::PermissionDenied);
        assert!(code == Code::NotPermitted && words.ends_with("use sudo"), "{words}");
        for kind in [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused] {
            let (code, words) = failure(kind);
            assert!(
                code == Code::NotRunning && words.contains("is the service running?"),
                "{words}"
            );
        }
        assert_eq!(failure(io::ErrorKind::BrokenPipe).0, Code::Failed);
    }
}
