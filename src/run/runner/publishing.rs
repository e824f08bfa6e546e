//! The destinations' tasks: orders to them, what they report, and the bitrate that follows from it.

use std::net::IpAddr;
use std::sync::Arc;

use super::Runner;
use crate::appliance::{DestinationId, EndKind, Event, PublishEvent, PublishOrder};
use crate::flv::metadata::Metadata;
use crate::pace;
use crate::publish::{Close, Order, Report, What};
use crate::run::outcome;
use crate::status::{DueTo, Server};

impl Runner {
    pub(super) fn perform_publish(&mut self, order: PublishOrder) {
        match order {
            PublishOrder::Open { dest, attempt, server } => self.open(dest, attempt, server),
            PublishOrder::Return { dest, attempt } => {
                let running = self.destinations.get(&dest);
                if let Some(target) = running.and_then(|d| d.settings.target.clone()) {
                    self.order(dest, Order::Return { attempt, target });
                }
            }
            PublishOrder::Close { dest, attempt, polite } => {
                let how = if polite { Close::Polite } else { Close::Abort };
                self.order(dest, Order::Close { attempt, how });
            }
        }
    }

    fn open(&mut self, dest: DestinationId, attempt: u64, server: Server) {
        let target = self.destinations.get(&dest).and_then(|d| match server {
            Server::First => d.settings.target.clone(),
            Server::Backup => d.settings.backup.clone(),
        });
        if let Some(target) = target {
            let metadata = Arc::new(self.metadata());
            self.order(dest, Order::Open { attempt, target, metadata });
        }
    }

    fn metadata(&self) -> Metadata {
        let (video, audio) = (&self.on_air.video, &self.on_air.audio);
        Metadata {
            width: video.width,
            height: video.height,
            fps: f64::from(video.fps),
            video_kbps: video.bitrate_kbps,
            audio_kbps: audio.bitrate_kbps,
            audio_sample_rate_hz: audio.sample_rate_hz,
            audio_channels: audio.channels,
            encoder: concat!("firstmile ", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }

    /// A task that does not take its orders is stuck, and only a restart helps.
    fn order(&mut self, dest: DestinationId, order: Order) {
        let Some(running) = self.destinations.get(&dest) else {
            return;
        };
        if let Err(error) = running.handle.orders.try_send(order) {
            tracing::error!(%error, destination = running.settings.name, "a destination is stuck");
            self.note_end("box", &"a destination's task does not take orders", DueTo::Inside);
            self.exit = Some(1);
        }
    }

    /// Connections from an address that no interface has any more.
    pub(super) fn find_stranded(&mut self) {
        let Some(interfaces) = &self.desk.interfaces else { return };
        let has = |address: &IpAddr| {
            address.is_loopback()
                || interfaces.iter().any(|i| i.addresses.contains(&address.to_string()))
        };
        let connected = self.destinations.iter().filter_map(|(id, running)| {
            let numbers = running.handle.stats.borrow();
            let is_gone = numbers.local_address.is_some_and(|address| !has(&address));
            is_gone.then_some((*id, numbers.attempt))
        });
        let stranded: Vec<_> = connected.collect();
        for (dest, attempt) in stranded {
            self.tell(Event::Stranded { dest, attempt });
        }
    }

    pub(super) fn handle_report(&mut self, report: Report) {
        let dest = DestinationId(report.destination);
        let ceiling_kbps = self.ceiling_kbps;
        if let Some(running) = self.destinations.get_mut(&dest) {
            report.what.steer(&mut running.path, ceiling_kbps);
        }
        self.steer_encoder();
        let what = match report.what {
            What::Accepted => PublishEvent::Accepted,
            What::Returned => PublishEvent::Returned,
            What::TargetBitrate(_) => return,
            What::Ended(Ok(())) => {
                PublishEvent::Ended { kind: EndKind::Stopped, message: String::new() }
            }
            What::Ended(Err(error)) => {
                let name = self.destinations.get(&dest).map(|d| d.settings.name.clone());
                self.note_end(&name.unwrap_or_default(), &error, outcome::due_to(&error));
                PublishEvent::Ended { kind: outcome::end_kind(&error), message: error.to_string() }
            }
        };
        self.tell(Event::Publish { dest, attempt: report.attempt, what });
        self.drop_gone();
    }

    /// The highest bitrate of the picture is another one from now on.
    pub(super) fn set_ceiling(&mut self) {
        let ceiling_kbps = self.request.video.bitrate_kbps;
        for running in self.destinations.values_mut() {
            running.handle.ceiling_kbps.send_replace(ceiling_kbps);
            running.path.handle_ceiling(self.ceiling_kbps, ceiling_kbps);
        }
        self.ceiling_kbps = ceiling_kbps;
        self.steer_encoder();
    }

    /// One encode has one bitrate, that which the setting makes of all paths.
    pub(super) fn steer_encoder(&self) {
        let in_order = self.order.iter().filter_map(|id| self.destinations.get(id));
        let paths = in_order.map(|running| running.path);
        let follow = self.settings.video.follow;
        let wanted_kbps = pace::combine(follow, self.request.video.bitrate_kbps, paths);
        if let Some(capture) = self.capture.running()
            && capture.stats().bitrate_kbps != wanted_kbps
        {
            capture.set_bitrate_kbps(wanted_kbps);
        }
    }
}
