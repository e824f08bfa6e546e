//! An element of a device while it works in a source: what goes in and comes out, and whether it is the
//! element that fails, rather than the camera.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use gstreamer::{self as gst, prelude::*};

use crate::{
    capture::{
        choice::{Choice, DeviceElement},
        gst::{build::Running, bus::Failure},
        threads::Bounded,
    },
    limits::{CAPTURE_DEVICE_CLOSE_TIMEOUT, CAPTURE_DEVICE_HOLDS_MAX, CAPTURE_DEVICE_SILENCE},
};

/// Where an element is in a source.
#[derive(Debug)]
pub struct Place {
    /// Its name.
    pub name: &'static str,
    /// Where frames come in, in front of its queue.
    pub entry: Option<gst::Pad>,
    /// Where they have come out.
    pub exit: Option<gst::Pad>,
}

/// The decoder or converter of an open source.
#[derive(Debug)]
pub struct Watched<S: DeviceElement> {
    spec: &'static S,
    choice: Choice<S>,
    name: &'static str,
    watch: Arc<Watch>,
    /// What the element is given comes from here.
    feeding: Option<gst::Pad>,
}

/// What an element does.
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

    /// Whether the element keeps what it is given. It takes time and frames to say so: a slow camera
    /// delivers few, and a healthy element holds some.
    fn is_stuck(&self) -> bool {
        self.silence() > CAPTURE_DEVICE_SILENCE && self.held > CAPTURE_DEVICE_HOLDS_MAX
    }

    /// For how long the camera has delivered and the element has not.
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

impl<S: DeviceElement> Watched<S> {
    /// Watches an element of a pipeline that does not run yet.
    pub fn new(
        spec: &'static S,
        choice: &Choice<S>,
        running: &Running,
        place: Place,
    ) -> Watched<S> {
        let watch = Arc::new(Watch::default());
        let Place { name, entry, exit } = place;
        let feeding = sink(running, name).and_then(|pad| pad.peer());
        let (out, camera, takes) = (Arc::clone(&watch), Arc::clone(&watch), feeding.clone());
        if let Some(pad) = entry.as_ref().filter(|_| !spec.is_software()) {
            let given = Arc::clone(&watch);
            // It is asked how it wants its frames before it has any. Later the camera would wait for the
            // answer of an element that hangs.
            pad.add_probe(gst::PadProbeType::QUERY_DOWNSTREAM, move |_, info| {
                let waits = info.query().is_some_and(|query| query.is_serialized());
                let is_busy = given.flow().first_in.is_some();
                if waits && is_busy { gst::PadProbeReturn::Drop } else { gst::PadProbeReturn::Ok }
            });
        }
        if let Some(pad) = entry {
            pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
                let eos = info.event().is_some_and(|event| event.type_() == gst::EventType::Eos);
                // An element that takes no more ends the camera.
                if eos && takes.as_ref().is_none_or(|pad| pad.last_flow_result().is_ok()) {
                    camera.ended.store(true, Ordering::Release);
                }
                gst::PadProbeReturn::Ok
            });
        }
        if let Some(pad) = exit {
            pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
                out.flow().left(Instant::now());
                gst::PadProbeReturn::Ok
            });
        }
        Watched { spec, choice: choice.clone(), name, watch, feeding }
    }

    /// To be called when a frame for the element comes from the camera.
    pub fn on_frame(&self) -> impl Fn() + Send + Sync + 'static {
        let watch = Arc::clone(&self.watch);
        move || watch.flow().came(Instant::now())
    }

    /// To be called with the name of each element that posts an error.
    pub fn on_error(&self) -> impl Fn(&str) + Send + Sync + 'static {
        let (watch, name) = (Arc::clone(&self.watch), self.name);
        move |element| {
            if element == name {
                watch.failed.store(true, Ordering::Release);
            }
        }
    }

    /// To be called when what the element is to do is beyond it; then the source ends.
    pub fn on_refusal(&self, failure: &Failure) -> impl Fn(String) + Send + Sync + 'static {
        let (watch, failure) = (Arc::clone(&self.watch), failure.clone());
        move |why| {
            watch.failed.store(true, Ordering::Release);
            failure.note(why);
        }
    }

    /// Why the source gives up waiting for a first frame, when it is the element that holds it.
    pub fn holds_all(&self) -> Option<String> {
        let stuck = !self.spec.is_software() && self.watch.flow().is_stuck();
        stuck.then(|| format!("nothing comes out of {}", self.spec.element()))
    }

    /// Whether the failure of the source is that of its element.
    fn is_at_fault(&self) -> bool {
        let ended = self.watch.ended.load(Ordering::Acquire);
        let refuses = match self.feeding.as_ref().map(gst::Pad::last_flow_result) {
            None | Some(Ok(_) | Err(gst::FlowError::Flushing)) => false,
            Some(Err(gst::FlowError::Eos)) => !ended,
            Some(Err(_)) => true,
        };
        refuses || self.watch.failed.load(Ordering::Acquire) || self.watch.flow().is_stuck()
    }

    /// Lets the next element take over when the source fails and this one is the reason; `false`
    /// when it is not, or none is left. The source is to be opened again in any case.
    pub fn replace(&self, why: &str) -> bool {
        self.is_at_fault() && self.choice.reject(self.spec, why)
    }

    /// The element, when it is that of a device.
    pub fn of_device(&self) -> Option<&'static str> {
        (!self.spec.is_software()).then(|| self.spec.element())
    }
}

/// Closes a source with an element of a device. The camera is freed first, because closing the element may
/// hang in its driver; then it is left to itself.
pub fn close(running: &Running, element: &str) {
    let elements = running.pipeline().children().into_iter();
    for camera in elements.filter(|e| e.element_flags().contains(gst::ElementFlags::SOURCE)) {
        camera.set_locked_state(true);
        let _ = camera.set_state(gst::State::Null);
    }
    let others = running.clone();
    let closing = Bounded::start("capture-close", CAPTURE_DEVICE_CLOSE_TIMEOUT, move || {
        others.shut_down();
    });
    if closing.is_ok_and(|closing| closing.wait().is_none()) {
        tracing::warn!("{element} hangs and is left alone");
    }
}

/// Where frames come into an element.
pub fn sink(running: &Running, name: &str) -> Option<gst::Pad> {
    running.optional_element::<gst::Element>(name)?.static_pad("sink")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::CAPTURE_OPEN_TIMEOUT;

    #[test]
    fn a_camera_that_freezes_is_not_taken_for_an_element_that_does() {
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
    fn an_element_is_judged_by_frames_as_well_where_a_camera_is_slow() {
        for fps in [1, 2, 5, 30] {
            let (start, mut flow) = (Instant::now(), Flow::default());
            let mut came = (0..).map(|frame| {
                flow.came(start + Duration::from_secs(1) * frame / fps);
                flow.is_stuck()
            });
            // A healthy one holds so many before the first comes out.
            assert!(came.by_ref().take(CAPTURE_DEVICE_HOLDS_MAX).all(|stuck| !stuck), "{fps}");
            let more = came.position(|stuck| stuck).expect("it is noticed at last");
            let frames = u32::try_from(CAPTURE_DEVICE_HOLDS_MAX + more).expect("few");
            assert!(Duration::from_secs(1) * frames / fps < CAPTURE_OPEN_TIMEOUT, "{fps}");
        }
    }
}
