//! Decodes a file as fast as it goes, and hands every frame and sample on.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::{AppSink, AppSinkCallbacks};
use gstreamer_video::{VideoFrameExt, VideoFrameRef, VideoInfo};

use super::error::LipSyncError;
use crate::file;
use crate::limits::LIP_SYNC_DECODE_TIMEOUT;

/// Formats whose first plane is the brightness, so that most frames need no conversion.
/// Stereo, as the recording is: six channels mixed to one at once would not compare.
const PIPELINE: &str = "filesrc name=file ! decodebin name=decoder \
    decoder. ! videoconvert name=video ! video/x-raw,format={I420,NV12,YV12,NV21,Y42B,Y444,GRAY8} ! \
    appsink name=frames sync=false async=false enable-last-sample=false max-buffers=4 \
    decoder. ! audioconvert name=audio ! audioresample ! \
    audio/x-raw,format=F32LE,layout=interleaved,channels=2,rate=48000 ! \
    appsink name=samples sync=false async=false enable-last-sample=false max-buffers=16";
/// Samples per channel and second of what a [`SampleSink`] gets.
pub(super) const SAMPLE_RATE_HZ: u64 = 48_000;
const FRAME_BYTES: usize = 8;

/// When a frame or a piece of audio begins and ends, in nanoseconds of the file's running time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from_ns: u64,
    pub(super) to_ns: u64,
}

/// A decoded frame's brightness, as the file has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Luma<'a> {
    pub(super) data: &'a [u8],
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) stride: usize,
    /// Width of the frame on a screen, in heights.
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

/// Takes the frames of a file, in order.
pub(super) trait FrameSink: Send + 'static {
    fn frame(&mut self, span: Span, frame: &Luma<'_>);
}

/// Takes the samples of a file in order, mixed to one channel.
pub(super) trait SampleSink: Send + 'static {
    fn samples(&mut self, span: Span, samples: impl Iterator<Item = f32>);
}

/// What became of the two.
#[derive(Debug)]
pub(super) struct Decoded<V, L> {
    pub(super) frames: V,
    pub(super) samples: L,
    /// Whether the file ended within the limit.
    pub(super) whole: bool,
}

/// Shows the beginning of a file, up to `limit`.
pub(super) fn decode<V: FrameSink, L: SampleSink>(
    path: &Path,
    limit: Duration,
    frames: V,
    samples: L,
) -> Result<Decoded<V, L>, LipSyncError> {
    let unreadable =
        |why: String| LipSyncError::Unreadable { path: path.to_owned(), why: one_line(&why) };
    // Clearer than what GStreamer reports.
    file::open(path).map_err(|error| unreadable(error.to_string()))?;
    gst::init().map_err(|error| LipSyncError::Gstreamer(one_line(&error.to_string())))?;
    let pipeline = gst::parse::launch(PIPELINE)
        .map_err(|error| LipSyncError::Gstreamer(one_line(error.message())))?
        .downcast::<gst::Pipeline>()
        .map_err(|_| LipSyncError::Gstreamer("the description is not a pipeline".to_owned()))?;
    let named = |name: &str| {
        let missing = || LipSyncError::Gstreamer(format!("the pipeline has no {name}"));
        pipeline.by_name(name).ok_or_else(missing)
    };
    named("file")?.set_property("location", path.display().to_string());
    refuse_half_a_film(&named("decoder")?, [named("video")?, named("audio")?]);

    let progress = Arc::new(Progress { limit, open: AtomicUsize::new(2), cut: false.into() });
    let frames = watch(&named("frames")?, &progress, frames, show);
    let samples = watch(&named("samples")?, &progress, samples, play);
    let ended = run_to_end(&pipeline);
    let _ = pipeline.set_state(gst::State::Null);
    ended.map_err(unreadable)?;
    let taken = take(&frames).zip(take(&samples));
    let (frames, samples) = taken.ok_or_else(|| unreadable("it was not decoded".to_owned()))?;
    Ok(Decoded { frames, samples, whole: !progress.cut.load(Ordering::Relaxed) })
}

/// A file without video or without audio would never come to its end.
fn refuse_half_a_film(decoder: &gst::Element, heads: [gst::Element; 2]) {
    decoder.connect_no_more_pads(move |decoder| {
        for head in &heads {
            if head.static_pad("sink").is_none_or(|pad| !pad.is_linked()) {
                let message = format!("it has no {}", head.name());
                let error = gst::error_msg!(gst::StreamError::Failed, ("{message}"));
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

fn show<V: FrameSink>(sample: &gst::Sample, span: Span, frames: &mut V) {
    let Some((buffer, caps)) = sample.buffer().zip(sample.caps()) else { return };
    let Ok(info) = VideoInfo::from_caps(caps) else { return };
    let Ok(frame) = VideoFrameRef::from_buffer_ref_readable(buffer, &info) else { return };
    let Ok(data) = frame.plane_data(0) else { return };
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    let stride = usize::try_from(frame.plane_stride()[0]).unwrap_or(width);
    let pixel = f64::from(info.par().numer()) / f64::from(info.par().denom().max(1));
    let aspect = width as f64 * pixel / height.max(1) as f64;
    frames.frame(span, &Luma { data, width, height, stride, aspect });
}

fn play<L: SampleSink>(sample: &gst::Sample, span: Span, samples: &mut L) {
    let Some(map) = sample.buffer().and_then(|buffer| buffer.map_readable().ok()) else { return };
    let value = |bytes: &[u8]| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let frames = map.chunks_exact(FRAME_BYTES);
    samples.samples(span, frames.map(|frame| (value(frame) + value(&frame[4..])) / 2.0));
}

fn run_to_end(pipeline: &gst::Pipeline) -> Result<(), String> {
    let bus = pipeline.bus().ok_or("no bus")?;
    let ends = [gst::MessageType::Application, gst::MessageType::Error];
    let timeout = gst::ClockTime::try_from(LIP_SYNC_DECODE_TIMEOUT).unwrap_or(gst::ClockTime::MAX);
    let (message, otherwise) = match pipeline.set_state(gst::State::Playing) {
        Ok(_) => {
            let message = format!("decoding took over {} s", LIP_SYNC_DECODE_TIMEOUT.as_secs());
            (bus.timed_pop_filtered(timeout, &ends), message)
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

/// The first line, without its full stop.
fn one_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim_end_matches('.').to_owned()
}
