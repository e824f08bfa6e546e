//! Choosing encoders by trying them.
//!
//! A registered element may not work: some boards register a hardware encoder that the chip does not
//! have. So each is opened with the settings of the capture and given frames or samples until
//! something comes out.

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
        gst::trial::{Trial, TrialError},
        request::{AudioSettings, Request, VideoSettings},
    },
    limits::CAPTURE_AUDIO_BLOCK_SAMPLES,
};

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
    let tried = probe_frames(encoder, &layouts, video, FrameFormat::drawn(*layout));
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
) -> Result<(), CaptureError> {
    let Chosen { video: encoder, layouts, .. } = chosen;
    if layouts.first() == Some(&frames.layout) || !layouts.contains(&frames.layout) {
        return Ok(());
    }
    let Err(why) = probe_frames(encoder, layouts, &request.video, frames) else { return Ok(()) };
    tracing::warn!("{} does not take {}: {why}", encoder.element, frames.layout);
    if why == TrialError::Hangs {
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

fn probe_frames(
    encoder: &VideoEncoderSpec,
    layouts: &[VideoFormat],
    video: &VideoSettings,
    frames: FrameFormat,
) -> Result<(), TrialError> {
    let content = grey_frame(video, frames.layout).map_err(TrialError::Fails)?;
    let interval = gst::ClockTime::from_nseconds(1_000_000_000 / u64::from(video.fps.max(1)));
    let description = description::video_pipeline(encoder, layouts, video, frames);
    let (input, output) = (description::VIDEO_IN, description::VIDEO_OUT);
    Trial { description, input, output, content, interval }.run(|_| Ok(()))
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
    let content = gst::Buffer::from_slice(vec![0_u8; bytes]);
    let rate = u64::from(audio.sample_rate_hz.max(1));
    let duration = CAPTURE_AUDIO_BLOCK_SAMPLES as u64 * 1_000_000_000 / rate;
    let interval = gst::ClockTime::from_nseconds(duration);
    let description = description::audio_pipeline(encoder, audio);
    let (input, output) = (description::AUDIO_IN, description::AUDIO_OUT);
    let trial = Trial { description, input, output, content, interval };
    trial.run(|_| Ok(())).map_err(|error| error.to_string())
}
