//! Wireless networks: which are in range, why the one that is wanted is not joined, and how one that was lost is
//! found again.
//!
//! Pure room. It is given what the network's manager reports ([`AccessPoint`], [`Attempt`]) and says
//! what that means to the owner of the box. It promises that a network is called joined only when the
//! manager says so and the box has an address; that a reason is given only where what is in range
//! bears it out; and that whatever a network calls itself is safe to show. It knows nothing of `nmcli`.

mod in_range;
mod join;
mod name;
mod search;

pub use in_range::{AccessPoint, is_supported, networks, signal};
pub use join::{Attempt, JoinEnd, Radio, Verdict, Wanted, judge};
pub use name::shown;
pub use search::Search;

/// What was observed of the wireless network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observed {
    /// None is joined, and none is tried.
    Nothing,
    /// The one that is wanted is being tried.
    Joining,
    /// One is joined.
    Joined(Joined),
    /// The one that is wanted could not be joined.
    Failed(Attempt),
}

/// A network that is joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// The bytes of its name; `None` where only the manager's settings name it.
    pub ssid: Option<Vec<u8>>,
    /// The interface.
    pub interface: String,
    /// How strong its signal is, in percent.
    pub signal_percent: Option<u8>,
}
