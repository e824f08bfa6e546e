//! The emulated hardware encoder: its driver is loaded when a scenario wants it, with the known bugs that it is to have.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::Board;
use super::qemu::Disks;
use super::ready::Ready;
use crate::support::run;

/// Where its driver shows its parameters.
pub const PARAMETERS: &str = "/sys/module/board_h264/parameters";
const PROFILE: &str = include_str!("../../../board/vboard.toml");
/// Its GStreamer element.
pub const ELEMENT: &str = "v4l2h264enc";
/// The one that takes its place.
pub const SOFTWARE: &str = "openh264enc";
/// Frames a second of the board's video.
pub const FPS: f64 = 15.0;
const TOOL_TIMEOUT: Duration = Duration::from_secs(60);

impl Board {
    /// A board with a hardware encoder that has these bugs (`name=value`), and with the box started.
    pub fn with_encoder(ready: &Ready, bugs: &str) -> Board {
        Board::with_encoder_and(ready, bugs, "")
    }

    /// The same with a line of the board profile changed (`old;new`).
    pub fn with_encoder_and(ready: &Ready, bugs: &str, change: &str) -> Board {
        let software = format!("\"{SOFTWARE}\"");
        let preferred = PROFILE.replacen(&software, &format!("\"{ELEMENT}\", {software}"), 1);
        assert_ne!(preferred, PROFILE);
        let changed = match change.split_once(';') {
            Some((old, new)) => preferred.replacen(old, new, 1),
            None => preferred.clone(),
        };
        assert!(change.is_empty() || changed != preferred, "{change}");
        Board::with_module(ready, &format!("board_h264 {bugs}"), &changed)
    }

    /// A board with a driver of the rig (a module and its parameters) and a profile of its own, and with the box
    /// started.
    pub fn with_module(ready: &Ready, module: &str, profile: &str) -> Board {
        let mut board = Board::booted(ready, Disks::new(&ready.installed()));
        board.sh(&format!("modprobe {module}; udevadm settle"));
        board.write("/etc/firstmile/boards/with-module.toml", profile);
        board.start_box();
        board
    }

    /// One of the driver's parameters: what it has done, or whether it has a bug.
    #[track_caller]
    pub fn encoder(&mut self, name: &str) -> u64 {
        let text = self.sh(&format!("cat {PARAMETERS}/{name}"));
        text.trim().parse().unwrap_or_else(|_| panic!("{name} is {text:?}"))
    }

    /// Several of what it has done, read at once.
    #[track_caller]
    pub fn encoder_counts<const N: usize>(&mut self, names: [&str; N]) -> [u64; N] {
        let text = self.sh(&format!("cd {PARAMETERS}; cat {}", names.join(" ")));
        let counts = text.split_whitespace().map(|count| count.parse().expect("a count"));
        let counts: Vec<u64> = counts.collect();
        counts.try_into().unwrap_or_else(|_| panic!("{names:?} are {text:?}"))
    }

    /// Switches a bug of the driver on or off while it runs.
    #[track_caller]
    pub fn set_encoder(&mut self, name: &str, value: u32) {
        self.sh(&format!("echo {value} >{PARAMETERS}/{name}"));
    }

    /// Waits until the status says that this element encodes.
    #[track_caller]
    pub fn until_encoded_by(&mut self, element: &str) -> String {
        let by = format!("frames by {element}");
        self.until_status(&by, |output| output.contains(&by))
    }
}

/// The bitrate of each second of video in a file, in kbit/s, at the rate that the frames are due.
#[track_caller]
pub fn bitrates_kbps(file: &Path) -> Vec<f64> {
    let mut ffprobe = Command::new("ffprobe");
    ffprobe.args(["-v", "error", "-of", "json", "-select_streams", "v"]);
    ffprobe.args(["-show_entries", "packet=size"]).arg(file);
    let shown = run(&mut ffprobe, TOOL_TIMEOUT).ok().stdout;
    let shown: Value = serde_json::from_str(&shown).expect("ffprobe speaks JSON");
    let packets = shown["packets"].as_array().expect("a list of packets").iter();
    let bytes: Vec<f64> = packets
        .map(|packet| packet["size"].as_str().and_then(|size| size.parse().ok()).expect("a size"))
        .collect();
    let seconds = bytes.chunks_exact(FPS as usize);
    seconds.map(|frames| frames.iter().sum::<f64>() * 8.0 / 1_000.0).collect()
}

/// Ten times the H.264 level that a file names.
#[track_caller]
pub fn level(file: &Path) -> u64 {
    let mut ffprobe = Command::new("ffprobe");
    ffprobe.args(["-v", "error", "-of", "json", "-select_streams", "v"]);
    ffprobe.args(["-show_entries", "stream=level"]).arg(file);
    let shown = run(&mut ffprobe, TOOL_TIMEOUT).ok().stdout;
    let shown: Value = serde_json::from_str(&shown).expect("ffprobe speaks JSON");
    shown["streams"][0]["level"].as_u64().expect("a level")
}
