//! Opening a source: a pipeline of its own that ends in raw frames, H.264, raw samples or both
//! tracks.
//!
//! Separate from the encoders, so that a device that fails takes nothing else with it.

mod candidates;

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use gstreamer::{self as gst, prelude::*};
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;

use super::{
    converting::watch_converter,
    decoding::{drop_corrupt_jpegs, place_of_decoder},
    description::{self, SourceElements},
    known::Known,
    recolour::Recolour,
    watched::{self, Watched},
};
use crate::{
    capture::{
        choice::{Choice, DeviceElement},
        convert::{ConverterSpec, Converters, Task, Work},
        decode::{JpegDecoderSpec, JpegDecoders},
        discovery::{Opening, SourceCandidates, SourcePlan, SourceSpec, lacks},
        error::CaptureError,
        frame_format::{FrameFormat, WantedFrames},
        framing::SharedFraming,
        gst::{
            buffer::is_key,
            build::Running,
            bus::{self, BusEvent, Failure},
            clock::MediaClock,
        },
        request::{AudioSettings, VideoSettings},
        stats::Counters,
        threads::Deadline,
    },
    file,
    limits::{CAPTURE_DEVICE_SILENCE, CAPTURE_FRAMES_HELD, CAPTURE_OPEN_TIMEOUT},
    media::Track,
};

/// How often the first buffers are polled for.
const POLL: gst::ClockTime = gst::ClockTime::from_mseconds(20);

/// Opens a source, as often as needed.
#[derive(Debug, Clone)]
pub struct SourceOpener {
    pub plan: SourcePlan,
    pub video: VideoSettings,
    /// Its frames are to have the size of the broadcast.
    pub scales: bool,
    /// The form of the frames that it is to deliver.
    pub frames: WantedFrames,
    pub audio: AudioSettings,
    pub clock: MediaClock,
    pub counters: Arc<Counters>,
    pub elements: Elements,
    pub known: Known,
}

/// What a camera's frames may go through: elements of the board, and what the owner wants done to them
/// now.
#[derive(Debug, Clone)]
pub struct Elements {
    pub decoders: JpegDecoders,
    pub converters: Converters,
    pub framing: SharedFraming,
}

/// An open source. Dropping it closes the device, which may hang in the driver.
#[derive(Debug)]
pub struct OpenSource {
    running: Running,
    /// Its decoder, when its frames are JPEGs.
    decoding: Option<Watched<JpegDecoderSpec>>,
    /// Its converter, when it has that of a device.
    converting: Option<Watched<ConverterSpec>>,
    /// Its video is H.264 that is passed through.
    pub h264: bool,
    pub video: Option<TrackReader>,
    pub audio: Option<TrackReader>,
    /// What it is, in words; empty where the profile describes it.
    pub name: String,
    /// What the owner has chosen and it is used without, in words.
    pub note: Option<String>,
    failure: Failure,
}

/// What is known of the raw frames of a source.
#[derive(Debug, Default)]
struct Observed {
    frames: Option<FrameFormat>,
    /// There was one.
    any: bool,
    changed: bool,
}

/// One track of a source.
#[derive(Debug)]
pub struct TrackReader {
    appsink: gst_app::AppSink,
    first: Option<gst::Sample>,
}

/// A buffer as it comes out of a source.
#[derive(Debug)]
pub struct Delivered {
    /// Its time in the source.
    pub time: Option<Duration>,
    pub buffer: gst::Buffer,
    pub caps: Option<gst::Caps>,
}

impl Delivered {
    fn of(sample: &gst::Sample) -> Option<Delivered> {
        let buffer = sample.buffer_owned()?;
        let segment = sample.segment().and_then(|s| s.downcast_ref::<gst::ClockTime>());
        let running = segment.zip(buffer.pts()).and_then(|(s, pts)| s.to_running_time(pts));
        Some(Delivered { time: running.map(Duration::from), buffer, caps: sample.caps_owned() })
    }
}

/// The end of a track, on the thread of the source at which a buffer has arrived there.
#[derive(Debug)]
pub struct Arrivals<'a>(&'a gst_app::AppSink);

impl Arrivals<'_> {
    /// The oldest buffer, unless somebody was quicker.
    pub fn next(&self) -> Option<Delivered> {
        Delivered::of(&self.0.try_pull_sample(gst::ClockTime::ZERO)?)
    }
}

impl SourceOpener {
    /// Finds the source, opens it and waits for the first buffer of each track. Of several
    /// candidates the first that works is used. Ends early when `given_up`.
    pub fn open(
        &self,
        given_up: impl Fn() -> bool + Clone + Send + 'static,
    ) -> Result<OpenSource, CaptureError> {
        self.open_what_is_found(|| self.find(&given_up), &given_up)
    }

    /// Searches for the source; what its frames are to be depends on what there is.
    fn find(&self, given_up: &impl Fn() -> bool) -> (SourceOpener, SourceCandidates) {
        let found = self.plan.search(&self.known.drivers, given_up);
        let framing = self.elements.framing.now();
        let opener_of = |Opening { plan, video, scales }| {
            let opener = SourceOpener { plan, video, scales, ..self.clone() };
            let layouts = opener.frames.layouts();
            let candidates = opener.plan.candidates(&found, &opener.video, layouts);
            (opener, candidates)
        };
        let as_wanted = opener_of(Opening::of(&self.plan, &self.video, &framing));
        if as_wanted.1.usable.is_empty()
            && let Some(of_h264) = Opening::of_h264(&self.plan, &self.video, &framing)
        {
            let with_h264 = opener_of(of_h264);
            if !with_h264.1.usable.is_empty() {
                return with_h264;
            }
        }
        as_wanted
    }

    /// Opens what a search finds. The time of the candidates begins when it is over.
    fn open_what_is_found(
        &self,
        find: impl FnOnce() -> (SourceOpener, SourceCandidates),
        given_up: &(impl Fn() -> bool + Clone + Send + 'static),
    ) -> Result<OpenSource, CaptureError> {
        let (opener, found) = find();
        // The trial of a decoder may still go on; that is not the camera's time.
        opener.elements.decoders.current_for(found.usable.iter().any(|(_, spec)| spec.is_jpeg()));
        // Those of converters begin now, all at the same time.
        let of_each = found.usable.iter().filter_map(|(_, spec)| opener.converters_for(spec));
        let trials: Vec<_> = of_each.collect();
        for (choice, _) in &trials {
            choice.current();
        }
        let time = CAPTURE_OPEN_TIMEOUT + CAPTURE_DEVICE_SILENCE;
        opener.open_first(found, Deadline::after(time), given_up)
    }

    /// What a source's frames need, and what can do it.
    fn converters_for(&self, spec: &SourceSpec) -> Option<(Choice<ConverterSpec>, Work)> {
        let work = spec.work(&self.video, self.frames.layouts(), self.scales)?;
        Some((self.elements.converters.for_work(&work), work))
    }

    /// Opens a source, again when it was its decoder or converter that failed and there is another one.
    fn open_one(
        &self,
        spec: &SourceSpec,
        time: Duration,
        given_up: &impl Fn() -> bool,
    ) -> Result<OpenSource, CaptureError> {
        let deadline = Deadline::after(time);
        let converters = self.converters_for(spec);
        loop {
            let elements = SourceElements {
                decoder: self.elements.decoders.current_for(spec.is_jpeg()),
                converter: converters.as_ref().and_then(|(choice, work)| in_use(choice, work)),
                scales: self.scales,
            };
            let choice = converters.as_ref().map(|(choice, _)| choice);
            let at_most = deadline.at_most(CAPTURE_OPEN_TIMEOUT);
            match self.open_with(spec, &elements, choice, at_most, given_up) {
                Err((_, true)) if !deadline.left().is_zero() && !given_up() => {}
                opened => return opened.map_err(|(error, _)| error),
            }
        }
    }

    /// Opens a source with these elements; an error comes with whether another one takes over from one
    /// of them.
    fn open_with(
        &self,
        spec: &SourceSpec,
        elements: &SourceElements,
        converters: Option<&Choice<ConverterSpec>>,
        at_most: Duration,
        given_up: &impl Fn() -> bool,
    ) -> Result<OpenSource, (CaptureError, bool)> {
        if let SourceSpec::Clip { path, .. } = spec {
            check_file(path).map_err(|error| (error, false))?;
        }
        let unavailable = |why: String| self.plan.unavailable(why);
        let description =
            description::source_pipeline(spec, elements, &self.video, &self.frames, &self.audio);
        let used = converters.zip(elements.converter.map(|(converter, _)| converter));
        let decoders = &self.elements.decoders;
        let running = Running::build(&description).map_err(|error| {
            let why = error.to_string();
            let again = used.is_some_and(|(converters, used)| converters.reject(used, &why))
                || spec.is_jpeg() && decoders.reject(elements.decoder, &why);
            match error {
                CaptureError::Gstreamer(why) => (unavailable(why), again),
                other => (other, again),
            }
        })?;
        let reader = |name| {
            let appsink = running.optional_element(name)?;
            Some(TrackReader { appsink, first: None })
        };
        let is_jpeg = spec.is_jpeg();
        let decoding = is_jpeg.then(|| {
            let place = place_of_decoder(&running);
            Watched::new(elements.decoder, decoders, &running, place)
        });
        drop_corrupt_jpegs(&running, &self.counters, decoding.as_ref().map(Watched::on_frame));
        let failure = Failure::default();
        let converting =
            used.map(|(converters, used)| watch_converter(used, converters, &running, &failure));
        let mut opened = OpenSource {
            video: reader(description::VIDEO),
            audio: reader(description::AUDIO),
            failure,
            name: String::new(),
            note: None,
            h264: spec.is_h264(),
            decoding,
            converting,
            running,
        };
        opened.watch_bus(self.plan.is_live());
        opened.take_frames_as_they_lie();
        match &self.frames {
            WantedFrames::OneOf(_) => opened.end_where_frames_change(),
            WantedFrames::Exactly(frames) => opened.recolour(*frames),
        }
        self.clock.drive(opened.running.pipeline());
        let started = opened.running.play().map_err(|error| error.to_string());
        let outcome = started.and_then(|()| opened.wait_for_first(at_most, given_up));
        match outcome {
            Ok(()) => Ok(opened),
            Err(why) => {
                let why = opened.failure.message().unwrap_or(why);
                let again = opened.replace_element(&why);
                Err((unavailable(why), again))
            }
        }
    }
}

impl Drop for OpenSource {
    fn drop(&mut self) {
        let decoder = self.decoding.as_ref().and_then(Watched::of_device);
        let converter = self.converting.as_ref().and_then(Watched::of_device);
        if let Some(element) = converter.or(decoder) {
            watched::close(&self.running, element);
        }
    }
}

/// The converter to use now, where it is that of a device.
fn in_use(choice: &Choice<ConverterSpec>, work: &Work) -> Option<(&'static ConverterSpec, Task)> {
    let converter = choice.current();
    let task = if converter.is_software() { None } else { converter.task(work).ok() };
    Some((converter, task?))
}

impl OpenSource {
    /// The form of its raw frames; `None` when it has none.
    pub fn frames(&self) -> Option<FrameFormat> {
        FrameFormat::of(self.first_raw()?.caps()?)
    }

    /// The first of its raw frames; `None` when it has none, or they have another size.
    pub fn first_frame(&self, video: &VideoSettings) -> Option<gst::Buffer> {
        let first = self.first_raw()?;
        let info = gst_video::VideoInfo::from_caps(first.caps()?).ok()?;
        let has_size = (info.width(), info.height()) == (video.width, video.height);
        first.buffer_owned().filter(|_| has_size)
    }

    fn first_raw(&self) -> Option<&gst::Sample> {
        self.video.as_ref().filter(|_| !self.h264)?.first.as_ref()
    }

    /// Why the source failed, if it did.
    pub fn failure(&self) -> Option<String> {
        self.failure.message()
    }

    /// Lets another decoder or converter take over when the source fails because of the one that it has;
    /// whether one does.
    pub fn replace_element(&self, why: &str) -> bool {
        // What a converter does not take any more, the decoder in front of it cannot deliver.
        self.converting.as_ref().is_some_and(|converting| converting.replace(why))
            || self.decoding.as_ref().is_some_and(|decoding| decoding.replace(why))
    }

    fn watch_bus(&self, live: bool) {
        let failure = self.failure.clone();
        let of_decoder = self.decoding.as_ref().map(Watched::on_error);
        let of_converter = self.converting.as_ref().map(Watched::on_error);
        let handler = move |element: &str, event| match event {
            BusEvent::Error { message } => {
                of_decoder.iter().for_each(|on_error| on_error(element));
                of_converter.iter().for_each(|on_error| on_error(element));
                failure.note(message);
            }
            BusEvent::Ended if live => failure.note("it ended".to_owned()),
            BusEvent::Ended => {}
        };
        match self.video {
            // Decoding and converting video takes too much of a core for that.
            Some(_) => bus::listen_to_elements(self.running.pipeline(), handler),
            None => {
                bus::listen_in_real_time(self.running.pipeline(), move |event| handler("", event));
            }
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

    /// A source whose frames take on another form is opened again, where they are converted: the encoder
    /// was started with those that came first.
    fn end_where_frames_change(&self) {
        let sink = self.video.as_ref().filter(|_| !self.h264);
        let Some(pad) = sink.and_then(|reader| reader.appsink.static_pad("sink")) else { return };
        let (observed, failure) = (Mutex::new(Observed::default()), self.failure.clone());
        let of_interest = gst::PadProbeType::EVENT_DOWNSTREAM | gst::PadProbeType::BUFFER;
        pad.add_probe(of_interest, move |_, info| {
            let mut observed = observed.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(gst::EventView::Caps(caps)) = info.event().map(|event| event.view()) {
                let frames = FrameFormat::of(caps.caps());
                match (observed.frames, frames) {
                    (Some(before), Some(now)) if observed.any && before != now => {
                        observed.changed = true;
                        failure.note(format!(
                            "its frames changed from {} {} to {} {}",
                            before.layout, before.colorimetry, now.layout, now.colorimetry
                        ));
                    }
                    // Before the first frame nothing depends on it.
                    _ => observed.frames = frames,
                }
            }
            if info.buffer().is_some() {
                observed.any = true;
                if observed.changed {
                    // Not `Drop`: the buffer is freed with `info`, and GStreamer complains about it.
                    return gst::PadProbeReturn::Handled;
                }
            }
            gst::PadProbeReturn::Ok
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

    fn wait_for_first(
        &mut self,
        at_most: Duration,
        given_up: &impl Fn() -> bool,
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
                let decoder = self.decoding.as_ref().and_then(Watched::holds_all);
                let converter = || self.converting.as_ref().and_then(Watched::holds_all);
                if let Some(why) = decoder.or_else(converter) {
                    return Err(why);
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
    /// Calls `handle`, on a thread of the source, whenever a buffer has arrived.
    pub fn on_arrival(&self, handle: impl Fn(Arrivals<'_>) + Send + 'static) {
        let callbacks = gst_app::AppSinkCallbacks::builder().new_sample(move |appsink| {
            handle(Arrivals(appsink));
            Ok(gst::FlowSuccess::Ok)
        });
        self.appsink.set_callbacks(callbacks.build());
    }

    /// The next buffer, if there is one.
    pub fn next(&mut self) -> Option<Delivered> {
        match self.first.take() {
            Some(first) => Delivered::of(&first),
            None => Arrivals(&self.appsink).next(),
        }
    }

    /// Whether nothing is left and nothing more will come.
    pub fn is_drained(&self) -> bool {
        self.first.is_none() && self.appsink.is_eos()
    }
}

fn check_file(path: &Path) -> Result<(), CaptureError> {
    let opened = file::open(path).map(|_| ());
    opened.map_err(|error| CaptureError::FileUnreadable {
        path: path.to_owned(),
        why: bus::one_line(&error.to_string()),
    })
}

#[cfg(test)]
mod tests;
