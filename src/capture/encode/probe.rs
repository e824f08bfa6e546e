//! Choosing encoders by trying them.
//!
//! A registered element may not work: some boards register a hardware encoder that the chip does not
//! have. So each is opened with the settings of the capture and given frames or samples until
//! something comes out.

use std::{str::FromStr, time::Duration};

use gstreamer as gst;
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
            caps,
            description::PipelineDescription,
            trial::{Trial, TrialError},
        },
        request::{AudioSettings, Request, VideoSettings},
        threads::Deadline,
    },
    limits::{CAPTURE_AUDIO_BLOCK_SAMPLES, CAPTURE_DRIVER_TIMEOUT},
};

/// The first encoder of each track that works.
pub fn choose(request: &Request, deadline: Deadline) -> Result<Chosen, CaptureError> {
    let video = first_video(&request.encoders.video, request, deadline)?;
    Ok(Chosen {
        video,
        layouts: video.layouts(),
        imports: false,
        audio: first("AAC", &request.encoders.audio, encoders::audio, |encoder| {
            probe_audio(encoder, &request.audio, deadline.at_most(CAPTURE_DRIVER_TIMEOUT))
        })?,
    })
}

/// The first H.264 encoder of the board that works, apart from one that does not.
///
/// # Errors
/// [`CaptureError::NoEncoder`] when there is none.
pub fn another_video(
    failed: &VideoEncoderSpec,
    request: &Request,
    deadline: Deadline,
) -> Result<&'static VideoEncoderSpec, CaptureError> {
    let mut order = request.encoders.video.clone();
    order.retain(|element| element != failed.element);
    first_video(&order, request, deadline)
}

fn first_video(
    order: &[String],
    request: &Request,
    deadline: Deadline,
) -> Result<&'static VideoEncoderSpec, CaptureError> {
    first("H.264", order, encoders::video, |encoder| {
        probe_video(encoder, &request.video, deadline.at_most(CAPTURE_DRIVER_TIMEOUT))
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
pub fn probe_video(
    encoder: &VideoEncoderSpec,
    video: &VideoSettings,
    at_most: Duration,
) -> Result<(), String> {
    let (width_max, height_max) = encoder.size_max;
    if video.width > width_max || video.height > height_max {
        return Err(format!("takes no frame larger than {width_max}x{height_max}"));
    }
    let layouts = encoder.layouts();
    // The table has one for each.
    let Some(layout) = layouts.first() else { return Err("takes no layout".to_owned()) };
    let tried = probe_frames(encoder, &layouts, video, FrameFormat::drawn(*layout), at_most);
    tried.map_err(|error| error.to_string())
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
    deadline: Deadline,
) -> Result<(), CaptureError> {
    let Chosen { video: encoder, layouts, .. } = chosen;
    if layouts.first() == Some(&frames.layout) || !layouts.contains(&frames.layout) {
        return Ok(());
    }
    let at_most = deadline.at_most(CAPTURE_DRIVER_TIMEOUT);
    let tried = probe_frames(encoder, layouts, &request.video, frames, at_most);
    let Err(why) = tried else { return Ok(()) };
    tracing::warn!("{} does not take {}: {why}", encoder.element, frames.layout);
    if why == TrialError::Hangs {
        return pass_over(chosen, request, deadline);
    }
    layouts.retain(|layout| *layout != frames.layout);
    Ok(())
}

/// Lets the encoder read frames where the camera has put them, if it can do that with `frame`, which is
/// one of them. Otherwise nothing is lost but the copy; one whose driver hangs is not used at all.
///
/// # Errors
/// [`CaptureError::NoEncoder`] when there is no other one.
pub fn try_import(
    chosen: &mut Chosen,
    request: &Request,
    frames: FrameFormat,
    frame: gst::Buffer,
    deadline: Deadline,
) -> Result<(), CaptureError> {
    let encoder = chosen.video;
    let Some(import) = encoder.imports.filter(|_| chosen.layouts.contains(&frames.layout)) else {
        return Ok(());
    };
    let caps = gst::Caps::from_str(&caps::raw_video(&request.video, frames));
    let info = caps.and_then(|caps| gst_video::VideoInfo::from_caps(&caps));
    if !info.is_ok_and(|info| import.takes(&frame, &info)) {
        tracing::info!(
            "{} copies frames: they lie in memory that it does not read",
            encoder.element
        );
        return Ok(());
    }
    let video = &request.video;
    let description =
        description::video_pipeline(encoder, &chosen.layouts, video, frames, Some(&import));
    match trial(description, video, frame, deadline.at_most(CAPTURE_DRIVER_TIMEOUT)) {
        Ok(()) => {
            tracing::info!("{} reads the camera's frames where they lie", encoder.element);
            chosen.imports = true;
        }
        Err(TrialError::Hangs) => {
            tracing::warn!("{} hangs with the camera's frames", encoder.element);
            return pass_over(chosen, request, deadline);
        }
        Err(why) => tracing::info!(
            "{} copies frames, and cannot read them where they lie: {why}",
            encoder.element
        ),
    }
    Ok(())
}

/// Chooses another encoder than this one, whose device is not to be had back.
fn pass_over(
    chosen: &mut Chosen,
    request: &Request,
    deadline: Deadline,
) -> Result<(), CaptureError> {
    chosen.video = another_video(chosen.video, request, deadline)?;
    chosen.layouts = chosen.video.layouts();
    Ok(())
}

fn probe_frames(
    encoder: &VideoEncoderSpec,
    layouts: &[VideoFormat],
    video: &VideoSettings,
    frames: FrameFormat,
    at_most: Duration,
) -> Result<(), TrialError> {
    let content = grey_frame(video, frames.layout).map_err(TrialError::Fails)?;
    let description = description::video_pipeline(encoder, layouts, video, frames, None);
    trial(description, video, content, at_most)
}

/// Whether something comes out of an encoder's pipeline that is given this frame again and again.
fn trial(
    description: PipelineDescription,
    video: &VideoSettings,
    content: gst::Buffer,
    at_most: Duration,
) -> Result<(), TrialError> {
    let interval = gst::ClockTime::from_nseconds(1_000_000_000 / u64::from(video.fps.max(1)));
    let (input, output) = (description::VIDEO_IN, description::VIDEO_OUT);
    Trial { description, input, output, content, interval }.run(at_most, |_| Ok(()))
}

/// A grey frame as encoders take it.
fn grey_frame(video: &VideoSettings, layout: VideoFormat) -> Result<gst::Buffer, String> {
    let info = gst_video::VideoInfo::builder(layout, video.width, video.height);
    let info = info.build().map_err(|error| error.to_string())?;
    Ok(gst::Buffer::from_slice(vec![128_u8; info.size()]))
}

/// Whether an AAC encoder works with these settings; if not, why.
pub fn probe_audio(
    encoder: &AudioEncoderSpec,
    audio: &AudioSettings,
    at_most: Duration,
) -> Result<(), String> {
    let bytes = CAPTURE_AUDIO_BLOCK_SAMPLES * audio.channels as usize * size_of::<i16>();
    let content = gst::Buffer::from_slice(vec![0_u8; bytes]);
    let rate = u64::from(audio.sample_rate_hz.max(1));
    let duration = CAPTURE_AUDIO_BLOCK_SAMPLES as u64 * 1_000_000_000 / rate;
    let interval = gst::ClockTime::from_nseconds(duration);
    let description = description::audio_pipeline(encoder, audio);
    let (input, output) = (description::AUDIO_IN, description::AUDIO_OUT);
    let trial = Trial { description, input, output, content, interval };
    trial.run(at_most, |_| Ok(())).map_err(|error| error.to_string())
}
