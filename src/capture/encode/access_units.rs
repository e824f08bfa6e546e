//! The seam: access units leave GStreamer here.
//!
//! The callback runs on GStreamer's streaming threads. It copies the payload once, because the
//! buffers of an encoder's pool are few and a queue that held them would starve the encoder; then
//! it hands the frame on and returns. It never waits and never panics on what it is given.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
};

use bytes::Bytes;
use gstreamer as gst;
use gstreamer_app as gst_app;

use crate::{
    capture::{gst::buffer::is_key, stats::Counters},
    limits::ACCESS_UNIT_BYTES_MAX,
    media::{Codec, Frame, Kind, Track},
};

/// Takes access units. It is called on GStreamer's streaming threads, of both tracks at once, and
/// must not block.
pub type FrameSink = Arc<dyn Fn(Frame) + Send + Sync>;

/// Connects an appsink to a seam. `clock` tells the media time and is noted at each access unit.
/// Returns its turn: its access units pass from [`SharedSeam::hear`] on, and until another one is
/// heard, even when that one's encoder hung and wakes up again.
pub fn connect(
    appsink: &gst_app::AppSink,
    seam: &SharedSeam,
    clock: impl Fn() -> u64 + Send + 'static,
) -> u64 {
    let seam = seam.clone();
    let turn = seam.lock().new_turn();
    appsink.set_callbacks(
        gst_app::AppSinkCallbacks::builder()
            .new_sample(move |appsink| {
                let sample = appsink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                let mut seam = seam.lock();
                if seam.hears(turn, &sample) {
                    seam.sample(&sample, clock());
                }
                Ok(gst::FlowSuccess::Ok)
            })
            .build(),
    );
    turn
}

/// The seam of one track, which outlives the encoders that feed it: the configuration is handed on
/// when it changes, and times never go back.
#[derive(Clone)]
pub struct SharedSeam(Arc<Mutex<Seam>>);

impl SharedSeam {
    fn lock(&self) -> MutexGuard<'_, Seam> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SharedSeam {
    /// Hears the appsink of that turn and no other, from its next key frame on.
    pub fn hear(&self, turn: u64) {
        let mut seam = self.lock();
        (seam.turn, seam.wants_key) = (turn, true);
    }

    /// Hears no appsink: the encoder behind it is being closed.
    pub fn hear_nobody(&self) {
        self.lock().turn = NOBODY;
    }

    /// Hands on an access unit of a camera that came at media time `media_ns`; no appsink is heard
    /// any more.
    pub fn pass(
        &self,
        caps: Option<&gst::CapsRef>,
        buffer: &gst::BufferRef,
        media_ns: u64,
        now_ns: u64,
    ) {
        let mut seam = self.lock();
        seam.turn = NOBODY;
        let ns = media_ns.max(seam.dts_ns);
        seam.dts_ns = ns;
        seam.unit(caps, buffer, ns, ns, now_ns);
    }
}

/// The turn that no appsink has.
const NOBODY: u64 = 0;

impl fmt::Debug for SharedSeam {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedSeam").finish_non_exhaustive()
    }
}

/// What is known of a track's access units.
pub struct Seam {
    track: Track,
    advance_ns: u64,
    config: Option<Bytes>,
    /// Bytes of a NAL unit's length field (ISO/IEC 14496-15 section 5.3.3.1.2).
    length_bytes: usize,
    dts_ns: u64,
    /// Which of the appsinks it was connected to is heard.
    turn: u64,
    /// The last turn given out.
    turns: u64,
    /// Only a key frame can follow.
    wants_key: bool,
    counters: Arc<Counters>,
    sink: FrameSink,
}

impl Seam {
    /// A seam that hands on to `sink`. `advance_ns` is taken off the times of the track, for what
    /// the encoder put before the first sample.
    pub fn shared(
        track: Track,
        advance_ns: u64,
        counters: Arc<Counters>,
        sink: FrameSink,
    ) -> SharedSeam {
        let seam = Seam {
            track,
            advance_ns,
            config: None,
            length_bytes: 4,
            dts_ns: 0,
            turn: NOBODY,
            turns: NOBODY,
            wants_key: false,
            counters,
            sink,
        };
        SharedSeam(Arc::new(Mutex::new(seam)))
    }

    fn new_turn(&mut self) -> u64 {
        self.turns += 1;
        self.turns
    }

    /// Whether an access unit of that turn goes on.
    fn hears(&mut self, turn: u64, sample: &gst::Sample) -> bool {
        if self.turn != turn {
            return false;
        }
        let key = || sample.buffer().is_some_and(is_key);
        self.wants_key = self.wants_key && !key();
        !self.wants_key
    }

    fn sample(&mut self, sample: &gst::Sample, now_ns: u64) {
        let Some(buffer) = sample.buffer() else { return };
        let (pts_ns, dts_ns) = self.times(sample, buffer);
        self.unit(sample.caps(), buffer, pts_ns, dts_ns, now_ns);
    }

    /// Hands on an access unit, after its configuration where that is new.
    fn unit(
        &mut self,
        caps: Option<&gst::CapsRef>,
        buffer: &gst::BufferRef,
        pts_ns: u64,
        dts_ns: u64,
        now_ns: u64,
    ) {
        if let Some(config) = self.new_config(caps) {
            let kind = match self.track {
                Track::Video => Kind::VideoConfig,
                Track::Audio => Kind::AudioConfig,
            };
            (self.sink)(self.frame(kind, dts_ns, dts_ns, config));
        }
        // Without its configuration no access unit can be decoded.
        if self.config.is_none() || buffer.size() == 0 {
            return;
        }
        if buffer.size() > ACCESS_UNIT_BYTES_MAX {
            self.counters.oversize.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let Ok(map) = buffer.map_readable() else { return };
        let payload = Bytes::copy_from_slice(map.as_slice());
        let kind = self.kind(buffer, &payload);
        self.counters.count(kind, payload.len(), now_ns);
        (self.sink)(self.frame(kind, pts_ns, dts_ns, payload));
    }

    fn frame(&self, kind: Kind, pts_ns: u64, dts_ns: u64, payload: Bytes) -> Frame {
        let codec = match self.track {
            Track::Video => Codec::Avc,
            Track::Audio => Codec::Aac,
        };
        Frame { kind, codec, pts_ns, dts_ns, payload }
    }

    /// Presentation and decoding time on the media clock. Encoders may shift their timestamps (one
    /// adds 1,000 hours, to have room for B-frames) and say so in the segment, which is why only
    /// the running time counts. Decoding time never goes back.
    fn times(&mut self, sample: &gst::Sample, buffer: &gst::BufferRef) -> (u64, u64) {
        let segment = sample.segment().and_then(|s| s.downcast_ref::<gst::ClockTime>());
        let media_ns = |time: gst::ClockTime| {
            let running = segment.and_then(|segment| segment.to_running_time_full(time));
            let ns = match running {
                Some(gst::Signed::Positive(running)) => running.nseconds(),
                Some(gst::Signed::Negative(_)) => 0,
                None => time.nseconds(),
            };
            ns.saturating_sub(self.advance_ns)
        };
        let pts_ns = buffer.pts().or_else(|| buffer.dts()).map_or(self.dts_ns, media_ns);
        let dts_ns = buffer.dts().map_or(pts_ns, media_ns).min(pts_ns).max(self.dts_ns);
        self.dts_ns = dts_ns;
        (pts_ns.max(dts_ns), dts_ns)
    }

    /// The codec configuration, when it is not the one handed on before.
    fn new_config(&mut self, caps: Option<&gst::CapsRef>) -> Option<Bytes> {
        let data: gst::Buffer = caps?.structure(0)?.get("codec_data").ok()?;
        let map = data.map_readable().ok()?;
        if self.config.as_deref() == Some(map.as_slice()) {
            return None;
        }
        let config = Bytes::copy_from_slice(map.as_slice());
        if let (Track::Video, Some(byte)) = (self.track, config.get(4)) {
            self.length_bytes = usize::from(byte & 3) + 1;
        }
        self.config = Some(config.clone());
        Some(config)
    }

    fn kind(&self, buffer: &gst::BufferRef, payload: &[u8]) -> Kind {
        match self.track {
            // Encoders mark every AAC access unit as a key; the mark says nothing there.
            Track::Audio => Kind::Audio,
            Track::Video if !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT) => {
                Kind::VideoKey
            }
            Track::Video if is_disposable(payload, self.length_bytes) => Kind::VideoDisposable,
            Track::Video => Kind::VideoDelta,
        }
    }
}

/// Whether no other picture refers to this one: all its slices have `nal_ref_idc` 0 (ITU-T H.264
/// section 7.4.1). What cannot be read counts as referred to.
fn is_disposable(access_unit: &[u8], length_bytes: usize) -> bool {
    let mut rest = access_unit;
    let mut slices = 0;
    while let Some((length, tail)) = rest.split_at_checked(length_bytes) {
        let length = length.iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
        let Some((unit, tail)) = tail.split_at_checked(length) else { return false };
        rest = tail;
        match unit.first() {
            Some(header) if matches!(header & 0x1f, 1..=5) => {
                if header & 0x60 != 0 {
                    return false;
                }
                slices += 1;
            }
            _ => {}
        }
    }
    slices > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoder_is_heard_when_it_is_told_to_and_not_when_it_wakes_up() {
        gst::init().expect("GStreamer");
        let (key, mut delta) = (gst::Buffer::new(), gst::Buffer::new());
        delta.get_mut().expect("own").set_flags(gst::BufferFlags::DELTA_UNIT);
        let [key, delta] = [key, delta].map(|it| gst::Sample::builder().buffer(&it).build());
        let seam = Seam::shared(Track::Video, 0, Arc::default(), Arc::new(|_| ()));
        let join = || connect(&gst_app::AppSink::builder().build(), &seam, || 0);
        let hears = |turn, sample| seam.lock().hears(turn, sample);

        let on_air = join();
        assert!(!hears(on_air, &key), "not yet told to");
        seam.hear(on_air);
        assert!(!hears(on_air, &delta), "a track begins with a key frame");
        assert!(hears(on_air, &key) && hears(on_air, &delta));

        let woken = join();
        assert!(!hears(woken, &key) && hears(on_air, &delta), "it takes nothing from the other");
        seam.hear(woken);
        assert!(!hears(on_air, &key) && hears(woken, &key));
        seam.hear_nobody();
        assert!(!hears(on_air, &key) && !hears(woken, &key));
    }

    #[test]
    fn only_a_picture_that_no_other_refers_to_is_disposable() {
        for (unit, length_bytes, expected) in [
            (&[0, 0, 0, 2, 0x01, 0xaa][..], 4, true),
            (&[0, 0, 0, 2, 0x41, 0xaa], 4, false),
            (&[0, 0, 0, 2, 0x65, 0xaa], 4, false),
            // SEI before the slice does not decide.
            (&[0, 0, 0, 1, 0x06, 0, 0, 0, 2, 0x01, 0xaa], 4, true),
            (&[0, 2, 0x01, 0xaa, 0, 2, 0x61, 0xaa], 2, false),
            // Cut short, empty, no slice at all.
            (&[0, 0, 0, 9, 0x01], 4, false),
            (&[], 4, false),
            (&[0, 0, 0, 1, 0x09], 4, false),
        ] {
            assert_eq!(is_disposable(unit, length_bytes), expected, "{unit:02x?}");
        }
    }
}
