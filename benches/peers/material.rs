//! What is published: made once with ffmpeg, and kept in the user's cache.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use firstmile::flv::{Reader, Tag, TagKind};

use super::support::clip::cache_folder;
use super::support::drain::payload_bytes;
use super::support::run;

/// How often the clip is repeated for pushing as fast as possible.
pub const ROUNDS: u64 = 20;
const TIMEOUT: Duration = Duration::from_secs(600);

/// A clip of 24 s with 1080p30 H.264 and AAC at 6.2 Mbit/s, noisy enough to need it, a key
/// frame every two seconds; and the same [`ROUNDS`] times in a row.
pub struct Material {
    pub once: PathBuf,
    pub repeated: PathBuf,
    pub tags: Vec<Tag>,
}

impl Material {
    pub fn prepare() -> Material {
        let cache = cache_folder();
        fs::create_dir_all(&cache).unwrap_or_else(|e| panic!("{}: {e}", cache.display()));
        let once = cache.join("bench-1080p30-24s.flv");
        let repeated = cache.join("bench-1080p30-480s.flv");
        if !once.is_file() {
            eprintln!("making {}", once.display());
            let noise = "noise=alls=24:allf=t+u:all_seed=1";
            let video = "-c:v libx264 -preset ultrafast -b:v 6M -maxrate 6M -bufsize 6M -g 60 \
                         -keyint_min 60 -sc_threshold 0 -pix_fmt yuv420p";
            let arguments = format!(
                "-f lavfi -i testsrc2=s=1920x1080:r=30 -f lavfi -i anoisesrc=r=48000:a=0.2:s=1 \
                 -t 24 -vf {noise} {video} -c:a aac -b:a 160k -ac 2"
            );
            make(&once, &arguments);
        }
        if !repeated.is_file() {
            eprintln!("making {}", repeated.display());
            let again = ROUNDS - 1;
            make(&repeated, &format!("-stream_loop {again} -i {} -c copy", once.display()));
        }
        let tags = tags(&once);
        Material { once, repeated, tags }
    }

    /// The access units of one round and their payload.
    pub fn access_units(&self) -> (u64, u64) {
        let payloads = self.tags.iter().filter_map(|tag| {
            let is_media = tag.kind != TagKind::Script;
            is_media.then(|| payload_bytes(tag.kind, tag.body.clone())).flatten()
        });
        payloads.fold((0, 0), |(count, bytes), payload| (count + 1, bytes + payload))
    }
}

/// Makes a file next to its place and moves it there, so that a half-made one is never used.
fn make(file: &Path, arguments: &str) {
    let unfinished = file.with_extension(format!("{}.flv", std::process::id()));
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-y"]).args(arguments.split_whitespace());
    ffmpeg.args(["-flvflags", "no_duration_filesize", "-f", "flv"]).arg(&unfinished);
    run(&mut ffmpeg, TIMEOUT).ok();
    fs::rename(&unfinished, file).expect("moves within a folder");
}

/// All tags of a file that fits into memory.
pub fn tags(file: &Path) -> Vec<Tag> {
    let bytes = fs::read(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let mut reader = Reader::new();
    reader.push(Bytes::from(bytes));
    let next = || reader.next_tag().expect("ffmpeg writes valid files");
    std::iter::from_fn(next).collect()
}
