//! Publishing over real sockets: to scripted servers, to TLS servers of every make, and to nginx.

#[path = "../support/mod.rs"]
mod support;

mod addresses;
mod attempts;
mod endings;
mod enhanced_rtmp;
mod moves;
mod name_servers;
mod narrow_paths;
mod pushed_files;
mod real_delivery;
mod real_nginx_publish;
mod real_nginx_rig;
mod real_round_trips;
mod real_shaped_uplink;
mod real_tls;
mod several;
mod tls_certificates;
mod tls_no_way_around;
mod wordless_ends;
