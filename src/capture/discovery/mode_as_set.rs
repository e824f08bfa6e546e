//! A camera's mode where its owner has chosen something of it: a pure function, as for those that the box
//! chooses. A camera that does not offer it is used all the same, and says so.

use gstreamer_video::VideoFormat as Layout;

use super::modes::{Format, Mode, ModeChoice, Offer, Rate, RejectedMode, choose_mode};
use crate::{
    capture::request::VideoSettings,
    limits::CAMERA_MODES_NAMED_MAX,
    selection::{CameraMode, ModeFormat, VideoFormat},
};

/// Chooses as [`choose_mode`] does, of those modes that are as it is set where there are any.
pub fn choose_mode_as_set(
    offers: &[Offer],
    set: CameraMode,
    wanted: &VideoSettings,
    formats: &[VideoFormat],
    layouts: &[Layout],
) -> ModeChoice {
    let any = choose_mode(offers, wanted, formats, layouts);
    if set.is_auto() {
        return any;
    }
    let as_set: Vec<Offer> = offers.iter().filter_map(|offer| narrowed(offer, set)).collect();
    let choice = choose_mode(&as_set, wanted, formats, layouts);
    let ModeChoice { chosen: Some(chosen), rejected, .. } = choice else {
        let not_offered = format!(
            "it does not offer camera.mode {set}, and the box chooses: it offers {}",
            in_words(offers, formats)
        );
        return ModeChoice { not_offered: Some(not_offered), ..any };
    };
    let others = any.chosen.into_iter().chain(any.rejected.into_iter().map(|other| other.mode));
    let known: Vec<&Mode> = rejected.iter().map(|other| &other.mode).chain([&chosen]).collect();
    let others: Vec<RejectedMode> = others
        .filter(|mode| !known.contains(&mode))
        .map(|mode| RejectedMode { mode, why: format!("camera.mode is {set}") })
        .collect();
    let rejected = rejected.into_iter().chain(others).collect();
    ModeChoice { chosen: Some(chosen), rejected, not_offered: None }
}

/// What of an offer is as it is set; `None` when nothing is.
fn narrowed(offer: &Offer, set: CameraMode) -> Option<Offer> {
    let is_format = match (set.format, &offer.format) {
        (None, _)
        | (Some(ModeFormat::Raw), Format::Raw(_))
        | (Some(ModeFormat::Mjpeg), Format::Mjpeg) => true,
        (Some(ModeFormat::Layout(set)), Format::Raw(offered)) => set == offered,
        (Some(_), _) => false,
    };
    let mut narrowed = offer.clone();
    if let Some((width, height)) = set.size {
        if !offer.width.contains(&width) || !offer.height.contains(&height) {
            return None;
        }
        (narrowed.width, narrowed.height) = (width..=width, height..=height);
    }
    if let Some(milli) = set.rate_milli {
        let per_1000_s = || offer.rates.iter().map(|rate| rate.per_1000_s());
        let is_between =
            per_1000_s().min() <= Some(milli.into()) && per_1000_s().max() >= Some(milli.into());
        if offer.any_between && is_between {
            narrowed.rates = vec![rate_of(milli)];
        } else {
            narrowed.rates.retain(|rate| is_about(*rate, milli));
        }
        narrowed.any_between = false;
    }
    (is_format && !narrowed.rates.is_empty()).then_some(narrowed)
}

/// Whether it is the rate that is meant: 29.97 frames a second are 30 to whoever asks for 30.
fn is_about(rate: Rate, milli: u32) -> bool {
    rate.per_1000_s().abs_diff(u64::from(milli)) * 100 <= u64::from(milli)
}

/// A rate in its lowest terms.
fn rate_of(milli: u32) -> Rate {
    let (mut a, mut b) = (milli, 1_000);
    while b > 0 {
        (a, b) = (b, a % b);
    }
    let divisor = a.max(1);
    Rate { frames: milli / divisor, seconds: 1_000 / divisor }
}

/// What a camera offers of what may be used, as a setting says it.
fn in_words(offers: &[Offer], formats: &[VideoFormat]) -> String {
    let usable = offers.iter().filter(|offer| {
        offer
            .format
            .format()
            .is_some_and(|format| format != VideoFormat::H264 && formats.contains(&format))
    });
    let each = |offer: &Offer| -> Vec<String> {
        let (from, to) =
            ((offer.width.start(), offer.height.start()), (offer.width.end(), offer.height.end()));
        let size = match from == to {
            true => format!("{}x{}", to.0, to.1),
            false => format!("any size up to {}x{}", to.0, to.1),
        };
        let format = offer.format.to_string().to_ascii_lowercase();
        offer.rates.iter().map(|rate| format!("{size}@{rate} {format}")).collect()
    };
    let all: Vec<String> = usable.flat_map(each).collect();
    let (named, more) = all.split_at(all.len().min(CAMERA_MODES_NAMED_MAX));
    match (named, more.len()) {
        ([], _) => "nothing that could be used".to_owned(),
        (named, 0) => named.join(", "),
        (named, more) => format!("{} and {more} more, which `devices` shows", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(format: Format, size: (u32, u32), rates: &[u32]) -> Offer {
        let rates = rates.iter().map(|fps| Rate { frames: *fps, seconds: 1 }).collect();
        let (width, height) = (size.0..=size.0, size.1..=size.1);
        Offer { format, width, height, rates, any_between: false }
    }

    fn raw(layout: &str, size: (u32, u32), rates: &[u32]) -> Offer {
        offer(Format::Raw(layout.to_owned()), size, rates)
    }

    fn choice(offers: &[Offer], set: &str) -> ModeChoice {
        let set = CameraMode::parse(set).expect("a mode");
        let (video, usual) = (VideoSettings::of_720p(), &VideoFormat::USUAL);
        choose_mode_as_set(offers, set, &video, usual, &[Layout::I420])
    }

    fn webcam() -> Vec<Offer> {
        vec![
            raw("YUY2", (640, 480), &[30, 15]),
            raw("YUY2", (1280, 720), &[10]),
            raw("NV12", (1280, 720), &[10]),
            offer(Format::Mjpeg, (1280, 720), &[60, 30]),
            offer(Format::Mjpeg, (1920, 1080), &[30]),
            offer(Format::H264, (1280, 720), &[30]),
        ]
    }

    #[test]
    fn what_is_set_of_the_mode_is_used_and_the_box_chooses_the_rest() {
        for (set, used) in [
            ("auto", "MJPEG 1280x720 at 30"),
            ("1280x720@60 mjpeg", "MJPEG 1280x720 at 60"),
            ("MJPEG 1920x1080 at 30", "MJPEG 1920x1080 at 30"),
            ("1920x1080", "MJPEG 1920x1080 at 30"),
            ("raw", "NV12 1280x720 at 10"),
            ("640x480", "YUY2 640x480 at 30"),
            ("1280x720 yuyv", "YUY2 1280x720 at 10"),
            ("@15", "YUY2 640x480 at 15"),
            ("@59.94", "MJPEG 1280x720 at 60"),
        ] {
            let choice = choice(&webcam(), set);
            assert_eq!(choice.not_offered, None, "{set}");
            assert_eq!(choice.chosen.expect("a mode").to_string(), used, "{set}");
            let others: Vec<_> = choice.rejected.iter().map(|other| &other.why).collect();
            let named = others.iter().any(|why| {
                **why == format!("camera.mode is {}", CameraMode::parse(set).expect("a mode"))
            });
            assert_eq!(named, set != "auto", "{set}: {others:?}");
        }
    }

    #[test]
    fn a_camera_that_does_not_offer_what_is_set_is_used_and_says_what_it_offers() {
        let choice = choice(&webcam(), "1920x1080@60 nv12");
        assert_eq!(
            choice.chosen.map(|mode| mode.to_string()).as_deref(),
            Some("MJPEG 1280x720 at 30")
        );
        assert_eq!(
            choice.not_offered.as_deref(),
            Some(
                "it does not offer camera.mode 1920x1080@60 nv12, and the box chooses: it offers \
                 640x480@30 yuy2, 640x480@15 yuy2, 1280x720@10 yuy2, 1280x720@10 nv12, \
                 1280x720@60 mjpeg, 1280x720@30 mjpeg, 1920x1080@30 mjpeg"
            )
        );
    }

    #[test]
    fn of_a_range_any_size_and_rate_can_be_set() {
        let mut free = raw("UYVY", (0, 0), &[1, 60]);
        (free.width, free.height, free.any_between) = (16..=3840, 16..=2160, true);
        for (set, used) in
            [("800x600@25", "UYVY 800x600 at 25"), ("800x600 @ 59.94", "UYVY 800x600 at 59.94")]
        {
            let choice = choice(&[free.clone()], set);
            assert_eq!(choice.chosen.expect("a mode").to_string(), used, "{set}");
        }
        let choice = choice(&[free], "800x600@61");
        let not_offered = choice.not_offered.expect("too fast");
        assert!(
            not_offered
                .ends_with("any size up to 3840x2160@1 uyvy, any size up to 3840x2160@60 uyvy"),
            "{not_offered}"
        );
    }
}
