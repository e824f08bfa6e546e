//! Codes of codecs in Enhanced RTMP.

use std::fmt;

use crate::media::Codec;

/// Four characters that name a codec.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FourCc(pub [u8; 4]);

impl FourCc {
    /// The code of `codec`.
    pub const fn of(codec: Codec) -> FourCc {
        FourCc(*match codec {
            Codec::Avc => b"avc1",
            Codec::Hevc => b"hvc1",
            Codec::Av1 => b"av01",
            Codec::Vp9 => b"vp09",
            Codec::Aac => b"mp4a",
            Codec::Opus => b"Opus",
        })
    }

    /// The codec that the code names, if it is one of ours.
    pub fn codec(self) -> Option<Codec> {
        const CODECS: [Codec; 6] =
            [Codec::Avc, Codec::Hevc, Codec::Av1, Codec::Vp9, Codec::Aac, Codec::Opus];
        CODECS.into_iter().find(|&codec| FourCc::of(codec) == self)
    }
}

/// The four characters; what cannot be shown is escaped.
impl fmt::Display for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FourCc({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_codec_has_its_code_and_each_code_its_codec() {
        for codec in [Codec::Avc, Codec::Hevc, Codec::Av1, Codec::Vp9, Codec::Aac, Codec::Opus] {
            assert_eq!(FourCc::of(codec).codec(), Some(codec));
        }
        for other in [b"vp08", b"ac-3", b"ec-3", b".mp3", b"fLaC", b"Hvc1", b"opus", b"\0\0\0\0"] {
            assert_eq!(FourCc(*other).codec(), None);
        }
        assert_eq!(FourCc(*b"a\n\"\xFF").to_string(), "a\\n\\\"\\xff");
    }
}
