//! What is asserted of any bytes: one function for each fuzz target.
//!
//! `fuzz/fuzz_targets` hands them libFuzzer's inputs, `tests/pure/fuzz_seeds.rs` the committed seeds. Each
//! function says whether its input was understood to the end, so that seeds can be held to that.

pub mod flv;
pub mod rtmp;
pub mod session;
pub mod text;

use fastrand::Rng;

/// A target: what it is called and what is asserted.
pub type Target = (&'static str, fn(&[u8]) -> bool);

/// Every target, by the name of its file in `fuzz/fuzz_targets` and of its folder in `fuzz/seeds`.
pub const TARGETS: &[Target] = &[
    ("handshake", rtmp::handshake),
    ("chunk_reader", rtmp::chunk_reader),
    ("amf0", rtmp::amf0),
    ("message", rtmp::message),
    ("session", session::publisher),
    ("ingest", session::ingest),
    ("url", text::url),
    ("flv_reader", flv::reader),
    ("flv_body", flv::body),
    ("avc_colours", flv::avc_colours),
    ("settings", text::settings),
    ("console", text::console),
    ("board", text::board),
];

/// Cuts bytes into pieces of 1 to `max` bytes.
pub struct Pieces<'a> {
    rest: &'a [u8],
    max: usize,
    rng: Rng,
}

impl<'a> Pieces<'a> {
    pub fn new(bytes: &'a [u8], max: usize, seed: u8) -> Pieces<'a> {
        Pieces { rest: bytes, max, rng: Rng::with_seed(seed.into()) }
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        // Many short pieces, some long ones.
        let most = if self.rng.bool() { self.max } else { self.max.min(3) };
        let (piece, rest) = self.rest.split_at(self.rng.usize(1..=most.min(self.rest.len())));
        self.rest = rest;
        Some(piece)
    }
}
