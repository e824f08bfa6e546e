//! `ffmpeg -listen 1`: takes one publisher, decodes what comes, and ends.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use firstmile::secret::StreamKey;

use super::{Address, Server, key};
use crate::media::{HASH, Packets};
use crate::probes::Probe;
use crate::support::{Folder, eventually, free_port, has_or_skip};

const TIMEOUT: Duration = Duration::from_secs(20);

pub struct Ffmpeg {
    folder: Folder,
    child: Option<Child>,
}

impl Ffmpeg {
    /// `None`, with the reason printed, where it is not installed.
    pub fn start_or_skip() -> Option<Ffmpeg> {
        has_or_skip(&["ffmpeg"]).then(|| Ffmpeg { folder: Folder::new("listen"), child: None })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Ffmpeg calls each end of a connection an error of input; anything else is a complaint.
    fn complaints(&self) -> String {
        let output = fs::read_to_string(self.file("log")).unwrap_or_default();
        let is_end = |line: &&str| {
            line.ends_with("Input/output error") || line.trim().starts_with("Last message repeated")
        };
        output.lines().filter(|line| !is_end(line)).collect::<Vec<_>>().join("\n")
    }
}

impl Server for Ffmpeg {
    fn place(&mut self, name: &str) -> (Address, StreamKey) {
        self.kill();
        let port = free_port();
        let url = format!("rtmp://127.0.0.1:{port}/live");
        let log = fs::File::create(self.file("log")).expect("a log");
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg.args(["-nostdin", "-v", "error", "-y", "-listen", "1", "-i"]);
        ffmpeg.arg(format!("{url}/{name}")).args(HASH).arg(self.file("packets"));
        ffmpeg.args(["-map", "0", "-f", "null", "-"]);
        ffmpeg.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.child = Some(ffmpeg.spawn().expect("ffmpeg starts"));
        // It takes one connection only, so it must not be tried by connecting.
        eventually(TIMEOUT, || listens(port).then_some(())).expect("ffmpeg listens");
        (Address { url, ca_file: None }, key(name))
    }

    fn received(&mut self, _name: &str) -> Result<Packets, String> {
        let child = self.child.as_mut().ok_or("it was ended")?;
        let ended = eventually(TIMEOUT, || child.try_wait().expect("our own child"));
        ended.ok_or_else(|| format!("ffmpeg goes on: {}", self.complaints()))?;
        self.child = None;
        let complaints = self.complaints();
        if complaints.is_empty() {
            fs::read_to_string(self.file("packets"))
                .map(|output| Packets::of_hashes(&output))
                .map_err(|error| format!("no packets: {error}"))
        } else {
            Err(complaints)
        }
    }

    fn takes_several(&self) -> bool {
        false
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn remark(&self, probe: Probe) -> Option<&'static str> {
        match probe {
            Probe::Tls => Some("`-listen` is for plain RTMP only"),
            Probe::BusyKey | Probe::AfterStop | Probe::CutNoticed | Probe::CutUnnoticed => {
                Some("takes one publisher and ends with it")
            }
            Probe::Capabilities => Some("they are taken and not answered"),
            Probe::UnknownApp | Probe::WrongKey | Probe::RefusedWithWords | Probe::Redirect => {
                Some("refuses nobody")
            }
            Probe::Ping => Some("sends no pings"),
            _ => None,
        }
    }
}

impl Drop for Ffmpeg {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether somebody listens on this TCP port of 127.0.0.1 (proc(5)).
fn listens(port: u16) -> bool {
    let table = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    table.contains(&format!(" 0100007F:{port:04X} 00000000:0000 0A "))
}
