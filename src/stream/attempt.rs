//! One attempt may need several connections: a server redirects us, asks for a password, or does not
//! take commands that are sent ahead.

use core::net::IpAddr;
use std::time::Duration;

use crate::limits::{AUTH_ROUNDS_MAX, REDIRECTS_MAX};
use crate::rtmp::url::ServerUrl;
use crate::rtmp::{self, ConnectOrder, ErrorKind, Session, SessionConfig};
use crate::secret::StreamKey;

use super::connection::Connection;
use super::error::Error;
use super::place::{Consent, is_private};

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
    /// It may be reached at public addresses only: a public server has sent us there.
    pub only_public: bool,
    consent: Consent,
    /// The address that the last connection came to; `None` while it is not known.
    reached: Option<IpAddr>,
    /// Answer to a challenge, appended to `app` and `tcUrl`.
    suffix: String,
    redirects: u32,
    auth_rounds: u32,
    /// What the servers of earlier connections wrote at the end.
    earlier: Option<String>,
}

impl ConnectAttempt {
    /// An attempt that begins at `server`, which its owner has set.
    pub fn to(server: &ServerUrl, compatibility: Compatibility) -> ConnectAttempt {
        ConnectAttempt::within(Consent::to(server, &[]), server, compatibility)
    }

    /// An attempt that begins at `server`, and goes where `consent` allows.
    pub fn within(
        consent: Consent,
        server: &ServerUrl,
        compatibility: Compatibility,
    ) -> ConnectAttempt {
        ConnectAttempt {
            server: server.clone(),
            compatibility,
            only_public: false,
            consent,
            reached: None,
            suffix: String::new(),
            redirects: 0,
            auth_rounds: 0,
            earlier: None,
        }
    }

    /// A connection to the server stands, at this address.
    pub fn handle_reached(&mut self, address: Option<IpAddr>) {
        self.reached = address;
    }

    /// Whether the server is one that must not send us into a private network. One of which it is not
    /// known is.
    pub fn is_public(&self) -> bool {
        self.only_public || self.reached.is_none_or(|address| !is_private(address))
    }

    /// What the servers of earlier connections wrote at the end: where a later one ends without a word,
    /// it is all that there is.
    pub fn earlier_words(&self) -> Option<&str> {
        self.earlier.as_deref()
    }

    /// How to ask this server from now on, if `connection`, which has `ended`, has shown it: one that
    /// has accepted or answered in words is asked in the same way, and one that gives other message
    /// stream ids than the usual one patiently.
    pub fn lesson(&self, connection: &Connection, ended: Option<&Error>) -> Option<Compatibility> {
        let patient = Compatibility { order: ConnectOrder::Patient, ..self.compatibility };
        let has_answered = ended.is_some_and(|error| {
            matches!(error, Error::Rtmp(error) if error.refusal().is_some() && error.has_words())
        });
        match () {
            () if connection.published_twice() => Some(patient),
            () if connection.is_accepted() || has_answered => Some(self.compatibility),
            () => None,
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
            secrets: self.server.secrets(),
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
        let words = ended.has_words().then(|| format!("{} had answered: {ended}", self.server));
        match &ended.kind {
            ErrorKind::ConnectRejected { redirect: Some(redirect), .. } => {
                let place = redirect.tc_url.clone();
                self.redirect(place.as_deref(), error)?;
            }
            ErrorKind::AuthRequired(_) => return self.authenticate(error, nonce),
            _ => self.compatibility = self.compatibility.fall_back(ended).ok_or(error)?,
        }
        self.earlier = words.or(self.earlier.take());
        Ok(())
    }

    /// `place` is `None` where nothing can be made of what the server named.
    fn redirect(&mut self, place: Option<&str>, error: Error) -> Result<(), Error> {
        if self.redirects >= REDIRECTS_MAX {
            return Err(error);
        }
        let moved = match place {
            Some(place) => self.consent.moved(&self.server, place, self.is_public()),
            None => Err(Error::BadRedirect { why: "it is no address of a server".to_owned() }),
        };
        // Why the server does not want us is in its refusal.
        let moved = moved.map_err(|refused| match refused {
            Error::BadRedirect { why } => Error::BadRedirect { why: format!("{why}; {error}") },
            other => other,
        })?;
        self.redirects += 1;
        self.only_public |= self.is_public() && moved.host != self.server.host;
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
        Error::Rtmp(rtmp::Error { pipelined, ..rtmp::Error::new(during, kind) })
    }

    fn redirect(to: &str) -> Error {
        let kind = ErrorKind::ConnectRejected {
            code: "NetConnection.Connect.Rejected".to_owned(),
            description: String::new(),
            redirect: Some(Redirect { tc_url: (!to.is_empty()).then(|| to.to_owned()) }),
        };
        ended(Phase::Connect, true, kind)
    }

    #[test]
    fn a_redirect_to_what_is_no_address_is_named_as_what_is_wrong() {
        let mut attempt = ConnectAttempt::to(&server("rtmps://a.example/live"), USUAL);
        let error = attempt.go_on(redirect(""), 1).unwrap_err();
        assert!(matches!(error, Error::BadRedirect { .. }), "{error}");
        assert!(error.to_string().contains("NetConnection.Connect.Rejected"), "{error}");
    }

    #[test]
    fn a_redirect_never_leaves_tls() {
        let mut attempt = ConnectAttempt::to(&server("rtmps://a.example/live"), USUAL);
        let error = attempt.go_on(redirect("rtmp://a.example/live"), 1).unwrap_err();
        assert!(error.to_string().contains("leave TLS"), "{error}");
    }

    #[test]
    fn a_redirect_that_is_not_followed_keeps_what_the_server_wrote() {
        let mut attempt = ConnectAttempt::to(&server("rtmps://a.example.org/live"), USUAL);
        let error = attempt.go_on(redirect("rtmps://b.example.net/live"), 1).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("rtmps://b.example.net/live: it is another host"), "{text}");
        assert!(text.contains("NetConnection.Connect.Rejected"), "{text}");
    }

    #[test]
    fn only_a_server_inside_of_a_network_may_send_a_stream_to_another_one_there() {
        let there = "rtmps://b.example.org/live";
        let followed = |reached: &[&str]| {
            let mut attempt = ConnectAttempt::to(&server("rtmps://a.example.org/live"), USUAL);
            for address in reached {
                attempt.handle_reached(address.parse().ok());
                attempt.go_on(redirect(there), 1).unwrap();
            }
            attempt.only_public
        };
        assert!(followed(&["8.8.8.8"]));
        assert!(followed(&["not known"]));
        assert!(!followed(&["192.168.1.1"]));
        assert!(followed(&["8.8.8.8", "192.168.1.1"]), "it stays so");
        let mut attempt = ConnectAttempt::to(&server("rtmps://a.example.org/live"), USUAL);
        attempt.handle_reached("8.8.8.8".parse().ok());
        attempt.go_on(redirect("/other"), 1).unwrap();
        assert!(!attempt.only_public, "the owner's own host is where its name leads");
    }

    #[test]
    fn what_a_server_wrote_is_kept_while_it_is_asked_in_another_way_or_elsewhere() {
        let mut attempt = ConnectAttempt::to(&server("rtmps://a.example.org/live"), USUAL);
        let refused = ErrorKind::PublishRejected {
            code: "NetStream.Publish.Failed".to_owned(),
            description: "quota used up".to_owned(),
        };
        attempt.go_on(ended(Phase::Publish, true, refused), 1).unwrap();
        let words = attempt.earlier_words().unwrap();
        assert!(words.contains("quota used up") && words.contains("a.example.org"), "{words}");
        attempt.go_on(redirect("rtmps://b.example.org/live"), 1).unwrap();
        let words = attempt.earlier_words().unwrap();
        assert!(words.contains("NetConnection.Connect.Rejected"), "{words}");
    }

    #[test]
    fn a_server_that_ends_a_stream_that_was_published_twice_is_asked_patiently() {
        let taken = |description: &str| ErrorKind::PublishRejected {
            code: "NetStream.Publish.BadName".to_owned(),
            description: description.to_owned(),
        };
        for kind in [ErrorKind::ClosedByServer, taken("already publishing"), taken("taken over")] {
            let mut attempt = ConnectAttempt::to(&server("rtmps://a.example/live"), USUAL);
            let twice = || {
                Error::Rtmp(rtmp::Error {
                    pipelined: true,
                    published_twice: true,
                    ..rtmp::Error::new(Phase::Publishing, kind.clone())
                })
            };
            attempt.go_on(twice(), 1).unwrap();
            assert_eq!(attempt.compatibility.order, ConnectOrder::Patient);
            assert!(attempt.go_on(twice(), 1).is_err(), "once");
        }
        let mut attempt = ConnectAttempt::to(&server("rtmps://a.example/live"), USUAL);
        assert!(attempt.go_on(ended(Phase::Publish, true, taken("taken over")), 1).is_err());
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
