//! Media time of one connection: nanoseconds of the media clock in, milliseconds of the wire out.

use super::{Frame, Track};

/// Largest composition time that 24 signed bits hold (FLV specification E.4.3.1), in ms.
const COMPOSITION_TIME_MAX_MS: i64 = 0x7F_FFFF;
/// Smallest composition time that 24 signed bits hold, in ms.
const COMPOSITION_TIME_MIN_MS: i64 = -0x80_0000;

/// The time of one frame on one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamp {
    /// Decoding time in ms since the zero of this connection; it does not wrap.
    pub dts_ms: u64,
    /// Presentation minus decoding time in ms; within 24 signed bits, 0 for audio.
    pub composition_time_ms: i32,
}

impl Stamp {
    /// The timestamp of an RTMP message, which wraps at 2^32 ms (RTMP specification 1.0,
    /// section 4: time stamps are compared with serial number arithmetic).
    pub fn wire_ms(&self) -> u32 {
        (self.dts_ms & u64::from(u32::MAX)) as u32 // the mask is the wrap
    }
}

/// Gives the frames of one connection their time. Both tracks share one zero: the decoding time of
/// the first access unit stamped. A frame of the other track that is slightly older is stamped 0.
///
/// Each time is rounded from the nanoseconds since zero, never summed up from rounded steps, so
/// frame rates like 30000/1001 do not drift. Per track, time never goes back.
///
/// Configuration has no time of its own: it is stamped like the frame of its track before it, and
/// sets no zero, since the one a new connection starts with may be hours old.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    zero_ns: Option<u64>,
    last_video_ms: u64,
    last_audio_ms: u64,
}

impl Timeline {
    /// A new connection begins.
    pub fn new() -> Timeline {
        Timeline::default()
    }

    /// The time of `frame`, which is the next one sent on this connection.
    pub fn stamp(&mut self, frame: &Frame) -> Stamp {
        let track = frame.track();
        let last_ms = match track {
            Track::Video => &mut self.last_video_ms,
            Track::Audio => &mut self.last_audio_ms,
        };
        if frame.kind.is_config() {
            return Stamp { dts_ms: *last_ms, composition_time_ms: 0 };
        }
        let zero_ns = *self.zero_ns.get_or_insert(frame.dts_ns);
        let dts_ms = round_to_ms(frame.dts_ns.saturating_sub(zero_ns)).max(*last_ms);
        *last_ms = dts_ms;
        let composition_time_ms = match track {
            Track::Audio => 0,
            Track::Video => {
                composition_time_ms(dts_ms, round_to_ms(frame.pts_ns.saturating_sub(zero_ns)))
            }
        };
        Stamp { dts_ms, composition_time_ms }
    }
}

fn round_to_ms(time_ns: u64) -> u64 {
    time_ns / 1_000_000 + u64::from(time_ns % 1_000_000 >= 500_000)
}

/// Both times are rounded first, so that presentation time is as exact as decoding time.
fn composition_time_ms(dts_ms: u64, pts_ms: u64) -> i32 {
    // Times are below 2^64 ns, hence below 2^45 ms: the difference fits.
    let offset_ms = pts_ms as i64 - dts_ms as i64;
    offset_ms.clamp(COMPOSITION_TIME_MIN_MS, COMPOSITION_TIME_MAX_MS) as i32
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::media::{Codec, Kind};

    const MS: u64 = 1_000_000;

    fn frame(kind: Kind, dts_ns: u64, pts_ns: u64) -> Frame {
        let codec = if kind.track() == Track::Video { Codec::Avc } else { Codec::Aac };
        Frame { kind, codec, pts_ns, dts_ns, payload: Bytes::new() }
    }

    fn dts_ms(timeline: &mut Timeline, kind: Kind, dts_ns: u64) -> u64 {
        timeline.stamp(&frame(kind, dts_ns, dts_ns)).dts_ms
    }

    #[test]
    fn both_tracks_share_the_zero_of_the_first_access_unit() {
        let mut timeline = Timeline::new();
        assert_eq!(dts_ms(&mut timeline, Kind::VideoKey, 5_000 * MS), 0);
        assert_eq!(dts_ms(&mut timeline, Kind::Audio, 4_990 * MS), 0, "slightly older");
        assert_eq!(dts_ms(&mut timeline, Kind::Audio, 5_011 * MS), 11);
        assert_eq!(dts_ms(&mut timeline, Kind::VideoDelta, 5_033 * MS), 33);
    }

    #[test]
    fn configuration_sets_no_zero_and_takes_the_time_of_its_track() {
        let mut timeline = Timeline::new();
        assert_eq!(dts_ms(&mut timeline, Kind::VideoConfig, 7 * MS), 0);
        assert_eq!(dts_ms(&mut timeline, Kind::VideoKey, 3_600_000 * MS), 0);
        assert_eq!(dts_ms(&mut timeline, Kind::VideoDelta, 3_600_040 * MS), 40);
        assert_eq!(dts_ms(&mut timeline, Kind::Audio, 3_600_060 * MS), 60);
        assert_eq!(dts_ms(&mut timeline, Kind::VideoConfig, 0), 40);
        assert_eq!(dts_ms(&mut timeline, Kind::AudioConfig, 9_000_000 * MS), 60);
        assert_eq!(dts_ms(&mut timeline, Kind::VideoKey, 3_600_080 * MS), 80);
    }

    #[test]
    fn decoding_time_never_goes_back_on_a_track() {
        let mut timeline = Timeline::new();
        let sent: Vec<u64> = [1_000, 1_033, 900, 1_034, 1_066]
            .map(|ms| dts_ms(&mut timeline, Kind::VideoDelta, ms * MS))
            .into();
        assert_eq!(sent, [0, 33, 33, 34, 66]);
    }

    /// Frame `n` of a 30000/1001 fps stream is at n × 1001/30000 s.
    fn ntsc_ns(n: u64) -> u64 {
        (u128::from(n) * 1_001_000_000_000 / 30_000) as u64
    }

    /// Stamps 24 h of 29.97 fps that start `start_ms` after the zero of the connection.
    fn a_day_of_ntsc(start_ms: u64) {
        let start_ns = start_ms * MS;
        let mut timeline = Timeline::new();
        timeline.stamp(&frame(Kind::VideoKey, 0, 0));
        let frames = 24 * 3_600 * 30_000 / 1_001;
        let mut last_ms = start_ms;
        for n in 0..=frames {
            let at_ns = start_ns + ntsc_ns(n);
            let stamp = timeline.stamp(&frame(Kind::VideoDelta, at_ns, at_ns + ntsc_ns(2)));
            let error_ns = (stamp.dts_ms * MS).abs_diff(at_ns);
            assert!(error_ns <= MS / 2, "frame {n} is {error_ns} ns off");
            assert!(n == 0 || matches!(stamp.dts_ms - last_ms, 33 | 34), "step at frame {n}");
            assert!(matches!(stamp.composition_time_ms, 66 | 67), "composition at frame {n}");
            assert_eq!(u64::from(stamp.wire_ms()), stamp.dts_ms % (1 << 32));
            last_ms = stamp.dts_ms;
        }
        assert!((last_ms - start_ms).abs_diff(24 * 3_600_000) <= 34);
    }

    #[test]
    fn a_day_at_29_97_fps_does_not_drift_across_24_bits() {
        a_day_of_ntsc(0); // 0xFF_FFFF ms are reached after 4 h 39 min
    }

    #[test]
    fn a_day_at_29_97_fps_does_not_drift_across_31_bits() {
        a_day_of_ntsc((1 << 31) - 12 * 3_600_000);
    }

    // Shows F22.
    #[test]
    fn a_day_at_29_97_fps_does_not_drift_across_32_bits() {
        a_day_of_ntsc((1 << 32) - 12 * 3_600_000);
    }

    // Shows F22.
    #[test]
    fn the_wire_time_wraps_at_32_bits_and_the_media_time_does_not() {
        let at = |dts_ms| Stamp { dts_ms, composition_time_ms: 0 }.wire_ms();
        assert_eq!(at(0xFF_FFFF), 0xFF_FFFF);
        assert_eq!(at(0x7FFF_FFFF), 0x7FFF_FFFF);
        assert_eq!(at(0x8000_0000), 0x8000_0000);
        assert_eq!(at(0xFFFF_FFFF), 0xFFFF_FFFF);
        assert_eq!(at(0x1_0000_0000), 0);
        assert_eq!(at(0x1_0000_0021), 33);
    }

    #[test]
    fn composition_time_stays_within_24_signed_bits() {
        let mut timeline = Timeline::new();
        let mut offset = |dts_ms: u64, pts_ms: u64| {
            timeline.stamp(&frame(Kind::VideoDelta, dts_ms * MS, pts_ms * MS)).composition_time_ms
        };
        assert_eq!(offset(0, 80), 80);
        assert_eq!(offset(40, 10_000_000), 0x7F_FFFF);
        assert_eq!(offset(20_000_000, 40), -0x80_0000);
        assert_eq!(offset(u64::MAX / MS, u64::MAX / MS), 0);
    }

    #[test]
    fn a_frame_whose_decoding_time_had_to_wait_keeps_its_presentation_time() {
        let mut timeline = Timeline::new();
        timeline.stamp(&frame(Kind::VideoKey, 0, 0));
        timeline.stamp(&frame(Kind::VideoDelta, 100 * MS, 100 * MS));
        let late = timeline.stamp(&frame(Kind::VideoDelta, 60 * MS, 120 * MS));
        assert_eq!(late, Stamp { dts_ms: 100, composition_time_ms: 20 });
    }

    #[test]
    fn audio_has_no_composition_time() {
        let mut timeline = Timeline::new();
        assert_eq!(timeline.stamp(&frame(Kind::Audio, 0, 21 * MS)), Stamp::default());
    }
}
