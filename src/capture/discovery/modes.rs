//! Which of a camera's modes to use: a pure function of what the camera offers and what is wanted,
//! with the reason for each mode that is not used.
//!
//! The mode that keeps most of the wanted video wins: its pixels, as far as they fit into the wanted
//! size, times its frame rate, as far as that is wanted. Among equals it is one whose frames can be
//! thinned evenly to the wanted rate, then the one with the fewest pixels to discard, then the format that the profile names first, then the one that is cheapest to
//! convert.

use std::{cmp::Reverse, fmt, ops::RangeInclusive};

use gstreamer_video::VideoFormat as Layout;
use serde::{Serialize, Serializer};

use crate::{
    capture::{convert::Shape, request::VideoSettings},
    selection::VideoFormat,
};

/// A frame rate, as a fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Frames.
    pub frames: u32,
    /// Seconds; never 0.
    pub seconds: u32,
}

impl Rate {
    pub(super) fn per_1000_s(self) -> u64 {
        u64::from(self.frames) * 1_000 / u64::from(self.seconds.max(1))
    }

    /// Whether it is as good as `fps`: 29.97 frames a second are as good as 30.
    fn is_enough_for(self, fps: u32) -> bool {
        self.per_1000_s() * 1_010 >= u64::from(fps) * 1_000_000
    }

    /// Whether `fps` comes of it by leaving out the same number of frames each time: 59.94 for 30,
    /// but not 50. Otherwise movement is jerky.
    fn is_multiple_of(self, fps: u32) -> bool {
        let (rate, wanted) = (self.per_1000_s(), u64::from(fps.max(1)) * 1_000);
        let times = (rate + wanted / 2) / wanted;
        (1..=2).contains(&times) && rate.abs_diff(times * wanted) * 100 <= times * wanted
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.per_1000_s() / 1_000, self.per_1000_s() % 1_000 / 10);
        if part == 0 { write!(f, "{whole}") } else { write!(f, "{whole}.{part:02}") }
    }
}

/// The format of a camera's frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// Raw, by GStreamer's name of the layout (`YUY2`).
    Raw(String),
    /// A JPEG.
    Mjpeg,
    /// H.264.
    H264,
    /// Anything else, which is not supported, by its name.
    Other(String),
}

impl Format {
    pub(super) fn format(&self) -> Option<VideoFormat> {
        match self {
            Format::Raw(_) => Some(VideoFormat::Raw),
            Format::Mjpeg => Some(VideoFormat::Mjpeg),
            Format::H264 => Some(VideoFormat::H264),
            Format::Other(_) => None,
        }
    }

    /// Cost of the conversion. The layouts that the encoder takes need none; the other YUV layouts need
    /// less than those with three bytes a pixel.
    fn cost(&self, taken: &[Layout]) -> u8 {
        match self {
            Format::Raw(layout) if taken.iter().any(|taken| taken.to_str() == layout) => 0,
            Format::Raw(layout) => match layout.as_str() {
                "I420" | "YV12" | "NV12" | "NV21" => 1,
                "YUY2" | "UYVY" | "YVYU" | "VYUY" | "Y42B" | "NV16" => 2,
                _ => 3,
            },
            _ => 0,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Format::Raw(layout) => f.write_str(layout),
            Format::Mjpeg => f.write_str("MJPEG"),
            Format::H264 => f.write_str("H.264"),
            Format::Other(name) => f.write_str(name),
        }
    }
}

/// A format with its sizes and frame rates, as a driver reports them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The format.
    pub format: Format,
    /// Widths, in pixels.
    pub width: RangeInclusive<u32>,
    /// Heights, in pixels.
    pub height: RangeInclusive<u32>,
    /// Rates; when `any_between` is set the first and the last of those possible, else all of them.
    pub rates: Vec<Rate>,
    /// Every rate between the slowest and the fastest is possible as well.
    pub any_between: bool,
}

/// A format, a size and a frame rate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mode {
    /// The format.
    pub format: Format,
    /// Width, in pixels.
    pub width: u32,
    /// Height, in pixels.
    pub height: u32,
    /// The rate.
    pub rate: Rate,
}

impl Mode {
    /// The caps that select it, in GStreamer's notation.
    pub fn caps(&self) -> String {
        let media = match &self.format {
            Format::Raw(layout) => format!("video/x-raw, format=(string){layout}"),
            Format::Mjpeg => "image/jpeg".to_owned(),
            Format::H264 => "video/x-h264".to_owned(),
            Format::Other(name) => name.clone(),
        };
        let Mode { width, height, rate: Rate { frames, seconds }, .. } = self;
        format!(
            "{media}, width=(int){width}, height=(int){height}, \
             framerate=(fraction){frames}/{seconds}"
        )
    }
}

impl Mode {
    /// The shape of its frames, where they are raw and their layout is known.
    pub(in crate::capture) fn shape(&self) -> Option<Shape> {
        let Format::Raw(layout) = &self.format else { return None };
        Shape::of(layout, self.width, self.height)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}x{} at {}", self.format, self.width, self.height, self.rate)
    }
}

impl Serialize for Mode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A mode that is not used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RejectedMode {
    /// The mode of an offer that is nearest to what is wanted.
    pub mode: Mode,
    /// Why.
    pub why: String,
}

/// The modes of a camera, best first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ModeChoice {
    /// The one to use; `None` when none is usable.
    pub chosen: Option<Mode>,
    /// All others.
    pub rejected: Vec<RejectedMode>,
    /// The owner has chosen a mode that is not offered, so another one is used: in words, with those that
    /// are.
    pub not_offered: Option<String>,
}

/// Chooses among what a camera offers. `formats` are those allowed, best first; `layouts` are those
/// of raw frames that the encoder takes.
pub fn choose_mode(
    offers: &[Offer],
    wanted: &VideoSettings,
    formats: &[VideoFormat],
    layouts: &[Layout],
) -> ModeChoice {
    let mut usable: Vec<(Rank, Mode)> = Vec::new();
    let mut rejected = Vec::new();
    for offer in offers {
        let Some(mode) = nearest(offer, wanted) else { continue };
        match unusable(&mode, wanted, formats) {
            Some(why) => rejected.push(RejectedMode { mode, why }),
            None => usable.push((Rank::of(&mode, wanted, formats, layouts), mode)),
        }
    }
    // Stable, so that among equals the driver's order counts.
    usable.sort_by_key(|(rank, _)| *rank);
    let mut usable = usable.into_iter();
    let Some((best, chosen)) = usable.next() else {
        return ModeChoice { chosen: None, rejected, not_offered: None };
    };
    let worse = usable.map(|(rank, mode)| {
        let why = why_worse(&mode, rank, &chosen, best, wanted);
        RejectedMode { mode, why }
    });
    let rejected = worse.chain(rejected).collect();
    ModeChoice { chosen: Some(chosen), rejected, not_offered: None }
}

/// The mode of an offer that is nearest to what is wanted: the size next to it, and of the rates that
/// are not too slow the nearest that can be thinned evenly, or else the nearest.
fn nearest(offer: &Offer, wanted: &VideoSettings) -> Option<Mode> {
    let within = |range: &RangeInclusive<u32>, value: u32| {
        // Within a range the wanted size itself is possible.
        value.clamp(*range.start(), (*range.end()).max(*range.start()))
    };
    let mut rates = offer.rates.clone();
    rates.sort_by_key(|rate| rate.per_1000_s());
    let wanted_rate = Rate { frames: wanted.fps, seconds: 1 };
    let away = |rate: &Rate| rate.per_1000_s().abs_diff(wanted_rate.per_1000_s());
    let enough = rates.iter().filter(|rate| rate.is_enough_for(wanted.fps));
    let enough = enough.min_by_key(|rate| (!rate.is_multiple_of(wanted.fps), away(rate)));
    let rate = match (enough, rates.first()) {
        (Some(_), Some(slowest))
            if offer.any_between && slowest.per_1000_s() <= wanted_rate.per_1000_s() =>
        {
            wanted_rate
        }
        (Some(rate), _) => *rate,
        (None, _) => *rates.last()?,
    };
    Some(Mode {
        format: offer.format.clone(),
        width: within(&offer.width, wanted.width),
        height: within(&offer.height, wanted.height),
        rate,
    })
}

fn unusable(mode: &Mode, wanted: &VideoSettings, formats: &[VideoFormat]) -> Option<String> {
    let Some(format) = mode.format.format() else {
        return Some(match &mode.format {
            Format::Other(name) if name.contains("bayer") => {
                "raw sensor data, usable only with `source = \"libcamera\"`".to_owned()
            }
            _ => "not supported".to_owned(),
        });
    };
    if !formats.contains(&format) {
        return Some(format!("camera.formats does not name {format}"));
    }
    let same_size = (mode.width, mode.height) == (wanted.width, wanted.height);
    if format == VideoFormat::H264 && !same_size {
        let VideoSettings { width, height, .. } = wanted;
        return Some(format!("H.264 is passed through unchanged, so it must be {width}x{height}"));
    }
    None
}

/// Better ranks are smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    kept_per_mille: Reverse<u64>,
    jerky: bool,
    pixels_thrown_away: u64,
    place_in_profile: usize,
    cost: u8,
    rate_off: u64,
}

impl Rank {
    fn of(
        mode: &Mode,
        wanted: &VideoSettings,
        formats: &[VideoFormat],
        layouts: &[Layout],
    ) -> Rank {
        let pixels = u64::from(mode.width) * u64::from(mode.height);
        let wanted_pixels = u64::from(wanted.width) * u64::from(wanted.height);
        let rate = mode.rate.per_1000_s();
        let wanted_rate = u64::from(wanted.fps) * 1_000;
        let is_enough = mode.rate.is_enough_for(wanted.fps);
        let rate_kept = if is_enough { wanted_rate } else { rate };
        let kept = fitted_pixels(mode, wanted) * rate_kept * 1_000;
        let place = mode.format.format().and_then(|own| formats.iter().position(|f| *f == own));
        Rank {
            kept_per_mille: Reverse(kept / (wanted_pixels * wanted_rate).max(1)),
            jerky: is_enough && !mode.rate.is_multiple_of(wanted.fps),
            pixels_thrown_away: pixels.saturating_sub(fitted_pixels(mode, wanted)),
            place_in_profile: place.unwrap_or(usize::MAX),
            cost: mode.format.cost(layouts),
            rate_off: rate.abs_diff(wanted_rate),
        }
    }
}

/// Pixels of a frame that remain when it is scaled to fit with its aspect ratio kept; enlarging adds
/// none.
fn fitted_pixels(mode: &Mode, wanted: &VideoSettings) -> u64 {
    let (w, h) = (u64::from(mode.width).max(1), u64::from(mode.height).max(1));
    let (to_w, to_h) = (u64::from(wanted.width), u64::from(wanted.height));
    let fitted = if to_w * h <= to_h * w { to_w * (to_w * h / w) } else { to_h * w / h * to_h };
    fitted.min(w * h)
}

fn why_worse(mode: &Mode, rank: Rank, chosen: &Mode, best: Rank, wanted: &VideoSettings) -> String {
    if rank.kept_per_mille != best.kept_per_mille {
        let mut short = Vec::new();
        if (mode.width, mode.height) != (chosen.width, chosen.height) {
            let smaller = mode.width < wanted.width || mode.height < wanted.height;
            short.push(
                if smaller { "smaller than wanted" } else { "another aspect ratio" }.to_owned(),
            );
        }
        if mode.rate.per_1000_s() < chosen.rate.per_1000_s() {
            short.push(format!("only {} of {} frames a second", mode.rate, wanted.fps));
        }
        return short.join(" and ");
    }
    if rank.jerky != best.jerky {
        return format!("{} frames a second cannot be thinned evenly to {}", mode.rate, wanted.fps);
    }
    if rank.pixels_thrown_away != best.pixels_thrown_away {
        return "larger than needed".to_owned();
    }
    if rank.place_in_profile != best.place_in_profile {
        return format!(
            "{} comes before it in camera.formats",
            chosen.format.format().map_or_else(String::new, |f| f.to_string())
        );
    }
    if rank.cost != best.cost {
        return format!("{} is cheaper to convert", chosen.format);
    }
    if rank.rate_off != best.rate_off {
        let is_faster = mode.rate.per_1000_s() > chosen.rate.per_1000_s();
        let why = if is_faster { "faster than needed" } else { "a little slower than wanted" };
        return why.to_owned();
    }
    format!("as good as {}, which the driver names first", chosen.format)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLANAR: &[Layout] = &[Layout::I420, Layout::Nv12];

    fn offer(format: Format, width: u32, height: u32, rates: &[u32]) -> Offer {
        let rates = rates.iter().map(|fps| Rate { frames: *fps, seconds: 1 }).collect();
        Offer { format, width: width..=width, height: height..=height, rates, any_between: false }
    }

    fn yuy2(width: u32, height: u32, rates: &[u32]) -> Offer {
        offer(Format::Raw("YUY2".to_owned()), width, height, rates)
    }

    fn chosen(offers: &[Offer], formats: &[VideoFormat]) -> String {
        let choice = choose_mode(offers, &VideoSettings::of_720p(), formats, PLANAR);
        assert_eq!(choice.rejected.len() + usize::from(choice.chosen.is_some()), offers.len());
        assert!(choice.rejected.iter().all(|mode| !mode.why.is_empty()), "{choice:?}");
        choice.chosen.map_or_else(|| "none".to_owned(), |mode| mode.to_string())
    }

    #[test]
    fn the_mode_that_keeps_most_of_the_video_is_used() {
        let usual = &VideoFormat::USUAL;
        let jpeg = |w, h, rates: &[u32]| offer(Format::Mjpeg, w, h, rates);
        for (offers, expected) in [
            // A webcam on USB 2: raw is slow at full size.
            (
                vec![yuy2(640, 480, &[30, 15]), yuy2(1280, 720, &[10]), jpeg(1280, 720, &[30, 60])],
                "MJPEG 1280x720 at 30",
            ),
            (vec![jpeg(1280, 720, &[30]), yuy2(1280, 720, &[30])], "YUY2 1280x720 at 30"),
            (vec![yuy2(1920, 1080, &[30]), yuy2(1280, 720, &[30])], "YUY2 1280x720 at 30"),
            (vec![yuy2(1920, 1080, &[60]), yuy2(640, 360, &[30])], "YUY2 1920x1080 at 60"),
            // A 4:3 frame gets black bars, so the wide one keeps more.
            (vec![yuy2(1600, 1200, &[30]), yuy2(1920, 1080, &[30])], "YUY2 1920x1080 at 30"),
            (vec![yuy2(1280, 720, &[15, 25, 60])], "YUY2 1280x720 at 60"),
            (vec![yuy2(1280, 720, &[5, 15, 25])], "YUY2 1280x720 at 25"),
            (vec![yuy2(160, 120, &[5])], "YUY2 160x120 at 5"),
            (vec![offer(Format::H264, 1280, 720, &[30])], "none"),
            (vec![], "none"),
        ] {
            assert_eq!(chosen(&offers, usual), expected, "{offers:?}");
        }
    }

    #[test]
    fn h264_is_used_where_the_profile_allows_it_and_the_size_is_the_wanted_one() {
        let formats = [VideoFormat::H264, VideoFormat::Mjpeg];
        let h264 = |w, h| offer(Format::H264, w, h, &[30]);
        let jpeg = offer(Format::Mjpeg, 1280, 720, &[30]);
        assert_eq!(chosen(&[jpeg.clone(), h264(1280, 720)], &formats), "H.264 1280x720 at 30");
        let choice = choose_mode(
            &[jpeg.clone(), h264(1920, 1080)],
            &VideoSettings::of_720p(),
            &formats,
            PLANAR,
        );
        assert_eq!(choice.chosen.map(|mode| mode.format), Some(Format::Mjpeg));
        assert!(
            choice.rejected[0].why.contains("1280x720"),
            "{choice:?}",
            choice = choice.rejected
        );
        let raw = yuy2(1280, 720, &[30]);
        let choice = choose_mode(&[raw, jpeg], &VideoSettings::of_720p(), &formats, PLANAR);
        assert_eq!(choice.rejected[0].why, "camera.formats does not name raw");
    }

    #[test]
    fn a_range_of_sizes_and_rates_gives_what_is_wanted() {
        let mut free = yuy2(0, 0, &[1, 60]);
        (free.width, free.height, free.any_between) = (16..=3840, 16..=2160, true);
        assert_eq!(chosen(&[free.clone()], &VideoFormat::USUAL), "YUY2 1280x720 at 30");
        (free.width, free.height) = (16..=640, 16..=480);
        assert_eq!(chosen(&[free], &VideoFormat::USUAL), "YUY2 640x480 at 30");
    }

    #[test]
    fn a_television_rate_is_as_good_as_the_full_one() {
        let mut ntsc = yuy2(1280, 720, &[]);
        ntsc.rates = vec![Rate { frames: 30_000, seconds: 1_001 }];
        let jpeg = offer(Format::Mjpeg, 1280, 720, &[30]);
        let reported = chosen(&[jpeg, ntsc], &VideoFormat::USUAL);
        assert_eq!(reported, "YUY2 1280x720 at 29.97");
    }

    #[test]
    fn a_camera_runs_at_a_rate_that_can_be_thinned_evenly() {
        let ntsc = |thousand: u32| Rate { frames: thousand * 1_000, seconds: 1_001 };
        let full = |frames: u32| Rate { frames, seconds: 1 };
        for (wanted, rates, expected) in [
            (30, vec![ntsc(30), ntsc(60)], "29.97"),
            (30, vec![ntsc(24), ntsc(60)], "59.94"),
            (30, vec![full(50), ntsc(60)], "59.94"),
            // Four times as many frames cost more than they are worth.
            (30, vec![full(50), full(120)], "50"),
            (30, vec![full(25), full(50)], "50"),
            (30, vec![ntsc(30), full(30), full(60)], "30"),
            (30, vec![full(25), ntsc(24)], "25"),
            (24, vec![ntsc(24), full(25), full(30)], "23.97"),
            (25, vec![full(30), full(50), full(60)], "50"),
            (60, vec![full(50), ntsc(60)], "59.94"),
            (15, vec![ntsc(24), full(25), ntsc(30)], "29.97"),
        ] {
            let wanted = VideoSettings { fps: wanted, ..VideoSettings::of_720p() };
            let mut camera = yuy2(1280, 720, &[]);
            camera.rates = rates;
            let at_once = choose_mode(&[camera.clone()], &wanted, &VideoFormat::USUAL, PLANAR);
            // The same, when the driver reports each rate as an offer of its own.
            let rates =
                camera.rates.iter().map(|rate| Offer { rates: vec![*rate], ..camera.clone() });
            let one_by_one: Vec<Offer> = rates.collect();
            let one_by_one = choose_mode(&one_by_one, &wanted, &VideoFormat::USUAL, PLANAR);
            for choice in [at_once, one_by_one] {
                let rate = choice.chosen.expect("one is usable").rate.to_string();
                assert_eq!(rate, expected, "{} of {:?}", wanted.fps, camera.rates);
            }
        }
    }

    #[test]
    fn each_mode_that_is_not_used_says_why() {
        let offers = [
            yuy2(1280, 720, &[30]),
            yuy2(640, 480, &[30]),
            yuy2(1280, 720, &[10]),
            yuy2(640, 360, &[15]),
            yuy2(1920, 1080, &[30]),
            offer(Format::Mjpeg, 1280, 720, &[30]),
            offer(Format::Raw("BGR".to_owned()), 1280, 720, &[30]),
            yuy2(1280, 720, &[60]),
            offer(Format::Other("video/x-bayer".to_owned()), 1280, 720, &[30]),
        ];
        let choice = choose_mode(&offers, &VideoSettings::of_720p(), &VideoFormat::USUAL, PLANAR);
        let reported: Vec<String> =
            choice.rejected.iter().map(|r| format!("{}: {}", r.mode, r.why)).collect();
        assert_eq!(
            reported,
            [
                "YUY2 1280x720 at 60: faster than needed",
                "BGR 1280x720 at 30: YUY2 is cheaper to convert",
                "MJPEG 1280x720 at 30: raw comes before it in camera.formats",
                "YUY2 1920x1080 at 30: larger than needed",
                "YUY2 640x480 at 30: smaller than wanted",
                "YUY2 1280x720 at 10: only 10 of 30 frames a second",
                "YUY2 640x360 at 15: smaller than wanted and only 15 of 30 frames a second",
                "video/x-bayer 1280x720 at 30: raw sensor data, usable only with \
                 `source = \"libcamera\"`",
            ]
        );
    }
}
