//! Camera and microphone that are set while others are lost, opened or absent.

use std::time::Duration;

use firstmile::appliance::{Presence, Source};
use firstmile::console::{ClientId, Reply};
use firstmile::control::PublishReport;
use firstmile::selection::Exchanged;
use firstmile::status::Mode;

use crate::rig::{Before, Rig};

const READY: &str =
    "[[destination]]\nname = \"a\"\nurl = \"rtmps://a.example/live\"\nkey = \"canary-k3y\"\n";
const SOON: Duration = Duration::from_millis(200);
const PRESS: Duration = Duration::from_millis(150);

fn started(settings: &str) -> Rig {
    Rig::started(&Before { stored: format!("{settings}{READY}"), ..Before::default() })
}

fn answer(rig: &mut Rig, request: &str) -> String {
    rig.answers.clear();
    rig.asks(1, request, None);
    rig.advance(Duration::from_secs(1));
    let replies = rig.answers.get(&ClientId(1)).cloned().unwrap_or_default();
    replies.iter().flat_map(Reply::render_text).collect()
}

fn goes_live(rig: &mut Rig) {
    rig.press_for(PRESS);
    rig.advance(SOON);
    rig.first_key();
    rig.reports("a", PublishReport::Accepted);
    rig.advance(SOON);
    assert_eq!(rig.control.mode(), Mode::Live);
}

#[test]
fn a_camera_that_is_set_in_place_of_one_lost_in_standby_can_be_live() {
    let mut rig = started("[box]\nstandby = true\n");
    rig.advance(SOON);
    assert!(rig.in_standby && rig.run.is_some());
    rig.source_is(Source::Camera, Presence::Lost);
    assert_eq!(rig.control.mode(), Mode::NotReady);
    let text = answer(&mut rig, "set camera.device usb:1-2");
    assert_eq!(text, "camera.device is set; it delivers");
    assert_eq!(rig.control.mode(), Mode::Ready);
    goes_live(&mut rig);
}

#[test]
fn a_camera_that_a_stick_sets_in_place_of_a_failed_one_is_ready() {
    let mut rig = started("");
    rig.cannot_open =
        Some((firstmile::appliance::PipelineFault::Camera, "it is broken".to_owned()));
    let text = answer(&mut rig, "levels");
    assert!(text.contains("it is broken"), "{text}");
    assert_ne!(rig.control.mode(), Mode::Ready);
    rig.cannot_open = None;
    rig.imports("[camera]\ndevice = \"usb:1-2\"\n");
    answer(&mut rig, "reload");
    assert_eq!(rig.control.mode(), Mode::Ready);
}

#[test]
fn a_camera_that_is_not_there_does_not_deliver_although_the_box_may_start_without() {
    let mut rig = started("[box]\nstandby = true\nstart_without_camera = true\n");
    rig.advance(SOON);
    rig.no_camera = Some("no camera matches".to_owned());
    let text = answer(&mut rig, "set camera.device usb:1-2");
    let expected = "camera.device is set, but no camera matches; it is used when it is plugged in";
    assert_eq!(text, expected);
}

#[test]
fn a_broadcast_that_is_stopped_while_its_camera_is_exchanged_can_be_begun_again_at_once() {
    let mut rig = started("");
    goes_live(&mut rig);
    rig.asks(1, "set camera.device usb:1-2", None);
    rig.advance(SOON);
    rig.exchanged(Source::Camera, Exchanged::Begins);
    rig.source_is(Source::Camera, Presence::Lost);
    rig.devices_hang = true;
    rig.asks(1, "stop", None);
    rig.advance(SOON);
    rig.press_for(PRESS);
    rig.release_devices();
    rig.advance(SOON);
    let mode = rig.control.mode();
    assert!(
        matches!(mode, Mode::Starting | Mode::Live),
        "as soon as the last one is closed: {mode:?}"
    );
}

#[test]
fn an_encoder_that_fails_while_the_camera_is_exchanged_leaves_no_camera_called_absent() {
    let mut rig = started("");
    goes_live(&mut rig);
    rig.asks(1, "set camera.device usb:1-2", None);
    rig.advance(SOON);
    rig.exchanged(Source::Camera, Exchanged::Begins);
    rig.source_is(Source::Camera, Presence::Lost);
    assert!(!rig.control.status(rig.now).facts.camera);
    rig.encoder_fails("it is out of memory");
    rig.advance(SOON);
    rig.first_key();
    assert!(rig.control.status(rig.now).facts.camera, "it was opened for the new encoder");
}

#[test]
fn what_was_not_exchanged_is_not_announced() {
    let mut rig = started("");
    goes_live(&mut rig);
    rig.asks(2, "watch", None);
    rig.asks(1, "set camera.device usb:1-2", None);
    rig.advance(SOON);
    rig.answered.clear();
    rig.exchanged(Source::Microphone, Exchanged::Delivers("USB Audio".to_owned()));
    let is_shown = |rig: &Rig, what: &str| format!("{:?}", rig.answered).contains(what);
    assert!(!is_shown(&rig, "USB Audio"), "{:?}", rig.answered);
    rig.exchanged(Source::Camera, Exchanged::Begins);
    rig.exchanged(Source::Camera, Exchanged::Delivers("C920".to_owned()));
    assert!(is_shown(&rig, "C920"), "{:?}", rig.answered);
}
