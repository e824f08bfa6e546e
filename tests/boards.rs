//! Board profiles: those that ship, and those that a hand may get wrong.

use std::{fs, path::Path};

use firstmile::{
    board::{self, Button, Camera, Lights, Microphone, Profile, ProfileError},
    capture::{Request, audio_encoder_names, video_encoder_names},
};

const WHOLE: &str = r#"
compatible = ["test,board"]
description = "for tests"
[camera]
source = "test-pattern"
[microphone]
source = "tone"
[video]
width = 1280
height = 720
fps = 30
bitrate_kbps = 2500
bitrate_max_kbps = 6000
keyframe_interval_ms = 2000
[audio]
bitrate_kbps = 128
channels = 2
[encoder]
video = ["x264enc"]
audio = ["avenc_aac"]
[lights]
backend = "terminal"
[button]
backend = "keys"
[console]
port = "stdio"
"#;

fn load(text: &str) -> Result<Profile, ProfileError> {
    Profile::load(text, "mine", |_| None)
}

/// The whole profile with one piece of text replaced.
fn with(from: &str, to: &str) -> Result<Profile, ProfileError> {
    assert!(WHOLE.contains(from), "{from}");
    load(&WHOLE.replace(from, to))
}

#[test]
fn every_profile_in_the_folder_is_embedded_and_valid() {
    let mut files: Vec<String> = fs::read_dir("board")
        .expect("the folder")
        .filter_map(|entry| entry.expect("an entry").file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".toml").map(str::to_owned))
        .collect();
    let mut embedded: Vec<String> = board::names().map(str::to_owned).collect();
    files.sort();
    embedded.sort();
    assert_eq!(files, embedded);
    for name in board::names() {
        let profile = Profile::named(name).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(profile.name, name);
        Request::from(&profile).check().unwrap_or_else(|error| panic!("{name}: {error}"));
        let text = fs::read_to_string(Path::new("board").join(format!("{name}.toml")));
        assert_eq!(board::embedded(name), text.ok(), "the binary holds the file as it is");
    }
}

#[test]
fn every_encoder_named_by_a_profile_is_one_that_capture_can_set_up() {
    for name in board::names() {
        let encoders = Profile::named(name).expect("valid").encoders;
        for element in &encoders.video {
            assert!(video_encoder_names().any(|known| known == element), "{name}: {element}");
        }
        for element in &encoders.audio {
            assert!(audio_encoder_names().any(|known| known == element), "{name}: {element}");
        }
    }
}

#[test]
fn no_two_profiles_claim_the_same_machine() {
    let mut claimed = Vec::new();
    for name in board::names() {
        claimed.extend(Profile::named(name).expect("valid").compatible);
    }
    let count = claimed.len();
    claimed.sort();
    claimed.dedup();
    assert_eq!(claimed.len(), count);
}

#[test]
fn the_readme_names_every_profile() {
    let readme = fs::read_to_string("board/README.md").expect("the file");
    for name in board::names() {
        assert!(readme.contains(&format!("`{name}.toml`")), "{name}");
    }
}

#[test]
fn mistakes_are_answered_with_file_line_and_key() {
    for (from, to, said) in [
        (
            "fps = 30",
            "fsp = 30",
            "mine.toml:11: unknown key `video.fsp`; did you mean `video.fps`?",
        ),
        ("[encoder]", "[encoders]", "mine.toml:18: unknown key `encoders`"),
        (
            "fps = 30",
            "fps = \"30\"",
            "mine.toml:11: `video.fps` must be a whole number, not string",
        ),
        ("fps = 30", "fps = 61", "mine.toml:11: `video.fps` must be a number from 1 to 60, not 61"),
        ("fps = 30", "fps = -1", "not -1"),
        ("width = 1280", "width = 1281", "mine.toml:9: `video.width` must be even"),
        ("fps = 30", "", "mine.toml: `video.fps` is missing: a number from 1 to 60"),
        ("compatible = [\"test,board\"]", "", "mine.toml: `compatible` is missing"),
        ("compatible = [\"test,board\"]", "compatible = []", "`compatible` must not be empty"),
        ("\"tone\"", "\"bell\"", "`microphone.source` must be one of tone, silence,"),
        ("\"test-pattern\"", "\"v4l2\"", "mine.toml: `camera.device` is missing"),
        ("source = \"tone\"", "source = \"tone\"\ndevice = \"hw:1\"", "has no meaning"),
        ("bitrate_max_kbps = 6000", "bitrate_max_kbps = 2000", "from 2500 to 20000"),
        ("fps = 30", "fps = 30\nfps = 30", "mine.toml:12: "),
        ("fps = 30", "fps =", "mine.toml:11: "),
        ("\"terminal\"", "\"sysfs\"", "`lights.live.led` is missing"),
        ("\"keys\"", "\"cdev\"\nchip = \"gpiochip0\"", "must be the chip's label"),
        ("compatible", "inherit = \"none.toml\"\ncompatible", "mine.toml:2: `inherit` names"),
    ] {
        let error = with(from, to).expect_err(to).to_string();
        assert!(error.contains(said), "{error}\nshould say: {said}");
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn a_gpio_line_has_one_user() {
    let line = |n: u32| format!("chip = \"pinctrl-test\"\nline = {n}\nactive_low = false\n");
    let lights = |live, status| {
        let text = format!("[lights.live]\n{}[lights.status]\n{}", line(live), line(status));
        WHOLE.replace("\"terminal\"", "\"cdev\"") + &text
    };
    assert!(load(&lights(17, 22)).is_ok());
    let error = load(&lights(17, 17)).expect_err("shared").to_string();
    let said = "`lights.status.line` is the GPIO line that `lights.live.line` uses already";
    assert!(error.contains(said), "{error}");
    let button = format!("\"cdev\"\n{}debounce_ms = 30", line(17));
    let error = load(&lights(17, 22).replace("\"keys\"", &button)).expect_err("shared");
    assert!(matches!(&error, ProfileError::SharedLine { key, .. } if key == "button.line"));
}

#[test]
fn a_profile_says_only_what_differs_from_the_one_it_inherits() {
    let child = r#"
        inherit = "base.toml"
        compatible = ["test,child"]
        description = "a child"
        [camera]
        source = "launch"
        launch = "libcamerasrc"
        [video]
        fps = 25
    "#;
    let resolver = |name: &str| (name == "base.toml").then(|| WHOLE.to_owned());
    let profile = Profile::load(child, "child.toml", resolver).expect("valid");
    assert_eq!(profile.name, "child");
    assert_eq!(profile.compatible, ["test,child"]);
    assert_eq!((profile.video.width, profile.video.fps), (1280, 25));
    assert_eq!(profile.camera, Camera::Launch { launch: "libcamerasrc".to_owned() });
    assert_eq!(profile.microphone, Microphone::Tone);
}

#[test]
fn a_mistake_in_an_inherited_file_names_that_file() {
    let base = WHOLE.replace("fps = 30", "fps = 99");
    let child = "inherit = \"base.toml\"\ncompatible = [\"a,b\"]\ndescription = \"x\"\n";
    let error = Profile::load(child, "child", |_| Some(base.clone())).expect_err("bad base");
    assert!(error.to_string().starts_with("base.toml:11: `video.fps`"), "{error}");
}

#[test]
fn what_a_machine_is_compatible_with_is_never_inherited() {
    let child = "inherit = \"base.toml\"\ndescription = \"x\"\n";
    let error = Profile::load(child, "child", |_| Some(WHOLE.to_owned())).expect_err("missing");
    assert!(matches!(&error, ProfileError::MissingKey { key, .. } if key == "compatible"));
}

#[test]
fn inheriting_in_a_circle_is_an_error_and_not_a_hang() {
    let to = |parent: &str| format!("inherit = \"{parent}\"\n{}", WHOLE.trim_start());
    let resolver = |name: &str| match name {
        "b.toml" => Some(to("c.toml")),
        "c.toml" => Some(to("b.toml")),
        _ => None,
    };
    let error = Profile::load(&to("b.toml"), "a", resolver).expect_err("circle").to_string();
    assert!(error.contains("a.toml → b.toml → c.toml → b.toml"), "{error}");
    let error = Profile::load(&to("a.toml"), "a", |_| None).expect_err("circle").to_string();
    assert!(error.contains("a.toml → a.toml"), "{error}");
}

#[test]
fn inheriting_without_end_is_an_error_too() {
    let text = |n: usize| format!("inherit = \"{}.toml\"\n{}", n + 1, WHOLE.trim_start());
    let resolver = |name: &str| name.strip_suffix(".toml")?.parse().ok().map(text);
    assert!(matches!(
        Profile::load(&text(0), "0", resolver),
        Err(ProfileError::InheritCircle { .. })
    ));
}

#[test]
fn an_unknown_name_is_answered_with_the_known_ones() {
    let error = Profile::named("rpi5").expect_err("unknown").to_string();
    assert!(error.contains("`rpi5`") && error.contains("sim") && error.contains("rpi4"), "{error}");
    assert!(Profile::named("sim.toml").is_ok());
}

#[test]
fn the_raspberry_pi_4_is_wired_as_its_readme_says() {
    let profile = Profile::named("rpi4").expect("embedded");
    let Lights::Cdev { live, status } = &profile.lights else { panic!("{:?}", profile.lights) };
    let Button::Cdev { line: button, .. } = &profile.button else { panic!("{:?}", profile.button) };
    let readme = fs::read_to_string("board/README.md").expect("the file");
    for (what, line) in [("LIVE light", live), ("STATUS light", status), ("button", button)] {
        assert_eq!(line.chip, "pinctrl-bcm2711");
        let row = format!("| {what} | GPIO{} |", line.line);
        assert!(readme.contains(&row), "{row}");
    }
    assert!(button.active_low && !live.active_low && !status.active_low);
}
