//! The simple handshake (RTMP 1.0 section 5.2): three packets each way, 3,073 bytes.
//!
//! Each state is a type that is consumed by the bytes that end it, so that no packet can be taken
//! twice or out of order. S2 is not compared with C1: servers that answer a "complex" handshake
//! sign it instead of echoing.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};

/// C0 and S0: the version that both sides speak.
pub const VERSION: u8 = 3;
/// C1, C2, S1 and S2.
pub const PACKET_BYTES: usize = 1536;

/// Why a handshake failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// the peer speaks another protocol than RTMP
    #[error("the peer answered with 0x{0:02x}, which is no RTMP version")]
    NotRtmp(u8),
    /// the peer speaks a protocol that is known, and that is not RTMP
    #[error(transparent)]
    Another(#[from] Protocol),
}

/// What is not RTMP, as far as its first bytes show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Protocol {
    /// a web server
    #[error(
        "a web server (HTTP) answers there, which is no RTMP server; check address and port, and whether this network asks to log in on a web page first"
    )]
    Http,
    /// a TLS server
    #[error("a TLS server answers there; the address must begin with rtmps://")]
    Tls,
    /// an RTSP server
    #[error("an RTSP server answers there, which is no RTMP server; check address and port")]
    Rtsp,
    /// an SSH server
    #[error("an SSH server answers there, which is no RTMP server; check address and port")]
    Ssh,
}

/// How other protocols begin.
const GREETINGS: &[(&[u8], Protocol)] = &[
    (b"HTTP/", Protocol::Http),
    (b"<", Protocol::Http), // what was meant for HTTP/0.9
    (b"RTSP/", Protocol::Rtsp),
    (b"SSH-", Protocol::Ssh),
    (&[0x15, 3], Protocol::Tls), // an alert, and below a handshake (RFC 8446 section 5.1)
    (&[0x16, 3], Protocol::Tls),
];
/// No greeting is longer.
const GREETING_BYTES_MAX: usize = 5;

/// The first bytes of a client: C0 and C1.
pub fn c0_c1(time_ms: u32, rng: &mut fastrand::Rng) -> Bytes {
    opening(time_ms, rng)
}

/// A C2 that is sent before S1 has come, so that it cannot echo it (RTMP 1.0 section 5.2.1 wants
/// the client to wait; some servers accept it).
pub fn early_c2(rng: &mut fastrand::Rng) -> Bytes {
    let mut packet = BytesMut::zeroed(PACKET_BYTES);
    rng.fill(&mut packet[8..]); // behind two zero times
    packet.freeze()
}

fn opening(time_ms: u32, rng: &mut fastrand::Rng) -> Bytes {
    let mut bytes = BytesMut::with_capacity(1 + PACKET_BYTES);
    bytes.put_u8(VERSION);
    bytes.put_u32(time_ms);
    bytes.put_bytes(0, 1 + PACKET_BYTES - 5);
    // Four zero bytes follow the time: others announce the "complex" handshake, which needs a digest.
    rng.fill(&mut bytes[1 + 8..]);
    bytes.freeze()
}

/// A client's handshake; C0 and C1 are on their way.
#[derive(Debug)]
pub enum Client {
    /// Nothing has come.
    AwaitS0(AwaitVersion),
    /// S0 has come.
    AwaitS1(AwaitPacket),
    /// S1 has come; C2 may go.
    AwaitS2(SkipPacket),
    /// S2 has come; anything may go.
    Done,
}

/// A server's handshake.
#[derive(Debug)]
pub enum Server {
    /// Nothing has come.
    AwaitC0(AwaitVersion),
    /// C0 has come.
    AwaitC1(AwaitPacket),
    /// C1 has come; S0, S1 and S2 may go.
    AwaitC2(SkipPacket),
    /// C2 has come.
    Done,
}

/// Waits for the version byte, and for what tells it from the begin of another protocol.
#[derive(Debug, Default)]
pub struct AwaitVersion {
    got: [u8; GREETING_BYTES_MAX],
    length: usize,
}

/// Waits for a packet that has to be echoed.
#[derive(Default)]
pub struct AwaitPacket {
    got: BytesMut,
}

/// Shows no received byte: a peer that only echoes sends the stream key back.
impl fmt::Debug for AwaitPacket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwaitPacket").field("bytes", &self.got.len()).finish_non_exhaustive()
    }
}

/// Waits for an echo, which is not looked at.
#[derive(Debug)]
pub struct SkipPacket {
    left: usize,
}

impl AwaitVersion {
    /// Versions below 3 are outdated, those from 32 on are reserved so that text protocols can be
    /// recognized (RTMP 1.0 section 5.2.2); all between are taken for some RTMP, unless they turn out
    /// to be TLS.
    fn take(
        mut self,
        input: &mut &[u8],
    ) -> Result<Result<AwaitPacket, AwaitVersion>, HandshakeError> {
        while let Some((&byte, rest)) = input.split_first() {
            *input = rest;
            self.got[self.length] = byte;
            self.length += 1;
            let got = &self.got[..self.length];
            let mut may_be = GREETINGS.iter().filter(|(greeting, _)| greeting.starts_with(got));
            match may_be.next() {
                Some((greeting, protocol)) if greeting.len() == got.len() => {
                    return Err((*protocol).into());
                }
                Some(_) => {}
                None => {
                    return match got[0] {
                        VERSION..32 => {
                            let mut packet = AwaitPacket::default();
                            packet.got.extend_from_slice(&got[1..]);
                            Ok(Ok(packet))
                        }
                        other => Err(HandshakeError::NotRtmp(other)),
                    };
                }
            }
        }
        Ok(Err(self))
    }
}

impl AwaitPacket {
    fn take(mut self, input: &mut &[u8]) -> Result<(Bytes, SkipPacket), AwaitPacket> {
        let (now, rest) = input.split_at((PACKET_BYTES - self.got.len()).min(input.len()));
        self.got.extend_from_slice(now);
        *input = rest;
        if self.got.len() < PACKET_BYTES {
            return Err(self);
        }
        Ok((self.got.freeze(), SkipPacket { left: PACKET_BYTES }))
    }
}

impl SkipPacket {
    fn take(self, input: &mut &[u8]) -> Option<SkipPacket> {
        let count = self.left.min(input.len());
        *input = &input[count..];
        (count < self.left).then(|| SkipPacket { left: self.left - count })
    }
}

impl Client {
    /// A handshake of which C0 and C1 were queued.
    pub fn begin() -> Client {
        Client::AwaitS0(AwaitVersion::default())
    }

    /// Takes what `input` has for the handshake. Gives the next state and, once S1 is whole, the C2
    /// that echoes it.
    ///
    /// # Errors
    /// [`HandshakeError::NotRtmp`].
    pub fn take(self, input: &mut &[u8]) -> Result<(Client, Option<Bytes>), HandshakeError> {
        Ok(match self {
            Client::AwaitS0(state) => match state.take(input)? {
                Ok(next) => (Client::AwaitS1(next), None),
                Err(same) => (Client::AwaitS0(same), None),
            },
            Client::AwaitS1(state) => match state.take(input) {
                Ok((s1, next)) => (Client::AwaitS2(next), Some(s1)),
                Err(same) => (Client::AwaitS1(same), None),
            },
            Client::AwaitS2(state) => {
                (state.take(input).map_or(Client::Done, Client::AwaitS2), None)
            }
            Client::Done => (Client::Done, None),
        })
    }
}

impl Server {
    /// A handshake of which nothing has come.
    pub fn begin() -> Server {
        Server::AwaitC0(AwaitVersion::default())
    }

    /// Takes what `input` has for the handshake. Gives the next state and, once C1 is whole, S0, S1
    /// and the S2 that echoes it.
    ///
    /// # Errors
    /// [`HandshakeError::NotRtmp`].
    pub fn take(
        self,
        input: &mut &[u8],
        time_ms: u32,
        rng: &mut fastrand::Rng,
    ) -> Result<(Server, Option<[Bytes; 2]>), HandshakeError> {
        Ok(match self {
            Server::AwaitC0(state) => match state.take(input)? {
                Ok(next) => (Server::AwaitC1(next), None),
                Err(same) => (Server::AwaitC0(same), None),
            },
            Server::AwaitC1(state) => match state.take(input) {
                Ok((c1, next)) => (Server::AwaitC2(next), Some([opening(time_ms, rng), c1])),
                Err(same) => (Server::AwaitC1(same), None),
            },
            Server::AwaitC2(state) => {
                (state.take(input).map_or(Server::Done, Server::AwaitC2), None)
            }
            Server::Done => (Server::Done, None),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c1_carries_the_time_and_four_zero_bytes_and_differs_by_seed() {
        let opening = |seed| c0_c1(0x0102_0304, &mut fastrand::Rng::with_seed(seed));
        assert_eq!(opening(1).len(), 1537);
        assert_eq!(opening(1)[..9], [3, 1, 2, 3, 4, 0, 0, 0, 0]);
        assert_eq!(opening(1), opening(1));
        assert_ne!(opening(1), opening(2));
    }

    #[test]
    fn both_sides_shake_hands_over_pieces_of_any_size() {
        for size in [1, 7, 1536, 1537, 5000] {
            let mut rng = fastrand::Rng::with_seed(1);
            let (mut client, mut server) = (Client::begin(), Server::begin());
            let c1 = c0_c1(1, &mut rng);
            let mut to_client = Vec::new();
            for mut piece in c1.chunks(size) {
                let (next, answer) = server.take(&mut piece, 2, &mut rng).unwrap();
                let (next, again) = next.take(&mut piece, 2, &mut rng).unwrap();
                server = next;
                to_client.extend(answer.into_iter().chain(again).flatten().flatten());
            }
            assert_eq!(to_client.len(), 1 + 2 * PACKET_BYTES);
            assert_eq!(to_client[1 + PACKET_BYTES..], c1[1..], "S2 echoes C1");
            let mut to_server = Vec::new();
            for mut piece in to_client.chunks(size) {
                while !piece.is_empty() {
                    let (next, c2) = client.take(&mut piece).unwrap();
                    client = next;
                    to_server.extend(c2.into_iter().flatten());
                }
            }
            assert!(matches!(client, Client::Done), "{client:?}");
            assert_eq!(to_server[..], to_client[1..1 + PACKET_BYTES], "C2 echoes S1");
            for mut piece in to_server.chunks(size) {
                server = server.take(&mut piece, 3, &mut rng).unwrap().0;
            }
            assert!(matches!(server, Server::Done), "{server:?}");
        }
    }

    #[test]
    fn every_rtmp_version_is_taken_and_nothing_else() {
        for version in 0..=255 {
            let mut input = &[version, 0][..];
            let taken = Client::begin().take(&mut input);
            match version {
                b'<' => assert!(taken.is_err()),
                3..=31 => {
                    let Ok((Client::AwaitS1(packet), None)) = taken else { panic!("{version}") };
                    assert_eq!(
                        [&packet.got[..], input].concat(),
                        [0],
                        "{version}: nothing is lost"
                    );
                }
                _ => assert_eq!(taken.err(), Some(HandshakeError::NotRtmp(version))),
            }
        }
    }

    #[test]
    fn what_answers_in_another_protocol_is_named_however_it_is_cut() {
        for (answer, protocol) in [
            (
                &b"HTTP/1.1 302 Found\r\nLocation: http://portal.invalid/\r\n\r\n"[..],
                Protocol::Http,
            ),
            (b"HTTP/1.0 400 Bad Request\r\n\r\n", Protocol::Http),
            (b"<html>", Protocol::Http),
            (b"RTSP/1.0 400 Bad Request\r\n\r\n", Protocol::Rtsp),
            (b"SSH-2.0-OpenSSH_9.2\r\n", Protocol::Ssh),
            (b"\x15\x03\x01\x00\x02\x02\x46", Protocol::Tls),
            (b"\x16\x03\x03\x00\x7a\x02", Protocol::Tls),
        ] {
            for size in [1, 2, 3, 100] {
                let mut client = Ok((Client::begin(), None));
                for mut piece in answer.chunks(size) {
                    client = client.and_then(|(client, _)| client.take(&mut piece));
                }
                assert_eq!(client.err(), Some(protocol.into()), "{answer:?} in pieces of {size}");
            }
        }
    }

    #[test]
    fn nothing_that_a_peer_echoes_is_shown() {
        let (client, _) = Client::begin().take(&mut &b"\x03"[..]).unwrap();
        let (client, _) = client.take(&mut &b"canary"[..]).unwrap();
        assert_eq!(format!("{client:?}"), "AwaitS1(AwaitPacket { bytes: 6, .. })");
    }
}
