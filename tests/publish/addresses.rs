//! A name with several addresses, of which only one serves: it is found, whatever the others do behind
//! a completed TCP connect, and remembered.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::support::Folder;
use crate::support::appliance::Appliance;
use crate::support::namespace::{self, Hosts};
use crate::support::pki::Issued;
use crate::support::scripted::{Scripted, Treatment};
use crate::support::tls::{RTMP_HELLO_BYTES, Speaks, serve};
use firstmile::clock::Clock;
use firstmile::publish::tls::Policy as Trust;
use firstmile::publish::{Depth, Target, preflight, publish};
use firstmile::rtmp::url::{Ingest, ServerUrl};
use firstmile::secret::StreamKey;
use firstmile::stream::{Next, Source};

use super::attempts::push;

const NAME: &str = "ingest.example";
const GOOD: &str = "127.0.0.9";

/// What an address does that serves nobody.
#[derive(Debug, Clone, Copy)]
enum Dead {
    /// It takes the connection, and nothing more happens.
    Silent,
    /// It takes the connection and closes it.
    HangsUp,
    /// It is a web server.
    SpeaksHttp,
}

/// An address that serves nobody, at this port; it counts who came.
struct DeadAddress(Arc<AtomicUsize>);

impl DeadAddress {
    fn at(address: &str, port: u16, dead: Dead) -> DeadAddress {
        let address: IpAddr = address.parse().expect("an address");
        let listener = TcpListener::bind(SocketAddr::new(address, port)).expect("its own network");
        let came = Arc::new(AtomicUsize::new(0));
        let count = came.clone();
        thread::spawn(move || {
            let mut kept = Vec::new();
            for socket in listener.incoming() {
                let mut socket = socket.expect("a connection");
                count.fetch_add(1, Ordering::Relaxed);
                match dead {
                    Dead::Silent => kept.push(socket),
                    Dead::HangsUp => drop(socket),
                    Dead::SpeaksHttp => {
                        let _ = socket.read(&mut [0; 4_096]);
                        let answer = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
                        let _ = socket.write_all(answer);
                    }
                }
            }
        });
        DeadAddress(came)
    }

    fn came(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// A source that never comes so far as to be sent.
pub struct Nothing;

impl Source for Nothing {
    fn restart(&mut self) {}
    fn next(&mut self, _now: Duration) -> Result<Next, String> {
        Ok(Next::NothingYet)
    }
    async fn ready(&mut self) {
        std::future::pending().await
    }
}

async fn good() -> Scripted {
    let address = GOOD.parse().expect("an address");
    Scripted::start_at(address, vec![Treatment::default()]).await
}

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

// Shows F34.
#[test]
fn an_address_that_hangs_up_or_speaks_no_rtmp_is_left_for_the_next_one_and_remembered() {
    let name = "an_address_that_hangs_up_or_speaks_no_rtmp_is_left_for_the_next_one_and_remembered";
    if !namespace::enter(module_path!(), name) {
        return;
    }
    let hosts = Hosts::new();
    runtime().block_on(async {
        for (n, dead) in [Dead::HangsUp, Dead::SpeaksHttp].into_iter().enumerate() {
            for bad in [format!("127.0.1.{n}"), format!("2001:db8::{n}")] {
                // Without looking for others that have it (RFC 4862), which takes a moment.
                namespace::command(&format!("ip addr replace {bad} dev lo nodad"));
                let server = good().await;
                let first = DeadAddress::at(&bad, server.port, dead);
                hosts.name(NAME, &[&bad, GOOD]);
                let target = server.target_at(NAME, "live");
                push(&target).await.unwrap();
                assert_eq!(first.came(), 1, "{dead:?} at {bad} was tried first");
                // A resolver that gives another order each time.
                for order in [[&bad, GOOD], [GOOD, &bad], [&bad, GOOD]] {
                    hosts.name(NAME, &order);
                    push(&target).await.unwrap();
                }
                assert_eq!(first.came(), 1, "{dead:?} at {bad} is remembered");
                assert_eq!(server.met().len(), 4);
            }
        }
    });
}

// Shows F34.
#[test]
fn a_front_end_that_is_silent_is_left_for_the_next_address_in_the_same_attempt() {
    let name = "a_front_end_that_is_silent_is_left_for_the_next_address_in_the_same_attempt";
    if !namespace::enter(module_path!(), name) {
        return;
    }
    let hosts = Hosts::new();
    runtime().block_on(async {
        let server = good().await;
        let silent = DeadAddress::at("127.0.0.7", server.port, Dead::Silent);
        hosts.name(NAME, &["127.0.0.7", GOOD]);
        let target = server.target_at(NAME, "live");
        let look = preflight(Clock::start(), &target, Depth::Connect).await;
        assert!(look.failure.is_none(), "{look:?}");
        push(&target).await.unwrap();
        assert_eq!(silent.came(), 1);
    });
}

#[test]
fn when_all_addresses_fail_the_error_tells_of_what_was_behind_a_connect() {
    let name = "when_all_addresses_fail_the_error_tells_of_what_was_behind_a_connect";
    if !namespace::enter(module_path!(), name) {
        return;
    }
    let hosts = Hosts::new();
    runtime().block_on(async {
        let server = good().await;
        let _web = DeadAddress::at("127.0.0.7", server.port, Dead::SpeaksHttp);
        hosts.name(NAME, &["127.0.0.7", "127.0.0.8"]);
        let error = push(&server.target_at(NAME, "live")).await.unwrap_err();
        assert!(error.to_string().contains("broke the protocol"), "not that one refuses: {error}");
    });
}

// Shows F34.
#[test]
fn an_address_that_fails_in_tls_is_left_for_the_next_one_before_rtmp_is_spoken() {
    let name = "an_address_that_fails_in_tls_is_left_for_the_next_one_before_rtmp_is_spoken";
    if !namespace::enter(module_path!(), name) {
        return;
    }
    let hosts = Hosts::new();
    let (root, folder) = (Issued::authority("root"), Folder::new("tls"));
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, root.pem()).unwrap();
    let config = Speaks::with(&root.server(&[NAME]), &[]).config();
    for (n, dead) in [Dead::HangsUp, Dead::SpeaksHttp, Dead::Silent].into_iter().enumerate() {
        let listener = TcpListener::bind((GOOD, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let bad = format!("127.0.2.{n}");
        let first = DeadAddress::at(&bad, port, dead);
        hosts.name(NAME, &[&bad, GOOD]);
        let url = ServerUrl::parse(&format!("rtmps://{NAME}:{port}/live")).unwrap();
        let ingest = Ingest::from_server_and_key(url, StreamKey::parse("a-k3y").unwrap()).unwrap();
        let trust = Trust { ca_file: Some(ca_file.clone()), ..Trust::default() };
        let target = Target::new(ingest, &trust, false).unwrap();
        let seen = thread::scope(|scope| {
            let server = scope.spawn(|| serve(&listener, &config));
            let never = std::future::pending();
            let clock = Clock::start();
            let (mut nothing, mut unheard) = (Nothing, |_| {});
            let attempt = publish(clock, &target, &mut nothing, &mut unheard, never);
            runtime().block_on(attempt).expect_err("this server only listens");
            server.join().unwrap()
        });
        assert_eq!(seen.application.len(), RTMP_HELLO_BYTES, "{dead:?}");
        assert_eq!(first.came(), 1, "{dead:?}");
    }
}

// Shows F34.
#[test]
fn a_box_remembers_silent_addresses_while_it_takes_turns_with_a_backup_server() {
    let name = "a_box_remembers_silent_addresses_while_it_takes_turns_with_a_backup_server";
    if !namespace::enter(module_path!(), name) {
        return;
    }
    let hosts = Hosts::new();
    let listener = TcpListener::bind((GOOD, 0)).unwrap();
    let server = in_background(listener);
    // One attempt bears a whole silence, and its second one ends it.
    let silent = ["127.0.0.6", "127.0.0.7"];
    let silent = silent.map(|address| DeadAddress::at(address, server.port, Dead::Silent));
    hosts.name(NAME, &["127.0.0.6", "127.0.0.7", GOOD]);
    let appliance = Appliance::start(&[]);
    let settings = format!(
        "version = 1\n[[destination]]\nname = \"main\"\nurl = \"rtmp://{NAME}:{}/live\"\n\
         backup_url = \"rtmp://127.0.0.9:1/live\"\nkey = \"a-k3y\"\nallow_plain = true\n",
        server.port
    );
    appliance.stick(&settings).0.ok();
    appliance.ctl("live").ok();
    appliance.until_status("live");
    assert_eq!(silent.map(|address| address.came()), [1, 1], "neither is asked twice");
}

#[test]
fn what_was_learned_of_addresses_outlives_a_new_key_and_ends_with_a_new_address() {
    let name = "what_was_learned_of_addresses_outlives_a_new_key_and_ends_with_a_new_address";
    if !namespace::enter(module_path!(), name) {
        return;
    }
    let hosts = Hosts::new();
    runtime().block_on(async {
        let server = good().await;
        let first = DeadAddress::at("127.0.0.7", server.port, Dead::HangsUp);
        hosts.name(&format!("{NAME} other.example"), &["127.0.0.7", GOOD]);
        let before = server.target_at(NAME, "live");
        push(&before).await.unwrap();
        let after = server.target_at(NAME, "another-app").knowing([&before]);
        push(&after).await.unwrap();
        assert_eq!(first.came(), 1, "the same server");
        push(&server.target_at("other.example", "live").knowing([&after])).await.unwrap();
        assert_eq!(first.came(), 2, "another server");
    });
}

#[test]
fn a_box_that_gets_a_new_key_keeps_away_from_dead_addresses() {
    let name = "a_box_that_gets_a_new_key_keeps_away_from_dead_addresses";
    if !namespace::enter(module_path!(), name) {
        return;
    }
    let hosts = Hosts::new();
    let server = in_background(TcpListener::bind((GOOD, 0)).unwrap());
    let first = DeadAddress::at("127.0.0.7", server.port, Dead::HangsUp);
    hosts.name(NAME, &["127.0.0.7", GOOD]);
    let appliance = Appliance::start(&[]);
    let publishes = |connections: usize| {
        let met = server.met();
        met.len() == connections && met[connections - 1].publishing
    };
    for (n, key) in ["a-k3y", "an0ther-k3y"].into_iter().enumerate() {
        let settings = format!(
            "version = 1\n[[destination]]\nname = \"main\"\nurl = \"rtmp://{NAME}:{}/live\"\n\
             key = \"{key}\"\nallow_plain = true\n",
            server.port
        );
        appliance.stick(&settings).0.ok();
        appliance.ctl("live").ok();
        appliance.until_status_shows("the next connection", |_| publishes(n + 1));
        appliance.until_status("live");
    }
    assert_eq!(first.came(), 1, "it was tried once");
}

#[test]
fn a_destination_that_was_disabled_keeps_away_from_dead_addresses_when_it_is_enabled_again() {
    let name =
        "a_destination_that_was_disabled_keeps_away_from_dead_addresses_when_it_is_enabled_again";
    if !namespace::enter(module_path!(), name) {
        return;
    }
    let hosts = Hosts::new();
    let server = in_background(TcpListener::bind((GOOD, 0)).unwrap());
    let first = DeadAddress::at("127.0.0.7", server.port, Dead::HangsUp);
    hosts.name(NAME, &["127.0.0.7", GOOD]);
    let appliance = Appliance::start(&[]);
    let settings = format!(
        "version = 1\n[[destination]]\nname = \"main\"\nurl = \"rtmp://{NAME}:{}/live\"\n\
         key = \"a-k3y\"\nallow_plain = true\n",
        server.port
    );
    appliance.stick(&settings).0.ok();
    for connections in 1..=2 {
        appliance.ctl("live").ok();
        appliance.until_status("live");
        assert_eq!(server.met().len(), connections);
        appliance.ctl("stop").ok();
        appliance.until_status("ready");
        appliance.ctl("set destination.main.enabled false").ok();
        appliance.ctl("set destination.main.enabled true").ok();
    }
    assert_eq!(first.came(), 1, "it was tried once");
}

/// A server that runs while the test waits for something else.
pub fn in_background(listener: TcpListener) -> Scripted {
    let (started, server) = mpsc::channel();
    thread::spawn(move || {
        runtime().block_on(async {
            let server = Scripted::on(listener, vec![Treatment::default()]);
            started.send(server).expect("is waited for");
            std::future::pending::<()>().await;
        });
    });
    server.recv().expect("a server")
}
