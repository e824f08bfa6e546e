//! What the kernel knows of a connection: bytes not yet acknowledged by the peer, and round-trip
//! time.
//!
//! The answers come from `sock_diag` over netlink (sock_diag(7)) rather than from the socket's own
//! `TCP_INFO`/`SIOCOUTQ`: the same numbers, asked for without a line of unsafe code. Where the
//! kernel does not offer it (`CONFIG_INET_DIAG` off) the answer is `None`, and delivery is judged by
//! RTMP acknowledgements and by write progress alone.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, connect, recv, send,
    socket,
};

use crate::stream::{Kernel, TcpState};

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST: u16 = 1;
const INET_DIAG_INFO: u16 = 2;
const NLMSG_HEADER_BYTES: usize = 16;
const REQUEST_BYTES: usize = NLMSG_HEADER_BYTES + 56;
const DIAG_MESSAGE_BYTES: usize = 72;

/// State of a connection whose peer has closed (net/tcp_states.h).
const TCP_CLOSE_WAIT: u8 = 8;

/// Offsets in `struct tcp_info` (linux/tcp.h); they only ever grow at the end.
const TCP_INFO_RETRANSMITS: usize = 2;
const TCP_INFO_SND_MSS: usize = 16;
const TCP_INFO_SACKED: usize = 28;
const TCP_INFO_RTT: usize = 68;
const TCP_INFO_BYTES_ACKED: usize = 120;
/// Since Linux 5.4.
const TCP_INFO_RCV_OOOPACK: usize = 224;
const TCP_INFO_SND_WND: usize = 228;

/// Asks the kernel about one TCP connection.
#[derive(Debug)]
pub struct TcpProbe {
    netlink: OwnedFd,
    request: [u8; REQUEST_BYTES],
}

impl TcpProbe {
    /// A probe for the connection between `local` and `peer`; `None` where the kernel offers none.
    pub fn open(local: SocketAddr, peer: SocketAddr) -> Option<TcpProbe> {
        let netlink = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkSockDiag,
        )
        .ok()?;
        connect(netlink.as_raw_fd(), &NetlinkAddr::new(0, 0)).ok()?;
        let probe = TcpProbe { netlink, request: request(local, peer) };
        probe.sample().map(|_| probe)
    }

    /// What the kernel answers.
    pub fn ask(&self) -> Kernel {
        self.sample().map_or(Kernel::Gone, Kernel::Here)
    }

    /// The present state; `None` when the connection is gone or the kernel does not answer.
    pub fn sample(&self) -> Option<TcpState> {
        send(self.netlink.as_raw_fd(), &self.request, MsgFlags::MSG_DONTWAIT).ok()?;
        let mut reply = [0_u8; 1024];
        let length = recv(self.netlink.as_raw_fd(), &mut reply, MsgFlags::MSG_DONTWAIT).ok()?;
        parse(reply.get(..length)?)
    }
}

/// `struct nlmsghdr` + `struct inet_diag_req_v2` (linux/inet_diag.h) for exactly one socket.
fn request(local: SocketAddr, peer: SocketAddr) -> [u8; REQUEST_BYTES] {
    const AF_INET: u8 = 2;
    const AF_INET6: u8 = 10;
    const IPPROTO_TCP: u8 = 6;
    let mut bytes = [0_u8; REQUEST_BYTES];
    bytes[0..4].copy_from_slice(&(REQUEST_BYTES as u32).to_ne_bytes());
    bytes[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes[6..8].copy_from_slice(&NLM_F_REQUEST.to_ne_bytes());
    bytes[16] = if local.is_ipv4() { AF_INET } else { AF_INET6 };
    bytes[17] = IPPROTO_TCP;
    bytes[18] = 1 << (INET_DIAG_INFO - 1);
    bytes[20..24].copy_from_slice(&u32::MAX.to_ne_bytes()); // every TCP state
    bytes[24..26].copy_from_slice(&local.port().to_be_bytes());
    bytes[26..28].copy_from_slice(&peer.port().to_be_bytes());
    put_address(&mut bytes[28..44], local.ip());
    put_address(&mut bytes[44..60], peer.ip());
    bytes[64..72].copy_from_slice(&[0xff; 8]); // INET_DIAG_NOCOOKIE
    bytes
}

fn put_address(field: &mut [u8], address: IpAddr) {
    match address {
        IpAddr::V4(v4) => field[..4].copy_from_slice(&v4.octets()),
        IpAddr::V6(v6) => field.copy_from_slice(&v6.octets()),
    }
}

fn parse(reply: &[u8]) -> Option<TcpState> {
    if u16_at(reply, 4)? != SOCK_DIAG_BY_FAMILY {
        return None;
    }
    let message = reply.get(NLMSG_HEADER_BYTES..)?;
    let unacknowledged_bytes = u32_at(message, 60)?;
    let mut attributes = message.get(DIAG_MESSAGE_BYTES..)?;
    while attributes.len() >= 4 {
        let length = usize::from(u16_at(attributes, 0)?).max(4);
        if u16_at(attributes, 2)? == INET_DIAG_INFO {
            let info = attributes.get(4..length)?;
            let segment_bytes = u32_at(info, TCP_INFO_SND_MSS)?;
            let sacked_bytes = u32_at(info, TCP_INFO_SACKED)?.saturating_mul(segment_bytes);
            return Some(TcpState {
                unacknowledged_bytes,
                sacked_bytes: sacked_bytes.min(unacknowledged_bytes),
                acknowledged_bytes: u64_at(info, TCP_INFO_BYTES_ACKED)?,
                window_bytes: u32_at(info, TCP_INFO_SND_WND),
                rtt: Duration::from_micros(u32_at(info, TCP_INFO_RTT)?.into()),
                segment_bytes,
                timeouts: *info.get(TCP_INFO_RETRANSMITS)?,
                early_packets: u32_at(info, TCP_INFO_RCV_OOOPACK).unwrap_or(0),
                peer_has_closed: message.get(1)? == &TCP_CLOSE_WAIT,
            });
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
    None
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn a_reader_that_stalls_shows_as_unacknowledged_bytes_and_one_that_reads_as_none() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let Some(probe) = TcpProbe::open(client.local_addr().unwrap(), client.peer_addr().unwrap())
        else {
            println!("skipped: this kernel has no sock_diag for TCP");
            return;
        };
        client.set_nonblocking(true).unwrap();
        let block = [0_u8; 65536];
        let mut written = 0;
        while let Ok(n) = client.write(&block) {
            written += n;
        }
        let stalled = probe.sample().unwrap();
        assert!(stalled.unacknowledged_bytes > 0, "{stalled:?}");

        let mut sink = vec![0; written];
        server.read_exact(&mut sink).unwrap();
        let mut state = probe.sample().unwrap();
        for _ in 0..1_000 {
            if state.unacknowledged_bytes == 0 {
                break;
            }
            std::thread::yield_now();
            state = probe.sample().unwrap();
        }
        assert_eq!(state.unacknowledged_bytes, 0);
        assert_eq!(state.acknowledged_bytes, written as u64 + 1, "the SYN counts as one");
    }

    #[test]
    fn a_reader_keeps_the_window_open_and_one_that_stalls_lets_it_close() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let probe = TcpProbe::open(client.local_addr().unwrap(), client.peer_addr().unwrap());
        let window = || probe.as_ref().and_then(TcpProbe::sample)?.window_bytes;
        let Some(open) = window() else {
            println!("skipped: this kernel does not tell the window");
            return;
        };
        let piece = [0_u8; 1_400];
        let mut least = open;
        for _ in 0..200 {
            client.write_all(&piece).unwrap();
            server.read_exact(&mut [0; 1_400]).unwrap();
            least = window().unwrap().min(least);
        }
        assert!(least > open / 2, "a reader keeps it open: {least} of {open}");
        client.set_nonblocking(true).unwrap();
        while client.write(&piece).is_ok() {}
        // Of what it has no room for it says so only when that is sent again.
        for _ in 0..500 {
            if window().is_some_and(|now| now < least / 2) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{:?} of {least}", window());
    }

    #[test]
    fn a_reply_cut_at_any_byte_is_no_answer() {
        let mut reply = vec![0_u8; NLMSG_HEADER_BYTES + DIAG_MESSAGE_BYTES + 4 + 160];
        reply[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        let attribute = NLMSG_HEADER_BYTES + DIAG_MESSAGE_BYTES;
        reply[attribute..attribute + 2].copy_from_slice(&164_u16.to_ne_bytes());
        reply[attribute + 2..attribute + 4].copy_from_slice(&INET_DIAG_INFO.to_ne_bytes());
        assert!(parse(&reply).is_some());
        for cut in 0..reply.len() {
            assert_eq!(parse(&reply[..cut]), None, "cut at {cut}");
        }
    }
}
