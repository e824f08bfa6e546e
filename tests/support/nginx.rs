//! A private nginx with the RTMP module: a real server, plain and behind TLS, that records.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::pki::Identity;
use super::{Folder, eventually, find_program, free_port, skip};

/// A running server on the loopback; ended when dropped.
///
/// The app is `live`; everything published there is recorded as FLV.
pub struct Nginx {
    child: Child,
    folder: Folder,
    /// Where plain RTMP is spoken.
    pub rtmp_port: u16,
    /// Where RTMPS is spoken.
    pub rtmps_port: u16,
}

const MODULES: [&str; 2] = ["ngx_stream_module.so", "ngx_rtmp_module.so"];
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// Starts a server with this certificate; `None`, with the reason shown, where nginx or one of its
/// modules is not installed.
pub fn nginx_or_skip(identity: &Identity) -> Option<Nginx> {
    nginx_with_or_skip(identity, "")
}

/// The same with more directives for its RTMP server.
pub fn nginx_with_or_skip(identity: &Identity, directives: &str) -> Option<Nginx> {
    let Some(program) = find_program("nginx") else {
        skip("nginx is not installed");
        return None;
    };
    let modules = modules_folder(&program);
    if let Some(missing) = MODULES.iter().find(|module| !modules.join(module).is_file()) {
        skip(&format!("nginx has no {missing}"));
        return None;
    }
    Some(Nginx::start(&program, &modules, identity, directives))
}

/// Where this nginx looks for its modules.
fn modules_folder(program: &Path) -> PathBuf {
    let shown = Command::new(program).arg("-V").output().expect("nginx runs").stderr;
    let shown = String::from_utf8_lossy(&shown);
    let folder = shown.split_whitespace().find_map(|word| word.strip_prefix("--modules-path="));
    PathBuf::from(folder.unwrap_or("/usr/lib/nginx/modules"))
}

impl Nginx {
    fn start(program: &Path, modules: &Path, identity: &Identity, directives: &str) -> Nginx {
        // Somebody else may take a free port before nginx does, so it is tried again with others.
        let mut log = String::new();
        for _ in 0..5 {
            match Nginx::try_start(program, modules, identity, directives) {
                Ok(nginx) => return nginx,
                Err(shown) => log = shown,
            }
        }
        panic!("nginx does not start:\n{log}");
    }

    fn try_start(
        program: &Path,
        modules: &Path,
        identity: &Identity,
        directives: &str,
    ) -> Result<Nginx, String> {
        let folder = Folder::new("nginx");
        let (rtmp_port, rtmps_port) = (free_port(), free_port());
        let (config, log) = (folder.path().join("nginx.conf"), folder.path().join("error.log"));
        fs::create_dir(folder.path().join("records")).expect("a folder for records");
        let text =
            configuration(folder.path(), modules, identity, directives, rtmp_port, rtmps_port);
        fs::write(&config, text).expect("writes its configuration");
        let child = Command::new(program)
            .arg("-p")
            .arg(folder.path())
            .arg("-e")
            .arg(&log)
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx starts");
        let mut nginx = Nginx { child, folder, rtmp_port, rtmps_port };
        let accepts = |port| TcpStream::connect(("127.0.0.1", port)).is_ok();
        let started = eventually(START_TIMEOUT, || {
            let ended = nginx.child.try_wait().expect("our own child").is_some();
            let listens = !ended && accepts(rtmp_port) && accepts(rtmps_port);
            (ended || listens).then_some(listens)
        });
        if started == Some(true) { Ok(nginx) } else { Err(nginx.log()) }
    }

    /// The address of the app for plain RTMP.
    pub fn rtmp_url(&self) -> String {
        format!("rtmp://127.0.0.1:{}/live", self.rtmp_port)
    }

    /// The address of the app for RTMPS, by a name or an IP address that the certificate may have.
    pub fn rtmps_url(&self, host: &str) -> String {
        format!("rtmps://{host}:{}/live", self.rtmps_port)
    }

    /// What was recorded so far, sorted by name, which begins with the stream's.
    pub fn recorded(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder.path().join("records")).expect("its folder");
        let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        files.sort();
        files
    }

    /// The only record, when it no longer grows; for after the publisher has ended.
    #[track_caller]
    pub fn finished_record(&self) -> PathBuf {
        let (mut seen, mut times_same) = (None, 0);
        let finished = eventually(Duration::from_secs(10), || {
            let size = |path: &PathBuf| fs::metadata(path).map_or(0, |meta| meta.len());
            let now: Vec<_> = self.recorded().into_iter().map(|p| (size(&p), p)).collect();
            times_same = if seen.as_ref() == Some(&now) { times_same + 1 } else { 0 };
            seen = Some(now);
            let file = seen.as_ref().and_then(|now| now.first()).filter(|(size, _)| *size > 0);
            file.filter(|_| times_same >= 15).map(|(_, path)| path.clone())
        });
        assert!(self.recorded().len() <= 1, "several records: {:?}", self.recorded());
        finished.unwrap_or_else(|| panic!("nothing was recorded\n{}", self.log()))
    }

    /// The server's own words.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("error.log")).unwrap_or_default()
    }

    /// The server's process, to be stopped and continued as a network would.
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One process in the foreground, so that killing it leaves none behind; it needs no root.
fn configuration(
    folder: &Path,
    modules: &Path,
    identity: &Identity,
    directives: &str,
    rtmp_port: u16,
    rtmps_port: u16,
) -> String {
    let load = MODULES.map(|name| format!("load_module \"{}\";\n", modules.join(name).display()));
    let (load, folder) = (load.concat(), folder.display());
    let (certificate, key) = (identity.certificate.display(), identity.key.display());
    format!(
        r#"{load}
daemon off;
master_process off;
worker_processes 1;
pid "{folder}/nginx.pid";
error_log "{folder}/error.log" notice;
events {{ worker_connections 64; }}
rtmp {{
    access_log off;
    server {{
        listen 127.0.0.1:{rtmp_port};
        chunk_size 4096;
        {directives}
        application live {{
            live on;
            record all;
            record_path "{folder}/records";
            record_unique on;
        }}
    }}
}}
stream {{
    server {{
        listen 127.0.0.1:{rtmps_port} ssl;
        ssl_certificate "{certificate}";
        ssl_certificate_key "{key}";
        ssl_protocols TLSv1.2 TLSv1.3;
        proxy_pass 127.0.0.1:{rtmp_port};
    }}
}}
"#
    )
}
