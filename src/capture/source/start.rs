//! Opening the sources of a request at the start.

use std::{sync::Arc, time::Duration};

use gstreamer as gst;
use gstreamer_video::VideoFormat;

use super::{
    exchange::{SourceSet, Starter},
    known::Known,
    managed::{ManagedSource, Shared},
    opener::{Elements, OpenSource, SourceOpener},
};
use crate::{
    capture::{
        discovery::{HANGS, SourcePlan},
        error::CaptureError,
        frame_format::{FrameFormat, WantedFrames},
        gst::clock::MediaClock,
        request::{Request, StartWithout},
        stats::Counters,
        threads::{Bounded, Deadline, Notifier, Threads},
    },
    limits::{CAPTURE_DRIVER_TIMEOUT, CAPTURE_SEARCH_TIMEOUT},
};

/// The sources of a request.
pub struct Sources {
    pub all: SourceSet,
    /// The form of the broadcast's frames.
    pub frames: FrameFormat,
    /// The camera's first one, as it lies.
    pub first_frame: Option<gst::Buffer>,
    /// Notified when one of them has delivered something.
    pub wake: Notifier,
    /// What the owner has chosen and a source is used without, in words.
    pub notes: Vec<String>,
}

/// Opens the sources of a request at the same time. When one cannot be opened, the others are closed
/// as they are dropped. The frames of the broadcast have the form of the camera's, and from then on a
/// camera delivers that one; without a camera it is that of the first layout. The camera's first frame
/// is given too, as it lies.
pub fn start_all(
    request: &Request,
    layouts: &[VideoFormat],
    elements: Elements,
    clock: &MediaClock,
    counters: &Arc<Counters>,
    threads: &Threads,
    deadline: Deadline,
) -> Result<Sources, CaptureError> {
    let refused = |error: std::io::Error| CaptureError::Gstreamer(error.to_string());
    let mut opening = Vec::new();
    let mut starter = Starter {
        video: request.video.clone(),
        audio: request.audio.clone(),
        frames: WantedFrames::OneOf(layouts.to_vec()),
        clock: clock.clone(),
        counters: Arc::clone(counters),
        elements,
        known: Known::of_this_program(),
        jpeg_order: request.decoders.jpeg.clone(),
        has_tried_decoders: request.camera.may_deliver_jpeg(),
        listens: false,
        shared: Shared::new(threads),
    };
    let plans = SourcePlan::of(request);
    if plans.iter().any(SourcePlan::is_device) {
        starter.listen();
    }
    for plan in plans {
        // It waits for the verdicts about a decoder and a converter first.
        let Elements { decoders, converters, .. } = &starter.elements;
        let verdicts = decoders.verdict_within() + converters.verdict_within();
        // What takes the search its time is not taken from the source.
        let search = if plan.is_device() { CAPTURE_SEARCH_TIMEOUT } else { Duration::ZERO };
        let at_most = deadline.at_most(search + CAPTURE_DRIVER_TIMEOUT + verdicts);
        let opener = starter.opener(plan);
        let first = opener.clone();
        let opened = Bounded::start("capture-open", at_most, move || first.open(|| false));
        let opened = opened.map_err(refused)?;
        opening.push((opener, opened));
    }
    let first = layouts.first().copied().unwrap_or(VideoFormat::I420);
    let mut frames = FrameFormat::drawn(first);
    let (mut all, mut first_frame) = (Vec::new(), None);
    for (opener, opened) in opening {
        let hung = || Err(opener.plan.unavailable(HANGS.to_owned()));
        let opened = match opened.wait().unwrap_or_else(hung) {
            Ok(opened) => Some(opened),
            Err(error) if may_be_absent(&opener.plan, request.start_without) => {
                tracing::warn!(%error, "starting without this source");
                None
            }
            Err(error) => return Err(error),
        };
        frames = opened.as_ref().and_then(OpenSource::frames).unwrap_or(frames);
        let first = opened.as_ref().and_then(|opened| opened.first_frame(&request.video));
        first_frame = first.or(first_frame);
        all.push((opener, opened));
    }
    starter.frames = WantedFrames::Exactly(frames);
    let opened = all.iter().filter_map(|(_, opened)| opened.as_ref());
    let notes = opened.filter_map(|opened| opened.note.clone()).collect();
    let sources = all.into_iter().map(|(opener, opened)| {
        let opener = SourceOpener { frames: starter.frames.clone(), ..opener };
        ManagedSource::start(opener, opened, &starter.shared).map_err(refused)
    });
    let all = sources.collect::<Result<_, _>>()?;
    let wake = starter.shared.wake.clone();
    Ok(Sources { all: SourceSet::new(all, starter), frames, first_frame, wake, notes })
}

/// Whether the owner allows going live without this source. A clip must exist, because nobody plugs
/// it in later.
fn may_be_absent(plan: &SourcePlan, start_without: StartWithout) -> bool {
    plan.is_live()
        && (!plan.has_video() || start_without.camera)
        && (!plan.has_audio() || start_without.microphone)
}
