//! What the lights can show.

/// One state or event that the lights can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Indication {
    /// The box is booting.
    Starting,
    /// No destination with a stream key is set.
    NeedsSetup,
    /// A press goes live.
    Ready,
    /// The same, and the machine itself is too hot, or short of power, memory or storage.
    ReadyWarning,
    /// A press goes live as soon as there is a network.
    NoNetwork,
    /// Going live; no destination has accepted the stream yet.
    Connecting,
    /// At least one destination accepts the stream.
    Live {
        /// What the owner should look at although the box is live.
        attention: Attention,
    },
    /// On air, but no destination accepts the stream at the moment; the box tries again.
    Retrying {
        /// What stands in the way.
        because: Because,
    },
    /// The broadcast is being ended.
    Stopping,
    /// The box cannot go live, or could not stay live.
    Fault(Fault),
    /// For a moment: the button press was detected.
    Pressed,
    /// For a moment: a press that changes nothing, because the box is live or stopped already.
    Already,
    /// For a moment: not possible now; the console shows why.
    Refused,
    /// For a moment: a USB stick is being read.
    StickWorking,
    /// For a moment: the stick's settings are applied, and it may be pulled out.
    StickAccepted,
    /// For a moment: the stick was refused, and it may be pulled out.
    StickRefused,
    /// For a moment: the button is held since power-up; releasing it now changes nothing.
    ResetBegun,
    /// For a moment: releasing the button now erases all settings.
    ResetArmed,
}

/// What is not as it should be while live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Attention {
    /// Nothing.
    None,
    /// The camera is lost; the slate is on air.
    Camera,
    /// The microphone is lost; silence is on air.
    Microphone,
    /// A destination does not accept the stream.
    Destination,
    /// The machine itself is overloaded, too hot, or short of power, memory or storage.
    Warning,
}

/// Why no destination accepts the stream; the most useful reason when several differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Because {
    /// The box has no network at all.
    NoNetwork,
    /// The network or the server is not reachable, or the connection was lost.
    Network,
    /// The server still has an earlier connection with the same key, or one of another encoder.
    Busy,
    /// The server refuses the stream key or the connection, with words or without.
    Refused,
    /// The server's certificate is not accepted, perhaps because the box does not know the time.
    Certificate,
}

/// What is broken, as far as the lights show it; the console shows more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// No usable camera.
    Camera,
    /// No usable microphone.
    Microphone,
    /// The encoder does not deliver.
    Encoder,
    /// A defect of the box itself.
    Internal,
}

impl Indication {
    /// Every indication once, in the order of the owner's table.
    pub const ALL: [Indication; 29] = [
        Indication::Starting,
        Indication::NeedsSetup,
        Indication::Ready,
        Indication::ReadyWarning,
        Indication::NoNetwork,
        Indication::Connecting,
        Indication::Live { attention: Attention::None },
        Indication::Live { attention: Attention::Camera },
        Indication::Live { attention: Attention::Microphone },
        Indication::Live { attention: Attention::Destination },
        Indication::Live { attention: Attention::Warning },
        Indication::Retrying { because: Because::NoNetwork },
        Indication::Retrying { because: Because::Network },
        Indication::Retrying { because: Because::Busy },
        Indication::Retrying { because: Because::Refused },
        Indication::Retrying { because: Because::Certificate },
        Indication::Stopping,
        Indication::Fault(Fault::Camera),
        Indication::Fault(Fault::Microphone),
        Indication::Fault(Fault::Encoder),
        Indication::Fault(Fault::Internal),
        Indication::Pressed,
        Indication::Already,
        Indication::Refused,
        Indication::StickWorking,
        Indication::StickAccepted,
        Indication::StickRefused,
        Indication::ResetBegun,
        Indication::ResetArmed,
    ];

    /// Whether it is played once over what the lights show otherwise, instead of lasting.
    pub fn is_momentary(self) -> bool {
        matches!(
            self,
            Indication::Pressed
                | Indication::Already
                | Indication::Refused
                | Indication::StickWorking
                | Indication::StickAccepted
                | Indication::StickRefused
                | Indication::ResetBegun
                | Indication::ResetArmed
        )
    }

    /// Whether the owner has pressed live and not stopped: the only time the LIVE light may be lit.
    pub fn is_broadcast(self) -> bool {
        matches!(
            self,
            Indication::Connecting | Indication::Live { .. } | Indication::Retrying { .. }
        )
    }

    /// Its name in the owner's table.
    pub fn name(self) -> &'static str {
        match self {
            Indication::Starting => "starting",
            Indication::NeedsSetup => "needs setup",
            Indication::Ready => "ready",
            Indication::ReadyWarning => "ready, with a warning",
            Indication::NoNetwork => "no network",
            Indication::Connecting => "connecting",
            Indication::Live { attention } => match attention {
                Attention::None => "live",
                Attention::Camera => "live, no camera",
                Attention::Microphone => "live, no microphone",
                Attention::Destination => "live, a destination missing",
                Attention::Warning => "live, with a warning",
            },
            Indication::Retrying { because } => match because {
                Because::NoNetwork => "retrying, no network",
                Because::Network => "retrying, network",
                Because::Busy => "retrying, busy",
                Because::Refused => "retrying, refused",
                Because::Certificate => "retrying, certificate",
            },
            Indication::Stopping => "stopping",
            Indication::Fault(fault) => match fault {
                Fault::Camera => "fault, camera",
                Fault::Microphone => "fault, microphone",
                Fault::Encoder => "fault, encoder",
                Fault::Internal => "fault, internal",
            },
            Indication::Pressed => "pressed",
            Indication::Already => "already so",
            Indication::Refused => "not now",
            Indication::StickWorking => "stick, working",
            Indication::StickAccepted => "stick, accepted",
            Indication::StickRefused => "stick, refused",
            Indication::ResetBegun => "reset, hold on",
            Indication::ResetArmed => "reset, let go",
        }
    }
}
