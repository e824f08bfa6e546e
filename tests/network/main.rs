//! Live streams in a simulated world of links, servers and viewers.

#[path = "../support/links.rs"]
mod links;
#[path = "../support/world.rs"]
mod world;

mod faults;
mod steps;
mod table;
