//! What the box decides, as stories, from any seed, and after a power cut at any moment.

mod any_seed;
mod any_seed_requests;
mod control_stories;
mod custody;
mod erasure;
mod front;
mod hung_drivers;
mod machine_warnings;
mod network_cards;
mod power_loss;
mod requests;
mod rig;
mod simulated_camera;
mod slow_store;
mod sources_set;
mod stories;
mod two_ports;
mod wifi;
