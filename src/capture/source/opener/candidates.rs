//! Of several candidates the first that works is used.

use std::time::Duration;

use super::{OpenSource, SourceOpener};
use crate::{
    capture::{
        discovery::{HANGS, SourceCandidates, SourceSpec},
        error::CaptureError,
        threads::{Bounded, Deadline},
    },
    limits::{CAPTURE_DEVICE_CLOSE_TIMEOUT, CAPTURE_SHARE_MIN},
};

impl SourceOpener {
    /// Opens the first candidate that works. They share the time; what one leaves is for those after it.
    pub(super) fn open_first(
        &self,
        found: SourceCandidates,
        deadline: Deadline,
        given_up: &(impl Fn() -> bool + Clone + Send + 'static),
    ) -> Result<OpenSource, CaptureError> {
        let SourceCandidates { mut usable, mut rejected, notes } = found;
        let is_only_one = usable.len() == 1;
        let turns = &self.known.turns;
        let turn = turns.take(&usable).filter(|_| !is_only_one);
        if let Some(at) = turn {
            usable[..=at].rotate_right(1);
        }
        for (at, (name, spec)) in usable.iter().enumerate() {
            let is_in_turn = at == 0 && turn.is_some();
            let sharing = if is_in_turn { 1 } else { usable.len() - at };
            let share = deadline.left() / u32::try_from(sharing).unwrap_or(u32::MAX);
            if share < CAPTURE_SHARE_MIN && !is_only_one {
                turns.note(name);
                rejected.push(format!("{name}: no time was left for it"));
                continue;
            }
            let of_share = Deadline::after(share);
            let opened = match is_only_one {
                true => self.open_one(spec, share, given_up),
                false => self.open_beside(name, spec.clone(), share, given_up.clone()),
            };
            match opened {
                Ok(mut opened) => {
                    turns.forget(&usable);
                    if !name.is_empty() {
                        tracing::info!("capturing from {name}");
                    }
                    let note = notes.into_iter().find(|(of, _)| of == name).map(|(_, note)| note);
                    (opened.name, opened.note) = (name.clone(), note);
                    return Ok(opened);
                }
                Err(error) if is_only_one => return Err(error),
                Err(error) => {
                    tracing::info!("not capturing from {name}: {error}");
                    if of_share.left().is_zero() && !is_in_turn {
                        turns.note(name);
                    }
                    rejected.push(format!("{name}: {error}"));
                }
            }
        }
        let why =
            if rejected.is_empty() { "not connected".to_owned() } else { rejected.join("; ") };
        Err(self.plan.unavailable(why))
    }

    /// Opens one of several, on a thread of its own: one whose driver hangs does not keep the next from
    /// being tried, and is not tried again before it has answered.
    fn open_beside(
        &self,
        name: &str,
        spec: SourceSpec,
        share: Duration,
        given_up: impl Fn() -> bool + Send + 'static,
    ) -> Result<OpenSource, CaptureError> {
        let hung = || self.plan.unavailable(HANGS.to_owned());
        let Some(asked) = self.known.asked.ask(name) else { return Err(hung()) };
        let opener = self.clone();
        let time = Deadline::after(share + CAPTURE_DEVICE_CLOSE_TIMEOUT);
        let work = move || {
            let opened = opener.open_one(&spec, share, &|| given_up() || time.left().is_zero());
            drop(asked);
            opened
        };
        let opening = Bounded::start("capture-candidate", time.left(), work)
            .map_err(|error| CaptureError::Gstreamer(error.to_string()))?;
        opening.wait().unwrap_or_else(|| Err(hung()))
    }
}
