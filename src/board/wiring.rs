//! The wiring of a board as text, drawn from its profile.

use std::fmt::Write as _;

use super::display::Display;
use super::profile::{Button, Console, Fitted, Lights, Line, Profile, Pull, Wiring};
use super::source::CameraSource;

/// Resistor of a light: 3.3 V less 2 V for the light leaves 4 mA, which every board's lines can give.
const RESISTOR_OHM: u32 = 330;

/// What a display needs once on every board.
const DISPLAY_STEP: &str = "let the kernel show its I²C buses:\n\
     echo i2c-dev | sudo tee /etc/modules-load.d/firstmile-display.conf\n\
     sudo modprobe i2c-dev";

impl Profile {
    /// An addition to the service's unit for a display, by its file name in `systemd/boards/`.
    pub const DISPLAY_SERVICE: &str = "display.conf";

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
        let mut steps = self.setup.steps.clone();
        let mut additions: Vec<&str> = self.setup.service.as_deref().into_iter().collect();
        if self.display.is_some() {
            steps.extend(self.setup.display.iter().cloned());
            steps.push(DISPLAY_STEP.to_owned());
            additions.push(Profile::DISPLAY_SERVICE);
        }
        if additions.is_empty() {
            return steps;
        }
        let links = additions.iter().map(|file| {
            format!(
                "sudo ln -s /usr/share/firstmile/systemd/boards/{file} \
                 /etc/systemd/system/firstmile.service.d/\n"
            )
        });
        steps.push(format!(
            "let the service use the board's own devices:\n\
             sudo mkdir -p /etc/systemd/system/firstmile.service.d\n\
             {}sudo systemctl daemon-reload",
            links.collect::<String>()
        ));
        steps
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
        if self.display.is_some() {
            labels.extend(wiring.i2c_sda.map(|pin| (pin, "display SDA".to_owned())));
            labels.extend(wiring.i2c_scl.map(|pin| (pin, "display SCL".to_owned())));
        }
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
        connections.extend(self.display.as_ref().map(|display| self.display_text(display)));
        connections.push(format!("console: {}", self.console_text()));
        connections.push(format!("camera: {}", camera(&self.camera)));
        connections
    }

    fn display_text(&self, display: &Display) -> String {
        let Display { chip, bus, address, .. } = display;
        let what = format!("display: {} with the address {address:#x} on {bus}", chip.name());
        let lines = self.wiring.as_ref().and_then(|wiring| {
            let (sda, scl) = (wiring.i2c_sda?, wiring.i2c_scl?);
            let (ground, supply) = (nearest(&wiring.ground, sda), wiring.supply);
            Some(format!(
                "; VCC ── 3.3 V (pin {supply}), GND ── ground (pin {ground}), SDA ── pin {sda}, \
                 SCL ── pin {scl}"
            ))
        });
        what + &lines.unwrap_or_default()
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
                format!("ground (pin {})", nearest(&wiring.ground, pin))
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

/// The pin of these that is nearest to another.
fn nearest(pins: &[u32], to: u32) -> u32 {
    pins.iter().copied().min_by_key(|pin| pin.abs_diff(to)).unwrap_or_default()
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
    fn a_display_is_drawn_where_the_board_has_one_and_its_pins_are_its_own() {
        let bus = "supply = 1\n        i2c_sda = 2\n        i2c_scl = 5";
        let board = BOARD.replace("supply = 1", bus).replace("ground = [5]", "ground = []");
        let board = board.replace("ground = []", "ground = [4]").replace("pin = 4", "pin = 2");
        let without = Profile::load(&board, "mine", super::super::embedded).unwrap();
        let text = without.wiring_text();
        assert!(!text.contains("SDA") && !text.contains("i2c-dev"), "{text}");
        let display = "[display]\nchip = \"sh1106\"\nbus = \"/dev/i2c-1\"\n";
        let board = format!("{board}display = [\"switch the bus on\"]\n{display}");
        let error = Profile::load(&board, "mine", super::super::embedded).unwrap_err().to_string();
        assert!(error.contains("is pin 2, which wiring.i2c_sda uses already"), "{error}");
        let board = board.replace("active_low = true, pin = 2", "active_low = true");
        let text = Profile::load(&board, "mine", super::super::embedded).unwrap().wiring_text();
        for expected in [
            "3.3 V ──[  1    2 ]── display SDA\n",
            "display: SH1106 with the address 0x3c on /dev/i2c-1; VCC ── 3.3 V (pin 1), GND ── \
             ground (pin 4), SDA ── pin 2, SCL ── pin 5\n",
            " 2. switch the bus on\n 3. let the kernel show its I²C buses:\n",
            "/usr/share/firstmile/systemd/boards/display.conf",
        ] {
            assert!(text.contains(expected), "{text}\nshould contain: {expected}");
        }
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
