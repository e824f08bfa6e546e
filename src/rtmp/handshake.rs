//! The simple handshake (RTMP 1.0 section 5.2): three packets each way, 3,073 bytes.
//!
//! Each state is a type that is consumed by the bytes that end it, so that no packet can be taken
//! twice or out of order. S2 is not compared with C1: servers that answer a "complex" handshake
//! sign it instead of echoing.

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
}

/// The first bytes of a client: C0 and C1.
pub fn c0_c1(time_ms: u32, rng: &mut fastrand::Rng) -> Bytes {
    opening(time_ms, rng)
}

/// A C2 that is sent before S1 has come, so that it cannot echo it (RTMP 1.0 section 5.2.1 wants
/// the client to wait; some servers do not mind).
pub fn early_c2(rng: &mut fastrand::Rng) -> Bytes {
    let mut packet = BytesMut::zeroed(PACKET_BYTES);
    rng.fill(&mut packet[8..]);
    packet.freeze()
}

fn opening(time_ms: u32, rng: &mut fastrand::Rng) -> Bytes {
    let mut bytes = BytesMut::with_capacity(1 + PACKET_BYTES);
    bytes.put_u8(VERSION);
    bytes.put_u32(time_ms);
    bytes.put_bytes(0, 1 + PACKET_BYTES - 5);
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

/// Waits for the version byte.
#[derive(Debug, Default)]
pub struct AwaitVersion;

/// Waits for a packet that has to be echoed.
#[derive(Debug, Default)]
pub struct AwaitPacket {
    got: BytesMut,
}

/// Waits for an echo, which is not looked at.
#[derive(Debug)]
pub struct SkipPacket {
    left: usize,
}

impl AwaitVersion {
    /// Versions below 3 are outdated, those from 32 on are reserved so that text protocols can be
    /// told apart (RTMP 1.0 section 5.2.2); all between are taken as "some RTMP".
    fn take(self, input: &mut &[u8]) -> Result<Result<AwaitPacket, AwaitVersion>, HandshakeError> {
        let Some((&version, rest)) = input.split_first() else { return Ok(Err(self)) };
        *input = rest;
        match version {
            VERSION..32 => Ok(Ok(AwaitPacket::default())),
            other => Err(HandshakeError::NotRtmp(other)),
        }
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
        Client::AwaitS0(AwaitVersion)
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
            Client::AwaitS2(state) => (state.take(input).map_or(Client::Done, Client::AwaitS2), None),
            Client::Done => (Client::Done, None),
        })
    }
}

impl Server {
    /// A handshake of which nothing has come.
    pub fn begin() -> Server {
        Server::AwaitC0(AwaitVersion)
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
            Server::AwaitC2(state) => (state.take(input).map_or(Server::Done, Server::AwaitC2), None),
            Server::Done => (Server::Done, None),
        })
    }
}
