//! Where a stream goes: the address of a server, and the key that is published there.
//!
//! Platforms hand out three shapes: a server and a key, one address with the key at its end, and an
//! address with `{stream_key}` in it. Queries occur on either side of the border (YouTube's
//! `live2?backup=1` belongs to the app, Facebook's `?s_bl=1…` to the key), so nothing is ever
//! re-encoded and nothing is guessed: an ambiguous address is refused.
//!
//! ```
//! use firstmile::rtmp::url::Ingest;
//! let ingest = Ingest::from_combined("rtmps://live.example:443/app/k3y?a=1").unwrap();
//! assert_eq!(ingest.server.tc_url(), "rtmps://live.example/app");
//! assert_eq!(ingest.key.reveal(), "k3y?a=1");
//! assert_eq!(ingest.masked(), "rtmps, host live.example, port 443, app app, key ••••");
//! ```

mod error;
mod host;
mod login;

use std::fmt;

use zeroize::Zeroizing;

use crate::limits::{SECRET_BYTES_MIN, URL_BYTES_MAX};
use crate::secret::{StreamKey, pasted};
use error::PLACEHOLDER;
pub use error::UrlError;
pub use host::{Host, Hosts, HostsError};
pub use login::Login;

/// What replaces everything that may be secret.
const MASK: &str = "••••";

/// Platforms whose app is always the same, by the end of their host names. An address of theirs
/// without it means it, and what follows it can only be the stream key.
const PLATFORM_APPS: &[(&str, &str)] = &[
    ("youtube.com", "live2"),
    ("facebook.com", "rtmp"),
    ("instagram.com", "rtmp"),
    ("twitch.tv", "app"),
    ("live-video.net", "app"), // Amazon IVS; Twitch and Kick use it
    ("mux.com", "app"),
    ("cloudflare.com", "live"),
    ("pscp.tv", "x"),
];

/// The shortest key that is looked for at the end of its server's address.
const KEY_IN_ADDRESS_BYTES_MIN: usize = 8;

/// Addresses that are recognized but not supported, each with what to use instead.
const REFUSED: &[(&str, &str)] = &[
    ("rtmpt", "RTMP inside HTTP is not supported; use the server's rtmps:// address"),
    ("rtmpts", "RTMP inside HTTPS is not supported; use the server's rtmps:// address"),
    ("rtmpe", "Adobe's own encryption protects nothing; use the server's rtmps:// address"),
    ("rtmpte", "Adobe's own encryption protects nothing; use the server's rtmps:// address"),
    ("rtmfp", "RTMP over UDP is not supported (RFC 7425); use the server's rtmps:// address"),
    ("srt", "SRT is not supported; look for an RTMPS ingest of the same platform"),
    ("rtsp", "RTSP is for cameras and players; use the server's rtmps:// address"),
    ("http", "that is a web page; use the ingest address, it begins with rtmps://"),
    ("https", "that is a web page; use the ingest address, it begins with rtmps://"),
];

/// How the bytes travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain TCP: everybody on the way can read the stream key.
    Rtmp,
    /// TLS from the first byte.
    Rtmps,
}

impl Scheme {
    /// The port that an address without one means.
    pub fn default_port(self) -> u16 {
        match self {
            Scheme::Rtmp => 1935,
            Scheme::Rtmps => 443,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scheme::Rtmp => "rtmp",
            Scheme::Rtmps => "rtmps",
        })
    }
}

/// A server's address without the key.
///
/// `Debug` and `Display` hide whatever may be secret: user and password, values in the query, and
/// parts of the app after its first, where people tend to leave the key.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerUrl {
    /// Plain or TLS.
    pub scheme: Scheme,
    /// The server's name or address; also the name that the certificate must carry.
    pub host: Host,
    /// The TCP port.
    pub port: u16,
    /// The app with its query as the platform wrote it, without one trailing slash, which servers
    /// and clients treat as none (`live`, `live2?backup=1`). Empty for a server with unnamed app.
    pub app: String,
    /// User and password, if the address has them.
    pub login: Option<Login>,
    /// What stands around the key in the stream's name, when the address is a template.
    around_key: Option<AroundKey>,
}

/// What a template puts around the key.
#[derive(Clone, PartialEq, Eq)]
struct AroundKey {
    before: String,
    after: String,
}

impl ServerUrl {
    /// Reads a server's address: `rtmps://host[:port]/app`, with `/{stream_key}` behind it or not.
    ///
    /// # Errors
    /// [`UrlError`] explains to the owner what is wrong, without quoting the address.
    pub fn parse(text: &str) -> Result<ServerUrl, UrlError> {
        let text = pasted::clean(text);
        let parts = Parts::of(&text)?;
        let path = match (parts.path, parts.platform_app()) {
            (Some(path), _) => path,
            (None, Some(_)) if parts.is_host_alone => "",
            (None, Some(app)) => return Err(UrlError::NoPlatformApp { app }),
            (None, None) => return Err(UrlError::NoApp),
        };
        let (app, around_key) = split_template(path)?;
        parts.server(app, around_key)
    }

    /// The `tcUrl` of the `connect` command: without login and default port, the app as it is.
    pub fn tc_url(&self) -> String {
        format!("{}://{}/{}", self.scheme, self.authority(), self.app)
    }

    /// Host, and port unless it is the scheme's own.
    pub fn authority(&self) -> String {
        if self.port == self.scheme.default_port() {
            self.host.to_string()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Whether both addresses lead to the same server, so that a key for one may go to the other.
    pub fn same_server(&self, other: &ServerUrl) -> bool {
        (self.scheme, &self.host, self.port) == (other.scheme, &other.host, other.port)
    }

    /// Whether a key that was given for one address may go to the other: the same server and the
    /// same app there. Another app may be another customer's. Of queries only what names a virtual
    /// host counts, by which one server is many; a template has a query too.
    pub fn same_recipient(&self, other: &ServerUrl) -> bool {
        self.same_server(other) && self.recipient() == other.recipient()
    }

    /// Who receives the key, as a text that is equal for equal recipients only; for comparison and
    /// not for people, because the app may hold a secret.
    pub fn recipient(&self) -> Zeroizing<String> {
        let (path, query) = self.app.split_once('?').unwrap_or((&self.app, ""));
        let ServerUrl { scheme, host, port, around_key, .. } = self;
        let mut text = Zeroizing::new(String::with_capacity(2 * URL_BYTES_MAX));
        text.push_str(&format!("{scheme}://{host}:{port}/"));
        text.extend([path.trim_end_matches('/'), "?"]);
        let after_key = around_key.as_ref().map_or("", |around| &around.after);
        let pairs = [query, after_key].into_iter().flat_map(|query| query.split(['&', '?']));
        for (at, pair) in pairs.filter(|pair| names_virtual_host(pair)).enumerate() {
            text.extend([if at == 0 { "" } else { "&" }, pair]);
        }
        text
    }

    /// Whether the address holds anything that is not for everybody: a login, or what
    /// [`Display`](fmt::Display) shows as dots or leaves out.
    pub fn holds_secret(&self) -> bool {
        *self.reveal() != self.to_string()
    }

    /// The whole address, with login and queries: for the settings file, which only the box can
    /// read; never for a message or a log. [`ServerUrl::parse`] reads it back.
    pub fn reveal(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(URL_BYTES_MAX));
        text.push_str(&format!("{}://", self.scheme));
        if let Some(login) = &self.login {
            login.encode(&mut text);
            text.push('@');
        }
        text.push_str(&self.authority());
        text.push('/');
        text.push_str(&self.app);
        if self.app.ends_with('/') {
            text.push('/'); // the one that reading takes away
        }
        if let Some(AroundKey { before, after }) = &self.around_key {
            let slash = if self.app.is_empty() { "" } else { "/" };
            text.extend([slash, before, PLACEHOLDER, after]);
        }
        text
    }

    /// What in the address may be secret, whole and as it would be repeated: the password, values of the
    /// query, and parts of the app after its first.
    pub fn secrets(&self) -> Vec<Zeroizing<String>> {
        let (path, query) = self.app.split_once('?').unwrap_or((&self.app, ""));
        let password = self.login.as_ref().map(Login::reveal_password);
        let parts = path.split('/').skip(1);
        let values = query.split('&').map(|pair| pair.split_once('=').map_or(pair, |(_, v)| v));
        let all = password.into_iter().chain(parts).chain(values);
        let secret = all.filter(|text| text.len() >= SECRET_BYTES_MIN);
        secret.map(|text| Zeroizing::new(text.to_owned())).collect()
    }

    /// The app as people may see it.
    fn shown_app(&self) -> String {
        let (path, query) = match self.app.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (self.app.as_str(), None),
        };
        let mut parts = path.split('/');
        let mut shown = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            shown.push('/');
            shown.push_str(if part.is_empty() || part == "_definst_" { part } else { MASK });
        }
        if let Some(query) = query {
            shown.push('?');
            shown.push_str(&shown_query(query));
        }
        shown
    }
}

/// Whether a part of a query may name a virtual host, however it is written: SRS reads `vhost` and
/// `domain`, and some servers decode names first.
fn names_virtual_host(pair: &str) -> bool {
    let mut decoded = Zeroizing::new(Vec::with_capacity(pair.len()));
    let mut rest = pair.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).filter(|_| *first == b'%');
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        decoded.push(byte.unwrap_or(*first).to_ascii_lowercase());
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    let names = |name: &[u8]| decoded.windows(name.len()).any(|window| window == name);
    names(b"vhost") || names(b"domain")
}

/// A query with its values hidden, except flags: a digit cannot be a secret.
fn shown_query(query: &str) -> String {
    let shown = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, value)) if value.len() <= 1 => format!("{name}={value}"),
        Some((name, _)) => format!("{name}={MASK}"),
        None => MASK.to_owned(),
    });
    shown.collect::<Vec<_>>().join("&")
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme)?;
        if self.login.is_some() {
            write!(f, "{MASK}@")?;
        }
        write!(f, "{}/{}", self.authority(), self.shown_app())?;
        if self.around_key.is_some() {
            f.write_str(if self.app.is_empty() { PLACEHOLDER } else { "/{stream_key}" })?;
        }
        Ok(())
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerUrl({self})")
    }
}

/// A server and the name under which the stream is published there.
#[derive(Clone, PartialEq, Eq)]
pub struct Ingest {
    /// The server.
    pub server: ServerUrl,
    /// The stream's name on the wire: the key as the platform wrote it, with its query.
    pub key: StreamKey,
}

impl Ingest {
    /// A server and its key, handed out separately. A template puts its own text around the key.
    ///
    /// # Errors
    /// [`UrlError::KeyTwice`] when the address ends with the key; [`UrlError::Key`] when a template
    /// makes it too long.
    pub fn from_server_and_key(server: ServerUrl, key: StreamKey) -> Result<Ingest, UrlError> {
        let last = server.app.rsplit_once('/').map(|(_, last)| last);
        // A short one may be the name of both.
        if key.reveal().len() >= KEY_IN_ADDRESS_BYTES_MIN && last == Some(key.reveal()) {
            return Err(UrlError::KeyTwice);
        }
        let key = match &server.around_key {
            Some(AroundKey { before, after }) => {
                let name = Zeroizing::new([before, key.reveal(), after].concat());
                StreamKey::exact(name)?
            }
            None => key,
        };
        Ok(Ingest { server, key })
    }

    /// One address with the key inside. The last slash separates app and key; a query with a slash
    /// in it is read as the app's only where the app cannot end before.
    ///
    /// # Errors
    /// [`UrlError`]; [`UrlError::Ambiguous`] where two readings are possible.
    pub fn from_combined(text: &str) -> Result<Ingest, UrlError> {
        let text = pasted::clean(text);
        let parts = Parts::of(&text)?;
        let path = parts.path.ok_or(UrlError::NoApp)?;
        if path.contains(PLACEHOLDER) {
            return Err(UrlError::NoKey);
        }
        let border = parts.border(path)?;
        let (app, key) = (&path[..border], &path[border + 1..]);
        if app.is_empty() || key.is_empty() {
            return Err(UrlError::NoKey);
        }
        Ingest::from_server_and_key(parts.server(app, None)?, StreamKey::parse(key)?)
    }

    /// The parts as they were understood, for the owner to check; with all that is secret masked.
    pub fn masked(&self) -> String {
        let ServerUrl { scheme, host, port, .. } = &self.server;
        let app = self.server.shown_app();
        let login = if self.server.login.is_some() { ", login ••••" } else { "" };
        format!("{scheme}, host {host}, port {port}, app {app}{login}, key {}", self.key)
    }
}

impl fmt::Debug for Ingest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ingest({})", self.masked())
    }
}

/// An address cut at its outer borders.
struct Parts<'a> {
    scheme: Scheme,
    host: Host,
    port: u16,
    login: Option<Login>,
    /// What follows the slash after the authority; `None` without that slash.
    path: Option<&'a str>,
    /// Nothing follows the authority.
    is_host_alone: bool,
}

impl<'a> Parts<'a> {
    /// `text` is cleaned already.
    fn of(text: &'a str) -> Result<Parts<'a>, UrlError> {
        if text.is_empty() {
            return Err(UrlError::Empty);
        }
        if text.len() > URL_BYTES_MAX {
            return Err(UrlError::TooLong);
        }
        if let Some(at) = pasted::first_unprintable(text) {
            return Err(UrlError::NotPrintable { at });
        }
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::NoScheme)?;
        let scheme = parse_scheme(scheme)?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, after) = rest.split_at(end);
        let (login, host_port) = match authority.rsplit_once('@') {
            Some((login, host_port)) => (Some(Login::parse(login)?), host_port),
            None => (None, authority),
        };
        let (host, port) = split_port(host_port)?;
        Ok(Parts {
            scheme,
            host: Host::parse(host)?,
            port: port.unwrap_or(scheme.default_port()),
            login,
            path: after.strip_prefix('/'),
            is_host_alone: after.is_empty(),
        })
    }

    /// The app of the platform that the host belongs to, where it is known.
    fn platform_app(&self) -> Option<&'static str> {
        let known = PLATFORM_APPS.iter().find(|(domain, _)| self.host.is_within(domain));
        known.map(|(_, app)| *app)
    }

    fn server(self, app: &str, around_key: Option<AroundKey>) -> Result<ServerUrl, UrlError> {
        let mut app = app.strip_suffix('/').unwrap_or(app);
        if let Some(platform_app) = self.platform_app() {
            let (path, query) = app.split_once('?').unwrap_or((app, ""));
            match path.trim_matches('/').is_empty() {
                // Kick and others show the host alone.
                true if query.is_empty() => app = platform_app,
                true => return Err(UrlError::NoPlatformApp { app: platform_app }),
                false => {}
            }
            if path.strip_prefix(platform_app).is_some_and(|rest| rest.starts_with('/')) {
                return Err(UrlError::KeyInAddress);
            }
        }
        let Parts { scheme, host, port, login, .. } = self;
        Ok(ServerUrl { scheme, host, port, app: app.to_owned(), login, around_key })
    }

    /// Where in `path` the slash between app and key stands.
    fn border(&self, path: &str) -> Result<usize, UrlError> {
        let Some(query_at) = path.find('?') else {
            return path.rfind('/').ok_or(UrlError::NoKey);
        };
        let (before, query) = (&path[..query_at], &path[query_at + 1..]);
        if let Some(app) = self.platform_app()
            && before.strip_prefix(app).is_some_and(|rest| rest.starts_with('/'))
        {
            return Ok(app.len());
        }
        // A second question mark opens the key's own query, in which slashes mean nothing.
        let app_query = query.split_once('?').map_or(query, |(first, _)| first);
        let Some(slash) = app_query.rfind('/') else {
            return before.rfind('/').ok_or(UrlError::NoKey);
        };
        let app_ends_at_query = !before.trim_matches('/').contains('/')
            || before.trim_end_matches('/').ends_with("/_definst_");
        if app_ends_at_query { Ok(query_at + 1 + slash) } else { Err(UrlError::Ambiguous) }
    }
}

fn parse_scheme(text: &str) -> Result<Scheme, UrlError> {
    match text.to_ascii_lowercase().as_str() {
        "rtmp" => Ok(Scheme::Rtmp),
        "rtmps" => Ok(Scheme::Rtmps),
        other => Err(REFUSED.iter().find(|(scheme, _)| *scheme == other).map_or(
            UrlError::NoScheme,
            |&(scheme, instead)| UrlError::RefusedScheme { scheme, instead },
        )),
    }
}

fn split_port(host_port: &str) -> Result<(&str, Option<u16>), UrlError> {
    let after_brackets = host_port.rfind(']').map_or(0, |at| at + 1);
    let Some(colon) = host_port[after_brackets..].find(':').map(|at| after_brackets + at) else {
        return Ok((host_port, None));
    };
    let (host, port) = (&host_port[..colon], &host_port[colon + 1..]);
    if port.contains(':') {
        return Err(UrlError::BareIpv6);
    }
    let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    match port.parse::<u16>() {
        Ok(number) if digits && number > 0 => Ok((host, Some(number))),
        _ => Err(UrlError::BadPort),
    }
}

/// The app of a path, and what stands around the key where the path is a template.
fn split_template(path: &str) -> Result<(&str, Option<AroundKey>), UrlError> {
    let Some((front, after)) = path.split_once(PLACEHOLDER) else { return Ok((path, None)) };
    let (app, before) = front.rsplit_once('/').unwrap_or(("", front));
    if after.contains(PLACEHOLDER) || after.contains('/') || before.contains('?') {
        return Err(UrlError::BadTemplate);
    }
    Ok((app, Some(AroundKey { before: before.to_owned(), after: after.to_owned() })))
}

#[cfg(test)]
mod tests;
