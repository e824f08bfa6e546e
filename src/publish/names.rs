//! The addresses of a server's name, by the system's resolver.
//!
//! Each family is asked for by itself: some routers never answer what they are asked for IPv6, and a look-up
//! for both waits for both.
//!
//! A look-up without an answer goes on when its attempt has run out of time, and the next attempt hears of
//! it. Resolvers turn to the second name server after 5 s of silence of the first one (resolv.conf(5)); that
//! is all the time that an attempt has, and each would begin with the first one again.

use std::mem;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dns_lookup::{AddrInfoHints, LookupError, LookupErrorKind, SockType, getaddrinfo};
use nix::libc::{AF_INET, AF_INET6};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::limits::{NAME_ANSWER_COUNTS_FOR, NAME_LOOKUPS_MAX, OTHER_FAMILY_WAIT};

/// Why there is no address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NameFault {
    /// The name service knows none.
    NotFound(String),
    /// The name service cannot say.
    NoAnswer(String),
    /// Nothing came in time.
    Silent,
}

type Found = Result<Vec<IpAddr>, NameFault>;

/// The look-ups of one destination, shared by its attempts.
#[derive(Debug, Default, Clone)]
pub(super) struct Names(Arc<Mutex<UnderWay>>);

/// Look-ups that nobody waits for at the moment.
#[derive(Debug, Default)]
struct UnderWay {
    name: String,
    lookups: JoinSet<Looked>,
}

#[derive(Debug)]
struct Looked {
    family: Family,
    began: Instant,
    found: Found,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

impl Names {
    /// The addresses of `name`, alternating between the families as RFC 8305 section 4 advises.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn addresses(&self, name: &str, within: Duration) -> Found {
        if let Ok(address) = name.parse() {
            return Ok(vec![address]);
        }
        let mut asked = Asked::begin(self, name);
        let answered = timeout(within, asked.answered()).await;
        answered.unwrap_or(Err(NameFault::Silent))
    }

    fn lock(&self) -> MutexGuard<'_, UnderWay> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one attempt waits for: its own look-ups, and those that earlier ones began. What is left of them when
/// the attempt goes without an answer is the next one's.
struct Asked<'a> {
    names: &'a Names,
    name: &'a str,
    began: Instant,
    /// Too many were under way for others of its own.
    joins_only: bool,
    lookups: JoinSet<Looked>,
}

impl Asked<'_> {
    fn begin<'a>(names: &'a Names, name: &'a str) -> Asked<'a> {
        let UnderWay { name: earlier, mut lookups } = mem::take(&mut *names.lock());
        if earlier != name {
            lookups.detach_all();
        }
        let (began, joins_only) = (Instant::now(), lookups.len() >= NAME_LOOKUPS_MAX);
        for family in [Family::V6, Family::V4].into_iter().filter(|_| !joins_only) {
            let name = name.to_owned();
            lookups.spawn_blocking(move || Looked { family, began, found: look_up(&name, family) });
        }
        Asked { names, name, began, joins_only, lookups }
    }

    async fn answered(&mut self) -> Found {
        let (mut v6, mut v4) = (None, None);
        let mut other_until = None;
        loop {
            let other_waited = async move {
                match other_until {
                    Some(until) => sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            let looked = tokio::select! {
                looked = self.lookups.join_next() => looked,
                () = other_waited => break,
            };
            match looked {
                Some(Ok(looked)) => self.note(looked, &mut v6, &mut v4),
                Some(Err(_)) => continue,
                None => break,
            }
            match (&v6, &v4) {
                (Some(_), Some(_)) => break,
                (Some(Ok(_)), None) | (None, Some(Ok(_))) => {
                    other_until = other_until.or(Some(Instant::now() + OTHER_FAMILY_WAIT));
                }
                _ => {}
            }
        }
        // Whatever comes later would be old when it is asked for.
        self.lookups.detach_all();
        together(v6, v4)
    }

    /// Addresses are good, whoever asked for them; that there are none is believed of an own look-up alone,
    /// because the network may have been another one.
    fn note(&self, looked: Looked, v6: &mut Option<Found>, v4: &mut Option<Found>) {
        let Looked { family, began, found } = looked;
        let answer = if family == Family::V6 { v6 } else { v4 };
        let is_fresh = began.elapsed() < NAME_ANSWER_COUNTS_FOR;
        let is_own = began == self.began || self.joins_only;
        if matches!(answer, Some(Ok(_))) || !is_fresh || found.is_err() && !is_own {
            return;
        }
        *answer = Some(found);
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if !self.lookups.is_empty() {
            let (name, lookups) = (self.name.to_owned(), mem::take(&mut self.lookups));
            *self.names.lock() = UnderWay { name, lookups };
        }
    }
}

/// What both families come to.
fn together(v6: Option<Found>, v4: Option<Found>) -> Found {
    let (v6, v4) = match (v6, v4) {
        (Some(Ok(v6)), v4) => (v6, v4.and_then(Result::ok).unwrap_or_default()),
        (_, Some(Ok(v4))) => (Vec::new(), v4),
        // Of a name that one of the families cannot be asked for, it is not known that there is none.
        (Some(Err(NameFault::NotFound(_))) | None, Some(Err(fault)))
        | (Some(Err(fault)), Some(Err(_)) | None) => return Err(fault),
        (None, None) => return Err(NameFault::Silent),
    };
    let longest = v6.len().max(v4.len());
    let both = |i: usize| [v6.get(i).copied(), v4.get(i).copied()];
    Ok((0..longest).flat_map(both).flatten().collect())
}

/// Asks the system's resolver, and waits for it.
fn look_up(name: &str, family: Family) -> Found {
    let address = if family == Family::V4 { AF_INET } else { AF_INET6 };
    let socktype = SockType::Stream.into();
    let hints = AddrInfoHints { address, socktype, ..AddrInfoHints::default() };
    let found = getaddrinfo(Some(name), None, Some(hints)).map_err(fault)?;
    let found: Vec<IpAddr> = found.flatten().map(|entry| entry.sockaddr.ip()).collect();
    if found.is_empty() { Err(NameFault::NotFound("no address".to_owned())) } else { Ok(found) }
}

fn fault(error: LookupError) -> NameFault {
    let is_known = matches!(error.kind(), LookupErrorKind::NoName | LookupErrorKind::NoData);
    let why = std::io::Error::from(error).to_string();
    if is_known { NameFault::NotFound(why) } else { NameFault::NoAnswer(why) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn families_take_turns_and_one_alone_will_do() {
        let v6 = [address("2001:db8::1"), address("2001:db8::2")].to_vec();
        let v4 = [address("192.0.2.1")].to_vec();
        let none = || Err(NameFault::NotFound("none".to_owned()));
        let silent = || Err(NameFault::NoAnswer("silent".to_owned()));
        assert_eq!(
            together(Some(Ok(v6.clone())), Some(Ok(v4.clone()))),
            Ok(vec![v6[0], v4[0], v6[1]])
        );
        for other in [None, Some(none()), Some(silent())] {
            assert_eq!(together(Some(Ok(v6.clone())), other.clone()), Ok(v6.clone()));
            assert_eq!(together(other, Some(Ok(v4.clone()))), Ok(v4.clone()));
        }
        assert_eq!(together(Some(none()), Some(none())), none());
        assert_eq!(together(Some(none()), Some(silent())), silent());
        assert_eq!(together(Some(silent()), Some(none())), silent());
        assert_eq!(together(None, None), Err(NameFault::Silent));
    }

    #[tokio::test]
    async fn an_address_needs_no_name_service() {
        let names = Names::default();
        for literal in ["192.0.2.7", "2001:db8::7"] {
            let found = names.addresses(literal, Duration::ZERO).await;
            assert_eq!(found, Ok(vec![address(literal)]));
        }
    }
}
