//! Interfaces and addresses, and the moment they change (rtnetlink(7)); whether the clock is right;
//! NetworkManager, which joins networks, and Wi-Fi.

pub mod manager;
mod nmcli;
pub mod radio;
mod supplicant;
mod wifi;

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
};

use crate::limits::CLOCK_EARLIEST;
use crate::status::{Clock, Interface, Link};

/// Links, addresses and routes, IPv4 and IPv6 (`RTMGRP_*` in linux/rtnetlink.h).
const GROUPS: u32 = 0x1 | 0x10 | 0x100 | 0x40 | 0x400;
/// Where the kernel lists its routes (proc_net(5)); the look-up of one host is not among them.
const ROUTES: [(&str, ReadRoute); 2] =
    [("/proc/net/route", route_v4), ("/proc/net/ipv6_route", route_v6)];
/// A line of such a list, if it is a route worth knowing.
type ReadRoute = fn(&str) -> Option<String>;
/// Where systemd-timesyncd keeps its state, and the file that says that the clock is set.
const TIMESYNC: &str = "/run/systemd/timesync";
const SYNCHRONIZED: &str = "/run/systemd/timesync/synchronized";

/// All interfaces but the loopback, by name.
pub fn interfaces() -> Vec<Interface> {
    let mut found: BTreeMap<String, Interface> = BTreeMap::new();
    for entry in getifaddrs().into_iter().flatten() {
        if entry.flags.contains(InterfaceFlags::IFF_LOOPBACK) {
            continue;
        }
        let name = entry.interface_name;
        let up = entry.flags.contains(InterfaceFlags::IFF_UP | InterfaceFlags::IFF_RUNNING);
        let interface = found.entry(name.clone()).or_insert_with(|| Interface {
            name,
            up,
            addresses: Vec::new(),
        });
        let v4 = entry.address.as_ref().and_then(|a| a.as_sockaddr_in()).map(|a| a.ip().into());
        let v6 = entry.address.as_ref().and_then(|a| a.as_sockaddr_in6()).map(|a| a.ip().into());
        let address: Option<IpAddr> = v4.or(v6);
        interface.addresses.extend(address.map(|address| address.to_string()));
    }
    found.into_values().collect()
}

/// Whether one of the interfaces leads anywhere: a carrier, and an address that is not just its
/// own.
pub fn link(interfaces: &[Interface]) -> Link {
    let leads = |address: &String| match address.parse() {
        Ok(IpAddr::V4(v4)) => !v4.is_link_local() && !v4.is_unspecified(),
        Ok(IpAddr::V6(v6)) => !v6.is_unicast_link_local() && !v6.is_unspecified(),
        Err(_) => false,
    };
    let of_use = |interface: &Interface| interface.up && interface.addresses.iter().any(leads);
    if interfaces.iter().any(of_use) { Link::Up } else { Link::Down }
}

/// The ways out of the box that lead through a gateway, in no form but one that can be compared.
fn routes() -> Vec<String> {
    let read = |(path, route): (&str, ReadRoute)| {
        let text = fs::read_to_string(path).unwrap_or_default();
        text.lines().filter_map(route).collect::<Vec<_>>()
    };
    let mut found: Vec<String> = ROUTES.into_iter().flat_map(read).collect();
    found.sort_unstable();
    found
}

/// Interface, destination, gateway, metric and mask of a line of `/proc/net/route`; not its counters.
fn route_v4(line: &str) -> Option<String> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let [interface, to, gateway, _flags, _references, _use, metric, mask, ..] = words[..] else {
        return None;
    };
    let leads_on = gateway.bytes().any(|b| b != b'0') && gateway != "Gateway";
    leads_on.then(|| [interface, to, gateway, metric, mask].join(" "))
}

/// The same of a line of `/proc/net/ipv6_route`.
fn route_v6(line: &str) -> Option<String> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let [to, prefix, _from, _from_prefix, gateway, metric, .., interface] = words[..] else {
        return None;
    };
    let leads_on = gateway.bytes().any(|b| b != b'0');
    leads_on.then(|| [interface, to, gateway, metric, prefix].join(" "))
}

/// Gives the interfaces now and after each change of them or of the routes, on a thread of its own.
/// Where the kernel does not report changes, they are given once.
pub fn watch(mut changed: impl FnMut(Vec<Interface>) + Send + 'static) {
    let body = move || {
        let kernel = subscribe();
        let mut known = (interfaces(), routes());
        changed(known.0.clone());
        let Ok(kernel) = kernel else {
            tracing::warn!("the kernel does not report network changes");
            return;
        };
        // What a message says does not matter: the interfaces are looked at again. Messages lost in
        // a flood (ENOBUFS) are a change as well.
        let mut message = [0_u8; 8 * 1024];
        loop {
            match recv(kernel.as_raw_fd(), &mut message, MsgFlags::empty()) {
                Ok(_) | Err(nix::errno::Errno::ENOBUFS | nix::errno::Errno::EINTR) => {}
                Err(error) => {
                    tracing::warn!(%error, "the kernel reports no more network changes");
                    return;
                }
            }
            let now = (interfaces(), routes());
            if now != known {
                known = now;
                changed(known.0.clone());
            }
        }
    };
    if let Err(error) = thread::Builder::new().name("netlink".to_owned()).spawn(body) {
        tracing::error!(%error, "no thread for network changes");
    }
}

fn subscribe() -> nix::Result<OwnedFd> {
    let kernel = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkRoute,
    )?;
    bind(kernel.as_raw_fd(), &NetlinkAddr::new(0, GROUPS))?;
    Ok(kernel)
}

/// Whether the time of day is good enough to judge a certificate: timesyncd has set it, or, where
/// something else keeps it, it is not before this software was made.
pub fn clock() -> Clock {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    judge(Path::new(TIMESYNC).exists(), Path::new(SYNCHRONIZED).exists(), now)
}

fn judge(has_timesync: bool, synchronized: bool, now: Duration) -> Clock {
    if synchronized || (!has_timesync && now >= CLOCK_EARLIEST) {
        Clock::Trusted
    } else {
        Clock::Untrusted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(up: bool, addresses: &[&str]) -> Interface {
        let addresses = addresses.iter().map(|address| (*address).to_owned()).collect();
        Interface { name: "eth0".to_owned(), up, addresses }
    }

    #[test]
    fn a_link_is_a_carrier_with_an_address_that_leads_somewhere() {
        for (up, addresses, expected) in [
            (true, vec!["192.0.2.7"], Link::Up),
            (true, vec!["fe80::1", "2001:db8::7"], Link::Up),
            (false, vec!["192.0.2.7"], Link::Down),
            (true, vec![], Link::Down),
            (true, vec!["fe80::1", "169.254.3.4"], Link::Down),
        ] {
            assert_eq!(link(&[interface(up, &addresses)]), expected, "{addresses:?}");
        }
        assert_eq!(link(&[]), Link::Down);
    }

    // Shows F23.
    #[test]
    fn the_clock_is_believed_when_it_is_set_or_kept_by_something_else() {
        let day = Duration::from_secs(86_400);
        assert_eq!(judge(true, false, CLOCK_EARLIEST + day), Clock::Untrusted);
        assert_eq!(judge(true, true, CLOCK_EARLIEST + day), Clock::Trusted);
        assert_eq!(judge(false, false, CLOCK_EARLIEST + day), Clock::Trusted);
        assert_eq!(judge(false, false, day), Clock::Untrusted, "a board without a battery");
    }

    /// As the kernel writes them: a default route, the network of the cable, a wider default route.
    const V4: &str = "\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0100A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t0000A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
wlan0\t00000000\t0101A8C0\t0003\t0\t7\t600\t00000000\t0\t0\t0
";
    const V6: &str = "\
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0
fe800000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
";

    #[test]
    fn a_route_is_what_leads_through_a_gateway_whatever_was_sent_on_it() {
        let v4: Vec<_> = V4.lines().filter_map(route_v4).collect();
        assert_eq!(
            v4,
            ["eth0 00000000 0100A8C0 100 00000000", "wlan0 00000000 0101A8C0 600 00000000",]
        );
        let used = V4.replace("\t0\t0\t100", "\t2\t9000\t100");
        assert_eq!(used.lines().filter_map(route_v4).collect::<Vec<_>>(), v4);
        let v6: Vec<_> = V6.lines().filter_map(route_v6).collect();
        assert_eq!(v6.len(), 1);
        assert!(v6[0].starts_with("eth0 0000") && v6[0].contains("fe80"), "{v6:?}");
        for nonsense in ["", "a b c", "\0"] {
            assert_eq!((route_v4(nonsense), route_v6(nonsense)), (None, None));
        }
    }

    #[test]
    fn the_kernel_lists_interfaces_and_takes_a_subscription() {
        assert!(interfaces().iter().all(|interface| interface.name != "lo"));
        assert!(subscribe().is_ok());
        assert_eq!(routes(), routes());
    }
}
