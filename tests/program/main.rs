//! The whole program, started as its owner or the service manager starts it.

#[path = "../support/mod.rs"]
mod support;

mod before_live;
mod console_transcripts;
mod control_socket;
mod debug_log;
mod demo_goes_live;
mod demo_on_a_terminal;
mod factory_reset;
mod failures_are_one_line;
mod first_time_owner;
mod foreign_files;
mod hidden_memory;
mod hostile_sticks;
mod how_streams_end;
mod machine_health;
mod mounted_sticks;
mod network_changes;
mod network_settings;
mod overload;
mod pushed_files;
mod scheduling;
mod secrets;
mod service_watch;
mod sources_chosen;
mod stick_reader;
mod stick_words;
mod terminals;
mod wireless;
