//! Reads FLV files piece by piece.

mod recovery;

use std::collections::VecDeque;
use std::mem;

use bytes::{Buf, Bytes, BytesMut};

use super::damage::Recovery;
use super::error::FlvError;
use super::tag::{TAG_HEAD_BYTES, Tag, TagKind};

/// Bytes of the file header (E.2).
const HEADER_BYTES: usize = 9;
/// Bytes behind each tag, and behind the header (E.3).
const TAG_SIZE_BYTES: usize = 4;
/// The size of a tag, then the next one.
const BEHIND_TAG: ReaderState = ReaderState::Skip(TAG_SIZE_BYTES as u64);
/// The `Filter` bit next to the tag type (E.4.1).
const IS_ENCRYPTED: u8 = 0x20;

/// Turns pieces of a file into tags. Call [`push`](Reader::push) with a piece, then
/// [`next_tag`](Reader::next_tag) until it gives `None`; at the end of the file
/// [`finish`](Reader::finish). Used like this it holds one tag and one piece at most.
///
/// A body that lies within one piece shares its memory; one that spans pieces is put together.
///
/// Tags of unknown types are skipped, but not zeros: those are what a file system leaves of a recording
/// that lost power. The size that follows each tag is not looked at: it serves
/// players that read backwards, and real muxers write it wrong. After an error the reader gives
/// the same error each time, since nobody knows where the next tag begins; one that reads
/// [`past_damage`](Reader::past_damage) searches for it.
#[derive(Debug)]
pub struct Reader {
    pieces: VecDeque<Bytes>,
    /// Bytes in `pieces`.
    available: usize,
    /// The beginning of a body that spans pieces, so that these can be let go.
    joined: BytesMut,
    /// Where in the file the first byte of `pieces` stands.
    offset: u64,
    /// Where the last tag begins.
    tag_offset: u64,
    state: ReaderState,
    /// What a reader past damage knows besides.
    recovery: Option<Recovery>,
}

/// What comes next in the file.
///
/// ```text
///  Header ─► Skip ─► TagHead ─► Body ─► Skip (size of the tag) ─► TagHead …
///                       └─► Skip (unknown tag and its size) ──────►┘
/// ```
///
/// Past damage, `Behind` comes between `Body` and `Skip`, and `Search` instead of `Failed`.
#[derive(Debug, Clone, Copy)]
enum ReaderState {
    Header,
    /// So many bytes of no interest, then a tag.
    Skip(u64),
    TagHead,
    Body {
        kind: TagKind,
        timestamp_ms: u32,
        body_bytes: usize,
    },
    /// The last tag waits for what stands behind it.
    Behind,
    /// For the next tag behind one that is damaged and begins at `from`.
    Search {
        error: FlvError,
        from: u64,
    },
    Failed(FlvError),
}

impl Default for Reader {
    fn default() -> Reader {
        Reader::new()
    }
}

impl Reader {
    /// At the start of a file.
    pub fn new() -> Reader {
        Reader {
            pieces: VecDeque::new(),
            available: 0,
            joined: BytesMut::new(),
            offset: 0,
            tag_offset: 0,
            state: ReaderState::Header,
            recovery: None,
        }
    }

    /// In the middle of a file, at a tag that begins at byte `offset`.
    pub fn at_tag(offset: u64) -> Reader {
        Reader { offset, tag_offset: offset, state: ReaderState::TagHead, ..Reader::new() }
    }

    /// Where in the file the tag begins that came last, or of which the body is awaited.
    pub fn tag_offset(&self) -> u64 {
        self.tag_offset
    }

    /// Takes the next piece of the file, of any size.
    pub fn push(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.available += piece.len();
            self.pieces.push_back(piece);
        }
    }

    /// The next whole tag; `None` when another piece is needed.
    ///
    /// # Errors
    /// [`FlvError`] when this is no FLV file, or a tag breaks the format or is encrypted.
    pub fn next_tag(&mut self) -> Result<Option<Tag>, FlvError> {
        loop {
            let next = match self.state {
                ReaderState::Header => self.take_array().map(|bytes| header(&bytes)),
                ReaderState::Skip(bytes) => self.skip(bytes).then_some(Ok(ReaderState::TagHead)),
                ReaderState::TagHead => {
                    let offset = self.offset;
                    if self.available >= TAG_HEAD_BYTES {
                        self.tag_offset = offset;
                    }
                    self.take_array().map(|bytes| {
                        self.remember_head(bytes);
                        tag_head(&bytes, offset)
                    })
                }
                ReaderState::Body { kind, timestamp_ms, body_bytes } => {
                    match self.take(body_bytes).map(|body| Tag { kind, timestamp_ms, body }) {
                        Some(tag) if self.recovery.is_some() => self.hold(tag),
                        Some(tag) => {
                            self.state = BEHIND_TAG;
                            return Ok(Some(tag));
                        }
                        None => self.missing_body(),
                    }
                }
                ReaderState::Behind => match self.held_is_whole() {
                    None => None,
                    Some(true) => {
                        self.state = BEHIND_TAG;
                        return Ok(self.held());
                    }
                    Some(false) => Some(Err(FlvError::Length { offset: self.tag_offset })),
                },
                ReaderState::Search { error, from } => self.search(error, from),
                ReaderState::Failed(error) => return Err(error),
            };
            match next {
                None => return Ok(None),
                Some(Ok(state)) => self.state = state,
                Some(Err(error)) => self.state = self.after(error),
            }
        }
    }

    /// The file is over. Call after [`next_tag`](Reader::next_tag) gave `None`.
    ///
    /// # Errors
    /// [`FlvError::Truncated`] when it ends inside its header or a tag; the error it failed with
    /// before. A missing size behind the last tag is no error.
    pub fn finish(&self) -> Result<(), FlvError> {
        match self.state {
            ReaderState::Failed(error) => Err(error),
            ReaderState::Skip(bytes) if bytes <= TAG_SIZE_BYTES as u64 => Ok(()),
            ReaderState::TagHead if self.available == 0 => Ok(()),
            _ => Err(FlvError::Truncated { offset: self.offset + self.available as u64 }),
        }
    }

    /// Drops what there is of the next `bytes`; true when that was all of them.
    fn skip(&mut self, bytes: u64) -> bool {
        let now = usize::try_from(bytes).unwrap_or(usize::MAX).min(self.available);
        self.advance(now);
        let left = bytes - now as u64;
        self.state = ReaderState::Skip(left);
        left == 0
    }

    /// The next `N` bytes once they are all there.
    fn take_array<const N: usize>(&mut self) -> Option<[u8; N]> {
        if self.available < N {
            return None;
        }
        let mut bytes = [0; N];
        let mut filled = 0;
        while filled < N {
            let piece = self.pieces.front()?;
            let count = piece.len().min(N - filled);
            bytes[filled..filled + count].copy_from_slice(&piece[..count]);
            filled += count;
            self.advance(count);
        }
        Some(bytes)
    }

    /// The next `count` bytes once they are all there; shared if they lie in one piece.
    fn take(&mut self, count: usize) -> Option<Bytes> {
        match self.pieces.front() {
            Some(piece) if self.joined.is_empty() && piece.len() >= count => {
                let taken = piece.slice(..count);
                self.advance(count);
                Some(taken)
            }
            _ => self.join(count),
        }
    }

    fn join(&mut self, count: usize) -> Option<Bytes> {
        if self.joined.is_empty() {
            self.joined.reserve(count);
        }
        while let Some(piece) = self.pieces.front() {
            let part = piece.slice(..piece.len().min(count - self.joined.len()));
            if part.is_empty() {
                break;
            }
            self.advance(part.len());
            self.joined.extend_from_slice(&part);
        }
        (self.joined.len() == count).then(|| mem::take(&mut self.joined).freeze())
    }

    /// Drops `count` bytes, which are there.
    fn advance(&mut self, mut count: usize) {
        self.available -= count;
        self.offset += count as u64;
        while count > 0 {
            let Some(piece) = self.pieces.front_mut() else { break };
            let part = piece.len().min(count);
            piece.advance(part);
            count -= part;
            if piece.is_empty() {
                self.pieces.pop_front();
            }
        }
    }
}

/// E.2. Reserved flags and versions are not looked at: no version but 1 was ever defined.
fn header(bytes: &[u8; HEADER_BYTES]) -> Result<ReaderState, FlvError> {
    let [b'F', b'L', b'V', _version, _flags, data_offset @ ..] = *bytes else {
        return Err(FlvError::NotFlv);
    };
    let data_offset = u32::from_be_bytes(data_offset);
    match u64::from(data_offset).checked_sub(HEADER_BYTES as u64) {
        Some(more) => Ok(ReaderState::Skip(more + TAG_SIZE_BYTES as u64)),
        None => Err(FlvError::DataOffset { data_offset }),
    }
}

/// E.4.1.
fn tag_head(bytes: &[u8; TAG_HEAD_BYTES], offset: u64) -> Result<ReaderState, FlvError> {
    let &[kind, b2, b1, b0, t2, t1, t0, t3, s2, s1, s0] = bytes;
    if *bytes == [0; TAG_HEAD_BYTES] {
        return Err(FlvError::Zeros { offset });
    }
    if kind & IS_ENCRYPTED != 0 {
        return Err(FlvError::Encrypted { offset });
    }
    let stream_id = u32::from_be_bytes([0, s2, s1, s0]);
    if stream_id != 0 {
        return Err(FlvError::StreamId { offset, stream_id });
    }
    let timestamp_ms = u32::from_be_bytes([t3, t2, t1, t0]);
    let body_length = u32::from_be_bytes([0, b2, b1, b0]);
    let kind = match kind & 0x1F {
        8 => TagKind::Audio,
        9 => TagKind::Video,
        18 => TagKind::Script,
        _ => return Ok(ReaderState::Skip(u64::from(body_length) + TAG_SIZE_BYTES as u64)),
    };
    let body_bytes = body_length as usize; // 24 bits
    Ok(ReaderState::Body { kind, timestamp_ms, body_bytes })
}

#[cfg(test)]
mod tests {
    use super::super::writer;
    use super::*;

    fn tag(kind: TagKind, timestamp_ms: u32, body: &'static [u8]) -> Tag {
        Tag { kind, timestamp_ms, body: Bytes::from_static(body) }
    }

    fn tags() -> Vec<Tag> {
        vec![
            tag(TagKind::Script, 0, b"\x02\x00\x0aonMetaData"),
            tag(TagKind::Video, 0, &[0x17, 0, 0, 0, 0]),
            tag(TagKind::Audio, 0xFF_FFFF, &[0xAF, 1, 7]),
            tag(TagKind::Video, 0x100_0000, &[]),
            tag(TagKind::Video, u32::MAX, &[0x27; 300]),
        ]
    }

    fn append(file: &mut Vec<u8>, head: &[u8], body: &[u8]) {
        file.extend_from_slice(head);
        file.extend_from_slice(body);
        file.extend_from_slice(&writer::previous_tag_size(body.len()));
    }

    fn file(tags: &[Tag]) -> Vec<u8> {
        let mut file = writer::header(true, true).to_vec();
        for Tag { kind, timestamp_ms, body } in tags {
            append(&mut file, &writer::tag(*kind, *timestamp_ms, body.len()), body);
        }
        file
    }

    fn read(pieces: &[&[u8]]) -> (Vec<Tag>, Result<(), FlvError>) {
        let mut reader = Reader::new();
        let mut tags = Vec::new();
        for piece in pieces {
            reader.push(Bytes::copy_from_slice(piece));
            loop {
                match reader.next_tag() {
                    Ok(Some(tag)) => tags.push(tag),
                    Ok(None) => break,
                    Err(error) => return (tags, Err(error)),
                }
            }
        }
        (tags, reader.finish())
    }

    #[test]
    fn what_is_written_is_read_back_split_at_any_byte() {
        let file = file(&tags());
        assert_eq!(read(&[&file]), (tags(), Ok(())));
        for at in 0..=file.len() {
            let (first, second) = file.split_at(at);
            assert_eq!(read(&[first, second]), (tags(), Ok(())), "split at {at}");
        }
        let bytes: Vec<&[u8]> = file.chunks(1).collect();
        assert_eq!(read(&bytes), (tags(), Ok(())));
    }

    #[test]
    fn a_file_cut_at_any_byte_gives_its_whole_tags_and_says_where_it_ends() {
        let file = file(&tags());
        let mut ends = vec![13];
        for tag in tags() {
            ends.push(ends.last().expect("not empty") + 11 + tag.body.len() + 4);
        }
        for len in 0..file.len() {
            let (tags, end) = read(&[&file[..len]]);
            // The last of the four bytes behind a tag need not be there.
            let whole = ends.iter().filter(|&&end| end - 4 <= len).count();
            assert_eq!(tags.len(), whole.saturating_sub(1), "cut at {len}");
            let is_whole = ends.iter().any(|&end| (end - 4..=end).contains(&len));
            let truncated = Err(FlvError::Truncated { offset: len as u64 });
            assert_eq!(end, if is_whole { Ok(()) } else { truncated }, "cut at {len}");
        }
    }

    #[test]
    fn a_body_within_one_piece_shares_its_memory() {
        let piece = Bytes::from(file(&tags()));
        let mut reader = Reader::new();
        reader.push(piece.clone());
        while let Ok(Some(tag)) = reader.next_tag() {
            assert!(piece.as_ptr_range().contains(&tag.body.as_ptr()));
        }
        assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn of_a_body_that_spans_pieces_none_is_kept() {
        let mut file = writer::header(true, true).to_vec();
        append(&mut file, &writer::tag(TagKind::Video, 0, 100_000), &[7; 100_000]);
        let mut reader = Reader::new();
        let mut pieces = file.chunks(10_000).map(Bytes::copy_from_slice).peekable();
        while let Some(piece) = pieces.next().filter(|_| pieces.peek().is_some()) {
            reader.push(piece.clone());
            assert_eq!(reader.next_tag(), Ok(None));
            assert!(piece.is_unique(), "it could be read into again");
        }
        reader.push(Bytes::copy_from_slice(&file[100_000..]));
        let whole = reader.next_tag().unwrap().expect("a tag");
        assert_eq!(whole, tag(TagKind::Video, 0, &[7; 100_000]));
    }

    #[test]
    fn a_longer_header_is_skipped() {
        let mut file = file(&tags());
        file[8] = 9 + 5;
        file.splice(9..9, [0xEE; 5]);
        assert_eq!(read(&[&file]), (tags(), Ok(())));
    }

    #[test]
    fn unknown_tags_and_wrong_tag_sizes_are_passed_over() {
        let mut file = writer::header(true, true).to_vec();
        let mut unknown = writer::tag(TagKind::Audio, 0, 3);
        unknown[0] = 15;
        append(&mut file, &unknown, &[1, 2, 3]);
        append(&mut file, &writer::tag(TagKind::Audio, 5, 1), &[0xAF]);
        let size_at = file.len() - 4;
        file[size_at..].copy_from_slice(&[0xFF; 4]);
        append(&mut file, &writer::tag(TagKind::Audio, 6, 1), &[0xAF]);
        let expected = vec![tag(TagKind::Audio, 5, &[0xAF]), tag(TagKind::Audio, 6, &[0xAF])];
        assert_eq!(read(&[&file]), (expected, Ok(())));
    }

    #[test]
    fn an_unknown_tag_of_any_size_takes_no_memory() {
        let mut head = writer::tag(TagKind::Audio, 0, 0xFF_FFFF);
        head[0] = 15;
        let mut reader = Reader::new();
        reader.push(Bytes::copy_from_slice(&writer::header(true, true)));
        reader.push(Bytes::copy_from_slice(&head));
        for _ in 0..0xFF_FFFF / 0x1_0000 {
            reader.push(Bytes::from_static(&[0; 0x1_0000]));
            assert_eq!(reader.next_tag(), Ok(None));
            assert_eq!(reader.available, 0);
        }
    }

    #[test]
    fn what_breaks_the_format_is_named_with_its_place_and_stays_an_error() {
        let broken = |change: fn(&mut [u8])| {
            let mut file = file(&tags()[..2]);
            change(&mut file);
            let (_, first) = read(&[&file]);
            let mut reader = Reader::new();
            reader.push(file.into());
            while let Ok(Some(_)) = reader.next_tag() {}
            assert_eq!(reader.next_tag().map(drop), first);
            assert_eq!(reader.finish(), first);
            first
        };
        let offset = 13 + 11 + 13 + 4; // where the second tag begins
        assert_eq!(broken(|file| file[0] = b'f'), Err(FlvError::NotFlv));
        assert_eq!(broken(|file| file[8] = 8), Err(FlvError::DataOffset { data_offset: 8 }));
        assert_eq!(broken(|file| file[41] |= 0x20), Err(FlvError::Encrypted { offset }));
        let stream_id = FlvError::StreamId { offset, stream_id: 0x01_0000 };
        assert_eq!(broken(|file| file[41 + 8] = 1), Err(stream_id));
        let zeros = Err(FlvError::Zeros { offset });
        assert_eq!(broken(|file| file[41..].fill(0)), zeros);
    }

    #[test]
    fn a_body_may_be_as_long_as_the_format_allows() {
        let mut file = writer::header(true, true).to_vec();
        append(&mut file, &writer::tag(TagKind::Video, 0, 0xFF_FFFF), &[7; 0xFF_FFFF]);
        let (tags, end) = read(&[&file]);
        assert_eq!((tags.len(), tags[0].body.len(), end), (1, 0xFF_FFFF, Ok(())));
    }

    #[test]
    fn reading_goes_on_where_a_tag_begins() {
        let file = file(&tags());
        let mut first = Reader::new();
        first.push(Bytes::copy_from_slice(&file));
        for (read, tag) in tags().into_iter().enumerate() {
            assert_eq!(first.next_tag(), Ok(Some(tag)));
            let offset = first.tag_offset();
            let mut second = Reader::at_tag(offset);
            second.push(Bytes::copy_from_slice(&file[offset as usize..]));
            let rest: Vec<_> = std::iter::from_fn(|| second.next_tag().unwrap()).collect();
            assert_eq!(rest, tags()[read..]);
            assert_eq!(second.finish(), Ok(()));
        }
    }

    #[test]
    fn an_error_names_the_byte() {
        let error = FlvError::Encrypted { offset: 41 };
        assert_eq!(error.to_string(), "the tag at byte 41 is encrypted");
    }

    #[test]
    fn noise_gives_tags_or_an_error_within_its_own_length() {
        let mut rng = fastrand::Rng::with_seed(2);
        let good = file(&tags());
        for _ in 0..20_000 {
            let mut file = good.clone();
            for _ in 0..rng.usize(1..6) {
                let at = rng.usize(..file.len());
                file[at] = rng.u8(..);
            }
            let at = rng.usize(..file.len());
            let (first, second) = file.split_at(at);
            let (tags, _) = read(&[first, second]);
            let bytes: usize = tags.iter().map(|tag| 11 + tag.body.len()).sum();
            assert!(bytes <= file.len());
        }
    }
}
