//! The wiring of a board as text, drawn from its profile.

use std::fmt::Write as _;

use super::profile::{Button, Console, Fitted, Lights, Line, Profile, Pull, Wiring};
use super::source::CameraSource;

/// Resistor of a light: 3.3 V less 2 V for the light leaves 4 mA, which every board's lines can give.
const RESISTOR_OHM: u32 = 330;

impl Profile {
    /// How lights, button and console are connected, and what the board needs once.
    pub fn wiring_text(&self) -> String {
        let mut text = format!("{}\nprofile {}\n", self.description, self.name);
        if let Some(wiring) = &self.wiring {
            text.push('\n');
            draw(&mut text, wiring, &self.labels(wiring));
        }
        text.push('\n');
        for connection in self.connections() {
            let _ = writeln!(text, "{connection}");
        }
        let setup = self.setup_steps();
        if !setup.is_empty() {
            text.push_str("\nOnce, before the first start:\n");
            for (step, number) in setup.iter().zip(1..) {
                let _ = writeln!(text, "{number:2}. {}", step.replace('\n', "\n    "));
            }
        }
        text
    }

    /// What the board needs once, for people.
    pub fn setup_steps(&self) -> Vec<String> {
        let service = self.setup.service.as_ref().map(|file| {
            format!(
                "let the service use the board's own devices:\n\
                 sudo mkdir -p /etc/systemd/system/firstmile.service.d\n\
                 sudo ln -s /usr/share/firstmile/systemd/boards/{file} \
                 /etc/systemd/system/firstmile.service.d/\n\
                 sudo systemctl daemon-reload"
            )
        });
        self.setup.steps.iter().cloned().chain(service).collect()
    }

    fn labels(&self, wiring: &Wiring) -> Vec<(u32, String)> {
        let mut labels: Vec<(u32, String)> = Vec::new();
        for (table, line) in self.lines() {
            labels.extend(line.pin.map(|pin| (pin, format!("{}  {}", role(table), name(line)))));
        }
        labels.extend(wiring.ground.iter().map(|pin| (*pin, "ground".to_owned())));
        labels.push((wiring.supply, "3.3 V".to_owned()));
        labels.extend(wiring.console_tx.map(|pin| (pin, "console sends (TX)".to_owned())));
        labels.extend(wiring.console_rx.map(|pin| (pin, "console receives (RX)".to_owned())));
        labels
    }

    fn connections(&self) -> Vec<String> {
        let at = |line: &Line| match line.pin {
            Some(pin) => format!("{} (pin {pin})", name(line)),
            None => name(line),
        };
        let mut connections: Vec<String> = Vec::new();
        let weak = self.wiring.as_ref().is_some_and(|wiring| wiring.weak);
        for (table, line) in self.lines() {
            let other = self.other_end(line);
            connections.push(match table {
                _ if weak && table.starts_with("lights") => format!(
                    "{}: {} ── gate of an N-channel transistor, source to ground; 3.3 V ── \
                     {RESISTOR_OHM} Ω ──▷|── drain",
                    role(table),
                    at(line)
                ),
                "button" | "button.reset" => {
                    format!("{}: {} ── contact ── {other}", role(table), at(line))
                }
                _ if line.active_low => {
                    format!("{}: {other} ──▷|── {RESISTOR_OHM} Ω ── {}", role(table), at(line))
                }
                _ => format!("{}: {} ── {RESISTOR_OHM} Ω ──▷|── {other}", role(table), at(line)),
            });
        }
        connections.extend(self.without_lines());
        connections.push(format!("console: {}", self.console_text()));
        connections.push(format!("camera: {}", camera(&self.camera)));
        connections
    }

    /// Lights and buttons that are no GPIO lines.
    fn without_lines(&self) -> Vec<String> {
        let lights = match &self.lights {
            Lights::Terminal => vec!["lights: drawn in the terminal".to_owned()],
            Lights::None => vec!["lights: none".to_owned()],
            Lights::Sysfs(Fitted::Two { live, status }) => vec![
                format!("LIVE light: the kernel's `{}`", live.led),
                format!("STATUS light: the kernel's `{}`", status.led),
            ],
            Lights::Sysfs(Fitted::One { single }) => {
                vec![format!("light: the kernel's `{}`", single.led)]
            }
            Lights::Cdev(_) => Vec::new(),
        };
        let button = match &self.button {
            Button::Keys => Some("button: keys of the terminal".to_owned()),
            Button::None => Some("button: none".to_owned()),
            Button::Input { key, .. } => {
                Some(format!("button: key {} of {}", key.code, key.device.display()))
            }
            Button::Cdev { pull: Some(pull), .. } => Some(format!(
                "button: the chip pulls its line {}",
                if *pull == Pull::Up { "up" } else { "down" }
            )),
            Button::Cdev { .. } => None,
        };
        lights.into_iter().chain(button).collect()
    }

    /// Where the far end of a light or a contact goes: lines that are low when active draw from the
    /// supply through a light, and are closed to ground by a contact.
    fn other_end(&self, line: &Line) -> String {
        let is_light =
            self.lines().iter().any(|(table, l)| *l == line && table.starts_with("lights"));
        let to_ground = is_light != line.active_low;
        match (&self.wiring, line.pin) {
            (Some(wiring), Some(pin)) if to_ground => {
                let near = wiring.ground.iter().min_by_key(|ground| ground.abs_diff(pin));
                format!("ground (pin {})", near.copied().unwrap_or_default())
            }
            (Some(wiring), Some(_)) => format!("3.3 V (pin {})", wiring.supply),
            _ if to_ground => "ground".to_owned(),
            _ => "3.3 V".to_owned(),
        }
    }

    fn console_text(&self) -> String {
        match &self.console {
            Console::Stdio => "the terminal that started the program".to_owned(),
            Console::Pty => "a pseudo-terminal".to_owned(),
            Console::Serial { paths, baud } => {
                let paths: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
                format!("{}, {baud} baud, 8N1", paths.join(" and "))
            }
        }
    }
}

fn role(table: &str) -> &'static str {
    match table {
        "lights.live" => "LIVE light",
        "lights.status" => "STATUS light",
        "lights.single" => "light",
        "button.reset" => "reset button",
        _ => "button",
    }
}

fn name(line: &Line) -> String {
    match (&line.line_name, &line.place) {
        (Some(name), _) => name.clone(),
        (None, Some(place)) => format!("{} line {}", place.chip, place.line),
        (None, None) => String::new(),
    }
}

fn camera(camera: &CameraSource) -> String {
    match camera {
        CameraSource::TestPattern => "a drawn test pattern".to_owned(),
        CameraSource::File { path } => format!("the clip {}", path.display()),
        CameraSource::V4l2 { device, .. } => format!("USB or other Video4Linux2 camera, {device}"),
        CameraSource::Libcamera { name } => {
            format!("ribbon cable, libcamera {}", name.as_deref().unwrap_or("(the first one)"))
        }
        CameraSource::Argus { sensor } => format!("ribbon cable, sensor {sensor}"),
        CameraSource::Hdmi { device, .. } => format!("HDMI input, {device}"),
        CameraSource::Launch { launch, .. } | CameraSource::LaunchJpeg { launch } => launch.clone(),
    }
}

/// Two rows of pins, with what is connected next to them.
fn draw(text: &mut String, wiring: &Wiring, labels: &[(u32, String)]) {
    let label = |pin: u32| {
        labels.iter().find(|(at, _)| *at == pin).map(|(_, label)| label.as_str()).unwrap_or("")
    };
    let odd = (1..=wiring.pins).step_by(2);
    let width = odd.clone().map(|pin| label(pin).chars().count()).max().unwrap_or(0);
    let _ = writeln!(text, "{}", wiring.header);
    for pin in odd {
        let (left, right) = (label(pin), label(pin + 1));
        let (from, to) = (wire(left), wire(right));
        let row = format!("{left:>width$} {from}[{pin:>3}  {:>3} ]{to} {right}", pin + 1);
        let _ = writeln!(text, "{}", row.trim_end());
    }
}

fn wire(label: &str) -> &'static str {
    if label.is_empty() { "  " } else { "──" }
}

#[cfg(test)]
mod tests {
    use super::super::Profile;

    const BOARD: &str = r#"
        inherit = "sim.toml"
        compatible = ["test,board"]
        description = "a board"
        [lights]
        backend = "cdev"
        live = { line_name = "A", active_low = false, pin = 3 }
        status = { line_name = "B", active_low = true, pin = 4 }
        [button]
        backend = "cdev"
        line_name = "C"
        active_low = true
        pin = 6
        debounce_ms = 20
        [wiring]
        header = "header H1"
        pins = 6
        ground = [5]
        supply = 1
        [setup]
        steps = ["say yes"]
        service = "test.conf"
    "#;

    #[test]
    fn the_drawing_is_made_of_the_profile() {
        let profile = Profile::load(BOARD, "mine", super::super::embedded).unwrap();
        let expected = "\
a board
profile mine

header H1
        3.3 V ──[  1    2 ]
LIVE light  A ──[  3    4 ]── STATUS light  B
       ground ──[  5    6 ]── button  C

LIVE light: A (pin 3) ── 330 Ω ──▷|── ground (pin 5)
STATUS light: 3.3 V (pin 1) ──▷|── 330 Ω ── B (pin 4)
button: C (pin 6) ── contact ── ground (pin 5)
console: the terminal that started the program
camera: a drawn test pattern

Once, before the first start:
 1. say yes
 2. let the service use the board's own devices:
";
        let text = profile.wiring_text();
        assert!(text.starts_with(expected), "{text}");
        assert!(
            text.contains("    sudo ln -s /usr/share/firstmile/systemd/boards/test.conf"),
            "{text}"
        );
    }

    #[test]
    fn a_pin_is_on_the_header_and_has_one_use() {
        for (from, to, expected) in [
            ("pin = 6", "pin = 7", "mine.toml:13:15: button.pin: is 7, must be a pin from 1 to 6"),
            ("pin = 6", "pin = 5", "button.pin: is pin 5, which wiring.ground uses already"),
            (
                "pin = 4",
                "pin = 3",
                "lights.status.pin: is pin 3, which lights.live.pin uses already",
            ),
            ("ground = [5]", "ground = []", "wiring.ground: must not be empty"),
            ("ground = [5]", "ground = [\"a\"]", "wiring.ground: must be a list of whole numbers"),
            ("[wiring]\n", "[other]\n", "other: does not exist"),
        ] {
            let error = Profile::load(&BOARD.replace(from, to), "mine", super::super::embedded);
            let error = error.expect_err(to).to_string();
            assert!(error.contains(expected), "{error}\nshould say: {expected}");
        }
    }
}
