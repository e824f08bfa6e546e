//! An encoder that costs nothing: it takes what x264enc takes, and delivers access units that were
//! made before. So the way to it is all that is left to measure. It stands in for the encoder of a
//! chip, under whose name the product uses it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, OnceLock};

use gstreamer::{self as gst, glib, prelude::*};
use gstreamer_app as gst_app;

use super::camera::{self, Mode};

/// Its name in `gst-launch` notation.
pub const ELEMENT: &str = "v4l2h264enc";

static UNITS: OnceLock<Vec<gst::Buffer>> = OnceLock::new();
static SEEN: Seen = Seen { frames: AtomicU64::new(0), originals: AtomicU64::new(0) };

struct Seen {
    frames: AtomicU64,
    originals: AtomicU64,
}

/// Frames so far, and how many of them lay where the camera had put them.
pub fn seen() -> (u64, u64) {
    (SEEN.frames.load(Ordering::Relaxed), SEEN.originals.load(Ordering::Relaxed))
}

/// Makes it known to GStreamer, and its access units.
pub fn register(mode: Mode) {
    assert!(UNITS.set(units(mode)).is_ok(), "once");
    gst::Element::register(None, ELEMENT, gst::Rank::NONE, Encoder::static_type()).expect("is new");
}

/// A second of H.264 of that size.
fn units(mode: Mode) -> Vec<gst::Buffer> {
    let Mode { width, height, fps, .. } = mode;
    let text = format!(
        "videotestsrc pattern=black num-buffers={fps} ! video/x-raw, format=I420, width={width}, \
         height={height}, framerate={fps}/1 ! x264enc tune=zerolatency key-int-max={fps} aud=false \
         ! video/x-h264, stream-format=byte-stream, profile=high ! appsink name=out sync=false"
    );
    let pipeline = gst::parse::launch(&text).expect("a pipeline");
    let pipeline = pipeline.downcast::<gst::Pipeline>().expect("a pipeline");
    let sink = pipeline.by_name("out").expect("is there");
    let sink = sink.downcast::<gst_app::AppSink>().expect("an appsink");
    pipeline.set_state(gst::State::Playing).expect("plays");
    let units = std::iter::from_fn(|| sink.pull_sample().ok()?.buffer_owned()).collect();
    pipeline.set_state(gst::State::Null).expect("stops");
    units
}

glib::wrapper! {
    pub struct Encoder(ObjectSubclass<imp::Encoder>) @extends gst::Element, gst::Object;
}

mod imp {
    use std::sync::atomic::AtomicUsize;

    use gst::subclass::prelude::*;
    use gstreamer_video as gst_video;

    use super::{LazyLock, Ordering, SEEN, UNITS, camera, glib, gst, gst::prelude::*};

    pub struct Encoder {
        sink: gst::Pad,
        source: gst::Pad,
        next: AtomicUsize,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Encoder {
        const NAME: &'static str = "BenchEncoder";
        type Type = super::Encoder;
        type ParentType = gst::Element;

        fn with_class(class: &Self::Class) -> Encoder {
            let template = |name| class.pad_template(name).expect("is there");
            let sink = gst::Pad::builder_from_template(&template("sink"))
                .chain_function(|_, element, frame| {
                    Encoder::catch_panic_pad_function(
                        element,
                        || Err(gst::FlowError::Error),
                        |encoder| encoder.encode(&frame),
                    )
                })
                .event_function(|pad, element, event| {
                    Encoder::catch_panic_pad_function(
                        element,
                        || false,
                        |encoder| encoder.event(pad, event),
                    )
                })
                .query_function(|pad, element, query| {
                    Encoder::catch_panic_pad_function(
                        element,
                        || false,
                        |encoder| encoder.query(pad, query),
                    )
                })
                .build();
            let source = gst::Pad::builder_from_template(&template("src")).build();
            Encoder { sink, source, next: AtomicUsize::new(0) }
        }
    }

    impl Encoder {
        fn encode(&self, frame: &gst::BufferRef) -> Result<gst::FlowSuccess, gst::FlowError> {
            SEEN.frames.fetch_add(1, Ordering::Relaxed);
            SEEN.originals.fetch_add(u64::from(camera::is_original(frame)), Ordering::Relaxed);
            let units = UNITS.get().ok_or(gst::FlowError::Error)?;
            let number = self.next.fetch_add(1, Ordering::Relaxed) % units.len();
            let mut unit = units[number].copy();
            let times = unit.make_mut();
            times.set_pts(frame.pts());
            times.set_dts(frame.pts());
            times.set_duration(frame.duration());
            self.source.push(unit)
        }

        fn event(&self, pad: &gst::Pad, event: gst::Event) -> bool {
            let gst::EventView::Caps(caps) = event.view() else {
                return gst::Pad::event_default(pad, Some(&*self.obj()), event);
            };
            let Some(frames) = caps.caps().structure(0) else { return false };
            let allowed = self.source.allowed_caps();
            let mut caps = allowed.unwrap_or_else(|| self.source.pad_template_caps());
            caps.fixate();
            let Some(unit) = caps.make_mut().structure_mut(0) else { return false };
            for field in ["width", "height", "framerate", "pixel-aspect-ratio"] {
                if let Ok(value) = frames.value(field) {
                    unit.set_value(field, value.clone());
                }
            }
            self.source.push_event(gst::event::Caps::new(&caps))
        }

        fn query(&self, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
            if let gst::QueryViewMut::Allocation(allocation) = query.view_mut() {
                allocation.add_allocation_meta::<gst_video::VideoMeta>(None);
                return true;
            }
            gst::Pad::query_default(pad, Some(&*self.obj()), query)
        }
    }

    impl ObjectImpl for Encoder {
        fn properties() -> &'static [glib::ParamSpec] {
            static PROPERTIES: LazyLock<[glib::ParamSpec; 1]> = LazyLock::new(|| {
                let controls = glib::ParamSpecBoxed::builder::<gst::Structure>("extra-controls");
                [controls.mutable_playing().build()]
            });
            &*PROPERTIES
        }

        fn set_property(&self, _: usize, _: &glib::Value, _: &glib::ParamSpec) {}

        fn property(&self, _: usize, _: &glib::ParamSpec) -> glib::Value {
            None::<gst::Structure>.to_value()
        }

        fn constructed(&self) {
            self.parent_constructed();
            for pad in [&self.sink, &self.source] {
                self.obj().add_pad(pad).expect("is new");
            }
        }
    }

    impl GstObjectImpl for Encoder {}

    impl ElementImpl for Encoder {
        fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
            static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
                gst::subclass::ElementMetadata::new("Encoder", "Codec/Encoder/Video", "Units", "-")
            });
            Some(&METADATA)
        }

        fn pad_templates() -> &'static [gst::PadTemplate] {
            static TEMPLATES: LazyLock<[gst::PadTemplate; 2]> = LazyLock::new(|| {
                let template = |name, direction, caps: &str| {
                    let caps: gst::Caps = caps.parse().expect("caps");
                    gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &caps)
                        .expect("a template")
                };
                [
                    template(
                        "sink",
                        gst::PadDirection::Sink,
                        "video/x-raw, format=(string){ I420, YV12, NV12 }, width=(int)[16,4096], \
                         height=(int)[16,4096], framerate=(fraction)[0/1,120/1]",
                    ),
                    template(
                        "src",
                        gst::PadDirection::Src,
                        "video/x-h264, stream-format=(string)byte-stream, alignment=(string)au, \
                         profile=(string)high, level=(string){ 3, 3.1, 3.2, 4, 4.1, 4.2, 5 }",
                    ),
                ]
            });
            &*TEMPLATES
        }
    }
}
