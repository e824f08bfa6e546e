//! Finding a network again that was joined and is lost: when to look, and where.

use std::time::Duration;

use crate::limits::{
    WIFI_REJOIN_INTERVAL, WIFI_RETURN_CHANNELS_MAX, WIFI_RETURN_LATE_LOOK_INTERVAL,
    WIFI_RETURN_LATE_PATIENCE, WIFI_RETURN_LOOK_INTERVAL, WIFI_RETURN_PATIENCE,
    WIFI_RETURN_REJOIN_INTERVAL, WIFI_ROAM_PATIENCE,
};

/// The search for a network that was joined and is lost. The channels on which it was heard are looked at often
/// while an access point may be restarting, and then more rarely.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    /// Where it was heard while it was joined, in MHz.
    heard_mhz: Vec<u32>,
    /// It was joined, and is not lost.
    is_joined: bool,
    lost_at: Option<Duration>,
    looked_at: Option<Duration>,
}

impl Search {
    /// The network is joined, and was heard here; where that is not known, what was known before holds.
    pub fn joined(&mut self, heard_mhz: impl IntoIterator<Item = u32>) {
        let mut heard: Vec<u32> = heard_mhz.into_iter().collect();
        heard.sort_unstable();
        heard.dedup();
        heard.truncate(WIFI_RETURN_CHANNELS_MAX);
        if !heard.is_empty() {
            self.heard_mhz = heard;
        }
        (self.is_joined, self.lost_at, self.looked_at) = (true, None, None);
    }

    /// It is not joined. The search begins where it was before.
    pub fn not_joined(&mut self, now: Duration) {
        if self.is_joined {
            (self.is_joined, self.lost_at) = (false, Some(now));
        }
    }

    /// The network is there again and does not let the box in: there is nothing to look for.
    pub fn end(&mut self) {
        self.lost_at = None;
    }

    /// Whether its loss may be the way from one of its access points to another one.
    pub fn may_be_roaming(&self, now: Duration) -> bool {
        self.lost_for(now).is_some_and(|lost| lost < WIFI_ROAM_PATIENCE)
    }

    /// How long after one look the next one is, while it is searched for.
    pub fn interval(&self, now: Duration) -> Option<Duration> {
        match self.lost_for(now)? {
            lost if lost < WIFI_RETURN_PATIENCE => Some(WIFI_RETURN_LOOK_INTERVAL),
            lost if lost < WIFI_RETURN_LATE_PATIENCE => Some(WIFI_RETURN_LATE_LOOK_INTERVAL),
            _ => None,
        }
    }

    /// Where to look now, if it is time to; that counts as a look.
    pub fn due(&mut self, now: Duration) -> Option<&[u32]> {
        let interval = self.interval(now)?;
        let is_due = self.looked_at.is_none_or(|at| now.saturating_sub(at) >= interval);
        if !is_due || self.heard_mhz.is_empty() {
            return None;
        }
        self.looked_at = Some(now);
        Some(&self.heard_mhz)
    }

    /// How long after a try to join it has failed the next one is.
    pub fn rejoin_interval(&self, now: Duration) -> Duration {
        match self.lost_for(now) {
            Some(lost) if lost < WIFI_RETURN_PATIENCE => WIFI_RETURN_REJOIN_INTERVAL,
            _ => WIFI_REJOIN_INTERVAL,
        }
    }

    fn lost_for(&self, now: Duration) -> Option<Duration> {
        self.lost_at.map(|at| now.saturating_sub(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const LOST: Duration = Duration::from_secs(1_000);

    fn lost() -> Search {
        let mut search = Search::default();
        search.joined([5180, 2437, 2437]);
        search.not_joined(LOST);
        search
    }

    #[test]
    fn a_lost_network_is_looked_for_each_second_where_it_was_heard_and_later_more_rarely() {
        let mut search = lost();
        let mut looks_within = |begin: Duration, long: Duration| {
            let tenths = (0..long.as_millis() / 100).map(|n| begin + SECOND / 10 * n as u32);
            tenths.filter(|now| search.due(*now).is_some_and(|at| at == [2437, 5180])).count()
        };
        assert_eq!(looks_within(LOST, 60 * SECOND), 60);
        assert_eq!(looks_within(LOST + WIFI_RETURN_PATIENCE, 60 * SECOND), 12);
        assert_eq!(looks_within(LOST + WIFI_RETURN_LATE_PATIENCE, 60 * SECOND), 0);
    }

    #[test]
    fn a_lost_network_is_tried_again_soon_and_after_some_minutes_once_a_minute() {
        let search = lost();
        assert_eq!(search.rejoin_interval(LOST), WIFI_RETURN_REJOIN_INTERVAL);
        assert_eq!(search.rejoin_interval(LOST + WIFI_RETURN_PATIENCE), WIFI_REJOIN_INTERVAL);
    }

    #[test]
    fn a_network_that_was_never_joined_is_not_searched_for() {
        let mut search = Search::default();
        search.not_joined(LOST);
        assert_eq!(search.due(LOST), None);
        assert!(!search.may_be_roaming(LOST));
        assert_eq!(search.rejoin_interval(LOST), WIFI_REJOIN_INTERVAL);
    }

    #[test]
    fn the_search_ends_when_the_network_is_joined_or_refuses_the_box() {
        let ends: [fn(&mut Search); 2] = [|search| search.joined([]), Search::end];
        for end in ends {
            let mut search = lost();
            end(&mut search);
            assert_eq!(search.due(LOST + SECOND), None);
            assert_eq!(search.rejoin_interval(LOST + SECOND), WIFI_REJOIN_INTERVAL);
        }
        // Joined again, it is searched for where it was heard before.
        let mut search = lost();
        search.joined([]);
        search.not_joined(LOST + 60 * SECOND);
        assert_eq!(search.due(LOST + 60 * SECOND), Some(&[2437, 5180][..]));
    }

    #[test]
    fn a_loss_of_some_seconds_may_be_the_way_to_another_access_point() {
        let mut search = lost();
        search.not_joined(LOST + 5 * SECOND);
        assert!(search.may_be_roaming(LOST + 5 * SECOND));
        assert!(!search.may_be_roaming(LOST + WIFI_ROAM_PATIENCE));
    }
}
