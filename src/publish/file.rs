//! Media of an FLV file, published as it is: for diagnosis and measurements.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::clock::{Alarm, Clock};
use crate::flv::{Reader, Tag, TagKind};
use crate::limits::{FILE_AHEAD_BYTES, FILE_TAGS_TOGETHER};
use crate::stream::{Demands, Next, Source};

/// How much of the file is read at once; message bodies share this memory.
const PIECE_BYTES: usize = 64 * 1024;

const TOGETHER_MS: u64 = FILE_TAGS_TOGETHER.as_millis() as u64;

/// An FLV file as a source of media.
pub struct FlvFile {
    file: File,
    name: String,
    reader: Reader,
    pace: Option<Clock>,
    started_at: Option<Duration>,
    /// What is due before this goes along with what has just been sent.
    together_until_ms: u64,
    rounds: u32,
    rounds_left: u32,
    /// The server has to get everything from the first byte again.
    restarts: bool,
    /// Added to every timestamp: the length of the rounds already played.
    offset_ms: u64,
    last_ms: u64,
    step_ms: u64,
    /// The next tag with its time.
    next: Option<(u64, Tag)>,
    /// Nothing comes any more, or why it cannot be read.
    ending: Option<Result<(), String>>,
    alarm: Option<Alarm>,
    /// What was read into, oldest first; to be used again once no message refers to it.
    pieces: VecDeque<Bytes>,
}

impl FlvFile {
    /// Opens `path`, to be played `rounds` times; paced by its timestamps when there is a clock, as
    /// fast as the server takes it otherwise.
    ///
    /// # Errors
    /// When the file cannot be opened, with the words for the owner.
    pub fn open(path: &Path, rounds: u32, pace: Option<Clock>) -> Result<FlvFile, String> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|error| format!("{name} cannot be read: {error}"))?;
        let mut flv = FlvFile {
            file,
            name,
            reader: Reader::new(),
            pace,
            started_at: None,
            together_until_ms: 0,
            rounds,
            rounds_left: rounds,
            restarts: false,
            offset_ms: 0,
            last_ms: 0,
            step_ms: 0,
            next: None,
            ending: None,
            alarm: None,
            pieces: VecDeque::new(),
        };
        // A file that is none must be known before anybody is called.
        flv.look_ahead();
        match &flv.ending {
            None => Ok(flv),
            Some(Ok(())) => Err(format!("{} holds no media", flv.name)),
            Some(Err(words)) => Err(words.clone()),
        }
    }

    /// From the first byte, for a server that got something of it in vain.
    fn begin_again(&mut self) -> Result<(), String> {
        self.restarts = false;
        self.next = None;
        self.ending = None;
        self.rounds_left = self.rounds;
        (self.started_at, self.together_until_ms) = (None, 0);
        (self.offset_ms, self.last_ms) = (0, 0);
        self.seek_to_start()
    }

    fn look_ahead(&mut self) {
        if self.ending.is_some() || self.next.is_some() {
            return;
        }
        match self.read_tag() {
            Ok(Some(next)) => self.next = Some(next),
            Ok(None) => self.ending = Some(Ok(())),
            Err(words) => self.ending = Some(Err(words)),
        }
    }

    /// The next tag, with its time moved behind the rounds already played.
    fn read_tag(&mut self) -> Result<Option<(u64, Tag)>, String> {
        loop {
            let read = self.reader.next_tag().map_err(|error| format!("{}: {error}", self.name))?;
            if let Some(tag) = read {
                let time_ms = self.offset_ms + u64::from(tag.timestamp_ms);
                if tag.kind == TagKind::Video {
                    let step_ms = time_ms.saturating_sub(self.last_ms);
                    self.step_ms = step_ms.clamp(self.step_ms.min(1), 100);
                }
                self.last_ms = self.last_ms.max(time_ms);
                return Ok(Some((time_ms, tag)));
            }
            if !self.read_piece()? && !self.rewind()? {
                return Ok(None);
            }
        }
    }

    fn read_piece(&mut self) -> Result<bool, String> {
        let mut piece = self.free_piece();
        let length = self
            .file
            .read(&mut piece)
            .map_err(|error| format!("{} cannot be read: {error}", self.name))?;
        let piece = piece.freeze();
        self.reader.push(piece.slice(..length));
        self.pieces.push_back(piece);
        Ok(length > 0)
    }

    /// A piece to read into: the oldest, or a new one while that is still being sent. The bound on
    /// what waits to be sent bounds their number.
    fn free_piece(&mut self) -> BytesMut {
        match self.pieces.pop_front().map(Bytes::try_into_mut) {
            Some(Ok(piece)) => return piece,
            Some(Err(in_use)) => self.pieces.push_front(in_use),
            None => {}
        }
        BytesMut::zeroed(PIECE_BYTES)
    }

    fn rewind(&mut self) -> Result<bool, String> {
        self.reader.finish().map_err(|error| format!("{}: {error}", self.name))?;
        self.rounds_left = self.rounds_left.saturating_sub(1);
        if self.rounds_left == 0 {
            return Ok(false);
        }
        self.offset_ms = self.last_ms + self.step_ms.max(1);
        self.seek_to_start()?;
        Ok(true)
    }

    fn seek_to_start(&mut self) -> Result<(), String> {
        self.reader = Reader::new();
        self.file
            .seek(SeekFrom::Start(0))
            .map(|_| ())
            .map_err(|error| format!("{} cannot be read again: {error}", self.name))
    }

    fn due_at(&self, time_ms: u64) -> Option<Duration> {
        self.pace?;
        Some(self.started_at? + Duration::from_millis(time_ms))
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
            self.begin_again()?;
            self.started_at = Some(now);
        }
        self.look_ahead();
        let Some((time_ms, tag)) = self.next.take() else {
            return self.ending.clone().unwrap_or(Ok(())).map(|()| Next::End);
        };
        if let Some(due) = self.due_at(time_ms)
            && time_ms >= self.together_until_ms
        {
            if now < due {
                self.next = Some((time_ms, tag));
                return Ok(Next::NothingYet);
            }
            self.together_until_ms = time_ms + TOGETHER_MS;
        }
        Ok(Next::Tag { time_ms, kind: tag.kind, body: tag.body })
    }

    async fn ready(&mut self) {
        let Some((next_ms, _)) = &self.next else { return };
        if let (Some(clock), Some(next)) = (self.pace, self.due_at(*next_ms)) {
            self.alarm.get_or_insert_with(|| Alarm::new(clock)).ring(next).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flv::writer;

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
