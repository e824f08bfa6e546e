//! Cameras and microphones at USB, driven by the kernel's drivers for all of their kind.
//!
//! With: `uvcvideo`, `snd-usb-audio` and `vhci-hcd`, USB devices of the rig's own.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::rig::server::Server;
use crate::rig::usb::UsbDevice;
use crate::rig::usb::camera::Transfer;
use crate::rig::usb::microphone::TONE_HZ;
use crate::rig::usb::numbered::{self, Shown, fresh, stands_at_end, stretches};
use crate::rig::usb::tone::{self, silences};
use crate::rig::{Board, PATIENCE, Scenario, ready_or_skip};
use crate::support::eventually;
use crate::support::probe::level_db;

/// From the pull to the slate or to silence, and from the plug to what the device delivers.
const LOST_WITHIN: Duration = Duration::from_secs(1);
const BACK_WITHIN: Duration = Duration::from_secs(5);
/// Of so many one may be later: an emulated machine stands still at times.
const ONE_LATE_OF: usize = 5;
/// Frames that make a stretch, and pieces of audio that make a silence.
const FRAMES_LEAST: usize = 8;
const PIECES_LEAST: usize = 4;
const FPS: usize = 15;
/// Of so many frames one at least is another one than the one before it: an overloaded machine repeats them.
const FRESH_ONE_OF: usize = 4;
/// Colours go through the camera's format, the box, and the encoder at a low bitrate.
const COLOURS_OFF_MAX: u8 = 12;
/// A frame that is lost each time is 86 KB.
const GROWTH_MAX_KB: u64 = 8 * 1024;
const DESCRIPTORS_MORE_MAX: u64 = 2;

/// How often a device is pulled out.
fn pulls() -> usize {
    env::var("FIRSTMILE_BOARD_PULLS").ok().and_then(|n| n.parse().ok()).unwrap_or(5)
}

/// A board that is live from these devices, the first at the first port, with these settings. In them `#0` is the first
/// port's name.
fn live_from(devices: &[&UsbDevice], settings: &[&str]) -> Option<(Scenario, Server, Board)> {
    let ready = ready_or_skip()?;
    let server = Server::start();
    let mut board = Board::fresh(&ready);
    board.has_usb_ports();
    for (device, port) in devices.iter().zip(0..) {
        board.plug_in(device, port);
    }
    board.provision(&server);
    for setting in settings {
        set(&mut board, setting);
    }
    board.until_status("camera and microphone present", |output| {
        output.contains("camera       present") && output.contains("microphone   present")
    });
    board.goes_live();
    server.receives(40_000);
    Some((ready, server, board))
}

#[track_caller]
fn set(board: &mut Board, setting: &str) {
    let mut setting = setting.to_owned();
    for port in 0..2 {
        let mark = format!("#{port}");
        if setting.contains(&mark) {
            setting = setting.replace(&mark, &board.usb_port(port));
        }
    }
    let answer = board.asks(&format!("set {setting}"));
    assert!(answer.contains(" is set"), "{setting}: {answer}");
}

/// Ends the broadcast, and gives the file of the only one that the server has received.
#[track_caller]
fn only_recording(board: &mut Board, server: &Server) -> PathBuf {
    let status = board.until("live");
    assert!(!status.contains("reconnect"), "{status}");
    board.stops();
    let stream = server.only_stream();
    println!(
        "board: largest gaps {:.0} ms of video, {:.0} ms of audio",
        stream.largest_video_gap_ms, stream.largest_audio_gap_ms
    );
    server.nginx.recorded().pop().expect("a recording")
}

/// What was recorded of the first camera, in stretches.
#[track_caller]
fn of_first_camera(file: &Path) -> Vec<Vec<Shown>> {
    stretches(&numbered::shown(file), 0, FRAMES_LEAST)
}

/// A stretch goes on: none of its frames is older than the one before it, and enough of them are others.
#[track_caller]
fn assert_fresh(stretch: &[Shown]) {
    let fresh = fresh(stretch);
    assert!(
        (fresh + 1) * FRESH_ONE_OF >= stretch.len(),
        "{fresh} of {} frames are fresh",
        stretch.len()
    );
}

#[track_caller]
fn assert_colours(stretch: &[Shown]) {
    let mut off: Vec<u8> = stretch.iter().map(|shown| shown.off).collect();
    off.sort_unstable();
    let (middle, most) = (off[off.len() / 2], off[off.len() - 1]);
    println!("board: colours differ by {middle} of 255 mostly, {most} at most");
    assert!(middle <= COLOURS_OFF_MAX, "colours differ by {middle}");
}

/// There was silence so often at least, and the tone at the end. An overloaded machine loses audio besides.
#[track_caller]
fn assert_silent_and_back(file: &Path, times: usize) {
    let heard = tone::heard(file);
    let silences = silences(&heard, PIECES_LEAST);
    println!("board: {silences} silences, {times} of them meant");
    assert!(silences >= times, "{silences} silences");
    let end = &heard[heard.len().saturating_sub(20)..];
    assert!(end.contains(&true), "no audio at the end");
}

/// Nearly all of these are within a bound.
#[track_caller]
fn assert_within(what: &str, times: &[Duration], bound: Duration) {
    let late = times.iter().filter(|time| **time > bound).count();
    let longest = times.iter().max().expect("some");
    println!("board: {what} {longest:?} at most, {late} of {} later than {bound:?}", times.len());
    assert!(late * ONE_LATE_OF <= times.len(), "{what}: {times:?}");
}

/// File descriptors and resident memory (KB) of the box's process.
fn held(board: &mut Board, process: &str) -> (u64, u64) {
    let text = board.sh(&format!(
        "ls /proc/{process}/fd | wc -l; sed -n 's/^VmRSS:[^0-9]*\\([0-9]*\\).*/\\1/p' /proc/{process}/status"
    ));
    let mut numbers = text.split_whitespace().map(|word| word.parse().expect("a number"));
    (numbers.next().expect("descriptors"), numbers.next().expect("memory"))
}

/// Pulls a device out of the first port and plugs it in there, again and again: each time what replaces it is soon there, and
/// it is soon back; the box keeps its process, and needs no more than before.
fn pulled_again_and_again(board: &mut Board, server: &Server, device: &UsbDevice, word: &str) {
    let process = board.main_process();
    let (mut lost, mut back, mut before) = (Vec::new(), Vec::new(), None);
    for n in 1..=pulls() {
        let pulled = board.now();
        device.pull();
        lost.push(board.until_logged(&format!("{word}: lost"), pulled) - pulled);
        server.receives(10_000);
        let plugged = board.plug_in(device, 0);
        back.push(board.until_logged(&format!("{word}: back"), plugged) - plugged);
        server.receives(60_000);
        // What is made once is there by then.
        if n == 2 {
            before = Some(held(board, &process));
        }
    }
    let after = held(board, &process);
    println!("board: descriptors and KB in memory: {before:?}, then {after:?}");
    assert_within("lost after", &lost, LOST_WITHIN);
    assert_within("back after", &back, BACK_WITHIN);
    assert_eq!(board.main_process(), process);
    if let Some(before) = before {
        assert!(after.0 <= before.0 + DESCRIPTORS_MORE_MAX, "descriptors: {before:?} {after:?}");
        assert!(after.1 <= before.1 + GROWTH_MAX_KB, "memory: {before:?} {after:?}");
    }
}

const MJPEG: &str = "camera.mode 320x180@15 mjpeg";

#[test]
fn a_usb_camera_of_mjpeg_and_a_usb_microphone_are_live_with_fresh_frames_right_colours_and_the_tone()
 {
    let (camera, microphone) = (UsbDevice::camera(Transfer::Bulk), UsbDevice::microphone());
    let settings = ["camera.device usb:#0", MJPEG, "microphone.device usb:#1"];
    let Some((_ready, server, mut board)) = live_from(&[&camera, &microphone], &settings) else {
        return;
    };
    server.receives(60_000);
    let file = only_recording(&mut board, &server);
    let seen = of_first_camera(&file);
    assert_eq!(seen.len(), 1, "{} stretches", seen.len());
    assert_fresh(&seen[0]);
    assert_colours(&seen[0]);
    for channel in 0..2 {
        let level = level_db(&file, channel, TONE_HZ);
        assert!(level > -25.0, "channel {channel} has its tone at {level} dB");
    }
    assert_eq!(silences(&tone::heard(&file), PIECES_LEAST), 0);
}

// Shows F24.
#[test]
fn a_usb_camera_that_is_pulled_out_again_and_again_is_back_each_time_in_the_same_broadcast() {
    let camera = UsbDevice::camera(Transfer::Bulk);
    let Some((_ready, server, mut board)) = live_from(&[&camera], &["camera.device usb:#0", MJPEG])
    else {
        return;
    };
    pulled_again_and_again(&mut board, &server, &camera, "camera");
    let file = only_recording(&mut board, &server);
    let seen = of_first_camera(&file);
    assert_eq!(seen.len(), pulls() + 1, "stretches of the camera's frames");
    seen.iter().for_each(|stretch| assert_fresh(stretch));
    let stood = seen[..pulls()].iter().map(|stretch| stands_at_end(stretch));
    let stood: Vec<Duration> =
        stood.map(|frames| Duration::from_secs(1) * frames as u32 / FPS as u32).collect();
    assert_within("the last frame stood for", &stood, LOST_WITHIN);
}

// Shows F26.
#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_usb_microphone_that_is_pulled_out_again_and_again_is_back_each_time_in_the_same_broadcast() {
    let microphone = UsbDevice::microphone();
    let Some((_ready, server, mut board)) =
        live_from(&[&microphone], &["microphone.device usb:#0"])
    else {
        return;
    };
    pulled_again_and_again(&mut board, &server, &microphone, "microphone");
    let file = only_recording(&mut board, &server);
    assert_silent_and_back(&file, pulls());
    let level = level_db(&file, 0, TONE_HZ);
    assert!(level > -35.0, "its tone is at {level} dB");
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_webcam_takes_its_audio_with_it_and_brings_both_back_at_another_port() {
    let webcam = UsbDevice::camera_with_microphone();
    let by_id = "camera.device /dev/v4l/by-id/usb-Firstmile_Test_Webcam_4711-video-index0";
    let settings = [by_id, MJPEG, "microphone.device Test Webcam"];
    let Some((_ready, server, mut board)) = live_from(&[&webcam], &settings) else { return };
    let pulled = board.now();
    webcam.pull();
    board.until_logged("camera: lost", pulled);
    board.until_logged("microphone: lost", pulled);
    server.receives(20_000);
    let plugged = board.plug_in(&webcam, 3);
    board.until_logged("camera: back", plugged);
    board.until_logged("microphone: back", plugged);
    server.receives(40_000);
    let file = only_recording(&mut board, &server);
    let seen = of_first_camera(&file);
    assert_eq!(seen.len(), 2, "stretches of the camera's frames");
    seen.iter().for_each(|stretch| assert_fresh(stretch));
    assert_silent_and_back(&file, 1);
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn of_two_equal_cameras_the_one_at_the_port_that_is_set_is_on_air_and_never_the_other() {
    let first = UsbDevice::camera(Transfer::Bulk);
    let second = UsbDevice::second_camera(Transfer::Bulk);
    let settings = ["camera.device usb:#0", MJPEG];
    let Some((_ready, server, mut board)) = live_from(&[&first, &second], &settings) else {
        return;
    };
    // What is not there is answered with those that are, and the one on air stays.
    let choices = board.asks("set camera.device nobody");
    for port in 0..2 {
        let port = format!("usb:{} (Test Camera", board.usb_port(port));
        assert!(choices.contains(&port), "no {port}: {choices}");
    }
    set(&mut board, "camera.device usb:#1");
    server.receives(40_000);
    let pulled = board.now();
    second.pull();
    board.until_logged("camera: lost", pulled);
    server.receives(20_000);
    let plugged = board.plug_in(&second, 1);
    board.until_logged("camera: back", plugged);
    server.receives(40_000);
    let file = only_recording(&mut board, &server);
    let frames = numbered::shown(&file);
    let (of_first, of_second) =
        (stretches(&frames, 0, FRAMES_LEAST), stretches(&frames, 1, FRAMES_LEAST));
    assert_eq!((of_first.len(), of_second.len()), (1, 2), "stretches of each camera's frames");
    let is_of =
        |camera: usize| move |frame: &Option<Shown>| frame.is_some_and(|s| s.camera == camera);
    let exchanged = frames.iter().position(is_of(1)).expect("the second camera");
    assert!(!frames[exchanged..].iter().any(is_of(0)), "the first camera came back by itself");
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_camera_of_isochronous_raw_frames_is_live_at_rates_that_are_no_whole_number() {
    let camera = UsbDevice::camera(Transfer::Isochronous);
    let settings = ["camera.device usb:#0", "camera.mode 320x180@7.5 yuyv"];
    let Some((_ready, server, mut board)) = live_from(&[&camera], &settings) else { return };
    server.receives(40_000);
    set(&mut board, "camera.mode 320x180@29.97 mjpeg");
    server.receives(60_000);
    assert!(board.journal().contains("MJPEG 320x180 at 29.97"), "{}", board.journal());
    assert!(board.journal().contains("YUY2 320x180 at 7.50"), "{}", board.journal());
    let file = only_recording(&mut board, &server);
    let seen = of_first_camera(&file);
    let (slow, fast) = (seen.first().expect("frames"), seen.last().expect("frames"));
    assert_fresh(slow);
    assert_fresh(fast);
    assert_colours(slow);
    assert_colours(fast);
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn of_corrupt_jpegs_none_is_on_air_and_the_one_before_is_shown_again() {
    let camera = UsbDevice::camera(Transfer::Bulk);
    camera.faults(|faults| faults.corrupt_every = 5);
    let Some((_ready, server, mut board)) = live_from(&[&camera], &["camera.device usb:#0", MJPEG])
    else {
        return;
    };
    server.receives(60_000);
    board.until_status("corrupt frames counted", |output| {
        output.contains("corrupt from the camera")
    });
    let file = only_recording(&mut board, &server);
    let frames = numbered::shown(&file);
    let others = frames.iter().skip_while(|frame| frame.is_none()).filter(|frame| frame.is_none());
    assert_eq!(others.count(), 0, "frames that are not whole, of {}", frames.len());
    assert_fresh(&of_first_camera(&file)[0]);
}

/// A camera that is there and delivers nothing is replaced by the slate, and is back when it delivers.
fn stops_delivering_and_delivers_again(begin: impl Fn(&UsbDevice), end: impl Fn(&UsbDevice)) {
    let camera = UsbDevice::camera(Transfer::Bulk);
    let Some((_ready, server, mut board)) = live_from(&[&camera], &["camera.device usb:#0", MJPEG])
    else {
        return;
    };
    let then = board.now();
    begin(&camera);
    let lost = board.until_logged("camera: lost", then) - then;
    server.receives(20_000);
    let then = board.now();
    end(&camera);
    let back = board.until_logged("camera: back", then) - then;
    println!("board: lost after {lost:?}, back after {back:?}");
    server.receives(40_000);
    let file = only_recording(&mut board, &server);
    let seen = of_first_camera(&file);
    assert_eq!(seen.len(), 2, "stretches of the camera's frames");
    assert_fresh(&seen[1]);
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_usb_camera_whose_endpoint_falls_silent_is_replaced_and_back_when_it_delivers() {
    stops_delivering_and_delivers_again(
        |camera| camera.faults(|faults| faults.is_silent = true),
        |camera| camera.faults(|faults| faults.is_silent = false),
    );
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_usb_camera_whose_transfers_fail_is_replaced_and_back_when_they_succeed() {
    stops_delivering_and_delivers_again(
        |camera| camera.faults(|faults| faults.fails = true),
        |camera| camera.faults(|faults| faults.fails = false),
    );
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn controls_of_a_usb_camera_and_a_usb_microphone_reach_them_and_are_restored_after_a_replug() {
    let (camera, microphone) = (UsbDevice::camera(Transfer::Bulk), UsbDevice::microphone());
    let settings = ["camera.device usb:#0", MJPEG, "microphone.device usb:#1"];
    let Some((_ready, server, mut board)) = live_from(&[&camera, &microphone], &settings) else {
        return;
    };
    let value = |name: &str| camera.of_camera(|camera| camera.value(name));
    for (name, set) in [("brightness", 40), ("contrast", 80)] {
        let answer = board.asks(&format!("camera set {name} {set}"));
        assert!(answer.contains(&format!("is {set}, and stored for ")), "{answer}");
        assert_eq!(value(name), set, "{name}");
    }
    let refused = board.asks("camera set brightness 65");
    assert!(refused.contains("must be a whole number from -64 to 64"), "{refused}");

    let listed = board.asks("microphone controls");
    let control = |end: &str| {
        let mut words = listed.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let name = words.find(|word| word.ends_with(end));
        name.unwrap_or_else(|| panic!("no {end}: {listed}")).to_owned()
    };
    let (volume, switch) = (control("capture_volume"), control("capture_switch"));
    let answer = board.asks(&format!("microphone set {volume} 14"));
    assert!(answer.contains("is 14, and stored for "), "{answer}");
    // From -20 dB on, in whole decibels.
    assert_eq!(microphone.of_microphone(|microphone| microphone.volume_db()), -6.0);
    board.asks(&format!("microphone set {switch} false"));
    assert!(microphone.of_microphone(|microphone| microphone.is_mute()));
    server.receives(60_000);
    board.asks(&format!("microphone set {switch} true"));
    assert!(!microphone.of_microphone(|microphone| microphone.is_mute()));
    server.receives(60_000);

    let pulled = board.now();
    camera.pull();
    microphone.pull();
    board.until_logged("camera: lost", pulled);
    board.until_logged("microphone: lost", pulled);
    board.plug_in(&camera, 0);
    let plugged = board.plug_in(&microphone, 1);
    // They begin as they were made.
    let restored = eventually(PATIENCE, || {
        let volume = microphone.of_microphone(|microphone| microphone.volume_db());
        (value("brightness") == 40 && value("contrast") == 80 && volume == -6.0).then_some(())
    });
    assert!(restored.is_some(), "they have no controls again: {}", board.journal());
    board.until_logged("microphone: back", plugged);
    server.receives(40_000);

    board.asks("camera reset brightness");
    assert_eq!(value("brightness"), 0);
    let file = only_recording(&mut board, &server);
    // Once mute, once gone.
    assert_silent_and_back(&file, 2);
}
