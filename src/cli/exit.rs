//! Exit codes: one table for all subcommands, shown by `firstmile --help`.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::publish::PublishError;
use crate::sanitize;
use crate::status::DueTo;

/// What went wrong, as an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The stream was incomplete, a command failed, or something inside failed.
    Failed = 1,
    /// The command line, or the console command on it, is not one.
    Usage = 2,
    /// Settings: an address, a key file, a profile or a settings file cannot be used.
    Settings = 3,
    /// A camera, a microphone, an encoder or another device is missing or does not work.
    Device = 4,
    /// The network: name resolution, route, port, timeout, or a lost connection.
    Network = 5,
    /// TLS: the server's certificate was not accepted.
    Tls = 6,
    /// The server refused, or does not speak RTMP.
    Refused = 7,
    /// A file is cut off or damaged; what is whole was sent.
    Damaged = 8,
    /// `ctl`: no box runs here.
    NotRunning = 9,
    /// `ctl`: the box may be asked by root and its own user only.
    NotPermitted = 10,
    /// Whoever reads standard output stopped before its end; shells say the same of a program that
    /// SIGPIPE ends (128 + 13).
    CutOff = 141,
}

/// The table as shown to the user.
pub const TABLE: &str = "\
Exit codes:
  0  success
  1  the stream was incomplete, a command failed, or something inside failed
  2  the command line is invalid
  3  an address, a key file, a board profile or a settings file cannot be used
  4  a camera, a microphone, an encoder or another device is missing or does not work
  5  network: name resolution, route, port, timeout, or a lost connection
  6  TLS: the server's certificate was not accepted
  7  the server refused the connection or the stream, also without saying so, or is no RTMP server
  8  the pushed file is cut off or damaged: what is whole was sent
  9  ctl: no box runs here
  10 ctl: only root and the service's own user may ask the box: use sudo
  141 standard output was closed before all was written, as by `| head`";

/// A failure as the user sees it: one line, and an exit code.
#[derive(Debug)]
pub struct Failure {
    code: Code,
    message: String,
}

impl Failure {
    /// A failure with its message: what is wrong and what to do.
    pub fn new(code: Code, message: impl fmt::Display) -> Failure {
        Failure { code, message: message.to_string() }
    }

    /// That the reader of standard output has gone; whoever sent it away needs no line about it.
    pub fn cut_off() -> Failure {
        Failure { code: Code::CutOff, message: String::new() }
    }

    /// Its exit code.
    #[cfg(test)]
    pub fn code(&self) -> Code {
        self.code
    }

    /// What is wrong and what to do.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Prints the line to standard error and gives the exit code.
    pub fn report(&self) -> ExitCode {
        if !self.message.is_empty() {
            // The exit code says it where nothing can be written.
            let _ = writeln!(io::stderr(), "firstmile: {}", sanitize::line(&self.message));
        }
        ExitCode::from(self.code as u8)
    }
}

impl From<DueTo> for Code {
    fn from(due_to: DueTo) -> Code {
        match due_to {
            DueTo::Inside => Code::Failed,
            DueTo::Settings => Code::Settings,
            DueTo::Device => Code::Device,
            DueTo::Network => Code::Network,
            DueTo::Tls => Code::Tls,
            DueTo::Refusal => Code::Refused,
        }
    }
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Failure {
        Failure::new(error.evidence().once().row().due_to.into(), error.sentence())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_has_the_exit_code_of_whom_it_is_due_to_and_the_table_names_it() {
        for due_to in [
            DueTo::Inside,
            DueTo::Settings,
            DueTo::Device,
            DueTo::Network,
            DueTo::Tls,
            DueTo::Refusal,
        ] {
            let code = Code::from(due_to) as u8;
            assert_eq!(code, due_to.exit_code());
            assert!(TABLE.lines().any(|line| line.starts_with(&format!("  {code}  "))), "{code}");
        }
    }
}
