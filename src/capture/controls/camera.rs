//! The controls of one camera, by `v4l2-ctl` of the Video4Linux utilities.

use std::{io, path::Path};

use super::{
    setting::{Driver, entry_name},
    tool::Tool,
};
use crate::{
    device_controls::{Allowed, Control, canonical_name, is_name},
    limits::{CONTROL_CHOICES_MAX, CONTROLS_MAX},
};

/// A camera, for its controls.
pub struct Camera {
    tool: Tool,
    /// What the tool calls the controls that were described, by their names.
    names: Vec<(String, String)>,
}

impl Camera {
    /// The camera of a node; `None` for one that delivers no video.
    ///
    /// # Errors
    /// Why its driver cannot be asked.
    pub fn open(node: &Path) -> io::Result<Option<Camera>> {
        let node = node.display().to_string();
        let tool = Tool::new(&["v4l2-ctl", "--device", &node], "v4l-utils");
        let delivers = delivers_video(&tool.run(&["--info"])?);
        Ok(delivers.then_some(Camera { tool, names: Vec::new() }))
    }
}

/// Whether a node is described as one that delivers video. A node of metadata has a camera's name as well.
fn delivers_video(info: &str) -> bool {
    // What the node can, and not the device with all its nodes, which comes before it.
    let of_node = info.split_once("Device Caps").map_or(info, |(_, of_node)| of_node);
    let mut lines = of_node.lines().map(str::trim);
    lines.any(|line| matches!(line, "Video Capture" | "Video Capture Multiplanar"))
}

impl Driver for Camera {
    fn describe(&mut self) -> io::Result<Vec<Control>> {
        let described = described(&self.tool.run(&["--list-ctrls-menus"])?);
        self.names =
            described.iter().map(|(tool_s, it)| (it.name.clone(), tool_s.clone())).collect();
        Ok(described.into_iter().map(|(_, control)| control).collect())
    }

    fn write(&mut self, name: &str, raw: i32) -> io::Result<()> {
        let Some((_, tool_s)) = self.names.iter().find(|(known, _)| known == name) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        self.tool.run(&["--set-ctrl", &format!("{tool_s}={raw}")]).map(|_| ())
    }
}

/// The controls of a list with menus, with what the tool calls them.
fn described(list: &str) -> Vec<(String, Control)> {
    let mut found: Vec<(String, Control)> = Vec::new();
    let mut lines = list.lines().peekable();
    while let Some(line) = lines.next() {
        let mut menu = Vec::new();
        // Entries are indented further than controls, and no name of a control has a colon.
        while let Some(entry) = lines.next_if(|line| line.starts_with('\t')) {
            menu.push(entry.trim());
        }
        let Some((tool_s, control)) = control(line, &menu) else { continue };
        if found.iter().all(|(_, other)| other.name != control.name) {
            found.push((tool_s.to_owned(), control));
        }
        if found.len() == CONTROLS_MAX {
            break;
        }
    }
    found
}

/// `brightness 0x00980900 (int) : min=0 max=255 step=1 default=128 value=90 flags=slider`, and the entries of
/// its menu; `None` for one that is no setting, such as a button, or has no single number of 32 bits.
fn control<'a>(line: &'a str, menu: &[&str]) -> Option<(&'a str, Control)> {
    let (head, rest) = line.split_once(')')?;
    let rest = rest.trim_start().strip_prefix(':')?;
    let (tool_s, kind) = head.trim().split_once(" 0x")?;
    let kind = kind.split_once('(')?.1.trim();
    let (fields, flags) = rest.split_once("flags=").unwrap_or((rest, ""));
    let field = |key: &str| {
        let of_it = |field: &'a str| field.strip_prefix(key)?.strip_prefix('=');
        number(fields.split_whitespace().find_map(of_it)?)
    };
    let has = |flag: &str| flags.split(',').any(|it| it.trim() == flag);
    let is_setting =
        !["disabled", "read-only", "write-only", "has-payload"].iter().any(|flag| has(flag));
    let name = canonical_name(tool_s);
    if !is_setting || !is_name(&name) {
        return None;
    }
    let allowed = match kind {
        "bool" => Allowed::Flag,
        "int" => Allowed::Number {
            min: field("min")?,
            max: field("max")?,
            step: field("step").unwrap_or(1).max(1),
        },
        // Set by the position, which is what the list gives as its value.
        "intmenu" => Allowed::Number { min: field("min")?, max: field("max")?, step: 1 },
        "bitmask" if field("max")? > 0 => Allowed::Number { min: 0, max: field("max")?, step: 1 },
        "menu" => {
            let entries = menu.iter().take(CONTROL_CHOICES_MAX as usize).filter_map(|entry| {
                let (index, words) = entry.split_once(": ")?;
                let index = index.parse().ok()?;
                Some((entry_name(words, index), index))
            });
            let (words, indexes) = entries.unzip();
            Allowed::Choice { words, indexes }
        }
        _ => return None,
    };
    let control = Control {
        name,
        value: field("value").and_then(|raw| allowed.value(raw)),
        default: field("default").and_then(|raw| allowed.value(raw)),
        allowed,
        active: !has("inactive") && !has("grabbed"),
    };
    Some((tool_s, control))
}

/// Masks are written in hexadecimal digits.
fn number(text: &str) -> Option<i32> {
    match text.strip_prefix("0x") {
        Some(digits) => i32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `v4l2-ctl` of Debian 13 describes some of the kernel's simulated camera and of a webcam.
    const LIST: &str = "
User Controls

                     brightness 0x00980900 (int)    : min=0 max=255 step=1 default=128 value=90 flags=slider
                            hue 0x00980903 (int)    : min=-128 max=127 step=1 default=0 value=-7 flags=slider
                           mute 0x00980909 (bool)   : default=0 value=1
           power_line_frequency 0x00980918 (menu)   : min=0 max=2 default=1 value=2 (60 Hz)
\t\t\t\t0: Disabled
\t\t\t\t1: 50 Hz
\t\t\t\t2: 60 Hz
                         button 0x0098f900 (button) : value=0 flags=write-only, execute-on-write
                integer_64_bits 0x0098f902 (int64)  : min=-9223372036854775808 max=9223372036854775807 step=1 default=0 value=0
                         string 0x0098f905 (str)    : min=2 max=4 step=1 value='  '
                        bitmask 0x0098f906 (bitmask): max=0x00000007 default=0x00000002 value=0x00000003
                   integer_menu 0x0098f907 (intmenu): min=0 max=8 default=4 value=4 (16 0x10)
\t\t\t\t0: 1 (0x1)
\t\t\t\t4: 16 (0x10)
              read_only_integer 0x0098f90a (int)    : min=0 max=9 step=1 default=1 value=1 flags=read-only

Camera Controls

                  auto_exposure 0x009a0901 (menu)   : min=0 max=3 default=3 value=1 (Manual Mode)
\t\t\t\t1: Manual Mode
\t\t\t\t3: Aperture Priority Mode \u{1b}[2J
         exposure_time_absolute 0x009a0902 (int)    : min=3 max=2047 step=1 default=250 value=250 flags=inactive, slider
                  focus_absolute (int) : no number
";

    #[test]
    fn what_a_camera_offers_is_listed_from_the_first_control_on_and_what_is_no_setting_is_not() {
        let shown = |value: Option<crate::device_controls::ControlValue>| {
            value.map_or_else(|| "?".to_owned(), |value| value.to_string())
        };
        let listed: Vec<String> = described(LIST)
            .into_iter()
            .map(|(tool_s, control)| {
                assert_eq!(tool_s, control.name);
                let off = if control.active { "" } else { ", inactive" };
                let (value, default) = (shown(control.value), shown(control.default));
                format!("{} {value} of {default} ({}){off}", control.name, control.allowed)
            })
            .collect();
        assert_eq!(
            listed,
            [
                "brightness 90 of 128 (a whole number from 0 to 255)",
                "hue -7 of 0 (a whole number from -128 to 127)",
                "mute true of false (true or false)",
                "power_line_frequency 60 Hz of 50 Hz (one of Disabled, 50 Hz, 60 Hz)",
                "bitmask 3 of 2 (a whole number from 0 to 7)",
                "integer_menu 4 of 4 (a whole number from 0 to 8)",
                "auto_exposure Manual Mode of Aperture Priority Mode (one of Manual Mode, \
                 Aperture Priority Mode)",
                "exposure_time_absolute 250 of 250 (a whole number from 3 to 2047), inactive",
            ]
        );
    }

    #[test]
    fn a_node_of_metadata_is_no_camera() {
        let info = |node: &str| {
            format!(
                "Driver Info:\n\tCapabilities     : 0x84a00001\n\t\tVideo Capture\n\t\tMetadata Capture\n\
                 \tDevice Caps      : 0x04a00000\n\t\t{node}\n\t\tStreaming\n"
            )
        };
        assert!(delivers_video(&info("Video Capture")));
        assert!(delivers_video(&info("Video Capture Multiplanar")));
        assert!(!delivers_video(&info("Metadata Capture")));
    }
}
