//! What an encoder is asked to do while it runs. Its driver may take as long as it likes for that, so a thread of
//! its own waits for it: neither the frames nor whoever asks do. Of several orders the newest counts.

use std::{
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// What to do with an encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Set its bitrate, in kbit/s.
    Bitrate(u32),
    /// Make the next frame a key frame.
    KeyFrame,
}

/// The orders for one encoder. Dropping them ends the thread as soon as the driver lets go of it.
#[derive(Debug)]
pub struct Orders(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

/// What is to be done, and has not been begun.
#[derive(Debug, Default)]
struct Waiting {
    kbps: Option<u32>,
    key_frame: bool,
    /// Since when one is being carried out.
    since: Option<Instant>,
    /// Nothing is to be done any more.
    ended: bool,
}

impl Waiting {
    fn take(&mut self) -> Option<Order> {
        if std::mem::take(&mut self.key_frame) {
            return Some(Order::KeyFrame);
        }
        self.kbps.take().map(Order::Bitrate)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next order; `None` when there will be none.
    fn next(&self) -> Option<Order> {
        let mut waiting = self.lock();
        loop {
            if waiting.ended {
                return None;
            }
            waiting.since = None;
            if let Some(order) = waiting.take() {
                waiting.since = Some(Instant::now());
                return Some(order);
            }
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Orders {
    /// Starts the thread. `carry_out` may hang; `done` is called with what was carried out while the encoder
    /// was still in use.
    pub fn start(
        carry_out: impl Fn(Order) + Send + 'static,
        done: impl Fn(Order) + Send + 'static,
    ) -> io::Result<Orders> {
        let shared = Arc::new(Shared::default());
        let orders = Orders(Arc::clone(&shared));
        let work = move || {
            crate::capture::real_time::end();
            while let Some(order) = shared.next() {
                carry_out(order);
                // Under the lock: no other encoder takes over between the question and the answer.
                let waiting = shared.lock();
                if !waiting.ended {
                    done(order);
                }
            }
        };
        thread::Builder::new().name("capture-orders".to_owned()).spawn(work)?;
        Ok(orders)
    }

    /// Gives an order; one of the same kind that was not begun is forgotten.
    pub fn give(&self, order: Order) {
        let mut waiting = self.0.lock();
        match order {
            Order::Bitrate(kbps) => waiting.kbps = Some(kbps),
            Order::KeyFrame => waiting.key_frame = true,
        }
        self.0.changed.notify_one();
    }

    /// For how long the driver has been at work with one.
    pub fn at_work_for(&self) -> Duration {
        self.0.lock().since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Another encoder is used from now on.
    pub fn end(&self) {
        self.0.lock().ended = true;
        self.0.changed.notify_one();
    }
}

impl Drop for Orders {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{channel, sync_channel};

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn while_a_driver_takes_its_time_the_newest_order_of_each_kind_waits() {
        let ((begun, is_begun), (go, may_go)) = (channel(), channel::<()>());
        let (done, is_done) = sync_channel(8);
        let carry_out = move |order| {
            begun.send(order).expect("awaited");
            may_go.recv_timeout(LONG).expect("released");
        };
        let orders = Orders::start(carry_out, move |order| done.send(order).expect("room"));
        let orders = orders.expect("a thread");
        orders.give(Order::Bitrate(700));
        assert_eq!(is_begun.recv_timeout(LONG), Ok(Order::Bitrate(700)));
        for order in [Order::Bitrate(800), Order::KeyFrame, Order::KeyFrame, Order::Bitrate(900)] {
            orders.give(order);
        }
        assert!(is_done.try_recv().is_err());
        assert!(orders.at_work_for() > Duration::ZERO);
        for order in [Order::Bitrate(700), Order::KeyFrame, Order::Bitrate(900)] {
            go.send(()).expect("it waits");
            assert_eq!(is_done.recv_timeout(LONG), Ok(order));
        }
        while orders.at_work_for() > Duration::ZERO {
            thread::yield_now();
        }
    }

    #[test]
    fn an_encoder_that_was_replaced_has_nothing_to_say_when_its_driver_wakes_up() {
        let ((begun, is_begun), (go, may_go)) = (channel(), channel::<()>());
        let (done, is_done) = sync_channel(8);
        let carry_out = move |order| {
            begun.send(order).expect("awaited");
            may_go.recv_timeout(LONG).expect("released");
        };
        let orders = Orders::start(carry_out, move |order| done.send(order).expect("room"));
        let orders = orders.expect("a thread");
        orders.give(Order::Bitrate(700));
        is_begun.recv_timeout(LONG).expect("it is begun");
        orders.give(Order::Bitrate(800));
        drop(orders);
        go.send(()).expect("it waits");
        assert!(is_done.recv_timeout(LONG).is_err(), "the thread ends without a word");
        assert!(is_begun.try_recv().is_err(), "and begins nothing");
    }
}
