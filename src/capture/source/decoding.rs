//! A source's JPEG decoder while it works: what goes in and comes out, which is counted, and whether
//! it is the decoder that fails, rather than the camera.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use gstreamer::{self as gst, prelude::*};

use super::{
    description::{DECODER, VIDEO_HEAD},
    jpeg::{self, InDecoder},
};
use crate::{
    capture::{
        decode::{DECODER_QUEUE, JpegDecoderSpec, JpegDecoders},
        gst::build::Running,
        stats::Counters,
        threads::Bounded,
    },
    limits::{CAPTURE_DECODER_CLOSE_TIMEOUT, CAPTURE_DECODER_HOLDS_MAX, CAPTURE_DECODER_SILENCE},
};

/// The decoder of an open source.
#[derive(Debug)]
pub struct Decoding {
    decoder: &'static JpegDecoderSpec,
    decoders: JpegDecoders,
    watch: Arc<Watch>,
    /// What the decoder is given comes from here.
    feeding: Option<gst::Pad>,
}

/// What a decoder does.
#[derive(Debug, Default)]
struct Watch {
    flow: Mutex<Flow>,
    /// It posted an error.
    failed: AtomicBool,
    /// The camera has ended.
    ended: AtomicBool,
}

/// When frames went in and came out.
#[derive(Debug, Clone, Copy, Default)]
struct Flow {
    first_in: Option<Instant>,
    last_in: Option<Instant>,
    last_out: Option<Instant>,
    /// What went in since.
    held: usize,
}

impl Flow {
    fn came(&mut self, now: Instant) {
        self.first_in.get_or_insert(now);
        self.last_in = Some(now);
        self.held += 1;
    }

    fn left(&mut self, now: Instant) {
        self.last_out = Some(now);
        self.held = 0;
    }

    /// Whether the decoder keeps what it is given. It takes time and frames to say so: a slow camera
    /// delivers few, and a healthy decoder holds some.
    fn is_stuck(&self) -> bool {
        self.silence() > CAPTURE_DECODER_SILENCE && self.held > CAPTURE_DECODER_HOLDS_MAX
    }

    /// For how long the camera has delivered and the decoder has not.
    fn silence(&self) -> Duration {
        let since = self.last_out.or(self.first_in);
        let silence = self.last_in.zip(since).map(|(to, from)| to.saturating_duration_since(from));
        silence.unwrap_or_default()
    }
}

impl Watch {
    fn flow(&self) -> MutexGuard<'_, Flow> {
        self.flow.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Decoding {
    /// Watches the decoder of a pipeline that does not run yet.
    pub fn new(
        decoder: &'static JpegDecoderSpec,
        decoders: &JpegDecoders,
        running: &Running,
    ) -> Decoding {
        let watch = Arc::new(Watch::default());
        let feeding = sink(running, DECODER).and_then(|pad| pad.peer());
        let (out, camera, takes) = (Arc::clone(&watch), Arc::clone(&watch), feeding.clone());
        if let Some(pad) = entry(running) {
            pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
                let eos = info.event().is_some_and(|event| event.type_() == gst::EventType::Eos);
                // A decoder that takes no more ends the camera.
                if eos && takes.as_ref().is_none_or(|pad| pad.last_flow_result().is_ok()) {
                    camera.ended.store(true, Ordering::Release);
                }
                gst::PadProbeReturn::Ok
            });
        }
        if let Some(pad) = sink(running, VIDEO_HEAD) {
            pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
                out.flow().left(Instant::now());
                gst::PadProbeReturn::Ok
            });
        }
        Decoding { decoder, decoders: decoders.clone(), watch, feeding }
    }

    /// To be called when a whole JPEG comes from the camera.
    pub fn on_whole(&self) -> impl Fn() + Send + Sync + 'static {
        let watch = Arc::clone(&self.watch);
        move || watch.flow().came(Instant::now())
    }

    /// To be called with the name of each element that posts an error.
    pub fn on_error(&self) -> impl Fn(&str) + Send + Sync + 'static {
        let watch = Arc::clone(&self.watch);
        move |element| {
            if element == DECODER {
                watch.failed.store(true, Ordering::Release);
            }
        }
    }

    /// Why the source gives up waiting for a first frame, when it is the decoder that holds it.
    pub fn holds_all(&self) -> Option<String> {
        let stuck = !self.decoder.software && self.watch.flow().is_stuck();
        stuck.then(|| format!("nothing comes out of {}", self.decoder.element))
    }

    /// Whether the failure of the source is that of its decoder.
    fn is_at_fault(&self) -> bool {
        let ended = self.watch.ended.load(Ordering::Acquire);
        let refuses = match self.feeding.as_ref().map(gst::Pad::last_flow_result) {
            None | Some(Ok(_) | Err(gst::FlowError::Flushing)) => false,
            Some(Err(gst::FlowError::Eos)) => !ended,
            Some(Err(_)) => true,
        };
        refuses || self.watch.failed.load(Ordering::Acquire) || self.watch.flow().is_stuck()
    }

    /// Lets the next decoder take over when the source fails and this one is the reason; `false`
    /// when it is not, or none is left. The source is to be opened again in any case.
    pub fn replace(&self, why: &str) -> bool {
        self.is_at_fault() && self.decoders.reject(self.decoder, why)
    }

    /// Closes a source whose decoder is that of a device. The camera is freed first, because closing the
    /// decoder may hang in its driver; then it is left to itself. One that hangs need not be known to
    /// when somebody stops.
    pub fn close(&self, running: &Running) {
        if self.decoder.software {
            return;
        }
        let elements = running.pipeline().children().into_iter();
        for camera in elements.filter(|e| e.element_flags().contains(gst::ElementFlags::SOURCE)) {
            camera.set_locked_state(true);
            let _ = camera.set_state(gst::State::Null);
        }
        let decoder_too = running.clone();
        let closing = Bounded::start("capture-close", CAPTURE_DECODER_CLOSE_TIMEOUT, move || {
            decoder_too.shut_down();
        });
        if closing.is_ok_and(|closing| closing.wait().is_none()) {
            tracing::warn!("{} hangs and is left alone", self.decoder.element);
        }
    }
}

/// Keeps corrupt JPEGs away from a decoder, and counts them together with those that it cannot
/// decode. `on_whole` is called for each of the others.
pub fn drop_corrupt_jpegs(
    running: &Running,
    counters: &Arc<Counters>,
    on_whole: Option<impl Fn() + Send + Sync + 'static>,
) {
    let (Some(into), Some(out)) = (sink(running, DECODER), sink(running, VIDEO_HEAD)) else {
        return;
    };
    let inside = Arc::new(Mutex::new(InDecoder::default()));
    let counted = {
        let counters = Arc::clone(counters);
        move |corrupt| counters.corrupt.fetch_add(corrupt, Ordering::Relaxed)
    };
    let count = counted.clone();
    let camera = entry(running).unwrap_or_else(|| into.clone());
    camera.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        match info.buffer().filter(|_| is_jpeg(pad)) {
            Some(buffer) if is_corrupt(buffer) => {
                count(1);
                // Not `Drop`: the buffer is freed with `info`, and GStreamer complains about it.
                gst::PadProbeReturn::Handled
            }
            _ => {
                on_whole.iter().for_each(|on_whole| on_whole());
                gst::PadProbeReturn::Ok
            }
        }
    });
    let (entering, count) = (Arc::clone(&inside), counted.clone());
    into.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        if let Some(buffer) = info.buffer().filter(|_| is_jpeg(pad)) {
            let time_ns = buffer.pts().map(gst::ClockTime::nseconds);
            count(entering.lock().unwrap_or_else(PoisonError::into_inner).entered(time_ns));
        }
        gst::PadProbeReturn::Ok
    });
    out.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let time_ns = info.buffer().and_then(|b| b.pts()).map(gst::ClockTime::nseconds);
        counted(inside.lock().unwrap_or_else(PoisonError::into_inner).left(time_ns));
        gst::PadProbeReturn::Ok
    });
}

/// Where the camera's JPEGs come in.
fn entry(running: &Running) -> Option<gst::Pad> {
    sink(running, DECODER_QUEUE).or_else(|| sink(running, DECODER))
}

fn sink(running: &Running, name: &str) -> Option<gst::Pad> {
    running.optional_element::<gst::Element>(name)?.static_pad("sink")
}

fn is_jpeg(pad: &gst::Pad) -> bool {
    let caps = pad.current_caps();
    caps.is_some_and(|caps| caps.structure(0).is_some_and(|s| s.name() == "image/jpeg"))
}

fn is_corrupt(buffer: &gst::BufferRef) -> bool {
    buffer.flags().contains(gst::BufferFlags::CORRUPTED)
        || buffer.map_readable().is_ok_and(|map| !jpeg::is_whole(&map))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::CAPTURE_OPEN_TIMEOUT;

    #[test]
    fn a_camera_that_freezes_is_not_taken_for_a_decoder_that_does() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut flow = Flow::default();
        assert_eq!(flow.silence(), Duration::ZERO, "no camera yet");
        for frame in 0..30 {
            flow.came(at(frame * 33));
            // Three frames are in the decoder.
            if frame >= 3 {
                flow.left(at(frame * 33));
            }
            assert!(!flow.is_stuck(), "{flow:?}");
        }
        for frame in 30..60 {
            flow.came(at(frame * 33));
        }
        assert!(flow.is_stuck(), "{flow:?}");

        let mut never = Flow::default();
        never.came(at(0));
        never.came(at(1_000));
        assert_eq!(never.silence(), Duration::from_secs(1), "from the first one on");
    }

    #[test]
    fn a_decoder_is_judged_by_frames_as_well_where_a_camera_is_slow() {
        for fps in [1, 2, 5, 30] {
            let (start, mut flow) = (Instant::now(), Flow::default());
            let mut came = (0..).map(|frame| {
                flow.came(start + Duration::from_secs(1) * frame / fps);
                flow.is_stuck()
            });
            // A healthy one holds so many before the first comes out.
            assert!(came.by_ref().take(CAPTURE_DECODER_HOLDS_MAX).all(|stuck| !stuck), "{fps}");
            let more = came.position(|stuck| stuck).expect("it is noticed at last");
            let frames = u32::try_from(CAPTURE_DECODER_HOLDS_MAX + more).expect("few");
            assert!(Duration::from_secs(1) * frames / fps < CAPTURE_OPEN_TIMEOUT, "{fps}");
        }
    }
}
