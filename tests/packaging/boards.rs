//! Board profiles: those that ship, and those that a hand may get wrong.

use std::{fs, path::Path, process::Command};

use firstmile::{
    board::{
        self, Bus, Button, CameraSource, Chip, Console, Display, Fitted, Key, Led, Lights, Line,
        MicrophoneSource, Place, Profile, ProfileError, Pull,
    },
    capture::{
        Request, audio_encoder_names, converter_names, jpeg_decoder_names, video_encoder_names,
    },
};

use crate::generated;

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
fn every_jpeg_decoder_named_by_a_profile_is_one_that_capture_can_set_up_and_the_last_needs_no_device()
 {
    for name in board::names() {
        let order = Profile::named(name).expect("valid").decoders.jpeg;
        for element in &order {
            assert!(jpeg_decoder_names().any(|known| known == element), "{name}: {element}");
        }
        assert_eq!(order.last().map(String::as_str), Some("jpegdec"), "{name}");
    }
    let first = |name| Profile::named(name).expect("valid").decoders.jpeg.swap_remove(0);
    for (name, element) in [
        ("rpi3", "v4l2jpegdec"),
        ("rpi5", "jpegdec"),
        ("jetson-orin-nano", "nvv4l2decoder"),
        ("orange-pi-5", "mppjpegdec"),
        ("generic-uvc", "jpegdec"),
    ] {
        assert_eq!(first(name), element, "{name}");
    }
}

#[test]
fn every_converter_named_by_a_profile_is_one_that_capture_can_set_up_and_the_last_needs_no_device()
{
    for name in board::names() {
        let order = Profile::named(name).expect("valid").converters.raw;
        for element in &order {
            assert!(converter_names().any(|known| known == element), "{name}: {element}");
        }
        assert_eq!(order.last().map(String::as_str), Some("videoconvert"), "{name}");
    }
    let first = |name| Profile::named(name).expect("valid").converters.raw.swap_remove(0);
    for (name, element) in [
        ("rpi-zero-2-w", "v4l2convert"),
        ("rpi3", "v4l2convert"),
        ("rpi4", "v4l2convert"),
        ("rpi5", "pispconvert"),
        ("jetson-orin-nano", "nvvidconv"),
        ("jetson-orin-nx", "nvvidconv"),
        ("rock-5b", "rgavideoconvert"),
        ("orange-pi-5", "rgavideoconvert"),
        ("generic-uvc", "videoconvert"),
    ] {
        assert_eq!(first(name), element, "{name}");
    }
    assert_eq!(load(WHOLE).expect("valid").converters.raw, ["videoconvert"]);
    let with = |order: &str| load(&format!("{WHOLE}[converter]\nraw = {order}\n"));
    let order = with("[\"v4l2convert\", \"videoconvert\"]").expect("valid").converters.raw;
    assert_eq!(order, ["v4l2convert", "videoconvert"]);
    let error = with("[]").expect_err("empty").to_string();
    assert!(error.contains("converter.raw: must not be empty"), "{error}");
}

#[test]
fn a_profile_orders_its_jpeg_decoders_and_without_an_order_has_that_of_software() {
    assert_eq!(load(WHOLE).expect("valid").decoders.jpeg, ["jpegdec"]);
    let with = |order: &str| load(&format!("{WHOLE}[decoder]\njpeg = {order}\n"));
    let order = with("[\"mppjpegdec\", \"jpegdec\"]").expect("valid").decoders.jpeg;
    assert_eq!(order, ["mppjpegdec", "jpegdec"]);
    let error = with("[]").expect_err("none").to_string();
    assert!(error.contains("decoder.jpeg: must not be empty"), "{error}");
}

#[test]
fn elements_of_a_profile_may_end_in_jpegs_for_the_decoders_of_the_board() {
    let camera = |formats: &str| {
        let text = format!("\"launch\"\nlaunch = \"souphttpsrc ! multipartdemux\"\n{formats}");
        with("\"test-pattern\"", &text).expect("valid").camera
    };
    let launch = "souphttpsrc ! multipartdemux".to_owned();
    let jpeg = CameraSource::LaunchJpeg { launch: launch.clone() };
    assert_eq!(camera("formats = [\"mjpeg\"]"), jpeg);
    assert!(jpeg.may_deliver_jpeg());
    let decoded = CameraSource::Launch { launch, passthrough: false };
    assert_eq!(camera(""), decoded);
    assert!(!decoded.may_deliver_jpeg());
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
    for (from, to, message) in [
        ("fps = 30", "fsp = 30", "mine.toml:11:1: video.fsp: does not exist; did you mean fps?"),
        ("[encoder]", "[encoders]", "mine.toml:18:2: encoders: does not exist"),
        ("fps = 30", "fps = \"30\"", "mine.toml:11:7: video.fps: must be a whole number from"),
        (
            "fps = 30",
            "fps = 61",
            "mine.toml:11:7: video.fps: is 61, must be a whole number from 1 to 60",
        ),
        ("fps = 30", "fps = -1", "is -1"),
        ("width = 1280", "width = 1281", "mine.toml:9:9: video.width: is 1281, must be an even"),
        ("fps = 30", "", "mine.toml:8:2: video.fps: is missing: a whole number from 1 to 60"),
        ("compatible = [\"test,board\"]", "", "mine.toml:1:1: compatible: is missing"),
        ("compatible = [\"test,board\"]", "compatible = []", "compatible: must not be empty"),
        ("\"tone\"", "\"bell\"", "microphone.source: must be one of tone, silence,"),
        ("\"test-pattern\"", "\"v4l2\"", "mine.toml:4:2: camera.device: is missing"),
        ("source = \"tone\"", "source = \"tone\"\ndevice = \"auto\"", "has no meaning"),
        ("source = \"tone\"", "source = \"alsa\"\ndevice = \"hw:1\"", "by its identifier"),
        ("bitrate_max_kbps = 6000", "bitrate_max_kbps = 2000", "is 2000, must be at least video"),
        ("fps = 30", "fps = 30\nfps = 30", "mine.toml:12:"),
        ("fps = 30", "fps =", "mine.toml:11:"),
        ("\"terminal\"", "\"sysfs\"", "lights.live.led: is missing"),
        ("compatible", "inherit = \"none.toml\"\ncompatible", "mine.toml:2:11: inherit: names"),
    ] {
        let error = with(from, to).expect_err(to).to_string();
        assert!(error.contains(message), "{error}\nshould contain: {message}");
    }
    let chip = "\"cdev\"\nchip = \"gpiochip0\"\nline = 1\nactive_low = true\ndebounce_ms = 9";
    let error = with("\"keys\"", chip).expect_err("a number").to_string();
    assert!(error.starts_with("mine.toml:25:8: button.chip: must be the chip's label"), "{error}");
    assert!(!error.contains('\n'), "one mistake is one line: {error}");
}

#[test]
fn all_mistakes_of_a_profile_and_its_parent_are_reported_each_in_its_own_file() {
    let base =
        WHOLE.replace("fps = 30", "fps = 99").replace("baud", "").replace("[audio]", "[audoi]");
    let child = "inherit = \"base.toml\"\ncompatible = [\"a,b\"]\n[video]\nwidth = 1\n\
                 [encoder]\nvidoe = [\"x264enc\"]\n[console]\nport = \"serial\"\n";
    let error = Profile::load(child, "child", |_| Some(base.clone())).expect_err("many mistakes");
    let expected = "\
child.toml:1:1: description: is missing: one line for people
child.toml:1:1: audio.bitrate_kbps: is missing: a whole number from 32 to 320 (kb/s)
child.toml:1:1: audio.channels: is missing: a whole number from 1 to 2 (channels)
child.toml:4:9: video.width: is 1, must be an even number from 128 to 1920 (pixels)
child.toml:6:1: encoder.vidoe: does not exist; did you mean video?
child.toml:7:2: console.path: is missing: the device nodes of the serial ports
child.toml:7:2: console.baud: is missing: a whole number from 1200 to 4000000 (baud)
base.toml:11:7: video.fps: is 99, must be a whole number from 1 to 60 (frames per second)
base.toml:15:2: audoi: does not exist; did you mean audio?";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn keys_that_do_not_go_together_are_reported_in_the_file_that_brings_them_together() {
    let line = |n: u32| format!("chip = \"pinctrl-test\"\nline = {n}\nactive_low = false\n");
    let base = WHOLE
        .replace("\"terminal\"", "\"cdev\"")
        .replace("bitrate_max_kbps = 6000", "bitrate_max_kbps = 6000 # max")
        + &format!(
            "[lights.live]\n{}pin = 11\n[lights.status]\n{}pin = 15\n[wiring]\nheader = \"J8\"\npins = 40\n\
             ground = [6, 9]\nsupply = 1\n",
            line(17),
            line(22)
        );
    let child = "inherit = \"base.toml\"\ncompatible = [\"a,b\"]\ndescription = \"x\"\n";
    for (own, message) in [
        (
            "[video]\nbitrate_kbps = 7000\n",
            "child.toml:5:16: video.bitrate_kbps: is 7000, must be at most video.bitrate_max_kbps, 6000",
        ),
        (
            "[lights.live]\nline = 22\n",
            "child.toml:5:8: lights.live.line: is the GPIO line that lights.status.line uses already",
        ),
        (
            "[lights.live]\npin = 15\n",
            "child.toml:5:7: lights.live.pin: is pin 15, which lights.status.pin uses already",
        ),
        (
            "[wiring]\nsupply = 9\n",
            "child.toml:5:10: wiring.supply: is pin 9, which wiring.ground uses already",
        ),
        (
            "[wiring]\npins = 12\n",
            "child.toml:5:8: wiring.pins: is 12, but lights.status.pin is pin 15",
        ),
    ] {
        let error = Profile::load(&(child.to_owned() + own), "child", |_| Some(base.clone()));
        let error = error.expect_err(own).to_string();
        assert_eq!(error, message, "{own}");
    }
}

#[test]
fn what_a_parent_that_is_missing_or_broken_may_say_is_not_reported_as_missing() {
    let child = "inherit = \"base.toml\"\ncompatible = [\"a,b\"]\ndescription = \"x\"\n";
    for (parent, message) in [
        (None, "child.toml:1:11: inherit: names base.toml, which does not exist"),
        (Some("[video]\nfps = = 3\n".to_owned()), "base.toml:2:"),
    ] {
        let error = Profile::load(child, "child", |_| parent.clone()).expect_err("no parent");
        let error = error.to_string();
        assert!(error.starts_with(message) && !error.contains("is missing"), "{error}");
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
    let message = "lights.status.line: is the GPIO line that lights.live.line uses already";
    assert!(error.contains(message), "{error}");
    let button = format!("\"cdev\"\n{}debounce_ms = 30", line(17));
    let error = load(&lights(17, 22).replace("\"keys\"", &button)).expect_err("shared");
    assert!(error.to_string().contains(": button.line: is the GPIO line"), "{error}");
}

#[test]
fn a_line_is_found_by_its_name_or_by_its_place() {
    let button = |line: &str| {
        let text = format!("\"cdev\"\n{line}\nactive_low = true\ndebounce_ms = 30");
        load(&WHOLE.replace("\"keys\"", &text)).map(|profile| profile.button)
    };
    let place = Place { chip: "pinctrl-test".to_owned(), line: 27 };
    for (text, line_name, place) in [
        ("line_name = \"GPIO27\"", Some("GPIO27"), None),
        ("chip = \"pinctrl-test\"\nline = 27", None, Some(place.clone())),
        ("line_name = \"GPIO27\"\nchip = \"pinctrl-test\"\nline = 27", Some("GPIO27"), Some(place)),
    ] {
        let line =
            Line { line_name: line_name.map(str::to_owned), place, active_low: true, pin: None };
        let whole = Button::Cdev { line, debounce_ms: 30, pull: None, reset: None };
        assert_eq!(button(text), Ok(whole), "{text}");
    }
    let message = |text| button(text).expect_err(text).to_string();
    assert!(
        message("").contains("button.chip: is missing: the label of the GPIO chip, or a line_name")
    );
    assert!(message("line_name = \"GPIO27\"\nline = 27").contains("button.chip: is missing"));
}

#[test]
fn a_board_may_have_one_light_or_none() {
    let single = "[lights.single]\nled = \"ACT\"\n";
    let one = load(&(WHOLE.replace("\"terminal\"", "\"sysfs\"") + single)).expect("valid");
    let led = Led { led: "ACT".to_owned() };
    assert_eq!(one.lights, Lights::Sysfs(Fitted::One { single: led }));
    let none = with("\"terminal\"", "\"none\"").expect("valid");
    assert_eq!(none.lights, Lights::None);
    let three = single.to_owned() + "[lights.live]\nled = \"red\"\n";
    let error = load(&(WHOLE.replace("\"terminal\"", "\"sysfs\"") + &three)).expect_err("three");
    assert!(error.to_string().contains("lights.live.led: has no meaning"), "{error}");
}

#[test]
fn a_board_with_two_lights_may_inherit_from_one_with_a_single_one_and_the_other_way_round() {
    let kernel = WHOLE.replace("\"terminal\"", "\"sysfs\"");
    let single = "[lights.single]\nled = \"ACT\"\n";
    let two = "[lights.live]\nled = \"red\"\n[lights.status]\nled = \"green\"\n";
    let child = "inherit = \"base.toml\"\ncompatible = [\"a,b\"]\ndescription = \"x\"\n";
    for (base, own, is_two) in [(single, two, true), (two, single, false)] {
        let base = kernel.clone() + base;
        let profile = Profile::load(&(child.to_owned() + own), "child", |_| Some(base.clone()));
        let lights = profile.expect("valid").lights;
        assert_eq!(matches!(lights, Lights::Sysfs(Fitted::Two { .. })), is_two, "{lights:?}");
    }
}

#[test]
fn a_recessed_reset_button_is_a_line_or_a_key_next_to_the_button() {
    let cdev = "\"cdev\"\nline_name = \"A\"\nactive_low = true\ndebounce_ms = 30\npull = \"up\"\n\
                [button.reset]\nline_name = \"B\"\nactive_low = false";
    let Button::Cdev { pull, reset, .. } = with("\"keys\"", cdev).expect("valid").button else {
        panic!("lines")
    };
    assert_eq!(pull, Some(Pull::Up));
    assert_eq!(reset.and_then(|line| line.line_name), Some("B".to_owned()));

    let key = |device: &str, code| Key { device: device.into(), code };
    let input = "\"input\"\ndevice = \"/dev/input/event0\"\ncode = 167\n[button.reset]\ncode = 408";
    let Button::Input { key: go_live, reset } = with("\"keys\"", input).expect("valid").button
    else {
        panic!("keys")
    };
    assert_eq!(go_live, key("/dev/input/event0", 167));
    assert_eq!(reset, Some(key("/dev/input/event0", 408)), "by default of the same device");

    for (text, message) in [
        (cdev.replace("\"B\"", "\"A\""), "button.reset.line_name: is the GPIO line that"),
        (
            input.replace("408", "167"),
            "button.reset.code: is the key that button.code uses already",
        ),
        (cdev.replace("\"up\"", "\"sideways\""), "button.pull: must be one of up, down, none"),
        ("\"keys\"\n[button.reset]\ncode = 1".to_owned(), "button.reset.code: has no meaning"),
    ] {
        let error = with("\"keys\"", &text).expect_err(message).to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn a_board_has_a_display_where_its_profile_says_so_and_no_other() {
    assert_eq!(load(WHOLE).expect("valid").display, None);
    for name in board::names() {
        assert_eq!(Profile::named(name).expect("valid").display, None, "{name}");
    }
    let with = |lines: &str| load(&format!("{WHOLE}[display]\n{lines}\n"));
    let least = with("chip = \"ssd1306\"\nbus = \"/dev/i2c-1\"").expect("valid").display;
    let expected = Display {
        chip: Chip::Ssd1306,
        bus: Bus::Node("/dev/i2c-1".into()),
        address: 0x3c,
        upside_down: false,
        brightness_percent: 50,
        manual: None,
    };
    assert_eq!(least.as_ref(), Some(&expected));
    let all = with(
        "chip = \"sh1106\"\nbus = \"name:c250000.i2c\"\naddress = 0x3d\nupside_down = true\n\
         brightness_percent = 100\nmanual = \"https://example.org/box\"",
    );
    let expected = Display {
        chip: Chip::Sh1106,
        bus: Bus::Name("c250000.i2c".to_owned()),
        address: 0x3d,
        upside_down: true,
        brightness_percent: 100,
        manual: Some("https://example.org/box".to_owned()),
    };
    assert_eq!(all.as_ref().expect("valid").display.as_ref(), Some(&expected));
    let shown = serde_json::to_value(all.expect("valid")).expect("JSON");
    assert_eq!(shown["display"]["chip"], "sh1106");
    assert_eq!(shown["display"]["bus"], "name:c250000.i2c");
}

#[test]
fn an_inherited_display_can_be_taken_away() {
    let parent = format!("{WHOLE}[display]\nchip = \"ssd1306\"\nbus = \"/dev/i2c-1\"\n");
    let child = "inherit = \"p.toml\"\ncompatible = [\"a,b\"]\ndescription = \"c\"\n[display]\n";
    let load = |lines: &str| {
        let child = format!("{child}{lines}\n");
        Profile::load(&child, "child", |_| Some(parent.clone()))
    };
    let other = load("chip = \"sh1106\"").expect("valid").display.expect("a display");
    assert_eq!((other.chip, other.bus), (Chip::Sh1106, Bus::Node("/dev/i2c-1".into())));
    assert_eq!(load("chip = \"none\"").expect("valid").display, None);
}

#[test]
fn a_mistake_in_a_display_is_answered_with_its_place_and_what_is_meant() {
    let least = "chip = \"ssd1306\"\nbus = \"/dev/i2c-1\"\n";
    let long = format!("manual = \"https://example.org/{}\"", "a".repeat(40));
    for (lines, message) in [
        (
            "bus = \"/dev/i2c-1\"".to_owned(),
            "display.chip: is missing: one of ssd1306, sh1106, none",
        ),
        ("chip = \"ssd1306\"".to_owned(), "display.bus: is missing: the I²C bus"),
        ("chip = \"ssd1305\"".to_owned(), ":28:8: display.chip: must be one of ssd1306"),
        (
            "chip = \"ssd1306\"\nbus = \"i2c-1\"".to_owned(),
            ":29:7: display.bus: must be a node such",
        ),
        (format!("{least}address = 0x78"), "display.address: is 0x78, must be 0x3c or 0x3d (0x78"),
        (format!("{least}address = 256"), "display.address: is 256, must be a whole number"),
        (format!("{least}brightness_percent = 0"), "is 0, must be a whole number from 1 to 100"),
        (format!("{least}{long}"), "display.manual: must be at most 53 ASCII letters"),
        (format!("{least}manual = \"a b\""), "display.manual: must be at most 53 ASCII letters"),
        ("chip = \"none\"\nupside_down = true".to_owned(), "display.upside_down: has no meaning"),
    ] {
        let error = load(&format!("{WHOLE}[display]\n{lines}\n")).expect_err(&lines).to_string();
        assert!(error.contains(message), "{error}\nshould contain: {message}");
    }
}

#[test]
fn a_console_has_one_port_or_a_few() {
    let port = |path: &str| {
        let text = format!("\"serial\"\npath = {path}\nbaud = 115200");
        with("\"stdio\"", &text).map(|profile| profile.console)
    };
    let serial = |paths: &[&str]| {
        let paths = paths.iter().map(Into::into).collect();
        Ok(Console::Serial { paths, baud: 115_200 })
    };
    assert_eq!(port("\"/dev/ttyGS0\""), serial(&["/dev/ttyGS0"]));
    assert_eq!(port("[\"/dev/ttyGS0\", \"/dev/ttyS0\"]"), serial(&["/dev/ttyGS0", "/dev/ttyS0"]));
    let five = "[\"/a\", \"/b\", \"/c\", \"/d\", \"/e\"]";
    assert!(port(five).expect_err("many").to_string().contains("must not have more than 4 ports"));
    assert!(port("[]").expect_err("none").to_string().contains("console.path: must not be empty"));
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
    assert_eq!(
        profile.camera,
        CameraSource::Launch { launch: "libcamerasrc".to_owned(), passthrough: false }
    );
    assert_eq!(profile.microphone, MicrophoneSource::Tone);
}

#[test]
fn a_mistake_in_an_inherited_file_names_that_file() {
    let base = WHOLE.replace("fps = 30", "fps = 99");
    let child = "inherit = \"base.toml\"\ncompatible = [\"a,b\"]\ndescription = \"x\"\n";
    let error = Profile::load(child, "child", |_| Some(base.clone())).expect_err("bad base");
    assert!(error.to_string().starts_with("base.toml:11:7: video.fps: is 99"), "{error}");
}

#[test]
fn what_a_machine_is_compatible_with_is_never_inherited() {
    let child = "inherit = \"base.toml\"\ndescription = \"x\"\n";
    let error = Profile::load(child, "child", |_| Some(WHOLE.to_owned())).expect_err("missing");
    assert!(error.to_string().contains("compatible: is missing"), "{error}");
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
    let error = Profile::load(&text(0), "0", resolver).expect_err("no end").to_string();
    assert!(error.contains("inherit: goes round in a circle: 0.toml → 1.toml"), "{error}");
}

#[test]
fn an_unknown_name_is_answered_with_the_known_ones() {
    let error = Profile::named("rpi6").expect_err("unknown").to_string();
    assert!(error.contains("`rpi6`") && error.contains("sim") && error.contains("rpi4"), "{error}");
    assert!(Profile::named("sim.toml").is_ok());
}

/// `FIRSTMILE_BLESS=1` writes the drawings again; read the difference before you commit it.
#[test]
fn the_wiring_of_each_board_is_as_reviewed() {
    for name in board::names() {
        let profile = Profile::named(name).expect("valid");
        let text = profile.wiring_text();
        generated::file(&format!("tests/wiring/{name}.txt"), &text);
        for (table, line) in profile.lines() {
            let pin = line.pin.map(|pin| format!("pin {pin}"));
            assert!(profile.wiring.is_none() || pin.is_some_and(|p| text.contains(&p)), "{table}");
        }
    }
}

#[test]
fn what_the_service_needs_for_a_board_is_in_the_package() {
    for name in board::names() {
        if let Some(file) = Profile::named(name).expect("valid").setup.service {
            assert!(Path::new("systemd/boards").join(&file).exists(), "{name}: {file}");
        }
    }
}

#[test]
fn a_board_with_one_light_of_the_kernel_is_one_file_and_no_rust() {
    let readme = fs::read_to_string("board/README.md").expect("the file");
    let (_, rest) = readme.split_once("```toml\n").expect("an example");
    let (example, _) = rest.split_once("```").expect("its end");
    let folder = std::env::temp_dir().join(format!("firstmile-board-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("writable");
    fs::write(folder.join("acme.toml"), example).expect("writable");
    let firstmile = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_firstmile"));
        let output = command.args(arguments).current_dir(&folder).output().expect("runs");
        let shown = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&shown).into_owned())
    };
    let (code, wiring) = firstmile(&["board", "wiring", "--board", "acme.toml"]);
    assert!(code == Some(0) && wiring.contains("light: the kernel's `acme:red:live`"), "{wiring}");
    let (code, shown) = firstmile(&["board", "show", "--board", "./acme.toml"]);
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!((code, &shown["console"]["baud"]), (Some(0), &115_200.into()));
    let (code, checked) = firstmile(&["board", "check", "--board", "acme.toml"]);
    assert_eq!(code, Some(4), "{checked}");
    let failed = |what: &str| checked.lines().any(|l| l.starts_with("FAIL") && l.contains(what));
    assert!(failed("lights") && failed("button") && failed("console"), "{checked}");
    fs::remove_dir_all(&folder).expect("ours");
}

#[test]
fn a_profile_is_shown_whole_with_what_it_inherits() {
    let show = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_firstmile"));
        let output = command.args(["board", "show"]).args(arguments).output().expect("runs");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), serde_json::from_slice::<serde_json::Value>(&output.stdout), errors)
    };
    for name in board::names() {
        let (code, shown, errors) = show(&[name]);
        let shown = shown.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((code, errors.as_str()), (Some(0), ""), "{name}");
        let profile = Profile::named(name).expect("valid");
        assert_eq!(shown, serde_json::to_value(&profile).expect("JSON"), "{name}");
        assert_eq!(shown["name"], name);
        // Every table that a profile must have is there, its own or another one's.
        for table in ["camera", "microphone", "video", "audio", "lights", "button", "console"] {
            assert!(shown[table].is_object(), "{name}: {table}");
        }
        assert!(!shown["encoders"]["video"].as_array().expect("a list").is_empty(), "{name}");
        assert_eq!(show(&["--board", name]).1.ok().as_ref(), Some(&shown), "{name}");
    }
    let (_, rpi4, _) = show(&["rpi4"]);
    let rpi4 = rpi4.expect("JSON");
    assert_eq!(rpi4["lights"]["live"]["line_name"], "GPIO17");
    assert_eq!(rpi4["lights"]["live"]["pin"], 11);
    assert_eq!(rpi4["video"]["bitrate_kbps"], 4_000);
    assert_eq!(rpi4["encoders"]["video"][0], "v4l2h264enc");
    assert_eq!(rpi4["console"]["baud"], 115_200);
    // What rpi3 says itself is shown of it, and all else is that of rpi4.
    let text = board::embedded("rpi3").expect("a profile");
    assert!(text.contains("inherit = \"rpi4.toml\"") && !text.contains("line_name"), "{text}");
    let (_, rpi3, _) = show(&["rpi3"]);
    let rpi3 = rpi3.expect("JSON");
    assert_eq!(rpi3["lights"]["live"]["chip"], "pinctrl-bcm2835");
    assert_eq!(rpi3["video"]["bitrate_kbps"], 3_000);
    assert_eq!(rpi3["video"]["fps"], rpi4["video"]["fps"]);
    for key in ["line_name", "line", "pin"] {
        assert_eq!(rpi3["lights"]["live"][key], rpi4["lights"]["live"][key], "{key}");
    }
    for table in ["camera", "microphone", "audio", "encoders", "wiring"] {
        assert_eq!(rpi3[table], rpi4[table], "{table}");
    }
    // None is shown in place of one that does not exist, or of one of two.
    let (code, shown, errors) = show(&["rpi44"]);
    assert!(code == Some(3) && shown.is_err() && errors.contains("rpi4"), "{code:?} {errors}");
    let (code, shown, _) = show(&["rpi4", "--board", "rpi3"]);
    assert!(code == Some(2) && shown.is_err());
}

#[test]
fn a_simulated_board_has_everything_that_its_profile_names() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firstmile"));
    let output = command.args(["board", "check", "--board", "sim", "--json"]).output();
    let output = output.expect("runs");
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(output.status.success(), "{found}");
    let findings = found["findings"].as_array().expect("findings");
    let what: Vec<_> = findings.iter().filter_map(|finding| finding["what"].as_str()).collect();
    assert_eq!(what, ["camera", "microphone", "H.264 encoder", "AAC encoder", "scheduling"]);
}

#[test]
fn the_list_of_boards_marks_one_for_this_machine() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firstmile"));
    let listed = command.args(["board", "list"]).output().expect("runs").stdout;
    let listed = String::from_utf8_lossy(&listed).into_owned();
    assert_eq!(listed.lines().filter(|line| line.starts_with("* ")).count(), 2, "{listed}");
    for name in board::names() {
        assert!(listed.contains(&format!(" {name} ")), "{name}: {listed}");
    }
}
