//! The far end of the box's serial console.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::support::eventually;

pub struct Console {
    stream: UnixStream,
    output: Arc<Mutex<String>>,
}

impl Console {
    pub fn on(stream: UnixStream) -> Console {
        let output = Arc::new(Mutex::new(String::new()));
        let (mut from, to) = (stream.try_clone().expect("a second handle"), output.clone());
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length) = from.read(&mut bytes) {
                if length == 0 {
                    return;
                }
                let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
                to.lock().expect("no panic").push_str(&text);
            }
        });
        Console { stream, output }
    }

    /// Types, waits until the output after that is as wanted, and returns it.
    ///
    /// # Errors
    /// The output that came instead.
    pub fn types(
        &mut self,
        text: &str,
        within: Duration,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<String, String> {
        let from = self.output().len();
        self.stream.write_all(text.as_bytes()).map_err(|e| e.to_string())?;
        let found = eventually(within, || {
            let output = self.output().get(from..).unwrap_or_default().to_owned();
            wanted(&output).then_some(output)
        });
        found.ok_or_else(|| format!("{:?}", self.output().get(from..)))
    }

    /// Types one key.
    pub fn key(&mut self, key: u8) {
        let _ = self.stream.write_all(&[key]);
    }

    /// Everything that the console showed.
    pub fn output(&self) -> String {
        self.output.lock().expect("no panic").clone()
    }
}
