//! The tags of a file with their times, round after round.

use std::collections::VecDeque;
use std::fmt::Display;

use bytes::Bytes;

use super::damages::Damages;
use super::input::{Input, Piece};
use crate::flv::{Content, Reader, Tag, TagKind, TagTimes, metadata};
use crate::limits::FILE_LEAPS_NAMED_MAX;

/// What a player needs before the first frame: the description, and the configuration of each track.
type Headers = [Option<Tag>; 3];

/// The tags of a file, to be played some times.
pub struct Tags {
    pub input: Input,
    reader: Reader,
    times: TagTimes,
    rounds: u32,
    rounds_left: u32,
    /// Whether this round has given a tag.
    has_given: bool,
    has_video: bool,
    headers: Headers,
    /// What goes before the next tag, with its time.
    ahead: VecDeque<Tag>,
    ahead_ms: u64,
    leaps: u32,
    newest_ms: u64,
    damages: Damages,
}

/// A tag with its time since the begin of the stream.
#[derive(Clone)]
pub struct Timed {
    pub time_ms: u64,
    pub tag: Tag,
    /// Where another connection can begin; with key frames only.
    pub place: Option<Box<Place>>,
}

/// A place in a file where a stream can begin.
#[derive(Clone)]
pub struct Place {
    /// Its time since the begin of the stream.
    pub time_ms: u64,
    offset: u64,
    times: TagTimes,
    rounds_left: u32,
    headers: Headers,
}

/// What comes next.
pub enum Step {
    Tag(Timed),
    /// It is not there yet.
    NotYet,
    End,
}

impl Tags {
    pub fn new(input: Input, rounds: u32, damages: Damages) -> Tags {
        Tags {
            input,
            reader: Reader::new().past_damage(),
            times: TagTimes::default(),
            rounds,
            rounds_left: rounds,
            has_given: false,
            has_video: false,
            headers: Headers::default(),
            ahead: VecDeque::new(),
            ahead_ms: 0,
            leaps: 0,
            newest_ms: 0,
            damages,
        }
    }

    /// From `place` on, or from the first byte.
    ///
    /// # Errors
    /// When it cannot be read again, with the message for the owner.
    pub fn go_to(&mut self, place: Option<Place>) -> Result<(), String> {
        self.input.seek(place.as_ref().map_or(0, |place| place.offset))?;
        self.reader = Reader::new().past_damage();
        (self.times, self.rounds_left) = (TagTimes::default(), self.rounds);
        (self.headers, self.newest_ms, self.has_given) = (Headers::default(), 0, false);
        self.ahead.clear();
        if let Some(place) = place {
            self.reader = Reader::at_tag(place.offset).past_damage();
            (self.times, self.rounds_left) = (place.times, place.rounds_left);
            self.ahead = place.headers.iter().flatten().cloned().collect();
            (self.headers, self.newest_ms, self.has_given) = (place.headers, place.time_ms, true);
            self.ahead_ms = place.time_ms;
        }
        Ok(())
    }

    /// The next tag. Where the file is cut off, or damaged so that no tag is found behind, the round is over.
    pub fn next(&mut self) -> Step {
        if let Some(tag) = self.ahead.pop_front() {
            return Step::Tag(Timed { time_ms: self.ahead_ms, tag, place: None });
        }
        loop {
            let end = match self.reader.next_tag() {
                Ok(Some(tag)) => {
                    if let Some(damage) = self.reader.take_damage() {
                        self.damages.pass(&self.input.name, damage, self.newest_ms);
                    }
                    return Step::Tag(self.timed(tag));
                }
                Ok(None) => match self.input.read() {
                    Ok(Piece::Bytes(bytes)) => {
                        self.reader.push(bytes);
                        continue;
                    }
                    Ok(Piece::NotYet) => return Step::NotYet,
                    Ok(Piece::End) if self.reader.end() => continue,
                    Ok(Piece::End) => self.reader.finish().map_err(|error| self.named(&error)),
                    Err(message) => Err(message),
                },
                Err(error) => Err(self.named(&error)),
            };
            if let Err(message) = end {
                self.damages.end(message, self.newest_ms);
            }
            if !self.next_round() {
                return Step::End;
            }
        }
    }

    /// Begins the next round; false where there is none.
    fn next_round(&mut self) -> bool {
        self.rounds_left = self.rounds_left.saturating_sub(1);
        // A round without a tag would be followed by others like it.
        if self.rounds_left == 0 || !std::mem::take(&mut self.has_given) {
            self.rounds_left = 0;
            return false;
        }
        if let Err(message) = self.input.seek(0) {
            self.damages.end(message, self.newest_ms);
            return false;
        }
        self.reader = Reader::new().past_damage();
        self.times.again();
        true
    }

    fn named(&self, error: &impl Display) -> String {
        format!("{}: {error}", self.input.name)
    }

    fn timed(&mut self, tag: Tag) -> Timed {
        self.has_given = true;
        self.has_video |= tag.kind == TagKind::Video;
        let content = tag.content();
        self.keep_header(&tag, content);
        let begins_here = match content {
            Content::Key => true,
            Content::Audio => !self.has_video,
            _ => false,
        };
        let before = (begins_here && self.input.is_file()).then(|| self.times.clone());
        let (time_ms, leap) = self.times.time(tag.kind, tag.timestamp_ms, content.is_frame());
        if let Some(leap) = leap {
            self.leaps += 1;
            if self.leaps <= FILE_LEAPS_NAMED_MAX {
                let (name, offset) = (&self.input.name, self.reader.tag_offset());
                tracing::warn!(
                    "{name}: the timestamps leap from {} to {} ms at byte {offset}; the stream goes on without a gap",
                    leap.from_ms,
                    leap.to_ms
                );
            }
        }
        self.newest_ms = self.newest_ms.max(time_ms);
        let place = before.map(|times| {
            Box::new(Place {
                time_ms,
                offset: self.reader.tag_offset(),
                times,
                rounds_left: self.rounds_left,
                headers: self.headers.clone(),
            })
        });
        Timed { time_ms, tag, place }
    }

    /// A copy, because a body holds on to what was read along with it.
    fn keep_header(&mut self, tag: &Tag, content: Content) {
        let header = match (content, tag.kind) {
            (Content::Description, TagKind::Script) if is_description(&tag.body) => 0,
            (Content::Configuration, TagKind::Video) => 1,
            (Content::Configuration, TagKind::Audio) => 2,
            _ => return,
        };
        let body = Bytes::copy_from_slice(&tag.body);
        self.headers[header] = Some(Tag { body, ..tag.clone() });
    }
}

fn is_description(body: &Bytes) -> bool {
    let body = metadata::without_set_data_frame(body.clone());
    body.starts_with(b"\x02\x00\x0aonMetaData")
}
