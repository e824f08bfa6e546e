//! Choosing encoders by seeing them work.
//!
//! An element that is registered need not work: some boards register a hardware encoder that the
//! chip does not have. So each is opened with the settings of the programme and given pictures or
//! samples until something comes out.

use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;

use super::{
    description,
    encoders::{self, AudioEncoder, Chosen, VideoEncoder},
};
use crate::{
    capture::{
        error::{CaptureError, Rejected},
        gst::{
            build::Running,
            bus::{self, BusEvent, Failure},
            clock::MediaClock,
            description::PipelineDescription,
        },
        request::{AudioSettings, Request, VideoSettings},
        threads::Bounded,
    },
    limits::{
        CAPTURE_AUDIO_BLOCK_SAMPLES, CAPTURE_DRIVER_TIMEOUT, CAPTURE_PICTURES_WAITING_MAX,
        CAPTURE_TRIAL_TIMEOUT,
    },
};

/// How often output is looked for.
const POLL: Duration = Duration::from_millis(10);

/// The first encoder of each track that works.
pub fn choose(request: &Request) -> Result<Chosen, CaptureError> {
    Ok(Chosen {
        video: first("H.264", &request.encoders.video, encoders::video, |encoder| {
            try_video(encoder, &request.video)
        })?,
        audio: first("AAC", &request.encoders.audio, encoders::audio, |encoder| {
            try_audio(encoder, &request.audio)
        })?,
    })
}

fn first<E>(
    what: &'static str,
    order: &[String],
    lookup: impl Fn(&str) -> Option<&'static E>,
    attempt: impl Fn(&'static E) -> Result<(), String>,
) -> Result<&'static E, CaptureError> {
    let mut tried = Vec::<Rejected>::new();
    for element in order {
        let result = lookup(element)
            .ok_or_else(|| "is not an encoder that firstmile knows".to_owned())
            .and_then(|encoder| attempt(encoder).map(|()| encoder));
        match result {
            Ok(encoder) => {
                for Rejected { element, why } in &tried {
                    tracing::warn!("{element} is not taken: {why}");
                }
                tracing::info!("{what} is made by {element}");
                return Ok(encoder);
            }
            // Told here when another one is taken, by the error when none is.
            Err(why) => tried.push(Rejected { element: element.clone(), why }),
        }
    }
    Err(CaptureError::NoEncoder { what, tried })
}

/// Whether an H.264 encoder works with these settings; if not, why.
pub fn try_video(encoder: &VideoEncoder, video: &VideoSettings) -> Result<(), String> {
    let (width_max, height_max) = encoder.size_max;
    if video.width > width_max || video.height > height_max {
        return Err(format!("takes no picture larger than {width_max}x{height_max}"));
    }
    let picture = grey_frame(video)?;
    let interval = gst::ClockTime::from_nseconds(1_000_000_000 / u64::from(video.fps.max(1)));
    let description = description::video_pipeline(encoder, video);
    attempt(description, description::VIDEO_IN, description::VIDEO_OUT, picture, interval)
}

/// A frame of one grey in the form that encoders take.
fn grey_frame(video: &VideoSettings) -> Result<gst::Buffer, String> {
    let info =
        gst_video::VideoInfo::builder(gst_video::VideoFormat::I420, video.width, video.height);
    let info = info.build().map_err(|error| error.to_string())?;
    Ok(gst::Buffer::from_slice(vec![128_u8; info.size()]))
}

/// Whether an AAC encoder works with these settings; if not, why.
pub fn try_audio(encoder: &AudioEncoder, audio: &AudioSettings) -> Result<(), String> {
    let bytes = CAPTURE_AUDIO_BLOCK_SAMPLES * audio.channels as usize * size_of::<i16>();
    let block = gst::Buffer::from_slice(vec![0_u8; bytes]);
    let rate = u64::from(audio.sample_rate_hz.max(1));
    let duration = CAPTURE_AUDIO_BLOCK_SAMPLES as u64 * 1_000_000_000 / rate;
    let interval = gst::ClockTime::from_nseconds(duration);
    let description = description::audio_pipeline(encoder, audio);
    attempt(description, description::AUDIO_IN, description::AUDIO_OUT, block, interval)
}

/// Tries on a thread of its own, because a driver that hangs must not hang us.
fn attempt(
    description: PipelineDescription,
    input: &'static str,
    output: &'static str,
    content: gst::Buffer,
    interval: gst::ClockTime,
) -> Result<(), String> {
    let work = move || attempt_here(&description, input, output, &content, interval);
    Bounded::start("capture-trial", CAPTURE_DRIVER_TIMEOUT, work)
        .map_err(|error| error.to_string())?
        .wait()
        .unwrap_or_else(|| Err("its driver does not answer".to_owned()))
}

fn attempt_here(
    description: &PipelineDescription,
    input: &str,
    output: &str,
    content: &gst::Buffer,
    interval: gst::ClockTime,
) -> Result<(), String> {
    let trial = Running::build(description).map_err(|error| error.to_string())?;
    let source: gst_app::AppSrc = trial.element(input).map_err(|error| error.to_string())?;
    let sink: gst_app::AppSink = trial.element(output).map_err(|error| error.to_string())?;
    MediaClock::start().drive(trial.pipeline());
    let failure = Failure::default();
    let noted = failure.clone();
    bus::listen(trial.pipeline(), move |event| {
        if let BusEvent::Error { said } = event {
            noted.note(said);
        }
    });
    trial.play().map_err(|error| failure.message().unwrap_or_else(|| error.to_string()))?;

    let deadline = Instant::now() + CAPTURE_TRIAL_TIMEOUT;
    let waiting_max = CAPTURE_PICTURES_WAITING_MAX * content.size() as u64;
    let mut at = gst::ClockTime::ZERO;
    while Instant::now() < deadline {
        if source.current_level_bytes() < waiting_max {
            let mut buffer = content.copy();
            let times = buffer.make_mut();
            times.set_pts(at);
            times.set_duration(interval);
            at += interval;
            let _ = source.push_buffer(buffer);
        }
        let poll = gst::ClockTime::from_nseconds(POLL.as_nanos() as u64);
        if sink.try_pull_sample(poll).is_some() {
            return Ok(());
        }
        if let Some(said) = failure.message() {
            return Err(said);
        }
    }
    Err(format!("nothing came out within {} s", CAPTURE_TRIAL_TIMEOUT.as_secs()))
}
