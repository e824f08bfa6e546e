//! nginx with the RTMP module, plain and behind the TLS of its stream module.

use std::path::PathBuf;

use super::{Address, Place, Server, key};
use crate::media::{self, Packets};
use crate::probes::Probe;
use crate::support::nginx::{Nginx, nginx_with_or_skip};
use crate::support::pki::{Flaw, Pki};

/// Pings after a second of silence.
const PINGS: &str = "ping 1s; ping_timeout 1s;";

pub struct NginxRtmp {
    nginx: Option<Nginx>,
    plain: String,
    tls: Option<(String, PathBuf)>,
    _pki: Pki,
}

impl NginxRtmp {
    /// `None`, with the reason printed, where it is not installed.
    pub fn start_or_skip(with_tls: bool) -> Option<NginxRtmp> {
        let pki = Pki::new();
        let nginx = nginx_with_or_skip(&pki.identity(&["localhost"], Flaw::None), PINGS)?;
        let tls = with_tls.then(|| (nginx.rtmps_url("localhost"), pki.ca_file()));
        Some(NginxRtmp { plain: nginx.rtmp_url(), nginx: Some(nginx), tls, _pki: pki })
    }

    fn address(&self) -> Address {
        match &self.tls {
            None => Address { url: self.plain.clone(), ca_file: None },
            Some((url, ca_file)) => Address { url: url.clone(), ca_file: Some(ca_file.clone()) },
        }
    }
}

impl Server for NginxRtmp {
    fn place(&mut self, name: &str) -> (Address, firstmile::secret::StreamKey) {
        (self.address(), key(name))
    }

    fn received(&mut self, name: &str) -> Result<Packets, String> {
        let nginx = self.nginx.as_ref().ok_or("it was ended")?;
        let is_its = |path: &PathBuf| {
            let file = path.file_name().map(|file| file.to_string_lossy().into_owned());
            file.is_some_and(|file| file.starts_with(&format!("{name}-")))
        };
        let record = media::settled(|| nginx.recorded().into_iter().find(is_its));
        record.map(|path| Packets::of_file(&path)).ok_or_else(|| nginx.log())
    }

    fn pings(&self) -> bool {
        true
    }

    fn unknown_app(&mut self) -> Place {
        let address = self.address();
        let url = address.url.replace("/live", "/elsewhere");
        Some((Address { url, ..address }, key("unknown-app")))
    }

    fn kill(&mut self) {
        self.nginx = None;
    }

    fn remark(&self, probe: Probe) -> Option<&'static str> {
        match probe {
            Probe::LargeMessage => Some(
                "nginx-rtmp takes messages up to `max_message`, 1 MB unless configured; the session \
                 warns before the connection ends",
            ),
            Probe::UnknownApp => Some("nginx-rtmp closes without a word"),
            Probe::CutUnnoticed => Some(
                "nginx-rtmp goes on pinging an old connection that does not answer, and keeps its key",
            ),
            Probe::Capabilities => Some("they are taken and not answered"),
            Probe::WrongKey | Probe::RefusedWithWords | Probe::Redirect => {
                Some("only with a web server next to it (`on_publish`, `on_connect`)")
            }
            Probe::Tls if self.tls.is_none() => Some("no TLS of its own"),
            _ => None,
        }
    }
}
