//! Who presses the demo's button and looks at what comes of it.

use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::cli::exit::{Code, Failure};
use crate::cli::progress::{Done, ProgressLine};
use crate::clock::Clock;
use crate::device::button::ContactEvent;
use crate::limits::BUTTON_HOLD;
use crate::panel::Contact;
use crate::run::{Input, View};
use crate::sim::ingest::Server;
use crate::sim::terminal::Terminal;
use crate::status::{DestinationState, DestinationStatus, Mode};

/// How long the box may take from the press to the first frame at the server.
const FIRST_VIDEO_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the box may take to start and to stop.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the demo looks at the server.
const LOOK: Duration = Duration::from_millis(10);
/// How long the demo's finger stays on the button for a short press.
pub(super) const TAP: Duration = Duration::from_millis(80);
/// How often the front is redrawn at most.
const REDRAW: Duration = Duration::from_millis(200);

/// Whoever stands in front of the box.
pub(super) struct Director<'a> {
    pub(super) clock: Clock,
    pub(super) inputs: mpsc::Sender<Input>,
    pub(super) watched: watch::Receiver<Option<View>>,
    pub(super) server: &'a Server,
}

impl Director<'_> {
    /// Presses the button, lets the broadcast run for `length`, holds the button, and switches off.
    /// Gives the time of the press.
    pub(super) async fn press_and_stop(mut self, length: Duration) -> Result<Duration, Failure> {
        let played = self.play(length).await;
        let _ = self.inputs.send(Input::Terminate).await;
        played
    }

    async fn play(&mut self, length: Duration) -> Result<Duration, Failure> {
        self.reach("ready", |view| view.status.mode == Mode::Ready).await?;
        let pressed_at = self.clock.now();
        press(self.clock, &self.inputs, TAP).await;
        self.first_video(pressed_at).await?;
        self.reach("accepted everywhere", |view| {
            let accepted = |shown: &DestinationStatus| shown.state == DestinationState::Accepted;
            view.status.destinations.iter().all(accepted)
        })
        .await?;
        // The stop is a long hold, so the finger goes down before the broadcast's end.
        let hold_at = self.first_video_at() + length.saturating_sub(BUTTON_HOLD);
        let mut line = ProgressLine::new();
        while self.clock.now() < hold_at {
            self.look_for_failure()?;
            line.show(self.clock.now(), &self.done());
            self.clock.reach(Some(hold_at.min(self.clock.now() + REDRAW))).await;
        }
        drop(line);
        press(self.clock, &self.inputs, BUTTON_HOLD + TAP).await;
        self.reach("off air", |view| view.status.mode == Mode::Ready).await?;
        Ok(pressed_at)
    }

    /// How far the broadcast has come at all destinations.
    fn done(&self) -> Done {
        let view = self.watched.borrow();
        let destinations = view.iter().flat_map(|view| &view.status.destinations);
        let stats = destinations.filter_map(|destination| destination.stats.as_ref());
        let media = self.clock.now().saturating_sub(self.first_video_at());
        let nothing = Done { media, sent_bytes: 0, acknowledged_bytes: Some(0) };
        stats.fold(nothing, |done, stats| Done {
            sent_bytes: done.sent_bytes + stats.acknowledged_bytes + stats.unacknowledged_bytes,
            acknowledged_bytes: done.acknowledged_bytes.map(|all| all + stats.acknowledged_bytes),
            ..done
        })
    }

    async fn first_video(&mut self, pressed_at: Duration) -> Result<(), Failure> {
        while self.first_video_at() == Duration::ZERO {
            self.look_for_failure()?;
            if self.clock.now() > pressed_at + FIRST_VIDEO_TIMEOUT {
                let message = "no video reached the server in time; FIRSTMILE_LOG=debug shows more";
                return Err(Failure::new(Code::Failed, message));
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// When the first frame was at the server; zero while none is.
    fn first_video_at(&self) -> Duration {
        self.server.reports().iter().find_map(|report| report.first_video_at).unwrap_or_default()
    }

    async fn reach(&mut self, what: &str, is: impl Fn(&View) -> bool) -> Result<(), Failure> {
        let deadline = self.clock.now() + SETTLE_TIMEOUT;
        loop {
            if self.watched.borrow_and_update().as_ref().is_some_and(&is) {
                return Ok(());
            }
            self.look_for_failure()?;
            tokio::select! {
                changed = self.watched.changed() => if changed.is_err() {
                    return Err(Failure::new(Code::Failed, "the box ended by itself"));
                },
                () = self.clock.reach(Some(deadline)) => {
                    let message = format!("the box was not {what} in time");
                    return Err(Failure::new(Code::Failed, message));
                }
            }
        }
    }

    /// A demo that nobody watches ends at the first failure.
    fn look_for_failure(&self) -> Result<(), Failure> {
        let view = self.watched.borrow();
        if let Some(missing) = view.as_ref().and_then(|view| view.missing.as_ref()) {
            return Err(Failure::new(Code::Device, missing));
        }
        let Some(end) = view.as_ref().and_then(|view| view.last_end.as_ref()) else {
            return Ok(());
        };
        Err(Failure::new(end.due_to.into(), format!("{}: {}", end.destination, end.message)))
    }

    /// Shows the box until it is switched off.
    pub(super) async fn show(mut self, terminal: &Terminal) -> Result<Duration, Failure> {
        while self.watched.changed().await.is_ok() {
            let view = self.watched.borrow_and_update().clone();
            if let Some(view) = view {
                let lines = front_lines(&view);
                terminal.show(view.status.mode.name().to_owned(), lines);
            }
            tokio::time::sleep(REDRAW).await;
        }
        Ok(Duration::ZERO)
    }
}

/// The running figures, as few lines as the front has room for.
fn front_lines(view: &View) -> Vec<String> {
    let status = &view.status;
    let mut lines = Vec::new();
    lines.push(match &status.encoder {
        None => "camera and encoder are off".to_owned(),
        Some(encoder) => format!(
            "encoder {} of {} kb/s, {:.0} frames/s",
            encoder.actual_kbps, encoder.target_kbps, encoder.frames_per_s
        ),
    });
    for destination in &status.destinations {
        lines.push(match &destination.stats {
            None => format!("{}: {}", destination.name, destination.state.name()),
            Some(stats) => format!(
                "{}: {} kb/s, target {}, {} kB acknowledged, {} ms waiting, {} dropped",
                destination.name,
                stats.sent_kbps,
                stats.target_kbps,
                stats.acknowledged_bytes / 1_000,
                stats.queue_ms,
                stats.frames_dropped
            ),
        });
    }
    lines
}

/// The simulated contact: closed for as long as the finger stays on it.
pub(super) async fn press(clock: Clock, inputs: &mpsc::Sender<Input>, hold: Duration) {
    let contact = |pressed| {
        let (contact, at) = (Contact::GoLive, clock.now());
        Input::Contact(ContactEvent { contact, at, pressed, at_power_up: false })
    };
    let _ = inputs.send(contact(true)).await;
    tokio::time::sleep(hold).await;
    let _ = inputs.send(contact(false)).await;
}
