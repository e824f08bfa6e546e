//! The box itself, `firstmile run`, on a simulated board: a pseudo-terminal for its console, a pipe
//! for its button, and the control socket.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::product::firstmile;
use super::{Ended, Folder, eventually, run};

/// `KEY_RECORD`, which the simulated board's button sends.
const KEY_RECORD: u16 = 167;
const PATIENCE: Duration = Duration::from_secs(40);

/// A running box, ended when dropped.
pub struct Appliance {
    pub child: Child,
    pub folder: Folder,
    button: File,
    console: File,
    console_output: Arc<Mutex<String>>,
    log: Arc<Mutex<String>>,
}

impl Appliance {
    /// Starts an empty box; `environment` is added to its own.
    pub fn start(environment: &[(&str, &str)]) -> Appliance {
        Appliance::start_in(Folder::new("box"), environment)
    }

    /// Starts a box with what is in `folder`.
    pub fn start_in(folder: Folder, environment: &[(&str, &str)]) -> Appliance {
        Appliance::start_with(folder, environment, "")
    }

    /// The same with more tables in the board's profile.
    pub fn start_with(folder: Folder, environment: &[(&str, &str)], more: &str) -> Appliance {
        let button = folder.path().join("button");
        if !button.exists() {
            nix::unistd::mkfifo(&button, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
        }
        let profile = format!(
            "inherit = \"sim.toml\"\ncompatible = [\"firstmile,sim\"]\ndescription = \"test\"\n\
             [video]\nwidth = 320\nheight = 180\nfps = 15\nbitrate_kbps = 300\n\
             [console]\nport = \"pty\"\n\
             [button]\nbackend = \"input\"\ndevice = \"{}\"\ncode = {KEY_RECORD}\n\
             {more}",
            button.display()
        );
        fs::write(folder.path().join("board.toml"), profile).expect("a profile");
        // Opened for both directions it does not wait for the box.
        let both = OpenOptions::new().read(true).write(true).open(&button).expect("the button");
        let arguments = "run --board ./board.toml --settings ./none.toml --state ./state";
        let mut child = firstmile(folder.path(), arguments)
            .env("RUNTIME_DIRECTORY", folder.path())
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the box starts");
        let log = collect(child.stderr.take().expect("its log"));
        collect_into(child.stdout.take().expect("its output"), log.clone());
        let port = eventually(PATIENCE, || port_named(&log.lock().expect("no panic")))
            .unwrap_or_else(|| panic!("no console:\n{}", log.lock().expect("no panic")));
        let console =
            OpenOptions::new().read(true).write(true).open(&port).expect("the console's far side");
        let console_output = collect(console.try_clone().expect("a second handle"));
        let appliance = Appliance { child, folder, button: both, console, console_output, log };
        appliance.until_status("needs setup|ready|starting|live|retrying|fault");
        appliance
    }

    /// Types at the console, and waits for these words after that.
    #[track_caller]
    pub fn types(&mut self, text: &str, until: &str) -> String {
        let from = self.console_output().len();
        self.console.write_all(text.as_bytes()).expect("the console takes it");
        let found = eventually(PATIENCE, || {
            let shown = self.console_output()[from..].to_owned();
            shown.contains(until).then_some(shown)
        });
        found.unwrap_or_else(|| {
            panic!("no {until:?} after {text:?}: {:?}", &self.console_output()[from..])
        })
    }

    /// Sends bytes to the console.
    pub fn sends(&mut self, bytes: &[u8]) {
        self.console.write_all(bytes).expect("the console takes it");
    }

    /// Waits until what the console showed from `from` on is as wanted, and gives it; gives what
    /// there is when it never is.
    pub fn until_console_shows(&self, from: usize, wanted: impl Fn(&str) -> bool) -> String {
        let shown = || self.console_output()[from..].to_owned();
        eventually(PATIENCE, || Some(shown()).filter(|shown| wanted(shown))).unwrap_or_else(shown)
    }

    /// Everything that the console showed.
    pub fn console_output(&self) -> String {
        self.console_output.lock().expect("no panic").clone()
    }

    /// Everything that went to standard error and output.
    pub fn log(&self) -> String {
        self.log.lock().expect("no panic").clone()
    }

    /// A short press of the button.
    pub fn press(&mut self) {
        self.press_for(Duration::from_millis(150));
    }

    /// Presses the button for so long.
    pub fn press_for(&mut self, long: Duration) {
        self.key(1);
        thread::sleep(long);
        self.key(0);
    }

    fn key(&mut self, value: i32) {
        let mut event = vec![0_u8; 2 * size_of::<usize>()];
        event.extend(1_u16.to_ne_bytes());
        event.extend(KEY_RECORD.to_ne_bytes());
        event.extend(value.to_ne_bytes());
        self.button.write_all(&event).expect("the button is a pipe");
    }

    /// Says a command through the control socket.
    pub fn ctl(&self, command: &str) -> Ended {
        let mut ctl = firstmile(self.folder.path(), &format!("ctl {command}"));
        run(ctl.env("RUNTIME_DIRECTORY", self.folder.path()), Duration::from_secs(20))
    }

    /// The same for `key NAME`, with the key at standard input.
    pub fn ctl_key(&self, name: &str, key: &str) -> String {
        let mut child = firstmile(self.folder.path(), &format!("ctl key {name}"))
            .env("RUNTIME_DIRECTORY", self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let mut stdin = child.stdin.take().expect("its input");
        stdin.write_all(key.as_bytes()).expect("takes the key");
        drop(stdin);
        let output = child.wait_with_output().expect("ends");
        assert!(output.status.success());
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Plugs a stick in with this file: its import, and the result file.
    pub fn stick(&self, text: &str) -> (Ended, String) {
        let stick = self.folder.path().join("stick");
        fs::create_dir_all(&stick).expect("a stick");
        fs::write(stick.join("firstmile.toml"), text).expect("its file");
        let mut import = firstmile(self.folder.path(), "import stick --state state");
        let ended =
            run(import.env("RUNTIME_DIRECTORY", self.folder.path()), Duration::from_secs(60));
        (ended, fs::read_to_string(stick.join("firstmile-result.txt")).unwrap_or_default())
    }

    /// Waits until the status says one of these states (`a|b`), and gives the status.
    #[track_caller]
    pub fn until_status(&self, states: &str) -> String {
        self.until_status_shows(states, |status| {
            states.split('|').any(|state| status.starts_with(&format!("state        {state} for")))
        })
    }

    /// Waits until the status is as wanted.
    #[track_caller]
    pub fn until_status_shows(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let mut last = String::new();
        let found = eventually(PATIENCE, || {
            last = self.ctl("status").stdout;
            wanted(&last).then(|| last.clone())
        });
        found.unwrap_or_else(|| panic!("never {what}:\n{last}\n{}", self.log()))
    }

    /// Ends the box as the service manager does.
    pub fn end(&mut self) {
        let pid = Pid::from_raw(self.child.id() as i32);
        let _ = kill(pid, Signal::SIGTERM);
        let ended = eventually(Duration::from_secs(10), || self.child.try_wait().expect("ours"));
        assert!(ended.is_some_and(|status| status.success()), "{ended:?}\n{}", self.log());
    }

    /// How often its threads wake up in so long a time.
    pub fn wake_ups(&self, long: Duration) -> u64 {
        let folder = format!("/proc/{}/task", self.child.id());
        let sleeps = || -> u64 {
            let tasks = fs::read_dir(&folder).expect("its threads").flatten();
            let statuses = tasks.filter_map(|t| fs::read_to_string(t.path().join("status")).ok());
            let counts = statuses.flat_map(|status| {
                let line = status.lines().find_map(|l| l.strip_prefix("voluntary_ctxt_switches:"));
                line.and_then(|count| count.trim().parse::<u64>().ok())
            });
            counts.sum()
        };
        let before = sleeps();
        thread::sleep(long);
        // A thread that has ended takes its count with it.
        sleeps().saturating_sub(before)
    }

    /// A file of the process's folder below `/proc`.
    pub fn proc(&self, name: &str) -> Vec<u8> {
        fs::read(PathBuf::from(format!("/proc/{}/{name}", self.child.id()))).unwrap_or_default()
    }

    /// The folder of the store.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }
}

impl Drop for Appliance {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The pseudo-terminal that the log names.
fn port_named(log: &str) -> Option<String> {
    let from = log.find("/dev/pts/")?;
    let rest = &log[from..];
    let digits = rest["/dev/pts/".len()..].chars().take_while(char::is_ascii_digit).count();
    let name = &rest[.."/dev/pts/".len() + digits];
    Path::new(name).exists().then(|| name.to_owned())
}

fn collect(from: impl Read + Send + 'static) -> Arc<Mutex<String>> {
    let collected = Arc::new(Mutex::new(String::new()));
    collect_into(from, collected.clone());
    collected
}

fn collect_into(mut from: impl Read + Send + 'static, to: Arc<Mutex<String>>) {
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(length) = from.read(&mut bytes) {
            if length == 0 {
                return;
            }
            to.lock().expect("no panic").push_str(&String::from_utf8_lossy(&bytes[..length]));
        }
    });
}
