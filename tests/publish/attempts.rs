//! One attempt gets through where a server sends it elsewhere or does not like how it asks.

use std::path::PathBuf;
use std::time::Duration;

use crate::support::scripted::{Scripted, Treatment};
use bytes::Bytes;
use firstmile::clock::Clock;
use firstmile::flv::TagKind;
use firstmile::publish::{
    Close, ConnectionStats, Depth, FlvFile, PublishError, Target, preflight, publish,
};
use firstmile::rtmp::ConnectOrder;
use firstmile::sim::ingest::session::{Policy, Refuse};
use firstmile::stream::{Next, Source};
use md5::{Digest, Md5};

pub fn vector() -> PathBuf {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors");
    let flv = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    flv.into_iter().find(|path| path.extension().is_some_and(|e| e == "flv")).expect("an FLV file")
}

pub async fn push(target: &Target) -> Result<ConnectionStats, PublishError> {
    let clock = Clock::start();
    let mut file = FlvFile::open(&vector(), 1, None).unwrap();
    let never = std::future::pending::<Close>();
    let mut unheard = |_| {};
    let attempt = publish(clock, target, &mut file, &mut unheard, never);
    tokio::time::timeout(Duration::from_secs(20), attempt).await.expect("it ends")
}

fn redirecting_to(place: String) -> Treatment {
    let policy = Policy { redirect_to: Some(place), ..Policy::default() };
    Treatment { policy, ..Treatment::default() }
}

#[tokio::test]
async fn a_redirect_is_followed_and_everything_is_sent_from_the_beginning() {
    let end = Scripted::start(vec![Treatment::default()]).await;
    let place = format!("rtmp://127.0.0.1:{}/live", end.port);
    let begin = Scripted::start(vec![redirecting_to(place)]).await;
    push(&begin.target("live")).await.unwrap();
    end.until(|met| met.first().is_some_and(|met| met.unpublished)).await;
    let (begin, end) = (begin.met(), end.met());
    assert!(!begin[0].publishing);
    assert_eq!(end[0].first_video_was_config, Some(true));
    assert!(end[0].video > 1 && end[0].audio > 1, "{end:?}");
}

#[tokio::test]
async fn servers_that_redirect_in_a_circle_are_given_up() {
    let server = Scripted::start(vec![redirecting_to("/live".to_owned())]).await;
    let error = push(&server.target("live")).await.unwrap_err();
    assert!(error.to_string().contains("refused"), "{error}");
    assert!(server.met().len() <= 5, "{:?}", server.met());
}

#[tokio::test]
async fn a_server_that_breaks_on_commands_sent_ahead_is_asked_patiently_from_then_on() {
    let server =
        Scripted::start(vec![Treatment { hates_pipelining: true, ..Treatment::default() }]).await;
    let target = server.target("live");
    push(&target).await.unwrap();
    assert_eq!(server.met().len(), 2, "one connection in vain");
    push(&target).await.unwrap();
    assert_eq!(server.met().len(), 3, "none in vain any more");
}

#[tokio::test]
async fn a_server_that_breaks_on_enhanced_rtmp_in_connect_is_spared_it_from_then_on() {
    for order in [ConnectOrder::Patient, ConnectOrder::Conforming, ConnectOrder::Early] {
        let treatment = Treatment { hates_enhancements: true, ..Treatment::default() };
        let server = Scripted::start(vec![treatment]).await;
        let target = server.target("live").in_order(order);
        push(&target).await.unwrap();
        assert_eq!(server.met().len(), 2, "{order:?}: one connection in vain");
        push(&target).await.unwrap();
        assert_eq!(server.met().len(), 3, "{order:?}: none in vain any more");
        let look = preflight(Clock::start(), &server.target("live"), Depth::Connect).await;
        assert!(look.failure.is_none(), "{look:?}");
    }
}

#[tokio::test]
async fn another_stream_id_than_the_expected_one_costs_no_message() {
    let policy = Policy { stream_id: 7, ..Policy::default() };
    let odd = Scripted::start(vec![Treatment { policy, ..Treatment::default() }]).await;
    let usual = Scripted::start(vec![Treatment::default()]).await;
    push(&odd.target("live")).await.unwrap();
    push(&usual.target("live")).await.unwrap();
    for server in [&odd, &usual] {
        server.until(|met| met[0].unpublished).await;
    }
    let (odd, usual) = (odd.met(), usual.met());
    assert_eq!((odd[0].video, odd[0].audio), (usual[0].video, usual[0].audio));
}

#[tokio::test]
async fn a_server_that_takes_publish_on_any_stream_and_only_once_is_asked_patiently_from_then_on() {
    for order in [ConnectOrder::Conforming, ConnectOrder::Early] {
        let policy = Policy { stream_id: 2, takes_any_stream: true, ..Policy::default() };
        let server = Scripted::start(vec![Treatment { policy, ..Treatment::default() }]).await;
        let target = server.target("live").in_order(order);
        push(&target).await.unwrap();
        assert_eq!(server.met().len(), 2, "{order:?}: one connection in vain");
        assert!(server.met()[1].video > 1, "{order:?}: {:?}", server.met());
        push(&target).await.unwrap();
        assert_eq!(server.met().len(), 3, "{order:?}: none in vain any more");
    }
}

#[tokio::test]
async fn a_server_that_gives_another_stream_id_is_asked_patiently_from_then_on() {
    let policy = Policy { stream_id: 7, ..Policy::default() };
    let server = Scripted::start(vec![Treatment { policy, ..Treatment::default() }]).await;
    let target = server.target("live");
    push(&target).await.unwrap();
    push(&target).await.unwrap();
    assert_eq!(server.met().len(), 2);
    let commands: Vec<usize> = server.met().iter().map(|met| met.publish_commands).collect();
    assert_eq!(commands, [2, 1], "on the guessed id and on the given one, and then on that alone");
}

#[tokio::test]
async fn a_server_that_refuses_in_words_once_it_is_asked_patiently_is_asked_so_from_then_on() {
    let refuse = Refuse {
        code: "NetStream.Publish.Denied".to_owned(),
        description: "no such stream key".to_owned(),
    };
    let policy = Policy { refuse_publish: Some(refuse), ..Policy::default() };
    let treatment = Treatment { policy, hates_pipelining: true, ..Treatment::default() };
    let server = Scripted::start(vec![treatment]).await;
    let target = server.target("live");
    for met in [2, 3] {
        let error = push(&target).await.unwrap_err();
        assert!(error.to_string().contains("no such stream key"), "{error}");
        assert_eq!(server.met().len(), met);
    }
}

#[tokio::test]
async fn what_a_server_wrote_survives_another_try_and_a_redirect_to_where_nobody_is() {
    let refuse = Refuse {
        code: "NetStream.Publish.Failed".to_owned(),
        description: "quota used up".to_owned(),
    };
    let policy = Policy { refuse_publish: Some(refuse), ..Policy::default() };
    let refusing = Treatment { policy, ..Treatment::default() };
    // It answers the first time and is gone at the second.
    let silent = Treatment { hates_enhancements: true, hangs_up: true, ..Treatment::default() };
    let server = Scripted::start(vec![refusing, silent]).await;
    let error = push(&server.target("live")).await.unwrap_err().to_string();
    assert!(error.contains("quota used up"), "{error}");

    let nowhere = format!("rtmp://127.0.0.1:{}/live", crate::support::free_port());
    let server = Scripted::start(vec![redirecting_to(nowhere)]).await;
    let error = push(&server.target("live")).await.unwrap_err();
    assert!(error.to_string().contains("refuses connections"), "{error}");
    assert!(error.to_string().contains("Connect.Rejected"), "{error}");
    assert!(error.to_string().contains(&format!("127.0.0.1:{}", server.port)), "{error}");
}

// Shows F37.
#[tokio::test]
async fn no_server_learns_a_key_that_the_owner_gave_for_another_one() {
    // The same loopback under another name: another host than was set.
    let other = Scripted::start(vec![Treatment::default()]).await;
    let place = format!("rtmp://localhost:{}/live", other.port);
    let server = Scripted::start(vec![redirecting_to(place.clone())]).await;
    let error = push(&server.target("live")).await.unwrap_err().to_string();
    assert!(error.contains("another host") && error.contains(&place), "{error}");
    let look = preflight(Clock::start(), &server.target("live"), Depth::Connect).await;
    assert!(look.failure.expect("a failure").to_string().contains("another host"));
    assert!(other.met().is_empty(), "{:?}", other.met());
    // Unless the owner has named it.
    let consenting = server.target("live").may_be_sent_to("localhost".parse().unwrap());
    push(&consenting).await.unwrap();
    assert!(other.met()[0].publishing);
}

#[tokio::test]
async fn a_refused_key_is_not_tried_again_in_the_same_attempt() {
    let refuse = Refuse {
        code: "NetStream.Publish.Denied".to_owned(),
        description: "no such stream key".to_owned(),
    };
    let policy = Policy { refuse_publish: Some(refuse), ..Policy::default() };
    let server = Scripted::start(vec![Treatment { policy, ..Treatment::default() }]).await;
    push(&server.target("live")).await.unwrap_err();
    assert_eq!(server.met().len(), 1);
}

#[tokio::test]
async fn a_look_sends_no_key_unless_it_is_asked_to() {
    let server = Scripted::start(vec![Treatment::default()]).await;
    let look = preflight(Clock::start(), &server.target("live"), Depth::Connect).await;
    assert!(look.failure.is_none(), "{look:?}");
    let names: Vec<_> = look.phases.iter().map(|phase| phase.name).collect();
    assert_eq!(names, ["name", "TCP", "RTMP handshake", "connect"]);
    server.until(|met| met[0].closed).await;
    assert!(!server.met()[0].publishing);

    let look = preflight(Clock::start(), &server.target("live"), Depth::Publish).await;
    assert!(look.failure.is_none(), "{look:?}");
    server.until(|met| met[1].unpublished).await;
    assert_eq!((server.met()[1].video, server.met()[1].audio), (0, 0));
}

#[tokio::test]
async fn a_look_names_the_refusal() {
    let refuse = Refuse {
        code: "NetStream.Publish.Denied".to_owned(),
        description: "no such stream key".to_owned(),
    };
    let policy = Policy { refuse_publish: Some(refuse), ..Policy::default() };
    let server = Scripted::start(vec![Treatment { policy, ..Treatment::default() }]).await;
    let look = preflight(Clock::start(), &server.target("live"), Depth::Publish).await;
    let failure = look.failure.expect("a failure").to_string();
    assert!(failure.contains("no such stream key"), "{failure}");
}

/// The answer to `fields` of a server that asks in the way of Limelight, by its own book.
fn llnw_response(fields: &str) -> String {
    let field = |name: &str| {
        let found = fields.split('&').find_map(|field| field.strip_prefix(name));
        found.unwrap_or_else(|| panic!("no {name} in {fields}"))
    };
    let md5 =
        |text: String| Md5::digest(text).iter().map(|b| format!("{b:02x}")).collect::<String>();
    let secret = md5("anna:live:secret".to_owned());
    let resource = md5("publish:/live/_definst_".to_owned());
    let (nonce, ours, count) = (field("nonce="), field("cnonce="), field("nc="));
    md5(format!("{secret}:{nonce}:{count}:{ours}:auth:{resource}"))
}

#[tokio::test]
async fn a_server_that_asks_for_user_and_password_is_answered_in_its_own_way() {
    for (authmod, nonces) in
        [("adobe", "salt=SnPy0w==&challenge=c4a11e00&opaque=rzsD7A=="), ("llnw", "nonce=5f3c2b1a")]
    {
        let asking = |words: &str| {
            let description = format!("[ AccessManager.Reject ] : [ {words}authmod={authmod} ] : ");
            let query =
                if words.is_empty() { format!("?reason=needauth&{nonces}") } else { String::new() };
            let refuse = Refuse {
                code: "NetConnection.Connect.Rejected".to_owned(),
                description: description + &query,
            };
            let policy = Policy { refuse_connect: Some(refuse), ..Policy::default() };
            Treatment { policy, ..Treatment::default() }
        };
        let treatments = vec![asking("code=403 need auth; "), asking(""), Treatment::default()];
        let server = Scripted::start(treatments).await;
        push(&server.target_as("anna:secret@", "live")).await.unwrap();
        let met = server.met();
        assert_eq!(met.len(), 3, "{authmod}: asked who, asked to prove it, accepted");
        let sent = met[2].app.strip_prefix(&format!("live?authmod={authmod}&user=anna&"));
        let sent = sent.unwrap_or_else(|| panic!("{}", met[2].app));
        match authmod {
            "llnw" => assert!(sent.ends_with(&format!("&response={}", llnw_response(sent)))),
            _ => assert!(sent.contains("&response=") && sent.ends_with("&opaque=rzsD7A==")),
        }
    }
}

/// Small pieces of video that never end, one in every other answer, so that there is always
/// something to write and room for it.
struct Trickle(u64);

impl Source for Trickle {
    fn restart(&mut self) {}

    fn next(&mut self, _now: Duration) -> Result<Next, String> {
        self.0 += 1;
        if self.0.is_multiple_of(2) {
            return Ok(Next::NothingYet);
        }
        let body = Bytes::from_static(&[0x17; 505]);
        Ok(Next::Tag { time_ms: self.0, kind: TagKind::Video, body })
    }

    async fn ready(&mut self) {}
}

/// The server needs a thread of its own to close between a look for input and a write.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_reason_is_reported_although_the_connection_broke_while_media_was_written() {
    let refuse = Refuse {
        code: "NetStream.Publish.BadName".to_owned(),
        description: "already publishing".to_owned(),
    };
    let policy = Policy { refuse_publish: Some(refuse), ..Policy::default() };
    let server = Scripted::start(vec![Treatment { policy, ..Treatment::default() }]).await;
    for _ in 0..20 {
        let never = std::future::pending::<Close>();
        let (target, mut trickle) = (server.target("live"), Trickle(0));
        let mut unheard = |_| {};
        let error =
            publish(Clock::start(), &target, &mut trickle, &mut unheard, never).await.unwrap_err();
        assert!(error.to_string().contains("already publishing"), "{error}");
    }
}
