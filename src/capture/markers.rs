//! Measures lip-sync in a recorded programme: how far its beeps lie behind its flashes.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::{AppSink, AppSinkCallbacks};

/// Luma above which the flash is on; the test picture's background there is 133, its flash 235.
const FLASH_LUMA: u8 = 190;
/// Amplitude above which the beep is on; the hum lies at 0.02, the beep at 0.25.
const BEEP_LEVEL: f32 = 0.1;
/// A marker begins when there was none for this long.
const PAUSE_NS: u64 = 500_000_000;
/// A flash and a beep further apart than this do not belong together.
const PAIR_NS: u64 = 400_000_000;
/// Decoding a programme takes a fraction of its length; this bounds a decoder that hangs.
const DECODE_TIMEOUT: Duration = Duration::from_secs(300);
const SAMPLE_RATE_HZ: u64 = 48_000;

/// The times at which markers of one kind begin.
#[derive(Debug, Default)]
struct Onsets {
    begins_ns: Vec<u64>,
    last_on_ns: Option<u64>,
}

impl Onsets {
    fn see(&mut self, at_ns: u64, on: bool) {
        if !on {
            return;
        }
        if self.last_on_ns.is_none_or(|last| at_ns.saturating_sub(last) > PAUSE_NS) {
            self.begins_ns.push(at_ns);
        }
        self.last_on_ns = Some(at_ns);
    }
}

/// How far the test tone's beeps lie behind the test picture's flashes in `file`: the median, in
/// milliseconds, negative when the sound is early; `None` when no pair of them was found.
///
/// # Errors
/// When the file cannot be decoded, with what GStreamer said.
pub fn marker_offset_ms(file: &Path) -> Result<Option<f64>, String> {
    let words = |error: gst::glib::Error| error.to_string();
    gst::init().map_err(words)?;
    let pipeline = gst::parse::launch(
        "filesrc name=file ! decodebin name=d \
         d. ! queue ! videoconvert ! video/x-raw,format=GRAY8 ! appsink name=video sync=false \
         d. ! queue ! audioconvert ! audioresample ! \
         audio/x-raw,format=F32LE,channels=1,rate=48000 ! appsink name=audio sync=false",
    )
    .map_err(words)?
    .downcast::<gst::Pipeline>()
    .map_err(|_| "not a pipeline".to_owned())?;
    if let Some(source) = pipeline.by_name("file") {
        source.set_property("location", file.display().to_string());
    }
    let flashes = watch(&pipeline, "video", see_picture)?;
    let beeps = watch(&pipeline, "audio", see_sound)?;
    let decoded = play_to_end(&pipeline);
    let _ = pipeline.set_state(gst::State::Null);
    decoded?;
    Ok(median_distance_ms(&lock(&flashes).begins_ns, &lock(&beeps).begins_ns))
}

fn lock(onsets: &Mutex<Onsets>) -> MutexGuard<'_, Onsets> {
    onsets.lock().unwrap_or_else(PoisonError::into_inner)
}

fn watch(
    pipeline: &gst::Pipeline,
    name: &str,
    see: fn(&gst::Sample, &mut Onsets),
) -> Result<Arc<Mutex<Onsets>>, String> {
    let sink = pipeline
        .by_name(name)
        .and_then(|element| element.downcast::<AppSink>().ok())
        .ok_or_else(|| format!("no {name} sink"))?;
    let onsets = Arc::new(Mutex::new(Onsets::default()));
    let seen = onsets.clone();
    sink.set_callbacks(
        AppSinkCallbacks::builder()
            .new_sample(move |sink| {
                let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                see(&sample, &mut lock(&seen));
                Ok(gst::FlowSuccess::Ok)
            })
            .build(),
    );
    Ok(onsets)
}

fn see_picture(sample: &gst::Sample, onsets: &mut Onsets) {
    let Some((buffer, caps)) = sample.buffer().zip(sample.caps()) else { return };
    let Ok(info) = gstreamer_video::VideoInfo::from_caps(caps) else { return };
    let Some((map, pts)) = buffer.map_readable().ok().zip(buffer.pts()) else { return };
    let (width, height) = (info.width() as usize, info.height() as usize);
    let stride = info.stride().first().map_or(width, |stride| *stride as usize);
    let on = map.get(height / 8 * stride + width / 2).is_some_and(|luma| *luma > FLASH_LUMA);
    onsets.see(pts.nseconds(), on);
}

fn see_sound(sample: &gst::Sample, onsets: &mut Onsets) {
    let Some(buffer) = sample.buffer() else { return };
    let Some((map, pts)) = buffer.map_readable().ok().zip(buffer.pts()) else { return };
    for (index, value) in map.chunks_exact(4).enumerate() {
        let level = f32::from_le_bytes([value[0], value[1], value[2], value[3]]).abs();
        let at_ns = pts.nseconds() + index as u64 * 1_000_000_000 / SAMPLE_RATE_HZ;
        onsets.see(at_ns, level > BEEP_LEVEL);
    }
}

fn play_to_end(pipeline: &gst::Pipeline) -> Result<(), String> {
    pipeline.set_state(gst::State::Playing).map_err(|error| error.to_string())?;
    let bus = pipeline.bus().ok_or("no bus")?;
    let timeout = gst::ClockTime::from_mseconds(DECODE_TIMEOUT.as_millis() as u64);
    let message = bus
        .timed_pop_filtered(timeout, &[gst::MessageType::Eos, gst::MessageType::Error])
        .ok_or("decoding took too long")?;
    match message.view() {
        gst::MessageView::Error(error) => Err(error.error().to_string()),
        _ => Ok(()),
    }
}

fn median_distance_ms(flashes_ns: &[u64], beeps_ns: &[u64]) -> Option<f64> {
    let mut distances: Vec<i64> = flashes_ns
        .iter()
        .filter_map(|flash| {
            let beep = beeps_ns.iter().min_by_key(|beep| beep.abs_diff(*flash))?;
            (beep.abs_diff(*flash) < PAIR_NS).then_some(*beep as i64 - *flash as i64)
        })
        .collect();
    distances.sort_unstable();
    distances.get(distances.len() / 2).map(|ns| *ns as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_the_pairs_counts_and_strays_do_not() {
        let ms = |values: &[u64]| values.iter().map(|ms| ms * 1_000_000).collect::<Vec<_>>();
        let flashes = ms(&[1_000, 2_000, 3_000, 9_000]);
        let beeps = ms(&[1_020, 2_010, 3_030, 5_500]);
        assert_eq!(median_distance_ms(&flashes, &beeps), Some(20.0));
        assert_eq!(median_distance_ms(&beeps, &flashes), Some(-20.0));
        assert_eq!(median_distance_ms(&flashes, &[]), None);
    }

    #[test]
    fn a_marker_begins_once_however_long_it_lasts() {
        let mut onsets = Onsets::default();
        for ms in 0..3_000_u64 {
            onsets.see(ms * 1_000_000, ms % 1_000 < 100);
        }
        assert_eq!(onsets.begins_ns, [0, 1_000_000_000, 2_000_000_000]);
    }
}
