use super::*;

const ODD: ColourTags = ColourTags { full_range: true, primaries: 9, transfer: 16, matrix: 10 };
/// Many zeros in a row, which need emulation prevention.
const EMPTY: ColourTags = ColourTags { full_range: false, primaries: 0, transfer: 0, matrix: 0 };

/// Sets as encoders write them.
const REAL: &[(&str, &str)] = &[
    ("openh264, constrained baseline", "6742c00d8c8d40a0cbcf00f08846a0"),
    ("x264, baseline, cropped 4:2:0", "6742c01ed900a42fe224c044000003000400000300f03c58b920"),
    ("x264, main, interlaced", "674d401feca05a126c0440000003004000000f07c58b6580"),
    (
        "x264, high, HRD",
        "67640028acd940780227e5c044000003000400000300f3920003d090007a12930c01e30632c0",
    ),
    (
        "x264, high, every field of the VUI's beginning",
        "6764001facd9405005bb01a7010d06b70000030001000003003c0f183196",
    ),
    ("x264 in GStreamer, high", "67640014acd941419f9f016a02020280000003008000001e478a14cb"),
    ("x264, 4:2:2 of 10 bit", "677a0015b6cd941b1fe4f0110000030001000003003c0f162d96"),
    ("x264, 4:4:4", "67f40015919b28363fcfe022000003000200000300781e2c5b2c"),
];

fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// A set of any fields, by `seed`, with these colours or with its own; the rest is the same.
fn any_set(seed: u64, tags: Option<ColourTags>) -> Vec<u8> {
    let (mut rng, mut set) = (fastrand::Rng::with_seed(seed), BitWriter::default());
    let profile = *rng.choice(&[66, 77, 88, 100, 110, 122, 244, 44, 118, 128]).expect("some");
    set.bits(0x67, 8).bits(profile, 8).bits(rng.u8(..).into(), 8).bits(rng.u32(10..63), 8);
    set.unsigned(rng.u32(0..=31));
    if profile >= 100 || profile == 44 {
        chroma_and_lists(&mut rng, &mut set);
    }
    set.unsigned(rng.u32(0..=12));
    let order = rng.u32(0..=2);
    set.unsigned(order);
    match order {
        0 => {
            set.unsigned(rng.u32(0..=12));
        }
        1 => {
            set.flag(rng.bool()).signed(rng.i32(-70_000..70_000)).signed(rng.i32(-9..9));
            let cycle = rng.u32(0..=255);
            set.unsigned(cycle);
            for _ in 0..cycle {
                set.signed(rng.i32(-300..300));
            }
        }
        _ => {}
    }
    set.unsigned(rng.u32(0..=16)).flag(rng.bool());
    set.unsigned(rng.u32(9..120)).unsigned(rng.u32(9..120)); // size
    if !set.flip(&mut rng) {
        set.flag(rng.bool()); // fields, or frames of both
    }
    set.flag(rng.bool());
    if set.flip(&mut rng) {
        for _ in 0..4 {
            set.unsigned(rng.u32(0..9));
        }
    }
    vui(&mut rng, &mut set, tags);
    set.nal_unit()
}

fn chroma_and_lists(rng: &mut fastrand::Rng, set: &mut BitWriter) {
    let format = rng.u32(0..=3);
    set.unsigned(format);
    if format == 3 {
        set.flag(rng.bool()); // separate planes
    }
    set.unsigned(rng.u32(0..=6)).unsigned(rng.u32(0..=6)).flag(rng.bool());
    if !set.flip(rng) {
        return;
    }
    for list in 0..if format == 3 { 12 } else { 8 } {
        if !set.flip(rng) {
            continue;
        }
        let (mut scale, ends_at) = (8, rng.usize(0..80));
        for at in 0..if list < 6 { 16 } else { 64 } {
            let next = if at == ends_at { 0 } else { rng.i32(1..=255) };
            // The difference modulo 256, as near to 0 as there is.
            set.signed(i32::from((next - scale) as i8));
            if next == 0 {
                break;
            }
            scale = next;
        }
    }
}

fn vui(rng: &mut fastrand::Rng, set: &mut BitWriter, tags: Option<ColourTags>) {
    let has_vui = rng.bool();
    set.flag(has_vui || tags.is_some());
    if !has_vui {
        if let Some(tags) = tags {
            set.flag(false).flag(false);
            signal_type(set, 5, tags);
            set.bits(0, 6);
        }
        return;
    }
    if set.flip(rng) {
        let aspect = if rng.bool() { 255 } else { rng.u32(0..=16) };
        set.bits(aspect, 8);
        if aspect == 255 {
            set.bits(rng.u32(..), 32);
        }
    }
    if set.flip(rng) {
        set.flag(rng.bool());
    }
    let (has_signal_type, format) = (rng.bool(), rng.u32(0..=7));
    let (full_range, described) = (rng.bool(), rng.bool().then(|| rng.u32(0..1 << 24)));
    match tags {
        Some(tags) => signal_type(set, if has_signal_type { format } else { 5 }, tags),
        None if has_signal_type => {
            set.flag(true).bits(format, 3).flag(full_range).flag(described.is_some());
            set.bits(described.unwrap_or(0), if described.is_some() { 24 } else { 0 });
        }
        None => {
            set.flag(false);
        }
    }
    if set.flip(rng) {
        set.unsigned(rng.u32(0..=5)).unsigned(rng.u32(0..=5));
    }
    if set.flip(rng) {
        set.bits(rng.u32(..) & rng.u32(..), 32).bits(rng.u32(..) >> 20, 32).flag(rng.bool());
    }
    let (nal_hrd, vcl_hrd) = (hrd(rng, set), hrd(rng, set));
    if nal_hrd || vcl_hrd {
        set.flag(rng.bool());
    }
    set.flag(rng.bool());
    if set.flip(rng) {
        set.flag(rng.bool());
        for _ in 0..6 {
            set.unsigned(rng.u32(0..=16));
        }
    }
}

fn signal_type(set: &mut BitWriter, format: u32, tags: ColourTags) {
    set.flag(true).bits(format, 3).flag(tags.full_range).flag(true);
    for code_point in [tags.primaries, tags.transfer, tags.matrix] {
        set.bits(code_point.into(), 8);
    }
}

fn hrd(rng: &mut fastrand::Rng, set: &mut BitWriter) -> bool {
    let is_there = set.flip(rng);
    if is_there {
        let count = rng.u32(0..=31);
        set.unsigned(count).bits(rng.u32(0..256), 8);
        for _ in 0..=count {
            set.unsigned(rng.u32(..) >> rng.u32(1..32)).unsigned(u32::MAX - 1).flag(rng.bool());
        }
        set.bits(rng.u32(..) >> 12, 20);
    }
    is_there
}

impl BitWriter {
    /// Writes a flag at random and gives it.
    fn flip(&mut self, rng: &mut fastrand::Rng) -> bool {
        let flag = rng.bool();
        self.flag(flag);
        flag
    }
}

#[test]
fn any_parameter_set_gets_the_colours_and_keeps_every_other_bit() {
    for seed in 0..700 {
        let set = any_set(seed, None);
        for tags in [ColourTags::BT709, ODD, EMPTY] {
            let expected = any_set(seed, Some(tags));
            assert_eq!(tagged_set(&set, tags), Ok(expected), "seed {seed}: {set:02x?}");
        }
    }
}

#[test]
fn a_parameter_set_that_has_the_colours_stays_as_it_is() {
    for seed in 0..700 {
        for tags in [ColourTags::BT709, ODD, EMPTY] {
            let set = any_set(seed, Some(tags));
            assert_eq!(tagged_set(&set, tags).as_ref(), Ok(&set), "seed {seed}");
        }
    }
    let set = from_hex(REAL[5].1);
    assert_eq!(tagged_set(&set, ColourTags::BT709), Ok(set), "BT.709 is what it was fed");
}

#[test]
fn sets_of_real_encoders_get_the_colours_whatever_they_hold() {
    for (name, hex) in REAL {
        let set = from_hex(hex);
        let odd = tagged_set(&set, ODD).unwrap_or_else(|e| panic!("{name}: {e}"));
        let there_and_back = tagged_set(&odd, ColourTags::BT709);
        assert_eq!(there_and_back, tagged_set(&set, ColourTags::BT709), "{name}");
        assert_ne!(Ok(&odd), there_and_back.as_ref(), "{name}");
    }
    // By ffmpeg's trace_headers: video_format stays 1 (PAL), full range, then the three code points.
    let all = from_hex(REAL[4].1);
    let own = ColourTags { full_range: true, primaries: 1, transfer: 13, matrix: 6 };
    assert_eq!(tagged_set(&all, own), Ok(all), "its own colours");
}

#[test]
fn a_set_cut_at_any_byte_or_with_more_behind_it_is_an_error() {
    let mut sets: Vec<Vec<u8>> = REAL.iter().map(|(_, hex)| from_hex(hex)).collect();
    sets.extend((0..50).map(|seed| any_set(seed, None)));
    for set in sets {
        for len in 0..set.len() {
            // What ends in a 1 by chance, with a flag that says that nothing follows, is whole.
            if let Ok(tagged) = tagged_set(&set[..len], ODD) {
                assert_eq!(tagged_set(&tagged, ODD), Ok(tagged.clone()), "{len} of {set:02x?}");
            }
        }
        let longer = [&set[..], &[0x12]].concat();
        let field = "rbsp_trailing_bits";
        assert_eq!(tagged_set(&longer, ODD), Err(ConfigError::Forbidden { field, value: 0 }));
        let zeros = [&set[..], &[0, 0]].concat();
        assert_eq!(tagged_set(&zeros, ODD), tagged_set(&set, ODD), "zeros belong to no NAL unit");
    }
}

#[test]
fn a_value_that_the_standard_forbids_is_named() {
    let start = || {
        let mut set = BitWriter::default();
        set.bits(0x67, 8).bits(100, 8).bits(0, 8).bits(40, 8).unsigned(0).unsigned(1);
        set
    };
    let lists = |delta| {
        let mut set = start();
        set.unsigned(0).unsigned(0).bits(0b011, 3).signed(delta);
        set
    };
    let up_to_vui = || {
        let mut set = start();
        set.unsigned(0).unsigned(0).bits(0, 2); // bit depths, no lists
        set.unsigned(0).unsigned(2).unsigned(1).bits(0, 1);
        set.unsigned(9).unsigned(9).bits(0b110, 3);
        set
    };
    // A VUI without colours: these flags behind them, and a code.
    let vui = |flags: u32, count: u32, code: u32| {
        let mut set = up_to_vui();
        set.flag(true).bits(0, 3).bits(flags, count).unsigned(code).bits(0, 9);
        set
    };
    for (set, field, value) in [
        (lists(128), "delta_scale", 128),
        (lists(-129), "delta_scale", 129),
        (vui(0b1, 1, 6), "chroma_sample_loc_type_top_field", 6),
        (vui(0b001, 3, 32), "cpb_cnt_minus1", 32),
        (vui(0b000_0011, 7, 17), "max_bytes_per_pic_denom", 17),
    ] {
        let refused = Err(ConfigError::Forbidden { field, value });
        assert_eq!(tagged_set(&set.nal_unit(), ODD), refused, "{field}");
    }
    assert!(tagged_set(&up_to_vui().nal_unit(), ODD).is_err(), "it ends before its VUI");
}

#[test]
fn noise_and_single_wrong_bytes_give_a_set_or_an_error() {
    let mut rng = fastrand::Rng::with_seed(1);
    for seed in 0..1_000 {
        let mut set = any_set(seed, None);
        let at = rng.usize(1..set.len());
        set[at] = rng.u8(..);
        if let Ok(tagged) = tagged_set(&set, ODD) {
            assert_eq!(tagged_set(&tagged, ODD), Ok(tagged.clone()), "{set:02x?}");
        }
    }
}

/// A record of these sets, of a profile whose record has something behind its sets.
fn record(sets: &[Vec<u8>]) -> Vec<u8> {
    let mut record = vec![1, 100, 0, 40, 0xFF, 0xE0 | sets.len() as u8];
    for set in sets {
        record.extend_from_slice(&(set.len() as u16).to_be_bytes());
        record.extend_from_slice(set);
    }
    record.extend_from_slice(&[1, 0, 4, 0x68, 0xCE, 0x3C, 0x80]);
    record.extend_from_slice(&[0xFD, 0xF8, 0xF8, 0]);
    record
}

#[test]
fn a_record_gets_the_colours_in_each_of_its_sets_and_keeps_the_rest() {
    let sets: Vec<Vec<u8>> = (0..31).map(|seed| any_set(seed, None)).collect();
    let tagged: Vec<Vec<u8>> = (0..31).map(|seed| any_set(seed, Some(ODD))).collect();
    for count in 1..sets.len() {
        let expected = record(&tagged[..count]);
        assert_eq!(tagged_config(&record(&sets[..count]), ODD), Ok(expected));
    }
    assert_eq!(tagged_config(&record(&[]), ODD), Err(ConfigError::NoParameterSet));
    let whole = record(&sets[..2]);
    // The last four bytes are there for some profiles only.
    for len in 0..whole.len() - 4 {
        assert_eq!(tagged_config(&whole[..len], ODD), Err(ConfigError::TooShort), "{len}");
    }
}

#[test]
fn a_set_that_grows_beyond_its_length_field_is_an_error() {
    let set = (0..).map(|seed| any_set(seed, None)).find(|set| {
        let grows = tagged_set(set, ODD).is_ok_and(|tagged| tagged.len() > 255);
        grows && set.len() <= 255
    });
    let set = set.expect("one near the bound");
    let unit = [&[set.len() as u8], &set[..]].concat();
    let value = tagged_set(&set, ODD).expect("can be read").len() as u32;
    let field = "NALUnitLength";
    assert_eq!(tagged_key_frame(&unit, 1, ODD), Err(ConfigError::Forbidden { field, value }));
}

#[test]
fn a_key_frame_gets_the_colours_in_each_set_and_keeps_its_other_units() {
    let (set, tagged) = (any_set(7, None), any_set(7, Some(ODD)));
    let (pps, slice) = (vec![0x68, 0xCE], vec![0x65; 300]);
    let unit = |units: &[&Vec<u8>], length_bytes: usize| {
        let sized = |unit: &&Vec<u8>| {
            let length = (unit.len() as u32).to_be_bytes();
            [&length[4 - length_bytes..], unit].concat()
        };
        units.iter().map(sized).collect::<Vec<_>>().concat()
    };
    let tag = |unit: &[u8], length_bytes| tagged_key_frame(unit, length_bytes, ODD);
    for length_bytes in [2, 4] {
        let unit = |units: &[&Vec<u8>]| unit(units, length_bytes);
        for (before, after) in [
            (vec![&set, &pps, &slice], vec![&tagged, &pps, &slice]),
            (vec![&pps, &set, &set, &slice], vec![&pps, &tagged, &tagged, &slice]),
            (vec![&slice, &set], vec![&slice, &tagged]),
        ] {
            assert_eq!(tag(&unit(&before), length_bytes), Ok(Some(unit(&after))));
        }
        assert_eq!(tag(&unit(&[&pps, &slice]), length_bytes), Ok(None), "nothing to write");
        assert_eq!(tag(&[], length_bytes), Ok(None));
        let whole = unit(&[&pps, &slice]);
        assert_eq!(tag(&whole[..whole.len() - 1], length_bytes), Err(ConfigError::TooShort));
        assert!(tag(&unit(&[&set[..9].to_vec(), &slice]), length_bytes).is_err());
    }
}

#[test]
fn a_level_that_is_too_low_is_raised_in_each_set_and_in_its_record_and_no_other_bit_changes() {
    let colours = ColourTags::BT709;
    let demand = Some(Demand { fps: 60, kbps_max: 12_000 });
    for seed in 0..700 {
        let set = any_set(seed, Some(colours));
        let raised = tagged_set(&set, Tags { colours, demand }).expect("can be read");
        assert!(raised[3] >= set[3], "seed {seed}");
        let mut expected = set.clone();
        expected[2..4].copy_from_slice(&raised[2..4]);
        assert_eq!(raised, expected, "seed {seed}");
        assert_eq!(raised[2] | 0x10, set[2] | 0x10, "seed {seed}");
        assert_eq!(tagged_set(&raised, Tags { colours, demand }), Ok(raised), "seed {seed}");
    }
    let set = |level| {
        let mut set = from_hex(REAL[4].1);
        set[3] = level;
        tagged_set(&set, colours).expect("can be read")
    };
    let record = |level| {
        let mut record = record(&[set(level), set(level)]);
        record[3] = level;
        record
    };
    let tag = |level| tagged_config(&record(level), Tags { colours, demand });
    assert_eq!(tag(10), Ok(record(32)), "720p at 60 frames a second");
    assert_eq!(tag(42), Ok(record(42)));
}
