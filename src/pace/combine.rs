//! One encode has one bitrate: whom it follows when there are several destinations.

/// Whom the encoder follows. The destinations that it does not follow drop frames instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Follow {
    /// The first destination; while it is not live, the first one that is.
    #[default]
    Primary,
    /// The slowest: nobody drops, and everybody gets the quality of the worst path.
    Slowest,
    /// Nobody: always the set bitrate.
    Fixed,
}

impl Follow {
    /// The names of all, as settings have them; the default is the first.
    pub const NAMES: &[&str] = &["primary", "slowest", "fixed"];

    /// The one of this name.
    pub fn named(name: &str) -> Option<Follow> {
        let all = [Follow::Primary, Follow::Slowest, Follow::Fixed];
        all.into_iter().find(|follow| follow.name() == name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

/// The target bitrate of one destination's path, as far as the encoder is concerned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PathTarget {
    /// While a connection runs, in kbit/s.
    live_kbps: Option<u32>,
    /// While the destination is being reached again: what its next connection begins with.
    waiting_kbps: Option<u32>,
}

impl PathTarget {
    /// The target bitrate of the connection that runs; `None` while none does.
    pub fn live_kbps(self) -> Option<u32> {
        self.live_kbps
    }

    /// A connection reports its target bitrate.
    pub fn handle_target(&mut self, kbps: u32) {
        self.live_kbps = Some(kbps);
    }

    /// A connection was accepted. One that has reported no target has nothing against the ceiling.
    pub fn handle_accepted(&mut self, ceiling_kbps: u32) {
        self.live_kbps.get_or_insert(ceiling_kbps);
        self.waiting_kbps = None;
    }

    /// The connection is lost, and another one will be tried: what is encoded meanwhile is what that
    /// one begins with, so it should be no more than what the path carried.
    pub fn handle_lost(&mut self) {
        self.waiting_kbps = self.live_kbps.take().or(self.waiting_kbps);
    }

    /// The stream is over, or the path is another one.
    pub fn forget(&mut self) {
        *self = PathTarget::default();
    }

    /// The set bitrate is another one. A path without trouble reports nothing until it has some.
    pub fn handle_ceiling(&mut self, before_kbps: u32, ceiling_kbps: u32) {
        if self.live_kbps.is_some_and(|kbps| kbps >= before_kbps) {
            self.live_kbps = Some(ceiling_kbps);
        }
    }
}

/// The bitrate of the encoder, in kbit/s, from the paths of the destinations in the order of the
/// settings. While none is live, those count that are being reached again; without any it is the
/// ceiling. The answer is never above `ceiling_kbps`.
pub fn combine<I>(follow: Follow, ceiling_kbps: u32, paths: I) -> u32
where
    I: IntoIterator<Item = PathTarget>,
    I::IntoIter: Clone,
{
    let paths = paths.into_iter();
    let live = followed(follow, paths.clone().filter_map(|path| path.live_kbps));
    let target_kbps = live.or_else(|| followed(follow, paths.filter_map(|path| path.waiting_kbps)));
    target_kbps.unwrap_or(ceiling_kbps).min(ceiling_kbps)
}

fn followed(follow: Follow, mut targets_kbps: impl Iterator<Item = u32>) -> Option<u32> {
    match follow {
        Follow::Primary => targets_kbps.next(),
        Follow::Slowest => targets_kbps.min(),
        Follow::Fixed => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_the_name_of_one() {
        for name in Follow::NAMES {
            assert_eq!(Follow::named(name).map(Follow::name), Some(*name));
        }
        assert_eq!(Follow::named(Follow::NAMES[0]), Some(Follow::default()));
        assert_eq!(Follow::named("fastest"), None);
    }

    fn live(kbps: u32) -> PathTarget {
        let mut path = PathTarget::default();
        path.handle_target(kbps);
        path
    }

    fn lost(kbps: u32) -> PathTarget {
        let mut path = live(kbps);
        path.handle_lost();
        path
    }

    const NONE: PathTarget = PathTarget { live_kbps: None, waiting_kbps: None };

    #[test]
    fn the_encoder_follows_whom_the_settings_name() {
        use Follow::{Fixed, Primary, Slowest};
        for (paths, primary, slowest) in [
            (&[][..], 6_000, 6_000),
            (&[NONE, NONE], 6_000, 6_000),
            (&[live(4_000)], 4_000, 4_000),
            (&[live(4_000), live(900)], 4_000, 900),
            (&[live(900), live(4_000)], 900, 900),
            (&[NONE, live(4_000), live(900)], 4_000, 900),
            (&[live(9_000), NONE], 6_000, 6_000),
            (&[lost(900), live(4_000)], 4_000, 4_000),
        ] {
            let combined = |follow| combine(follow, 6_000, paths.iter().copied());
            assert_eq!(combined(Primary), primary, "{paths:?}");
            assert_eq!(combined(Slowest), slowest, "{paths:?}");
            assert_eq!(combined(Fixed), 6_000, "{paths:?}");
        }
    }

    #[test]
    fn while_nobody_is_live_the_encoder_makes_what_the_lost_path_carried() {
        let combined =
            |paths: &[PathTarget]| combine(Follow::Primary, 6_000, paths.iter().copied());
        assert_eq!(combined(&[NONE, lost(900)]), 900);
        let mut again = lost(900);
        again.handle_lost();
        assert_eq!(combined(&[again]), 900, "a second attempt in vain changes nothing");
        again.handle_accepted(6_000);
        assert_eq!(
            combined(&[again]),
            6_000,
            "it was accepted and reports nothing against the ceiling"
        );
        let mut stopped = lost(900);
        stopped.forget();
        assert_eq!(combined(&[stopped]), 6_000);
    }

    #[test]
    fn a_path_at_the_ceiling_follows_a_new_one_and_a_slow_path_does_not() {
        let with = |mut path: PathTarget| {
            path.handle_ceiling(6_000, 8_000);
            path.live_kbps()
        };
        assert_eq!([live(6_000), live(900), NONE].map(with), [Some(8_000), Some(900), None]);
    }
}
