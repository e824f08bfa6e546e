//! Whether the microphone's tone is in what arrives, and when it is not.

use std::path::Path;
use std::process::Command;

/// Time is looked at in pieces of this length.
pub const PIECE_MS: usize = 100;
const RATE_HZ: usize = 8_000;
/// Below this a piece is silent, in dBFS.
const SILENT_DBFS: f64 = -50.0;

/// For each piece of a file's audio whether there is any.
pub fn heard(file: &Path) -> Vec<bool> {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-i"]).arg(file);
    ffmpeg.args(["-vn", "-ac", "1", "-ar", &RATE_HZ.to_string(), "-f", "s16le", "-"]);
    let decoded = ffmpeg.output().expect("ffmpeg runs");
    assert!(decoded.status.success(), "{}", String::from_utf8_lossy(&decoded.stderr));
    let samples: Vec<f64> = decoded
        .stdout
        .chunks_exact(2)
        .map(|two| f64::from(i16::from_le_bytes([two[0], two[1]])) / f64::from(i16::MAX))
        .collect();
    let pieces = samples.chunks_exact(RATE_HZ * PIECE_MS / 1_000);
    pieces.map(|piece| level_dbfs(piece) > SILENT_DBFS).collect()
}

fn level_dbfs(piece: &[f64]) -> f64 {
    let square = piece.iter().map(|sample| sample * sample).sum::<f64>() / piece.len() as f64;
    10.0 * square.max(1e-12).log10()
}

/// The silences between audio, of at least so many pieces.
pub fn silences(heard: &[bool], least: usize) -> usize {
    let stretches: Vec<&[bool]> = heard.chunk_by(|one, next| one == next).collect();
    let between = stretches.get(1..stretches.len().saturating_sub(1)).unwrap_or_default();
    between.iter().filter(|stretch| !stretch[0] && stretch.len() >= least).count()
}

#[test]
fn silences_are_counted_between_audio_alone() {
    let of = |text: &str| text.chars().map(|c| c == 'x').collect::<Vec<_>>();
    assert_eq!(silences(&of("...xx..x...x....xx..."), 3), 2);
    assert_eq!(silences(&of("xxxx"), 1), 0);
    assert_eq!(silences(&of(""), 1), 0);
}

#[test]
fn a_tone_is_louder_than_silence() {
    assert!(level_dbfs(&[0.1, -0.1, 0.1, -0.1]) > -21.0);
    assert!(level_dbfs(&[0.0; 8]) < SILENT_DBFS);
}
