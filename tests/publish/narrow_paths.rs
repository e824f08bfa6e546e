//! A path that drops large packets without a word: the stream gets through, and the reason is given.
//! The kernel's own TCP runs over routers in namespaces.

use crate::support::appliance::Appliance;
use crate::support::namespace::{
    self, Narrow, SERVER_V4, SERVER_V6, listen_at_the_server, make_narrow_path, narrow,
};
use crate::support::product::firstmile_ends;
use crate::support::scripted::{Scripted, Treatment};
use crate::support::{Ended, Folder};
use firstmile::clock::Clock;
use firstmile::publish::{Depth, preflight};

use super::addresses::{in_background, runtime};
use super::attempts::{push, vector};

/// As many phone networks have it.
const MTU: u32 = 1_400;
/// What such a path says is one line, with these words in it.
const WORDS: &str = "drops large packets (MTU)";

fn server() -> Scripted {
    Scripted::on(listen_at_the_server(), vec![Treatment::default()])
}

#[test]
fn media_gets_through_a_path_that_drops_large_packets_on_the_way_up() {
    let name = "media_gets_through_a_path_that_drops_large_packets_on_the_way_up";
    if !namespace::enter(module_path!(), name) {
        return;
    }
    make_narrow_path(Narrow::Up, MTU);
    runtime().block_on(async {
        for host in [SERVER_V4.to_owned(), format!("[{SERVER_V6}]")] {
            let server = server();
            let target = server.target_at(&host, "live");
            push(&target).await.unwrap();
            assert_eq!(server.met().len(), 2, "{host}: one connection in vain");
            push(&target).await.unwrap();
            assert_eq!(server.met().len(), 3, "{host}: none in vain any more");
        }
    });
}

#[test]
fn an_answer_gets_through_a_path_that_drops_large_packets_on_the_way_down() {
    let name = "an_answer_gets_through_a_path_that_drops_large_packets_on_the_way_down";
    if !namespace::enter(module_path!(), name) {
        return;
    }
    make_narrow_path(Narrow::Down, MTU);
    runtime().block_on(async {
        let server = server();
        let target = server.target_at(SERVER_V4, "live");
        let look = preflight(Clock::start(), &target, Depth::Connect).await;
        assert!(look.failure.is_none(), "{look:?}");
        push(&target).await.unwrap();
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
    let ended = push_by_program(SERVER_V4, in_background(listen_at_the_server()).port).ok();
    assert!(ended.stderr.contains(WORDS), "{}", ended.stderr);
}

#[test]
fn a_path_that_becomes_narrow_while_live_costs_a_reconnect() {
    let name = "a_path_that_becomes_narrow_while_live_costs_a_reconnect";
    if !namespace::enter(module_path!(), name) {
        return;
    }
    make_narrow_path(Narrow::Up, 1_500);
    let server = in_background(listen_at_the_server());
    let appliance = Appliance::start(&[]);
    let settings = format!(
        "version = 1\n[[destination]]\nname = \"main\"\nurl = \"rtmp://{SERVER_V4}:{}/live\"\n\
         key = \"a-k3y\"\nallow_plain = true\n",
        server.port
    );
    appliance.stick(&settings).0.ok();
    appliance.ctl("live").ok();
    appliance.until_status("live");
    narrow(Narrow::Up, MTU);
    appliance.until_status("retrying");
    appliance.until_status("live");
    assert_eq!(server.met().len(), 2, "the next connection is one that gets through");
    assert!(appliance.log().contains("may drop large packets (MTU)"), "{}", appliance.log());
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
