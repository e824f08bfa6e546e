//! The probes: what our client is asked to do with each server.

use std::future::pending;
use std::time::{Duration, Instant};

use firstmile::clock::Clock;
use firstmile::publish::{
    Close, ConnectionStats, Depth, PublishError, Target, preflight, tls::Policy,
};
use firstmile::rtmp::url::{Ingest, ServerUrl};
use firstmile::rtmp::{self, ConnectOrder, ErrorKind, Event, Refusal, SessionConfig, Warning};
use firstmile::secret::StreamKey;
use firstmile::stream::Error;

use crate::client::{
    Attempt, DriveError, Driven, Messages, Then, drive, drive_silently, publish_all, wait,
};
use crate::matrix::Cell;
use crate::media::{Clips, Message, Packets};
use crate::relay::Relay;
use crate::servers::{Address, Server};
use crate::support::pki::Pki;

/// How long a key may stay busy after a cut until we give up waiting.
const KEY_FREE_WITHIN: Duration = Duration::from_secs(3);

/// A row of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    Tls,
    Conforming,
    Patient,
    Early,
    Capabilities,
    SmallChunks,
    LargeChunks,
    Time24,
    Time31,
    Time32,
    LargeMessage,
    NewConfiguration,
    Acknowledged,
    Ping,
    Stop,
    AfterStop,
    BusyKey,
    UnknownApp,
    WrongKey,
    RefusedWithWords,
    Redirect,
    CutNoticed,
    CutUnnoticed,
    Killed,
}

impl Probe {
    /// All, in the order of the matrix. The last one ends the server.
    pub const ALL: [(Probe, &str); 24] = [
        (Probe::Tls, "TLS 1.3; another authority's certificate is refused"),
        (Probe::Conforming, "publish as the box does: conforming order, chunks of 4096 bytes"),
        (Probe::Patient, "publish in the patient order"),
        (Probe::Early, "publish in the early order"),
        (Probe::Capabilities, "Enhanced RTMP: codecs and `capsEx` in `connect`"),
        (Probe::SmallChunks, "chunks of 128 bytes"),
        (Probe::LargeChunks, "chunks of 65536 bytes"),
        (Probe::Time24, "timestamps across 0xFFFFFF"),
        (Probe::Time31, "timestamps across 2^31"),
        (Probe::Time32, "timestamps across 2^32"),
        (Probe::LargeMessage, "a key frame of 1.2 MB"),
        (Probe::NewConfiguration, "new codec configuration in mid-stream"),
        (Probe::Acknowledged, "media is acknowledged"),
        (Probe::Ping, "pings are answered, also while nothing is sent"),
        (Probe::Stop, "stop in mid-stream: all that was sent arrives"),
        (Probe::AfterStop, "stop, then publish again at once"),
        (Probe::BusyKey, "a second publisher with the same key"),
        (Probe::UnknownApp, "an unknown application"),
        (Probe::WrongKey, "a wrong key"),
        (Probe::RefusedWithWords, "`connect` refused with words"),
        (Probe::Redirect, "`connect` redirected"),
        (Probe::CutNoticed, "publish again at once after a cut"),
        (Probe::CutUnnoticed, "the same while the server still waits for the old connection"),
        (Probe::Killed, "the server is killed in mid-stream"),
    ];
}

/// One server under one probe after the other.
pub struct Rig<'a> {
    pub server: &'a mut dyn Server,
    pub clips: &'a Clips,
}

impl Rig<'_> {
    /// What the probe shows.
    pub fn cell(&mut self, probe: Probe) -> Cell {
        let cell = self.probe(probe).unwrap_or(Cell::NotApplicable);
        eprintln!("{probe:?}: {cell}");
        cell
    }

    /// `None` where the server has nothing to probe.
    fn probe(&mut self, probe: Probe) -> Option<Cell> {
        let clips = self.clips;
        let several = self.server.takes_several();
        match probe {
            Probe::Tls => self.tls(),
            Probe::Conforming => Some(self.publish("conforming", &clips.first)),
            Probe::Patient => Some(self.drive("patient", |c| c.order = ConnectOrder::Patient)),
            Probe::Early => Some(self.drive("early", |c| c.order = ConnectOrder::Early)),
            Probe::Capabilities => Some(self.capabilities()),
            Probe::SmallChunks => Some(self.drive("chunks-128", |c| c.chunk_bytes = 128)),
            Probe::LargeChunks => Some(self.drive("chunks-65536", |c| c.chunk_bytes = 65_536)),
            Probe::Time24 => Some(self.publish("time-24", &clips.from(0xFF_FFFF - 1_000))),
            Probe::Time31 => Some(self.publish("time-31", &clips.from((1 << 31) - 1_000))),
            Probe::Time32 => Some(self.publish("time-32", &clips.from((1 << 32) - 1_000))),
            Probe::LargeMessage => Some(self.large_message()),
            Probe::NewConfiguration => Some(self.publish("change", &clips.with_a_change())),
            Probe::Acknowledged => Some(self.acknowledged()),
            Probe::Ping => self.server.pings().then(|| self.ping()),
            Probe::Stop => Some(self.stop()),
            Probe::AfterStop => several.then(|| self.after_stop()),
            Probe::BusyKey => several.then(|| self.busy_key()),
            Probe::UnknownApp => self.server.unknown_app().map(|place| self.refused(place)),
            Probe::WrongKey => self.server.wrong_key().map(|place| self.refused(place)),
            Probe::RefusedWithWords => self.refused_with_words(),
            Probe::Redirect => self.redirect(),
            Probe::CutNoticed => several.then(|| self.cut(false)),
            Probe::CutUnnoticed => several.then(|| self.cut(true)),
            Probe::Killed => Some(self.killed()),
        }
    }

    /// Publishes with the product, and compares what arrived.
    fn publish(&mut self, name: &str, messages: &[Message]) -> Cell {
        let (address, key) = self.server.place(name);
        match publish_all(&address, &key, messages) {
            Ok(_) => self.arrived(name, messages),
            Err(error) => named(&error),
        }
    }

    /// Publishes with a session of another make, and compares what arrived.
    fn drive(&mut self, name: &str, otherwise: impl FnOnce(&mut SessionConfig)) -> Cell {
        let (address, key) = self.server.place(name);
        let messages = &self.clips.first;
        match drive(&address, &key, messages, otherwise).failure {
            None => self.arrived(name, messages),
            Some(error) => named_drive(&error),
        }
    }

    fn arrived(&mut self, name: &str, messages: &[Message]) -> Cell {
        match self.server.received(name) {
            Err(words) => Cell::Defect(words),
            Ok(packets) => match packets.difference(&Packets::of(messages)) {
                Some(difference) => Cell::Defect(difference),
                None => Cell::Ok,
            },
        }
    }

    fn tls(&mut self) -> Option<Cell> {
        let (address, key) = self.server.place("tls");
        let trusted = address.ca_file.clone()?;
        let strangers = Pki::new();
        let look = |ca_file| {
            let policy = Policy { ca_file: Some(ca_file), ..Policy::default() };
            let server = ServerUrl::parse(&address.url).expect("an address");
            let ingest = Ingest::from_server_and_key(server, key.clone()).expect("a destination");
            let target = Target::new(ingest, &policy, false).expect("a destination");
            wait(async { preflight(Clock::start(), &target, Depth::Connect).await })
        };
        let (ours, theirs) = (look(trusted), look(strangers.ca_file()));
        let version = ours.server.map(|server| server.version);
        Some(match (version.as_deref(), theirs.failure) {
            (Some("TLSv1_3"), Some(PublishError::Certificate { .. })) => Cell::Ok,
            (version, failure) => Cell::Defect(format!("{version:?} {failure:?}")),
        })
    }

    fn capabilities(&mut self) -> Cell {
        let cell = self.drive("capabilities", |config| config.enhanced = true);
        match self.server.capabilities("capabilities") {
            Some(words) if cell == Cell::Ok && !words.contains("reconnect: true") => {
                Cell::Defect(format!("it read {words}"))
            }
            _ => cell,
        }
    }

    fn large_message(&mut self) -> Cell {
        let messages = self.clips.with_a_message_of(1_200_000);
        let (address, key) = self.server.place("large");
        let Driven { events, failure, .. } = drive(&address, &key, &messages, |_| {});
        let warning = |event: &Event| {
            matches!(event, Event::Warning(Warning::LargeMessage { bytes: 1_200_000 }))
        };
        if !events.iter().any(warning) {
            return Cell::Defect("no warning".to_owned());
        }
        match failure {
            None => self.arrived("large", &messages),
            Some(error) => named_drive(&error),
        }
    }

    fn acknowledged(&mut self) -> Cell {
        let (address, key) = self.server.place("acknowledged");
        let ended = publish_all(&address, &key, &self.clips.first);
        let _ = self.server.received("acknowledged");
        match ended {
            Ok(ConnectionStats { acknowledged_bytes: Some(1..), .. }) => Cell::Ok,
            Ok(_) => Cell::Named("never".to_owned()),
            Err(error) => named(&error),
        }
    }

    /// Keeps silent until the server asks whether we are still there.
    fn ping(&mut self) -> Cell {
        let (address, key) = self.server.place("ping");
        let silent_for = Duration::from_millis(4_500);
        let driven = drive_silently(&address, &key, &self.clips.first, silent_for);
        match (driven.failure, &driven.pings[..]) {
            (Some(error), _) => named_drive(&error),
            (None, []) => Cell::Defect("no ping came".to_owned()),
            (None, pings) if pings.iter().all(|stamp| driven.pongs.contains(stamp)) => {
                self.arrived("ping", &self.clips.first)
            }
            (None, _) => Cell::Named("unanswered".to_owned()),
        }
    }

    fn stop(&mut self) -> Cell {
        let (address, key) = self.server.place("stop");
        let attempt = Attempt::new(&address, &key);
        let mut source = Messages::new(&self.clips.first, Then::GoOn);
        let ended = wait(attempt.publish(&mut source, async {
            attempt.accepted().await;
            tokio::time::sleep(Duration::from_millis(300)).await;
            Close::Polite
        }));
        match ended {
            Err(error) => named(&error),
            Ok(_) if self.server.was_unpublished("stop") == Some(false) => {
                Cell::Defect("it was not unpublished".to_owned())
            }
            Ok(_) => self.arrived("stop", &source.sent),
        }
    }

    fn after_stop(&mut self) -> Cell {
        let (address, key) = self.server.place("again");
        let ended = publish_all(&address, &key, &self.clips.first);
        ended
            .and_then(|_| publish_all(&address, &key, &self.clips.first))
            .map_or_else(|error| named(&error), |_| Cell::Ok)
    }

    fn busy_key(&mut self) -> Cell {
        let (address, key) = self.server.place("busy");
        let (first, second) = (Attempt::new(&address, &key), Attempt::new(&address, &key));
        let mut source = Messages::new(&self.clips.first, Then::GoOn);
        let mut again = Messages::new(&self.clips.second, Then::GoOn);
        let (first_over, over) = tokio::sync::oneshot::channel();
        let (kept, refused) = wait(async {
            let close = async {
                let _ = over.await;
                tokio::time::sleep(Duration::from_millis(500)).await;
                Close::Polite
            };
            let second = async {
                first.accepted().await;
                // nginx names records by the second.
                tokio::time::sleep(Duration::from_millis(1_100)).await;
                let refused = second.publish(&mut again, pending()).await;
                let _ = first_over.send(());
                refused
            };
            tokio::join!(first.publish(&mut source, close), second)
        });
        match (kept, refused) {
            (Ok(_), Err(error)) => match self.arrived("busy", &source.sent) {
                Cell::Ok => named(&error),
                // Whether the one who was there first is harmed is the server's to prevent.
                _ => match named(&error) {
                    Cell::Named(error) => Cell::Named(format!("{error}; the first is disturbed")),
                    cell => cell,
                },
            },
            (kept, refused) => Cell::Defect(format!("{kept:?}, {refused:?}")),
        }
    }

    fn refused(&mut self, (address, key): (Address, StreamKey)) -> Cell {
        let ended = self.live(&address, &key);
        ended.map_or_else(|error| named(&error), |_| Cell::Ok)
    }

    /// Is live for a moment: some servers accept before they refuse.
    fn live(&self, address: &Address, key: &StreamKey) -> Result<ConnectionStats, PublishError> {
        let attempt = Attempt::new(address, key);
        let mut source = Messages::new(&self.clips.first, Then::GoOn);
        wait(attempt.publish(&mut source, async {
            attempt.accepted().await;
            tokio::time::sleep(Duration::from_millis(700)).await;
            Close::Polite
        }))
    }

    fn refused_with_words(&mut self) -> Option<Cell> {
        let (address, key, words) = self.server.refuses()?;
        let ended = publish_all(&address, &key, &self.clips.first);
        Some(match ended {
            Err(error) if error.to_string().contains(words) => named(&error),
            ended => Cell::Defect(format!("{ended:?}")),
        })
    }

    fn redirect(&mut self) -> Option<Cell> {
        let (address, key) = self.server.redirects()?;
        Some(match publish_all(&address, &key, &self.clips.first) {
            Ok(_) => match self.arrived(key.reveal(), &self.clips.first) {
                Cell::Ok => Cell::Named("followed".to_owned()),
                cell => cell,
            },
            Err(error) => named(&error),
        })
    }

    /// A publisher's connection is cut; it comes back at once, and until the key is free.
    fn cut(&mut self, unnoticed: bool) -> Cell {
        let name = if unnoticed { "cut-unnoticed" } else { "cut" };
        let (address, key) = self.server.place(name);
        let url = ServerUrl::parse(&address.url).expect("an address");
        let relay = Relay::to(url.port);
        let through = address.url.replace(&format!(":{}/", url.port), &format!(":{}/", relay.port));
        let through = Address { url: through, ..address.clone() };
        let attempt = Attempt::new(if unnoticed { &through } else { &address }, &key);
        let mut source = Messages::new(&self.clips.first, Then::GoOn);
        let cut = wait(attempt.publish(&mut source, async {
            attempt.accepted().await;
            if unnoticed {
                relay.cut();
            }
            Close::Abort
        }));
        if let Err(error) = cut {
            return Cell::Defect(error.to_string());
        }
        let again = || self.live(&address, &key).map_err(|error| named(&error));
        let since = Instant::now();
        match again() {
            Ok(_) => Cell::Ok,
            Err(Cell::Named(error)) => loop {
                if again().is_ok() {
                    return Cell::Named(format!("{error}, then ok"));
                }
                if since.elapsed() > KEY_FREE_WITHIN {
                    return Cell::Named(error);
                }
                std::thread::sleep(Duration::from_millis(200));
            },
            Err(cell) => cell,
        }
    }

    fn killed(&mut self) -> Cell {
        let (address, key) = self.server.place("killed");
        let attempt = Attempt::new(&address, &key);
        let mut source = Messages::new(&self.clips.first, Then::GoOn);
        let server = &mut *self.server;
        let ended = wait(async {
            let killer = async {
                attempt.accepted().await;
                server.kill();
                pending::<()>().await;
            };
            tokio::select! {
                ended = attempt.publish(&mut source, pending()) => ended,
                () = killer => unreachable!("it never ends"),
            }
        });
        ended.map_or_else(|error| named(&error), |_| Cell::Defect("published".to_owned()))
    }
}

/// The name of an error, as the box distinguishes its causes. Which of several forms of closing a
/// connection comes first is chance, so all are one.
fn named(error: &PublishError) -> Cell {
    match error {
        PublishError::Stream(Error::Rtmp(error)) => named_rtmp(error),
        PublishError::Stream(
            Error::Lost { .. } | Error::Reset { .. } | Error::ClosedUnconfirmed { .. },
        ) => Cell::Named("closed".to_owned()),
        PublishError::Stream(Error::DeadPath { .. }) => Cell::Named("dead path".to_owned()),
        other => Cell::Defect(other.to_string()),
    }
}

fn named_drive(error: &DriveError) -> Cell {
    match error {
        DriveError::Rtmp(error) => named_rtmp(error),
        DriveError::Lost => Cell::Named("closed".to_owned()),
    }
}

fn named_rtmp(error: &rtmp::Error) -> Cell {
    let name = match (&error.kind, error.refusal()) {
        (ErrorKind::ClosedByServer, _) => "closed",
        (ErrorKind::Timeout, _) => "timeout",
        (_, Some(Refusal::KeyBusy)) => "key busy",
        (_, Some(Refusal::KeyRejected)) => "key refused",
        (_, Some(Refusal::Kicked)) => "kicked",
        (_, Some(Refusal::StreamEnded)) => "ended",
        (_, Some(Refusal::ServerGoingAway)) => "going away",
        (_, Some(Refusal::Other)) => "refused",
        _ => return Cell::Defect(error.to_string()),
    };
    Cell::Named(name.to_owned())
}
