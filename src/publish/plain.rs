//! Whether a port where TLS gets no answer speaks plain RTMP: whoever wrote the address is to know.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::limits::PLAIN_LOOK_AFTER;
use crate::rtmp::url::ServerUrl;

/// The version of RTMP, which both sides begin with (RTMP 1.0 section 5.2.2).
const VERSION: u8 = 3;
/// Version, time and zeros, and random bytes, for which zeros do.
const HANDSHAKE_BYTES: usize = 1 + 1_536;

/// Ends when the server turns out to speak plain RTMP; otherwise never. It looks when TLS should have
/// been answered, over a connection of its own, with a handshake that carries nothing: no app, no key.
pub async fn found(server: &ServerUrl) {
    sleep(PLAIN_LOOK_AFTER).await;
    if !speaks(server).await.unwrap_or(false) {
        std::future::pending::<()>().await;
    }
}

async fn speaks(server: &ServerUrl) -> std::io::Result<bool> {
    let host = server.host.to_string();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let mut tcp = TcpStream::connect((bare, server.port)).await?;
    let mut hello = [0; HANDSHAKE_BYTES];
    hello[0] = VERSION;
    tcp.write_all(&hello).await?;
    Ok(tcp.read_u8().await? == VERSION)
}
