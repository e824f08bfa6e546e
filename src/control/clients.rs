//! Who asks: the terminals at the box's ports and the clients of the control socket, each with its
//! requests in their order.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::console::{ClientId, Command, Reply, Secret, Typed};
use crate::limits::{CLIENT_REQUESTS_MAX, WATCHERS_MAX};

/// One request.
#[derive(Debug)]
pub(super) struct Request {
    pub what: Asked,
    /// A secret that came with it.
    pub secret: Option<Typed>,
}

/// What is asked for.
#[derive(Debug)]
pub(super) enum Asked {
    Command(Command),
    /// Nothing that can be understood; this says so, in its turn.
    Unclear(Box<Reply>),
    /// A secret that was asked for is here.
    Secret {
        of: Secret,
        value: Typed,
    },
}

/// What a request waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaits {
    /// The store, until then.
    Store(Duration),
    /// Something that takes its time, such as a server that does not answer.
    Job,
}

#[derive(Debug, Default)]
struct Client {
    waiting: VecDeque<Request>,
    running: Option<Running>,
    watches: bool,
    watches_levels: bool,
}

#[derive(Debug)]
struct Running {
    request: u64,
    awaits: Option<Awaits>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Clients {
    clients: BTreeMap<ClientId, Client>,
    last_request: u64,
}

impl Clients {
    /// Queues a request; gives it back when too many wait.
    pub fn push(&mut self, from: ClientId, request: Request) -> Result<(), Request> {
        let client = self.clients.entry(from).or_default();
        if client.waiting.len() >= CLIENT_REQUESTS_MAX {
            return Err(request);
        }
        client.waiting.push_back(request);
        Ok(())
    }

    /// Begins the next request of a client that waits for nothing, and numbers it.
    pub fn begin(&mut self, from: ClientId) -> Option<(u64, Request)> {
        let client = self.clients.get_mut(&from).filter(|client| client.running.is_none())?;
        let request = client.waiting.pop_front()?;
        self.last_request += 1;
        client.running = Some(Running { request: self.last_request, awaits: None });
        Some((self.last_request, request))
    }

    /// The request that is being carried out waits for something.
    pub fn awaits(&mut self, from: ClientId, awaits: Awaits) {
        if let Some(running) = self.clients.get_mut(&from).and_then(|c| c.running.as_mut()) {
            running.awaits = Some(awaits);
        }
    }

    /// A request waits for something else from now on.
    pub fn waits_on(&mut self, request: u64, awaits: Awaits) {
        let running = self.clients.values_mut().filter_map(|client| client.running.as_mut());
        for running in running.filter(|running| running.request == request) {
            running.awaits = Some(awaits);
        }
    }

    /// A request is answered; whose it was, if anybody still waits for it.
    pub fn end(&mut self, request: u64) -> Option<ClientId> {
        let id = self.whose(request)?;
        self.clients.get_mut(&id)?.running = None;
        Some(id)
    }

    /// Whether anybody still waits for a request that is being carried out.
    pub fn is_running(&self, request: u64) -> bool {
        self.whose(request).is_some()
    }

    fn whose(&self, request: u64) -> Option<ClientId> {
        let is_it = |client: &Client| client.running.as_ref().is_some_and(|r| r.request == request);
        self.clients.iter().find(|(_, client)| is_it(client)).map(|(id, _)| *id)
    }

    /// The request that a client waits for, and what that waits for.
    pub fn waits_for(&self, from: ClientId) -> Option<(u64, Awaits)> {
        let running = self.clients.get(&from)?.running.as_ref()?;
        Some((running.request, running.awaits?))
    }

    /// Takes the oldest request that is not answered yet, of any client: what it waits for, or `None`
    /// for one that was not begun. Not one that is being carried out: its answer comes by itself.
    pub fn take_unanswered(&mut self) -> Option<(ClientId, Option<Awaits>)> {
        self.clients.iter_mut().find_map(|(id, client)| {
            match client.running.take_if(|running| running.awaits.is_some()) {
                Some(running) => Some((*id, running.awaits)),
                None => client.waiting.pop_front().map(|_| (*id, None)),
            }
        })
    }

    /// The requests that have waited for the store for too long.
    pub fn out_of_patience(&self, now: Duration) -> Vec<u64> {
        let waits = |client: &Client| match client.running {
            Some(Running { request, awaits: Some(Awaits::Store(until)) }) if now >= until => {
                Some(request)
            }
            _ => None,
        };
        self.clients.values().filter_map(waits).collect()
    }

    /// When [`Clients::out_of_patience`] gives something.
    pub fn poll_timeout(&self) -> Option<Duration> {
        let until = |client: &Client| match client.running.as_ref()?.awaits? {
            Awaits::Store(until) => Some(until),
            Awaits::Job => None,
        };
        self.clients.values().filter_map(until).min()
    }

    pub fn is_waiting(&self, client: ClientId) -> bool {
        self.clients.get(&client).is_some_and(|client| client.running.is_some())
    }

    /// Whether anything more will be answered to a client.
    pub fn is_of_interest(&self, client: ClientId) -> bool {
        let more = |client: &Client| {
            client.watches
                || client.watches_levels
                || client.running.is_some()
                || !client.waiting.is_empty()
        };
        self.clients.get(&client).is_some_and(more)
    }

    /// It is gone; nothing of it is carried out any more.
    pub fn remove(&mut self, client: ClientId) {
        self.clients.remove(&client);
    }

    // ── who is shown every change ────────────────────────────────────────────────────────────

    /// Begins or ends to show a client every change; whether it is shown them from now on, `None`
    /// when too many are.
    pub fn toggle_watch(&mut self, from: ClientId) -> Option<bool> {
        let watchers = self.clients.values().filter(|client| client.watches).count();
        let client = self.clients.entry(from).or_default();
        if !client.watches && watchers >= WATCHERS_MAX {
            return None;
        }
        client.watches = !client.watches;
        Some(client.watches)
    }

    /// The same for the levels.
    pub fn toggle_watch_levels(&mut self, from: ClientId) -> Option<bool> {
        let watchers = self.level_watchers().count();
        let client = self.clients.entry(from).or_default();
        if !client.watches_levels && watchers >= WATCHERS_MAX {
            return None;
        }
        client.watches_levels = !client.watches_levels;
        Some(client.watches_levels)
    }

    pub fn watches_levels(&self, client: ClientId) -> bool {
        self.clients.get(&client).is_some_and(|client| client.watches_levels)
    }

    pub fn stop_watching(&mut self, client: ClientId) {
        if let Some(client) = self.clients.get_mut(&client) {
            (client.watches, client.watches_levels) = (false, false);
        }
    }

    /// All that are shown the levels.
    pub fn level_watchers(&self) -> impl Iterator<Item = ClientId> + use<> {
        let watching = self.clients.iter().filter(|(_, client)| client.watches_levels);
        watching.map(|(id, _)| *id).collect::<Vec<_>>().into_iter()
    }

    /// All that are shown every change.
    pub fn watchers(&self) -> Vec<ClientId> {
        self.clients.iter().filter(|(_, client)| client.watches).map(|(id, _)| *id).collect()
    }
}
