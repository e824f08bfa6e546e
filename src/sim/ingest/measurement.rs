//! What the server received, counted, and whether it was complete.

use std::time::Duration;

use serde::Serialize;

use crate::flv::{audio, video};
use crate::media::{Codec, Kind, Track};

/// A gap between two access units of a track above which a stream is incomplete.
const GAP_MAX_MS: u64 = 500;

/// The measurement of one received stream.
#[derive(Debug, Default)]
pub struct Measurement {
    video: TrackCount,
    audio: TrackCount,
    key_frames: u64,
    bytes: u64,
    first_video_at: Option<Duration>,
    video_config: Option<(Option<Codec>, Vec<u8>)>,
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

/// The figures that the demo prints.
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
    /// What kept the stream from being complete; empty when nothing did.
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

impl Measurement {
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
            let config = Some((tag.codec, config.to_vec()));
            if self.video_config.is_some() && self.video_config != config {
                self.config_changes += 1;
            }
            self.video_config = config;
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
        if body.is_empty() {
            return Ok(()); // a period of silence (Enhanced RTMP v2, "Enhanced Audio")
        }
        let tag = audio::parse(body).map_err(|error| error.to_string())?;
        match tag.kind() {
            None => Ok(()),
            Some(Kind::AudioConfig) => {
                self.audio.configured = true;
                Ok(())
            }
            Some(_) => self.audio.add(time_ms),
        }
    }

    /// Records what keeps the stream from being complete, up to a bound.
    pub fn fault(&mut self, fault: String) {
        const FAULTS_MAX: usize = 16;
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(fault);
        }
    }

    /// The figures, with the faults that only show at the end.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn received(messages: &[(Track, u64, &[u8])]) -> Summary {
        let mut measurement = Measurement::default();
        for (track, time_ms, body) in messages {
            measurement.receive(Duration::ZERO, *track, *time_ms, body);
        }
        measurement.summary()
    }

    #[test]
    fn codecs_of_enhanced_rtmp_are_counted() {
        let summary = received(&[
            (Track::Video, 0, b"\x84hvc1\x02\x00\x09colorInfo\x05"),
            (Track::Video, 0, b"\x90hvc1\x01"),
            (Track::Audio, 0, b"\x90OpusOpusHead"),
            (Track::Video, 0, b"\x91hvc1\x00\x00\x21\xEE"),
            (Track::Audio, 7, b"\x91Opus\xFC"),
            (Track::Video, 33, b"\xA3hvc1\xEE"),
            (Track::Audio, 27, b"\x91Opus\xFC"),
            (Track::Video, 66, b"\xA7\x02\x00\x00\x09\x03hvc1\xEE"),
            (Track::Audio, 47, b"\x92Opus"),
            (Track::Video, 66, b"\x92hvc1"),
        ]);
        assert_eq!((summary.video_frames, summary.key_frames, summary.audio_frames), (3, 1, 2));
        assert_eq!((summary.config_changes, summary.largest_gap_ms), (0, 33));
        assert_eq!(summary.faults, [""; 0]);
    }

    #[test]
    fn another_codec_with_the_same_configuration_is_a_change() {
        let summary =
            received(&[(Track::Video, 0, b"\x90vp09\x01"), (Track::Video, 0, b"\x90av01\x01")]);
        assert_eq!(summary.config_changes, 1);
    }

    #[test]
    fn silence_is_no_fault_and_no_access_unit() {
        let summary =
            received(&[(Track::Audio, 0, &[0xAF, 0, 0x11, 0x90]), (Track::Audio, 20, &[])]);
        assert_eq!(summary.audio_frames, 0);
        assert_eq!(summary.faults, ["no video arrived", "no audio arrived"]);
    }

    #[test]
    fn several_tracks_in_one_message_are_a_fault_by_name() {
        let summary = received(&[(Track::Video, 40, b"\x96\x01hvc1\x00")]);
        let message =
            "Video at 40 ms: the tag carries several tracks (Multitrack), which is not supported";
        assert_eq!(summary.faults[0], message);
    }
}
