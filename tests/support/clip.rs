//! A few seconds of film with audio, made by ffmpeg.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use super::run;

/// Video full of detail in which each moment looks different.
const VIDEO: &str =
    "mandelbrot=s=640x360:r=25:start_scale=3:end_scale=0.05:end_pts=132,scale=1280:720";
/// Speech, which has pauses and no beat that could be mistaken for itself a moment later.
const AUDIO: &str = "flite=text=The box carries the first mile\\, from the camera to the server. \
                     Press the button once\\, and you are on air.";
/// Audio as films have it: five speakers and a sixth for low frequencies.
const SPEAKERS: &str = "aresample=48000,pan=5.1|FL=c0|FR=c0|FC=c0|LFE=c0|BL=c0|BR=c0";
const CODERS: &str = "-t 5.28 -c:v libx264 -preset veryfast -tune fastdecode -bf 2 -b:v 1200k -pix_fmt yuv420p -c:a aac \
                      -threads 1 -f mp4";
const TIMEOUT: Duration = Duration::from_secs(120);

/// 5.28 s: H.264 1280×720 at 25 frames a second with frames out of order, AAC 48 kHz with six
/// channels. Made once, and kept in the user's cache.
#[track_caller]
pub fn film_clip() -> PathBuf {
    let mut inputs = DefaultHasher::new();
    (VIDEO, AUDIO, SPEAKERS, CODERS).hash(&mut inputs);
    let cache = cache_folder();
    let clip = cache.join(format!("film-{:016x}.mp4", inputs.finish()));
    if !clip.is_file() {
        fs::create_dir_all(&cache).unwrap_or_else(|e| panic!("{}: {e}", cache.display()));
        make(&clip);
    }
    clip
}

/// The same film as an FLV file, without encoding anything again.
#[track_caller]
pub fn film_as_flv(folder: &Path) -> PathBuf {
    let file = folder.join("film.flv");
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-i"]).arg(film_clip());
    run(ffmpeg.args(["-c", "copy", "-f", "flv"]).arg(&file), TIMEOUT).ok();
    file
}

/// Three seconds with 440 Hz at the left and 1000 Hz at the right, uncompressed.
#[track_caller]
pub fn left_and_right(folder: &Path) -> PathBuf {
    let file = folder.join("left-and-right.mkv");
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-f", "lavfi", "-i"]);
    ffmpeg.arg("aevalsrc=0.4*sin(2*PI*440*t)|0.4*sin(2*PI*1000*t):s=48000");
    ffmpeg.args(["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30", "-t", "3"]);
    ffmpeg.args(["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]);
    run(ffmpeg.args(["-c:a", "pcm_s16le"]).arg(&file), TIMEOUT).ok();
    file
}

/// Where things are kept that are slow to get: outside of the source tree.
pub fn cache_folder() -> PathBuf {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    cache.unwrap_or_else(env::temp_dir).join("firstmile")
}

/// Makes it beside the goal and moves it into place, so that several tests may make it at once.
#[track_caller]
fn make(clip: &Path) {
    let unfinished = clip.with_extension(std::process::id().to_string());
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", VIDEO]);
    ffmpeg.args(["-f", "lavfi", "-i", AUDIO, "-af", SPEAKERS]);
    ffmpeg.args(CODERS.split_whitespace()).arg(&unfinished);
    run(&mut ffmpeg, TIMEOUT).ok();
    fs::rename(&unfinished, clip).expect("a film in the cache");
}
