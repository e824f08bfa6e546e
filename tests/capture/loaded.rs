//! Audio on a machine whose processors are all busy, with and without the scheduling that the service's
//! unit grants.

use std::{
    env,
    process::{Child, Command},
    time::Duration,
};

use firstmile::{
    capture::{self, Capture, MicrophoneSource, Request},
    media::{Kind, Track},
};

use crate::common::{Taken, small};
use crate::real_time::{permitted, with_permitted};
use crate::sync::decode;

/// For how long each run lasts; the two are skipped without it. `make soak-load` is ten minutes.
const SECONDS: &str = "FIRSTMILE_LOAD_SECONDS";
const TEST: &str = "loaded::on_a_busy_machine_audio_is_whole_with_what_the_unit_grants";
/// Programs that never wait.
const BUSY_LOOPS: usize = 12;

/// Programs that never wait, at the priority of any other.
struct Load(Vec<Child>);

impl Load {
    fn begin() -> Load {
        let busy = || Command::new("sh").args(["-c", "while :; do :; done"]).spawn();
        Load((0..BUSY_LOOPS).map(|_| busy().expect("a shell")).collect())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A tone without an end, from a source that delivers in real time.
fn tone() -> MicrophoneSource {
    let launch = "audiotestsrc is-live=true wave=sine freq=997 volume=0.5 ! \
                  audio/x-raw,format=S16LE,rate=48000,channels=2";
    MicrophoneSource::Launch { launch: launch.to_owned() }
}

/// How long the tone is missing from what a viewer hears, in pieces of 5 ms; its first and last half
/// second do not count.
fn missing_ms(taken: &Taken) -> u64 {
    let frames = taken.of(Track::Audio);
    let caps = "audio/mpeg, mpegversion=(int)4, stream-format=(string)raw, rate=(int)48000, \
                channels=(int)2, framed=(boolean)true";
    let decoder = "avdec_aac ! audioconvert ! audio/x-raw,format=F32LE,channels=1";
    let mut loudest = Vec::new();
    decode(&frames, caps, decoder, |_, samples| {
        for piece in samples.chunks_exact(4 * 128) {
            let values =
                piece.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            loudest.push(values.fold(0.0_f32, |most, value| most.max(value.abs())));
        }
    });
    let ignored = 48_000 / 128 / 2;
    let counted = loudest.get(ignored..loudest.len().saturating_sub(ignored)).unwrap_or_default();
    counted.iter().filter(|loudest| **loudest < 0.1).count() as u64 * 128 / 48
}

fn run(seconds: u64) {
    let taken = Taken::default();
    let request = Request { microphone: tone(), ..small() };
    let capture = Capture::start(request, taken.sink(), taken.events()).expect("starts");
    // What the encoders need to begin is no part of it.
    std::thread::sleep(Duration::from_secs(2));
    let before = capture.stats();
    taken.wait_as_long_as(2 * seconds + 60, "the audio", |t| {
        t.count(Kind::Audio) > (seconds + 3) as usize * 47
    });
    let after = capture.stats();
    capture.stop();
    let refusal = capture::real_time_refusal();
    let missing_ms = missing_ms(&taken);
    let silent = after.silent_samples - before.silent_samples;
    eprintln!(
        "{}: silence instead of {silent} samples in {seconds} s at a load of {BUSY_LOOPS} \
         more; the tone is missing for {} ms; {} frames repeated, {} skipped of {}",
        if refusal.is_none() { "real-time scheduling" } else { "scheduled like any other" },
        missing_ms,
        after.frames_repeated - before.frames_repeated,
        after.frames_skipped - before.frames_skipped,
        after.video_frames - before.video_frames,
    );
    if refusal.is_none() {
        assert_eq!((silent, missing_ms), (0, 0));
    }
}

// Shows F54.
#[test]
fn on_a_busy_machine_audio_is_whole_with_what_the_unit_grants() {
    let Some(seconds) = env::var(SECONDS).ok().and_then(|text| text.parse().ok()) else {
        eprintln!("skipped: {SECONDS} is not set; `make soak-load` sets it");
        return;
    };
    if permitted().is_some() {
        run(seconds);
        return;
    }
    for priority in [0, 5] {
        let _load = Load::begin();
        with_permitted(priority, TEST);
    }
}
