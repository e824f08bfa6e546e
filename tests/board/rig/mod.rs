//! The rig: an emulated board with the box on it, used as its owner would.

#![allow(dead_code, reason = "each scenario uses its own part")]

pub mod agent;
mod boots;
pub mod console;
pub mod defect;
pub mod display;
pub mod encoder;
pub mod front_panel;
pub mod gadget;
pub mod lights;
pub mod qemu;
mod qmp;
pub mod ready;
pub mod server;
pub mod stick;
pub mod street;
pub mod usb;
pub mod wired;

use std::ops::Deref;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use agent::Agent;
use console::Console;
use qemu::{Begin, Disks, Qemu};
use ready::{BOOT_TIMEOUT, Ready};
use server::Server;

/// Longest that the box may take for what it does in seconds, on a busy machine under emulation.
pub const PATIENCE: Duration = Duration::from_secs(400);
/// Longest that the console may take to answer before it is asked again.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// The stream key of all scenarios; searched for wherever it must not be.
pub const KEY: &str = "canary-k3y-5ae1f7c902";

/// The board of one scenario. How long it took is printed when this is dropped.
pub struct Scenario {
    ready: Ready,
    began: Instant,
}

impl Deref for Scenario {
    type Target = Ready;

    fn deref(&self) -> &Ready {
        &self.ready
    }
}

impl Drop for Scenario {
    fn drop(&mut self) {
        let name = thread::current().name().unwrap_or_default().to_owned();
        println!("board: {:3} s for {name}", self.began.elapsed().as_secs());
    }
}

/// The board, or the reason for not trying it in one line.
pub fn ready_or_skip() -> Option<Scenario> {
    let Some(ready) = Ready::find() else {
        eprintln!("skipped: the emulated board (make test-board tries it)");
        return None;
    };
    Some(Scenario { ready, began: Instant::now() })
}

/// A board that is live at a server of its own, or the reason for not trying it in one line.
pub fn live_or_skip() -> Option<(Scenario, Server, Board)> {
    let ready = ready_or_skip()?;
    let server = Server::start();
    let mut board = Board::fresh(&ready);
    board.provision(&server);
    board.goes_live();
    server.receives(40_000);
    Some((ready, server, board))
}

/// An emulated board under power.
pub struct Board {
    qemu: Option<Qemu>,
    pub agent: Agent,
    pub console: Console,
}

impl Board {
    /// A board that has just booted, with an empty data partition and the box started.
    pub fn fresh(ready: &Ready) -> Board {
        let mut board = Board::booted(ready, Disks::new(&ready.installed()));
        board.start_box();
        board
    }

    /// A board that has just booted with this data partition; the box is not started yet.
    pub fn booted(ready: &Ready, disks: Disks) -> Board {
        disks.lay_root(&ready.installed());
        let mut board = Board::begin(ready, disks, &Begin::Restore(&ready.state()), &[]);
        board.set_clock(SystemTime::now());
        board
    }

    /// Switches a board on and lets it boot by itself.
    pub fn power_on(ready: &Ready, disks: Disks, more: &[&str]) -> Board {
        let mut board = Board::begin(ready, disks, &Begin::Boot, more);
        let up = board.agent.wait_ready(BOOT_TIMEOUT);
        up.unwrap_or_else(|why| panic!("{why}\n{}", board.qemu().kernel_log()));
        board
    }

    fn begin(ready: &Ready, disks: Disks, begin: &Begin, more: &[&str]) -> Board {
        let (qemu, agent, console) = Qemu::start(&ready.parts, disks, begin, more);
        Board { qemu: Some(qemu), agent: Agent::on(agent), console: Console::on(console) }
    }

    /// The machine under it.
    pub fn qemu(&mut self) -> &mut Qemu {
        self.qemu.as_mut().expect("it is under power")
    }

    /// Mounts the data partition and starts the box, as booting does.
    pub fn start_box(&mut self) {
        self.sh("blockdev --flushbufs /dev/vdb; mount /var/lib/firstmile");
        self.sh("systemctl start firstmile-reboot.path firstmile");
    }

    /// Gives the service the watchdog of its unit back, instead of the patient one that emulation is given.
    pub fn own_watchdog(&mut self) {
        self.sh("sed -i /WatchdogSec/d /etc/systemd/system/firstmile.service.d/emulated.conf; systemctl daemon-reload");
    }

    pub fn set_clock(&mut self, to: SystemTime) {
        let since = to.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
        self.sh(&format!("date -u -s @{}", since.as_secs()));
    }

    /// Runs a command in the rig's shell on the board.
    #[track_caller]
    pub fn sh(&mut self, command: &str) -> String {
        self.agent.sh(command)
    }

    /// The same, with a result.
    #[track_caller]
    pub fn try_sh(&mut self, command: &str) -> agent::Output {
        self.agent.run(command, PATIENCE)
    }

    /// Gives the box what an integrator would: the authority of the server.
    pub fn trust(&mut self, server: &Server) {
        self.write("/etc/firstmile/authority.pem", &server.authority());
        self.sh("sync /etc/firstmile/authority.pem");
    }

    /// Writes a text file on the board.
    pub fn write(&mut self, path: &str, text: &str) {
        let folder = Path::new(path).parent().expect("a folder").display();
        self.sh(&format!("mkdir -p {folder}; cat >{path} <<'END'\n{}\nEND\n", text.trim_end()));
    }

    /// Sets the server and its key over the serial line, as an owner with a cable does.
    pub fn provision(&mut self, server: &Server) {
        self.trust(server);
        self.types("\r", "firstmile (needs setup)> ");
        self.types(
            &format!("destination add tube {}\r", server.url()),
            "destination.tube.url is set",
        );
        self.types("set destination.tube.ca_file /etc/firstmile/authority.pem\r", "ca_file is set");
        self.types("key tube\r", "(not shown): ");
        self.types(&format!("{KEY}\r"), "firstmile (ready)> ");
    }

    /// Types at the serial console, and waits for one of these words (`a|b`).
    #[track_caller]
    pub fn types(&mut self, text: &str, until: &str) -> String {
        let wanted = |output: &str| until.split('|').any(|word| output.contains(word));
        let typed = self.console.types(text, PATIENCE, wanted);
        typed.unwrap_or_else(|output| panic!("no {until:?} after {text:?}: {output}"))
    }

    /// Types a command, and gives all of the answer: what stands between its echo and the next prompt. A box that has
    /// just started may swallow the first line, and the command is typed again, as a person would.
    #[track_caller]
    pub fn asks(&mut self, command: &str) -> String {
        // A prompt that was drawn before the echo is no answer.
        let is_answered = |output: &str| {
            output.split_once(command).is_some_and(|(_, answer)| answer.ends_with(")> "))
        };
        let line = format!("{command}\r");
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.console.types(&line, ANSWER_TIMEOUT, is_answered) {
                Ok(output) => return output,
                Err(output) => {
                    assert!(Instant::now() < deadline, "no answer to {command:?}: {output}")
                }
            }
        }
    }

    /// What the serial console answers to `status`.
    #[track_caller]
    pub fn status(&mut self) -> String {
        self.asks("status")
    }

    /// Waits until the console says one of these states (`a|b`), and gives its words.
    #[track_caller]
    pub fn until(&mut self, states: &str) -> String {
        let wanted: Vec<String> =
            states.split('|').map(|s| format!("state        {s} for")).collect();
        self.until_status(states, |output| wanted.iter().any(|state| output.contains(state)))
    }

    /// Waits until the console's status is as wanted.
    #[track_caller]
    pub fn until_status(&mut self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let output = self.status();
            if wanted(&output) {
                return output;
            }
            assert!(Instant::now() < deadline, "never {what}: {output}");
            thread::sleep(Duration::from_millis(300));
        }
    }

    /// Waits until something is so.
    #[track_caller]
    pub fn wait_until(&mut self, what: &str, mut is_so: impl FnMut(&mut Board) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(self) {
            assert!(Instant::now() < deadline, "never {what}: {}", self.journal());
            thread::sleep(Duration::from_millis(300));
        }
    }

    /// Pulls or plugs the network cable.
    pub fn cable(&mut self, is_plugged: bool) {
        self.ask("set_link", json!({ "name": "nic0", "up": is_plugged }));
    }

    /// Asks the emulator.
    #[track_caller]
    pub fn ask(&mut self, command: &str, arguments: Value) -> Value {
        self.qemu().qmp.ask(command, arguments)
    }

    /// When the box went live after this moment of the board's time. A server has then acknowledged media, which begins
    /// with a key frame.
    #[track_caller]
    pub fn live_after(&mut self, moment: Duration) -> Duration {
        let live = self.logged_after("-> live", moment);
        live.unwrap_or_else(|| panic!("not live after {moment:?}: {}", self.journal()))
    }

    /// When the box first logged these words after this moment of the board's time.
    #[track_caller]
    pub fn logged_after(&mut self, words: &str, moment: Duration) -> Option<Duration> {
        let at = |line: &str| {
            let stamp = line.trim_start_matches('[').split(']').next()?;
            stamp.trim().parse().ok().map(Duration::from_secs_f64)
        };
        let journal = self.journal();
        let lines = journal.lines().filter(|line| line.contains(words));
        lines.filter_map(at).find(|at| *at > moment)
    }

    /// Waits until the box has logged these words after this moment, and says when it did.
    #[track_caller]
    pub fn until_logged(&mut self, words: &str, moment: Duration) -> Duration {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.logged_after(words, moment) {
                return at;
            }
            assert!(Instant::now() < deadline, "no {words:?} since {moment:?}: {}", self.journal());
            thread::sleep(Duration::from_secs(1));
        }
    }

    /// The board's time.
    #[track_caller]
    pub fn now(&mut self) -> Duration {
        let now = self.sh("read now x </proc/uptime; echo $now");
        Duration::from_secs_f64(now.trim().parse().expect("seconds"))
    }

    /// The last lines of the box's journal, with the board's time.
    pub fn journal(&mut self) -> String {
        self.sh("journalctl -u firstmile -o short-monotonic --no-pager -n 400 2>&1")
    }

    /// The number of the box's process.
    pub fn main_process(&mut self) -> String {
        self.sh("systemctl show -P MainPID firstmile").trim().to_owned()
    }

    /// Waits until the service has a process other than this one.
    #[track_caller]
    pub fn until_another_process(&mut self, before: &str) {
        self.sh(&format!(
            "until p=$(systemctl show -P MainPID firstmile) && [ $p != 0 ] && [ $p != {before} ]; do sleep 1; done"
        ));
    }

    /// Cuts the power. Gives what is left.
    pub fn cut_power(mut self) -> Disks {
        self.qemu.take().expect("it is under power").cut_power()
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        let Some(qemu) = self.qemu.take() else { return };
        if thread::panicking() {
            let output = self.console.output();
            let tail: String =
                output.chars().skip(output.chars().count().saturating_sub(3_000)).collect();
            eprintln!("--- the console showed\n{tail}");
            let journal = "journalctl --no-pager -n 60 -o short-monotonic 2>&1";
            let journal = self.agent.try_run(journal, Duration::from_secs(60));
            eprintln!(
                "--- the board's journal\n{}",
                journal.map_or_else(|why| why, |output| output.text)
            );
            eprintln!("--- the kernel's log\n{}\n{}", qemu.kernel_log(), qemu.log());
        }
        qemu.cut_power();
    }
}
