//! Servers that refuse without a word, or end a stream without a reason: what one such end shows, and
//! that nothing of it ever counts as live.

use std::time::Duration;

use crate::support::Folder;
use crate::support::flv_file::write_flv_file;
use crate::support::scripted::{Scripted, Treatment};
use firstmile::clock::Clock;
use firstmile::ending::{Evidence, Meaning};
use firstmile::limits::UNACKNOWLEDGED_LIVE;
use firstmile::publish::{
    Close, Depth, FlvFile, Progress, PublishError, Target, preflight, publish,
};
use firstmile::rtmp::ConnectOrder;
use firstmile::sim::ingest::session::{Policy, Refuse};

/// What became of a push of some seconds at the speed of a live stream, and when it was accepted after
/// its begin, if it was.
async fn push(target: &Target, kbps: u32) -> (Result<(), PublishError>, Option<Duration>) {
    let folder = Folder::new("wordless");
    let path = folder.path().join("stream.flv");
    write_flv_file(&path, 4, kbps);
    let clock = Clock::start();
    let mut file = FlvFile::open(&path, 1, Some(clock)).unwrap();
    let mut accepted = None;
    let mut report = |progress| {
        if progress == Progress::Accepted {
            accepted = Some(clock.now());
        }
    };
    let never = std::future::pending::<Close>();
    let attempt = publish(clock, target, &mut file, &mut report, never);
    let ended = tokio::time::timeout(Duration::from_secs(20), attempt).await.expect("it ends");
    (ended.map(|_| ()), accepted)
}

// Shows F31.
#[tokio::test]
async fn a_server_that_closes_instead_of_answering_publish_doubts_the_key() {
    for order in [ConnectOrder::Patient, ConnectOrder::Conforming, ConnectOrder::Early] {
        let treatment = Treatment { closes_at_publish: true, ..Treatment::default() };
        let server = Scripted::start(vec![treatment]).await;
        let (ended, accepted) = push(&server.target("live").in_order(order), 1_000).await;
        let error = ended.unwrap_err();
        assert_eq!(error.evidence(), Evidence::ClosedAtPublish, "{order:?}: {error}");
        assert_eq!(error.evidence().once(), Meaning::KeyDoubted);
        assert!(error.sentence().contains("please double-check your stream key"), "{error}");
        assert_eq!(accepted, None);
    }
}

/// At 6 Mbit/s media of the first moments is acknowledged before the server closes.
// Shows F31.
#[tokio::test]
async fn a_server_that_closes_right_after_it_has_accepted_was_never_live() {
    for (acknowledges, kbps) in [(true, 6_000), (true, 300), (false, 6_000), (false, 300)] {
        let policy = Policy { acknowledges, ..Policy::default() };
        let closes_after_start = Some(Duration::from_millis(20));
        let treatment = Treatment { policy, closes_after_start, ..Treatment::default() };
        let server = Scripted::start(vec![treatment]).await;
        let (ended, accepted) = push(&server.target("live"), kbps).await;
        let error = ended.unwrap_err();
        assert_eq!(accepted, None, "acknowledges: {acknowledges}, {kbps} kbit/s");
        assert_eq!(error.evidence(), Evidence::ClosedAtOnce, "{error}");
        assert_eq!(error.evidence().once(), Meaning::KeyDoubted);
    }
}

#[tokio::test]
async fn a_server_that_never_acknowledges_is_live_after_a_second_of_undisturbed_sending() {
    let policy = Policy { acknowledges: false, ..Policy::default() };
    let server = Scripted::start(vec![Treatment { policy, ..Treatment::default() }]).await;
    let (ended, accepted) = push(&server.target("live"), 1_000).await;
    ended.expect("a success");
    let accepted = accepted.expect("it is live in the end");
    assert!(accepted >= UNACKNOWLEDGED_LIVE, "{accepted:?}");
}

#[tokio::test]
async fn a_check_of_the_key_stays_to_see_whether_the_server_keeps_to_what_it_answered() {
    for (treatment, evidence) in [
        (
            Treatment {
                closes_after_start: Some(Duration::from_millis(50)),
                ..Treatment::default()
            },
            Evidence::ClosedAtOnce,
        ),
        (Treatment { closes_at_publish: true, ..Treatment::default() }, Evidence::ClosedAtPublish),
    ] {
        let server = Scripted::start(vec![treatment]).await;
        let look = preflight(Clock::start(), &server.target("live"), Depth::Publish).await;
        let error = look.failure.unwrap_or_else(|| panic!("{evidence:?} is no success"));
        assert_eq!(error.evidence(), evidence, "{error}");
        assert!(error.sentence().contains("stream key"), "{}", error.sentence());
        // Without the key nothing is known of it, and nothing claimed.
        let look = preflight(Clock::start(), &server.target("live"), Depth::Connect).await;
        assert!(look.failure.is_none(), "{look:?}");
    }
}

#[tokio::test]
async fn a_stream_that_the_server_ends_is_over_for_good_on_plain_words_alone() {
    for (description, evidence, meaning) in [
        ("", Evidence::Unpublished, Meaning::EndedByServer),
        ("a-k3y is now unpublished.", Evidence::Unpublished, Meaning::EndedByServer),
        ("taken over by another encoder", Evidence::Kicked, Meaning::Kicked),
    ] {
        let ends_stream_after = Some((20, description.to_owned()));
        let treatment = Treatment { ends_stream_after, ..Treatment::default() };
        let server = Scripted::start(vec![treatment]).await;
        let (ended, _) = push(&server.target("live"), 1_000).await;
        let error = ended.unwrap_err();
        assert_eq!(error.evidence(), evidence, "{error}");
        assert_eq!(error.evidence().once(), meaning);
    }
}

#[tokio::test]
async fn words_of_a_server_are_passed_on_next_to_the_advice() {
    let refuse = Refuse {
        code: "NetStream.Publish.Denied".to_owned(),
        description: "ask the lady at the desk".to_owned(),
    };
    let policy = Policy { refuse_publish: Some(refuse), ..Policy::default() };
    let server = Scripted::start(vec![Treatment { policy, ..Treatment::default() }]).await;
    let (ended, _) = push(&server.target("live"), 1_000).await;
    let sentence = ended.unwrap_err().sentence();
    for words in ["ask the lady at the desk", "please double-check your stream key"] {
        assert!(sentence.contains(words), "{sentence}");
    }
}
