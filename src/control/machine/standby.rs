//! What camera and microphone deliver before anybody is live: questions that need them, and when they
//! are held for that.

use std::time::Duration;

use super::Control;
use crate::appliance::{Event as Happening, PipelineFault, Presence, Source};
use crate::console::{ClientId, Reply};
use crate::control::action::{Action, Job};
use crate::control::capture::{Asks, Question, User};
use crate::control::progress::Progress;
use crate::limits::LEVELS_INTERVAL;
use crate::status::{Change, LevelStats, Mode};

impl Control {
    // ── questions ─────────────────────────────────────────────────────────────────────────────

    /// A question that the devices answer, which are opened for it unless they are in use.
    pub(super) fn ask_devices(&mut self, now: Duration, request: u64, of: Asks) -> Progress {
        if let Some(why) = self.no_answer(now) {
            return Progress::Answered(Reply::error(why));
        }
        if !self.capture.is_for_broadcast() {
            self.capture.standby.asked(now);
        }
        self.capture.ask(now, request, of);
        Progress::Job
    }

    /// Looking for devices takes a while, and would disturb those in use.
    pub(super) fn ask_for_devices(&mut self, now: Duration, request: u64) -> Progress {
        let refused = |why: &str| Progress::Answered(Reply::error(why));
        if self.capture.is_for_broadcast() || !self.appliance.is_resting() {
            return refused(IN_USE);
        }
        if self.looking.is_some() {
            return refused("still looking for devices; ask again when that is done");
        }
        self.looking = Some(request);
        self.capture.ask(now, request, Asks::Devices);
        Progress::Job
    }

    /// Begins or ends to show a client the levels all the time.
    pub(super) fn watch_levels(&mut self, now: Duration, from: ClientId) -> Reply {
        if !self.clients.watches_levels(from)
            && let Some(why) = self.no_answer(now)
        {
            return Reply::error(why);
        }
        match self.clients.toggle_watch_levels(from) {
            Some(true) => {
                self.capture.next_levels_shown = now;
                Reply::text(["the levels are shown every second; `levels watch` again ends it"])
            }
            Some(false) => Reply::text(["the levels are no longer shown"]),
            None => Reply::error("too many consoles watch already"),
        }
    }

    /// Why the devices cannot be asked now; `None` when they deliver or can be opened.
    fn no_answer(&self, now: Duration) -> Option<String> {
        if self.capture.user.is_some() {
            return None;
        }
        if !self.appliance.is_resting() {
            return Some(match self.appliance.mode() {
                Mode::Booting => "the box is still starting; try again".to_owned(),
                _ => "the broadcast is being ended; try again when it has ended".to_owned(),
            });
        }
        let lack = self.appliance.lacks_source().map(|lack| lack.sentence().to_owned());
        lack.or_else(|| self.capture.standby.obstacle(now).map(str::to_owned))
    }

    /// What the devices deliver, for everybody who waits for it.
    pub(super) fn levels_read(&mut self, now: Duration, levels: Option<LevelStats>) {
        // Nothing is known of the audio before it has been measured for a while.
        let Some(levels) = levels.filter(|levels| !levels.channels.is_empty()) else { return };
        for question in self.capture.take_questions(|question| question.of == Asks::Levels) {
            self.finish(now, question.request, Reply::Levels(levels.clone()));
        }
        if now >= self.capture.next_levels_shown {
            self.capture.next_levels_shown = now + LEVELS_INTERVAL;
            self.show_to_level_watchers(now, &Reply::Measured(levels));
        }
    }

    fn show_to_level_watchers(&mut self, now: Duration, reply: &Reply) {
        for client in self.clients.level_watchers() {
            self.show_unasked(now, client, reply);
        }
    }

    fn refuse_questions(&mut self, now: Duration, is_it: impl Fn(&Question) -> bool, why: &str) {
        for question in self.capture.take_questions(is_it) {
            self.looking.take_if(|looking| *looking == question.request);
            self.finish(now, question.request, Reply::error(why));
        }
    }

    // ── the devices ───────────────────────────────────────────────────────────────────────────

    /// Opens, exchanges or closes the devices of a box that is not on air, as far as anything of that
    /// follows from what has happened; answers those for whom it is too late.
    pub(super) fn tend_standby(&mut self, now: Duration) {
        if self.capture.is_over {
            return;
        }
        let watched = self.clients.level_watchers().next().is_some();
        self.capture.standby.watch(now, watched);
        self.refuse_questions(now, |question| now >= question.until, TOO_LATE);
        if self.capture.is_for_broadcast() {
            self.refuse_questions(now, |question| question.of == Asks::Devices, IN_USE);
        }
        match self.capture.user {
            Some(User::Standby) if !self.holds_in_standby(now) => self.release(now),
            Some(User::Standby) if !self.capture.is_as_wanted() => {
                self.release(now);
                self.open_in_standby(now);
            }
            None if self.may_open(now) => self.open_in_standby(now),
            _ => {}
        }
        if self.capture.is_off() {
            let settings = self.capture.wanted.clone();
            for question in self.capture.take_questions(|question| question.of == Asks::Devices) {
                let job = Job::Devices(settings.clone());
                self.act(Action::Job { request: question.request, job });
            }
        }
        if self.capture.is_on() {
            for question in self.capture.take_questions(|question| question.of.is_still()) {
                if let Asks::Still(still) = question.of {
                    let job = Job::Still(still);
                    self.act(Action::Job { request: question.request, job });
                }
            }
        }
        if self.capture.takes_levels(now) {
            self.act(Action::ReadLevels);
        }
        self.look_if_due(now);
    }

    /// Whether the devices are wanted although nobody is on air, and nothing is to use them without.
    fn holds_in_standby(&self, now: Duration) -> bool {
        let is_asked = self.capture.questions.iter().any(|asked| asked.of != Asks::Devices);
        let is_wanted = self.capture.standby.is_wanted(now) || is_asked;
        is_wanted && self.looking.is_none()
    }

    /// Whether they are to be opened now.
    fn may_open(&self, now: Duration) -> bool {
        self.can_open()
            && self.holds_in_standby(now)
            && self.capture.standby.obstacle(now).is_none()
    }

    /// Whether nothing but an earlier failure is in the way of opening them.
    fn can_open(&self) -> bool {
        self.appliance.is_resting()
            && self.capture.is_off()
            && self.looking.is_none()
            && self.appliance.lacks_source().is_none()
    }

    /// When they are tried again.
    pub(super) fn standby_retry_at(&self) -> Option<Duration> {
        self.capture.standby.retry_at().filter(|_| self.can_open())
    }

    fn open_in_standby(&mut self, now: Duration) {
        self.forget_what_is_gone(now);
        self.capture.user = Some(User::Standby);
        self.capture.in_use = self.capture.wanted.clone();
        let run = self.capture.new_run(None);
        let act = self.capture.slot.start(now, run);
        self.use_devices(now, [act]);
    }

    fn release(&mut self, now: Duration) {
        self.capture.user = None;
        let act = self.capture.slot.stop(now);
        self.use_devices(now, [act]);
    }

    /// The devices of a box that is not on air deliver.
    pub(super) fn standby_opened(&mut self, now: Duration) {
        self.capture.standby.opened(now);
        self.sources_opened(now, None);
        for source in [Source::Camera, Source::Microphone] {
            self.tell(now, Happening::Source(source, Presence::Delivers));
        }
    }

    /// They could not be opened, or failed: whoever asked learns why, and whoever looks at the box.
    pub(super) fn standby_failed(&mut self, now: Duration, fault: PipelineFault, message: &str) {
        self.release(now);
        let failed = match fault {
            PipelineFault::Camera => Some(Source::Camera),
            PipelineFault::Microphone => Some(Source::Microphone),
            PipelineFault::Encoder | PipelineFault::Internal => None,
        };
        self.sources_opened(now, Some(message));
        let message = format!("cannot capture: {message}");
        let is_new = self.capture.standby.failed(now, message.clone());
        if let Some(source) = failed {
            self.tell(now, Happening::Source(source, Presence::Failed));
        }
        self.refuse_questions(now, |question| question.of != Asks::Devices, &message);
        if !is_new {
            return;
        }
        let change = Change::Note { message };
        self.report(now, change.clone());
        let others = self.clients.watchers();
        for client in self.clients.level_watchers().filter(|client| !others.contains(client)) {
            self.show_unasked(now, client, &Reply::Changed(change.clone()));
        }
    }
}

const IN_USE: &str =
    "camera, microphone and encoder are in use; ask again when the box is not live";
const TOO_LATE: &str = "camera and microphone have not delivered in time; try again";
