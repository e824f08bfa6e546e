//! Makes the seeds of the fuzz targets with the codecs themselves.

mod flv;
mod rtmp;
mod text;

/// A seed: the target it is for, its name, its bytes.
pub struct Seed {
    pub target: &'static str,
    pub name: String,
    pub bytes: Vec<u8>,
}

/// Every seed that is made; `fuzz/seeds` has these, and what was found.
pub fn all() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for (target, made) in [
        ("handshake", rtmp::handshake()),
        ("chunk_reader", rtmp::chunk_reader()),
        ("amf0", rtmp::amf0()),
        ("message", rtmp::message()),
        ("session", rtmp::session()),
        ("ingest", rtmp::ingest()),
        ("url", text::url()),
        ("flv_reader", flv::reader()),
        ("flv_body", flv::body()),
        ("avc_colours", flv::avc_colours()),
        ("settings", text::settings()),
        ("console", text::console()),
        ("board", text::board()),
    ] {
        seeds.extend(made.into_iter().map(|(name, bytes)| Seed { target, name, bytes }));
    }
    seeds
}

/// A name and the bytes.
type Made = (String, Vec<u8>);

fn made(name: impl Into<String>, bytes: impl AsRef<[u8]>) -> Made {
    (name.into(), bytes.as_ref().to_vec())
}
