//! The console at the board's USB device port, and the laptop at the other end of the cable. Both are the board's own kernel: its
//! simulated controller (`dummy_hcd`) joins the port that is a device with one that is a host.

use std::thread;
use std::time::{Duration, Instant};

use super::qemu::Disks;
use super::ready::Ready;
use super::{Board, PATIENCE};

/// As images ship it.
const MODULE: &str =
    include_str!("../../../yocto-layer/recipes-core/firstmile-gadget-serial/files/modprobe.conf");
const PROFILE: &str = include_str!("../../../board/vboard.toml");
const ONE_PORT: &str = "path = \"/dev/ttyAMA1\"";
const TWO_PORTS: &str = "path = [\"/dev/ttyGS0\", \"/dev/ttyAMA1\"]";
/// What the laptop has.
const LAPTOP: &str = "/dev/ttyACM0";
/// Everything that it has read.
const READ: &str = "/dev/shm/laptop";

impl Board {
    /// A board that is a serial port of a laptop, with a console there and at the serial line, and with the box started.
    pub fn with_gadget(ready: &Ready) -> Board {
        let profile = PROFILE.replacen(ONE_PORT, TWO_PORTS, 1);
        assert_ne!(profile, PROFILE);
        let mut board = Board::booted(ready, Disks::new(&ready.installed()));
        board.write("/etc/modprobe.d/firstmile-gadget-serial.conf", MODULE);
        board.sh(&format!(
            "modprobe -a dummy_hcd g_serial cdc-acm; until [ -c {LAPTOP} ]; do sleep 0.2; done"
        ));
        board.write("/etc/firstmile/boards/gadget.toml", &profile);
        board.start_box();
        board
    }

    /// A program on the laptop opens the port as soon as it is there, and reads it.
    #[track_caller]
    pub fn laptop_reads(&mut self) {
        self.laptop(&format!("cat >{READ}"));
    }

    /// The same, but it reads nothing.
    #[track_caller]
    pub fn laptop_does_not_read(&mut self) {
        self.laptop("sleep 100000");
    }

    #[track_caller]
    fn laptop(&mut self, program: &str) {
        self.sh(&format!(
            "until [ -c {LAPTOP} ]; do sleep 0.2; done; udevadm settle; : >{READ}; \
             (stty raw -echo <&7; exec {program} <&7) 7<>{LAPTOP} 2>/dev/null & echo $! >/run/laptop; \
             until stty -F {LAPTOP} | grep -q -e -icanon; do sleep 0.2; done"
        ));
    }

    /// It closes the port.
    pub fn laptop_closes(&mut self) {
        self.sh("kill $(cat /run/laptop) 2>/dev/null || :");
    }

    /// Types at the laptop without waiting for an answer.
    #[track_caller]
    pub fn laptop_types(&mut self, text: &str) {
        self.sh(&format!("timeout 60 printf '{}' >{LAPTOP}", text.replace('\r', "\\r")));
    }

    /// Types at the laptop and waits for these words.
    #[track_caller]
    pub fn laptop_asks(&mut self, text: &str, until: &str) -> String {
        let from = self.laptop_has_read().len();
        self.laptop_types(text);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let read = self.laptop_has_read().split_off(from);
            if read.contains(until) {
                return read;
            }
            assert!(Instant::now() < deadline, "no {until:?} after {text:?}: {read:?}");
            thread::sleep(Duration::from_millis(300));
        }
    }

    /// Everything that the laptop has read since it opened the port.
    #[track_caller]
    pub fn laptop_has_read(&mut self) -> String {
        self.sh(&format!("cat {READ}"))
    }

    /// Pulls the cable between the two out, or plugs it in.
    pub fn gadget_cable(&mut self, is_plugged: bool) {
        let (word, test) = if is_plugged { ("connect", "-c") } else { ("disconnect", "! -e") };
        self.sh(&format!(
            "echo {word} >/sys/class/udc/dummy_udc.0/soft_connect; until [ {test} {LAPTOP} ]; do sleep 0.2; done"
        ));
    }
}
