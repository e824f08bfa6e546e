//! Name servers that are silent, fail, or know no such name, asked by the system's own resolver.

use std::net::{IpAddr, Ipv6Addr, UdpSocket};
use std::thread;
use std::time::Duration;

use crate::support::namespace::{self, NameServers};
use crate::support::scripted::{Scripted, Treatment};

use super::addresses::runtime;
use super::attempts::push;

const NAME: &str = "ingest.example";
/// Record types (RFC 1035 section 3.2.2, RFC 3596 section 2.1).
const A: u16 = 1;
const AAAA: u16 = 28;
/// Response codes (RFC 1035 section 4.1.1).
const SERVER_FAILURE: u8 = 2;
const NAME_ERROR: u8 = 3;
const HEADER_BYTES: usize = 12;
/// As far as a name server of a phone network is away.
const AWAY: Duration = Duration::from_millis(300);

/// What a name server does with a question.
#[derive(Debug, Clone)]
enum Does {
    Nothing,
    Address(IpAddr),
    Fails(u8),
}

fn address(text: &str) -> Does {
    Does::Address(text.parse().expect("an address"))
}

/// A name server at this address, which does this with questions for IPv4 and IPv6.
fn name_server(at: &str, v4: Does, v6: Does) {
    let socket = UdpSocket::bind((at, 53)).expect("its own network");
    thread::spawn(move || {
        let mut question = [0; 512];
        loop {
            let (length, from) = socket.recv_from(&mut question).expect("a question");
            let question = &question[..length];
            let end = end_of_question(question);
            let kind = u16::from_be_bytes([question[end - 4], question[end - 3]]);
            let does = if kind == AAAA { &v6 } else { &v4 };
            if let Some(answer) = answer(&question[..end], kind, does) {
                thread::sleep(AWAY);
                socket.send_to(&answer, from).expect("it is there");
            }
        }
    });
}

/// Behind the name, its type and its class.
fn end_of_question(question: &[u8]) -> usize {
    let mut at = HEADER_BYTES;
    while question[at] != 0 {
        at += 1 + usize::from(question[at]);
    }
    at + 5
}

fn answer(question: &[u8], kind: u16, does: &Does) -> Option<Vec<u8>> {
    let (code, record) = match does {
        Does::Nothing => return None,
        Does::Fails(code) => (*code, Vec::new()),
        Does::Address(IpAddr::V4(v4)) if kind == A => (0, v4.octets().to_vec()),
        Does::Address(IpAddr::V6(v6)) if kind == AAAA => (0, v6.octets().to_vec()),
        Does::Address(_) => (0, Vec::new()),
    };
    let records = u8::from(!record.is_empty());
    let mut answer = question.to_vec();
    answer[2..HEADER_BYTES].copy_from_slice(&[0x81, 0x80 | code, 0, 1, 0, records, 0, 0, 0, 0]);
    if records > 0 {
        answer.extend([0xc0, HEADER_BYTES as u8]);
        answer.extend(kind.to_be_bytes());
        answer.extend([0, 1, 0, 0, 0, 60, 0, record.len() as u8]);
        answer.extend(record);
    }
    Some(answer)
}

/// A server at all addresses of this machine.
async fn server() -> Scripted {
    Scripted::start_at(Ipv6Addr::UNSPECIFIED.into(), vec![Treatment::default()]).await
}

#[test]
fn a_name_server_that_never_answers_for_one_family_does_not_hold_the_other_up() {
    let name = "a_name_server_that_never_answers_for_one_family_does_not_hold_the_other_up";
    if !namespace::enter(module_path!(), name) {
        return;
    }
    let servers = NameServers::new();
    for (n, (v4, v6)) in [(address("127.0.0.9"), Does::Nothing), (Does::Nothing, address("::1"))]
        .into_iter()
        .enumerate()
    {
        let at = format!("127.0.3.{n}");
        name_server(&at, v4, v6);
        servers.are(&[&at]);
        runtime().block_on(async {
            push(&server().await.target_at(NAME, "live")).await.unwrap();
        });
    }
}

#[test]
fn a_silent_first_name_server_costs_one_attempt_and_the_next_one_hears_the_second() {
    let name = "a_silent_first_name_server_costs_one_attempt_and_the_next_one_hears_the_second";
    if !namespace::enter(module_path!(), name) {
        return;
    }
    name_server("127.0.3.1", Does::Nothing, Does::Nothing);
    name_server("127.0.3.2", address("127.0.0.9"), Does::Fails(0));
    let servers = NameServers::new();
    servers.are(&["127.0.3.1", "127.0.3.2"]);
    runtime().block_on(async {
        let target = server().await.target_at(NAME, "live");
        let error = push(&target).await.unwrap_err().to_string();
        assert!(error.contains("name service (DNS) does not answer"), "{error}");
        push(&target).await.unwrap();
    });
}

#[test]
fn a_name_that_does_not_exist_is_not_taken_for_a_name_service_that_fails() {
    let name = "a_name_that_does_not_exist_is_not_taken_for_a_name_service_that_fails";
    if !namespace::enter(module_path!(), name) {
        return;
    }
    let servers = NameServers::new();
    let nobody = "name service (DNS) does not say where ingest.example is";
    for (n, (v4, v6, words)) in [
        (NAME_ERROR, NAME_ERROR, "the name ingest.example was not found"),
        (0, 0, "the name ingest.example was not found"),
        (SERVER_FAILURE, SERVER_FAILURE, nobody),
        (SERVER_FAILURE, NAME_ERROR, nobody),
    ]
    .into_iter()
    .enumerate()
    {
        let at = format!("127.0.3.{n}");
        name_server(&at, Does::Fails(v4), Does::Fails(v6));
        servers.are(&[&at]);
        runtime().block_on(async {
            let target = server().await.target_at(NAME, "live");
            let error = push(&target).await.unwrap_err().to_string();
            assert!(error.contains(words), "{v4} {v6}: {error}");
        });
    }
}
