//! One attempt may need several connections: a server redirects us, asks for a password, or does not
//! take commands that are sent ahead.

use std::time::Duration;

use crate::limits::{AUTH_ROUNDS_MAX, REDIRECTS_MAX};
use crate::rtmp::url::{Scheme, ServerUrl};
use crate::rtmp::{self, ConnectOrder, ErrorKind, Session, SessionConfig};
use crate::secret::StreamKey;

use super::error::Error;

/// How much of what is newer than RTMP 1.0 a server is asked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compatibility {
    /// How much is sent ahead.
    pub order: ConnectOrder,
    /// Whether `connect` speaks of Enhanced RTMP.
    pub enhanced: bool,
}

impl Compatibility {
    /// As much as most servers understand, in this order.
    pub fn usual(order: ConnectOrder) -> Compatibility {
        Compatibility { order, enhanced: true }
    }

    /// What to leave out at a server that broke in this way; `None` when that would not help.
    fn fall_back(self, ended: &rtmp::Error) -> Option<Compatibility> {
        let ahead = self.order != ConnectOrder::Patient && ended.may_dislike_pipelining();
        let enhanced = self.enhanced && ended.may_dislike_enhancements();
        // At `connect` it may have been either: both are left out, so that one more connection does.
        (ahead || enhanced).then_some(Compatibility {
            order: if ahead { ConnectOrder::Patient } else { self.order },
            enhanced: self.enhanced && !enhanced,
        })
    }
}

/// Where one attempt stands between its connections.
#[derive(Debug, Clone)]
pub struct ConnectAttempt {
    /// The server to connect to next.
    pub server: ServerUrl,
    /// How to ask it.
    pub compatibility: Compatibility,
    /// Answer to a challenge, appended to `app` and `tcUrl`.
    suffix: String,
    redirects: u32,
    auth_rounds: u32,
}

impl ConnectAttempt {
    /// An attempt that begins at `server`.
    pub fn to(server: &ServerUrl, compatibility: Compatibility) -> ConnectAttempt {
        ConnectAttempt {
            server: server.clone(),
            compatibility,
            suffix: String::new(),
            redirects: 0,
            auth_rounds: 0,
        }
    }

    /// The application to name in `connect`.
    fn app(&self) -> String {
        format!("{}{}", self.server.app, self.suffix)
    }

    /// The `tcUrl` to name in `connect`.
    fn tc_url(&self) -> String {
        format!("{}{}", self.server.tc_url(), self.suffix)
    }

    /// The session of the next connection, which stands.
    pub fn session(&self, now: Duration, key: StreamKey, seed: u64) -> Session {
        let config = SessionConfig {
            order: self.compatibility.order,
            enhanced: self.compatibility.enhanced,
            seed,
            ..SessionConfig::new(&self.tc_url(), &self.app(), key)
        };
        Session::new(now, config)
    }

    /// Takes the end of a connection; `Ok` when another one is worth making now.
    ///
    /// # Errors
    /// Why the attempt is over.
    pub fn go_on(&mut self, error: Error, nonce: u32) -> Result<(), Error> {
        let Some(ended) = error.session() else {
            return Err(error);
        };
        match &ended.kind {
            ErrorKind::ConnectRejected { redirect: Some(redirect), .. } => {
                let place = redirect.tc_url.clone();
                self.redirect(&place, error)
            }
            ErrorKind::AuthRequired(_) => self.authenticate(error, nonce),
            _ => {
                self.compatibility = self.compatibility.fall_back(ended).ok_or(error)?;
                Ok(())
            }
        }
    }

    fn redirect(&mut self, place: &str, error: Error) -> Result<(), Error> {
        if self.redirects >= REDIRECTS_MAX {
            return Err(error);
        }
        let moved = moved(&self.server, place)?;
        self.redirects += 1;
        self.server = moved;
        Ok(())
    }

    fn authenticate(&mut self, error: Error, nonce: u32) -> Result<(), Error> {
        let answer = match (&error, &self.server.login) {
            (
                Error::Rtmp(rtmp::Error { kind: ErrorKind::AuthRequired(asked), .. }),
                Some(login),
            ) if self.auth_rounds < AUTH_ROUNDS_MAX => {
                asked.answer(&self.server.app, &login.user, login.reveal_password(), nonce)
            }
            _ => None,
        };
        match answer {
            Some(suffix) => {
                self.auth_rounds += 1;
                self.suffix = suffix;
                Ok(())
            }
            None => Err(error),
        }
    }
}

/// The place that a server at `here` names, absolute or relative (RFC 3986 section 4.2).
///
/// # Errors
/// [`Error::BadRedirect`] when it cannot be understood, or would leave TLS.
pub fn moved(here: &ServerUrl, place: &str) -> Result<ServerUrl, Error> {
    let absolute = match place {
        _ if place.contains("://") => place.to_owned(),
        _ if place.starts_with("//") => format!("{}:{place}", here.scheme),
        _ if place.starts_with('/') => format!("{}://{}{place}", here.scheme, here.authority()),
        _ => {
            let folder = here.app.rsplit_once('/').map_or("", |(folder, _)| folder);
            let gap = if folder.is_empty() { "" } else { "/" };
            format!("{}://{}/{folder}{gap}{place}", here.scheme, here.authority())
        }
    };
    let mut there = ServerUrl::parse(&absolute)
        .map_err(|error| Error::BadRedirect { why: error.to_string() })?;
    if here.scheme == Scheme::Rtmps && there.scheme != Scheme::Rtmps {
        let why = "it would leave TLS".to_owned();
        return Err(Error::BadRedirect { why });
    }
    if there.login.is_none() && here.same_server(&there) {
        there.login = here.login.clone();
    }
    Ok(there)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtmp::auth::Challenge;
    use crate::rtmp::{Phase, Redirect};

    const USUAL: Compatibility = Compatibility { order: ConnectOrder::Conforming, enhanced: true };

    fn server(url: &str) -> ServerUrl {
        ServerUrl::parse(url).unwrap()
    }

    fn ended(during: Phase, pipelined: bool, kind: ErrorKind) -> Error {
        Error::Rtmp(rtmp::Error { during, pipelined, kind })
    }

    fn redirect(to: &str) -> Error {
        let kind = ErrorKind::ConnectRejected {
            code: "NetConnection.Connect.Rejected".to_owned(),
            description: String::new(),
            redirect: Some(Redirect { tc_url: to.to_owned() }),
        };
        ended(Phase::Connect, true, kind)
    }

    #[test]
    fn places_are_absolute_or_relative() {
        let here = server("rtmps://a.example:1936/live/eu");
        for (place, expected) in [
            ("rtmps://b.example/app", "rtmps://b.example/app"),
            ("//b.example/app", "rtmps://b.example/app"),
            ("/other", "rtmps://a.example:1936/other"),
            ("us", "rtmps://a.example:1936/live/us"),
        ] {
            assert_eq!(moved(&here, place).unwrap().tc_url(), expected, "{place}");
        }
    }

    #[test]
    fn a_redirect_never_leaves_tls() {
        let mut attempt = ConnectAttempt::to(&server("rtmps://a.example/live"), USUAL);
        let error = attempt.go_on(redirect("rtmp://a.example/live"), 1).unwrap_err();
        assert!(error.to_string().contains("leave TLS"), "{error}");
    }

    #[test]
    fn a_server_that_redirects_in_a_circle_is_given_up() {
        let mut attempt = ConnectAttempt::to(&server("rtmps://a.example/live"), USUAL);
        let rounds = (0..100).take_while(|_| attempt.go_on(redirect("/live"), 1).is_ok()).count();
        assert_eq!(rounds, REDIRECTS_MAX as usize);
    }

    #[test]
    fn a_server_that_breaks_on_commands_sent_ahead_is_tried_patiently_once() {
        let mut attempt = ConnectAttempt::to(&server("rtmps://a.example/live"), USUAL);
        let closed = || ended(Phase::Connect, true, ErrorKind::ClosedByServer);
        assert!(attempt.go_on(closed(), 1).is_ok());
        assert_eq!(
            attempt.compatibility,
            Compatibility { order: ConnectOrder::Patient, enhanced: false }
        );
        assert!(attempt.go_on(closed(), 1).is_err());
    }

    #[test]
    fn a_server_that_took_connect_and_breaks_later_still_hears_of_enhanced_rtmp() {
        let mut attempt = ConnectAttempt::to(&server("rtmps://a.example/live"), USUAL);
        let closed = ended(Phase::CreateStream, true, ErrorKind::ClosedByServer);
        assert!(attempt.go_on(closed, 1).is_ok());
        assert_eq!(
            attempt.compatibility,
            Compatibility { order: ConnectOrder::Patient, enhanced: true }
        );
    }

    #[test]
    fn a_server_that_breaks_on_enhanced_rtmp_is_tried_once_without() {
        let patient = Compatibility { order: ConnectOrder::Patient, enhanced: true };
        let mut attempt = ConnectAttempt::to(&server("rtmps://a.example/live"), patient);
        let closed = || ended(Phase::Connect, false, ErrorKind::ClosedByServer);
        assert!(attempt.go_on(closed(), 1).is_ok());
        assert!(!attempt.compatibility.enhanced);
        assert!(attempt.go_on(closed(), 1).is_err());
    }

    #[test]
    fn a_connection_that_was_lost_while_live_is_not_tried_again_here() {
        let mut attempt = ConnectAttempt::to(&server("rtmps://a.example/live"), USUAL);
        let closed = ended(Phase::Publishing, false, ErrorKind::ClosedByServer);
        assert!(attempt.go_on(closed, 1).is_err());
    }

    #[test]
    fn a_challenge_is_answered_with_the_login_of_the_address_and_only_so_often() {
        let asks = || {
            let message = "[ code=403 need auth; authmod=adobe ] : ";
            ended(Phase::Connect, true, ErrorKind::AuthRequired(Challenge::parse(message).unwrap()))
        };
        let mut nobody = ConnectAttempt::to(&server("rtmps://a.example/live"), USUAL);
        assert!(nobody.go_on(asks(), 1).is_err());

        let mut anna = ConnectAttempt::to(&server("rtmps://anna:pw@a.example/live"), USUAL);
        anna.go_on(asks(), 1).unwrap();
        assert_eq!(anna.app(), "live?authmod=adobe&user=anna");
        assert_eq!(anna.tc_url(), "rtmps://a.example/live?authmod=adobe&user=anna");
        let rounds = (0..100).take_while(|_| anna.go_on(asks(), 1).is_ok()).count();
        assert_eq!(rounds + 1, AUTH_ROUNDS_MAX as usize);
    }
}
