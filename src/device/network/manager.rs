//! Handing the owner's network settings to NetworkManager, through its `nmcli`.
//!
//! The box owns two connections there, one for the cable and one for Wi-Fi, and touches no other. The
//! passphrase goes to `nmcli` over its standard input: never as an argument, nor in the environment,
//! nor in a file of ours. Nor does `nmcli` get a home, where its editor would keep what it reads.

mod orders;

use std::{io, thread};

use ring::pbkdf2;
use zeroize::Zeroizing;

pub use self::orders::Report;
use self::orders::{Order, Orders, Work, newest, serve};
use super::nmcli::{NOT_INSTALLED, nmcli};
use super::radio;
use super::wifi::{Next, WIFI, Watch};
use crate::config::{Addressing, Wifi, Wired};
use crate::device::service::set_country;
use crate::limits::{NETWORK_RETRY_INTERVAL, WPA_ITERATIONS};
use crate::secret::Passphrase;
use crate::status::NetworkManaged;

/// The connection of the wired network.
pub const WIRED: &str = "firstmile-wired";

/// The way to the thread that hands settings over. Only the newest wait for it, however slow it is.
/// Those that were not taken are handed over again and again.
pub struct NetworkManager {
    orders: Orders,
}

impl NetworkManager {
    /// Starts the thread; `report` is called on it with what became of each order, and again when
    /// another try ends otherwise than the one before; and with what becomes of the wireless network.
    ///
    /// # Errors
    /// When there is no thread for it.
    pub fn start(report: impl FnMut(Report) + Send + 'static) -> io::Result<NetworkManager> {
        let (orders, newest) = newest();
        let work =
            move || serve(&newest, NETWORK_RETRY_INTERVAL, &mut Connections::default(), report);
        thread::Builder::new().name("network".to_owned()).spawn(work)?;
        Ok(NetworkManager { orders })
    }

    /// Hands these settings over, some time soon, unless newer ones come before that.
    pub fn order(&self, wired: &Wired, wifi: &Wifi) {
        self.orders.put((wired.clone(), wifi.clone()));
    }

    /// Looks at the wireless network soon.
    pub fn look(&self) {
        self.orders.wake();
    }
}

/// The box's connections at NetworkManager.
#[derive(Debug, Default)]
struct Connections {
    taken: Taken,
    watch: Watch,
}

impl Work for Connections {
    fn hand_over(&mut self, order: &Order) -> Result<NetworkManaged, String> {
        let before = self.taken.wifi.clone();
        let outcome = hand_over(order, &mut self.taken);
        match &self.taken.wifi {
            // What was there before is looked after already.
            Some(_) if self.taken.wifi == before => {}
            Some((wifi, handed)) => self.watch.handed(wifi, handed.key_management),
            None => self.watch.forget(),
        }
        outcome
    }

    fn watch(&mut self, goes_on: impl Fn() -> bool, mut report: impl FnMut(Report)) -> Next {
        // What is observed is true of the network that is looked after, not of one that was not taken.
        let wanted = self.watch.ssid().map(str::to_owned);
        let next = self.watch.look(goes_on, |observed| {
            report(Report::Wifi { wanted: wanted.clone(), observed });
        });
        if next == Next::HandOver {
            self.taken.wifi = None;
        }
        next
    }
}

/// What NetworkManager has taken of an order: it is not handed over again while the rest is retried,
/// because that would interrupt a network that works.
#[derive(Debug, Default)]
struct Taken {
    wired: Option<(Wired, Handed)>,
    wifi: Option<(Wifi, Handed)>,
}

/// What is to be reported of settings that were taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Handed {
    notes: Vec<String>,
    /// How NetworkManager authenticates at a network with a passphrase.
    key_management: Option<&'static str>,
}

/// Does it, unless the same was taken and is still there.
fn once<S: Clone + PartialEq>(
    taken: &mut Option<(S, Handed)>,
    wanted: &S,
    is_there: bool,
    put: impl FnOnce() -> Result<Handed, String>,
) -> Result<Vec<String>, String> {
    if let Some((_, handed)) = taken.as_ref().filter(|(before, _)| is_there && before == wanted) {
        return Ok(handed.notes.clone());
    }
    let outcome = put();
    *taken = outcome.as_ref().ok().map(|handed| (wanted.clone(), handed.clone()));
    outcome.map(|handed| handed.notes)
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

fn put_wired(wired: &Wired, exists: bool) -> Result<Handed, String> {
    if !wired.is_set() {
        return remove_connection(WIRED, exists);
    }
    let mut properties = addresses(&wired.addressing);
    put(WIRED, exists, "ethernet", wired.interface.as_deref(), &mut properties)?;
    Ok(Handed { notes: up(WIRED).into_iter().collect(), ..Handed::default() })
}

fn remove_connection(id: &str, exists: bool) -> Result<Handed, String> {
    if exists {
        nmcli(["connection", "delete", "id", id], None)?;
    }
    Ok(Handed::default())
}

/// Hands the wireless network over; joining it takes longer, and [`Watch`] does it.
fn put_wifi(wifi: &Wifi, exists: bool) -> Result<Handed, String> {
    let Some(ssid) = &wifi.ssid else { return remove_connection(WIFI, exists) };
    let mut notes = Vec::new();
    if let Some(country) = &wifi.country {
        let set = set_country(country);
        notes.extend(set.err().map(|why| format!("the country is not set: {why}")));
        notes.extend(radio::switch_on());
    }
    // Made again each time: the passphrase of another network is never tried at this one, and what an
    // earlier version had NetworkManager keep on the disk is gone.
    remove_connection(WIFI, exists)?;
    let mut properties = addresses(&wifi.addressing);
    let hidden = if wifi.hidden { "yes" } else { "no" };
    let mut add = |name: &str, value: &str| properties.push((name.to_owned(), value.to_owned()));
    add("802-11-wireless.ssid", ssid);
    add("802-11-wireless.hidden", hidden);
    // WPA2 is what most have; a network that turns out to want WPA3 is handed over again.
    let in_range = || radio::key_management(ssid, &radio::list("no").unwrap_or_default());
    let key_management = wifi.passphrase.is_some().then(|| in_range().unwrap_or("wpa-psk"));
    if let Some(key_management) = key_management {
        add("802-11-wireless-security.key-mgmt", key_management);
    }
    put(WIFI, false, "wifi", wifi.interface.as_deref(), &mut properties)?;
    if let Some(passphrase) = &wifi.passphrase {
        put_passphrase(ssid, passphrase)?;
    }
    Ok(Handed { notes, key_management })
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

#[cfg(test)]
mod tests {
    use super::*;

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
                Ok(Handed::default())
            };
            once(&mut taken, &wanted, is_there, put).expect("taken");
            assert_eq!(puts, expected, "{wanted}");
        }
        let refused = || Err("no".to_owned());
        once(&mut taken, &"attic", true, refused).expect_err("is refused");
        assert_eq!(taken, None, "what is refused is tried again");
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
