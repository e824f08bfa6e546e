//! A path that drops large packets without a word: the stream gets through, and the reason is given.
//! The kernel's own TCP runs over routers in namespaces.

use crate::support::appliance::Appliance;
use crate::support::namespace::{
    self, Card, Narrow, SERVER_V4, SERVER_V6, listen_at_the_server, make_narrow_path, narrow,
    probe_no_tails,
};
use crate::support::pki::Issued;
use crate::support::product::firstmile_ends;
use crate::support::scripted::{Scripted, Treatment};
use crate::support::tls::Speaks;
use crate::support::{Ended, Folder};
use firstmile::clock::Clock;
use firstmile::publish::tls::Policy as Trust;
use firstmile::publish::{Depth, Target, preflight};
use firstmile::rtmp::url::{Ingest, ServerUrl};
use firstmile::secret::StreamKey;

use super::addresses::{in_background, runtime};
use super::attempts::{push, vector};

/// As many phone networks have it.
const MTU: u32 = 1_400;
/// What such a path says is one line, with these words in it.
const WORDS: &str = "drops large packets (MTU)";

fn server() -> Scripted {
    Scripted::on(listen_at_the_server(), vec![Treatment::default()])
}

/// What does not fill a segment waits until all before it has arrived: nothing comes behind what is lost,
/// where nothing else is sent to probe the path ([`namespace::probe_no_tails`]).
fn holding_tails_back(holds_tails_back: bool) -> Vec<Treatment> {
    vec![Treatment { holds_tails_back, ..Treatment::default() }]
}

/// Published twice: what the first time was in vain is not tried the second time.
async fn pushed_twice(server: &Scripted, target: &Target, which: &str) {
    let before = server.met().len();
    push(target).await.unwrap_or_else(|error| panic!("{which}: {error}"));
    assert_eq!(server.met().len() - before, 2, "{which}: one connection in vain");
    push(target).await.unwrap_or_else(|error| panic!("{which}: {error}"));
    assert_eq!(server.met().len() - before, 3, "{which}: none in vain any more");
}

// Shows F35.
#[test]
fn media_gets_through_a_path_that_drops_large_packets_on_the_way_up() {
    let name = "media_gets_through_a_path_that_drops_large_packets_on_the_way_up";
    if !namespace::enter(module_path!(), name) {
        return;
    }
    make_narrow_path(Narrow::Up, MTU);
    runtime().block_on(async {
        for card in Card::BOTH {
            card.put_in();
            for host in [SERVER_V4.to_owned(), format!("[{SERVER_V6}]")] {
                let server = server();
                let target = server.target_at(&host, "live");
                pushed_twice(&server, &target, &format!("{card:?}, {host}")).await;
            }
        }
    });
}

// Shows F35.
#[test]
fn small_segments_that_helped_are_kept_where_the_far_end_tells_nothing_of_what_arrives() {
    let name =
        "small_segments_that_helped_are_kept_where_the_far_end_tells_nothing_of_what_arrives";
    if !namespace::enter(module_path!(), name) {
        return;
    }
    make_narrow_path(Narrow::Up, MTU);
    namespace::command("ip netns exec server sysctl -qw net.ipv4.tcp_sack=0");
    runtime().block_on(async {
        for card in Card::BOTH {
            card.put_in();
            let server = server();
            let target = server.target_at(SERVER_V4, "live");
            pushed_twice(&server, &target, &format!("{card:?}")).await;
        }
    });
}

/// Looks at a server over a path that drops large packets on the way down, and publishes to it.
async fn through_a_narrow_way_down(holds_tails_back: bool) {
    for card in Card::BOTH {
        card.put_in();
        let looked_at = Scripted::on(listen_at_the_server(), holding_tails_back(holds_tails_back));
        let server = Scripted::on(listen_at_the_server(), holding_tails_back(holds_tails_back));
        let at = |server: &Scripted| server.target_at(SERVER_V4, "live");
        let (look_at, target, which) = (at(&looked_at), at(&server), format!("{card:?}"));
        let (look, ()) = tokio::join!(
            preflight(Clock::start(), &look_at, Depth::Connect),
            pushed_twice(&server, &target, &which),
        );
        assert!(look.failure.is_none(), "{card:?}: {look:?}");
    }
}

#[test]
fn an_answer_gets_through_a_path_that_drops_large_packets_on_the_way_down() {
    let name = "an_answer_gets_through_a_path_that_drops_large_packets_on_the_way_down";
    if !namespace::enter(module_path!(), name) {
        return;
    }
    make_narrow_path(Narrow::Down, MTU);
    runtime().block_on(through_a_narrow_way_down(false));
}

// Shows F35.
#[test]
fn an_answer_gets_through_such_a_path_from_a_server_that_holds_its_tail_back() {
    let name = "an_answer_gets_through_such_a_path_from_a_server_that_holds_its_tail_back";
    if !namespace::enter(module_path!(), name) {
        return;
    }
    make_narrow_path(Narrow::Down, MTU);
    probe_no_tails();
    runtime().block_on(through_a_narrow_way_down(true));
}

// Shows F35.
#[test]
fn a_certificate_gets_through_a_path_that_drops_large_packets_on_the_way_down() {
    let name = "a_certificate_gets_through_a_path_that_drops_large_packets_on_the_way_down";
    if !namespace::enter(module_path!(), name) {
        return;
    }
    make_narrow_path(Narrow::Down, MTU);
    let (root, folder) = (Issued::authority("root"), Folder::new("tls"));
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, root.pem()).unwrap();
    probe_no_tails();
    // Two full segments and more, as of a platform that serves many names.
    let names: Vec<_> = (0..150).map(|n| format!("ingest-{n}.example")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).chain([SERVER_V4]).collect();
    let server = root.server(&names);
    let config = Speaks::with(&server, &[]).config();
    let trust = Trust { ca_file: Some(ca_file), ..Trust::default() };
    runtime().block_on(async {
        for card in Card::BOTH {
            card.put_in();
            let both = [false, true].map(async |holds| {
                let (listener, config) = (listen_at_the_server(), config.clone());
                let server = Scripted::on_tls(listener, holding_tails_back(holds), config);
                let url = format!("rtmps://{SERVER_V4}:{}/live", server.port);
                let (url, key) = (ServerUrl::parse(&url), StreamKey::parse("a-k3y"));
                let ingest = Ingest::from_server_and_key(url.unwrap(), key.unwrap()).unwrap();
                let target = Target::new(ingest, &trust, false).unwrap();
                pushed_twice(&server, &target, &format!("{card:?}, holds back: {holds}")).await;
            });
            let [prompt, holding] = both;
            tokio::join!(prompt, holding);
        }
    });
}

#[test]
fn a_silence_that_has_other_reasons_is_not_blamed_on_large_packets() {
    let name = "a_silence_that_has_other_reasons_is_not_blamed_on_large_packets";
    if !namespace::enter(module_path!(), name) {
        return;
    }
    make_narrow_path(Narrow::Up, 1_500);
    let listener = listen_at_the_server();
    let ended = push_by_program(SERVER_V4, listener.local_addr().unwrap().port());
    assert!(!ended.status.success() && !ended.stderr.contains("MTU"), "{}", ended.stderr);
}

#[test]
fn whoever_pushes_a_file_over_such_a_path_hears_of_it_in_words() {
    if !namespace::enter(
        module_path!(),
        "whoever_pushes_a_file_over_such_a_path_hears_of_it_in_words",
    ) {
        return;
    }
    make_narrow_path(Narrow::Up, MTU);
    for card in Card::BOTH {
        card.put_in();
        let ended = push_by_program(SERVER_V4, in_background(listen_at_the_server()).port).ok();
        assert!(ended.stderr.contains(WORDS), "{card:?}: {}", ended.stderr);
    }
}

#[test]
fn a_path_on_which_the_kernel_repeats_slowly_is_found_narrow_as_well() {
    let name = "a_path_on_which_the_kernel_repeats_slowly_is_found_narrow_as_well";
    if !namespace::enter(module_path!(), name) {
        return;
    }
    make_narrow_path(Narrow::Up, MTU);
    // As after a SYN that was lost, and on a path over a satellite.
    namespace::command("ip route replace default via 10.99.0.2 rto_min 3s");
    let ended = push_by_program(SERVER_V4, in_background(listen_at_the_server()).port).ok();
    assert!(ended.stderr.contains("may drop large packets (MTU)"), "{}", ended.stderr);
}

#[test]
fn a_path_that_becomes_narrow_while_live_costs_a_reconnect() {
    let name = "a_path_that_becomes_narrow_while_live_costs_a_reconnect";
    if !namespace::enter(module_path!(), name) {
        return;
    }
    make_narrow_path(Narrow::Up, 1_500);
    for card in Card::BOTH {
        card.put_in();
        narrow(Narrow::Up, 1_500);
        let server = in_background(listen_at_the_server());
        let appliance = Appliance::start(&[]);
        let settings = format!(
            "version = 1\n[[destination]]\nname = \"main\"\n\
             url = \"rtmp://{SERVER_V4}:{}/live\"\nkey = \"a-k3y\"\nallow_plain = true\n",
            server.port
        );
        appliance.stick(&settings).0.ok();
        appliance.ctl("live").ok();
        appliance.until_status("live");
        narrow(Narrow::Up, MTU);
        appliance.until_status("retrying");
        appliance.until_status("live");
        assert_eq!(server.met().len(), 2, "{card:?}: the next connection gets through");
        let log = appliance.log();
        assert!(log.contains("may drop large packets (MTU)"), "{card:?}: {log}");
    }
}

/// What the program says when it publishes a file to this address.
fn push_by_program(host: &str, port: u16) -> Ended {
    let folder = Folder::new("push");
    std::fs::write(folder.path().join("key"), "a-k3y").unwrap();
    let file = vector();
    let url = format!("rtmp://{host}:{port}/live");
    let line = format!("push {} --url {url} --key-file key --allow-plain", file.display());
    firstmile_ends(folder.path(), &line)
}
