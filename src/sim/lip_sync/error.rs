//! Why lip-sync could not be measured.

use std::path::PathBuf;

/// Why lip-sync could not be measured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LipSyncError {
    /// a file that cannot be decoded
    #[error("cannot decode {}: {why}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// GStreamer refused what should always work
    #[error("GStreamer failed: {0}; run with GST_DEBUG=3 to learn more")]
    Gstreamer(String),
}
