//! Decodes a file as fast as it goes, and shows every picture and sample to who wants them.

use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::{AppSink, AppSinkCallbacks};
use gstreamer_video::{VideoFrameExt, VideoFrameRef, VideoInfo};

use super::super::error::CaptureError;
use super::super::gst::bus::one_line;
use crate::limits::LIP_SYNC_DECODE_TIMEOUT;

/// Formats whose first plane is the brightness, so that most pictures need no conversion. Stereo, as the programme's sound was: six channels mixed to one at once are another sound.
const PIPELINE: &str = "filesrc name=file ! decodebin name=decoder \
    decoder. ! videoconvert name=picture ! video/x-raw,format={I420,NV12,YV12,NV21,Y42B,Y444,GRAY8} ! \
    appsink name=pictures sync=false async=false enable-last-sample=false max-buffers=4 \
    decoder. ! audioconvert name=sound ! audioresample ! \
    audio/x-raw,format=F32LE,layout=interleaved,channels=2,rate=48000 ! \
    appsink name=sounds sync=false async=false enable-last-sample=false max-buffers=16";
/// Samples per channel and second of what [`Listener`] hears.
pub(super) const SAMPLE_RATE_HZ: u64 = 48_000;
const FRAME_BYTES: usize = 8;

/// When a picture or a piece of sound begins and ends, in nanoseconds of the file's running time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from_ns: u64,
    pub(super) to_ns: u64,
}

/// A decoded picture's brightness, as the file has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Luma<'a> {
    pub(super) data: &'a [u8],
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) stride: usize,
    /// Width of the picture on a screen, in heights.
    pub(super) aspect: f64,
}

impl Luma<'_> {
    /// The brightness at a place, in parts of the width and the height; `None` outside.
    pub(super) fn at(&self, across: f64, down: f64) -> Option<u8> {
        let inside = 0.0..1.0;
        if !inside.contains(&across) || !inside.contains(&down) {
            return None;
        }
        let column = (across * self.width as f64) as usize;
        let row = (down * self.height as f64) as usize;
        self.data.get(row * self.stride + column).copied()
    }
}

/// Is shown the pictures of a file, in order.
pub(super) trait Viewer: Send + 'static {
    fn see(&mut self, span: Span, picture: &Luma<'_>);
}

/// Is played the samples of a file in order, mixed to one channel.
pub(super) trait Listener: Send + 'static {
    fn hear(&mut self, span: Span, samples: impl Iterator<Item = f32>);
}

/// What became of the two.
#[derive(Debug)]
pub(super) struct Decoded<V, L> {
    pub(super) viewer: V,
    pub(super) listener: L,
    /// Whether the file ended within the limit.
    pub(super) whole: bool,
}

/// Shows the beginning of a file, up to `limit`.
pub(super) fn decode<V: Viewer, L: Listener>(
    file: &Path,
    limit: Duration,
    viewer: V,
    listener: L,
) -> Result<Decoded<V, L>, CaptureError> {
    let unreadable =
        |why: String| CaptureError::FileUnreadable { path: file.to_owned(), why: one_line(&why) };
    // Its words are clearer than those of GStreamer.
    File::open(file).map_err(|error| unreadable(error.to_string()))?;
    gst::init().map_err(|error| CaptureError::Gstreamer(one_line(&error.to_string())))?;
    let pipeline = gst::parse::launch(PIPELINE)
        .map_err(|error| CaptureError::Gstreamer(one_line(error.message())))?
        .downcast::<gst::Pipeline>()
        .map_err(|_| CaptureError::Gstreamer("the description is not a pipeline".to_owned()))?;
    let named = |name: &str| {
        let missing = || CaptureError::Gstreamer(format!("the pipeline has no {name}"));
        pipeline.by_name(name).ok_or_else(missing)
    };
    named("file")?.set_property("location", file.display().to_string());
    refuse_half_a_film(&named("decoder")?, [named("picture")?, named("sound")?]);

    let progress = Arc::new(Progress { limit, open: AtomicUsize::new(2), cut: false.into() });
    let viewer = watch(&named("pictures")?, &progress, viewer, show);
    let listener = watch(&named("sounds")?, &progress, listener, play);
    let ended = run_to_end(&pipeline);
    let _ = pipeline.set_state(gst::State::Null);
    ended.map_err(unreadable)?;
    let taken = take(&viewer).zip(take(&listener));
    let (viewer, listener) = taken.ok_or_else(|| unreadable("it was not decoded".to_owned()))?;
    Ok(Decoded { viewer, listener, whole: !progress.cut.load(Ordering::Relaxed) })
}

/// A file without picture or without sound would never come to its end.
fn refuse_half_a_film(decoder: &gst::Element, heads: [gst::Element; 2]) {
    decoder.connect_no_more_pads(move |decoder| {
        for head in &heads {
            if head.static_pad("sink").is_none_or(|pad| !pad.is_linked()) {
                let words = format!("it has no {}", head.name());
                let error = gst::error_msg!(gst::StreamError::Failed, ("{words}"));
                decoder.post_error_message(error);
            }
        }
    });
}

/// How far both tracks are.
struct Progress {
    limit: Duration,
    /// Tracks that are neither at their end nor at the limit.
    open: AtomicUsize,
    /// Whether something lay behind the limit.
    cut: AtomicBool,
}

impl Progress {
    fn finish(&self, sink: &AppSink) {
        if self.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            let enough = gst::Structure::new_empty("enough");
            // Without it the wait ends by its timeout.
            let _ = sink.post_message(gst::message::Application::new(enough));
        }
    }
}

type Shared<T> = Arc<Mutex<Option<T>>>;

fn take<T>(shared: &Shared<T>) -> Option<T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Calls `see` for what comes out of a sink, until the limit.
fn watch<T: Send + 'static>(
    sink: &gst::Element,
    progress: &Arc<Progress>,
    watcher: T,
    see: fn(&gst::Sample, Span, &mut T),
) -> Shared<T> {
    let shared = Arc::new(Mutex::new(Some(watcher)));
    let Some(sink) = sink.downcast_ref::<AppSink>() else { return shared };
    let done = Arc::new(AtomicBool::new(false));
    let (shared_too, done_too) = (Arc::clone(&shared), Arc::clone(&done));
    let (progress, progress_too) = (Arc::clone(progress), Arc::clone(progress));
    let new_sample = move |sink: &AppSink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        let Some(span) = span(&sample, progress.limit) else { return Ok(gst::FlowSuccess::Ok) };
        if u128::from(span.from_ns) >= progress.limit.as_nanos() {
            progress.cut.store(true, Ordering::Relaxed);
            if !done.swap(true, Ordering::AcqRel) {
                progress.finish(sink);
            }
        } else if let Some(watcher) =
            shared_too.lock().unwrap_or_else(PoisonError::into_inner).as_mut()
        {
            see(&sample, span, watcher);
        }
        Ok(gst::FlowSuccess::Ok)
    };
    let eos = move |sink: &AppSink| {
        if !done_too.swap(true, Ordering::AcqRel) {
            progress_too.finish(sink);
        }
    };
    sink.set_callbacks(AppSinkCallbacks::builder().new_sample(new_sample).eos(eos).build());
    shared
}

/// When a player would present it: the segment carries a file's edit list. Whatever durations a
/// file claims, nothing lasts beyond the limit.
fn span(sample: &gst::Sample, limit: Duration) -> Option<Span> {
    let (buffer, segment) = sample.buffer().zip(sample.segment())?;
    let from = segment.downcast_ref::<gst::ClockTime>()?.to_running_time(buffer.pts()?)?;
    let to = from.saturating_add(buffer.duration().unwrap_or(gst::ClockTime::ZERO));
    let limit_ns = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
    Some(Span { from_ns: from.nseconds(), to_ns: to.nseconds().min(limit_ns) })
}

fn show<V: Viewer>(sample: &gst::Sample, span: Span, viewer: &mut V) {
    let Some((buffer, caps)) = sample.buffer().zip(sample.caps()) else { return };
    let Ok(info) = VideoInfo::from_caps(caps) else { return };
    let Ok(frame) = VideoFrameRef::from_buffer_ref_readable(buffer, &info) else { return };
    let Ok(data) = frame.plane_data(0) else { return };
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    let stride = usize::try_from(frame.plane_stride()[0]).unwrap_or(width);
    let pixel = f64::from(info.par().numer()) / f64::from(info.par().denom().max(1));
    let aspect = width as f64 * pixel / height.max(1) as f64;
    viewer.see(span, &Luma { data, width, height, stride, aspect });
}

fn play<L: Listener>(sample: &gst::Sample, span: Span, listener: &mut L) {
    let Some(map) = sample.buffer().and_then(|buffer| buffer.map_readable().ok()) else { return };
    let value = |bytes: &[u8]| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let frames = map.chunks_exact(FRAME_BYTES);
    listener.hear(span, frames.map(|frame| (value(frame) + value(&frame[4..])) / 2.0));
}

fn run_to_end(pipeline: &gst::Pipeline) -> Result<(), String> {
    let bus = pipeline.bus().ok_or("no bus")?;
    let ends = [gst::MessageType::Application, gst::MessageType::Error];
    let timeout = gst::ClockTime::try_from(LIP_SYNC_DECODE_TIMEOUT).unwrap_or(gst::ClockTime::MAX);
    let (message, otherwise) = match pipeline.set_state(gst::State::Playing) {
        Ok(_) => {
            let words = format!("decoding took over {} s", LIP_SYNC_DECODE_TIMEOUT.as_secs());
            (bus.timed_pop_filtered(timeout, &ends), words)
        }
        // An element that refuses says why on the bus.
        Err(error) => (bus.pop_filtered(&ends), error.to_string()),
    };
    match message.as_ref().map(|message| message.view()) {
        Some(gst::MessageView::Error(error)) => Err(error.error().message().to_owned()),
        Some(_) => Ok(()),
        None => Err(otherwise),
    }
}
