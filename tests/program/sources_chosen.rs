//! Camera and microphone as settings of the real program, on a machine that has neither.

use std::time::Duration;

use crate::support::appliance::Appliance;
use crate::support::ingest::Ingest;
use crate::support::{Folder, has_or_skip, one_at_a_time, probe};

const KEY: &str = "right-k3y-0123456789";

#[test]
fn a_camera_that_is_not_there_is_stored_with_a_note_and_ends_no_broadcast() {
    let _turn = one_at_a_time();
    if !has_or_skip(&["ffprobe"]) {
        return;
    }
    let folder = Folder::new("ingest");
    let server = Ingest::start(folder.path(), KEY);
    let mut appliance = Appliance::start(&[]);
    appliance.stick(&server.settings(KEY)).0.ok();
    appliance.until_status("ready");

    let asks = |appliance: &Appliance, command: &str| appliance.ctl(command).ok().stdout;
    let answer = asks(&appliance, "set camera.device a-camera-of-nobody");
    let named = "camera.device is set, but no camera matches \"a-camera-of-nobody\": there ";
    assert!(answer.contains(named), "{answer}");
    assert!(answer.contains("it is used when it is plugged in"), "{answer}");
    appliance.until_status_shows("no camera", |status| status.contains("there is no camera"));
    let shown = asks(&appliance, "show camera");
    assert!(shown.contains("camera.device  name:a-camera-of-nobody  stored"), "{shown}");
    let answer = asks(&appliance, "unset camera.device");
    assert_eq!(answer.trim(), "camera.device is reset to its default");
    appliance.until_status("ready");
    let answer = asks(&appliance, "set camera.mode 1280x720@30 mjpeg");
    assert!(answer.contains("without effect: the camera is the test pattern"), "{answer}");

    appliance.ctl("live").ok();
    appliance.until_status("live");
    let answer = asks(&appliance, "set camera.device a-camera-of-nobody");
    assert!(answer.contains(named) && answer.contains("what is on air stays there"), "{answer}");
    let answer = asks(&appliance, "set microphone.device card:OfNobody");
    assert!(
        answer.contains("microphone.device is set, but no sound card is plughw:CARD=OfNobody"),
        "{answer}"
    );
    let answer = asks(&appliance, "unset camera.device");
    assert!(answer.contains("camera.device is reset to its default; it is as"), "{answer}");
    asks(&appliance, "unset microphone.device");
    std::thread::sleep(Duration::from_secs(1));
    let status = appliance.until_status("live");
    assert!(!status.contains("reconnect"), "{status}");
    for present in ["camera       present", "microphone   present"] {
        assert!(status.contains(present), "{status}");
    }
    appliance.ctl("stop").ok();
    appliance.until_status("ready");
    let reports = server.reports();
    assert_eq!(reports.len(), 1, "one session: {reports:?}");
    let packets = probe::packets(&reports[0].file);
    assert!(packets.in_order && packets.first_is_key, "{packets:?}");
    for refused in [
        "set camera.device /dev/video0",
        "set microphone.device file:/tmp/x",
        "set camera.mode best",
    ] {
        assert_eq!(appliance.ctl(refused).status.code(), Some(1), "{refused}");
    }
    appliance.end();
}
