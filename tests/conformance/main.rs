//! Conformance: our client against real servers of known versions, probe by probe.
//!
//! Each test fills the column of one server and holds it against `docs/conformance.md`;
//! `make conformance` writes the page again instead, and prints it.

#[path = "../support/mod.rs"]
mod support;

mod client;
mod matrix;
mod media;
mod probes;
mod relay;
mod servers;

use std::env;

use matrix::{Cell, Matrix, Page, Written, column_of};
use media::Clips;
use probes::{Probe, Rig};
use servers::Server;
use servers::ffmpeg::Ffmpeg;
use servers::nginx::NginxRtmp;
use servers::node_media_server::{NodeMediaServer, installed};
use servers::rtmp_rs::RtmpRs;
use support::{has_or_skip, one_at_a_time};

/// Probes a server and compares its column with the documentation, or writes it.
#[track_caller]
fn fill(name: &str, server: &mut dyn Server) {
    let clips = Clips::new();
    let mut rig = Rig { server, clips: &clips };
    let cells: Vec<Cell> = Probe::ALL.iter().map(|(probe, _)| rig.cell(*probe)).collect();
    let defects: Vec<String> = Probe::ALL
        .iter()
        .zip(&cells)
        .filter(|(_, cell)| matches!(cell, Cell::Defect(_)))
        .map(|((_, label), cell)| format!("{label}: {cell}"))
        .collect();
    assert!(defects.is_empty(), "{name}\n{}", defects.join("\n"));
    let written = |((probe, _), cell): (&(Probe, _), &Cell)| Written {
        word: cell.to_string(),
        remark: rig.server.remark(*probe).unwrap_or_default().to_owned(),
    };
    let found: Vec<Written> = Probe::ALL.iter().zip(&cells).map(written).collect();
    let page = Page::read();
    let mut documented = Matrix::parse(&page.made);
    let column = column_of(name);
    if env::var_os("FIRSTMILE_BLESS").is_some() {
        documented.set_column(column, found);
        return page.write(&documented);
    }
    for ((found, documented), (_, label)) in
        found.iter().zip(documented.column(column)).zip(&Probe::ALL)
    {
        assert_eq!(*found, documented, "{name}, {label}; if it is right, run make conformance");
    }
}

#[test]
fn real_nginx_is_as_documented() {
    let _turn = one_at_a_time();
    if let Some(mut server) = clips_or_skip().and_then(|()| NginxRtmp::start_or_skip(false)) {
        fill("nginx-rtmp", &mut server);
    }
}

#[test]
fn real_nginx_behind_tls_is_as_documented() {
    let _turn = one_at_a_time();
    if let Some(mut server) = clips_or_skip().and_then(|()| NginxRtmp::start_or_skip(true)) {
        fill("nginx-rtmp, TLS", &mut server);
    }
}

#[test]
fn real_ffmpeg_is_as_documented() {
    let _turn = one_at_a_time();
    if let Some(mut server) = clips_or_skip().and_then(|()| Ffmpeg::start_or_skip()) {
        fill("ffmpeg", &mut server);
    }
}

#[test]
fn real_rtmp_rs_is_as_documented() {
    let _turn = one_at_a_time();
    if is_wanted("rtmp-rs") && clips_or_skip().is_some() {
        fill("rtmp-rs", &mut RtmpRs::start());
    }
}

#[test]
fn real_node_media_server_is_as_documented() {
    node_media_server("Node-Media-Server", false);
}

#[test]
fn real_node_media_server_with_tls_is_as_documented() {
    node_media_server("Node-Media-Server, TLS", true);
}

#[track_caller]
fn node_media_server(name: &str, with_tls: bool) {
    let _turn = one_at_a_time();
    if !is_wanted(name) || clips_or_skip().is_none() {
        return;
    }
    match installed() {
        Ok(program) => fill(name, &mut NodeMediaServer::start(&program, with_tls)),
        Err(reason) => eprintln!("skipped: {name}: {reason}"),
    }
}

/// On a developer's machine, `make test` is content with the servers that it installs; the others are for `make
/// conformance` and the build server.
fn is_wanted(name: &str) -> bool {
    let is_wanted = ["CI", "FIRSTMILE_CONFORMANCE"].iter().any(|name| env::var_os(name).is_some());
    if !is_wanted {
        eprintln!("skipped: {name} (make conformance probes it)");
    }
    is_wanted
}

fn clips_or_skip() -> Option<()> {
    has_or_skip(&["ffmpeg"]).then_some(())
}

#[test]
fn the_matrix_is_written_as_it_is_read() {
    let page = Page::read();
    assert_eq!(Matrix::parse(&page.made).render(), page.made, "run make conformance");
}
