//! Another camera or microphone is set: on air it is exchanged, and whoever has set it learns what has come
//! of that.

use std::time::Duration;

use super::Control;
use crate::appliance::Source;
use crate::config::Settings;
use crate::config::schema::SettingPath;
use crate::console::Reply;
use crate::control::action::{Action, Level};
use crate::control::capture::User;
use crate::control::clients::Awaits;
use crate::control::confirm::{Confirm, Pending};
use crate::control::event::SourceLook;
use crate::control::exchange::{Answer, Waiting, are_same, names_of, note, source_of};
use crate::limits::REPROBE_INTERVAL;
use crate::selection::Exchanged;
use crate::status::Change;

impl Control {
    /// A capture on air is to have the camera and the microphone that are set. Whether it had others.
    pub(super) fn exchange_sources(&mut self) -> bool {
        let capture = &self.capture;
        let has = capture.exchanges.ordered().unwrap_or(&capture.in_use);
        let is_other = capture.is_on_air() && !are_same(has, &capture.wanted);
        if is_other {
            self.order_exchange();
        }
        is_other
    }

    fn order_exchange(&mut self) {
        let Some(run) = self.capture.slot.current() else { return };
        let settings = self.capture.wanted.clone();
        let number = self.capture.exchanges.order(settings.clone());
        self.act(Action::ExchangeSources { run, number, settings });
    }

    /// What has come of it.
    pub(super) fn exchanged(
        &mut self,
        now: Duration,
        number: u64,
        source: Source,
        outcome: &Exchanged,
    ) {
        let is_in_use = matches!(outcome, Exchanged::Begins | Exchanged::Delivers(_));
        if let Some(settings) = self.capture.exchanges.settings_of(number).filter(|_| is_in_use) {
            // A capture that is opened again has it, too.
            let in_use = self.capture.in_use.with_those_of(settings, names_of(source));
            self.capture.in_use = in_use.into();
        }
        let mut was_exchanged = false;
        match outcome {
            Exchanged::Begins => self.capture.exchanges.begins(source),
            Exchanged::Delivers(_) => was_exchanged = self.capture.exchanges.ends(source),
            Exchanged::Waits(_) | Exchanged::Fails(_) => {}
        }
        let answer = match outcome {
            Exchanged::Begins => return,
            Exchanged::Waits(why) => Answer::Waits(why),
            Exchanged::Delivers(what) => Answer::Delivers(what),
            Exchanged::Fails(why) => Answer::Fails(why),
        };
        let waiting = self.capture.exchanges.take(source, Some(number));
        let is_answered = self.answer_those(now, waiting, &answer);
        let level = match outcome {
            Exchanged::Waits(_) | Exchanged::Fails(_) => Level::Warn,
            Exchanged::Begins | Exchanged::Delivers(_) => Level::Info,
        };
        match note(outcome, source) {
            Some(note) if is_answered => self.log(level, note),
            // An order names both sources, and this one is what it was.
            Some(_) if matches!(outcome, Exchanged::Delivers(_)) && !was_exchanged => {}
            Some(message) => self.report_at(now, level, Change::Note { message }),
            None => {}
        }
    }

    /// A change of camera or microphone is stored. Whether whoever has asked for it is answered later, when
    /// it is known what has come of it.
    pub(super) fn awaits_source(
        &mut self,
        now: Duration,
        pending: &Pending,
        before: &Settings,
        reply: &Reply,
    ) -> bool {
        let (Confirm::Set { path } | Confirm::Unset { path }) = &pending.confirm else {
            return false;
        };
        let (Some(request), Reply::Text { lines }) = (pending.request, reply) else { return false };
        if source_of(path).is_none() || !self.is_set_by_the_store(path) {
            return false;
        }
        if !self.clients.is_running(request) {
            return false;
        }
        let is_other = !are_same(before, &self.in_force.settings);
        if !is_other {
            self.look_for_sources(now);
        }
        if self.capture.user == Some(User::Standby) && !is_other && self.capture.is_on() {
            // It is what delivers already.
            return false;
        }
        self.clients.waits_on(request, Awaits::Job);
        let line = lines.join("; ");
        self.capture.exchanges.await_outcome(now, request, path, line);
        let capture = &mut self.capture;
        let is_ordered = |ordered| are_same(ordered, &capture.wanted);
        match capture.exchanges.ordered().is_some_and(|ordered| is_ordered(ordered)) {
            _ if !capture.is_on_air() => {}
            true if is_other => capture.exchanges.attach_new(),
            _ => self.order_exchange(),
        }
        true
    }

    /// Whether nothing stronger than the store says something about a setting.
    fn is_set_by_the_store(&self, path: &SettingPath) -> bool {
        self.in_force.stored.value(path).is_none() || self.in_force.is_in_force(path)
    }

    /// What there is to choose from; of a box that is not on air, whether what is set is there.
    pub(super) fn sources_looked_for(&mut self, now: Duration, look: &SourceLook) {
        let exchanges = &mut self.capture.exchanges;
        exchanges.looked_at = Some(now);
        let is_other =
            [(&exchanges.camera, &look.camera), (&exchanges.microphone, &look.microphone)]
                .iter()
                .any(|(before, found)| before.choices != found.choices);
        (exchanges.camera, exchanges.microphone) = (look.camera.clone(), look.microphone.clone());
        if is_other {
            self.name_choices();
        }
        if !self.capture.is_off() {
            return;
        }
        for (source, found) in
            [(Source::Camera, &look.camera), (Source::Microphone, &look.microphone)]
        {
            let waiting = self.capture.exchanges.take(source, None);
            self.answer_those(now, waiting, &Answer::Look(found));
        }
    }

    /// Somebody types, and may complete the name of a device.
    pub(super) fn look_for_choices(&mut self, now: Duration) {
        let looked_at = self.capture.exchanges.looked_at;
        if looked_at.is_some_and(|at| now.saturating_sub(at) >= REPROBE_INTERVAL) {
            self.capture.exchanges.looked_at = Some(now);
            self.act(Action::LookForSources(self.capture.wanted.clone()));
        }
    }

    /// The devices are open as they are set, or cannot be opened for somebody who is not on air.
    pub(super) fn sources_opened(&mut self, now: Duration, failure: Option<&str>) {
        for source in [Source::Camera, Source::Microphone] {
            let waiting = self.capture.exchanges.take(source, None);
            // A capture may begin without one that is not there.
            let found = self.capture.exchanges.found(source).clone();
            let answer = match failure {
                Some(why) => Answer::Fails(why),
                None if found.absent.is_some() => Answer::Look(&found),
                None => Answer::IsOpen,
            };
            self.answer_those(now, waiting, &answer);
        }
    }

    /// Those who have waited for too long are answered by what is known.
    pub(super) fn exchange_timeout(&mut self, now: Duration) {
        let late = self.capture.exchanges.take_late(now);
        self.answer_those(now, late, &Answer::Late);
    }

    fn answer_those(&mut self, now: Duration, those: Vec<Waiting>, answer: &Answer<'_>) -> bool {
        let mut is_answered = false;
        for waiting in those {
            let sentence = self.capture.exchanges.sentence(&waiting, answer);
            is_answered |= self.finish(now, waiting.request, Reply::text([sentence]));
        }
        is_answered
    }
}
