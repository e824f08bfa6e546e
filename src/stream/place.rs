//! Where a server may send a stream. Key, consent to plain RTMP and trust go along, so it is the owner
//! who decides, by the address that was set, and not the server.

mod private;

use super::error::Error;
use crate::rtmp::url::{Host, Scheme, ServerUrl};
pub use private::is_private;
use private::is_private_host;

/// What the owner has consented to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// The address that was set.
    home: ServerUrl,
    /// Other hosts, and domains, that the server may send the stream to.
    hosts: Vec<Host>,
}

/// Domains in which everybody gets names, of clouds, content networks, tunnels and dynamic DNS: neighbours
/// there are strangers. The public suffix list has thousands more, and costs 700 kB as a library; what is
/// missing here lets only the server that has the key already send it to a neighbour, over TLS.
const SHARED_DOMAINS: &[&str] = &[
    "akadns.net",
    "akamaihd.net",
    "akamaized.net",
    "amazonaws.com",
    "appspot.com",
    "azure.com",
    "azureedge.net",
    "azurefd.net",
    "azurewebsites.net",
    "b-cdn.net",
    "cdn77.org",
    "chickenkiller.com",
    "cloudapp.net",
    "cloudflare.net",
    "cloudfront.net",
    "cprapid.com",
    "ddns.net",
    "ddnsfree.com",
    "ddnss.de",
    "dedyn.io",
    "digitaloceanspaces.com",
    "dnsalias.com",
    "duckdns.org",
    "dyn-ip24.de",
    "dyndns.biz",
    "dyndns.info",
    "dyndns.org",
    "dyndns.tv",
    "dynu.net",
    "dynv6.net",
    "edgecastcdn.net",
    "edgekey.net",
    "edgesuite.net",
    "fastly.net",
    "fastlylb.net",
    "firebaseapp.com",
    "fly.dev",
    "freeddns.org",
    "freemyip.com",
    "giize.com",
    "github.io",
    "gitlab.io",
    "gleeze.com",
    "googleusercontent.com",
    "herokuapp.com",
    "homeip.net",
    "hopto.org",
    "hstgr.cloud",
    "hwcdn.net",
    "ip.linodeusercontent.com",
    "kasserver.com",
    "linodeobjects.com",
    "localtonet.com",
    "loseyourip.com",
    "mooo.com",
    "myfritz.net",
    "mynetname.net",
    "myqnapcloud.com",
    "netlify.app",
    "ngrok-free.app",
    "ngrok.app",
    "ngrok.dev",
    "ngrok.io",
    "nip.io",
    "no-ip.biz",
    "no-ip.info",
    "no-ip.org",
    "noip.me",
    "noip.us",
    "ondigitalocean.app",
    "onrender.com",
    "ovh.net",
    "pages.dev",
    "quickconnect.to",
    "railway.app",
    "run.app",
    "scw.cloud",
    "selfip.com",
    "servebeer.com",
    "serveftp.com",
    "servehttp.com",
    "spdns.de",
    "sslip.io",
    "stackpathdns.com",
    "strangled.net",
    "synology.me",
    "sytes.net",
    "trycloudflare.com",
    "ts.net",
    "vercel.app",
    "web.app",
    "webhop.net",
    "webhop.org",
    "windows.net",
    "workers.dev",
    "xip.io",
    "your-server.de",
    "zapto.org",
];

impl Consent {
    /// To the server at `home`, and to `hosts`.
    pub fn to(home: &ServerUrl, hosts: &[Host]) -> Consent {
        Consent { home: home.clone(), hosts: hosts.to_vec() }
    }

    /// The place that the server at `here` names, absolute or relative (RFC 3986 section 4.2).
    ///
    /// # Errors
    /// [`Error::BadRedirect`] when it cannot be understood, or goes beyond what the owner has consented
    /// to. `from_public` servers do not reach into private networks.
    pub fn moved(
        &self,
        here: &ServerUrl,
        place: &str,
        from_public: bool,
    ) -> Result<ServerUrl, Error> {
        let there = resolved(here, place)?;
        match self.objection(here, &there, from_public) {
            None => Ok(there),
            Some(objection) => Err(Error::BadRedirect { why: format!("{there}: {objection}") }),
        }
    }

    /// Whether this host is another one than the owner has set.
    pub fn is_elsewhere(&self, server: &ServerUrl) -> bool {
        server.host != self.home.host
    }

    fn objection(
        &self,
        here: &ServerUrl,
        there: &ServerUrl,
        from_public: bool,
    ) -> Option<&'static str> {
        let is_tls = |server: &ServerUrl| server.scheme == Scheme::Rtmps;
        if (is_tls(here) || is_tls(&self.home)) && !is_tls(there) {
            return Some("it would leave TLS");
        }
        if !self.is_elsewhere(there) {
            return None;
        }
        if from_public && is_private_host(&there.host) {
            return Some("it is inside of a private network, and the server is not");
        }
        let is_named = self.hosts.iter().any(|host| covers(host, &there.host));
        let is_related = is_tls(there) && same_domain(&self.home.host, &there.host);
        (!is_named && !is_related).then_some(
            "it is another host than the key was given for; redirect_hosts of the destination can allow it",
        )
    }
}

/// The place that a server at `here` names (RFC 3986 section 5.2.2). Whatever is in a relative one, it is
/// at the same host.
fn resolved(here: &ServerUrl, place: &str) -> Result<ServerUrl, Error> {
    let path = here.app.split('?').next().unwrap_or_default();
    // Of a relative one, the first part has no colon.
    let is_absolute = place.split(['/', '?', '#']).next().is_some_and(|first| first.contains(':'));
    let at_this_host = |path: &str| {
        let (path, more) = path.split_at(path.find(['?', '#']).unwrap_or(path.len()));
        format!("{}://{}{}{more}", here.scheme, here.authority(), resolved_path(path))
    };
    let absolute = match place {
        _ if is_absolute => place.to_owned(),
        _ if place.starts_with("//") => format!("{}:{place}", here.scheme),
        _ if place.starts_with('/') => at_this_host(place),
        _ if place.starts_with('?') => at_this_host(&format!("/{path}{place}")),
        _ => {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let gap = if folder.is_empty() { "" } else { "/" };
            at_this_host(&format!("/{folder}{gap}{place}"))
        }
    };
    let mut there = ServerUrl::parse(&absolute)
        .map_err(|error| Error::BadRedirect { why: error.to_string() })?;
    if there.login.is_none() && here.same_server(&there) {
        there.login = here.login.clone();
    }
    Ok(there)
}

/// A path that begins with a slash, with its `.` and `..` carried out (RFC 3986 section 5.2.4). Above the
/// first part there is nothing.
fn resolved_path(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').skip(1) {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let is_folder = path.ends_with("/.") || path.ends_with("/..");
    let end = if is_folder && !parts.is_empty() { "/" } else { "" };
    format!("/{}{end}", parts.join("/"))
}

/// A host covers itself, and a domain everything below it.
fn covers(allowed: &Host, host: &Host) -> bool {
    match allowed {
        Host::Name(domain) => host.is_within(domain),
        Host::V4(_) | Host::V6(_) => allowed == host,
    }
}

/// Whether both names are in a domain that one owner has registered. Without the list of all endings
/// under which names are given out, which is long and never complete on a box: a name of a country's
/// domain with a short part before it counts as one of those (`co.uk`). Where that is wrong, a redirect
/// is refused that could have been followed.
fn same_domain(one: &Host, other: &Host) -> bool {
    let (Host::Name(one), Host::Name(other)) = (one, other) else { return false };
    match registered(one) {
        Some(domain) => registered(other) == Some(domain),
        None => false,
    }
}

fn registered(name: &str) -> Option<&str> {
    let is_shared = |ending: &&str| Host::Name(name.to_owned()).is_within(ending);
    let labels: Vec<&str> = name.rsplit('.').collect();
    let ending = if is_country_with_sections(&labels) { 2 } else { 1 };
    if labels.len() <= ending || SHARED_DOMAINS.iter().any(is_shared) {
        return None;
    }
    let length = labels.iter().take(ending + 1).map(|label| label.len() + 1).sum::<usize>() - 1;
    name.get(name.len() - length..)
}

/// `co.uk`, `com.br`, `ne.jp` and their like, from the end.
fn is_country_with_sections(labels: &[&str]) -> bool {
    matches!(labels, [country, section, ..] if country.len() == 2 && section.len() <= 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str) -> ServerUrl {
        ServerUrl::parse(url).unwrap()
    }

    fn moved(home: &str, place: &str) -> Result<String, String> {
        let home = server(home);
        let there = Consent::to(&home, &[]).moved(&home, place, true);
        there.map(|there| there.tc_url()).map_err(|error| error.to_string())
    }

    #[test]
    fn places_are_absolute_or_relative() {
        for (place, expected) in [
            ("rtmps://b.example.org/app", "rtmps://b.example.org/app"),
            ("//b.example.org/app", "rtmps://b.example.org/app"),
            ("/other", "rtmps://a.example.org:1936/other"),
            ("us", "rtmps://a.example.org:1936/live/us"),
            ("?to=rtmp://b/c", "rtmps://a.example.org:1936/live/eu?to=rtmp://b/c"),
            ("/other?to=rtmp://b/c", "rtmps://a.example.org:1936/other?to=rtmp://b/c"),
        ] {
            let found = moved("rtmps://a.example.org:1936/live/eu", place);
            assert_eq!(found.as_deref(), Ok(expected), "{place}");
        }
    }

    #[test]
    fn a_relative_place_goes_up_and_down_as_others_resolve_it_and_never_to_another_host() {
        for (place, expected) in [
            // RFC 3986 section 5.4, where the base is http://a/b/c/d;p?q.
            ("g", "b/c/g"),
            ("./g", "b/c/g"),
            ("g/", "b/c/g"),
            ("?y", "b/c/d;p?y"),
            ("g?y", "b/c/g?y"),
            (";x", "b/c/;x"),
            ("../g", "b/g"),
            ("../../g", "g"),
            ("../../../g", "g"),
            ("../../../../g", "g"),
            ("/./g", "g"),
            ("/../g", "g"),
            ("g.", "b/c/g."),
            (".g", "b/c/.g"),
            ("g..", "b/c/g.."),
            ("..g", "b/c/..g"),
            ("./../g", "b/g"),
            ("./g/.", "b/c/g"),
            ("g/./h", "b/c/g/h"),
            ("g/../h", "b/c/h"),
            ("g;x=1/../y", "b/c/y"),
            ("g?y/./x", "b/c/g?y/./x"),
            ("g?y/../x", "b/c/g?y/../x"),
            (".", "b/c"),
            ("./", "b/c"),
            ("..", "b"),
            // What would be the beginning of a host elsewhere.
            ("/..//evil.net/app", "/evil.net/app"),
            ("..//../..//evil.net/app", "/evil.net/app"),
            ("/.//evil.net/app", "/evil.net/app"),
            ("/..@evil.net/app", "..@evil.net/app"),
        ] {
            let found = moved("rtmps://a.example.org/b/c/d;p?q", place);
            let expected = format!("rtmps://a.example.org/{expected}");
            assert_eq!(found.as_deref(), Ok(expected.as_str()), "{place}");
        }
    }

    #[test]
    fn what_is_in_a_query_is_no_part_of_the_path() {
        let found = moved("rtmps://a.example.org/live?of=x/y", "us");
        assert_eq!(found.as_deref(), Ok("rtmps://a.example.org/us"));
    }

    #[test]
    fn what_is_neither_an_address_of_a_server_nor_a_path_at_this_one_leads_nowhere() {
        for place in [
            "http://a.example.org/live",
            "srt://a.example.org/live",
            "a.example.org:1935/live",
            "mailto:a",
            "rtmps:a.example.org/live",
            "rtmps:/live",
            "rtmps://",
            "rtmps:///live",
            "://",
            ":",
        ] {
            let found = moved("rtmps://a.example.org/live", place);
            assert!(found.is_err(), "{place}: {found:?}");
        }
    }

    #[test]
    fn a_stream_follows_to_the_same_host_and_over_tls_within_the_domain() {
        for (home, place) in [
            ("rtmps://a.example.org/live", "rtmps://a.example.org:444/live"),
            ("rtmps://a.example.org/live", "rtmps://b.example.org/live"),
            ("rtmps://a.example.org/live", "rtmps://example.org/live"),
            ("rtmps://example.org/live", "rtmps://eu.in.example.org/live"),
            ("rtmps://a.example.co.uk/live", "rtmps://b.example.co.uk/live"),
            ("rtmps://a.rtmps.youtube.com/live2", "rtmps://b.rtmps.youtube.com/live2"),
            // Plain RTMP may stay at its host, and turn to TLS.
            ("rtmp://a.example.org/live", "rtmp://a.example.org:1936/live"),
            ("rtmp://a.example.org/live", "rtmps://b.example.org/live"),
            ("rtmp://192.0.2.1/live", "rtmp://192.0.2.1:1936/live"),
        ] {
            assert!(moved(home, place).is_ok(), "{home} {place}: {:?}", moved(home, place));
        }
    }

    #[test]
    fn a_stream_follows_nowhere_else() {
        for (home, place, why) in [
            ("rtmps://a.example.org/live", "rtmps://a.example.net/live", "another host"),
            ("rtmps://a.example.org/live", "rtmps://example.org.evil.net/live", "another host"),
            ("rtmps://a.example.org/live", "rtmps://notexample.org/live", "another host"),
            ("rtmps://a.example.co.uk/live", "rtmps://b.evil.co.uk/live", "another host"),
            ("rtmps://mine.duckdns.org/live", "rtmps://yours.duckdns.org/live", "another host"),
            ("rtmps://mine.dynv6.net/live", "rtmps://yours.dynv6.net/live", "another host"),
            ("rtmps://a.mine.pages.dev/live", "rtmps://yours.pages.dev/live", "another host"),
            ("rtmps://mine.akamaized.net/live", "rtmps://yours.akamaized.net/live", "another host"),
            ("rtmps://mine.ngrok.app/live", "rtmps://yours.ngrok.app/live", "another host"),
            ("rtmps://org/live", "rtmps://evil.org/live", "another host"),
            ("rtmps://a.example.org/live", "rtmps://8.8.8.8/live", "another host"),
            ("rtmps://8.8.8.8/live", "rtmps://8.8.4.4/live", "another host"),
            ("rtmp://a.example.org/live", "rtmp://b.example.org/live", "another host"),
            ("rtmps://a.example.org/live", "rtmp://a.example.org/live", "leave TLS"),
            ("rtmps://a.example.org/live", "rtmps://localhost/live", "private network"),
            ("rtmps://a.example.org/live", "rtmps://127.0.0.1/live", "private network"),
            ("rtmps://a.example.org/live", "rtmps://[::1]/live", "private network"),
            ("rtmps://a.example.org/live", "rtmps://169.254.1.1/live", "private network"),
            ("rtmps://a.example.org/live", "rtmps://[::ffff:10.0.0.1]/live", "private network"),
            ("rtmp://a.example.org/live", "rtmp://192.168.1.1/live", "private network"),
        ] {
            let found = moved(home, place).unwrap_err();
            assert!(found.contains(why), "{home} {place}: {found}");
        }
    }

    #[test]
    fn a_server_that_was_moved_to_does_not_widen_what_was_consented_to() {
        let home = server("rtmp://a.example.org/live");
        let consent = Consent::to(&home, &[]);
        let there = consent.moved(&home, "rtmps://b.example.org/live", true).unwrap();
        let back = consent.moved(&there, "rtmp://a.example.org/live", true).unwrap_err();
        assert!(back.to_string().contains("leave TLS"), "{back}");
        assert!(consent.moved(&there, "rtmps://c.example.net/live", true).is_err());
    }

    #[test]
    fn named_hosts_may_be_followed_to_but_not_out_of_tls_nor_into_a_private_network() {
        let host = |url: &str| server(url).host;
        let hosts = [host("rtmps://cdn.example/a"), host("rtmps://10.0.0.7/a")];
        let follow = |home: &str, place: &str, from_public| {
            let home = server(home);
            Consent::to(&home, &hosts).moved(&home, place, from_public).is_ok()
        };
        assert!(follow("rtmps://a.example.org/live", "rtmps://eu.cdn.example/live", true));
        assert!(follow("rtmp://a.example.org/live", "rtmp://cdn.example/live", true));
        assert!(follow("rtmp://10.0.0.6/live", "rtmp://10.0.0.7/live", false));
        assert!(!follow("rtmp://10.0.0.6/live", "rtmp://10.0.0.8/live", false));
        assert!(!follow("rtmps://a.example.org/live", "rtmp://cdn.example/live", true));
        assert!(!follow("rtmps://a.example.org/live", "rtmps://10.0.0.7/live", true));
    }

    #[test]
    fn the_password_of_the_address_goes_to_no_other_server() {
        let home = server("rtmps://anna:pw@a.example.org/live");
        let consent = Consent::to(&home, &[]);
        let login = |place| consent.moved(&home, place, true).unwrap().login.is_some();
        assert!(login("/other"));
        assert!(!login("rtmps://b.example.org/live"));
        assert!(!login("rtmps://a.example.org:444/live"));
    }

    #[test]
    fn names_that_only_a_network_of_its_own_knows_are_private() {
        for name in ["localhost", "nas.local", "a.internal", "box.lan", "x.home.arpa", "nas"] {
            let (home, place) = ("rtmps://a.example.org/live", format!("rtmps://{name}/live"));
            let found = moved(home, &place).unwrap_err();
            assert!(found.contains("private network"), "{name}: {found}");
        }
        for name in ["a.localdomain", "a.intranet", "a.private", "a.corp", "a.home"] {
            let (home, place) = ("rtmps://a.example.org/live", format!("rtmps://{name}/live"));
            let found = moved(home, &place).unwrap_err();
            assert!(found.contains("private network"), "{name}: {found}");
        }
    }
}
