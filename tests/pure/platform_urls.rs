//! Every platform's address is understood as the platform means it (`tests/data/platform_urls.toml`).

use firstmile::rtmp::url::{Ingest, ServerUrl};
use firstmile::secret::StreamKey;
use serde::Deserialize;

#[derive(Deserialize)]
struct Table {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    platform: String,
    server: String,
    key: String,
    stream: Option<String>,
    combined: Option<String>,
    host: String,
    port: u16,
    app: String,
    tc_url: String,
    user: Option<String>,
    password: Option<String>,
}

impl Case {
    fn separately(&self) -> Ingest {
        let server = ServerUrl::parse(&self.server);
        let server = server.unwrap_or_else(|e| panic!("{}: {e}", self.platform));
        let key = StreamKey::parse(&self.key).expect("the table's keys are keys");
        Ingest::from_server_and_key(server, key).expect("server and key fit")
    }

    fn check(&self, ingest: &Ingest) {
        let Case { platform, host, .. } = self;
        assert_eq!(ingest.server.scheme.to_string(), self.server.split(':').next().unwrap());
        assert_eq!(&ingest.server.host.to_string(), host, "{platform}");
        assert_eq!(ingest.server.port, self.port, "{platform}");
        assert_eq!(ingest.server.app, self.app, "{platform}");
        assert_eq!(ingest.server.tc_url(), self.tc_url, "{platform}");
        let stream = self.stream.as_deref().unwrap_or(&self.key);
        assert_eq!(ingest.key.reveal(), stream, "{platform}");
    }
}

fn cases() -> Vec<Case> {
    let table: Table = toml::from_str(include_str!("../data/platform_urls.toml")).unwrap();
    assert!(table.case.len() > 20);
    table.case
}

#[test]
fn server_and_key_of_every_platform_are_understood() {
    for case in cases() {
        case.check(&case.separately());
    }
}

#[test]
fn a_settings_file_takes_every_platform_s_address_as_it_is_handed_out() {
    for Case { platform, server, key, app, .. } in cases() {
        let plain = if server.starts_with("rtmps") { "" } else { "allow_plain = true\n" };
        let file = format!(
            "version = 1\n[[destination]]\nname = \"p\"\nurl = \"{server}\"\nkey = \"{key}\"\n{plain}"
        );
        let source = firstmile::config::parse("t.toml", &file);
        let source = source.unwrap_or_else(|error| panic!("{platform}: {error}"));
        let settings = firstmile::config::merge(&[source]);
        let ingest = settings.destinations[0].ingest().unwrap();
        assert_eq!(ingest.server.app, app, "{platform}");
    }
}

#[test]
fn one_address_with_the_key_means_the_same() {
    for case in cases() {
        if let Some(combined) = &case.combined {
            let ingest = Ingest::from_combined(combined);
            case.check(&ingest.unwrap_or_else(|e| panic!("{}: {e}", case.platform)));
        }
    }
}

#[test]
fn user_and_password_reach_only_who_asks_for_them() {
    for case in cases() {
        let ingest = case.separately();
        let login = ingest.server.login.as_ref();
        assert_eq!(login.map(|l| l.user.as_str()), case.user.as_deref(), "{}", case.platform);
        assert_eq!(login.map(|l| l.reveal_password()), case.password.as_deref());
    }
}

#[test]
fn nothing_that_is_shown_contains_the_key_or_the_password() {
    for case in cases() {
        let ingest = case.separately();
        let shown = format!("{} {ingest:?} {:?}", ingest.masked(), ingest.server);
        assert!(!shown.contains(&case.key), "{}: {shown}", case.platform);
        for secret in case.password.iter() {
            assert!(!shown.contains(secret), "{}: {shown}", case.platform);
        }
    }
}

#[test]
fn no_damaged_address_is_shown_or_ends_in_a_panic() {
    let mut refused = 0;
    let mut check = |text: &str, key: &str| {
        let results = [
            ServerUrl::parse(text).map(|s| format!("{s} {s:?} {}", s.tc_url().len())),
            Ingest::from_combined(text).map(|i| format!("{i:?}")),
        ];
        for error in results.iter().filter_map(|t| t.as_ref().err()) {
            refused += 1;
            assert!(!format!("{error} {error:?}").contains(key), "{text}: {error}");
        }
    };
    for case in cases() {
        let address = case.combined.as_deref().unwrap_or(&case.server);
        for (at, _) in address.char_indices() {
            check(&address[..at], &case.key);
            check(&address[at..], &case.key);
            for put in ["/", "?", "@", ":", "[", "]", "%", "#", "//", "{stream_key}", "é", "\u{1b}"]
            {
                check(&format!("{}{put}{}", &address[..at], &address[at..]), &case.key);
                check(&format!("{}{put}{}", &address[..at], &address[at + 1..]), &case.key);
            }
        }
    }
    assert!(refused > 10_000, "{refused}");
}
