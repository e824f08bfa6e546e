//! The supported JPEG decoders, as data.
//!
//! A board profile orders them by name; their settings are here. No decoder but the software one has
//! met its hardware yet: elements, properties and bugs are from public source and reports.

use crate::capture::encode::KnownBug;

/// A JPEG decoder.
#[derive(Debug, PartialEq, Eq)]
pub struct JpegDecoderSpec {
    /// Its GStreamer element.
    pub element: &'static str,
    /// It needs no device, so it is opened without a trial and never replaced.
    pub software: bool,
    /// The element in front of it, where it takes JPEGs of one that has looked at them.
    pub parser: Option<&'static str>,
    /// Its properties.
    pub properties: &'static [(&'static str, &'static str)],
    /// The caps of its output; with none, what follows decides.
    pub caps: Option<&'static str>,
    /// The element that copies frames out of the device's memory, where they come in such, and the
    /// caps behind it.
    pub download: Option<(&'static str, &'static str)>,
    /// Greatest width and height, in pixels.
    pub size_max: (u32, u32),
    /// Its known bugs.
    pub known_bugs: &'static [KnownBug],
}

const OUT_OF_DEVICE_MEMORY: Option<(&str, &str)> =
    Some(("nvvidconv", "video/x-raw, format=(string){ NV12, I420 }"));
const DEVICE_MEMORY: Option<&str> = Some("video/x-raw(memory:NVMM)");

const MAY_STOP_AT_A_BAD_FRAME: KnownBug = KnownBug {
    does: "may fail at a frame that is whole but cannot be decoded, or hold it without an end",
    answer: "frames that are not whole never reach it; it is watched, and the next decoder replaces it",
};

const JPEG: &[JpegDecoderSpec] = &[
    JpegDecoderSpec {
        element: "v4l2jpegdec",
        software: false,
        parser: Some("jpegparse"),
        properties: &[("max-errors", "-1")],
        caps: Some("video/x-raw"),
        download: None,
        size_max: (1_920, 1_920),
        known_bugs: &[
            KnownBug {
                does: "delivers nothing for the JPEGs of some cameras (raspberrypi/linux 5142)",
                answer: "it is watched, and the next decoder replaces it",
            },
            KnownBug {
                does: "is registered under this name only where a single driver decodes JPEGs",
                answer: "where it is missing, the next decoder is used",
            },
            MAY_STOP_AT_A_BAD_FRAME,
        ],
    },
    JpegDecoderSpec {
        element: "mppjpegdec",
        software: false,
        parser: Some("jpegparse"),
        properties: &[("format", "NV12")],
        caps: Some("video/x-raw, format=(string)NV12"),
        download: None,
        size_max: (8_176, 8_176),
        known_bugs: &[
            KnownBug {
                does: "chooses a layout by caps that parsers of different versions write differently",
                answer: "format names the layout, and the chip converts to it",
            },
            KnownBug {
                does: "returns an error without a message when the chip takes no frame for 2 s",
                answer: "it is watched, and the next decoder replaces it",
            },
            MAY_STOP_AT_A_BAD_FRAME,
        ],
    },
    JpegDecoderSpec {
        element: "nvv4l2decoder",
        software: false,
        parser: Some("jpegparse"),
        properties: &[("mjpeg", "true"), ("enable-max-performance", "true")],
        caps: DEVICE_MEMORY,
        download: OUT_OF_DEVICE_MEMORY,
        size_max: (4_096, 4_096),
        known_bugs: &[
            KnownBug {
                does: "decodes JPEGs only when a property says so, and needs a parser in front of it",
                answer: "mjpeg is set, and jpegparse is in front",
            },
            MAY_STOP_AT_A_BAD_FRAME,
        ],
    },
    JpegDecoderSpec {
        element: "nvjpegdec",
        software: false,
        parser: Some("jpegparse"),
        properties: &[],
        caps: DEVICE_MEMORY,
        download: OUT_OF_DEVICE_MEMORY,
        size_max: (4_096, 4_096),
        known_bugs: &[
            KnownBug {
                does: "spoils or loses the frames of some cameras",
                answer: "no profile names it: nvv4l2decoder drives the same unit",
            },
            KnownBug {
                does: "is another element on computers with a graphics card, with other memory",
                answer: "it is tried with frames before it is used",
            },
            MAY_STOP_AT_A_BAD_FRAME,
        ],
    },
    JpegDecoderSpec {
        element: "jpegdec",
        software: true,
        parser: None,
        // A corrupt frame is skipped; the stream goes on however many there are.
        properties: &[("max-errors", "-1")],
        caps: None,
        download: None,
        size_max: (65_500, 65_500),
        known_bugs: &[KnownBug {
            does: "ends the stream after ten frames in a row that it cannot decode",
            answer: "max-errors lets it skip any number",
        }],
    },
];

/// The JPEG decoder of that element.
pub fn jpeg(element: &str) -> Option<&'static JpegDecoderSpec> {
    JPEG.iter().find(|decoder| decoder.element == element)
}

/// The JPEG decoder that every machine has.
pub fn software() -> &'static JpegDecoderSpec {
    &JPEG[JPEG.len() - 1]
}

/// Elements of the JPEG decoders that a board profile may name.
pub fn jpeg_decoder_names() -> impl Iterator<Item = &'static str> {
    JPEG.iter().map(|decoder| decoder.element)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_software_decoder_is_the_last_and_the_only_one_of_its_kind() {
        assert!(software().software);
        assert_eq!(JPEG.iter().filter(|decoder| decoder.software).count(), 1);
        for name in jpeg_decoder_names() {
            assert_eq!(jpeg(name).map(|decoder| decoder.element), Some(name));
        }
    }

    #[test]
    fn what_leaves_device_memory_has_an_element_that_fetches_it() {
        for decoder in JPEG {
            let in_device = decoder.caps.is_some_and(|caps| caps.contains("memory:"));
            assert_eq!(in_device, decoder.download.is_some(), "{}", decoder.element);
        }
    }

    #[test]
    fn every_decoder_of_a_device_says_what_is_known_against_it() {
        for decoder in JPEG.iter().filter(|decoder| !decoder.software) {
            assert!(decoder.known_bugs.contains(&MAY_STOP_AT_A_BAD_FRAME), "{}", decoder.element);
        }
    }
}
