//! The promises, by what may happen to a box.

mod booted;
mod camera_exchanged;
mod defects;
mod direct_frames;
mod display;
mod failing_sticks;
mod foreign_sticks;
mod gadget_console;
mod go_live_by_button;
mod hardware_controls;
mod hardware_converter;
mod hardware_encoder;
mod network_lost;
mod networks;
mod package;
mod power;
mod process_ended;
mod provisioning;
mod scheduling;
mod sources_lost;
mod storage;
mod turned;
mod usb_devices;
mod wireless;
mod wireless_live;
mod without_settings;
