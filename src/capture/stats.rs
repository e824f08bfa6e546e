//! Statistics of a running capture.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

use crate::media::Kind;

/// What the video encoder is called where the camera delivers H.264 that is sent as it is.
pub const CAMERA_AS_ENCODER: &str = "camera";

/// Statistics of a running capture, since its start.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
pub struct CaptureStats {
    /// Video access units sent to the sink.
    pub video_frames: u64,
    /// Key frames among them.
    pub key_frames: u64,
    /// Audio access units sent to the sink.
    pub audio_frames: u64,
    /// Payload bytes of the video.
    pub video_bytes: u64,
    /// Payload bytes of the audio.
    pub audio_bytes: u64,
    /// Access units dropped because they were larger than `ACCESS_UNIT_BYTES_MAX`.
    pub oversize_dropped: u64,
    /// Frames skipped because the encoder was overloaded.
    pub frames_skipped: u64,
    /// Frames repeated because the camera delivered no new one in time.
    pub frames_repeated: u64,
    /// Corrupt frames from the camera; the frame before is repeated instead.
    pub frames_corrupt: u64,
    /// Frames of the slate, shown in place of a lost camera.
    pub slate_frames: u64,
    /// Samples per channel of silence, inserted where the microphone delivered none.
    pub silent_samples: u64,
    /// How often a camera or microphone was lost.
    pub sources_lost: u64,
    /// How often the H.264 encoder was restarted or replaced because it failed or delivered nothing.
    pub encoder_restarts: u64,
    /// The H.264 encoder in use.
    pub video_encoder: String,
    /// The AAC encoder in use.
    pub audio_encoder: String,
    /// Video bitrate that was last set on the encoder, in kbit/s.
    pub bitrate_kbps: u32,
    /// Audio levels, and whether the video is black.
    pub levels: Levels,
    /// How fast the microphone's clock is against the media clock, in parts per million; negative
    /// when it is slow. `None` during the first minute, and for a source without a clock of its own.
    pub microphone_drift_ppm: Option<i32>,
}

/// Audio levels, and whether the video is black.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
pub struct Levels {
    /// Level of each channel over the last 400 ms, as it is sent; empty until they have passed.
    pub channels: Vec<ChannelLevel>,
    /// Loudness over the last three seconds (EBU R 128, short-term), as it is sent, in LUFS; -96 is
    /// silence. `None` until they have passed.
    pub loudness_lufs: Option<f32>,
    /// By how much the limiter turned the audio down at most, over the last 400 ms, in decibels.
    pub limited_db: f32,
    /// How often three samples in a row or more came from the source at full scale, by its channels,
    /// left and right: nothing repairs these.
    pub clips: Vec<u64>,
    /// For how long no sample was above -60 dBFS, in milliseconds; `None` while one is.
    pub silent_for_ms: Option<u64>,
    /// For how long the video has been black, in milliseconds; `None` while it is not.
    pub black_for_ms: Option<u64>,
}

/// Level of one audio channel.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct ChannelLevel {
    /// The loudest sample, in dBFS; -96 is digital silence.
    pub peak_dbfs: f32,
    /// The root mean square, in dBFS of a full-scale square wave (IEC 61606-3 takes a sine, which
    /// reads 3 dB more).
    pub rms_dbfs: f32,
    /// The highest point, between samples too (ITU-R BS.1770), in dBTP.
    pub true_peak_dbtp: f32,
}

/// The same, while it is being counted.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) video_frames: AtomicU64,
    pub(super) key_frames: AtomicU64,
    pub(super) audio_frames: AtomicU64,
    pub(super) video_bytes: AtomicU64,
    pub(super) audio_bytes: AtomicU64,
    pub(super) oversize: AtomicU64,
    pub(super) skipped: AtomicU64,
    pub(super) repeated: AtomicU64,
    pub(super) corrupt: AtomicU64,
    pub(super) slate: AtomicU64,
    pub(super) silent: AtomicU64,
    pub(super) lost: AtomicU64,
    pub(super) encoder_restarts: AtomicU64,
    pub(super) bitrate_kbps: AtomicU32,
    pub(super) last_video: LastOutput,
    pub(super) last_audio: LastOutput,
    pub(super) last_key: LastOutput,
    measured: Mutex<Measured>,
}

/// What is measured rather than counted.
#[derive(Debug, Default)]
struct Measured {
    levels: Levels,
    drift_ppm: Option<i32>,
}

impl Counters {
    /// Notes the bitrate that was set on the encoder.
    pub(super) fn set_bitrate_kbps(&self, kbps: u32) {
        self.bitrate_kbps.store(kbps, Ordering::Relaxed);
    }

    /// Notes the audio levels, and how fast the clock of the microphone is.
    pub(super) fn note_audio(&self, audio: &Levels, drift_ppm: Option<i32>) {
        let mut measured = self.measured();
        let black_for_ms = measured.levels.black_for_ms;
        measured.levels = Levels { black_for_ms, ..audio.clone() };
        measured.drift_ppm = drift_ppm;
    }

    /// Notes for how long the video has been black.
    pub(super) fn note_black(&self, black_for_ms: Option<u64>) {
        self.measured().levels.black_for_ms = black_for_ms;
    }

    fn measured(&self) -> MutexGuard<'_, Measured> {
        self.measured.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an access unit that came out at media time `now_ns`.
    pub(super) fn count(&self, kind: Kind, bytes: usize, now_ns: u64) {
        let add = |counter: &AtomicU64, n: u64| counter.fetch_add(n, Ordering::Relaxed);
        match kind {
            Kind::Audio => {
                add(&self.audio_frames, 1);
                add(&self.audio_bytes, bytes as u64);
                self.last_audio.note(now_ns);
            }
            Kind::VideoKey | Kind::VideoDelta | Kind::VideoDisposable => {
                add(&self.video_frames, 1);
                add(&self.video_bytes, bytes as u64);
                add(&self.key_frames, u64::from(kind == Kind::VideoKey));
                self.last_video.note(now_ns);
                if kind == Kind::VideoKey {
                    self.last_key.note(now_ns);
                }
            }
            Kind::VideoConfig | Kind::AudioConfig => {}
        }
    }

    pub(super) fn snapshot(&self, video_encoder: &str, audio_encoder: &str) -> CaptureStats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let measured = self.measured();
        CaptureStats {
            video_frames: get(&self.video_frames),
            key_frames: get(&self.key_frames),
            audio_frames: get(&self.audio_frames),
            video_bytes: get(&self.video_bytes),
            audio_bytes: get(&self.audio_bytes),
            oversize_dropped: get(&self.oversize),
            frames_skipped: get(&self.skipped),
            frames_repeated: get(&self.repeated),
            frames_corrupt: get(&self.corrupt),
            slate_frames: get(&self.slate),
            silent_samples: get(&self.silent),
            sources_lost: get(&self.lost),
            encoder_restarts: get(&self.encoder_restarts),
            video_encoder: video_encoder.to_owned(),
            audio_encoder: audio_encoder.to_owned(),
            bitrate_kbps: self.bitrate_kbps.load(Ordering::Relaxed),
            levels: measured.levels.clone(),
            microphone_drift_ppm: measured.drift_ppm,
        }
    }
}

/// When the last access unit of a track came out, in media time.
#[derive(Debug, Default)]
pub(super) struct LastOutput(AtomicU64);

impl LastOutput {
    pub(super) fn note(&self, now_ns: u64) {
        self.0.fetch_max(now_ns, Ordering::Relaxed);
    }

    pub(super) fn at_ns(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
