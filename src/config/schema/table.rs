//! The table of settings, and the types in which other rooms use them: each row is a setting's entry
//! and its field at once, so that a new setting is one row and its use.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use super::form::{DHCP, Form, Get, Held};
use crate::audio::ChannelsFrom;
use crate::config::network::Addressing;
use crate::limits::{
    AUDIO_DELAY_MS_MAX, AUDIO_GAIN_DB_MAX, AUDIO_GAIN_DB_MIN, AUDIO_LOWCUT_HZ_MAX,
    AUDIO_LOWCUT_HZ_MIN, CAPTURE_AUDIO_KBPS_MAX, CAPTURE_AUDIO_KBPS_MIN, CAPTURE_FPS_MAX,
    CAPTURE_HEIGHT_MAX, CAPTURE_KEYFRAME_INTERVAL_MS_MAX, CAPTURE_KEYFRAME_INTERVAL_MS_MIN,
    CAPTURE_SIDE_MIN, CAPTURE_VIDEO_KBPS_MAX, CAPTURE_VIDEO_KBPS_MIN, CAPTURE_WIDTH_MAX,
    VIDEO_ZOOM_PERCENT_MAX,
};
use crate::pace::Follow;
use crate::rtmp::url::{Hosts, ServerUrl};
use crate::secret::{ConsolePin, Passphrase, StreamKey};
use crate::selection::{CameraDevice, CameraMode, MicrophoneDevice};
use crate::spki_pin::SpkiPin;
use crate::typed_toml::{Applies, Entry, Fallback, Kind, Table};
use crate::video::{Mirror, Zoom};
use Applies::{NextBroadcast, Now, Reconnect, Restart};
use Fallback::{Value, Words};

/// One setting.
pub type Setting = Entry<Form>;

/// The version of the schema; a file names it in its first line.
pub const VERSION: u32 = 1;
/// The table that stands in a file once for each destination.
pub const DESTINATION: &str = "destination";

/// All settings, in the order of the file.
pub const SETTINGS: Table<Form> = with_head(&[]);
/// A settings file.
pub(in crate::config) const FILE: Table<Form> = with_head(&[FILE_VERSION]);
/// The file of a stick; it may also say what becomes of its keys and of what was stored before.
pub(in crate::config) const STICK: Table<Form> = with_head(&[FILE_VERSION, ERASE_KEY, REPLACE]);

const fn with_head(head: &'static [Setting]) -> Table<Form> {
    let groups = &[
        BOX,
        CAMERA,
        MICROPHONE,
        VIDEO,
        AUDIO,
        OVERLAY,
        CONTROLS,
        NETWORK,
        NETWORK_ADDRESS,
        WIFI,
        WIFI_ADDRESS,
        DESTINATIONS,
    ];
    Table { head, groups, lists: &[DESTINATION] }
}

const PROFILE: Fallback = Words("the board's profile");
const FLAG: Kind<Form> = Kind::Flag;

#[rustfmt::skip]
const FILE_VERSION: Setting = setting(
    "version", number(VERSION..=VERSION, 1, ""), Words("none; required"), Now, "the schema",
);
#[rustfmt::skip]
const ERASE_KEY: Setting = setting(
    "erase_key", FLAG, Value("false"), Now, "erase the keys on the stick once they are stored",
);
#[rustfmt::skip]
const REPLACE: Setting = setting(
    "replace", FLAG, Value("false"), Now, "forget what was stored before",
);

const fn setting(
    name: &'static str,
    kind: Kind<Form>,
    fallback: Fallback,
    applies: Applies,
    help: &'static str,
) -> Setting {
    Setting { name, kind, fallback, applies, help }
}

const fn text(form: Form) -> Kind<Form> {
    Kind::Text(form)
}

const fn number(range: RangeInclusive<u32>, step: u32, unit: &'static str) -> Kind<Form> {
    Kind::Number { min: *range.start(), max: *range.end(), step, unit }
}

const fn decimal(min: i32, max: i32, decimals: u8, unit: &'static str) -> Kind<Form> {
    Kind::Decimal { min, max, decimals, unit }
}

/// Rows of settings, and the type with a field for each of them and for what else belongs to it.
macro_rules! settings {
    (
        $(#[$of:meta])*
        $group:ident, $type:ident {
            $($field:ident: $held:ty = $name:literal, $kind:expr, $fallback:expr, $applies:expr, $help:literal;)*
        } $(+ { $($(#[$doc:meta])* $more:ident: $of_more:ty,)* })?
    ) => {
        const $group: &[Setting] = &[$(setting($name, $kind, $fallback, $applies, $help),)*];

        $(#[$of])*
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct $type {
            $(#[doc = $help] pub $field: $held,)*
            $($($(#[$doc])* pub $more: $of_more,)*)?
        }

        impl $type {
            pub(in crate::config) fn read(
                get: Get<'_>
                $(, ($($more,)*): ($($of_more,)*))?
            ) -> $type {
                $type { $($field: Held::held(get($name)),)* $($($more,)*)? }
            }
        }
    };
}

settings! {
    /// The settings that hold, as types.
    BOX, Values {
        name: String = "box.name", text(Form::Label), Value("firstmile"), Now,
            "what the box calls itself; the drawn slate shows it from the next broadcast";
        start_without_camera: bool = "box.start_without_camera", FLAG, Value("false"), NextBroadcast,
            "go live with the slate when there is no camera";
        start_without_microphone: bool = "box.start_without_microphone", FLAG, Value("false"), NextBroadcast,
            "go live with silence when there is no microphone";
        standby: bool = "box.standby", FLAG, Value("false"), Now,
            "hold camera and microphone open all the time, so that a press is live fastest";
        resume_live: bool = "box.resume_live", FLAG, Value("true"), Restart,
            "go live again at start-up if the box was live when it lost power or restarted";
        console_pin: Option<ConsolePin> = "console.pin", text(Form::ConsolePin), Words("none"), Now,
            "what the serial console asks for first; a factory reset needs none";
        slate_picture: Option<PathBuf> = "slate.picture", text(Form::Path), Words("the drawn slate"), NextBroadcast,
            "a PNG image that is shown in place of a lost camera";
    } + {
        /// Which camera is used, and how.
        camera: Camera,
        /// Which microphone is used.
        microphone: Microphone,
        /// The video; what is `None` is up to the board's profile.
        video: Video,
        /// The audio; what is `None` is up to the board's profile.
        audio: Audio,
        /// What is drawn over the video; nothing by default.
        overlay: Overlay,
        /// The wired network, as far as the owner says anything about it.
        wired: Wired,
        /// The wireless network; without an `ssid` there is none.
        wifi: Wifi,
        /// Where to, at most [`DESTINATIONS_MAX`](crate::limits::DESTINATIONS_MAX).
        destinations: Vec<Destination>,
    }
}

settings! {
    /// Which camera is used, and how; what is `None` is up to the board's profile.
    CAMERA, Camera {
        device: Option<CameraDevice> = "camera.device", text(Form::Camera), PROFILE, Now,
            "which camera, as `devices` lists them; on air it is exchanged behind the slate";
        mode: CameraMode = "camera.mode", text(Form::CameraMode), Value("auto"), Now,
            "size, frame rate and format that the camera delivers; on air it is opened again for it";
    }
}

settings! {
    /// Which microphone is used; `None` is up to the board's profile.
    MICROPHONE, Microphone {
        device: Option<MicrophoneDevice> = "microphone.device", text(Form::Microphone), PROFILE, Now,
            "which microphone, as `devices` lists them; on air silence is sent until it delivers";
    }
}

settings! {
    /// The video; what is `None` is up to the board's profile.
    #[derive(Copy)]
    VIDEO, Video {
        width: Option<u32> = "video.width", number(CAPTURE_SIDE_MIN..=CAPTURE_WIDTH_MAX, 2, "pixels"), PROFILE, NextBroadcast,
            "width of the video";
        height: Option<u32> = "video.height", number(CAPTURE_SIDE_MIN..=CAPTURE_HEIGHT_MAX, 2, "pixels"), PROFILE, NextBroadcast,
            "height of the video";
        fps: Option<u32> = "video.fps", number(1..=CAPTURE_FPS_MAX, 1, "frames per second"), PROFILE, NextBroadcast,
            "frame rate";
        bitrate_kbps: Option<u32> = "video.bitrate_kbps", number(CAPTURE_VIDEO_KBPS_MIN..=CAPTURE_VIDEO_KBPS_MAX, 1, "kb/s"), PROFILE, Now,
            "highest bitrate of the video";
        keyframe_interval_ms: Option<u32> = "video.keyframe_interval_ms", number(CAPTURE_KEYFRAME_INTERVAL_MS_MIN..=CAPTURE_KEYFRAME_INTERVAL_MS_MAX, 1, "milliseconds"), PROFILE, NextBroadcast,
            "time from one keyframe to the next; platforms want 2000";
        follow: Follow = "video.follow", Kind::Choice(Follow::NAMES), Value(Follow::NAMES[0]), Now,
            "the destination that controls adaptive bitrate: the first one, the slowest one, or none";
        rotate_degrees: u32 = "video.rotate", number(0..=270, 90, "degrees"), Value("0"), Now,
            "turn the camera's video clockwise; unless width and height are a portrait's, a quarter turn has bars at its sides";
        mirror: Mirror = "video.mirror", Kind::Choice(Mirror::NAMES), Value(Mirror::NAMES[0]), Now,
            "mirror the camera's video once it is turned: left to right (horizontal) or top to bottom (vertical)";
        zoom: Zoom = "video.zoom_percent", number(100..=VIDEO_ZOOM_PERCENT_MAX, 1, "%"), Value("100"), Now,
            "enlarge the camera's video; what does not fit is cut off";
        pan_percent: i32 = "video.pan_percent", decimal(-100, 100, 0, "%"), Value("0"), Now,
            "which part zoom leaves: -100 the left one, 0 the middle, 100 the right one";
        tilt_percent: i32 = "video.tilt_percent", decimal(-100, 100, 0, "%"), Value("0"), Now,
            "which part zoom leaves: -100 the lower one, 0 the middle, 100 the upper one";
    }
}

settings! {
    /// The audio; what is `None` is up to the board's profile.
    #[derive(Copy)]
    AUDIO, Audio {
        bitrate_kbps: Option<u32> = "audio.bitrate_kbps", number(CAPTURE_AUDIO_KBPS_MIN..=CAPTURE_AUDIO_KBPS_MAX, 1, "kb/s"), PROFILE, NextBroadcast,
            "bitrate of the audio";
        channels: Option<u32> = "audio.channels", number(1..=2, 1, "channels"), PROFILE, NextBroadcast,
            "mono or stereo";
        gain_tenths_db: i32 = "audio.gain_db", decimal(10 * AUDIO_GAIN_DB_MIN, 10 * AUDIO_GAIN_DB_MAX, 1, "dB"), Value("0"), Now,
            "how much louder the audio becomes, or quieter below zero; a limiter keeps it below -2 dBTP";
        is_muted: bool = "audio.mute", FLAG, Value("false"), Now,
            "send silence";
        channels_from: ChannelsFrom = "audio.channels_from", Kind::Choice(ChannelsFrom::NAMES), Value(ChannelsFrom::NAMES[0]), Now,
            "both channels of the source, only its left or right one for both, their sum at half level, or the two swapped";
        lowcut_hz: Option<u32> = "audio.lowcut_hz", number(AUDIO_LOWCUT_HZ_MIN..=AUDIO_LOWCUT_HZ_MAX, 1, "Hz"), Words("none"), Now,
            "take out what is lower than this: rumble, wind, hum; 80 suits speech";
        delay_ms: i32 = "audio.delay_ms", decimal(-(AUDIO_DELAY_MS_MAX as i32), AUDIO_DELAY_MS_MAX as i32, 0, "milliseconds"), Value("0"), Now,
            "how much later the audio is than the video; below zero the video is later, from its next keyframe on";
    }
}

settings! {
    /// What is drawn over the video; nothing by default.
    OVERLAY, Overlay {
        clock: bool = "overlay.clock", FLAG, Value("false"), NextBroadcast,
            "show the time of day on the video, at its top right";
        text: Option<String> = "overlay.text", text(Form::Label), Words("none"), NextBroadcast,
            "show this text on the video, at its bottom left";
        logo: Option<PathBuf> = "overlay.logo", text(Form::Path), Words("none"), NextBroadcast,
            "show this PNG image on the video, at its top left";
    }
}

/// Each has a table for each device. What a device offers, it alone knows.
#[rustfmt::skip]
const CONTROLS: &[Setting] = &[
    setting("camera.controls", Kind::Open(Form::Control), Words("as the camera has it"), Now,
        "hardware controls of a camera, such as exposure and focus, by the camera and the control"),
    setting("microphone.controls", Kind::Open(Form::Control), Words("as the sound card has it"), Now,
        "hardware controls of a sound card, such as capture level and boost, by the card and the control"),
];

settings! {
    /// The wired network, as far as the owner says anything about it.
    NETWORK, Wired {
        interface: Option<String> = "network.interface", text(Form::Interface), Words("any wired one"), Now,
            "the wired interface that the next settings are for";
    } + {
        /// Where its addresses come from.
        addressing: Addressing,
    }
}

settings! {
    /// The wireless network; without an `ssid` there is none.
    WIFI, Wifi {
        ssid: Option<String> = "wifi.ssid", text(Form::Ssid), Words("none"), Now,
            "the name of the wireless network";
        passphrase: Option<Passphrase> = "wifi.passphrase", text(Form::Passphrase), Words("none; an open network"), Now,
            "its passphrase; stored separately and never shown";
        country: Option<String> = "wifi.country", text(Form::Country), Words("as the system has it"), Now,
            "Wi-Fi country code";
        hidden: bool = "wifi.hidden", FLAG, Value("false"), Now,
            "look for a network that does not announce its name";
        interface: Option<String> = "wifi.interface", text(Form::Interface), Words("any wireless one"), Now,
            "the wireless interface";
    } + {
        /// Where its addresses come from.
        addressing: Addressing,
    }
}

/// Of [`Addressing`], once for each network.
#[rustfmt::skip]
const NETWORK_ADDRESS: &[Setting] = &[
    setting("network.address", text(Form::OwnAddress), Value(DHCP), Now,
        "the box's address on the wired network"),
    setting("network.gateway", text(Form::Gateway), Words("by DHCP"), Now,
        "default gateway, with an address that is not from DHCP"),
    setting("network.dns", text(Form::DnsServers), Words("by DHCP"), Now,
        "name servers"),
];
#[rustfmt::skip]
const WIFI_ADDRESS: &[Setting] = &[
    setting("wifi.address", text(Form::OwnAddress), Value(DHCP), Now,
        "the box's address on the wireless network"),
    setting("wifi.gateway", text(Form::Gateway), Words("by DHCP"), Now,
        "default gateway, with an address that is not from DHCP"),
    setting("wifi.dns", text(Form::DnsServers), Words("by DHCP"), Now,
        "name servers"),
];

settings! {
    /// One place to publish to.
    DESTINATIONS, Destination {
        name: String = "destination.name", text(Form::Name), Words("none; required"), Reconnect,
            "what the destination is called at the console";
        url: Option<ServerUrl> = "destination.url", text(Form::Address), Words("none"), Reconnect,
            "the server's address; {stream_key} may stand where the platform wants the key";
        backup_url: Option<ServerUrl> = "destination.backup_url", text(Form::Address), Words("none"), Reconnect,
            "a second server for the same key, used while the first one fails";
        key: Option<StreamKey> = "destination.key", text(Form::Key), Words("none"), Reconnect,
            "the stream key; stored separately and never shown";
        ca_file: Option<PathBuf> = "destination.ca_file", text(Form::Path), Words("the well-known authorities"), Reconnect,
            "certificates (PEM) of the authority that this server is checked against";
        pinned_key: Option<SpkiPin> = "destination.pinned_key", text(Form::Pin), Words("none"), Reconnect,
            "the public key that this server must have, in addition to a trusted certificate";
        strict_tls: bool = "destination.strict_tls", FLAG, Value("false"), Reconnect,
            "offer this server only the TLS that NIST SP 800-52r2 approves";
        allow_plain: bool = "destination.allow_plain", FLAG, Value("false"), Reconnect,
            "allow unencrypted RTMP (rtmp://), which shows the stream key to everybody on the way";
        redirect_hosts: Option<Hosts> = "destination.redirect_hosts", text(Form::Hosts), Words("none"), Reconnect,
            "other hosts, and domains with everything below them, that this server may send the stream to";
        enabled: bool = "destination.enabled", FLAG, Value("true"), Reconnect,
            "whether going live includes it";
    }
}
