//! The far end of the box's serial console.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::support::eventually;

pub struct Console {
    stream: UnixStream,
    said: Arc<Mutex<String>>,
}

impl Console {
    pub fn on(stream: UnixStream) -> Console {
        let said = Arc::new(Mutex::new(String::new()));
        let (mut from, to) = (stream.try_clone().expect("a second handle"), said.clone());
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
        Console { stream, said }
    }

    /// Types, and waits until what is said after that is as wanted; gives it.
    ///
    /// # Errors
    /// What was said instead.
    pub fn types(
        &mut self,
        text: &str,
        within: Duration,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<String, String> {
        let from = self.said().len();
        self.stream.write_all(text.as_bytes()).map_err(|e| e.to_string())?;
        let heard = eventually(within, || {
            let said = self.said().get(from..).unwrap_or_default().to_owned();
            wanted(&said).then_some(said)
        });
        heard.ok_or_else(|| format!("{:?}", self.said().get(from..)))
    }

    /// Types one key.
    pub fn key(&mut self, key: u8) {
        let _ = self.stream.write_all(&[key]);
    }

    /// Everything that the console showed.
    pub fn said(&self) -> String {
        self.said.lock().expect("no panic").clone()
    }
}
