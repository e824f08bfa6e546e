//! The description of a stream in `onMetaData` (E.5). AMF0 itself is written elsewhere.

use bytes::Bytes;

/// `videocodecid` of H.264 (E.4.3.1).
const CODEC_AVC: f64 = 7.0;
/// `audiocodecid` of AAC (E.4.2.1).
const FORMAT_AAC: f64 = 10.0;

/// A stream as its `onMetaData` describes it. A track with a width or a sample rate of 0 does not
/// exist and is left out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Metadata {
    /// Frame width in pixels.
    pub width: u32,
    /// Frame height in pixels.
    pub height: u32,
    /// Frames per second.
    pub fps: f64,
    /// Target bitrate of the video in kb/s.
    pub video_kbps: u32,
    /// Target bitrate of the audio in kb/s.
    pub audio_kbps: u32,
    /// Sample rate of the audio in Hz.
    pub audio_sample_rate_hz: u32,
    /// Channels of the audio.
    pub audio_channels: u32,
    /// Who encodes: product and version.
    pub encoder: String,
}

/// The value of one field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Field<'a> {
    /// A number.
    Number(f64),
    /// Yes or no.
    Bool(bool),
    /// A text.
    Text(&'a str),
}

impl Metadata {
    /// Names and values, in the order that encoders commonly write them. `duration` is 0, as
    /// usual for a live stream, whose end nobody knows.
    ///
    /// ```
    /// use firstmile::flv::{Field, Metadata};
    /// let stream = Metadata { width: 1280, height: 720, fps: 30.0, ..Metadata::default() };
    /// assert!(stream.fields().any(|field| field == ("framerate", Field::Number(30.0))));
    /// assert!(!stream.fields().any(|(name, _)| name == "audiocodecid"), "it has no audio");
    /// ```
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, Field<'_>)> {
        let video = [
            ("width", Field::Number(self.width.into())),
            ("height", Field::Number(self.height.into())),
            ("framerate", Field::Number(self.fps)),
            ("videocodecid", Field::Number(CODEC_AVC)),
            ("videodatarate", Field::Number(self.video_kbps.into())),
        ];
        let audio = [
            ("audiocodecid", Field::Number(FORMAT_AAC)),
            ("audiodatarate", Field::Number(self.audio_kbps.into())),
            ("audiosamplerate", Field::Number(self.audio_sample_rate_hz.into())),
            ("audiosamplesize", Field::Number(16.0)),
            ("stereo", Field::Bool(self.audio_channels > 1)),
        ];
        let has_video = self.width > 0;
        let has_audio = self.audio_sample_rate_hz > 0;
        std::iter::once(("duration", Field::Number(0.0)))
            .chain(video.into_iter().filter(move |_| has_video))
            .chain(audio.into_iter().filter(move |_| has_audio))
            .chain(std::iter::once(("encoder", Field::Text(&self.encoder))))
    }
}

/// A data message of the wire as a file has it: without the `@setDataFrame` in front, which is an
/// order to the server. Some recorders leave it in the file.
///
/// ```
/// let on_wire = bytes::Bytes::from_static(b"\x02\x00\x0d@setDataFrame\x02\x00\x0aonMetaData");
/// let in_file = firstmile::flv::metadata::without_set_data_frame(on_wire);
/// assert_eq!(&in_file[..], b"\x02\x00\x0aonMetaData");
/// ```
pub fn without_set_data_frame(body: Bytes) -> Bytes {
    const SET_DATA_FRAME: &[u8] = b"\x02\x00\x0d@setDataFrame";
    if body.starts_with(SET_DATA_FRAME) { body.slice(SET_DATA_FRAME.len()..) } else { body }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> Metadata {
        Metadata {
            width: 1920,
            height: 1080,
            fps: 30_000.0 / 1_001.0,
            video_kbps: 6_000,
            audio_kbps: 160,
            audio_sample_rate_hz: 48_000,
            audio_channels: 2,
            encoder: "firstmile 0.1".to_owned(),
        }
    }

    #[test]
    fn a_stream_is_described_by_the_names_of_the_specification() {
        let stream = stream();
        let expected = [
            ("duration", Field::Number(0.0)),
            ("width", Field::Number(1920.0)),
            ("height", Field::Number(1080.0)),
            ("framerate", Field::Number(30_000.0 / 1_001.0)),
            ("videocodecid", Field::Number(7.0)),
            ("videodatarate", Field::Number(6000.0)),
            ("audiocodecid", Field::Number(10.0)),
            ("audiodatarate", Field::Number(160.0)),
            ("audiosamplerate", Field::Number(48_000.0)),
            ("audiosamplesize", Field::Number(16.0)),
            ("stereo", Field::Bool(true)),
            ("encoder", Field::Text("firstmile 0.1")),
        ];
        assert_eq!(stream.fields().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_track_that_does_not_exist_is_left_out() {
        let silent = Metadata { audio_sample_rate_hz: 0, ..stream() };
        let names: Vec<_> = silent.fields().map(|(name, _)| name).collect();
        assert!(names.contains(&"width") && !names.contains(&"stereo"));
        let blind = Metadata { width: 0, audio_channels: 1, ..stream() };
        let fields: Vec<_> = blind.fields().collect();
        assert!(fields.contains(&("stereo", Field::Bool(false))));
        assert!(fields.iter().all(|(name, _)| !name.starts_with("video")));
    }
}
