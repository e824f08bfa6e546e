//! QEMU's machine protocol: one JSON object a line, asked and answered.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::{Value, json};

/// Longest that QEMU may take to answer on a busy machine; saving the state is the slowest.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(300);

pub struct Qmp {
    lines: BufReader<UnixStream>,
}

impl Qmp {
    /// Takes a connection over from its greeting.
    pub fn on(stream: UnixStream) -> Qmp {
        stream.set_read_timeout(Some(ANSWER_TIMEOUT)).expect("a timeout");
        let mut qmp = Qmp { lines: BufReader::new(stream) };
        qmp.line();
        qmp.ask("qmp_capabilities", json!({}));
        qmp
    }

    /// Asks, and gives the answer.
    #[track_caller]
    pub fn ask(&mut self, command: &str, arguments: Value) -> Value {
        self.try_ask(command, arguments).unwrap_or_else(|reply| panic!("{command}: {reply}"))
    }

    /// Asks.
    ///
    /// # Errors
    /// QEMU's error.
    pub fn try_ask(&mut self, command: &str, arguments: Value) -> Result<Value, Value> {
        let asked = json!({ "execute": command, "arguments": arguments });
        writeln!(self.lines.get_mut(), "{asked}").expect("QEMU listens");
        loop {
            let mut reply = self.line();
            if reply.get("error").is_some() {
                return Err(reply["error"].take());
            }
            if reply.get("return").is_some() {
                return Ok(reply["return"].take());
            }
        }
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        let read = self.lines.read_line(&mut line).expect("QEMU answers");
        assert!(read > 0, "QEMU has ended");
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"))
    }
}
