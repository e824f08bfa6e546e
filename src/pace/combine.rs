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

/// The bitrate of the encoder, in kbit/s. `targets` are what the policies of the destinations ask
/// for, in the order of the settings, `None` for one that is not live; with none live it is the
/// ceiling. The answer is never above `ceiling_kbps`.
pub fn combine(
    follow: Follow,
    ceiling_kbps: u32,
    targets: impl IntoIterator<Item = Option<u32>>,
) -> u32 {
    let mut live = targets.into_iter().flatten();
    let wish = match follow {
        Follow::Primary => live.next(),
        Follow::Slowest => live.min(),
        Follow::Fixed => None,
    };
    wish.unwrap_or(ceiling_kbps).min(ceiling_kbps)
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

    #[test]
    fn the_encoder_follows_whom_it_is_told_to() {
        use Follow::{Fixed, Primary, Slowest};
        for (targets, primary, slowest) in [
            (&[][..], 6_000, 6_000),
            (&[None, None], 6_000, 6_000),
            (&[Some(4_000)], 4_000, 4_000),
            (&[Some(4_000), Some(900)], 4_000, 900),
            (&[Some(900), Some(4_000)], 900, 900),
            (&[None, Some(4_000), Some(900)], 4_000, 900),
            (&[Some(9_000), None], 6_000, 6_000),
        ] {
            let combined = |follow| combine(follow, 6_000, targets.iter().copied());
            assert_eq!(combined(Primary), primary, "{targets:?}");
            assert_eq!(combined(Slowest), slowest, "{targets:?}");
            assert_eq!(combined(Fixed), 6_000, "{targets:?}");
        }
    }
}
