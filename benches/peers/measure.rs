//! What a program used, asked of the kernel once it has ended.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use clap::Args;
use nix::sys::resource::{UsageWho, getrusage};
use serde::{Deserialize, Serialize};

use super::myself;

/// Runs a program and writes down what it used. A process of its own for each program, because the
/// kernel keeps one sum for all the children of a process.
#[derive(Args)]
pub struct Measure {
    report: PathBuf,
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

/// What a program used.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Usage {
    pub cpu_s: f64,
    pub peak_bytes: u64,
    pub voluntary_switches: u64,
    pub involuntary_switches: u64,
    pub succeeded: bool,
}

impl Measure {
    pub fn run(&self) -> ExitCode {
        let (program, arguments) = self.command.split_first().expect("clap requires it");
        let status = Command::new(program).args(arguments).status();
        let used = getrusage(UsageWho::RUSAGE_CHILDREN).expect("Linux has it");
        let seconds =
            |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
        let usage = Usage {
            cpu_s: seconds(used.user_time()) + seconds(used.system_time()),
            peak_bytes: used.max_rss() as u64 * 1024,
            voluntary_switches: used.voluntary_context_switches() as u64,
            involuntary_switches: used.involuntary_context_switches() as u64,
            succeeded: status.as_ref().is_ok_and(|status| status.success()),
        };
        let text = serde_json::to_string(&usage).expect("plain figures");
        fs::write(&self.report, text).unwrap_or_else(|e| panic!("{}: {e}", self.report.display()));
        if usage.succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// The command that runs `command` and writes down what it used.
pub fn measured(command: &Command, report: &Path) -> Command {
    let mut measure = Command::new(myself());
    measure.arg("measure").arg(report).arg("--").arg(command.get_program());
    measure.args(command.get_args());
    measure.stdin(Stdio::null()).stdout(Stdio::null());
    measure
}

/// What was written down.
pub fn read(report: &Path) -> Usage {
    let text = fs::read_to_string(report).unwrap_or_else(|e| panic!("{}: {e}", report.display()));
    serde_json::from_str(&text).expect("written by this program")
}
