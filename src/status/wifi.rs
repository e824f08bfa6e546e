//! The wireless network: what is in range, and how the box stands with the one that is wanted.

use serde::Serialize;

/// How the box stands with a wireless network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wifi {
    /// Its name: of the one that is set, or else of one that the system has joined by itself.
    pub ssid: String,
    /// Whether it is joined.
    pub state: WifiState,
    /// The interface that has joined it.
    pub interface: Option<String>,
    /// How strong its signal is, while it is joined, in percent.
    pub signal_percent: Option<u8>,
    /// The same in a word.
    pub signal: Option<WifiSignal>,
    /// Why the last try to join it failed; `None` once it is joined.
    pub failure: Option<WifiFailure>,
    /// The same in words, and what to do about it.
    pub message: Option<String>,
}

/// Whether a wireless network is joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WifiState {
    /// It is being tried.
    Joining,
    /// It is joined, and the box has an address there.
    Joined,
    /// It is not, and is tried again later.
    NotJoined,
}

/// Why a wireless network is not joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WifiFailure {
    /// The box has no Wi-Fi hardware that works.
    NoHardware,
    /// Wi-Fi is switched off.
    RadioOff,
    /// No network of this name is in range.
    NotFound,
    /// It needs a passphrase, and none is set.
    NeedsPassphrase,
    /// The passphrase is wrong.
    WrongPassphrase,
    /// It has a security that the box does not support, or none where a passphrase is set.
    Security,
    /// Its router gives no address.
    NoAddress,
    /// It does not answer in time.
    TimedOut,
    /// It, or the box's own driver, refuses.
    Refused,
}

/// How strong a signal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WifiSignal {
    /// As next to the router.
    Excellent,
    /// Good for a stream.
    Good,
    /// A stream may lose bitrate.
    Fair,
    /// A stream will break now and then.
    Weak,
}

/// How a network is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WifiSecurity {
    /// Not at all.
    Open,
    /// By WPA with a passphrase.
    Wpa,
    /// By WPA2 with a passphrase.
    Wpa2,
    /// By WPA2 or WPA3 with a passphrase.
    Wpa2Wpa3,
    /// By WPA3 with a passphrase, and nothing older.
    Wpa3,
    /// By WEP, which protects nothing.
    Wep,
    /// Encrypted without a passphrase (OWE).
    EnhancedOpen,
    /// By a login of its own for everybody (802.1X).
    Enterprise,
    /// By something else.
    Other,
}

/// The wireless networks in range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WifiScan {
    /// The strongest first.
    pub networks: Vec<WifiNetwork>,
    /// So many weaker ones are left out.
    pub left_out: usize,
}

/// A wireless network in range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WifiNetwork {
    /// Its name, made safe to show; `None` where it announces none.
    pub ssid: Option<String>,
    /// The bytes of its name, in hexadecimal digits.
    pub ssid_hex: String,
    /// The name that is shown is the whole of it.
    pub is_shown_whole: bool,
    /// How strong its strongest access point is, in percent.
    pub signal_percent: u8,
    /// The same in a word.
    pub signal: WifiSignal,
    /// How it is protected.
    pub security: WifiSecurity,
    /// The box can join networks that are protected so.
    pub is_supported: bool,
    /// How many access points it has in range.
    pub access_points: usize,
    /// The box has joined it.
    pub is_joined: bool,
    /// It is the one that `wifi.ssid` names.
    pub is_wanted: bool,
    /// The system has settings for it.
    pub is_known: bool,
}

impl WifiSignal {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            WifiSignal::Excellent => "excellent",
            WifiSignal::Good => "good",
            WifiSignal::Fair => "fair",
            WifiSignal::Weak => "weak",
        }
    }
}

impl WifiSecurity {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            WifiSecurity::Open => "open",
            WifiSecurity::Wpa => "WPA",
            WifiSecurity::Wpa2 => "WPA2",
            WifiSecurity::Wpa2Wpa3 => "WPA2/WPA3",
            WifiSecurity::Wpa3 => "WPA3",
            WifiSecurity::Wep => "WEP",
            WifiSecurity::EnhancedOpen => "OWE",
            WifiSecurity::Enterprise => "802.1X",
            WifiSecurity::Other => "unknown",
        }
    }
}
