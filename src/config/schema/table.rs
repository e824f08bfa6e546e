//! The table itself.

use std::ops::RangeInclusive;

use super::form::{DHCP, Form};
use crate::limits::{
    CAPTURE_AUDIO_KBPS_MAX, CAPTURE_AUDIO_KBPS_MIN, CAPTURE_FPS_MAX, CAPTURE_HEIGHT_MAX,
    CAPTURE_KEYFRAME_INTERVAL_MS_MAX, CAPTURE_KEYFRAME_INTERVAL_MS_MIN, CAPTURE_SIDE_MIN,
    CAPTURE_VIDEO_KBPS_MAX, CAPTURE_VIDEO_KBPS_MIN, CAPTURE_WIDTH_MAX,
};
use crate::pace::Follow;
use crate::typed_toml::{Applies, Entry, Fallback, Kind, Table};
use Applies::{NextBroadcast, Now, Reconnect, Restart};
use Fallback::{Value, Words};
use Form::{
    Address, ConsolePin, Country, DnsServers, Gateway, Interface, Key, Label, Name, OwnAddress,
    Passphrase, Path, Pin, Ssid,
};

/// One setting.
pub type Setting = Entry<Form>;

/// The version of the schema; a file names it in its first line.
pub const VERSION: u32 = 1;
/// The table that stands in a file once for each destination.
pub const DESTINATION: &str = "destination";

/// A settings file.
pub(in crate::config) const FILE: Table<Form> =
    Table { groups: &[&[FILE_VERSION], SETTINGS], lists: &[DESTINATION] };
/// The file of a stick; it may also say what becomes of its keys.
pub(in crate::config) const STICK: Table<Form> =
    Table { groups: &[&[FILE_VERSION, ERASE_KEY], SETTINGS], lists: &[DESTINATION] };

const FILE_VERSION: Setting = setting(
    "version",
    Kind::Number { min: VERSION, max: VERSION, step: 1, unit: "" },
    Words("none; required"),
    Now,
    "the version of the schema",
);
const ERASE_KEY: Setting = setting(
    "erase_key",
    Kind::Flag,
    Value("false"),
    Now,
    "overwrite the keys on the stick with blanks once they are stored",
);

/// All settings, in the order of the file. A table is read in columns.
#[rustfmt::skip]
pub const SETTINGS: &[Setting] = &[
    setting("box.name", text(Label), Value("firstmile"), Now,
        "what the box calls itself; the drawn slate shows it from the next broadcast"),
    setting("box.start_without_camera", FLAG, Value("false"), NextBroadcast,
        "go live with the slate when there is no camera"),
    setting("box.start_without_microphone", FLAG, Value("false"), NextBroadcast,
        "go live with silence when there is no microphone"),
    setting("box.resume_live", FLAG, Value("true"), Restart,
        "go live again at start-up if the box was live when it lost power or restarted"),
    number("video.width", CAPTURE_SIDE_MIN..=CAPTURE_WIDTH_MAX, 2, "pixels", NextBroadcast,
        "width of the video"),
    number("video.height", CAPTURE_SIDE_MIN..=CAPTURE_HEIGHT_MAX, 2, "pixels", NextBroadcast,
        "height of the video"),
    number("video.fps", 1..=CAPTURE_FPS_MAX, 1, "frames per second", NextBroadcast,
        "frame rate"),
    number("video.bitrate_kbps", CAPTURE_VIDEO_KBPS_MIN..=CAPTURE_VIDEO_KBPS_MAX, 1, "kb/s", Now,
        "highest bitrate of the video"),
    number("video.keyframe_interval_ms", CAPTURE_KEYFRAME_INTERVAL_MS_MIN..=CAPTURE_KEYFRAME_INTERVAL_MS_MAX, 1, "milliseconds", NextBroadcast,
        "time from one keyframe to the next; platforms want 2000"),
    setting("video.follow", Kind::Choice(Follow::NAMES), Value(Follow::NAMES[0]), Now,
        "the destination that controls adaptive bitrate: the first one, the slowest one, or none"),
    number("audio.bitrate_kbps", CAPTURE_AUDIO_KBPS_MIN..=CAPTURE_AUDIO_KBPS_MAX, 1, "kb/s", NextBroadcast,
        "bitrate of the audio"),
    number("audio.channels", 1..=2, 1, "channels", NextBroadcast,
        "mono or stereo"),
    setting("console.pin", text(ConsolePin), Words("none"), Now,
        "what the serial console asks for first; a factory reset needs none"),
    setting("network.interface", text(Interface), Words("any wired one"), Now,
        "the wired interface that the next settings are for"),
    setting("network.address", text(OwnAddress), Value(DHCP), Now,
        "the box's address on the wired network"),
    setting("network.gateway", text(Gateway), Words("by DHCP"), Now,
        "default gateway, with an address that is not from DHCP"),
    setting("network.dns", text(DnsServers), Words("by DHCP"), Now,
        "name servers"),
    setting("wifi.ssid", text(Ssid), Words("none"), Now,
        "the name of the wireless network"),
    setting("wifi.passphrase", text(Passphrase), Words("none; an open network"), Now,
        "its passphrase; stored separately and never shown"),
    setting("wifi.country", text(Country), Words("as the system has it"), Now,
        "Wi-Fi country code"),
    setting("wifi.hidden", FLAG, Value("false"), Now,
        "look for a network that does not announce its name"),
    setting("wifi.interface", text(Interface), Words("any wireless one"), Now,
        "the wireless interface"),
    setting("wifi.address", text(OwnAddress), Value(DHCP), Now,
        "the box's address on the wireless network"),
    setting("wifi.gateway", text(Gateway), Words("by DHCP"), Now,
        "default gateway, with an address that is not from DHCP"),
    setting("wifi.dns", text(DnsServers), Words("by DHCP"), Now,
        "name servers"),
    setting("slate.picture", text(Path), Words("the drawn slate"), NextBroadcast,
        "a PNG image that is shown in place of a lost camera"),
    setting("overlay.clock", FLAG, Value("false"), NextBroadcast,
        "show the time of day on the video, at its top right"),
    setting("overlay.text", text(Label), Words("none"), NextBroadcast,
        "show this text on the video, at its bottom left"),
    setting("overlay.logo", text(Path), Words("none"), NextBroadcast,
        "show this PNG image on the video, at its top left"),
    setting("destination.name", text(Name), Words("none; required"), Reconnect,
        "what the destination is called at the console"),
    setting("destination.url", text(Address), Words("none"), Reconnect,
        "the server's address; {stream_key} may stand where the platform wants the key"),
    setting("destination.backup_url", text(Address), Words("none"), Reconnect,
        "a second server for the same key, used while the first one fails"),
    setting("destination.key", text(Key), Words("none"), Reconnect,
        "the stream key; stored separately and never shown"),
    setting("destination.ca_file", text(Path), Words("the well-known authorities"), Reconnect,
        "certificates (PEM) of the authority that this server is checked against"),
    setting("destination.pinned_key", text(Pin), Words("none"), Reconnect,
        "the public key that this server must have, in addition to a trusted certificate"),
    setting("destination.strict_tls", FLAG, Value("false"), Reconnect,
        "offer this server only the TLS that NIST SP 800-52r2 approves"),
    setting("destination.allow_plain", FLAG, Value("false"), Reconnect,
        "allow unencrypted RTMP (rtmp://), which shows the stream key to everybody on the way"),
    setting("destination.enabled", FLAG, Value("true"), Reconnect,
        "whether going live includes it"),
];

const FLAG: Kind<Form> = Kind::Flag;

const fn text(form: Form) -> Kind<Form> {
    Kind::Text(form)
}

const fn setting(
    name: &'static str,
    kind: Kind<Form>,
    fallback: Fallback,
    applies: Applies,
    help: &'static str,
) -> Setting {
    Setting { name, kind, fallback, applies, help }
}

/// A number that the board's profile has too.
const fn number(
    name: &'static str,
    range: RangeInclusive<u32>,
    step: u32,
    unit: &'static str,
    applies: Applies,
    help: &'static str,
) -> Setting {
    let (min, max) = (*range.start(), *range.end());
    let fallback = Words("the board's profile");
    setting(name, Kind::Number { min, max, step, unit }, fallback, applies, help)
}
