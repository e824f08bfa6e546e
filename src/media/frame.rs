//! One access unit, or the codec configuration that those after it need.

use bytes::Bytes;

/// Which of the two tracks a frame belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Track {
    /// Frames of the camera.
    Video,
    /// What the microphone hears.
    Audio,
}

/// The coding of a frame's payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// H.264; access units with length-prefixed NAL units (ISO/IEC 14496-15 "avc"), configuration
    /// is an `AVCDecoderConfigurationRecord`.
    Avc,
    /// H.265; access units with length-prefixed NAL units (ISO/IEC 14496-15 "hvc1"), configuration
    /// is an `HEVCDecoderConfigurationRecord`.
    Hevc,
    /// AV1; one temporal unit of OBUs without its delimiter, configuration is an
    /// `AV1CodecConfigurationRecord`. Decoding and presentation time are the same.
    Av1,
    /// VP9; whole frames, configuration is a `VPCodecConfigurationRecord`. Decoding and
    /// presentation time are the same.
    Vp9,
    /// AAC-LC; raw access units, configuration is an `AudioSpecificConfig`.
    Aac,
    /// Opus; one packet for each of its streams (RFC 7845 section 3), configuration is the ID
    /// header (section 5.1) or empty.
    Opus,
}

impl Codec {
    /// The track that this coding is for.
    pub fn track(self) -> Track {
        match self {
            Codec::Avc | Codec::Hevc | Codec::Av1 | Codec::Vp9 => Track::Video,
            Codec::Aac | Codec::Opus => Track::Audio,
        }
    }
}

/// What a frame means to those that come after it. Only video has key frames: encoders mark every
/// AAC access unit as one, so the mark says nothing there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Codec configuration of the video track.
    VideoConfig,
    /// An IDR access unit; decoding can start here.
    VideoKey,
    /// A video access unit that others may refer to.
    VideoDelta,
    /// A video access unit that no other refers to (`nal_ref_idc` 0).
    VideoDisposable,
    /// Codec configuration of the audio track.
    AudioConfig,
    /// An audio access unit.
    Audio,
}

impl Kind {
    /// The track that frames of this kind belong to.
    pub fn track(self) -> Track {
        match self {
            Kind::VideoConfig | Kind::VideoKey | Kind::VideoDelta | Kind::VideoDisposable => {
                Track::Video
            }
            Kind::AudioConfig | Kind::Audio => Track::Audio,
        }
    }

    /// Whether this is codec configuration rather than an access unit.
    pub fn is_config(self) -> bool {
        matches!(self, Kind::VideoConfig | Kind::AudioConfig)
    }
}

/// One access unit, or codec configuration. Cloning shares the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub kind: Kind,
    /// How its payload is coded.
    pub codec: Codec,
    /// Presentation time on the media clock, in nanoseconds.
    pub pts_ns: u64,
    /// Decoding time on the media clock, in nanoseconds; never above `pts_ns`.
    pub dts_ns: u64,
    /// The payload.
    pub payload: Bytes,
}

impl Frame {
    /// The track that this frame belongs to.
    pub fn track(&self) -> Track {
        self.kind.track()
    }
}
