//! A camera or a microphone that can be unplugged, freeze and change its format: raw media with its
//! caps over a loopback connection, which the box opens as it would open a device.

use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use gstreamer::{self as gst, prelude::*};
use gstreamer_app as gst_app;

use super::free_port;

const RATE_HZ: usize = 48_000;
const PIECE: usize = 960;

/// A device; gone when dropped.
pub struct FakeDevice {
    port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Copy)]
struct State {
    plugged: bool,
    frozen: bool,
    width: usize,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// A grey frame that flickers from one to the next.
    Camera { fps: u32 },
    /// A tone of 440 Hz.
    Microphone,
}

impl FakeDevice {
    pub fn camera(fps: u32) -> FakeDevice {
        FakeDevice::start(Kind::Camera { fps })
    }

    pub fn microphone() -> FakeDevice {
        FakeDevice::start(Kind::Microphone)
    }

    fn start(kind: Kind) -> FakeDevice {
        gst::init().expect("GStreamer");
        let state = State { plugged: true, frozen: false, width: 160, kind };
        let (state, port) = (Arc::new(Mutex::new(state)), free_port());
        let watched = Arc::downgrade(&state);
        let interval = match kind {
            Kind::Camera { fps } => Duration::from_secs(1) / fps,
            Kind::Microphone => Duration::from_secs(1) * PIECE as u32 / RATE_HZ as u32,
        };
        thread::spawn(move || {
            let (mut next, mut number, mut cable) = (Instant::now(), 0, None);
            while let Some(state) = watched.upgrade() {
                let state = *state.lock().unwrap_or_else(PoisonError::into_inner);
                if state.plugged && cable.is_none() {
                    cable = Some(Cable::plug(port));
                } else if !state.plugged {
                    cable = None;
                }
                if let (Some(cable), false) = (&cable, state.frozen) {
                    cable.send(state, number);
                }
                number += 1;
                next += interval;
                thread::sleep(next.saturating_duration_since(Instant::now()));
            }
        });
        FakeDevice { port, state }
    }

    /// What a board profile calls it.
    pub fn launch(&self) -> String {
        format!("tcpclientsrc host=127.0.0.1 port={} ! gdpdepay", self.port)
    }

    pub fn plug(&self, plugged: bool) {
        self.state().plugged = plugged;
    }

    pub fn freeze(&self, frozen: bool) {
        self.state().frozen = frozen;
    }

    /// Another width of the frame, from the next one on.
    pub fn set_width(&self, width: usize) {
        self.state().width = width;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Cable {
    pipeline: gst::Pipeline,
    source: gst_app::AppSrc,
}

impl Cable {
    fn plug(port: u16) -> Cable {
        let text = format!(
            "appsrc name=in format=time is-live=true max-bytes=0 ! gdppay ! \
             tcpserversink host=127.0.0.1 port={port} sync=false"
        );
        let pipeline = gst::parse::launch(&text).expect("a pipeline");
        let pipeline = pipeline.downcast::<gst::Pipeline>().expect("a pipeline");
        let source = pipeline.by_name("in").expect("the source").downcast().expect("an appsrc");
        let _ = pipeline.set_state(gst::State::Playing);
        Cable { pipeline, source }
    }

    fn send(&self, state: State, number: usize) {
        let (caps, bytes) = match state.kind {
            Kind::Camera { fps } => frame(state.width, fps, number),
            Kind::Microphone => tone(number),
        };
        let caps = gst::Caps::from_str(&caps).expect("caps");
        if self.source.caps().as_ref() != Some(&caps) {
            self.source.set_caps(Some(&caps));
        }
        let _ = self.source.push_buffer(gst::Buffer::from_slice(bytes));
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

fn frame(width: usize, fps: u32, number: usize) -> (String, Vec<u8>) {
    let height = width * 3 / 4;
    let caps = format!(
        "video/x-raw, format=(string)I420, width=(int){width}, height=(int){height}, \
         framerate=(fraction){fps}/1"
    );
    let mut bytes = vec![128; width * height * 3 / 2];
    bytes[..width * height].fill(170 + 20 * (number % 2) as u8);
    (caps, bytes)
}

fn tone(number: usize) -> (String, Vec<u8>) {
    let caps = format!(
        "audio/x-raw, format=(string)S16LE, layout=(string)interleaved, rate=(int){RATE_HZ}, \
         channels=(int)1"
    );
    let value = |i: usize| {
        let second = (number * PIECE + i) as f64 / RATE_HZ as f64;
        ((second * 440.0 * std::f64::consts::TAU).sin() * 8_000.0) as i16
    };
    (caps, (0..PIECE).flat_map(|i| value(i).to_le_bytes()).collect())
}
