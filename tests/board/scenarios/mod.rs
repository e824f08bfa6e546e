//! The promises, by what may happen to a box.

mod go_live_by_button;
mod network_lost;
mod process_ended;
mod provisioning;
mod sources_lost;
mod without_settings;
