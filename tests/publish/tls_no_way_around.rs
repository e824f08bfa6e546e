//! There is no way around the verification of certificates: none in the source, none at the command
//! line, none in the settings; and nothing that leaks what TLS protects.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use std::{fs, thread};

use crate::support::pki::Issued;
use crate::support::product::firstmile;
use crate::support::tls::{Speaks, accept, loopback, pin_of};
use crate::support::{Ended, Folder, run};
use firstmile::config::schema::SETTINGS;

const TIMEOUT: Duration = Duration::from_secs(60);

/// The source of the product, file by file.
fn sources(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            sources(&entry, found);
        } else {
            let text = fs::read_to_string(&entry).unwrap();
            found.push((entry, text));
        }
    }
}

#[test]
fn one_verifier_judges_certificates_and_it_judges_by_the_librarys() {
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    let named_in = |word: &str| {
        let with = found.iter().filter(|(_, text)| text.contains(word));
        with.map(|(path, _)| path.file_name().unwrap().to_str().unwrap()).collect::<Vec<_>>()
    };
    // What a verifier must call to let somebody through by itself.
    assert_eq!(named_in("::assertion"), [""; 0]);
    // What replaces the verifier of a configuration.
    assert_eq!(named_in("set_certificate_verifier"), [""; 0]);
    assert_eq!(named_in("with_custom_certificate_verifier"), ["mod.rs"]);
    assert_eq!(named_in("ServerCertVerifier for"), ["verifier.rs"]);
    // What would hand out the keys of a connection.
    assert_eq!(named_in("KeyLog"), [""; 0]);
    assert_eq!(named_in("enable_secret_extraction"), [""; 0]);
    // What would send media before the server has proved who it is.
    assert_eq!(named_in("enable_early_data = true"), [""; 0]);
}

/// Words that such switches go by elsewhere.
const TELLTALE: [&str; 9] = [
    "insecure",
    "no-verify",
    "no_verify",
    "verify",
    "skip",
    "trust-all",
    "accept-any",
    "unsafe",
    "ignore-cert",
];

#[test]
fn no_switch_and_no_setting_turns_verification_off() {
    let folder = Folder::new("switches");
    for command in ["run", "demo", "push", "check"] {
        let help = run(&mut firstmile(folder.path(), &format!("{command} --help")), TIMEOUT).ok();
        let switches: Vec<&str> =
            help.stdout.split_whitespace().filter(|word| word.starts_with("--")).collect();
        assert!(!switches.is_empty());
        for word in TELLTALE {
            assert!(!switches.iter().any(|s| s.contains(word)), "{command}: {switches:?}");
        }
    }
    for setting in SETTINGS.entries() {
        assert!(!TELLTALE.iter().any(|word| setting.key().contains(word)), "{}", setting.name);
    }
}

/// Checks a server of this certificate; returns its output and what the folder contains afterwards.
fn check(server: &Issued, root: &Issued, options: &str) -> (Ended, Vec<String>) {
    let (listener, port) = loopback();
    let config = Speaks::with(server, &[]).config();
    let folder = Folder::new("check");
    fs::write(folder.path().join("key"), "canary-k3y\n").unwrap();
    fs::write(folder.path().join("ca.pem"), root.pem()).unwrap();
    let url = format!("rtmps://localhost:{port}/live");
    let line = format!("check --url {url} --key-file key --ca-file ca.pem {options}");
    let mut command: Command = firstmile(folder.path(), &line);
    command.env("SSLKEYLOGFILE", folder.path().join("keys-of-connections"));
    let ended = thread::scope(|scope| {
        scope.spawn(|| {
            let mut tls = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut socket = accept(&listener);
            while tls.complete_io(&mut socket).is_ok_and(|(read, _)| read > 0) {}
        });
        run(&mut command, TIMEOUT)
    });
    let files = fs::read_dir(folder.path()).unwrap();
    let mut files: Vec<String> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    (ended, files)
}

#[test]
fn check_shows_who_the_server_is_and_leaves_nothing_behind() {
    let root = Issued::authority("The Root");
    let server = root.server(&["localhost"]);
    let pin = pin_of(&server.key);
    let (ended, files) = check(&server, &root, &format!("--strict-tls --pinned-key {pin}"));
    // It speaks TLS and nothing else, so the look ends after that.
    assert_ne!(ended.status.code(), Some(6), "{}", ended.stderr);
    let output = ended.stdout;
    for words in [
        "certificate    firstmile test server, issued by The Root\n",
        "valid until    2120-01-01 (",
        &format!("pinned_key     {pin}\n"),
        "TLS            TLSv1_3, TLS13_AES_256_GCM_SHA384\n",
    ] {
        assert!(output.contains(words), "{output}");
    }
    assert_eq!(files, ["ca.pem", "key"], "SSLKEYLOGFILE is not obeyed");
}

#[test]
fn check_ends_with_the_code_of_tls_when_the_key_is_another() {
    let root = Issued::authority("The Root");
    let server = root.server(&["localhost"]);
    let pin = pin_of(&root.key);
    let (ended, _) = check(&server, &root, &format!("--pinned-key {pin}"));
    assert_eq!(ended.status.code(), Some(6), "{}", ended.stderr);
    assert!(ended.stderr.contains(&pin_of(&server.key).to_string()), "{}", ended.stderr);
    let folder = Folder::new("check");
    let line = "check --url rtmps://localhost/live --key-file key --pinned-key sha256//AAAA";
    let unread = run(&mut firstmile(folder.path(), line), TIMEOUT);
    assert_eq!(unread.status.code(), Some(2), "{}", unread.stderr);
    assert!(unread.stderr.contains("44 characters of base64"), "{}", unread.stderr);
}
