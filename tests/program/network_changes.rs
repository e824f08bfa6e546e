//! The kernel's report of a changed network, received in a network namespace of the test's own.

use std::sync::mpsc;
use std::time::Duration;

use crate::support::namespace;
use firstmile::device::network;
use firstmile::status::{Interface, Link};

/// A quiet moment after which no more words of one change are to come.
const QUIET: Duration = Duration::from_millis(300);

struct Watched {
    reported: mpsc::Receiver<Vec<Interface>>,
}

impl Watched {
    /// What is reported last of all that follows from `change`.
    #[track_caller]
    fn after(&self, change: &[&str]) -> Vec<Interface> {
        change.iter().for_each(|arguments| namespace::command(&format!("ip {arguments}")));
        let first = self.reported.recv_timeout(Duration::from_secs(10));
        let mut last = first.unwrap_or_else(|_| panic!("no word of {change:?}"));
        while let Ok(next) = self.reported.recv_timeout(QUIET) {
            last = next;
        }
        last
    }
}

fn addresses(interfaces: &[Interface]) -> Vec<&str> {
    let all = interfaces.iter().flat_map(|interface| &interface.addresses);
    all.map(String::as_str).filter(|address| !address.starts_with("fe80")).collect()
}

#[test]
fn carrier_address_and_route_are_reported_without_being_asked_for() {
    let name = "carrier_address_and_route_are_reported_without_being_asked_for";
    if !namespace::enter(module_path!(), name) {
        return;
    }
    let (report, reported) = mpsc::channel();
    network::watch(move |interfaces| report.send(interfaces).expect("is waited for"));
    let watched = Watched { reported };
    assert_eq!(watched.after(&[]), [], "nothing but the loopback");

    let plugged = watched.after(&[
        "link add eth9 type veth peer name far9",
        "link set eth9 up",
        "link set far9 up",
    ]);
    assert_eq!(network::link(&plugged), Link::Down, "no address yet: {plugged:?}");
    let reachable = watched.after(&["address add 192.0.2.7/24 dev eth9"]);
    assert_eq!((network::link(&reachable), addresses(&reachable)), (Link::Up, vec!["192.0.2.7"]));

    // The interfaces are as before, and yet it is another network.
    let routed = watched.after(&["route add default via 192.0.2.1"]);
    assert_eq!(routed, reachable);
    watched.after(&["route change default via 192.0.2.2"]);

    let moved = watched
        .after(&["address delete 192.0.2.7/24 dev eth9", "address add 198.51.100.7/24 dev eth9"]);
    assert_eq!(addresses(&moved), ["198.51.100.7"]);
    let unplugged = watched.after(&["link set far9 down"]);
    assert_eq!(network::link(&unplugged), Link::Down);
    let back = watched.after(&["link set far9 up"]);
    assert_eq!(network::link(&back), Link::Up);
    assert!(
        watched.reported.recv_timeout(QUIET).is_err(),
        "a network at rest is not reported again"
    );
}
