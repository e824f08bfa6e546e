//! Setting the controls of a device, whatever drives it.

use std::{collections::BTreeMap, io};

use crate::{
    device_controls::{Control, ControlValue, find},
    limits::CONTROLS_ROUNDS_MAX,
    sanitize,
};

/// What drives the controls of one device.
pub trait Driver {
    /// The controls as they are now.
    fn describe(&mut self) -> io::Result<Vec<Control>>;
    /// Sets one of those that were described.
    fn write(&mut self, name: &str, raw: i32) -> io::Result<()>;
}

/// A control was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WasSet {
    /// The device's name in the settings.
    pub device: String,
    /// The product's name.
    pub name: String,
    /// The control.
    pub control: String,
    /// What it was set to.
    pub outcome: Outcome,
    /// The tables that are of it, one of its own name among them. Of two the later prevails.
    pub tables: Vec<String>,
}

/// What became of a reset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WasReset {
    /// Those of the tables that are of the device. Of two the later prevails.
    pub tables: Vec<String>,
    /// What it has now, or why it does not have its default.
    pub outcome: Result<WasSet, String>,
}

/// What a control was set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// As it is named in settings.
    pub value: ControlValue,
    /// What the owner would not expect.
    pub note: Option<String>,
}

/// What came of restoring the controls of a device.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// How many were not as they should be, and are now.
    pub changed: usize,
    /// Why others are not, a line each.
    pub refused: Vec<String>,
}

/// What an entry of a menu is called: its name, or its number where it has none that can be typed.
pub fn entry_name(name: &str, index: i32) -> String {
    match sanitize::words(name).trim() {
        "" => index.to_string(),
        name => name.to_owned(),
    }
}

/// What another control has to be set for first, or that is not possible on air.
const INACTIVE: &str =
    "it has no effect while another control makes it automatic, or while the camera is in use";

/// Sets a control, or gives it its default; its name and what it is then. An error begins with a verb: the
/// device's name stands before it.
pub fn set(
    driver: &mut dyn Driver,
    typed: &str,
    value: Option<&ControlValue>,
) -> Result<(String, Outcome), String> {
    let does_not_answer = |error: io::Error| format!("does not answer: {error}");
    let controls = driver.describe().map_err(does_not_answer)?;
    let control = find(&controls, typed)?;
    let (name, allowed) = (&control.name, &control.allowed);
    let is_asked_for = value.is_some();
    let value = match (value.or(control.default.as_ref()), &control.value) {
        (Some(value), _) => value,
        (None, Some(now)) => {
            let note = Some("its driver has no default for it, so it stays".to_owned());
            return Ok((name.clone(), Outcome { value: now.clone(), note }));
        }
        (None, None) => return Err(format!("does not say what {name} is")),
    };
    let raw = match value {
        // A driver's own default may be out of its bounds: it knows what to make of it.
        ControlValue::Number(number) if !is_asked_for => Some(*number),
        _ => allowed.raw(value),
    };
    let raw = raw.ok_or_else(|| match value {
        ControlValue::Number(number) => {
            format!("does not offer that: {name} is {number}, must be {allowed}")
        }
        // Words may be a secret in the wrong place.
        ControlValue::Flag(_) | ControlValue::Word(_) => {
            format!("does not offer that: {name} must be {allowed}")
        }
    })?;
    driver.write(name, raw).map_err(|error| match control.active {
        true => format!("refuses to set {name}: {error}"),
        false => format!("refuses to set {name}: {INACTIVE} ({error})"),
    })?;
    let unread = "it cannot be read back";
    let after = driver.describe().map(|all| all.into_iter().find(|control| control.name == *name));
    let note = match after {
        // It was set all the same.
        Err(error) => Some(format!("{unread}: {error}")),
        Ok(after) => match after {
            Some(Control { active: false, .. }) => Some(INACTIVE.to_owned()),
            Some(Control { value: Some(made), .. })
                if Some(&made) != allowed.value(raw).as_ref() =>
            {
                Some(format!("the device made {made} of it"))
            }
            _ => None,
        },
    };
    let value = allowed.value(raw).unwrap_or_else(|| value.clone());
    Ok((name.clone(), Outcome { value, note }))
}

/// Sets what is not as it is wanted. What another control keeps from being set is set after that one.
pub fn restore(driver: &mut dyn Driver, wanted: &BTreeMap<String, ControlValue>) -> Restored {
    let mut restored = Restored::default();
    let mut left: BTreeMap<&String, &ControlValue> = wanted.iter().collect();
    let mut why: BTreeMap<&String, String> = BTreeMap::new();
    for round in 1..=CONTROLS_ROUNDS_MAX {
        let controls = match driver.describe() {
            Ok(controls) => controls,
            Err(error) => {
                restored.refused.push(format!("its controls cannot be read: {error}"));
                return restored;
            }
        };
        let mut hangs = false;
        left.retain(|name, value| {
            if hangs {
                return true;
            }
            let Some(control) = controls.iter().find(|control| control.name == **name) else {
                why.insert(*name, format!("it has no control {name}"));
                return true;
            };
            let Some(raw) = control.allowed.raw(value) else {
                why.insert(*name, format!("{name} must be {}", control.allowed));
                return true;
            };
            if control.value.is_some() && control.value == control.allowed.value(raw) {
                return false;
            }
            if !control.active && round < CONTROLS_ROUNDS_MAX {
                return true;
            }
            match driver.write(name, raw) {
                Ok(()) => restored.changed += 1,
                Err(error) => {
                    // Each further one would wait as long.
                    hangs |= error.kind() == io::ErrorKind::TimedOut;
                    let cause =
                        if control.active { String::new() } else { format!("{INACTIVE}, ") };
                    why.insert(*name, format!("{name} cannot be set: {cause}{error}"));
                    return true;
                }
            }
            false
        });
        if left.is_empty() || hangs {
            break;
        }
    }
    restored.refused.extend(left.keys().filter_map(|name| why.get(name).cloned()));
    restored
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device_controls::Allowed;

    /// A webcam: exposure and focus are refused, or ignored, while they are automatic.
    struct Webcam {
        values: BTreeMap<&'static str, i32>,
        writes: Vec<String>,
        is_gone: bool,
    }

    const AUTOMATIC: [(&str, &str, i32); 2] =
        [("exposure_time_absolute", "auto_exposure", 3), ("focus_absolute", "focus_auto", 1)];

    impl Webcam {
        fn new() -> Webcam {
            let values = [
                ("auto_exposure", 3),
                ("exposure_time_absolute", 250),
                ("brightness", 128),
                ("focus_auto", 1),
                ("focus_absolute", 0),
            ];
            Webcam { values: values.into(), writes: Vec::new(), is_gone: false }
        }

        fn is_automatic(&self, name: &str) -> bool {
            let of = AUTOMATIC.iter().find(|(manual, ..)| *manual == name);
            of.is_some_and(|(_, by, when)| self.values[by] == *when)
        }
    }

    impl Driver for Webcam {
        fn describe(&mut self) -> io::Result<Vec<Control>> {
            if self.is_gone {
                return Err(io::ErrorKind::NotConnected.into());
            }
            let control = |(name, value): (&&'static str, &i32)| {
                let allowed = match *name {
                    "auto_exposure" => Allowed::Choice {
                        words: ["Manual Mode", "Aperture Priority Mode"].map(str::to_owned).into(),
                        indexes: vec![1, 3],
                    },
                    "focus_auto" => Allowed::Flag,
                    _ => Allowed::Number { min: 0, max: 2_000, step: 1 },
                };
                let default = Webcam::new().values[name];
                Control {
                    name: (*name).to_owned(),
                    value: allowed.value(*value),
                    default: allowed.value(default),
                    active: !self.is_automatic(name),
                    allowed,
                }
            };
            Ok(self.values.iter().map(control).collect())
        }

        fn write(&mut self, name: &str, raw: i32) -> io::Result<()> {
            if self.is_automatic(name) {
                return Err(io::ErrorKind::PermissionDenied.into());
            }
            // It counts exposure in steps of its own.
            let made = if name == "exposure_time_absolute" { raw / 10 * 10 } else { raw };
            self.writes.push(format!("{name} {raw}"));
            self.values
                .iter_mut()
                .filter(|(known, _)| **known == name)
                .for_each(|(_, v)| *v = made);
            Ok(())
        }
    }

    fn wanted(of: &[(&str, &str)]) -> BTreeMap<String, ControlValue> {
        let value = |text: &str| ControlValue::parse(text).expect("a value");
        of.iter().map(|(name, text)| ((*name).to_owned(), value(text))).collect()
    }

    #[test]
    fn what_is_automatic_is_set_after_the_control_that_makes_it_so() {
        let mut webcam = Webcam::new();
        let wanted = wanted(&[
            ("brightness", "128"),
            ("exposure_time_absolute", "120"),
            ("auto_exposure", "Manual Mode"),
            ("focus_absolute", "30"),
            ("focus_auto", "false"),
        ]);
        let restored = restore(&mut webcam, &wanted);
        assert_eq!(restored, Restored { changed: 4, refused: Vec::new() });
        let writes =
            ["auto_exposure 1", "focus_auto 0", "exposure_time_absolute 120", "focus_absolute 30"];
        assert_eq!(webcam.writes, writes, "brightness is so already");
        webcam.writes.clear();
        assert_eq!(restore(&mut webcam, &wanted), Restored::default());
        assert_eq!(webcam.writes, [""; 0], "nothing is written again");
    }

    #[test]
    fn what_a_camera_does_not_have_is_reported_and_the_rest_is_restored() {
        let mut webcam = Webcam::new();
        let wanted = wanted(&[
            ("brightness", "90"),
            ("exposure_time_absolute", "120"),
            ("focus_absolute", "9000"),
            ("zoom_absolute", "1"),
        ]);
        let restored = restore(&mut webcam, &wanted);
        assert_eq!(restored.changed, 1);
        assert_eq!(
            restored.refused,
            [
                "exposure_time_absolute cannot be set: it has no effect while another control makes it \
                 automatic, or while the camera is in use, permission denied",
                "focus_absolute must be a whole number from 0 to 2000",
                "it has no control zoom_absolute",
            ]
        );
        webcam.is_gone = true;
        assert!(restore(&mut webcam, &wanted).refused[0].contains("cannot be read"));
    }

    /// The default is out of its driver's own bounds, as that of some is.
    struct OddWebcam {
        made: i32,
        written: Vec<i32>,
    }

    impl Driver for OddWebcam {
        fn describe(&mut self) -> io::Result<Vec<Control>> {
            Ok(vec![Control {
                name: "gain".to_owned(),
                value: Some(ControlValue::Number(self.made)),
                default: Some(ControlValue::Number(300)),
                allowed: Allowed::Number { min: 0, max: 255, step: 10 },
                active: true,
            }])
        }

        fn write(&mut self, _: &str, raw: i32) -> io::Result<()> {
            self.written.push(raw);
            self.made = raw.min(255);
            Ok(())
        }
    }

    #[test]
    fn the_default_of_a_driver_is_written_although_it_is_out_of_the_drivers_own_bounds() {
        let mut webcam = OddWebcam { made: 5, written: Vec::new() };
        let (_, outcome) = set(&mut webcam, "gain", None).expect("its default");
        assert_eq!(webcam.written, [300]);
        assert_eq!(outcome.note.as_deref(), Some("the device made 255 of it"));
        assert!(set(&mut webcam, "gain", Some(&ControlValue::Number(300))).is_err());
    }

    #[test]
    fn a_value_is_set_and_what_became_of_it_is_reported() {
        let mut webcam = Webcam::new();
        let mut set = |name: &str, value: Option<&str>| {
            let value = value.map(|text| ControlValue::parse(text).expect("a value"));
            let (name, Outcome { value, note }) = super::set(&mut webcam, name, value.as_ref())?;
            Ok::<_, String>(format!("{name} {value} {}", note.unwrap_or_default()))
        };
        assert_eq!(set("brightness", Some("90")).as_deref(), Ok("brightness 90 "));
        assert_eq!(set("brightness", None).as_deref(), Ok("brightness 128 "), "its default");
        let refused = set("exposure_absolute", Some("120")).unwrap_err();
        assert!(refused.starts_with("refuses to set exposure_time_absolute: it has no effect"));
        assert_eq!(set("auto_exposure", Some("1")).as_deref(), Ok("auto_exposure Manual Mode "));
        assert_eq!(
            set("exposure_time_absolute", Some("125")).as_deref(),
            Ok("exposure_time_absolute 125 the device made 120 of it")
        );
        assert_eq!(
            set("brightness", Some("2001")).unwrap_err(),
            "does not offer that: brightness is 2001, must be a whole number from 0 to 2000"
        );
        let canary = set("auto_exposure", Some("live_canary")).unwrap_err();
        assert_eq!(
            canary,
            "does not offer that: auto_exposure must be one of Manual Mode, Aperture Priority Mode"
        );
        let unknown = set("canary", Some("1")).unwrap_err();
        assert!(unknown.starts_with("has no such control; it has auto_exposure, "), "{unknown}");
    }
}
