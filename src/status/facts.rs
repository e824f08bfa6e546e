//! What is true about the world around the box.

use serde::Serialize;

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
    /// What has become of the settings of the network.
    pub managed: String,
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
