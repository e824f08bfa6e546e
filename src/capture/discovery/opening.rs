//! What a camera is opened for when its frames are to be turned, mirrored or enlarged.

use super::plan::{SourcePlan, SourceSpec};
use crate::{capture::request::VideoSettings, selection::VideoFormat, video::Framing};

/// What a camera is opened for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// Which camera.
    pub plan: SourcePlan,
    /// The size that it is asked for, and everything else as it is in the broadcast.
    pub video: VideoSettings,
    /// Its frames are made as large as those of the broadcast. Otherwise whoever turns them does that.
    pub scales: bool,
}

impl Opening {
    /// How a camera is opened for these settings and that framing.
    pub fn of(plan: &SourcePlan, video: &VideoSettings, framing: &Framing) -> Opening {
        let plan = match plan {
            SourcePlan::V4l2 { device, formats, mode } => {
                let (device, formats) = (device.clone(), formats_for(formats, framing));
                SourcePlan::V4l2 { device, formats, mode: *mode }
            }
            other => other.clone(),
        };
        let size = [video.width, video.height];
        // H.264 that is passed through has to have the size of the broadcast.
        if plan.is_h264_alone() {
            return Opening { plan, video: video.clone(), scales: true };
        }
        let [width, height] = framing.camera_size(size);
        let scales = !framing.takes_frames_as_large_as_they_are(size);
        Opening { plan, video: VideoSettings { width, height, ..video.clone() }, scales }
    }

    /// How a camera is opened that turns out to offer nothing but H.264, where [`Opening::of`] leaves that out: its video
    /// stays as it is, which is better than none.
    pub fn of_h264(plan: &SourcePlan, video: &VideoSettings, framing: &Framing) -> Option<Opening> {
        let SourcePlan::V4l2 { device, formats, mode } = plan else { return None };
        let is_left_out = formats_for(formats, framing).len() < formats.len();
        let formats = vec![VideoFormat::H264];
        let plan = SourcePlan::V4l2 { device: device.clone(), formats, mode: *mode };
        is_left_out.then(|| Opening { plan, video: video.clone(), scales: true })
    }
}

/// The formats of a camera that are allowed: H.264, which is passed through as it is, only where nothing
/// is to be done to frames, or where there is no other.
pub fn formats_for(formats: &[VideoFormat], framing: &Framing) -> Vec<VideoFormat> {
    let others: Vec<_> =
        formats.iter().copied().filter(|format| *format != VideoFormat::H264).collect();
    if framing.is_none() || others.is_empty() { formats.to_vec() } else { others }
}

impl SourcePlan {
    /// Whether it delivers nothing but H.264.
    fn is_h264_alone(&self) -> bool {
        match self {
            SourcePlan::V4l2 { formats, .. } => {
                formats.iter().all(|format| *format == VideoFormat::H264)
            }
            SourcePlan::Fixed(spec) => matches!(spec, SourceSpec::H264Launch(_)),
            SourcePlan::Hdmi { .. } | SourcePlan::Alsa(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        selection::{CameraDevice, CameraMode},
        video::{Mirror, Rotation, Zoom},
    };

    fn opening(formats: &[VideoFormat], size: [u32; 2], framing: Framing) -> Opening {
        let formats = formats.to_vec();
        let plan =
            SourcePlan::V4l2 { device: CameraDevice::Auto, formats, mode: CameraMode::default() };
        let [width, height] = size;
        let video = VideoSettings { width, height, ..VideoSettings::of_720p() };
        Opening::of(&plan, &video, &framing)
    }

    fn formats(opening: &Opening) -> &[VideoFormat] {
        match &opening.plan {
            SourcePlan::V4l2 { formats, .. } => formats,
            other => panic!("{other:?}"),
        }
    }

    const BOTH: [VideoFormat; 2] = [VideoFormat::H264, VideoFormat::Raw];

    #[test]
    fn a_camera_is_opened_as_ever_unless_its_frames_are_turned_or_enlarged() {
        let opened = opening(&BOTH, [1280, 720], Framing::default());
        assert_eq!((formats(&opened), opened.scales), (&BOTH[..], true));
        let upside_down = Framing { rotate: Rotation::Half, ..Framing::default() };
        let opened = opening(&BOTH, [1280, 720], upside_down);
        assert_eq!((formats(&opened), opened.scales), (&BOTH[1..], true));
        assert_eq!((opened.video.width, opened.video.height), (1280, 720));
        let enlarged = Framing { zoom: Zoom::of_percent(150), ..Framing::default() };
        assert!(!opening(&BOTH, [1280, 720], enlarged).scales, "it loses what it has");
    }

    #[test]
    fn h264_alone_is_asked_for_only_where_it_was_left_out() {
        let mirrored = Framing { mirror: Mirror::Horizontal, ..Framing::default() };
        let of_h264 = |formats: &[VideoFormat], framing: &Framing| {
            let (formats, mode) = (formats.to_vec(), CameraMode::default());
            let plan = SourcePlan::V4l2 { device: CameraDevice::Auto, formats, mode };
            Opening::of_h264(&plan, &VideoSettings::of_720p(), framing)
        };
        let opened = of_h264(&BOTH, &mirrored).expect("it was left out");
        assert_eq!((formats(&opened), opened.scales), (&BOTH[..1], true));
        assert_eq!(of_h264(&BOTH, &Framing::default()), None);
        assert_eq!(of_h264(&BOTH[..1], &mirrored), None);
        assert_eq!(of_h264(&BOTH[1..], &mirrored), None);
    }

    #[test]
    fn a_camera_that_lies_on_its_side_is_asked_for_the_longer_side_across() {
        let sideways = Framing { rotate: Rotation::Quarter, ..Framing::default() };
        for size in [[720, 1280], [1280, 720]] {
            let opened = opening(&BOTH, size, sideways);
            let Opening { video, scales, .. } = &opened;
            assert_eq!((video.width, video.height, *scales), (1280, 720, false));
        }
        let upright = opening(&BOTH, [720, 1280], Framing::default());
        assert_eq!((upright.video.width, upright.video.height), (720, 1280));
    }

    #[test]
    fn h264_that_is_passed_through_has_the_size_of_the_broadcast() {
        let mirrored =
            Framing { rotate: Rotation::Quarter, mirror: Mirror::Horizontal, ..Framing::default() };
        let opened = opening(&BOTH[..1], [720, 1280], mirrored);
        assert_eq!((opened.video.width, opened.video.height), (720, 1280));
        assert_eq!(formats(&opened), &BOTH[..1]);
        let launch = SourcePlan::Fixed(SourceSpec::H264Launch("camera".to_owned()));
        let video = VideoSettings { width: 720, height: 1280, ..VideoSettings::of_720p() };
        assert_eq!(Opening::of(&launch, &video, &mirrored).video, video);
    }
}
