//! What happens to the machine.

use core::net::IpAddr;
use std::time::Duration;

use super::device_controls::{ControlReset, ControlSet};
use super::settings::Layers;
use super::stats::Counters;
use super::store::StoreOutcome;
use crate::appliance::{DestinationId, LinkChange, PipelineEvent, PipelineFault, Presence, Source};
use crate::config::Partial;
use crate::console::{ClientId, Typed};
use crate::device_controls::DeviceControls;
use crate::ending::Evidence;
use crate::health::Readings;
use crate::panel::Contact;
use crate::selection::Exchanged;
use crate::status::{About, Checked, Clock, Interface, LevelStats, NetworkManaged, StillImage};
use crate::stream;
use crate::wifi::{AccessPoint, Observed};

/// What the box knows when it starts.
#[derive(Debug)]
pub struct Setup {
    /// Seed of the jitter of all waits.
    pub seed: u64,
    /// Makes the tags of keys mean nothing outside this run.
    pub salt: [u8; 16],
    /// Product, board and machine.
    pub about: About,
    /// The speed of a terminal's line.
    pub baud: u32,
    /// How many ports have a terminal: their clients are the first.
    pub terminals: usize,
    /// How long a contact bounces.
    pub debounce_ms: u16,
    /// What the board says about video and audio.
    pub board: BoardMedia,
    /// The sources of settings that do not change while the box runs.
    pub layers: Layers,
    /// What is stored.
    pub stored: Partial,
    /// Why what is stored cannot be read.
    pub store_fault: Option<String>,
    /// Every source was read: what none of them sets, nobody has set.
    pub is_whole: bool,
    /// The box was live when the power went.
    pub was_live: bool,
    /// The program before this one did not end in an orderly way, a moment ago.
    pub has_failed: bool,
    /// How many wrong PINs were typed in a row before this start.
    pub wrong_pins: u32,
    /// There is a place to store settings.
    pub can_store: bool,
    /// A service manager has started this program.
    pub has_manager: bool,
    /// Destinations that no setting names.
    pub fixed: Vec<String>,
    /// The network interfaces as they are.
    pub interfaces: Vec<Interface>,
    /// There is a machine that shows how it fares.
    pub shows_health: bool,
    /// How often the service manager wants to hear that the box is alive.
    pub alive_interval: Option<Duration>,
}

/// What the board says about video and audio, where no setting says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoardMedia {
    /// Width of the video, in pixels.
    pub width: u32,
    /// Height of the video, in pixels.
    pub height: u32,
    /// Frames a second.
    pub fps: u32,
    /// Highest bitrate of a stream, in kbit/s.
    pub bitrate_kbps: u32,
    /// The most that this board is asked for, in kbit/s.
    pub bitrate_max_kbps: u32,
    /// From one key frame to the next.
    pub keyframe_interval_ms: u32,
    /// Bitrate of the audio, in kbit/s.
    pub audio_kbps: u32,
    /// Channels of the audio.
    pub channels: u32,
}

impl BoardMedia {
    /// The board's value of a setting, if it has one.
    pub(super) fn value(&self, setting: &str) -> Option<u32> {
        Some(match setting {
            "video.width" => self.width,
            "video.height" => self.height,
            "video.fps" => self.fps,
            "video.bitrate_kbps" => self.bitrate_kbps,
            "video.keyframe_interval_ms" => self.keyframe_interval_ms,
            "audio.bitrate_kbps" => self.audio_kbps,
            "audio.channels" => self.channels,
            _ => return None,
        })
    }
}

/// Everything that can happen.
#[derive(Debug)]
pub enum Event {
    /// Devices, consoles and the store are connected.
    Booted,
    /// A button's contact closed or opened, or was found so.
    Contact {
        /// Whose.
        contact: Contact,
        /// When.
        at: Duration,
        /// It is closed.
        pressed: bool,
        /// It has been so since the box was switched on.
        at_power_up: bool,
    },
    /// A terminal was opened; whoever was there before is gone.
    TerminalOpened {
        /// Which.
        at: ClientId,
        /// Whoever is there is greeted at once.
        greet: bool,
    },
    /// Bytes typed at a terminal.
    Typed {
        /// Which.
        at: ClientId,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Whether the PIN was right.
    PinChecked {
        /// At which terminal it was typed.
        at: ClientId,
        /// Whether it was.
        right: bool,
    },
    /// A client of the control socket asks.
    Asked {
        /// Who.
        from: ClientId,
        /// The line.
        line: String,
        /// The secret that came with it.
        secret: Option<Typed>,
    },
    /// A client of the control socket is gone.
    Gone(ClientId),
    /// The network is so from now on.
    Network {
        /// What happened to the link.
        link: LinkChange,
        /// The interfaces; `None` where nobody watches them.
        interfaces: Option<Vec<Interface>>,
        /// The connections that there are.
        connected: Vec<Connected>,
    },
    /// The clock is so from now on.
    Clock(Clock),
    /// What became of the network's settings.
    NetworkManaged(NetworkManaged),
    /// What was observed of the wireless network.
    Wifi {
        /// The name of the network that was wanted then.
        wanted: Option<String>,
        /// What.
        observed: Observed,
    },
    /// What became of a request to the store.
    Stored(StoreOutcome),
    /// A job is done.
    JobDone {
        /// The number that came with it.
        request: u64,
        /// What came of it.
        result: JobResult,
    },
    /// Whether camera and microphone are there.
    Sources(SourceLook),
    /// The devices of a run are open, or why not.
    CaptureOpened {
        /// Its number.
        run: u64,
        /// Why not.
        failure: Option<(PipelineFault, String)>,
    },
    /// A run holds no device any more.
    CaptureClosed {
        /// Its number.
        run: u64,
    },
    /// A running capture reports.
    Capture {
        /// The number of its run.
        run: u64,
        /// What.
        what: CaptureEvent,
    },
    /// An attempt to publish reports.
    Publish {
        /// Where.
        dest: DestinationId,
        /// The attempt's number.
        attempt: u64,
        /// What.
        what: PublishReport,
    },
    /// The task of a destination takes no orders.
    Stuck {
        /// Which.
        dest: DestinationId,
    },
    /// The counters as they are.
    Counted(Counters),
    /// The levels as they are; `None` while nothing is captured.
    LevelsRead(Option<LevelStats>),
    /// What the machine shows.
    Health(Box<Readings>),
    /// The system asks the box to end.
    Terminate,
}

/// A connection, and where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connected {
    /// Of which destination.
    pub dest: DestinationId,
    /// Of which attempt.
    pub attempt: u64,
    /// The box's address at it.
    pub local_address: IpAddr,
}

/// What a look for camera and microphone has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceLook {
    /// The camera.
    pub camera: SourceFound,
    /// The microphone.
    pub microphone: SourceFound,
    /// The one that is not there, in words.
    pub missing: Missing,
}

/// What a look has shown of one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFound {
    /// Whether it is there.
    pub presence: Presence,
    /// Why it is not, where it is a device: which one is meant, and which ones there are.
    pub absent: Option<String>,
    /// The devices that could be chosen, as a setting names them.
    pub choices: Vec<String>,
    /// What is set of it without effect, and why.
    pub note: Option<String>,
}

impl Default for SourceFound {
    fn default() -> SourceFound {
        let presence = Presence::Unsure;
        SourceFound { presence, absent: None, choices: Vec::new(), note: None }
    }
}

/// What a running capture reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaptureEvent {
    /// For the appliance.
    Pipeline(PipelineEvent),
    /// A source is lost or back.
    Source(Source, Presence),
    /// Something that the owner asked for is not done; the stream goes on without it.
    LeftOut(String),
    /// A source failed, in its own words; it is looked for again.
    SourceFailed(String),
    /// What has come of [`Action::ExchangeSources`](super::Action::ExchangeSources).
    Exchange {
        /// Its number.
        number: u64,
        /// For this source.
        source: Source,
        /// What.
        outcome: Exchanged,
    },
}

/// What an attempt to publish reports.
pub type PublishReport = stream::What<PublishFailure>;

/// Why an attempt to publish has ended against our will.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishFailure {
    /// What was observed.
    pub evidence: Evidence,
    /// From the server or the system.
    pub message: String,
}

/// What came of a job.
#[derive(Debug)]
pub enum JobResult {
    /// Of a check.
    Checked(Checked),
    /// Of a look for devices: as data, and in lines.
    Devices(serde_json::Value, Vec<String>),
    /// The last lines of the log.
    Log(Vec<String>),
    /// A frame.
    Still(StillImage),
    /// Access points in range, and the names of networks that the system has settings for.
    WifiScan {
        /// Access points, in no order.
        points: Vec<AccessPoint>,
        /// Names.
        known: Vec<Vec<u8>>,
    },
    /// The hardware controls of a device.
    Controls(DeviceControls),
    /// A hardware control was set.
    ControlSet(ControlSet),
    /// What became of the reset of one.
    ControlReset(ControlReset),
    /// It could not be done.
    Failed(String),
}

/// Why camera and microphone are not there, in words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Missing {
    /// `None` where it is there.
    pub camera: Option<String>,
    /// The same of the microphone.
    pub microphone: Option<String>,
}

impl Missing {
    /// The one that is named where there is room for one.
    pub fn first(&self) -> Option<&String> {
        self.camera.as_ref().or(self.microphone.as_ref())
    }
}
