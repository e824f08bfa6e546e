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

/// Whom a failure is due to, and the exit code that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DueTo {
    /// The box itself.
    Inside = 1,
    /// Settings.
    Settings = 3,
    /// A device of the box.
    Device = 4,
    /// The network.
    Network = 5,
    /// TLS, mostly the server's certificate.
    Tls = 6,
    /// The server's refusal.
    Refusal = 7,
}

impl DueTo {
    /// The exit code of a command that fails so.
    pub fn exit_code(self) -> u8 {
        self as u8
    }
}
