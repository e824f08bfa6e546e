//! The frames of one track that wait, and the configuration that each of them needs.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Drops, Frame, Kind};

/// A frame and its place in the order of both tracks.
#[derive(Debug)]
struct Waiting {
    order: u64,
    frame: Frame,
}

/// Frames of one track in the order they were pushed.
///
/// The front is always an access unit: configuration that reaches the front moves on to `current`.
/// That way dropping frames cannot lose a configuration that later frames need.
#[derive(Debug, Default)]
pub(super) struct TrackQueue {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// Pushed last.
    newest: Option<Frame>,
    /// In force for the frame at the front.
    current: Option<Frame>,
    /// Popped last on this connection.
    on_wire: Option<Frame>,
}

impl TrackQueue {
    pub(super) fn is_configured(&self) -> bool {
        self.newest.is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The access unit that is popped next.
    pub(super) fn front(&self) -> Option<&Frame> {
        self.waiting.front().map(|waiting| &waiting.frame)
    }

    /// The place of the front in the order of both tracks.
    pub(super) fn front_order(&self) -> Option<u64> {
        self.waiting.front().map(|waiting| waiting.order)
    }

    /// Media time from the oldest to the newest access unit; 0 when a clock went back.
    pub(super) fn span(&self) -> Duration {
        let newest = self.waiting.iter().rev().find(|waiting| !waiting.frame.kind.is_config());
        match (self.front(), newest) {
            (Some(oldest), Some(newest)) => {
                Duration::from_nanos(newest.frame.dts_ns.saturating_sub(oldest.dts_ns))
            }
            _ => Duration::ZERO,
        }
    }

    /// Remembers a configuration, in order; the same one again is ignored.
    pub(super) fn push_config(&mut self, order: u64, config: Frame) {
        if self.newest.as_ref().is_some_and(|newest| same_config(newest, &config)) {
            return;
        }
        self.newest = Some(config.clone());
        // Of two in a row only the newer is ever needed.
        if self.waiting.back().is_some_and(|last| last.frame.kind.is_config()) {
            self.remove_back();
        }
        self.push(order, config);
        self.settle();
    }

    pub(super) fn push(&mut self, order: u64, frame: Frame) {
        self.bytes += frame.payload.len();
        self.waiting.push_back(Waiting { order, frame });
    }

    /// The configuration to send before the front, if the connection has not seen it yet.
    pub(super) fn take_due_config(&mut self) -> Option<Frame> {
        let current = self.current.as_ref()?;
        if self.on_wire.as_ref().is_some_and(|on_wire| same_config(on_wire, current)) {
            return None;
        }
        self.on_wire = Some(current.clone());
        self.on_wire.clone()
    }

    /// A new connection has seen no configuration.
    pub(super) fn forget_wire(&mut self) {
        self.on_wire = None;
    }

    pub(super) fn pop(&mut self) -> Option<Frame> {
        let frame = self.remove_front()?;
        self.settle();
        Some(frame)
    }

    /// Drops the oldest access unit.
    pub(super) fn drop_front(&mut self) -> Drops {
        self.pop().map_or_else(Drops::default, |frame| Drops::one(frame.kind))
    }

    /// Drops the oldest access unit and all up to the next key frame.
    pub(super) fn drop_front_gop(&mut self) -> Drops {
        let mut drops = self.drop_front();
        while self.front().is_some_and(|frame| frame.kind != Kind::VideoKey) {
            drops += self.drop_front();
        }
        drops
    }

    /// Drops all before the newest key frame; everything if there is none.
    pub(super) fn drop_before_newest_key(&mut self) -> Drops {
        let key = self.waiting.iter().rposition(|waiting| waiting.frame.kind == Kind::VideoKey);
        let until = key.map(|index| self.waiting[index].order);
        let mut drops = Drops::default();
        while !self.is_empty() && self.front_order() != until {
            drops += self.drop_front();
        }
        drops
    }

    /// Drops access units from the front that are older than `dts_ns`.
    pub(super) fn drop_older_than(&mut self, dts_ns: u64) -> Drops {
        let mut drops = Drops::default();
        while self.front().is_some_and(|frame| frame.dts_ns < dts_ns) {
            drops += self.drop_front();
        }
        drops
    }

    pub(super) fn drop_all(&mut self) -> Drops {
        let mut drops = Drops::default();
        while !self.is_empty() {
            drops += self.drop_front();
        }
        drops
    }

    /// Drops the frames that no other refers to, wherever they wait.
    pub(super) fn drop_disposable(&mut self) -> Drops {
        let mut drops = Drops::default();
        self.waiting.retain(|Waiting { frame, .. }| {
            let keep = frame.kind != Kind::VideoDisposable;
            if !keep {
                self.bytes -= frame.payload.len();
                drops += Drops::one(frame.kind);
            }
            keep
        });
        self.settle();
        drops
    }

    fn settle(&mut self) {
        while self.front().is_some_and(|frame| frame.kind.is_config()) {
            self.current = self.remove_front();
        }
    }

    fn remove_front(&mut self) -> Option<Frame> {
        let Waiting { frame, .. } = self.waiting.pop_front()?;
        self.bytes -= frame.payload.len();
        Some(frame)
    }

    fn remove_back(&mut self) {
        if let Some(Waiting { frame, .. }) = self.waiting.pop_back() {
            self.bytes -= frame.payload.len();
        }
    }
}

/// Whether a decoder would see no difference.
fn same_config(one: &Frame, other: &Frame) -> bool {
    one.codec == other.codec && one.payload == other.payload
}
