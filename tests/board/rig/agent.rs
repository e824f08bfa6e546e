//! A shell inside the board, on a serial line of its own: how the rig builds the world around the
//! box and looks at it. The box knows nothing of it.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// Longest that a command may take unless its caller says more.
const PATIENCE: Duration = Duration::from_secs(300);

pub struct Agent {
    stream: UnixStream,
    commands: u32,
}

/// Output and exit code of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    pub text: String,
    pub code: i32,
}

impl Agent {
    /// Uses a connection that existed before the board's shell: output without a reader is lost.
    pub fn on(stream: UnixStream) -> Agent {
        Agent { stream, commands: 0 }
    }

    /// Waits for the shell.
    ///
    /// # Errors
    /// What came instead.
    pub fn wait_ready(&mut self, within: Duration) -> Result<(), String> {
        self.read_until("AGENT-READY\n", within).map(|_| ())
    }

    /// Runs a command and returns its output.
    #[track_caller]
    pub fn sh(&mut self, command: &str) -> String {
        let output = self.run(command, PATIENCE);
        assert_eq!(output.code, 0, "{command}: {}", output.text);
        output.text
    }

    /// Runs a command that may fail.
    #[track_caller]
    pub fn run(&mut self, command: &str, within: Duration) -> Output {
        self.try_run(command, within).unwrap_or_else(|why| panic!("{command}: {why}"))
    }

    /// Runs a command on a board that may be going down.
    ///
    /// # Errors
    /// The output until then.
    pub fn try_run(&mut self, command: &str, within: Duration) -> Result<Output, String> {
        self.commands += 1;
        let mark = format!("__END{}_", self.commands);
        let line = format!("{{ {command}\n}} </dev/null; echo {mark}$?_\n");
        self.stream.write_all(line.as_bytes()).map_err(|e| e.to_string())?;
        // The mark may stand behind text without an end of line.
        let mut text = self.read_until(&mark, within)?;
        let end = self.read_until("_\n", within)?;
        text.truncate(text.len() - mark.len());
        let code = end.trim_end_matches("_\n").parse().map_err(|_| end)?;
        Ok(Output { text, code })
    }

    /// Types without waiting for an answer.
    pub fn begin(&mut self, command: &str) {
        let _ = self.stream.write_all(format!("{command}\n").as_bytes());
    }

    fn read_until(&mut self, end: &str, within: Duration) -> Result<String, String> {
        let deadline = Instant::now() + within;
        let mut got = Vec::new();
        let mut byte = [0];
        while !got.ends_with(end.as_bytes()) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(format!("no answer in {within:?}: {}", String::from_utf8_lossy(&got)));
            }
            self.stream.set_read_timeout(Some(left)).map_err(|e| e.to_string())?;
            match self.stream.read(&mut byte) {
                Ok(0) => return Err(format!("the board ended: {}", String::from_utf8_lossy(&got))),
                Ok(_) => got.push(byte[0]),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(e) => return Err(e.to_string()),
            }
        }
        Ok(String::from_utf8_lossy(&got).into_owned())
    }
}
