//! From an address to a connected wire: name, TCP, TLS, each with a deadline and a name of its own.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use socket2::SockRef;
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::limits::{
    DNS_ADDRESSES_MAX, DNS_TIMEOUT, HAPPY_EYEBALLS_DELAY, TCP_NOTSENT_LOWAT_BYTES, TCP_TIMEOUT,
    TLS_TIMEOUT,
};
use crate::rtmp::url::{Scheme, ServerUrl};

use super::error::PublishError;
use super::socket::TcpProbe;
use super::tls::{self, TlsFault};
use crate::stream::Error;

/// A connection, what is known of its TCP, and the address of this box that it comes from.
pub type Connected = (Wire, Option<TcpProbe>, Option<IpAddr>);

/// A connection ready for RTMP.
pub enum Wire {
    /// Plain RTMP, only where the destination allows it.
    Plain(TcpStream),
    /// RTMPS.
    Tls(Box<TlsStream<TcpStream>>),
}

/// Called with the name of each phase as it is done.
pub type Steps<'a> = dyn FnMut(&'static str) + Send + 'a;

/// Resolves, connects and, for `rtmps`, completes the TLS handshake; `done` hears of each phase.
///
/// # Errors
/// [`PublishError`] naming the phase; no byte of RTMP has been sent then.
pub async fn connect(
    server: &ServerUrl,
    tls: &Arc<ClientConfig>,
    done: &mut Steps<'_>,
) -> Result<Connected, PublishError> {
    let host = server.host.to_string();
    let addresses = resolve(&host, server.port).await?;
    done("name");
    let tcp = connect_any(&host, &addresses).await?;
    done("TCP");
    prepare(&tcp);
    let local = tcp.local_addr().ok().map(|local| local.ip());
    let probe = match (tcp.local_addr(), tcp.peer_addr()) {
        (Ok(local), Ok(peer)) => TcpProbe::open(local, peer),
        _ => None,
    };
    if probe.is_none() {
        tracing::warn!(
            "this kernel does not tell what has arrived (CONFIG_INET_TCP_DIAG): a slow uplink is noticed late"
        );
    }
    let wire = match server.scheme {
        Scheme::Rtmp => Wire::Plain(tcp),
        Scheme::Rtmps => {
            let stream = handshake(&host, tcp, tls).await?;
            done("TLS");
            Wire::Tls(Box::new(stream))
        }
    };
    Ok((wire, probe, local))
}

/// The addresses of `host`, alternating between families as RFC 8305 section 4 advises.
async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, PublishError> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let not_found = |why: String| PublishError::NameNotFound { host: host.to_owned(), why };
    let found = timeout(DNS_TIMEOUT, lookup_host((bare, port)))
        .await
        .map_err(|_| PublishError::Timeout { host: host.to_owned(), phase: "the name look-up" })?
        .map_err(|error| not_found(error.to_string()))?;
    let (v6, v4): (Vec<_>, Vec<_>) = found.partition(SocketAddr::is_ipv6);
    let longest = v6.len().max(v4.len());
    let addresses: Vec<_> = (0..longest)
        .flat_map(|i| [v6.get(i).copied(), v4.get(i).copied()])
        .flatten()
        .take(DNS_ADDRESSES_MAX)
        .collect();
    if addresses.is_empty() {
        return Err(not_found("no address".to_owned()));
    }
    Ok(addresses)
}

/// Tries the addresses one after the other, each with a head start over the next (RFC 8305
/// section 5); the first that answers wins and the others are closed.
async fn connect_any(host: &str, addresses: &[SocketAddr]) -> Result<TcpStream, PublishError> {
    let race = async {
        let mut waiting = addresses.iter().copied();
        let mut attempts = JoinSet::new();
        let mut failure = None;
        loop {
            if let Some(address) = waiting.next() {
                attempts.spawn(async move { (address, TcpStream::connect(address).await) });
            }
            let more = waiting.len() > 0;
            tokio::select! {
                Some(ended) = attempts.join_next() => match ended {
                    Ok((_, Ok(tcp))) => return Ok(tcp),
                    Ok((address, Err(error))) => {
                        failure = Some(tcp_error(address, &error));
                    }
                    Err(_) => {}
                },
                () = tokio::time::sleep(HAPPY_EYEBALLS_DELAY), if more => {}
            }
            if !more && attempts.is_empty() {
                return Err(failure.unwrap_or_else(|| lost("no address could be tried")));
            }
        }
    };
    timeout(TCP_TIMEOUT, race).await.unwrap_or_else(|_| {
        Err(PublishError::Timeout { host: host.to_owned(), phase: "the TCP connection" })
    })
}

fn tcp_error(address: SocketAddr, error: &io::Error) -> PublishError {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => PublishError::Refused { address },
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
            PublishError::NoRoute { address }
        }
        _ => lost(error),
    }
}

fn lost(why: impl ToString) -> PublishError {
    Error::Lost { why: why.to_string() }.into()
}

/// No Nagle (it costs round trips against delayed acknowledgements), and little media hidden in the
/// kernel. A kernel that lacks an option still publishes, so failures are not errors.
fn prepare(tcp: &TcpStream) {
    let socket = SockRef::from(tcp);
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_tcp_notsent_lowat(TCP_NOTSENT_LOWAT_BYTES);
}

async fn handshake(
    host: &str,
    tcp: TcpStream,
    tls: &Arc<ClientConfig>,
) -> Result<TlsStream<TcpStream>, PublishError> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(bare.to_owned()).map_err(|_| PublishError::Tls {
        host: host.to_owned(),
        fault: TlsFault::NameImpossible,
    })?;
    timeout(TLS_TIMEOUT, TlsConnector::from(tls.clone()).connect(name, tcp))
        .await
        .map_err(|_| PublishError::Timeout { host: host.to_owned(), phase: "the TLS handshake" })?
        .map_err(|error| tls_error(host, &error))
}

fn tls_error(host: &str, error: &io::Error) -> PublishError {
    let host = host.to_owned();
    match tls::Failed::from(error) {
        tls::Failed::Certificate(fault) => PublishError::Certificate { host, fault },
        tls::Failed::Tls(fault) => PublishError::Tls { host, fault },
        tls::Failed::Ended(io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => {
            let why = format!("{host} hung up during the TLS handshake; is this an rtmps port?");
            lost(why)
        }
        tls::Failed::Ended(_) => lost(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::{Domain, Socket, Type};
    use std::net::{Ipv4Addr, TcpListener as Listener};

    fn loopback(port: u16) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, port).into()
    }

    fn listening() -> (Listener, SocketAddr) {
        let listener = Listener::bind(loopback(0)).unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    fn refusing() -> SocketAddr {
        listening().1 // closed again by now
    }

    /// Takes no connection and refuses none: its queue is full.
    async fn silent() -> (Socket, Vec<TcpStream>, SocketAddr) {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&loopback(0).into()).unwrap();
        socket.listen(0).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let mut queued = Vec::new();
        while let Ok(Ok(tcp)) = timeout(HAPPY_EYEBALLS_DELAY, TcpStream::connect(address)).await {
            queued.push(tcp);
        }
        (socket, queued, address)
    }

    #[tokio::test]
    async fn an_address_that_does_not_answer_holds_up_the_next_one_for_a_moment_only() {
        let (_silent, _queued, dead) = silent().await;
        let (_listener, alive) = listening();
        let tcp = connect_any("host", &[dead, alive]).await.unwrap();
        assert_eq!(tcp.peer_addr().unwrap(), alive);
    }

    #[tokio::test]
    async fn an_address_that_refuses_hands_over_to_the_next_one() {
        let (_listener, alive) = listening();
        let tcp = connect_any("host", &[refusing(), refusing(), alive]).await.unwrap();
        assert_eq!(tcp.peer_addr().unwrap(), alive);
    }

    #[tokio::test]
    async fn when_no_address_takes_us_the_reason_names_one() {
        let addresses = [refusing(), refusing()];
        let error = connect_any("host", &addresses).await.unwrap_err();
        let PublishError::Refused { address } = error else { panic!("{error}") };
        assert!(addresses.contains(&address));
    }

    #[tokio::test]
    async fn small_writes_leave_at_once_and_little_hides_in_the_kernel() {
        let (_listener, alive) = listening();
        let tcp = connect_any("host", &[alive]).await.unwrap();
        prepare(&tcp);
        assert!(tcp.nodelay().unwrap());
        assert_eq!(SockRef::from(&tcp).tcp_notsent_lowat().unwrap(), TCP_NOTSENT_LOWAT_BYTES);
    }
}
