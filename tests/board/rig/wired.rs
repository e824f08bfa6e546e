//! A street for the board to stand in: network cards lead to its router, which gives addresses, says where names are, and
//! relays to the server. It has the machine's own network card, which the board has not got then.

use std::fs;

use super::Board;
use super::server::{HOST, Server};
use crate::support::pki::{Flaw, Pki};

/// Where the server is in the street.
pub const SERVER_V4: &str = "203.0.113.7";
pub const SERVER_V6: &str = "2001:db8:7::7";
/// Where nobody is, and no router says so.
pub const NOBODY_V4: &str = "192.0.2.53";
pub const NOBODY_V6: &str = "2001:db8:bad::1";
/// What dnsmasq is besides a name server.
const ROUTER: &str = "no-resolv\nno-hosts\nbind-dynamic\ninterface=lan0\ninterface=lan1\nuser=root\n\
    pid-file=\ndhcp-leasefile=/run/street.leases\ndhcp-authoritative\nlocal-ttl=1\n";
const NAMES: &str = "street-names";
const RELAY: &str = "street-relay";
const PORTAL: &str = "street-portal";
/// What the board's cards get from the router: addresses whose last part begins with this digit.
const FIRST_RANGE: u8 = 1;

/// How the cards of a board get their addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cards {
    Dhcp,
    /// A fixed address each, which stays without a carrier.
    Fixed,
    V6Only,
    DhcpAndV6,
}

impl Cards {
    fn network(self, card: u8) -> String {
        let how = match self {
            Cards::Dhcp | Cards::DhcpAndV6 => "DHCP=ipv4\n".to_owned(),
            Cards::V6Only => "DHCP=no\nIPv6AcceptRA=yes\n".to_owned(),
            Cards::Fixed => {
                let lan = card + 1;
                format!(
                    "Address=10.{lan}.0.{FIRST_RANGE}50/24\nConfigureWithoutCarrier=yes\n\
                     IgnoreCarrierLoss=yes\n[Route]\nGateway=10.{lan}.0.1\nMetric={lan}00\n"
                )
            }
        };
        format!("[Match]\nName=eth{card}\n[Network]\n{how}")
    }

    /// What the router says of addresses.
    fn router(self, range: u8) -> String {
        let v4 =
            [1, 2].map(|lan| format!("dhcp-range=10.{lan}.0.{range}00,10.{lan}.0.{range}40,1h\n"));
        let v6 = "enable-ra\ndhcp-range=2001:db8:1::,ra-only,64,1h\n";
        match self {
            Cards::Dhcp | Cards::Fixed => v4.concat(),
            Cards::V6Only => v6.to_owned(),
            Cards::DhcpAndV6 => v4.concat() + v6,
        }
    }
}

/// What the name server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says<'a> {
    /// The server's addresses.
    These(&'a [&'a str]),
    /// Each name is at the router.
    Lies,
    /// There is no such name.
    NoSuchName,
    /// It is refused to say.
    Refuses,
}

impl Says<'_> {
    fn lines(self) -> String {
        match self {
            Says::These(addresses) => {
                format!("local=/test/\nhost-record={HOST},{}\n", addresses.join(","))
            }
            Says::Lies => "address=/#/10.1.0.1\n".to_owned(),
            Says::NoSuchName => "local=/test/\n".to_owned(),
            Says::Refuses => String::new(),
        }
    }
}

impl Board {
    /// Puts the board, whose box is not started yet, into a street with so many cards, and waits for their addresses.
    pub fn moves_into_street(&mut self, server: &Server, cards: Cards, how_many: u8, says: Says) {
        for command in [
            "modprobe veth; ip netns add street; ip -n street link set lo up",
            "ip link set dev $(ls /sys/class/net | grep ^e) netns street name up0",
            "ip -n street address add 10.0.2.15/24 dev up0; ip -n street link set up0 up",
            "ip -n street route add default via 10.0.2.2",
            "ip -n street route add blackhole 192.0.2.0/24; \
             ip -n street -6 route add blackhole 2001:db8:bad::/48",
            &format!("ip -n street address add {SERVER_V4}/32 dev lo"),
            &format!("ip -n street address add {SERVER_V6}/128 dev lo nodad"),
            &format!("sed -i /{HOST}/d /etc/hosts; rm /etc/systemd/network/*"),
        ] {
            self.sh(command);
        }
        for card in 0..how_many {
            self.write(&format!("/etc/systemd/network/{card}.network"), &cards.network(card));
        }
        self.sh("networkctl reload");
        self.set_name_servers(match cards {
            Cards::V6Only => &["2001:db8:1::1"],
            _ => &["10.1.0.1", "10.2.0.1"][..usize::from(how_many)],
        });
        for card in 0..how_many {
            let lan = card + 1;
            self.sh(&format!(
                "ip link add eth{card} type veth peer name lan{card} netns street; \
                 ip -n street address add 10.{lan}.0.1/24 dev lan{card}; \
                 ip -n street address add 2001:db8:{lan}::1/64 dev lan{card} nodad; \
                 ip -n street link set lan{card} up"
            ));
        }
        self.router_gives(cards, FIRST_RANGE, says);
        let port = server.port();
        self.street_runs(
            RELAY,
            &format!(
                "systemd-socket-activate -l {SERVER_V4}:{port} -l [{SERVER_V6}]:{port} \
                 /usr/lib/systemd/systemd-socket-proxyd 10.0.2.2:{port}"
            ),
        );
        for card in 0..how_many {
            self.until_addressed(card, FIRST_RANGE, cards);
        }
    }

    /// The router gives addresses of this range from now on, and says this of names.
    pub fn router_gives(&mut self, cards: Cards, range: u8, says: Says) {
        let text = format!("{ROUTER}{}{}", cards.router(range), says.lines());
        self.write("/run/street.conf", &text);
        self.street_runs(NAMES, "dnsmasq -k --conf-file=/run/street.conf");
    }

    /// The router says this of names from now on.
    pub fn names_are(&mut self, cards: Cards, says: Says) {
        self.router_gives(cards, FIRST_RANGE, says);
    }

    /// The router gives other addresses from now on, and the card asks for another one.
    pub fn addresses_change(&mut self, cards: Cards, says: Says) {
        self.sh(&format!("systemctl stop {NAMES}; rm -f /run/street.leases"));
        self.router_gives(cards, FIRST_RANGE + 1, says);
        self.sh("networkctl reconfigure eth0");
        self.until_addressed(0, FIRST_RANGE + 1, cards);
    }

    /// The name service takes questions and answers none.
    pub fn names_hang(&mut self) {
        self.sh(&format!("systemctl kill -s STOP {NAMES}"));
    }

    /// Nobody takes questions.
    pub fn names_end(&mut self) {
        self.sh(&format!("systemctl stop {NAMES}"));
    }

    /// What the box asks, in this order.
    pub fn set_name_servers(&mut self, addresses: &[&str]) {
        let lines: String = addresses.iter().map(|a| format!("nameserver {a}\n")).collect();
        self.write("/etc/resolv.conf", &lines);
    }

    /// A web server with a certificate of its own answers at the router, where the server has its port.
    pub fn portal_opens(&mut self, server: &Server) {
        let pki = Pki::new();
        let identity = pki.identity(&["login.hotel.example"], Flaw::None);
        for (file, to) in [(identity.certificate, "pem"), (identity.key, "key")] {
            self.write(
                &format!("/run/portal.{to}"),
                &fs::read_to_string(file).expect("a PEM file"),
            );
        }
        self.street_runs(
            PORTAL,
            &format!(
                "openssl s_server -accept 10.1.0.1:{} -cert /run/portal.pem -key /run/portal.key -www",
                server.port()
            ),
        );
    }

    /// What the portal says of its visitors.
    pub fn portal_log(&mut self) -> String {
        self.sh(&format!("cat /run/{PORTAL}.log"))
    }

    pub fn portal_closes(&mut self) {
        self.sh(&format!("systemctl stop {PORTAL}"));
    }

    /// Pulls or plugs the cable of a card at its far end.
    pub fn plug_card(&mut self, card: u8, is_plugged: bool) {
        let how = if is_plugged { "up" } else { "down" };
        self.sh(&format!("ip -n street link set lan{card} {how}"));
    }

    /// Pulls a card out, as a USB adapter is.
    pub fn remove_card(&mut self, card: u8) {
        self.sh(&format!("ip link delete eth{card}"));
    }

    /// Which card the stream goes out of, by the address that its connection comes from.
    #[track_caller]
    pub fn card_of_stream(&mut self) -> u8 {
        let sockets = self.sh(&format!("ss -Htn state established dst {SERVER_V4}"));
        let card = (0..2).find(|card| sockets.contains(&format!(" 10.{}.0.", card + 1)));
        card.unwrap_or_else(|| panic!("no stream: {sockets}"))
    }

    /// Waits until a card has its address.
    pub fn until_addressed(&mut self, card: u8, range: u8, cards: Cards) {
        let address = match cards {
            Cards::V6Only => "inet6 2001:db8:".to_owned(),
            _ => format!("inet 10.{}.0.{range}", card + 1),
        };
        self.sh(&format!(
            "until ip -o address show dev eth{card} -tentative | grep -q '{address}'; do sleep 0.5; done"
        ));
    }

    fn street_runs(&mut self, name: &str, command: &str) {
        self.sh(&format!(
            "systemctl stop {name} 2>/dev/null; systemctl reset-failed {name} 2>/dev/null; \
             systemd-run -q --unit={name} -p NetworkNamespacePath=/run/netns/street \
             -p StandardOutput=append:/run/{name}.log -p StandardError=append:/run/{name}.log {command}"
        ));
    }
}
