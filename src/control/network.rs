//! The state of the network.

use crate::config::{Wifi, Wired};
use crate::status::{Interface, NetworkManaged};

/// What is known of the network.
#[derive(Debug)]
pub(super) struct NetworkState {
    pub interfaces: Vec<Interface>,
    pub managed: NetworkManaged,
    /// What was handed over last.
    pub handed: Option<(Wired, Wifi)>,
}

impl NetworkState {
    pub fn new(interfaces: Vec<Interface>) -> NetworkState {
        NetworkState { interfaces, managed: NetworkManaged::NotSet, handed: None }
    }
}
