//! Runs publishers in parallel, feeding those that want it at the clip's own pace.

use std::io::Write;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use firstmile::flv::{Tag, writer};

use super::clients::{Client, Site};
use super::material::Material;
use super::support::drain::{Taken, stamp};
use super::support::eventually;

/// Access units are stamped once everybody has found their step.
const STAMPED_AFTER_MS: u32 = 3_000;
/// What a publisher may need beyond the length of the clip.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Runs all of them to their end; what the server took of each is in their order.
pub fn run_together(
    site: &Site,
    material: &Material,
    clients: &[Client],
    command: impl Fn(Client) -> Command,
) -> Vec<Taken> {
    let mut children: Vec<(Client, Child)> = Vec::new();
    let mut feeds: Vec<JoinHandle<()>> = Vec::new();
    let began = Instant::now() + Duration::from_millis(100);
    for &client in clients {
        let mut command = command(client);
        command.stdin(if client.is_fed() { Stdio::piped() } else { Stdio::null() });
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"));
        if let Some(input) = child.stdin.take() {
            let tags = material.tags.clone();
            feeds.push(thread::spawn(move || feed(began, &tags, input)));
        }
        children.push((client, child));
    }
    feeds.into_iter().for_each(|feed| feed.join().expect("the feed is ours"));
    for (client, child) in &mut children {
        let ended = eventually(TIMEOUT, || child.try_wait().expect("our own child"));
        if ended.is_none_or(|status| !status.success()) {
            eprintln!("{} did not end well: {ended:?}", client.name());
            let _ = child.kill();
            let _ = child.wait();
        }
    }
    let taken: Vec<Taken> =
        clients.iter().map_while(|_| site.drain.next(Duration::from_secs(5))).collect();
    let of = |client: &Client| taken.iter().find(|taken| taken.app == client.name()).cloned();
    clients.iter().map(|client| of(client).unwrap_or_default()).collect()
}

/// Writes each tag when it is due. A publisher that has gone is noticed by who waits for it.
fn feed(began: Instant, tags: &[Tag], mut input: ChildStdin) {
    let _ = input.write_all(&writer::header(true, true));
    let mut bytes = Vec::new();
    for tag in tags {
        let due = began + Duration::from_millis(tag.timestamp_ms.into());
        thread::sleep(due.saturating_duration_since(Instant::now()));
        bytes.clear();
        bytes.extend_from_slice(&writer::tag(tag.kind, tag.timestamp_ms, tag.body.len()));
        bytes.extend_from_slice(&tag.body);
        if tag.timestamp_ms > STAMPED_AFTER_MS {
            stamp(&mut bytes);
        }
        bytes.extend_from_slice(&writer::previous_tag_size(tag.body.len()));
        if input.write_all(&bytes).is_err() {
            return;
        }
    }
}
