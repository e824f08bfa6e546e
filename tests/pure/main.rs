//! What decides without touching the world: sessions, media, FLV and addresses, against servers and
//! inputs of every temper.

#[path = "../support/fuzz/mod.rs"]
mod fuzz;
#[path = "../support/pair.rs"]
mod pair;
#[path = "../support/seeds/mod.rs"]
mod seeds;

mod display_any_state;
mod display_pages;
mod flv_x264_file;
mod fuzz_seeds;
mod hostile_servers;
mod media_any_seed;
mod media_fan_out;
mod media_gop_queue;
mod platform_urls;
mod session_links;
mod session_orders;
