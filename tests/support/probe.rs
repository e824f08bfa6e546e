//! What ffmpeg and ffprobe say about a file.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::run;

const TIMEOUT: Duration = Duration::from_secs(60);

/// Decodes a file from end to end.
///
/// # Errors
/// The decoder's complaints; a clean file gives none.
pub fn decodes_cleanly(file: &Path) -> Result<(), String> {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-xerror", "-i"]).arg(file).args(["-f", "null", "-"]);
    let ended = run(&mut ffmpeg, TIMEOUT);
    if ended.status.success() && ended.stderr.trim().is_empty() {
        Ok(())
    } else {
        Err(format!("{}: {}", ended.status, ended.stderr))
    }
}

/// How loud a channel of a file's audio is near a frequency, from its second second on.
#[track_caller]
pub fn level_db(file: &Path, channel: usize, hz: u32) -> f64 {
    let filters = format!(
        "pan=mono|c0=c{channel},{band},{band},astats=measure_perchannel=none",
        band = format_args!("bandpass=f={hz}:width_type=h:w=40")
    );
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-hide_banner", "-ss", "1", "-i"]).arg(file).arg("-vn");
    let report = run(ffmpeg.args(["-af", &filters, "-f", "null", "-"]), TIMEOUT).ok().stderr;
    let level =
        report.split_once("RMS level dB:").and_then(|(_, rest)| rest.split_whitespace().next());
    level.and_then(|db| db.parse().ok()).unwrap_or_else(|| panic!("no level: {report}"))
}

/// The packets of a file, counted.
#[derive(Debug, Clone, PartialEq)]
pub struct Packets {
    pub video: usize,
    pub audio: usize,
    pub key_frames: usize,
    /// Whether decoding can start at the first frame.
    pub first_is_key: bool,
    /// Whether decoding times go on from each access unit to the next, in each track.
    pub in_order: bool,
    /// Longest time between two frames, in milliseconds.
    pub largest_video_gap_ms: f64,
    /// Longest time between two audio packets, in milliseconds.
    pub largest_audio_gap_ms: f64,
    /// Audio minus video at the beginning, in milliseconds.
    pub start_offset_ms: f64,
    /// Audio minus video at the end, in milliseconds.
    pub end_offset_ms: f64,
}

/// Counts a file's packets.
#[track_caller]
pub fn packets(file: &Path) -> Packets {
    let mut ffprobe = Command::new("ffprobe");
    ffprobe.args(["-v", "error", "-of", "json", "-show_entries"]);
    ffprobe.arg("packet=codec_type,pts_time,dts_time,flags").arg(file);
    let shown = run(&mut ffprobe, TIMEOUT).ok().stdout;
    let shown: Value = serde_json::from_str(&shown).expect("ffprobe speaks JSON");
    let (video, audio) = (Track::of(&shown, "video"), Track::of(&shown, "audio"));
    Packets {
        video: video.times_ms.len(),
        audio: audio.times_ms.len(),
        key_frames: video.keys.iter().filter(|key| **key).count(),
        first_is_key: video.keys.first() == Some(&true),
        in_order: video.goes_on() && audio.goes_on(),
        largest_video_gap_ms: video.largest_gap_ms(),
        largest_audio_gap_ms: audio.largest_gap_ms(),
        start_offset_ms: difference(audio.times_ms.first(), video.times_ms.first()),
        end_offset_ms: difference(audio.times_ms.last(), video.times_ms.last()),
    }
}

/// Decoding times and key marks of one track, in the order of the file.
struct Track {
    times_ms: Vec<f64>,
    keys: Vec<bool>,
}

impl Track {
    fn of(shown: &Value, kind: &str) -> Track {
        let packets = shown["packets"].as_array().expect("a list of packets");
        let ours = packets.iter().filter(|packet| packet["codec_type"] == kind);
        let times_ms = ours.clone().filter_map(|packet| {
            let time = packet["dts_time"].as_str().or(packet["pts_time"].as_str())?;
            time.parse::<f64>().ok().map(|seconds| seconds * 1_000.0)
        });
        let keys = ours.clone().map(|packet| packet["flags"].as_str().unwrap_or("").contains('K'));
        Track { times_ms: times_ms.collect(), keys: keys.collect() }
    }

    fn goes_on(&self) -> bool {
        self.times_ms.is_sorted_by(|one, next| one < next)
    }

    fn largest_gap_ms(&self) -> f64 {
        self.times_ms.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max)
    }
}

fn difference(a: Option<&f64>, b: Option<&f64>) -> f64 {
    a.zip(b).map_or(f64::NAN, |(a, b)| a - b)
}
