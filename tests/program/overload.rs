//! An encoder that is slower than the frames come, from the element itself to the words of `status`.

use std::time::Duration;

use firstmile::board::Profile;
use firstmile::capture;
use firstmile::clock::Clock;
use firstmile::console::Reply;
use firstmile::device::{Lights, LogRing, Machine, ServiceManager};
use firstmile::panel::Contact;
use firstmile::run::{self, Destination, Devices, Input, Memory, Setup, View};
use firstmile::status::{self, WarningKind};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

/// An element with the name and the properties of a hardware encoder that no test machine has: x264, and
/// in front of it a wait for each frame.
mod slow {
    use gstreamer::glib::{self, prelude::*, subclass::prelude::*};
    use gstreamer::{self as gst, prelude::*, subclass::prelude::*};

    /// What it is called; the only one of the board.
    pub const NAME: &str = "mpph264enc";
    /// A frame takes so long, where one comes each 33 ms: four of ten find no room.
    const FRAME_TAKES_US: u32 = 55_000;

    glib::wrapper! {
        pub struct SlowEncoder(ObjectSubclass<Slow>) @extends gst::Bin, gst::Element, gst::Object;
    }

    #[derive(Default)]
    pub struct Slow;

    #[glib::object_subclass]
    impl ObjectSubclass for Slow {
        const NAME: &'static str = "FirstmileSlowEncoder";
        type Type = SlowEncoder;
        type ParentType = gst::Bin;
    }

    impl ObjectImpl for Slow {
        fn properties() -> &'static [glib::ParamSpec] {
            static NAMES: std::sync::OnceLock<Vec<glib::ParamSpec>> = std::sync::OnceLock::new();
            NAMES.get_or_init(|| {
                let names = ["bps", "rc-mode", "gop", "profile", "level", "header-mode"];
                names.map(|name| glib::ParamSpecString::builder(name).build()).to_vec()
            })
        }

        fn set_property(&self, _: usize, _: &glib::Value, _: &glib::ParamSpec) {}

        fn property(&self, _: usize, _: &glib::ParamSpec) -> glib::Value {
            None::<String>.to_value()
        }

        fn constructed(&self) {
            self.parent_constructed();
            let text = format!(
                "identity name=in sleep-time={FRAME_TAKES_US} ! x264enc name=out \
                 tune=zerolatency speed-preset=ultrafast key-int-max=60"
            );
            let inner = gst::parse::bin_from_description(&text, false).expect("elements");
            let [sink, source] = [("in", "sink"), ("out", "src")].map(|(element, pad)| {
                inner.by_name(element).and_then(|it| it.static_pad(pad)).expect("a pad")
            });
            inner.add_pad(&gst::GhostPad::with_target(&sink).expect("a pad")).expect("added");
            inner.add_pad(&gst::GhostPad::with_target(&source).expect("a pad")).expect("added");
            let this = self.obj();
            this.add(&inner).expect("added");
            for pad in inner.pads() {
                let templates = SlowEncoder::pad_templates_of();
                let template = templates.iter().find(|of| of.direction() == pad.direction());
                let ghost = gst::GhostPad::builder_from_template_with_target(
                    template.expect("one of two"),
                    &pad,
                );
                let ghost = ghost.expect("a pad").name(template.expect("it").name_template());
                this.add_pad(&ghost.build()).expect("added");
            }
        }
    }

    impl SlowEncoder {
        fn pad_templates_of() -> &'static [gst::PadTemplate] {
            Slow::pad_templates()
        }
    }

    impl GstObjectImpl for Slow {}

    impl ElementImpl for Slow {
        fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
            static ABOUT: std::sync::OnceLock<gst::subclass::ElementMetadata> =
                std::sync::OnceLock::new();
            Some(ABOUT.get_or_init(|| {
                let kind = "Codec/Encoder/Video";
                gst::subclass::ElementMetadata::new("slow", kind, "for tests", "firstmile")
            }))
        }

        fn pad_templates() -> &'static [gst::PadTemplate] {
            static PADS: std::sync::OnceLock<Vec<gst::PadTemplate>> = std::sync::OnceLock::new();
            PADS.get_or_init(|| {
                let template = |name, direction, caps: gst::Caps| {
                    let always = gst::PadPresence::Always;
                    gst::PadTemplate::new(name, direction, always, &caps).expect("a template")
                };
                let raw = gst::Caps::builder("video/x-raw").field("format", "I420").build();
                vec![
                    template("sink", gst::PadDirection::Sink, raw),
                    template(
                        "src",
                        gst::PadDirection::Src,
                        gst::Caps::builder("video/x-h264").build(),
                    ),
                ]
            })
        }
    }

    impl BinImpl for Slow {}

    /// Makes it known to this process.
    pub fn register() {
        gst::init().expect("GStreamer");
        gst::Element::register(None, NAME, gst::Rank::NONE, SlowEncoder::static_type())
            .expect("a new element");
    }
}

/// The box of a simulated board with that encoder and a destination that nobody answers at.
fn setup() -> Setup {
    let mut profile = Profile::named("sim").expect("it ships");
    profile.encoders.video = vec![slow::NAME.to_owned()];
    let mut request = capture::Request::from(&profile);
    (request.video.width, request.video.height) = (320, 180);
    let settings = "version = 1\n[[destination]]\nname = \"a\"\nurl = \"rtmps://127.0.0.1:9/live\"\n\
                    key = \"canary-key\"\n";
    let stored = firstmile::config::parse("store", settings).expect("settings");
    Setup {
        profile,
        request,
        destinations: Vec::<Destination>::new(),
        memory: Memory { stored, is_whole: true, ..Memory::default() },
        machine: Machine::default(),
    }
}

fn devices() -> Devices {
    Devices {
        lights: Lights::None,
        display: None,
        consoles: Vec::new(),
        manager: ServiceManager::at(None, None),
        control: None,
        health: None,
        log: LogRing::default(),
    }
}

/// The status in words, once it is as wanted.
async fn until(
    watched: &mut watch::Receiver<Option<View>>,
    wanted: impl Fn(&View) -> bool,
) -> View {
    let found = async {
        loop {
            if let Some(view) = &*watched.borrow_and_update()
                && wanted(view)
            {
                return view.clone();
            }
            watched.changed().await.expect("the box runs");
        }
    };
    timeout(Duration::from_secs(60), found).await.expect("it comes to that")
}

async fn press(clock: Clock, inputs: &mpsc::Sender<Input>, held: Duration) {
    for pressed in [true, false] {
        let (contact, at, at_power_up) = (Contact::GoLive, clock.now(), false);
        let event = firstmile::device::button::ContactEvent { contact, at, pressed, at_power_up };
        inputs.send(Input::Contact(event)).await.expect("the box runs");
        sleep(held).await;
    }
}

// Shows F64.
#[tokio::test]
async fn an_encoder_that_is_slower_than_the_frames_come_is_named_in_status_with_what_to_do() {
    slow::register();
    let clock = Clock::start();
    let (inputs, received) = run::inputs();
    let (view, mut watched) = watch::channel(None);
    let _ = inputs.send(Input::Network(firstmile::appliance::LinkChange::Up, None)).await;
    let _ = inputs.send(Input::Clock(status::Clock::Trusted)).await;
    let running = run::run(clock, setup(), devices(), (inputs.clone(), received), view);
    let watching = async {
        until(&mut watched, |view| view.status.mode == status::Mode::Ready).await;
        press(clock, &inputs, Duration::from_millis(150)).await;
        let view = until(&mut watched, |view| !view.status.warnings.is_empty()).await;
        let warning = &view.status.warnings[0];
        assert_eq!(warning.kind, WarningKind::EncodingOverloaded);
        let percent = view.status.health.frames_skipped_percent.expect("counted");
        assert!((20..70).contains(&percent), "{percent} %");
        let text = Reply::Status(Box::new(view.status)).render_text().join("\n");
        let words = format!(
            "\nwarning      encoding overloaded: {percent} % of frames skipped; lower video.fps, \
             video.width or video.height\n"
        );
        assert!(text.contains(&words), "{text}");
        assert!(text.contains(&format!("frames by {}", slow::NAME)), "{text}");
        press(clock, &inputs, Duration::from_millis(2_200)).await;
        let over = until(&mut watched, |view| view.status.warnings.is_empty()).await;
        assert_eq!(over.status.health.frames_skipped_percent, None);
        inputs.send(Input::Terminate).await.expect("the box runs");
    };
    let (code, ()) = tokio::join!(running, watching);
    assert_eq!(code, 0);
}
