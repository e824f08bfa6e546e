use super::*;

fn control(name: &str, allowed: Allowed) -> Control {
    Control { name: name.to_owned(), value: None, default: None, allowed, active: true }
}

fn menu() -> Allowed {
    let words = ["Disabled", "50 Hz", "60", "Auto"].map(str::to_owned).to_vec();
    Allowed::Choice { words, indexes: vec![0, 1, 2, 5] }
}

#[test]
fn a_control_has_one_name_on_every_kernel() {
    for (by_driver, name) in [
        ("Brightness", "brightness"),
        ("Exposure, Auto", "auto_exposure"),
        ("Auto Exposure", "auto_exposure"),
        ("Exposure (Absolute)", "exposure_time_absolute"),
        ("Exposure Time, Absolute", "exposure_time_absolute"),
        ("White Balance Temperature, Auto", "white_balance_automatic"),
        ("White Balance, Automatic", "white_balance_automatic"),
        ("Focus, Auto", "focus_automatic_continuous"),
        ("Integer 32 Bits", "integer_32_bits"),
        ("  --Odd__name  ", "odd_name"),
    ] {
        assert_eq!(canonical_name(by_driver), name);
        assert_eq!(canonical_name(name), name, "it stays so");
        assert!(is_name(name));
    }
    for no_name in ["", "Exposure", "a b", "a.b", "é", &"a".repeat(65)] {
        assert!(!is_name(no_name), "{no_name}");
    }
}

#[test]
fn a_value_is_what_the_device_offers_or_is_none() {
    let number = Allowed::Number { min: -10, max: 20, step: 5 };
    for (value, raw) in [(-10, Some(-10)), (-5, Some(-5)), (20, Some(20)), (-11, None), (3, None)] {
        assert_eq!(number.raw(&ControlValue::Number(value)), raw, "{value}");
    }
    let whole = Allowed::Number { min: i32::MIN, max: i32::MAX, step: 0 };
    assert_eq!(whole.raw(&ControlValue::Number(i32::MAX)), Some(i32::MAX));
    assert_eq!(number.raw(&ControlValue::Flag(true)), None);
    for (text, raw) in [("true", Some(1)), ("0", Some(0)), ("2", None), ("on", None)] {
        let value = ControlValue::parse(text).expect("a value");
        assert_eq!(Allowed::Flag.raw(&value), raw, "{text}");
    }
    for (text, raw) in [
        ("50 Hz", Some(1)),
        ("auto", Some(5)),
        ("5", Some(5)),
        ("60", Some(2)),
        ("1", Some(1)),
        ("3", None),
        ("30 Hz", None),
    ] {
        let value = ControlValue::parse(text).expect("a value");
        assert_eq!(menu().raw(&value), raw, "{text}");
    }
    assert_eq!(menu().value(5), Some(ControlValue::Word("Auto".to_owned())));
    assert_eq!(menu().value(3), None);
}

#[test]
fn what_is_allowed_has_its_bounds_and_entries() {
    assert_eq!(menu().to_string(), "one of Disabled, 50 Hz, 60, Auto");
    let number = Allowed::Number { min: 2_800, max: 6_500, step: 10 };
    assert_eq!(number.to_string(), "a whole number from 2800 to 6500 in steps of 10");
}

#[test]
fn a_control_that_is_not_there_is_answered_with_those_that_are() {
    let number = Allowed::Number { min: 0, max: 255, step: 1 };
    let controls = ["brightness", "exposure_time_absolute", "gain"];
    let controls = controls.map(|name| control(name, number.clone()));
    let found = |typed| find(&controls, typed).map(|control| control.name.as_str());
    assert_eq!(found("Exposure (Absolute)"), Ok("exposure_time_absolute"));
    assert_eq!(found("exposure_absolute"), Ok("exposure_time_absolute"));
    let meant = |name: &str| Err(format!("has no such control; did you mean {name}?"));
    assert_eq!(found("exposure"), meant("exposure_time_absolute"));
    assert_eq!(found("brigthness"), meant("brightness"));
    let all = "has no such control; it has brightness, exposure_time_absolute, gain";
    for other in ["zoom", "", &"x".repeat(4_000)] {
        assert_eq!(found(other), Err(all.to_owned()));
    }
}

#[test]
fn words_of_a_menu_are_one_short_line() {
    for no_value in ["", " x", "a\nb", "a\u{1b}[2J", &"x".repeat(65)] {
        assert_eq!(ControlValue::parse(no_value), None, "{no_value:?}");
    }
    assert_eq!(ControlValue::parse("-7"), Some(ControlValue::Number(-7)));
    let large = "99999999999";
    assert_eq!(ControlValue::parse(large), Some(ControlValue::Word(large.to_owned())));
}

#[test]
fn programs_read_values_and_bounds_as_data() {
    let mut exposure = control("gain", Allowed::Number { min: -1, max: 9, step: 2 });
    (exposure.value, exposure.active) = (Some(ControlValue::Number(3)), false);
    let mut frequency = control("power_line_frequency", menu());
    frequency.default = Some(ControlValue::Word("50 Hz".to_owned()));
    let listed = DeviceControls {
        of: ControlsOf::Camera,
        device: "usb:1-1.3".to_owned(),
        name: "HD Camera".to_owned(),
        controls: vec![exposure, frequency, control("privacy", Allowed::Flag)],
    };
    let data = serde_json::json!({
        "of": "camera", "device": "usb:1-1.3", "name": "HD Camera", "controls": [
            { "name": "gain", "value": 3, "default": null, "active": false,
              "allowed": { "type": "number", "min": -1, "max": 9, "step": 2 } },
            { "name": "power_line_frequency", "value": null, "default": "50 Hz", "active": true,
              "allowed": { "type": "choice", "words": ["Disabled", "50 Hz", "60", "Auto"],
                           "indexes": [0, 1, 2, 5] } },
            { "name": "privacy", "value": null, "default": null, "active": true,
              "allowed": { "type": "flag" } },
        ],
    });
    assert_eq!(serde_json::to_value(&listed).expect("data"), data);
}
