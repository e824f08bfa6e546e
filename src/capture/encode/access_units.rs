//! Where access units leave GStreamer, and where an encoder's parameter sets get the colours of what
//! it was fed, whatever it writes there itself, and a level that has room for the stream.
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
    flv::avc::{Tags, tagged_config, tagged_key_frame},
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
            tags: None,
            cannot_tag: false,
            raised_from: None,
            codec_data: None,
            config: None,
            length_bytes: 4,
            dts_ns: 0,
            reorders: false,
            selected: NO_INPUT,
            last_input: NO_INPUT,
            wants_key: false,
            counters,
            sink,
        };
        TrackOutput(Arc::new(Mutex::new(state)))
    }

    /// Writes these tags into what encoders send, whatever they write themselves. A camera's own
    /// H.264 keeps its own.
    pub fn with_tags(self, tags: Tags) -> TrackOutput {
        self.lock().tags = Some(tags);
        self
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
        (state.selected, state.wants_key, state.reorders) = (input, true, false);
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
        state.unit(caps, buffer, (ns, ns), None, now_ns);
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
    /// What is written into the parameter sets of encoders.
    tags: Option<Tags>,
    /// It was reported that an encoder's parameter sets cannot be read.
    cannot_tag: bool,
    /// The level of an encoder of which it was reported that it is too low.
    raised_from: Option<u8>,
    /// The codec configuration as it came, and the tags that were written into it.
    codec_data: Option<(Bytes, Option<Tags>)>,
    /// The codec configuration as it was sent.
    config: Option<Bytes>,
    /// Bytes of a NAL unit's length field (ISO/IEC 14496-15 section 5.3.3.1.2).
    length_bytes: usize,
    dts_ns: u64,
    /// The encoder that is selected has put a frame before an earlier one.
    reorders: bool,
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
        let times_ns = self.times(sample, buffer);
        self.unit(sample.caps(), buffer, times_ns, self.tags, now_ns);
    }

    /// Sends an access unit, after its configuration where that is new; `tags` are written into both.
    fn unit(
        &mut self,
        caps: Option<&gst::CapsRef>,
        buffer: &gst::BufferRef,
        (pts_ns, dts_ns): (u64, u64),
        tags: Option<Tags>,
        now_ns: u64,
    ) {
        if let Some(config) = self.new_config(caps, tags) {
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
        let Ok(map) = buffer.map_readable() else { return };
        let kind = self.kind(buffer, map.as_slice());
        let payload = self.payload(kind, map.as_slice(), tags);
        if payload.len() > ACCESS_UNIT_BYTES_MAX {
            self.counters.oversize.fetch_add(1, Ordering::Relaxed);
            return;
        }
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
    /// the running time counts.
    ///
    /// Decoding time is presentation time, because no encoder is let reorder frames. What GStreamer
    /// derives lags behind by each frame that a driver has lost, but not at key frames: so it would go
    /// back after each of them. It counts only for an encoder that reorders in spite of its settings.
    /// Decoding time never goes back.
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
        self.reorders |= pts_ns < self.dts_ns;
        let own_dts = buffer.dts().filter(|_| self.reorders);
        let dts_ns = own_dts.map_or(pts_ns, media_ns).min(pts_ns).max(self.dts_ns);
        self.dts_ns = dts_ns;
        (pts_ns.max(dts_ns), dts_ns)
    }

    /// The codec configuration, when it is not the one sent before.
    fn new_config(&mut self, caps: Option<&gst::CapsRef>, tags: Option<Tags>) -> Option<Bytes> {
        let data: gst::Buffer = caps?.structure(0)?.get("codec_data").ok()?;
        let map = data.map_readable().ok()?;
        let data = map.as_slice();
        if self.codec_data.as_ref().is_some_and(|(d, t)| d == data && *t == tags) {
            return None;
        }
        let config = match tags.map(|tags| tagged_config(data, tags)) {
            Some(Ok(tagged)) => {
                self.report_level(data, &tagged);
                Bytes::from(tagged)
            }
            Some(Err(error)) => self.untagged(data, &error),
            None => Bytes::copy_from_slice(data),
        };
        self.codec_data = Some((Bytes::copy_from_slice(data), tags));
        if self.config.as_ref() == Some(&config) {
            return None;
        }
        if let (Track::Video, Some(byte)) = (self.track, config.get(4)) {
            self.length_bytes = usize::from(byte & 3) + 1;
        }
        self.config = Some(config.clone());
        Some(config)
    }

    /// What is sent of an access unit. Encoders repeat their parameter sets in key frames: these must
    /// not contradict the configuration.
    fn payload(&mut self, kind: Kind, unit: &[u8], tags: Option<Tags>) -> Bytes {
        let tags = tags.filter(|_| kind == Kind::VideoKey);
        match tags.map(|tags| tagged_key_frame(unit, self.length_bytes, tags)) {
            Some(Ok(Some(tagged))) => Bytes::from(tagged),
            Some(Err(error)) => self.untagged(unit, &error),
            Some(Ok(None)) | None => Bytes::copy_from_slice(unit),
        }
    }

    /// Reports, once, that a configuration got another level than the encoder wrote.
    fn report_level(&mut self, came: &[u8], sent: &[u8]) {
        let (Some(came), Some(sent)) = (came.get(3).copied(), sent.get(3).copied()) else { return };
        if came != sent && self.raised_from.replace(came) != Some(came) {
            let name = |idc: u8| format!("{}.{}", idc / 10, idc % 10);
            tracing::warn!(
                "the encoder names H.264 level {}, too low for its video: the stream names {}",
                name(came),
                name(sent)
            );
        }
    }

    /// What goes out as the encoder wrote it, because it cannot be read.
    fn untagged(&mut self, bytes: &[u8], error: &dyn fmt::Display) -> Bytes {
        if !self.cannot_tag {
            self.cannot_tag = true;
            tracing::warn!(
                "the encoder's H.264 parameters cannot be read ({error}), so the stream names its \
                 colours as the encoder does, and players may show them slightly wrong"
            );
        }
        Bytes::copy_from_slice(bytes)
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
    use crate::flv::avc::{ColourTags, Demand};

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

    /// An encoder's sequence parameter set without a VUI, and its picture parameter set.
    const SETS: [&[u8]; 2] =
        [b"\x67\x42\xc0\x0d\x8c\x8d\x40\xa0\xcb\xcf\x00\xf0\x88\x46\xa0", b"\x68\xce\x3c\x80"];
    const SLICE: &[u8] = b"\x65\x88\x84";

    /// A key frame that repeats its parameter sets, with its configuration in the caps; and the
    /// configuration.
    fn key_frame([sps, pps]: [&[u8]; 2]) -> (gst::Sample, Vec<u8>) {
        gst::init().expect("GStreamer");
        let sized = |unit: &[u8]| [&(unit.len() as u16).to_be_bytes()[..], unit].concat();
        let head = [1, sps[1], sps[2], sps[3], 0xFF, 0xE1];
        let config = [&head[..], &sized(sps), &[1], &sized(pps)].concat();
        let caps = gst::Caps::builder("video/x-h264")
            .field("codec_data", gst::Buffer::from_slice(config.clone()))
            .build();
        let unit = [sps, pps, SLICE].map(|it| [&[0, 0][..], &sized(it)].concat()).concat();
        let buffer = gst::Buffer::from_slice(unit);
        (gst::Sample::builder().buffer(&buffer).caps(&caps).build(), config)
    }

    /// What an output with these tags sends of key frames of an encoder and of a camera, in turns.
    fn sent(tags: Option<Tags>, sets: [&[u8]; 2], turns: &[&str]) -> Vec<(Kind, Bytes)> {
        let sent: Arc<Mutex<Vec<_>>> = Arc::default();
        let to_sent = Arc::clone(&sent);
        let sink: FrameSink = Arc::new(move |frame| {
            to_sent.lock().expect("no panic").push((frame.kind, frame.payload));
        });
        let output = TrackOutput::new(Track::Video, 0, Arc::default(), sink);
        let output = tags.into_iter().fold(output, TrackOutput::with_tags);
        let (sample, _) = key_frame(sets);
        let buffer = sample.buffer().expect("a buffer");
        for turn in turns {
            match *turn {
                "camera" => output.pass_through(sample.caps(), buffer, 0, 0),
                _ => output.lock().sample(&sample, 0),
            }
        }
        std::mem::take(&mut *sent.lock().expect("no panic"))
    }

    /// Presentation and decoding times in milliseconds that an output gives to units with these, and whether
    /// they are key frames.
    fn times(units: &[(u64, u64, bool)]) -> Vec<(u64, u64)> {
        let sent: Arc<Mutex<Vec<_>>> = Arc::default();
        let to_sent = Arc::clone(&sent);
        let sink: FrameSink = Arc::new(move |frame| {
            if !frame.kind.is_config() {
                let ms = [frame.pts_ns, frame.dts_ns].map(|ns| ns / 1_000_000);
                to_sent.lock().expect("no panic").push((ms[0], ms[1]));
            }
        });
        let output = TrackOutput::new(Track::Video, 0, Arc::default(), sink);
        let (sample, _) = key_frame(SETS);
        for (pts_ms, dts_ms, is_key) in units {
            let mut buffer = gst::Buffer::from_slice(SLICE);
            let unit = buffer.get_mut().expect("own");
            unit.set_pts(gst::ClockTime::from_mseconds(*pts_ms));
            unit.set_dts(gst::ClockTime::from_mseconds(*dts_ms));
            if !is_key {
                unit.set_flags(gst::BufferFlags::DELTA_UNIT);
            }
            let caps = sample.caps_owned().expect("caps");
            let sample = gst::Sample::builder().buffer(&buffer).caps(&caps).build();
            output.lock().sample(&sample, 0);
        }
        std::mem::take(&mut *sent.lock().expect("no panic"))
    }

    // Shows F60.
    #[test]
    fn decoding_times_go_on_after_a_driver_has_lost_frames() {
        // GStreamer takes the time of the oldest frame that has not come out; at key frames, their own.
        let units: Vec<_> = (10..40)
            .map(|n| {
                let is_key = n % 8 == 2;
                (n * 67, if is_key { n * 67 } else { (n - 10) * 67 }, is_key)
            })
            .collect();
        let expected: Vec<_> = (10..40).map(|n| (n * 67, n * 67)).collect();
        assert_eq!(times(&units), expected);
    }

    #[test]
    fn frames_that_are_reordered_all_the_same_are_shown_in_their_order() {
        let units = [(0, 0, true), (120, 40, false), (40, 80, false), (80, 120, false)];
        let group = |at: u64| units.map(|(pts, dts, is_key)| (pts + at + 80, dts + at, is_key));
        let sent = times(&[group(0), group(160), group(320)].concat());
        assert!(sent.is_sorted_by(|one, next| one.1 <= next.1), "{sent:?}");
        // From the second group on it is known.
        let expected: Vec<_> = [group(160), group(320)].concat();
        let expected: Vec<_> = expected.into_iter().map(|(pts, dts, _)| (pts, dts)).collect();
        assert_eq!(sent[5..], expected[1..]);
    }

    #[test]
    fn colours_are_the_same_in_the_configuration_and_in_each_repetition_of_it() {
        let colours = ColourTags { full_range: true, primaries: 9, transfer: 14, matrix: 10 };
        let tags = Tags::from(colours);
        let (_, config) = key_frame(SETS);
        let expected = tagged_config(&config, tags).expect("can be read");
        let sent = sent(Some(tags), SETS, &["encoder", "encoder"]);
        let kinds: Vec<Kind> = sent.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [Kind::VideoConfig, Kind::VideoKey, Kind::VideoKey]);
        assert_eq!(sent[0].1, expected);
        // The set in its configuration, which follows a length of 16 bits.
        let set = &expected[8..8 + usize::from(expected[7])];
        for (_, unit) in &sent[1..] {
            let length = [0, 0, 0, set.len() as u8];
            assert_eq!(unit[..4 + set.len()], [&length[..], set].concat());
            assert!(unit.ends_with(&[&[0, 0, 0, 4], SETS[1], &[0, 0, 0, 3], SLICE].concat()));
        }
    }

    #[test]
    fn a_cameras_own_h264_and_what_cannot_be_read_leave_as_they_came() {
        let tags = Tags::from(ColourTags::BT709);
        let broken = [&SETS[0][..9], SETS[1]];
        for (tags, sets, turns) in [
            (None, SETS, ["encoder", "encoder"]),
            (Some(tags), SETS, ["camera", "camera"]),
            (Some(tags), broken, ["encoder", "encoder"]),
        ] {
            let (sample, config) = key_frame(sets);
            let map = sample.buffer().expect("a buffer").map_readable().expect("readable");
            let units = [(Kind::VideoConfig, &config[..])];
            let units = units.into_iter().chain([(Kind::VideoKey, map.as_slice()); 2]);
            let expected: Vec<_> = units.map(|(k, b)| (k, Bytes::copy_from_slice(b))).collect();
            assert_eq!(sent(tags, sets, &turns), expected, "{turns:?}");
        }
    }

    #[test]
    fn a_camera_and_an_encoder_of_equal_parameters_take_turns_with_their_own_colours() {
        let turns = ["camera", "encoder", "encoder", "camera"];
        let sent = sent(Some(ColourTags::BT709.into()), SETS, &turns);
        let configs: Vec<usize> =
            (0..sent.len()).filter(|i| sent[*i].0 == Kind::VideoConfig).collect();
        assert_eq!(configs, [0, 2, 5]);
        assert!(sent[0].1 == sent[5].1 && sent[0].1 != sent[2].1);
    }

    #[test]
    fn a_level_that_is_too_low_is_raised_in_the_configuration_and_in_each_repetition_of_it() {
        // The set names level 1.3 and 320x180.
        let level = |fps, kbps_max| {
            let tags = Tags { colours: ColourTags::BT709, demand: Some(Demand { fps, kbps_max }) };
            let sent = sent(Some(tags), SETS, &["encoder", "encoder"]);
            let kinds: Vec<Kind> = sent.iter().map(|(kind, _)| *kind).collect();
            assert_eq!(kinds, [Kind::VideoConfig, Kind::VideoKey, Kind::VideoKey]);
            let levels = [sent[0].1[3], sent[0].1[11], sent[1].1[7], sent[2].1[7]];
            assert_eq!(levels, [levels[0]; 4]);
            levels[0]
        };
        assert_eq!(level(30, 300), 13);
        assert_eq!(level(15, 100), 13, "never lowered");
        assert_eq!(level(60, 300), 21);
        assert_eq!(level(30, 6_000), 30);
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
