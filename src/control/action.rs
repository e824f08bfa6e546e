//! What the machine wants done.

use std::sync::Arc;

use super::device_controls::ControlOrder;
use super::store::StoreRequest;
use crate::appliance::{DestinationId, Notify, PublishOrder};
use crate::audio::Adjustments;
use crate::config::{self, Settings, Wifi, Wired};
use crate::console::{ClientId, Reply, Typed};
use crate::device_controls::ControlName;
use crate::secret::ConsolePin;
use crate::video::Framing;

/// One action. Actions are done in the order they are given.
#[derive(Debug)]
pub enum Action {
    /// Write to a terminal.
    Terminal {
        /// Which.
        to: ClientId,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Answer a client of the control socket.
    Answer {
        /// Whom.
        to: ClientId,
        /// What.
        reply: Reply,
        /// Nothing follows: the connection ends.
        last: bool,
    },
    /// Write to the log.
    Log(Level, String),
    /// Hand this to the store; [`Event::Stored`](super::Event::Stored) answers it. The next one comes
    /// after that.
    Store(StoreRequest),
    /// Check a PIN, which takes a while; [`Event::PinChecked`](super::Event::PinChecked) answers it.
    CheckPin {
        /// The terminal where it was typed.
        at: ClientId,
        /// The right one.
        pin: ConsolePin,
        /// What was typed.
        typed: Typed,
    },
    /// Hand the network's settings over; [`Event::NetworkManaged`](super::Event::NetworkManaged) says
    /// what became of them.
    Network {
        /// The wired network.
        wired: Wired,
        /// The wireless network.
        wifi: Wifi,
    },
    /// The wireless network may stand otherwise: look soon. [`Event::Wifi`](super::Event::Wifi) says how.
    LookAtWifi,
    /// Do something that takes a while; [`Event::JobDone`](super::Event::JobDone) answers it.
    Job {
        /// Comes back with the answer.
        request: u64,
        /// What.
        job: Job,
    },
    /// Restart the machine.
    Reboot,
    /// Look whether camera and microphone are there; [`Event::Sources`](super::Event::Sources)
    /// answers it.
    LookForSources(Arc<Settings>),
    /// Forget the media of the last broadcast: a new one begins.
    BeginBroadcast,
    /// Open the devices for this run; [`Event::CaptureOpened`](super::Event::CaptureOpened) answers it.
    OpenCapture {
        /// Its number.
        run: u64,
        /// With these settings.
        settings: Arc<Settings>,
        /// At this bitrate of the video, in kbit/s.
        video_kbps: u32,
        /// With this done to the audio.
        audio: Adjustments,
        /// With this done to the camera's video.
        framing: Framing,
        /// Nothing is encoded or sent before [`Action::GoOnAir`].
        standby: bool,
    },
    /// What this run captures from now on is for a broadcast.
    GoOnAir {
        /// Its number.
        run: u64,
        /// The settings that it was opened with, but for what can be set while it runs.
        settings: Arc<Settings>,
        /// At this bitrate of the video, in kbit/s.
        video_kbps: u32,
    },
    /// Camera and microphone of this run are to be those of these settings;
    /// [`CaptureEvent::Exchange`](super::CaptureEvent::Exchange) answers it, for each of both.
    ExchangeSources {
        /// The run's number.
        run: u64,
        /// Comes back with the answers.
        number: u64,
        /// The settings.
        settings: Arc<Settings>,
    },
    /// Close the devices of this run; [`Event::CaptureClosed`](super::Event::CaptureClosed) answers it.
    CloseCapture {
        /// Its number.
        run: u64,
    },
    /// The running encoder's bitrate, in kbit/s.
    SetBitrate(u32),
    /// What is done to the audio that is captured.
    AdjustAudio(Adjustments),
    /// What is done to the camera's video.
    SetFraming(Framing),
    /// Set the hardware controls of devices that are there as these settings say.
    RestoreControls {
        /// The settings.
        settings: Arc<Settings>,
        /// What no setting says any more has the driver's default again.
        reset: Vec<ControlName>,
    },
    /// There is a new destination.
    AddDestination {
        /// Its number.
        dest: DestinationId,
        /// Its name.
        name: String,
    },
    /// Address, key or trust of a destination are other ones from now on.
    Retarget {
        /// Its number.
        dest: DestinationId,
        /// Its settings.
        to: Box<config::Destination>,
    },
    /// Nothing more of this destination is wanted.
    RemoveDestination {
        /// Its number.
        dest: DestinationId,
    },
    /// For the publish task of a destination.
    Publish(PublishOrder),
    /// The highest bitrate of the video, in kbit/s, for all connections.
    Ceiling(u32),
    /// Read all counters; [`Event::Counted`](super::Event::Counted) answers it.
    Count,
    /// Read the levels; [`Event::LevelsRead`](super::Event::LevelsRead) answers it.
    ReadLevels,
    /// Read what the machine shows; [`Event::Health`](super::Event::Health) answers it.
    ReadHealth,
    /// For the service manager.
    Notify(Notify),
    /// Tell the service manager that the box is alive.
    Alive,
    /// The last action: end the process with this code.
    Exit(u8),
}

/// Something that takes a while, or that only the shell knows.
#[derive(Debug)]
pub enum Job {
    /// Try both servers of a destination.
    Check {
        /// Its number.
        dest: DestinationId,
        /// Its name.
        name: String,
    },
    /// Look for cameras, microphones and encoders.
    Devices(Arc<Settings>),
    /// Read the last lines of the log.
    Log,
    /// Take a frame as a JPEG.
    Still(Still),
    /// Look for wireless networks.
    ScanWifi,
    /// Ask or set hardware controls of a device.
    Controls {
        /// What.
        order: ControlOrder,
        /// They say which device is captured from.
        settings: Arc<Settings>,
    },
}

/// How a frame is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Still {
    /// The longest side, in pixels.
    pub longest_side: u32,
    /// As libjpeg counts.
    pub quality: u8,
}

/// How much a line of the log matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Info,
    /// Worth a look.
    Warn,
    /// Something is broken.
    Error,
}
