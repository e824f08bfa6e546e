//! Where access units leave GStreamer.
//!
//! The callback runs on GStreamer's streaming threads. It copies the payload once, because the
//! buffers of an encoder's pool are few and a queue that kept them would starve the encoder; then
//! it passes the frame on and returns. It never waits and never panics on its input.

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

/// Receives access units. It is called on GStreamer's streaming threads, by both tracks at once, and
/// must not block.
pub type FrameSink = Arc<dyn Fn(Frame) + Send + Sync>;

/// The output of one track, which outlives the encoders connected to it: the codec configuration is
/// sent when it changes, and times never go back.
#[derive(Clone)]
pub struct TrackOutput(Arc<Mutex<State>>);

/// Number of an encoder that is connected to an output; each connection has its own.
pub type Input = u64;

/// The number that no encoder has.
const NO_INPUT: Input = 0;

impl TrackOutput {
    /// An output that sends to `sink`. `advance_ns` is subtracted from the times of the track, for
    /// the samples that the encoder puts before the first one.
    pub fn new(
        track: Track,
        advance_ns: u64,
        counters: Arc<Counters>,
        sink: FrameSink,
    ) -> TrackOutput {
        let state = State {
            track,
            advance_ns,
            config: None,
            length_bytes: 4,
            dts_ns: 0,
            selected: NO_INPUT,
            last_input: NO_INPUT,
            wants_key: false,
            counters,
            sink,
        };
        TrackOutput(Arc::new(Mutex::new(state)))
    }

    /// Connects an encoder's appsink; `media_clock` reads the media time in nanoseconds. Its access
    /// units are dropped until [`TrackOutput::select`] selects it, and again once another one is
    /// selected, even when its encoder hung and wakes up later.
    pub fn connect(
        &self,
        appsink: &gst_app::AppSink,
        media_clock: impl Fn() -> u64 + Send + 'static,
    ) -> Input {
        let output = self.clone();
        let input = output.lock().new_input();
        appsink.set_callbacks(
            gst_app::AppSinkCallbacks::builder()
                .new_sample(move |appsink| {
                    let sample = appsink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                    let mut state = output.lock();
                    if state.accepts(input, &sample) {
                        state.sample(&sample, media_clock());
                    }
                    Ok(gst::FlowSuccess::Ok)
                })
                .build(),
        );
        input
    }

    /// Takes access units from that encoder and no other, from its next key frame on.
    pub fn select(&self, input: Input) {
        let mut state = self.lock();
        (state.selected, state.wants_key) = (input, true);
    }

    /// Takes access units from no encoder: the one in use is being closed.
    pub fn select_none(&self) {
        self.lock().selected = NO_INPUT;
    }

    /// Sends an access unit of a camera that was captured at media time `media_ns`, and takes none
    /// from an encoder any more.
    pub fn pass_through(
        &self,
        caps: Option<&gst::CapsRef>,
        buffer: &gst::BufferRef,
        media_ns: u64,
        now_ns: u64,
    ) {
        let mut state = self.lock();
        state.selected = NO_INPUT;
        let ns = media_ns.max(state.dts_ns);
        state.dts_ns = ns;
        state.unit(caps, buffer, ns, ns, now_ns);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for TrackOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrackOutput").finish_non_exhaustive()
    }
}

/// What is known of a track's access units.
struct State {
    track: Track,
    advance_ns: u64,
    config: Option<Bytes>,
    /// Bytes of a NAL unit's length field (ISO/IEC 14496-15 section 5.3.3.1.2).
    length_bytes: usize,
    dts_ns: u64,
    /// The encoder whose access units are sent.
    selected: Input,
    last_input: Input,
    /// Only a key frame can follow.
    wants_key: bool,
    counters: Arc<Counters>,
    sink: FrameSink,
}

impl State {
    fn new_input(&mut self) -> Input {
        self.last_input += 1;
        self.last_input
    }

    /// Whether an access unit of that encoder is sent.
    fn accepts(&mut self, input: Input, sample: &gst::Sample) -> bool {
        if self.selected != input {
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

    /// Sends an access unit, after its configuration where that is new.
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

    /// The codec configuration, when it is not the one sent before.
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

/// Whether no other frame refers to this one: all its slices have `nal_ref_idc` 0 (ITU-T H.264
/// section 7.4.1). What cannot be parsed counts as referred to.
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
    fn an_encoder_is_on_air_once_it_is_selected_and_not_when_it_wakes_up() {
        gst::init().expect("GStreamer");
        let (key, mut delta) = (gst::Buffer::new(), gst::Buffer::new());
        delta.get_mut().expect("own").set_flags(gst::BufferFlags::DELTA_UNIT);
        let [key, delta] = [key, delta].map(|it| gst::Sample::builder().buffer(&it).build());
        let output = TrackOutput::new(Track::Video, 0, Arc::default(), Arc::new(|_| ()));
        let join = || output.connect(&gst_app::AppSink::builder().build(), || 0);
        let accepts = |input, sample| output.lock().accepts(input, sample);

        let on_air = join();
        assert!(!accepts(on_air, &key), "not selected yet");
        output.select(on_air);
        assert!(!accepts(on_air, &delta), "a track begins with a key frame");
        assert!(accepts(on_air, &key) && accepts(on_air, &delta));

        let woken = join();
        assert!(
            !accepts(woken, &key) && accepts(on_air, &delta),
            "it takes nothing from the other"
        );
        output.select(woken);
        assert!(!accepts(on_air, &key) && accepts(woken, &key));
        output.select_none();
        assert!(!accepts(on_air, &key) && !accepts(woken, &key));
    }

    #[test]
    fn only_a_frame_that_no_other_refers_to_is_disposable() {
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
