//! Frames that bear a number in colours, and the reading of them where they arrive: whether they are fresh, which camera they
//! are of, and whether their colours are right.
//!
//! The left half has one of six colours and the right half another, which make a number below 36. Both have the camera's grey
//! below them.

use std::path::Path;
use std::process::Command;

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

pub const NUMBERS: u64 = COLOURS.len() as u64 * COLOURS.len() as u64;
type Rgb = [u8; 3];
const COLOURS: [Rgb; 6] =
    [[191, 0, 0], [0, 191, 0], [0, 0, 191], [191, 191, 0], [191, 0, 191], [0, 191, 191]];
/// Of the first camera, and of the second.
const GREYS: [u8; 2] = [64, 192];
/// How much a colour may differ, of 255, to be taken for one of those.
const OFF_MAX: u8 = 40;
const QUALITY: u8 = 90;

/// A frame of this size with a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Numbered {
    pub width: u16,
    pub height: u16,
    /// Below `NUMBERS`.
    pub number: u64,
    /// 0 or 1.
    pub camera: usize,
}

impl Numbered {
    /// The colours of the left half, of the right half, and of what is below them.
    fn colours(&self) -> [Rgb; 3] {
        let (left, right) =
            (self.number / COLOURS.len() as u64, self.number % COLOURS.len() as u64);
        [COLOURS[left as usize], COLOURS[right as usize], [GREYS[self.camera]; 3]]
    }

    /// For each of its places the colour, as one of a few.
    fn drawn<T: Copy>(&self, colours: [T; 3], across: usize) -> Vec<T> {
        let (height, [left, right, below]) = (usize::from(self.height), colours);
        let half = across / 2;
        let upper = [vec![left; half], vec![right; across - half]].concat();
        let lower = vec![below; across];
        let rows = (0..height).map(|row| if row < height * 3 / 4 { &upper } else { &lower });
        rows.flatten().copied().collect()
    }

    /// As YUYV.
    pub fn yuyv(&self) -> Vec<u8> {
        let pairs = self.colours().map(|rgb| {
            let [y, u, v] = bt601(rgb);
            [y, u, y, v]
        });
        self.drawn(pairs, usize::from(self.width) / 2).concat()
    }

    /// As a JPEG with half of the colours across, as cameras make them.
    pub fn jpeg(&self) -> Vec<u8> {
        let mut jpeg = Vec::new();
        let mut encoder = Encoder::new(&mut jpeg, QUALITY);
        encoder.set_sampling_factor(SamplingFactor::F_2_1);
        let rgb = self.drawn(self.colours(), usize::from(self.width)).concat();
        let encoded = encoder.encode(&rgb, self.width, self.height, ColorType::Rgb);
        encoded.expect("into memory");
        jpeg
    }
}

/// Limited range.
fn bt601([r, g, b]: Rgb) -> [u8; 3] {
    let [r, g, b] = [r, g, b].map(|value| f64::from(value) / 255.0);
    let y = 0.299 * r + 0.587 * g + 0.114 * b;
    let (u, v) = ((b - y) / 1.772, (r - y) / 1.402);
    [16.0 + 219.0 * y, 128.0 + 224.0 * u, 128.0 + 224.0 * v].map(|value| value.round() as u8)
}

/// What a frame shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    pub number: u64,
    pub camera: usize,
    /// How much its colours differ from what they are to be, of 255.
    pub off: u8,
}

/// Frames are read at this size.
const ACROSS: usize = 32;
const DOWN: usize = 18;

/// What each frame of a file shows, in their order; `None` for one that is not of these cameras.
pub fn shown(file: &Path) -> Vec<Option<Shown>> {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-i"]).arg(file);
    ffmpeg.args(["-an", "-vf", &format!("scale={ACROSS}:{DOWN}:flags=area")]);
    ffmpeg.args(["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]);
    let decoded = ffmpeg.output().expect("ffmpeg runs");
    assert!(decoded.status.success(), "{}", String::from_utf8_lossy(&decoded.stderr));
    decoded.stdout.chunks_exact(3 * ACROSS * DOWN).map(read).collect()
}

/// Reads a frame of `ACROSS` and `DOWN`, away from where its colours meet.
fn read(rgb: &[u8]) -> Option<Shown> {
    let mean = |columns: std::ops::Range<usize>, rows: std::ops::Range<usize>| -> Rgb {
        let count = columns.len() * rows.len();
        [0, 1, 2].map(|of| {
            let row = |row: usize| columns.clone().map(move |column| row * ACROSS + column);
            let sum: usize =
                rows.clone().flat_map(row).map(|at| usize::from(rgb[3 * at + of])).sum();
            (sum / count) as u8
        })
    };
    let nearest = |found: Rgb, among: &[Rgb]| {
        let off = |one: &Rgb| one.iter().zip(found).map(|(a, b)| a.abs_diff(b)).max();
        let each = among.iter().enumerate().filter_map(|(at, one)| Some((off(one)?, at)));
        each.min().filter(|(off, _)| *off <= OFF_MAX)
    };
    let (left_off, left) = nearest(mean(2..14, 2..12), &COLOURS)?;
    let (right_off, right) = nearest(mean(18..30, 2..12), &COLOURS)?;
    let (grey_off, camera) = nearest(mean(2..30, 15..17), &GREYS.map(|grey| [grey; 3]))?;
    let number = (left * COLOURS.len() + right) as u64;
    Some(Shown { number, camera, off: left_off.max(right_off).max(grey_off) })
}

/// By how many frames one is after the other; `None` when it is before it.
fn step(one: Shown, next: Shown) -> Option<u64> {
    let step = (next.number + NUMBERS - one.number) % NUMBERS;
    (step <= NUMBERS / 2).then_some(step)
}

/// The stretches of a camera's frames, of at least this many, with what is not of it left out between them.
pub fn stretches(frames: &[Option<Shown>], camera: usize, least: usize) -> Vec<Vec<Shown>> {
    let is_of_it = |frame: &Option<Shown>| frame.filter(|shown| shown.camera == camera);
    let stretches =
        frames.chunk_by(|one, next| is_of_it(one).is_some() == is_of_it(next).is_some());
    let of_it = stretches.map(|stretch| stretch.iter().filter_map(is_of_it).collect::<Vec<_>>());
    of_it.filter(|stretch| stretch.len() >= least.max(1)).collect()
}

/// How many frames of a stretch are others than the one before them. None may be older.
#[track_caller]
pub fn fresh(stretch: &[Shown]) -> usize {
    let steps = stretch.windows(2).map(|two| match step(two[0], two[1]) {
        Some(step) => usize::from(step > 0),
        None => panic!("frames go back from {} to {}", two[0].number, two[1].number),
    });
    steps.sum()
}

/// How often the last frame of a stretch is repeated at its end, as while nothing comes any more.
pub fn stands_at_end(stretch: &[Shown]) -> usize {
    let last = stretch.last().map(|shown| shown.number);
    stretch.iter().rev().take_while(|shown| Some(shown.number) == last).count()
}

mod tests {
    use super::*;
    use crate::support::{Folder, has_or_skip, run};

    fn frame(number: u64, camera: usize) -> Numbered {
        Numbered { width: 320, height: 180, number, camera }
    }

    #[test]
    fn a_number_is_read_back_from_raw_frames_and_from_jpegs() {
        if !has_or_skip(&["ffmpeg"]) {
            return;
        }
        let folder = Folder::new("numbered");
        let written = [(0, 0), (35, 1), (8, 0), (8, 1)];
        let jpegs = written.map(|(number, camera)| frame(number, camera).jpeg()).concat();
        let raw = written.map(|(number, camera)| frame(number, camera).yuyv()).concat();
        let [motion, yuyv, raw_video] =
            ["a.mjpeg", "a.yuyv", "a.nut"].map(|name| folder.path().join(name));
        std::fs::write(&motion, jpegs).expect("writes");
        std::fs::write(&yuyv, raw).expect("writes");
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg.args(["-nostdin", "-v", "error", "-f", "rawvideo", "-pix_fmt", "yuyv422"]);
        ffmpeg.args(["-video_size", "320x180", "-i"]).arg(&yuyv);
        ffmpeg.args(["-c:v", "rawvideo"]).arg(&raw_video);
        run(&mut ffmpeg, std::time::Duration::from_secs(60)).ok();
        for file in [motion, raw_video] {
            let found = shown(&file);
            let off = found.iter().flatten().map(|shown| shown.off).max();
            let read: Vec<_> =
                found.into_iter().map(|shown| shown.map(|s| (s.number, s.camera))).collect();
            assert_eq!(read, written.map(Some), "{}", file.display());
            assert!(off.is_some_and(|off| off <= 12), "{off:?} in {}", file.display());
        }
    }

    #[test]
    fn what_is_no_frame_of_a_camera_is_not_read() {
        assert_eq!(read(&[24, 34, 46].repeat(ACROSS * DOWN)), None, "a slate");
        assert_eq!(read(&[128; 3 * ACROSS * DOWN]), None, "grey");
        assert_eq!(read(&[191; 3 * ACROSS * DOWN]), None, "white");
    }

    fn shows(number: u64, camera: usize) -> Option<Shown> {
        Some(Shown { number, camera, off: 0 })
    }

    #[test]
    fn stretches_are_separated_by_what_comes_between_them_and_by_their_camera() {
        let frames = [
            [shows(34, 0), shows(35, 0), shows(0, 0), shows(0, 0), None, None],
            [shows(5, 0), shows(7, 0), shows(9, 0), shows(3, 1), shows(3, 1), shows(3, 1)],
        ]
        .concat();
        let found = stretches(&frames, 0, 2);
        assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [4, 3]);
        assert_eq!(found.iter().map(|stretch| fresh(stretch)).collect::<Vec<_>>(), [2, 2]);
        assert_eq!(stands_at_end(&found[0]), 2);
        assert_eq!(stretches(&frames, 1, 2).len(), 1);
        assert_eq!(stretches(&frames, 0, 4).len(), 1);
    }

    #[test]
    #[should_panic(expected = "frames go back from 9 to 4")]
    fn a_frame_that_is_older_than_the_one_before_it_is_found() {
        fresh(&[shows(9, 0), shows(4, 0)].map(|shown| shown.expect("one")));
    }
}
