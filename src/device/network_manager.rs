//! Handing the owner's network settings to NetworkManager, through its `nmcli`.
//!
//! The box owns two connections there, [`WIRED`] and [`WIFI`], and touches no other. The passphrase
//! goes to `nmcli` over its standard input: never as an argument, nor in the environment, nor in a
//! file of ours. Nor does `nmcli` get a home, where its editor would keep what it reads.

use std::io;
use std::process::Command;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use ring::pbkdf2;
use zeroize::Zeroizing;

use super::service::set_country;
use crate::child;
use crate::config::{Addressing, Wifi, Wired};
use crate::limits::{NETWORK_RETRY_INTERVAL, NMCLI_TIMEOUT, WPA_ITERATIONS};
use crate::secret::Passphrase;
use crate::status::NetworkManaged;

/// The connection of the wired network.
pub const WIRED: &str = "firstmile-wired";
/// The connection of the wireless network.
pub const WIFI: &str = "firstmile-wifi";

const NOT_INSTALLED: &str = "nmcli is not installed";

/// Nobody can make a file below it, not even root.
const NO_HOME: &str = "/dev/null";

type Order = (Wired, Wifi);

/// The way to the thread that hands settings over. Only the newest wait for it, however slow it is.
/// Those that were not taken are handed over again and again.
pub struct NetworkManager {
    orders: Orders,
}

impl NetworkManager {
    /// Starts the thread; `report` is called on it with what became of each order, and again when
    /// another try ends otherwise than the one before.
    ///
    /// # Errors
    /// When there is no thread for it.
    pub fn start(
        report: impl FnMut(NetworkManaged) + Send + 'static,
    ) -> io::Result<NetworkManager> {
        let (orders, newest) = newest();
        let mut taken = Taken::default();
        let work = move || {
            let hand_over = |order: &Order| hand_over(order, &mut taken);
            serve(&newest, NETWORK_RETRY_INTERVAL, hand_over, report);
        };
        thread::Builder::new().name("network".to_owned()).spawn(work)?;
        Ok(NetworkManager { orders })
    }

    /// Hands these settings over, some time soon, unless newer ones come before that.
    pub fn order(&self, wired: &Wired, wifi: &Wifi) {
        self.orders.put((wired.clone(), wifi.clone()));
    }
}

/// Both ends of a place for one order.
fn newest() -> (Orders, Newest) {
    let (arrival, reported) = sync_channel(1);
    let place = Arc::default();
    (Orders { place: Arc::clone(&place), arrival }, Newest { place, reported })
}

struct Orders {
    place: Arc<Mutex<Option<Order>>>,
    arrival: SyncSender<()>,
}

impl Orders {
    /// Puts an order in the place of the one that still waits.
    fn put(&self, order: Order) {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = Some(order);
        // A notice that nobody has read yet stands for this order too.
        let _ = self.arrival.try_send(());
    }
}

struct Newest {
    place: Arc<Mutex<Option<Order>>>,
    reported: Receiver<()>,
}

impl Newest {
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

/// Hands over what is ordered, until nobody can order any more.
fn serve(
    newest: &Newest,
    retry_interval: Duration,
    mut hand_over: impl FnMut(&Order) -> Result<NetworkManaged, String>,
    mut report: impl FnMut(NetworkManaged),
) {
    let (mut failed, mut last) = (None, None);
    loop {
        match newest.wait(failed.is_some().then_some(retry_interval)) {
            Err(RecvTimeoutError::Disconnected) => return,
            Ok(()) | Err(RecvTimeoutError::Timeout) => {}
        }
        let newer = newest.take().inspect(|_| last = None);
        let Some(order) = newer.or_else(|| failed.take()) else { continue };
        let outcome = hand_over(&order);
        if last.as_ref() != Some(&outcome) {
            report(outcome.clone().unwrap_or_else(NetworkManaged::Failed));
        }
        failed = outcome.is_err().then_some(order);
        last = failed.is_some().then_some(outcome);
    }
}

/// What NetworkManager has taken of an order: it is not handed over again while the rest is retried,
/// because that would interrupt a network that works.
#[derive(Debug, Default)]
struct Taken {
    wired: Option<(Wired, Vec<String>)>,
    wifi: Option<(Wifi, Vec<String>)>,
}

/// Does it, unless the same was taken and is still there.
fn once<S: Clone + PartialEq>(
    taken: &mut Option<(S, Vec<String>)>,
    wanted: &S,
    is_there: bool,
    put: impl FnOnce() -> Result<Vec<String>, String>,
) -> Result<Vec<String>, String> {
    if let Some((_, notes)) = taken.as_ref().filter(|(before, _)| is_there && before == wanted) {
        return Ok(notes.clone());
    }
    let outcome = put();
    *taken = outcome.as_ref().ok().map(|notes| (wanted.clone(), notes.clone()));
    outcome
}

fn hand_over((wired, wifi): &Order, taken: &mut Taken) -> Result<NetworkManaged, String> {
    let is_set = wired.is_set() || wifi.ssid.is_some();
    let running = match nmcli(["--terse", "--fields", "RUNNING", "general"], None) {
        // What is not there has nothing of ours.
        Err(why) if !is_set && why == NOT_INSTALLED => return Ok(NetworkManaged::NotSet),
        running => running?,
    };
    if running.trim() != "running" {
        return Err("NetworkManager is not running".to_owned());
    }
    let known =
        nmcli(["--terse", "--escape", "no", "--fields", "NAME", "connection", "show"], None)?;
    let exists = |id: &str| known.lines().any(|line| line == id);
    // What is wrong with one network does not keep the other from being joined.
    let done = [
        (
            "wired",
            wired.is_set(),
            once(&mut taken.wired, wired, wired.is_set() && exists(WIRED), || {
                put_wired(wired, exists(WIRED))
            }),
        ),
        (
            "Wi-Fi",
            wifi.ssid.is_some(),
            once(&mut taken.wifi, wifi, wifi.ssid.is_some() && exists(WIFI), || {
                put_wifi(wifi, exists(WIFI))
            }),
        ),
    ];
    let handed: Vec<&str> = done
        .iter()
        .filter_map(|(name, is_set, outcome)| (*is_set && outcome.is_ok()).then_some(*name))
        .collect();
    let mut done_so = Vec::new();
    if !handed.is_empty() {
        done_so.push(format!("{} handed to NetworkManager", handed.join(" and ")));
    }
    let mut whole = true;
    for (name, _, outcome) in done {
        match outcome {
            Ok(notes) => done_so.extend(notes),
            Err(why) => {
                whole = false;
                done_so.push(format!("{name} is not: {why}"));
            }
        }
    }
    if done_so.is_empty() {
        let had_ours = exists(WIRED) || exists(WIFI);
        return Ok(if had_ours { NetworkManaged::Removed } else { NetworkManaged::NotSet });
    }
    let message = done_so.join("; ");
    if whole { Ok(NetworkManaged::Applied(message)) } else { Err(message) }
}

fn put_wired(wired: &Wired, exists: bool) -> Result<Vec<String>, String> {
    if !wired.is_set() {
        return remove_connection(WIRED, exists);
    }
    let mut properties = addresses(&wired.addressing);
    put(WIRED, exists, "ethernet", wired.interface.as_deref(), &mut properties)?;
    Ok(up(WIRED).into_iter().collect())
}

fn remove_connection(id: &str, exists: bool) -> Result<Vec<String>, String> {
    if exists {
        nmcli(["connection", "delete", "id", id], None)?;
    }
    Ok(Vec::new())
}

fn put_wifi(wifi: &Wifi, exists: bool) -> Result<Vec<String>, String> {
    let Some(ssid) = &wifi.ssid else { return remove_connection(WIFI, exists) };
    let mut notes = Vec::new();
    if let Some(country) = &wifi.country {
        let set = set_country(country);
        notes.extend(set.err().map(|why| format!("the country is not set: {why}")));
    }
    // Made again each time: the passphrase of another network is never tried at this one, and what an
    // earlier version had NetworkManager keep on the disk is gone.
    remove_connection(WIFI, exists)?;
    let mut properties = addresses(&wifi.addressing);
    let hidden = if wifi.hidden { "yes" } else { "no" };
    let mut add = |name: &str, value: &str| properties.push((name.to_owned(), value.to_owned()));
    add("802-11-wireless.ssid", ssid);
    add("802-11-wireless.hidden", hidden);
    if wifi.passphrase.is_some() {
        add("802-11-wireless-security.key-mgmt", "wpa-psk");
    }
    put(WIFI, false, "wifi", wifi.interface.as_deref(), &mut properties)?;
    if let Some(passphrase) = &wifi.passphrase {
        put_passphrase(ssid, passphrase)?;
    }
    notes.extend(up(WIFI));
    Ok(notes)
}

/// Adds or changes one of our connections.
fn put(
    id: &str,
    exists: bool,
    kind: &str,
    interface: Option<&str>,
    properties: &mut Vec<(String, String)>,
) -> Result<(), String> {
    let mut arguments: Vec<&str> = Vec::new();
    if exists {
        let interface = interface.unwrap_or_default().to_owned();
        properties.push(("connection.interface-name".to_owned(), interface));
        arguments.extend(["connection", "modify", "id", id]);
    } else {
        let interface = interface.unwrap_or("*");
        // One with a passphrase stays in NetworkManager's memory: its file would hold it in clear.
        let save = if kind == "wifi" { "no" } else { "yes" };
        arguments.extend(["connection", "add", "save", save, "type", kind, "con-name", id]);
        arguments.extend(["ifname", interface]);
        if let ("wifi", Some((_, ssid))) =
            (kind, properties.iter().find(|(name, _)| name.ends_with(".ssid")))
        {
            arguments.extend(["ssid", ssid]);
        }
    }
    arguments.extend(properties.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]));
    nmcli(arguments, None).map(|_| ())
}

/// Addresses as properties; what is empty removes what was there before.
fn addresses(addressing: &Addressing) -> Vec<(String, String)> {
    let mut properties = Vec::new();
    for (family, is_v6) in [("ipv4", false), ("ipv6", true)] {
        let ours = |text: &&String| text.contains(':') == is_v6;
        let address = addressing.address.as_ref().filter(ours);
        let gateway = addressing.gateway.as_ref().filter(ours).filter(|_| address.is_some());
        let dns: Vec<&str> = addressing.dns.iter().filter(ours).map(String::as_str).collect();
        let method = if address.is_some() { "manual" } else { "auto" };
        let text = |value: Option<&String>| value.cloned().unwrap_or_default();
        for (name, value) in [
            ("method", method.to_owned()),
            ("addresses", text(address)),
            ("gateway", text(gateway)),
            ("dns", dns.join(",")),
        ] {
            properties.push((format!("{family}.{name}"), value));
        }
    }
    properties
}

/// Puts the passphrase into our connection with nmcli's editor, and looks whether it is there: the
/// editor's own exit code says nothing. What it prints repeats what it reads, and goes nowhere.
fn put_passphrase(ssid: &str, passphrase: &Passphrase) -> Result<(), String> {
    const PSK: &str = "802-11-wireless-security.psk";
    let secret = as_typed(ssid, passphrase);
    let mut lines = Zeroizing::new(String::with_capacity(secret.len() + 100));
    for piece in ["set ", PSK, " ", &secret, "\nsave temporary\nquit\n"] {
        lines.push_str(piece);
    }
    let unsaid = |_| "nmcli did not take the passphrase".to_owned();
    nmcli(["connection", "edit", "id", WIFI], Some(&lines)).map_err(unsaid)?;
    let show = ["--show-secrets", "--escape", "no", "--get-values", PSK];
    let shown = [&show[..], &["connection", "show", "id", WIFI]].concat();
    let kept = nmcli(shown, None).map_err(unsaid)?;
    match kept.trim_end_matches('\n') == secret.as_str() {
        true => Ok(()),
        false => Err(unsaid(String::new())),
    }
}

/// The passphrase; where blanks at its ends would be cut off, the key that it stands for (IEEE
/// 802.11-2020 annex J.4.1).
fn as_typed(ssid: &str, passphrase: &Passphrase) -> Zeroizing<String> {
    let typed = passphrase.reveal();
    if typed.trim() == typed {
        return Zeroizing::new(typed.to_owned());
    }
    let mut key = Zeroizing::new([0_u8; 32]);
    let (hash, salt) = (pbkdf2::PBKDF2_HMAC_SHA1, ssid.as_bytes());
    pbkdf2::derive(hash, WPA_ITERATIONS, salt, typed.as_bytes(), key.as_mut_slice());
    Zeroizing::new(key.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Brings a connection up; a note where it does not come up at once. It is tried again by
/// NetworkManager when its interface is there.
fn up(id: &str) -> Option<String> {
    let failed = nmcli(["--wait", "0", "connection", "up", "id", id], None).err()?;
    Some(format!("{id} is not up yet: {failed}"))
}

/// Runs `nmcli` to its end; its standard output, or the last line of what it complains.
fn nmcli<'a>(
    arguments: impl IntoIterator<Item = &'a str>,
    input: Option<&str>,
) -> Result<Zeroizing<String>, String> {
    let mut command = Command::new("nmcli");
    command.args(arguments).env("LC_ALL", "C");
    command.env("HOME", NO_HOME).env("XDG_CACHE_HOME", NO_HOME);
    let ended = child::run(&mut command, input.map(str::as_bytes), NMCLI_TIMEOUT);
    let output = ended.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => NOT_INSTALLED.to_owned(),
        io::ErrorKind::TimedOut => "nmcli does not answer".to_owned(),
        _ => format!("nmcli cannot be run: {error}"),
    })?;
    let text = |bytes: Vec<u8>| Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned());
    if output.status.success() {
        return Ok(text(output.stdout));
    }
    let complaint = text(output.stderr);
    let last = complaint.lines().rev().find(|line| !line.trim().is_empty());
    Err(last.map_or_else(|| "nmcli failed".to_owned(), |line| line.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(ssid: &str) -> Order {
        (Wired::default(), Wifi { ssid: Some(ssid.to_owned()), ..Wifi::default() })
    }

    #[test]
    fn what_is_not_taken_is_handed_over_again_and_reported_once() {
        let (orders, newest) = newest();
        orders.put(order("hall"));
        let (mut orders, mut tries, mut reported) = (Some(orders), 0, Vec::new());
        let taken = |_: &Order| {
            tries += 1;
            if tries < 4 {
                return Err("NetworkManager is not running".to_owned());
            }
            orders = None;
            Ok(NetworkManaged::Applied("Wi-Fi handed to NetworkManager".to_owned()))
        };
        serve(&newest, Duration::from_millis(1), taken, |what| reported.push(what.to_string()));
        assert_eq!(tries, 4);
        let failed = "not managed here: NetworkManager is not running";
        assert_eq!(reported, [failed, "Wi-Fi handed to NetworkManager"]);
    }

    #[test]
    fn a_network_that_was_taken_is_left_alone_while_another_is_retried() {
        let (mut taken, mut puts) = (None, 0);
        for (wanted, is_there, expected) in [
            ("hall", false, 1),  // set
            ("hall", true, 1),   // the other one is retried
            ("hall", false, 2),  // somebody has removed it
            ("studio", true, 3), // another setting
            ("studio", true, 3),
        ] {
            let put = || {
                puts += 1;
                Ok(Vec::new())
            };
            once(&mut taken, &wanted, is_there, put).expect("taken");
            assert_eq!(puts, expected, "{wanted}");
        }
        let refused = || Err("no".to_owned());
        once(&mut taken, &"attic", true, refused).expect_err("is refused");
        assert_eq!(taken, None, "what is refused is tried again");
    }

    #[test]
    fn newer_settings_take_the_place_of_those_that_failed_and_are_reported_again() {
        let (orders, newest) = newest();
        orders.put(order("hall"));
        let (mut orders, mut names, mut reported) = (Some(orders), Vec::new(), Vec::new());
        let refused = |(_, wifi): &Order| {
            names.push(wifi.ssid.clone().unwrap_or_default());
            if let Some(orders) = orders.take() {
                orders.put(order("studio"));
            }
            Err("nmcli is not installed".to_owned())
        };
        serve(&newest, Duration::from_secs(3_600), refused, |what| reported.push(what.to_string()));
        assert_eq!(names, ["hall", "studio"]);
        assert_eq!(reported, ["not managed here: nmcli is not installed"; 2]);
    }

    #[test]
    fn of_many_settings_in_quick_succession_the_last_are_handed_over() {
        let (orders, newest) = newest();
        orders.put(order("first"));
        let (mut orders, mut names) = (Some(orders), Vec::new());
        let slow = |(_, wifi): &Order| {
            names.push(wifi.ssid.clone().unwrap_or_default());
            if let Some(orders) = orders.take() {
                (0..100).for_each(|count| orders.put(order(&format!("hall-{count}"))));
            }
            Ok(NetworkManaged::NotSet)
        };
        serve(&newest, Duration::from_secs(3_600), slow, |_| {});
        assert_eq!(names, ["first", "hall-99"]);
    }

    #[test]
    fn blanks_at_the_ends_of_a_passphrase_survive_as_its_key() {
        let passphrase = |text| Passphrase::parse(text).unwrap();
        assert_eq!(as_typed("hall", &passphrase("correct horse")).as_str(), "correct horse");
        // The first example of IEEE 802.11-2020 annex J.4.2 is `password` at `IEEE`; with a blank
        // after it, wpa_passphrase(8) gives this.
        let key = as_typed("IEEE", &passphrase("password "));
        assert_eq!(key.len(), 64);
        assert!(key.bytes().all(|b| b.is_ascii_hexdigit()));
        assert_ne!(key, as_typed("IEEF", &passphrase("password ")));
    }

    #[test]
    fn the_key_of_a_passphrase_is_the_one_of_the_standard() {
        let mut key = [0_u8; 32];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA1, WPA_ITERATIONS, b"IEEE", b"password", &mut key);
        let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e");
    }

    #[test]
    fn an_address_and_its_gateway_go_to_their_family_and_dhcp_takes_them_back() {
        let shown = |addressing: &Addressing| -> Vec<String> {
            let set = addresses(addressing).into_iter().filter(|(_, value)| !value.is_empty());
            set.map(|(name, value)| format!("{name}={value}")).collect()
        };
        let mut addressing = Addressing {
            address: Some("192.0.2.7/24".to_owned()),
            gateway: Some("192.0.2.1".to_owned()),
            dns: vec!["9.9.9.9".to_owned(), "2001:db8::1".to_owned()],
        };
        assert_eq!(
            shown(&addressing),
            [
                "ipv4.method=manual",
                "ipv4.addresses=192.0.2.7/24",
                "ipv4.gateway=192.0.2.1",
                "ipv4.dns=9.9.9.9",
                "ipv6.method=auto",
                "ipv6.dns=2001:db8::1",
            ]
        );
        addressing.address = None;
        assert!(!shown(&addressing).iter().any(|p| p.contains("gateway") || p.contains("manual")));
    }
}
