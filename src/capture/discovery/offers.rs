//! What a driver offers, from GStreamer's caps.

use gstreamer as gst;

use super::modes::{Format, Offer, Rate};
use crate::limits::CAPTURE_OFFERS_MAX;

/// The offers in caps, in their order; at most `CAPTURE_OFFERS_MAX`.
pub fn offers_of(caps: &gst::CapsRef) -> Vec<Offer> {
    let plain = caps.iter_with_features().filter(|(_, features)| {
        features.is_equal(gst::CAPS_FEATURES_MEMORY_SYSTEM_MEMORY.as_ref())
    });
    plain
        .flat_map(|(structure, _)| offers_of_structure(structure))
        .take(CAPTURE_OFFERS_MAX)
        .collect()
}

/// The offers of a driver, from caps in GStreamer's notation.
///
/// # Errors
/// When the text is not caps, or GStreamer cannot be started.
pub fn offers(caps: &str) -> Result<Vec<Offer>, String> {
    gst::init().map_err(|error| error.to_string())?;
    let caps: gst::Caps = caps.parse().map_err(|_| format!("not caps: {caps}"))?;
    Ok(offers_of(&caps))
}

fn offers_of_structure(structure: &gst::StructureRef) -> Vec<Offer> {
    let formats: Vec<Format> = match structure.name().as_str() {
        "video/x-raw" => {
            let layouts = structure.value("format").map(each_text).unwrap_or_default();
            layouts.into_iter().map(Format::Raw).collect()
        }
        "image/jpeg" => vec![Format::Mjpeg],
        "video/x-h264" => vec![Format::H264],
        other => vec![Format::Other(other.to_owned())],
    };
    let side = |name| structure.value(name).map(sides).unwrap_or_default();
    let (rates, any_between) = structure.value("framerate").map(rates).unwrap_or_default();
    let mut offers = Vec::new();
    for format in formats {
        for width in side("width") {
            for height in side("height") {
                let (format, width, rates) = (format.clone(), width.clone(), rates.clone());
                offers.push(Offer { format, width, height, rates, any_between });
            }
        }
    }
    offers
}

fn each_text(value: &gst::glib::SendValue) -> Vec<String> {
    match value.get::<gst::List>() {
        Ok(list) => list.iter().filter_map(|value| value.get::<String>().ok()).collect(),
        Err(_) => value.get::<String>().into_iter().collect(),
    }
}

type Side = std::ops::RangeInclusive<u32>;

fn sides(value: &gst::glib::SendValue) -> Vec<Side> {
    let side = |from: i32, to: i32| Some(u32::try_from(from).ok()?..=u32::try_from(to).ok()?);
    if let Ok(one) = value.get::<i32>() {
        return side(one, one).into_iter().collect();
    }
    if let Ok(range) = value.get::<gst::IntRange<i32>>() {
        return side(range.min(), range.max()).into_iter().collect();
    }
    let list = value.get::<gst::List>();
    let each = |list: gst::List| {
        list.iter().filter_map(|v| v.get::<i32>().ok().and_then(|v| side(v, v))).collect()
    };
    list.map(each).unwrap_or_default()
}

/// Rates, and whether those between the first and the last are possible as well.
fn rates(value: &gst::glib::SendValue) -> (Vec<Rate>, bool) {
    let rate = |fraction: gst::Fraction| {
        let frames = u32::try_from(fraction.numer()).ok().filter(|frames| *frames > 0)?;
        let seconds = u32::try_from(fraction.denom()).ok().filter(|seconds| *seconds > 0)?;
        Some(Rate { frames, seconds })
    };
    if let Ok(one) = value.get::<gst::Fraction>() {
        return (rate(one).into_iter().collect(), false);
    }
    if let Ok(range) = value.get::<gst::FractionRange>() {
        // A range from 0 is used from one frame a second on.
        let slowest = rate(range.min()).unwrap_or(Rate { frames: 1, seconds: 1 });
        return (std::iter::once(slowest).chain(rate(range.max())).collect(), true);
    }
    let list = value.get::<gst::List>();
    let each = |list: gst::List| {
        list.iter().filter_map(|v| v.get::<gst::Fraction>().ok().and_then(rate)).collect()
    };
    (list.map(each).unwrap_or_default(), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caps_of_drivers_are_read_whatever_their_shape() {
        gst::init().expect("GStreamer");
        let read = |text| -> Vec<String> {
            let reported = offers(text).expect("caps").into_iter().map(|offer| {
                let rates: Vec<String> = offer.rates.iter().map(Rate::to_string).collect();
                format!("{} {:?}x{:?} {}", offer.format, offer.width, offer.height, rates.join(","))
            });
            reported.collect()
        };
        assert_eq!(
            read(
                "video/x-raw, format=(string){ YUY2, NV12 }, width=640, height=480, \
                  framerate=(fraction){ 30/1, 30000/1001, 0/1 }; \
                  image/jpeg, width=1280, height=720, framerate=30/1"
            ),
            [
                "YUY2 640..=640x480..=480 30,29.97",
                "NV12 640..=640x480..=480 30,29.97",
                "MJPEG 1280..=1280x720..=720 30",
            ]
        );
        assert_eq!(
            read(
                "video/x-raw, format=UYVY, width=[16,1920], height={240,480}, \
                  framerate=[0/1,60/1]"
            ),
            ["UYVY 16..=1920x240..=240 1,60", "UYVY 16..=1920x480..=480 1,60"]
        );
        assert_eq!(read("video/x-raw(memory:DMABuf), format=NV12, width=1, height=1"), [""; 0]);
        assert_eq!(
            read("video/x-bayer, format=rggb, width=3280, height=2464, framerate=21/1"),
            ["video/x-bayer 3280..=3280x2464..=2464 21"]
        );
        assert!(offers("no caps at all!").is_err());
    }
}
