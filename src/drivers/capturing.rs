//! The capture, as the loop drives it: opened and closed on the blocking pool, its events left in a
//! mailbox.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{Notify, mpsc};
use tokio::task::spawn_blocking;

use super::device_controls::DeviceControlsThread;
use super::input::Input;
use super::mailbox::Mailbox;
use super::{outcome, plan};
use crate::audio::Adjustments;
use crate::capture::{self, Capture, CaptureError, CaptureEvent, CaptureStats, ControlledSources};
use crate::config::Settings;
use crate::control::{CaptureCounters, ControlOrder, Event, JobResult, SourceLook, Still};
use crate::device_controls::ControlName;
use crate::flv::metadata::Metadata;
use crate::media::FanOut;
use crate::status::{ChannelStats, LevelStats};
use crate::video::Framing;

pub(crate) struct Capturing {
    /// What the board itself would capture.
    board: capture::Request,
    inputs: mpsc::Sender<Input>,
    fan_out: FanOut,
    key_wanted: Arc<Notify>,
    mailbox: Arc<Mailbox>,
    /// Those that hold devices, by their runs; of several the last one counts.
    running: BTreeMap<u64, Capture>,
    controls: DeviceControlsThread,
}

impl Capturing {
    pub(crate) fn new(board: capture::Request, inputs: mpsc::Sender<Input>) -> Capturing {
        Capturing {
            board,
            inputs,
            fan_out: FanOut::new(),
            key_wanted: Arc::new(Notify::new()),
            mailbox: Arc::new(Mailbox::default()),
            running: BTreeMap::new(),
            controls: DeviceControlsThread::default(),
        }
    }

    pub(crate) fn fan_out(&self) -> FanOut {
        self.fan_out.clone()
    }

    pub(crate) fn begin_broadcast(&self) {
        self.fan_out.restart();
    }

    /// Whether camera and microphone are there.
    pub(crate) fn look(&self, settings: &Settings) -> SourceLook {
        let request = plan::request(&self.board, settings, self.board.video.bitrate_kbps);
        outcome::look(&request, settings)
    }

    pub(crate) fn look_for_devices(
        &self,
        settings: &Settings,
    ) -> impl FnOnce() -> JobResult + Send + 'static {
        let request = plan::request(&self.board, settings, self.board.video.bitrate_kbps);
        move || match capture::devices(&request) {
            Ok(report) => {
                let lines = report.to_string().lines().map(str::to_owned).collect();
                // It is made of structs, texts and numbers.
                JobResult::Devices(serde_json::to_value(report).unwrap_or_default(), lines)
            }
            Err(error) => JobResult::Failed(error.to_string()),
        }
    }

    /// Sets the hardware controls of devices that are there.
    pub(crate) fn restore_controls(&mut self, settings: &Settings, reset: Vec<ControlName>) {
        let sources = self.sources(settings);
        self.controls.restore(sources, settings, reset);
    }

    /// Asks or sets hardware controls of a device.
    pub(crate) fn controls(
        &mut self,
        settings: &Settings,
        order: ControlOrder,
    ) -> impl FnOnce() -> JobResult + Send + 'static {
        let sources = self.sources(settings);
        self.controls.answer(sources, order)
    }

    /// What profile and settings ask for.
    fn sources(&self, settings: &Settings) -> ControlledSources {
        let request = plan::request(&self.board, settings, self.board.video.bitrate_kbps);
        ControlledSources { camera: request.camera, microphone: request.microphone }
    }

    /// Opening devices takes time, so it happens on the blocking pool. Gives the metadata
    /// for servers.
    pub(crate) fn open(
        &self,
        run: u64,
        settings: &Settings,
        video_kbps: u32,
        (audio, framing): (Adjustments, Framing),
        standby: bool,
    ) -> Metadata {
        let mut request = plan::request(&self.board, settings, video_kbps);
        (request.adjustments, request.framing) = (audio, framing);
        let metadata = plan::metadata(&request);
        let (fan_out, key_wanted) = (self.fan_out.clone(), self.key_wanted.clone());
        let sink: capture::FrameSink = Arc::new(move |frame| {
            if fan_out.publish(frame) {
                key_wanted.notify_one();
            }
        });
        let (inputs, mailbox) = (self.inputs.clone(), self.mailbox.clone());
        spawn_blocking(move || {
            let events = move |event| mailbox.put(run, event);
            let started = match standby {
                true => Capture::start_in_standby(request, sink, events),
                false => Capture::start(request, sink, events),
            };
            // Nobody receives any more when the box is ending.
            let _ = inputs.blocking_send(Input::CaptureStarted(run, started));
        });
        metadata
    }

    /// Camera and microphone of the run are to be these from now on.
    pub(crate) fn exchange(&self, run: u64, number: u64, settings: &Settings) {
        if let Some(capture) = self.running.get(&run) {
            let kbps = self.board.video.bitrate_kbps;
            capture.exchange(number, &plan::request(&self.board, settings, kbps));
        }
    }

    /// What the run captures from now on is for a broadcast. Gives the metadata for servers.
    pub(crate) fn go_on_air(&self, run: u64, settings: &Settings, video_kbps: u32) -> Metadata {
        if let Some(capture) = self.running.get(&run) {
            capture.set_bitrate_kbps(video_kbps);
            capture.go_on_air();
        }
        plan::metadata(&plan::request(&self.board, settings, video_kbps))
    }

    pub(crate) fn started(&mut self, run: u64, started: Result<Capture, CaptureError>) -> Event {
        let failure = match started {
            Ok(capture) => {
                self.running.insert(run, capture);
                None
            }
            Err(error) => Some((outcome::start_fault(&error), error.to_string())),
        };
        Event::CaptureOpened { run, failure }
    }

    /// Closing devices takes time, so it happens on the blocking pool.
    pub(crate) fn close(&mut self, run: u64) {
        let capture = self.running.remove(&run);
        let inputs = self.inputs.clone();
        spawn_blocking(move || {
            drop(capture);
            let _ = inputs.blocking_send(Input::Done(Event::CaptureClosed { run }));
        });
    }

    /// The process ends when the devices are free.
    pub(crate) async fn end(&mut self) {
        let running = std::mem::take(&mut self.running);
        let _ = spawn_blocking(move || drop(running)).await;
    }

    pub(crate) fn set_bitrate_kbps(&self, kbps: u32) {
        self.newest().iter().for_each(|capture| capture.set_bitrate_kbps(kbps));
    }

    pub(crate) fn adjust_audio(&self, adjustments: Adjustments) {
        self.newest().iter().for_each(|capture| capture.adjust_audio(adjustments));
    }

    pub(crate) fn set_framing(&self, framing: Framing) {
        self.newest().iter().for_each(|capture| capture.set_framing(framing));
    }

    pub(crate) fn force_key_frame(&self) {
        self.newest().iter().for_each(|capture| capture.force_key_frame());
    }

    fn newest(&self) -> Option<&Capture> {
        self.running.values().next_back()
    }

    pub(crate) async fn arrived(&self) {
        self.mailbox.arrived().await;
    }

    pub(crate) async fn key_wanted(&self) {
        self.key_wanted.notified().await;
    }

    pub(crate) fn next_event(&self) -> Option<(u64, CaptureEvent)> {
        self.mailbox.next()
    }

    /// Waits for the next frame and makes a JPEG of it.
    pub(crate) fn still(&self, still: Still) -> impl FnOnce() -> JobResult + Send + 'static {
        let stills = self.newest().map(Capture::stills);
        move || {
            let ended = || "the capture has just ended; try again".to_owned();
            let taken = stills.ok_or_else(ended);
            match taken.and_then(|stills| stills.next(still.longest_side, still.quality)) {
                Ok(taken) => JobResult::Still(outcome::still(&taken)),
                Err(why) => JobResult::Failed(why),
            }
        }
    }

    pub(crate) fn levels(&self) -> Option<LevelStats> {
        self.newest().map(|capture| levels(&capture.stats()))
    }

    pub(crate) fn counters(&self) -> Option<CaptureCounters> {
        let stats = self.newest()?.stats();
        let levels = levels(&stats);
        Some(CaptureCounters {
            video_bytes: stats.video_bytes,
            video_frames: stats.video_frames,
            is_passed_through: stats.video_encoder == capture::CAMERA_AS_ENCODER,
            encoder: stats.video_encoder,
            target_kbps: stats.bitrate_kbps,
            restarts: stats.encoder_restarts,
            frames_broken: stats.frames_corrupt,
            frames_skipped: stats.frames_skipped,
            levels,
        })
    }
}

fn levels(stats: &CaptureStats) -> LevelStats {
    let channel = |level: &capture::ChannelLevel| ChannelStats {
        peak_dbfs: level.peak_dbfs,
        rms_dbfs: level.rms_dbfs,
        true_peak_dbtp: level.true_peak_dbtp,
    };
    LevelStats {
        channels: stats.levels.channels.iter().map(channel).collect(),
        loudness_lufs: stats.levels.loudness_lufs,
        limited_db: stats.levels.limited_db,
        clips: stats.levels.clips.clone(),
        silent_for_ms: stats.levels.silent_for_ms,
        black_for_ms: stats.levels.black_for_ms,
        microphone_drift_ppm: stats.microphone_drift_ppm,
    }
}
