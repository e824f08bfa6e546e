//! Media of an FLV file, published as it is: for diagnosis and measurements.

mod damages;
mod input;
mod tags;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::{Alarm, Clock};
use crate::limits::{FILE_AHEAD_BYTES, FILE_TAGS_TOGETHER, PIPE_KEPT_BYTES_MAX};
use crate::stream::{ConnectionId, Demands, Next, Queue, Source};

use super::connections::Feed;
pub use damages::Cut;
use damages::Damages;
use input::Input;
use tags::{Place, Step, Tags, Timed};

const TOGETHER_MS: u64 = FILE_TAGS_TOGETHER.as_millis() as u64;

/// An FLV file as a source of media. A pipe is one too, as long as nobody wants it from its begin again.
pub struct FlvFile {
    how: Play,
    tags: Tags,
    started_at: Option<Duration>,
    /// What is due before this goes along with what has just been sent.
    together_until_ms: u64,
    /// The server has to get everything from the begin again.
    restarts: bool,
    /// The connection that this one takes over from, until it begins.
    before: Option<Shared>,
    /// The time of the stream at which this connection begins.
    base_ms: u64,
    next: Option<Timed>,
    has_ended: bool,
    kept: Option<Kept>,
    alarm: Option<Alarm>,
    reached: Shared,
    damages: Damages,
}

/// What is to be played, and how.
#[derive(Debug, Clone)]
struct Play {
    path: PathBuf,
    is_file: bool,
    rounds: u32,
    pace: Option<Clock>,
}

/// How far a connection has come with a file.
#[derive(Default)]
struct Reached {
    /// The last key frame that was sent.
    place: Option<Box<Place>>,
    started_at: Option<Duration>,
    /// The time of the stream of the last tag that was sent.
    time_ms: u64,
}

type Shared = Arc<Mutex<Reached>>;

fn lock(reached: &Shared) -> MutexGuard<'_, Reached> {
    reached.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a pipe has given, for a server that wants it once more.
#[derive(Default)]
struct Kept {
    tags: Vec<Timed>,
    bytes: usize,
    /// The next one to be sent again.
    at: usize,
}

impl FlvFile {
    /// Opens `path`, to be played `rounds` times; paced by its timestamps when there is a clock, as
    /// fast as the server takes it otherwise. `-` is standard input.
    ///
    /// # Errors
    /// When the file cannot be opened, with the words for the owner.
    pub fn open(path: &Path, rounds: u32, pace: Option<Clock>) -> Result<FlvFile, String> {
        let input = Input::open(path)?;
        if rounds > 1 && !input.is_file() {
            return Err(format!("{} is no file and can be played once only", input.name));
        }
        let damages = Damages::default();
        let mut tags = Tags::new(input, rounds, damages.clone());
        // A file that is none must be known before anybody is called.
        let next = match tags.next() {
            Step::Tag(next) => Some(next),
            Step::NotYet => None,
            Step::End => {
                let nothing = || format!("{} holds no media", tags.input.name);
                return Err(damages.cut().map_or_else(nothing, |cut| cut.message));
            }
        };
        let is_file = tags.input.is_file();
        let mut kept = (!is_file).then(Kept::default);
        if let (Some(kept), Some(next)) = (&mut kept, &next) {
            kept.keep(next);
        }
        tags.input.read_without_waiting()?;
        let how = Play { path: path.to_owned(), is_file, rounds, pace };
        Ok(FlvFile { next, kept, ..FlvFile::over(how, tags, damages) })
    }

    fn over(how: Play, tags: Tags, damages: Damages) -> FlvFile {
        FlvFile {
            how,
            tags,
            started_at: None,
            together_until_ms: 0,
            restarts: false,
            before: None,
            base_ms: 0,
            next: None,
            has_ended: false,
            kept: None,
            alarm: None,
            reached: Shared::default(),
            damages,
        }
    }

    /// Where the file is cut off or damaged, once it was read so far.
    pub fn cut(&self) -> Option<Cut> {
        self.damages.cut()
    }

    /// From the last key frame that was sent, or from the begin.
    fn begin_again(&mut self, now: Duration) -> Result<(), String> {
        self.restarts = false;
        self.next = None;
        self.has_ended = false;
        self.together_until_ms = 0;
        self.started_at = Some(now);
        if let Some(kept) = &mut self.kept {
            kept.at = 0;
            return Ok(());
        }
        if !self.how.is_file {
            let name = &self.tags.input.name;
            return Err(format!("{name} is no file, and the server wants it from its begin again"));
        }
        let (mut place, mut started_at) = (None, None);
        if let Some(before) = &self.before {
            let before = lock(before);
            (place, started_at) = (before.place.as_deref().cloned(), before.started_at);
        }
        self.base_ms = place.as_ref().map_or(0, |place| place.time_ms);
        // It goes on at the time of the one before it.
        self.started_at = started_at.or(self.started_at);
        self.tags.go_to(place)
    }

    fn look_ahead(&mut self) {
        if self.has_ended || self.next.is_some() {
            return;
        }
        if let Some(kept) = &mut self.kept
            && let Some(tag) = kept.next()
        {
            self.next = Some(tag);
            return;
        }
        match self.tags.next() {
            Step::Tag(next) => {
                if let Some(kept) = &mut self.kept
                    && !kept.keep(&next)
                {
                    self.kept = None;
                }
                self.next = Some(next);
            }
            Step::NotYet => {}
            Step::End => self.has_ended = true,
        }
    }

    fn due_at(&self, time_ms: u64) -> Option<Duration> {
        self.how.pace?;
        Some(self.started_at? + Duration::from_millis(time_ms))
    }
}

impl Kept {
    /// False when that is too much to be kept.
    fn keep(&mut self, tag: &Timed) -> bool {
        self.bytes += tag.tag.body.len();
        self.tags.push(tag.clone());
        self.at = self.tags.len();
        self.bytes <= PIPE_KEPT_BYTES_MAX
    }

    fn next(&mut self) -> Option<Timed> {
        let next = self.tags.get(self.at)?.clone();
        self.at += 1;
        Some(next)
    }
}

impl Source for FlvFile {
    fn demands(&self) -> Demands {
        Demands { ahead_bytes: FILE_AHEAD_BYTES, ..Demands::default() }
    }

    fn begin(&mut self, now: Duration) {
        self.started_at.get_or_insert(now);
    }

    fn restart(&mut self) {
        self.restarts = true;
    }

    fn next(&mut self, now: Duration) -> Result<Next, String> {
        if self.restarts {
            self.begin_again(now)?;
        }
        self.look_ahead();
        let Some(next) = self.next.take() else {
            return Ok(if self.has_ended { Next::End } else { Next::NothingYet });
        };
        if let Some(due) = self.due_at(next.time_ms)
            && next.time_ms >= self.together_until_ms
        {
            if now < due {
                self.next = Some(next);
                return Ok(Next::NothingYet);
            }
            self.together_until_ms = next.time_ms + TOGETHER_MS;
        }
        let mut reached = lock(&self.reached);
        reached.time_ms = reached.time_ms.max(next.time_ms);
        if next.place.is_some() {
            (reached.place, reached.started_at) = (next.place, self.started_at);
        }
        drop(reached);
        let time_ms = next.time_ms.saturating_sub(self.base_ms);
        Ok(Next::Tag { time_ms, kind: next.tag.kind, body: next.tag.body })
    }

    async fn ready(&mut self) {
        match (&self.next, self.how.pace) {
            (None, _) => self.tags.input.wait().await,
            (Some(next), Some(clock)) => {
                if let Some(due) = self.due_at(next.time_ms) {
                    self.alarm.get_or_insert_with(|| Alarm::new(clock)).ring(due).await;
                }
            }
            (Some(_), None) => {}
        }
    }
}

/// The connections of a pushed file: each begins with the last key frame of the one before it.
pub(super) struct FileFeed {
    how: Play,
    first: Option<FlvFile>,
    /// Of each connection that runs.
    reached: Vec<(ConnectionId, Shared)>,
    /// Of the connection that has the stream.
    shown: Shared,
    damages: Damages,
    /// The furthest that a connection has come that is over.
    time_ms: u64,
}

impl FileFeed {
    pub fn new(file: FlvFile) -> FileFeed {
        let (how, shown) = (file.how.clone(), file.reached.clone());
        let damages = file.damages.clone();
        FileFeed { how, first: Some(file), reached: Vec::new(), shown, damages, time_ms: 0 }
    }

    /// Where the file is cut off or damaged, as far as it was read.
    pub fn cut(&self) -> Option<Cut> {
        self.damages.cut()
    }

    /// How much of the stream was sent, in media time.
    pub fn media(&self) -> Duration {
        let running = self.reached.iter().map(|(_, reached)| lock(reached).time_ms);
        Duration::from_millis(running.fold(self.time_ms, u64::max))
    }

    fn again(&self) -> Result<FlvFile, String> {
        if !self.how.is_file {
            return Err("the input is no file, so that another connection cannot begin".to_owned());
        }
        let input = Input::open(&self.how.path)?;
        let damages = self.damages.clone();
        let tags = Tags::new(input, self.how.rounds, damages.clone());
        let before = Some(self.shown.clone());
        Ok(FlvFile { before, restarts: true, ..FlvFile::over(self.how.clone(), tags, damages) })
    }
}

impl Feed for FileFeed {
    type Source = FlvFile;

    fn open(&mut self, id: ConnectionId, _: Queue, _: Option<u32>) -> Result<FlvFile, String> {
        let file = self.first.take().map_or_else(|| self.again(), Ok)?;
        self.reached.push((id, file.reached.clone()));
        Ok(file)
    }

    fn show(&mut self, id: ConnectionId) {
        let found = self.reached.iter().find(|(of, _)| *of == id);
        if let Some((_, reached)) = found {
            self.shown = reached.clone();
        }
    }

    fn ended(&mut self, id: ConnectionId) {
        let ended = self.reached.extract_if(.., |(of, _)| *of == id);
        for (_, reached) in ended {
            let reached = lock(&reached);
            self.time_ms = self.time_ms.max(reached.time_ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flv::{TagKind, writer};

    const AUDIO_MS: [u32; 5] = [0, 21, 43, 64, 85];
    const VIDEO_MS: [u32; 4] = [0, 33, 67, 100];

    fn short_file(path: &Path) -> Vec<u32> {
        let mut tags: Vec<(u32, TagKind)> = AUDIO_MS.map(|at| (at, TagKind::Audio)).to_vec();
        tags.extend(VIDEO_MS.map(|at| (at, TagKind::Video)));
        tags.sort_by_key(|(at, _)| *at);
        let mut bytes = writer::header(true, true).to_vec();
        for (at, kind) in &tags {
            bytes.extend_from_slice(&writer::tag(*kind, *at, 1));
            bytes.push(0);
            bytes.extend_from_slice(&writer::previous_tag_size(1));
        }
        std::fs::write(path, bytes).unwrap();
        tags.into_iter().map(|(at, _)| at).collect()
    }

    #[tokio::test]
    async fn what_is_due_close_together_goes_together_and_hardly_early() {
        let path = std::env::temp_dir().join(format!("firstmile-pace-{}.flv", std::process::id()));
        let times_ms = short_file(&path);
        let clock = Clock::start();
        let mut file = FlvFile::open(&path, 1, Some(clock)).unwrap();
        std::fs::remove_file(&path).unwrap();
        file.begin(clock.now());
        let (mut sent, mut waits) = (0, 0);
        loop {
            match file.next(clock.now()).unwrap() {
                Next::Tag { .. } | Next::Frame(_) => {
                    let due = Duration::from_millis(times_ms[sent].into());
                    assert!(clock.now() + FILE_TAGS_TOGETHER >= due, "{due:?} is too early");
                    sent += 1;
                }
                Next::NothingYet => {
                    waits += 1;
                    file.ready().await;
                }
                Next::End => break,
            }
        }
        assert_eq!(sent, times_ms.len());
        // The groups begin at 0, 33, 64 and 100.
        assert!(waits <= 3, "{waits} waits");
    }
}
