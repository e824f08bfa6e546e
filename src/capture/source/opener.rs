//! A source: a pipeline of its own that ends in raw pictures, raw samples or both.
//!
//! Apart from the programme, so that a device that dies takes nothing with it.

use std::{
    fs::File,
    path::Path,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use gstreamer::{self as gst, prelude::*};
use gstreamer_app as gst_app;

use super::{
    description,
    jpeg::{self, InDecoder},
};
use crate::{
    capture::{
        discovery::{Recipe, SourcePlan, Ways},
        error::CaptureError,
        gst::{
            buffer::is_key,
            build::Running,
            bus::{self, BusEvent, Failure},
            clock::MediaClock,
        },
        request::{AudioSettings, VideoSettings},
        stats::Counters,
    },
    limits::CAPTURE_OPEN_TIMEOUT,
};

/// How often the first picture and sound are looked for.
const POLL: gst::ClockTime = gst::ClockTime::from_mseconds(20);

/// How to open a source, again and again.
#[derive(Debug, Clone)]
pub struct Opener {
    pub plan: SourcePlan,
    pub video: VideoSettings,
    pub audio: AudioSettings,
    pub clock: MediaClock,
    pub counters: Arc<Counters>,
}

/// An open source. Dropping it closes the device, which may take as long as the driver likes.
#[derive(Debug)]
pub struct Opened {
    running: Running,
    /// Its picture is H.264 that is passed through.
    pub coded: bool,
    pub picture: Option<Outlet>,
    pub sound: Option<Outlet>,
    failure: Failure,
}

/// One track of a source.
#[derive(Debug)]
pub struct Outlet {
    appsink: gst_app::AppSink,
    first: Option<gst::Sample>,
}

impl Opener {
    /// Looks for the source, opens it and waits for the first picture and sound. Of several that
    /// are meant, the first that works is taken. Ends early when `given_up`.
    pub fn open(&self, given_up: impl Fn() -> bool) -> Result<Opened, CaptureError> {
        let Ways { ways, mut refused } = self.plan.look(&self.video);
        // With several to try, each gets its share of the time.
        let tries = u32::try_from(ways.len()).unwrap_or(u32::MAX).max(1);
        let at_most = CAPTURE_OPEN_TIMEOUT / tries;
        for (name, recipe) in ways {
            match self.open_one(&recipe, at_most, &given_up) {
                Ok(opened) => {
                    if !name.is_empty() {
                        tracing::info!("capturing from {name}");
                    }
                    return Ok(opened);
                }
                Err(error) if name.is_empty() || tries == 1 => return Err(error),
                Err(error) => {
                    tracing::info!("not capturing from {name}: {error}");
                    refused.push(format!("{name}: {error}"));
                }
            }
        }
        let why =
            if refused.is_empty() { "it is not there".to_owned() } else { refused.join("; ") };
        Err(self.plan.blame(why))
    }

    fn open_one(
        &self,
        recipe: &Recipe,
        at_most: Duration,
        given_up: impl Fn() -> bool,
    ) -> Result<Opened, CaptureError> {
        if let Recipe::Clip { path, .. } = recipe {
            check_file(path)?;
        }
        let blame = |why: String| self.plan.blame(why);
        let description = description::source(recipe, &self.video, &self.audio);
        let running = Running::build(&description).map_err(|error| match error {
            CaptureError::Gstreamer(why) => blame(why),
            other => other,
        })?;
        let outlet = |name| {
            let appsink = running.optional_element(name)?;
            Some(Outlet { appsink, first: None })
        };
        let mut opened = Opened {
            picture: outlet(description::PICTURE),
            sound: outlet(description::SOUND),
            failure: Failure::default(),
            coded: recipe.is_coded(),
            running,
        };
        opened.listen(self.plan.is_live());
        opened.leave_out_broken_pictures(&self.counters);
        self.clock.drive(opened.running.pipeline());
        let started = opened.running.play();
        let said =
            |opened: &Opened, otherwise: String| opened.failure.message().unwrap_or(otherwise);
        started.map_err(|error| blame(said(&opened, error.to_string())))?;
        opened.wait_for_first(at_most, given_up).map_err(|why| blame(said(&opened, why)))?;
        Ok(opened)
    }
}

impl Opened {
    /// Has `ring` called, on a thread of the source, whenever a picture or a piece of sound is
    /// there.
    pub fn on_arrival(&self, ring: impl Fn() + Clone + Send + 'static) {
        for outlet in [&self.picture, &self.sound].into_iter().flatten() {
            let ring = ring.clone();
            let callbacks = gst_app::AppSinkCallbacks::builder().new_sample(move |_| {
                ring();
                Ok(gst::FlowSuccess::Ok)
            });
            outlet.appsink.set_callbacks(callbacks.build());
        }
    }

    /// What made the source fail, if it did.
    pub fn failure(&self) -> Option<String> {
        self.failure.message()
    }

    fn listen(&self, live: bool) {
        let failure = self.failure.clone();
        bus::listen(self.running.pipeline(), move |event| match event {
            BusEvent::Error { said } => failure.note(said),
            BusEvent::Ended if live => failure.note("it gives nothing any more".to_owned()),
            BusEvent::Ended => {}
        });
        let Some(decoder) = self.running.optional_element::<gst::Element>(description::DECODER)
        else {
            return;
        };
        let failure = self.failure.clone();
        let heads: Vec<(gst::Element, &str)> =
            [(description::PICTURE_HEAD, "picture"), (description::SOUND_HEAD, "sound")]
                .into_iter()
                .filter_map(|(name, what)| Some((self.running.optional_element(name)?, what)))
                .collect();
        decoder.connect_no_more_pads(move |_| {
            for (head, what) in &heads {
                if head.static_pad("sink").is_none_or(|pad| !pad.is_linked()) {
                    failure.note(format!("it has no {what}"));
                }
            }
        });
    }

    /// Keeps broken JPEGs away from the decoder, and counts them together with those that it does
    /// not make a picture of.
    fn leave_out_broken_pictures(&self, counters: &Arc<Counters>) {
        let pad = |name| self.running.optional_element::<gst::Element>(name)?.static_pad("sink");
        let (Some(into), Some(out)) = (pad(description::DECODER), pad(description::PICTURE_HEAD))
        else {
            return;
        };
        let inside = Arc::new(Mutex::new(InDecoder::default()));
        let counted = {
            let counters = Arc::clone(counters);
            move |broken| counters.broken.fetch_add(broken, Ordering::Relaxed)
        };
        let (entering, count) = (Arc::clone(&inside), counted.clone());
        into.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            let Some(buffer) = info.buffer().filter(|_| carries_jpeg(pad)) else {
                return gst::PadProbeReturn::Ok;
            };
            if is_broken(buffer) {
                count(1);
                return gst::PadProbeReturn::Drop;
            }
            let time_ns = buffer.pts().map(gst::ClockTime::nseconds);
            count(entering.lock().unwrap_or_else(PoisonError::into_inner).entered(time_ns));
            gst::PadProbeReturn::Ok
        });
        out.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            let time_ns = info.buffer().and_then(|b| b.pts()).map(gst::ClockTime::nseconds);
            counted(inside.lock().unwrap_or_else(PoisonError::into_inner).left(time_ns));
            gst::PadProbeReturn::Ok
        });
    }

    fn wait_for_first(
        &mut self,
        at_most: Duration,
        given_up: impl Fn() -> bool,
    ) -> Result<(), String> {
        let deadline = Instant::now() + at_most;
        let coded = self.coded;
        for outlet in [&mut self.picture, &mut self.sound].into_iter().flatten() {
            while outlet.first.is_none() {
                if let Some(said) = self.failure.message() {
                    return Err(said);
                }
                if given_up() {
                    return Err("it was given up".to_owned());
                }
                if Instant::now() > deadline {
                    let what = if coded { "no key frame" } else { "nothing" };
                    return Err(format!("it gave {what} for {} ms", at_most.as_millis()));
                }
                outlet.first = outlet
                    .appsink
                    .try_pull_sample(POLL)
                    .filter(|sample| !coded || sample.buffer().is_some_and(is_key));
                if outlet.first.is_none() && outlet.appsink.is_eos() {
                    return Err(self.failure.message().unwrap_or_else(|| "it is empty".to_owned()));
                }
            }
        }
        Ok(())
    }
}

impl Outlet {
    /// The next picture, access unit or piece of sound, if there is one, with its time in the source
    /// and its caps.
    pub fn next(&mut self) -> Option<(Option<Duration>, gst::Buffer, Option<gst::Caps>)> {
        let sample = match self.first.take() {
            Some(sample) => sample,
            None => self.appsink.try_pull_sample(gst::ClockTime::ZERO)?,
        };
        let buffer = sample.buffer_owned()?;
        let segment = sample.segment().and_then(|s| s.downcast_ref::<gst::ClockTime>());
        let running = segment.zip(buffer.pts()).and_then(|(s, pts)| s.to_running_time(pts));
        Some((running.map(Duration::from), buffer, sample.caps_owned()))
    }

    /// Whether nothing is left and nothing will come.
    pub fn is_drained(&self) -> bool {
        self.first.is_none() && self.appsink.is_eos()
    }
}

fn carries_jpeg(pad: &gst::Pad) -> bool {
    let caps = pad.current_caps();
    caps.is_some_and(|caps| caps.structure(0).is_some_and(|s| s.name() == "image/jpeg"))
}

fn is_broken(buffer: &gst::BufferRef) -> bool {
    buffer.flags().contains(gst::BufferFlags::CORRUPTED)
        || buffer.map_readable().is_ok_and(|map| !jpeg::is_whole(&map))
}

fn check_file(path: &Path) -> Result<(), CaptureError> {
    let unreadable = |why: String| CaptureError::FileUnreadable { path: path.to_owned(), why };
    let file = File::open(path).map_err(|error| unreadable(bus::one_line(&error.to_string())))?;
    match file.metadata() {
        Ok(metadata) if metadata.is_file() => Ok(()),
        Ok(_) => Err(unreadable("it is not a file".to_owned())),
        Err(error) => Err(unreadable(bus::one_line(&error.to_string()))),
    }
}
