//! From an address to a connected wire: name, TCP, TLS, each with a deadline and a name of its own.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use socket2::SockRef;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::limits::{
    DNS_TIMEOUT, HAPPY_EYEBALLS_DELAY, SMALL_SEGMENT_BYTES, TCP_NOTSENT_LOWAT_BYTES, TCP_TIMEOUT,
    TLS_TIMEOUT,
};
use crate::rtmp::url::{Scheme, ServerUrl};

use super::error::PublishError;
use super::names::{NameFault, Names};
use super::socket::TcpProbe;
use super::tls::{self, CertificateFault, TlsFault};
use crate::stream::{
    Candidate, ConnectAttempt, Error, Path, PathEnd, Segments, hides_large_packets, is_private,
    path_end,
};

/// A connection ready for RTMP.
pub struct Connected {
    pub wire: Wire,
    /// What is known of its TCP.
    pub probe: Option<TcpProbe>,
    /// The address of this box that it comes from.
    pub local_address: Option<IpAddr>,
    pub path: Path,
}

/// What RTMP is spoken over.
pub enum Wire {
    /// Plain RTMP, only where the destination allows it.
    Plain(TcpStream),
    /// RTMPS.
    Tls(Box<TlsStream<TcpStream>>),
}

/// Why there is no connection.
pub struct Failed {
    pub error: PublishError,
    /// Where that was, when TCP had connected.
    pub at: Option<FailedAt>,
}

/// Where TLS failed, and how.
pub struct FailedAt {
    pub path: Path,
    pub how: PathEnd,
    /// Another address may do better now, and is no worse to be asked.
    pub try_next: bool,
}

impl From<PublishError> for Failed {
    fn from(error: PublishError) -> Failed {
        Failed { error, at: None }
    }
}

/// Called with the name of each phase as it is done.
pub type Steps<'a> = dyn FnMut(&'static str) + Send + 'a;

/// Resolves, connects and, for `rtmps`, completes the TLS handshake; `done` hears of each phase.
/// `choose` says which of the addresses found to try, in which order.
///
/// # Errors
/// [`PublishError`] naming the phase; no byte of RTMP has been sent then.
pub async fn connect(
    attempt: &ConnectAttempt,
    names: &Names,
    tls: &Arc<ClientConfig>,
    segments: Segments,
    choose: impl FnOnce(&[SocketAddr]) -> Vec<Candidate>,
    done: &mut Steps<'_>,
) -> Result<Connected, Failed> {
    let server = &attempt.server;
    let host = server.host.to_string();
    let mut addresses = resolve(names, &host, server.port).await?;
    if attempt.only_public {
        addresses = outside(server, addresses)?;
    }
    let candidates = choose(&addresses);
    done("name");
    let (tcp, address) = connect_any(&host, &candidates, segments).await?;
    done("TCP");
    prepare(&tcp);
    let path = Path { address, segments };
    let local = tcp.local_addr().ok();
    let probe = local.and_then(|local| TcpProbe::open(local, tcp.peer_addr().ok()?));
    if probe.is_none() {
        tracing::warn!(
            "this kernel does not tell what has arrived (CONFIG_INET_TCP_DIAG): a slow uplink is noticed late"
        );
    }
    let wire = match server.scheme {
        Scheme::Rtmp => Wire::Plain(tcp),
        Scheme::Rtmps => match handshake(&host, tcp, tls, probe.as_ref()).await {
            Ok(stream) => {
                done("TLS");
                Wire::Tls(Box::new(stream))
            }
            Err(error) => return Err(failed_tls(error, path)),
        },
    };
    Ok(Connected { wire, probe, local_address: local.map(|local| local.ip()), path })
}

/// What a failed TLS handshake says of its path.
fn failed_tls(error: PublishError, path: Path) -> Failed {
    use CertificateFault::{ClockNotSet, NotYetValid};
    let (how, try_next) = match &error {
        PublishError::Stream(error) => (path_end(error), true),
        PublishError::Timeout { .. } => (PathEnd::NoAnswer, true),
        // It is our clock, or our settings.
        PublishError::Certificate { fault: NotYetValid { .. } | ClockNotSet { .. }, .. }
        | PublishError::Tls { fault: TlsFault::NameImpossible, .. } => (PathEnd::Fine, false),
        // The owner is to hear of it at once; the next attempt goes elsewhere.
        PublishError::Certificate { .. } => (PathEnd::Failed, false),
        _ => (PathEnd::Failed, true),
    };
    Failed { error, at: Some(FailedAt { path, how, try_next }) }
}

/// The addresses of `host`.
async fn resolve(names: &Names, host: &str, port: u16) -> Result<Vec<SocketAddr>, PublishError> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let found = names.addresses(bare, DNS_TIMEOUT).await;
    let host = host.to_owned();
    let addresses = found.map_err(|fault| match fault {
        NameFault::NotFound(why) => PublishError::NameNotFound { host, why },
        NameFault::NoAnswer(why) => PublishError::NoNameService { host, why },
        NameFault::Silent => PublishError::NameServiceSilent { host },
    })?;
    Ok(addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect())
}

/// The addresses without those inside of private networks: a public server has named this one.
fn outside(
    server: &ServerUrl,
    addresses: Vec<SocketAddr>,
) -> Result<Vec<SocketAddr>, PublishError> {
    let outside: Vec<_> =
        addresses.into_iter().filter(|address| !is_private(address.ip())).collect();
    if outside.is_empty() {
        let why =
            format!("{server}: it is inside of a private network, and who sent us there is not");
        return Err(Error::BadRedirect { why }.into());
    }
    Ok(outside)
}

/// Tries the addresses one after the other, each with a head start over the next (RFC 8305
/// section 5); the first that answers wins and the others are closed.
async fn connect_any(
    host: &str,
    candidates: &[Candidate],
    segments: Segments,
) -> Result<(TcpStream, SocketAddr), PublishError> {
    let race = async {
        let mut waiting = candidates.iter().copied();
        let mut next = waiting.next();
        let mut due = Instant::now();
        let mut attempts = JoinSet::new();
        let mut failure = None;
        loop {
            if let Some(Candidate { address, .. }) = next
                && (attempts.is_empty() || Instant::now() >= due)
            {
                attempts.spawn(async move { (address, dial(address, segments).await) });
                next = waiting.next();
                due = Instant::now() + next.map_or(TCP_TIMEOUT, |next| next.after);
            }
            tokio::select! {
                Some(ended) = attempts.join_next() => match ended {
                    Ok((address, Ok(tcp))) => return Ok((tcp, address)),
                    Ok((address, Err(error))) => {
                        failure = Some(tcp_error(address, &error));
                        // Others are on their way, and this one is none of those that are avoided.
                        if next.is_some_and(|next| next.after <= HAPPY_EYEBALLS_DELAY) {
                            due = Instant::now();
                        }
                    }
                    Err(_) => {}
                },
                () = sleep_until(due), if next.is_some() => {}
            }
            if next.is_none() && attempts.is_empty() {
                return Err(failure.unwrap_or_else(|| lost("no address could be tried")));
            }
        }
    };
    timeout(TCP_TIMEOUT, race)
        .await
        .unwrap_or_else(|_| Err(PublishError::Unanswered { host: host.to_owned() }))
}

async fn dial(address: SocketAddr, segments: Segments) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if segments == Segments::Small {
        // Before it connects: the far end hears of it, and keeps to it too.
        SockRef::from(&socket).set_tcp_mss(SMALL_SEGMENT_BYTES)?;
    }
    socket.connect(address).await
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
    probe: Option<&TcpProbe>,
) -> Result<TlsStream<TcpStream>, PublishError> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(bare.to_owned()).map_err(|_| PublishError::Tls {
        host: host.to_owned(),
        fault: TlsFault::NameImpossible,
    })?;
    let mut connecting = pin!(TlsConnector::from(tls.clone()).connect(name, tcp));
    let Ok(connected) = timeout(TLS_TIMEOUT, connecting.as_mut()).await else {
        // The socket is still there to be asked about.
        return Err(match probe.and_then(TcpProbe::sample) {
            Some(tcp) if hides_large_packets(tcp) => {
                Error::LargePacketsLost { after_ms: TLS_TIMEOUT.as_millis() as u64 }.into()
            }
            _ => PublishError::Timeout { host: host.to_owned(), phase: "the TLS handshake" },
        });
    };
    connected.map_err(|error| tls_error(host, &error))
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
    use crate::publish::tls::Policy;
    use crate::rtmp::ConnectOrder;
    use crate::stream::Compatibility;
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

    fn candidates(addresses: &[SocketAddr]) -> Vec<Candidate> {
        let after = HAPPY_EYEBALLS_DELAY;
        addresses.iter().map(|address| Candidate { address: *address, after }).collect()
    }

    async fn connect_usually(addresses: &[SocketAddr]) -> Result<TcpStream, PublishError> {
        let candidates = candidates(addresses);
        connect_any("host", &candidates, Segments::Usual).await.map(|(tcp, _)| tcp)
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
    async fn a_name_that_a_public_server_gave_is_not_followed_into_a_private_network() {
        let (_listener, inside) = listening();
        let server = ServerUrl::parse(&format!("rtmp://{inside}/live")).unwrap();
        let mut attempt = ConnectAttempt::to(&server, Compatibility::usual(ConnectOrder::Patient));
        let tls = crate::publish::tls::client_config(&Policy::default()).unwrap();
        let mut done = |_| {};
        let usual = Segments::Usual;
        let names = Names::default();
        assert!(connect(&attempt, &names, &tls, usual, candidates, &mut done).await.is_ok());
        attempt.only_public = true;
        let failed = connect(&attempt, &names, &tls, usual, candidates, &mut done).await;
        let error = failed.err().expect("refused").error;
        assert!(error.to_string().contains("private network"), "{error}");
        let public = SocketAddr::from(([8, 8, 8, 8], 443));
        assert_eq!(outside(&server, vec![inside, public]).unwrap(), [public]);
    }

    #[tokio::test]
    async fn an_address_that_does_not_answer_holds_up_the_next_one_for_a_moment_only() {
        let (_silent, _queued, dead) = silent().await;
        let (_listener, alive) = listening();
        let tcp = connect_usually(&[dead, alive]).await.unwrap();
        assert_eq!(tcp.peer_addr().unwrap(), alive);
    }

    #[tokio::test]
    async fn an_address_that_refuses_hands_over_to_the_next_one() {
        let (_listener, alive) = listening();
        let tcp = connect_usually(&[refusing(), refusing(), alive]).await.unwrap();
        assert_eq!(tcp.peer_addr().unwrap(), alive);
    }

    #[tokio::test]
    async fn when_no_address_takes_us_the_reason_names_one() {
        let addresses = [refusing(), refusing()];
        let error = connect_usually(&addresses).await.unwrap_err();
        let PublishError::Refused { address } = error else { panic!("{error}") };
        assert!(addresses.contains(&address));
    }

    #[tokio::test]
    async fn an_address_that_is_avoided_waits_though_another_one_refuses() {
        let (_silent, _queued, far) = silent().await;
        let (_listener, avoided) = listening();
        let mut candidates = candidates(&[far, refusing(), avoided]);
        candidates[2].after = TCP_TIMEOUT * 2;
        let error = connect_any("host", &candidates, Segments::Usual).await.unwrap_err();
        assert!(matches!(error, PublishError::Unanswered { .. }), "{error}");
        let (tcp, _) = connect_any("host", &candidates[1..], Segments::Usual).await.unwrap();
        assert_eq!(tcp.peer_addr().unwrap(), avoided, "at once where all others refuse");
    }

    #[tokio::test]
    async fn small_segments_are_asked_for_before_the_first_packet() {
        let (_listener, alive) = listening();
        let (tcp, _) = connect_any("host", &candidates(&[alive]), Segments::Small).await.unwrap();
        let bytes = SockRef::from(&tcp).tcp_mss().unwrap();
        assert!(bytes <= SMALL_SEGMENT_BYTES, "{bytes}");
        let usual = connect_usually(&[alive]).await.unwrap();
        assert!(SockRef::from(&usual).tcp_mss().unwrap() > SMALL_SEGMENT_BYTES);
    }

    #[tokio::test]
    async fn small_writes_leave_at_once_and_little_hides_in_the_kernel() {
        let (_listener, alive) = listening();
        let tcp = connect_usually(&[alive]).await.unwrap();
        prepare(&tcp);
        assert!(tcp.nodelay().unwrap());
        assert_eq!(SockRef::from(&tcp).tcp_notsent_lowat().unwrap(), TCP_NOTSENT_LOWAT_BYTES);
    }
}
