//! The report of devices as text for people.

use std::fmt;

use super::{
    conversion::Conversion,
    devices::{CameraReport, DeviceReport, ElementReport, EncoderReport, MicrophoneReport},
};

/// Modes of one camera that are shown besides the one that would be used; `--json` lists all.
const OTHER_MODES_SHOWN: usize = 6;

impl fmt::Display for DeviceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "cameras (asked for: {}):", self.camera_wanted)?;
        self.cameras.iter().try_for_each(|camera| write!(f, "{camera}"))?;
        nothing(f, self.cameras.is_empty(), self.camera_advice.as_deref())?;
        writeln!(f, "microphones (asked for: {}):", self.microphone_wanted)?;
        self.microphones.iter().try_for_each(|microphone| write!(f, "{microphone}"))?;
        nothing(f, self.microphones.is_empty(), self.microphone_advice.as_deref())?;
        for (title, encoders) in
            [("H.264 encoders", &self.video_encoders), ("AAC encoders", &self.audio_encoders)]
        {
            writeln!(f, "{title}, in the order in which they are tried:")?;
            encoders.iter().try_for_each(|encoder| write!(f, "{encoder}"))?;
        }
        writeln!(f, "JPEG decoders, for cameras in MJPEG, in the order in which they are tried:")?;
        self.jpeg_decoders.iter().try_for_each(|decoder| write!(f, "{decoder}"))?;
        writeln!(
            f,
            "converters, for frames that the encoder does not take as they are, in the order in which \
             they are tried:"
        )?;
        self.converters.iter().try_for_each(|converter| write!(f, "{converter}"))?;
        writeln!(f, "* would be used")?;
        writeln!(
            f,
            "`set camera.device` and `set microphone.device` take what stands first in a line, or a part \
             of a name; `set camera.mode` takes a mode as it is shown"
        )
    }
}

fn nothing(f: &mut fmt::Formatter<'_>, empty: bool, advice: Option<&str>) -> fmt::Result {
    if empty {
        writeln!(f, "   none")?;
    }
    advice.map_or(Ok(()), |advice| writeln!(f, "   {advice}"))
}

fn row(f: &mut fmt::Formatter<'_>, chosen: bool, text: &str, why: Option<&str>) -> fmt::Result {
    let mark = if chosen { "*" } else { " " };
    let why = why.map(|why| format!("  ({why})")).unwrap_or_default();
    writeln!(f, " {mark} {text}{why}")
}

impl fmt::Display for CameraReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let driver = self.driver.as_deref().map(|driver| format!("driver {driver}, "));
        let port = self.usb_port.as_deref().map(|port| format!("USB port {port}, "));
        let (driver, port) = (driver.unwrap_or_default(), port.unwrap_or_default());
        let node = self.node.display();
        let text = format!("{}  {} [{driver}{port}{node}]", self.device, self.name);
        row(f, self.chosen, &text, self.why_not.as_deref())?;
        let Some(mode) = &self.mode else { return Ok(()) };
        writeln!(f, "     mode {mode}")?;
        if let Some(note) = &self.mode_note {
            writeln!(f, "     {note}")?;
        }
        if let Some(conversion) = &self.conversion {
            writeln!(f, "     each frame is {conversion}")?;
        }
        if let Some(framing) = &self.framing {
            writeln!(f, "     each frame is {framing}")?;
        }
        for other in self.other_modes.iter().take(OTHER_MODES_SHOWN) {
            writeln!(f, "     not {}: {}", other.mode, other.why)?;
        }
        match self.other_modes.len().saturating_sub(OTHER_MODES_SHOWN) {
            0 => Ok(()),
            more => writeln!(f, "     and {more} more modes (--json lists them)"),
        }
    }
}

impl fmt::Display for Conversion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        let ms = self.us_per_frame.map(|us| us.div_ceil(100));
        let (by, of) = match &self.device {
            Some(element) => (format!(", by {element}"), ""),
            None => (String::new(), " of a processor core"),
        };
        let cost = ms.map(|ms| format!(" ({}.{} ms{of})", ms / 10, ms % 10));
        write!(f, "{by}{}", cost.unwrap_or_default())
    }
}

impl fmt::Display for MicrophoneReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.usb_port.as_deref().map(|port| format!(" [USB port {port}]"));
        let text = format!("{}  {}{}", self.device, self.name, port.unwrap_or_default());
        row(f, self.chosen, &text, self.why_not.as_deref())
    }
}

impl fmt::Display for ElementReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let software = if self.software { " (software)" } else { "" };
        let text = format!("{}{software}", self.element);
        row(f, self.chosen, &text, self.why_not.as_deref())
    }
}

impl fmt::Display for EncoderReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        row(f, self.chosen, &self.element, self.why_not.as_deref())
    }
}
