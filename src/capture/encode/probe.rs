//! Choosing encoders by trying them.
//!
//! A registered element may not work: some boards register a hardware encoder that the chip does not
//! have. So each is opened with the settings of the capture and given frames or samples until
//! something comes out.

use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer_app as gst_app;
use gstreamer_video::{self as gst_video, VideoFormat};

use super::{
    description,
    encoders::{self, AudioEncoderSpec, Chosen, VideoEncoderSpec},
};
use crate::{
    capture::{
        error::{CaptureError, Rejected},
        frame_format::FrameFormat,
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
        CAPTURE_AUDIO_BLOCK_SAMPLES, CAPTURE_DRIVER_TIMEOUT, CAPTURE_FRAMES_WAITING_MAX,
        CAPTURE_PROBE_TIMEOUT,
    },
};

/// How often the output is polled.
const POLL: Duration = Duration::from_millis(10);

/// The first encoder of each track that works.
pub fn choose(request: &Request) -> Result<Chosen, CaptureError> {
    let video = first("H.264", &request.encoders.video, encoders::video, |encoder| {
        probe_video(encoder, &request.video)
    })?;
    Ok(Chosen {
        video,
        layouts: video.layouts(),
        audio: first("AAC", &request.encoders.audio, encoders::audio, |encoder| {
            probe_audio(encoder, &request.audio)
        })?,
    })
}

fn first<E>(
    what: &'static str,
    order: &[String],
    lookup: impl Fn(&str) -> Option<&'static E>,
    probe: impl Fn(&'static E) -> Result<(), String>,
) -> Result<&'static E, CaptureError> {
    let mut tried = Vec::<Rejected>::new();
    for element in order {
        let result = lookup(element)
            .ok_or_else(|| "is not an encoder that firstmile knows".to_owned())
            .and_then(|encoder| probe(encoder).map(|()| encoder));
        match result {
            Ok(encoder) => {
                for Rejected { element, why } in &tried {
                    tracing::warn!("{element} is not used: {why}");
                }
                tracing::info!("{what} encoder: {element}");
                return Ok(encoder);
            }
            // Logged when another one works, part of the error when none does.
            Err(why) => tried.push(Rejected { element: element.clone(), why }),
        }
    }
    Err(CaptureError::NoEncoder { what, tried })
}

/// Whether an H.264 encoder works with these settings; if not, why.
pub fn probe_video(encoder: &VideoEncoderSpec, video: &VideoSettings) -> Result<(), String> {
    let (width_max, height_max) = encoder.size_max;
    if video.width > width_max || video.height > height_max {
        return Err(format!("takes no frame larger than {width_max}x{height_max}"));
    }
    let layouts = encoder.layouts();
    // The table has one for each.
    let Some(layout) = layouts.first() else { return Err("takes no layout".to_owned()) };
    probe_frames(encoder, &layouts, video, FrameFormat::drawn(*layout))
}

/// Leaves out the layout of these frames when the encoder claims to take it but does not; they are
/// converted to one that it takes. One whose driver hangs with them is not used at all: its device is
/// not to be had back.
///
/// # Errors
/// [`CaptureError::NoEncoder`] when there is no other one.
pub fn confirm(
    chosen: &mut Chosen,
    request: &Request,
    frames: FrameFormat,
) -> Result<(), CaptureError> {
    let Chosen { video: encoder, layouts, .. } = chosen;
    if layouts.first() == Some(&frames.layout) || !layouts.contains(&frames.layout) {
        return Ok(());
    }
    let Err(why) = probe_frames(encoder, layouts, &request.video, frames) else { return Ok(()) };
    tracing::warn!("{} does not take {}: {why}", encoder.element, frames.layout);
    if why == HANGS {
        let mut order = request.encoders.video.clone();
        order.retain(|element| element != encoder.element);
        chosen.video = first("H.264", &order, encoders::video, |encoder| {
            probe_video(encoder, &request.video)
        })?;
        chosen.layouts = chosen.video.layouts();
    } else {
        layouts.retain(|layout| *layout != frames.layout);
    }
    Ok(())
}

const HANGS: &str = "its driver does not respond";

fn probe_frames(
    encoder: &VideoEncoderSpec,
    layouts: &[VideoFormat],
    video: &VideoSettings,
    frames: FrameFormat,
) -> Result<(), String> {
    let frame = grey_frame(video, frames.layout)?;
    let interval = gst::ClockTime::from_nseconds(1_000_000_000 / u64::from(video.fps.max(1)));
    let description = description::video_pipeline(encoder, layouts, video, frames);
    probe(description, description::VIDEO_IN, description::VIDEO_OUT, frame, interval)
}

/// A grey frame as encoders take it.
fn grey_frame(video: &VideoSettings, layout: VideoFormat) -> Result<gst::Buffer, String> {
    let info = gst_video::VideoInfo::builder(layout, video.width, video.height);
    let info = info.build().map_err(|error| error.to_string())?;
    Ok(gst::Buffer::from_slice(vec![128_u8; info.size()]))
}

/// Whether an AAC encoder works with these settings; if not, why.
pub fn probe_audio(encoder: &AudioEncoderSpec, audio: &AudioSettings) -> Result<(), String> {
    let bytes = CAPTURE_AUDIO_BLOCK_SAMPLES * audio.channels as usize * size_of::<i16>();
    let block = gst::Buffer::from_slice(vec![0_u8; bytes]);
    let rate = u64::from(audio.sample_rate_hz.max(1));
    let duration = CAPTURE_AUDIO_BLOCK_SAMPLES as u64 * 1_000_000_000 / rate;
    let interval = gst::ClockTime::from_nseconds(duration);
    let description = description::audio_pipeline(encoder, audio);
    probe(description, description::AUDIO_IN, description::AUDIO_OUT, block, interval)
}

/// Probes on a thread of its own, because the driver may hang.
fn probe(
    description: PipelineDescription,
    input: &'static str,
    output: &'static str,
    content: gst::Buffer,
    interval: gst::ClockTime,
) -> Result<(), String> {
    let work = move || probe_here(&description, input, output, &content, interval);
    Bounded::start("capture-probe", CAPTURE_DRIVER_TIMEOUT, work)
        .map_err(|error| error.to_string())?
        .wait()
        .unwrap_or_else(|| Err(HANGS.to_owned()))
}

fn probe_here(
    description: &PipelineDescription,
    input: &str,
    output: &str,
    content: &gst::Buffer,
    interval: gst::ClockTime,
) -> Result<(), String> {
    let running = Running::build(description).map_err(|error| error.to_string())?;
    let source: gst_app::AppSrc = running.element(input).map_err(|error| error.to_string())?;
    let sink: gst_app::AppSink = running.element(output).map_err(|error| error.to_string())?;
    MediaClock::start().drive(running.pipeline());
    let failure = Failure::default();
    let noted = failure.clone();
    bus::listen(running.pipeline(), move |event| {
        if let BusEvent::Error { message } = event {
            noted.note(message);
        }
    });
    running.play().map_err(|error| failure.message().unwrap_or_else(|| error.to_string()))?;

    let deadline = Instant::now() + CAPTURE_PROBE_TIMEOUT;
    let waiting_max = CAPTURE_FRAMES_WAITING_MAX * content.size() as u64;
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
        if let Some(message) = failure.message() {
            return Err(message);
        }
    }
    Err(format!("nothing came out within {} s", CAPTURE_PROBE_TIMEOUT.as_secs()))
}
