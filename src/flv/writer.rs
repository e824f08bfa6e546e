//! Writes FLV files: what a server received becomes a file that players open.
//!
//! A file is [`header`], then for each tag [`tag`], the body, [`previous_tag_size`].

use super::tag::{TAG_HEAD_BYTES, TagKind};

/// The file header (E.2) and the size of the tag before the first one, which is 0 (E.3).
pub fn header(has_audio: bool, has_video: bool) -> [u8; 13] {
    let flags = u8::from(has_audio) << 2 | u8::from(has_video);
    [b'F', b'L', b'V', 1, flags, 0, 0, 0, 9, 0, 0, 0, 0]
}

/// What stands in front of a tag body of `body_len` bytes (E.4.1). The upper 8 bits of the time
/// come after the lower 24.
///
/// The length field has 24 bits, like that of the RTMP message such a body came in; a longer body
/// cannot be written and is the caller's fault.
pub fn tag(kind: TagKind, timestamp_ms: u32, body_len: usize) -> [u8; TAG_HEAD_BYTES] {
    debug_assert!(body_len <= 0xFF_FFFF);
    let [.., length_2, length_1, length_0] = body_len.to_be_bytes();
    let [extended, time_2, time_1, time_0] = timestamp_ms.to_be_bytes();
    let stream_id = [0; 3]; // always 0
    let head = [kind as u8, length_2, length_1, length_0, time_2, time_1, time_0, extended];
    let mut bytes = [0; TAG_HEAD_BYTES];
    bytes[..8].copy_from_slice(&head);
    bytes[8..].copy_from_slice(&stream_id);
    bytes
}

/// What stands behind a tag body of `body_len` bytes: the size of the whole tag (E.3).
pub fn previous_tag_size(body_len: usize) -> [u8; 4] {
    debug_assert!(body_len <= 0xFF_FFFF);
    let [.., size_3, size_2, size_1, size_0] = (TAG_HEAD_BYTES + body_len).to_be_bytes();
    [size_3, size_2, size_1, size_0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_says_which_tracks_there_are() {
        let start = |flags| [b'F', b'L', b'V', 1, flags, 0, 0, 0, 9, 0, 0, 0, 0];
        assert_eq!(header(true, true), start(0b101));
        assert_eq!(header(true, false), start(0b100));
        assert_eq!(header(false, true), start(0b001));
    }

    #[test]
    fn the_upper_byte_of_the_time_comes_after_the_lower_three() {
        let head = tag(TagKind::Video, 0x1234_5678, 0x0A_0B0C);
        assert_eq!(head, [9, 0x0A, 0x0B, 0x0C, 0x34, 0x56, 0x78, 0x12, 0, 0, 0]);
        assert_eq!(tag(TagKind::Audio, 0xFF_FFFF, 0)[4..8], [0xFF, 0xFF, 0xFF, 0]);
        assert_eq!(tag(TagKind::Script, 0x100_0000, 0)[4..8], [0, 0, 0, 1]);
    }

    #[test]
    fn the_trailing_size_counts_head_and_body() {
        assert_eq!(previous_tag_size(0), [0, 0, 0, 11]);
        assert_eq!(previous_tag_size(0xFF_FFFF), [0x01, 0x00, 0x00, 0x0A]);
    }
}
