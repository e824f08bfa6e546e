//! Why an attempt ended, as coarse as an exit code.

/// Why an attempt ended, for whoever must give an exit code.
#[derive(Debug, Clone)]
pub struct EndNote {
    /// The destination.
    pub destination: String,
    /// In words.
    pub message: String,
    /// Whom it was due to.
    pub due_to: DueTo,
}

/// Whom a failure is due to, as coarse as an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DueTo {
    /// Settings.
    Settings,
    /// A device of the box.
    Device,
    /// The network.
    Network,
    /// The server's certificate.
    Tls,
    /// The server's refusal.
    Refusal,
    /// The box itself.
    Inside,
}
