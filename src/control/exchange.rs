//! Camera and microphone as settings name them: which ones a running capture was ordered to have, and who
//! waits to learn what has come of a change.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::event::SourceFound;
use crate::appliance::Source;
use crate::config::Settings;
use crate::config::schema::SettingPath;
use crate::limits::{EXCHANGE_PATIENCE, EXCHANGES_KEPT};
use crate::selection::Exchanged;

/// The settings that name the camera, and those that name the microphone.
const CAMERA: [&str; 2] = ["camera.device", "camera.mode"];
const MICROPHONE: [&str; 1] = ["microphone.device"];

/// The settings that name a source.
pub(super) fn names_of(source: Source) -> &'static [&'static str] {
    match source {
        Source::Camera => &CAMERA,
        Source::Microphone => &MICROPHONE,
    }
}

/// The source that a setting names.
pub(super) fn source_of(path: &SettingPath) -> Option<Source> {
    let is_of = |source: &Source| names_of(*source).contains(&path.setting().name);
    [Source::Camera, Source::Microphone].into_iter().find(is_of)
}

/// Whether two settings name the same source.
pub(super) fn is_same(source: Source, a: &Settings, b: &Settings) -> bool {
    match source {
        Source::Camera => a.camera == b.camera,
        Source::Microphone => a.microphone == b.microphone,
    }
}

/// Whether two settings name the same camera and the same microphone.
pub(super) fn are_same(a: &Settings, b: &Settings) -> bool {
    is_same(Source::Camera, a, b) && is_same(Source::Microphone, a, b)
}

/// What is known of exchanges.
#[derive(Debug, Default)]
pub(super) struct Exchanges {
    last: u64,
    /// What the running capture was ordered to have, since it is not what it was opened with; the newest
    /// order last. What comes of one may arrive after the next was given.
    ordered: VecDeque<(u64, Arc<Settings>)>,
    /// The sources that are closed, and others are being opened in their place.
    under_way: Vec<Source>,
    waiting: Vec<Waiting>,
    /// What there is of each.
    pub camera: SourceFound,
    pub microphone: SourceFound,
    /// The last look for what there is.
    pub looked_at: Option<Duration>,
    /// Another one is set since: what failed is not it.
    pub is_new: bool,
}

/// Somebody who has set something, and waits to learn what has come of it.
#[derive(Debug)]
pub(super) struct Waiting {
    pub request: u64,
    pub source: Source,
    /// The mode of the camera alone was set.
    of_mode: bool,
    /// What is answered in any case.
    line: String,
    until: Duration,
    /// The exchange that it waits for, once that is ordered.
    number: Option<u64>,
}

/// What a request waited for.
pub(super) enum Answer<'a> {
    /// The box is not on air, and the source is there or not.
    Look(&'a SourceFound),
    /// It delivers; it is this.
    Delivers(&'a str),
    /// It has been opened as it is set, and delivers.
    IsOpen,
    /// It could not be opened, for this reason.
    Fails(&'a str),
    /// It is not connected, for this reason, and what is on air stays there.
    Waits(&'a str),
    /// It took too long.
    Late,
}

impl Exchanges {
    /// A new order. It is for both sources and replaces an earlier one, so all who wait wait for this one.
    pub fn order(&mut self, settings: Arc<Settings>) -> u64 {
        self.last += 1;
        if self.ordered.len() == EXCHANGES_KEPT {
            self.ordered.pop_front();
        }
        self.ordered.push_back((self.last, settings));
        self.attach(|_| true);
        self.last
    }

    /// Whoever waits for no order yet waits for the last one.
    pub fn attach_new(&mut self) {
        self.attach(|waiting| waiting.number.is_none());
    }

    fn attach(&mut self, is_it: impl Fn(&Waiting) -> bool) {
        for waiting in self.waiting.iter_mut().filter(|waiting| is_it(waiting)) {
            waiting.number = Some(self.last);
        }
    }

    /// What was ordered last; `None` when that is what was opened.
    pub fn ordered(&self) -> Option<&Arc<Settings>> {
        self.ordered.back().map(|(_, settings)| settings)
    }

    /// The settings of one of the last orders to this capture.
    pub fn settings_of(&self, number: u64) -> Option<&Arc<Settings>> {
        self.ordered.iter().find(|(of, _)| *of == number).map(|(_, settings)| settings)
    }

    /// A source was closed, and another one is being opened in its place.
    pub fn begins(&mut self, source: Source) {
        self.ends(source);
        self.under_way.push(source);
    }

    /// It delivers. Whether it was closed for that.
    pub fn ends(&mut self, source: Source) -> bool {
        let before = self.under_way.len();
        self.under_way.retain(|other| *other != source);
        self.under_way.len() < before
    }

    /// Whether a source is closed, and another one is being opened in its place.
    pub fn is_under_way(&self) -> bool {
        !self.under_way.is_empty()
    }

    /// Another capture is opened, which has had no order.
    pub fn begin(&mut self) {
        self.ordered.clear();
        self.under_way.clear();
        self.waiting.iter_mut().for_each(|waiting| waiting.number = None);
    }

    /// A request waits for what comes of a change that is stored.
    pub fn await_outcome(&mut self, now: Duration, request: u64, path: &SettingPath, line: String) {
        let Some(source) = source_of(path) else { return };
        self.waiting.push(Waiting {
            request,
            source,
            of_mode: path.setting().name == "camera.mode",
            line,
            until: now + EXCHANGE_PATIENCE,
            number: None,
        });
    }

    /// Takes those who wait, for this order where one is given.
    pub fn take(&mut self, source: Source, number: Option<u64>) -> Vec<Waiting> {
        let is_it = |waiting: &Waiting| {
            waiting.source == source && (number.is_none() || waiting.number == number)
        };
        let (taken, left) = std::mem::take(&mut self.waiting).into_iter().partition(is_it);
        self.waiting = left;
        taken
    }

    /// Takes those who have waited for too long.
    pub fn take_late(&mut self, now: Duration) -> Vec<Waiting> {
        let is_late = |waiting: &Waiting| now >= waiting.until;
        let (late, left) = std::mem::take(&mut self.waiting).into_iter().partition(is_late);
        self.waiting = left;
        late
    }

    pub fn poll_timeout(&self) -> Option<Duration> {
        self.waiting.iter().map(|waiting| waiting.until).min()
    }

    /// What there is of a source.
    pub fn found(&self, source: Source) -> &SourceFound {
        match source {
            Source::Camera => &self.camera,
            Source::Microphone => &self.microphone,
        }
    }

    /// What is answered to somebody who waited.
    pub fn sentence(&self, waiting: &Waiting, answer: &Answer<'_>) -> String {
        let line = &waiting.line;
        let note = self.found(waiting.source).note.as_ref().filter(|_| waiting.of_mode);
        if let Some(note) = note {
            return format!("{line}, but without effect: {note}");
        }
        let (name, what_comes) = match waiting.source {
            Source::Camera => ("camera", "video"),
            Source::Microphone => ("microphone", "audio"),
        };
        match answer {
            Answer::Look(SourceFound { absent: Some(why), .. }) => {
                format!("{line}, but {why}; it is used when it is plugged in")
            }
            Answer::Look(_) => line.clone(),
            Answer::Delivers("") => format!("{line}; it is as the board's profile says"),
            Answer::Delivers(what) => format!("{line}; {what_comes} comes from {what}"),
            Answer::IsOpen => format!("{line}; it delivers"),
            Answer::Fails(why) => format!("{line}, but {why}"),
            Answer::Waits(why) => {
                format!("{line}, but {why}; what is on air stays there until it is plugged in")
            }
            Answer::Late => format!("{line}; the {name} is still being opened, see `status`"),
        }
    }
}

/// What has come of an exchange, for whoever did not wait for it.
pub(super) fn note(outcome: &Exchanged, source: Source) -> Option<String> {
    let (name, what_comes) = match source {
        Source::Camera => ("camera", "video"),
        Source::Microphone => ("microphone", "audio"),
    };
    match outcome {
        Exchanged::Waits(why) => Some(format!("the {name} is not exchanged yet: {why}")),
        Exchanged::Fails(why) => Some(format!("the {name} that is set does not work: {why}")),
        Exchanged::Delivers(what) if what.is_empty() => None,
        Exchanged::Delivers(what) => Some(format!("{what_comes} comes from {what}")),
        Exchanged::Begins => None,
    }
}
