//! What the server received: the programme as numbers, and whether it was whole.

use std::time::Duration;

use serde::Serialize;

use crate::flv::{audio, video};
use crate::media::{Kind, Track};

/// A gap between two access units of a track above which a programme is not whole.
const GAP_MAX_MS: u64 = 500;

/// The measurement of one received programme.
#[derive(Debug, Default)]
pub struct Programme {
    video: TrackCount,
    audio: TrackCount,
    key_frames: u64,
    bytes: u64,
    first_video_at: Option<Duration>,
    video_config: Option<Vec<u8>>,
    config_changes: u64,
    faults: Vec<String>,
}

#[derive(Debug, Default)]
struct TrackCount {
    configured: bool,
    frames: u64,
    first_ms: u64,
    last_ms: u64,
    gap_ms: u64,
}

/// The numbers that the demo prints.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// From the first to the last access unit of the longer track.
    pub seconds: f64,
    /// Video access units.
    pub video_frames: u64,
    /// Those of them that decoding can start at.
    pub key_frames: u64,
    /// Audio access units.
    pub audio_frames: u64,
    /// Payload of both tracks over `seconds`.
    pub bitrate_kbps: u64,
    /// The largest distance between two consecutive access units of one track.
    pub largest_gap_ms: u64,
    /// How far the beginnings of the two tracks lie apart. (Their ends say nothing: a stop cuts each
    /// track wherever its encoder just is.)
    pub track_offset_ms: u64,
    /// Times that the video's codec configuration changed.
    pub config_changes: u64,
    /// What kept the programme from being whole; empty when nothing did.
    pub faults: Vec<String>,
}

impl TrackCount {
    fn add(&mut self, time_ms: u64) -> Result<(), String> {
        if !self.configured {
            return Err("an access unit before the codec configuration".to_owned());
        }
        let back_ms = self.last_ms.saturating_sub(time_ms);
        if self.frames == 0 {
            self.first_ms = time_ms;
        } else {
            self.gap_ms = self.gap_ms.max(time_ms.saturating_sub(self.last_ms));
        }
        self.frames += 1;
        self.last_ms = self.last_ms.max(time_ms);
        if back_ms > 0 { Err(format!("time went back by {back_ms} ms")) } else { Ok(()) }
    }
}

impl Programme {
    /// Takes a message of `track` with its FLV tag body, received at `now`.
    pub fn receive(&mut self, now: Duration, track: Track, time_ms: u64, body: &[u8]) {
        self.bytes += body.len() as u64;
        let taken = match track {
            Track::Video => self.receive_video(now, time_ms, body),
            Track::Audio => self.receive_audio(time_ms, body),
        };
        if let Err(fault) = taken {
            self.fault(format!("{track:?} at {time_ms} ms: {fault}"));
        }
    }

    /// When the first video access unit came in.
    pub fn first_video_at(&self) -> Option<Duration> {
        self.first_video_at
    }

    /// Access units received so far: video, audio.
    pub fn frames(&self) -> (u64, u64) {
        (self.video.frames, self.audio.frames)
    }

    fn receive_video(&mut self, now: Duration, time_ms: u64, body: &[u8]) -> Result<(), String> {
        let tag = video::parse(body).map_err(|error| error.to_string())?;
        let Some(kind) = tag.kind() else {
            return Ok(());
        };
        if kind == Kind::VideoConfig {
            let config = body.get(tag.payload_offset..).unwrap_or_default();
            if self.video_config.as_deref().is_some_and(|known| known != config) {
                self.config_changes += 1;
            }
            self.video_config = Some(config.to_vec());
            self.video.configured = true;
            return Ok(());
        }
        if self.video.frames == 0 {
            self.first_video_at = Some(now);
            if kind != Kind::VideoKey {
                self.fault("the first access unit is not a key frame".to_owned());
            }
        }
        self.key_frames += u64::from(kind == Kind::VideoKey);
        self.video.add(time_ms)
    }

    fn receive_audio(&mut self, time_ms: u64, body: &[u8]) -> Result<(), String> {
        let tag = audio::parse(body).map_err(|error| error.to_string())?;
        if tag.kind() == Kind::AudioConfig {
            self.audio.configured = true;
            return Ok(());
        }
        self.audio.add(time_ms)
    }

    /// Notes what keeps the programme from being whole, up to a bound.
    pub fn fault(&mut self, fault: String) {
        const FAULTS_MAX: usize = 16;
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(fault);
        }
    }

    /// The numbers, with the faults that only show at the end.
    pub fn summary(&self) -> Summary {
        let span = |track: &TrackCount| track.last_ms.saturating_sub(track.first_ms);
        let span_ms = span(&self.video).max(span(&self.audio));
        let both = self.video.frames > 0 && self.audio.frames > 0;
        let apart = |a: u64, b: u64| if both { a.abs_diff(b) } else { 0 };
        let largest_gap_ms = self.video.gap_ms.max(self.audio.gap_ms);
        let mut faults = self.faults.clone();
        if self.video.frames == 0 {
            faults.push("no video arrived".to_owned());
        }
        if self.audio.frames == 0 {
            faults.push("no audio arrived".to_owned());
        }
        if largest_gap_ms > GAP_MAX_MS {
            faults.push(format!("a gap of {largest_gap_ms} ms"));
        }
        Summary {
            seconds: span_ms as f64 / 1_000.0,
            video_frames: self.video.frames,
            key_frames: self.key_frames,
            audio_frames: self.audio.frames,
            bitrate_kbps: (self.bytes * 8).checked_div(span_ms).unwrap_or(0),
            largest_gap_ms,
            track_offset_ms: apart(self.video.first_ms, self.audio.first_ms),
            config_changes: self.config_changes,
            faults,
        }
    }
}
