//! The program itself, as its user starts it.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::{Ended, run};

/// Longest that a command of these tests may take on a busy machine with few cores.
const TIMEOUT: Duration = Duration::from_secs(100);

/// The program with these arguments, separated by blanks, in `folder`.
pub fn firstmile(folder: &Path, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firstmile"));
    command.args(arguments.split_whitespace()).current_dir(folder).env("TMPDIR", folder);
    command
}

/// Runs the program to its end.
#[track_caller]
pub fn firstmile_ends(folder: &Path, arguments: &str) -> Ended {
    run(&mut firstmile(folder, arguments), TIMEOUT)
}
