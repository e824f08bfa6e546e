//! What capture and publishing report, in the words of the machine.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::appliance::{DestinationId, PipelineEvent, PipelineFault, Presence, Source};
use crate::capture::{self, CameraSource, CaptureError, Fault};
use crate::config::Settings;
use crate::control::{
    CaptureEvent, ConnectionCounters, Event, Missing, PublishFailure, PublishReport, SourceFound,
    SourceLook,
};
use crate::limits::BASE64_LINE_CHARS;
use crate::media::Track;
use crate::publish::{ConnectionStats, PublishError, Report, What};
use crate::status::{DropStats, StillImage};

/// A report of a publish task.
pub(crate) fn publish_event(report: Report) -> Event {
    let what = match report.what {
        What::Accepted => PublishReport::Accepted,
        What::Returned => PublishReport::Returned,
        What::TargetBitrate(kbps) => PublishReport::TargetBitrate(kbps),
        What::Ended(ended) => PublishReport::Ended(ended.map_err(|error| failure(&error))),
    };
    let dest = DestinationId(report.destination);
    Event::Publish { dest, attempt: report.attempt, what }
}

/// Why an attempt has ended.
pub(super) fn failure(error: &PublishError) -> PublishFailure {
    PublishFailure { evidence: error.evidence(), message: error.to_string() }
}

/// The counters of a connection.
pub(super) fn counters(stats: &ConnectionStats) -> ConnectionCounters {
    let (queue, dropped) = (stats.queue, stats.queue.dropped);
    ConnectionCounters {
        sent_bytes: stats.sent_bytes,
        acknowledged_bytes: stats.acknowledged_bytes,
        in_flight_bytes: stats.in_flight_bytes.map(u64::from),
        frames_sent: stats.messages,
        dropped: DropStats {
            video_disposable: dropped.video_disposable,
            video_delta: dropped.video_delta,
            video_key: dropped.video_key,
            audio: dropped.audio,
        },
        queue_ms: queue.span.as_millis() as u64,
        queue_bytes: queue.bytes as u64,
        rtt_ms: stats.rtt_us.map(|us| (us / 1_000) as u32),
    }
}

/// An event of a running capture.
pub(crate) fn capture_event(event: capture::CaptureEvent) -> CaptureEvent {
    use capture::CaptureEvent as From;
    match event {
        From::Playing => CaptureEvent::Pipeline(PipelineEvent::Playing),
        From::FirstKey => CaptureEvent::Pipeline(PipelineEvent::FirstKey),
        From::SourceLost(of) => CaptureEvent::Source(source(of), Presence::Lost),
        From::SourceBack(of) => CaptureEvent::Source(source(of), Presence::Back),
        From::Exchange { number, source: of, outcome } => {
            CaptureEvent::Exchange { number, source: source(of), outcome }
        }
        From::LeftOut { message } => CaptureEvent::LeftOut(message),
        // A lost source is reported as such; it ends nothing.
        From::Error { fault: Fault::Source(of), message } => {
            CaptureEvent::SourceFailed(format!("{of:?} failed: {message}"))
        }
        From::Error { fault: Fault::Encoder, message } => {
            let fault = PipelineFault::Encoder;
            CaptureEvent::Pipeline(PipelineEvent::Error { fault, message })
        }
        From::Ended => CaptureEvent::Pipeline(PipelineEvent::Ended),
    }
}

/// Whether the sources of a request are there, which comes of these settings, and which others could be
/// chosen.
pub(super) fn look(request: &capture::Request, settings: &Settings) -> SourceLook {
    let mut missing = Missing::default();
    let mut found = |source, choices: Vec<(String, String)>, note| {
        let (presence, absent) = match request.check_presence(source) {
            Ok(()) if request.presence_is_unknown(source) => (Presence::Unsure, None),
            Ok(()) => (Presence::Back, None),
            Err(error) => {
                let of = match source {
                    capture::Source::Camera => &mut missing.camera,
                    capture::Source::Microphone => &mut missing.microphone,
                };
                *of = Some(error.to_string());
                let (CaptureError::NoCamera { why, .. } | CaptureError::NoMicrophone { why, .. }) =
                    error
                else {
                    return SourceFound { presence: Presence::Lost, ..SourceFound::default() };
                };
                (Presence::Lost, Some(why))
            }
        };
        let choices = choices.into_iter().map(|(device, _)| device).collect();
        SourceFound { presence, absent, choices, note }
    };
    let capture::DevicesToChoose { cameras, microphones } = capture::devices_to_choose();
    let has_modes = matches!(request.camera, CameraSource::V4l2 { .. });
    let is_unused = !settings.camera.mode.is_auto() && !has_modes;
    let note = is_unused.then(|| {
        format!(
            "the camera is {}, which has no modes to choose from; one that camera.device names has",
            request.camera
        )
    });
    let camera = found(capture::Source::Camera, cameras, note);
    let microphone = found(capture::Source::Microphone, microphones, None);
    SourceLook { camera, microphone, missing }
}

/// A frame of the video, in lines of text.
pub(super) fn still(taken: &capture::Still) -> StillImage {
    // Three bytes are four characters, so that no line but the last one is padded.
    let lines = taken.jpeg.chunks(BASE64_LINE_CHARS / 4 * 3);
    let base64 = lines.map(|line| STANDARD.encode(line)).collect();
    StillImage { width: taken.width, height: taken.height, bytes: taken.jpeg.len(), base64 }
}

/// The appliance's name for a source.
fn source(source: capture::Source) -> Source {
    match source {
        capture::Source::Camera => Source::Camera,
        capture::Source::Microphone => Source::Microphone,
    }
}

/// The appliance's name for what kept a capture from starting.
pub(super) fn start_fault(error: &CaptureError) -> PipelineFault {
    match error {
        CaptureError::NoCamera { .. }
        | CaptureError::FileUnreadable { .. }
        | CaptureError::NoTrack { track: Track::Video, .. } => PipelineFault::Camera,
        CaptureError::NoMicrophone { .. } | CaptureError::NoTrack { track: Track::Audio, .. } => {
            PipelineFault::Microphone
        }
        CaptureError::NoEncoder { .. } | CaptureError::MissingPlugin { .. } => {
            PipelineFault::Encoder
        }
        CaptureError::BadRequest { .. } | CaptureError::Slate(_) | CaptureError::Gstreamer(_) => {
            PipelineFault::Internal
        }
    }
}
