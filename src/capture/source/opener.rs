//! Opening a source: a pipeline of its own that ends in raw frames, H.264, raw samples or both
//! tracks.
//!
//! Separate from the encoders, so that a device that fails takes nothing else with it.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use gstreamer::{self as gst, prelude::*};
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;

use super::{
    description,
    jpeg::{self, InDecoder},
    recolour::Recolour,
};
use crate::{
    capture::{
        discovery::{SourceCandidates, SourcePlan, SourceSpec, lacks},
        error::CaptureError,
        frame_format::{FrameFormat, WantedFrames},
        gst::{
            buffer::is_key,
            build::Running,
            bus::{self, BusEvent, Failure},
            clock::MediaClock,
        },
        request::{AudioSettings, VideoSettings},
        stats::Counters,
    },
    file,
    limits::{CAPTURE_FRAMES_HELD, CAPTURE_OPEN_TIMEOUT},
    media::Track,
};

/// How often the first buffers are polled for.
const POLL: gst::ClockTime = gst::ClockTime::from_mseconds(20);

/// Opens a source, as often as needed.
#[derive(Debug, Clone)]
pub struct SourceOpener {
    pub plan: SourcePlan,
    pub video: VideoSettings,
    /// The form of the frames that it is to deliver.
    pub frames: WantedFrames,
    pub audio: AudioSettings,
    pub clock: MediaClock,
    pub counters: Arc<Counters>,
}

/// An open source. Dropping it closes the device, which may hang in the driver.
#[derive(Debug)]
pub struct OpenSource {
    running: Running,
    /// Its video is H.264 that is passed through.
    pub h264: bool,
    pub video: Option<TrackReader>,
    pub audio: Option<TrackReader>,
    failure: Failure,
}

/// One track of a source.
#[derive(Debug)]
pub struct TrackReader {
    appsink: gst_app::AppSink,
    first: Option<gst::Sample>,
}

impl SourceOpener {
    /// Finds the source, opens it and waits for the first buffer of each track. Of several
    /// candidates the first that works is used. Ends early when `given_up`.
    pub fn open(&self, given_up: impl Fn() -> bool) -> Result<OpenSource, CaptureError> {
        let SourceCandidates { usable, mut rejected } =
            self.plan.find(&self.video, self.frames.layouts());
        // Several candidates share the time.
        let tries = u32::try_from(usable.len()).unwrap_or(u32::MAX).max(1);
        let at_most = CAPTURE_OPEN_TIMEOUT / tries;
        for (name, spec) in usable {
            match self.open_one(&spec, at_most, &given_up) {
                Ok(opened) => {
                    if !name.is_empty() {
                        tracing::info!("capturing from {name}");
                    }
                    return Ok(opened);
                }
                Err(error) if name.is_empty() || tries == 1 => return Err(error),
                Err(error) => {
                    tracing::info!("not capturing from {name}: {error}");
                    rejected.push(format!("{name}: {error}"));
                }
            }
        }
        let why =
            if rejected.is_empty() { "not connected".to_owned() } else { rejected.join("; ") };
        Err(self.plan.unavailable(why))
    }

    fn open_one(
        &self,
        spec: &SourceSpec,
        at_most: Duration,
        given_up: impl Fn() -> bool,
    ) -> Result<OpenSource, CaptureError> {
        if let SourceSpec::Clip { path, .. } = spec {
            check_file(path)?;
        }
        let unavailable = |why: String| self.plan.unavailable(why);
        let description =
            description::source_pipeline(spec, &self.video, &self.frames, &self.audio);
        let running = Running::build(&description).map_err(|error| match error {
            CaptureError::Gstreamer(why) => unavailable(why),
            other => other,
        })?;
        let reader = |name| {
            let appsink = running.optional_element(name)?;
            Some(TrackReader { appsink, first: None })
        };
        let mut opened = OpenSource {
            video: reader(description::VIDEO),
            audio: reader(description::AUDIO),
            failure: Failure::default(),
            h264: spec.is_h264(),
            running,
        };
        opened.watch_bus(self.plan.is_live());
        opened.take_frames_as_they_lie();
        if let WantedFrames::Exactly(frames) = &self.frames {
            opened.recolour(*frames);
        }
        opened.drop_corrupt_jpegs(&self.counters);
        self.clock.drive(opened.running.pipeline());
        let started = opened.running.play();
        let message =
            |opened: &OpenSource, otherwise: String| opened.failure.message().unwrap_or(otherwise);
        started.map_err(|error| unavailable(message(&opened, error.to_string())))?;
        opened
            .wait_for_first(at_most, given_up)
            .map_err(|why| unavailable(message(&opened, why)))?;
        Ok(opened)
    }
}

impl OpenSource {
    /// The form of its raw frames; `None` when it has none.
    pub fn frames(&self) -> Option<FrameFormat> {
        let first = self.video.as_ref().filter(|_| !self.h264)?.first.as_ref()?;
        FrameFormat::of(first.caps()?)
    }

    /// Calls `notify`, on a thread of the source, whenever a buffer has arrived.
    pub fn notify_on_data(&self, notify: impl Fn() + Clone + Send + 'static) {
        for reader in [&self.video, &self.audio].into_iter().flatten() {
            let notify = notify.clone();
            let callbacks = gst_app::AppSinkCallbacks::builder().new_sample(move |_| {
                notify();
                Ok(gst::FlowSuccess::Ok)
            });
            reader.appsink.set_callbacks(callbacks.build());
        }
    }

    /// Why the source failed, if it did.
    pub fn failure(&self) -> Option<String> {
        self.failure.message()
    }

    fn watch_bus(&self, live: bool) {
        let failure = self.failure.clone();
        let handler = move |event| match event {
            BusEvent::Error { message } => failure.note(message),
            BusEvent::Ended if live => failure.note("it ended".to_owned()),
            BusEvent::Ended => {}
        };
        match self.video {
            // Decoding and converting video takes too much of a core for that.
            Some(_) => bus::listen(self.running.pipeline(), handler),
            None => bus::listen_in_real_time(self.running.pipeline(), handler),
        }
        let Some(decoder) = self.running.optional_element::<gst::Element>(description::DECODER)
        else {
            return;
        };
        let failure = self.failure.clone();
        let heads: Vec<(gst::Element, Track)> =
            [(description::VIDEO_HEAD, Track::Video), (description::AUDIO_HEAD, Track::Audio)]
                .into_iter()
                .filter_map(|(name, track)| Some((self.running.optional_element(name)?, track)))
                .collect();
        decoder.connect_no_more_pads(move |_| {
            for (head, track) in &heads {
                if head.static_pad("sink").is_none_or(|pad| !pad.is_linked()) {
                    failure.note(lacks(*track).to_owned());
                }
            }
        });
    }

    /// Tells the source that its frames may have gaps between rows, and how many of them are in use at
    /// once. Otherwise a driver's frames would be copied to close the gaps, or would run out.
    fn take_frames_as_they_lie(&self) {
        let sink = self.video.as_ref().filter(|_| !self.h264);
        let Some(pad) = sink.and_then(|reader| reader.appsink.static_pad("sink")) else { return };
        pad.add_probe(gst::PadProbeType::QUERY_DOWNSTREAM, |_, info| {
            let Some(query) = info.query_mut() else { return gst::PadProbeReturn::Ok };
            let gst::QueryViewMut::Allocation(allocation) = query.view_mut() else {
                return gst::PadProbeReturn::Ok;
            };
            let (caps, _) = allocation.get();
            let size = caps.and_then(|caps| gst_video::VideoInfo::from_caps(caps).ok());
            let size = size.and_then(|info| u32::try_from(info.size()).ok()).unwrap_or(0);
            allocation.add_allocation_meta::<gst_video::VideoMeta>(None);
            allocation.add_allocation_pool(None::<&gst::BufferPool>, size, CAPTURE_FRAMES_HELD, 0);
            gst::PadProbeReturn::Handled
        });
    }

    /// Changes what the values of frames mean where that differs from the broadcast's.
    fn recolour(&self, frames: FrameFormat) {
        let sink = self.video.as_ref().filter(|_| !self.h264);
        let Some(pad) = sink.and_then(|reader| reader.appsink.static_pad("sink")) else { return };
        let mut known: Option<(gst_video::VideoInfo, Option<Recolour>)> = None;
        let change = Mutex::new(move |caps: gst::Caps, frame: &mut gst::Buffer| {
            let Ok(info) = gst_video::VideoInfo::from_caps(&caps) else { return };
            if known.as_ref().is_none_or(|(of, _)| *of != info) {
                let recolour = Recolour::new(&info.colorimetry(), &frames.colorimetry);
                known = Some((info, recolour));
            }
            if let Some((info, Some(recolour))) = &mut known {
                recolour.frame(frame.make_mut(), info);
            }
        });
        pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            if let (Some(caps), Some(frame)) = (pad.current_caps(), info.buffer_mut()) {
                (change.lock().unwrap_or_else(PoisonError::into_inner))(caps, frame);
            }
            gst::PadProbeReturn::Ok
        });
    }

    /// Keeps corrupt JPEGs away from the decoder, and counts them together with those that it cannot
    /// decode.
    fn drop_corrupt_jpegs(&self, counters: &Arc<Counters>) {
        let pad = |name| self.running.optional_element::<gst::Element>(name)?.static_pad("sink");
        let (Some(into), Some(out)) = (pad(description::DECODER), pad(description::VIDEO_HEAD))
        else {
            return;
        };
        let inside = Arc::new(Mutex::new(InDecoder::default()));
        let counted = {
            let counters = Arc::clone(counters);
            move |corrupt| counters.corrupt.fetch_add(corrupt, Ordering::Relaxed)
        };
        let (entering, count) = (Arc::clone(&inside), counted.clone());
        into.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            let Some(buffer) = info.buffer().filter(|_| is_jpeg(pad)) else {
                return gst::PadProbeReturn::Ok;
            };
            if is_corrupt(buffer) {
                count(1);
                return gst::PadProbeReturn::Drop;
            }
            let time_ns = buffer.pts().map(gst::ClockTime::nseconds);
            count(entering.lock().unwrap_or_else(PoisonError::into_inner).entered(time_ns));
            gst::PadProbeReturn::Ok
        });
        out.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            let time_ns = info.buffer().and_then(|b| b.pts()).map(gst::ClockTime::nseconds);
            counted(inside.lock().unwrap_or_else(PoisonError::into_inner).left(time_ns));
            gst::PadProbeReturn::Ok
        });
    }

    fn wait_for_first(
        &mut self,
        at_most: Duration,
        given_up: impl Fn() -> bool,
    ) -> Result<(), String> {
        let deadline = Instant::now() + at_most;
        let h264 = self.h264;
        for reader in [&mut self.video, &mut self.audio].into_iter().flatten() {
            while reader.first.is_none() {
                if let Some(message) = self.failure.message() {
                    return Err(message);
                }
                if given_up() {
                    return Err("abandoned".to_owned());
                }
                if Instant::now() > deadline {
                    let what = if h264 { "no key frame" } else { "no data" };
                    return Err(format!("{what} for {} ms", at_most.as_millis()));
                }
                reader.first = reader
                    .appsink
                    .try_pull_sample(POLL)
                    .filter(|sample| !h264 || sample.buffer().is_some_and(is_key));
                if reader.first.is_none() && reader.appsink.is_eos() {
                    return Err(self.failure.message().unwrap_or_else(|| "it is empty".to_owned()));
                }
            }
        }
        Ok(())
    }
}

impl TrackReader {
    /// The next buffer, if there is one, with its time in the source and its caps.
    pub fn next(&mut self) -> Option<(Option<Duration>, gst::Buffer, Option<gst::Caps>)> {
        let sample = match self.first.take() {
            Some(sample) => sample,
            None => self.appsink.try_pull_sample(gst::ClockTime::ZERO)?,
        };
        let buffer = sample.buffer_owned()?;
        let segment = sample.segment().and_then(|s| s.downcast_ref::<gst::ClockTime>());
        let running = segment.zip(buffer.pts()).and_then(|(s, pts)| s.to_running_time(pts));
        Some((running.map(Duration::from), buffer, sample.caps_owned()))
    }

    /// Whether nothing is left and nothing more will come.
    pub fn is_drained(&self) -> bool {
        self.first.is_none() && self.appsink.is_eos()
    }
}

fn is_jpeg(pad: &gst::Pad) -> bool {
    let caps = pad.current_caps();
    caps.is_some_and(|caps| caps.structure(0).is_some_and(|s| s.name() == "image/jpeg"))
}

fn is_corrupt(buffer: &gst::BufferRef) -> bool {
    buffer.flags().contains(gst::BufferFlags::CORRUPTED)
        || buffer.map_readable().is_ok_and(|map| !jpeg::is_whole(&map))
}

fn check_file(path: &Path) -> Result<(), CaptureError> {
    let opened = file::open(path).map(|_| ());
    opened.map_err(|error| CaptureError::FileUnreadable {
        path: path.to_owned(),
        why: bus::one_line(&error.to_string()),
    })
}
