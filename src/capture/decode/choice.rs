//! Which JPEG decoder is used: the first in the board's order that works, until it fails.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use super::{
    decoders::{self, JpegDecoderSpec},
    probe::probe_jpeg,
};
use crate::{capture::request::VideoSettings, limits::CAPTURE_PROBE_TIMEOUT};

/// The JPEG decoders of a capture. Those of devices are tried while the encoders are; one that
/// failed is not used again.
#[derive(Debug, Clone)]
pub struct JpegDecoders(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    candidates: Mutex<Vec<Candidate>>,
    decided: Condvar,
    /// Nobody waits for a verdict any longer than this.
    until: Instant,
}

/// A decoder that has not failed yet; never the last one of them goes.
#[derive(Debug)]
struct Candidate {
    decoder: &'static JpegDecoderSpec,
    is_tried: bool,
}

impl JpegDecoders {
    /// Those of an order, best first. With `needed`, because a camera may deliver JPEGs, those of
    /// devices are tried from now on.
    pub fn of(order: &[String], video: &VideoSettings, needed: bool) -> JpegDecoders {
        let order = with_software(order);
        let known = order.iter().filter_map(|element| {
            let decoder = decoders::jpeg(element);
            if decoder.is_none() {
                tracing::warn!("{element} is not a JPEG decoder that firstmile knows");
            }
            decoder
        });
        let video = video.clone();
        JpegDecoders::tried_by(known.collect(), needed, move |decoder| probe_jpeg(decoder, &video))
    }

    fn tried_by(
        order: Vec<&'static JpegDecoderSpec>,
        needed: bool,
        attempt: impl Fn(&'static JpegDecoderSpec) -> Result<(), String> + Send + Sync + 'static,
    ) -> JpegDecoders {
        // One that nothing follows is used whatever a trial says.
        let last = order.len() - 1;
        let of_devices: Vec<_> =
            order[..last].iter().copied().filter(|decoder| needed && !decoder.software).collect();
        let candidate = |decoder: &&'static JpegDecoderSpec| Candidate {
            decoder,
            is_tried: !of_devices.contains(decoder),
        };
        let candidates = Mutex::new(order.iter().map(candidate).collect());
        let until = Instant::now() + CAPTURE_PROBE_TIMEOUT;
        let decoders =
            JpegDecoders(Arc::new(Shared { candidates, decided: Condvar::new(), until }));
        let attempt = Arc::new(attempt);
        for decoder in of_devices {
            // At the same time: one that hangs takes nothing of the time of the next.
            let (shared, attempt) = (decoders.clone(), Arc::clone(&attempt));
            let work = move || shared.decide(decoder, attempt(decoder));
            // Without a thread, it is used as it is.
            if thread::Builder::new().name("capture-decoder".to_owned()).spawn(work).is_err() {
                decoders.decide(decoder, Ok(()));
            }
        }
        decoders
    }

    /// The decoder to use now. Waits for the verdict about it, within a bound.
    pub fn current(&self) -> &'static JpegDecoderSpec {
        let mut candidates = self.lock();
        loop {
            // One is always left.
            let Some(first) = candidates.first() else { return decoders::software() };
            if first.is_tried {
                return first.decoder;
            }
            let left = self.0.until.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                let decoder = first.decoder;
                remove(&mut candidates, decoder, "its driver does not respond");
                continue;
            }
            let woken = self.0.decided.wait_timeout(candidates, left);
            candidates = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// For how long [`JpegDecoders::current`] may wait.
    pub fn verdict_within(&self) -> Duration {
        match self.lock().first() {
            Some(first) if !first.is_tried => {
                self.0.until.saturating_duration_since(Instant::now())
            }
            _ => Duration::ZERO,
        }
    }

    /// The decoder for a source. One without JPEGs waits for no verdict.
    pub fn current_for(&self, is_jpeg: bool) -> &'static JpegDecoderSpec {
        if is_jpeg { self.current() } else { decoders::software() }
    }

    /// A decoder failed; returns whether another one takes its place.
    pub fn reject(&self, decoder: &JpegDecoderSpec, why: &str) -> bool {
        remove(&mut self.lock(), decoder, why)
    }

    fn decide(&self, decoder: &JpegDecoderSpec, verdict: Result<(), String>) {
        let mut candidates = self.lock();
        match verdict {
            Ok(()) => {
                let mut tried = candidates.iter_mut();
                if let Some(candidate) = tried.find(|c| std::ptr::eq(c.decoder, decoder)) {
                    candidate.is_tried = true;
                }
            }
            Err(why) => {
                remove(&mut candidates, decoder, &why);
            }
        }
        self.0.decided.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Candidate>> {
        self.0.candidates.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A board's order of decoders; whatever it names, one is left that needs no device.
pub fn with_software(order: &[String]) -> Vec<String> {
    let mut order = order.to_vec();
    let software = decoders::software().element;
    if order.iter().all(|element| element != software) {
        order.push(software.to_owned());
    }
    order
}

fn remove(candidates: &mut Vec<Candidate>, decoder: &JpegDecoderSpec, why: &str) -> bool {
    let at = candidates.iter().position(|candidate| std::ptr::eq(candidate.decoder, decoder));
    let Some(at) = at.filter(|_| candidates.len() > 1) else { return false };
    candidates.remove(at);
    tracing::warn!("JPEG decoder {} is not used: {why}", decoder.element);
    true
}

#[cfg(test)]
impl JpegDecoders {
    /// Decoders that are used without a trial.
    pub(in crate::capture) fn untried(order: &[&'static JpegDecoderSpec]) -> JpegDecoders {
        JpegDecoders::tried_by(order.to_vec(), false, |_| Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    fn order() -> Vec<&'static JpegDecoderSpec> {
        ["v4l2jpegdec", "mppjpegdec", "jpegdec"].map(|e| decoders::jpeg(e).expect("known")).to_vec()
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn the_first_decoder_that_works_is_used_and_the_camera_waits_for_the_verdict() {
        let (go, wait) = channel();
        let wait = Mutex::new(wait);
        let decoders = JpegDecoders::tried_by(order(), true, move |decoder| {
            let wait = wait.lock().map_err(|error| error.to_string())?;
            wait.recv().map_err(|error| error.to_string())?;
            if decoder.element == "mppjpegdec" { Ok(()) } else { Err("no such device".to_owned()) }
        });
        go.send(()).expect("awaited");
        go.send(()).expect("awaited");
        assert_eq!(decoders.current().element, "mppjpegdec");
    }

    #[test]
    fn a_decoder_whose_trial_never_ends_is_passed_over_in_time() {
        let decoders = JpegDecoders::tried_by(order(), true, |_| {
            loop {
                thread::park();
            }
        });
        assert_eq!(decoders.current().element, "jpegdec");
    }

    #[test]
    fn a_decoder_whose_trial_never_ends_takes_nothing_of_the_time_of_the_next() {
        let decoders = JpegDecoders::tried_by(order(), true, |decoder| {
            if decoder.element == "v4l2jpegdec" {
                loop {
                    thread::park();
                }
            }
            Ok(())
        });
        assert!(decoders.verdict_within() > Duration::ZERO);
        assert_eq!(decoders.current().element, "mppjpegdec");
        assert_eq!(decoders.verdict_within(), Duration::ZERO);
    }

    #[test]
    fn one_that_failed_is_not_used_again_and_the_last_one_always_is() {
        let decoders = JpegDecoders::untried(&order());
        for (failed, next) in [("v4l2jpegdec", "mppjpegdec"), ("mppjpegdec", "jpegdec")] {
            let current = decoders.current();
            assert_eq!(current.element, failed);
            assert!(decoders.reject(current, "nothing comes out"));
            assert_eq!(decoders.current().element, next);
            assert!(!decoders.reject(current, "nothing comes out"), "it is gone already");
        }
        assert!(!decoders.reject(decoders.current(), "it fails"), "nothing else is left");
        assert_eq!(decoders.current().element, "jpegdec");
    }

    #[test]
    fn a_decoder_that_nobody_knows_is_left_out_and_one_is_always_there() {
        let video = VideoSettings::of_720p();
        for (order, used) in [
            (&["abacusdec", "v4l2jpegdec"][..], &["v4l2jpegdec", "jpegdec"][..]),
            (&["v4l2jpegdec", "jpegdec"], &["v4l2jpegdec", "jpegdec"]),
            (&["abacusdec"], &["jpegdec"]),
            (&[], &["jpegdec"]),
        ] {
            let decoders = JpegDecoders::of(&names(order), &video, false);
            for element in used {
                let current = decoders.current();
                assert_eq!(current.element, *element, "{order:?}");
                decoders.reject(current, "it fails");
            }
        }
    }
}
