//! The crate rtmp-rs as a server: it answers Enhanced RTMP capabilities, refuses and redirects.

use std::collections::HashMap;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use firstmile::flv::TagKind;
use firstmile::secret::StreamKey;
use rtmp_rs::media::FlvTag;
use rtmp_rs::media::flv::FlvTagType;
use rtmp_rs::protocol::message::{ConnectParams, PublishParams};
use rtmp_rs::session::{SessionContext, StreamContext};
use rtmp_rs::{AuthResult, RtmpHandler, RtmpServer, ServerConfig};
use tokio::runtime::Runtime;

use super::{Address, Place, Server, key};
use crate::media::{Message, Packets};
use crate::probes::Probe;
use crate::support::{eventually, free_port};

const REFUSAL: &str = "closed for the summer";

pub struct RtmpRs {
    runtime: Option<Runtime>,
    port: u16,
    received: Arc<Mutex<Received>>,
}

#[derive(Default)]
struct Received {
    media: HashMap<String, Vec<Message>>,
    unpublished: Vec<String>,
    capabilities: HashMap<String, String>,
}

struct Handler {
    received: Arc<Mutex<Received>>,
    elsewhere: String,
}

fn lock(received: &Mutex<Received>) -> MutexGuard<'_, Received> {
    received.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RtmpRs {
    pub fn start() -> RtmpRs {
        let port = free_port();
        let received: Arc<Mutex<Received>> = Arc::default();
        let elsewhere = format!("rtmp://127.0.0.1:{port}/live");
        let mut config = ServerConfig::default();
        config.bind_addr = ([127, 0, 0, 1], port).into();
        config.enhanced_capabilities = config.enhanced_capabilities.with_reconnect();
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().expect("a runtime");
        let server = RtmpServer::new(config, Handler { received: received.clone(), elsewhere });
        runtime.spawn(async move { server.run().await });
        let accepts = || TcpStream::connect(("127.0.0.1", port)).is_ok().then_some(());
        eventually(Duration::from_secs(10), accepts).expect("rtmp-rs listens");
        RtmpRs { runtime: Some(runtime), port, received }
    }

    fn address(&self, app: &str) -> Address {
        Address { url: format!("rtmp://127.0.0.1:{}/{app}", self.port), ca_file: None }
    }
}

impl RtmpHandler for Handler {
    async fn on_connect(&self, _: &SessionContext, params: &ConnectParams) -> AuthResult {
        match params.app.as_str() {
            "live" => AuthResult::Accept,
            "moved" => AuthResult::Redirect { url: self.elsewhere.clone() },
            "closed" => AuthResult::Reject(REFUSAL.to_owned()),
            _ => AuthResult::Reject("no such application".to_owned()),
        }
    }

    async fn on_publish(&self, ctx: &SessionContext, params: &PublishParams) -> AuthResult {
        if params.stream_key == "wrong-key" {
            return AuthResult::Reject("invalid stream key".to_owned());
        }
        if let Some(capabilities) = &ctx.enhanced_capabilities {
            let words = format!("reconnect: {}", capabilities.supports_reconnect());
            lock(&self.received).capabilities.insert(params.stream_key.clone(), words);
        }
        AuthResult::Accept
    }

    async fn on_media_tag(&self, ctx: &StreamContext, tag: &FlvTag) -> bool {
        let kind = match tag.tag_type {
            FlvTagType::Audio => TagKind::Audio,
            FlvTagType::Video => TagKind::Video,
            FlvTagType::Script => TagKind::Script,
        };
        let message = Message { time_ms: tag.timestamp.into(), kind, body: tag.data.clone() };
        lock(&self.received).media.entry(ctx.stream_key.clone()).or_default().push(message);
        true
    }

    async fn on_unpublish(&self, ctx: &StreamContext) {
        lock(&self.received).unpublished.push(ctx.stream_key.clone());
    }
}

impl Server for RtmpRs {
    fn place(&mut self, name: &str) -> (Address, StreamKey) {
        (self.address("live"), key(name))
    }

    fn received(&mut self, name: &str) -> Result<Packets, String> {
        let count = || lock(&self.received).media.get(name).map_or(0, Vec::len);
        let mut before = usize::MAX;
        eventually(Duration::from_secs(5), || {
            let now = count();
            let is_quiet = now == std::mem::replace(&mut before, now);
            std::thread::sleep(Duration::from_millis(200));
            is_quiet.then_some(())
        });
        let messages = lock(&self.received).media.remove(name).ok_or("it received no media")?;
        Ok(Packets::of(&messages))
    }

    fn was_unpublished(&mut self, name: &str) -> Option<bool> {
        let unpublished =
            || lock(&self.received).unpublished.iter().any(|key| key == name).then_some(());
        Some(eventually(Duration::from_secs(2), unpublished).is_some())
    }

    fn capabilities(&mut self, name: &str) -> Option<String> {
        lock(&self.received).capabilities.get(name).cloned()
    }

    fn unknown_app(&mut self) -> Place {
        Some((self.address("elsewhere"), key("unknown-app")))
    }

    fn wrong_key(&mut self) -> Place {
        Some((self.address("live"), key("wrong-key")))
    }

    fn refuses(&mut self) -> Option<(Address, StreamKey, &'static str)> {
        Some((self.address("closed"), key("refused"), REFUSAL))
    }

    fn redirects(&mut self) -> Place {
        Some((self.address("moved"), key("redirected")))
    }

    fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    fn remark(&self, probe: Probe) -> Option<&'static str> {
        match probe {
            Probe::Tls => Some("not built with it: its TLS brings a second cryptographic library"),
            Probe::Ping => Some("sends no pings"),
            Probe::CutUnnoticed => Some("keeps the key for the 60 s of its idle timeout"),
            Probe::Capabilities => Some("rtmp-rs reads them, and answers with its own"),
            Probe::Redirect => Some("`_error` with a flat property `ex.redirect`"),
            _ => None,
        }
    }
}

impl Drop for RtmpRs {
    fn drop(&mut self) {
        self.kill();
    }
}
