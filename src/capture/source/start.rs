//! Opening the sources of a request at the start.

use std::sync::Arc;

use gstreamer as gst;
use gstreamer_video::VideoFormat;

use super::{
    managed::ManagedSource,
    opener::{OpenSource, SourceOpener},
};
use crate::{
    capture::{
        decode::JpegDecoders,
        discovery::{SourcePlan, hotplug},
        error::CaptureError,
        frame_format::{FrameFormat, WantedFrames},
        gst::clock::MediaClock,
        request::{Request, StartWithout},
        stats::Counters,
        threads::{Bounded, Notifier, Threads},
    },
    limits::CAPTURE_DRIVER_TIMEOUT,
};

/// Opens the sources of a request at the same time. When one cannot be opened, the others are closed
/// as they are dropped. The frames of the broadcast have the form of the camera's, and from then on a
/// camera delivers that one; without a camera it is that of the first layout. The camera's first frame
/// is given too, as it lies.
pub fn start_all(
    request: &Request,
    layouts: &[VideoFormat],
    decoders: JpegDecoders,
    clock: &MediaClock,
    counters: &Arc<Counters>,
    threads: &Threads,
    wake: &Notifier,
) -> Result<(Vec<ManagedSource>, FrameFormat, Option<gst::Buffer>), CaptureError> {
    let refused = |error: std::io::Error| CaptureError::Gstreamer(error.to_string());
    let mut opening = Vec::new();
    let arrivals = threads.notifier();
    let plans = SourcePlan::of(request);
    if plans.iter().any(SourcePlan::is_device) {
        hotplug::listen(threads, arrivals.clone());
    }
    for plan in plans {
        let (video, audio) = (request.video.clone(), request.audio.clone());
        let (clock, counters) = (clock.clone(), Arc::clone(counters));
        let frames = WantedFrames::OneOf(layouts.to_vec());
        let decoders = decoders.clone();
        let opener = SourceOpener { plan, video, frames, audio, clock, counters, decoders };
        let first = opener.clone();
        let opened =
            Bounded::start("capture-open", CAPTURE_DRIVER_TIMEOUT, move || first.open(|| false))
                .map_err(refused)?;
        opening.push((opener, opened));
    }
    let first = layouts.first().copied().unwrap_or(VideoFormat::I420);
    let mut frames = FrameFormat::drawn(first);
    let (mut all, mut first_frame) = (Vec::new(), None);
    for (opener, opened) in opening {
        let hung = || Err(opener.plan.unavailable("its driver does not respond".to_owned()));
        let opened = match opened.wait().unwrap_or_else(hung) {
            Ok(opened) => Some(opened),
            Err(error) if may_be_absent(&opener.plan, request.start_without) => {
                tracing::warn!(%error, "starting without this source");
                None
            }
            Err(error) => return Err(error),
        };
        frames = opened.as_ref().and_then(OpenSource::frames).unwrap_or(frames);
        first_frame = opened.as_ref().and_then(OpenSource::first_frame).or(first_frame);
        all.push((opener, opened));
    }
    let sources = all.into_iter().map(|(opener, opened)| {
        let opener = SourceOpener { frames: WantedFrames::Exactly(frames), ..opener };
        ManagedSource::start(opener, opened, threads, wake, &arrivals).map_err(refused)
    });
    Ok((sources.collect::<Result<_, _>>()?, frames, first_frame))
}

/// Whether the owner allows going live without this source. A clip must exist, because nobody plugs
/// it in later.
fn may_be_absent(plan: &SourcePlan, start_without: StartWithout) -> bool {
    plan.is_live()
        && (!plan.has_video() || start_without.camera)
        && (!plan.has_audio() || start_without.microphone)
}
