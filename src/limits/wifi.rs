//! The bounds of Wi-Fi.

use std::time::Duration;

/// A look for wireless networks. `nmcli` itself waits 15 s for the driver to finish; two bands of 40
/// channels at 100 ms each take 4 s.
pub const WIFI_SCAN_TIMEOUT: Duration = Duration::from_secs(30);
/// Joining a network, in seconds: NetworkManager gives the access point 25 s and its router's DHCP 45 s.
pub const WIFI_JOIN_TIMEOUT_S: u32 = 90;
/// How much longer `nmcli` may take than it was asked to wait.
pub const WIFI_JOIN_GRACE: Duration = Duration::from_secs(5);
/// A network that could not be joined is tried again after this time. NetworkManager does so by itself
/// where it comes into range, and gives up after a wrong passphrase.
pub const WIFI_REJOIN_INTERVAL: Duration = Duration::from_secs(60);
/// Between looks at the signal of a network that is joined. A look takes `nmcli` some 50 ms.
pub const WIFI_LOOK_INTERVAL: Duration = Duration::from_secs(30);
/// The same while it is not joined: somebody waits.
pub const WIFI_JOINING_LOOK_INTERVAL: Duration = Duration::from_secs(5);
/// After a change of the network, others follow at once: addresses, routes.
pub const WIFI_CHANGE_SETTLES: Duration = Duration::from_millis(500);
/// Networks that a look shows. More are not read; at a fair there are hundreds.
pub const WIFI_NETWORKS_MAX: usize = 40;
/// What is read of a list of networks: some 100 bytes for each of 2,500 access points.
pub const WIFI_LIST_BYTES_MAX: u64 = 256 * 1024;
/// Connections of the system that are looked at for the names of known networks.
pub const WIFI_SAVED_MAX: usize = 64;
/// A signal that is weaker, in percent, may be why a network is not joined.
pub const WIFI_SIGNAL_WEAK_PERCENT: u8 = 30;
/// Between looks at the channels of a network that was lost. A look takes the radio a tenth of a second for each
/// channel, one at all of them four seconds. With this the box is live again within 5 s: 1 s until the look, 1 s
/// to join, 3 s to connect.
pub const WIFI_RETURN_LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// So long: what restarts an access point takes less.
pub const WIFI_RETURN_PATIENCE: Duration = Duration::from_secs(300);
/// The same after that: whoever waits waits anyway.
pub const WIFI_RETURN_LATE_LOOK_INTERVAL: Duration = Duration::from_secs(5);
/// So long. After that NetworkManager's own looks have to do.
pub const WIFI_RETURN_LATE_PATIENCE: Duration = Duration::from_secs(3_600);
/// A network that was lost within [`WIFI_RETURN_PATIENCE`] is tried again after this time, which costs nobody
/// anything: until then its supplicant looks at all channels.
pub const WIFI_RETURN_REJOIN_INTERVAL: Duration = Duration::from_secs(5);
/// Without a carrier, but still connected as NetworkManager has it, its supplicant may be on its way to another
/// access point of the network, with the address kept. NetworkManager itself waits for 15 s.
pub const WIFI_ROAM_PATIENCE: Duration = Duration::from_secs(10);
/// Channels that such a look is at: those of three access points with two bands each.
pub const WIFI_RETURN_CHANNELS_MAX: usize = 6;
/// Asking the supplicant for a look, which it begins and does not wait for.
pub const SUPPLICANT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the result of a stick that sets a wireless network waits for how joining it ends. A wrong passphrase
/// is known after some 10 s, at a network of WPA3 after 26 s.
pub const WIFI_RESULT_PATIENCE: Duration = Duration::from_secs(30);
/// Between looks how that stands. The lights show it, 2.6 s long, from one look to the next.
pub const WIFI_RESULT_LOOK_INTERVAL: Duration = Duration::from_secs(3);
