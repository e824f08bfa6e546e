//! The table itself.

use std::ops::RangeInclusive;

use super::{Kind, Section, Setting};
use crate::limits::{
    CAPTURE_AUDIO_KBPS_MAX, CAPTURE_AUDIO_KBPS_MIN, CAPTURE_FPS_MAX, CAPTURE_HEIGHT_MAX,
    CAPTURE_KEYFRAME_INTERVAL_MS_MAX, CAPTURE_KEYFRAME_INTERVAL_MS_MIN, CAPTURE_SIDE_MIN,
    CAPTURE_VIDEO_KBPS_MAX, CAPTURE_VIDEO_KBPS_MIN, CAPTURE_WIDTH_MAX,
};
use crate::pace::Follow;

/// What holds where the board decides.
const PROFILE: &str = "the board's profile";

/// All settings, in the order of the file.
pub const SETTINGS: &[Setting] = &[
    setting(Section::Box, "name", Kind::Label, "firstmile", "what the box calls itself"),
    setting(
        Section::Box,
        "start_without_camera",
        Kind::Flag,
        "false",
        "go live with the slate picture when no camera is there",
    ),
    setting(
        Section::Box,
        "start_without_microphone",
        Kind::Flag,
        "false",
        "go live with silence when no microphone is there",
    ),
    number(
        Section::Video,
        "width",
        CAPTURE_SIDE_MIN..=CAPTURE_WIDTH_MAX,
        2,
        "pixels",
        "width of the picture",
    ),
    number(
        Section::Video,
        "height",
        CAPTURE_SIDE_MIN..=CAPTURE_HEIGHT_MAX,
        2,
        "pixels",
        "height of the picture",
    ),
    number(Section::Video, "fps", 1..=CAPTURE_FPS_MAX, 1, "frames a second", "frame rate"),
    number(
        Section::Video,
        "bitrate_kbps",
        CAPTURE_VIDEO_KBPS_MIN..=CAPTURE_VIDEO_KBPS_MAX,
        1,
        "kb/s",
        "highest bitrate of the picture",
    ),
    number(
        Section::Video,
        "keyframe_interval_ms",
        CAPTURE_KEYFRAME_INTERVAL_MS_MIN..=CAPTURE_KEYFRAME_INTERVAL_MS_MAX,
        1,
        "milliseconds",
        "time from one key frame to the next; platforms want 2000",
    ),
    setting(
        Section::Video,
        "follow",
        Kind::Choice(Follow::NAMES),
        Follow::NAMES[0],
        "whose path sets the bitrate: the first destination's, the slowest one's, or none",
    ),
    number(
        Section::Audio,
        "bitrate_kbps",
        CAPTURE_AUDIO_KBPS_MIN..=CAPTURE_AUDIO_KBPS_MAX,
        1,
        "kb/s",
        "bitrate of the sound",
    ),
    number(Section::Audio, "channels", 1..=2, 1, "channels", "mono or stereo"),
    setting(
        Section::Console,
        "pin",
        Kind::ConsolePin,
        "none",
        "what the serial console asks for first; a factory reset needs none",
    ),
    setting(
        Section::Network,
        "interface",
        Kind::Interface,
        "any wired one",
        "the wired interface that the next settings are for",
    ),
    setting(
        Section::Network,
        "address",
        Kind::OwnAddress,
        "by DHCP",
        "the box's address on the wired network",
    ),
    setting(
        Section::Network,
        "gateway",
        Kind::Gateway,
        "by DHCP",
        "the way out beside an address of its own",
    ),
    setting(Section::Network, "dns", Kind::DnsServers, "by DHCP", "name servers"),
    setting(Section::Wifi, "ssid", Kind::Ssid, "none", "the name of the wireless network"),
    setting(
        Section::Wifi,
        "passphrase",
        Kind::Passphrase,
        "none; an open network",
        "its passphrase; stored apart from all other settings and never shown",
    ),
    setting(
        Section::Wifi,
        "country",
        Kind::Country,
        "as the system has it",
        "the country whose radio rules hold",
    ),
    setting(
        Section::Wifi,
        "hidden",
        Kind::Flag,
        "false",
        "look for a network that does not announce its name",
    ),
    setting(
        Section::Wifi,
        "interface",
        Kind::Interface,
        "any wireless one",
        "the wireless interface",
    ),
    setting(
        Section::Wifi,
        "address",
        Kind::OwnAddress,
        "by DHCP",
        "the box's address on the wireless network",
    ),
    setting(
        Section::Wifi,
        "gateway",
        Kind::Gateway,
        "by DHCP",
        "the way out beside an address of its own",
    ),
    setting(Section::Wifi, "dns", Kind::DnsServers, "by DHCP", "name servers"),
    setting(
        Section::Slate,
        "picture",
        Kind::Path,
        "the drawn slate",
        "a PNG picture that is shown in place of a lost camera",
    ),
    setting(
        Section::Overlay,
        "clock",
        Kind::Flag,
        "false",
        "lay the time of day over the picture, at its top right",
    ),
    setting(
        Section::Overlay,
        "text",
        Kind::Label,
        "none",
        "lay these words over the picture, at its bottom left",
    ),
    setting(
        Section::Overlay,
        "logo",
        Kind::Path,
        "none",
        "lay this PNG picture over the picture, at its top left",
    ),
    setting(
        Section::Destination,
        "name",
        Kind::Name,
        "none; required",
        "what the destination is called at the console",
    ),
    setting(
        Section::Destination,
        "url",
        Kind::Address,
        "none",
        "the server's address; {stream_key} may stand where the platform wants the key",
    ),
    setting(
        Section::Destination,
        "backup_url",
        Kind::Address,
        "none",
        "a second server for the same key, used while the first one fails",
    ),
    setting(
        Section::Destination,
        "key",
        Kind::Key,
        "none",
        "the stream key; stored apart from all other settings and never shown",
    ),
    setting(
        Section::Destination,
        "ca_file",
        Kind::Path,
        "the well-known authorities",
        "certificates (PEM) of the authority that this server is checked against",
    ),
    setting(
        Section::Destination,
        "pinned_key",
        Kind::Pin,
        "none",
        "the key that this server must have, beside a trusted certificate",
    ),
    setting(
        Section::Destination,
        "strict_tls",
        Kind::Flag,
        "false",
        "offer this server only the TLS that NIST SP 800-52r2 approves",
    ),
    setting(
        Section::Destination,
        "allow_plain",
        Kind::Flag,
        "false",
        "consent to rtmp://, which shows the stream key to everybody on the way",
    ),
    setting(Section::Destination, "enabled", Kind::Flag, "true", "whether going live includes it"),
];

const fn setting(
    section: Section,
    key: &'static str,
    kind: Kind,
    default: &'static str,
    help: &'static str,
) -> Setting {
    Setting { section, key, kind, default, help }
}

const fn number(
    section: Section,
    key: &'static str,
    range: RangeInclusive<u32>,
    step: u32,
    unit: &'static str,
    help: &'static str,
) -> Setting {
    let (min, max) = (*range.start(), *range.end());
    setting(section, key, Kind::Number { min, max, step, unit }, PROFILE, help)
}
