//! The levels of H.264 (ITU-T H.264 table A-1): what a decoder of each can do.

/// What decoding a stream takes, besides the size of its frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    /// Frames a second.
    pub fps: u32,
    /// The highest bitrate that the stream may have, in kbit/s.
    pub kbps_max: u32,
}

/// What a decoder can do.
struct Level {
    /// `level_idc`: ten times the level.
    idc: u8,
    /// `MaxMBPS`.
    macroblocks_per_second: u64,
    /// `MaxFS`, in macroblocks.
    frame_macroblocks: u64,
    /// `MaxDpbMbs`: all frames that are kept, in macroblocks.
    stored_macroblocks: u64,
    /// `MaxBR`, in kbit/s, of the profiles up to Main.
    kbps: u64,
}

#[rustfmt::skip]
const LEVELS: [Level; 19] = [
    level(10,      1_485,      99,     396,      64),
    level(11,      3_000,     396,     900,     192),
    level(12,      6_000,     396,   2_376,     384),
    level(13,     11_880,     396,   2_376,     768),
    level(20,     11_880,     396,   2_376,   2_000),
    level(21,     19_800,     792,   4_752,   4_000),
    level(22,     20_250,   1_620,   8_100,   4_000),
    level(30,     40_500,   1_620,   8_100,  10_000),
    level(31,    108_000,   3_600,  18_000,  14_000),
    level(32,    216_000,   5_120,  20_480,  20_000),
    level(40,    245_760,   8_192,  32_768,  20_000),
    level(41,    245_760,   8_192,  32_768,  50_000),
    level(42,    522_240,   8_704,  34_816,  50_000),
    level(50,    589_824,  22_080, 110_400, 135_000),
    level(51,    983_040,  36_864, 184_320, 240_000),
    level(52,  2_073_600,  36_864, 184_320, 240_000),
    level(60,  4_177_920, 139_264, 696_320, 240_000),
    level(61,  8_355_840, 139_264, 696_320, 480_000),
    level(62, 16_711_680, 139_264, 696_320, 800_000),
];

const fn level(
    idc: u8,
    macroblocks_per_second: u64,
    frame_macroblocks: u64,
    stored_macroblocks: u64,
    kbps: u64,
) -> Level {
    Level { idc, macroblocks_per_second, frame_macroblocks, stored_macroblocks, kbps }
}

/// `profile_idc` from which on a level allows a quarter more bits (`cpbBrVclFactor`, H.264 table A-2).
const HIGH: u8 = 100;

/// The frames of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frames {
    /// In macroblocks.
    pub width: u32,
    /// In macroblocks.
    pub height: u32,
    /// `max_num_ref_frames`.
    pub references: u32,
}

/// `level_idc` of the lowest level that has room for frames of this size in pixels at this demand, in
/// profile High and with one reference frame; `None` when none has.
pub fn least_level(width: u32, height: u32, demand: Demand) -> Option<u8> {
    let (width, height) = (width.div_ceil(16), height.div_ceil(16));
    least(HIGH, Frames { width, height, references: 1 }, demand)
}

fn least(profile: u8, frames: Frames, demand: Demand) -> Option<u8> {
    let (width, height) = (u64::from(frames.width), u64::from(frames.height));
    let macroblocks = width * height;
    let references = u64::from(frames.references.max(1));
    let kbps = u64::from(demand.kbps_max);
    let has_room = |level: &&Level| {
        let kbps_max = if profile >= HIGH { level.kbps * 5 / 4 } else { level.kbps };
        macroblocks * u64::from(demand.fps) <= level.macroblocks_per_second
            && macroblocks <= level.frame_macroblocks
            && width.max(height).pow(2) <= 8 * level.frame_macroblocks
            && macroblocks * references <= level.stored_macroblocks
            && kbps <= kbps_max
    };
    LEVELS.iter().find(has_room).map(|level| level.idc)
}

/// Raises the level in a sequence parameter set, whose first bytes are its header, `profile_idc`, the
/// constraint flags and `level_idc`, to the lowest one that has room; a higher one stays.
pub(super) fn raise(set: &mut [u8], frames: Frames, demand: Demand) {
    /// Level 1b in the profiles up to Main, with `level_idc` 11 (H.264 section 7.4.2.1.1).
    const CONSTRAINT_SET3: u8 = 0x10;
    let [_, profile, constraints, level, ..] = set else { return };
    let is_1b = *profile < HIGH && *level == 11 && *constraints & CONSTRAINT_SET3 != 0;
    let Some(least) = least(*profile, frames, demand) else { return };
    // Level 1b, between 1 and 1.1, is 9 in the other profiles.
    let announced = if is_1b { 10 } else { (*level).max(10) };
    if least > announced {
        *level = least;
        if is_1b {
            *constraints &= !CONSTRAINT_SET3;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIN: u8 = 77;

    fn frames(width: u32, height: u32, references: u32) -> Frames {
        Frames { width: width.div_ceil(16), height: height.div_ceil(16), references }
    }

    #[test]
    fn the_least_level_has_room_for_size_rate_bitrate_and_references() {
        for (width, height, references, fps, kbps_max, main, high) in [
            (176, 144, 1, 15, 64, 10, 10),
            (320, 180, 1, 15, 300, 12, 12),
            (320, 180, 1, 15, 800, 20, 13), // a level allows more bits in High
            (640, 360, 1, 30, 2_000, 30, 30),
            (1280, 720, 1, 30, 6_000, 31, 31),
            (1280, 720, 1, 30, 17_500, 32, 31),
            (1280, 720, 1, 60, 6_000, 32, 32),
            (1920, 1080, 1, 30, 12_000, 40, 40),
            (1920, 1080, 1, 30, 20_001, 41, 40),
            (1920, 1080, 5, 30, 12_000, 50, 50),
            (1920, 1080, 1, 60, 12_000, 42, 42),
            (1920, 1200, 1, 60, 12_000, 50, 50),
            (1920, 32, 1, 15, 300, 31, 31), // too wide for a lower one
            (16_880, 16, 1, 1, 300, 60, 60),
        ] {
            let (frames, demand) = (frames(width, height, references), Demand { fps, kbps_max });
            let both = [least(MAIN, frames, demand), least(HIGH, frames, demand)];
            assert_eq!(both, [Some(main), Some(high)], "{frames:?} {demand:?}");
        }
        let demand = Demand { fps: 15, kbps_max: 800_001 };
        assert_eq!(least(MAIN, frames(320, 180, 1), demand), None);
        assert_eq!(least_level(1280, 720, Demand { fps: 30, kbps_max: 17_500 }), Some(31));
    }

    #[test]
    fn a_level_is_raised_where_it_is_too_low_and_never_lowered() {
        let (small, small_demand) = (frames(176, 144, 1), Demand { fps: 15, kbps_max: 64 });
        let (large, large_demand) = (frames(1920, 1080, 1), Demand { fps: 30, kbps_max: 8_000 });
        for (set, frames, demand, expected) in [
            ([0x67, 100, 0, 10], large, large_demand, [0x67, 100, 0, 40]),
            ([0x67, 100, 0, 9], large, large_demand, [0x67, 100, 0, 40]),
            ([0x67, 66, 0xC0, 31], large, large_demand, [0x67, 66, 0xC0, 40]),
            ([0x67, 100, 0, 40], large, large_demand, [0x67, 100, 0, 40]),
            ([0x67, 100, 0, 51], large, large_demand, [0x67, 100, 0, 51]),
            ([0x67, 100, 0, 51], small, small_demand, [0x67, 100, 0, 51]),
            // Level 1b in both of its forms.
            ([0x67, 100, 0, 9], small, small_demand, [0x67, 100, 0, 9]),
            ([0x67, 66, 0xD0, 11], small, small_demand, [0x67, 66, 0xD0, 11]),
            ([0x67, 66, 0xD0, 11], large, large_demand, [0x67, 66, 0xC0, 40]),
            // The flag means something else in the profiles of High.
            ([0x67, 100, 0x10, 11], large, large_demand, [0x67, 100, 0x10, 40]),
        ] {
            let mut raised = set;
            raise(&mut raised, frames, demand);
            assert_eq!(raised, expected, "{set:?}");
        }
        raise(&mut [0x67, 100, 0], large, large_demand);
    }
}
