//! TLS of another make: what OpenSSL offers, and what the manual says about certificates.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::nginx::nginx_or_skip;
use crate::support::pki::{Flaw, Pki};
use crate::support::product::firstmile_ends;
use crate::support::{Ended, Folder, eventually, free_port, has_or_skip, one_at_a_time, run};
use serde_json::Value;

const TIMEOUT: Duration = Duration::from_secs(20);

/// The pin of no key at all: the hash of nothing.
const OTHER_PIN: &str = "sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

/// Runs a command line of the manual or of a test in a folder; gives what it printed.
#[track_caller]
fn shell(folder: &Path, line: &str) -> String {
    let mut command = Command::new("sh");
    command.args(["-ec", line]).current_dir(folder);
    run(&mut command, TIMEOUT).ok().stdout.trim().to_owned()
}

/// `openssl s_server` with what is in this folder.
struct OpenSsl {
    child: Child,
    port: u16,
}

impl OpenSsl {
    #[track_caller]
    fn start(folder: &Path, options: &str) -> OpenSsl {
        let port = free_port();
        let mut child = Command::new("openssl")
            .args(["s_server", "-quiet", "-accept"])
            .arg(format!("127.0.0.1:{port}"))
            .args(options.split_whitespace())
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl starts");
        let started = eventually(TIMEOUT, || {
            assert!(child.try_wait().expect("our own child").is_none(), "s_server {options}");
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        assert!(started.is_some(), "openssl does not listen");
        OpenSsl { child, port }
    }
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn check(folder: &Path, host: &str, port: u16, options: &str) -> Ended {
    fs::write(folder.join("key"), "canary-k3y\n").unwrap();
    let url = format!("rtmps://{host}:{port}/live");
    firstmile_ends(folder, &format!("check --url {url} --key-file key --json {options}"))
}

/// The commands of the manual that begin so, up to the end of the block or code span.
fn manual(begins: &str) -> String {
    let manual = include_str!("../../docs/settings.md");
    let at = manual.find(begins).unwrap_or_else(|| panic!("the manual lacks {begins}"));
    manual[at..].split('`').next().unwrap().to_owned()
}

#[test]
fn real_a_certificate_made_as_the_manual_says_is_accepted_with_the_pin_that_it_computes() {
    let _turn = one_at_a_time();
    if !has_or_skip(&["openssl"]) {
        return;
    }
    let folder = Folder::new("real-tls");
    let folder = folder.path();
    let make = manual("openssl req -x509").replace("stream.lan", "localhost");
    shell(folder, &make.replace("192.0.2.7", "127.0.0.1"));
    let pin = format!("sha256//{}", shell(folder, &manual("openssl x509 -in server.pem")));
    let server = OpenSsl::start(folder, "-cert server.pem -key server.key");
    for host in ["localhost", "127.0.0.1"] {
        let options = format!("--ca-file server.pem --pinned-key {pin}");
        let ended = check(folder, host, server.port, &options);
        let checked: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(checked["tls"]["pin"], pin.as_str());
        assert_eq!(checked["tls"]["subject"], "localhost");
        let days = checked["tls"]["days_left"].as_i64().unwrap();
        assert!((3_649..=3_650).contains(&days), "{checked}");
    }
    if has_or_skip(&["curl"]) {
        let web = OpenSsl::start(folder, "-www -cert server.pem -key server.key");
        let curl = |pin: &str| {
            let url = format!("https://localhost:{}/", web.port);
            let options = format!("-sS -o page --cacert server.pem --pinnedpubkey {pin}");
            shell(folder, &format!("curl {options} --max-time 10 {url} || echo $?"))
        };
        assert_eq!(curl(&pin), "");
        assert_eq!(curl(OTHER_PIN), "90", "CURLE_SSL_PINNEDPUBKEYNOTMATCH");
    }
}

#[test]
fn real_the_default_of_openssl_is_reported_with_the_remedy() {
    let _turn = one_at_a_time();
    if !has_or_skip(&["openssl"]) {
        return;
    }
    let folder = Folder::new("real-tls");
    let folder = folder.path();
    let make = manual("openssl req -x509").replace("stream.lan", "localhost");
    shell(folder, &make.replace(" -addext basicConstraints=critical,CA:FALSE", ""));
    let server = OpenSsl::start(folder, "-cert server.pem -key server.key");
    let ended = check(folder, "localhost", server.port, "--ca-file server.pem");
    assert_eq!(ended.status.code(), Some(6), "{}", ended.stderr);
    assert!(ended.stderr.contains("basicConstraints CA:FALSE"), "{}", ended.stderr);
}

#[test]
fn real_old_versions_ciphers_and_hashes_are_refused_and_safe_ones_accepted() {
    let _turn = one_at_a_time();
    if !has_or_skip(&["openssl"]) {
        return;
    }
    let folder = Folder::new("real-tls");
    let folder = folder.path();
    shell(
        folder,
        "openssl req -x509 -newkey rsa:2048 -nodes -days 9 -keyout ca.key -out ca.pem -subj /CN=ca
        echo subjectAltName=DNS:localhost > san
        leaf() {
            openssl req -newkey rsa:$2 -nodes -keyout $1.key -out $1.csr -subj /CN=localhost
            openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -days 9 $3 -extfile san -out $1.pem
        }
        curve() {
            openssl ecparam -name $2 -genkey -noout -out $1.key
            openssl req -new -key $1.key -out $1.csr -subj /CN=localhost
            openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -days 9 -extfile san -out $1.pem
        }
        curve p384 secp384r1
        curve p521 secp521r1
        leaf usual 2048 -sha256
        leaf short 1024 -sha256
        leaf sha1 2048 -sha1",
    );
    let old = "DEFAULT:@SECLEVEL=0";
    let rows = [
        ("usual", "", "", None),
        ("usual", "-tls1_3", "--strict-tls", None),
        ("usual", "-tls1_2", "", None),
        ("usual", "-tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256", "--strict-tls", None),
        ("usual", "-tls1_2 -cipher ECDHE-RSA-CHACHA20-POLY1305", "", None),
        (
            "usual",
            "-tls1_2 -cipher ECDHE-RSA-CHACHA20-POLY1305",
            "--strict-tls",
            Some("no TLS 1.2 or 1.3"),
        ),
        (
            "usual",
            "-tls1_3 -ciphersuites TLS_CHACHA20_POLY1305_SHA256",
            "--strict-tls",
            Some("no TLS 1.2 or 1.3"),
        ),
        ("usual", "-groups X25519", "--strict-tls", Some("no TLS 1.2 or 1.3")),
        ("usual", &format!("-tls1_1 -cipher {old}"), "", Some("no TLS 1.2 or 1.3")),
        ("usual", &format!("-tls1 -cipher {old}"), "", Some("no TLS 1.2 or 1.3")),
        ("usual", "-tls1_2 -cipher AES128-GCM-SHA256", "", Some("no TLS 1.2 or 1.3")),
        ("usual", "-tls1_2 -cipher ECDHE-RSA-AES128-SHA", "", Some("no TLS 1.2 or 1.3")),
        ("p384", "", "--strict-tls", None),
        ("p521", "-tls1_3", "", Some("such as ECDSA on P-521")),
        ("p521", "-tls1_2", "", Some("such as ECDSA on P-521")),
        ("short", &format!("-cipher {old}"), "", Some("the key is too short")),
        ("sha1", &format!("-cipher {old}"), "", Some("signed in a way that is not safe")),
    ];
    for (leaf, offers, options, refused) in rows {
        let files = format!("-cert {leaf}.pem -key {leaf}.key");
        let server = OpenSsl::start(folder, &format!("{files} {offers}"));
        let options = format!("--ca-file ca.pem {options}");
        let ended = check(folder, "localhost", server.port, &options);
        let case = format!("{leaf} {offers} {options}: {} {}", ended.stdout, ended.stderr);
        match refused {
            // The server speaks no RTMP, so the look ends right after TLS.
            None => assert!(ended.stdout.contains("\"name\":\"TLS\""), "{case}"),
            Some(words) => {
                assert_eq!(ended.status.code(), Some(6), "{case}");
                assert!(ended.stderr.contains(words), "{case}");
            }
        }
    }
}

#[test]
fn real_nginx_is_published_to_with_its_key_pinned_and_strictly() {
    let _turn = one_at_a_time();
    let pki = Pki::new();
    let identity = pki.identity(&["localhost"], Flaw::None);
    let Some(nginx) = nginx_or_skip(&identity) else { return };
    let folder = Folder::new("real-tls");
    let folder = folder.path();
    let ca = pki.ca_file();
    let trusting = format!("--ca-file {} --strict-tls", ca.display());
    let ended = check(folder, "localhost", nginx.rtmps_port, &trusting).ok();
    let checked: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(checked["tls"]["issuer"], "firstmile test authority");
    let pin = checked["tls"]["pin"].as_str().unwrap();

    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/x264-aac.flv");
    let push = |pin: &str| {
        let url = nginx.rtmps_url("localhost");
        let file = vectors.display();
        let line = format!(
            "push {file} --no-pace --url {url} --key-file key {trusting} --pinned-key {pin}"
        );
        firstmile_ends(folder, &line)
    };
    let refused = push(OTHER_PIN);
    assert_eq!(refused.status.code(), Some(6), "{}", refused.stderr);
    assert!(refused.stderr.contains(pin) && !refused.stderr.contains("canary"));
    assert!(nginx.recorded().is_empty());
    push(pin).ok();
    assert!(fs::metadata(nginx.finished_record()).unwrap().len() > 1_000);
}
