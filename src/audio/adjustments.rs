//! What the owner adjusts.

/// What is done to the audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Adjustments {
    /// Gain, in tenths of a decibel.
    pub gain_tenths_db: i32,
    /// Silence in place of the audio.
    pub is_muted: bool,
    /// What the channels are made of.
    pub channels_from: ChannelsFrom,
    /// Lower frequencies than this are taken out, in hertz.
    pub lowcut_hz: Option<u32>,
    /// By how much the audio is late against the video, in milliseconds; below zero it is early.
    pub delay_ms: i32,
}

impl Adjustments {
    /// By how much the audio waits, in milliseconds.
    pub fn audio_delay_ms(&self) -> u32 {
        self.delay_ms.max(0).unsigned_abs()
    }

    /// By how much the video waits, in milliseconds.
    pub fn video_delay_ms(&self) -> u32 {
        self.delay_ms.min(0).unsigned_abs()
    }
}

/// What the channels of the stream are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ChannelsFrom {
    /// Left is left and right is right.
    #[default]
    Stereo,
    /// Both from the left one.
    Left,
    /// Both from the right one.
    Right,
    /// Both are half of the left one and half of the right one.
    Sum,
    /// Left and right change places.
    Swap,
}

impl ChannelsFrom {
    /// The names of all, as settings have them; the default is the first.
    pub const NAMES: &[&str] = &["stereo", "left", "right", "sum", "swap"];

    /// The one of this name.
    pub fn named(name: &str) -> Option<ChannelsFrom> {
        use ChannelsFrom::{Left, Right, Stereo, Sum, Swap};
        [Stereo, Left, Right, Sum, Swap].into_iter().find(|from| from.name() == name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}
