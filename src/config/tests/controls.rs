//! Hardware controls of devices in settings files.

use super::*;
use crate::device_controls::ControlsOf;
use crate::selection::{CameraDevice, MicrophoneDevice};

const CONTROLS: &str = "version = 1
[camera.controls.\"driver:vivid\"]
brightness = 90
exposure_auto = \"Manual Mode\"
horizontal_flip = true

[camera.controls.\"/dev/v4l/by-id/usb-046d_C920_0.1-video-index0\"]
pan_absolute = -3600
";

#[test]
fn controls_of_each_camera_are_read_and_written_as_what_they_are() {
    let settings = merge(&[source(CONTROLS)]);
    let of = |camera: &str| {
        let controls = &settings.controls(ControlsOf::Camera)[camera];
        controls.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>()
    };
    // The name that the control has had since Linux 5.16.
    assert_eq!(
        of("driver:vivid"),
        ["auto_exposure Manual Mode", "brightness 90", "horizontal_flip true"]
    );
    assert_eq!(of("/dev/v4l/by-id/usb-046d_C920_0.1-video-index0"), ["pan_absolute -3600"]);
    let text = render(&settings);
    let table = "[camera.controls.\"driver:vivid\"]\nauto_exposure = \"Manual Mode\"\nbrightness = 90\n\
                 horizontal_flip = true\n";
    assert!(text.contains(table), "{text}");
    assert_eq!(merge(&[source(&text)]), settings, "{text}");
    assert!(settings.to_partial().check().is_ok());
}

#[test]
fn a_stick_changes_the_controls_that_it_names_and_leaves_those_of_other_cameras() {
    let mut stored = source(CONTROLS);
    stored.import(&source("version = 1\ncamera.controls.\"driver:vivid\".brightness = 10\n"));
    let settings = merge(&[source("version = 1\n[camera.controls.x]\ngain = 7\n"), stored.clone()]);
    let controls = settings.controls(ControlsOf::Camera);
    let number =
        |camera: &str, control: &str| controls[camera].get(control).map(ToString::to_string);
    assert_eq!(number("driver:vivid", "brightness").as_deref(), Some("10"));
    assert_eq!(number("driver:vivid", "horizontal_flip").as_deref(), Some("true"));
    assert_eq!(number("x", "gain").as_deref(), Some("7"));
    assert_eq!(controls.len(), 3);
    assert!(stored.unset("camera.controls.driver:vivid.brightness").expect("known"));
    assert!(!stored.unset("camera.controls.driver:vivid.brightness").expect("known"));
}

#[test]
fn controls_that_can_be_none_are_refused_with_their_place() {
    let text = "version = 1\n[camera.controls.\"usb:1-1\"]\ngain = [1]\n\"\" = 7\n\
                [camera.controls.\" \"]\ngain = 1\n";
    let offers = "must be what the device offers: a number, true, false, or a word";
    let names = "camera.controls is followed by a camera and a control, with dots between them; \
                 `camera controls` lists them";
    let expected = format!(
        "t.toml:3:8: camera.controls: {offers}\nt.toml:4:6: camera.controls: {names}\n\
         t.toml:6:8: camera.controls: {names}"
    );
    assert_eq!(errors(text), expected);
}

#[test]
fn controls_of_a_device_that_can_be_none_are_refused_once_and_a_stored_file_keeps_them() {
    let text = "version = 1\n[camera.controls.\"C920\"]\ngain = 1\n[camera.controls.video0]\n\
                gain = 1\nbrightness = 7\n[microphone.controls.\"hw:1\"]\nmic = 30\n";
    let camera = CameraDevice::of_controls("video0").unwrap_err();
    let card = MicrophoneDevice::of_controls("hw:1").unwrap_err();
    let expected = format!(
        "t.toml:6:14: camera.controls: \"video0\" {camera}\n\
         t.toml:8:7: microphone.controls: \"hw:1\" {card}"
    );
    assert_eq!(errors(text), expected);
    let stored = crate::config::parse::parse_stored("stored", text).expect("nothing of it is lost");
    assert_eq!(stored.controls_of(ControlsOf::Camera).len(), 2);
}
