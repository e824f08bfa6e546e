//! The programs that ask and set drivers: `v4l2-ctl` and `amixer`. A driver that hangs holds up the program alone, which
//! is ended.

use std::{ffi::OsString, io, path::Path, process::Command};

use crate::{
    child,
    limits::{CONTROLS_TOOL_BYTES_MAX, CONTROLS_TOOL_TIMEOUT},
    sanitize,
};

/// A program with the arguments that come before each order's own.
pub struct Tool {
    line: Vec<OsString>,
    /// The package that it is in.
    package: &'static str,
}

impl Tool {
    pub fn new(line: &[&str], package: &'static str) -> Tool {
        Tool { line: line.iter().map(OsString::from).collect(), package }
    }

    #[cfg(test)]
    pub fn by(line: Vec<OsString>, package: &'static str) -> Tool {
        Tool { line, package }
    }

    /// Its output.
    ///
    /// # Errors
    /// Why there is none, in its own words where it has some.
    pub fn run(&self, arguments: &[&str]) -> io::Result<String> {
        let (program, before) = self.line.split_first().ok_or(io::ErrorKind::NotFound)?;
        let mut command = Command::new(program);
        command.args(before).args(arguments).env("LC_ALL", "C");
        let ended =
            child::run_bounded(&mut command, None, CONTROLS_TOOL_TIMEOUT, CONTROLS_TOOL_BYTES_MAX);
        let ended = ended.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                let name = Path::new(program).file_name().unwrap_or(program).to_string_lossy();
                io::Error::other(format!("{name} is not installed (Debian: {})", self.package))
            }
            io::ErrorKind::TimedOut => {
                io::Error::new(io::ErrorKind::TimedOut, "its driver does not respond")
            }
            _ => error,
        })?;
        if ended.status.success() {
            return Ok(String::from_utf8_lossy(&ended.stdout).into_owned());
        }
        // What libraries complain of comes first.
        let words = String::from_utf8_lossy(&ended.stderr);
        let last = words.lines().rev().find(|line| !line.trim().is_empty());
        let why = last.map_or("it says nothing", |last| last.trim());
        Err(io::Error::other(sanitize::words(why.trim_start_matches("amixer: "))))
    }
}
