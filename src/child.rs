//! Running another program to its end, with a bound on how long it takes and on what is read of it.
//!
//! Shell room. Which program, and what its output means, is the caller's concern.

use std::io::{self, Read, Write};
use std::process::{Child, Command, Output, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::limits::{CHILD_KILLED_PATIENCE, CHILD_OUTPUT_BYTES_MAX, CHILD_POLL_INTERVAL};

/// Runs a program to its end with `input` at its standard input, and collects its output, at most
/// [`CHILD_OUTPUT_BYTES_MAX`] of each stream. Blocks for `timeout` at most; the child is killed then.
/// `input` fits into a pipe (4 KiB always do).
///
/// # Errors
/// `NotFound` when there is no such program, `TimedOut` when it does not end in time, and what else
/// the system reports.
pub fn run(command: &mut Command, input: Option<&[u8]>, timeout: Duration) -> io::Result<Output> {
    run_bounded(command, input, timeout, CHILD_OUTPUT_BYTES_MAX)
}

/// The same with another bound on its output. `input` may be longer than a pipe when the child is known
/// to read it.
///
/// # Errors
/// As [`run`].
pub fn run_bounded(
    command: &mut Command,
    input: Option<&[u8]>,
    timeout: Duration,
    output_bytes_max: u64,
) -> io::Result<Output> {
    run_while(command, input, timeout, output_bytes_max, || true)
}

/// The same for as long as `goes_on` says so; it is asked every [`CHILD_POLL_INTERVAL`].
///
/// # Errors
/// As [`run`], and `Interrupted` when it was to go on no longer.
pub fn run_while(
    command: &mut Command,
    input: Option<&[u8]>,
    timeout: Duration,
    output_bytes_max: u64,
    goes_on: impl Fn() -> bool,
) -> io::Result<Output> {
    let mut child = command
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
        // A program that reads none of it reports why itself.
        let _ = stdin.write_all(input);
    }
    let streams = (
        collect(child.stdout.take(), output_bytes_max),
        collect(child.stderr.take(), output_bytes_max),
    );
    let deadline = Instant::now() + timeout;
    let status = loop {
        match child.try_wait()? {
            Some(status) => break status,
            None if Instant::now() >= deadline || !goes_on() => {
                child.kill()?;
                reap(child)?;
                return Err(match Instant::now() >= deadline {
                    true => io::ErrorKind::TimedOut,
                    false => io::ErrorKind::Interrupted,
                }
                .into());
            }
            None => thread::sleep(CHILD_POLL_INTERVAL),
        }
    };
    let taken = |thread: JoinHandle<Vec<u8>>| thread.join().unwrap_or_default();
    Ok(Output { status, stdout: taken(streams.0?), stderr: taken(streams.1?) })
}

/// Waits for a child that was killed. One that hangs in a driver does not end before that lets go of it:
/// a thread waits for it then, and nobody else.
fn reap(mut child: Child) -> io::Result<()> {
    let deadline = Instant::now() + CHILD_KILLED_PATIENCE;
    while child.try_wait()?.is_none() {
        if Instant::now() >= deadline {
            thread::Builder::new().name("reaper".to_owned()).spawn(move || child.wait())?;
            return Ok(());
        }
        thread::sleep(CHILD_POLL_INTERVAL);
    }
    Ok(())
}

fn collect(
    from: Option<impl Read + Send + 'static>,
    bytes_max: u64,
) -> io::Result<JoinHandle<Vec<u8>>> {
    thread::Builder::new().spawn(move || {
        let mut bytes = Vec::new();
        if let Some(from) = from {
            let _ = from.take(bytes_max).read_to_end(&mut bytes);
        }
        bytes
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    #[test]
    fn output_and_exit_code_of_a_program_are_returned() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "read line; echo got $line; echo sorry >&2; exit 3"]);
        let ended = run(&mut shell, Some(b"this\n"), PATIENCE).unwrap();
        assert_eq!(ended.status.code(), Some(3));
        assert_eq!((&*ended.stdout, &*ended.stderr), (&b"got this\n"[..], &b"sorry\n"[..]));
    }

    #[test]
    fn a_missing_program_and_one_that_hangs_are_different_errors() {
        let kind = |command: &str, argument: &str, timeout| {
            run(Command::new(command).arg(argument), None, timeout).map_err(|error| error.kind())
        };
        assert_eq!(kind("no-such-program", "", PATIENCE), Err(io::ErrorKind::NotFound));
        let soon = Duration::from_millis(20);
        assert_eq!(kind("sleep", "600", soon), Err(io::ErrorKind::TimedOut));
    }

    #[test]
    fn a_program_that_nobody_waits_for_any_more_is_ended() {
        let ended = run_while(Command::new("sleep").arg("600"), None, PATIENCE, 1, || false);
        assert_eq!(ended.map_err(|error| error.kind()), Err(io::ErrorKind::Interrupted));
    }
}
