//! The controls of one sound card, by `amixer` of the ALSA utilities: capture level, boost, automatic gain.
//!
//! The library of ALSA would be one more to link with, for a few commands that a person gives.

use std::io;

use super::{
    setting::{Driver, entry_name},
    tool::Tool,
};
use crate::{
    device_controls::{Allowed, Control, ControlValue, canonical_name, is_name},
    limits::{CONTROL_CHOICES_MAX, CONTROLS_MAX},
};

/// What is of the loudspeakers alone.
const OF_PLAYBACK: &str = "Playback";

/// A sound card, for its controls.
pub struct Card {
    tool: Tool,
    /// The driver's number of the controls that were described, and whether they are flags, by their names.
    ids: Vec<(String, u32, bool)>,
}

impl Card {
    /// The card of this identifier.
    pub fn of(id: &str) -> Card {
        // As ALSA calls it.
        let card = format!("hw:{id}");
        Card { tool: Tool::new(&["amixer", "-D", &card], "alsa-utils"), ids: Vec::new() }
    }

    #[cfg(test)]
    fn by(mut line: Vec<std::ffi::OsString>, id: &str) -> Card {
        line.extend(["-D".into(), format!("hw:{id}").into()]);
        Card { tool: Tool::by(line, "alsa-utils"), ids: Vec::new() }
    }
}

impl Driver for Card {
    fn describe(&mut self) -> io::Result<Vec<Control>> {
        let described = described(&self.tool.run(&["contents"])?);
        let id = |(id, control): &(u32, Control)| {
            (control.name.clone(), *id, control.allowed == Allowed::Flag)
        };
        self.ids = described.iter().map(id).collect();
        Ok(described.into_iter().map(|(_, control)| control).collect())
    }

    fn write(&mut self, name: &str, raw: i32) -> io::Result<()> {
        let Some((_, id, is_flag)) = self.ids.iter().find(|(known, ..)| known == name) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let value = match (is_flag, raw) {
            (true, 0) => "off".to_owned(),
            (true, _) => "on".to_owned(),
            (false, raw) => raw.to_string(),
        };
        // One value is for all channels. Without `--` one below zero would be an option.
        self.tool.run(&["cset", "--", &format!("numid={id}"), &value]).map(|_| ())
    }
}

/// The controls that `amixer contents` describes, with their numbers.
fn described(contents: &str) -> Vec<(u32, Control)> {
    let mut found: Vec<(u32, Control)> = Vec::new();
    let mut lines = contents.lines().peekable();
    while let Some(line) = lines.next() {
        let mut of_it = Vec::new();
        while let Some(line) = lines.next_if(|line| line.starts_with(' ')) {
            of_it.push(line.trim());
        }
        let control =
            head(line).and_then(|(id, name, index)| Some((id, control(name, index, &of_it)?)));
        let is_other =
            |control: &(u32, Control)| found.iter().all(|(_, c)| c.name != control.1.name);
        found.extend(control.filter(is_other));
        if found.len() == CONTROLS_MAX {
            break;
        }
    }
    found
}

/// Number, name, and which of this name, in `numid=3,iface=MIXER,name='Mic Capture Volume',index=1`.
fn head(line: &str) -> Option<(u32, &str, u32)> {
    let (id, rest) = line.strip_prefix("numid=")?.split_once(",iface=MIXER,name='")?;
    let (name, rest) = rest.rsplit_once('\'')?;
    let index = rest.strip_prefix(",index=").and_then(|index| index.parse().ok());
    Some((id.parse().ok()?, name, index.unwrap_or(0)))
}

/// A control from what stands under its head.
fn control(name: &str, index: u32, lines: &[&str]) -> Option<Control> {
    let about = lines.iter().find_map(|line| line.strip_prefix("; type="))?;
    let field = |key: &str| about.split(',').find_map(|field| field.strip_prefix(key));
    let number = |key: &str| field(key)?.parse::<i32>().ok();
    let access = field("access=")?;
    let can = |letter: char, at: usize| access.chars().nth(at) == Some(letter);
    if name.contains(OF_PLAYBACK) || !can('r', 0) || !can('w', 1) {
        return None;
    }
    let first = lines.iter().find_map(|line| line.strip_prefix(": values="))?.split(',').next()?;
    let (allowed, raw) = match about.split(',').next()? {
        "BOOLEAN" => (Allowed::Flag, Some(i32::from(first == "on"))),
        "INTEGER" => {
            let (min, max, step) = (number("min=")?, number("max=")?, number("step=")?.max(1));
            (Allowed::Number { min, max, step }, first.parse().ok())
        }
        "ENUMERATED" if number("items=")? <= CONTROL_CHOICES_MAX => {
            let items = lines.iter().filter_map(|line| {
                let (index, name) = line.strip_prefix("; Item #")?.split_once(" '")?;
                let index = index.parse().ok()?;
                Some((entry_name(name.strip_suffix('\'')?, index), index))
            });
            let (words, indexes) = items.unzip();
            (Allowed::Choice { words, indexes }, first.parse().ok())
        }
        _ => return None,
    };
    let value: Option<ControlValue> = raw.and_then(|raw| allowed.value(raw));
    let name = match index {
        0 => canonical_name(name),
        // An interface with several inputs calls all of them alike.
        index => canonical_name(&format!("{name} {index}")),
    };
    is_name(&name).then_some(Control { name, value, default: None, allowed, active: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a USB microphone, a codec of a laptop and the kernel's dummy card are described.
    const CONTENTS: &str = "\
numid=1,iface=PCM,name='Capture Channel Map'
  ; type=INTEGER,access=r--v-R--,values=1,min=0,max=36,step=0
  : values=2
numid=3,iface=MIXER,name='Mic Capture Volume'
  ; type=INTEGER,access=rw---R--,values=2,min=0,max=35,step=0
  : values=20,20
  | dBminmax-min=-12.00dB,max=23.00dB
numid=2,iface=MIXER,name='Mic Capture Switch'
  ; type=BOOLEAN,access=rw------,values=1
  : values=on
numid=4,iface=MIXER,name='Auto Gain Control'
  ; type=BOOLEAN,access=rw------,values=1
  : values=off
numid=5,iface=MIXER,name='Speaker Playback Volume'
  ; type=INTEGER,access=rw---R--,values=2,min=0,max=37,step=0
  : values=17,17
numid=7,iface=MIXER,name='Input Source'
  ; type=ENUMERATED,access=rw------,values=1,items=3
  ; Item #0 'Mic'
  ; Item #1 'Line \u{1b}[2J'
  ; Item #2 'Someone's'
  : values=2
numid=8,iface=MIXER,name='Internal Mic Boost Volume'
  ; type=INTEGER,access=rw---R--,values=2,min=0,max=3,step=0
  : values=1,1
  | dBscale-min=0.00dB,step=10.00dB,mute=0
numid=9,iface=MIXER,name='Internal Mic Phantom Jack'
  ; type=BOOLEAN,access=r-------,values=1
  : values=off
numid=10,iface=MIXER,name='Master Volume'
  ; type=INTEGER,access=rw---R--,values=2,min=-50,max=100,step=1
  : values=-7,0
numid=11,iface=MIXER,name='Mic Capture Volume',index=1
  ; type=INTEGER,access=rw---R--,values=2,min=0,max=9,step=0
  : values=0,0
numid=12,iface=MIXER,name='Bytes'
  ; type=BYTES,access=rw------,values=16
  : values=0x00,0x00
numid=nothing
numid=13,iface=MIXER,name='Cut off";

    #[test]
    fn what_records_is_listed_and_what_plays_or_cannot_be_set_is_not() {
        let listed: Vec<String> = described(CONTENTS)
            .into_iter()
            .map(|(id, control)| {
                let value = control.value.map_or_else(String::new, |value| value.to_string());
                format!("{id} {} {value} ({})", control.name, control.allowed)
            })
            .collect();
        assert_eq!(
            listed,
            [
                "3 mic_capture_volume 20 (a whole number from 0 to 35)",
                "2 mic_capture_switch true (true or false)",
                "4 auto_gain_control false (true or false)",
                "7 input_source Someone's (one of Mic, Line, Someone's)",
                "8 internal_mic_boost_volume 1 (a whole number from 0 to 3)",
                "10 master_volume -7 (a whole number from -50 to 100)",
                "11 mic_capture_volume_1 0 (a whole number from 0 to 9)",
            ]
        );
        for nothing in ["", "amixer: no card", "\u{0}\u{ff}", " ; type=INTEGER"] {
            assert!(described(nothing).is_empty(), "{nothing:?}");
        }
    }

    /// A tool that answers as `amixer` does, keeps one control, and notes what it is asked.
    fn stand_in(folder: &std::path::Path) -> Vec<std::ffi::OsString> {
        let script = r#"#!/bin/sh
cd "${0%/*}" || exit 1
echo "$LC_ALL $*" >>asked
refuse() { printf 'ALSA lib confmisc.c:165:(snd_config_get_card) Cannot get card index\n%s\n\n' "$1" >&2; exit 1; }
[ "$2" = hw:Mic ] || refuse "amixer: Control $2 open error: No such device"
case "$3" in
cset) echo "$6" >level ;;
esac
echo "numid=3,iface=MIXER,name='Mic Capture Volume'"
echo "  ; type=INTEGER,access=rw---R--,values=2,min=-5,max=35,step=0"
echo "  : values=$(cat level),0"
"#;
        std::fs::create_dir_all(folder).expect("a folder");
        let tool = folder.join("amixer");
        std::fs::write(&tool, script).expect("a script");
        std::fs::write(folder.join("level"), "20").expect("a level");
        vec!["sh".into(), tool.into()]
    }

    #[test]
    fn a_level_is_set_by_the_tool_and_read_back_and_its_refusal_is_reported() {
        use crate::capture::controls::setting::set;

        let folder = std::env::temp_dir().join(format!("firstmile-{}-amixer", std::process::id()));
        let tool = stand_in(&folder);
        let mut card = Card::by(tool.clone(), "Mic");
        let level = ControlValue::Number(-3);
        let (name, outcome) = set(&mut card, "Mic Capture Volume", Some(&level)).expect("set");
        assert_eq!(
            (name.as_str(), outcome.value, outcome.note),
            ("mic_capture_volume", level, None)
        );
        let (_, outcome) = set(&mut card, "mic_capture_volume", None).expect("nothing is set");
        assert!(outcome.note.expect("a note").contains("no default"));
        let asked = std::fs::read_to_string(folder.join("asked")).expect("notes");
        let set_once = "C -D hw:Mic contents\nC -D hw:Mic cset -- numid=3 -3\nC -D hw:Mic contents\n\
                        C -D hw:Mic contents\n";
        assert_eq!(asked, set_once);
        let gone = set(&mut Card::by(tool, "Gone"), "gain", None).unwrap_err();
        assert_eq!(gone, "does not answer: Control hw:Gone open error: No such device");
        std::fs::remove_dir_all(&folder).expect("the folder");
        let none = set(&mut Card::by(vec![folder.join("amixer").into()], "Mic"), "gain", None)
            .unwrap_err();
        assert!(none.ends_with("amixer is not installed (Debian: alsa-utils)"), "{none}");
    }
}
