//! What `FIRSTMILE_LOG` shows to an engineer.

use std::fs;
use std::time::Duration;

use crate::support::ingest::Ingest;
use crate::support::product::firstmile;
use crate::support::{Folder, run};

const KEY: &str = "right-k3y-0123456789";

#[test]
fn debug_shows_each_command_that_is_sent_and_received_and_never_the_key() {
    let folder = Folder::new("log");
    let server = Ingest::start(folder.path(), KEY);
    fs::write(folder.path().join("key"), KEY).expect("a key file");
    let ca = server.ca_file.display();
    let arguments = format!("check --publish --url {} --key-file key --ca-file {ca}", server.url());
    let mut command = firstmile(folder.path(), &arguments);
    let ended = run(command.env("FIRSTMILE_LOG", "debug"), Duration::from_secs(100)).ok();
    for word in ["connect", "releaseStream", "createStream", "publish", "_result", "onStatus"] {
        assert!(ended.stderr.contains(word), "{word} is not in {}", ended.stderr);
    }
    assert!(!format!("{}{}", ended.stdout, ended.stderr).contains("k3y"), "{}", ended.stderr);
    let quiet = run(&mut firstmile(folder.path(), &arguments), Duration::from_secs(100)).ok();
    assert_eq!(quiet.stderr, "", "nothing where nobody asks");
}
