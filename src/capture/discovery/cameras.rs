//! Which of the cameras that were found can be used, and how.

use gstreamer_video::VideoFormat as Layout;

use super::{
    drivers::{Answer, NO_VIDEO, Offered},
    inventory::VideoNode,
    mode_as_set::choose_mode_as_set,
    modes::ModeChoice,
};
use crate::{
    capture::request::VideoSettings,
    selection::{CameraMode, VideoFormat},
};

/// A camera and the mode that would be used.
#[derive(Debug)]
pub struct CameraCandidate {
    pub node: VideoNode,
    /// Its modes, best first; empty when it delivers no video.
    pub modes: ModeChoice,
    /// Why it cannot be used.
    pub why_not: Option<String>,
}

/// These cameras, in the order in which they are tried.
pub fn candidates(
    nodes: &[VideoNode],
    offered: &Offered,
    (formats, mode): (&[VideoFormat], CameraMode),
    video: &VideoSettings,
    layouts: &[Layout],
) -> Vec<CameraCandidate> {
    let each = nodes.iter().cloned();
    let mut found: Vec<CameraCandidate> =
        each.map(|node| judge(node, offered, (formats, mode), video, layouts)).collect();
    // A camera may have a second node for its metadata; one that works comes first.
    found.sort_by_key(|candidate| candidate.why_not.is_some());
    found
}

/// Whether and how a node can be used.
pub fn judge(
    node: VideoNode,
    offered: &Offered,
    (formats, mode): (&[VideoFormat], CameraMode),
    video: &VideoSettings,
    layouts: &[Layout],
) -> CameraCandidate {
    let answer = offered.iter().find(|(path, _)| *path == node.node).map(|(_, answer)| answer);
    let offers = answer.and_then(|answer: &Answer| answer.as_ref().ok());
    let modes = offers.map(|offers| choose_mode_as_set(offers, mode, video, formats, layouts));
    let modes = modes.unwrap_or_default();
    let why_not = match (&modes.chosen, modes.rejected.first(), answer) {
        _ if !node.may_be_camera() => Some("it is a codec, not a camera".to_owned()),
        (Some(_), _, _) => None,
        (None, Some(rejected), _) => Some(format!("{}: {}", rejected.mode, rejected.why)),
        (None, None, Some(Err(why))) => Some(why.clone()),
        (None, None, _) => Some(NO_VIDEO.to_owned()),
    };
    CameraCandidate { node, modes, why_not }
}
