//! How a reader gets past what is damaged in a file.
//!
//! A damaged head is known by itself; a damaged length by what stands at its end, which is neither the size of
//! this tag nor another tag. From the byte behind the begin of such a tag on, the next one is searched for: a
//! head, and behind the body that it promises its size once more. In the body of a tag nothing looks like that:
//! no codec has three zero bytes there, and thirty-two bits would have to fit besides.

use bytes::Bytes;

use super::super::damage::{Damage, Recovery};
use super::super::error::FlvError;
use super::super::tag::{TAG_HEAD_BYTES, Tag, TagKind};
use super::{Reader, ReaderState, TAG_SIZE_BYTES, tag_head};
use crate::limits::FILE_SEARCH_BYTES_MAX;

impl Reader {
    /// The same, which searches for the next tag behind what is damaged. It gives a tag once the size
    /// behind it is there, and at the [`end`](Reader::end) of the file those that have none.
    #[must_use]
    pub fn past_damage(mut self) -> Reader {
        self.recovery = Some(Recovery::default());
        self
    }

    /// No more pieces come; there may be tags that waited for some. False when that is known already.
    pub fn end(&mut self) -> bool {
        self.recovery
            .as_mut()
            .is_some_and(|recovery| !std::mem::replace(&mut recovery.is_over, true))
    }

    /// What was damaged before the last tag, once.
    pub fn take_damage(&mut self) -> Option<Damage> {
        self.recovery.as_mut()?.damage.take()
    }

    pub(super) fn remember_head(&mut self, head: [u8; TAG_HEAD_BYTES]) {
        if let Some(recovery) = &mut self.recovery {
            recovery.head = head;
        }
    }

    pub(super) fn hold(&mut self, tag: Tag) -> Option<Result<ReaderState, FlvError>> {
        self.recovery.as_mut()?.held = Some(tag);
        Some(Ok(ReaderState::Behind))
    }

    pub(super) fn held(&mut self) -> Option<Tag> {
        self.recovery.as_mut()?.held.take()
    }

    /// The body is not all there: at the end of a file the length may be wrong.
    pub(super) fn missing_body(&self) -> Option<Result<ReaderState, FlvError>> {
        let offset = self.offset + self.available as u64;
        self.is_over().then_some(Err(FlvError::Truncated { offset }))
    }

    /// Whether the tag that is held ends where it should; `None` while that is open.
    pub(super) fn held_is_whole(&self) -> Option<bool> {
        let body = &self.recovery.as_ref()?.held.as_ref()?.body;
        let (Some(size), next) = (self.peek(0), self.peek(TAG_SIZE_BYTES)) else {
            return self.is_over().then_some(true);
        };
        if u32::from_be_bytes(size) as usize == TAG_HEAD_BYTES + body.len() {
            return Some(true);
        }
        // Real muxers write sizes that are wrong.
        let Some(next) = next else { return self.is_over().then_some(true) };
        let hole_begins_here = size == [0; TAG_SIZE_BYTES]
            && next == [0; TAG_HEAD_BYTES]
            && body.iter().rev().take(TAG_SIZE_BYTES).any(|byte| *byte != 0);
        Some(hole_begins_here || tag_head(&next, 0).is_ok())
    }

    /// What follows an error.
    pub(super) fn after(&mut self, error: FlvError) -> ReaderState {
        let is_searched = matches!(self.state, ReaderState::Search { .. } | ReaderState::Header);
        let Some(recovery) = self.recovery.as_mut().filter(|_| !is_searched) else {
            return ReaderState::Failed(error);
        };
        let head = Bytes::copy_from_slice(&recovery.head);
        let body = recovery.held.take().map(|tag| tag.body);
        let body = body.unwrap_or_else(|| std::mem::take(&mut self.joined).freeze());
        for part in [body, head] {
            if !part.is_empty() {
                self.available += part.len();
                self.offset -= part.len() as u64;
                self.pieces.push_front(part);
            }
        }
        self.advance(1);
        ReaderState::Search { error, from: self.tag_offset }
    }

    /// Goes to the next tag; `None` when that needs another piece.
    pub(super) fn search(
        &mut self,
        error: FlvError,
        from: u64,
    ) -> Option<Result<ReaderState, FlvError>> {
        loop {
            self.skip_to_a_kind();
            if self.offset - from > FILE_SEARCH_BYTES_MAX {
                return Some(Err(error));
            }
            let Some(head) = self.peek(0) else {
                return self.is_over().then_some(Err(error));
            };
            let Some(body_bytes) = plausible_body(&head) else {
                self.advance(1);
                continue;
            };
            let size_at = TAG_HEAD_BYTES + body_bytes;
            match self.peek(size_at) {
                Some(size) if u32::from_be_bytes(size) as usize == size_at => {
                    let error = match error {
                        FlvError::Truncated { .. } => FlvError::Length { offset: from },
                        error => error,
                    };
                    self.recovery.as_mut()?.damage =
                        Some(Damage { error, goes_on_at: self.offset });
                    return Some(Ok(ReaderState::TagHead));
                }
                None if !self.is_over() => return None,
                _ => self.advance(1),
            }
        }
    }

    fn is_over(&self) -> bool {
        self.recovery.as_ref().is_some_and(|recovery| recovery.is_over)
    }

    /// Drops what cannot be the first byte of a tag.
    fn skip_to_a_kind(&mut self) {
        while let Some(piece) = self.pieces.front() {
            let (length, found) = (piece.len(), piece.iter().position(|byte| is_kind(*byte)));
            self.advance(found.unwrap_or(length));
            if found.is_some() {
                return;
            }
        }
    }

    /// `N` bytes that stand `at` bytes further on, if they are there.
    fn peek<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        if self.available < at + N {
            return None;
        }
        let mut bytes = [0; N];
        let (mut skip, mut filled) = (at, 0);
        for piece in &self.pieces {
            let rest = piece.get(skip..).unwrap_or_default();
            skip = skip.saturating_sub(piece.len());
            let count = rest.len().min(N - filled);
            bytes[filled..filled + count].copy_from_slice(&rest[..count]);
            filled += count;
            if filled == N {
                break;
            }
        }
        Some(bytes)
    }
}

fn is_kind(byte: u8) -> bool {
    const AUDIO: u8 = TagKind::Audio as u8;
    const VIDEO: u8 = TagKind::Video as u8;
    const SCRIPT: u8 = TagKind::Script as u8;
    matches!(byte, AUDIO | VIDEO | SCRIPT)
}

/// How long the body is that this promises, if it may be the head of a tag.
fn plausible_body(head: &[u8; TAG_HEAD_BYTES]) -> Option<usize> {
    match tag_head(head, 0) {
        Ok(ReaderState::Body { body_bytes, .. }) => Some(body_bytes),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flv::writer;

    /// Where each tag begins, and the file.
    fn file(tags: usize) -> (Vec<usize>, Vec<u8>) {
        let mut file = writer::header(true, true).to_vec();
        let begins = (0..tags).map(|n| {
            let begin = file.len();
            let kind = if n % 2 == 0 { TagKind::Video } else { TagKind::Audio };
            let body: Vec<u8> = (0..100 + n).map(|at| (at * 7 + n) as u8 | 1).collect();
            file.extend(writer::tag(kind, n as u32 * 20, body.len()));
            file.extend_from_slice(&body);
            file.extend(writer::previous_tag_size(body.len()));
            begin
        });
        (begins.collect(), file)
    }

    type Read = (Vec<u32>, Vec<Damage>, Result<(), FlvError>);

    /// The times of the tags that are found, in pieces of this length.
    fn read(file: &[u8], piece_bytes: usize) -> Read {
        let mut reader = Reader::new().past_damage();
        let (mut times, mut damages) = (Vec::new(), Vec::new());
        let mut pieces = file.chunks(piece_bytes);
        loop {
            match reader.next_tag() {
                Ok(Some(tag)) => {
                    times.push(tag.timestamp_ms);
                    damages.extend(reader.take_damage());
                }
                Ok(None) => match pieces.next() {
                    Some(piece) => reader.push(Bytes::copy_from_slice(piece)),
                    None if reader.end() => {}
                    None => return (times, damages, reader.finish()),
                },
                Err(error) => return (times, damages, Err(error)),
            }
        }
    }

    fn all_but(tags: usize, lost: std::ops::Range<usize>) -> Vec<u32> {
        (0..tags).filter(|n| !lost.contains(n)).map(|n| n as u32 * 20).collect()
    }

    #[test]
    fn a_whole_file_and_one_cut_anywhere_read_as_without_recovery() {
        let (begins, file) = file(6);
        for piece_bytes in [1, 50, 10_000] {
            assert_eq!(read(&file, piece_bytes), (all_but(6, 6..6), vec![], Ok(())));
        }
        let ends: Vec<usize> = begins.iter().copied().skip(1).chain([file.len()]).collect();
        for length in 13..file.len() {
            let whole = ends.iter().filter(|end| **end - 4 <= length).count();
            let (times, damages, end) = read(&file[..length], 64);
            assert_eq!((times.len(), damages.len()), (whole, 0), "{length} bytes");
            let mut ends = begins.iter().chain(&ends);
            let is_whole = ends.any(|end| (end - 4..=*end).contains(&length));
            assert_eq!(end.is_ok(), is_whole, "{length} bytes");
        }
    }

    #[test]
    fn every_damage_loses_the_tags_that_it_touches_and_names_both_places() {
        let (begins, file) = file(9);
        type Change = fn(&mut [u8]);
        let damages: [(&str, Change); 7] = [
            ("another stream id", |tag| tag[9] = 7),
            ("encrypted", |tag| tag[0] |= 0x20),
            ("longer by some", |tag| tag[3] += 9),
            ("shorter by some", |tag| tag[3] -= 9),
            ("longer than the file", |tag| tag[1] = 0xFF),
            ("zeros up to the middle of the body", |tag| tag[..60].fill(0)),
            ("noise", |tag| tag.iter_mut().enumerate().for_each(|(n, b)| *b = (n * 89 + 41) as u8)),
        ];
        for (what, change) in damages {
            for piece_bytes in [1, 97, 100_000] {
                let mut damaged = file.clone();
                change(&mut damaged[begins[4]..begins[5]]);
                let (times, found, end) = read(&damaged, piece_bytes);
                assert_eq!(times, all_but(9, 4..5), "{what}");
                let goes_on_at: Vec<_> = found.iter().map(|damage| damage.goes_on_at).collect();
                assert_eq!((goes_on_at, end), (vec![begins[5] as u64], Ok(())), "{what}");
                let text = found[0].error.to_string();
                assert!(text.contains(&format!("byte {}", begins[4])), "{what}: {text}");
            }
        }
    }

    #[test]
    fn a_hole_over_several_tags_and_bytes_that_are_missing_lose_no_others() {
        let (begins, file) = file(9);
        let mut holed = file.clone();
        holed[begins[2] + 30..begins[5] + 30].fill(0);
        let (times, found, end) = read(&holed, 64);
        assert_eq!((times, found.len(), end), (all_but(9, 2..6), 1, Ok(())));
        let missing = [&file[..begins[2] + 30], &file[begins[5] + 30..]].concat();
        let (times, found, end) = read(&missing, 64);
        assert_eq!((times, found.len(), end), (all_but(9, 2..6), 1, Ok(())));
    }

    #[test]
    fn a_tag_that_ends_where_a_hole_begins_is_whole_and_so_is_one_between_two_damages() {
        let (begins, file) = file(9);
        let mut holed = file.clone();
        holed[begins[3] - 4..begins[4]].fill(0);
        assert_eq!(read(&holed, 64).0, all_but(9, 3..4));
        let mut twice = file.clone();
        for tag in [3, 5] {
            twice[begins[tag] + 9] = 7;
        }
        let (times, found, _) = read(&twice, 64);
        assert!(times.contains(&80) && times.len() == 7 && found.len() == 2, "{times:?}");
    }

    #[test]
    fn the_search_ends_after_its_bound() {
        let (_, mut damaged) = file(3);
        damaged.resize(damaged.len() + FILE_SEARCH_BYTES_MAX as usize + 1_000, 0);
        let (_, tail) = file(3);
        damaged.extend_from_slice(&tail[13..]);
        let (times, found, end) = read(&damaged, 1 << 20);
        assert_eq!((times.len(), found.len()), (3, 0));
        assert!(matches!(end, Err(FlvError::Zeros { .. })), "{end:?}");
    }

    #[test]
    fn noise_is_read_to_its_end_without_a_tag_that_was_not_there() {
        let mut rng = fastrand::Rng::with_seed(5);
        let (_, good) = file(8);
        for _ in 0..3_000 {
            let mut damaged = good.clone();
            for _ in 0..rng.usize(1..20) {
                let at = rng.usize(13..damaged.len());
                damaged[at] = rng.u8(..);
            }
            let (times, ..) = read(&damaged, 1 + rng.usize(..200));
            assert!(times.len() <= 8, "{times:?}");
        }
    }
}
