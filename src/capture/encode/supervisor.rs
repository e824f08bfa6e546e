//! Keeps an H.264 encoder at work: carries out what [`EncoderWatch`] orders, on a thread of its
//! own, because closing and opening take as long as a driver likes.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, TryRecvError, sync_channel},
    },
};

use super::{
    encoder_pipeline::Programme,
    encoders::{self, VideoEncoder},
    video_encoder::VideoBranch,
    watchdog::{EncoderWatch, Order},
};
use crate::{
    capture::{stats::Counters, threads::Threads},
    limits::CAPTURE_DRIVER_TIMEOUT,
};

const DRIVER_NS: u64 = CAPTURE_DRIVER_TIMEOUT.as_nanos() as u64;

/// The mender of one programme.
#[derive(Debug)]
pub struct Mender {
    watch: EncoderWatch,
    /// The encoders of the board in order.
    order: Vec<String>,
    /// Those that were replaced; they are not taken again.
    spent: Vec<&'static str>,
    current: &'static VideoEncoder,
    work: Option<Work<VideoBranch>>,
    interval_ns: u64,
}

/// An encoder that is being set up. Dropping it gives that up.
#[derive(Debug)]
struct Work<T> {
    done: Receiver<Result<T, String>>,
    given_up: Arc<AtomicBool>,
    until_ns: u64,
}

impl<T: Send + 'static> Work<T> {
    /// Closes the old one and then opens another, because a device is opened by one at a time. It
    /// is not opened when closing took so long that the work was given up: its successor may be at
    /// work by then.
    fn start(
        threads: &Threads,
        until_ns: u64,
        close: impl FnOnce() + Send + 'static,
        open: impl FnOnce() -> Result<T, String> + Send + 'static,
    ) -> io::Result<Work<T>> {
        let (finished, done) = sync_channel(1);
        let given_up = Arc::new(AtomicBool::new(false));
        let left_alone = Arc::clone(&given_up);
        threads.spawn("capture-encoder", move |_| {
            close();
            if !left_alone.load(Ordering::Acquire) {
                // Nobody waits any more when opening took too long.
                let _ = finished.send(open());
            }
        })?;
        Ok(Work { done, given_up, until_ns })
    }
}

impl<T> Drop for Work<T> {
    fn drop(&mut self) {
        self.given_up.store(true, Ordering::Release);
    }
}

impl Mender {
    pub fn new(programme: &Programme, order: &[String], now_ns: u64) -> Mender {
        let mut watch = EncoderWatch::default();
        watch.started(now_ns);
        Mender {
            watch,
            order: order.to_vec(),
            spent: Vec::new(),
            current: programme.video_encoder(),
            work: None,
            interval_ns: u64::from(programme.keyframe_interval_ms()) * 1_000_000,
        }
    }

    /// Looks after the encoder; the reason when no encoder is left.
    pub fn turn(
        &mut self,
        now_ns: u64,
        programme: &Programme,
        counters: &Counters,
        threads: &Threads,
    ) -> Option<String> {
        let said = match self.finished(now_ns)? {
            Ok(Some(branch)) => {
                programme.install_video(branch);
                self.watch.started(now_ns);
                None
            }
            Ok(None) => programme.video_failure(),
            Err(why) => Some(why),
        };
        let last_ns = counters.last_video.at_ns();
        let (why, next) = match self.watch.judge(now_ns, last_ns, said, self.current.element) {
            None => {
                let last_key_ns = counters.last_key.at_ns();
                if self.watch.key_forgotten(now_ns, last_key_ns, self.interval_ns) {
                    programme.force_key_frame();
                }
                return None;
            }
            Some(Order::Rebuild { why }) => (why, Some(self.current)),
            Some(Order::Replace { why }) => {
                self.spent.push(self.current.element);
                (why, self.software_left())
            }
        };
        let Some(next) = next else { return Some(why) };
        tracing::warn!(encoder = self.current.element, next = next.element, "{why}; set up anew");
        counters.encoder_restarts.fetch_add(1, Ordering::Relaxed);
        self.current = next;
        self.set_up(now_ns, programme, threads).err()
    }

    /// What became of the work: nothing to do with it, a branch, or why there is none. `None`
    /// while it goes on.
    fn finished(&mut self, now_ns: u64) -> Option<Result<Option<VideoBranch>, String>> {
        let Some(work) = &self.work else { return Some(Ok(None)) };
        let result = match work.done.try_recv() {
            Ok(result) => result.map(Some),
            Err(TryRecvError::Empty) if now_ns < work.until_ns => return None,
            Err(_) => Err("its driver does not answer".to_owned()),
        };
        self.work = None;
        Some(result)
    }

    fn software_left(&self) -> Option<&'static VideoEncoder> {
        let known = self.order.iter().filter_map(|element| encoders::video(element));
        known
            .filter(|encoder| encoder.software)
            .find(|encoder| !self.spent.contains(&encoder.element))
    }

    /// Closes the encoder and sets up the current one.
    fn set_up(
        &mut self,
        now_ns: u64,
        programme: &Programme,
        threads: &Threads,
    ) -> Result<(), String> {
        let (old, setup, encoder) = (programme.take_video(), programme.video_setup(), self.current);
        let open = move || VideoBranch::start(encoder, &setup).map_err(|error| error.to_string());
        let work = Work::start(threads, now_ns + DRIVER_NS, move || drop(old), open);
        self.work = Some(work.map_err(|error| error.to_string())?);
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
        let work = Work::start(&threads, 0, close, open).expect("a thread");
        assert_eq!(work.done.recv_timeout(LONG), Ok(Ok(())));
    }

    #[test]
    fn an_encoder_that_was_given_up_opens_nothing_when_its_driver_wakes_up() {
        let (threads, (wake, hangs), (opened, is_opened)) =
            (Threads::default(), channel(), channel());
        let close = move || hangs.recv_timeout(LONG).expect("woken");
        let open = move || opened.send(()).map_err(|error| error.to_string());
        let work = Work::start(&threads, 0, close, open).expect("a thread");
        drop(work);
        wake.send(()).expect("it hangs");
        assert!(threads.stop_and_wait(LONG), "the thread ends");
        assert!(is_opened.try_recv().is_err(), "its successor has the device");
    }
}
