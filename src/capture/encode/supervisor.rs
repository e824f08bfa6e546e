//! Keeps an H.264 encoder running: does what [`EncoderWatchdog`] decides, on a thread of its own,
//! because closing and opening may hang in a driver.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, TryRecvError, sync_channel},
    },
};

use super::{
    bitrate_watch::{Answer, BitrateWatch, Output},
    encoder_pipeline::EncoderPipeline,
    encoders::{self, VideoEncoderSpec},
    video_encoder::VideoEncoder,
    watchdog::{Action, EncoderWatchdog, Failure},
};
use crate::{
    capture::{stats::Counters, threads::Threads},
    limits::CAPTURE_DRIVER_TIMEOUT,
};

const DRIVER_NS: u64 = CAPTURE_DRIVER_TIMEOUT.as_nanos() as u64;

/// The supervisor of a capture's H.264 encoder.
#[derive(Debug)]
pub struct EncoderSupervisor {
    watchdog: EncoderWatchdog,
    /// `None` once the encoder does not follow its bitrate and nothing can be done about it.
    bitrate: Option<BitrateWatch>,
    /// The encoders that the board profile names, in order of preference.
    order: Vec<String>,
    /// Those that were replaced; they are not used again.
    replaced: Vec<&'static str>,
    current: &'static VideoEncoderSpec,
    restart: Option<Restart<VideoEncoder>>,
    interval_ns: u64,
}

/// An encoder that is being started. Dropping it abandons the start.
#[derive(Debug)]
struct Restart<T> {
    done: Receiver<Result<T, String>>,
    abandoned: Arc<AtomicBool>,
    until_ns: u64,
}

impl<T: Send + 'static> Restart<T> {
    /// Closes the old one and then opens another, because a device can be open only once. When
    /// closing took so long that the restart was abandoned, nothing is opened: another encoder may
    /// be using the device by then.
    fn start(
        threads: &Threads,
        until_ns: u64,
        close: impl FnOnce() + Send + 'static,
        open: impl FnOnce() -> Result<T, String> + Send + 'static,
    ) -> io::Result<Restart<T>> {
        let (finished, done) = sync_channel(1);
        let abandoned = Arc::new(AtomicBool::new(false));
        let is_abandoned = Arc::clone(&abandoned);
        threads.spawn("capture-encoder", move |_| {
            close();
            if !is_abandoned.load(Ordering::Acquire) {
                // Nobody receives it when opening took too long.
                let _ = finished.send(open());
            }
        })?;
        Ok(Restart { done, abandoned, until_ns })
    }
}

impl<T> Drop for Restart<T> {
    fn drop(&mut self) {
        self.abandoned.store(true, Ordering::Release);
    }
}

impl EncoderSupervisor {
    /// Supervises the encoder that a pipeline was started with.
    pub fn new(pipeline: &EncoderPipeline, order: &[String], now_ns: u64) -> EncoderSupervisor {
        let mut watchdog = EncoderWatchdog::default();
        watchdog.started(now_ns);
        let (fps, interval_ms) = (pipeline.fps(), pipeline.keyframe_interval_ms());
        let kbps = pipeline.video_setup().video.bitrate_kbps;
        EncoderSupervisor {
            watchdog,
            bitrate: Some(BitrateWatch::new(fps, interval_ms, kbps)),
            order: order.to_vec(),
            replaced: Vec::new(),
            current: pipeline.video_encoder(),
            restart: None,
            interval_ns: u64::from(interval_ms) * 1_000_000,
        }
    }

    /// Checks the encoder and restarts or replaces it; the reason when none is left.
    pub fn poll(
        &mut self,
        now_ns: u64,
        pipeline: &EncoderPipeline,
        counters: &Counters,
        threads: &Threads,
    ) -> Option<String> {
        let failure = match self.progress(now_ns)? {
            Ok(Some(encoder)) => {
                pipeline.install_video_encoder(encoder);
                self.watchdog.started(now_ns);
                None
            }
            Ok(None) => pipeline.take_video_failure().map(Failure::Message),
            Err(failure) => Some(failure),
        };
        if failure.is_none() && pipeline.has_to_copy() {
            tracing::info!(
                "{} copies frames from now on: not all lie in memory that it reads",
                self.current.element
            );
            return self.copy(now_ns, pipeline, counters, threads);
        }
        let last_ns = counters.last_video.at_ns();
        let (why, next) = match self.watchdog.check(now_ns, last_ns, failure, self.current.element)
        {
            None => {
                let last_key_ns = counters.last_key.at_ns();
                if self.watchdog.key_frame_overdue(now_ns, last_key_ns, self.interval_ns) {
                    pipeline.force_key_frame();
                }
                let (why, next) = self.check_bitrate(now_ns, pipeline, counters)?;
                self.watchdog.started(now_ns);
                (why, Some(next))
            }
            // Before it counts as the encoder's failure: it may be one of reading frames where they lie.
            Some(Action::Restart { why } | Action::Replace { why }) if pipeline.is_importing() => {
                tracing::warn!("{} copies frames from now on: {why}", self.current.element);
                return self.copy(now_ns, pipeline, counters, threads);
            }
            Some(Action::Restart { why }) => {
                self.note_restart(counters);
                (why, Some(self.current))
            }
            Some(Action::Replace { why }) => {
                self.replaced.push(self.current.element);
                (why, self.software_left())
            }
        };
        let Some(next) = next else { return Some(why) };
        tracing::warn!(encoder = self.current.element, next = next.element, "{why}; restarting");
        counters.encoder_restarts.fetch_add(1, Ordering::Relaxed);
        self.current = next;
        self.restart(now_ns, pipeline, threads).err()
    }

    /// Checks whether an encoder of a device follows its bitrate; why it is to be restarted and with
    /// which one, if it is. Software follows it as far as the video lets it, and nothing could replace
    /// it.
    fn check_bitrate(
        &mut self,
        now_ns: u64,
        pipeline: &EncoderPipeline,
        counters: &Counters,
    ) -> Option<(String, &'static VideoEncoderSpec)> {
        let watch = self.bitrate.as_mut().filter(|_| !self.current.software)?;
        if pipeline.is_passing() {
            watch.interrupt();
            return None;
        }
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let output = Output {
            bytes: count(&counters.video_bytes),
            frames: count(&counters.video_frames),
            target_kbps: counters.bitrate_kbps.load(Ordering::Relaxed),
        };
        match watch.check(now_ns, output, self.current.element)? {
            Answer::SetAgain { why } => {
                tracing::warn!(encoder = self.current.element, "{why}; setting it again");
                pipeline.set_bitrate_again();
                None
            }
            Answer::Restart { why } => Some((why, self.current)),
            Answer::Replace { why } => {
                self.replaced.push(self.current.element);
                let Some(next) = self.software_left() else {
                    tracing::warn!(encoder = self.current.element, "{why}; there is no other one");
                    self.bitrate = None;
                    return None;
                };
                Some((why, next))
            }
        }
    }

    /// Where the restart stands: none under way, an encoder, or why there is none. `None` while it
    /// goes on.
    fn progress(&mut self, now_ns: u64) -> Option<Result<Option<VideoEncoder>, Failure>> {
        let Some(restart) = &self.restart else { return Some(Ok(None)) };
        let result = match restart.done.try_recv() {
            Ok(result) => result.map(Some).map_err(Failure::Message),
            Err(TryRecvError::Empty) if now_ns < restart.until_ns => return None,
            // Software has no driver: the machine is busy, and another try may do.
            Err(_) if self.current.software => {
                Err(Failure::Message("it did not start in time".to_owned()))
            }
            Err(_) => Err(Failure::DriverHangs),
        };
        self.restart = None;
        Some(result)
    }

    /// The next software encoder. A hardware one is no replacement, because its driver may be what
    /// failed.
    fn software_left(&self) -> Option<&'static VideoEncoderSpec> {
        let known = self.order.iter().filter_map(|element| encoders::video(element));
        known
            .filter(|encoder| encoder.software)
            .find(|encoder| !self.replaced.contains(&encoder.element))
    }

    fn note_restart(&mut self, counters: &Counters) {
        let kbps = counters.bitrate_kbps.load(Ordering::Relaxed);
        self.bitrate.iter_mut().for_each(|watch| watch.restarted(kbps));
    }

    /// Starts the current encoder again, as one that takes any frame.
    fn copy(
        &mut self,
        now_ns: u64,
        pipeline: &EncoderPipeline,
        counters: &Counters,
        threads: &Threads,
    ) -> Option<String> {
        self.watchdog = EncoderWatchdog::default();
        self.watchdog.started(now_ns);
        self.note_restart(counters);
        self.restart(now_ns, pipeline, threads).err()
    }

    /// Closes the running encoder and starts the current one.
    fn restart(
        &mut self,
        now_ns: u64,
        pipeline: &EncoderPipeline,
        threads: &Threads,
    ) -> Result<(), String> {
        let (old, setup, spec) =
            (pipeline.take_video_encoder(), pipeline.video_setup(), self.current);
        let open = move || VideoEncoder::start(spec, &setup).map_err(|error| error.to_string());
        let restart = Restart::start(threads, now_ns + DRIVER_NS, move || drop(old), open);
        self.restart = Some(restart.map_err(|error| error.to_string())?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc::channel, time::Duration};

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn an_encoder_is_opened_when_the_one_before_it_is_closed() {
        let (threads, (closed, is_closed)) = (Threads::default(), channel());
        let close = move || closed.send(()).expect("awaited");
        let open = move || is_closed.try_recv().map_err(|error| error.to_string());
        let restart = Restart::start(&threads, 0, close, open).expect("a thread");
        assert_eq!(restart.done.recv_timeout(LONG), Ok(Ok(())));
    }

    #[test]
    fn an_encoder_that_was_abandoned_opens_nothing_when_its_driver_wakes_up() {
        let (threads, (wake, hangs), (opened, is_opened)) =
            (Threads::default(), channel(), channel());
        let close = move || hangs.recv_timeout(LONG).expect("woken");
        let open = move || opened.send(()).map_err(|error| error.to_string());
        let restart = Restart::start(&threads, 0, close, open).expect("a thread");
        drop(restart);
        wake.send(()).expect("it hangs");
        assert!(threads.stop_and_wait(LONG), "the thread ends");
        assert!(is_opened.try_recv().is_err(), "its successor has the device");
    }
}
