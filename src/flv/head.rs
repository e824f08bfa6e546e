//! The bytes in front of a frame in a tag body.

/// The longest head: HEVC with a composition time.
const HEAD_BYTES_MAX: usize = 8;

/// Bytes that stand in front of a frame's payload in a tag body. Inline: making one allocates
/// nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    bytes: [u8; HEAD_BYTES_MAX],
    len: usize,
}

impl Head {
    pub(super) fn of<const N: usize>(head: [u8; N]) -> Head {
        const { assert!(N <= HEAD_BYTES_MAX) };
        let mut bytes = [0; HEAD_BYTES_MAX];
        bytes[..N].copy_from_slice(&head);
        Head { bytes, len: N }
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl AsRef<[u8]> for Head {
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}
