//! What one run of one side found.

use serde::{Deserialize, Serialize};

/// Of the counted seconds alone.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    pub cpu_us: f64,
    /// Frames that came out.
    pub frames: u64,
    /// Sorted.
    pub delays_us: Vec<u64>,
    /// Access units of both tracks, and their bytes.
    pub units: u64,
    pub unit_bytes: u64,
    /// What was allocated outside GStreamer, whose encoders and parsers are the same on both sides.
    pub allocations: u64,
    pub allocated_bytes: u64,
    /// Frames that were repeated, and that were skipped.
    pub repeated: u64,
    pub skipped: u64,
}

impl Report {
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("plain figures")
    }

    pub fn from_json(text: &str) -> Report {
        serde_json::from_str(text).expect("written by this program")
    }

    /// A percentile of the delays.
    pub fn delay_ms(&self, part: f64) -> Option<f64> {
        let at = (self.delays_us.len() as f64 * part) as usize;
        self.delays_us.get(at).map(|us| *us as f64 / 1e3)
    }

    pub fn allocations_per_unit(&self) -> f64 {
        self.allocations as f64 / self.units as f64
    }

    /// How often access units were copied, at most: all that was allocated counts as a copy.
    pub fn copies(&self) -> f64 {
        self.allocated_bytes as f64 / self.unit_bytes as f64
    }
}
