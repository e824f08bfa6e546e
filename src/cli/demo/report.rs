//! What the demo says at its end: what the server received, and whether that was whole.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::DemoArgs;
use crate::capture;
use crate::cli::exit::{Code, Failure};
use crate::sim::ingest::{Report, Summary};

/// A share of the pictures may be missing before the programme counts as not whole.
const PICTURES_MISSING_MAX_PERCENT: f64 = 2.0;

/// What the demo prints at its end.
#[derive(Debug, Serialize)]
struct Outcome {
    #[serde(flatten)]
    summary: Summary,
    /// How far the sound lies behind the picture, in milliseconds; negative when it is early.
    av_offset_ms: f64,
    /// How that was measured.
    av_offset_from: &'static str,
    /// From the press of the button to the first picture at the server.
    press_to_first_video_ms: Option<u64>,
    /// The recorded programme.
    file: PathBuf,
}

/// Prints what the server received; a failure when the programme was not whole.
pub(super) fn report(
    reports: &[Report],
    pressed_at: Option<Duration>,
    fps: u32,
    args: &DemoArgs,
) -> Result<(), Failure> {
    let Some(report) = reports.first() else {
        // Nobody went live: nothing to report, and nothing went wrong.
        return Ok(());
    };
    let mut outcome = outcome(report, pressed_at, args);
    let faults = &mut outcome.summary.faults;
    if reports.len() > 1 && args.headless {
        faults.push(format!("the programme came in {} parts", reports.len()));
    }
    let expected = outcome.summary.seconds * f64::from(fps);
    let missing = expected - outcome.summary.video_frames as f64;
    if missing > expected * PICTURES_MISSING_MAX_PERCENT / 100.0 + 1.0 {
        faults.push(format!("{missing:.0} of {expected:.0} pictures are missing"));
    }
    if args.json {
        println!("{}", serde_json::json!(outcome));
    } else {
        print(&outcome);
    }
    if outcome.summary.faults.is_empty() {
        return Ok(());
    }
    let faults = outcome.summary.faults.join("; ");
    Err(Failure::new(Code::Failed, format!("the programme was not whole: {faults}")))
}

fn outcome(report: &Report, pressed_at: Option<Duration>, args: &DemoArgs) -> Outcome {
    let (av_offset_ms, av_offset_from) = av_offset(report, args);
    Outcome {
        summary: report.summary.clone(),
        av_offset_ms,
        av_offset_from,
        press_to_first_video_ms: pressed_at
            .zip(report.first_video_at)
            .map(|(pressed, seen)| seen.saturating_sub(pressed).as_millis() as u64),
        file: report.file.clone(),
    }
}

/// The lip-sync by the best measure that there is, in milliseconds, and which one that is.
fn av_offset(report: &Report, args: &DemoArgs) -> (f64, &'static str) {
    let (measured, from) = match (args.camera.as_str(), args.mic.as_str()) {
        ("test", "tone") => (capture::marker_offset_ms(&report.file), "flashes and beeps"),
        (clip, "file") => (
            capture::clip_offset_ms(&report.file, Path::new(clip)),
            "pictures and sound of the clip",
        ),
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

fn print(outcome: &Outcome) {
    let summary = &outcome.summary;
    println!("The server received {:.1} s:", summary.seconds);
    println!(
        "  video        {} pictures, {} of them key frames",
        summary.video_frames, summary.key_frames
    );
    println!("  audio        {} access units", summary.audio_frames);
    println!("  bitrate      {} kb/s", summary.bitrate_kbps);
    println!("  largest gap  {} ms", summary.largest_gap_ms);
    println!("  A/V offset   {} ms (by {})", outcome.av_offset_ms, outcome.av_offset_from);
    if let Some(ms) = outcome.press_to_first_video_ms {
        println!("  from the press of the button to the first picture: {ms} ms");
    }
    println!("  programme    {}", outcome.file.display());
}
