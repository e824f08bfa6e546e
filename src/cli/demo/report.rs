//! What the demo says at its end: what the server received, and whether that was whole.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::args::DemoArgs;
use crate::cli::exit::{Code, Failure};
use crate::cli::output;
use crate::sim::ingest::{Report, Summary};
use crate::sim::lip_sync;

/// A share of the frames may be missing before the stream counts as incomplete.
const FRAMES_MISSING_MAX_PERCENT: f64 = 2.0;

/// What the demo prints at its end.
#[derive(Debug, Serialize)]
struct Outcome {
    #[serde(flatten)]
    summary: Summary,
    /// How far the audio lies behind the video, in milliseconds; negative when it is early.
    av_offset_ms: f64,
    /// How that was measured.
    av_offset_from: &'static str,
    /// From the press of the button to the first frame at the server.
    press_to_first_video_ms: Option<u64>,
    /// The recording.
    file: PathBuf,
}

/// Prints what the server received, stream by stream; a failure when one was incomplete.
pub(super) fn report(
    reports: &[Report],
    pressed_at: Option<Duration>,
    fps: u32,
    args: &DemoArgs,
) -> Result<(), Failure> {
    let mut faults = Vec::new();
    // Without a report nobody went live, and that is no failure.
    for (number, report) in (1..).zip(reports) {
        let mut outcome = outcome(report, pressed_at, args);
        if number == 1 && reports.len() > 1 && args.headless {
            outcome.summary.faults.push(format!("the stream came in {} parts", reports.len()));
        }
        let expected = outcome.summary.seconds * f64::from(fps);
        let missing = expected - outcome.summary.video_frames as f64;
        if missing > expected * FRAMES_MISSING_MAX_PERCENT / 100.0 + 1.0 {
            let missing = format!("{missing:.0} of {expected:.0} frames are missing");
            outcome.summary.faults.push(missing);
        }
        let which = match reports.len() {
            1 => String::new(),
            all => format!("Stream {number} of {all}: "),
        };
        if args.json {
            // In the order of the fields, the most important first.
            let text = serde_json::to_string(&outcome);
            let text = text.map_err(|error| Failure::new(Code::Failed, error.to_string()))?;
            let _ = output::json_text(&text);
        } else {
            print(&which, &outcome);
        }
        faults.extend(outcome.summary.faults.iter().map(|fault| format!("{which}{fault}")));
    }
    if faults.is_empty() {
        return Ok(());
    }
    let faults = faults.join("; ");
    Err(Failure::new(Code::Failed, format!("the stream was incomplete: {faults}")))
}

fn outcome(report: &Report, pressed_at: Option<Duration>, args: &DemoArgs) -> Outcome {
    let (av_offset_ms, av_offset_from) = av_offset(report, args);
    Outcome {
        summary: report.summary.clone(),
        av_offset_ms,
        av_offset_from,
        press_to_first_video_ms: pressed_at
            .zip(report.first_video_at)
            .map(|(pressed, arrived)| arrived.saturating_sub(pressed).as_millis() as u64),
        file: report.file.clone(),
    }
}

/// The lip-sync by the best measure that there is, in milliseconds, and which one that is.
fn av_offset(report: &Report, args: &DemoArgs) -> (f64, &'static str) {
    let (measured, from) = match (args.camera.as_str(), args.mic.as_str()) {
        ("test", "tone") => (lip_sync::marker_offset_ms(&report.file), "flashes and beeps"),
        (clip, "file") => {
            (lip_sync::clip_offset_ms(&report.file, Path::new(clip)), "video and audio of the clip")
        }
        _ => (Ok(None), ""),
    };
    if let Err(error) = &measured {
        tracing::warn!(%error, "lip-sync not measured");
    }
    match measured {
        Ok(Some(offset_ms)) => ((offset_ms * 10.0).round() / 10.0, from),
        _ => (report.summary.track_offset_ms as f64, "beginnings of the tracks"),
    }
}

fn print(which: &str, outcome: &Outcome) {
    let summary = &outcome.summary;
    output::text(&format!("{which}The server received {:.1} s:", summary.seconds));
    output::text(&format!(
        "  video        {} frames, {} of them key frames",
        summary.video_frames, summary.key_frames
    ));
    output::text(&format!("  audio        {} access units", summary.audio_frames));
    output::text(&format!("  bitrate      {} kb/s", summary.bitrate_kbps));
    output::text(&format!("  largest gap  {} ms", summary.largest_gap_ms));
    output::text(&format!(
        "  A/V offset   {} ms (by {})",
        outcome.av_offset_ms, outcome.av_offset_from
    ));
    if let Some(ms) = outcome.press_to_first_video_ms {
        output::text(&format!("  from the press of the button to the first frame: {ms} ms"));
    }
    output::text(&format!("  recording    {}", outcome.file.display()));
}
