//! Which converter is used.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    converters::{self, ConverterSpec},
    probe::probe,
    work::{Task, Work},
};
use crate::{
    capture::{
        choice::{Choice, DeviceElement, known},
        encode::KnownBug,
    },
    limits::{CAPTURE_CONVERTER_VERDICT, CAPTURE_CONVERTER_WORK_MAX},
};

impl DeviceElement for ConverterSpec {
    const KIND: &'static str = "converter";

    fn software() -> &'static ConverterSpec {
        converters::software()
    }

    fn named(element: &str) -> Option<&'static ConverterSpec> {
        converters::converter(element)
    }

    fn element(&self) -> &'static str {
        self.element
    }

    fn is_software(&self) -> bool {
        self.software
    }

    fn known_bugs(&self) -> &'static [KnownBug] {
        self.known_bugs
    }
}

/// The converters of a capture. What is to be done is known when a camera was found; then those of
/// devices are tried with it, and one that failed is not used again.
#[derive(Debug, Clone)]
pub struct Converters(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// Best first.
    order: Vec<&'static ConverterSpec>,
    /// They are used without a trial.
    trusted: bool,
    /// Cameras that are being opened may need different things.
    offers: VecDeque<Offered>,
    /// What was tried and works.
    proven: Arc<Mutex<Vec<(&'static str, Task)>>>,
}

/// Those that can do a piece of work.
#[derive(Debug)]
struct Offered {
    work: Work,
    to_use: Vec<&'static ConverterSpec>,
    choice: Choice<ConverterSpec>,
}

impl Converters {
    /// Those of an order, best first.
    pub fn of(order: &[String]) -> Converters {
        Converters::new(known(order), false)
    }

    fn new(order: Vec<&'static ConverterSpec>, trusted: bool) -> Converters {
        let (offers, proven) = (VecDeque::new(), Arc::default());
        Converters(Arc::new(Mutex::new(State { order, trusted, offers, proven })))
    }

    /// Those that can do this work; from now on they are tried with it.
    pub fn for_work(&self, work: &Work) -> Choice<ConverterSpec> {
        let mut state = self.lock();
        state.forget_failed();
        if let Some(offered) = state.offers.iter().find(|offered| offered.work == *work) {
            return offered.choice.clone();
        }
        let can = |spec: &&'static ConverterSpec| {
            let task = if spec.software { Ok(()) } else { spec.task(work).map(|_| ()) };
            task.inspect_err(|why| {
                tracing::info!("converter {} is not used: it {why}", spec.element)
            })
            .is_ok()
        };
        let to_use: Vec<_> = state.order.iter().copied().filter(can).collect();
        let (wanted, proven) = (work.clone(), Arc::clone(&state.proven));
        let attempt = move |spec: &'static ConverterSpec| {
            let task = spec.task(&wanted)?;
            let known = (spec.element, task);
            if proven.lock().unwrap_or_else(PoisonError::into_inner).contains(&known) {
                return Ok(());
            }
            probe(spec, task)?;
            proven.lock().unwrap_or_else(PoisonError::into_inner).push(known);
            Ok(())
        };
        let (needed, within) = (!state.trusted, CAPTURE_CONVERTER_VERDICT);
        let choice = Choice::tried_by(to_use.clone(), needed, within, attempt);
        if state.offers.len() == CAPTURE_CONVERTER_WORK_MAX {
            state.offers.pop_front();
        }
        let offered = Offered { work: work.clone(), to_use, choice: choice.clone() };
        state.offers.push_back(offered);
        choice
    }

    /// For how long what they are needed for waits until they are tried.
    pub fn verdict_within(&self) -> Duration {
        let of_devices = self.lock().order.iter().any(|spec| !spec.software);
        if of_devices { CAPTURE_CONVERTER_VERDICT } else { Duration::ZERO }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What has failed at one piece of work is used for no other.
    fn forget_failed(&mut self) {
        let has_failed = |spec: &ConverterSpec| {
            self.offers.iter().any(|offered| {
                offered.to_use.iter().any(|of| std::ptr::eq(*of, spec)) && !offered.choice.has(spec)
            })
        };
        let failed: Vec<_> = self.order.iter().copied().filter(|spec| has_failed(spec)).collect();
        for spec in failed {
            self.order.retain(|other| !std::ptr::eq(*other, spec));
            for offered in self.offers.iter().filter(|offered| offered.choice.has(spec)) {
                offered.choice.reject(spec, "it has failed");
            }
        }
    }
}

#[cfg(test)]
impl Converters {
    /// Converters that are used without a trial.
    pub(in crate::capture) fn untried(order: &[&'static ConverterSpec]) -> Converters {
        Converters::new(order.to_vec(), true)
    }

    /// Converters that are tried before.
    pub(in crate::capture) fn tried(order: &[&'static ConverterSpec]) -> Converters {
        Converters::new(order.to_vec(), false)
    }

    /// The one that is in use.
    pub(in crate::capture) fn used(&self) -> Option<&'static ConverterSpec> {
        self.lock().offers.back().map(|offered| offered.choice.current())
    }
}

#[cfg(test)]
mod tests {
    use gstreamer_video::VideoFormat as Layout;

    use super::*;
    use crate::capture::convert::Shape;

    fn work(from: &str, layouts: &[Layout]) -> Work {
        gstreamer::init().expect("GStreamer");
        let from = Shape::of(from, 1280, 720).expect("known");
        Work::between(from, layouts, (1280, 720)).expect("something to do")
    }

    fn first(converters: &Converters, work: &Work) -> &'static str {
        converters.for_work(work).current().element
    }

    #[test]
    fn one_that_cannot_do_the_work_is_passed_over_for_that_work_alone() {
        let v4l2 = converters::converter("v4l2convert").expect("known");
        let converters = Converters::untried(&[v4l2, converters::software()]);
        let (packed, rgb) = (work("YUY2", &[Layout::I420]), work("BGR", &[Layout::I420]));
        assert_eq!(first(&converters, &packed), "v4l2convert");
        assert_eq!(first(&converters, &rgb), "videoconvert");
        assert_eq!(first(&converters, &packed), "v4l2convert");
    }

    #[test]
    fn one_that_failed_is_used_for_no_other_work_either() {
        let v4l2 = converters::converter("v4l2convert").expect("known");
        let converters = Converters::untried(&[v4l2, converters::software()]);
        let (once, exactly) =
            (work("YUY2", &[Layout::Nv12, Layout::I420]), work("YUY2", &[Layout::Nv12]));
        let before = converters.for_work(&exactly);
        assert!(converters.for_work(&once).reject(v4l2, "nothing comes out"));
        assert_eq!(first(&converters, &once), "videoconvert");
        assert_eq!(first(&converters, &exactly), "videoconvert");
        assert_eq!(before.current().element, "videoconvert");
    }
}
