//! What was learned of the way to servers, kept while no destination leads there.
//!
//! A destination that is disabled takes its connections, its queue and its key with it. When it is enabled
//! again a minute later, at the same network, the dead address of its server is still dead and the path as
//! narrow as before.

use std::time::Duration;

use super::rtmp;
use crate::limits::{SERVERS_REMEMBERED_MAX, SMALL_SEGMENTS_FOR};

/// What attempts have learned of a server: how it wants to be asked, which of its addresses have failed, and
/// what the path there carries. Nothing of the stream, and no secret.
#[derive(Debug, Clone)]
pub struct Learned {
    pub(super) way: LearnedWay,
}

/// By the way to the server.
#[derive(Debug, Clone)]
pub(super) enum LearnedWay {
    Rtmp(rtmp::Learned),
}

impl Learned {
    fn is_of_the_server_of(&self, other: &Learned) -> bool {
        let (LearnedWay::Rtmp(one), LearnedWay::Rtmp(other)) = (&self.way, &other.way);
        one.is_of_the_server_of(other)
    }
}

/// Of the servers that were left last, what was learned of them; for as long as any of it holds.
#[derive(Debug, Default)]
pub struct Memory {
    /// The one that was left last is the last.
    kept: Vec<(Duration, Learned)>,
}

impl Memory {
    /// No destination leads to this server any more.
    pub fn keep(&mut self, now: Duration, learned: Learned) {
        self.kept
            .retain(|(since, known)| is_fresh(now, *since) && !known.is_of_the_server_of(&learned));
        if self.kept.len() >= SERVERS_REMEMBERED_MAX {
            self.kept.remove(0);
        }
        self.kept.push((now, learned));
    }

    /// All that is remembered now.
    pub fn all(&self, now: Duration) -> impl Iterator<Item = Learned> + Clone + '_ {
        let fresh = self.kept.iter().filter(move |(since, _)| is_fresh(now, *since));
        fresh.map(|(_, learned)| learned.clone())
    }
}

fn is_fresh(now: Duration, since: Duration) -> bool {
    now.saturating_sub(since) < SMALL_SEGMENTS_FOR
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::Target;
    use crate::publish::tls::Policy;
    use crate::rtmp::ConnectOrder;
    use crate::rtmp::url::Ingest;

    fn target(host: &str) -> Target {
        let ingest = Ingest::from_combined(&format!("rtmp://{host}/live/a-stream-key")).unwrap();
        Target::new(ingest, &Policy::default(), true).unwrap()
    }

    fn order(target: &Target) -> ConnectOrder {
        let LearnedWay::Rtmp(learned) = Learned::from(target).way;
        learned.order()
    }

    #[test]
    fn a_server_that_comes_back_within_an_hour_is_known() {
        let (now, mut memory) = (Duration::from_secs(7), Memory::default());
        memory.keep(now, (&target("a.example").in_order(ConnectOrder::Patient)).into());
        let later = now + SMALL_SEGMENTS_FOR - Duration::from_secs(1);
        let back = target("a.example").knowing(memory.all(later));
        assert_eq!(order(&back), ConnectOrder::Patient);
        let other = target("b.example").knowing(memory.all(later));
        assert_eq!(order(&other), ConnectOrder::default());
        let late = target("a.example").knowing(memory.all(now + SMALL_SEGMENTS_FOR));
        assert_eq!(order(&late), ConnectOrder::default());
    }

    #[test]
    fn of_ever_other_servers_the_latest_are_remembered_each_once_and_no_key() {
        let mut memory = Memory::default();
        for number in 0..5 * SERVERS_REMEMBERED_MAX {
            for _ in 0..3 {
                let left = target(&format!("{number}.example")).in_order(ConnectOrder::Patient);
                memory.keep(Duration::from_secs(number as u64), (&left).into());
            }
        }
        let now = Duration::from_secs(100);
        assert_eq!(memory.all(now).count(), SERVERS_REMEMBERED_MAX);
        let newest = target(&format!("{}.example", 5 * SERVERS_REMEMBERED_MAX - 1));
        assert_eq!(order(&newest.knowing(memory.all(now))), ConnectOrder::Patient);
        let shown = format!("{memory:?}");
        assert!(!shown.contains("a-stream-key") && !shown.contains("live"), "{shown}");
    }
}
