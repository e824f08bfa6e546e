//! The supported converters of raw frames, as data.
//!
//! A board profile orders them by name; their settings are here. They change the layout of frames and
//! their size, and leave the colours as they are: what comes out has the matrix and the range of what
//! went in. No converter of a device has met its hardware yet: elements, properties and bugs are from
//! public source and reports.

use gstreamer_video::VideoFormat as Layout;

use super::work::{Shape, Task, Work};
use crate::capture::encode::KnownBug;

/// A converter.
#[derive(Debug, PartialEq, Eq)]
pub struct ConverterSpec {
    /// Its GStreamer element.
    pub element: &'static str,
    /// It needs no device, so it is opened without a trial and never replaced.
    pub software: bool,
    /// Its properties.
    pub properties: &'static [(&'static str, &'static str)],
    /// Layouts of frames that can be given to it. A driver may take fewer.
    pub takes: &'static [Layout],
    /// Layouts that it can make of them.
    pub gives: &'static [Layout],
    /// It can change the size as well.
    pub scales: bool,
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

impl ConverterSpec {
    /// What it would make of frames; or why it cannot do that work.
    pub fn task(&self, work: &Work) -> Result<Task, String> {
        let Work { from, layouts, size } = work;
        if !self.takes.contains(&from.layout) {
            return Err(format!("takes no {}", from.layout));
        }
        // As they are, if that is wanted.
        let to = if layouts.contains(&from.layout) {
            Some(from.layout)
        } else {
            layouts.iter().copied().find(|layout| self.gives.contains(layout))
        };
        let Some(to) = to.filter(|to| self.gives.contains(to)) else {
            let wanted: Vec<&str> = layouts.iter().map(|layout| layout.to_str().as_str()).collect();
            return Err(format!("makes none of {}", wanted.join(", ")));
        };
        let (width_max, height_max) = self.size_max;
        if [from.size, *size]
            .iter()
            .any(|(width, height)| *width > width_max || *height > height_max)
        {
            return Err(format!("takes no frame larger than {width_max}x{height_max}"));
        }
        if from.size != *size && !self.scales {
            return Err("does not scale".to_owned());
        }
        if !work.keeps_proportions() {
            let ((from_width, from_height), (width, height)) = (from.size, *size);
            return Err(format!(
                "adds no bars, and {from_width}x{from_height} has other proportions than {width}x{height}"
            ));
        }
        Ok(Task { from: *from, to: Shape { layout: to, size: *size } })
    }
}

const PLANAR_AND_PACKED: &[Layout] = &[
    Layout::I420,
    Layout::Nv12,
    Layout::Yv12,
    Layout::Nv21,
    Layout::Yuy2,
    Layout::Uyvy,
    Layout::Yvyu,
];

const OTHER_COLOURS: KnownBug = KnownBug {
    does: "may take frames for those of another matrix or range where their caps do not say it",
    answer: "its output is asked for in the colours of the camera, and it is tried with a chart",
};

const HOLDS_FRAMES: KnownBug = KnownBug {
    does: "may fail, or hold frames without an end, when its driver is out of memory",
    answer: "it is watched, and the next converter replaces it",
};

const CONVERTERS: &[ConverterSpec] = &[
    ConverterSpec {
        element: "v4l2convert",
        software: false,
        properties: &[],
        takes: PLANAR_AND_PACKED,
        gives: PLANAR_AND_PACKED,
        scales: true,
        caps: None,
        download: None,
        size_max: (1_920, 1_200),
        known_bugs: &[
            KnownBug {
                does: "is registered under this name for the first driver that converts, whichever it is",
                answer: "it is tried with frames of the camera's mode before it is used",
            },
            KnownBug {
                does: "refuses colours that its driver does not name",
                answer: "the next converter is used",
            },
            OTHER_COLOURS,
            HOLDS_FRAMES,
        ],
    },
    ConverterSpec {
        element: "pispconvert",
        software: false,
        properties: &[],
        takes: &[
            Layout::I420,
            Layout::Nv12,
            Layout::Yv12,
            Layout::Yuy2,
            Layout::Uyvy,
            Layout::Y42b,
        ],
        gives: &[Layout::I420, Layout::Nv12, Layout::Yv12, Layout::Yuy2, Layout::Uyvy],
        scales: true,
        caps: None,
        download: None,
        size_max: (4_096, 4_096),
        known_bugs: &[
            KnownBug {
                does: "takes its output for BT.601 or BT.709 by its size where its caps name no colours",
                answer: "its output is asked for in the colours of the camera",
            },
            KnownBug {
                does: "gives NV12 that is too blue on the first stepping of the chip (libpisp 76)",
                answer: "it is tried with a chart, and the next converter is used",
            },
            OTHER_COLOURS,
            HOLDS_FRAMES,
        ],
    },
    ConverterSpec {
        element: "rgavideoconvert",
        software: false,
        properties: &[],
        takes: PLANAR_AND_PACKED,
        gives: &[Layout::Nv12, Layout::I420, Layout::Yv12, Layout::Nv21],
        scales: true,
        caps: None,
        download: None,
        size_max: (4_096, 4_096),
        known_bugs: &[
            KnownBug {
                does: "spoils frames above 4 GB where the older of the chip's units is given them",
                answer: "it is tried with a chart, and watched",
            },
            OTHER_COLOURS,
            HOLDS_FRAMES,
        ],
    },
    ConverterSpec {
        element: "nvvidconv",
        software: false,
        properties: &[],
        takes: &[Layout::I420, Layout::Nv12, Layout::Yuy2, Layout::Uyvy, Layout::Yvyu],
        gives: &[Layout::Nv12, Layout::I420],
        scales: true,
        caps: Some("video/x-raw(memory:NVMM), format=(string)NV12"),
        download: Some(("nvvidconv", "video/x-raw")),
        size_max: (4_096, 4_096),
        known_bugs: &[
            KnownBug {
                does: "cannot have frames in the memory of the process on both sides",
                answer: "a second one fetches them from the memory of the device",
            },
            OTHER_COLOURS,
            HOLDS_FRAMES,
        ],
    },
    ConverterSpec {
        element: "videoconvert",
        software: true,
        properties: &[],
        // Together with `videoscale` anything that GStreamer knows; nothing is asked of it.
        takes: &[],
        gives: &[],
        scales: true,
        caps: None,
        download: None,
        size_max: (32_767, 32_767),
        known_bugs: &[KnownBug {
            does: "is up to 20/255 off where it changes what the values of a frame mean (GStreamer 1.22)",
            answer: "it only changes layout and size",
        }],
    },
];

/// The converter of that element.
pub fn converter(element: &str) -> Option<&'static ConverterSpec> {
    CONVERTERS.iter().find(|converter| converter.element == element)
}

/// The converter that every machine has.
pub fn software() -> &'static ConverterSpec {
    &CONVERTERS[CONVERTERS.len() - 1]
}

/// Elements of the converters that a board profile may name.
pub fn converter_names() -> impl Iterator<Item = &'static str> {
    CONVERTERS.iter().map(|converter| converter.element)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(from: &str, from_size: (u32, u32), layouts: &[Layout], size: (u32, u32)) -> Work {
        gstreamer::init().expect("GStreamer");
        let from = Shape::of(from, from_size.0, from_size.1).expect("known");
        Work::between(from, layouts, size).expect("something to do")
    }

    #[test]
    fn the_software_converter_is_the_last_and_the_only_one_of_its_kind() {
        assert!(software().software);
        assert_eq!(CONVERTERS.iter().filter(|converter| converter.software).count(), 1);
        for name in converter_names() {
            assert_eq!(converter(name).map(|converter| converter.element), Some(name));
        }
    }

    #[test]
    fn what_leaves_device_memory_has_an_element_that_fetches_it() {
        for converter in CONVERTERS {
            let in_device = converter.caps.is_some_and(|caps| caps.contains("memory:"));
            assert_eq!(in_device, converter.download.is_some(), "{}", converter.element);
        }
    }

    #[test]
    fn every_converter_of_a_device_is_held_to_the_colours_of_the_camera() {
        for converter in CONVERTERS.iter().filter(|converter| !converter.software) {
            assert!(converter.known_bugs.contains(&OTHER_COLOURS), "{}", converter.element);
            assert!(converter.known_bugs.contains(&HOLDS_FRAMES), "{}", converter.element);
            // RGB has no matrix: of which one its Y'CbCr would be is the driver's to say.
            let mut layouts = converter.takes.iter().chain(converter.gives);
            assert!(layouts.all(|layout| !format!("{layout}").contains("RGB")));
        }
    }

    #[test]
    fn a_converter_is_asked_for_the_first_layout_that_it_can_make() {
        let nvidia = converter("nvvidconv").expect("known");
        let wanted = [Layout::Yv12, Layout::I420, Layout::Nv12];
        let task = nvidia.task(&work("YUY2", (1920, 1080), &wanted, (1280, 720))).expect("it can");
        assert_eq!(task.to, Shape { layout: Layout::I420, size: (1280, 720) });
        let task = nvidia.task(&work("NV12", (1920, 1080), &wanted, (1280, 720))).expect("it can");
        assert_eq!(task.to.layout, Layout::Nv12, "as it is, if that is wanted");
    }

    #[test]
    fn a_converter_that_cannot_do_the_work_says_why() {
        let v4l2 = converter("v4l2convert").expect("known");
        let i420 = [Layout::I420];
        let (hd, small) = ((1280, 720), (640, 480));
        for (work, why) in [
            (work("BGR", hd, &i420, hd), "takes no BGR"),
            (work("NV12", hd, &[Layout::Y42b], hd), "makes none of Y42B"),
            (work("NV12", (3840, 2160), &i420, hd), "takes no frame larger than 1920x1200"),
            (
                work("NV12", small, &i420, hd),
                "adds no bars, and 640x480 has other proportions than 1280x720",
            ),
        ] {
            assert_eq!(v4l2.task(&work), Err(why.to_owned()));
        }
        static STIFF: ConverterSpec = ConverterSpec {
            scales: false,
            known_bugs: &[],
            element: "v4l2convert",
            software: false,
            properties: &[],
            takes: PLANAR_AND_PACKED,
            gives: PLANAR_AND_PACKED,
            caps: None,
            download: None,
            size_max: (1_920, 1_200),
        };
        let smaller = work("NV12", hd, &i420, (640, 360));
        assert_eq!(STIFF.task(&smaller), Err("does not scale".to_owned()));
    }
}
