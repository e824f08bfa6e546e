//! Which element of a board's order is used for a piece of work: the first that works, until it fails.
//!
//! Decoders and converters of devices are chosen alike: tried before they are used, passed over when the
//! trial fails, and not used again once they have failed.

use std::{
    fmt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use super::{encode::KnownBug, real_time};

/// An element that works on a device, or the one in software that takes its place.
pub(super) trait DeviceElement: fmt::Debug + Sync + 'static {
    /// What it is, as messages name it.
    const KIND: &'static str;

    /// The one that every machine has.
    fn software() -> &'static Self;
    /// The one of that GStreamer element, which may be in a board's order.
    fn named(element: &str) -> Option<&'static Self>;

    /// Its GStreamer element.
    fn element(&self) -> &'static str;
    /// It needs no device, so it is opened without a trial and never replaced.
    fn is_software(&self) -> bool;
    /// Its known bugs.
    fn known_bugs(&self) -> &'static [KnownBug];
}

/// Those of a board's order that are known; whatever it names, one is left that needs no device.
pub(super) fn known<S: DeviceElement>(order: &[String]) -> Vec<&'static S> {
    let named = with_software::<S>(order).into_iter().filter_map(|element| {
        let known = S::named(&element);
        if known.is_none() {
            tracing::warn!("{element} is not a {} that firstmile knows", S::KIND);
        }
        known
    });
    named.collect()
}

/// A board's order and, where it names none that needs no device, that one as the last.
pub(super) fn with_software<S: DeviceElement>(order: &[String]) -> Vec<String> {
    let mut order = order.to_vec();
    let software = S::software().element();
    if order.iter().all(|element| element != software) {
        order.push(software.to_owned());
    }
    order
}

/// The elements that may be used, best first.
#[derive(Debug)]
pub(super) struct Choice<S: DeviceElement>(Arc<Shared<S>>);

#[derive(Debug)]
struct Shared<S: DeviceElement> {
    candidates: Mutex<Vec<Candidate<S>>>,
    decided: Condvar,
    /// Nobody waits for a verdict any longer than this.
    until: Instant,
}

/// An element that has not failed yet; never the last one of them goes.
#[derive(Debug)]
struct Candidate<S: DeviceElement> {
    spec: &'static S,
    is_tried: bool,
}

impl<S: DeviceElement> Clone for Choice<S> {
    fn clone(&self) -> Choice<S> {
        Choice(Arc::clone(&self.0))
    }
}

impl<S: DeviceElement> Choice<S> {
    /// Those of an order, best first. With `needed`, those of devices are tried from now on.
    pub(super) fn tried_by(
        order: Vec<&'static S>,
        needed: bool,
        within: Duration,
        attempt: impl Fn(&'static S) -> Result<(), String> + Send + Sync + 'static,
    ) -> Choice<S> {
        // One that nothing follows is used whatever a trial says.
        let last = order.len().saturating_sub(1);
        let of_devices: Vec<_> =
            order[..last].iter().copied().filter(|spec| needed && !spec.is_software()).collect();
        let candidate = |spec: &&'static S| Candidate {
            spec: *spec,
            is_tried: !of_devices.iter().any(|tried| std::ptr::eq(*tried, *spec)),
        };
        let candidates = Mutex::new(order.iter().map(candidate).collect());
        let until = Instant::now() + within;
        let choice = Choice(Arc::new(Shared { candidates, decided: Condvar::new(), until }));
        let attempt = Arc::new(attempt);
        for spec in of_devices {
            // At the same time: one that hangs takes nothing of the time of the next.
            let (shared, attempt) = (choice.clone(), Arc::clone(&attempt));
            let work = move || {
                // The mixer's thread may be what starts it.
                real_time::end();
                shared.decide(spec, attempt(spec));
            };
            // Without a thread, it is used as it is.
            if thread::Builder::new().name("capture-trial".to_owned()).spawn(work).is_err() {
                choice.decide(spec, Ok(()));
            }
        }
        choice
    }

    /// The element to use now. Waits for the verdict about it, within a bound.
    pub(super) fn current(&self) -> &'static S {
        let mut candidates = self.lock();
        loop {
            // One is always left.
            let Some(first) = candidates.first() else { return S::software() };
            if first.is_tried {
                return first.spec;
            }
            let left = self.0.until.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                let spec = first.spec;
                remove(&mut candidates, spec, "its driver does not respond");
                continue;
            }
            let woken = self.0.decided.wait_timeout(candidates, left);
            candidates = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// For how long [`Choice::current`] may wait.
    pub(super) fn verdict_within(&self) -> Duration {
        match self.lock().first() {
            Some(first) if !first.is_tried => {
                self.0.until.saturating_duration_since(Instant::now())
            }
            _ => Duration::ZERO,
        }
    }

    /// An element failed; returns whether another one takes its place.
    pub(super) fn reject(&self, spec: &S, why: &str) -> bool {
        remove(&mut self.lock(), spec, why)
    }

    /// Whether it may still be used.
    pub(super) fn has(&self, spec: &S) -> bool {
        self.lock().iter().any(|candidate| std::ptr::eq(candidate.spec, spec))
    }

    fn decide(&self, spec: &'static S, verdict: Result<(), String>) {
        let mut candidates = self.lock();
        match verdict {
            Ok(()) => {
                let mut tried = candidates.iter_mut();
                if let Some(candidate) = tried.find(|c| std::ptr::eq(c.spec, spec)) {
                    candidate.is_tried = true;
                }
            }
            Err(why) => {
                remove(&mut candidates, spec, &why);
            }
        }
        self.0.decided.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Candidate<S>>> {
        self.0.candidates.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn remove<S: DeviceElement>(candidates: &mut Vec<Candidate<S>>, spec: &S, why: &str) -> bool {
    let at = candidates.iter().position(|candidate| std::ptr::eq(candidate.spec, spec));
    let Some(at) = at.filter(|_| candidates.len() > 1) else { return false };
    candidates.remove(at);
    tracing::warn!("{} {} is not used: {why}", S::KIND, spec.element());
    true
}

#[cfg(test)]
impl<S: DeviceElement> Choice<S> {
    /// Elements that are used without a trial.
    pub(super) fn untried(order: &[&'static S]) -> Choice<S> {
        Choice::tried_by(order.to_vec(), false, Duration::ZERO, |_| Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::capture::decode::JpegDecoderSpec;

    /// Longer than any test waits, or soon over.
    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(200);

    fn order() -> Vec<&'static JpegDecoderSpec> {
        let names = ["v4l2jpegdec", "mppjpegdec", "jpegdec"];
        names.map(|name| JpegDecoderSpec::named(name).expect("known")).to_vec()
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn the_first_element_that_works_is_used_and_the_camera_waits_for_the_verdict() {
        let (go, wait) = channel();
        let wait = Mutex::new(wait);
        let choice = Choice::tried_by(order(), true, LONG, move |spec| {
            let wait = wait.lock().map_err(|error| error.to_string())?;
            wait.recv().map_err(|error| error.to_string())?;
            if spec.element() == "mppjpegdec" { Ok(()) } else { Err("no such device".to_owned()) }
        });
        go.send(()).expect("awaited");
        go.send(()).expect("awaited");
        assert_eq!(choice.current().element(), "mppjpegdec");
    }

    #[test]
    fn an_element_whose_trial_never_ends_is_passed_over_in_time() {
        let choice = Choice::tried_by(order(), true, SHORT, |_| {
            loop {
                thread::park();
            }
        });
        assert_eq!(choice.current().element(), "jpegdec");
    }

    #[test]
    fn an_element_whose_trial_never_ends_takes_nothing_of_the_time_of_the_next() {
        let choice = Choice::tried_by(order(), true, SHORT, |spec| {
            if spec.element() == "v4l2jpegdec" {
                loop {
                    thread::park();
                }
            }
            Ok(())
        });
        assert_eq!(choice.current().element(), "mppjpegdec");
        assert_eq!(choice.verdict_within(), Duration::ZERO);
    }

    #[test]
    fn one_that_failed_is_not_used_again_and_the_last_one_always_is() {
        let choice = Choice::untried(&order());
        for (failed, next) in [("v4l2jpegdec", "mppjpegdec"), ("mppjpegdec", "jpegdec")] {
            let current = choice.current();
            assert_eq!(current.element(), failed);
            assert!(choice.reject(current, "nothing comes out"));
            assert!(!choice.has(current));
            assert_eq!(choice.current().element(), next);
            assert!(!choice.reject(current, "nothing comes out"), "it is gone already");
        }
        assert!(!choice.reject(choice.current(), "it fails"), "nothing else is left");
        assert_eq!(choice.current().element(), "jpegdec");
    }

    #[test]
    fn an_element_that_nobody_knows_is_left_out_and_one_is_always_there() {
        for (order, used) in [
            (&["abacusdec", "v4l2jpegdec"][..], &["v4l2jpegdec", "jpegdec"][..]),
            (&["v4l2jpegdec", "jpegdec"], &["v4l2jpegdec", "jpegdec"]),
            (&["abacusdec"], &["jpegdec"]),
            (&[], &["jpegdec"]),
        ] {
            let known = known::<JpegDecoderSpec>(&names(order));
            let elements: Vec<_> = known.iter().map(|spec| spec.element()).collect();
            assert_eq!(elements, used, "{order:?}");
        }
    }
}
