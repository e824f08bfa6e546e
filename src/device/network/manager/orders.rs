//! Orders on their way to the thread that hands them over, and what it does with them in time.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::config::{Wifi, Wired};
use crate::device::network::wifi::Next;
use crate::limits::WIFI_CHANGE_SETTLES;
use crate::status::NetworkManaged;
use crate::wifi::Observed;

/// Settings of the wired and of the wireless network.
pub(super) type Order = (Wired, Wifi);

/// What the thread reports.
#[derive(Debug)]
pub enum Report {
    /// What became of an order.
    Managed(NetworkManaged),
    /// What was observed of the wireless network.
    Wifi {
        /// The name of the network that was wanted then.
        wanted: Option<String>,
        /// What.
        observed: Observed,
    },
}

/// Both ends of a place for one order.
pub(super) fn newest() -> (Orders, Newest) {
    let (arrival, reported) = sync_channel(1);
    let place = Arc::default();
    (Orders { place: Arc::clone(&place), arrival }, Newest { place, reported })
}

pub(super) struct Orders {
    place: Arc<Mutex<Option<Order>>>,
    arrival: SyncSender<()>,
}

impl Orders {
    /// Puts an order in the place of the one that still waits.
    pub fn put(&self, order: Order) {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = Some(order);
        self.wake();
    }

    /// Lets whoever waits look around.
    pub fn wake(&self) {
        // A notice that nobody has read yet stands for this one too.
        let _ = self.arrival.try_send(());
    }
}

pub(super) struct Newest {
    place: Arc<Mutex<Option<Order>>>,
    reported: Receiver<()>,
}

impl Newest {
    /// Whether an order waits.
    fn has_order(&self) -> bool {
        self.place.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// The order that waits.
    fn take(&self) -> Option<Order> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Waits until there is an order; without end where there is no `timeout`. It may be taken already.
    fn wait(&self, timeout: Option<Duration>) -> Result<(), RecvTimeoutError> {
        match timeout {
            Some(timeout) => self.reported.recv_timeout(timeout),
            None => self.reported.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }
}

/// What the thread does.
pub(super) trait Work {
    /// Hands an order over, as far as it was not before.
    fn hand_over(&mut self, order: &Order) -> Result<NetworkManaged, String>;

    /// Looks after the wireless network of the last order; `goes_on` says whether no newer one waits.
    fn watch(&mut self, goes_on: impl Fn() -> bool, report: impl FnMut(Report)) -> Next;
}

/// Hands over what is ordered and looks after it, until nobody can order any more.
pub(super) fn serve(
    newest: &Newest,
    retry_interval: Duration,
    work: &mut impl Work,
    mut report: impl FnMut(Report),
) {
    let (mut last_order, mut last): (Option<Order>, Option<Result<NetworkManaged, String>>) =
        (None, None);
    let (mut retry_at, mut look_at): (Option<Instant>, Option<Instant>) = (None, None);
    loop {
        let until = retry_at.into_iter().chain(look_at).min();
        match newest.wait(until.map(|at| at.saturating_duration_since(Instant::now()))) {
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {}
            // Several things change at once.
            Ok(()) => look_at = look_at.map(|at| at.min(Instant::now() + WIFI_CHANGE_SETTLES)),
        }
        let is_due = |at: Option<Instant>| at.is_some_and(|at| Instant::now() >= at);
        let newer = newest.take();
        let is_newer = newer.is_some();
        last_order = newer.or(last_order);
        if let Some(order) = last_order.as_ref().filter(|_| is_newer || is_due(retry_at)) {
            let outcome = work.hand_over(order);
            if is_newer || last.as_ref() != Some(&outcome) {
                let managed = outcome.clone().unwrap_or_else(NetworkManaged::Failed);
                report(Report::Managed(managed));
            }
            retry_at = outcome.is_err().then(|| Instant::now() + retry_interval);
            (last, look_at) = (Some(outcome), Some(Instant::now()));
        }
        if is_due(look_at) {
            match work.watch(|| !newest.has_order(), &mut report) {
                Next::Look(after) => look_at = Some(Instant::now() + after),
                Next::HandOver => (retry_at, look_at) = (Some(Instant::now()), None),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(ssid: &str) -> Order {
        (Wired::default(), Wifi { ssid: Some(ssid.to_owned()), ..Wifi::default() })
    }

    /// Hands orders over as the test says, and has no radio.
    struct Scripted<F>(F);

    impl<F: FnMut(&Order) -> Result<NetworkManaged, String>> Work for Scripted<F> {
        fn hand_over(&mut self, order: &Order) -> Result<NetworkManaged, String> {
            (self.0)(order)
        }

        fn watch(&mut self, _goes_on: impl Fn() -> bool, _report: impl FnMut(Report)) -> Next {
            Next::Look(Duration::from_secs(3_600))
        }
    }

    fn words(report: Report) -> String {
        match report {
            Report::Managed(managed) => managed.to_string(),
            Report::Wifi { observed, .. } => format!("{observed:?}"),
        }
    }

    #[test]
    fn what_is_not_taken_is_handed_over_again_and_reported_once() {
        let (orders, newest) = newest();
        orders.put(order("hall"));
        let (mut orders, mut tries, mut reported) = (Some(orders), 0, Vec::new());
        let mut taken = Scripted(|_: &Order| {
            tries += 1;
            if tries < 4 {
                return Err("NetworkManager is not running".to_owned());
            }
            orders = None;
            Ok(NetworkManaged::Applied("Wi-Fi handed to NetworkManager".to_owned()))
        });
        serve(&newest, Duration::from_millis(1), &mut taken, |what| reported.push(words(what)));
        assert_eq!(tries, 4);
        let failed = "not managed here: NetworkManager is not running";
        assert_eq!(reported, [failed, "Wi-Fi handed to NetworkManager"]);
    }

    /// Hands everything over, and says how often it has looked.
    struct Looks(u32, Option<Orders>);

    impl Work for Looks {
        fn hand_over(&mut self, _order: &Order) -> Result<NetworkManaged, String> {
            Ok(NetworkManaged::NotSet)
        }

        fn watch(&mut self, _goes_on: impl Fn() -> bool, _report: impl FnMut(Report)) -> Next {
            self.0 += 1;
            // The second look was asked for; after it nobody orders any more.
            if let Some(orders) = self.1.take().filter(|_| self.0 == 1) {
                orders.wake();
                self.1 = Some(orders);
            }
            Next::Look(Duration::from_secs(3_600))
        }
    }

    #[test]
    fn a_change_of_the_network_is_looked_at_soon() {
        let (orders, newest) = newest();
        orders.put(order("hall"));
        let mut looks = Looks(0, Some(orders));
        serve(&newest, Duration::from_secs(3_600), &mut looks, |_| {});
        assert_eq!(looks.0, 2);
    }

    #[test]
    fn newer_settings_take_the_place_of_those_that_failed_and_are_reported_again() {
        let (orders, newest) = newest();
        orders.put(order("hall"));
        let (mut orders, mut names, mut reported) = (Some(orders), Vec::new(), Vec::new());
        let mut refused = Scripted(|(_, wifi): &Order| {
            names.push(wifi.ssid.clone().unwrap_or_default());
            if let Some(orders) = orders.take() {
                orders.put(order("studio"));
            }
            Err("nmcli is not installed".to_owned())
        });
        let hour = Duration::from_secs(3_600);
        serve(&newest, hour, &mut refused, |what| reported.push(words(what)));
        assert_eq!(names, ["hall", "studio"]);
        assert_eq!(reported, ["not managed here: nmcli is not installed"; 2]);
    }

    #[test]
    fn of_many_settings_in_quick_succession_the_last_are_handed_over() {
        let (orders, newest) = newest();
        orders.put(order("first"));
        let (mut orders, mut names) = (Some(orders), Vec::new());
        let mut slow = Scripted(|(_, wifi): &Order| {
            names.push(wifi.ssid.clone().unwrap_or_default());
            if let Some(orders) = orders.take() {
                (0..100).for_each(|count| orders.put(order(&format!("hall-{count}"))));
            }
            Ok(NetworkManaged::NotSet)
        });
        serve(&newest, Duration::from_secs(3_600), &mut slow, |_| {});
        assert_eq!(names, ["first", "hall-99"]);
    }
}
