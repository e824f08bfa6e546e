//! Asks the drivers of Video4Linux2 nodes what they offer: only those of the nodes that are meant, each by
//! itself and on a thread of its own. One that hangs or takes its time holds up no other camera.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use gstreamer::{self as gst, glib, prelude::*};
use nix::errno::Errno;

use super::{
    inventory::{VideoNode, video_nodes},
    modes::Offer,
    offers::offers_of,
};
use crate::capture::{
    gst::{build::element_fault, bus::one_line},
    real_time,
};

/// What a driver says when it is asked what a node offers, or why it offers nothing.
pub type Answer = Result<Vec<Offer>, String>;

/// What each node that was asked offers.
pub type Offered = Vec<(PathBuf, Answer)>;

/// How soon a search that is given up ends.
const POLL: Duration = Duration::from_millis(50);
const SOURCE: &str = "v4l2src";
/// The words for one that has not answered.
pub const HANGS: &str = "its driver does not respond";
/// The words for one that has answered nothing of use.
pub const NO_VIDEO: &str = "it delivers no video, or another program is using it";

/// The drivers of this machine's cameras, and which of them were asked.
#[derive(Clone)]
pub struct Drivers {
    /// Where the kernel lists the nodes.
    root: PathBuf,
    ask: Arc<dyn Fn(&Path) -> Answer + Send + Sync>,
    /// Those that have not answered, and answers that came when nobody waited any more.
    questions: Arc<Mutex<Vec<Question>>>,
}

/// One that a driver was asked about a node.
#[derive(Clone)]
struct Question {
    node: VideoNode,
    asked: Instant,
    answer: Arc<(Mutex<Option<Answer>>, Condvar)>,
}

impl Default for Drivers {
    fn default() -> Drivers {
        Drivers::asked_by(Path::new("/"), ask)
    }
}

impl fmt::Debug for Drivers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asked = self.lock();
        let asked: Vec<_> = asked.iter().map(|question| &question.node.node).collect();
        f.debug_struct("Drivers").field("asked", &asked).finish_non_exhaustive()
    }
}

impl Drivers {
    /// Those of the nodes below a root directory, asked in this way.
    pub fn asked_by(root: &Path, ask: impl Fn(&Path) -> Answer + Send + Sync + 'static) -> Drivers {
        Drivers { root: root.to_owned(), ask: Arc::new(ask), questions: Arc::default() }
    }

    /// The nodes that the kernel lists; no driver is asked.
    pub fn nodes(&self) -> Vec<VideoNode> {
        video_nodes(&self.root)
    }

    /// Asks all of these at the same time, except codecs, and gives each so long. One that has not answered
    /// is not asked again before it has; an answer that comes late is that to the next question.
    pub fn ask(
        &self,
        nodes: &[VideoNode],
        at_most: Duration,
        given_up: &impl Fn() -> bool,
    ) -> Offered {
        let asked = nodes.iter().filter(|node| node.may_be_camera());
        let questions: Vec<Question> = asked.map(|node| self.question(node)).collect();
        let answers = questions.into_iter().map(|question| {
            let answer = question.wait(at_most, given_up);
            if answer.is_some() {
                self.lock().retain(|other| !Arc::ptr_eq(&other.answer, &question.answer));
            }
            (question.node.node, answer.unwrap_or_else(|| Err(HANGS.to_owned())))
        });
        answers.collect()
    }

    /// A question about a node: the one that is still open, or a new one.
    fn question(&self, node: &VideoNode) -> Question {
        let mut questions = self.lock();
        if let Some(open) = questions.iter().find(|question| question.node == *node) {
            return open.clone();
        }
        let (asked, answer) = (Instant::now(), Arc::default());
        let question = Question { node: node.clone(), asked, answer };
        questions.push(question.clone());
        let (ask, asked) = (Arc::clone(&self.ask), question.clone());
        let work = move || {
            // It may have been started by a thread that has it.
            real_time::end();
            asked.is_answered(ask(&asked.node.node));
        };
        let thread = thread::Builder::new().name("capture-driver".to_owned());
        if let Err(error) = thread.spawn(work) {
            question.is_answered(Err(error.to_string()));
        }
        question
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Question>> {
        self.questions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Question {
    fn is_answered(&self, answer: Answer) {
        let (given, changed) = &*self.answer;
        *given.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
        changed.notify_all();
    }

    /// The answer, when it comes before so long has passed since the question.
    fn wait(&self, at_most: Duration, given_up: &impl Fn() -> bool) -> Option<Answer> {
        let until = self.asked + at_most;
        let (given, changed) = &*self.answer;
        let mut given = given.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if given.is_some() || left.is_zero() || given_up() {
                return given.clone();
            }
            let woken = changed.wait_timeout(given, left.min(POLL));
            given = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Asks the driver of a node through GStreamer's source, which opens that one alone. A filter would not
/// shorten it: the source lists all that a driver offers, and leaves out afterwards.
fn ask(node: &Path) -> Answer {
    let node = node.to_string_lossy();
    let source = gst::ElementFactory::make(SOURCE).property("device", &*node).build();
    let source = source
        .map_err(|error| element_fault(SOURCE).unwrap_or_else(|| one_line(&error.to_string())))?;
    let bus = gst::Bus::new();
    source.set_bus(Some(&bus));
    let answer = match source.set_state(gst::State::Ready) {
        Ok(_) if is_output_too(&source) => Ok(Vec::new()),
        Ok(_) => {
            let caps = source.static_pad("src").map(|pad| pad.query_caps(None));
            Ok(caps.map(|caps| offers_of(&caps)).unwrap_or_default())
        }
        Err(_) => Err(why_refused(&bus)),
    };
    // Nothing can be done about a failure to reach NULL.
    let _ = source.set_state(gst::State::Null);
    source.set_bus(None);
    answer
}

/// Whether it takes frames as well, as a codec does.
fn is_output_too(source: &gst::Element) -> bool {
    let flags = source.property_value("flags");
    glib::FlagsValue::from_value(&flags)
        .is_some_and(|(_, flags)| flags.iter().any(|flag| flag.nick() == "output"))
}

/// Why a node could not be opened.
fn why_refused(bus: &gst::Bus) -> String {
    let message = bus.pop_filtered(&[gst::MessageType::Error]);
    let details = message.as_ref().and_then(|message| match message.view() {
        gst::MessageView::Error(error) => error.debug(),
        _ => None,
    });
    let details = details.as_deref().unwrap_or_default();
    tracing::debug!(details, "a node cannot be opened");
    in_words(details).to_owned()
}

/// The words of the error that the kernel gave, where they say more than that there is no video.
fn in_words(details: &str) -> &'static str {
    let is = |error: Errno| details.contains(error.desc());
    if is(Errno::EBUSY) {
        "another program is using it"
    } else if is(Errno::EACCES) {
        "this program has no permission to open it"
    } else {
        NO_VIDEO
    }
}

#[cfg(test)]
pub mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::{
        super::{inventory::tests::Tree, offers::offers},
        *,
    };

    /// Drivers that a test decides about.
    pub struct Fake {
        pub drivers: Drivers,
        state: Arc<FakeState>,
    }

    #[derive(Default)]
    struct FakeState {
        /// Numbers of nodes whose drivers do not answer now.
        hanging: Mutex<Vec<u32>>,
        changed: Condvar,
        /// Numbers of the nodes that were asked, in order.
        asked: Mutex<Vec<u32>>,
        at_work: AtomicUsize,
    }

    pub const RAW: &str = "video/x-raw, format=YUY2, width=1280, height=720, framerate=30/1";

    fn number(node: &Path) -> u32 {
        let name = node.file_name().expect("a name").to_string_lossy().into_owned();
        name.trim_start_matches("video").parse().expect("a number")
    }

    fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
        of.lock().unwrap_or_else(PoisonError::into_inner)
    }

    impl Fake {
        /// The nodes of a tree; each driver offers the same, and those of some nodes hang.
        pub fn new(root: &Tree, hanging: &[u32]) -> Fake {
            let offer = offers(RAW).expect("caps");
            let state = Arc::new(FakeState::default());
            *lock(&state.hanging) = hanging.to_vec();
            let of_ask = Arc::clone(&state);
            let drivers = Drivers::asked_by(&root.0, move |node| {
                let number = number(node);
                lock(&of_ask.asked).push(number);
                of_ask.at_work.fetch_add(1, Ordering::Relaxed);
                let mut hanging = lock(&of_ask.hanging);
                while hanging.contains(&number) {
                    hanging = of_ask.changed.wait(hanging).unwrap_or_else(PoisonError::into_inner);
                }
                of_ask.at_work.fetch_sub(1, Ordering::Relaxed);
                Ok(offer.clone())
            });
            Fake { drivers, state }
        }

        /// The numbers of the nodes that were asked, in their order.
        pub fn asked(&self) -> Vec<u32> {
            let mut asked = lock(&self.state.asked).clone();
            asked.sort_unstable();
            asked
        }

        /// The drivers that hang answer.
        pub fn answer(&self) {
            lock(&self.state.hanging).clear();
            self.state.changed.notify_all();
            while self.state.at_work.load(Ordering::Relaxed) > 0 {
                thread::yield_now();
            }
        }
    }

    impl Drop for Fake {
        fn drop(&mut self) {
            self.answer();
        }
    }

    /// Three cameras, a codec, and how soon a test loses its patience.
    fn cameras(name: &str) -> Tree {
        let root = Tree::new(name);
        root.camera(0, "vivid-000-vid-cap", "vivid", "sys/devices/platform/vivid.0");
        root.camera(2, "HD Camera", "uvcvideo", "sys/devices/usb1/1-1/1-1:1.0");
        root.camera(4, "HD Camera", "uvcvideo", "sys/devices/usb1/1-2/1-2:1.0");
        root.camera(11, "bcm2835-codec-decode", "bcm2835-codec", "sys/devices/platform/codec");
        root
    }
    const SOON: Duration = Duration::from_secs(2);
    const LONG: Duration = Duration::from_secs(60);

    fn hangs(offered: &Offered) -> Vec<u32> {
        let hanging = offered.iter().filter(|(_, answer)| *answer == Err(HANGS.to_owned()));
        hanging.map(|(node, _)| number(node)).collect()
    }

    #[test]
    fn a_driver_that_hangs_holds_up_no_other_and_is_not_asked_again_before_it_has_answered() {
        let root = cameras("hangs");
        let fake = Fake::new(&root, &[2]);
        let nodes = fake.drivers.nodes();
        for _ in 0..3 {
            assert_eq!(hangs(&fake.drivers.ask(&nodes, SOON, &|| false)), [2]);
        }
        assert_eq!(fake.asked(), [0, 0, 0, 2, 4, 4, 4], "the codec is never asked");
        fake.answer();
        // It was late, and is not lost.
        assert!(hangs(&fake.drivers.ask(&nodes, LONG, &|| false)).is_empty());
        assert_eq!(fake.asked().iter().filter(|number| **number == 2).count(), 1);
        assert!(hangs(&fake.drivers.ask(&nodes, LONG, &|| false)).is_empty());
        assert_eq!(fake.asked().iter().filter(|number| **number == 2).count(), 2);
    }

    #[test]
    fn whoever_asks_what_is_being_asked_waits_for_the_same_answer() {
        let root = cameras("same-answer");
        let fake = Fake::new(&root, &[0, 2, 4]);
        let nodes = fake.drivers.nodes();
        thread::scope(|scope| {
            let ask = || hangs(&fake.drivers.ask(&nodes, LONG, &|| false));
            let (first, second) = (scope.spawn(ask), scope.spawn(ask));
            while fake.asked().len() < 3 {
                thread::yield_now();
            }
            fake.answer();
            assert!(
                first.join().expect("ends").is_empty() && second.join().expect("ends").is_empty()
            );
        });
        // The second may have begun after the first was answered.
        assert!(fake.asked().len() <= 6, "{:?}", fake.asked());
    }

    #[test]
    fn a_search_that_is_given_up_ends() {
        let root = cameras("given-up");
        let fake = Fake::new(&root, &[0, 2, 4]);
        let nodes = fake.drivers.nodes();
        assert_eq!(hangs(&fake.drivers.ask(&nodes, LONG, &|| true)).len(), 3);
    }

    #[test]
    fn what_is_no_camera_says_so_and_a_camera_in_use_says_that() {
        gst::init().expect("GStreamer");
        assert_eq!(ask(Path::new("/dev/null")), Err(NO_VIDEO.to_owned()));
        assert_eq!(ask(Path::new("/nowhere/video0")), Err(NO_VIDEO.to_owned()));
        let of_kernel = |error: Errno| {
            let details =
                "v4l2_calls.c(620): gst_v4l2_open (): /GstV4l2Src:v4l2src0:\nsystem error: ";
            in_words(&format!("{details}{}", error.desc()))
        };
        assert_eq!(of_kernel(Errno::EBUSY), "another program is using it");
        assert!(of_kernel(Errno::EACCES).contains("no permission"));
        assert_eq!(of_kernel(Errno::ENOENT), NO_VIDEO);
    }
}
