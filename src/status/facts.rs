//! What is true about the world around the box.

use std::fmt;

use serde::{Serialize, Serializer};

use super::Wifi;

/// What is true about the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// Whether the camera is there.
    pub camera: bool,
    /// Whether the microphone is there.
    pub microphone: bool,
    /// Whether a network link is up.
    pub link: Link,
    /// Whether the time of day can be trusted.
    pub clock: Clock,
}

/// The network link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// A carrier and an address.
    Up,
    /// None.
    Down,
}

/// The time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// Set by the network or by a battery-backed clock: good enough to judge a certificate.
    Trusted,
    /// Not yet.
    Untrusted,
}

/// The network as the box sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Network {
    /// Every interface but the loopback, by name.
    pub interfaces: Vec<Interface>,
    /// Whether the network is of use.
    pub link: Link,
    /// Whether the time of day can be trusted.
    pub clock: Clock,
    /// What became of the settings of the network.
    pub managed: NetworkManaged,
    /// How the box stands with a wireless network, where there is one.
    pub wifi: Option<Wifi>,
}

/// One network interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Whether it has a carrier.
    pub up: bool,
    /// Its addresses.
    pub addresses: Vec<String>,
}

/// What became of the settings of the network.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum NetworkManaged {
    /// None are set, and NetworkManager has none of ours.
    #[default]
    NotSet,
    /// None are set any more, and ours were removed there.
    Removed,
    /// They were handed over; in words.
    Applied(String),
    /// They were not, or not all of them; in words.
    Failed(String),
}

impl fmt::Display for NetworkManaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NetworkManaged::NotSet => f.write_str("the system's own; none are set here"),
            NetworkManaged::Removed => f.write_str("the system's own; ours are removed"),
            NetworkManaged::Applied(message) => f.write_str(message),
            NetworkManaged::Failed(message) => write!(f, "not managed here: {message}"),
        }
    }
}

impl Serialize for NetworkManaged {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// How far the import of a USB stick is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StickImport {
    /// It is being read.
    Working,
    /// Its settings are in force, and it may be pulled out.
    Accepted,
    /// Nothing was changed, and it may be pulled out.
    Refused,
}
