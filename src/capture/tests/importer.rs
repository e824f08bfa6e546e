//! An encoder that reads the memory of a device where it is asked to, and then no other: x264enc behind a
//! look at each frame.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use gstreamer::{self as gst, glib, prelude::*};

/// Its name in `gst-launch` notation.
pub const ELEMENT: &str = "importerenc";
/// The memory that it reads: GStreamer's own. What Rust allocates is another kind.
pub const MEMORY: &str = "SystemMemory";

static IMPORTED: AtomicUsize = AtomicUsize::new(0);
static COPIED: AtomicUsize = AtomicUsize::new(0);
static TURN: Mutex<()> = Mutex::new(());

/// What the encoders of one test have got; one test at a time has them.
pub struct Log(
    #[allow(dead_code, reason = "kept until the end of the test")] MutexGuard<'static, ()>,
);

impl Log {
    pub fn start() -> Log {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        IMPORTED.store(0, Ordering::Relaxed);
        COPIED.store(0, Ordering::Relaxed);
        if gst::ElementFactory::find(ELEMENT).is_none() {
            let kind = Encoder::static_type();
            gst::Element::register(None, ELEMENT, gst::Rank::NONE, kind).expect("is new");
        }
        Log(turn)
    }

    /// Frames that were read where they lay, those of a trial included.
    pub fn imported(&self) -> usize {
        IMPORTED.load(Ordering::Relaxed)
    }

    /// The others.
    pub fn copied(&self) -> usize {
        COPIED.load(Ordering::Relaxed)
    }
}

glib::wrapper! {
    pub struct Encoder(ObjectSubclass<imp::Encoder>)
        @extends gst::Bin, gst::Element, gst::Object, @implements gst::ChildProxy;
}

mod imp {
    use std::{
        sync::{
            LazyLock, OnceLock,
            atomic::{AtomicBool, AtomicU32},
        },
        thread,
        time::Duration,
    };

    use gst::subclass::prelude::*;

    use super::{COPIED, IMPORTED, MEMORY, Ordering, glib, gst, gst::prelude::*};

    #[derive(Default)]
    pub struct Encoder {
        imports: AtomicBool,
        /// After how many frames of its own something goes wrong while it imports; 0 is never.
        fails: AtomicU32,
        falls_silent: AtomicU32,
        hangs: AtomicU32,
        frames: AtomicU32,
        inner: OnceLock<Inner>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Encoder {
        const NAME: &'static str = "FirstmileTestImporter";
        type Type = super::Encoder;
        type ParentType = gst::Bin;
    }

    impl Encoder {
        /// What comes before anything else of a frame.
        fn look(&self, frame: &gst::BufferRef) {
            if !self.imports.load(Ordering::Relaxed) {
                COPIED.fetch_add(1, Ordering::Relaxed);
                return;
            }
            if !frame.iter_memories().all(|memory| memory.is_type(MEMORY)) {
                return self.fail("it is no memory of a device");
            }
            IMPORTED.fetch_add(1, Ordering::Relaxed);
            let number = self.frames.fetch_add(1, Ordering::Relaxed) + 1;
            let is_at = |bug: &AtomicU32| (1..=number).contains(&bug.load(Ordering::Relaxed));
            if is_at(&self.hangs) {
                thread::sleep(Duration::from_secs(12));
            }
            if is_at(&self.fails) {
                return self.fail("it fails");
            }
            if is_at(&self.falls_silent) {
                self.close();
            }
        }

        fn fail(&self, why: &str) {
            gst::element_error!(self.obj(), gst::ResourceError::Failed, ["{why}"]);
            self.close();
        }

        /// Nothing more comes out.
        fn close(&self) {
            if let Some(Inner { valve, .. }) = self.inner.get() {
                valve.set_property("drop", true);
            }
        }
    }

    struct Inner {
        valve: gst::Element,
        encoder: gst::Element,
    }

    impl ObjectImpl for Encoder {
        fn properties() -> &'static [glib::ParamSpec] {
            static PROPERTIES: LazyLock<[glib::ParamSpec; 5]> = LazyLock::new(|| {
                let number = |name| glib::ParamSpecUInt::builder(name).build();
                let imports = glib::ParamSpecBoolean::builder("imports").build();
                [
                    imports,
                    number("fails"),
                    number("falls-silent"),
                    number("hangs"),
                    number("bitrate"),
                ]
            });
            &*PROPERTIES
        }

        fn set_property(&self, _: usize, value: &glib::Value, property: &glib::ParamSpec) {
            if property.name() == "imports" {
                return self.imports.store(value.get().expect("a flag"), Ordering::Relaxed);
            }
            let number = value.get().expect("a number");
            match property.name() {
                "fails" => self.fails.store(number, Ordering::Relaxed),
                "falls-silent" => self.falls_silent.store(number, Ordering::Relaxed),
                "hangs" => self.hangs.store(number, Ordering::Relaxed),
                _ => self.inner.get().expect("is made").encoder.set_property("bitrate", number),
            }
        }

        fn property(&self, _: usize, property: &glib::ParamSpec) -> glib::Value {
            property.default_value().clone()
        }

        fn constructed(&self) {
            self.parent_constructed();
            let encoder = gst::ElementFactory::make("x264enc")
                .property_from_str("tune", "zerolatency")
                .property_from_str("speed-preset", "ultrafast")
                .build()
                .expect("x264enc");
            let valve = gst::ElementFactory::make("valve").build().expect("a valve");
            self.obj().add_many([&valve, &encoder]).expect("are new");
            valve.link(&encoder).expect("are alike");
            let sink = valve.static_pad("sink").expect("a valve has one");
            let source = encoder.static_pad("src").expect("an encoder has one");
            for inner in [&sink, &source] {
                let pad = gst::GhostPad::with_target(inner).expect("is free");
                self.obj().add_pad(&pad).expect("is new");
            }
            let this = self.obj().downgrade();
            sink.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
                if let (Some(this), Some(frame)) = (this.upgrade(), info.buffer()) {
                    this.imp().look(frame);
                }
                gst::PadProbeReturn::Ok
            });
            assert!(self.inner.set(Inner { valve, encoder }).is_ok(), "once");
        }
    }

    impl GstObjectImpl for Encoder {}

    impl ElementImpl for Encoder {
        fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
            static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
                gst::subclass::ElementMetadata::new("Importer", "Codec/Encoder/Video", "Test", "-")
            });
            Some(&METADATA)
        }
    }

    impl BinImpl for Encoder {}
}
