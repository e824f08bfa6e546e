//! Node-Media-Server: another RTMPS of its own, a server that acknowledges nothing.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use firstmile::secret::StreamKey;
use md5::{Digest, Md5};
use serde_json::{Value, json};

use super::{Address, Place, Server, key};
use crate::media::{self, Packets};
use crate::probes::Probe;
use crate::support::clip::cache_folder;
use crate::support::pki::{Flaw, Pki};
use crate::support::{Folder, eventually, find_program, free_port, run};

const PACKAGE: &str = include_str!("../package.json");
const LOCK: &str = include_str!("../package-lock.json");
const NAME: &str = "node-media-server";
/// What its package says that it needs.
const NODE_MAJOR_MIN: u32 = 20;
const INSTALL_TIMEOUT: Duration = Duration::from_secs(180);
const START_TIMEOUT: Duration = Duration::from_secs(20);
const SECRET: &str = "a-secret-of-this-test";

/// Where it is installed; fetched once, and kept in the user's cache.
///
/// # Errors
/// Why it cannot be had.
pub fn installed() -> Result<PathBuf, String> {
    let package: Value = serde_json::from_str(PACKAGE).expect("package.json");
    let version = package["dependencies"][NAME].as_str().expect("a pinned version");
    for program in ["node", "npm"] {
        find_program(program).ok_or_else(|| format!("{program} is not installed"))?;
    }
    let node = run(Command::new("node").arg("--version"), START_TIMEOUT).stdout;
    let major = node.trim().trim_start_matches('v').split('.').next().unwrap_or_default();
    if major.parse::<u32>().is_ok_and(|major| major < NODE_MAJOR_MIN) {
        return Err(format!("Node.js {} is older than {NODE_MAJOR_MIN}", node.trim()));
    }
    let cache = cache_folder();
    let home = cache.join(format!("{NAME}-{version}"));
    if !home.join("node_modules").is_dir() {
        install(&cache, &home)?;
    }
    Ok(home.join("node_modules").join(NAME).join("bin/app.js"))
}

/// Installs next to the target and moves into place, so that nobody finds half of it.
fn install(cache: &Path, home: &Path) -> Result<(), String> {
    let folder = cache.join(format!("installing-{}", std::process::id()));
    let write = |name: &str, text: &str| fs::write(folder.join(name), text);
    fs::create_dir_all(&folder)
        .and_then(|()| write("package.json", PACKAGE))
        .and_then(|()| write("package-lock.json", LOCK))
        .map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&folder);
    let ended = run(&mut npm, INSTALL_TIMEOUT);
    let moved = ended.status.success() && fs::rename(&folder, home).is_ok();
    let _ = fs::remove_dir_all(&folder);
    if moved || home.is_dir() { Ok(()) } else { Err(format!("npm: {}", ended.stderr.trim())) }
}

pub struct NodeMediaServer {
    child: Option<Child>,
    folder: Folder,
    rtmp_port: u16,
    rtmps_port: u16,
    ca_file: Option<PathBuf>,
    _pki: Pki,
}

impl NodeMediaServer {
    pub fn start(program: &Path, with_tls: bool) -> NodeMediaServer {
        let pki = Pki::new();
        let identity = pki.identity(&["localhost"], Flaw::None);
        let folder = Folder::new("node-media-server");
        let (rtmp_port, rtmps_port) = (free_port(), free_port());
        // It listens everywhere unless configured, and writes what it finds empty back into this file.
        let config = json!({
            "bind": "127.0.0.1",
            "store": { "path": "data" },
            "auth": { "play": false, "publish": true, "secret": SECRET },
            "rtmp": { "port": rtmp_port },
            "rtmps": { "port": rtmps_port, "key": identity.key, "cert": identity.certificate },
            "record": { "auto": true, "path": "records" },
        });
        fs::write(folder.path().join("config.json"), config.to_string()).expect("writes");
        let log = fs::File::create(folder.path().join("log")).expect("a log");
        let errors = log.try_clone().expect("the same log");
        let mut node = Command::new("node");
        node.arg(program).args(["-c", "config.json"]).current_dir(folder.path());
        let child = node.stdin(Stdio::null()).stdout(log).stderr(errors).spawn();
        let child = Some(child.expect("node starts"));
        let ca_file = with_tls.then(|| pki.ca_file());
        let server = NodeMediaServer { child, folder, rtmp_port, rtmps_port, ca_file, _pki: pki };
        let accepts = |port| TcpStream::connect(("127.0.0.1", port)).is_ok();
        // Recording begins when the store is open.
        let is_up = || {
            let is_up = server.log().contains("Store ready");
            (is_up && accepts(rtmp_port) && accepts(rtmps_port)).then_some(())
        };
        eventually(START_TIMEOUT, is_up).unwrap_or_else(|| panic!("{}", server.log()));
        server
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn address(&self, app: &str) -> Address {
        let url = match &self.ca_file {
            None => format!("rtmp://127.0.0.1:{}/{app}", self.rtmp_port),
            Some(_) => format!("rtmps://localhost:{}/{app}", self.rtmps_port),
        };
        Address { url, ca_file: self.ca_file.clone() }
    }
}

/// A key with the signature that the server asks for: MD5 of path, end and secret.
fn signed(app: &str, name: &str, secret: &str) -> StreamKey {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    let end = now.as_secs() + 3_600;
    let digest = Md5::digest(format!("/{app}/{name}-{end}-{secret}"));
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    key(&format!("{name}?sign={end}-{digest}"))
}

impl Server for NodeMediaServer {
    fn place(&mut self, name: &str) -> (Address, StreamKey) {
        (self.address("live"), signed("live", name, SECRET))
    }

    fn received(&mut self, name: &str) -> Result<Packets, String> {
        let folder = self.folder.path().join("records/live").join(name);
        let oldest = || {
            let files = fs::read_dir(&folder).ok()?.flatten().map(|entry| entry.path());
            files.min()
        };
        media::settled(oldest).map(|path| Packets::of_file(&path)).ok_or_else(|| self.log())
    }

    fn unknown_app(&mut self) -> Place {
        Some((self.address("elsewhere"), signed("elsewhere", "unknown-app", SECRET)))
    }

    fn wrong_key(&mut self) -> Place {
        Some((self.address("live"), signed("live", "wrong-key", "another-secret")))
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn remark(&self, probe: Probe) -> Option<&'static str> {
        match probe {
            Probe::Acknowledged => Some(
                "Node-Media-Server never acknowledges; what was delivered is known from TCP alone",
            ),
            Probe::BusyKey | Probe::WrongKey | Probe::CutUnnoticed => Some(
                "Node-Media-Server says `NetStream.Publish.Start` before it looks at the key, then \
                 closes without a word",
            ),
            Probe::UnknownApp => Some("takes any application"),
            Probe::Capabilities => Some("they are taken and not answered"),
            Probe::RefusedWithWords | Probe::Redirect => Some("has no words for a refusal"),
            Probe::Ping => Some("sends no pings"),
            Probe::Tls if self.ca_file.is_none() => Some("see its column with TLS"),
            _ => None,
        }
    }
}

impl Drop for NodeMediaServer {
    fn drop(&mut self) {
        self.kill();
    }
}
