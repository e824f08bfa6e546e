//! What a message costs once a session has found its size: no allocation and no copy of the payload.

use std::io::IoSlice;

use crate::pair::{Pair, payload};
use bytes::{Buf, Bytes};
use firstmile::rtmp::{ConnectOrder, Session};
use stats_alloc::Region;

use crate::{ALLOCATOR, alone};

/// Some seconds of media: a key frame, then small frames with audio between them.
fn send_a_gop(session: &mut Session, frames: &[Bytes], timestamp_ms: &mut u64) {
    for frame in frames {
        session.send_video(*timestamp_ms, &[0x27, 1, 0, 0, 0], frame.clone());
        session.send_audio(*timestamp_ms, &[0xAF, 1], frame.slice(..300));
        *timestamp_ms += 33;
        write_all(session);
    }
}

/// As a driver does it with `writev`.
fn write_all(session: &mut Session) {
    let out = session.transmit();
    while out.has_remaining() {
        let mut slices = [IoSlice::new(&[]); 64];
        let filled = out.chunks_vectored(&mut slices);
        let count = slices[..filled].iter().map(|slice| slice.len()).sum();
        out.advance(count);
    }
    assert_eq!(session.poll_event(), None);
}

#[test]
fn a_message_costs_no_allocation_and_no_copy() {
    let _turn = alone();
    let mut pair = Pair::friendly(ConnectOrder::Conforming);
    pair.run_to(std::time::Duration::from_secs(1));
    assert!(pair.accepted());
    let mut session = pair.client;
    let frames: Vec<Bytes> =
        (0..60).map(|n| payload(n, if n == 0 { 250_000 } else { 20_000 })).collect();
    // `Bytes` that came from a `Vec` becomes shareable, once, when it is first cloned.
    let _shared = frames.clone();
    let mut timestamp_ms = 0xFF_A000; // extended timestamps included
    send_a_gop(&mut session, &frames, &mut timestamp_ms);
    let region = Region::new(ALLOCATOR);
    for _ in 0..20 {
        send_a_gop(&mut session, &frames, &mut timestamp_ms);
    }
    let change = region.change();
    assert!(timestamp_ms > 0xFF_FFFF);
    assert_eq!((change.allocations, change.reallocations, change.bytes_allocated), (0, 0, 0));
}
