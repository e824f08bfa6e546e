//! The table of a profile's keys: what exists, what it may be, what it is.

use std::fmt;
use std::ops::RangeInclusive;

use super::display::Bus;
use super::sensor::Sensor;
use crate::limits::{
    BOARD_HEADER_PINS_MAX, CAPTURE_AUDIO_KBPS_MAX, CAPTURE_AUDIO_KBPS_MIN, CAPTURE_FPS_MAX,
    CAPTURE_HEIGHT_MAX, CAPTURE_KEYFRAME_INTERVAL_MS_MAX, CAPTURE_KEYFRAME_INTERVAL_MS_MIN,
    CAPTURE_SIDE_MIN, CAPTURE_VIDEO_KBPS_MAX, CAPTURE_VIDEO_KBPS_MIN, CAPTURE_WIDTH_MAX,
    DISPLAY_MANUAL_BYTES_MAX,
};
use crate::selection::{CameraDevice, MicrophoneDevice, VideoFormat};
use crate::typed_toml::{self, Applies, Fallback, Table, ValueError, text_types};

/// What a text of a profile may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Any text that is not empty.
    Line,
    /// A camera.
    Camera,
    /// A microphone.
    Microphone,
    /// A form of the camera's frames.
    Format,
    /// The label of a GPIO chip.
    Chip,
    /// A light of the kernel.
    Led,
    /// Where the kernel shows something of the machine.
    Sensor,
    /// An I²C bus.
    Bus,
    /// What a QR code has room for.
    Scanned,
}

text_types! {
    /// A text that was read.
    Text {
        /// Any text, a chip's label or a light's name.
        Line(String),
        /// Of [`Form::Camera`].
        Camera(CameraDevice),
        /// Of [`Form::Microphone`].
        Microphone(MicrophoneDevice),
        /// Of [`Form::Format`].
        Format(VideoFormat),
        /// Of [`Form::Sensor`].
        Sensor(Sensor),
        /// Of [`Form::Bus`].
        Bus(Bus),
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = DISPLAY_MANUAL_BYTES_MAX;
        f.write_str(match self {
            Form::Scanned => return write!(f, "at most {most} ASCII letters without spaces"),
            Form::Bus => "a node such as /dev/i2c-1, or name:TEXT, a part of its adapter's name",
            Form::Line => "a text that is not empty",
            Form::Camera => "auto, a device node, usb:PORT, driver:NAME or name:TEXT",
            Form::Microphone => "auto, usb:PORT, card:ID or an ALSA name",
            Form::Format => "raw, mjpeg or h264",
            Form::Chip => {
                "the chip's label, because chip numbers change between kernels (`gpiodetect` \
                 prints it)"
            }
            Form::Led => "a name below /sys/class/leds, not a path",
            Form::Sensor => "zone:TYPE, cooler:TYPE, hwmon:NAME/FILE or sys:PATH",
        })
    }
}

impl typed_toml::Form for Form {
    type Text = Text;

    fn read(self, text: &str) -> Result<Text, ValueError> {
        let allowed = match self {
            _ if text.trim().is_empty() => None,
            Form::Camera => Some(Text::Camera(CameraDevice::parse(text).map_err(ValueError::new)?)),
            Form::Microphone => {
                Some(Text::Microphone(MicrophoneDevice::parse(text).map_err(ValueError::new)?))
            }
            Form::Format => {
                let known = VideoFormat::ALL.iter().find(|(name, _)| *name == text);
                known.map(|(_, format)| Text::Format(*format))
            }
            Form::Sensor => Some(Text::Sensor(Sensor::parse(text).map_err(ValueError::new)?)),
            Form::Bus => Bus::parse(text).map(Text::Bus),
            Form::Scanned => {
                let fits = text.len() <= DISPLAY_MANUAL_BYTES_MAX;
                let is_ascii = text.bytes().all(|byte| byte.is_ascii_graphic());
                (fits && is_ascii).then(|| Text::Line(text.to_owned()))
            }
            Form::Chip if text.contains("gpiochip") || text.contains('/') => None,
            Form::Led if text.contains('/') => None,
            Form::Line | Form::Chip | Form::Led => Some(Text::Line(text.to_owned())),
        };
        allowed.ok_or_else(|| ValueError::must_be(self))
    }
}

/// What the value of a key is.
type Kind = typed_toml::Kind<Form>;
/// One key.
type Entry = typed_toml::Entry<Form>;

const LINE: Kind = Kind::Text(Form::Line);
const LINES: Kind = Kind::Texts(Form::Line);
const SENSORS: Kind = Kind::Texts(Form::Sensor);
const PIN: Kind = number(1..=BOARD_HEADER_PINS_MAX, 1, "");
/// Up to `KEY_MAX` of linux/input-event-codes.h.
const KEY_CODE: Kind = number(1..=767, 1, "");
const KBPS: Kind = number(CAPTURE_VIDEO_KBPS_MIN..=CAPTURE_VIDEO_KBPS_MAX, 1, "kb/s");

/// The keys of a GPIO line, and those that its table has besides.
macro_rules! line {
    ($table:literal $(, $key:literal, $kind:expr, $help:literal)*) => {
        &[
            key(
                concat!($table, ".chip"),
                Kind::Text(Form::Chip),
                "the label of the GPIO chip, or a line_name instead",
            ),
            key(concat!($table, ".line"), number(0..=1_023, 1, ""), "the offset on the chip"),
            key(concat!($table, ".line_name"), LINE, "the line's name in the device tree"),
            key(concat!($table, ".active_low"), Kind::Flag, "polarity is never guessed"),
            key(concat!($table, ".pin"), PIN, "the pin of the header"),
            $(key(concat!($table, ".", $key), $kind, $help),)*
        ]
    };
}

/// A light: a line, or one that the kernel drives.
macro_rules! light {
    ($table:literal) => {
        line!($table, "led", Kind::Text(Form::Led), "the kernel's name of the light")
    };
}

/// A button: a line, or the key of an input device.
macro_rules! button {
    ($table:literal) => {
        line!($table, "device", LINE, "the input device's node", "code", KEY_CODE, "the key's code")
    };
}

/// Keys that describe one file and are not handed down to those that inherit from it.
const OWN: &[Entry] = &[
    key("inherit", LINE, "the file that this one inherits from"),
    key("compatible", LINES, "a profile says which machines it fits"),
    key("description", LINE, "one line for people"),
];

/// All keys of a profile.
pub(super) const PROFILE: Table<Form> = Table {
    head: OWN,
    groups: &[
        SOURCES,
        TRACKS,
        &[key("lights.backend", Kind::Choice(&["terminal", "cdev", "sysfs", "none"]), "")],
        light!("lights.live"),
        light!("lights.status"),
        light!("lights.single"),
        BUTTON,
        button!("button"),
        button!("button.reset"),
        DISPLAY,
        CONSOLE_AND_WIRING,
        HEALTH,
    ],
    lists: &[],
};

#[rustfmt::skip]
const SOURCES: &[Entry] = &[
    key("camera.source", Kind::Choice(&["test-pattern", "file", "v4l2", "libcamera", "argus", "hdmi", "launch"]), ""),
    key("camera.device", Kind::Text(Form::Camera), "which camera; `auto` takes the first that works"),
    key("camera.path", LINE, "the clip"),
    key("camera.launch", LINE, "elements in gst-launch notation"),
    key("camera.formats", Kind::Texts(Form::Format), "forms of the frames, best first"),
    key("camera.name", LINE, "the camera's name in libcamera"),
    key("camera.sensor", number(0..=15, 1, ""), "the sensor's number"),
    key("camera.subdevice", LINE, "the node of the receiver chip"),
    key("camera.edid", LINE, "the file with the EDID"),
    key("microphone.source", Kind::Choice(&["tone", "silence", "camera-file", "file", "alsa", "launch"]), ""),
    key("microphone.device", Kind::Text(Form::Microphone), "which sound card; `auto` takes the first that records"),
    key("microphone.path", LINE, "the audio file"),
    key("microphone.launch", LINE, "elements in gst-launch notation"),
];

#[rustfmt::skip]
const TRACKS: &[Entry] = &[
    // H.264 with 4:2:0 chroma has no odd sizes (ITU-T H.264 section 6.2).
    key("video.width", number(CAPTURE_SIDE_MIN..=CAPTURE_WIDTH_MAX, 2, "pixels"), ""),
    key("video.height", number(CAPTURE_SIDE_MIN..=CAPTURE_HEIGHT_MAX, 2, "pixels"), ""),
    key("video.fps", number(1..=CAPTURE_FPS_MAX, 1, "frames per second"), ""),
    key("video.bitrate_kbps", KBPS, ""),
    key("video.bitrate_max_kbps", KBPS, ""),
    key("video.keyframe_interval_ms", number(CAPTURE_KEYFRAME_INTERVAL_MS_MIN..=CAPTURE_KEYFRAME_INTERVAL_MS_MAX, 1, "milliseconds"), ""),
    key("audio.bitrate_kbps", number(CAPTURE_AUDIO_KBPS_MIN..=CAPTURE_AUDIO_KBPS_MAX, 1, "kb/s"), ""),
    key("audio.channels", number(1..=2, 1, "channels"), ""),
    key("encoder.video", LINES, "H.264 encoders in the order to try them"),
    key("encoder.audio", LINES, "AAC encoders in the order to try them"),
    key("decoder.jpeg", LINES, "JPEG decoders in the order to try them"),
    key("converter.raw", LINES, "converters of raw frames in the order to try them"),
];

#[rustfmt::skip]
const BUTTON: &[Entry] = &[
    key("button.backend", Kind::Choice(&["keys", "cdev", "input", "none"]), ""),
    key("button.debounce_ms", number(1..=500, 1, "milliseconds"), ""),
    key("button.pull", Kind::Choice(&["up", "down", "none"]), ""),
];

#[rustfmt::skip]
const DISPLAY: &[Entry] = &[
    key("display.chip", Kind::Choice(&["ssd1306", "sh1106", "none"]), ""),
    key("display.bus", Kind::Text(Form::Bus), "the I²C bus: a node such as /dev/i2c-1, or name:TEXT"),
    // Whatever modules print is a number up to this; reading says which of them are right.
    key("display.address", number(0..=255, 1, ""), "the address on the bus"),
    key("display.upside_down", Kind::Flag, ""),
    key("display.brightness_percent", number(1..=100, 1, "percent"), ""),
    key("display.manual", Kind::Text(Form::Scanned), "where the owner finds a manual"),
];

#[rustfmt::skip]
const CONSOLE_AND_WIRING: &[Entry] = &[
    key("console.port", Kind::Choice(&["stdio", "pty", "serial"]), ""),
    key("console.path", LINES, "the device nodes of the serial ports"),
    key("console.baud", number(1_200..=4_000_000, 1, "baud"), ""),
    key("wiring.header", LINE, "what the header is called"),
    key("wiring.pins", number(2..=BOARD_HEADER_PINS_MAX, 2, "two rows"), ""),
    key("wiring.ground", Kind::Numbers { min: 1, max: BOARD_HEADER_PINS_MAX }, ""),
    key("wiring.supply", PIN, ""),
    key("wiring.weak", Kind::Flag, ""),
    key("wiring.console_tx", PIN, ""),
    key("wiring.console_rx", PIN, ""),
    key("wiring.i2c_sda", PIN, ""),
    key("wiring.i2c_scl", PIN, ""),
    key("setup.steps", LINES, "what the board needs once"),
    key("setup.display", LINES, "what a display needs once"),
    key("setup.service", LINE, "a file of systemd/boards/"),
];

#[rustfmt::skip]
const HEALTH: &[Entry] = &[
    key("health.source", Kind::Choice(&["machine", "none"]), ""),
    key("health.temperature", SENSORS, "thermometers"),
    key("health.temperature_limit_celsius", number(40..=150, 1, "degrees Celsius"), ""),
    key("health.undervoltage", SENSORS, "alarms of the supply"),
    key("health.throttled", SENSORS, "signs that the processor is slowed down"),
];

/// A key. Its help says what it is where its kind does not.
const fn key(name: &'static str, kind: Kind, help: &'static str) -> Entry {
    let fallback = Fallback::Words("the profile that is inherited from");
    Entry { name, kind, fallback, applies: Applies::Restart, help }
}

const fn number(range: RangeInclusive<u32>, step: u32, unit: &'static str) -> Kind {
    Kind::Number { min: *range.start(), max: *range.end(), step, unit }
}
