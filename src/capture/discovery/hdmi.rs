//! Setting up an HDMI input: loading its EDID, and applying the timings of the signal.
//!
//! `v4l2-ctl` of v4l-utils does both, because it knows the kernel's structures and every board has
//! it where such an input is used.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    process::Command,
};

use super::inventory::video_nodes;
use crate::{board::CameraDevice, child, limits::CAPTURE_HDMI_TOOL_TIMEOUT};

const TOOL: &str = "v4l2-ctl";

/// The tool's arguments for an input, in order; `true` where a failure only means that the HDMI
/// source is off.
fn calls(node: &Path, edid: Option<&Path>) -> Vec<(Vec<String>, bool)> {
    let device = format!("--device={}", node.display());
    let load = edid.map(|edid| {
        let file = format!("--set-edid=file={}", edid.display());
        (vec![device.clone(), file, "--fix-edid-checksums".to_owned()], false)
    });
    let follow = vec![device.clone(), "--set-dv-bt-timings=query".to_owned()];
    load.into_iter().chain([(follow, true)]).collect()
}

/// Prepares an input to be opened.
pub fn prepare(
    device: &CameraDevice,
    subdevice: Option<&Path>,
    edid: Option<&Path>,
) -> Result<(), String> {
    let node: PathBuf = match subdevice {
        Some(subdevice) => subdevice.to_owned(),
        None => {
            let node = video_nodes(Path::new("/")).into_iter().find(|node| node.is(device));
            node.map(|node| node.node).ok_or("not connected")?
        }
    };
    if let Some(edid) = edid.filter(|edid| !edid.is_file()) {
        return Err(format!("the EDID file {} is missing", edid.display()));
    }
    for (arguments, needs_signal) in calls(&node, edid) {
        let done = run(TOOL, &arguments)?;
        if !done && needs_signal {
            return Err("no signal; switch the HDMI source on".to_owned());
        }
        if !done {
            return Err(format!("it rejects the EDID ({TOOL} {})", arguments.join(" ")));
        }
    }
    Ok(())
}

/// Runs a tool to its end; whether it succeeded.
fn run(tool: &str, arguments: &[String]) -> Result<bool, String> {
    match child::run(Command::new(tool).args(arguments), None, CAPTURE_HDMI_TOOL_TIMEOUT) {
        Ok(ended) => Ok(ended.status.success()),
        // It hangs in the driver.
        Err(error) if error.kind() == ErrorKind::TimedOut => {
            Err(format!("{tool} does not respond"))
        }
        Err(error) => Err(format!("cannot run {tool}: {error}; install v4l-utils")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edid_is_loaded_before_the_timings_are_applied() {
        let reported: Vec<String> = calls(Path::new("/dev/v4l-subdev2"), Some(Path::new("/e.hex")))
            .into_iter()
            .map(|(arguments, needs_signal)| format!("{} {needs_signal}", arguments.join(" ")))
            .collect();
        assert_eq!(
            reported,
            [
                "--device=/dev/v4l-subdev2 --set-edid=file=/e.hex --fix-edid-checksums false",
                "--device=/dev/v4l-subdev2 --set-dv-bt-timings=query true",
            ]
        );
        assert_eq!(calls(Path::new("/dev/video0"), None).len(), 1);
    }

    #[test]
    fn a_tool_that_is_missing_fails_or_hangs_is_reported_as_such() {
        assert!(run("no-such-tool", &[]).expect_err("missing").contains("install v4l-utils"));
        assert_eq!(run("false", &[]), Ok(false));
        assert_eq!(run("true", &[]), Ok(true));
        let stuck = run("sleep", &["600".to_owned()]).expect_err("killed");
        assert!(stuck.contains("does not respond"), "{stuck}");
    }

    #[test]
    fn an_input_or_an_edid_that_is_missing_is_named() {
        let nobody = CameraDevice::Name("an input that nobody has".to_owned());
        assert_eq!(prepare(&nobody, None, None), Err("not connected".to_owned()));
        let edid = Path::new("/nowhere/edid.hex");
        let why = prepare(&nobody, Some(Path::new("/dev/null")), Some(edid)).expect_err("missing");
        assert!(why.contains("/nowhere/edid.hex"), "{why}");
    }
}
