//! The rig itself: what a known good publisher sends to our nginx arrives, and its certificates are
//! as good and as bad as they should be.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use crate::support::nginx::{Nginx, nginx_or_skip};
use crate::support::pki::{Flaw, Pki};
use crate::support::{clip, has_or_skip, one_at_a_time, probe, run};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, ClientConnection, RootCertStore};

/// Publishes a file without encoding anything.
fn publish(file: &Path, url: &str) {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-re", "-i"]).arg(file);
    ffmpeg.args(["-c", "copy", "-f", "flv", url]);
    run(&mut ffmpeg, Duration::from_secs(40)).ok();
}

/// A short clip of test pattern and tone, made here: 50 frames, two of them key frames.
fn test_clip(folder: &Path) -> PathBuf {
    let file = folder.join("test.flv");
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=25"]);
    ffmpeg.args(["-f", "lavfi", "-i", "sine=sample_rate=48000", "-t", "2", "-c:v", "libx264"]);
    ffmpeg.args(["-preset", "ultrafast", "-bf", "0", "-g", "25", "-keyint_min", "25"]);
    ffmpeg.args(["-pix_fmt", "yuv420p", "-c:a", "aac", "-ac", "2"]).arg(&file);
    run(&mut ffmpeg, Duration::from_secs(40)).ok();
    file
}

#[test]
fn real_what_ffmpeg_publishes_is_recorded_whole_and_decodes() {
    let _turn = one_at_a_time();
    if !has_or_skip(&["ffmpeg", "ffprobe"]) {
        return;
    }
    let pki = Pki::new();
    let identity = pki.identity(&["localhost", "127.0.0.1"], Flaw::None);
    let Some(nginx) = nginx_or_skip(&identity) else { return };
    let folder = crate::support::Folder::new("rig");
    let clip = test_clip(folder.path());
    publish(&clip, &format!("{}/k3y", nginx.rtmp_url()));
    let record = nginx.finished_record();
    probe::decodes_cleanly(&record).unwrap();
    let (sent, recorded) = (probe::packets(&clip), probe::packets(&record));
    assert_eq!((sent.video, sent.key_frames), (50, 2), "{sent:?}");
    assert_eq!((recorded.video, recorded.key_frames), (sent.video, sent.key_frames));
    assert_eq!(recorded.audio, sent.audio);
    assert!(recorded.first_is_key && recorded.in_order, "{recorded:?}");
    assert!(recorded.largest_video_gap_ms <= 41.0, "{recorded:?}");
    assert!((recorded.start_offset_ms - sent.start_offset_ms).abs() <= 1.0, "{recorded:?}");
}

#[test]
fn real_a_film_is_recorded_through_tls() {
    let _turn = one_at_a_time();
    if !has_or_skip(&["ffmpeg", "ffprobe"]) {
        return;
    }
    let pki = Pki::new();
    let identity = pki.identity(&["localhost"], Flaw::None);
    let Some(nginx) = nginx_or_skip(&identity) else { return };
    let clip = clip::film_clip();
    publish(&clip, &format!("{}/k3y", nginx.rtmps_url("localhost")));
    let record = nginx.finished_record();
    probe::decodes_cleanly(&record).unwrap();
    let (sent, recorded) = (probe::packets(&clip), probe::packets(&record));
    assert_eq!((recorded.video, recorded.audio), (sent.video, sent.audio));
    assert_eq!(recorded.video, 132);
}

/// The error of a TLS handshake with the server by this name, trusting this authority alone.
fn handshake(nginx: &Nginx, pki: &Pki, name: &str) -> Result<(), rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(pki.ca_file()).unwrap()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name)?;
    let mut socket = TcpStream::connect(("127.0.0.1", nginx.rtmps_port)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    while client.is_handshaking() {
        while client.wants_write() {
            client.write_tls(&mut socket).unwrap();
        }
        if client.is_handshaking() {
            assert_ne!(client.read_tls(&mut socket).unwrap(), 0, "the server hung up");
            client.process_new_packets()?;
        }
    }
    socket.flush().unwrap();
    Ok(())
}

#[test]
fn real_each_bad_certificate_is_refused_for_its_own_flaw() {
    let _turn = one_at_a_time();
    let pki = Pki::new();
    for flaw in [Flaw::None, Flaw::WrongName, Flaw::Expired, Flaw::NotYetValid, Flaw::SelfSigned] {
        let identity = pki.identity(&["localhost", "127.0.0.1"], flaw);
        let Some(nginx) = nginx_or_skip(&identity) else { return };
        for name in ["localhost", "127.0.0.1"] {
            let ended = handshake(&nginx, &pki, name);
            let as_expected = match (&ended, flaw) {
                (Ok(()), flaw) => flaw == Flaw::None,
                (Err(rustls::Error::InvalidCertificate(error)), flaw) => match error {
                    CertificateError::NotValidForNameContext { .. } => flaw == Flaw::WrongName,
                    CertificateError::ExpiredContext { .. } => flaw == Flaw::Expired,
                    CertificateError::NotValidYetContext { .. } => flaw == Flaw::NotYetValid,
                    CertificateError::UnknownIssuer => flaw == Flaw::SelfSigned,
                    _ => false,
                },
                (Err(_), _) => false,
            };
            assert!(as_expected, "{flaw:?} by the name {name}: {ended:?}");
        }
    }
}

#[test]
fn real_damage_in_a_file_is_noticed() {
    let _turn = one_at_a_time();
    if !has_or_skip(&["ffmpeg", "ffprobe"]) {
        return;
    }
    let folder = crate::support::Folder::new("rig");
    let file = test_clip(folder.path());
    probe::decodes_cleanly(&file).unwrap();
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4_000].fill(0x55);
    fs::write(&file, &bytes).unwrap();
    assert!(probe::decodes_cleanly(&file).is_err());
}

#[test]
fn real_a_server_that_is_dropped_is_gone() {
    let _turn = one_at_a_time();
    let pki = Pki::new();
    let Some(nginx) = nginx_or_skip(&pki.identity(&["localhost"], Flaw::None)) else { return };
    let (port, tls_port) = (nginx.rtmp_port, nginx.rtmps_port);
    assert!(nginx.recorded().is_empty());
    drop(nginx);
    for port in [port, tls_port] {
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    }
}
