//! What a session wants written: whole messages, cut into chunks only while they are being read.

use std::{collections::VecDeque, fmt, io::IoSlice};

use bytes::{Buf, Bytes};

use crate::limits::RTMP_OUT_HIGH_WATER_BYTES;

/// The longest chunk header this side writes: a one-byte basic header, a type 0 message header
/// and an extended timestamp (RTMP 1.0 section 5.3.1).
pub(crate) const CHUNK_HEADER_BYTES_MAX: usize = 1 + 11 + 4;
/// The longest head a message may have in front of its body.
pub const MESSAGE_HEAD_BYTES_MAX: usize = 16;
/// A type 3 header with its extended timestamp.
pub(crate) const CONTINUATION_BYTES_MAX: usize = 1 + 4;

const PREFIX_BYTES_MAX: usize = CHUNK_HEADER_BYTES_MAX + MESSAGE_HEAD_BYTES_MAX;

/// Bytes waiting for the peer, in order; a [`Buf`] whose `chunks_vectored` suits `writev`.
///
/// One entry is one message: its chunk headers live inline, its body is a shared [`Bytes`], and
/// chunk borders are computed while the entry is read. Queueing therefore copies no payload and,
/// once the queue has reached its usual length, allocates nothing.
#[derive(Default)]
pub struct Outbound {
    entries: VecDeque<Entry>,
    /// Waiting entries of [`Class::Urgent`].
    urgent: usize,
    bytes: usize,
    high_water: usize,
    queued: u64,
    taken: u64,
}

/// What may overtake what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Handshake and commands: strictly in order.
    Ordered,
    /// Audio, video and data: may be overtaken between messages.
    Media,
    /// Answers to the peer's control messages: overtake media.
    Urgent,
}

/// One message, or raw handshake bytes.
pub(crate) struct Entry {
    /// First chunk header, then the message's own head.
    prefix: [u8; PREFIX_BYTES_MAX],
    header_len: usize,
    head_len: usize,
    /// The header of every further chunk of this message.
    continuation: [u8; CONTINUATION_BYTES_MAX],
    continuation_len: usize,
    chunk_size: usize,
    body: Bytes,
    /// Bytes already taken.
    at: usize,
    class: Class,
}

impl Entry {
    /// A message. `head` and `body` together are its payload; `head` is at most
    /// [`MESSAGE_HEAD_BYTES_MAX`] bytes, the headers are the chunk writer's.
    pub(crate) fn message(
        class: Class,
        header: &[u8],
        continuation: &[u8],
        chunk_size: usize,
        head: &[u8],
        body: Bytes,
    ) -> Entry {
        let mut prefix = [0; PREFIX_BYTES_MAX];
        prefix[..header.len()].copy_from_slice(header);
        prefix[header.len()..header.len() + head.len()].copy_from_slice(head);
        let mut repeated = [0; CONTINUATION_BYTES_MAX];
        repeated[..continuation.len()].copy_from_slice(continuation);
        Entry {
            prefix,
            header_len: header.len(),
            head_len: head.len(),
            continuation: repeated,
            continuation_len: continuation.len(),
            chunk_size: chunk_size.max(1),
            body,
            at: 0,
            class,
        }
    }

    fn payload_len(&self) -> usize {
        self.head_len + self.body.len()
    }

    /// Bytes on the wire, with all headers.
    fn len(&self) -> usize {
        let further_chunks = self.payload_len().saturating_sub(1) / self.chunk_size;
        self.header_len + self.payload_len() + further_chunks * self.continuation_len
    }

    /// The longest contiguous piece at wire position `at`, which is below [`Entry::len`].
    fn piece(&self, at: usize) -> &[u8] {
        if at < self.header_len {
            return &self.prefix[at..self.header_len + self.head_len.min(self.chunk_size)];
        }
        let first_chunk = self.header_len + self.payload_len().min(self.chunk_size);
        if at < first_chunk {
            return self.payload(at - self.header_len);
        }
        let stride = self.continuation_len + self.chunk_size;
        let (chunk, within) = ((at - first_chunk) / stride, (at - first_chunk) % stride);
        if within < self.continuation_len {
            return &self.continuation[within..self.continuation_len];
        }
        self.payload((chunk + 1) * self.chunk_size + within - self.continuation_len)
    }

    /// The payload from `offset` to the end of its chunk, or of the head.
    fn payload(&self, offset: usize) -> &[u8] {
        let chunk_end = (offset / self.chunk_size + 1) * self.chunk_size;
        let end = chunk_end.min(self.payload_len());
        if offset < self.head_len {
            let head_end = self.header_len + self.head_len.min(end);
            return &self.prefix[self.header_len + offset..head_end];
        }
        &self.body[offset - self.head_len..end - self.head_len]
    }
}

impl Outbound {
    /// Bytes waiting.
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Whether as much waits as may: no further frame should be handed to the session
    /// ([`RTMP_OUT_HIGH_WATER_BYTES`]).
    pub fn is_full(&self) -> bool {
        self.bytes >= RTMP_OUT_HIGH_WATER_BYTES
    }

    /// The most bytes that ever waited.
    pub fn high_water(&self) -> usize {
        self.high_water
    }

    /// All bytes ever queued.
    pub fn queued(&self) -> u64 {
        self.queued
    }

    /// All bytes ever handed to the transport.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Answers that overtook media and still wait.
    pub(crate) fn urgent(&self) -> usize {
        self.urgent
    }

    /// Queues bytes that are not chunked: the handshake.
    pub(crate) fn push_raw(&mut self, bytes: Bytes) {
        self.push(Entry::message(Class::Ordered, &[], &[], usize::MAX / 2, &[], bytes));
    }

    /// Queues an entry: at the end, or, when it is urgent, before the first media message of which
    /// no byte was written.
    pub(crate) fn push(&mut self, entry: Entry) {
        self.bytes += entry.len();
        self.queued += entry.len() as u64;
        self.high_water = self.high_water.max(self.bytes);
        if entry.class != Class::Urgent {
            return self.entries.push_back(entry);
        }
        let overtaken = |entry: &Entry| entry.class == Class::Media && entry.at == 0;
        let place = self.entries.iter().position(overtaken).unwrap_or(self.entries.len());
        self.entries.insert(place, entry);
        self.urgent += 1;
    }

    /// Drops media of which no byte was written; the caller starts each chunk stream again with a type 0 header.
    pub(crate) fn cancel_media(&mut self) {
        let mut cancelled = 0;
        self.entries.retain(|entry| {
            let keep = entry.class != Class::Media || entry.at > 0;
            if !keep {
                cancelled += entry.len();
            }
            keep
        });
        self.bytes -= cancelled;
        self.queued -= cancelled as u64;
    }
}

impl Buf for Outbound {
    fn remaining(&self) -> usize {
        self.bytes
    }

    fn chunk(&self) -> &[u8] {
        self.entries.front().map_or(&[], |entry| entry.piece(entry.at))
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for entry in &self.entries {
            let (mut at, len) = (entry.at, entry.len());
            while at < len {
                if filled == slices.len() {
                    return filled;
                }
                let piece = entry.piece(at);
                slices[filled] = IoSlice::new(piece);
                filled += 1;
                at += piece.len();
            }
        }
        filled
    }

    fn advance(&mut self, count: usize) {
        assert!(count <= self.bytes, "advanced past the end of the outbound queue");
        self.bytes -= count;
        self.taken += count as u64;
        let mut left = count;
        while left > 0 {
            // Entries are never empty and their lengths add up to `bytes`, so a front exists.
            let Some(front) = self.entries.front_mut() else { return };
            let rest = front.len() - front.at;
            if left < rest {
                front.at += left;
                return;
            }
            left -= rest;
            self.urgent -= usize::from(front.class == Class::Urgent);
            self.entries.pop_front();
        }
    }
}

/// Shows lengths only: a queued `publish` carries the stream key.
impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound")
            .field("messages", &self.entries.len())
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message of `len` bytes in chunks of 4 with recognisable headers.
    fn message(class: Class, header: u8, len: u8) -> Entry {
        let body: Vec<u8> = (2..len).collect();
        Entry::message(class, &[header, header], &[0xC0], 4, &[0, 1], Bytes::from(body))
    }

    fn take(out: &mut Outbound, count: usize) -> Vec<u8> {
        out.copy_to_bytes(count).to_vec()
    }

    fn take_all(out: &mut Outbound) -> Vec<u8> {
        take(out, out.remaining())
    }

    #[test]
    fn a_message_is_cut_into_chunks_across_head_and_body() {
        let mut out = Outbound::default();
        out.push(message(Class::Media, 0xA0, 9));
        assert_eq!(out.len(), 2 + 9 + 2);
        let wire = [0xA0, 0xA0, 0, 1, 2, 3, 0xC0, 4, 5, 6, 7, 0xC0, 8];
        assert_eq!(take_all(&mut out), wire);
        assert_eq!((out.len(), out.queued(), out.taken(), out.high_water()), (0, 13, 13, 13));
    }

    #[test]
    fn a_chunk_may_be_shorter_than_the_head() {
        for (chunk_size, wire) in [
            (1, vec![0xA0, 0, 0xC0, 1, 0xC0, 2, 0xC0, 3]),
            (2, vec![0xA0, 0, 1, 0xC0, 2, 3]),
            (3, vec![0xA0, 0, 1, 2, 0xC0, 3]),
            (4, vec![0xA0, 0, 1, 2, 3]),
        ] {
            let mut out = Outbound::default();
            let body = Bytes::from_static(&[3]);
            let head = [0, 1, 2];
            out.push(Entry::message(Class::Media, &[0xA0], &[0xC0], chunk_size, &head, body));
            assert_eq!(take_all(&mut out), wire, "{chunk_size}");
        }
    }

    #[test]
    fn any_way_of_taking_gives_the_same_bytes() {
        let fill = || {
            let mut out = Outbound::default();
            out.push_raw(Bytes::from_static(b"handshake"));
            (2..40).for_each(|len| out.push(message(Class::Media, len, len)));
            out
        };
        let wire = take_all(&mut fill());
        for step in 1..60 {
            let mut out = fill();
            let mut taken = Vec::new();
            while out.has_remaining() {
                let mut slices = [IoSlice::new(&[]); 3];
                let filled = out.chunks_vectored(&mut slices);
                let there: Vec<u8> =
                    slices[..filled].iter().flat_map(|slice| slice.iter()).copied().collect();
                assert!(there.starts_with(out.chunk()));
                let count = step.min(there.len());
                taken.extend_from_slice(&there[..count]);
                out.advance(count);
            }
            assert_eq!(taken, wire, "steps of {step}");
        }
    }

    #[test]
    fn urgent_messages_overtake_media_between_messages_and_nothing_else() {
        for (begun, wire) in [(0, "hU1V1A11B11"), (1, "hU1V1A11B11"), (2, "hA11U1V1B11")] {
            let mut out = Outbound::default();
            let short = |class, name: &'static [u8]| {
                Entry::message(class, &name[..1], &[], 9, &[], Bytes::from_static(&name[1..]))
            };
            out.push_raw(Bytes::from_static(b"h"));
            out.push(short(Class::Media, b"A11"));
            out.push(short(Class::Media, b"B11"));
            let mut taken = take(&mut out, begun);
            out.push(short(Class::Urgent, b"U1"));
            out.push(short(Class::Urgent, b"V1"));
            assert_eq!(out.urgent(), 2);
            taken.extend(take_all(&mut out));
            assert_eq!(String::from_utf8(taken).unwrap(), wire, "{begun} bytes taken");
            assert_eq!(out.urgent(), 0);
        }
    }

    #[test]
    fn cancelled_media_leaves_what_has_begun_and_what_is_no_media() {
        let mut out = Outbound::default();
        for header in [0xA0, 0xB0] {
            out.push(message(Class::Media, header, 4));
        }
        out.push(message(Class::Ordered, 0xD0, 4));
        take(&mut out, 1);
        out.cancel_media();
        assert_eq!(out.len(), 5 + 6);
        assert_eq!(out.queued(), 1 + 5 + 6);
        assert_eq!(take_all(&mut out), [0xA0, 0, 1, 2, 3, 0xD0, 0xD0, 0, 1, 2, 3]);
    }

    #[test]
    fn debugging_shows_no_byte_of_what_waits() {
        let mut out = Outbound::default();
        out.push_raw(Bytes::from_static(b"canary"));
        assert_eq!(format!("{out:?}"), "Outbound { messages: 1, bytes: 6, .. }");
    }
}
